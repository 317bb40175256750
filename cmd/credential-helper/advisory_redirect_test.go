//go:build linux

package main

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestStepsWork holds that the steps which the attacks are made on send what they are said to send, and to whom. What a proxy is sent, as its login, no server gets.
func TestStepsWork(t *testing.T) {
	n := newNetwork(t)
	proxy := strings.Replace(n.proxy.URL, "http://", "http://bob:"+n.value("the proxy's password")+"@", 1)
	for _, s := range steps {
		for name, env := range map[string][]string{"": nil, ", by a proxy with a login": {"HTTPS_PROXY=" + proxy, "HTTP_PROXY=" + proxy}} {
			t.Run(s.name+name, func(t *testing.T) {
				n.reset()
				o := n.run(t, s, env...)
				if o.code != 0 || !strings.Contains(o.stdout, s.says) || o.stderr != "" {
					t.Errorf("exit status %d: %s%s", o.code, o.stdout, o.stderr)
				}
				want := s.mine()
				if s.path == "/v2/" {
					want = []string{"password to https://auth.example.com", "user name to https://auth.example.com"}
				}
				if got := n.sent(); !slices.Equal(got, want) {
					t.Errorf("sent %q, want %q", got, want)
				}
			})
		}
	}
}

// TestRedirectedSteps has the server of each step redirect to where its credential must not go, by each status.
//
// The classes: credentials that go along to another host (CVE-2018-1000007 and CVE-2021-32690), to another port or scheme of the same one
// (CVE-2022-27774, CVE-2022-27776), to a host whose name only looks as if it were below the first (CVE-2023-45289),
// and in the end of a chain that began within one origin (the like of CVE-2024-45336).
func TestRedirectedSteps(t *testing.T) {
	n := newNetwork(t)
	codes := []int{http.StatusTemporaryRedirect, http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusPermanentRedirect}
	// SERVER is the step's own host.
	targets := []string{
		"https://evil.test/x",
		"//evil.test/x",
		"https://x.example.com/x",
		"https://example.com/x",
		"https://SERVER:8443/x",
		"http://SERVER/x",
		"http://SERVER:443/x",
		"https://SERVER.evil.test/x",
		"https://SERVER@evil.test/x",
		"https://bob:pw@evil.test/x",
		"https://SERVER./x",
		"http://[::1%25.SERVER]/x",
		"http://169.254.169.254/latest/meta-data/iam/security-credentials/admin",
		"http://[::ffff:169.254.169.254]/x",
		"http://[fd00:ec2::254]/x",
		"http://2852039166/x",
		"http://0xa9fea9fe/x",
		"http://metadata.google.internal/x",
		"https://SERVER/hop", // and from there to https://evil.test/x
		"/hop",
		"/loop",
		"file:///etc/passwd",
		"https://evil.test%0d%0aX-Evil:%201/",
	}
	for i, s := range steps {
		t.Run(s.name, func(t *testing.T) {
			host := strings.TrimPrefix(s.server, "https://")
			for j, target := range targets {
				for k, code := range codes {
					if j > 0 && k > 0 {
						break // all codes for the first target, and one for each other
					}
					if j > 0 {
						code = codes[(i+j)%len(codes)]
					}
					n.reset()
					to := strings.ReplaceAll(target, "SERVER", host)
					redirect := func(to string) http.HandlerFunc {
						return func(w http.ResponseWriter, _ *http.Request) {
							w.Header().Set("Location", to)
							w.WriteHeader(code)
						}
					}
					n.set(s.server+s.path, redirect(to))
					n.set(s.server+"/hop", redirect("https://evil.test/x"))
					n.set(s.server+"/loop", redirect("/loop"))
					n.set("https://evil.test/x", redirect("https://evil.test/y"))
					o := n.run(t, s)
					if t.Failed() {
						return
					}
					got := slices.DeleteFunc(n.sent(), func(sent string) bool { return slices.Contains(s.mine(), sent) })
					if len(got) > 0 {
						t.Errorf("%d to %s: sent %q", code, to, got)
					}
					if len(s.args) > 0 { // check goes where redirects lead, as clients do, and says what comes of it
						if names, context := n.in(o.stdout + o.stderr); len(names) > 0 {
							t.Errorf("%d to %s: it shows %v: %s", code, to, names, context)
						}
						if slices.ContainsFunc(n.requests(), func(r string) bool { return strings.Contains(r, "169.254") || strings.Contains(r, "fd00") }) {
							t.Errorf("%d to %s: asked %q", code, to, n.requests())
						}
						continue
					}
					for _, r := range n.requests() {
						if _, origin, _ := strings.Cut(r, " "); origin != s.server && origin != "https://r.example.com" && origin != "https://ghe.example.com" {
							t.Errorf("%d to %s: asked %s", code, to, r)
						}
					}
					n.refusedClearly(t, s, o)
				}
			}
		})
	}
}
