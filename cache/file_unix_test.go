//go:build unix

package cache

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestCorruptFiles holds that whatever stands where an entry should is a miss, and is written anew.
func TestCorruptFiles(t *testing.T) {
	rewrite := func(change func(text string) string) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			data, err := os.ReadFile(path)
			must(t, err)
			must(t, os.WriteFile(path, []byte(change(string(data))), 0o600))
		}
	}
	move := func(field string, from, to time.Time) func(*testing.T, string) {
		return rewrite(func(text string) string {
			changed := strings.Replace(text, fmt.Sprintf(`"%s":%d`, field, from.UnixNano()), fmt.Sprintf(`"%s":%d`, field, to.UnixNano()), 1)
			if changed == text {
				panic("there is no such " + field + " in " + text)
			}
			return changed
		})
	}
	until := start.Add(59 * time.Minute)
	for _, tt := range []struct {
		name  string
		spoil func(t *testing.T, path string)
		stays bool // nothing can be written there
	}{
		{"empty", rewrite(func(string) string { return "" }), false},
		{"garbage", rewrite(func(string) string { return "\x00\xff not an entry" }), false},
		{"another JSON value", rewrite(func(string) string { return "[]" }), false},
		{"null", rewrite(func(string) string { return "null" }), false},
		{"cut in half", rewrite(func(s string) string { return s[:len(s)/2] }), false},
		{"cut by a byte", rewrite(func(s string) string { return s[:len(s)-1] }), false},
		{"more behind it", rewrite(func(s string) string { return s + s }), false},
		{"zeros", rewrite(func(s string) string { return strings.Repeat("\x00", len(s)) }), false}, // as after a power cut
		{"line break in a header", rewrite(func(s string) string { return strings.Replace(s, "Bearer ", `Bearer\r\nX: `, 1) }), false},
		{"header of the connection's", rewrite(func(s string) string { return strings.Replace(s, "Authorization", "Host", 1) }), false},
		{"from the future", move("stored", start, start.Add(time.Minute)), false},
		{"without a beginning", move("stored", start, time.Unix(0, 0)), false},
		{"ends before it begins", move("until", until, start.Add(-time.Minute)), false},
		{"outlives its token", move("until", until, start.Add(61*time.Minute)), false},
		{"outlives everything", rewrite(func(s string) string {
			s = strings.Replace(s, fmt.Sprint(until.UnixNano()), fmt.Sprint(start.AddDate(3, 0, 0).UnixNano()), 1)
			return strings.Replace(s, fmt.Sprint(start.Add(time.Hour).Unix()), fmt.Sprint(start.AddDate(4, 0, 0).Unix()), 1)
		}), false},
		{"too large", rewrite(func(s string) string { return s + strings.Repeat(" ", maxEntry) }), false},
		{"readable for the group", func(t *testing.T, path string) { must(t, os.Chmod(path, 0o640)) }, false},
		{"writable for all", func(t *testing.T, path string) { must(t, os.Chmod(path, 0o602)) }, false},
		{"link to an entry", func(t *testing.T, path string) {
			must(t, os.Rename(path, path+".elsewhere"))
			must(t, os.Symlink(path+".elsewhere", path))
		}, false},
		{"link to nowhere", func(t *testing.T, path string) {
			must(t, os.Remove(path))
			must(t, os.Symlink("/nonexistent", path))
		}, false},
		{"pipe", func(t *testing.T, path string) {
			must(t, os.Remove(path))
			must(t, syscall.Mkfifo(path, 0o600))
		}, false},
		{"directory", func(t *testing.T, path string) {
			must(t, os.Remove(path))
			must(t, os.MkdirAll(filepath.Join(path, "more"), 0o700))
		}, true},
		{"another user's", func(t *testing.T, path string) {
			if os.Geteuid() != 0 {
				t.Skip("it takes root to give a file to another user")
			}
			must(t, os.Chown(path, 65534, 65534))
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			a := &asked{t: t, cache: NewFile(w.dir, w.getenv, w.clock)}
			entry := Entry{Response: answer("x", start.Add(time.Hour))}
			a.want(false, someKey, entry, "at first")
			a.want(true, someKey, entry, "untouched")
			path := filepath.Join(w.dir, "entries", someKey.ID()+entrySuffix)
			tt.spoil(t, path)
			a.want(false, someKey, entry, "spoiled")
			a.want(!tt.stays, someKey, entry, "answered anew")
			if info, err := os.Lstat(path); !tt.stays && (err != nil || info.Mode() != 0o600) {
				t.Errorf("the entry's file is %v, %v", info.Mode(), err)
			}
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestPlantedLocks holds that what stands where a lock should is not followed, and no reason to fail.
func TestPlantedLocks(t *testing.T) {
	w := newWorld(t)
	a := &asked{t: t, cache: NewFile(w.dir, w.getenv, w.clock)}
	victim := filepath.Join(filepath.Dir(w.dir), "victim")
	must(t, os.WriteFile(victim, []byte("dear diary"), 0o600))
	must(t, os.MkdirAll(filepath.Join(w.dir, "locks"), 0o700))
	must(t, os.Symlink(victim, filepath.Join(w.dir, "locks", lockName(someKey.ID()))))
	a.want(false, someKey, Entry{Response: answer("x", start.Add(time.Hour))}, "with a link for a lock")
	if text, _ := os.ReadFile(victim); string(text) != "dear diary" {
		t.Errorf("what the link leads to is %q now", text)
	}
	must(t, os.Symlink(victim, filepath.Join(w.dir, "pruned")))
	a.want(false, Key{Scope: "other"}, Entry{Response: answer("x", start.Add(time.Hour))}, "with a link for the marker")
	if info, _ := os.Stat(victim); info.Size() != int64(len("dear diary")) || time.Since(info.ModTime()) > time.Hour {
		t.Errorf("what the link leads to was touched: %v", info.ModTime())
	}
}

func TestSecureDir(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func(t *testing.T, path string)
		want string // of the error; empty for none
		mode os.FileMode
	}{
		{"absent", func(*testing.T, string) {}, "", 0o700},
		{"absent below absent", func(*testing.T, string) {}, "", 0o700},
		{"in order", func(t *testing.T, path string) { must(t, os.Mkdir(path, 0o700)) }, "", 0o700},
		{"empty, open to readers", func(t *testing.T, path string) { mkdir(t, path, 0o755) }, "", 0o700},
		{"empty, open to writers", func(t *testing.T, path string) { mkdir(t, path, 0o770) }, "is open to other users (mode 0770)", 0o770},
		{"empty, everybody's", func(t *testing.T, path string) { mkdir(t, path, 0o777|os.ModeSticky) }, "is open to other users (mode 0777)", 0o777},
		{"in use, open to readers", func(t *testing.T, path string) {
			mkdir(t, path, 0o755)
			must(t, os.WriteFile(filepath.Join(path, "file"), nil, 0o600))
		}, "is open to other users (mode 0755)", 0o755},
		{"file", func(t *testing.T, path string) { must(t, os.WriteFile(path, nil, 0o600)) }, "is not a directory", 0},
		{"link", func(t *testing.T, path string) { must(t, os.Symlink(t.TempDir(), path)) }, "is not a directory", 0},
		{"another user's", func(t *testing.T, path string) {
			if os.Geteuid() != 0 {
				t.Skip("it takes root to give a directory to another user")
			}
			mkdir(t, path, 0o700)
			must(t, os.Chown(path, 65534, 65534))
		}, "belongs to another user", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "dir")
			if strings.Contains(tt.name, "below") {
				path = filepath.Join(path, "deep", "down")
			}
			tt.make(t, path)
			err := secureDir(path)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.HasSuffix(err.Error(), tt.want) || !strings.Contains(err.Error(), path)) {
				t.Errorf("secureDir: %v, want %q", err, tt.want)
			}
			if again := checkDir(path); (again == nil) != (err == nil) {
				t.Errorf("checkDir: %v", again)
			}
			if info, err := os.Lstat(path); err != nil || tt.mode != 0 && info.Mode().Perm() != tt.mode {
				t.Errorf("the directory is %v, %v", info.Mode(), err)
			}
		})
	}
	if err := secureDir("run"); err == nil || err.Error() != `the directory "run" is not absolute` {
		t.Errorf("a relative directory: %v", err)
	}
	if err := checkDir(filepath.Join(t.TempDir(), "absent")); !os.IsNotExist(err) {
		t.Errorf("an absent directory: %v", err)
	}
}

// mkdir makes a directory whose mode no umask changes.
func mkdir(t testing.TB, path string, mode os.FileMode) {
	t.Helper()
	must(t, os.Mkdir(path, 0o700))
	must(t, os.Chmod(path, mode))
}
