package cache

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func names(t testing.TB, dir string) (list []string) {
	t.Helper()
	items, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range items {
		list = append(list, item.Name())
	}
	return list
}

// TestFilePrune holds that what is over is removed in passing, once a minute at most, and what others are just writing is let alone.
func TestFilePrune(t *testing.T) {
	w := newWorld(t)
	w.setClock(time.Now().Truncate(time.Second)) // the times of files are the machine's
	a := &asked{t: t, cache: NewFile(w.dir, w.getenv, w.clock)}
	entries := filepath.Join(w.dir, "entries")
	lives := Entry{Response: answer("x", w.now.Add(time.Hour))}
	a.get(Key{Scope: "short"}, Entry{Response: answer("x", w.now.Add(30*time.Second))})
	abandoned, busy := filepath.Join(entries, ".new-abandoned"), filepath.Join(entries, ".new-busy")
	for _, path := range []string{abandoned, busy} {
		if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.pass(50 * time.Second)
	a.get(Key{Scope: "one"}, lives)
	if n := len(names(t, entries)); n != 4 {
		t.Errorf("within the minute: %v", names(t, entries))
	}
	w.pass(20 * time.Second)
	if err := os.Chtimes(busy, w.now, w.now); err != nil {
		t.Fatal(err)
	}
	a.get(Key{Scope: "two"}, lives)
	left := map[string]bool{}
	for _, name := range names(t, entries) {
		left[name] = true
	}
	if len(left) != 3 || !left[filepath.Base(busy)] || !left[Key{Scope: "one"}.ID()+entrySuffix] || !left[Key{Scope: "two"}.ID()+entrySuffix] {
		t.Errorf("after the minute: %v", left)
	}
	a.want(true, Key{Scope: "one"}, lives, "one that lives")
}

// TestPruneOnFullDisk holds that what is over goes also where nothing can be written: it may be what the disk is full of.
func TestPruneOnFullDisk(t *testing.T) {
	w := newWorld(t)
	s := NewFile(w.dir, w.getenv, w.clock)
	a := &asked{t: t, cache: s}
	a.get(Key{Scope: "old"}, Entry{Response: answer("x", w.now.Add(2*time.Minute))})
	w.pass(time.Hour)
	// Nothing can be put in the place of a directory with something in it.
	entries := filepath.Join(w.dir, "entries")
	if err := os.MkdirAll(filepath.Join(entries, Key{Scope: "new"}.ID()+entrySuffix, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	a.want(false, Key{Scope: "new"}, Entry{Response: answer("y", w.now.Add(time.Hour))}, "an answer that cannot be kept")
	if _, err := os.Lstat(filepath.Join(entries, Key{Scope: "old"}.ID()+entrySuffix)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is over is still there: %v", err)
	}
}

// TestFileLimit holds that the oldest entries go when there are too many.
func TestFileLimit(t *testing.T) {
	w := newWorld(t)
	s := NewFile(w.dir, w.getenv, w.clock)
	s.store.(*fileStore).max = 3
	a := &asked{t: t, cache: s}
	entry := func() Entry { return Entry{Response: answer("x", w.now.Add(time.Hour))} }
	for i := range 5 {
		a.get(Key{Scope: fmt.Sprint(i)}, entry())
		w.pass(time.Second)
	}
	if err := s.Drop(t.Context(), Expired); err != nil {
		t.Fatal(err)
	}
	if n := len(names(t, filepath.Join(w.dir, "entries"))); n != 3 {
		t.Errorf("%d entries are left", n)
	}
	for i := range 5 {
		id := Key{Scope: fmt.Sprint(i)}.ID()
		if _, found, err := s.load(t.Context(), []string{id}); err != nil || found != (i >= 2) {
			t.Errorf("entry %d is found: %v, %v", i, found, err)
		}
	}
}
