package cache

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// TestEachFileKnowsOfFew holds that looking through the files of tens of thousands of locks, as an agent does every minute, takes no memory for each.
func TestEachFileKnowsOfFew(t *testing.T) {
	const n = 20_000
	path := t.TempDir()
	for i := range n {
		f, err := os.Create(filepath.Join(path, fmt.Sprintf("q%06x.lock", i)))
		if err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	dir, err := os.OpenRoot(path)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	live := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before, seen, most := live(), 0, int64(0)
	eachFile(dir, func(info fs.FileInfo) {
		if seen++; seen == 2 || seen == n/2 || seen == n {
			most = max(most, live()-before)
		}
		if seen > n/2 {
			_ = dir.Remove(info.Name())
		}
	})
	if seen != n || most > 500<<10 {
		t.Errorf("%d of %d files were seen, and that took %d bytes", seen, n, most)
	}
	if left := len(names(t, path)); left > n/2 {
		t.Errorf("%d files are left, want %d", left, n/2)
	}
}
