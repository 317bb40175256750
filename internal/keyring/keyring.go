// Package keyring reads and writes the operating system's keyring: the Secret Service on Linux and BSD, Keychain on macOS,
// the Credential Manager on Windows. An entry is named by a service and an account, which may be empty.
// Where CREDENTIAL_HELPER_KEYRING is "file", an encrypted file takes the system's place, for machines that have no keyring (see file.go).
//
// The system's is github.com/zalando/go-keyring with what a program needs that asks from within a build, a hundred processes at a time:
// a context, the outcomes that [helpers] tells apart, and no surprises. A read of the Secret Service never prompts: where it is locked,
// that is said at once. (On macOS the system decides whether it asks; the context ends the wait.)
// No session bus is ever started: the library would run dbus-launch on a machine without a desktop, and leave its bus running.
//
// Where the session bus is, is decided by the [env.Env] that is given. The library reads DBUS_SESSION_BUS_ADDRESS of this process instead;
// where the two differ, the latter is set to the bus that was found, as the library does with a bus that it finds by itself.
package keyring

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	gokeyring "github.com/zalando/go-keyring"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/trace"
)

// ErrLocked is wrapped by the errors of a keyring that is locked.
var ErrLocked = errors.New("the keyring is locked")

// errDismissed is what the library says where a prompt was closed, or could not be shown.
var errDismissed = errors.New("the keyring was not unlocked: its prompt was closed, or there is nowhere to show it")

// Path returns the file that the keyring is in, and "" where it is the system's.
func Path(e *env.Env) (string, error) {
	f, err := backend(e)
	if f == nil || err != nil {
		return "", err
	}
	return f.path, nil
}

// Get returns the secret of an entry.
//
// The error wraps [helpers.ErrNotFound] where there is no such entry, [helpers.ErrUnavailable] where there is no keyring,
// and [ErrLocked] where it is locked. A value that is encoded, as go-keyring does on macOS ("go-keyring-base64:…"), is decoded.
func Get(ctx context.Context, e *env.Env, service, account string) (redact.Secret, error) {
	e.Volatile()
	f, err := backend(e)
	switch {
	case err != nil:
		return redact.Secret{}, err
	case f != nil:
		var secret redact.Secret
		err = f.view(ctx, e, "reading "+describe(service, account)+" from the keyring", func(b Batch) (err error) {
			secret, err = b.Get(ctx, service, account)
			return err
		})
		if err != nil {
			return redact.Secret{}, err
		}
		return secret, nil
	}
	return systemGet(ctx, e, service, account)
}

func systemGet(ctx context.Context, e *env.Env, service, account string) (redact.Secret, error) {
	what := describe(service, account)
	var text string
	err := run(ctx, "reading "+what+" from the keyring", func(ctx context.Context) error {
		if err := check(ctx, e); err != nil {
			return err
		}
		// The library finds an item and then reads it. One that another process replaces in between is looked for once more.
		var err error
		for range 3 {
			err = patiently(ctx, func() (err error) {
				text, err = gokeyring.Get(service, account)
				return err
			})
			if !vanished(err) {
				return err
			}
		}
		return err
	})
	switch {
	case errors.Is(err, gokeyring.ErrNotFound):
		return redact.Secret{}, helpers.NotFoundf("the keyring has no entry for %s", what)
	case err != nil:
		return redact.Secret{}, explain(err, "reading "+what+" from the keyring")
	}
	return reveal(text, what)
}

// reveal returns the secret of an entry that was found.
func reveal(text, what string) (redact.Secret, error) {
	text, err := decode(text)
	if err != nil {
		return redact.Secret{}, fmt.Errorf("reading %s from the keyring: %w", what, err)
	}
	if text == "" {
		return redact.Secret{}, helpers.NotFoundf("the keyring's entry for %s is empty", what)
	}
	return redact.Hold(text), nil
}

// Set writes the secret of an entry, in place of the one that was there. It may prompt for the keyring's password.
// The errors are those of [Get]; how long a secret may be depends on the keyring.
func Set(ctx context.Context, e *env.Env, service, account string, secret redact.Secret) error {
	f, err := backend(e)
	switch {
	case err != nil:
		return err
	case f != nil:
		return f.update(ctx, e, "writing "+describe(service, account)+" to the keyring", func(b Batch) error { return b.Set(ctx, service, account, secret) })
	}
	return systemSet(ctx, e, service, account, secret)
}

func systemSet(ctx context.Context, e *env.Env, service, account string, secret redact.Secret) error {
	what := describe(service, account)
	redact.Remember(secret.Reveal())
	err := change(ctx, e, "writing "+what+" to the keyring", func() error {
		return gokeyring.Set(service, account, secret.Reveal())
	})
	if errors.Is(err, gokeyring.ErrSetDataTooBig) {
		return helpers.WithHint(fmt.Errorf("writing %s to the keyring: the secret of %d bytes, with the names of service and account, is longer than this system's keyring takes", what, len(secret.Reveal())),
			"Windows takes 2560 bytes, macOS about 3000; keep a longer secret in a file that only you can read, and use the source \"file\"")
	}
	return explain(err, "writing "+what+" to the keyring")
}

// Delete removes an entry. It may prompt for the keyring's password. The errors are those of [Get].
func Delete(ctx context.Context, e *env.Env, service, account string) error {
	f, err := backend(e)
	switch {
	case err != nil:
		return err
	case f != nil:
		return f.update(ctx, e, "removing "+describe(service, account)+" from the keyring", func(b Batch) error { return b.Delete(ctx, service, account) })
	}
	return systemDelete(ctx, e, service, account)
}

func systemDelete(ctx context.Context, e *env.Env, service, account string) error {
	what := describe(service, account)
	err := change(ctx, e, "removing "+what+" from the keyring", func() error {
		return gokeyring.Delete(service, account)
	})
	if errors.Is(err, gokeyring.ErrNotFound) {
		return helpers.NotFoundf("the keyring has no entry for %s", what)
	}
	return explain(err, "removing "+what+" from the keyring")
}

func describe(service, account string) string {
	if account == "" {
		return fmt.Sprintf("service %q", service)
	}
	return fmt.Sprintf("service %q, account %q", service, account)
}

// run calls f, which may hang in a library that knows no context, and leaves it alone when ctx ends: it ends with the process.
func run(ctx context.Context, step string, f func(context.Context) error) (err error) {
	end := trace.Step(ctx, "%s", step)
	defer func() { end(err) }()
	if ctx.Err() != nil {
		return timeout(ctx)
	}
	done := make(chan error, 1)
	go func() {
		defer func() {
			// The library trusts the shape of every answer on the bus.
			if r := recover(); r != nil {
				done <- errors.New("the keyring gave an answer that makes no sense")
			}
		}()
		done <- f(ctx)
	}()
	select {
	case err := <-done:
		if err != nil && ctx.Err() != nil {
			return timeout(ctx)
		}
		return err
	case <-ctx.Done():
		return timeout(ctx)
	}
}

// patiently calls f, and again while the keyring is too busy to listen, until ctx ends.
func patiently(ctx context.Context, f func() error) error {
	for {
		err := f()
		if !busy(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func timeout(ctx context.Context) error {
	return fmt.Errorf("the keyring did not answer in time: %w", context.Cause(ctx))
}

// change calls f, which may prompt for the password of a locked keyring. Where it fails, being locked is the reason that a person wants to hear.
func change(ctx context.Context, e *env.Env, step string, f func() error) error {
	locked := make(chan error, 1)
	err := run(ctx, step, func(ctx context.Context) error {
		err := check(ctx, e)
		if !errors.Is(err, ErrLocked) && err != nil {
			return err
		}
		locked <- err
		return patiently(ctx, f)
	})
	if err == nil || errors.Is(err, gokeyring.ErrNotFound) {
		return err
	}
	select {
	case reason := <-locked:
		if reason != nil {
			return reason
		}
	default:
	}
	return err
}

// explain puts the library's error into the project's terms. It is nil for nil.
func explain(err error, doing string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, gokeyring.ErrUnsupportedPlatform):
		return helpers.Unavailablef("there is no keyring that this program knows on this system")
	case helpers.FallsThrough(err):
		return err
	case strings.Contains(err.Error(), "unlock correct collection"):
		err = errDismissed
	}
	if hinted := (*helpers.HintError)(nil); errors.As(err, &hinted) {
		return helpers.WithHint(fmt.Errorf("%s: %w", doing, hinted.Err), "%s", hinted.Hint)
	}
	return describeFailure(doing, err)
}

// Prefixes of a value that go-keyring encoded because its keyring would not keep it as it is.
const (
	base64Prefix = "go-keyring-base64:"
	hexPrefix    = "go-keyring-encoded:"
)

func decode(text string) (string, error) {
	var decoded []byte
	var err error
	if code, ok := strings.CutPrefix(text, base64Prefix); ok {
		decoded, err = base64.StdEncoding.DecodeString(code)
	} else if code, ok := strings.CutPrefix(text, hexPrefix); ok {
		decoded, err = hex.DecodeString(code)
	} else {
		return text, nil
	}
	if err != nil {
		// The decoder's own error tells a character of the secret.
		return "", errors.New("the value has the prefix of an encoded one, and does not decode")
	}
	return string(decoded), nil
}
