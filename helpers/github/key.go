package github

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/redact"
)

const (
	// minKeyBits is the least that RS256 asks for (RFC 7518 §3.3); GitHub hands out keys of this size.
	minKeyBits = 2048
	// maxKeyBytes is the size above which a key is not parsed, in bytes of DER: that of 16384 bits is smaller.
	maxKeyBytes = 10 << 10
)

// generateKey is what to do where a key cannot be used.
const generateKey = `make a new key at the App's page (Private keys, "Generate a private key"), and use the file that is downloaded there as it is`

// A privateKey is an App's.
type privateKey struct {
	rsa *rsa.PrivateKey
	// fingerprint is that of the public key, as GitHub shows it (SHA-256 of its DER), in hexadecimal.
	fingerprint string
}

// parseKey reads a private key: PEM, PKCS #1 (as GitHub hands it out) or PKCS #8. Where the text has no line breaks but the two characters
// \n, as variables of CI systems have, they count as line breaks. No error quotes the text.
func parseKey(text redact.Secret) (privateKey, error) {
	pemText := text.Reveal()
	if !strings.Contains(strings.TrimSpace(pemText), "\n") && strings.Contains(pemText, `\n`) {
		pemText = strings.NewReplacer(`\r\n`, "\n", `\n`, "\n").Replace(pemText)
		redact.Remember(pemText)
	}
	other := ""
	for rest := []byte(pemText); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		switch block.Type {
		case "RSA PRIVATE KEY", "PRIVATE KEY":
			return parseBlock(block)
		case "ENCRYPTED PRIVATE KEY":
			return privateKey{}, errEncrypted()
		case "EC PRIVATE KEY", "DSA PRIVATE KEY":
			return privateKey{}, errNotRSA(strings.TrimSuffix(block.Type, " PRIVATE KEY"))
		case "OPENSSH PRIVATE KEY":
			return privateKey{}, helpers.WithHint(errors.New("it is a key in OpenSSH's own format, which no GitHub App has"), generateKey)
		case "PUBLIC KEY", "RSA PUBLIC KEY":
			other = "a public key"
		case "CERTIFICATE":
			other = "a certificate"
		}
	}
	switch {
	case other != "":
		return privateKey{}, helpers.WithHint(fmt.Errorf("it is %s, and a private key is wanted", other), generateKey)
	case strings.Contains(pemText, "-----BEGIN"):
		return privateKey{}, helpers.WithHint(errors.New("it is PEM that does not parse: cut off, or with its line breaks gone"), generateKey)
	}
	return privateKey{}, helpers.WithHint(errors.New("it is not PEM (-----BEGIN RSA PRIVATE KEY-----, …)"), generateKey)
}

func errEncrypted() error {
	return helpers.WithHint(errors.New("it is encrypted with a passphrase"),
		"nobody is there to type a passphrase: decrypt it (openssl rsa -in KEY.pem -out PLAIN.pem), and keep it where nobody else can read it")
}

func errNotRSA(kind string) error {
	return helpers.WithHint(fmt.Errorf("it is not an RSA key (%s), and GitHub Apps sign with RSA", kind), generateKey)
}

func parseBlock(block *pem.Block) (privateKey, error) {
	if strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") { // RFC 1421 §4.6.1.1
		return privateKey{}, errEncrypted()
	}
	if len(block.Bytes) > maxKeyBytes {
		return privateKey{}, helpers.WithHint(fmt.Errorf("it is larger than %d bytes", maxKeyBytes), generateKey)
	}
	// The label is not always true: what is in it decides.
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil { // it is not shown: nobody promises that it tells nothing of the key
			return privateKey{}, helpers.WithHint(errors.New("what the PEM holds is not a private key, or is damaged"), generateKey)
		}
		switch parsed := parsed.(type) {
		case *rsa.PrivateKey:
			key = parsed
		case *ecdsa.PrivateKey:
			return privateKey{}, errNotRSA("EC")
		case ed25519.PrivateKey:
			return privateKey{}, errNotRSA("Ed25519")
		default:
			return privateKey{}, errNotRSA("another kind")
		}
	}
	if key.N.BitLen() < minKeyBits {
		return privateKey{}, helpers.WithHint(fmt.Errorf("it has %d bits, and at least %d are needed", key.N.BitLen(), minKeyBits), generateKey)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return privateKey{}, errors.New("its public key cannot be encoded")
	}
	sum := sha256.Sum256(public)
	return privateKey{key, hex.EncodeToString(sum[:])}, nil
}

const (
	// jwtBack is how far back a JWT is dated, so that a server whose clock is behind takes it.
	jwtBack = time.Minute
	// jwtLife is how long a JWT can be used from now: GitHub takes 10 minutes at most, by its own clock.
	jwtLife = 9 * time.Minute
)

// jwt returns a JSON Web Token (RFC 7519) with which an App logs in as itself:
// https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
func (k privateKey) jwt(issuer string, now time.Time) (redact.Secret, error) {
	claims, err := json.Marshal(map[string]any{"iat": now.Add(-jwtBack).Unix(), "exp": now.Add(jwtLife).Unix(), "iss": issuer})
	if err != nil {
		return redact.Secret{}, err
	}
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + encode(claims)
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(nil, k.rsa, crypto.SHA256, sum[:])
	if err != nil {
		return redact.Secret{}, errors.New("the key does not sign")
	}
	return redact.New(signed + "." + encode(signature)), nil
}
