// Package loginstore keeps the logins of docker and its kin in the keyring, the system's or the one in a file (see package keyring).
//
// A login is one entry: service "credential-helper:docker", account the server's canonical name, value a JSON object. A value that is longer
// than every keyring takes is kept in pieces (see value.go). A further entry, account "#index", lists the logins, for no keyring's library can.
// What Put and Delete change is in one [keyring.Update], so that parallel logins lose nothing. They write in an order in which a crash leaves at worst
// a line of the index without its login, which List heals, or a login that the index lacks, which Get finds all the same.
//
// What an entry holds is believed only where this package could have written it, for the account at which it stands.
package loginstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/keyring"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/trace"
)

// A Login is what a client stored for a server.
type Login struct {
	Server   string // as the client spelled it
	Username string // "<token>" where Secret is an identity token
	Secret   redact.Secret
}

// Get returns the login for a server, and for a repository ("host/repository") the one with the longest path that leads to it, else the host's.
//
// The error wraps [helpers.ErrNotFound] where there is none, and those of [keyring.Get] where the keyring cannot tell.
// An entry that somebody else wrote is an error too.
func Get(ctx context.Context, e *env.Env, server string) (Login, error) {
	names, err := candidates(server)
	if err != nil {
		return Login{}, err
	}
	var login Login
	err = keyring.View(ctx, e, func(b keyring.Batch) error {
		for _, name := range names {
			var err error
			if login, err = read(ctx, b, name); !errors.Is(err, helpers.ErrNotFound) {
				return err
			}
		}
		return helpers.NotFoundf("the keyring has no login for %s", names[0])
	})
	if err != nil {
		return Login{}, hinted(err)
	}
	redact.Remember(login.Secret.Reveal())
	return login, nil
}

// Put stores a login, in place of the one that the server had. Username and secret may not be empty.
func Put(ctx context.Context, e *env.Env, login Login) error {
	name, err := Canonical(login.Server)
	if err != nil {
		return err
	}
	redact.Remember(login.Secret.Reveal())
	switch {
	case login.Username == "":
		return fmt.Errorf("storing the login for %s: the username is empty", name)
	case login.Secret.IsZero():
		return fmt.Errorf("storing the login for %s: the secret is empty", name)
	case !utf8.ValidString(login.Username) || !utf8.ValidString(login.Secret.Reveal()):
		return fmt.Errorf("storing the login for %s: username or secret is not valid UTF-8", name)
	}
	value, err := encode(login)
	if err != nil {
		return err
	}
	err = keyring.Update(ctx, e, func(b keyring.Batch) error { return put(ctx, b, name, login, value) })
	if err == nil {
		return nil
	}
	err = storing(err, name)
	if errors.Is(err, helpers.ErrUnavailable) {
		return helpers.WithHint(err, "set %s=file and %s or %s, to keep logins in an encrypted file\nor take \"credsStore\" or \"credHelpers\" for %s out of docker's config.json, to leave this login to docker's own file",
			keyring.VarBackend, keyring.VarPassphraseFile, keyring.VarIdentity, name)
	}
	return err
}

func put(ctx context.Context, b keyring.Batch, name string, login Login, value string) error {
	lines, err := readIndex(ctx, b)
	if err != nil && !tampered(err) {
		return err
	}
	if tampered(err) {
		trace.Note(ctx, "%s; it is written anew", err)
	}
	// A server that stands in the index before its login is there does no harm.
	if changed, ok := lines.with(login.Server, name, login.Username); ok {
		if err := writeIndex(ctx, b, changed); err != nil {
			return err
		}
	}
	return writeValue(ctx, b, name, value)
}

// storing says what was being done, and keeps what an error says of what to do next.
func storing(err error, name string) error {
	if h := (*helpers.HintError)(nil); errors.As(err, &h) {
		return helpers.WithHint(fmt.Errorf("storing the login for %s: %w", name, h.Err), "%s", h.Hint)
	}
	return fmt.Errorf("storing the login for %s: %w", name, err)
}

// Delete removes the login of a server, whatever its entry holds. It is no error where there is none.
// The login of the host stays where the server is a repository, and the other way round.
func Delete(ctx context.Context, e *env.Env, server string) error {
	name, err := Canonical(server)
	if err != nil {
		return err
	}
	return keyring.Update(ctx, e, func(b keyring.Batch) error { return remove(ctx, b, name) })
}

func remove(ctx context.Context, b keyring.Batch, name string) error {
	if err := removeValue(ctx, b, name); err != nil {
		return err
	}
	lines, err := readIndex(ctx, b)
	if tampered(err) {
		trace.Note(ctx, "%s; it is left as it is", err)
		return nil
	}
	if err != nil {
		return err
	}
	if changed := lines.without(name); len(changed) < len(lines) {
		return writeIndex(ctx, b, changed)
	}
	return nil
}

// List returns the servers that have a login, as the clients spelled them, with their usernames. Where an entry holds something else,
// its server is left out, for clients ask for each that they are told and give up at the first error.
func List(ctx context.Context, e *env.Env) (map[string]string, error) {
	var list map[string]string
	var gone []string
	err := keyring.View(ctx, e, func(b keyring.Batch) (err error) {
		list, gone, err = verify(ctx, b)
		return err
	})
	if err != nil {
		return nil, hinted(err)
	}
	if len(gone) == 0 {
		return list, nil
	}
	// They may be logins that another process is about to write: the look that counts is taken where nobody writes.
	err = keyring.Update(ctx, e, func(b keyring.Batch) (err error) {
		lines, err := readIndex(ctx, b)
		if err != nil {
			return err
		}
		kept := lines
		for _, name := range gone {
			if _, err := b.Get(ctx, service, name); errors.Is(err, helpers.ErrNotFound) {
				kept = kept.without(name)
			} else if err != nil {
				return err
			}
		}
		if len(kept) < len(lines) {
			return writeIndex(ctx, b, kept)
		}
		return nil
	})
	if err != nil {
		trace.Note(ctx, "lines without a login stay in the index of docker's logins: %s", err)
	}
	return list, nil
}

// verify returns the logins that the index lists, and the canonical names in it that have none.
func verify(ctx context.Context, b keyring.Batch) (list map[string]string, gone []string, err error) {
	lines, err := readIndex(ctx, b)
	if err != nil {
		return nil, nil, err
	}
	list = map[string]string{}
	for _, l := range lines {
		name, err := Canonical(l.Server)
		if err != nil {
			return nil, nil, err
		}
		login, err := read(ctx, b, name)
		switch {
		case errors.Is(err, helpers.ErrNotFound):
			gone = append(gone, name)
		case tampered(err):
			trace.Note(ctx, "%s; it is not listed", err)
		case err != nil:
			return nil, nil, err
		default:
			list[login.Server] = login.Username
		}
	}
	return list, gone, nil
}

// read returns the login at a canonical name.
func read(ctx context.Context, b keyring.Batch, name string) (Login, error) {
	text, err := readValue(ctx, b, name)
	if err != nil {
		return Login{}, err
	}
	login, err := decode(text)
	if err != nil {
		return Login{}, &tamperedError{name, err.Error()}
	}
	if of, err := Canonical(login.Server); err != nil || of != name {
		return Login{}, &tamperedError{name, "holds a login for another server"}
	}
	return login, nil
}

func tampered(err error) bool {
	t := (*tamperedError)(nil)
	return errors.As(err, &t)
}

// hinted adds to an error about an entry how the entry is got rid of.
func hinted(err error) error {
	t := (*tamperedError)(nil)
	switch {
	case !errors.As(err, &t):
		return err
	case t.account == indexAccount:
		return helpers.WithHint(err, "the next login writes it anew; logins made before are found as they were, and listed once they are made again")
	default:
		return helpers.WithHint(err, "remove it, and log in again: docker logout %s", displayed(t.account))
	}
}

// displayed returns what docker takes for a canonical name.
func displayed(name string) string {
	if name == hub {
		return "docker.io"
	}
	return name
}

type wireLogin struct {
	Version  int    `json:"version"`
	Server   string `json:"server"`
	Username string `json:"username"`
	Secret   string `json:"secret"`
}

func encode(l Login) (string, error) {
	data, err := json.Marshal(wireLogin{1, l.Server, l.Username, l.Secret.Reveal()})
	return string(data), err
}

// decode reads what encode wrote, and nothing else. Its errors continue "the entry …".
func decode(text string) (Login, error) {
	var w wireLogin
	if err := decodeExactly(text, &w, &w.Version); err != nil {
		return Login{}, err
	}
	if w.Username == "" || w.Secret == "" {
		return Login{}, errNotOurs
	}
	return Login{w.Server, w.Username, redact.Hold(w.Secret)}, nil
}

var errNotOurs = errors.New("does not hold what this program writes there")

// decodeExactly reads JSON that json.Marshal wrote: text that differs from what v encodes to is refused, so no key is unknown, missing or there twice.
func decodeExactly(text string, v any, version *int) error {
	// The decoder's own error may tell a piece of a secret.
	if json.Unmarshal([]byte(text), v) != nil {
		return errNotOurs
	}
	if *version > 1 {
		return fmt.Errorf("is of version %d, and this program knows version 1", *version)
	}
	again, err := json.Marshal(v)
	if err != nil || string(again) != text || *version != 1 {
		return errNotOurs
	}
	return nil
}
