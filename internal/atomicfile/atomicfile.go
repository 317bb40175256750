// Package atomicfile writes files whole or not at all.
package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Replace writes a file beside path and puts it into its place. ready, where not nil, is called before that, with the file written:
// where it returns an error, path is as it was.
func Replace(path string, data []byte, mode fs.FileMode, ready func(temp *os.File) error) error {
	return write(path, data, mode, ready, os.Rename)
}

// Create is like Replace, for a file that is not there. Where there is one by now, it stays, and the error is [fs.ErrExist].
func Create(path string, data []byte, mode fs.FileMode) error {
	return write(path, data, mode, nil, func(temp, path string) error {
		// A rename would take the place of a file that another program made a moment ago.
		err := os.Link(temp, path)
		if err != nil && !errors.Is(err, fs.ErrExist) { // not every file system has links
			if _, there := os.Lstat(path); there == nil {
				return fs.ErrExist
			}
			return os.Rename(temp, path)
		}
		return errors.Join(err, os.Remove(temp))
	})
}

func write(path string, data []byte, mode fs.FileMode, ready func(temp *os.File) error, move func(temp, path string) error) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	temp, err := os.CreateTemp(dir, filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			temp.Close()
			os.Remove(temp.Name())
		}
	}()
	if _, err := temp.Write(data); err != nil {
		return err
	}
	if err := temp.Chmod(mode); err != nil {
		return err
	}
	// Without this a power cut may leave the new name with nothing in it.
	if err := temp.Sync(); err != nil {
		return err
	}
	if ready != nil {
		if err := ready(temp); err != nil {
			return err
		}
	}
	if err := temp.Close(); err != nil {
		return err
	}
	return move(temp.Name(), path)
}
