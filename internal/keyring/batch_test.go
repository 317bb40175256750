package keyring

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/redact"
)

func TestUpdateIsWhole(t *testing.T) {
	h := newHome(t)
	e := h.with(VarIdentity, "identity")
	ctx := t.Context()
	stop := errors.New("stop")
	err := Update(ctx, e, func(b Batch) error {
		if err := b.Set(ctx, "s", "a", redact.New(canary)); err != nil {
			return err
		}
		if got, err := b.Get(ctx, "s", "a"); err != nil || got.Reveal() != canary {
			t.Errorf("within the update: %v", err)
		}
		return stop
	})
	if !errors.Is(err, stop) {
		t.Errorf("the update came to %v", err)
	}
	err = View(ctx, e, func(b Batch) error { _, err := b.Get(ctx, "s", "a"); return err })
	if !errors.Is(err, helpers.ErrNotFound) {
		t.Errorf("after an update that failed: %v", err)
	}
}

func TestSystemLock(t *testing.T) {
	dir := t.TempDir()
	e := &env.Env{Get: func(string) (string, bool) { return "", false }}
	_, err := lockSystem(t.Context(), e)
	if want := "locking the keyring: there is no directory for the lock (is HOME or XDG_RUNTIME_DIR set?)"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	e.CacheDir = filepath.Join(dir, "cache")
	unlock, err := lockSystem(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
	e.CacheDir = filepath.Join(dir, "linked")
	run := filepath.Join(e.CacheDir, "credential-helper", "run")
	if err := os.MkdirAll(filepath.Dir(run), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir, run); err != nil {
		t.Skip(err)
	}
	_, err = lockSystem(t.Context(), e)
	if want := "locking the keyring: " + run + " is not a directory of this user"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestParallelSets lets 50 processes write at once, and kills every fifth of them.
func TestParallelSets(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	h := newHome(t)
	e := h.with(VarIdentity, "identity", VarFile, "~/k.age")
	var mu sync.Mutex
	var all sync.WaitGroup
	stored := map[string]bool{}
	for i := range 50 {
		account := fmt.Sprint("a", i)
		cmd := exec.Command(self, "s", account, canary+account)
		var out strings.Builder
		cmd.Stdout = &out
		cmd.Env = []string{
			"OPERATION=set", "HOME=" + h.dir, VarBackend + "=file", VarIdentity + "=~/identity", VarFile + "=~/k.age",
			"GORACE=atexit_sleep_ms=0", "GOCOVERDIR=" + t.TempDir(), "SystemRoot=" + os.Getenv("SystemRoot"), "USERPROFILE=" + h.dir,
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if i%5 == 0 {
			timer := time.AfterFunc(time.Duration(i)*10*time.Millisecond, func() { _ = cmd.Process.Kill() })
			t.Cleanup(func() { timer.Stop() })
		}
		all.Go(func() {
			err := cmd.Wait()
			mu.Lock()
			defer mu.Unlock()
			stored[account] = strings.HasPrefix(out.String(), "ok\n")
			if !stored[account] && i%5 != 0 {
				t.Errorf("%s: %v, %s", account, err, out.String())
			}
		})
	}
	all.Wait()
	for account, ok := range stored {
		got, err := Get(t.Context(), e, "s", account)
		if ok && err != nil || err == nil && got.Reveal() != canary+account || err != nil && !errors.Is(err, helpers.ErrNotFound) {
			t.Errorf("%s, stored: %v, is %v", account, ok, err)
		}
	}
	if err := Set(t.Context(), e, "s", "last", redact.New(canary)); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(h.dir, "k.age.new")); err == nil {
		t.Error("a temporary file is left")
	}
}

func BenchmarkFileGet(b *testing.B) {
	h := newHome(b)
	for _, key := range [][]string{{VarPassphraseFile, "passphrase"}, {VarIdentity, "identity"}, {VarIdentity, "id_ed25519"}} {
		e := h.with(append(key, VarFile, key[1]+".age")...)
		if err := Set(b.Context(), e, "s", "", redact.New(canary)); err != nil {
			b.Fatal(err)
		}
		b.Run(key[1], func(b *testing.B) {
			for b.Loop() {
				if _, err := Get(b.Context(), e, "s", ""); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFileSet(b *testing.B) {
	h := newHome(b)
	for _, key := range [][]string{{VarPassphraseFile, "passphrase"}, {VarIdentity, "identity"}} {
		e := h.with(append(key, VarFile, key[1]+".age")...)
		b.Run(key[1], func(b *testing.B) {
			for b.Loop() {
				if err := Set(b.Context(), e, "s", "", redact.New(canary)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
