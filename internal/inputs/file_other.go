//go:build !linux

package inputs

import "os"

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
