package cache

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/redact"
)

// TestLeaderThatDoesNotEnd holds that a process answers by itself while there is time, when the one that it waits for does not:
// it may be stopped, and holds its lock all the same.
func TestLeaderThatDoesNotEnd(t *testing.T) {
	c := NewFile(filepath.Join(t.TempDir(), "cache"), os.LookupEnv, time.Now)
	key := Key{Scope: "x"}
	held, err := c.locks.try(key.ID())
	if err != nil || held == nil {
		t.Fatalf("got %v, %v", held, err)
	}
	defer held.release()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	resp, err := c.Get(ctx, key, func(context.Context) (Entry, error) {
		return Entry{Response: helpers.Header("X", redact.Hold("own"))}, nil
	})
	if err != nil || len(resp.Headers["X"]) != 1 || ctx.Err() != nil {
		t.Errorf("got %v, %v", resp, err)
	}
}

// TestKeysHaveTheirOwnLocks holds that a question does not wait for another one that hangs.
func TestKeysHaveTheirOwnLocks(t *testing.T) {
	l := newFileLocks(filepath.Join(t.TempDir(), "run"))
	taken := 0
	for i := range 500 {
		lock, err := l.try(Key{Scope: string(rune('a' + i))}.ID())
		if err != nil {
			t.Fatal(err)
		}
		if lock != nil {
			taken++
			defer lock.release()
		}
	}
	if taken < 499 {
		t.Errorf("%d of 500 questions got a lock of their own", taken)
	}
}

func TestOldLocksArePruned(t *testing.T) {
	root := filepath.Join(t.TempDir(), "run")
	l := newFileLocks(root)
	for _, scope := range []string{"old", "new"} {
		lock, err := l.try(Key{Scope: scope}.ID())
		if err != nil || lock == nil {
			t.Fatalf("got %v, %v", lock, err)
		}
		if scope == "old" {
			long := time.Now().Add(-2 * lockLife)
			if err := os.Chtimes(lock.file.Name(), long, long); err != nil {
				t.Fatal(err)
			}
		}
		lock.release()
	}
	pruneLocks(root, time.Now())
	list, err := os.ReadDir(filepath.Join(root, "locks"))
	if err != nil || len(list) != 1 {
		t.Errorf("%d files are left, %v", len(list), err)
	}
}
