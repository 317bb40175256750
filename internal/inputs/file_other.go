//go:build !linux

package inputs

import (
	"io"
	"os"
	"time"

	"github.com/dchest/siphash"
)

// Stat returns what a file is known by, from os.Stat, and "-" for one that is not there.
// It is "" for one that cannot be looked at, which is equal to nothing that was recorded.
func Stat(path string) string {
	info, err := os.Stat(path)
	return Sum(info, err)
}

// Sum is Stat for a file that was looked at already.
func Sum(info os.FileInfo, err error) string {
	if err != nil {
		if os.IsNotExist(err) || isNotDir(err) {
			return "-"
		}
		return ""
	}
	words := []uint64{uint64(info.Size()), uint64(info.ModTime().UnixNano()), uint64(info.Mode())}
	return hex(append(words, identity(info)...)...)
}

// Recent reports whether a file was changed a moment before now, a time in nanoseconds since 1970, as far as the clock of its file system tells.
func Recent(info os.FileInfo, now int64) bool { return info.ModTime().After(time.Unix(0, now-moment)) }

// contents returns the sum of what is in a file, "" where that cannot be read.
func contents(path string, salt Salt) string {
	f, err := os.Open(path)
	if err != nil || len(salt) != 16 {
		return ""
	}
	defer f.Close()
	h := siphash.New128([]byte(salt))
	if n, err := io.Copy(h, io.LimitReader(f, maxContents+1)); err != nil || n > maxContents {
		return ""
	}
	return text(h.Sum(nil))
}
