//go:build unix

package inputs

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// identity adds what tells a file from another one of the same size and time: it is replaced by renaming, mostly.
func identity(b *strings.Builder, info os.FileInfo) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		b.WriteByte(' ')
		b.WriteString(strconv.FormatUint(uint64(st.Ino), 36))
		b.WriteByte(' ')
		b.WriteString(strconv.FormatUint(uint64(st.Dev), 36))
		b.WriteByte(' ')
		b.WriteString(strconv.FormatInt(changeTime(st), 36))
	}
}

func isNotDir(err error) bool { return errors.Is(err, syscall.ENOTDIR) }
