//go:build unix

package cache

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// errNothingYet is returned by readAvailable where there is nothing to read now.
var errNothingYet = errors.New("nothing to read yet")

// PreloadFrom returns an agent's standard input in the form that [Agent] wants it, and closes stdin: two files of one descriptor
// would close it twice, the second time under whoever has got it then. It is nil where that cannot be done.
func PreloadFrom(stdin *os.File) *os.File {
	defer stdin.Close()
	fd, err := syscall.Dup(int(stdin.Fd()))
	if err != nil {
		return nil
	}
	syscall.CloseOnExec(fd)
	if err := syscall.SetNonblock(fd, true); err != nil {
		_ = syscall.Close(fd)
		return nil
	}
	return os.NewFile(uintptr(fd), "the starting process")
}

// readAvailable reads what is there and does not wait for more. It returns io.EOF where there will be nothing more.
func readAvailable(f syscall.Conn, p []byte) (n int, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	var readErr error
	if err := raw.Read(func(fd uintptr) bool {
		n, readErr = syscall.Read(int(fd), p)
		return true
	}); err != nil {
		return 0, err
	}
	switch {
	case errors.Is(readErr, syscall.EAGAIN), errors.Is(readErr, syscall.EINTR):
		return 0, errNothingYet
	case readErr != nil:
		return 0, readErr
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}
