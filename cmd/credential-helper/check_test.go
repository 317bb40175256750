package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/config"
	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/peertest"
	"github.com/fe055d52/credential-helper/internal/probe"
	"github.com/fe055d52/credential-helper/internal/redact"
)

// TestCheckShowsNoSecret has servers send back what they were sent, in every place that a server has, and an answer that comes
// from the cache, whose secrets this process has not looked up.
func TestCheckShowsNoSecret(t *testing.T) {
	const secret = "CaNaRy-t0ken-0123"
	other := &modelServer{}
	other.Server = httptest.NewServer(other)
	defer other.Close()
	m := &modelServer{to: other.URL}
	m.Server = httptest.NewServer(m)
	defer m.Close()
	host := strings.TrimPrefix(m.URL, "http://")
	basic := base64.StdEncoding.EncodeToString([]byte("bob:" + secret))
	hidden := []string{strings.ToLower(secret), strings.ToLower(basic), strings.ToLower(base64.StdEncoding.EncodeToString([]byte(secret)))}
	for form, rule := range map[string]string{
		"bearer": `{"auth_method": "bearer", "lookup_chain": [{"source": "env", "name": "SECRET"}]}`,
		"raw":    `{"auth_method": "raw", "lookup_chain": [{"source": "env", "name": "SECRET"}]}`,
		"basic":  `{"username": "bob", "password": "${SECRET}"}`,
	} {
		for _, cached := range []bool{false, true} {
			s := newSite(t, fmt.Sprintf(`{"urls": [{"host": %q, "helper": "registry", "config": %s}]}`, host, rule), "SECRET="+secret, "CREDENTIAL_HELPER_LOGGING=debug")
			if cached {
				s.env = append(s.env, "CREDENTIAL_HELPER_STANDALONE=", "CREDENTIAL_HELPER_CACHE=file:"+filepath.Join(s.home, "cache"))
				s.get(m.URL + "/private/x")
			}
			for _, how := range []string{"words", "location", "path", "scheme", "bad-location", "garbage"} {
				for _, flag := range []string{"--json=false", "--json"} {
					if flag == "--json" && how != "words" {
						continue
					}
					args := []string{program(t), "check", flag, m.URL + "/reflect/" + how}
					r := peertest.Run(t, s.home, s.env, args, "")
					if r.Code != 1 || r.Stdout == "" {
						t.Errorf("%s, %s: exit status %d, %q\n%s", form, how, r.Code, r.Stdout, r.Stderr)
					}
					for _, h := range hidden {
						if strings.Contains(strings.ToLower(r.Stdout+r.Stderr), h) {
							t.Errorf("%s, %s, cached %v: the secret is shown:\n%s%s", form, how, cached, r.Stdout, r.Stderr)
						}
					}
				}
			}
		}
	}
	for _, line := range other.seen {
		if strings.Contains(strings.ToLower(line), "canary") {
			t.Errorf("the other server was sent %s", line)
		}
	}
}

// TestCheckWritesNothing holds that a check leaves the home directory as it was.
func TestCheckWritesNothing(t *testing.T) {
	m := &modelServer{}
	m.Server = httptest.NewServer(m)
	defer m.Close()
	s := newSite(t, `{"urls": [{"host": "127.0.0.1:*", "helper": "registry", "config": {"token": "x-${USER_TOKEN}"}}]}`, "USER_TOKEN=t0ken")
	list := func() (names []string) {
		_ = filepath.WalkDir(s.home, func(path string, _ os.DirEntry, _ error) error {
			names = append(names, path)
			return nil
		})
		return names
	}
	before := list()
	peertest.Run(t, s.home, s.env, []string{program(t), "check", m.URL + "/private"}, "")
	if after := list(); strings.Join(after, "\n") != strings.Join(before, "\n") {
		t.Errorf("the home directory has %q, and had %q", after, before)
	}
}

// TestSuggestedRulesLoad holds that a rule which is told to be copied is one, and is for the URL.
func TestSuggestedRulesLoad(t *testing.T) {
	for raw, want := range map[string]struct {
		challenges []probe.Challenge
		helper     string
	}{
		"https://files.example.com/a":         {nil, "registry"},
		"https://files.example.com:8443/a":    {[]probe.Challenge{{Scheme: "basic", Realm: `a"b`}}, "registry"},
		"https://10.0.0.1/v2/team/app/tags/x": {nil, "oci"},
		"https://[2001:db8::1]:5000/x":        {[]probe.Challenge{{Scheme: "bearer", Realm: "https://auth.test/"}}, "oci"},
		"https://github.example.com/o/r":      {nil, "github"},
	} {
		req, err := helpers.ParseRequest(raw)
		if err != nil {
			t.Fatal(err)
		}
		r := &checkReport{}
		r.suggest(req.URL, probe.Answer{Challenges: want.challenges})
		_, kinds := kindsFor(t, nil)
		f, err := config.Parse("copied", []byte(`{"urls": [`+strings.Join(r.lines, "\n")+`]}`), kinds, false)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		if len(r.lines) != 2 || !f.Rules[0].Matches(req.URL) || f.Rules[0].HelperName != want.helper || !json.Valid(r.SuggestedRule) {
			t.Errorf("%s: %q", raw, r.lines)
		}
	}
}

// TestRemedies are what to do where nothing is sent.
func TestRemedies(t *testing.T) {
	e, kinds := kindsFor(t, nil)
	a := &app{env: e}
	file, err := config.Parse("f.json", []byte(`{"urls": [{"host": "null.test", "helper": "null"}, {"host": "oci.test", "helper": "oci"}]}`), kinds, false)
	if err != nil {
		t.Fatal(err)
	}
	c := &checker{app: a, resolver: &resolver{routes: &config.Routes{Files: []config.File{file}}, now: testNow}}
	for raw, want := range map[string]string{
		"https://other.test/x":                   "add a rule for other.test; nothing is sent without one",
		"https://github.com/o/r":                 `set "use_defaults": true in your file: a built-in rule serves this URL, where no file is in its way`,
		"https://null.test/x":                    "give the rule at f.json:1 another helper: null sends nothing",
		"https://oci.test/x":                     "the helper oci sends nothing to https://oci.test/x",
		"https://other.test/x?X-Amz-Signature=1": "supply a login",
	} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		l, err := c.login(context.Background(), u)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.remedy(l, u); got != want {
			t.Errorf("%s: %q, want %q", raw, got, want)
		}
	}
	l := login{account: account{missing: helpers.NotFoundf("no login found: $X is not set"), decision: decision{rule: &file.Rules[0]}}}
	if got, want := c.remedy(l, &url.URL{Scheme: "https", Host: "a.test", Path: "/x"}), "log in; credential-helper setup-uri https://a.test/x tells how"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	l.missing = helpers.WithHint(errors.New("no"), "run docker login")
	if got, want := c.remedy(l, &url.URL{}), "run docker login"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestCarries holds that what was sent is recognized in a redirect, whatever form it has there.
func TestCarries(t *testing.T) {
	c := &checker{}
	c.remember(helpers.Header("Authorization", redact.Hold("Bearer To/ken+1")).Headers)
	c.remember(helpers.Header("Accept", redact.Hold("text/plain")).Headers)
	for text, want := range map[string]bool{
		"https://a.test/To/ken+1": true, "https://a.test/?x=To%2Fken%2B1": true, "https://to/ken+1.test/": true,
		"https://a.test/token": false, "text/plain": false, "": false, "%zz": false,
	} {
		if got := c.carries(text); got != want {
			t.Errorf("carries(%q) = %v", text, got)
		}
	}
}

// FuzzRedirect holds that a redirect leads to a URL that was checked as a client's is, that what was sent to a server does not go on to another one,
// and that what is shown of it holds no secret, in no letter case.
func FuzzRedirect(f *testing.F) {
	const secret = "CaNaRy0ken"
	for _, location := range []string{
		"/elsewhere", "//cdn.test/x", "https://cdn.test/x?sig=1", "https://bob:pw@cdn.test/", "https://" + secret + ".test/", "https://cdn.test/%43aNaRy0ken", "ftp://x/",
		"https://*.cdn.test/", secret + ":opaque", "http://[::1", "https://cdn.test/a/../b", "?x=" + secret, "https://cdn.test/" + strings.ToUpper(secret),
	} {
		f.Add(location)
	}
	c := &checker{}
	c.remember(helpers.Header("Authorization", redact.Hold("Bearer "+secret)).Headers)
	from := &url.URL{Scheme: "https", Host: "files.test", Path: "/a"}
	holds := func(text string) bool { return strings.Contains(strings.ToLower(text), strings.ToLower(secret)) }
	f.Fuzz(func(t *testing.T, location string) {
		to, shown, failure := c.redirect(from, location)
		if holds(shown) || failure != nil && holds(failure.Text+failure.Advice) {
			t.Errorf("%q shows %q, %+v", location, shown, failure)
		}
		if (to == nil) == (failure == nil) {
			t.Fatalf("%q: %v, %+v", location, to, failure)
		}
		if to == nil {
			return
		}
		if req, err := helpers.ParseRequest(to.String()); err != nil || req.URL.Host != to.Host || to.User != nil {
			t.Errorf("%q leads to %q, which is no request: %v", location, to, err)
		}
		plain, err := url.PathUnescape(to.RequestURI())
		if err != nil {
			plain = to.RequestURI()
		}
		if to.Host != from.Host && (holds(to.String()) || holds(plain)) || holds(to.Host) {
			t.Errorf("%q carries the secret to %q", location, to)
		}
	})
}

// TestSubjects are the URLs that are asked for in the place of a user's.
func TestSubjects(t *testing.T) {
	e, kinds := kindsFor(t, nil)
	rules, err := builtInRules(false, kinds)
	if err != nil {
		t.Fatal(err)
	}
	file, err := config.Parse("f.json", []byte(`{"urls": [{"host": "ghe.acme.test", "helper": "github"}, {"host": "git.acme.test", "helper": "registry"}]}`), kinds, false)
	if err != nil {
		t.Fatal(err)
	}
	c := &checker{app: &app{env: e}, resolver: &resolver{routes: &config.Routes{Files: []config.File{file}, BuiltIn: rules}, now: testNow}}
	const sha = "0123456789ABCDEF0123456789ABCDEF01234567"
	for _, tt := range []struct{ url, tree, asked, treeURL string }{
		{"https://github.com/o/r", "", "https://api.github.com/repos/o/r", ""},
		{"https://github.com/o/r.git/", sha, "https://api.github.com/repos/o/r", "https://api.github.com/repos/o/r/git/trees/" + strings.ToLower(sha)},
		{"https://ghe.acme.test/o/r", sha, "https://ghe.acme.test/api/v3/repos/o/r", "https://ghe.acme.test/api/v3/repos/o/r/git/trees/" + strings.ToLower(sha)},
		{"https://github.com/o/r/archive/v1.tar.gz", "", "https://github.com/o/r/archive/v1.tar.gz", ""},
		{"https://git.acme.test/o/r", "", "https://git.acme.test/o/r", ""},
		{"https://git.acme.test/o/r", sha, "", ""},
		{"https://github.com/o/r/archive/v1.tar.gz", sha, "", ""},
		{"https://ghcr.io/", "", "https://ghcr.io/v2/", ""},
		{"docker.io", "", "https://registry-1.docker.io/v2/", ""},
		{"https://ghcr.io/v2/o/r/manifests/v1", "", "https://ghcr.io/v2/o/r/manifests/v1", ""},
		{"https://other.test/", "", "https://other.test/", ""},
	} {
		req, err := helpers.ParseRequest(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		s, err := c.subject(req.URL, tt.tree)
		if tt.asked == "" {
			var usage *usageError
			if !errors.As(err, &usage) {
				t.Errorf("%s: error %v", tt.url, err)
			}
			continue
		}
		treeURL := ""
		if s.tree != nil {
			treeURL = s.tree.String()
		}
		if err != nil || s.url.String() != tt.asked || treeURL != tt.treeURL {
			t.Errorf("%s: %s, %s, %v", tt.url, s.url, treeURL, err)
		}
	}
}

// TestCheckAsksGitHubsOwnAPI holds that the URL at the API has a whole path, which a rule's path matches.
func TestCheckAsksGitHubsOwnAPI(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the certificate is trusted by a variable")
	}
	w := newDocWorld(t, docSetups["github"])
	w.write("ws/.tweag-credential-helper.json", `{"urls": [
		{"host": "github.com", "helper": "github"},
		{"host": "api.github.com", "path": "/repos/acme/*", "helper": "github"}
	]}`)
	r := w.run("sh", "credential-helper check https://github.com/acme/tools\n")
	for _, want := range []string{"\nasked     https://api.github.com/repos/acme/tools\n", ".json:3, helper github\n", "\nwith      200 OK\n"} {
		if r.Code != 0 || !strings.Contains(r.Stdout, want) {
			t.Errorf("it does not print %q but (exit status %d)\n%s", want, r.Code, r.Stdout)
		}
	}
}
