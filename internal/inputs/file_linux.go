package inputs

import (
	"errors"
	"syscall"
)

// Stat returns what a file is known by, and "-" for one that is not there.
// It is "" for one that cannot be looked at, which is equal to nothing that was recorded.
func Stat(path string) string {
	var st syscall.Stat_t
	err := syscall.Stat(path, &st)
	for err == syscall.EINTR {
		err = syscall.Stat(path, &st)
	}
	return sum(&st, err)
}

// Sum is Stat for a file that was looked at already, with package os, which cannot be named here: it is initialized too late.
func Sum(info interface{ Sys() any }, err error) string {
	if err != nil {
		return sum(nil, err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return sum(st, nil)
}

// sum puts down what tells a file from another one: it is replaced by renaming, mostly, and its change time cannot be set back.
func sum(st *syscall.Stat_t, err error) string {
	switch {
	case err == nil:
		return hex(uint64(st.Size), uint64(st.Mtim.Nano()), uint64(st.Mode), st.Ino, uint64(st.Dev), uint64(st.Ctim.Nano()))
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ENOTDIR):
		return "-"
	}
	return ""
}
