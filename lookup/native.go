package lookup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/shell"
	"github.com/fe055d52/credential-helper/internal/strictjson"
	"github.com/fe055d52/credential-helper/internal/trace"
)

// maxNative is the size in bytes above which a file is not taken for one that a package manager keeps its logins in.
const maxNative = 1 << 20

// decodePath reads the key "path" of a source, which may be left out: then usual is read.
func decodePath(o *strictjson.Object, path *string, usual string) {
	o.String("path", path)
	if o.Has("path") && *path == "" {
		o.Failf("path", `"path" is empty; leave it out to read %s`, usual)
	}
}

// readNative reads a file in which another tool keeps its logins. shown is the path as people write it, for errors.
// found is false where the file does not exist, or there is nothing that could hold it.
func (s *Sources) readNative(ctx context.Context, path string) (data []byte, shown string, found bool, err error) {
	data, _, shown, found, err = s.readFile(ctx, path)
	return data, shown, found, err
}

// readProject is like readNative, for a file of the project or in a directory above it. One that somebody else may have written is refused:
// it could have variables of the user's put into a header.
func (s *Sources) readProject(ctx context.Context, path string) (data []byte, shown string, found bool, err error) {
	data, info, shown, found, err := s.readFile(ctx, path)
	switch {
	case err != nil || !found:
		return nil, shown, false, err
	case env.WritableByAll(info):
		return nil, shown, false, helpers.WithHint(fmt.Errorf("reading %s: every user of this machine can write it (mode %04o)", shown, info.Mode().Perm()),
			"run chmod o-w %s, if what it says is yours", shell.QuotePath(shown))
	case env.Foreign(info):
		return nil, shown, false, helpers.WithHint(fmt.Errorf("reading %s: it belongs to another user", shown), "make a copy of your own, or remove it")
	}
	return data, shown, true, nil
}

func (s *Sources) readFile(ctx context.Context, path string) (data []byte, info fs.FileInfo, shown string, found bool, err error) {
	shown = s.Env.Display(path)
	if !filepath.IsAbs(path) {
		return nil, nil, shown, false, nil // see absolute
	}
	end := trace.Step(ctx, "reading %s", shown)
	data, info, err = s.Env.ReadFile(path, maxNative)
	end(err)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil, shown, false, nil
	case err != nil:
		return nil, info, shown, false, fmt.Errorf("reading %s: %w", shown, err)
	}
	return data, info, shown, true, nil
}

// project returns the directory of the project: the root of the workspace, else the working directory; "" where its files are not to be read.
func (s *Sources) project() string {
	if s.Env.UserOnly {
		return ""
	}
	return s.Env.Workspace()
}

// upward returns the working directory and those above it, the nearest first and not more than [env.MaxLevels]; none where the project's files are not to be read.
func (s *Sources) upward() []string {
	if s.Env.UserOnly || !filepath.IsAbs(s.Env.Dir) {
		return nil
	}
	var dirs []string
	for dir := filepath.Clean(s.Env.Dir); ; dir = filepath.Dir(dir) {
		dirs = append(dirs, dir)
		if dir == filepath.Dir(dir) || len(dirs) == env.MaxLevels {
			return dirs
		}
	}
}

// lastSecond is the last second of the year 9999, the last that an expiry can be written down with.
const lastSecond = 253402300799

// now returns the time.
func (s *Sources) now() time.Time {
	if s.Env.Now == nil {
		return time.Now()
	}
	return s.Env.Now()
}

// home returns a path below the user's home directory; "" where there is none.
func (s *Sources) home(elem ...string) string {
	if s.Env.Home == "" {
		return ""
	}
	return filepath.Join(append([]string{s.Env.Home}, elem...)...)
}

// absolute returns a path as a tool takes it that is started in the working directory. It stays relative, and so is not read,
// where files of that directory are not to be.
func (s *Sources) absolute(path string) string {
	if filepath.IsAbs(path) || s.Env.UserOnly {
		return filepath.Clean(path)
	}
	return filepath.Join(s.Env.Dir, path)
}

// expandPath is like [env.Env.Expand], for the path of a file or a program that a rule names, or a variable.
// Where the files of the project and of the working directory are not to be read, one of these is not found.
func (s *Sources) expandPath(path string) (string, error) {
	expanded, err := s.Env.Expand(path)
	if errors.Is(err, env.ErrHere) {
		return "", notHere(path)
	}
	return expanded, err
}

// notHere says that a path is not looked at for a client that is started from any directory.
func notHere(path string) error {
	return helpers.NotFoundf("%s is in the working directory, or in the workspace, which is not looked into here", path)
}

// notThere says that none of the files that were looked for exists; without says why none was looked for.
func notThere(looked []string, without string) error {
	switch len(looked) {
	case 0:
		return helpers.NotFoundf("%s", without)
	case 1:
		return helpers.NotFoundf("%s does not exist", looked[0])
	}
	return helpers.NotFoundf("%s and %s do not exist", strings.Join(looked[:len(looked)-1], ", "), looked[len(looked)-1])
}

// fewOf joins what an error tells of, and of many the first.
func fewOf(list []string, separator string) string {
	const few = 5
	if len(list) > few {
		list = append(slices.Clone(list[:few]), fmt.Sprintf("and %d more", len(list)-few))
	}
	return strings.Join(list, separator)
}

// checkHeaderName is [helpers.CheckHeaderName] for a name out of a file, where a secret may stand in its place: what is no name is not quoted.
func checkHeaderName(name string) error {
	err := helpers.CheckHeaderName(name)
	if err == nil {
		return nil
	}
	for i := range len(name) {
		if c := name[i] | 0x20; c != '-' && (c < 'a' || c > 'z') {
			return errors.New("what stands in the place of a header's name is none")
		}
	}
	return err
}
