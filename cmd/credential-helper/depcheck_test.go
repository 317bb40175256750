package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/fe055d52/credential-helper"

// A goPackage is what `go list` says of a package.
type goPackage struct {
	ImportPath string
	Imports    []string
	Standard   bool
	Module     *struct{ Path string }
}

func goList(t *testing.T, args ...string) []goPackage {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,Standard,Module"}, args...)...)
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %s", exit.Stderr)
		}
		t.Fatal(err)
	}
	var list []goPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

// mayImport says which of the project's packages each part may import, beside internal/… : dependencies point one way.
var mayImport = []struct {
	part    string // a package, or with "/..." it and those below
	allowed []string
}{
	{"helpers", nil},
	{"lookup", []string{"helpers"}},
	{"dialect", []string{"helpers"}},
	{"cache", []string{"helpers", "cache/wire"}},
	{"cache/wire", nil},
	{"config", []string{"helpers"}},
	{"helpers/...", []string{"helpers", "lookup"}},
	{"internal/warm", []string{"cache/wire"}},
	{"internal/doctor", []string{"helpers", "config"}},
	{"internal/...", []string{"helpers"}},
	{"examples/...", nil},
	{"release", nil},
	{"bench", []string{"helpers", "cache", "cache/wire"}},
	{"cmd/...", []string{"helpers", "helpers/github", "helpers/null", "helpers/oci", "helpers/registry", "helpers/remoteapis", "lookup", "dialect", "cache", "cache/wire", "config"}},
}

func TestDependenciesPointOneWay(t *testing.T) {
	for _, p := range goList(t, module+"/...") {
		part := strings.TrimPrefix(p.ImportPath, module+"/")
		i := slices.IndexFunc(mayImport, func(r struct {
			part    string
			allowed []string
		},
		) bool {
			below, tree := strings.CutSuffix(r.part, "/...")
			return part == r.part || tree && strings.HasPrefix(part, below+"/")
		})
		if i < 0 {
			t.Errorf("%s is in no part of the layout; give it one here", p.ImportPath)
			continue
		}
		for _, imported := range p.Imports {
			own, ok := strings.CutPrefix(imported, module+"/")
			if !ok || strings.HasPrefix(own, "internal/") && own != "internal/registrytest" && own != "internal/peertest" && own != "internal/packagetest" {
				continue
			}
			if own == "internal/registrytest" && (part == "bench" || strings.HasPrefix(part, "examples/")) {
				continue
			}
			if !slices.Contains(mayImport[i].allowed, own) {
				t.Errorf("%s imports %s", part, own)
			}
		}
	}
}

// linked are the modules in the executable. Each earns its start-up cost, which every URL of a build pays: see docs/dependencies.md.
var linked = []string{
	module,
	"filippo.io/age",
	"filippo.io/edwards25519",       // by age
	"filippo.io/hpke",               // by age
	"github.com/danieljoos/wincred", // by go-keyring, on Windows
	"github.com/dchest/siphash",
	"github.com/docker/docker-credential-helpers",
	"github.com/git-lfs/go-netrc",
	"github.com/goccy/go-yaml",
	"github.com/godbus/dbus/v5",
	"github.com/pelletier/go-toml/v2",
	"github.com/tidwall/gjson",
	"github.com/tidwall/match",  // by gjson
	"github.com/tidwall/pretty", // by gjson
	"github.com/zalando/go-keyring",
	"golang.org/x/crypto", // by age
	"golang.org/x/net",
	"golang.org/x/sys",
	"golang.org/x/term",
}

func TestExecutableLinksWhatItNeeds(t *testing.T) {
	for _, p := range goList(t, "-deps", module+"/cmd/credential-helper") {
		if p.Module != nil && !slices.Contains(linked, p.Module.Path) {
			t.Errorf("the executable links %s, of %s", p.ImportPath, p.Module.Path)
		}
		switch p.ImportPath {
		case "testing", "net/http/httptest", "plugin", module + "/internal/registrytest", module + "/internal/peertest", module + "/internal/packagetest":
			t.Errorf("the executable links %s", p.ImportPath)
		}
	}
}
