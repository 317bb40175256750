//go:build unix

package keyring

import (
	"errors"
	"os"
	"syscall"
)

// plainFile makes the opening of a symbolic link fail, and that of a named pipe return.
const plainFile = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// modesCount says that permission bits decide who may read a file.
const modesCount = true

// tryLock takes the lock of an open file (flock(2)), which closing it frees. It reports false where somebody else has it.
func tryLock(f *os.File) (bool, error) {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EWOULDBLOCK):
			return false, nil
		default:
			return err == nil, err
		}
	}
}

// syncDir makes the names in a directory last through a crash of the machine.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	// Some file systems know no such thing for a directory.
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}

func rename(from, to string) error { return os.Rename(from, to) }
