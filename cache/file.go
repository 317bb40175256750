package cache

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fe055d52/credential-helper/internal/place"
)

// maxEntry is the size in bytes above which an entry is not kept.
const maxEntry = 1 << 20

const (
	entrySuffix   = ".entry"
	pruneInterval = time.Minute
	maxEntries    = 10_000
)

// NewFile returns the cache that keeps entries in files below dir, for machines where no background process is wanted:
// containers, continuous integration. The files hold secrets: the directory is the user's alone (0700), the files too (0600),
// each is written under a temporary name and renamed.
func NewFile(dir string, get place.Getenv, now func() time.Time) *Shared {
	return &Shared{
		store: &fileStore{root: dir, now: now, max: maxEntries},
		locks: newFileLocks(dir),
		get:   get, now: now,
	}
}

// entriesDir is the directory of the entries in that of the cache.
const entriesDir = "entries"

type fileStore struct {
	root string
	now  func() time.Time
	max  int // entries above this number go, the oldest first
}

// open returns the cache's directory, and the one with the entries. Who is done with both calls done.
func (s *fileStore) open() (root, dir *os.Root, done func(), err error) {
	if root, err = makeDir(s.root); err != nil {
		return nil, nil, nil, err
	}
	if dir, err = subDir(root, entriesDir); err != nil {
		_ = root.Close()
		return nil, nil, nil, err
	}
	return root, dir, func() { _ = dir.Close(); _ = root.Close() }, nil
}

func (s *fileStore) load(_ context.Context, ids []string) (Entry, bool, error) {
	_, dir, done, err := s.open()
	if err != nil {
		return Entry{}, false, err
	}
	defer done()
	return s.find(dir, ids, func(e Entry) bool { return e.fresh(s.now()) })
}

func (s *fileStore) peek(_ context.Context, ids []string) (Entry, bool, error) {
	var dir *os.Root
	for _, path := range []string{s.root, filepath.Join(s.root, entriesDir)} {
		d, err := openDir(path)
		if errors.Is(err, fs.ErrNotExist) {
			return Entry{}, false, nil
		} else if err != nil {
			return Entry{}, false, err
		}
		defer d.Close()
		dir = d
	}
	return s.find(dir, ids, func(Entry) bool { return true })
}

// find returns the first entry under one of ids that is wanted.
func (s *fileStore) find(dir *os.Root, ids []string, wanted func(Entry) bool) (Entry, bool, error) {
	for _, id := range ids {
		// What cannot be read, or makes no sense, is not there: it is about to be written anew.
		if e, err := s.read(dir, id+entrySuffix); err == nil && wanted(e) {
			return e, true, nil
		}
	}
	return Entry{}, false, nil
}

func (s *fileStore) read(dir *os.Root, name string) (Entry, error) {
	f, err := openPlain(dir, name, os.O_RDONLY)
	if err != nil {
		return Entry{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Entry{}, err
	}
	if !ownedByUser(info) || modesCount && info.Mode().Perm()&0o077 != 0 || info.Size() > maxEntry {
		return Entry{}, fmt.Errorf("%s was not written by this program", name)
	}
	data := make([]byte, info.Size())
	if _, err := f.ReadAt(data, 0); err != nil && len(data) > 0 {
		return Entry{}, err
	}
	return decode(data)
}

func (s *fileStore) save(_ context.Context, id string, instead []string, e Entry) error {
	data, err := e.encode()
	if err != nil {
		return err
	}
	if len(data) > maxEntry {
		return fmt.Errorf("the entry is larger than %d bytes", maxEntry)
	}
	root, dir, done, err := s.open()
	if err != nil {
		return err
	}
	defer done()
	// Also where nothing can be written: what is over may be what fills the disk.
	defer s.prune(root, dir)
	temp := ".new-" + rand.Text()
	f, err := dir.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = dir.Rename(temp, id+entrySuffix)
	}
	if err != nil {
		_ = dir.Remove(temp)
		return err
	}
	for _, id := range instead {
		_ = dir.Remove(id + entrySuffix)
	}
	// Whoever drops entries sets the marker's time first, and then looks for them: one of the two sees this one.
	if info, err := root.Lstat(forgotten); err == nil && e.outdated(info.ModTime(), s.now()) {
		_ = dir.Remove(id + entrySuffix)
	}
	return nil
}

// prune removes what is over, once a minute at most: the time of a marker file says when it was done last.
func (s *fileStore) prune(root, dir *os.Root) {
	const marker = "pruned"
	if info, err := root.Lstat(marker); err == nil && s.now().Sub(info.ModTime()).Abs() < pruneInterval {
		return
	}
	s.touch(root, marker)
	pruneLocks(s.root, s.now())
	_ = s.forget(dir, Expired)
}

func (s *fileStore) forget(dir *os.Root, what What) error {
	list, err := readDir(dir)
	if err != nil {
		return err
	}
	type kept struct {
		name   string
		stored time.Time
	}
	var keep []kept
	for _, item := range list {
		if !strings.HasSuffix(item.Name(), entrySuffix) {
			// A temporary file of a process that died.
			if info, err := item.Info(); err == nil && (what == All || s.now().Sub(info.ModTime()) > pruneInterval) {
				_ = dir.Remove(item.Name())
			}
			continue
		}
		e, err := s.read(dir, item.Name())
		if err == nil && what != All && e.fresh(s.now()) && !(what == Volatile && e.Volatile) {
			keep = append(keep, kept{item.Name(), e.stored})
			continue
		}
		if err := dir.Remove(item.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if len(keep) > s.max {
		slices.SortFunc(keep, func(a, b kept) int { return b.stored.Compare(a.stored) })
		for _, k := range keep[s.max:] {
			_ = dir.Remove(k.name)
		}
	}
	return nil
}

func (s *fileStore) drop(_ context.Context, what What) error {
	root, dir, done, err := s.open()
	if err != nil {
		return err
	}
	defer done()
	if what != Expired {
		s.touch(root, forgotten)
	}
	return s.forget(dir, what)
}

// forgotten is the file whose time says when what cannot be watched was forgotten.
const forgotten = "forgotten"

// touch has the time of a marker file say that something was done now.
func (s *fileStore) touch(root *os.Root, marker string) {
	if f, err := openPlain(root, marker, os.O_WRONLY|os.O_CREATE); err == nil {
		_ = f.Close()
		_ = root.Chtimes(marker, s.now(), s.now())
	}
}

// start fails: a directory that cannot be used now cannot be used soon.
func (s *fileStore) start(context.Context) error     { return errGivenUp }
func (s *fileStore) awaitStart(context.Context) bool { return false }
func (s *fileStore) close()                          {}
