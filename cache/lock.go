package cache

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// locks are exclusive locks by key, which the system frees when their holder dies.
type locks interface {
	// try takes a lock if it is free; it returns nil where it is not.
	try(id string) (*lock, error)
	// wait returns when the lock was free for a moment, or ctx ends.
	wait(ctx context.Context, id string) error
}

// fileLocks are locks on files, one for (nearly) each key: two keys that share a file would wait for each other without need.
// Parts of questions have files of their own: whoever holds the lock of a question may take that of a part, never the other way round,
// so that nobody waits in a circle.
type fileLocks struct {
	dir   string
	ready func() error // makes the directory, once
}

// newFileLocks returns the locks below root, a directory that is the user's alone.
func newFileLocks(root string) *fileLocks {
	dir := filepath.Join(root, "locks")
	return &fileLocks{dir: dir, ready: sync.OnceValue(func() error {
		if err := secureDir(root); err != nil {
			return err
		}
		return secureDir(dir)
	})}
}

// A lock is one that is held.
type lock struct{ file *os.File }

// release frees the lock. It may be called again.
func (l *lock) release() {
	_ = unlockFile(l.file)
	_ = l.file.Close()
}

func (l *fileLocks) open(id string) (*os.File, error) {
	if err := l.ready(); err != nil {
		return nil, err
	}
	return openLock(filepath.Join(l.dir, lockName(id)))
}

// lockName is the file of a key's lock: its kind, and enough of the key for a million files.
func lockName(id string) string { return id[:min(len(id), 7)] + ".lock" }

// openLock opens a file that is locked and holds nothing.
func openLock(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE|plainFile, 0o600)
}

func (l *fileLocks) try(id string) (*lock, error) {
	f, err := l.open(id)
	if err != nil {
		return nil, err
	}
	return tryLock(f)
}

// tryLock locks an open file, or closes it and returns nil where somebody else has the lock.
func tryLock(f *os.File) (*lock, error) {
	taken, err := lockFile(f, true, false)
	if err != nil || !taken {
		_ = f.Close()
		return nil, err
	}
	return &lock{f}, nil
}

func (l *fileLocks) wait(ctx context.Context, id string) error {
	f, err := l.open(id)
	if err != nil {
		return err
	}
	return waitFor(ctx, f)
}

// waitFor waits until an open file is not locked, and closes it.
func waitFor(ctx context.Context, f *os.File) error {
	done := make(chan error, 1)
	go func() {
		// A shared lock: all who wait are let through at once.
		_, err := lockFile(f, false, true)
		_ = unlockFile(f)
		_ = f.Close()
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// lockLife is how long the file of a lock is kept. No process holds a lock for nearly as long; and if one did, the worst is a second leader.
const lockLife = time.Hour

// pruneLocks removes the files of locks that were made long ago.
func pruneLocks(root string, now time.Time) {
	dir := filepath.Join(root, "locks")
	list, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, item := range list {
		if info, err := item.Info(); err == nil && info.Mode().IsRegular() && now.Sub(info.ModTime()) > lockLife {
			_ = os.Remove(filepath.Join(dir, item.Name()))
		}
	}
}
