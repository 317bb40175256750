package keyring

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
	"golang.org/x/crypto/ssh"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/redact"
)

// A home is a directory with keys, and the variables of an environment that uses them.
type home struct {
	dir  string
	vars map[string]string
}

func newHome(t testing.TB) *home {
	t.Helper()
	h := &home{dir: t.TempDir(), vars: map[string]string{VarBackend: "file"}}
	h.write(t, "passphrase", "correct horse\n")
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	h.write(t, "identity", "# a comment\n"+identity.String()+"\n")
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	h.write(t, "id_ed25519", string(pem.EncodeToMemory(block)))
	if block, err = ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte("x")); err != nil {
		t.Fatal(err)
	}
	h.write(t, "id_locked", string(pem.EncodeToMemory(block)))
	return h
}

func (h *home) write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(h.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// with returns an environment in which also these variables are set: name, value, and so on.
func (h *home) with(pairs ...string) *env.Env {
	vars := map[string]string{}
	for name, value := range h.vars {
		vars[name] = value
	}
	for i := 0; i < len(pairs); i += 2 {
		vars[pairs[i]] = pairs[i+1]
	}
	return &env.Env{
		Get: func(name string) (string, bool) { v, ok := vars[name]; return v, ok },
		Dir: h.dir, Home: h.dir, ConfigDir: filepath.Join(h.dir, ".config"),
	}
}

const keyringAge = ".config/credential-helper/keyring.age"

func TestFileKeys(t *testing.T) {
	for _, key := range [][]string{{VarPassphraseFile, "~/passphrase"}, {VarIdentity, "identity"}, {VarIdentity, "~/id_ed25519"}} {
		t.Run(key[1], func(t *testing.T) {
			h := newHome(t)
			e, ctx := h.with(key...), t.Context()
			if _, err := Get(ctx, e, "s", "a"); !errors.Is(err, helpers.ErrNotFound) || err.Error() != `the keyring has no entry for service "s", account "a"` {
				t.Errorf("get without a file: %v", err)
			}
			if err := Delete(ctx, e, "s", ""); !errors.Is(err, helpers.ErrNotFound) || err.Error() != `the keyring has no entry for service "s"` {
				t.Errorf("delete without a file: %v", err)
			}
			if _, err := os.Stat(filepath.Join(h.dir, keyringAge)); err == nil {
				t.Error("a delete made the file")
			}
			for account, secret := range map[string]string{"": canary, "a": "another", "bytes": "\xff\x00", "long": strings.Repeat("x", 100_000)} {
				if err := Set(ctx, e, "s", account, redact.Hold(secret)); err != nil {
					t.Fatal(err)
				}
				if got, err := Get(ctx, e, "s", account); err != nil || got.Reveal() != secret {
					t.Errorf("get %q: %v", account, err)
				}
			}
			if err := Set(ctx, e, "s", "a", redact.Hold("replaced")); err != nil {
				t.Fatal(err)
			}
			if got, err := Get(ctx, e, "s", "a"); err != nil || got.Reveal() != "replaced" {
				t.Errorf("what was set twice: %v", err)
			}
			if err := Delete(ctx, e, "s", "a"); err != nil {
				t.Error(err)
			}
			if _, err := Get(ctx, e, "s", "a"); !errors.Is(err, helpers.ErrNotFound) {
				t.Errorf("after it was deleted: %v", err)
			}
			if err := Set(ctx, e, "s", "a", redact.Secret{}); err != nil {
				t.Error(err)
			}
			if _, err := Get(ctx, e, "s", "a"); !errors.Is(err, helpers.ErrNotFound) || err.Error() != `the keyring's entry for service "s", account "a" is empty` {
				t.Errorf("an empty one: %v", err)
			}
			data, err := os.ReadFile(filepath.Join(h.dir, keyringAge))
			if err != nil || bytes.Contains(data, []byte(canary)) {
				t.Errorf("the file shows a secret, or: %v", err)
			}
			if runtime.GOOS != "windows" {
				for name, want := range map[string]os.FileMode{keyringAge: 0o600, filepath.Dir(keyringAge): 0o700} {
					if info, err := os.Stat(filepath.Join(h.dir, name)); err != nil || info.Mode().Perm() != want {
						t.Errorf("%s: %v, %v", name, info.Mode(), err)
					}
				}
			}
			if names := dirNames(t, filepath.Join(h.dir, filepath.Dir(keyringAge))); !slices.Equal(names, []string{"keyring.age", "keyring.age.lock"}) {
				t.Errorf("the directory has %q", names)
			}
		})
	}
}

func dirNames(t *testing.T, dir string) (names []string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range list {
		names = append(names, d.Name())
	}
	return names
}

func TestFileSettings(t *testing.T) {
	h := newHome(t)
	h.write(t, "empty", "\nsecond line\n")
	h.write(t, "nonsense", canary+"\n")
	h.write(t, "open", "correct horse\n")
	if err := os.Chmod(filepath.Join(h.dir, "open"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name       string
		vars       []string
		want, hint string
	}{
		{"another backend", []string{VarBackend, "fiel"}, `$CREDENTIAL_HELPER_KEYRING is "fiel"; it takes "system" or "file" (did you mean "file"?)`, ""},
		{"no key", nil, "the keyring is a file (CREDENTIAL_HELPER_KEYRING=file), and nothing says what opens it", "set CREDENTIAL_HELPER_KEYRING_PASSPHRASE_FILE to a file with a passphrase, or CREDENTIAL_HELPER_KEYRING_IDENTITY to a file with an age identity or an SSH private key"},
		{"two keys", []string{VarPassphraseFile, "passphrase", VarIdentity, "identity"}, "both CREDENTIAL_HELPER_KEYRING_PASSPHRASE_FILE and CREDENTIAL_HELPER_KEYRING_IDENTITY are set; the keyring's file is opened by one", "unset one of them"},
		{"missing key", []string{VarPassphraseFile, "~/none"}, "the file ~/none that CREDENTIAL_HELPER_KEYRING_PASSPHRASE_FILE names does not exist", ""},
		{"directory", []string{VarIdentity, "/"}, "reading /, which CREDENTIAL_HELPER_KEYRING_IDENTITY names: it is a directory", ""},
		{"open to all", []string{VarPassphraseFile, "open"}, "the file ~/open that CREDENTIAL_HELPER_KEYRING_PASSPHRASE_FILE names is open to every user of this machine (mode 0644)", "chmod 600 ~/open"},
		{"empty passphrase", []string{VarPassphraseFile, "empty"}, "reading ~/empty (CREDENTIAL_HELPER_KEYRING_PASSPHRASE_FILE): its first line, the passphrase, is empty", ""},
		{"not an identity", []string{VarIdentity, "nonsense"}, "reading the identity in ~/nonsense (CREDENTIAL_HELPER_KEYRING_IDENTITY): it holds neither age identities nor an SSH private key: error at line 1: unknown identity type", "make one: age-keygen -o FILE"},
		{"encrypted SSH key", []string{VarIdentity, "id_locked"}, "reading the identity in ~/id_locked (CREDENTIAL_HELPER_KEYRING_IDENTITY): the SSH key is itself encrypted with a passphrase, and nobody can be asked for it here", "use a key without one, made for this: age-keygen -o FILE"},
		{"file is a directory", []string{VarIdentity, "identity", VarFile, "~"}, "reading the keyring's file " + h.dir + ": it is a directory", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if runtime.GOOS == "windows" && tt.name == "open to all" {
				t.Skip("permission bits do not count here")
			}
			e := h.with(tt.vars...)
			_, err := Get(t.Context(), e, "s", "")
			for _, err := range []error{err, Set(t.Context(), e, "s", "", redact.New(canary)), Delete(t.Context(), e, "s", "")} {
				if err == nil || err.Error() != tt.want || helpers.FallsThrough(err) {
					t.Errorf("got %v\nwant %s", err, tt.want)
				}
				hint := ""
				if h := (*helpers.HintError)(nil); errors.As(err, &h) {
					hint = h.Hint
				}
				if hint != tt.hint {
					t.Errorf("the hint is %q, want %q", hint, tt.hint)
				}
			}
		})
	}
	// It is made only after the key was read.
	if _, err := os.Stat(filepath.Join(h.dir, keyringAge)); err == nil {
		t.Error("the file was made")
	}
}

// TestFileThatDoesNotOpen holds that no file which cannot be read is taken for an empty one, nor replaced.
func TestFileThatDoesNotOpen(t *testing.T) {
	h := newHome(t)
	h.write(t, "other", "wrong horse\n")
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	h.write(t, "other_identity", other.String()+"\n")
	path := filepath.Join(h.dir, "k.age")
	files := map[string][]byte{}
	for _, key := range [][]string{{VarPassphraseFile, "passphrase"}, {VarIdentity, "identity"}} {
		if err := Set(t.Context(), h.with(append(key, VarFile, path)...), "s", "", redact.New(canary)); err != nil {
			t.Fatal(err)
		}
		if files[key[1]], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	good := files["identity"]
	flipped := bytes.Clone(good)
	flipped[len(flipped)-1] ^= 1
	encrypted := func(text string) []byte {
		k, err := readIdentity(h.with(), filepath.Join(h.dir, "identity"))
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		w, err := age.Encrypt(&b, k.recipient)
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	const reading = "reading the keyring's file ~/k.age: "
	const notWhole = reading + "it is not a whole file in age's format"
	const notKeyring = reading + "what is encrypted in it is not a keyring"
	for _, tt := range []struct {
		name     string
		data     []byte
		variable string
		value    string
		want     string // how the error begins
	}{
		{"wrong passphrase", files["passphrase"], VarPassphraseFile, "other", "the passphrase in ~/other does not open the keyring's file ~/k.age"},
		{"wrong identity", good, VarIdentity, "other_identity", "the identity in ~/other_identity does not open the keyring's file ~/k.age"},
		{"wrong SSH key", good, VarIdentity, "id_ed25519", "the identity in ~/id_ed25519 does not open the keyring's file ~/k.age"},
		{"passphrase for an identity", good, VarPassphraseFile, "passphrase", "the passphrase in ~/passphrase does not open the keyring's file ~/k.age"},
		{"identity for a passphrase", files["passphrase"], VarIdentity, "identity", "the identity in ~/identity does not open the keyring's file ~/k.age"},
		{"empty", nil, VarIdentity, "identity", notWhole},
		{"foreign", []byte("{}"), VarIdentity, "identity", notWhole},
		{"a secret", []byte(canary), VarIdentity, "identity", notWhole},
		{"half", good[:len(good)/2], VarIdentity, "identity", notWhole},
		{"without its end", good[:len(good)-1], VarIdentity, "identity", notWhole},
		{"flipped", flipped, VarIdentity, "identity", notWhole},
		{"longer", append(bytes.Clone(good), 'x'), VarIdentity, "identity", notWhole},
		{"too large", make([]byte, maxFile+1), VarIdentity, "identity", "the keyring's file ~/k.age is larger than 4194304 bytes"},
		{"other contents", encrypted(canary), VarIdentity, "identity", notKeyring},
		{"other JSON", encrypted(`{"a":"` + canary + `"}`), VarIdentity, "identity", notKeyring},
		{"two documents", encrypted(`{"version":1}{}`), VarIdentity, "identity", notKeyring},
		{"no version", encrypted(`{}`), VarIdentity, "identity", reading + "it is of version 0, and this program knows version 1"},
		{"later version", encrypted(`{"version":2,"vaults":[]}`), VarIdentity, "identity", reading + "it is of version 2, and this program knows version 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := os.WriteFile(path, tt.data, 0o600); err != nil {
				t.Fatal(err)
			}
			e := h.with(tt.variable, tt.value, VarFile, path)
			_, err := Get(t.Context(), e, "s", "")
			for _, err := range []error{err, Set(t.Context(), e, "s", "", redact.New(canary)), Delete(t.Context(), e, "s", "")} {
				if err == nil || !strings.HasPrefix(err.Error(), tt.want) || helpers.FallsThrough(err) || strings.Contains(err.Error(), canary) {
					t.Errorf("got %v\nwant %s", err, tt.want)
				}
			}
			if data, err := os.ReadFile(path); err != nil || !bytes.Equal(data, tt.data) {
				t.Errorf("the file was changed, or: %v", err)
			}
		})
	}
}

func TestFileTooLargeToWrite(t *testing.T) {
	h := newHome(t)
	e := h.with(VarIdentity, "identity")
	if err := Set(t.Context(), e, "s", "", redact.New(canary)); err != nil {
		t.Fatal(err)
	}
	err := Set(t.Context(), e, "s", "large", redact.Hold(strings.Repeat("x", maxFile)))
	if want := "writing the keyring's file ~/" + keyringAge + ": it would be larger than 4194304 bytes"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if got, err := Get(t.Context(), e, "s", ""); err != nil || got.Reveal() != canary {
		t.Errorf("after it: %v", err)
	}
}

func TestFileBehindLink(t *testing.T) {
	h := newHome(t)
	target := filepath.Join(h.dir, "target.age")
	e := h.with(VarIdentity, "identity", VarFile, "~/link.age")
	if err := Set(t.Context(), h.with(VarIdentity, "identity", VarFile, target), "s", "", redact.New(canary)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, filepath.Join(h.dir, "link.age")); err != nil {
		t.Skip(err)
	}
	if err := Set(t.Context(), e, "s", "", redact.New("another")); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(filepath.Join(h.dir, "link.age")); err != nil || info.Mode().Type() != os.ModeSymlink {
		t.Errorf("the link became %v, %v", info.Mode(), err)
	}
	if got, err := Get(t.Context(), h.with(VarIdentity, "identity", VarFile, target), "s", ""); err != nil || got.Reveal() != "another" {
		t.Errorf("the target: %v", err)
	}
}

// TestNewIdentityInFront writes with the first identity what was read with the second.
func TestNewIdentityInFront(t *testing.T) {
	h := newHome(t)
	if err := Set(t.Context(), h.with(VarIdentity, "identity"), "s", "", redact.New(canary)); err != nil {
		t.Fatal(err)
	}
	old, err := os.ReadFile(filepath.Join(h.dir, "identity"))
	if err != nil {
		t.Fatal(err)
	}
	next, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	h.write(t, "both", next.String()+"\n"+string(old))
	h.write(t, "next", next.String()+"\n")
	if err := Set(t.Context(), h.with(VarIdentity, "both"), "s", "b", redact.New(canary)); err != nil {
		t.Fatal(err)
	}
	if got, err := Get(t.Context(), h.with(VarIdentity, "next"), "s", ""); err != nil || got.Reveal() != canary {
		t.Errorf("with the new identity: %v", err)
	}
}
