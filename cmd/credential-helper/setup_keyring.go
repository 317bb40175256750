package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/fe055d52/credential-helper/cache"
	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/keyring"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/trace"
)

const helpSetupKeyring = `Stores the secret that comes on standard input, or in FILE, in the system keyring under the name SERVICE,
where the lookup source {"source": "keyring", "service": "SERVICE"} finds it. One newline at its end is not part of the secret.
On a terminal the secret is asked for, and not shown.
`

const exampleSetupKeyring = `  $ credential-helper setup-keyring gh:github.com < secret.txt
  $ credential-helper setup-keyring --file secret.txt tweag-credential-helper:remoteapis
  $ credential-helper setup-keyring --read tweag-credential-helper:buildbuddy_api_key
  $ credential-helper setup-keyring --clear gh:github.com
`

var flagsSetupKeyring = []option{
	{name: "file", value: "FILE", help: "read the secret from FILE"},
	{name: "read", help: "print the stored secret to standard output"},
	{name: "clear", help: "remove the stored secret", or: true},
}

// maxSecret is the size in bytes above which what comes in is not taken for a secret.
const maxSecret = 64 << 10

// setupKeyring stores, prints or removes a secret in the system keyring.
func (a *app) setupKeyring(args []string) error {
	l, err := a.parse("setup-keyring", args)
	if err != nil {
		return err
	}
	err = a.runKeyring(l)
	var hint *helpers.HintError
	if errors.Is(err, helpers.ErrUnavailable) && !errors.As(err, &hint) {
		err = helpers.WithHint(err, `CREDENTIAL_HELPER_KEYRING=file uses an encrypted file in its place; or use the source "file" or "env" for this secret`)
	}
	if l.has("read") && errors.Is(err, helpers.ErrNotFound) {
		err = helpers.WithHint(err, "credential-helper setup-keyring %s < FILE stores one", redact.Quote(l.arg(0), 100))
	}
	return err
}

func (a *app) runKeyring(l *line) error {
	service, file, read, remove := l.arg(0), l.value("file"), l.has("read"), l.has("clear")
	switch {
	case service == "":
		return usagef("setup-keyring takes one SERVICE, which is not empty")
	case file != "" && (read || remove):
		return usagef("setup-keyring takes --file only to store a secret")
	}

	switch {
	case read:
		secret, err := within(a, func(ctx context.Context) (redact.Secret, error) { return keyring.Get(ctx, a.env, service, "") })
		if err != nil {
			return err
		}
		_, err = io.WriteString(a.stdout, secret.Reveal())
		return err
	case remove:
		_, err := within(a, func(ctx context.Context) (struct{}, error) {
			return struct{}{}, keyring.Delete(ctx, a.env, service, "")
		})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(a.stdout, "Cleared secret %s\n", service)
		return err
	default:
		secret, err := a.secretFrom(file)
		if err != nil {
			return err
		}
		err = withPerson(a, promptTime, func(ctx context.Context) error {
			err := keyring.Set(ctx, a.env, service, "", secret)
			a.forgetVolatile(ctx)
			return err
		})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(a.stdout, "Stored secret %s\n", service)
		return err
	}
}

// readSecretFile reads a file that holds a secret. Unlike a configured one it may be a pipe: --file <(pass show name).
func (a *app) readSecretFile(name string) ([]byte, error) {
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(a.env.Dir, path)
	}
	f, err := os.Open(path)
	if err == nil {
		defer f.Close()
		var info fs.FileInfo
		if info, err = f.Stat(); err == nil && info.IsDir() {
			err = errors.New("it is a directory")
		}
	}
	var data []byte
	if err == nil {
		data, err = io.ReadAll(io.LimitReader(f, maxSecret+1))
	}
	if err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return nil, fmt.Errorf("reading the secret from %s: %w", name, err)
	}
	return data, nil
}

// promptTime is how long the keyring may take where it asks a person for its password.
const promptTime = 30 * time.Second

// withPerson runs work within the time budget, or where none is set, within the time that a person who started it may wait.
func withPerson(a *app, unset time.Duration, work func(ctx context.Context) error) error {
	budget, err := a.timeout()
	if err != nil {
		return err
	}
	if a.env.Var(env.VarTimeout) == "" {
		budget = unset
	}
	_, err = withinTime(a, budget, func(ctx context.Context) (struct{}, error) { return struct{}{}, work(ctx) })
	return err
}

// forgetVolatile drops the answers that were made from the keyring, as it was.
func (a *app) forgetVolatile(ctx context.Context) {
	answers, err := a.openCache(ctx)
	if err == nil {
		err = answers.Drop(ctx, cache.Volatile)
		answers.Close()
	}
	if err != nil {
		trace.Note(ctx, "answers made before are kept for up to five minutes: %s", err)
	}
}

// secretFrom reads a secret from a file, from a person at a terminal, or from standard input.
func (a *app) secretFrom(file string) (redact.Secret, error) {
	var data []byte
	var err error
	stdin, isFile := a.stdin.(*os.File)
	switch {
	case file != "":
		data, err = within(a, func(ctx context.Context) (data []byte, err error) {
			end := trace.Step(ctx, "reading the secret from %s", file)
			defer func() { end(err) }()
			return a.readSecretFile(file)
		})
		if err != nil {
			return redact.Secret{}, err
		}
	case isFile && term.IsTerminal(int(stdin.Fd())):
		// A person types as long as it takes: there is no time limit here.
		fmt.Fprint(a.stderr, "Secret: ")
		data, err = term.ReadPassword(int(stdin.Fd()))
		fmt.Fprintln(a.stderr)
		if err != nil {
			return redact.Secret{}, fmt.Errorf("reading the secret from the terminal: %w", err)
		}
	default:
		data, err = within(a, func(ctx context.Context) (data []byte, err error) {
			end := trace.Step(ctx, "reading the secret from standard input")
			defer func() { end(err) }()
			return io.ReadAll(io.LimitReader(a.stdin, maxSecret+1))
		})
		if err != nil {
			return redact.Secret{}, err
		}
	}
	if len(data) > maxSecret {
		return redact.Secret{}, fmt.Errorf("the secret is larger than %d bytes", maxSecret)
	}
	text, cut := strings.CutSuffix(string(data), "\n")
	if cut {
		text = strings.TrimSuffix(text, "\r")
	}
	if text == "" {
		return redact.Secret{}, helpers.WithHint(errors.New("the secret is empty; nothing was stored"), "credential-helper setup-keyring --clear SERVICE removes a stored secret")
	}
	return redact.New(text), nil
}
