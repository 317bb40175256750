package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/internal/peertest"
)

var manualFile = filepath.Join("..", "..", "docs", "credential-helper.1")

// TestManual holds that the manual page in the repository is what the program prints. UPDATE_SCRIPTS=1 writes it.
func TestManual(t *testing.T) {
	page := manual()
	if os.Getenv("UPDATE_SCRIPTS") != "" {
		if err := os.WriteFile(manualFile, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(manualFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(kept) != page {
		t.Errorf("%s is not what credential-helper help --man prints; UPDATE_SCRIPTS=1 go test -run Manual writes it", manualFile)
	}
	for i, c := range page {
		if c >= 0x80 {
			t.Fatalf("%q is not ASCII, which not every man understands: %q", c, page[max(0, i-40):i])
		}
	}
}

// TestManualIsValid has the programs that show manual pages judge it.
func TestManualIsValid(t *testing.T) {
	for _, tt := range []struct{ name, install, argv string }{
		{"mandoc", "apt-get install mandoc", "-Tlint -Wwarning"},
		{"groff", "apt-get install groff", "-man -Kutf8 -ww -z"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			argv := append([]string{peertest.Require(t, tt.name, tt.install)}, strings.Fields(tt.argv)...)
			r := peertest.Run(t, ".", nil, append(argv, manualFile), "")
			var complaints []string
			for line := range strings.Lines(r.Stdout + r.Stderr) {
				// The page has no date: it would differ with each build.
				if !strings.Contains(line, "missing date") {
					complaints = append(complaints, line)
				}
			}
			if len(complaints) > 0 {
				t.Errorf("%s", strings.Join(complaints, ""))
			}
		})
	}
}

// TestManualShowsAll renders the page, and finds in it what help says.
func TestManualShowsAll(t *testing.T) {
	mandoc := peertest.Require(t, "mandoc", "apt-get install mandoc")
	r := peertest.Run(t, ".", nil, []string{mandoc, "-Tascii", "-Owidth=1000", manualFile}, "")
	var text strings.Builder
	for i := 0; i < len(r.Stdout); i++ { // bold is a character, a backspace, and the character again
		if i+1 < len(r.Stdout) && r.Stdout[i+1] == '\b' {
			i++
			continue
		}
		text.WriteByte(r.Stdout[i])
	}
	page := strings.Join(strings.Fields(text.String()), " ")
	has := func(want string) {
		want = strings.Join(strings.Fields(strings.ReplaceAll(want, "…", "...")), " ")
		if !strings.Contains(page, want) {
			t.Errorf("not in the page: %s", want)
		}
	}
	for _, c := range commands() {
		for _, part := range append(append([]string{c.synopsis(), capital(c.summary) + ".", c.example}, strings.Split(c.help, "\n\n")...), list(c.explained()), list(c.options())) {
			for line := range strings.Lines(part) {
				has(line)
			}
		}
	}
	for _, w := range append(append(variables, files...), statuses...) {
		has(w.name + " " + w.help)
	}
}
