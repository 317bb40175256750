package lookup

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
)

func TestProjectFiles(t *testing.T) {
	notOnWindows(t)
	s := newSources(t, nil)
	write(t, s, "proj/WORKSPACE", "")
	path := write(t, s, "proj/sub/login", "x")
	s.Env.Dir = filepath.Dir(path)
	work := filepath.Join(s.Env.Home, "proj")

	if got := s.project(); got != work {
		t.Errorf("the project is %s, want %s", got, work)
	}
	up := s.upward()
	if len(up) < 3 || up[0] != s.Env.Dir || up[1] != work || up[len(up)-1] != "/" {
		t.Errorf("upward: %q", up)
	}
	if data, shown, found, err := s.readProject(t.Context(), path); string(data) != "x" || shown != "~/proj/sub/login" || !found || err != nil {
		t.Errorf("got %q, %s, %v, %v", data, shown, found, err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	_, _, found, err := s.readProject(t.Context(), path)
	if o := outcomeOf(s, nil, err); found || o != (outcome{
		kind: "broken", err: "reading ~/proj/sub/login: every user of this machine can write it (mode 0666)", hint: "run chmod o-w ~/proj/sub/login, if what it says is yours",
	}) {
		t.Errorf("a file that all can write: %+v", o)
	}
	if _, _, found, err := s.readNative(t.Context(), path); !found || err != nil {
		t.Errorf("the user's own file: %v, %v", found, err)
	}
	if _, _, found, err := s.readNative(t.Context(), path+"x"); found || err != nil {
		t.Errorf("a file that is not there: %v, %v", found, err)
	}

	// Of a tree of ten thousand directories no more is looked at than of any other.
	s.Env.Dir = "/" + strings.Repeat("a/", 10_000)
	if up := s.upward(); len(up) != env.MaxLevels || up[0] != filepath.Clean(s.Env.Dir) {
		t.Errorf("upward from far below: %d directories", len(up))
	}

	s.Env.UserOnly = true
	if s.project() != "" || s.upward() != nil {
		t.Error("the project's files are read for a client that is started from anywhere")
	}
}

func TestValues(t *testing.T) {
	v := values(Username, "bob", Expires, "2030-01-01T00:00:00Z")
	if v.hasSecret() {
		t.Error("a user name and an expiry count as secrets")
	}
	v = values(Header("PRIVATE-TOKEN"), "x")
	if !v.hasSecret() || v.Headers()["PRIVATE-TOKEN"].Reveal() != "x" || len(v.Headers()) != 1 {
		t.Errorf("headers: %v", v.Headers())
	}
	if !v.Expiry().IsZero() {
		t.Error("an expiry that nobody named")
	}
	at := time.Date(2030, 1, 2, 3, 4, 5, 6, time.UTC)
	v.SetExpiry(at)
	if got := v.Expiry(); !got.Equal(at.Truncate(time.Second)) {
		t.Errorf("the expiry is %s", got)
	}
}

// TestBoundExpiry holds that an expiry stays with its secret where the entry binds that to another name.
func TestBoundExpiry(t *testing.T) {
	expires := values(Default, canary, Token, canary, Expires, "2030-01-01T00:00:00Z")
	found, err := Chain{{Source: fake{name: "a", values: expires}, Binding: "mine"}}.Find(t.Context(), Query{}, func(v Values) bool { return v.hasSecret() })
	if err != nil || found.Values["mine"].Reveal() != canary || found.Expiry().IsZero() {
		t.Errorf("got %v, %v", found.Values, err)
	}
}

// unreadable takes every right to a file; for root, who has them all the same, the test is skipped.
func unreadable(t *testing.T, path string) {
	t.Helper()
	if os.Getuid() == 0 {
		t.Skip("root can read every file")
	}
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
}

// checkFuzzed holds what is true of every source: no error quotes the secret in the file, and success yields a secret.
func checkFuzzed(t *testing.T, file string, values Values, err error) {
	t.Helper()
	var hint *helpers.HintError
	switch {
	case err == nil && values[Default].IsZero():
		t.Errorf("%q gives neither a secret nor an error: %v", file, values)
	case err != nil && strings.Contains(err.Error(), canary):
		t.Errorf("%q: the secret is in the error: %v", file, err)
	case errors.As(err, &hint) && strings.Contains(hint.Hint, canary):
		t.Errorf("%q: the secret is in the hint: %s", file, hint.Hint)
	}
}
