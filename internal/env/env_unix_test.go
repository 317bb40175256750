//go:build unix

package env

import (
	"path/filepath"
	"syscall"
	"testing"
)

func TestReadFileRefusesPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	e := &Env{}
	for _, path := range []string{path, "/dev/zero"} {
		if _, _, err := e.ReadFile(path, 5); err == nil || err.Error() != "it is not a regular file" {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestWorkdir(t *testing.T) {
	e := with(map[string]string{VarWorkspace: "/ws"})
	e.CacheDir = "/c"
	// The last element is the MD5 sum of "/ws".
	if got, want := e.Workdir(), "/c/tweag-credential-helper/948361d4354174853dd04ced978d78d1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	e = with(map[string]string{VarWorkdir: "/w"})
	if got := e.Workdir(); got != "/w" {
		t.Errorf("got %q, want /w", got)
	}
}
