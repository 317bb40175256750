package main

import (
	"context"
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
)

// A target is a fuzz target.
type target struct {
	name string
	pkg  *pkg
}

// String is the target as -run and the tables have it: the package's directory in the module, and the name.
func (t target) String() string { return t.pkg.within + "." + t.name }

// corpus is the directory of the inputs that are committed.
func (t target) corpus() string { return filepath.Join(t.pkg.Dir, "testdata", "fuzz", t.name) }

// A pkg is a package as go list tells of it.
type pkg struct {
	ImportPath, Dir           string
	TestGoFiles, XTestGoFiles []string
	Deps                      []string
	Module                    struct{ Path string }

	within string // its directory in the module, with slashes
}

var declaration = regexp.MustCompile(`(?m)^func (Fuzz\w*)\(\w+ \*testing\.F\)`)

// targets returns the targets that this system has and whose names match, in the order of their packages and names.
func targets(ctx context.Context, wanted *regexp.Regexp) ([]target, error) {
	list := exec.CommandContext(ctx, "go", "list", "-test=false", "-deps=false", "-json=ImportPath,Dir,TestGoFiles,XTestGoFiles,Deps,Module", "./...")
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("running go list: %w", err)
	}
	var all []target
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		p := &pkg{}
		if err := d.Decode(p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("reading what go list says: %w", err)
		}
		p.within = path.Join(".", strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, p.Module.Path), "/"))
		var names []string
		for _, file := range slices.Concat(p.TestGoFiles, p.XTestGoFiles) {
			text, err := os.ReadFile(filepath.Join(p.Dir, file))
			if err != nil {
				return nil, err
			}
			names = append(names, declared(string(text))...)
		}
		slices.Sort(names)
		for _, name := range names {
			if t := (target{name, p}); wanted.MatchString(t.String()) {
				all = append(all, t)
			}
		}
	}
}

// declared returns the names of the targets that a file of tests declares.
func declared(text string) []string {
	var names []string
	for _, m := range declaration.FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	return names
}
