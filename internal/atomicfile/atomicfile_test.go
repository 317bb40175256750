package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

// TestCreate holds that of many who create one file at once, one does, and that the others leave it alone.
func TestCreate(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	var made atomic.Int32
	var group sync.WaitGroup
	for i := range 20 {
		group.Add(1)
		go func() {
			defer group.Done()
			switch err := Create(path, []byte{byte(i)}, 0o644); {
			case err == nil:
				made.Add(1)
			case !errors.Is(err, fs.ErrExist):
				t.Error(err)
			}
		}()
	}
	group.Wait()
	list, err := os.ReadDir(dir)
	if err != nil || len(list) != 1 || made.Load() != 1 {
		t.Errorf("%d made it, and there are %v (%v)", made.Load(), list, err)
	}
}
