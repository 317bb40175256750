package filelock

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

func TestLockEndsWithContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	release, err := Acquire(t.Context(), path, "the keyring")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Millisecond, errors.New("the time is up"))
	defer cancel()
	_, err = Acquire(ctx, path, "the keyring")
	if want := "waiting for another process that changes the keyring (it holds " + path + "): the time is up"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	release()
	if release, err = Acquire(t.Context(), path, "the keyring"); err != nil {
		t.Fatal(err)
	}
	release()
}

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	was, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := Replace(path, []byte("new"), was); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	now, statErr := os.Stat(path)
	if err = errors.Join(err, statErr); err != nil || string(data) != "new" || runtime.GOOS != "windows" && now.Mode().Perm() != 0o600 {
		t.Errorf("%q, mode %v, %v", data, now.Mode(), err)
	}

	// What cannot be replaced leaves nothing behind, and no error that names a temporary file.
	blocked := filepath.Join(dir, "directory")
	if err := os.MkdirAll(filepath.Join(blocked, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	err = Replace(blocked, []byte("new"), was)
	if pe, le := (*fs.PathError)(nil), (*os.LinkError)(nil); err == nil || errors.As(err, &pe) || errors.As(err, &le) {
		t.Errorf("a directory: %v", err)
	}
	names, err := os.ReadDir(dir)
	if err != nil || len(names) != 2 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}
