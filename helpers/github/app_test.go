package github

import (
	"context"
	"errors"
	"fmt"
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
	"github.com/fe055d52/credential-helper/internal/registrytest"
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

func TestAppConfig(t *testing.T) {
	const key = `"lookup_chain": [{"source": "env", "name": "KEY", "binding": "private_key"}]`
	for _, tt := range []struct{ name, config, want string }{
		{"least", `{"app_id": 12345}`, ""},
		{"id as a string", `{"app_id": "12345", "installation_id": "678"}`, ""},
		{"client id", `{"app_id": "Iv23liABCDEF", "owner": "acme"}`, ""},
		{"everything", `{"app_id": 1, "owner": "a-b_c", "repositories": ["x", "y.z"], "permissions": {"contents": "read", "pull_requests": "write"}, ` + key + `}`, ""},
		{"binding default", `{"app_id": 1, "lookup_chain": [{"source": "env", "name": "KEY"}]}`, ""},

		{"id of another type", `{"app_id": true}`, `f:1:12: "app_id" takes a string or a number, not a boolean`},
		{"id with a fraction", `{"app_id": 1.5}`, `f:1:12: "app_id" takes a string or a whole number, not 1.5`},
		{"id empty", `{"app_id": ""}`, `f:1:12: "app_id" takes the App's id (12345) or its client id ("Iv23li…"), both of which stand on the App's page`},
		{"id zero", `{"app_id": 0}`, `f:1:12: "app_id" takes the App's id`},
		{"id a URL", `{"app_id": "https://github.com/apps/x"}`, `f:1:12: "app_id" takes the App's id`},
		{"installation not a number", `{"app_id": 1, "installation_id": "acme"}`, `f:1:34: "installation_id" takes a number: the last part of the address of the installation's page`},
		{"installation empty", `{"app_id": 1, "installation_id": ""}`, `f:1:34: "installation_id" takes a number`},
		{"installation and owner", `{"app_id": 1, "installation_id": 2, "owner": "acme"}`, `f:1:46: "owner" and "installation_id" both say which installation is used; leave one of them out`},
		{"owner empty", `{"app_id": 1, "owner": ""}`, `f:1:24: "owner" takes the name of an organization or a user, without a host and without a repository`},
		{"owner with repository", `{"app_id": 1, "owner": "acme/tools"}`, `f:1:24: "owner" takes the name of an organization or a user`},
		{"owner that climbs", `{"app_id": 1, "owner": ".."}`, `f:1:24: "owner" takes the name of an organization or a user`},
		{"repositories empty", `{"app_id": 1, "owner": "acme", "repositories": []}`, `f:1:48: "repositories" names none; leave it out for all that the installation may use`},
		{"repositories with owner", `{"app_id": 1, "owner": "acme", "repositories": ["acme/tools"]}`, `f:1:48: "repositories" takes names without their owner: "tools", not "acme/tools"`},
		{"repositories twice", `{"app_id": 1, "owner": "acme", "repositories": ["tools", "Tools"]}`, `f:1:48: "repositories" has "Tools" twice`},
		{"repositories not names", `{"app_id": 1, "owner": "acme", "repositories": ["a b"]}`, `f:1:48: "repositories" has "a b", which is not the name of a repository`},
		{"too many repositories", `{"app_id": 1, "owner": "acme", "repositories": ["` + strings.Repeat(`x", "`, 500) + `x"]}`, `f:1:48: "repositories" has 501 names, and GitHub takes no more than 500`},
		{"repositories of nobody", `{"app_id": 1, "repositories": ["tools"]}`, `f:1:31: "repositories" are those of one owner: they need an "owner" or an "installation_id"`},
		{"permissions not an object", `{"app_id": 1, "permissions": "read"}`, `f:1:30: "permissions" takes an object, not a string`},
		{"permissions empty", `{"app_id": 1, "permissions": {}}`, `f:1:30: "permissions" grants nothing; leave it out for {"contents": "read"}`},
		{"permission level", `{"app_id": 1, "permissions": {"contents": "raed"}}`, `f:1:43: "contents" takes one of "read", "write", "admin", not "raed" (did you mean "read"?)`},
		{"permission name", `{"app_id": 1, "permissions": {"pull-requests": "read"}}`, `f:1:48: "pull-requests" is not the name of a permission, as in "contents" or "pull_requests"`},
		{"the CLI's login", `{"app_id": 1, "read_config_file": true}`, `f:1:35: "read_config_file" is about the GitHub CLI's login, and a rule with "app_id" uses the App alone`},
		{"unknown binding", `{"app_id": 1, "lookup_chain": [{"source": "env", "name": "K", "binding": "token"}]}`, `f:1:74: unknown binding "token"; this helper knows private_key, default`},
		{"unknown key", `{"app_id": 1, "permission": {}}`, `f:1:15: unknown key "permission" (did you mean "permissions"?)`},

		{"installation without App", "{\n  \"installation_id\": 2}", `f:2:22: "installation_id" is for a GitHub App: it needs an "app_id"`},
		{"owner without App", `{"owner": "acme"}`, `f:1:11: "owner" is for a GitHub App: it needs an "app_id"`},
		{"repositories without App", `{"repositories": ["x"]}`, `f:1:18: "repositories" is for a GitHub App: it needs an "app_id"`},
		{"permissions without App", `{"permissions": {"contents": "read"}}`, `f:1:17: "permissions" is for a GitHub App: it needs an "app_id"`},
		{"key without App", `{` + key + `}`, `f:1:18: the binding "private_key" is for a GitHub App: it needs an "app_id"`},
		{"mistyped app_id", `{"appid": 1, "owner": "acme"}`, `f:1:23: "owner" is for a GitHub App: it needs an "app_id"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := strictjson.Decode("f", []byte(tt.config), func(o *strictjson.Object) { New(Options{Sources: machine(t, nil)})(helpers.Rule{}, o) })
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.want)):
				t.Errorf("\n got %v\nwant %s", err, tt.want)
			}
		})
	}
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

func TestAppScope(t *testing.T) {
	build := func(config string) helpers.Helper { return build(t, machine(t, nil), config) }
	byURL, fixed := build(`{"app_id": 1}`), build(`{"app_id": 1, "owner": "acme"}`)
	for in, want := range map[string]string{
		"https://github.com/Acme/tools/archive/v1.tar.gz":       "https://github.com bearer acme",
		"https://github.com/acme/site":                          "https://github.com bearer acme",
		"https://github.com/bob/site":                           "https://github.com bearer bob",
		"https://github.com/acme/tools.git/info/refs":           "https://github.com git acme",
		"https://github.com/settings/tokens":                    "https://github.com bearer ",
		"https://github.com/":                                   "https://github.com bearer ",
		"https://api.github.com/repos/acme/tools":               "https://api.github.com bearer acme",
		"https://api.github.com/orgs/acme/repos":                "https://api.github.com bearer acme",
		"https://api.github.com/acme/tools":                     "https://api.github.com bearer ",
		"https://uploads.github.com/repos/acme/t/releases/1":    "https://uploads.github.com bearer acme",
		"https://raw.githubusercontent.com/acme/tools/main/f":   "https://raw.githubusercontent.com raw acme",
		"https://codeload.github.com/acme/tools/tar.gz/main":    "https://codeload.github.com bearer acme",
		"https://maven.pkg.github.com/acme/tools/a/b":           "https://maven.pkg.github.com bearer acme",
		"https://npm.pkg.github.com/@acme/p":                    "https://npm.pkg.github.com bearer ",
		"https://*.github.com/":                                 "https://*.github.com bearer ",
		"https://ghe.acme.test/api/v3/repos/team/t":             "https://ghe.acme.test bearer team",
		"https://ghe.acme.test/raw/team/t/main/f":               "https://ghe.acme.test raw team",
		"https://raw.ghe.acme.test/team/t/main/f":               "https://raw.ghe.acme.test raw team",
		"https://api.acme.ghe.com/repos/team/t":                 "https://api.acme.ghe.com bearer team",
		"https://acme.ghe.com/team/t/archive/v1.tar.gz":         "https://acme.ghe.com bearer team",
		"https://ghe.acme.test:8443/team/t/archive/main.tar.gz": "https://ghe.acme.test:8443 bearer team",
	} {
		u := parse(t, in)
		if got, ok := byURL.Scope(u); !ok || got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
		short := want[:strings.LastIndexByte(want, ' ')]
		if got, ok := fixed.Scope(u); !ok || got != short {
			t.Errorf("%s, with an owner in the rule: %q, want %q", in, got, short)
		}
	}
}

func TestAppKeyMissing(t *testing.T) {
	f := newForge(t)
	delete(f.vars, privateKeyVariable)
	f.vars["GH_TOKEN"], f.vars["GH_ENTERPRISE_TOKEN"] = "tok", "tok"
	_, err := f.build(`{"app_id": 12345, "owner": "acme"}`).Credential(t.Context(), f.url("/acme/tools"))
	wantError(t, err, "no login found: $GITHUB_APP_PRIVATE_KEY is not set", "put the private key of the GitHub App 12345 into $GITHUB_APP_PRIVATE_KEY")
	if !errors.Is(err, helpers.ErrNotFound) {
		t.Error("it is not 'not found'")
	}
	f.vars["KEY"] = "tok"
	_, err = f.build(`{"app_id": 12345, "owner": "acme", "lookup_chain": [{"source": "env", "name": "KEY"}]}`).Credential(t.Context(), f.url("/acme/tools"))
	wantError(t, err, "reading the private key of the GitHub App 12345 from $KEY: it is not PEM", "make a new key")
	f.wantRequests(0, 0)
}

// TestAppNotEncrypted holds that an App logs in over plain HTTP to loopback only, or where the rule allows it.
func TestAppNotEncrypted(t *testing.T) {
	f := newForge(t)
	f.options.Client = f.server.Client()
	u := parse(t, "http://ghe.acme.test/acme/tools")
	const config = `{"app_id": 12345, "owner": "acme"}`
	_, err := f.build(config).Credential(t.Context(), u)
	wantError(t, err, "http://ghe.acme.test is not encrypted, and a GitHub App logs in there", `"allow_http": true`)
	f.wantRequests(0, 0)
	f.rule.AllowHTTP = true
	f.answer(f.build(config), u)
	f.wantRequests(1, 1)
}

func mintBody(token string, expires time.Time) string {
	return fmt.Sprintf(`{"token": %q, "expires_at": %q}`, token, expires.UTC().Format(time.RFC3339))
}

func TestAppErrors(t *testing.T) {
	const (
		byID    = `{"app_id": 12345, "installation_id": 678}`
		byOwner = `{"app_id": 12345, "owner": "acme"}`
	)
	elsewhere := githubtest.New(t)
	minting := func(h http.HandlerFunc) func(*forge) { return func(f *forge) { f.server.SetMint(h) } }
	ahead := func(d time.Duration) func(*forge) {
		return func(f *forge) {
			server := f.now.Truncate(time.Second)
			f.server.SetClock(func() time.Time { return server })
			f.now = server.Add(d)
		}
	}
	now := time.Now()
	for _, tt := range []struct {
		name, config string
		spoil        func(*forge)
		want, hint   string
	}{
		{
			"unknown App", `{"app_id": 1, "installation_id": 678}`, nil,
			"for a token of the GitHub App 1, installation 678: 404 Not Found: Integration not found", `is "app_id" right (1), and is the App of this server?`,
		},
		{
			"unknown App, by owner", `{"app_id": 1, "owner": "acme"}`, nil,
			"for the installation of the GitHub App 1 at acme: 404 Not Found: Integration not found", `is "app_id" right (1)`,
		},
		{
			"another App's key", byID, func(f *forge) { f.vars[privateKeyVariable] = githubtest.PEM(githubtest.NewKey()) },
			"401 Unauthorized: A JSON web token could not be decoded", "is the key from $GITHUB_APP_PRIVATE_KEY one of the GitHub App 12345, and not deleted there?",
		},
		{
			"clock ahead", byID, ahead(12 * time.Minute),
			"401 Unauthorized: 'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued (this machine's clock is 12m0s ahead of the server's)",
			"set this machine's clock right (NTP)",
		},
		{
			"clock a little ahead", byID, ahead(90 * time.Second),
			"(this machine's clock is 1m30s ahead of the server's)", "set this machine's clock right (NTP)",
		},
		{
			"clock behind", byOwner, ahead(-time.Hour),
			"401 Unauthorized: 'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires (this machine's clock is 1h0m0s behind the server's)",
			"set this machine's clock right (NTP)",
		},
		{
			"unknown installation", `{"app_id": 12345, "installation_id": 999}`, nil,
			"installation 999: 404 Not Found", `is "installation_id" right, and is the App still installed?`,
		},
		{
			"not installed", `{"app_id": 12345, "owner": "eve"}`, nil,
			"the GitHub App 12345 is not installed at eve (http://127.0.0.1:", `is "eve" spelled right? an owner of it installs the App`,
		},
		{
			"gone between two requests", byOwner, minting(registrytest.Status(404, `{"message":"Not Found"}`)),
			"installation 678: 404 Not Found", "is the App still installed at acme?",
		},
		{
			"suspended", `{"app_id": 12345, "installation_id": 55}`, func(f *forge) {
				f.server.Install(githubtest.Installation{ID: 55, App: appID, Owner: "eve", Suspended: true})
			},
			"403 Forbidden: This installation has been suspended", "an owner of the account lifts that on the installation's page",
		},
		{
			"repository not granted", `{"app_id": 12345, "owner": "bob", "repositories": ["secret"]}`, nil,
			"422 Unprocessable Entity: There is at least one repository that does not exist or is not accessible to the parent installation.", `compare "repositories" and "permissions" in the rule with the installation's page`,
		},
		{
			"permission not granted", `{"app_id": 12345, "owner": "acme", "permissions": {"contents": "write"}}`, nil,
			"422 Unprocessable Entity: The permissions requested are not granted to this installation.", `compare "repositories" and "permissions"`,
		},
		{
			"forbidden otherwise", byID, minting(registrytest.Status(403, `{"message":"the organization has an IP allow list,\n and it's not there: token=abcdefgh"}`)),
			"403 Forbidden: the organization has an IP allow list, and it's not there: token=[redacted]", `compare "repositories"`,
		},
		{
			"rate limit", byID, minting(registrytest.Status(403, `{"message":"API rate limit exceeded"}`, "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "1700000000")),
			"403 Forbidden: API rate limit exceeded", "the rate limit is used up; try again at 22:13:20 UTC",
		},
		{
			"second rate limit", byID, minting(registrytest.Status(429, `{"message":"slow down"}`, "Retry-After", "17")),
			"429 Too Many Requests: slow down", "try again in 17 s",
		},
		{
			"server in trouble", byID, minting(registrytest.Status(502, `{"message":"Server Error"}`)),
			"502 Bad Gateway: Server Error", "the server is in trouble; try again later",
		},
		{
			"no status that there is", byID, minting(registrytest.Status(299, `{}`)),
			"status 299", "this is no answer that GitHub's API gives",
		},
		{
			"status with a web page", byID, minting(registrytest.HTML(503)),
			"503 Service Unavailable, with a web page (HTML) as its body", "the server is in trouble",
		},
		{
			"web page", byID, minting(registrytest.HTML(201)),
			"the answer is a web page (HTML)", "does a proxy or a sign-in page stand before 127.0.0.1:",
		},
		{"huge", byID, minting(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, `{"padding":"`+strings.Repeat("x", 2<<20)+`"}`)
		}), "the response is larger than 1048576 bytes", ""},
		{"not JSON", byID, minting(registrytest.Status(201, `{"token":`)), "the answer is not valid JSON", ""},
		{"an array", byID, minting(registrytest.Status(201, `["x"]`)), `the answer holds no "token"`, ""},
		{"token of another type", byID, minting(registrytest.Status(201, `{"token": 5}`)), `the answer holds no "token"`, ""},
		{"token empty", byID, minting(registrytest.Status(201, `{"token": ""}`)), `the answer holds no "token"`, ""},
		{"token with a line break", byID, minting(registrytest.Status(201, mintBody("ghs_canary0\r\nX-Evil: 1", now.Add(time.Hour)))), "the answer's token has characters that a header must not have (a line break?)", ""},
		{"no expiry", byID, minting(registrytest.Status(201, `{"token": "ghs_canary0"}`)), `the answer holds no "expires_at" that is a time`, ""},
		{"expiry not a time", byID, minting(registrytest.Status(201, `{"token": "ghs_canary0", "expires_at": "soon"}`)), `the answer holds no "expires_at" that is a time`, ""},
		{"expired", byID, minting(registrytest.Status(201, mintBody("ghs_canary0", now.Add(-time.Minute)))), "the new token has expired: it ended at ", "is there a proxy that answers from a cache?"},
		{
			"redirect to another server", byID, minting(registrytest.Redirect(307, elsewhere.URL+"/api/v3/app/installations/678/access_tokens")),
			"redirects (307) to another server, " + elsewhere.URL + "; no credential is sent there", "if the server is at " + elsewhere.URL + " now",
		},
		{"hangs up", byID, minting(registrytest.Hangup()), "the server closed the connection before its answer was complete", "try again"},
		{"lookup in trouble", byOwner, func(f *forge) { f.server.SetLookup(registrytest.Status(500, `{}`)) }, "for the installation of the GitHub App 12345 at acme: 500 Internal Server Error", "the server is in trouble"},
		{"lookup without a number", byOwner, func(f *forge) { f.server.SetLookup(registrytest.Status(200, `{"id": "../x"}`)) }, `for the installation of the GitHub App 12345 at acme: the answer holds no "id" that is a number`, ""},
		{"nobody there", byID, func(f *forge) { f.server.Close() }, "connection refused", "is a server running at 127.0.0.1:"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newForge(t)
			if tt.spoil != nil {
				tt.spoil(f)
			}
			_, err := f.build(tt.config).Credential(t.Context(), f.url("/acme/tools"))
			wantError(t, err, tt.want, tt.hint, f.vars[privateKeyVariable], "ghs_canary0")
			if errors.Is(err, helpers.ErrNotFound) {
				t.Error("it is 'not found', and would be passed over")
			}
			for _, r := range f.server.Requests() {
				if jwt, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); jwt == "" || strings.Contains(err.Error(), jwt) {
					t.Errorf("the error tells the JWT, or there was none: %s", err)
				}
			}
		})
	}
	if n := len(elsewhere.Requests()); n != 0 {
		t.Errorf("%d requests went to the other server", n)
	}
}

func TestAppTimeout(t *testing.T) {
	f := newForge(t)
	f.server.SetMint(registrytest.Hang())
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errors.New("the time is up"))
	defer cancel()
	_, err := f.build(`{"app_id": 12345, "installation_id": 678}`).Credential(ctx, f.url("/acme/tools"))
	wantError(t, err, "for a token of the GitHub App 12345, installation 678: no answer in time: the time is up", "reachable from here (network, VPN, HTTPS_PROXY)?")
}

// TestAppExpiry holds that a token's life is counted by the server's clock, from when it was asked for by ours.
func TestAppExpiry(t *testing.T) {
	server := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, tt := range []struct {
		name string
		date string
		ends time.Time
		life time.Duration
	}{
		{"an hour by another clock", server.Format(http.TimeFormat), server.Add(time.Hour), time.Hour},
		{"what is left of it", server.Format(http.TimeFormat), server.Add(10 * time.Minute), 10 * time.Minute},
		{"never more than an hour", server.Format(http.TimeFormat), server.Add(1000 * time.Hour), time.Hour},
		{"no clock but ours", "", time.Time{}, 30 * time.Minute},
		{"a clock that is none", "yesterday", time.Time{}, 30 * time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newForge(t)
			f.now = f.now.Truncate(time.Second)
			ends := tt.ends
			if ends.IsZero() {
				ends = f.now.Add(tt.life)
			}
			f.server.SetMint(func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Date"] = nil
				if tt.date != "" {
					w.Header().Set("Date", tt.date)
				}
				w.WriteHeader(http.StatusCreated)
				_, _ = io.WriteString(w, mintBody("ghs_x", ends))
			})
			c, resp := f.answer(f.build(`{"app_id": 12345, "installation_id": 678}`), f.url("/acme/tools"))
			if life := c.Expires.Sub(f.now); life != tt.life || !resp.Expires.Equal(c.Expires) {
				t.Errorf("it lives for %s, want %s", life, tt.life)
			}
		})
	}
}
