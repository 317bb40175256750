// Package packagetest has model servers of package managers, which take the header that the real server takes, and no other.
package packagetest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// A JuliaServer is a model of a Julia Pkg server with logins, and of what renews them. Its facts:
//
//   - GET /registries, /registry/…, /package/…, /artifact/… and /meta take "Authorization: Bearer ACCESS_TOKEN", and answer 401 to anything else
//     (https://pkgdocs.julialang.org/v1/protocol/#Authentication, which goes by RFC 6750).
//   - GET of the refresh URL takes "Authorization: Bearer REFRESH_TOKEN" and answers with a new auth.toml (the same page, "Refreshing Access Tokens",
//     and get_auth_header in https://github.com/JuliaLang/Pkg.jl/blob/master/src/PlatformEngines.jl).
//   - A refresh token serves once: the answer brings the next one. That the protocol leaves to the server, and this is the strictest that one can be.
type JuliaServer struct {
	*httptest.Server

	mu              sync.Mutex
	access, refresh string
	refreshes       int
	misbehave       http.HandlerFunc
	answer          string
}

// NewJuliaServer starts a server on loopback that accepts the two tokens. It ends with the test.
func NewJuliaServer(t testing.TB, access, refresh string) *JuliaServer {
	t.Helper()
	s := &JuliaServer{access: access, refresh: refresh, answer: "expires_in = 86400\n"}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// RefreshURL is what stands under "refresh_url" in an auth.toml for this server.
func (s *JuliaServer) RefreshURL() string { return s.URL + "/auth/renew/token.toml" }

// Host is the server's host and port.
func (s *JuliaServer) Host() string { return strings.TrimPrefix(s.URL, "http://") }

// Refreshes tells how many requests came to the refresh URL.
func (s *JuliaServer) Refreshes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refreshes
}

// Access returns the access token that is good now.
func (s *JuliaServer) Access() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.access
}

// Answer sets the TOML that a renewed auth.toml has beside its tokens and its refresh URL.
func (s *JuliaServer) Answer(toml string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = toml
}

// Misbehave has h answer at the refresh URL, to whatever is sent there; nil puts an end to that.
func (s *JuliaServer) Misbehave(h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.misbehave = h
}

// ServeHTTP answers for the Pkg server and for what renews its logins.
func (s *JuliaServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	refresh := r.URL.Path == "/auth/renew/token.toml"
	s.mu.Lock()
	if refresh {
		s.refreshes++
	}
	misbehave := s.misbehave
	s.mu.Unlock()
	if refresh && misbehave != nil {
		misbehave(w, r)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	want := "Bearer " + s.access
	if refresh {
		want = "Bearer " + s.refresh
	}
	switch got := r.Header.Values("Authorization"); {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
	case len(got) != 1 || got[0] != want:
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, "not authorized", http.StatusUnauthorized)
	case refresh:
		s.access, s.refresh = s.access+"+", s.refresh+"+"
		fmt.Fprintf(w, "access_token = %q\nrefresh_token = %q\nrefresh_url = %q\n%s", s.access, s.refresh, s.RefreshURL(), s.answer)
	default:
		fmt.Fprintln(w, "/registry/23338594-aafe-5451-b93e-139f81909106/0000000000000000000000000000000000000000")
	}
}
