package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const ownModule = "github.com/fe055d52/credential-helper"

// A goPackage is what `go list` says of a package.
type goPackage struct {
	Dir, ImportPath, Name             string
	GoFiles, IgnoredGoFiles, CgoFiles []string
	SFiles, EmbedFiles, Imports       []string
	Standard                          bool
	Module                            *struct{ Path string }
}

// listPackages lists ours and all that they import, for a system.
func listPackages(t *testing.T, goos string) map[string]goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-json=Dir,ImportPath,Name,GoFiles,IgnoredGoFiles,CgoFiles,SFiles,EmbedFiles,Imports,Standard,Module", "./...")
	cmd.Dir, cmd.Env = "..", append(os.Environ(), "GOOS="+goos, "CGO_ENABLED=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	list := map[string]goPackage{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list[p.ImportPath] = p
	}
}

// TestBuildFiles holds that the BUILD files are what Go says of the packages. UPDATE_SCRIPTS=1 writes them.
func TestBuildFiles(t *testing.T) {
	systems := map[string]map[string]goPackage{}
	for _, goos := range []string{"darwin", "linux", "windows"} {
		systems[goos] = listPackages(t, goos)
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"BUILD.bazel": rootBuildFile}
	for importPath, p := range systems["linux"] {
		if p.Module == nil || p.Module.Path != ownModule || len(p.GoFiles) == 0 { // the tests are Go's
			continue
		}
		dir, err := filepath.Rel(root, p.Dir)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.SFiles)+len(p.CgoFiles)+len(p.EmbedFiles) > 0 {
			t.Errorf("%s has files that the BUILD files do not know of", importPath)
		}
		want[filepath.Join(dir, "BUILD.bazel")] = buildFile(filepath.ToSlash(dir), importPath, systems)
	}
	have := map[string]bool{}
	err = filepath.WalkDir(root, func(file string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || d.Name() == "testdata" || file == filepath.Join(root, otherWorkspace)) {
			return filepath.SkipDir
		}
		if d.Name() == "BUILD.bazel" || d.Name() == "BUILD" {
			rel, err := filepath.Rel(root, file)
			have[rel] = true
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for file, text := range want {
		same(t, filepath.Join(root, file), text)
	}
	for file := range have {
		if _, ok := want[file]; !ok {
			t.Errorf("%s is for no package", file)
		}
	}
}

// otherWorkspace is a workspace of its own, which is no part of this one.
const otherWorkspace = "examples/bazel/workspace"

func TestBazelIgnoresTheOtherWorkspace(t *testing.T) {
	if got, err := os.ReadFile(filepath.Join("..", ".bazelignore")); err != nil || string(got) != otherWorkspace+"\n" {
		t.Errorf(".bazelignore is %q, %v", got, err)
	}
}

// same holds that a file has a text. UPDATE_SCRIPTS=1 writes it.
func same(t *testing.T, file, text string) {
	t.Helper()
	if os.Getenv("UPDATE_SCRIPTS") != "" {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if kept, err := os.ReadFile(file); err != nil || string(kept) != text {
		t.Errorf("%s is not up to date (%v); UPDATE_SCRIPTS=1 go test -run Build ./release writes it", file, err)
	}
}

const rootBuildFile = `alias(
    name = "credential-helper",
    actual = "//cmd/credential-helper",
    visibility = ["//visibility:public"],
)
`

// buildFile is the BUILD file of a package, in the form that gazelle and buildifier give it.
func buildFile(dir, importPath string, systems map[string]map[string]goPackage) string {
	p := systems["linux"][importPath]
	// The rules choose among the files by their names and constraints, as Go does.
	var srcs []string
	deps := map[string]map[string]bool{} // systems by label
	for goos, packages := range systems {
		of := packages[importPath]
		for _, f := range append(of.GoFiles, of.IgnoredGoFiles...) {
			if !strings.HasSuffix(f, "_test.go") {
				srcs = append(srcs, f)
			}
		}
		for _, imported := range of.Imports {
			if of := packages[imported]; !of.Standard && of.Module != nil {
				label := labelOf(imported, of.Module.Path)
				if deps[label] == nil {
					deps[label] = map[string]bool{}
				}
				deps[label][goos] = true
			}
		}
	}
	slices.Sort(srcs)
	srcs = slices.Compact(srcs)

	library, visibility := path.Base(dir), "//visibility:public"
	main := p.Name == "main"
	if main {
		library += "_lib"
		visibility = "//visibility:private"
	} else if strings.HasPrefix(dir, "internal/") {
		visibility = "//:__subpackages__"
	}
	var b strings.Builder
	rules := `"go_library"`
	if main {
		rules = `"go_binary", "go_library"`
	}
	fmt.Fprintf(&b, "load(\"@rules_go//go:def.bzl\", %s)\n\n", rules)
	if main {
		fmt.Fprintf(&b, "go_binary(\n    name = %q,\n    embed = [\":%s\"],\n    gc_linkopts = [\n        \"-s\",\n        \"-w\",\n    ],\n    pure = \"on\",\n    visibility = [\"//visibility:public\"],\n)\n\n", path.Base(dir), library)
	}
	fmt.Fprintf(&b, "go_library(\n    name = %q,\n    srcs = %s,\n    importpath = %q,\n    visibility = [%q],\n", library, starlarkList(srcs, 4), importPath, visibility)
	if text := starlarkDeps(deps, len(systems)); text != "" {
		fmt.Fprintf(&b, "    deps = %s,\n", text)
	}
	b.WriteString(")\n")
	return b.String()
}

// starlarkDeps writes the labels that all systems need, and those that only some do.
func starlarkDeps(deps map[string]map[string]bool, systems int) string {
	var all []string
	some := map[string][]string{}
	for label, on := range deps {
		if len(on) == systems {
			all = append(all, label)
			continue
		}
		for goos := range on {
			some[goos] = append(some[goos], label)
		}
	}
	sortLabels(all)
	var b strings.Builder
	if len(all) > 0 {
		b.WriteString(starlarkList(all, 4))
	}
	if len(some) == 0 {
		return b.String()
	}
	if len(all) > 0 {
		b.WriteString(" + ")
	}
	b.WriteString("select({\n")
	for _, goos := range []string{"darwin", "linux", "windows"} {
		if labels := some[goos]; len(labels) > 0 {
			sortLabels(labels)
			fmt.Fprintf(&b, "        \"@rules_go//go/platform:%s\": %s,\n", goos, starlarkLines(labels, 8))
		}
	}
	b.WriteString("        \"//conditions:default\": [],\n    })")
	return b.String()
}

// sortLabels puts our own labels before those of others.
func sortLabels(labels []string) {
	slices.SortFunc(labels, func(a, b string) int {
		if own := strings.HasPrefix(a, "//"); own != strings.HasPrefix(b, "//") {
			if own {
				return -1
			}
			return 1
		}
		return strings.Compare(strings.ReplaceAll(a, ":", "!"), strings.ReplaceAll(b, ":", "!"))
	})
}

// starlarkList writes one word in a line, and several in lines of their own.
func starlarkList(words []string, indent int) string {
	if len(words) == 1 {
		return fmt.Sprintf("[%q]", words[0])
	}
	return starlarkLines(words, indent)
}

func starlarkLines(words []string, indent int) string {
	pad := strings.Repeat(" ", indent)
	var b strings.Builder
	b.WriteString("[\n")
	for _, w := range words {
		fmt.Fprintf(&b, "%s    %q,\n", pad, w)
	}
	return b.String() + pad + "]"
}

var majorVersion = regexp.MustCompile(`^v[0-9]+$`)

// labelOf is the label of a package, which gazelle gives the last element of its path that is not a major version.
func labelOf(importPath, module string) string {
	sub := strings.TrimPrefix(strings.TrimPrefix(importPath, module), "/")
	name := path.Base(importPath)
	if majorVersion.MatchString(name) {
		name = path.Base(path.Dir(importPath))
	}
	repo := ""
	if module != ownModule {
		repo = "@" + repoName(module)
	}
	if path.Base(sub) == name && sub != "" {
		return repo + "//" + sub
	}
	return repo + "//" + sub + ":" + name
}

// repoName is the name that gazelle gives a module's repository: the host backward, then the path.
func repoName(module string) string {
	parts := strings.Split(strings.ToLower(module), "/")
	host := strings.Split(parts[0], ".")
	slices.Reverse(host)
	return regexp.MustCompile(`[^\w]`).ReplaceAllString(strings.Join(append(host, parts[1:]...), "_"), "_")
}

// TestModuleFile holds that MODULE.bazel names the modules that go.mod requires.
func TestModuleFile(t *testing.T) {
	cmd := exec.Command("go", "mod", "edit", "-json")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	var repos []string
	for _, r := range mod.Require {
		if !r.Indirect {
			repos = append(repos, repoName(r.Path))
		}
	}
	slices.Sort(repos)
	file := filepath.Join("..", "MODULE.bazel")
	kept, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, _, ok := strings.Cut(string(kept), "use_repo(")
	if !ok {
		t.Fatalf("%s has no use_repo", file)
	}
	text := before + "use_repo(\n    go_deps,\n"
	for _, r := range repos {
		text += fmt.Sprintf("    %q,\n", r)
	}
	same(t, file, text+")\n")
}

func TestLabels(t *testing.T) {
	for _, tt := range []struct{ importPath, module, want string }{
		{ownModule + "/internal/env", ownModule, "//internal/env"},
		{"golang.org/x/term", "golang.org/x/term", "@org_golang_x_term//:term"},
		{"golang.org/x/sys/windows", "golang.org/x/sys", "@org_golang_x_sys//windows"},
		{"github.com/godbus/dbus/v5", "github.com/godbus/dbus/v5", "@com_github_godbus_dbus_v5//:dbus"},
		{"github.com/docker/docker-credential-helpers/client", "github.com/docker/docker-credential-helpers", "@com_github_docker_docker_credential_helpers//client"},
		{"filippo.io/age", "filippo.io/age", "@io_filippo_age//:age"},
	} {
		if got := labelOf(tt.importPath, tt.module); got != tt.want {
			t.Errorf("%s is %s, want %s", tt.importPath, got, tt.want)
		}
	}
}
