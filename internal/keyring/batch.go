package keyring

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/filelock"
	"github.com/fe055d52/credential-helper/internal/place"
	"github.com/fe055d52/credential-helper/internal/redact"
)

// A Batch is the keyring as [View] and [Update] hand it out. Its methods do what the functions of the same names do.
type Batch interface {
	Get(ctx context.Context, service, account string) (redact.Secret, error)
	Set(ctx context.Context, service, account string, secret redact.Secret) error
	Delete(ctx context.Context, service, account string) error
}

// View calls f with the keyring, to read several entries. A keyring in a file is opened once for all of them, and they are of one moment;
// those of the system's keyring may be of several. f may be left running when ctx ends: what it writes to may be read only where View returns nil.
func View(ctx context.Context, e *env.Env, f func(Batch) error) error {
	e.Volatile()
	file, err := backend(e)
	switch {
	case err != nil:
		return err
	case file != nil:
		return file.view(ctx, e, "reading the keyring", f)
	}
	return f(system{e})
}

// Update calls f with the keyring, to change several entries, while no other process is in Update.
// A keyring in a file is written once, after f, and not at all where f returns an error. In the system's keyring each change counts at once.
// What is said of f at [View] holds here too.
func Update(ctx context.Context, e *env.Env, f func(Batch) error) error {
	file, err := backend(e)
	switch {
	case err != nil:
		return err
	case file != nil:
		return file.update(ctx, e, "changing the keyring", f)
	}
	unlock, err := lockSystem(ctx, e)
	if err != nil {
		return err
	}
	defer unlock()
	return f(system{e})
}

type system struct{ e *env.Env }

func (s system) Get(ctx context.Context, service, account string) (redact.Secret, error) {
	return systemGet(ctx, s.e, service, account)
}

func (s system) Set(ctx context.Context, service, account string, secret redact.Secret) error {
	return systemSet(ctx, s.e, service, account, secret)
}

func (s system) Delete(ctx context.Context, service, account string) error {
	return systemDelete(ctx, s.e, service, account)
}

// locked is what a lock is for, in the words of its errors.
const locked = "the keyring"

// lockSystem takes the lock that stands for the system's keyring, which has none of its own.
func lockSystem(ctx context.Context, e *env.Env) (unlock func(), err error) {
	dir := place.RunDir(e.Get, e.CacheDir)
	if dir == "" {
		return nil, errors.New("locking the keyring: there is no directory for the lock (is HOME or XDG_RUNTIME_DIR set?)")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("locking the keyring: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return nil, fmt.Errorf("locking the keyring: %w", err)
	}
	if !info.IsDir() || env.Foreign(info) {
		return nil, helpers.WithHint(fmt.Errorf("locking the keyring: %s is not a directory of this user", dir), "remove it, or set XDG_RUNTIME_DIR to a directory that only you can write")
	}
	return filelock.Acquire(ctx, filepath.Join(dir, "keyring.lock"), locked)
}
