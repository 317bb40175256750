//go:build unix

package env

import (
	"os"
	"syscall"
)

// open opens a file for reading without waiting for anybody: opening a pipe waits for its writer otherwise.
// A terminal does not become the program's own.
func open(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
}
