// Package packagetest runs models of package registries in this process: servers that take a login in the forms in which the real ones take it,
// and refuse every other, for tests.
//
// A model is as strict as what is known of its server; where a fact comes from stands beside it. It serves any path that its server would serve
// to whoever sends the right header, and answers 401 to all others. What it serves says which path it is.
package packagetest

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// A Login is what the servers know of their one user.
type Login struct {
	User, Email, Password string
	// Token is the user's token. ReadToken, where not empty, is what a server with separate tokens wants for reading.
	Token, ReadToken string
	// JobToken is that of a CI job.
	JobToken string
}

// Alice is a login for tests. No two of its values are equal, so that the right one has to be sent.
var Alice = Login{
	User: "alice", Email: "alice@example.com", Password: "wonderland-passwd", Token: "srg_0123456789abcdef", JobToken: "job-0123456789abcdef",
}

// A Server is a running model.
type Server struct {
	// URL is its origin: "http://127.0.0.1:41234". Host is the same without the scheme.
	URL, Host string
	Login     Login

	mu   sync.Mutex
	seen []http.Header
}

// Seen returns the headers of all requests so far.
func (s *Server) Seen() []http.Header {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]http.Header(nil), s.seen...)
}

// Kinds returns the names of all kinds of servers.
func Kinds() []string {
	names := make([]string, 0, len(kinds))
	for name := range kinds {
		names = append(names, name)
	}
	return names
}

// Start starts a server of a kind that Kinds lists, which ends with the test.
func Start(t testing.TB, kind string, login Login) *Server {
	t.Helper()
	accepts, ok := kinds[kind]
	if !ok {
		t.Fatalf("there is no kind of server %q", kind)
	}
	s := &Server{Login: login}
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.seen = append(s.seen, r.Header.Clone())
		s.mu.Unlock()
		accepts(s, w, r)
	}))
	t.Cleanup(h.Close)
	s.URL, s.Host = h.URL, strings.TrimPrefix(h.URL, "http://")
	return s
}

// serve answers a request whose login was accepted.
func serve(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("this is " + r.URL.Path)) }

// refuse answers 401, with a challenge where the server sends one.
func refuse(w http.ResponseWriter, challenge string) {
	if challenge != "" {
		w.Header().Set("WWW-Authenticate", challenge)
	}
	w.WriteHeader(http.StatusUnauthorized)
}

// A taken is the set of the headers that are right, as "NAME: VALUE".
type taken []string

// has reports whether a request carries exactly one header that could be a login, and that is right.
// A server that looks at one of several would hide that the wrong one was sent beside it.
func (t taken) has(r *http.Request) bool {
	var sent []string
	for _, name := range []string{"Authorization", "PRIVATE-TOKEN", "JOB-TOKEN", "X-JFrog-Art-Api", "X-NuGet-ApiKey"} {
		for _, value := range r.Header.Values(name) {
			sent = append(sent, name+": "+value)
		}
	}
	if len(sent) != 1 {
		return false
	}
	for _, right := range t {
		if sent[0] == right {
			return true
		}
	}
	return false
}

func bearer(token string) string { return "Authorization: Bearer " + token }
func raw(token string) string    { return "Authorization: " + token }

func basic(user, password string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// only returns what serves those who send one of the headers that forms gives.
func only(challenge string, forms func(l Login) taken) func(*Server, http.ResponseWriter, *http.Request) {
	return func(s *Server, w http.ResponseWriter, r *http.Request) {
		if forms(s.Login).has(r) {
			serve(w, r)
			return
		}
		refuse(w, challenge)
	}
}
