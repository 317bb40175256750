//go:build unix

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/internal/peertest"
)

// varMutants names, in a program that is built for TestCanariesSing, the protections that are out of order: one letter each.
const varMutants = "CANARY_MUTANTS"

// A mutant is a protection that is taken out: what stands at the beginning of a function does nothing any more.
type mutant struct {
	letter string // of varMutants
	file   string // below internal, or from there
	begin  string // the function's first line
	body   string // what it does instead
}

var mutants = []mutant{
	{"w", "redact/redact.go", "func replaceWhole(text string, all []string) string {", "return text"},
	{"p", "redact/parts.go", "func hideParts(text string, secrets []string) string {", "return text"},
	{"x", "redact/redact.go", "func replace(text string, all []shape) string {", "return text"},
	{"o", "redact/redact.go", "func line(text string, max int, more []shape) string {", `return strings.Join(strings.Fields(text), " ")`},
	{"a", "redact/strange.go", "func hideStrange(text string) string {", "return text"},
	{"s", "redact/said.go", "func Said(text string, max int, own ...string) string {", "return Quote(text, max)"},
	{"n", "redact/name.go", "func Name(host string, own ...string) string {", "return host"},
	{"l", "redact/name.go", "func Plain(text string) bool {", "return true"},
	{"d", "../helpers/request.go", "func Display(u *url.URL) string {", "return u.String()"},
	{"e", "subprocess/subprocess.go", "func said(cmd *exec.Cmd, p Program, stdout []byte, stderr string) string {", "return stderr"},
	{"t", "probe/probe.go", "func wordsOf(f *Failure, err error) error {", "return err"},
	{"v", "redact/redact.go", "func (s Secret) String() string {", "return s.Reveal()"},
	{"f", "redact/redact.go", "func (s Secret) Format(f fmt.State, _ rune) {", "_, _ = io.WriteString(f, s.Reveal()); return"},
	{"j", "redact/redact.go", "func (s Secret) MarshalText() ([]byte, error) {", "return []byte(s.Reveal()), nil"},
	{"g", "redact/redact.go", "func (s Secret) LogValue() slog.Value {", "return slog.StringValue(s.Reveal())"},
}

// overlay writes what the compiler is to be given in the place of the files of all mutants, and returns the file that says so.
// Nothing in the program serves this.
func overlay(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	texts := map[string]string{}
	for _, m := range mutants {
		path, err := filepath.Abs(filepath.Join("../../internal", m.file))
		must(t, err)
		if texts[path] == "" {
			data, err := os.ReadFile(path)
			must(t, err)
			texts[path] = string(data)
			pkg, _, _ := strings.Cut(texts[path][strings.Index("\n"+texts[path], "\npackage "):], "\n")
			texts[filepath.Join(filepath.Dir(path), "mutants.go")] = pkg + "\n\nimport (\n\t\"os\"\n\t\"strings\"\n)\n\n" +
				"func mutated(letter string) bool { return strings.Contains(os.Getenv(\"" + varMutants + "\"), letter) }\n"
		}
		before, after, ok := strings.Cut(texts[path], m.begin)
		if !ok {
			t.Fatalf("%s does not have %q", path, m.begin)
		}
		texts[path] = before + m.begin + "\n\tif mutated(\"" + m.letter + "\") {\n\t\t" + m.body + "\n\t}\n" + after
	}
	replace := map[string]string{}
	for path, text := range texts {
		replace[path] = filepath.Join(dir, fmt.Sprint(len(replace))+".go")
		must(t, os.WriteFile(replace[path], []byte(text), 0o600))
	}
	data, err := json.Marshal(map[string]map[string]string{"Replace": replace})
	list := filepath.Join(dir, "overlay.json")
	must(t, errors.Join(err, os.WriteFile(list, data, 0o600)))
	return list
}

func goBuild(t *testing.T, args ...string) {
	t.Helper()
	build := exec.Command("go", args...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go %q: %v\n%s", args, err, out)
	}
}

// TestCanariesSing holds that the search of TestCanaries finds what gets out: the program is built with its protections taken out, each in a run of its own,
// and the search has to find canaries in what that program says. Where one stands behind another, so that nothing gets out without either, both are taken out.
func TestCanariesSing(t *testing.T) {
	needLinux(t, "see command lines (/proc)")
	peertest.Require(t, "git", "apt-get install git")
	list := overlay(t)
	dir := t.TempDir()
	mute := filepath.Join(dir, "program")
	goBuild(t, "build", "-buildvcs=false", "-overlay", list, "-o", mute, ".")
	for _, tt := range []struct {
		name, letters string
		drive         func(c *cage)
	}{
		{"a secret that was met", "w", func(c *cage) { c.driveOne("repeating", "get") }},
		{"parts of a secret that was met", "p", func(c *cage) { c.driveOne("halving", "get") }},
		{"the shapes of secrets", "x", func(c *cage) { c.driveOne("complaining", "get") }},
		{"the last look", "o", func(c *cage) { c.driveOne("complaining", "get") }},
		{"words without a meaning", "a", func(c *cage) { c.driveOne("complaining", "get") }},
		{"what servers say", "s", (*cage).provoke},
		{"hosts that servers name", "n", (*cage).provoke},
		{"paths that servers name", "l", (*cage).provoke},
		{"URLs", "d", (*cage).requests},
		{"standard error of programs", "e", func(c *cage) { c.driveOne("complaining", "get") }},
		{"the trace", "t", (*cage).provoke},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCage(t, mute)
			c.env = append(c.env, varMutants+"="+tt.letters)
			tt.drive(c)
			t.Logf("%d times a canary got out", len(c.bad))
			if len(c.bad) == 0 {
				t.Error("nothing is found")
			} else {
				t.Logf("%.300s", c.bad[0])
			}
		})
	}
	// What prints a Secret is searched by a test of its own, for the program does not print any.
	tests := filepath.Join(dir, "redact.test")
	goBuild(t, "test", "-c", "-vet=off", "-overlay", list, "-o", tests, "../../internal/redact")
	for _, letter := range []string{"", "v", "f", "j", "g"} {
		cmd := exec.Command(tests, "-test.run", "TestSecretNeverPrintsItself")
		cmd.Env = append(os.Environ(), varMutants+"="+letter)
		if out, err := cmd.CombinedOutput(); (err == nil) != (letter == "") {
			t.Errorf("a Secret with the mutant %q: %v\n%s", letter, err, out)
		}
	}
}

// driveOne runs commands for the URL whose path begins with a word.
func (c *cage) driveOne(word string, commands ...string) {
	for _, u := range c.urls {
		if !strings.Contains(u.url, "/"+word+"/") {
			continue
		}
		for _, command := range commands {
			if command == "get" {
				c.run(u.with(atDebug), bazelRequest(u.url), u.from, "get")
			} else {
				c.run(u.with(atDebug), "", "", command, u.url)
			}
		}
	}
}
