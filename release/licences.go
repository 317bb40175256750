package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// licenceFile are the names under which modules have their licences, and what belongs to them.
var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents)([.-][\w.-]*)?$`)

// licences returns the licences of all that an executable has in it beside our own code: Go's, and those of the modules that it links.
func licences(root string, t target) ([]byte, error) {
	goRoot, err := goCommand(root, t, "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("finding Go's licence: %w", err)
	}
	modules, err := linkedModules(root, t)
	if err != nil {
		return nil, err
	}
	modules = append([]string{"Go\t" + string(goRoot)}, modules...)
	var text bytes.Buffer
	for _, line := range modules {
		module, dir, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if !ok {
			continue
		}
		found, err := licencesIn(dir)
		if err != nil {
			return nil, fmt.Errorf("reading the licence of %s: %w", module, err)
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("%s has no licence in %s", module, dir)
		}
		for _, f := range found {
			fmt.Fprintf(&text, "==== %s: %s\n\n%s\n\n", module, f.path, bytes.TrimSpace(f.content))
		}
	}
	return text.Bytes(), nil
}

// linkedModules returns the modules that an executable has in it, but our own: "PATH VERSION\tDIRECTORY\n".
func linkedModules(root string, t target) ([]string, error) {
	cmd := goCommand(root, t, "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}\t{{.Dir}}{{end}}{{end}}", command)
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("listing modules: %w", err)
	}
	lines := slices.Compact(slices.Sorted(strings.Lines(string(out))))
	return slices.DeleteFunc(lines, func(line string) bool { return strings.TrimSpace(line) == "" }), nil
}

func licencesIn(dir string) ([]file, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var found []file
	for _, e := range entries {
		if !licenceFile.MatchString(e.Name()) || e.IsDir() {
			continue
		}
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		found = append(found, file{path: e.Name(), content: content})
	}
	return found, nil
}
