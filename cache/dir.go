package cache

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// secureDir makes a directory that is the user's alone, or checks that it is: not a symbolic link, owned by the user, mode 0700.
// Any other is refused: who may write to a directory can replace what is in it. Of an empty one that others can only read they are shut out:
// it was made to be named here. One with other things in it (/tmp, a home) is let alone, for others may need it.
func secureDir(path string) error {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("the directory %q is not absolute", path)
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return err
		}
	}
	err := checkDir(path)
	if open := (*openDirError)(nil); !errors.As(err, &open) || open.mode&(0o022|os.ModeSticky) != 0 {
		return err
	}
	if list, readErr := os.ReadDir(path); readErr != nil || len(list) > 0 {
		return err
	}
	return os.Chmod(path, 0o700)
}

// checkDir checks a directory as secureDir does, and neither makes nor changes it.
func checkDir(path string) error {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return err
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
