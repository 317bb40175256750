//go:build unix

package env

import (
	"io/fs"
	"os"
	"syscall"
)

// Foreign reports whether a file belongs neither to the user nor to root: somebody else may have written what is in it.
// To root no file is foreign: in a container, where builds run as root, files mostly belong to the user outside.
func Foreign(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && os.Geteuid() != 0 && st.Uid != 0 && int(st.Uid) != os.Geteuid()
}

// WritableByAll reports whether every user of the machine can write a file.
func WritableByAll(info fs.FileInfo) bool { return info.Mode().Perm()&0o002 != 0 }
