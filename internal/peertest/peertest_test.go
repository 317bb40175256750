package peertest

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// verdict is a testing.TB that keeps what became of it.
type verdict struct {
	testing.TB
	skipped, failed string
}

func (v *verdict) Helper() {}

func (v *verdict) Skipf(format string, args ...any) {
	v.skipped = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (v *verdict) Fatalf(format string, args ...any) {
	v.failed = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func TestRequire(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	require := func() *verdict {
		v := &verdict{TB: t}
		done := make(chan struct{})
		go func() {
			defer close(done)
			Require(v, "frobnicator", "apt-get install frobnicate")
		}()
		<-done
		return v
	}
	const message = "needs frobnicator; install it with: apt-get install frobnicate"

	t.Setenv(VarRequire, "")
	if v := require(); v.skipped != message || v.failed != "" {
		t.Errorf("without %s: %+v", VarRequire, v)
	}
	t.Setenv(VarRequire, "1")
	if v := require(); v.failed != message || v.skipped != "" {
		t.Errorf("with %s=1: %+v", VarRequire, v)
	}
}

func TestRequireFinds(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("an executable is known by its extension there")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "frobnicator")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	if got := Require(t, "frobnicator", "…"); got != path {
		t.Errorf("got %q, want %q", got, path)
	}
}

func TestSecretServiceSession(t *testing.T) {
	s := SecretService(t, Unlocked)
	got := s.Run([]string{"/bin/sh", "-c", `cat; echo "$EXTRA" >&2; exit 3`}, []string{"EXTRA=value"}, "input")
	if got.Stdout != "input" || got.Stderr != "value\n" || got.Code != 3 {
		t.Errorf("got %+v", got)
	}
	got = s.Run([]string{"/bin/sh", "-c", `echo "$HOME" "$DBUS_SESSION_BUS_ADDRESS"`}, nil, "")
	if home, bus, _ := strings.Cut(strings.TrimSpace(got.Stdout), " "); home != s.Home || !strings.HasPrefix(bus, "unix:path="+s.Home) {
		t.Errorf("the session is not its own: %+v", got)
	}
}
