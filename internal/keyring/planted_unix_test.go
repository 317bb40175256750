//go:build unix

package keyring

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/internal/redact"
)

// TestPlantedFile holds that the keyring's file is nothing that others may have written, and that nothing in the place of it,
// of its lock or of the file that is to replace it is followed or waited for. What is encrypted for a public key anybody can have written.
func TestPlantedFile(t *testing.T) {
	const reading = "reading the keyring's file ~/" + keyringAge + ": "
	for _, tt := range []struct {
		name, suffix string
		plant        func(path, victim string) error
		want         string // of both reading and writing; empty where it does no harm
	}{
		{"open to all", "", func(path, _ string) error { return os.Chmod(path, 0o602) }, reading + "every user of this machine can write it (mode 0602)"},
		{"pipe", "", func(path, _ string) error { return errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600)) }, reading + "it is not a regular file"},
		{"10 GB of nothing", "", func(path, _ string) error { return os.Truncate(path, 10<<30) }, "the keyring's file ~/" + keyringAge + " is larger than 4194304 bytes"},
		{"new file, a link", ".new", func(path, victim string) error { return os.Symlink(victim, path) }, ""},
		{"new file, a pipe", ".new", func(path, _ string) error { return syscall.Mkfifo(path, 0o600) }, ""},
		{"lock, a pipe", ".lock", func(path, _ string) error { return errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600)) }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHome(t)
			h.write(t, "victim", "dear diary")
			e := h.with(VarIdentity, "identity")
			if err := Set(t.Context(), e, "s", "", redact.New(canary)); err != nil {
				t.Fatal(err)
			}
			victim := filepath.Join(h.dir, "victim")
			if err := tt.plant(filepath.Join(h.dir, filepath.FromSlash(keyringAge))+tt.suffix, victim); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			_, getErr := Get(ctx, e, "s", "")
			for doing, err := range map[string]error{"get": getErr, "set": Set(ctx, e, "t", "", redact.New("new-"+canary))} {
				if tt.want == "" && err != nil || tt.want != "" && (err == nil || err.Error() != tt.want) {
					t.Errorf("%s: %v, want %s", doing, err, tt.want)
				}
			}
			if text, err := os.ReadFile(victim); err != nil || string(text) != "dear diary" {
				t.Errorf("another file is %q now, %v", text, err)
			}
		})
	}
}
