package owner

import (
	"net/url"
	"testing"
)

func TestSameDomain(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"pkg.acme.test", "auth.acme.test", true},
		{"acme.test", "auth.acme.test", true},
		{"pkg.acme.test", "acme.test.evil.test", false},
		{"acme.test", "evilacme.test", false},
		{"a.co.uk", "b.co.uk", false},
		{"a.github.io", "b.github.io", false},
		{"one.jfrog.io", "other.jfrog.io", false},
		{"127.0.0.1", "127.0.0.1", false},
		{"10.0.0.1", "11.0.0.1", false},
		{"localhost", "localhost", false},
	} {
		if got := SameDomain(tt.a, tt.b); got != tt.want {
			t.Errorf("SameDomain(%s, %s) = %v, want %v", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestCheckListed(t *testing.T) {
	for _, tt := range []struct{ host, want, err string }{
		{"login.corp.test", "login.corp.test", ""},
		{"Login.Corp.Test.", "login.corp.test", ""},
		{"login.corp.test:443", "login.corp.test:443", ""},
		{"login.corp.test:8443", "login.corp.test:8443", ""},
		{"[::1]:8443", "[::1]:8443", ""},
		{"[2001:DB8::1]", "[2001:db8::1]", ""},
		{"https://login.corp.test", "", `"https://login.corp.test" is not a host: write it without a scheme and a path, as HOST or HOST:PORT`},
		{"login.corp.test/token", "", `"login.corp.test/token" is not a host: write it without a scheme and a path, as HOST or HOST:PORT`},
		{"", "", `"" is not a host: the URL is empty`},
		{"*.corp.test", "", `"*.corp.test" is a wildcard; name each host`},
		{"user@corp.test", "", `"user@corp.test" is not a host: the URL is relative: it has no scheme; write https://HOST/PATH`},
		{"a.test:http", "", `"a.test:http" is not a host: the URL does not parse: its port is not a number`},
		{"169.254.169.254", "", `"169.254.169.254" is a link-local, multicast, unspecified or metadata address, which is never trusted`},
		{"0.0.0.0:80", "", `"0.0.0.0:80" is a link-local, multicast, unspecified or metadata address, which is never trusted`},
	} {
		got, err := CheckListed(tt.host)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if got != tt.want || text != tt.err {
			t.Errorf("%q: %q, %q; want %q, %q", tt.host, got, text, tt.want, tt.err)
		}
	}
}

func TestListed(t *testing.T) {
	list := []string{"login.corp.test", "auth.corp.test:8443"}
	for at, want := range map[string]bool{
		"https://login.corp.test/":          true,
		"https://login.corp.test:9000/":     true,
		"https://auth.corp.test:8443/":      true,
		"https://auth.corp.test/":           false,
		"https://x.login.corp.test/":        false,
		"https://login.corp.test.evil.test": false,
	} {
		u, err := url.Parse(at)
		if err != nil {
			t.Fatal(err)
		}
		if got := Listed(u, list); got != want {
			t.Errorf("Listed(%s) = %v, want %v", at, got, want)
		}
	}
}
