//go:build linux

package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/internal/githubtest"
)

// A network is all that the program can reach: a proxy that is every host there is. It answers for them with certificates that the program trusts,
// and writes down what arrives where. Nothing leaves this machine.
type network struct {
	*site
	canaries
	proxy *httptest.Server
	inner *http.Server // answers what comes out of a tunnel
	conns chan net.Conn

	ca    *x509.Certificate
	caKey *ecdsa.PrivateKey

	mu      sync.Mutex
	arrived []arrival
	places  map[string]http.HandlerFunc // by origin and path
	tls     map[string]string           // by host: what is wrong with its TLS
	tunnel  func(net.Conn) bool         // answers CONNECT in the proxy's place, where it returns true
}

// An arrival is a request as it came to a host.
type arrival struct {
	origin, method, path string
	text                 string // all of it
}

// newNetwork starts a network, with servers that behave.
func newNetwork(t *testing.T) *network {
	n := &network{
		site: newSite(t, ""), canaries: canaries{map[string]string{}, map[string]string{}},
		conns: make(chan net.Conn),
	}
	var err error
	n.caKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Model Root"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, n.caKey.Public(), n.caKey)
	must(t, err)
	n.ca, err = x509.ParseCertificate(der)
	must(t, err)
	quiet := log.New(io.Discard, "", 0)
	n.proxy = httptest.NewUnstartedServer(http.HandlerFunc(n.serveProxy))
	n.proxy.Config.ErrorLog = quiet
	n.proxy.Start()
	ctx, cancel := context.WithCancel(context.Background())
	n.inner = &http.Server{
		ErrorLog: quiet, MaxHeaderBytes: 4 << 20, Handler: http.HandlerFunc(n.serve),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, tunnelled{}, c.(*tunnelConn).host)
		},
	}
	go func() { _ = n.inner.Serve(&tunnels{ctx, n}) }()
	t.Cleanup(func() {
		cancel()
		n.inner.Close()
		n.proxy.CloseClientConnections()
		n.proxy.Close()
	})
	n.env = append(
		n.env, "PATH=/usr/bin:/bin", "HTTPS_PROXY="+n.proxy.URL, "HTTP_PROXY="+n.proxy.URL, "SSL_CERT_DIR="+n.home,
		"SSL_CERT_FILE="+n.write("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))),
		"CREDENTIAL_HELPER_CONFIG_FILE="+n.write("rules.json", networkRules),
		"LOGIN_USER="+n.value("user name"), "LOGIN_PASSWORD="+n.value("password"), "LOGIN_IDENTITY="+n.value("identity token"), "LOGIN_TOKEN="+n.value("token"),
		"GITHUB_APP_PRIVATE_KEY="+githubtest.PEM(githubtest.Key()),
	)
	n.value("refresh token")
	n.reset()
	return n
}

const networkRules = `{"urls": [
	{"host": "r.example.com", "path": "/v2/get/*", "helper": "oci", "config": {"lookup_chain": [{"source": "env", "name": "LOGIN_USER", "binding": "username"}, {"source": "env", "name": "LOGIN_PASSWORD", "binding": "password"}]}},
	{"host": "r.example.com", "path": "/v2/password/*", "helper": "oci", "config": {"token_exchange_method": "oauth2", "lookup_chain": [{"source": "env", "name": "LOGIN_USER", "binding": "username"}, {"source": "env", "name": "LOGIN_PASSWORD", "binding": "password"}]}},
	{"host": "r.example.com", "path": "/v2/identity/*", "helper": "oci", "config": {"lookup_chain": [{"source": "env", "name": "LOGIN_IDENTITY", "binding": "identitytoken"}]}},
	{"host": "r.example.com", "path": "/v2/basic/*", "helper": "oci", "config": {"token_exchange_method": "basic", "lookup_chain": [{"source": "env", "name": "LOGIN_IDENTITY", "binding": "identitytoken"}]}},
	{"host": "team.github.io", "helper": "oci", "config": {"lookup_chain": [{"source": "env", "name": "LOGIN_USER", "binding": "username"}, {"source": "env", "name": "LOGIN_PASSWORD", "binding": "password"}]}},
	{"host": "r.acme.co.uk", "helper": "oci", "config": {"lookup_chain": [{"source": "env", "name": "LOGIN_USER", "binding": "username"}, {"source": "env", "name": "LOGIN_PASSWORD", "binding": "password"}]}},
	{"host": "ghe.example.com", "helper": "github", "config": {"app_id": 12345, "owner": "acme"}},
	{"host": "pkg.example.com", "helper": "registry", "config": {"preset": "julia"}},
	{"host": "files.example.com", "helper": "registry", "config": {"token": "${LOGIN_TOKEN}"}},
	{"host": "basic.example.com", "helper": "registry", "config": {"username": "${LOGIN_USER}", "password": "${LOGIN_PASSWORD}"}}]}
`

// reset has all servers behave, and forgets what arrived.
func (n *network) reset() {
	json := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	private := func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.arrived, n.tls, n.tunnel = nil, map[string]string{}, nil
	n.places = map[string]http.HandlerFunc{
		"https://r.example.com/v2/":                                              challenge(`Bearer realm="https://auth.example.com/token",service="registry"`),
		"https://auth.example.com/token":                                         json(200, `{"token": "tok-of-registry", "expires_in": 300}`),
		"https://ghe.example.com/api/v3/orgs/acme/installation":                  json(200, `{"id": 678}`),
		"https://ghe.example.com/api/v3/app/installations/678/access_tokens":     json(201, fmt.Sprintf(`{"token": "ghs_ofinstallation", "expires_at": %q}`, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))),
		"https://pkg.example.com/auth/renew/token.toml":                          json(200, "access_token = \"tok-of-julia\"\nexpires_in = 86400\n"),
		"https://files.example.com/x.zip":                                        private,
		"https://basic.example.com/x.zip":                                        private,
		"http://169.254.169.254/latest/meta-data/iam/security-credentials/admin": json(200, `{"token": "tok-of-metadata"}`),
	}
	n.write(".julia/servers/pkg.example.com/auth.toml", fmt.Sprintf("access_token = \"old-token\"\nrefresh_token = %q\nrefresh_url = \"https://pkg.example.com/auth/renew/token.toml\"\nexpires_at = 1\n", n.value("refresh token")))
}

// challenge answers as a registry's login check does.
func challenge(values ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Www-Authenticate"] = values
		w.WriteHeader(http.StatusUnauthorized)
	}
}

// set has a handler answer at an origin and a path.
func (n *network) set(at string, h http.HandlerFunc) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.places[at] = h
}

// spoil has something be wrong with the TLS of an origin.
func (n *network) spoil(origin, wrong string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tls[strings.TrimPrefix(origin, "https://")] = wrong
}

// dig has a function answer CONNECT in the proxy's place, where it returns true.
func (n *network) dig(tunnel func(net.Conn) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tunnel = tunnel
}

// serveProxy is the proxy: for HTTP it is each server, and for HTTPS it makes a tunnel to one.
func (n *network) serveProxy(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		n.answer(w, r, "http://"+r.Host)
		return
	}
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	n.mu.Lock()
	tunnel := n.tunnel
	n.mu.Unlock()
	if tunnel != nil && tunnel(conn) {
		conn.Close()
		return
	}
	_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
	host := strings.TrimSuffix(r.Host, ":443")
	name, _, _ := strings.Cut(host, ":")
	n.mu.Lock()
	wrong := n.tls[name]
	n.mu.Unlock()
	config := &tls.Config{}
	switch wrong {
	case "stalled":
		_, _ = io.Copy(io.Discard, conn) // until the client goes
		conn.Close()
		return
	case "plain":
		n.conns <- &tunnelConn{conn, host}
		return
	case "HTTP/2":
		config.NextProtos = []string{"h2"}
	}
	cert, err := n.certificate(name, wrong)
	if err != nil {
		conn.Close()
		return
	}
	config.Certificates = []tls.Certificate{cert}
	n.conns <- &tunnelConn{tls.Server(conn, config), host}
}

// certificate returns one for a host, which the program trusts where nothing is to be wrong with it.
func (n *network) certificate(host, wrong string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host}, KeyUsage: x509.KeyUsageDigitalSignature,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	parent, parentKey := n.ca, n.caKey
	switch wrong {
	case "other name":
		leaf.DNSNames = []string{"evil.test"}
	case "expired":
		leaf.NotBefore, leaf.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	case "self-signed":
		parent, parentKey = leaf, key
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, parent, key.Public(), parentKey)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

type tunnelled struct{} // the key under which a request's context has the host that its tunnel leads to

// A tunnelConn is the end of a tunnel.
type tunnelConn struct {
	net.Conn
	host string
}

// tunnels are the ends of all tunnels, as a listener.
type tunnels struct {
	ctx context.Context
	n   *network
}

func (l *tunnels) Accept() (net.Conn, error) {
	select {
	case c := <-l.n.conns:
		return c, nil
	case <-l.ctx.Done():
		return nil, net.ErrClosed
	}
}
func (l *tunnels) Close() error   { return nil }
func (l *tunnels) Addr() net.Addr { return l.n.proxy.Listener.Addr() }

func (n *network) serve(w http.ResponseWriter, r *http.Request) {
	n.answer(w, r, "https://"+r.Context().Value(tunnelled{}).(string))
}

// answer writes a request down, and answers it as its server does. A server that nobody knows has what would tell that it was believed.
func (n *network) answer(w http.ResponseWriter, r *http.Request, origin string) {
	text, _ := httputil.DumpRequest(r, true)
	n.mu.Lock()
	n.arrived = append(n.arrived, arrival{origin, r.Method, r.URL.RequestURI(), string(text)})
	h := n.places[origin+r.URL.Path]
	n.mu.Unlock()
	if h == nil {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"token": "tok-of-nobody", "access_token": "tok-of-nobody", "id": 666, "expires_at": "2099-01-01T00:00:00Z", "expires_in": 300}`)
		return
	}
	h(w, r)
}

// hijacked returns a handler that writes what it likes on the connection. It ends when the client is gone.
func hijacked(write func(w *bufio.Writer, gone <-chan struct{})) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			_, _ = io.Copy(io.Discard, conn)
		}()
		out := bufio.NewWriter(conn)
		write(out, gone)
		_ = out.Flush()
	}
}
