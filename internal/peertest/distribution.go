package peertest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// A Distribution is a running registry: the one of the distribution project (https://distribution.github.io/distribution/), empty and private.
type Distribution struct {
	// Host is the registry's host and port: "localhost:41234". The registry is asked by plain HTTP.
	Host string
	// Realm is the URL of its token server, and empty where it has none.
	Realm string
}

// Names by which the registry and the token server know each other.
const (
	tokenIssuer  = "token-server.test"
	tokenService = "registry.test"
)

// BasicRegistry starts a registry that wants its users (name → password) to log in by Basic authentication. It ends with the test.
func BasicRegistry(t testing.TB, users map[string]string) *Distribution {
	t.Helper()
	program := requireRegistry(t)
	auth := map[string]any{"htpasswd": map[string]any{"realm": tokenService, "path": passwordFile(t, users)}}
	return &Distribution{Host: serve(t, func(addr string) []string { return registryCommand(t, program, addr, auth) })}
}

// BearerRegistry starts a registry that wants tokens, and the token server that issues them to its users. Both end with the test.
//
// The token server is an example of the distribution project's. A user NAME is given access to the repositories NAME/* alone;
// everybody who is logged in may read the catalog. A GET with offline_token=true yields an identity token too.
// It answers every request that is in order with 200, whatever of it is granted.
func BearerRegistry(t testing.TB, users map[string]string) *Distribution {
	t.Helper()
	program := requireRegistry(t)
	tokenServer := Require(t, "token-server", "go install github.com/docker/distribution/contrib/token-server@v2.8.3+incompatible")
	passwords := passwordFile(t, users)
	key, certificate := signingKey(t)
	realm := "http://" + serve(t, func(addr string) []string {
		return []string{tokenServer, "-addr", addr, "-issuer", tokenIssuer, "-key", key, "-passwd", passwords, "-realm", tokenService}
	}) + "/token/"
	auth := map[string]any{"token": map[string]any{"realm": realm, "service": tokenService, "issuer": tokenIssuer, "rootcertbundle": certificate}}
	host := serve(t, func(addr string) []string { return registryCommand(t, program, addr, auth) })
	return &Distribution{Host: host, Realm: realm}
}

func requireRegistry(t testing.TB) string {
	t.Helper()
	return Require(t, "docker-registry", "apt-get install docker-registry")
}

// registryCommand writes a configuration file, of which JSON is a form that the registry reads too, and returns the command line.
func registryCommand(t testing.TB, program, addr string, auth map[string]any) []string {
	t.Helper()
	dir := t.TempDir()
	config, err := json.Marshal(map[string]any{
		"version": "0.1",
		"log":     map[string]any{"level": "error", "accesslog": map[string]any{"disabled": true}},
		"storage": map[string]any{"filesystem": map[string]any{"rootdirectory": filepath.Join(dir, "storage")}},
		"http":    map[string]any{"addr": addr, "secret": rand.Text()},
		"auth":    auth,
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "config.yml")
	if err := os.WriteFile(path, config, 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{program, "serve", path}
}

// passwordFile has htpasswd write the users' passwords, hashed as cheaply as it can.
func passwordFile(t testing.TB, users map[string]string) string {
	t.Helper()
	htpasswd := Require(t, "htpasswd", "apt-get install apache2-utils")
	path := filepath.Join(t.TempDir(), "htpasswd")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, user := range slices.Sorted(maps.Keys(users)) {
		if r := Run(t, "", nil, []string{htpasswd, "-B", "-C", "4", "-i", path, user}, users[user]); r.Code != 0 {
			t.Fatalf("htpasswd: %+v", r)
		}
	}
	return path
}

// signingKey makes the token server's key, and the certificate by which the registry knows it.
func signingKey(t testing.TB) (keyFile, certificateFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: tokenIssuer},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("key.pem", "EC PRIVATE KEY", private), write("certificate.pem", "CERTIFICATE", certificate)
}
