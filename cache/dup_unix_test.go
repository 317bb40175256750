//go:build unix

package cache

import (
	"os"
	"syscall"
	"testing"
)

// dupFile is the file as a process has it that was started with it.
func dupFile(t testing.TB, f *os.File) *os.File {
	t.Helper()
	fd, err := syscall.Dup(int(f.Fd()))
	must(t, err)
	return os.NewFile(uintptr(fd), f.Name())
}
