package dockerconfig

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/atomicfile"
	"github.com/fe055d52/credential-helper/internal/env"
)

// maxSize is the size in bytes above which a file is not taken for docker's configuration.
const maxSize = 1 << 20

// A File is docker's configuration file as it was read.
type File struct {
	// Path is the file itself: what a symbolic link leads to, so that writing it keeps the link.
	Path string
	// Shown is the name by which people know it.
	Shown string
	// Data is the file's text; empty where it does not exist.
	Data []byte

	info fs.FileInfo // nil where it does not exist
}

// Read reads config.json of $DOCKER_CONFIG, else of ~/.docker. A file that does not exist is read as an empty one.
func Read(e *env.Env) (*File, error) {
	dir := e.Var("DOCKER_CONFIG")
	switch {
	case dir == "" && e.Home == "":
		return nil, helpers.WithHint(errors.New("there is no home directory to look for docker's configuration in"), "set HOME or DOCKER_CONFIG")
	case dir == "":
		dir = filepath.Join(e.Home, ".docker")
	case !filepath.IsAbs(dir):
		dir = filepath.Join(e.Dir, dir)
	}
	name := filepath.Join(dir, "config.json")
	f := &File{Shown: e.Display(name)}
	var err error
	if f.Path, err = follow(name); err != nil {
		return nil, fmt.Errorf("reading docker's configuration %s: %w", f.Shown, err)
	}
	f.Data, f.info, err = e.ReadFile(f.Path, maxSize)
	if errors.Is(err, fs.ErrNotExist) {
		f.Data, f.info, err = nil, nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading docker's configuration %s: %w", f.Shown, err)
	}
	return f, nil
}

// follow returns what a path leads to, which need not exist: a link may dangle.
func follow(path string) (string, error) {
	for range 40 {
		to, err := os.Readlink(path)
		if err != nil {
			// It is no link, or is not there. The directories on the way are left as they are named: they are not replaced.
			return path, nil
		}
		if !filepath.IsAbs(to) {
			// ".." is of the directory that the link is really in.
			dir, err := filepath.EvalSymlinks(filepath.Dir(path))
			if err != nil {
				return "", err
			}
			to = filepath.Join(dir, to)
		}
		path = to
	}
	return "", errors.New("too many symbolic links")
}

// Exists reports whether there is a file.
func (f *File) Exists() bool { return f.info != nil }

// Mode returns the file's mode, 0 where it does not exist.
func (f *File) Mode() fs.FileMode {
	if f.info == nil {
		return 0
	}
	return f.info.Mode()
}

// Writable returns an error for a file that is not to be changed. What its owner made read-only stays as it is, also for root
// and where the directory would let us put another in its place: such a file is mostly made by a program that makes it again.
func (f *File) Writable() error {
	if f.info == nil {
		return nil
	}
	hint := "add the keys where the file is made, or allow its owner to write it"
	if f.info.Mode()&0o200 == 0 {
		return helpers.WithHint(fmt.Errorf("writing docker's configuration %s: it is read-only", f.Shown), "%s", hint)
	}
	open, err := os.OpenFile(f.Path, os.O_WRONLY, 0)
	if err != nil {
		return helpers.WithHint(fmt.Errorf("writing docker's configuration %s: %w", f.Shown, withoutPath(err)), "%s", hint)
	}
	return open.Close()
}

// Write puts data in the place of the file, whole or not at all. Mode and owner stay; a new file is the user's alone.
// A file that somebody changed since it was read is left as it is.
func (f *File) Write(data []byte) error {
	if err := f.write(data); err != nil {
		var hint *helpers.HintError
		if errors.As(err, &hint) {
			return err
		}
		return fmt.Errorf("writing docker's configuration %s: %w; it is as it was", f.Shown, withoutPath(err))
	}
	return nil
}

func (f *File) write(data []byte) error {
	if err := f.Writable(); err != nil {
		return err
	}
	mode := fs.FileMode(0o600)
	if f.info != nil {
		mode = f.info.Mode().Perm()
	}
	return atomicfile.Replace(f.Path, data, mode, func(temp *os.File) error {
		if f.info != nil {
			keepOwner(temp, f.info)
		}
		now, err := os.ReadFile(f.Path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if !bytes.Equal(now, f.Data) {
			return helpers.WithHint(fmt.Errorf("writing docker's configuration %s: another program changed it just now", f.Shown), "run the command again")
		}
		return nil
	})
}

// withoutPath drops the path from a file error: it is that of a temporary file, or of one that the message names already.
func withoutPath(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	var le *os.LinkError
	if errors.As(err, &le) {
		return le.Err
	}
	return err
}
