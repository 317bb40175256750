package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/atomicfile"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/lookup"
)

// maxEdited is the size in bytes above which a file is not changed.
const maxEdited = 1 << 20

// An edit puts lines into a file of the workspace's. All that stands there is kept.
type edit struct {
	path  string // the file itself: what a link leads to
	shown string
	old   []byte
	info  fs.FileInfo // nil where it does not exist
	at    int         // before which line, from 0
	added string
}

// newEdit reads the file. A link is followed within the workspace, and refused where it leads out: what is behind it belongs to more than this workspace.
func newEdit(e *env.Env, workspace, path, shown string) (*edit, error) {
	ed := &edit{path: path, shown: shown}
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return ed, nil
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, helpers.WithHint(fmt.Errorf("reading %s: it is a link that leads nowhere", shown), "remove it, or make what it leads to")
	}
	root, err := filepath.EvalSymlinks(workspace)
	if err != nil {
		return nil, fmt.Errorf("reading the workspace: %w", err)
	}
	if rel, err := filepath.Rel(root, real); err != nil || !filepath.IsLocal(rel) {
		return nil, helpers.WithHint(fmt.Errorf("%s is a link that leads out of the workspace, and is left as it is", shown), "add what is missing by hand; credential-helper setup-uri URL prints it")
	}
	ed.path = real
	if ed.old, ed.info, err = e.ReadFile(real, maxEdited); err != nil {
		return nil, fmt.Errorf("reading %s: %w", shown, err)
	}
	if ed.info.Mode().Perm()&0o200 == 0 { // now, and not when another file has been written
		return nil, helpers.WithHint(fmt.Errorf("%s is read-only, and is left as it is; nothing was changed", shown), "chmod u+w %s", lookup.Quote(path))
	}
	return ed, nil
}

// lines returns the lines of the file, without their ends.
func (e *edit) lines() []string {
	if len(e.old) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(e.old), "\n"), "\n")
}

// insert puts text before a line, or behind the last one.
func (e *edit) insert(at int, text string) { e.at, e.added = at, text }

// data is the file with the lines in it. Lines end as those that are there do.
func (e *edit) data() []byte {
	old, added := string(e.old), e.added
	end := "\n"
	if strings.Contains(old, "\r\n") {
		end = "\r\n"
		added = strings.ReplaceAll(added, "\n", end)
	}
	offset := 0
	for range e.at {
		if i := strings.IndexByte(old[offset:], '\n'); i >= 0 {
			offset += i + 1
			continue
		}
		old += end // the last line had none
		offset = len(old)
	}
	return []byte(old[:offset] + added + old[offset:])
}

// diff shows the change as diff -U0 does: what stands in the file already is not repeated, as there may be secrets in it.
func (e *edit) diff() string {
	added := strings.Split(strings.TrimSuffix(e.added, "\n"), "\n")
	name := e.shown
	if e.info == nil {
		name = "/dev/null"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "--- %s\n+++ %s\n@@ -%d,0 +%d,%d @@\n", name, e.shown, e.at, e.at+1, len(added))
	for _, l := range added {
		fmt.Fprintf(&b, "+%s\n", l)
	}
	return b.String()
}

// write puts the new text into the file's place, where nobody changed it since it was read. Its mode stays.
func (e *edit) write() error {
	changed := helpers.WithHint(errors.New("another program changed it just now"), "run the command again")
	if e.info == nil {
		err := atomicfile.Create(e.path, e.data(), 0o644) // it is to be under version control
		if errors.Is(err, fs.ErrExist) {
			return changed
		}
		return err
	}
	return atomicfile.Replace(e.path, e.data(), e.info.Mode().Perm(), func(*os.File) error {
		now, err := os.ReadFile(e.path)
		if err == nil && !bytes.Equal(now, e.old) {
			return changed
		}
		return err
	})
}
