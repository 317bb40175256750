// Package filelock changes files that several processes change: one at a time, under a lock beside the file, and each time as a whole.
package filelock

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/fe055d52/credential-helper/internal/trace"
)

// poll is how often a lock that somebody else has is asked for again: a wait that the system does cannot be ended with a context.
const poll = 5 * time.Millisecond

// Acquire takes an exclusive lock on a file, which it creates where it is missing. The system frees the lock when the process ends.
// what names the thing that is locked, in errors: "the keyring".
func Acquire(ctx context.Context, path, what string) (release func(), err error) {
	end := trace.Step(ctx, "waiting for %s's lock", what)
	defer func() { end(err) }()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|plainFile, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", what, err)
	}
	for {
		free, err := tryLock(f)
		if err != nil {
			_ = f.Close()
			return nil, fmt.Errorf("locking %s with %s: %w", what, path, err)
		}
		if free {
			return func() { _ = f.Close() }, nil
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, fmt.Errorf("waiting for another process that changes %s (it holds %s): %w", what, path, context.Cause(ctx))
		case <-time.After(poll):
		}
	}
}

// Replace puts data into the place of the file at path, which was has been told of: readers see the old file or the new one, also after a crash.
// The new one is for its owner alone (mode 0600), who is that of the old one where the user may give files away.
// The caller holds a lock, or does not mind that of two writers the last one stands. No error names a temporary file.
func Replace(path string, data []byte, was fs.FileInfo) error {
	err := replace(path, data, was)
	var pe *fs.PathError
	var le *os.LinkError
	switch {
	case errors.As(err, &pe):
		return pe.Err
	case errors.As(err, &le):
		return le.Err
	}
	return err
}

func replace(path string, data []byte, was fs.FileInfo) (err error) {
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = temp.Close()
			_ = os.Remove(temp.Name())
		}
	}()
	if _, err := temp.Write(data); err != nil {
		return err
	}
	keepOwner(temp, was)
	// Without this a power cut may leave the new name with nothing in it.
	if err := temp.Sync(); err != nil {
		return err
	}
	if err := temp.Close(); err != nil {
		return err
	}
	if err := Rename(temp.Name(), path); err != nil {
		return err
	}
	// The new file is in its place, whatever this comes to.
	_ = SyncDir(filepath.Dir(path))
	return nil
}
