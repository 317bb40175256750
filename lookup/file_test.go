package lookup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/internal/peertest"
)

func TestFile(t *testing.T) {
	for _, tt := range []struct {
		name, content, path string
		want                outcome
	}{
		{"plain", canary, "~/token", outcome{values: "default=" + canary}},
		{"one newline is removed", canary + "\n", "~/token", outcome{values: "default=" + canary}},
		{"one CRLF is removed", canary + "\r\n", "~/token", outcome{values: "default=" + canary}},
		{"only one", canary + "\n\n", "~/token", outcome{values: "default=" + canary + "\n"}},
		{"spaces stay", " " + canary + " ", "~/token", outcome{values: "default= " + canary + " "}},
		{"from the working directory", canary, "../token", outcome{values: "default=" + canary}},
		{"from the workspace", canary, "%workspace%/../token", outcome{values: "default=" + canary}},
		{"empty", "", "~/token", outcome{kind: "not found", err: "~/token is empty"}},
		{"a newline alone", "\n", "~/token", outcome{kind: "not found", err: "~/token is empty"}},
		{"absent", "", "~/tokens", outcome{kind: "not found", err: "~/tokens does not exist"}},
		{"a directory", "", "~/proj", outcome{kind: "broken", err: "reading the token file ~/proj: it is a directory"}},
		{"too large", strings.Repeat("x", maxSecretFile+1), "~/token", outcome{kind: "broken", err: "reading the token file ~/token: it is larger than 65536 bytes"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSources(t, nil)
			write(t, s, "token", tt.content)
			tt.want.err = filepath.FromSlash(tt.want.err)
			expect(t, s, decodeOne(t, s, `{"source": "file", "path": "`+tt.path+`"}`), Query{}, tt.want)
		})
	}
	t.Run("no home", func(t *testing.T) {
		s := newSources(t, nil)
		s.Env.Home = ""
		_, err := decodeOne(t, s, `{"source": "file", "path": "~/token"}`).Lookup(t.Context(), Query{})
		if want := "reading the token file ~/token: there is no home directory to put for ~ (is HOME set?)"; sprint(err) != want {
			t.Errorf("got %v, want %s", err, want)
		}
	})
}

func TestFileOfEverybody(t *testing.T) {
	notOnWindows(t)
	s := newSources(t, nil)
	path := write(t, s, "token", canary)
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	expect(t, s, decodeOne(t, s, `{"source": "file", "path": "~/token"}`), Query{}, outcome{
		kind: "broken", err: "the token file ~/token can be read by every user of this machine (mode 0644)",
		hint: `run chmod 600 ~/token, or set "allow_world_readable": true for this source`,
	})
	expect(t, s, decodeOne(t, s, `{"source": "file", "path": "~/token", "allow_world_readable": true}`), Query{}, outcome{values: "default=" + canary})
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	expect(t, s, decodeOne(t, s, `{"source": "file", "path": "~/token"}`), Query{}, outcome{values: "default=" + canary})
}

func TestFileOfOthers(t *testing.T) {
	notOnWindows(t)
	s := newSources(t, nil)
	path := write(t, s, "token", canary)
	source := decodeOne(t, s, `{"source": "file", "path": "~/token", "allow_world_readable": true}`)
	for _, mode := range []os.FileMode{0o620, 0o602, 0o666, 0o660} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		expect(t, s, source, Query{}, outcome{
			kind: "broken", err: fmt.Sprintf("the token file ~/token can be written by other users (mode %04o)", mode), hint: "run chmod go-w ~/token",
		})
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	expect(t, s, source, Query{}, outcome{values: "default=" + canary})
}

// TestFileOfAnotherUser becomes another user for a moment, so it is for root.
func TestFileOfAnotherUser(t *testing.T) {
	notOnWindows(t)
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	s := newSources(t, nil)
	path := write(t, s, "token", canary)
	err := errors.Join(os.Chown(path, 54321, -1), os.Chmod(path, 0o644))
	for dir := filepath.Dir(path); dir != os.TempDir() && err == nil; dir = filepath.Dir(dir) {
		err = os.Chmod(dir, 0o755) // another user is to reach it
	}
	if err != nil {
		t.Fatal(err)
	}
	source := decodeOne(t, s, `{"source": "file", "path": "~/token", "allow_world_readable": true}`)
	// Root runs builds in containers, on files of the user outside.
	expect(t, s, source, Query{}, outcome{values: "default=" + canary})
	peertest.AsUser(t, 65534, func() {
		expect(t, s, source, Query{}, outcome{
			kind: "broken", err: "the token file ~/token belongs to another user", hint: "make a copy of your own: install -m 600 ~/token COPY",
		})
	})
	peertest.AsUser(t, 54321, func() { expect(t, s, source, Query{}, outcome{values: "default=" + canary}) })
}

func TestFileThatCannotBeRead(t *testing.T) {
	notOnWindows(t)
	if os.Getuid() == 0 {
		t.Skip("root reads every file")
	}
	s := newSources(t, nil)
	if err := os.Chmod(write(t, s, "token", canary), 0); err != nil {
		t.Fatal(err)
	}
	expect(t, s, decodeOne(t, s, `{"source": "file", "path": "~/token"}`), Query{}, outcome{kind: "broken", err: "reading the token file ~/token: permission denied"})
}

// TestHintsAreQuoted holds that a path which a repository chose does not become a command in a hint that people copy.
func TestHintsAreQuoted(t *testing.T) {
	notOnWindows(t)
	s := newSources(t, nil)
	const bad = "a;id $(id)"
	path := write(t, s, "proj/"+bad, "#!/bin/sh\nexit 1\n")
	for _, tt := range []struct {
		mode         os.FileMode
		source, want string
	}{
		{0o604, `"file", "path": "` + bad + `"`, "run chmod 600 ~/'proj/" + bad + "', or set \"allow_world_readable\": true for this source"},
		{0o620, `"file", "path": "` + bad + `"`, "run chmod go-w ~/'proj/" + bad + "'"},
		{0o700, `"command", "command": ["./` + bad + `"]`, "see what it says by itself: './" + bad + "'"},
	} {
		if err := os.Chmod(path, tt.mode); err != nil {
			t.Fatal(err)
		}
		_, err := decodeOne(t, s, `{"source": `+tt.source+`}`).Lookup(t.Context(), ask(t, "https://files.test/a"))
		if o := outcomeOf(s, nil, err); o.hint != tt.want {
			t.Errorf("the hint is %q, want %q", o.hint, tt.want)
		}
	}
}
