package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/internal/peertest"
)

func TestStyleFor(t *testing.T) {
	for _, tt := range []struct {
		noColor, term string
		takesEscapes  bool
		want          style
	}{
		{"", "xterm-256color", true, style{terminal: true, colour: true}},
		{"", "", true, style{terminal: true, colour: true}},
		{"1", "xterm", true, style{terminal: true}},
		{"0", "xterm", true, style{terminal: true}},
		{"", "dumb", true, style{terminal: true}},
		{"", "xterm", false, style{terminal: true}},
	} {
		vars := map[string]string{"NO_COLOR": tt.noColor, "TERM": tt.term}
		if got := styleFor(func(name string) string { return vars[name] }, func() bool { return tt.takesEscapes }); got != tt.want {
			t.Errorf("%+v: %+v", tt, got)
		}
	}
	if got := (&app{}).style(&strings.Builder{}); got != (style{}) {
		t.Errorf("what is no file is no terminal: %+v", got)
	}
}

func TestStyles(t *testing.T) {
	for name, dress := range map[string]func(style, string) string{
		"1": style.bold, "2": style.dim, "31": style.red, "32": style.green, "33": style.yellow,
	} {
		if got := dress(style{terminal: true}, "x"); got != "x" {
			t.Errorf("%q", got)
		}
		if got := dress(style{colour: true}, "x"); got != "\x1b["+name+"mx\x1b[0m" {
			t.Errorf("%q", got)
		}
	}
}

func TestTable(t *testing.T) {
	s := style{terminal: true, colour: true}
	rows := [][2]string{{s.green("ok"), "one"}, {"clé", "two\nlines"}, {"broken", ""}}
	for _, tt := range []struct {
		style style
		want  string
	}{
		{s, "\x1b[32mok\x1b[0m      one\nclé     two\n        lines\nbroken  \n"},
		{style{}, "\x1b[32mok\x1b[0m\tone\nclé\ttwo lines\nbroken\t\n"},
	} {
		if got := tt.style.table(rows); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

// TestTerminal runs the program on a terminal, which script(1) makes.
func TestTerminal(t *testing.T) {
	script := peertest.Require(t, "script", "apt-get install bsdutils")
	if out, err := exec.Command(script, "--version").Output(); err != nil || !strings.Contains(string(out), "util-linux") {
		t.Skip("needs script of util-linux: others take their arguments differently")
	}
	run := func(env ...string) string {
		p := newSite(t, "", env...)
		return peertest.Run(t, p.home, p.env, []string{script, "-qec", "'" + program(t) + "' help", "/dev/null"}, "").Stdout
	}
	const bold = "\x1b[1mUsage:\x1b[0m"
	if got := run("TERM=xterm"); !strings.Contains(got, bold) {
		t.Errorf("no bold heading on a terminal: %q", got[:min(len(got), 200)])
	}
	for _, env := range []string{"NO_COLOR=1", "TERM=dumb"} {
		if got := run(env); strings.Contains(got, "\x1b") || !strings.Contains(got, "Usage:") {
			t.Errorf("%s: %q", env, got[:min(len(got), 200)])
		}
	}
	p := newSite(t, "", "TERM=xterm")
	if r := peertest.Run(t, p.home, p.env, []string{program(t), "help"}, ""); strings.Contains(r.Stdout, "\x1b") {
		t.Error("escape sequences where there is no terminal")
	}
}
