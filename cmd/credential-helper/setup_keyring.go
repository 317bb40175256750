package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
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
On a terminal the secret is asked for, and not shown. What was stored is read back, and compared.
`

const exampleSetupKeyring = `  $ credential-helper setup-keyring gh:github.com < secret.txt
  $ credential-helper setup-keyring --file secret.txt tweag-credential-helper:remoteapis
  $ credential-helper setup-keyring --read tweag-credential-helper:buildbuddy_api_key
  $ credential-helper setup-keyring --clear gh:github.com
`

var flagsSetupKeyring = []option{
	{name: "account", value: "ACCOUNT", help: "the entry of that account; a source finds it with the key \"account\""},
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
	service, account, file, read, remove := l.arg(0), l.value("account"), l.value("file"), l.has("read"), l.has("clear")
	switch {
	case service == "":
		return usagef("setup-keyring takes one SERVICE, which is not empty")
	case file != "" && (read || remove):
		return usagef("setup-keyring takes --file only to store a secret")
	}

	switch {
	case read:
		secret, err := within(a, func(ctx context.Context) (redact.Secret, error) { return keyring.Get(ctx, a.env, service, account) })
		if err != nil {
			return err
		}
		_, err = io.WriteString(a.stdout, secret.Reveal())
		return err
	case remove:
		_, err := within(a, func(ctx context.Context) (struct{}, error) {
			defer a.forgetVolatile(ctx)
			return struct{}{}, keyring.Delete(ctx, a.env, service, account)
		})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(a.stdout, "Cleared secret %s\n", service)
		return err
	default:
		secret, err := a.secretFrom(file, service)
		if err != nil {
			return err
		}
		err = withPerson(a, promptTime, func(ctx context.Context) error { return a.storeSecret(ctx, service, account, secret) })
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(a.stdout, "Stored secret %s\nA rule's \"lookup_chain\" finds it with %s\n", service, keyringSource(service, account))
		return err
	}
}

// storeSecret writes an entry of the keyring, and reads it back.
func (a *app) storeSecret(ctx context.Context, service, account string, secret redact.Secret) error {
	err := keyring.Set(ctx, a.env, service, account, secret)
	a.forgetVolatile(ctx)
	if err != nil {
		return err
	}
	stored, err := keyring.Get(ctx, a.env, service, account)
	switch {
	case err != nil:
		return fmt.Errorf("reading back what was stored: %w", err)
	case stored.Reveal() != secret.Reveal():
		return helpers.WithHint(fmt.Errorf("the keyring gives back another secret for service %q than the one that was stored (%d bytes, not %d)", service, len(stored.Reveal()), len(secret.Reveal())),
			`keep this secret in a file that only you can read, and use the source "file"`)
	}
	return nil
}

// keyringSource is the entry of a lookup chain that finds what was stored.
func keyringSource(service, account string) string {
	text := `{"source": "keyring", "service": ` + jsonText(service)
	if account != "" {
		text += `, "account": ` + jsonText(account)
	}
	return text + "}"
}

// readHidden reads a line from a terminal that does not show it. Where it is interrupted, the terminal is left as it was:
// a signal that ended the process would leave one without echo.
func (a *app) readHidden(terminal *os.File, service string) ([]byte, error) {
	failed := func(err error) ([]byte, error) {
		return nil, fmt.Errorf("reading the secret from the terminal: %w", err)
	}
	fd := int(terminal.Fd())
	state, err := term.GetState(fd)
	if err != nil {
		return failed(err)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, interrupts...)
	defer signal.Stop(signals)
	fmt.Fprintf(a.stderr, "Secret for %s (it is not shown): ", redact.Line(service, 200))
	defer fmt.Fprintln(a.stderr)
	type result struct {
		data []byte
		err  error
	}
	read := make(chan result, 1)
	go func() {
		data, err := term.ReadPassword(fd)
		read <- result{data, err}
	}()
	select {
	case r := <-read:
		switch {
		case r.err != nil && !errors.Is(r.err, io.EOF):
			return failed(r.err)
		case len(r.data) >= maxTyped:
			return nil, helpers.WithHint(fmt.Errorf("a terminal passes on no more than %d bytes of a line, and the secret may be longer", maxTyped), "use --file FILE, or a pipe")
		}
		return r.data, nil
	case <-signals:
		if err := term.Restore(fd, state); err != nil {
			return failed(err)
		}
		return nil, errors.New("interrupted; nothing was stored")
	}
}

// maxTyped is how many bytes of a line a terminal keeps, on Linux; the rest is lost, and nobody is told.
const maxTyped = 4095

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
func (a *app) secretFrom(file, service string) (redact.Secret, error) {
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
		if data, err = a.readHidden(stdin, service); err != nil {
			return redact.Secret{}, err
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
