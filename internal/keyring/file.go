package keyring

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"unicode/utf8"

	"filippo.io/age"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/filelock"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/suggest"
)

// Names of the variables that choose the keyring. The three last ones are for the keyring in a file.
const (
	// VarBackend is "system" (or not set) for the operating system's keyring, "file" for an encrypted file.
	VarBackend = "CREDENTIAL_HELPER_KEYRING"
	// VarFile is the path of the encrypted file, credential-helper/keyring.age in the user's directory for configuration where it is not set.
	VarFile = "CREDENTIAL_HELPER_KEYRING_FILE"
	// VarPassphraseFile is the path of a file whose first line is the passphrase.
	VarPassphraseFile = "CREDENTIAL_HELPER_KEYRING_PASSPHRASE_FILE"
	// VarIdentity is the path of a file with age identities, or of an SSH private key.
	VarIdentity = "CREDENTIAL_HELPER_KEYRING_IDENTITY"
)

// maxFile is the size in bytes above which the file is neither read nor written.
const maxFile = 4 << 20

// A file is a keyring in a file: JSON, encrypted with age (https://age-encryption.org/v1).
// It is replaced as a whole, under a lock beside it: a crash at any moment leaves the old file or the new one.
type file struct {
	path                         string
	passphraseFile, identityFile string // one of them is ""
}

// backend returns the keyring in a file where the environment chooses it, and nil for the system's.
func backend(e *env.Env) (*file, error) {
	switch v := e.Var(VarBackend); v {
	case "", "system":
		return nil, nil
	case "file":
	default:
		allowed := []string{"system", "file"}
		return nil, fmt.Errorf(`$%s is "%s"; it takes "system" or "file"%s`, VarBackend, redact.Quote(v, 100), suggest.DidYouMean(v, allowed))
	}
	f := &file{}
	for _, v := range []struct {
		name string
		dst  *string
	}{{VarFile, &f.path}, {VarPassphraseFile, &f.passphraseFile}, {VarIdentity, &f.identityFile}} {
		value := e.Var(v.name)
		if value == "" {
			continue
		}
		path, err := e.Expand(value)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", v.name, err)
		}
		*v.dst = path
	}
	switch {
	case f.passphraseFile == "" && f.identityFile == "":
		return nil, helpers.WithHint(fmt.Errorf("the keyring is a file (%s=file), and nothing says what opens it", VarBackend),
			"set %s to a file with a passphrase, or %s to a file with an age identity or an SSH private key", VarPassphraseFile, VarIdentity)
	case f.passphraseFile != "" && f.identityFile != "":
		return nil, helpers.WithHint(fmt.Errorf("both %s and %s are set; the keyring's file is opened by one", VarPassphraseFile, VarIdentity), "unset one of them")
	case f.path == "" && e.ConfigDir == "":
		return nil, helpers.WithHint(errors.New("there is no directory for the keyring's file (is HOME set?)"), "set %s to the file's path", VarFile)
	case f.path == "":
		f.path = filepath.Join(e.ConfigDir, "credential-helper", "keyring.age")
	}
	// What a symbolic link stands for is what gets replaced.
	if path, err := filepath.EvalSymlinks(f.path); err == nil {
		f.path = path
	}
	return f, nil
}

// contents are what the file holds.
type contents struct {
	Version int     `json:"version"`
	Entries []entry `json:"entries"`

	changed bool
}

type entry struct {
	Service string `json:"service"`
	Account string `json:"account"`
	Secret  string `json:"secret"`
}

func (c *contents) index(service, account string) int {
	return slices.IndexFunc(c.Entries, func(e entry) bool { return e.Service == service && e.Account == account })
}

func (c *contents) Get(_ context.Context, service, account string) (redact.Secret, error) {
	what := describe(service, account)
	i := c.index(service, account)
	if i < 0 {
		return redact.Secret{}, helpers.NotFoundf("the keyring has no entry for %s", what)
	}
	return reveal(c.Entries[i].Secret, what)
}

func (c *contents) Set(_ context.Context, service, account string, secret redact.Secret) error {
	text := secret.Reveal()
	redact.Remember(text)
	if !utf8.ValidString(text) {
		// JSON would take other bytes in its place.
		text = base64Prefix + base64.StdEncoding.EncodeToString([]byte(text))
	}
	c.changed = true
	if i := c.index(service, account); i >= 0 {
		c.Entries[i].Secret = text
		return nil
	}
	c.Entries = append(c.Entries, entry{service, account, text})
	return nil
}

func (c *contents) Delete(_ context.Context, service, account string) error {
	i := c.index(service, account)
	if i < 0 {
		return helpers.NotFoundf("the keyring has no entry for %s", describe(service, account))
	}
	c.Entries = slices.Delete(c.Entries, i, i+1)
	c.changed = true
	return nil
}

func (f *file) view(ctx context.Context, e *env.Env, step string, use func(Batch) error) error {
	return run(ctx, step, func(context.Context) error {
		k, err := readKey(e, f.passphraseFile, f.identityFile)
		if err != nil {
			return err
		}
		c, err := f.read(e, k)
		if err != nil {
			return err
		}
		return use(c)
	})
}

func (f *file) update(ctx context.Context, e *env.Env, step string, use func(Batch) error) error {
	return run(ctx, step, func(ctx context.Context) error {
		k, err := readKey(e, f.passphraseFile, f.identityFile)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
			return fmt.Errorf("making the directory of the keyring's file: %w", err)
		}
		unlock, err := filelock.Acquire(ctx, f.path+".lock", locked)
		if err != nil {
			return err
		}
		defer unlock()
		c, err := f.read(e, k)
		if err != nil {
			return err
		}
		if err := use(c); err != nil || !c.changed {
			return err
		}
		// Whoever gave up waiting was told that nothing was written.
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return f.write(e, k, c)
	})
}

// read decrypts the file. One that does not exist holds nothing.
func (f *file) read(e *env.Env, k key) (*contents, error) {
	shown := e.Display(f.path)
	data, info, err := e.ReadFile(f.path, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return &contents{Version: 1}, nil
	}
	if errors.Is(err, env.ErrTooLarge) {
		return nil, fmt.Errorf("the keyring's file %s is larger than %d bytes", shown, maxFile)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the keyring's file %s: %w", shown, err)
	}
	plain, err := age.Decrypt(bytes.NewReader(data), k.opens...)
	if wrong := (*age.NoIdentityMatchError)(nil); errors.As(err, &wrong) {
		return nil, helpers.WithHint(fmt.Errorf("%s does not open the keyring's file %s", k.shown, shown),
			"give the one that the file was written with, or move the file away to begin with an empty keyring")
	}
	var text []byte
	if err == nil {
		text, err = io.ReadAll(plain)
	}
	if err != nil {
		return nil, damaged(shown, "it is not a whole file in age's format")
	}
	c := &contents{}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	// The decoder's own error may tell a piece of a secret.
	if err := d.Decode(c); err != nil || d.More() {
		if version := (struct{ Version int }{}); json.Unmarshal(text, &version) == nil && version.Version > 1 {
			c.Version = version.Version
		} else {
			return nil, damaged(shown, "what is encrypted in it is not a keyring")
		}
	}
	if c.Version != 1 {
		return nil, damaged(shown, fmt.Sprintf("it is of version %d, and this program knows version 1", c.Version))
	}
	// What is encrypted for a public key anybody can have written, who is to be taken for the user then.
	switch {
	case env.WritableByAll(info):
		return nil, helpers.WithHint(fmt.Errorf("reading the keyring's file %s: every user of this machine can write it (mode %04o)", shown, info.Mode().Perm()),
			"run chmod 600 %s, if what it holds is yours", shown)
	case env.Foreign(info):
		return nil, helpers.WithHint(fmt.Errorf("reading the keyring's file %s: it belongs to another user", shown), "name one of your own in $%s", VarFile)
	}
	return c, nil
}

func damaged(shown, why string) error {
	return helpers.WithHint(fmt.Errorf("reading the keyring's file %s: %s", shown, why), "restore the file, or move it away to begin with an empty keyring")
}

// write replaces the file.
func (f *file) write(e *env.Env, k key, c *contents) error {
	err := f.replace(k, c)
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	if err != nil {
		return fmt.Errorf("writing the keyring's file %s: %w", e.Display(f.path), err)
	}
	return nil
}

func (f *file) replace(k key, c *contents) error {
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	var data bytes.Buffer
	w, err := age.Encrypt(&data, k.recipient)
	if err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	if data.Len() > maxFile {
		return fmt.Errorf("it would be larger than %d bytes", maxFile)
	}
	// One name for all, which the lock guards: what a crash leaves behind is replaced by the next write.
	temporary := f.path + ".new"
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	t, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = t.Write(data.Bytes())
	if err == nil {
		err = t.Sync()
	}
	if closeErr := t.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = filelock.Rename(temporary, f.path)
	}
	if err != nil {
		_ = os.Remove(temporary)
		return err
	}
	return filelock.SyncDir(filepath.Dir(f.path))
}
