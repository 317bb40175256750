package keyring

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"golang.org/x/crypto/ssh"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/shell"
)

const (
	// workFactor is the logarithm of scrypt's N. 15 makes a guess cost about 0.1 s and 32 MiB: age's own 18 would cost a second in each process,
	// and a build starts one for every URL that the cache does not know. A passphrase that a program reads from a file can be a long random one.
	workFactor = 15
	// maxWorkFactor is what is read at most: the file may have been written with age itself. Every step above it doubles the second that it takes.
	maxWorkFactor = 18

	// maxKeyFile is the size in bytes above which a key file is not read.
	maxKeyFile = 64 << 10
)

// A key opens and closes the file.
type key struct {
	shown     string // "the passphrase in FILE"
	opens     []age.Identity
	recipient age.Recipient
}

// readKey reads the key that the environment names.
func readKey(e *env.Env, passphraseFile, identityFile string) (key, error) {
	if passphraseFile != "" {
		return readPassphrase(e, passphraseFile)
	}
	return readIdentity(e, identityFile)
}

func readPassphrase(e *env.Env, path string) (key, error) {
	data, err := readKeyFile(e, VarPassphraseFile, path)
	if err != nil {
		return key{}, err
	}
	line, _, _ := strings.Cut(string(data), "\n")
	line = strings.TrimSuffix(line, "\r")
	if line == "" {
		return key{}, fmt.Errorf("reading %s (%s): its first line, the passphrase, is empty", e.Display(path), VarPassphraseFile)
	}
	redact.Remember(line)
	identity, err := age.NewScryptIdentity(line)
	if err != nil {
		return key{}, err
	}
	identity.SetMaxWorkFactor(maxWorkFactor)
	recipient, err := age.NewScryptRecipient(line)
	if err != nil {
		return key{}, err
	}
	recipient.SetWorkFactor(workFactor)
	return key{"the passphrase in " + e.Display(path), []age.Identity{identity}, recipient}, nil
}

// readIdentity reads age identities, of which the first one is written for and each one may open the file, so that a new one can be put in front of the old;
// or an SSH private key.
func readIdentity(e *env.Env, path string) (key, error) {
	data, err := readKeyFile(e, VarIdentity, path)
	if err != nil {
		return key{}, err
	}
	k := key{shown: "the identity in " + e.Display(path)}
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("-----BEGIN")) {
		var identity age.Identity
		identity, err = agessh.ParseIdentity(data)
		k.opens = []age.Identity{identity}
	} else {
		k.opens, err = age.ParseIdentities(bytes.NewReader(data))
	}
	reading := fmt.Sprintf("reading the identity in %s (%s)", e.Display(path), VarIdentity)
	if encrypted := (*ssh.PassphraseMissingError)(nil); errors.As(err, &encrypted) {
		return key{}, helpers.WithHint(fmt.Errorf("%s: the SSH key is itself encrypted with a passphrase, and nobody can be asked for it here", reading),
			"use a key without one, made for this: age-keygen -o FILE")
	}
	if err != nil {
		// Neither of the two parsers tells what stands in the file.
		return key{}, helpers.WithHint(fmt.Errorf("%s: it holds neither age identities nor an SSH private key: %s", reading, redact.Quote(err.Error(), 200)),
			"make one: age-keygen -o FILE")
	}
	switch identity := k.opens[0].(type) {
	case *age.X25519Identity:
		k.recipient = identity.Recipient()
	case *age.HybridIdentity:
		k.recipient = identity.Recipient()
	case *agessh.Ed25519Identity:
		k.recipient = identity.Recipient()
	case *agessh.RSAIdentity:
		k.recipient = identity.Recipient()
	default:
		return key{}, fmt.Errorf("%s: identities of this kind are not supported", reading)
	}
	return k, nil
}

// readKeyFile reads a file that only its user may read: otherwise what it opens is open to all.
func readKeyFile(e *env.Env, variable, path string) ([]byte, error) {
	data, info, err := e.ReadFile(path, maxKeyFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("the file %s that %s names does not exist", e.Display(path), variable)
	case err != nil:
		return nil, fmt.Errorf("reading %s, which %s names: %w", e.Display(path), variable, err)
	case modesCount && info.Mode().Perm()&0o006 != 0:
		return nil, helpers.WithHint(fmt.Errorf("the file %s that %s names is open to every user of this machine (mode %04o)", e.Display(path), variable, info.Mode().Perm()),
			"chmod 600 %s", shell.QuotePath(e.Display(path)))
	}
	return data, nil
}
