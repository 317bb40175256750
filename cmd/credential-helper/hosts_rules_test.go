package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/cache"
	"github.com/fe055d52/credential-helper/config"
	"github.com/fe055d52/credential-helper/helpers"
)

// A configuredRule is a rule of the user's, with the secret that goes wherever the rule says, or with logins that name their own hosts.
type configuredRule struct {
	hostRule
	bound     bool   // the login is the host's own in the netrc
	allowHTTP bool   //
	helper    string // "registry" unless given
	answered  int    // at least so many URLs
}

// configuredRules have a glob of each kind.
var configuredRules = []configuredRule{
	{hostRule: hostRule{Host: "registry.corp.test"}, answered: 80},
	{hostRule: hostRule{Host: "Registry.Corp.Test."}, answered: 80},
	{hostRule: hostRule{Host: "registry.corp.test:443"}, answered: 80},
	{hostRule: hostRule{Host: "registry.corp.test:8443"}, answered: 28},
	{hostRule: hostRule{Host: "registry.corp.test:*"}, answered: 138},
	{hostRule: hostRule{Host: "registry.corp.test:80*"}, answered: 10},
	{hostRule: hostRule{Host: "*.corp.test"}, answered: 165},
	{hostRule: hostRule{Host: "*.registry.corp.test"}, answered: 20},
	{hostRule: hostRule{Host: "*.corp.test:8443"}, answered: 28},
	{hostRule: hostRule{Host: "*corp.test"}, answered: 190},
	{hostRule: hostRule{Host: "registry.*"}, answered: 196},
	{hostRule: hostRule{Host: "r*y.corp.test"}, answered: 80},
	{hostRule: hostRule{Host: "*.*.test"}, answered: 233},
	{hostRule: hostRule{Host: "127.0.0.1"}, answered: 35},
	{hostRule: hostRule{Host: "127.*.0.1:*"}, answered: 42},
	{hostRule: hostRule{Host: "[::1]"}, answered: 17},
	{hostRule: hostRule{Host: "[0:0:0:0:0:0:0:1]:8443"}, answered: 6},
	{hostRule: hostRule{Host: "[2001:DB8:*]:*"}, answered: 15},
	{hostRule: hostRule{Host: "localhost"}, answered: 12},
	{hostRule: hostRule{Host: "10.*"}, answered: 10},
	{hostRule: hostRule{Host: "registry.corp.test", Scheme: "https"}, answered: 71},
	{hostRule: hostRule{Host: "registry.corp.test", Scheme: "http"}, allowHTTP: true, answered: 7},
	{hostRule: hostRule{Host: "registry.corp.test"}, allowHTTP: true, answered: 87},
	{hostRule: hostRule{Host: "registry.corp.test", Path: "/org-a/*"}, answered: 22},
	{hostRule: hostRule{Host: "registry.corp.test", Path: "/v2/org-a/*"}, helper: "oci", answered: 2},
	{hostRule: hostRule{Host: "registry.corp.test"}, helper: "github", answered: 80},
	{hostRule: hostRule{Host: "*.corp.test"}, helper: "remoteapis", answered: 165},
	{hostRule: hostRule{}, bound: true, answered: 494},
	{hostRule: hostRule{Host: "*"}, bound: true, answered: 494},
	{hostRule: hostRule{Host: "*:8443"}, bound: true, answered: 51},
	{hostRule: hostRule{Path: "/org-a/*"}, bound: true, answered: 164},
	{hostRule: hostRule{Host: "*.com"}, bound: true, answered: 10},
}

// text returns the rule as it stands in a file.
func (c configuredRule) text() string {
	config := `"token": "${RULE_TOKEN}"`
	switch {
	case c.bound:
		config = `"lookup_chain": [{"source": "netrc"}]`
	case c.helper == "oci":
		config = `"parse_docker_config": false, "lookup_chain": [{"source": "env", "name": "RULE_TOKEN", "binding": "password"}]`
	case c.helper == "remoteapis":
		config = `"header_name": "x-token", "lookup_chain": [{"source": "env", "name": "RULE_TOKEN"}]`
	case c.helper == "github":
		config = `"lookup_chain": [{"source": "env", "name": "RULE_TOKEN"}], "read_config_file": false`
	}
	if c.allowHTTP {
		config += `, "allow_http": true`
	}
	helper := c.helper
	if helper == "" {
		helper = "registry"
	}
	match := strings.TrimSuffix(strings.TrimPrefix(c.hostRule.String(), "{"), "}")
	if match != "" {
		match += ", "
	}
	return fmt.Sprintf(`{"urls": [{%s"helper": %q, "config": {"on_missing": "anonymous", %s}}]}`, match, helper, config)
}

// want returns the secret for what a URL names, and the server that is asked on the way.
func (c configuredRule) want(w *hostsWorld, at reading) (secret, server string) {
	if !c.names(at) || !(at.scheme == "https" || at.scheme == "grpcs" || at.loopback() || c.allowHTTP) {
		return "", ""
	}
	switch {
	case c.bound:
		// A machine with the port first, then one without, as netrc has it.
		for _, name := range []string{at.withPort(), at.hostPort(), strings.Trim(at.host, "[]")} {
			if secret := w.logins[name]; secret != "" {
				return secret, ""
			}
		}
		return "", ""
	case c.helper == "oci":
		if !strings.HasSuffix(at.path, "/manifests/v1") || strings.Contains(at.path, "//") || strings.HasPrefix(at.host, "*.") || strings.HasPrefix(at.scheme, "grpc") {
			return "", ""
		}
		return ruleSecret, at.hostPort()
	}
	return ruleSecret, ""
}

// hostPaths are paths below and beside /org-a/, and ways to write the one for the other.
var hostPaths = []string{
	"", "/", "/org-a/x", "/org-b/x", "/v2/org-a/x/manifests/v1", "/v2/org-b/x/manifests/v1", "//org-a//x", "/org-a%2Fx", "/org-a", "/org-ax/x", "/ORG-A/x", "/x/org-a/x", "/org-b/org-a/x", "/v2/org-a/../org-b/x/manifests/v1",
	"/org-a/../org-b/x", "/org-a/%2e%2e/org-b/x", "/org-a%2f..%2forg-b/x", "/org-a/..;/org-b/x", "/org-a/..%2forg-b/x", `/org-a/..\org-b/x`, "/org-a/..%5corg-b/x", "/org-a/%252e%252e/org-b/x", "/org-a/%25zz/%252e%252e/%252e%252e/org-b/x",
	"/org-a/%c0%ae%c0%ae/org-b/x", "/org-a/\uff0e\uff0e/org-b/x", "/org-a/x\x00/../../org-b", "/org-a/%00/x", "/org-a/./x", "/v2/org-a/x%2F..%2F..%2Forg-b/manifests/v1", "/v2//org-b//org-a/manifests/v1", "/v2/org-a//x/manifests/v1",
	"/org-b/x?X-Amz-Signature=0", "/org-a/x?X-Amz-Signature=0", "/org-b/x?/org-a/x", "/org-b/x#/org-a/x", "/org-b/x;/org-a/", "/org-a;/../org-b/x",
}

// TestRuleHosts asks for every spelling of hosts, ports and addresses under rules with each kind of glob, with one cache for all of them.
// A secret comes out, or goes to a server, exactly where the rule names what the URL is for.
func TestRuleHosts(t *testing.T) {
	authorities := slices.Concat(spellings("registry.corp.test"), addresses, []string{"registry.corp.test:8080", "evil.com", "corp.test"})
	type question struct{ raw, authority string }
	var questions []question
	for _, s := range authorities {
		for _, scheme := range []string{"https", "http", "grpcs"} {
			questions = append(questions, question{scheme + "://" + s + "/x", s})
		}
		questions = append(questions, question{s, s})
	}
	for _, path := range hostPaths {
		for _, s := range []string{"registry.corp.test", "REGISTRY.corp.test.:443", "evil.test", "registry.corp.test.evil.test", "registry.corp.test:8443", "127.0.0.1"} {
			questions = append(questions, question{"https://" + s + path, s})
		}
	}
	// More paths to the same: answers that are remembered for a host, a directory or a path meet each other.
	for _, s := range authorities {
		questions = append(questions, question{"https://" + s + "/org-a/y/z", s}, question{"https://" + s + "/org-a/y", s})
	}
	var all tally
	for _, rule := range configuredRules {
		t.Run(rule.text(), func(t *testing.T) {
			w := newHostsWorld(t, hostsOf(authorities))
			r := w.resolver(rule.text())
			r.cache = cache.NewFile(filepath.Join(t.TempDir(), "cache"), w.env.Get, w.env.Now)
			defer r.cache.Close()
			var n tally
			for _, q := range questions {
				o := w.ask(r, q.raw)
				at, agreed := read(q.raw)
				secret, server := "", ""
				if agreed && !strings.Contains(q.raw, "Signature") {
					secret, server = rule.want(w, at)
				}
				n.check(t, q.raw, o, secret, server)
				// What nobody could take for something else is not refused.
				if plain := "registry.corp.test"; o.refused && (q.raw == plain || q.raw == "https://"+plain+"/x" || q.raw == "https://"+strings.ToUpper(plain)+"./x") {
					t.Errorf("%q is refused", q.raw)
				}
			}
			if n.answered < rule.answered {
				t.Errorf("only %d URLs were answered", n.answered)
			}
			all.answered, all.nothing, all.refused = all.answered+n.answered, all.nothing+n.nothing, all.refused+n.refused
		})
	}
	t.Logf("%d answered with the secret of a rule that names them, %d with nothing, %d refused", all.answered, all.nothing, all.refused)
}

// TestGuessedRuleIsForItsHost holds that the rule which is proposed for a URL is for that URL's host, and for none that is spelled like it.
func TestGuessedRuleIsForItsHost(t *testing.T) {
	w := newHostsWorld(t, nil)
	e := *w.env
	kinds := helperKinds(newSources(&e, newClient()), newClient(), nil)
	var rules, others int
	for _, host := range []string{
		"github.com", "github.corp.test", "acme.ghe.com", "ghcr.io", "us-docker.pkg.dev", "acme.gcr.io", "1.dkr.ecr.us-east-1.amazonaws.com", "docker.corp.test", "harbor.corp.test", "npm.corp.test", "registry.yarnpkg.com", "pypi.org", "crates.io",
		"repo.maven.apache.org", "gitlab.com", "nuget.corp.test", "gems.corp.test", "packagist.org", "pkg.julialang.org", "acme.jfrog.io", "files.corp.test:8443", "[2001:db8::1]", "10.0.0.1",
	} {
		var urls []helpers.Request
		for _, s := range spellings(host) {
			for _, path := range []string{"/", "/v2/acme/app/manifests/v1"} {
				if req, err := helpers.ParseRequest("https://" + s + path); err == nil {
					urls = append(urls, req)
				}
			}
		}
		for _, req := range urls {
			g := guessRule(req.URL)
			if g.host != req.URL.Host {
				t.Errorf("for %s a rule for %q is proposed", req.URL, g.host)
			}
			if helpers.Wildcard(req.URL) {
				continue
			}
			f, err := config.Parse("proposed", []byte(rulesFile([]guessedRule{g})), kinds, false)
			if err != nil {
				t.Fatalf("%s: %v", g.text(), err)
			}
			rules++
			for _, other := range urls {
				if got, want := f.Rules[0].Matches(other.URL), other.URL.Host == req.URL.Host; got != want {
					t.Errorf("%s is for %s: %v", g.text(), other.URL, got)
				} else if !want {
					others++
				}
			}
		}
	}
	if rules < 500 || others < 20_000 {
		t.Errorf("only %d rules were proposed, and %d hosts were others", rules, others)
	}
}
