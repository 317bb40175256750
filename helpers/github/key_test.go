package github

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/githubtest"
	"github.com/fe055d52/credential-helper/internal/redact"
)

func encodePEM(kind string, der []byte, headers map[string]string) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Headers: headers, Bytes: der}))
}

func pkcs8(t testing.TB, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// wantError checks the text of an error and its hint, each of which has to contain what is wanted, and that neither tells a secret.
func wantError(t *testing.T, err error, text, hint string, secrets ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %q", text)
	}
	var h *helpers.HintError
	if !errors.As(err, &h) {
		h = &helpers.HintError{}
	}
	if !strings.Contains(err.Error(), text) || (hint == "") != (h.Hint == "") || !strings.Contains(h.Hint, hint) {
		t.Errorf("\n got %s\nhint %s\nwant %s\nhint %s", err, h.Hint, text, hint)
	}
	for _, secret := range secrets {
		for line := range strings.Lines(secret) {
			if line = strings.TrimSpace(line); len(line) > 8 && !strings.HasPrefix(line, "-----") && strings.Contains(err.Error()+h.Hint, line) {
				t.Errorf("the error tells a secret: %s\nhint %s", err, h.Hint)
			}
		}
	}
}

func TestParseKey(t *testing.T) {
	key := githubtest.Key()
	pkcs1 := githubtest.PEM(key)
	certificate, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1)}, &x509.Certificate{SerialNumber: big.NewInt(1)}, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	asCertificate := encodePEM("CERTIFICATE", certificate, nil)
	want, err := parseKey(redact.Hold(pkcs1))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"PKCS #1":                             pkcs1,
		"PKCS #8":                             encodePEM("PRIVATE KEY", pkcs8(t, key), nil),
		"PKCS #8 with the other label":        encodePEM("RSA PRIVATE KEY", pkcs8(t, key), nil),
		"without the newline at its end":      strings.TrimSuffix(pkcs1, "\n"),
		"CRLF":                                strings.ReplaceAll(pkcs1, "\n", "\r\n"),
		`\n for line breaks`:                  strings.ReplaceAll(pkcs1, "\n", `\n`),
		`\n for line breaks, and one newline`: strings.ReplaceAll(pkcs1, "\n", `\n`) + "\n",
		`\r\n for line breaks`:                strings.ReplaceAll(pkcs1, "\n", `\r\n`),
		"behind a comment":                    "# the App's key\n" + pkcs1,
		"behind its certificate":              asCertificate + pkcs1,
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseKey(redact.Hold(text))
			if err != nil {
				t.Fatal(err)
			}
			if !got.rsa.Equal(key) || got.fingerprint != want.fingerprint || len(got.fingerprint) != 64 {
				t.Error("it is another key")
			}
		})
	}
}

func TestParseKeyErrors(t *testing.T) {
	key := githubtest.Key()
	pkcs1 := githubtest.PEM(key)
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(curve)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der := x509.MarshalPKCS1PrivateKey(key)
	const renew = "make a new key at the App's page"
	for _, tt := range []struct{ name, text, want, hint string }{
		{"not PEM", "ghp_0123456789abcdef0123", "it is not PEM (-----BEGIN RSA PRIVATE KEY-----, …)", renew},
		{"base64 of PEM", base64.StdEncoding.EncodeToString([]byte(pkcs1)), "it is not PEM", renew},
		{
			"encrypted, PKCS #1", encodePEM("RSA PRIVATE KEY", der, map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00112233445566778899AABBCCDDEEFF"}),
			"it is encrypted with a passphrase", "decrypt it (openssl rsa",
		},
		{"encrypted, PKCS #8", encodePEM("ENCRYPTED PRIVATE KEY", der, nil), "it is encrypted with a passphrase", "decrypt it (openssl rsa"},
		{"EC", encodePEM("EC PRIVATE KEY", sec1, nil), "it is not an RSA key (EC), and GitHub Apps sign with RSA", renew},
		{"EC, PKCS #8", encodePEM("PRIVATE KEY", pkcs8(t, curve), nil), "it is not an RSA key (EC)", renew},
		{"Ed25519", encodePEM("PRIVATE KEY", pkcs8(t, edwards), nil), "it is not an RSA key (Ed25519)", renew},
		{"OpenSSH", encodePEM("OPENSSH PRIVATE KEY", der, nil), "it is a key in OpenSSH's own format", renew},
		{"public key", encodePEM("PUBLIC KEY", public, nil), "it is a public key, and a private key is wanted", renew},
		{"public key, PKCS #1", encodePEM("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&key.PublicKey), nil), "it is a public key", renew},
		{"certificate", encodePEM("CERTIFICATE", []byte("anything"), nil), "it is a certificate, and a private key is wanted", renew},
		{"public key with a private label", encodePEM("PRIVATE KEY", public, nil), "what the PEM holds is not a private key, or is damaged", renew},
		{"too small", githubtest.PEM(small), "it has 1024 bits, and at least 2048 are needed", renew},
		{"too large", encodePEM("RSA PRIVATE KEY", make([]byte, maxKeyBytes+1), nil), "it is larger than 10240 bytes", renew},
		{"cut off", pkcs1[:len(pkcs1)/2], "it is PEM that does not parse: cut off, or with its line breaks gone", renew},
		{"spaces for line breaks", strings.ReplaceAll(pkcs1, "\n", " "), "it is PEM that does not parse", renew},
		{"damaged", encodePEM("RSA PRIVATE KEY", append([]byte{1}, der[1:]...), nil), "what the PEM holds is not a private key, or is damaged", renew},
		{"cut off inside", encodePEM("RSA PRIVATE KEY", der[:200], nil), "what the PEM holds is not a private key, or is damaged", renew},
		{"empty", encodePEM("RSA PRIVATE KEY", nil, nil), "what the PEM holds is not a private key, or is damaged", renew},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parseKey(redact.Hold(tt.text))
			wantError(t, err, tt.want, tt.hint, tt.text)
		})
	}
}

func TestJWT(t *testing.T) {
	key, err := parseKey(redact.Hold(githubtest.PEM(githubtest.Key())))
	if err != nil {
		t.Fatal(err)
	}
	token, err := key.jwt("12345", time.Unix(1_700_000_000, 999))
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(token.Reveal(), ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts", len(parts))
	}
	for i, want := range []map[string]any{
		{"alg": "RS256", "typ": "JWT"},
		{"iss": "12345", "iat": 1_700_000_000. - 60, "exp": 1_700_000_000. + 540},
	} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		if len(got) != len(want) {
			t.Errorf("got %v, want %v", got, want)
		}
		for name := range want {
			if got[name] != want[name] {
				t.Errorf("%s is %v, want %v", name, got[name], want[name])
			}
		}
	}
	if got := redact.Scrub("it is " + token.Reveal()); strings.Contains(got, parts[2]) {
		t.Errorf("the JWT is not known as a secret: %s", got)
	}
}

// FuzzParseKey holds that no text makes the parser panic, hang or tell what it read.
func FuzzParseKey(f *testing.F) {
	f.Add("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n")
	f.Add(`-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n-----END PRIVATE KEY-----`)
	f.Add("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
	f.Add("canary")
	f.Fuzz(func(t *testing.T, text string) {
		start := time.Now()
		_, err := parseKey(redact.Hold(text))
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("it took %s", took)
		}
		if err == nil {
			return
		}
		// What an error says on its own account is in none of its longer words the key's.
		for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return r < '+' || r > 'z' }) {
			if len(word) >= 24 && !strings.Contains(word, "-----") && strings.Contains(err.Error(), word) {
				t.Errorf("the error quotes %q: %s", word, err)
			}
		}
	})
}
