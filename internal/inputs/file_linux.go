package inputs

import (
	"errors"
	"syscall"

	"github.com/dchest/siphash"
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

// Recent reports whether a file was changed a moment before now, a time in nanoseconds since 1970, as far as the clock of its file system tells.
func Recent(info interface{ Sys() any }, now int64) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && recent(st, now)
}

func recent(st *syscall.Stat_t, now int64) bool {
	return max(st.Mtim.Nano(), st.Ctim.Nano()) > now-moment
}

// contents returns the sum of what is in a file, "" where that cannot be read.
func contents(path string, salt Salt) string {
	if len(salt) != 16 {
		return ""
	}
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer syscall.Close(fd)
	h := siphash.New128([]byte(salt))
	buf := make([]byte, 16<<10)
	for size := 0; size <= maxContents; {
		n, err := syscall.Read(fd, buf)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return ""
		case n == 0:
			return text(h.Sum(nil))
		default:
			size += n
			_, _ = h.Write(buf[:n])
		}
	}
	return ""
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
