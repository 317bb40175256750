//go:build unix

package filelock

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// plainFile makes the opening of a symbolic link fail, and that of a named pipe return.
const plainFile = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

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

// SyncDir makes the names in a directory last through a crash of the machine.
func SyncDir(path string) error {
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

// Rename replaces a file.
func Rename(from, to string) error { return os.Rename(from, to) }

// keepOwner gives a new file the owner of the one that it replaces, where the user may do that: root, on files of the user outside a container.
func keepOwner(temp *os.File, was fs.FileInfo) {
	if st, ok := was.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
		_ = temp.Chown(int(st.Uid), int(st.Gid))
	}
}
