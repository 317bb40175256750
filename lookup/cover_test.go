package lookup

import (
	"strings"
	"testing"
)

func TestParseServer(t *testing.T) {
	for raw, want := range map[string]string{
		"https://acme.test":              "https://acme.test/",
		" HTTPS://Acme.Test:443/A/ ":     "https://acme.test/A/",
		"http://acme.test:443/":          "http://acme.test:443/",
		"https://bob:a@b@acme.test/x@y":  "https://acme.test/x@y bob:a@b",
		"https://[0::1]:8080/":           "https://[::1]:8080/",
		"https://acme.test/a?b=c#d":      "https://acme.test/a",
		"acme.test":                      "",
		"/home/bob":                      "",
		"file:///home/bob":               "",
		"https://":                       "",
		"https://acme.test@":             "",
		"https://*.acme.test/":           "",
		"https://acme.test/../x":         "",
		"https://${HOST}/":               "",
		"https://bob@acme.test\\@b.test": "",
	} {
		u, user, ok := parseServer(raw)
		got := ""
		if ok {
			got = strings.TrimSpace(u.String() + " " + user)
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", raw, got, want)
		}
	}
}

func TestCovers(t *testing.T) {
	for _, tt := range []struct {
		server, url string
		depth       int
		ok          bool
	}{
		{"https://a.test/", "https://a.test/x", 0, true},
		{"https://a.test/x", "https://a.test/x", 1, true},
		{"https://a.test/x/", "https://a.test/x", 1, true},
		{"https://a.test/x/y", "https://a.test/x/y/z", 2, true},
		{"https://a.test/x", "https://a.test/xy", 1, false},
		{"https://a.test/x/y", "https://a.test/x", 2, false},
		{"https://a.test/x%2Fy", "https://a.test/x/y", 1, false},
		{"https://a.test/x", "http://a.test/x", 1, false},
		{"https://a.test:8443/x", "https://a.test/x", 1, false},
		{"https://a.test/X", "https://a.test/x", 1, false},
	} {
		server, _, _ := parseServer(tt.server)
		if depth, ok := covers(server, ask(t, tt.url).URL); depth != tt.depth || ok != tt.ok {
			t.Errorf("%s covers %s: %d, %v", tt.server, tt.url, depth, ok)
		}
	}
}
