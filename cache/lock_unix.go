//go:build unix

package cache

import (
	"errors"
	"os"
	"syscall"
)

// plainFile makes the opening of a symbolic link fail, and that of a named pipe return.
const plainFile = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// lockFile takes a lock on an open file (flock(2)). It reports false where the lock is not free and wait is not set.
func lockFile(f *os.File, exclusive, wait bool) (bool, error) {
	how := syscall.LOCK_SH
	if exclusive {
		how = syscall.LOCK_EX
	}
	if !wait {
		how |= syscall.LOCK_NB
	}
	for {
		err := syscall.Flock(int(f.Fd()), how)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EWOULDBLOCK) && !wait:
			return false, nil
		default:
			return false, err
		}
	}
}

func unlockFile(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }
