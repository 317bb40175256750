package cache

import (
	"context"
	"io/fs"
	"os"
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
	root string
}

// locksDir is the directory of the locks in that of the cache.
const locksDir = "locks"

// newFileLocks returns the locks below root, a directory that is the user's alone.
func newFileLocks(root string) *fileLocks {
	return &fileLocks{root}
}

// A lock is one that is held.
type lock struct{ file *os.File }

// release frees the lock. It may be called again.
func (l *lock) release() {
	_ = unlockFile(l.file)
	_ = l.file.Close()
}

func (l *fileLocks) open(id string) (*os.File, error) {
	root, err := makeDir(l.root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	dir, err := subDir(root, locksDir)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return openLock(dir, lockName(id))
}

// lockName is the file of a key's lock: its kind, and enough of the key for a million files.
func lockName(id string) string { return id[:min(len(id), 7)] + ".lock" }

// openLock opens a file that is locked and holds nothing.
func openLock(dir *os.Root, name string) (*os.File, error) {
	return openPlain(dir, name, os.O_RDWR|os.O_CREATE)
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
	top, err := openDir(root)
	if err != nil {
		return
	}
	defer top.Close()
	dir, err := top.OpenRoot(locksDir)
	if err != nil {
		return
	}
	defer dir.Close()
	eachFile(dir, func(info fs.FileInfo) {
		if now.Sub(info.ModTime()) > lockLife {
			_ = dir.Remove(info.Name())
		}
	})
}

// eachFile calls do for each regular file of a directory, which it may remove. It knows of few at a time: an agent that answers for a large build
// has a file for each of tens of thousands of questions, and looks at them every minute.
func eachFile(dir *os.Root, do func(fs.FileInfo)) {
	f, err := dir.Open(".")
	if err != nil {
		return
	}
	defer f.Close()
	for {
		list, err := f.ReadDir(200)
		for _, item := range list {
			if info, err := item.Info(); err == nil && info.Mode().IsRegular() {
				do(info)
			}
		}
		if err != nil {
			return
		}
	}
}
