//go:build unix

package cache

import (
	"io/fs"
	"os"
	"syscall"
)

// modesCount says that permission bits decide who may do what.
const modesCount = true

func ownedByUser(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}
