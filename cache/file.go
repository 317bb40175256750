package cache

import (
	"context"
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
		store: &fileStore{dir: filepath.Join(dir, "entries"), root: dir, now: now, max: maxEntries},
		locks: newFileLocks(dir),
		get:   get, now: now,
	}
}

type fileStore struct {
	root, dir string
	now       func() time.Time
	max       int // entries above this number go, the oldest first
}

func (s *fileStore) prepare() error {
	if err := secureDir(s.root); err != nil {
		return err
	}
	return secureDir(s.dir)
}

func (s *fileStore) load(_ context.Context, ids []string) (Entry, bool, error) {
	if err := s.prepare(); err != nil {
		return Entry{}, false, err
	}
	return s.find(ids, func(e Entry) bool { return e.fresh(s.now()) })
}

func (s *fileStore) peek(_ context.Context, ids []string) (Entry, bool, error) {
	for _, dir := range []string{s.root, s.dir} {
		if err := checkDir(dir); errors.Is(err, fs.ErrNotExist) {
			return Entry{}, false, nil
		} else if err != nil {
			return Entry{}, false, err
		}
	}
	return s.find(ids, func(Entry) bool { return true })
}

// find returns the first entry under one of ids that is wanted.
func (s *fileStore) find(ids []string, wanted func(Entry) bool) (Entry, bool, error) {
	for _, id := range ids {
		// What cannot be read, or makes no sense, is not there: it is about to be written anew.
		if e, err := s.read(s.path(id)); err == nil && wanted(e) {
			return e, true, nil
		}
	}
	return Entry{}, false, nil
}

func (s *fileStore) path(id string) string { return filepath.Join(s.dir, id+entrySuffix) }

func (s *fileStore) read(path string) (Entry, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|plainFile, 0)
	if err != nil {
		return Entry{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Entry{}, err
	}
	if !info.Mode().IsRegular() || !ownedByUser(info) || modesCount && info.Mode().Perm()&0o077 != 0 || info.Size() > maxEntry {
		return Entry{}, fmt.Errorf("%s was not written by this program", path)
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
	if err := s.prepare(); err != nil {
		return err
	}
	// Also where nothing can be written: what is over may be what fills the disk.
	defer s.prune()
	f, err := os.CreateTemp(s.dir, ".new-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), s.path(id))
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	for _, id := range instead {
		_ = os.Remove(s.path(id))
	}
	// Whoever drops entries sets the marker's time first, and then looks for them: one of the two sees this one.
	if info, err := os.Lstat(s.marker()); err == nil && e.outdated(info.ModTime(), s.now()) {
		_ = os.Remove(s.path(id))
	}
	return nil
}

// prune removes what is over, once a minute at most: the time of a marker file says when it was done last.
func (s *fileStore) prune() {
	marker := filepath.Join(s.root, "pruned")
	if info, err := os.Lstat(marker); err == nil && s.now().Sub(info.ModTime()).Abs() < pruneInterval {
		return
	}
	s.touch(marker)
	pruneLocks(s.root, s.now())
	_ = s.forget(Expired)
}

func (s *fileStore) forget(what What) error {
	list, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	type kept struct {
		path   string
		stored time.Time
	}
	var keep []kept
	for _, item := range list {
		path := filepath.Join(s.dir, item.Name())
		if !strings.HasSuffix(item.Name(), entrySuffix) {
			// A temporary file of a process that died.
			if info, err := item.Info(); err == nil && (what == All || s.now().Sub(info.ModTime()) > pruneInterval) {
				_ = os.Remove(path)
			}
			continue
		}
		e, err := s.read(path)
		if err == nil && what != All && e.fresh(s.now()) && !(what == Volatile && e.Volatile) {
			keep = append(keep, kept{path, e.stored})
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if len(keep) > s.max {
		slices.SortFunc(keep, func(a, b kept) int { return b.stored.Compare(a.stored) })
		for _, k := range keep[s.max:] {
			_ = os.Remove(k.path)
		}
	}
	return nil
}

func (s *fileStore) drop(_ context.Context, what What) error {
	if err := s.prepare(); err != nil {
		return err
	}
	if what != Expired {
		s.touch(s.marker())
	}
	return s.forget(what)
}

// marker is the file whose time says when what cannot be watched was forgotten.
func (s *fileStore) marker() string { return filepath.Join(s.root, "forgotten") }

// touch has the time of a marker file say that something was done now.
func (s *fileStore) touch(marker string) {
	if f, err := os.OpenFile(marker, os.O_WRONLY|os.O_CREATE|plainFile, 0o600); err == nil {
		_ = f.Close()
		_ = os.Chtimes(marker, s.now(), s.now())
	}
}

// start fails: a directory that cannot be used now cannot be used soon.
func (s *fileStore) start(context.Context) error     { return errGivenUp }
func (s *fileStore) awaitStart(context.Context) bool { return false }
func (s *fileStore) close()                          {}
