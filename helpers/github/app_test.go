package github

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/githubtest"
	"github.com/fe055d52/credential-helper/internal/httpclient"
	"github.com/fe055d52/credential-helper/internal/strictjson"
)

const (
	appID  = 12345
	client = "Iv23liABCDEF"
)

// A forge is a GitHub with an App, installed at the organization acme and at the user bob, and a rule's helper for it.
type forge struct {
	t       *testing.T
	server  *githubtest.Server
	options Options
	rule    helpers.Rule
	vars    map[string]string
	now     time.Time
}

func newForge(t *testing.T) *forge {
	t.Helper()
	s := githubtest.New(t)
	s.AddApp(githubtest.App{ID: appID, ClientID: client, Key: &githubtest.Key().PublicKey})
	read := map[string]string{"contents": "read", "packages": "read"}
	s.Install(githubtest.Installation{ID: 678, App: appID, Owner: "Acme", Permissions: read})
	s.Install(githubtest.Installation{ID: 901, App: appID, Owner: "bob", User: true, Repositories: []string{"dot"}, Permissions: read})
	for _, name := range []string{"tools", "site"} {
		s.AddRepo(githubtest.Repo{Owner: "Acme", Name: name, Trees: []string{"abc123"}})
	}
	s.AddRepo(githubtest.Repo{Owner: "bob", Name: "dot"})
	s.AddRepo(githubtest.Repo{Owner: "eve", Name: "tools"})
	f := &forge{t: t, server: s, vars: map[string]string{privateKeyVariable: githubtest.PEM(githubtest.Key())}, now: time.Now()}
	sources := machine(t, f.vars)
	sources.Env.Now = func() time.Time { return f.now }
	f.options = Options{Sources: sources, Client: httpclient.New("test")}
	return f
}

// build makes the helper of a rule with a config.
func (f *forge) build(config string) helpers.Helper {
	f.t.Helper()
	var h helpers.Helper
	if err := strictjson.Decode("config", []byte(config), func(o *strictjson.Object) { h = New(f.options)(f.rule, o) }); err != nil {
		f.t.Fatal(err)
	}
	return h
}

// url returns a URL at the server as an Enterprise Server.
func (f *forge) url(path string) *url.URL { return parse(f.t, f.server.URL+path) }

// answer finds the credential and makes the headers for a URL.
func (f *forge) answer(h helpers.Helper, u *url.URL) (helpers.Credential, helpers.Response) {
	f.t.Helper()
	c, err := h.Credential(f.t.Context(), u)
	if err != nil {
		f.t.Fatal(err)
	}
	resp, err := h.Headers(f.t.Context(), u, c)
	if err != nil {
		f.t.Fatal(err)
	}
	return c, resp
}

// fetch returns the status that the server answers with to a request with headers.
func (f *forge) fetch(u *url.URL, headers helpers.Response) int {
	f.t.Helper()
	req, err := http.NewRequestWithContext(f.t.Context(), http.MethodGet, u.String(), nil)
	if err != nil {
		f.t.Fatal(err)
	}
	for name, values := range headers.Headers {
		req.Header.Set(name, values[0].Reveal())
	}
	resp, err := f.server.Client().Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

func (f *forge) wantRequests(lookups, mints int) {
	f.t.Helper()
	if l, m := f.server.Lookups(), f.server.Mints(); l != lookups || m != mints {
		f.t.Errorf("%d lookups and %d mints, want %d and %d", l, m, lookups, mints)
	}
}

// A memory is a Memo that keeps answers for as long as the real one.
type memory struct {
	mu   sync.Mutex
	kept map[helpers.Question]kept
	now  func() time.Time
}

type kept struct {
	resp  helpers.Response
	until time.Time
}

func (m *memory) memo(ctx context.Context, q helpers.Question, ask func(context.Context) (helpers.Response, error)) (helpers.Response, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if k, ok := m.kept[q]; ok && m.now().Before(k.until) {
		return k.resp, nil
	}
	resp, err := ask(ctx)
	if err != nil {
		return resp, err
	}
	k := kept{resp, m.now().Add(time.Minute)}
	if !resp.Expires.IsZero() {
		k.until = helpers.WithMargin(resp.Expires, m.now())
	}
	m.kept[q] = k
	return resp, nil
}

func (f *forge) remember() {
	m := &memory{kept: map[helpers.Question]kept{}, now: func() time.Time { return f.now }}
	f.options.Memo = m.memo
}

// TestAppForms holds that every part of GitHub takes a token of the App's, in both layouts, and nothing without one.
func TestAppForms(t *testing.T) {
	f := newForge(t)
	enterprise := f.build(`{"app_id": 12345, "owner": "acme"}`)
	f.options.Client = f.server.Client()
	public := f.build(`{"app_id": "Iv23liABCDEF", "installation_id": 678}`)
	for _, tt := range []struct {
		h       helpers.Helper
		url     string
		without int
	}{
		{enterprise, f.server.URL + "/api/v3/repos/acme/tools", 404},
		{enterprise, f.server.URL + "/api/v3/repos/acme/tools/git/trees/abc123", 404},
		{enterprise, f.server.URL + "/acme/tools/archive/main.tar.gz", 404},
		{enterprise, f.server.URL + "/acme/tools/releases/download/v1/f", 404},
		{enterprise, f.server.URL + "/raw/acme/tools/main/f", 404},
		{enterprise, f.server.URL + "/acme/tools.git/info/refs?service=git-upload-pack", 401},
		{public, "https://api.github.com/repos/acme/tools", 404},
		{public, "https://github.com/acme/tools/archive/main.tar.gz", 404},
		{public, "https://codeload.github.com/acme/tools/tar.gz/main", 404},
		{public, "https://raw.githubusercontent.com/acme/tools/main/f", 404},
		{public, "https://github.com/acme/tools.git/info/refs?service=git-upload-pack", 401},
	} {
		t.Run(tt.url, func(t *testing.T) {
			u := parse(t, tt.url)
			if got := f.fetch(u, helpers.Response{}); got != tt.without {
				t.Errorf("without headers: %d, want %d", got, tt.without)
			}
			c, headers := f.answer(tt.h, u)
			if got := f.fetch(u, headers); got != http.StatusOK {
				t.Errorf("with headers: %d", got)
			}
			if c.Username != "x-access-token" || !strings.HasPrefix(c.Secret.Reveal(), "ghs_") || !strings.HasSuffix(c.Source, ", installation 678 (key from $GITHUB_APP_PRIVATE_KEY)") {
				t.Errorf("got the login %s from %q", c.Username, c.Source)
			}
			if life := headers.Expires.Sub(f.now); life < 59*time.Minute || life > 60*time.Minute || !headers.Expires.Equal(c.Expires) {
				t.Errorf("it lives for %s", life)
			}
		})
	}
}

// TestAppLeastPrivilege holds that a token opens what the rule says, and no more.
func TestAppLeastPrivilege(t *testing.T) {
	f := newForge(t)
	for _, tt := range []struct {
		config, path string
		want         int
	}{
		{`{"app_id": 12345, "owner": "acme", "repositories": ["tools"]}`, "/api/v3/repos/acme/tools", 200},
		{`{"app_id": 12345, "owner": "acme", "repositories": ["tools"]}`, "/api/v3/repos/acme/site", 404},
		{`{"app_id": 12345, "owner": "acme"}`, "/api/v3/repos/acme/site", 200},
		{`{"app_id": 12345, "owner": "acme"}`, "/api/v3/repos/eve/tools", 404},
		{`{"app_id": 12345, "owner": "acme", "permissions": {"metadata": "read"}}`, "/api/v3/repos/acme/tools", 200},
		{`{"app_id": 12345, "owner": "acme", "permissions": {"metadata": "read"}}`, "/api/v3/repos/acme/tools/git/trees/abc123", 403},
		{`{"app_id": 12345, "owner": "BOB"}`, "/api/v3/repos/bob/dot", 200},
	} {
		t.Run(tt.config+" "+tt.path, func(t *testing.T) {
			u := f.url(tt.path)
			_, headers := f.answer(f.build(tt.config), u)
			if got := f.fetch(u, headers); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
	var bodies []string
	for _, r := range f.server.Requests() {
		if strings.HasSuffix(r.Path, "/access_tokens") {
			bodies = append(bodies, string(r.Body))
		}
	}
	if bodies[0] != `{"repositories":["tools"],"permissions":{"contents":"read"}}` || bodies[2] != `{"permissions":{"contents":"read"}}` {
		t.Errorf("asked for %s and %s", bodies[0], bodies[2])
	}
}

// TestAppRemembers holds that a token is asked for once, whatever its form, and anew as soon as anything that it depends on changes.
func TestAppRemembers(t *testing.T) {
	f := newForge(t)
	f.remember()
	const rule = `{"app_id": 12345, "owner": "acme"}`
	h := f.build(rule)
	paths := []string{"/api/v3/repos/acme/tools", "/raw/acme/tools/main/f", "/acme/tools.git/info/refs", "/acme/site/archive/main.tar.gz"}
	for _, path := range paths {
		if _, ok := h.Scope(f.url(path)); !ok {
			t.Fatalf("no scope for %s", path)
		}
	}
	f.wantRequests(0, 0) // a scope costs nothing
	first, _ := f.answer(h, f.url(paths[0]))
	for _, path := range paths {
		if c, _ := f.answer(h, f.url(path)); c.Secret.Reveal() != first.Secret.Reveal() || c.Source != first.Source || !c.Expires.Equal(first.Expires) {
			t.Errorf("%s: another login", path)
		}
	}
	f.wantRequests(1, 1)

	for i, config := range []string{
		`{"app_id": 12345, "owner": "acme", "repositories": ["tools"]}`,
		`{"app_id": 12345, "owner": "acme", "permissions": {"packages": "read"}}`,
	} {
		f.answer(f.build(config), f.url(paths[0]))
		f.wantRequests(1, 2+i) // the installation is the same
	}
	f.answer(f.build(`{"app_id": 12345, "owner": "bob"}`), f.url(paths[0]))
	f.wantRequests(3, 4) // asked for as an organization, then as a user

	// Another key, which the App has too.
	other := githubtest.NewKey()
	f.server.AddApp(githubtest.App{ID: 777, Key: &other.PublicKey})
	f.vars[privateKeyVariable] = githubtest.PEM(other)
	if _, err := h.Credential(t.Context(), f.url(paths[0])); err == nil {
		t.Error("a token that another key got is used")
	}
	f.vars[privateKeyVariable] = githubtest.PEM(githubtest.Key())
	f.server.Forget()

	f.now = f.now.Add(58 * time.Minute)
	f.answer(h, f.url(paths[0]))
	f.wantRequests(0, 0)
	f.now = f.now.Add(time.Minute + time.Second)
	f.server.SetClock(func() time.Time { return f.now })
	if c, _ := f.answer(h, f.url(paths[0])); c.Secret.Reveal() == first.Secret.Reveal() {
		t.Error("a token is used in the last minute of its life")
	}
	f.wantRequests(0, 1)
	f.now = f.now.Add(24 * time.Hour)
	f.answer(h, f.url(paths[0]))
	f.wantRequests(1, 2)
}

// TestAppInstalledAgain holds that an installation that was removed and made again is found, though the old one is remembered.
func TestAppInstalledAgain(t *testing.T) {
	f := newForge(t)
	f.remember()
	h := f.build(`{"app_id": 12345, "owner": "acme"}`)
	f.answer(h, f.url("/acme/tools"))
	f.server.Uninstall(678)
	f.now = f.now.Add(59*time.Minute + time.Second)
	f.server.SetClock(func() time.Time { return f.now })
	_, err := h.Credential(t.Context(), f.url("/acme/tools"))
	wantError(t, err, "the GitHub App 12345 is not installed at acme ("+f.server.URL+")", `an owner of it installs the App`)

	f.server.Install(githubtest.Installation{ID: 679, App: appID, Owner: "acme", Permissions: map[string]string{"contents": "read"}})
	c, _ := f.answer(h, f.url("/acme/tools"))
	if c.Source != "GitHub App 12345, installation 679 (key from $GITHUB_APP_PRIVATE_KEY)" {
		t.Errorf("the login is from %q", c.Source)
	}
}

// TestAppOfURL holds that a rule without an owner uses the installation at the owner whom the URL names, and no other.
func TestAppOfURL(t *testing.T) {
	f := newForge(t)
	f.remember()
	h := f.build(`{"app_id": 12345}`)
	for path, want := range map[string]int{
		"/api/v3/repos/acme/tools": 678, "/ACME/tools/archive/main.tar.gz": 678, "/raw/acme/site/main/f": 678, "/acme/tools.git/info/refs": 678,
		"/bob/dot/archive/main.tar.gz": 901, "/api/v3/users/bob": 901,
	} {
		c, _ := f.answer(h, f.url(path))
		if !strings.Contains(c.Source, "installation "+strconv.Itoa(want)+" ") {
			t.Errorf("%s: %s", path, c.Source)
		}
	}
	f.wantRequests(3, 2)
	for path, want := range map[string]string{
		"/eve/tools":      "the GitHub App 12345 is not installed at eve (" + f.server.URL + ")",
		"/eve/other":      "the GitHub App 12345 is not installed at eve (" + f.server.URL + ")",
		"/api/v3/user":    "the URL names no owner, whose installation of the GitHub App 12345 could be used",
		"/":               "the URL names no owner",
		"/orgs/acme/x":    "the URL names no owner",
		"/api/v3/repos":   "the URL names no owner",
		"/api/v3":         "the URL names no owner",
		"/%2e%2e%2f/acme": "the URL names no owner",
	} {
		u, err := url.Parse(f.server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = h.Credential(t.Context(), u)
		if !errors.Is(err, helpers.ErrNotFound) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
	f.wantRequests(5, 2)

	// That eve has not installed it is no answer to a rule that names eve.
	_, err := f.build(`{"app_id": 12345, "owner": "eve"}`).Credential(t.Context(), f.url("/eve/tools"))
	wantError(t, err, "the GitHub App 12345 is not installed at eve", `is "eve" spelled right?`)
	if errors.Is(err, helpers.ErrNotFound) {
		t.Error("it is 'not found', and would be passed over")
	}
}
