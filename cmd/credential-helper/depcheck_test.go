package main

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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
			if len(list) == 0 {
				t.Fatalf("go list %s lists nothing", args)
			}
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
	for _, goos := range []string{"linux", "darwin", "windows"} {
		t.Setenv("GOOS", goos)
		for _, p := range goList(t, "-deps", module+"/cmd/credential-helper") {
			if p.Module != nil && !slices.Contains(linked, p.Module.Path) {
				t.Errorf("for %s, the executable links %s, of %s", goos, p.ImportPath, p.Module.Path)
			}
			switch p.ImportPath {
			case "testing", "net/http/httptest", "plugin", module + "/internal/registrytest", module + "/internal/peertest", module + "/internal/packagetest":
				t.Errorf("for %s, the executable links %s", goos, p.ImportPath)
			}
		}
	}
}

// warmDeps are what package warm may have behind it, beside what package runtime and syscall are made of: it runs before all else, in each run.
var warmDeps = []string{
	module + "/internal/warm", module + "/cache/wire", module + "/internal/inputs", module + "/internal/place", "github.com/dchest/siphash",
	"cmp", "errors", "hash", "io", "iter", "math/bits", "path", "runtime", "slices", "sync", "sync/atomic", "syscall", "unicode/utf8", "unsafe",
}

func TestWarmPathImports(t *testing.T) {
	t.Setenv("GOOS", "linux")
	for _, p := range goList(t, "-deps", module+"/internal/warm") {
		if !slices.Contains(warmDeps, p.ImportPath) && !(p.Standard && strings.HasPrefix(p.ImportPath, "internal/")) {
			t.Errorf("a warm hit links %s", p.ImportPath)
		}
	}
}

// TestDocumentedDependencies holds that docs/dependencies.md says once of each module that go.mod names why it is there, and has no row of one that is gone.
func TestDocumentedDependencies(t *testing.T) {
	out, err := exec.Command("go", "mod", "edit", "-json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
		Replace, Exclude []struct{ Old struct{ Path string } }
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	if len(mod.Replace)+len(mod.Exclude) > 0 {
		t.Errorf("go.mod replaces or excludes modules, which holds nowhere but here: %v %v", mod.Replace, mod.Exclude)
	}
	page := pages(t)[filepath.Join("..", "..", "docs", "dependencies.md")]
	table, rest, ok := strings.Cut(page, "\nFor tests and examples only: ")
	tests, _, _ := strings.Cut(rest, "\n\n")
	if !ok {
		t.Fatal("docs/dependencies.md has no list of what is for tests only")
	}
	for _, r := range mod.Require {
		if r.Indirect {
			continue
		}
		rows := strings.Count(table, "\n| `"+r.Path+"`") + strings.Count(table, "\n| `"+r.Path+"/")
		where := "a row"
		if !slices.Contains(linked, r.Path) {
			rows, where = strings.Count(tests, "`"+r.Path+"` ("), "a place among those for tests"
		}
		if rows != 1 {
			t.Errorf("docs/dependencies.md gives %s %d times %s that says what it is for; want it once", r.Path, rows, where)
		}
	}
	for line := range strings.Lines(table) {
		path, what, ok := strings.Cut(strings.TrimPrefix(line, "| `"), "` | ")
		if !ok || !strings.HasPrefix(line, "| `") {
			continue
		}
		if !slices.ContainsFunc(linked, func(m string) bool { return path == m || strings.HasPrefix(path, m+"/") }) || len(what) < 10 {
			t.Errorf("docs/dependencies.md has %s, which is not linked, or does not say why", path)
		}
	}
}

// TestCaseIsFoldedInASCII holds that no text is compared without its letter case by the rules of Unicode, by which gİthub.com is github.com
// and a Kelvin sign a k, but where another program does so.
func TestCaseIsFoldedInASCII(t *testing.T) {
	allowed := map[string]int{
		"internal/dockerconfig/document.go": 5, // docker reads the keys of its file so
		"internal/dockerconfig/logins.go":   1,
		"lookup/configparser.go":            1, // Python reads them so
		"internal/env/env.go":               1, // tweag-credential-helper names a directory so, on Windows
	}
	folds := regexp.MustCompile(`\b(?:strings|bytes)\.(?:ToLower|ToUpper|ToTitle|Title|EqualFold)\(|\bunicode\.(?:ToLower|ToUpper|SimpleFold)\(`)
	root := filepath.Join("..", "..")
	files := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, path)
		name = filepath.ToSlash(name)
		switch {
		case d.IsDir() && (name == ".git" || name == "bench" || name == "release" || strings.HasSuffix(name, "test") || name == "examples"):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		files++
		source, err := os.ReadFile(path)
		if n := len(folds.FindAll(source, -1)); n != allowed[name] {
			t.Errorf("%s folds case by Unicode in %d places, %d are known; package internal/ascii has it for A to Z", name, n, allowed[name])
		}
		return err
	})
	if err != nil || files < 100 {
		t.Errorf("looked at %d files: %v", files, err)
	}
}
