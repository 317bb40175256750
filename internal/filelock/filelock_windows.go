package filelock

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

// plainFile has no counterpart here.
const plainFile = 0

// tryLock takes the lock of an open file (LockFileEx), which closing it frees. It reports false where somebody else has it.
func tryLock(f *os.File) (bool, error) {
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, new(windows.Overlapped))
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, nil
	}
	return err == nil, err
}

// SyncDir does nothing: a directory cannot be flushed here, and renaming is journaled.
func SyncDir(string) error { return nil }

// Rename replaces a file. That is refused while somebody has the old one open, as readers have for a moment.
func Rename(from, to string) (err error) {
	for range 200 {
		err = os.Rename(from, to)
		if !errors.Is(err, windows.ERROR_ACCESS_DENIED) && !errors.Is(err, windows.ERROR_SHARING_VIOLATION) {
			return err
		}
		time.Sleep(poll)
	}
	return err
}

// keepOwner does nothing: the directory hands its access list down.
func keepOwner(*os.File, fs.FileInfo) {}
