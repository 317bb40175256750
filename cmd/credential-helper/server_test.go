package main

import (
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fe055d52/credential-helper/internal/githubtest"
)

// A modelServer answers by path as servers do that a login is checked with. "t0ken-canary" is its token, "Basic Ym9iOnB3LWNhbmFyeQ==" its login.
type modelServer struct {
	*httptest.Server
	to string // where its redirects lead

	mu   sync.Mutex
	seen []string // "METHOD HOST PATH AUTHORIZATION RANGE"
}

const (
	modelToken = "Bearer t0ken-canary"
	modelBasic = "Basic Ym9iOnB3LWNhbmFyeQ=="
)

// ServeHTTP also serves as a proxy for plain HTTP: such a request names its host.
func (m *modelServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	authorization := r.Header.Get("Authorization")
	m.mu.Lock()
	m.seen = append(m.seen, strings.TrimSpace(strings.Join([]string{r.Method, r.Host, r.URL.RequestURI(), authorization, r.Header.Get("Range"), r.UserAgent()}, " ")))
	m.mu.Unlock()
	status := func(code int, headers ...string) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Add(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
	}
	login := authorization == modelToken || authorization == modelBasic
	private := func() {
		if login {
			status(200)
			return
		}
		status(401, "WWW-Authenticate", `Bearer realm="files"`)
	}
	first, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch first {
	case "public":
		status(200)
	case "portal":
		status(200, "Content-Type", "text/html; charset=utf-8")
	case "private":
		private()
	case "basic":
		if authorization == modelBasic {
			status(200)
			return
		}
		status(401, "WWW-Authenticate", `Basic realm="files"`)
	case "registry":
		status(401, "WWW-Authenticate", `Bearer realm="https://auth.test/token",service="registry.test"`)
	case "picky":
		if authorization != "" {
			status(401)
			return
		}
		status(200)
	case "forbidden":
		if login {
			status(403)
			return
		}
		status(401)
	case "hidden":
		if !login {
			status(404)
			return
		}
		status(200)
	case "no-head", "head-403":
		switch {
		case r.Method == "HEAD" && first == "no-head":
			status(405)
		case r.Method == "HEAD":
			status(403)
		default:
			private()
			_, _ = io.WriteString(w, strings.Repeat("x", 1<<20))
		}
	case "skew":
		if rest == "accepted" {
			status(200, "Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
			return
		}
		status(401, "Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
	case "hang":
		<-r.Context().Done()
	case "away":
		status(302, "Location", m.to+"/"+rest)
	case "signed-away":
		if login {
			status(307, "Location", m.to+"/signed?X-Amz-Signature=s1gnature-canary")
			return
		}
		status(401)
	case "signed":
		switch {
		case authorization != "" || r.Method == "HEAD": // as S3 does: the signature is for GET, and is the only authorization
			status(400)
		case r.URL.Query().Get("X-Amz-Signature") == "s1gnature-canary":
			status(206)
		default:
			status(403)
		}
	case "loop":
		status(302, "Location", "/loop")
	case "sign-in":
		if login {
			status(200)
			return
		}
		status(302, "Location", "/users/sign_in")
	case "limited":
		status(403, "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "1900000000")
	case "expired":
		status(401, "WWW-Authenticate", `Bearer error="invalid_token"`)
	case "scope":
		status(403, "WWW-Authenticate", `Bearer error="insufficient_scope", scope="read_api"`)
	case "broken":
		status(502)
	case "reflect":
		m.reflect(w, rest, authorization)
	default:
		status(404)
	}
}

// reflect sends back what it was sent, wherever a server can put it.
func (m *modelServer) reflect(w http.ResponseWriter, how, secret string) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	bare := secret[strings.LastIndexByte(secret, ' ')+1:]
	switch how {
	case "location":
		fmt.Fprintf(conn, "HTTP/1.1 302 Found\r\nLocation: http://%s.evil.test/%s?x=%s\r\nContent-Length: 0\r\n\r\n", bare, bare, bare)
	case "path":
		fmt.Fprintf(conn, "HTTP/1.1 302 Found\r\nLocation: %s/public/%s\r\nContent-Length: 0\r\n\r\n", m.to, bare)
	case "scheme":
		fmt.Fprintf(conn, "HTTP/1.1 302 Found\r\nLocation: %s:opaque\r\nContent-Length: 0\r\n\r\n", bare)
	case "bad-location":
		fmt.Fprintf(conn, "HTTP/1.1 302 Found\r\nLocation: http://[%s]:x/%%zz\r\nContent-Length: 0\r\n\r\n", bare)
	case "garbage":
		fmt.Fprintf(conn, "%s is no HTTP\r\n\r\n", bare)
	default:
		fmt.Fprintf(conn, "HTTP/1.1 401 %s\r\nWWW-Authenticate: %s realm=\"%s\", error=\"%s\"\r\nX-GitHub-SSO: %s\r\nX-OAuth-Scopes: %s\r\nX-Accepted-OAuth-Scopes: x%s\r\n"+
			"Retry-After: %s\r\nDate: %s\r\nContent-Length: %d\r\n\r\n%s", bare, bare, secret, bare, bare, bare, bare, bare, bare, len(secret), secret)
	}
}

// servers are those that scripts started, by their script and name: functions that return what each has seen.
var servers sync.Map

// serverCmd is "server NAME [tls] [to=URL] [proxy-407] [github]": it starts a model server, and sets $NAME to its host and port, $NAME_URL to its origin,
// $NAME_CA to its certificate.
func serverCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: server NAME [KNOB...]")
	}
	m := &modelServer{}
	m.Server = httptest.NewUnstartedServer(m)
	m.Config.ErrorLog = log.New(io.Discard, "", 0)
	start := m.Start
	for _, knob := range args[1:] {
		what, arg, _ := strings.Cut(knob, "=")
		switch what {
		case "tls":
			start = m.StartTLS
		case "to":
			m.to = arg
		case "proxy-407":
			m.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Proxy-Authenticate", `Basic realm="proxy"`)
				w.WriteHeader(http.StatusProxyAuthRequired)
			})
		case "github":
			g := startGitHub()
			ts.Defer(g.Close)
			ts.Setenv(args[0], g.Host)
			ts.Setenv(args[0]+"_URL", g.URL)
			servers.Store(ts.Name()+"/"+args[0], func() (seen []string) {
				for _, r := range g.Requests() {
					seen = append(seen, r.Method+" "+r.Host+" "+r.Path+" "+r.Header.Get("Authorization"))
				}
				return seen
			})
			return
		default:
			ts.Fatalf("unknown knob %s", knob)
		}
	}
	start()
	ts.Defer(func() {
		m.CloseClientConnections()
		m.Close()
	})
	name := args[0]
	servers.Store(ts.Name()+"/"+name, func() []string {
		m.mu.Lock()
		defer m.mu.Unlock()
		return slices.Clone(m.seen)
	})
	_, host, _ := strings.Cut(m.URL, "://")
	ts.Setenv(name, host)
	ts.Setenv(name+"_URL", m.URL)
	if c := m.Certificate(); c != nil {
		path := ts.MkAbs(name + ".pem")
		ts.Check(os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}), 0o600))
		ts.Setenv(name+"_CA", path)
	}
}

// sawCmd is "saw NAME REGEXP": a request to a server matches, "METHOD HOST PATH AUTHORIZATION RANGE AGENT".
func sawCmd(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: saw NAME REGEXP")
	}
	v, ok := servers.Load(ts.Name() + "/" + args[0])
	if !ok {
		ts.Fatalf("no server %s", args[0])
	}
	text := strings.Join(v.(func() []string)(), "\n")
	if regexp.MustCompile("(?m)"+args[1]).MatchString(text) == neg {
		ts.Fatalf("the server saw:\n%s", text)
	}
}

// startGitHub starts a model of GitHub with the repositories o/open and o/private, and these tokens: good, one that expires soon,
// and others that each are refused in their way.
func startGitHub() *githubtest.Server {
	s := githubtest.Start()
	s.AddRepo(githubtest.Repo{Owner: "o", Name: "open", Public: true, Trees: []string{modelTree}})
	s.AddRepo(githubtest.Repo{Owner: "o", Name: "private", Trees: []string{modelTree}})
	mine, day := []string{"o/private"}, 24*time.Hour
	for _, t := range []githubtest.Token{
		{Value: "ghp_goodgoodgoodgood", Repos: mine, Expires: time.Now().Add(200 * day)},
		{Value: "ghp_soonsoonsoonsoon", Repos: mine, Expires: time.Now().Add(5*day + time.Hour)},
		{Value: "ghp_blindblindblindb"},
		{Value: "ghp_ssossossossossos", Repos: mine, SSO: []string{"o"}},
		{Value: "ghp_busybusybusybusy", Repos: mine, RateLimited: true},
	} {
		s.AddToken(t)
	}
	return s
}

const modelTree = "0123456789012345678901234567890123456789"
