package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/dockerconfig"
	"github.com/fe055d52/credential-helper/internal/env"
)

// executable returns the path under which this program was started.
func (a *app) executable() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("finding this program's own file: %w", err)
	}
	return calledAs(a.env, os.Args[0], self), nil
}

// calledAs returns the path of the program as the user knows it; self is what the system says of it.
//
// The system resolves symbolic links, on Linux at least. Where ~/bin/credential-helper is a link into a directory of one version of the program,
// that directory is mostly not on PATH, where docker looks, and goes with the next version. The link's own directory is the better place.
func calledAs(e *env.Env, arg0, self string) string {
	var candidates []string
	if filepath.Base(arg0) != arg0 {
		if !filepath.IsAbs(arg0) {
			arg0 = filepath.Join(e.Dir, arg0)
		}
		candidates = append(candidates, arg0)
	} else {
		for _, dir := range searchPath(e) {
			candidates = append(candidates, filepath.Join(dir, arg0))
		}
	}
	for _, path := range append(candidates, self) {
		if runtime.GOOS == "windows" && filepath.Ext(path) == "" {
			path += ".exe"
		}
		// A link that is there for docker is not what another one should lead to.
		if sameFile(path, self) && !isDockerName(path) {
			return path
		}
	}
	if resolved, err := filepath.EvalSymlinks(self); err == nil {
		return resolved
	}
	return self
}

// searchPath returns the directories of PATH. Relative ones are left out, as clients leave them out when they look for a credential helper.
func searchPath(e *env.Env) []string {
	var dirs []string
	for _, dir := range filepath.SplitList(e.Var("PATH")) {
		if filepath.IsAbs(dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

func sameFile(a, b string) bool {
	ai, err := os.Stat(a)
	if err != nil {
		return false
	}
	bi, err := os.Stat(b)
	return err == nil && os.SameFile(ai, bi)
}

// A dockerLink is the name by which docker finds the program: a symbolic link beside it.
// On Windows, where not everybody may make one, it is a copy.
type dockerLink struct {
	path       string
	executable string
	copies     bool
}

func newDockerLink(executable, name string) dockerLink {
	path := filepath.Join(filepath.Dir(executable), dockerPrefix+name)
	copies := runtime.GOOS == "windows"
	if copies {
		path += ".exe"
	}
	return dockerLink{path: path, executable: executable, copies: copies}
}

// describe says what make makes.
func (l dockerLink) describe(e *env.Env) string {
	if l.copies {
		return fmt.Sprintf("copy: %s → %s", e.Display(l.executable), e.Display(l.path))
	}
	return fmt.Sprintf("link: %s → %s", e.Display(l.path), filepath.Base(l.executable))
}

// made reports whether the link is there. Anything else of its name is an error, save a copy that we made of an earlier version.
func (l dockerLink) made(e *env.Env, state *dockerconfig.State) (bool, error) {
	if _, err := os.Lstat(l.path); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if sameFile(l.path, l.executable) {
		return true, nil
	}
	if l.copies {
		there, err := sumFile(l.path)
		if err == nil {
			if own, err := sumFile(l.executable); err == nil && there == own {
				return true, nil
			}
			if state.Copies[l.path] == there {
				return false, nil
			}
		}
	}
	return false, helpers.WithHint(fmt.Errorf("making %s: it is there already, and is another program", e.Display(l.path)),
		"choose another name with --name, or remove it")
}

// make makes the link.
func (l dockerLink) make(e *env.Env, state *dockerconfig.State) error {
	var err error
	if l.copies {
		var sum string
		if sum, err = copyExecutable(l.executable, l.path); err == nil {
			if state.Copies == nil {
				state.Copies = map[string]string{}
			}
			state.Copies[l.path] = sum
		}
	} else {
		// Relative, so that both can be moved together.
		err = os.Symlink(filepath.Base(l.executable), l.path)
	}
	if err != nil {
		return helpers.WithHint(fmt.Errorf("making %s: %w", e.Display(l.path), plainCause(err)),
			"where the directory is not yours, run it from a copy or a link of the program in one that is, and that is on PATH")
	}
	return nil
}

// ours reports whether what stands there is a link or a copy, and not the program itself under that name.
func (l dockerLink) ours(state *dockerconfig.State) bool {
	if l.copies {
		return state.Copies[l.path] != ""
	}
	info, err := os.Lstat(l.path)
	return err == nil && info.Mode().Type() == fs.ModeSymlink
}

// remove removes the link, which is there.
func (l dockerLink) remove(e *env.Env, state *dockerconfig.State) error {
	if err := os.Remove(l.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing %s: %w", e.Display(l.path), plainCause(err))
	}
	delete(state.Copies, l.path)
	return nil
}

// pathHint says why docker would not find the link, and "" where it does. The link need not be there yet.
func (l dockerLink) pathHint(e *env.Env) string {
	dir := filepath.Dir(l.path)
	for _, on := range searchPath(e) {
		if sameFile(on, dir) {
			return ""
		}
		other := filepath.Join(on, filepath.Base(l.path))
		if info, err := os.Stat(other); err == nil && !info.IsDir() && !sameFile(other, l.executable) {
			return fmt.Sprintf("docker finds another program first: %s", e.Display(other))
		} else if err == nil && !info.IsDir() {
			return ""
		}
	}
	return fmt.Sprintf("%s is not on PATH, where docker looks for %s", e.Display(dir), filepath.Base(l.path))
}

// copyExecutable copies an executable into the place of another file, whole or not at all, and returns its SHA-256 sum.
func copyExecutable(from, to string) (sum string, err error) {
	in, err := os.Open(from)
	if err != nil {
		return "", err
	}
	defer in.Close()
	temp, err := os.CreateTemp(filepath.Dir(to), filepath.Base(to)+".*.tmp")
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			temp.Close()
			os.Remove(temp.Name())
		}
	}()
	h := sha256.New()
	if _, err := io.Copy(io.MultiWriter(temp, h), in); err != nil {
		return "", err
	}
	if err := temp.Chmod(0o755); err != nil {
		return "", err
	}
	if err := temp.Close(); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), os.Rename(temp.Name(), to)
}

func sumFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// plainCause drops the path from a file error, which the message names.
func plainCause(err error) error {
	var pe *fs.PathError
	var le *os.LinkError
	switch {
	case errors.As(err, &pe):
		return pe.Err
	case errors.As(err, &le):
		return le.Err
	default:
		return err
	}
}
