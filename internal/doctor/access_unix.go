//go:build unix

package doctor

import (
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// writable reports why a directory cannot be written, without writing to it.
func writable(dir string) error { return unix.Access(dir, unix.W_OK|unix.X_OK) }

// owned reports whether a file is the user's own.
func owned(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return !ok || int(st.Uid) == os.Geteuid()
}
