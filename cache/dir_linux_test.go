package cache

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestSwappedDirectory holds that nothing is made, written or changed in another directory than the one that was looked at,
// where somebody who may write to the directory above keeps putting a link to another one of the user's into its place.
func TestSwappedDirectory(t *testing.T) {
	top := t.TempDir()
	dir, victim, link := filepath.Join(top, "dir"), filepath.Join(top, "victim"), filepath.Join(top, "link")
	mkdir(t, dir, 0o700)
	mkdir(t, victim, 0o700)
	must(t, os.Symlink(victim, link))
	exchange := func() error { return unix.Renameat2(unix.AT_FDCWD, dir, unix.AT_FDCWD, link, unix.RENAME_EXCHANGE) }
	if err := errors.Join(exchange(), exchange()); err != nil {
		t.Skipf("this file system cannot exchange two names: %v", err)
	}
	var stop atomic.Bool
	var swapping sync.WaitGroup
	swapping.Go(func() {
		for !stop.Load() {
			_ = exchange()
		}
	})
	w := newWorld(t)
	made := 0
	for i := range 300 {
		if f, err := newFileLocks(dir).open(fmt.Sprint(i)); err == nil {
			made++
			_ = f.Close()
		}
		if f, err := OpenFile(dir, "agent.log", os.O_WRONLY|os.O_CREATE|os.O_APPEND); err == nil {
			made++
			_, err := f.WriteString("x")
			must(t, err)
			_ = f.Close()
		}
		s := NewFile(dir, w.getenv, w.clock)
		_ = s.store.save(t.Context(), fmt.Sprintf("k%d", i%10), nil, Entry{Response: answer("x", start.Add(time.Hour)), stored: start, until: start.Add(time.Minute)})
	}
	stop.Store(true)
	swapping.Wait()
	if list, err := os.ReadDir(victim); err != nil || len(list) > 0 {
		t.Errorf("in the other directory there are %v, %v", list, err)
	}
	if made == 0 {
		t.Error("nothing was made at all: the test shows nothing")
	}
}
