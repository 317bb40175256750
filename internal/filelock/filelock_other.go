//go:build !unix && !windows

package filelock

import (
	"errors"
	"io/fs"
	"os"
)

const plainFile = 0

func tryLock(*os.File) (bool, error) { return false, errors.ErrUnsupported }

// SyncDir does nothing here.
func SyncDir(string) error { return nil }

// Rename replaces a file.
func Rename(from, to string) error { return os.Rename(from, to) }

func keepOwner(*os.File, fs.FileInfo) {}
