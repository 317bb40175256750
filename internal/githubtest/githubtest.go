// Package githubtest runs a model of GitHub in this process, for tests: the part of its REST API that tells of repositories,
// GitHub Apps with their installations and tokens, and files, archives and git behind the form of login that each of them takes.
//
//	s := githubtest.New(t)
//	s.AddRepo(githubtest.Repo{Owner: "acme", Name: "tools"})
//	s.AddToken(githubtest.Token{Value: "ghp_0123456789abcdef", Repos: []string{"acme/tools"}})
//	resp, err := http.Get(s.URL + "/api/v3/repos/acme/tools") // 404
//
// It refuses whatever GitHub's documentation does not promise: each rule has its page in a comment. It answers in two layouts.
// On its own address it is an Enterprise Server: the API at /api/v3, raw files at /raw, all else at /OWNER/REPO. To requests that name a host of GitHub's
// ("api.github.com"), as those of [Server.Client] do, it is that host.
//
// It can be told to misbehave: see [Server.SetMint], [Server.SetLookup], [Server.SetRepository], [Server.SetDelay] and [Server.SetClock].
package githubtest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A Server is a running model of GitHub.
type Server struct {
	// URL is the server's origin: "http://127.0.0.1:41234". Host is the same without the scheme, and API the base of the REST API.
	URL, Host, API string

	http *httptest.Server

	mu            sync.Mutex
	apps          []App
	installations []Installation
	repos         []Repo
	tokens        map[string]*grant
	requests      []Request
	now           func() time.Time
	mint, lookup  http.HandlerFunc
	repository    http.HandlerFunc
	delay         time.Duration
}

// An App is a GitHub App. It logs in by its id or its client id, with a JWT that its key signed.
type App struct {
	ID       int64
	ClientID string
	Key      *rsa.PublicKey
}

// An Installation is an App at one owner.
type Installation struct {
	ID    int64
	App   int64 // the App's id
	Owner string
	// User says that the owner is a user, not an organization.
	User bool
	// Repositories are the names of the owner's repositories that it may use; nil for all.
	Repositories []string
	// Permissions are what it was granted: name → "read", "write" or "admin". Metadata may always be read.
	Permissions map[string]string
	Suspended   bool
}

// A Repo is a repository.
type Repo struct {
	Owner, Name string
	Public      bool
	Trees       []string // the SHA of each tree
}

// A Token is a person's.
type Token struct {
	Value string
	// Repos are the private repositories that it may read: "owner/name".
	Repos []string
	// Expires is when it ends; zero for never.
	Expires time.Time
	// SSO are the owners that want it to be authorized for single sign-on before.
	SSO []string
	// RateLimited says that it made all the requests that it may.
	RateLimited bool
}

// A Request is a request as it arrived.
type Request struct {
	Method, Host, Path string
	Header             http.Header
	Body               []byte
}

// Start starts a server on loopback. Close ends it.
func Start() *Server {
	s := &Server{tokens: map[string]*grant{}, now: time.Now}
	s.http = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.http.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.http.Start()
	s.URL = s.http.URL
	s.Host = strings.TrimPrefix(s.URL, "http://")
	s.API = s.URL + "/api/v3"
	return s
}

// New starts a server that ends with a test.
func New(t testing.TB) *Server {
	s := Start()
	t.Cleanup(s.Close)
	return s
}

// Close ends the server.
func (s *Server) Close() {
	s.http.CloseClientConnections()
	s.http.Close()
}

// AddApp adds a GitHub App.
func (s *Server) AddApp(a App) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.apps = append(s.apps, a)
}

// Install installs an App at an owner.
func (s *Server) Install(i Installation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.installations = append(s.installations, i)
}

// Uninstall removes an installation. Its tokens end with it.
func (s *Server) Uninstall(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.installations = slices.DeleteFunc(s.installations, func(i Installation) bool { return i.ID == id })
	for value, g := range s.tokens {
		if g.installation == id {
			delete(s.tokens, value)
		}
	}
}

// AddRepo adds a repository.
func (s *Server) AddRepo(r Repo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.repos = append(s.repos, r)
}

// AddToken adds a person's token.
func (s *Server) AddToken(t Token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[t.Value] = &grant{
		expires: t.Expires, told: !t.Expires.IsZero(), sso: t.SSO, limited: t.RateLimited,
		permissions: map[string]string{"contents": "read"},
		covers:      func(r Repo) bool { return slices.Contains(t.Repos, r.Owner+"/"+r.Name) },
	}
}

// SetMint replaces the answer to requests for installation tokens; nil restores it.
func (s *Server) SetMint(h http.HandlerFunc) { s.set(&s.mint, h) }

// SetLookup replaces the answer to requests for an owner's installation; nil restores it.
func (s *Server) SetLookup(h http.HandlerFunc) { s.set(&s.lookup, h) }

// SetRepository replaces the answer to requests about repositories and their trees at the API; nil restores it.
func (s *Server) SetRepository(h http.HandlerFunc) { s.set(&s.repository, h) }

func (s *Server) set(handler *http.HandlerFunc, h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*handler = h
}

// SetClock gives the server another clock, which its Date header and all expiries are told by.
func (s *Server) SetClock(now func() time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = now
}

// SetDelay has the API take its time for every answer.
func (s *Server) SetDelay(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay = d
}

// Requests returns every request so far, in order of arrival.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Mints returns how often an installation token was asked for, and Lookups how often an owner's installation was.
func (s *Server) Mints() int { return s.count("/access_tokens") }

// Lookups returns how often an owner's installation was asked for.
func (s *Server) Lookups() int { return s.count("/installation") }

func (s *Server) count(suffix string) int {
	n := 0
	for _, r := range s.Requests() {
		if strings.HasSuffix(r.Path, suffix) {
			n++
		}
	}
	return n
}

// Forget empties the record of requests.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = nil
}

// Transport returns what brings requests for any host to this server, with their host named as it was.
func (s *Server) Transport() http.RoundTripper { return transport{s} }

// Client returns a client with that transport. It follows no redirect.
func (s *Server) Client() *http.Client {
	return &http.Client{Transport: s.Transport(), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

type transport struct{ s *Server }

func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	named := req.URL.Host
	req = req.Clone(req.Context())
	req.Host = named
	req.URL.Scheme, req.URL.Host = "http", t.s.Host
	return t.s.http.Client().Transport.RoundTrip(req)
}

// Key returns a key of the size that GitHub hands out, the same one for all of this process.
var Key = sync.OnceValue(NewKey)

// NewKey returns a new key.
func NewKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	return key
}

// PEM returns a key as GitHub hands it out: PKCS #1.
// https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/managing-private-keys-for-github-apps
func PEM(key *rsa.PrivateKey) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
}

// An area is a part of GitHub that has a host, or at an Enterprise Server a path, of its own.
type area int

const (
	web area = iota
	api
	raw
	codeload
)

// areaOf returns which part of GitHub a request is for, and the path there.
// https://docs.github.com/enterprise-server/admin/configuring-settings/hardening-security-for-your-enterprise/enabling-subdomain-isolation
func areaOf(req *http.Request) (area, string) {
	name, _, _ := strings.Cut(req.Host, ":")
	switch {
	case name == "github.com":
		return web, req.URL.Path
	case name == "api.github.com", strings.HasPrefix(name, "api.") && strings.HasSuffix(name, ".ghe.com"):
		return api, req.URL.Path
	case name == "raw.githubusercontent.com":
		return raw, req.URL.Path
	case name == "codeload.github.com":
		return codeload, req.URL.Path
	}
	for prefix, area := range map[string]area{"/api/v3/": api, "/raw/": raw, "/codeload/": codeload} {
		if path, ok := strings.CutPrefix(req.URL.Path, prefix); ok {
			return area, "/" + path
		}
	}
	return web, req.URL.Path
}

func (s *Server) serve(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(req.Body, 1<<20))
	s.mu.Lock()
	s.requests = append(s.requests, Request{req.Method, req.Host, req.URL.Path, req.Header.Clone(), body})
	w.Header().Set("Date", s.now().UTC().Format(http.TimeFormat))
	s.mu.Unlock()
	// https://docs.github.com/rest/using-the-rest-api/getting-started-with-the-rest-api#user-agent
	if req.UserAgent() == "" {
		sendError(w, http.StatusForbidden, "Request forbidden by administrative rules. Please make sure your request has a User-Agent header")
		return
	}
	switch area, path := areaOf(req); area {
	case api:
		s.serveAPI(w, req, path, body)
	default:
		s.serveContent(w, req, area, path)
	}
}

func send(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func sendError(w http.ResponseWriter, status int, message string) {
	send(w, status, map[string]string{"message": message, "documentation_url": "https://docs.github.com/rest"})
}
