//go:build !unix && !windows

package keyring

import (
	"errors"
	"os"
)

const (
	plainFile  = 0
	modesCount = false
)

func tryLock(*os.File) (bool, error) { return false, errors.ErrUnsupported }

func syncDir(string) error { return nil }

func rename(from, to string) error { return os.Rename(from, to) }
