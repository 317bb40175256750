//go:build unix

package inputs

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestStatHoldsAgainstTricks holds that a file is known from another one of its size and times.
func TestStatHoldsAgainstTricks(t *testing.T) {
	hour := time.Now().Add(-time.Hour)
	make := func(t *testing.T, path, text string) {
		t.Helper()
		if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Chtimes(path, hour, hour)); err != nil {
			t.Fatal(err)
		}
	}
	for name, change := range map[string]func(t *testing.T, path string) error{
		"replaced by one like it": func(t *testing.T, path string) error {
			make(t, path+".new", "two")
			return os.Rename(path+".new", path)
		},
		"time set back": func(t *testing.T, path string) error {
			if runtime.GOOS != "linux" {
				t.Skip("the time of a file's last change is read on Linux alone")
			}
			time.Sleep(20 * time.Millisecond) // the file system's clock ticks every few milliseconds
			make(t, path, "two")
			return nil
		},
		"another mode": func(t *testing.T, path string) error { return os.Chmod(path, 0o400) },
		"link to one like it": func(t *testing.T, path string) error {
			make(t, path+".new", "one")
			return errors.Join(os.Remove(path), os.Symlink(path+".new", path))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file")
			make(t, path, "one")
			before := Stat(path)
			if err := change(t, path); err != nil {
				t.Fatal(err)
			}
			if after := Stat(path); before == after {
				t.Errorf("it is known by %q before and after", before)
			}
		})
	}
}

// TestStatOfWhatCannotBe holds that a file that cannot be looked at is equal to nothing, and one below a file is not there.
func TestStatOfWhatCannotBe(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if sum := Stat(filepath.Join(file, "below")); sum != "-" {
		t.Errorf("a file below a file is known by %q", sum)
	}
	if sum := Stat(filepath.Join(dir, strings.Repeat("n", 300))); sum != "" {
		t.Errorf("a file whose name is too long is known by %q", sum)
	}
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	if sum := Stat(loop); sum != "" || (Input{File, loop, sum}).Unchanged(salt, nil) {
		t.Errorf("a link to itself is known by %q", sum)
	}
}
