package config

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

func parseRules(t *testing.T, rules ...string) []Rule {
	t.Helper()
	for i, r := range rules {
		rules[i] = `{"helper": "fake", ` + r + `}`
	}
	f, err := Parse("f", []byte(`{"urls": [`+strings.Join(rules, ",\n")+`]}`), kinds, false)
	if err != nil {
		t.Fatal(err)
	}
	return f.Rules
}

func TestMismatch(t *testing.T) {
	for _, tt := range []struct{ rule, url, want string }{
		{`"host": "a.test"`, "https://a.test/x", ""},
		{`"host": "a.test", "scheme": "https"`, "http://b.test/x", "the scheme is http, the rule's is https"},
		{`"host": "a.test"`, "https://b.test/x", `the host is not "a.test"`},
		{`"host": "*.a.test"`, "https://a.test/x", `the host is not "*.a.test"`},
		{`"host": "a.test"`, "https://a.test:8443/x", `the port is 8443, and the rule's host is "a.test", which means the scheme's own port`},
		{`"host": "a.test:8443"`, "https://a.test/x", `the port is 443, and the rule's host is "a.test:8443"`},
		{`"host": "*.a.test:8443"`, "https://b.a.test/x", `the port is 443, and the rule's host is "*.a.test:8443"`},
		{`"host": "[::1]:5000"`, "http://[::1]:5001/", `the port is 5001, and the rule's host is "[::1]:5000"`},
		{`"host": "a.test", "path": "/x/*"`, "https://a.test/y", `the path is not "/x/*"`},
	} {
		r := &parseRules(t, tt.rule)[0]
		u := request(t, tt.url)
		if got := r.Mismatch(u); got != tt.want || (got == "") != r.Matches(u) {
			t.Errorf("%s for %s: %q, want %q", tt.rule, tt.url, got, tt.want)
		}
	}
	r := Rule{Only: func(*url.URL) bool { return false }, OnlyFor: "things"}
	if got := r.Mismatch(request(t, "https://a.test/")); got != "the rule is for things only" {
		t.Errorf("got %q", got)
	}
}

// TestExplainIsMatch holds that what is told of the rules is what they do.
func TestExplainIsMatch(t *testing.T) {
	routes := &Routes{
		Files: []File{{Rules: parseRules(t, `"host": "b.a.test", "path": "/x/*"`, `"host": "*.a.test"`, `"host": "c.test:*"`)}},
		// The rules of another file, and those that come with the program, are behind.
		BuiltIn: parseRules(t, `"host": "d.test", "scheme": "https"`, `"host": "*.e.test"`),
	}
	for raw, want := range map[string]string{
		"https://b.a.test/x/1": "0", "https://b.a.test/y": "1", "https://c.test:1/": "2", "https://d.test/": "3", "http://d.test/": "none",
		"https://x.test/": "none", "https://*.a.test/": "stopped at 0", "https://*.e.test/": "4", "https://*.test/": "stopped at 0",
	} {
		u := request(t, raw)
		tried := routes.Explain(u)
		match := routes.Match(u)
		last := tried[len(tried)-1]
		got := fmt.Sprint(len(tried) - 1)
		switch {
		case last.WhyNot != "" && len(tried) == 5:
			got = "none"
		case last.WhyNot != "":
			got = "stopped at " + got
		}
		if got != want || (match == nil) != (last.WhyNot != "") || match != nil && match != last.Rule {
			t.Errorf("%s: %s, want %s", raw, got, want)
		}
	}
}

func TestBehind(t *testing.T) {
	routes := &Routes{Files: []File{{Rules: parseRules(t, `"host": "*.a.test"`, `"host": "b.test"`, `"host": "x.a.test"`)}, {Rules: parseRules(t, `"host": "x.a.test:443"`)}}}
	for raw, want := range map[string]int{"https://x.a.test/": 2, "https://b.test/": 0, "https://y.a.test/": 0, "https://c.test/": 0} {
		behind := routes.Behind(request(t, raw))
		if len(behind) != want || want == 2 && (behind[0] != &routes.Files[0].Rules[2] || behind[1] != &routes.Files[1].Rules[0]) {
			t.Errorf("%s: %d rules, want %d", raw, len(behind), want)
		}
	}
}

func TestNear(t *testing.T) {
	for _, tt := range []struct{ rules, url, want string }{
		{`"host": "a.test", "path": "/x/*"`, "https://a.test/y?sig=1", `it is for this host, and its "path" is "/x/*"; the URL's is /y`},
		{`"host": "a.test"`, "https://a.test:8443/", `it is for this host at another port; write "host": "a.test:8443", or "host": "a.test:*" for every port`},
		{`"host": "a.test:8443"`, "https://a.test/", `it is for this host at another port; write "host": "a.test:443", or "host": "a.test:*" for every port`},
		{`"host": "a.test", "scheme": "https"`, "http://a.test/", `it is for this host, and its "scheme" is "https"; the URL's is http`},
		{`"scheme": "https", "host": "b.test"`, "http://a.test/", ``},
		{`"host": "*.registry.test"`, "https://registry.test/", `"*.registry.test" is for the hosts below registry.test, not for registry.test itself; give that a rule of its own`},
		{`"host": "registry.test"`, "https://eu.registry.test/", `it is for registry.test alone, and eu.registry.test is below it; write "host": "*.registry.test" for all that are`},
		{`"host": "regsitry.example.com"`, "https://registry.example.com/", `its host is "regsitry.example.com", and the URL's is registry.example.com; is one of them misspelled?`},
		{`"host": "*.exmaple.com"`, "https://files.example.com/", `its host is "*.exmaple.com", and the URL's is files.example.com; is one of them misspelled?`},
		{`"host": "registry.example.com"`, "https://github.com/", ``},
		{`"host": "*.corp.internal.example.com"`, "https://a.test/", ``},
		{`"host": "*a*.test"`, "https://b.test/", ``},
	} {
		routes := &Routes{Files: []File{{Rules: parseRules(t, tt.rules)}}}
		near, advice := routes.Near(request(t, tt.url))
		if advice != tt.want || (near == nil) != (tt.want == "") {
			t.Errorf("%s for %s:\n got %s\nwant %s", tt.rules, tt.url, advice, tt.want)
		}
	}
	// The nearest counts, wherever it is.
	routes := &Routes{Files: []File{{Rules: parseRules(t, `"host": "a.tets"`, `"host": "a.test", "path": "/x"`, `"host": "b.test"`)}}}
	if near, _ := routes.Near(request(t, "https://a.test/y")); near != &routes.Files[0].Rules[1] {
		t.Errorf("the nearest is %v", near)
	}
}
