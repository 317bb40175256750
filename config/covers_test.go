package config

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/helpers"
)

// parseRule makes a rule of "SCHEME HOST PATH", in which "-" stands for a key that is absent.
func parseRule(t testing.TB, text string) (*Rule, bool) {
	t.Helper()
	parts := strings.Fields(text)
	var keys []string
	for i, key := range []string{"scheme", "host", "path"} {
		if parts[i] != "-" {
			keys = append(keys, fmt.Sprintf("%q: %q, ", key, parts[i]))
		}
	}
	f, err := Parse("test", []byte(`{"urls": [{`+strings.Join(keys, "")+`"helper": "later"}]}`), Kinds{"later": {}}, false)
	if err != nil {
		return nil, false
	}
	return &f.Rules[0], true
}

func TestCovers(t *testing.T) {
	for _, tt := range []struct {
		first, second string
		want          bool
	}{
		{"- - -", "https a.test /x/*", true},
		{"- a.test -", "- a.test -", true},
		{"- A.test -", "https a.test. /x", true},
		{"- a.test -", "- - -", false},
		{"https a.test -", "- a.test -", false},
		{"- a.test -", "https a.test -", true},
		{"http a.test -", "https a.test -", false},
		{"- *.a.test -", "- x.a.test -", true},
		{"- *.a.test -", "- *.b.a.test -", true},
		{"- *.a.test -", "- a.test -", false},
		{"- *a.test -", "- *.a.test -", true},
		{"- *.b.a.test -", "- *.a.test -", false},
		{"- a.* -", "- a.test -", true},
		{"- a.*.test -", "- a.b.*.test -", true},
		// Ports: one that is the scheme's own is not shown by a URL.
		{"- a.test -", "https a.test:443 -", true},
		{"- a.test -", "- a.test:443 -", false},
		{"- a.test -", "https a.test:8443 -", false},
		{"- a.test -", "https a.test:* -", false},
		{"- a.test* -", "https a.test:* -", true},
		{"- a.test:443 -", "https a.test -", true},
		{"- a.test:443 -", "http a.test -", false},
		{"- a.test:443 -", "- a.test -", false},
		{"- a.test:* -", "- a.test -", true},
		{"- a.test:* -", "- a.test:8443 -", true},
		{"- *.test:443 -", "https *.test -", false},
		{"- a.test:443 -", "https a.test:443 -", true},
		// Paths.
		{"- a.test /*", "- a.test -", true},
		{"- a.test *", "- a.test /x", true},
		{"- a.test /x/*", "- a.test -", false},
		{"- a.test /x/*", "- a.test /x/y/*", true},
		{"- a.test /x/*", "- a.test /x*", false},
		{"- a.test *.tgz", "- a.test /x/*.tgz", true},
		{"- a.test //x/*", "- a.test /x/y", true},
	} {
		first, ok1 := parseRule(t, tt.first)
		second, ok2 := parseRule(t, tt.second)
		if !ok1 || !ok2 {
			t.Fatalf("%q or %q is no rule", tt.first, tt.second)
		}
		if got := first.Covers(second); got != tt.want {
			t.Errorf("%q covers %q: %v, want %v", tt.first, tt.second, got, tt.want)
		}
	}
	limited, _ := parseRule(t, "- a.test -")
	limited.Only = func(*url.URL) bool { return false }
	if other, _ := parseRule(t, "- a.test -"); limited.Covers(other) {
		t.Error("a rule that asks for more than its patterns covers another")
	}
}

// FuzzCovers holds that no URL is for a rule that is covered and not for the one that covers it.
func FuzzCovers(f *testing.F) {
	f.Add("https", "*.a.test", "/x/*", "", "x.a.test:443", "/x/y", "https://x.a.test/x/y")
	f.Add("", "a.test:*", "*", "http", "a.test", "/*", "http://a.test/")
	f.Add("", "a.t*", "", "grpc", "a.test:80", "", "grpc://a.test:80/s/m")
	f.Fuzz(func(t *testing.T, scheme1, host1, path1, scheme2, host2, path2, raw string) {
		rule := func(parts ...string) (*Rule, bool) {
			for i, p := range parts {
				if strings.ContainsAny(p, " \t\r\n\v\f\u0085\u00a0\"\\") || strings.ContainsFunc(p, func(r rune) bool { return r < 0x21 || r > 0x7e }) {
					return nil, false
				}
				if p == "" {
					parts[i] = "-"
				}
			}
			return parseRule(t, strings.Join(parts, " "))
		}
		first, ok := rule(scheme1, host1, path1)
		if !ok {
			return
		}
		second, ok := rule(scheme2, host2, path2)
		if !ok || !first.Covers(second) {
			return
		}
		req, err := helpers.ParseRequest(raw)
		if err == nil && second.Matches(req.URL) && !first.Matches(req.URL) {
			t.Errorf("%s %s %s covers %s %s %s, and not %s", scheme1, host1, path1, scheme2, host2, path2, raw)
		}
	})
}
