package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/config"
	"github.com/fe055d52/credential-helper/internal/env"
)

// pages returns the README, the pages of docs/ and the others, by their path from here.
func pages(t *testing.T) map[string]string {
	t.Helper()
	root := filepath.Join("..", "..")
	paths, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, path := range append(paths, filepath.Join(root, "README.md"), filepath.Join(root, "CONTRIBUTING.md"), filepath.Join(root, "examples", "README.md")) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		texts[path] = string(data)
	}
	return texts
}

// TestDocumentedConfigurationsLoad holds that every configuration in the docs is one.
func TestDocumentedConfigurationsLoad(t *testing.T) {
	block := regexp.MustCompile("(?s)```json\n(.*?)```")
	n := 0
	for path, text := range pages(t) {
		for _, m := range block.FindAllStringSubmatch(text, -1) {
			n++
			_, kinds := kindsFor(t, nil)
			if _, err := config.Parse(path, []byte(m[1]), kinds, false); err != nil {
				t.Errorf("%v in\n%s", err, m[1])
			}
		}
	}
	if n < 6 {
		t.Errorf("found only %d configurations in the docs", n)
	}
}

// TestDocumentedLinksLeadSomewhere holds that links within the repository name a file, and a heading of it.
func TestDocumentedLinksLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	texts := pages(t)
	for path, text := range texts {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			file, heading, _ := strings.Cut(m[1], "#")
			target := path
			if file != "" {
				target = filepath.Join(filepath.Dir(path), file)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which is not there", path, m[1])
				continue
			}
			if heading != "" && !hasHeading(texts[target], heading) {
				t.Errorf("%s links to %s, which has no such heading", path, m[1])
			}
		}
	}
}

// hasHeading reports whether a page has a heading with an anchor, as GitHub makes anchors.
func hasHeading(text, anchor string) bool {
	drop := regexp.MustCompile("[^a-z0-9 -]")
	for line := range strings.Lines(text) {
		title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " ")
		if !ok || !strings.HasPrefix(line, "#") {
			continue
		}
		if strings.ReplaceAll(drop.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), ""), " ", "-") == anchor {
			return true
		}
	}
	return false
}

// TestDocumentedVariables holds that the variables that the program reads are those that its help and docs/configuration.md tell of.
func TestDocumentedVariables(t *testing.T) {
	page := pages(t)[filepath.Join("..", "..", "docs", "configuration.md")]
	for _, name := range []string{
		env.VarAgentPID, env.VarSocket, env.VarCache, env.VarIdle, env.VarPrune, env.VarConfigFile, env.VarGuessOCI, env.VarLogging, env.VarStandalone, env.VarTimeout, env.VarWorkdir, env.VarWorkspace,
	} {
		if !strings.Contains(page, "`"+name+"`") || !strings.Contains(usage(style{}), "  "+name+" ") {
			t.Errorf("%s is not documented", name)
		}
	}
}

// TestSecurityClaims holds that each claim of docs/security.md names tests that hold it, and that these are there.
func TestSecurityClaims(t *testing.T) {
	page := filepath.Join("..", "..", "docs", "security.md")
	_, text, found := strings.Cut(pages(t)[page], "\n## What holds it\n")
	if !found {
		t.Fatalf("%s has no list of claims", page)
	}
	link := regexp.MustCompile(`\[((?:Test|Fuzz)[A-Za-z0-9]+)\]\(([^)\s]+_test\.go)\)`)
	claims := 0
	for line := range strings.Lines(text) {
		claim, tests, _ := strings.Cut(strings.TrimPrefix(line, "| "), " | ")
		if !strings.HasPrefix(line, "| ") || claim == "claim" {
			continue
		}
		claims++
		links := link.FindAllStringSubmatch(tests, -1)
		if len(links) == 0 || len(links) != strings.Count(tests, "](") {
			t.Errorf("the claim %q does not name tests alone", claim)
		}
		for _, m := range links {
			source, err := os.ReadFile(filepath.Join(filepath.Dir(page), m[2]))
			if err != nil || !strings.Contains(string(source), "\nfunc "+m[1]+"(") {
				t.Errorf("the claim %q rests on %s in %s, which is not there (%v)", claim, m[1], m[2], err)
			}
		}
	}
	if claims < 20 {
		t.Errorf("found %d claims only", claims)
	}
}
