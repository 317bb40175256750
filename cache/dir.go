package cache

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// secureDir makes a directory that is the user's alone, or checks that it is: not a symbolic link, owned by the user, mode 0700.
// Any other is refused: who may write to a directory can replace what is in it. Of an empty one that others can only read they are shut out:
// it was made to be named here. One with other things in it (/tmp, a home) is let alone, for others may need it.
func secureDir(path string) error {
	dir, err := makeDir(path)
	if err == nil {
		_ = dir.Close()
	}
	return err
}

// makeDir is secureDir, and returns the directory. It is the one that was looked at, also where somebody who may write to a directory
// above it puts another into its place: all that is done in it, but connecting to a socket, is done by way of what is returned.
func makeDir(path string) (*os.Root, error) {
	if !filepath.IsAbs(path) {
		return nil, fmt.Errorf("the directory %q is not absolute", path)
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return nil, err
		}
	}
	return closed(lookAt(path))
}

// checkDir checks a directory as secureDir does, and neither makes nor changes it.
func checkDir(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	return judgeDir(path, info)
}

// openDir checks a directory as checkDir does, and returns it.
func openDir(path string) (*os.Root, error) {
	dir, refused, err := lookAt(path)
	if refused != nil {
		_ = refused.Close()
	}
	return dir, err
}

// subDir makes or checks a directory in dir as makeDir does.
func subDir(dir *os.Root, name string) (*os.Root, error) {
	if err := dir.Mkdir(name, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	return closed(lookIn(filepath.Join(dir.Name(), name), func() (fs.FileInfo, error) { return dir.Lstat(name) }, func() (*os.Root, error) { return dir.OpenRoot(name) }))
}

// lookAt opens a directory, and judges it. One that is open to other users is returned beside the error, as refused.
func lookAt(path string) (dir, refused *os.Root, err error) {
	return lookIn(path, func() (fs.FileInfo, error) { return os.Lstat(path) }, func() (*os.Root, error) { return os.OpenRoot(path) })
}

// lookIn is lookAt for a directory that lstat and openRoot find.
func lookIn(path string, lstat func() (fs.FileInfo, error), openRoot func() (*os.Root, error)) (dir, refused *os.Root, err error) {
	info, err := lstat()
	if err != nil {
		return nil, nil, err
	}
	open := (*openDirError)(nil)
	if err := judgeDir(path, info); err != nil && !errors.As(err, &open) {
		return nil, nil, err
	}
	dir, err = openRoot()
	if err != nil {
		return nil, nil, err
	}
	opened, err := dir.Stat(".")
	if err == nil && !os.SameFile(info, opened) {
		err = fmt.Errorf("the directory %s was replaced", path)
	}
	if err != nil {
		_ = dir.Close()
		return nil, nil, err
	}
	if err := judgeDir(path, opened); err != nil {
		return nil, dir, err
	}
	return dir, nil, nil
}

// closed shuts others out of a directory that was refused because they can read it, where nothing is in it.
func closed(dir, refused *os.Root, err error) (*os.Root, error) {
	open := (*openDirError)(nil)
	if refused == nil || !errors.As(err, &open) {
		return dir, err
	}
	if shut(refused, open.mode) {
		return refused, nil
	}
	_ = refused.Close()
	return nil, err
}

func shut(dir *os.Root, mode fs.FileMode) bool {
	if mode&(0o022|os.ModeSticky) != 0 {
		return false
	}
	if list, err := readDir(dir); err != nil || len(list) > 0 {
		return false
	}
	f, err := dir.Open(".")
	if err != nil {
		return false
	}
	defer f.Close()
	return f.Chmod(0o700) == nil
}

func readDir(dir *os.Root) ([]fs.DirEntry, error) {
	f, err := dir.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.ReadDir(-1)
}

// judgeDir reports why a directory is not the user's alone.
func judgeDir(path string, info fs.FileInfo) error {
	switch {
	case !info.IsDir():
		return fmt.Errorf("%s is not a directory", path)
	case !ownedByUser(info):
		return fmt.Errorf("the directory %s belongs to another user", path)
	case modesCount && info.Mode().Perm()&0o077 != 0:
		return &openDirError{path, info.Mode()}
	}
	return nil
}

// An openDirError says that a directory is the user's, but not the user's alone.
type openDirError struct {
	path string
	mode os.FileMode
}

func (e *openDirError) Error() string {
	return fmt.Sprintf("the directory %s is open to other users (mode %04o)", e.path, e.mode.Perm())
}

// openPlain opens a regular file in dir, which is there or made with mode 0600. What else is in its place is neither followed nor waited for.
func openPlain(dir *os.Root, name string, flags int) (*os.File, error) {
	f, err := dir.OpenFile(name, flags|plainFile, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	var there fs.FileInfo
	if err == nil {
		there, err = dir.Lstat(name)
	}
	if err == nil && (!info.Mode().IsRegular() || !os.SameFile(info, there)) {
		err = fmt.Errorf("%s is not a regular file", filepath.Join(dir.Name(), name))
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// OpenFile opens a file in the agent's directory, which has to be the user's alone: its log. With os.O_CREATE among flags it is made where it is missing.
func OpenFile(dir, name string, flags int) (*os.File, error) {
	d, err := openDir(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return openPlain(d, name, flags)
}
