package main

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/helpers"
)

// TestDockerServers asks in Docker's dialect for every spelling of a server and of its repositories, on a machine that has a login for each server and for one
// part of one. What comes out is the login of the server that the string names, and of no other.
func TestDockerServers(t *testing.T) {
	const host, part = "registry.corp.test", "registry.corp.test/org-a"
	servers := spellings(host)
	w := newHostsWorld(t, append(hostsOf(slices.Concat(servers, addresses)), part))
	w.write(".config/credential-helper/config.json", `{"urls": [{"helper": "oci"}]}`)
	w.write("ws/.tweag-credential-helper.json", `{"urls": [{"host": "*.corp.test", "helper": "oci", "config": {"lookup_chain": [{"source": "env", "name": "RULE_TOKEN", "binding": "password"}]}}]}`)
	ask := func(server string) string {
		e := *w.env
		var stdout, stderr strings.Builder
		a := &app{env: &e, stdin: strings.NewReader(server), stdout: &stdout, stderr: &stderr}
		if a.runDocker([]string{"get"}) != exitOK {
			if found := anyCanary.FindString(stdout.String() + stderr.String()); found != "" {
				t.Errorf("%q: an error with %s in it", server, found)
			}
			return ""
		}
		var login struct{ ServerURL, Username, Secret string }
		if err := json.Unmarshal([]byte(stdout.String()), &login); err != nil {
			t.Fatalf("%q: %v", server, err)
		}
		return login.Secret
	}
	answered, nothing := 0, 0
	for i, s := range slices.Concat(servers, addresses) {
		for _, scheme := range []string{"", "https://", "http://", "oci://"} {
			for _, path := range []string{"", "/", "/v1/", "/v2/", "/v2", "/org-a", "/org-a/app", "/org-b/app", "/org-ax/app", "/v2/org-a/app"} {
				server := scheme + s + path
				if strings.TrimSpace(server) == "" || strings.ContainsAny(server, "\r\n") {
					continue // the protocol has one line
				}
				want := ""
				at, agreed := read(strings.TrimSpace(server))
				if agreed && !strings.HasPrefix(at.host, "*.") && (at.scheme == "https" || at.loopback() && at.scheme == "http") {
					if want = w.logins[strings.TrimSuffix(at.hostPort(), ":443")]; at.hostPort() == host && (at.path == "/org-a" || strings.HasPrefix(at.path, "/org-a/")) {
						want = w.logins[part]
					}
				}
				got := ask(server)
				if got != "" && got != want || got == "" && want != "" && i < 8 && scheme != "http://" {
					t.Errorf("%q: %q, want %q", server, got, want)
				}
				if got == "" {
					nothing++
				} else {
					answered++
				}
			}
		}
	}
	if answered < 1500 || nothing < 5000 {
		t.Errorf("only %d servers were answered, and %d were not", answered, nothing)
	}
	t.Logf("%d answered, %d not", answered, nothing)
	for _, path := range []string{
		"org-a/../org-b", "org-b/../org-a", "org-b/%2e%2e/org-a", "org-b%2f..%2forg-a", "org%2da/app", "org-a%2fapp", "%6frg-a/app", "org-b/..;/org-a", "org-a/..%5corg-b", "org-b/%252e%252e/org-a",
		"org-b/\uff0e\uff0e/org-a", "org-b/%c0%ae%c0%ae/org-a", "./org-a", `..\org-a`,
	} {
		if got := ask(host + "/" + path); got != "" {
			t.Errorf("%q: %q", path, got)
		}
	}
}

// TestRedirectHosts holds that a redirect, which check follows, is asked for anew under the name of the host that it leads to: nothing of the login goes along.
func TestRedirectHosts(t *testing.T) {
	const host = "registry.corp.test"
	w := newHostsWorld(t, nil)
	r := w.resolver(`{"urls": [{"host": "registry.corp.test", "helper": "registry", "config": {"token": "${RULE_TOKEN}"}}]}`)
	from := &url.URL{Scheme: "https", Host: host, Path: "/team/files/a"}
	rule := hostRule{Host: host}
	var locations []string
	for _, s := range slices.Concat(spellings(host), addresses) {
		for _, before := range []string{"https://", "http://", "//", "/\\", "\\\\", "https:/", "https:", "/", "", "https:\\\\", "///", "ftp://"} {
			locations = append(locations, before+s, before+s+"/x", before+s+"/x?X-Amz-Signature=0")
		}
	}
	same, other, nowhere := 0, 0, 0
	c := &checker{resolver: r}
	for _, location := range locations {
		to, _, failure := c.redirect(from, location)
		if failure != nil {
			nowhere++
			continue
		}
		at, agreed := read(to.String())
		if !agreed {
			t.Errorf("%q leads to %s, which is read in two ways", location, to)
			continue
		}
		l, err := c.login(t.Context(), to)
		sent := err == nil && l.sent()
		// A browser and Go resolve the location against where it was.
		ref, err := url.Parse(location)
		if err != nil {
			t.Errorf("%q leads to %s, and does not parse", location, to)
			continue
		}
		if target, ok := readNet(from.ResolveReference(ref).String()); !ok || target.hostPort() != at.hostPort() || target.scheme != at.scheme {
			t.Errorf("%q leads to %s, and to %+v to a client", location, to, target)
		}
		want := rule.names(at) && at.scheme == "https" && !strings.Contains(location, "Signature")
		switch {
		case sent != want && !strings.Contains(location, "Signature"), sent && !rule.names(at):
			t.Errorf("%q leads to %s, which is sent the login: %v", location, to, sent)
		case at.hostPort() == host:
			same++
		default:
			other++
		}
		if helpers.Wildcard(to) {
			t.Errorf("%q leads to all of %s", location, to)
		}
	}
	if same < 1400 || other < 550 || nowhere < 4000 {
		t.Errorf("%d redirects stay at the host, %d leave it, and %d are refused", same, other, nowhere)
	}
	t.Logf("%d stay, %d leave, %d refused", same, other, nowhere)
}
