package oci_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/helpers/oci"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/httpclient"
	"github.com/fe055d52/credential-helper/internal/registrytest"
	"github.com/fe055d52/credential-helper/internal/strictjson"
	"github.com/fe055d52/credential-helper/lookup"
)

// A machine is what a helper sees of the world in these tests.
type machine struct {
	vars   map[string]string
	docker string // the text of ~/.docker/config.json
	now    func() time.Time
	client *http.Client
	chains func(*lookup.Sources) map[string]lookup.Chain
	rule   helpers.Rule
}

// helper builds a helper from the config of a rule.
func (m machine) helper(t testing.TB, config string) helpers.Helper {
	t.Helper()
	h, err := m.decode(t, config)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (m machine) decode(t testing.TB, config string) (h helpers.Helper, err error) {
	t.Helper()
	home := t.TempDir()
	if m.docker != "" {
		if err := os.Mkdir(filepath.Join(home, ".docker"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(home, ".docker", "config.json"), []byte(m.docker), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	now := m.now
	if now == nil {
		now = time.Now
	}
	e := &env.Env{Home: home, Dir: home, Now: now, Get: func(name string) (string, bool) {
		v, ok := m.vars[name]
		return v, ok
	}}
	o := oci.Options{Sources: &lookup.Sources{Env: e}, Client: m.client}
	if o.Client == nil {
		o.Client = httpclient.New("test")
	}
	if m.chains != nil {
		o.DefaultChains = m.chains(o.Sources)
	}
	err = strictjson.Decode("config.json", []byte(config), func(c *strictjson.Object) { h = oci.New(o)(m.rule, c) })
	return h, err
}

// answer does for a URL what the program does: it finds the login and asks for the headers. No login is the anonymous one.
func answer(ctx context.Context, t testing.TB, h helpers.Helper, url string) (helpers.Response, error) {
	t.Helper()
	r, err := helpers.ParseRequest(url)
	if err != nil {
		t.Fatal(err)
	}
	c, err := h.Credential(ctx, r.URL)
	if err != nil && !errors.Is(err, helpers.ErrNotFound) {
		return helpers.Response{}, err
	}
	return h.Headers(ctx, r.URL, c)
}

// told returns what a user reads of an error: its text, and its hint on a line of its own.
func told(err error) string {
	if err == nil {
		return ""
	}
	text := err.Error()
	var hint *helpers.HintError
	if errors.As(err, &hint) {
		text += "\nhint: " + hint.Hint
	}
	return text
}

// shown returns a response's headers as a client gets them.
func shown(r helpers.Response) map[string]string {
	headers := map[string]string{}
	for name, values := range r.Headers {
		texts := make([]string, len(values))
		for i, v := range values {
			texts[i] = v.Reveal()
		}
		headers[name] = strings.Join(texts, " AND ")
	}
	return headers
}

func base64Of(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// jwt returns an unsigned JWT with claims.
func jwt(claims string) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"alg":"none"}`)) + "." + enc([]byte(claims)) + ".x"
}

const passwordChain = `{"lookup_chain": [
	{"source": "env", "name": "USER_NAME", "binding": "username"},
	{"source": "env", "name": "PASSWORD", "binding": "password"}]}`

var alice = map[string]string{"USER_NAME": "alice", "PASSWORD": "wonderland"}

func start(t testing.TB, c registrytest.Config) *registrytest.Registry {
	t.Helper()
	c.Users = map[string]string{"alice": "wonderland"}
	r, err := registrytest.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func TestConfig(t *testing.T) {
	for _, tt := range []struct{ config, want string }{
		{`{}`, ""},
		{`{"lookup_chain": []}`, ""},
		{passwordChain, ""},
		{`{"parse_docker_config": false, "token_exchange_method": "oauth2", "realms": ["login.corp.test", "login.corp.test:8443"]}`, ""},
		{`{"lookup_chain": [{"source": "env", "name": "X", "binding": "auth"}, {"source": "env", "name": "X", "binding": "identitytoken"},
			{"source": "env", "name": "X", "binding": "registrytoken"}, {"source": "env", "name": "X"}, {"source": "docker"}]}`, ""},
		{
			`{"lookup_chain": [{"source": "env", "name": "X", "binding": "user"}]}`,
			`config.json:1:61: unknown binding "user"; this helper knows default, username, password, auth, identitytoken, registrytoken`,
		},
		{`{"parse_docker_config": "yes"}`, `config.json:1:25: "parse_docker_config" takes true or false, not a string`},
		{`{"token_exchange_method": "post"}`, `config.json:1:27: "token_exchange_method" takes one of "auto", "oauth2", "basic", not "post"`},
		{`{"realms": "login.corp.test"}`, `config.json:1:12: "realms" takes an array of strings, not a string`},
		{`{"realms": ["https://login.corp.test/"]}`, `config.json:1:12: "realms": "https://login.corp.test/" is not a host: write it without a scheme and a path, as HOST or HOST:PORT`},
		{`{"realm": []}`, `config.json:1:2: unknown key "realm" (did you mean "realms"?)`},
	} {
		_, err := machine{}.decode(t, tt.config)
		if got := told(err); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.config, got, tt.want)
		}
	}
}

func TestHostBound(t *testing.T) {
	for config, want := range map[string]bool{
		`{}`: true,
		`{"lookup_chain": [{"source": "docker"}]}`: true,
		`{"lookup_chain": []}`:                     true,
		`{"parse_docker_config": false}`:           true,
		passwordChain:                              false,
		`{"lookup_chain": [{"source": "docker"}, {"source": "env", "name": "X"}]}`: false,
	} {
		h := machine{chains: defaultChains}.helper(t, config)
		if got := h.(helpers.HostBound).HostBound(); got != want {
			t.Errorf("%s: bound %v, want %v", config, got, want)
		}
	}
}

func defaultChains(s *lookup.Sources) map[string]lookup.Chain {
	return map[string]lookup.Chain{"ghcr.io": {
		{Source: s.Docker()},
		{Source: s.Variable("GHCR_TOKEN"), Binding: lookup.Default},
	}}
}

func TestCredential(t *testing.T) {
	const all = `{"lookup_chain": [
		{"source": "env", "name": "REGISTRY_TOKEN", "binding": "registrytoken"},
		{"source": "env", "name": "IDENTITY_TOKEN", "binding": "identitytoken"},
		{"source": "env", "name": "AUTH", "binding": "auth"},
		{"source": "env", "name": "USER_NAME", "binding": "username"},
		{"source": "env", "name": "PASSWORD", "binding": "password"},
		{"source": "env", "name": "TOKEN"}]}`
	const logins = `{"auths": {
		"r.test": {"auth": "YTpi"},
		"https://index.docker.io/v1/": {"auth": "aHViOnNlY3JldA=="},
		"ghcr.io": {"auth": "Z2g6ZG9ja2Vy"},
		"nameless.test": {"password": "pat"},
		"id.test": {"identitytoken": "an-identity"}}}`
	type got struct{ user, secret, identity, registry, source string }
	for _, tt := range []struct {
		name, config, docker, url string
		vars                      map[string]string
		want                      got
		err                       string
	}{
		{name: "user and password", config: all, vars: alice, want: got{user: "alice", secret: "wonderland", source: "$PASSWORD"}},
		{name: "default means password", config: all, vars: map[string]string{"USER_NAME": "u", "TOKEN": "t"}, want: got{user: "u", secret: "t", source: "$TOKEN"}},
		{name: "password before default", config: all, vars: map[string]string{"PASSWORD": "p", "TOKEN": "t"}, want: got{user: "unset", secret: "p", source: "$TOKEN"}},
		{name: "a password alone", config: all, vars: map[string]string{"PASSWORD": "p"}, want: got{user: "unset", secret: "p", source: "$PASSWORD"}},
		{name: "a token alone", config: all, vars: map[string]string{"TOKEN": "t"}, want: got{user: "unset", secret: "t", source: "$TOKEN"}},
		{name: "a password alone before docker", config: all, docker: logins, vars: map[string]string{"PASSWORD": "p"}, want: got{user: "unset", secret: "p", source: "$PASSWORD"}},
		{name: "a user alone before docker", config: all, docker: logins, vars: map[string]string{"USER_NAME": "u"}, want: got{user: "a", secret: "b", source: "docker's logins (~/.docker/config.json)"}},
		{name: "auth", config: all, vars: map[string]string{"AUTH": base64Of("u:p:q")}, want: got{user: "u", secret: "p:q", source: "$AUTH"}},
		{name: "auth without padding", config: all, vars: map[string]string{"AUTH": "YWI6YQ"}, want: got{user: "ab", secret: "a", source: "$AUTH"}},
		{name: "auth without a user", config: all, vars: map[string]string{"AUTH": base64Of(":p")}, want: got{secret: "p", source: "$AUTH"}},
		{name: "auth with an identity token", config: all, vars: map[string]string{"AUTH": base64Of("<token>:i")}, want: got{identity: "i", source: "$AUTH"}},
		{name: "identity token by its user name", config: all, vars: map[string]string{"USER_NAME": "<token>", "PASSWORD": "i"}, want: got{identity: "i", source: "$PASSWORD"}},
		{name: "identity token", config: all, vars: map[string]string{"IDENTITY_TOKEN": "i", "PASSWORD": "p"}, want: got{identity: "i", source: "$IDENTITY_TOKEN"}},
		{name: "registry token", config: all, vars: map[string]string{"IDENTITY_TOKEN": "i", "REGISTRY_TOKEN": "r"}, want: got{registry: "r", source: "$REGISTRY_TOKEN"}},
		{name: "docker", config: `{}`, docker: logins, want: got{user: "a", secret: "b", source: "docker's logins (~/.docker/config.json)"}},
		{name: "docker, without a user", config: all, docker: logins, url: "https://nameless.test/v2/", want: got{secret: "pat", source: "docker's logins (~/.docker/config.json)"}},
		{name: "docker, without a user, before a chain's", config: `{"lookup_chain": [{"source": "docker"}, {"source": "env", "name": "USER_NAME", "binding": "username"}]}`, docker: logins, vars: alice, url: "https://nameless.test/v2/", want: got{secret: "pat", source: "docker's logins (~/.docker/config.json)"}},
		{name: "docker's identity token", config: `{}`, docker: logins, url: "https://id.test/v2/", want: got{identity: "an-identity", source: "docker's logins (~/.docker/config.json)"}},
		{name: "Docker Hub", config: `{}`, docker: logins, url: "https://docker.io/v2/library/a/tags/list", want: got{user: "hub", secret: "secret", source: "docker's logins (~/.docker/config.json)"}},
		{name: "Docker Hub's other name", config: `{}`, docker: logins, url: "https://registry-1.docker.io/", want: got{user: "hub", secret: "secret", source: "docker's logins (~/.docker/config.json)"}},
		{name: "any path of the host", config: `{}`, docker: logins, url: "https://r.test/x/y?z", want: got{user: "a", secret: "b", source: "docker's logins (~/.docker/config.json)"}},
		{name: "the chain before docker", config: all, docker: logins, vars: alice, want: got{user: "alice", secret: "wonderland", source: "$PASSWORD"}},
		{name: "default chain", config: `{}`, docker: logins, url: "https://ghcr.io/v2/a/tags/list", vars: map[string]string{"GHCR_TOKEN": "t"}, want: got{user: "gh", secret: "docker", source: "docker's logins (~/.docker/config.json)"}},
		{name: "default chain without docker", config: `{"parse_docker_config": false}`, docker: logins, url: "https://ghcr.io/v2/a/tags/list", vars: map[string]string{"GHCR_TOKEN": "t"}, want: got{user: "unset", secret: "t", source: "$GHCR_TOKEN"}},
		{
			name: "no default chain elsewhere", config: `{"parse_docker_config": false}`, url: "https://ghcr.io:8443/v2/a/tags/list", vars: map[string]string{"GHCR_TOKEN": "t"},
			err: "no login found: the lookup chain is empty",
		},
		{name: "docker named by the rule", config: `{"parse_docker_config": false, "lookup_chain": [{"source": "docker"}]}`, docker: logins, want: got{user: "a", secret: "b", source: "docker's logins (~/.docker/config.json)"}},
		{
			name: "nothing", config: `{"lookup_chain": [{"source": "env", "name": "TOKEN"}]}`, docker: `{}`,
			err: "no login found: $TOKEN is not set; ~/.docker/config.json has no login for r.test; podman's auth.json files do not exist\nhint: run docker login r.test",
		},
		{
			name: "nothing at Docker Hub", config: `{}`, docker: `{}`, url: "https://docker.io/",
			err: "no login found: ~/.docker/config.json has no login for docker.io; podman's auth.json files do not exist\nhint: run docker login",
		},
		{
			name: "a user alone", config: `{"parse_docker_config": false, "lookup_chain": [{"source": "env", "name": "USER_NAME", "binding": "username"}]}`, vars: alice,
			err: `no login found: found only a value for "username", which is not enough`,
		},
		{
			name: "auth that is not base64", config: all, vars: map[string]string{"AUTH": "canary!secret"},
			err: "reading the value for \"auth\" from $AUTH: it is not the base64 form of USER:PASSWORD\nhint: for a bare password or token, bind it to \"password\"",
		},
		{
			name: "auth without a colon", config: all, vars: map[string]string{"AUTH": base64Of("canary-secret")},
			err: "reading the value for \"auth\" from $AUTH: it is not the base64 form of USER:PASSWORD\nhint: for a bare password or token, bind it to \"password\"",
		},
		{name: "all hosts of a domain", config: all, vars: alice, url: "https://*.r.test/", err: "*.r.test stands for many hosts, and a registry's login is for one"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := machine{vars: tt.vars, docker: tt.docker, chains: defaultChains}.helper(t, tt.config)
			if tt.url == "" {
				tt.url = "https://r.test/v2/a/manifests/latest"
			}
			r, err := helpers.ParseRequest(tt.url)
			if err != nil {
				t.Fatal(err)
			}
			c, err := h.Credential(t.Context(), r.URL)
			if told(err) != tt.err {
				t.Fatalf("error:\n got %s\nwant %s", told(err), tt.err)
			}
			if err != nil {
				if missing := !strings.HasPrefix(tt.err, "reading"); errors.Is(err, helpers.ErrNotFound) != missing {
					t.Errorf("is not found: %v, want %v", !missing, missing)
				}
				return
			}
			if got := (got{c.Username, c.Secret.Reveal(), c.IdentityToken.Reveal(), c.RegistryToken.Reveal(), c.Source}); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// TestBrokenSource: a source that is broken ends the search, whatever stands behind it.
func TestBrokenSource(t *testing.T) {
	m := machine{docker: `{"auths": canary}`, vars: map[string]string{"GHCR_TOKEN": "t"}, chains: defaultChains}
	_, err := answer(t.Context(), t, m.helper(t, `{}`), "https://ghcr.io/v2/a/tags/list")
	if err == nil || errors.Is(err, helpers.ErrNotFound) || !strings.HasPrefix(err.Error(), "looking up a login: reading docker's logins: ") || strings.Contains(told(err), "canary") {
		t.Errorf("error %v", told(err))
	}
}

// TestBareHost: a client that names the host alone makes the exchange itself.
func TestBareHost(t *testing.T) {
	r := start(t, registrytest.Config{Login: registrytest.Bearer})
	for _, tt := range []struct {
		name string
		vars map[string]string
		want map[string]string
	}{
		{"a login", alice, map[string]string{"Authorization": "Basic " + base64Of("alice:wonderland")}},
		{"none", nil, map[string]string{}},
		{"an identity token", map[string]string{"USER_NAME": "<token>", "PASSWORD": "identity"}, map[string]string{}},
	} {
		resp, err := answer(t.Context(), t, machine{vars: tt.vars}.helper(t, passwordChain), r.URL)
		if err != nil || !reflect.DeepEqual(shown(resp), tt.want) {
			t.Errorf("%s: %v, %v; want %v", tt.name, shown(resp), err, tt.want)
		}
	}
	if n := len(r.Requests()); n != 0 {
		t.Errorf("%d requests were made, want none", n)
	}
}

func TestNoAnswer(t *testing.T) {
	h := machine{vars: alice}.helper(t, passwordChain)
	for _, u := range []string{"https://r.test/token?service=x", "https://*.r.test/v2/", "https://r.test/v2/a,b/tags/list", "grpcs://r.test/v2/"} {
		if resp, err := answer(t.Context(), t, h, u); err != nil || !resp.Empty() {
			t.Errorf("%s: %v, %v; want no headers", u, shown(resp), err)
		}
	}
}

func TestRegistryToken(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	const config = `{"lookup_chain": [{"source": "env", "name": "TOKEN", "binding": "registrytoken"}]}`
	for _, tt := range []struct {
		name, token string
		expires     time.Time
		err         string
	}{
		{name: "opaque", token: "opaque-token"},
		{name: "JWT", token: jwt(`{"exp":1777640400,"iat":1777630000}`), expires: time.Date(2026, 5, 1, 13, 0, 0, 0, time.UTC)},
		{name: "JWT without an end", token: jwt(`{"iat":1777630000}`)},
		{
			name: "expired JWT", token: jwt(`{"exp":1777636800}`),
			err: "the registry token from $TOKEN expired at 2026-05-01T12:00:00Z\nhint: put a new token there",
		},
		{
			name: "line break", token: "canary\r\nHost: evil.test",
			err: "the registry token from $TOKEN has characters that a header must not have (a line break?)",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := machine{vars: map[string]string{"TOKEN": tt.token}, now: func() time.Time { return now }}
			resp, err := answer(t.Context(), t, m.helper(t, config), "https://r.test/v2/a/tags/list")
			if told(err) != tt.err {
				t.Fatalf("error:\n got %s\nwant %s", told(err), tt.err)
			}
			if err == nil && (shown(resp)["Authorization"] != "Bearer "+tt.token || !resp.Expires.Equal(tt.expires)) {
				t.Errorf("%v until %v, want %v", shown(resp), resp.Expires, tt.expires)
			}
		})
	}
}

// TestCanary: no secret that passed through comes out of an answer that is printed.
func TestCanary(t *testing.T) {
	r := start(t, registrytest.Config{Login: registrytest.Bearer})
	h := machine{vars: alice}.helper(t, passwordChain)
	resp, err := answer(t.Context(), t, h, r.URL+"/v2/a/tags/list")
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(resp)
	if err != nil {
		t.Fatal(err)
	}
	if token := strings.TrimPrefix(shown(resp)["Authorization"], "Bearer "); token == "" || strings.Contains(string(text), token) {
		t.Errorf("the token is %q, and the answer prints as %s", token, text)
	}
}

// TestLoginThatEnds holds that the end of a login that is sent as it is is that of the answer, too.
func TestLoginThatEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "auth.json")
	if err := os.WriteFile(path, []byte(`{"gitlab-oauth": {"reg.test": {"token": "t", "expires-at": 4000000000}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for binding, at := range map[string]string{"default": "https://reg.test/", "registrytoken": "https://reg.test/v2/a/manifests/b"} {
		// A registry token is what the source has for "default", under another name.
		h := machine{}.helper(t, fmt.Sprintf(`{"lookup_chain": [{"source": "composer", "path": %q, "binding": "default"}]}`, path))
		req, err := helpers.ParseRequest(at)
		if err != nil {
			t.Fatal(err)
		}
		c, err := h.Credential(t.Context(), req.URL)
		if err != nil {
			t.Fatal(err)
		}
		if binding == "registrytoken" {
			c.RegistryToken = c.Secret
		}
		if resp, err := h.Headers(t.Context(), req.URL, c); err != nil || resp.Expires.Unix() != 4000000000 {
			t.Errorf("%s: the headers are good until %v (%v)", binding, resp.Expires, err)
		}
	}
}
