//go:build unix && !linux

package inputs

import (
	"errors"
	"os"
	"syscall"
)

// identity is what tells a file from another one of the same size and time: it is replaced by renaming, mostly.
// The change time, which could not be set back, has another name on each system, and is not read.
func identity(info os.FileInfo) []uint64 {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return []uint64{uint64(st.Ino), uint64(st.Dev)}
}

func isNotDir(err error) bool { return errors.Is(err, syscall.ENOTDIR) }
