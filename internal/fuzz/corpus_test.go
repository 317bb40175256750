package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestCorpus holds that each target has a corpus, that no corpus is left of a target that is gone, that all are small,
// and that none has in it where it was made.
func TestCorpus(t *testing.T) {
	t.Chdir("../..")
	all, err := targets(t.Context(), regexp.MustCompile(""))
	if err != nil {
		t.Fatal(err)
	}
	declaredHere := map[string]bool{}
	total := 0
	for _, target := range all {
		declaredHere[target.corpus()] = true
		files, _ := os.ReadDir(target.corpus())
		if len(files) == 0 {
			t.Errorf("%s has no corpus: go run ./internal/fuzz -time 3m -run '^%s$', and then with -keep", target, target)
		}
		if len(files) > maxInputs+8 { // there is room for what failed once
			t.Errorf("%s has %d inputs", target, len(files))
		}
		for _, file := range files {
			data, err := os.ReadFile(filepath.Join(target.corpus(), file.Name()))
			if err != nil {
				t.Fatal(err)
			}
			total += len(data)
			if len(data) > maxInput {
				t.Errorf("%s: %s has %d bytes", target, file.Name(), len(data))
			}
			if place := anywhere.Find(data); place != nil {
				t.Errorf("%s: %s has %q in it", target, file.Name(), place)
			}
		}
	}
	if total > 1<<20 {
		t.Errorf("the corpora have %d bytes together", total)
	}
	corpora, err := filepath.Glob("*/testdata/fuzz/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"*/*/testdata/fuzz/*", "*/*/*/testdata/fuzz/*"} {
		more, _ := filepath.Glob(pattern)
		corpora = append(corpora, more...)
	}
	for _, dir := range corpora {
		dir, err := filepath.Abs(dir)
		if err != nil {
			t.Fatal(err)
		}
		if !declaredHere[dir] && !elsewhere(t, dir) {
			t.Errorf("%s is the corpus of no target", dir)
		}
	}
}

// TestBoundsAreHeld holds that a package with a fuzz target holds its parsers to bounds as well (see package boundtest).
func TestBoundsAreHeld(t *testing.T) {
	without := map[string]string{
		"cmd/credential-helper": "what is parsed here is parsed by the packages below",
		"internal/inputs":       "a sum is no parser",
		"internal/place":        "the path of a file is as long as the system lets it be",
		"internal/strictjson":   "package config holds it, with its own files",
	}
	t.Chdir("../..")
	all, err := targets(t.Context(), regexp.MustCompile(""))
	if err != nil {
		t.Fatal(err)
	}
	held := map[*pkg]bool{}
	for _, target := range all {
		if _, seen := held[target.pkg]; seen {
			continue
		}
		held[target.pkg] = false
		files, err := filepath.Glob(filepath.Join(target.pkg.Dir, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			held[target.pkg] = held[target.pkg] || regexp.MustCompile(`(?m)^func TestBounds\(`).Match(text)
		}
		if _, known := without[target.pkg.within]; held[target.pkg] == known {
			t.Errorf("%s: TestBounds is there: %v, and it is known that there is none: %v", target.pkg.within, held[target.pkg], known)
		}
	}
}

// elsewhere reports whether a target is in a file of tests that is for other systems.
func elsewhere(t *testing.T, corpus string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(corpus, "..", "..", "..", "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range declared(string(text)) {
			if name == filepath.Base(corpus) {
				return true
			}
		}
	}
	return false
}
