package main

import (
	"net/url"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/internal/hosts"
)

// TestApart holds that rules of one host are told apart by names in its URLs' paths, and never by what may be a token there.
func TestApart(t *testing.T) {
	const canary = "c4n4ryq7w8e9r0t1"
	for _, tt := range []struct {
		npm, pypi string
		want      string
	}{
		{"/npm/", "/pypi/simple/", "/npm/* /pypi/*"},
		{"/team1/npm/", "/team2/pypi/simple/", "/team1/* /team2/*"},
		{"/" + canary + "/npm/", "/public/pypi/simple/", "/public/*"},
		{"/" + canary + "/npm/", "/" + canary + "/pypi/simple/", ""},
		{"/" + strings.Repeat("a", 40) + "/npm/", "/pypi/simple/", "/pypi/*"},
	} {
		var group []hosts.Found
		var rules []guessedRule
		for _, path := range []string{tt.npm, tt.pypi} {
			u, err := url.Parse("https://dl.example.com" + path)
			if err != nil {
				t.Fatal(err)
			}
			group = append(group, hosts.Found{URL: u})
			rules = append(rules, guessRule(u))
		}
		var paths []string
		for _, g := range apart(group, rules) {
			if strings.Contains(g.text()+g.describe(), canary) {
				t.Errorf("%s and %s: a token is shown: %s", tt.npm, tt.pypi, g.text())
			}
			if g.path != "" {
				paths = append(paths, g.path)
			}
		}
		if got := strings.Join(paths, " "); got != tt.want {
			t.Errorf("%s and %s: paths %q, want %q", tt.npm, tt.pypi, got, tt.want)
		}
	}
}
