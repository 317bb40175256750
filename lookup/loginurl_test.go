package lookup

import (
	"fmt"
	"strings"
	"testing"
)

func TestParseLoginURL(t *testing.T) {
	for raw, want := range map[string]string{
		"https://example.com/simple":                         "https://example.com/simple",
		"https://example.com":                                "https://example.com/",
		" https://bob:pw@Example.COM:443/simple/ \n":         `https://example.com/simple/ "bob" "pw"`,
		"HTTPS://bob:pw@example.com":                         `https://example.com/ "bob" "pw"`,
		"http://bob:pw@example.com:8080/":                    `http://example.com:8080/ "bob" "pw"`,
		"https://bob@example.com/":                           `https://example.com/ "bob"`,
		"https://bob:@example.com/":                          `https://example.com/ "bob" ""`,
		"https://:pw@example.com/":                           `https://example.com/ "" "pw"`,
		"https://@example.com/":                              `https://example.com/ ""`,
		"https://bob%40x:p%2Fw%3a@example.com/":              `https://example.com/ "bob@x" "p/w:"`,
		"https://bob:a:b@c@example.com/":                     `https://example.com/ "bob" "a:b@c"`,
		"https://bob:100%@example.com/":                      `https://example.com/ "bob" "100%"`,
		"https://b%6fb:%zz%40@example.com/":                  `https://example.com/ "b%6fb" "%zz%40"`,
		"https://bob:${PW}@example.com/":                     `https://example.com/ "bob" "${PW}"`,
		"https://bob:pw@[::1]:8080/x":                        `https://[::1]:8080/x "bob" "pw"`,
		"https://bob:pw@example.com/x?y=z@evil.test#@b.test": `https://example.com/x "bob" "pw"`,
		"https://bob:pw@example.com?@evil.test":              `https://example.com/ "bob" "pw"`,
		"https://bob:pw@example.com#@evil.test":              `https://example.com/ "bob" "pw"`,
		"https://bob:p/w@example.com/":                       "malformed",
		"https://bob:pw@/x":                                  "malformed",
		"https://bob:pw@exa mple.com/":                       "malformed",
		"https://bob:pw@*.example.com/":                      "malformed",
		`https://AD\bob:pw@example.com/`:                     `https://example.com/ "AD\\bob" "pw"`,
		"file:///srv/wheels":                                 "no web",
		"ssh://bob:pw@example.com/":                          "no web",
		"./wheels":                                           "no web",
		"":                                                   "no web",
	} {
		l, web, ok := parseLoginURL(raw)
		got := "malformed"
		switch {
		case !web:
			got = "no web"
		case ok:
			got = l.url.String()
			if l.named {
				got += fmt.Sprintf(" %q", l.username)
			}
			if l.secured {
				got += fmt.Sprintf(" %q", l.password)
			}
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", raw, got, want)
		}
	}
}

// FuzzParseLoginURL holds that the host of a URL is what stands behind its last "@" before the path, and its login what stands before.
func FuzzParseLoginURL(f *testing.F) {
	f.Add("https://bob:pw@example.com/simple")
	f.Add("http://a%40b:@[::1]:80/?@#@")
	f.Add("https://example.com\\@evil.test/")
	f.Fuzz(func(t *testing.T, raw string) {
		l, web, ok := parseLoginURL(raw)
		if !ok {
			return
		}
		_, rest, _ := strings.Cut(raw, "://")
		if i := strings.IndexAny(rest, "/?#"); i >= 0 {
			rest = rest[:i]
		}
		user, host := "", rest
		if i := strings.LastIndexByte(rest, '@'); i >= 0 {
			user, host = rest[:i], rest[i+1:]
		}
		if !web || !strings.HasPrefix(strings.ToLower(strings.TrimSpace(host)), strings.ToLower(l.url.Hostname())) && !strings.HasPrefix(host, "[") {
			t.Errorf("%q is at %s", raw, l.url)
		}
		if len(l.username)+len(l.password) > len(user) || l.url.User != nil {
			t.Errorf("%q has the login %q, %q", raw, l.username, l.password)
		}
	})
}
