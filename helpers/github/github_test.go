package github

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/strictjson"
	"github.com/fe055d52/credential-helper/internal/trace"
	"github.com/fe055d52/credential-helper/lookup"
)

func parse(t *testing.T, raw string) *url.URL {
	t.Helper()
	req, err := helpers.ParseRequest(raw)
	if err != nil {
		t.Fatal(err)
	}
	return req.URL
}

func machine(t *testing.T, vars map[string]string) *lookup.Sources {
	home := t.TempDir()
	return &lookup.Sources{Env: &env.Env{
		Get:  func(name string) (string, bool) { v, ok := vars[name]; return v, ok },
		Home: home, Dir: home,
	}}
}

func build(t *testing.T, s *lookup.Sources, config string) helpers.Helper {
	t.Helper()
	var h helpers.Helper
	err := strictjson.Decode("config", []byte(config), func(o *strictjson.Object) { h = New(Options{Sources: s})(helpers.Rule{}, o) })
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestForms(t *testing.T) {
	const (
		bearer = "Bearer tok"
		raw    = "Basic dG9rOg=="                 // tok:
		git    = "Basic eC1hY2Nlc3MtdG9rZW46dG9r" // x-access-token:tok
	)
	for _, tt := range []struct{ url, want string }{
		{"https://github.com/o/r/archive/refs/tags/v1.tar.gz", bearer},
		{"https://github.com/o/r/releases/download/v1/f", bearer},
		{"https://github.com/o/r/raw/main/f", bearer},
		{"https://api.github.com/repos/o/r", bearer},
		{"https://api.github.com/repos/o/r.git/x", bearer},
		{"https://codeload.github.com/o/r/tar.gz/main", bearer},
		{"https://uploads.github.com/repos/o/r/releases/1/assets", bearer},
		{"https://npm.pkg.github.com/@o/p", bearer},
		{"https://*.github.com/", bearer},
		{"https://raw.githubusercontent.com/o/r/main/f", raw},
		{"https://github.com/o/r.git/info/refs?service=git-upload-pack", git},
		{"https://github.com/o/r/info/refs?service=git-upload-pack", git},
		{"https://github.com/o/r.git/git-upload-pack", git},
		{"https://github.com/o/r.git/info/lfs/objects/batch", git},
		{"https://github.com/o/r.git", git},
		{"https://gist.github.com/0123.git/info/refs", git},
		{"https://objects.githubusercontent.com/x", ""},
		{"https://release-assets.githubusercontent.com/x", ""},
		{"https://ghe.acme.test/api/v3/repos/o/r", bearer},
		{"https://ghe.acme.test/raw/o/r/main/f", raw},
		{"https://raw.ghe.acme.test/o/r/main/f", raw},
		{"https://codeload.ghe.acme.test/o/r/tar.gz/main", bearer},
		{"https://ghe.acme.test/o/r.git/info/refs", git},
	} {
		t.Run(tt.url, func(t *testing.T) {
			u := parse(t, tt.url)
			h := build(t, machine(t, map[string]string{"GH_TOKEN": "tok", "GH_ENTERPRISE_TOKEN": "tok"}), `{}`)
			if _, ok := h.Scope(u); !ok {
				if tt.want != "" {
					t.Error("no scope")
				}
				return
			}
			c, err := h.Credential(context.Background(), u)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := h.Headers(context.Background(), u, c)
			if err != nil {
				t.Fatal(err)
			}
			if got := resp.Headers["Authorization"]; len(got) != 1 || got[0].Reveal() != tt.want || len(resp.Headers) != 1 {
				t.Errorf("got %q, want %q", got[0].Reveal(), tt.want)
			}
		})
	}
}

func TestHost(t *testing.T) {
	for in, want := range map[string]string{
		"https://github.com/": "github.com", "https://api.github.com/": "github.com", "https://raw.githubusercontent.com/": "github.com",
		"https://ghe.acme.test/": "ghe.acme.test", "https://raw.ghe.acme.test/": "ghe.acme.test", "https://api.acme.ghe.com/": "acme.ghe.com",
		"https://evilgithub.com/": "evilgithub.com", "https://github.com.evil.test/": "github.com.evil.test",
		"https://raw.test/": "raw.test", "https://*.ghe.acme.test/": "ghe.acme.test",
	} {
		if got := Host(parse(t, in)); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func TestSources(t *testing.T) {
	all := map[string]string{"GH_TOKEN": "gh", "GITHUB_TOKEN": "github", "GH_ENTERPRISE_TOKEN": "ghe", "GITHUB_ENTERPRISE_TOKEN": "githube", "OWN": "own"}
	only := func(names ...string) map[string]string {
		m := map[string]string{}
		for _, n := range names {
			m[n] = all[n]
		}
		return m
	}
	const hosts = "github.com:\n  user: bob\n  oauth_token: stored\nghe.acme.test:\n  oauth_token: ghestored\n"
	for _, tt := range []struct {
		name, config, url string
		vars              map[string]string
		hosts             string
		want, source      string // want "" for not found
	}{
		{name: "GH_TOKEN first", url: "https://github.com/o/r", vars: all, want: "gh", source: "$GH_TOKEN"},
		{name: "then GITHUB_TOKEN", url: "https://github.com/o/r", vars: only("GITHUB_TOKEN"), want: "github", source: "$GITHUB_TOKEN"},
		{name: "Enterprise Server has its own", url: "https://raw.ghe.acme.test/o", vars: all, want: "ghe", source: "$GH_ENTERPRISE_TOKEN"},
		{name: "GITHUB_ENTERPRISE_TOKEN", url: "https://ghe.acme.test/o", vars: only("GITHUB_ENTERPRISE_TOKEN", "GH_TOKEN"), want: "githube", source: "$GITHUB_ENTERPRISE_TOKEN"},
		{name: "a token for GitHub never goes to an Enterprise Server", url: "https://ghe.acme.test/o", vars: only("GH_TOKEN", "GITHUB_TOKEN")},
		{name: "nor the other way", url: "https://github.com/o", vars: only("GH_ENTERPRISE_TOKEN")},
		{name: "ghe.com takes GitHub's", url: "https://acme.ghe.com/o", vars: only("GH_TOKEN"), want: "gh", source: "$GH_TOKEN"},
		{name: "the CLI's login", url: "https://github.com/o", hosts: hosts, want: "stored"},
		{name: "the CLI's login to another server", url: "https://ghe.acme.test/o", hosts: hosts, want: "ghestored"},
		{name: "no login to a third", url: "https://other.test/o", hosts: hosts},
		{name: "not when switched off", config: `{"read_config_file": false}`, url: "https://github.com/o", hosts: hosts},
		{name: "own chain", config: `{"lookup_chain": [{"source": "env", "name": "OWN"}]}`, url: "https://github.com/o", vars: all, want: "own", source: "$OWN"},
		{name: "own chain replaces the variables", config: `{"lookup_chain": [{"source": "env", "name": "NONE"}]}`, url: "https://github.com/o", vars: all},
		{name: "and keeps the CLI's login", config: `{"lookup_chain": [{"source": "env", "name": "NONE"}]}`, url: "https://github.com/o", hosts: hosts, want: "stored"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := machine(t, tt.vars)
			if tt.hosts != "" {
				path := filepath.Join(s.Env.Home, ".config", "gh", "hosts.yml")
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(tt.hosts), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if tt.config == "" {
				tt.config = `{}`
			}
			c, err := build(t, s, tt.config).Credential(context.Background(), parse(t, tt.url))
			if tt.want == "" {
				if !errors.Is(err, helpers.ErrNotFound) {
					t.Fatalf("got %q, %v; want not found", c.Secret.Reveal(), err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.Secret.Reveal() != tt.want || tt.source != "" && c.Source != tt.source {
				t.Errorf("got %q from %s", c.Secret.Reveal(), c.Source)
			}
		})
	}
}

// TestKeyringIsAskedOnce holds that no entry of the keyring is asked for twice. There is no keyring, where that is known without one.
func TestKeyringIsAskedOnce(t *testing.T) {
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		t.Skip("the keyring is always there, and no variable of the test's changes that")
	}
	const noName = `reading service "gh:github.com" from the keyring`
	for _, tt := range []struct{ name, config, hosts, want string }{
		{"without a user", `{}`, "github.com:\n", noName},
		{"with a user", `{}`, "github.com:\n  user: bob\n", noName + "\n" + `reading service "gh:github.com", account "bob" from the keyring`},
		{"without hosts.yml", `{"read_config_file": false}`, "github.com:\n", noName},
		{"own chain", `{"lookup_chain": [{"source": "env", "name": "NONE"}]}`, "github.com:\n", noName},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := machine(t, nil)
			path := filepath.Join(s.Env.Home, ".config", "gh", "hosts.yml")
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(tt.hosts), 0o600); err != nil {
				t.Fatal(err)
			}
			var asked []string
			r := &trace.Recorder{OnEvent: func(e trace.Event) {
				if strings.HasSuffix(e.What, "from the keyring") {
					asked = append(asked, e.What)
				}
			}}
			_, err := build(t, s, tt.config).Credential(trace.NewContext(t.Context(), r), parse(t, "https://github.com/o/r"))
			if !errors.Is(err, helpers.ErrNotFound) {
				t.Errorf("error %v, want not found", err)
			}
			if got := strings.Join(asked, "\n"); got != tt.want {
				t.Errorf("asked:\n%s\nwant:\n%s", got, tt.want)
			}
		})
	}
}

func TestAnonymous(t *testing.T) {
	resp, err := build(t, machine(t, nil), `{}`).Headers(context.Background(), parse(t, "https://github.com/o/r"), helpers.Credential{})
	if err != nil || !resp.Empty() {
		t.Errorf("got %v, %v", resp, err)
	}
}

// FuzzScope holds that a scope names the URL's own origin and nothing behind it but an owner that stands in its path,
// and that the API of a URL is at its own host, or at one that it is a service of.
func FuzzScope(f *testing.F) {
	f.Add("https://github.com/o/r.git/info/refs")
	f.Add("https://api.github.com/repos/o/r")
	f.Add("http://[::1]:80/raw/o")
	f.Add("https://raw.co.uk/api/v3/orgs/o/x")
	f.Add("https://*.acme.ghe.com:8443/")
	f.Fuzz(func(t *testing.T, raw string) {
		req, err := helpers.ParseRequest(raw)
		if err != nil {
			return
		}
		u := req.URL
		scope, _ := (&helper{}).Scope(u)
		if !strings.HasPrefix(scope, helpers.Origin(u)+" ") {
			t.Errorf("%s has the scope %q", raw, scope)
		}
		byURL, _ := (&helper{app: &app{}}).Scope(u)
		owner, ok := strings.CutPrefix(byURL, scope+" ")
		if !ok || owner != "" && !strings.Contains(strings.ToLower(u.Path)+"/", "/"+owner+"/") {
			t.Errorf("%s has the scope %q", raw, byURL)
		}
		base := API(u)
		name := strings.TrimPrefix(base.Hostname(), "api.")
		if base.User != nil || base.Host != strings.ToLower(base.Host) || name != "github.com" && !strings.HasSuffix("."+u.Hostname(), "."+name) {
			t.Errorf("the API of %s is %s", raw, base)
		}
		if helpers.Secure(u) && !helpers.Secure(base) {
			t.Errorf("the API of %s is not encrypted: %s", raw, base)
		}
		Repository(u)
	})
}

// TestLoginOfAnotherTool holds that a login of another tool keeps what that knows of it: the part of the host that it is for, and its end.
func TestLoginOfAnotherTool(t *testing.T) {
	s := machine(t, nil)
	for name, text := range map[string]string{
		"npmrc":     "//github.test/a/:_authToken=token-a\n//github.test/b/:_authToken=token-b\n",
		"auth.json": `{"gitlab-oauth": {"github.test": {"token": "t", "expires-at": 4000000000}}}`,
	} {
		if err := os.WriteFile(filepath.Join(s.Env.Home, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a, b := parse(t, "https://github.test/a/r/archive/v1.tar.gz"), parse(t, "https://github.test/b/r/archive/v1.tar.gz")

	h := build(t, s, `{"lookup_chain": [{"source": "npmrc", "path": "~/npmrc", "binding": "default"}]}`)
	if one, _ := h.Scope(a); one != "" {
		if other, _ := h.Scope(b); one == other {
			t.Errorf("two URLs with different logins share the scope %q", one)
		}
	}
	h = build(t, s, `{"lookup_chain": [{"source": "composer", "path": "~/auth.json", "binding": "default"}]}`)
	c, err := h.Credential(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := h.Headers(t.Context(), a, c); err != nil || resp.Expires.Unix() != 4000000000 {
		t.Errorf("the headers of a login that ends are good until %v (%v)", resp.Expires, err)
	}
	one, _ := h.Scope(a)
	if other, _ := h.Scope(b); one != other {
		t.Errorf("two URLs with one login have the scopes %q and %q", one, other)
	}
}
