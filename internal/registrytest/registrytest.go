// Package registrytest runs a private OCI registry in this process: a real one (go-containerregistry's) behind a login,
// for tests and for trying things out.
//
//	r, err := registrytest.Start(registrytest.Config{
//		Login: registrytest.Bearer,
//		Users: map[string]string{"alice": "wonderland"},
//	})
//	defer r.Close()
//	image, err := r.Push(ctx, "team/app", "v1")
//	resp, err := r.Client().Get(image.ManifestURL) // 401
//
// It is strict where a registry has to be: a token opens the repositories and actions that it was issued for, until it expires.
// It keeps a record of every request with the credential that came with it, and it can be told to misbehave: see [Registry.SetPing],
// [Registry.SetToken] and [Registry.SetChallenges], and the ready-made answers in this package ([Status], [HTML], [Huge], [Drip], [Hangup], [Redirect]).
package registrytest

import (
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"time"

	ggcr "github.com/google/go-containerregistry/pkg/registry"
)

// A Login is how a registry wants its users to log in.
type Login int

const (
	None   Login = iota // everything is open
	Basic               // user name and password with each request
	Bearer              // a token from the token server
)

// Service is the name of the registry in its challenge.
const Service = "registry.test"

// A Config says what kind of registry is started. The zero value is one that is open to all.
type Config struct {
	Login Login
	// Users maps user names to their passwords.
	Users map[string]string
	// TLS has the registry serve HTTPS, with a certificate that [Registry.CAFile] vouches for.
	TLS bool
	// OwnTokenServer puts the token server on a listener, and so a port, of its own.
	OwnTokenServer bool
	// Public lets everybody pull: the token server issues pull tokens to those without a login.
	Public bool
	// OpaqueTokens are random text. Without it tokens are signed JWTs.
	OpaqueTokens bool
	// TokenLife is how long tokens live, 5 minutes unless given.
	TokenLife time.Duration
	// PostStatus, unless 0, is what the token server answers to every POST, as servers do that know GET alone.
	PostStatus int
	// Now is the clock by which tokens expire, time.Now unless given.
	Now func() time.Time
}

// A Registry is a running registry.
type Registry struct {
	// URL is the registry's origin: "http://127.0.0.1:41234". Host is the same without the scheme.
	URL, Host string
	// Realm is the URL of the token endpoint.
	Realm string
	// CAFile is a PEM file for SSL_CERT_FILE, and empty without TLS.
	CAFile string

	config  Config
	content http.Handler
	servers []*httptest.Server
	tokens  issuer

	mu         sync.Mutex
	requests   []Request
	ping       http.HandlerFunc
	token      http.HandlerFunc
	challenges []string
}

// Start starts a registry on loopback. Close ends it.
func Start(config Config) (*Registry, error) {
	if config.TokenLife == 0 {
		config.TokenLife = 5 * time.Minute
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	r := &Registry{
		config:  config,
		content: ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0)), ggcr.WithReferrersSupport(true)),
		tokens:  newIssuer(config),
	}
	main := r.listen(http.HandlerFunc(r.serve))
	r.URL, r.Realm = main.URL, main.URL+"/token"
	_, r.Host, _ = strings.Cut(main.URL, "://")
	if config.OwnTokenServer {
		r.Realm = r.listen(http.HandlerFunc(r.serve)).URL + "/token"
	}
	if config.TLS {
		if err := r.writeCA(main); err != nil {
			r.Close()
			return nil, err
		}
	}
	return r, nil
}

func (r *Registry) listen(h http.Handler) *httptest.Server {
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	if r.config.TLS {
		s.StartTLS()
	} else {
		s.Start()
	}
	r.servers = append(r.servers, s)
	return s
}

func (r *Registry) writeCA(s *httptest.Server) error {
	f, err := os.CreateTemp("", "registrytest-*.pem")
	if err != nil {
		return fmt.Errorf("writing the certificate: %w", err)
	}
	r.CAFile = f.Name()
	defer f.Close()
	return pem.Encode(f, &pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

// Close ends the registry and removes its files.
func (r *Registry) Close() {
	for _, s := range r.servers {
		s.CloseClientConnections()
		s.Close()
	}
	if r.CAFile != "" {
		_ = os.Remove(r.CAFile)
	}
}

// Client returns a client that trusts the registry's certificate. It sends no credential of its own.
func (r *Registry) Client() *http.Client { return r.servers[0].Client() }

// SetPing replaces the answer at /v2/; nil restores it.
func (r *Registry) SetPing(h http.HandlerFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ping = h
}

// SetToken replaces the answer of the token endpoint; nil restores it.
func (r *Registry) SetToken(h http.HandlerFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.token = h
}

// SetChallenges replaces the values of WWW-Authenticate, one header each; none restores the registry's own.
func (r *Registry) SetChallenges(values ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.challenges = values
}

// IdentityToken issues an identity token for a user, as `docker login` gets one: it is exchanged by POST, grant_type=refresh_token.
func (r *Registry) IdentityToken(user string) string { return r.tokens.identity(user) }

// Token issues a token for scopes ("repository:team/app:pull"), as the token endpoint does for somebody who is logged in.
func (r *Registry) Token(scopes ...string) string { return r.tokens.issue("test", scopes) }

// serve is the handler of all listeners.
func (r *Registry) serve(w http.ResponseWriter, req *http.Request) {
	record := r.record(req)
	r.mu.Lock()
	ping, token := r.ping, r.token
	r.mu.Unlock()
	w.Header().Set("Docker-Distribution-API-Version", "registry/2.0")
	switch {
	case req.URL.Path == "/token":
		if token == nil {
			token = r.serveToken
		}
		token(w, req)
	case req.URL.Path == "/v2/" && ping != nil:
		ping(w, req)
	default:
		r.serveRegistry(w, req, record)
	}
}

// serveRegistry is the registry behind its login.
func (r *Registry) serveRegistry(w http.ResponseWriter, req *http.Request, record Request) {
	needed := neededScope(req)
	open := false
	switch r.config.Login {
	case None:
		open = true
	case Basic:
		open = r.passwordFits(record) || r.config.Public && strings.HasSuffix(needed, ":pull")
	case Bearer:
		open = record.Scheme == "Bearer" && r.tokens.opens(record.Secret, needed)
	}
	if !open {
		for _, c := range r.challengesFor(needed) {
			w.Header().Add("WWW-Authenticate", c)
		}
		sendError(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
		return
	}
	r.content.ServeHTTP(w, req)
}

func (r *Registry) passwordFits(q Request) bool {
	password, known := r.config.Users[q.User]
	return q.Scheme == "Basic" && known && password == q.Secret
}

func (r *Registry) challengesFor(scope string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.challenges) > 0 {
		return r.challenges
	}
	if r.config.Login == Basic {
		return []string{fmt.Sprintf("Basic realm=%q", Service)}
	}
	challenge := fmt.Sprintf("Bearer realm=%q,service=%q", r.Realm, Service)
	if scope != "" {
		challenge += fmt.Sprintf(",scope=%q", scope)
	}
	return []string{challenge}
}

// neededScope returns what a token must be issued for to make a request, and "" where any token will do.
func neededScope(req *http.Request) string {
	rest, ok := strings.CutPrefix(req.URL.Path, "/v2/")
	if !ok || rest == "" {
		return ""
	}
	if rest == "_catalog" {
		return "registry:catalog:*"
	}
	action := "pull"
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		action = "push"
	}
	for _, endpoint := range []string{"/blobs/uploads", "/manifests/", "/blobs/", "/referrers/", "/tags/list"} {
		if i := strings.LastIndex(rest, endpoint); i > 0 {
			if endpoint == "/blobs/uploads" {
				action = "push"
			}
			return "repository:" + rest[:i] + ":" + action
		}
	}
	return "nothing" // no such endpoint: no token is issued for this
}
