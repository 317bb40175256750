package loginstore

import (
	"slices"
	"strings"
	"testing"
)

func TestCanonical(t *testing.T) {
	for _, tt := range []struct{ in, want, err string }{
		{"r.example.com", "r.example.com", ""},
		{"HTTPS://R.Example.com", "r.example.com", ""},
		{"https://r.example.com/", "r.example.com", ""},
		{"https://r.example.com/v1/", "r.example.com", ""},
		{"https://r.example.com/v2", "r.example.com", ""},
		{"r.example.com/v2/", "r.example.com", ""},
		{"r.example.com:443", "r.example.com", ""},
		{"http://r.example.com:80/v2/", "r.example.com", ""},
		{"http://r.example.com:443", "r.example.com", ""},
		{"r.example.com:80", "r.example.com:80", ""},
		{"localhost:5000", "localhost:5000", ""},
		{"[::1]:5000", "[::1]:5000", ""},
		{"r.example.com/Team/App/", "r.example.com/Team/App", ""},
		{"r.example.com/v2/app", "r.example.com/v2/app", ""},
		{"docker.io", hub, ""},
		{"index.docker.io", hub, ""},
		{"registry-1.docker.io:443", hub, ""},
		{"https://index.docker.io/v1/", hub, ""},
		{"https://index.docker.io/v1", hub, ""},
		{"https://index.docker.io/v1/access-token", "index.docker.io/v1/access-token", ""},
		{"docker.io/library/busybox", "index.docker.io/library/busybox", ""},
		{"", "", "the server's name is empty"},
		{strings.Repeat("a", 401), "", "the server's name is longer than 400 bytes"},
		{"a\xff", "", "the server's name is not valid UTF-8"},
		{"a\r\nb", "", "the server's name has a space or a control character"},
		{"a\x00b", "", "the server's name has a space or a control character"},
		{"a b", "", "the server's name has a space or a control character"},
		{"ftp://a", "", "the server ftp://a is not one that docker logs in to: its scheme is not http or https"},
		{"https://bob@a", "", "the server https://[redacted]@a has more than a host and a path"},
		{"a/b?c", "", "the server a/b?c has more than a host and a path"},
		{"#index", "", "the server #index has more than a host and a path"},
		{"https:///v2/", "", "the server https:///v2/ has no host"},
		{"a:443:443", "", "the server a:443:443 has more than one port, or an IPv6 address without brackets"},
		{"::1", "", "the server ::1 has more than one port, or an IPv6 address without brackets"},
		{"docker.io/" + strings.Repeat("a", 390), "", "the server's name is longer than 400 bytes"},
		{"a:/b", "", "the server a:/b has a colon without a port"},
		{"http://a/b://c", "", "the server http://a/b://c has more than a host and a path"},
		{":443", "", "the server :443 has no host"},
	} {
		got, err := Canonical(tt.in)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if got != tt.want || text != tt.err {
			t.Errorf("%q: got %q, %q; want %q, %q", tt.in, got, text, tt.want, tt.err)
		}
	}
}

func TestCandidates(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want []string
	}{
		{"r.example.com", []string{"r.example.com"}},
		{"r.example.com/a/b", []string{"r.example.com/a/b", "r.example.com/a", "r.example.com"}},
		{"r.example.com/a//b", []string{"r.example.com/a//b", "r.example.com/a", "r.example.com"}},
		{"docker.io/library", []string{"index.docker.io/library", hub}},
		{"https://index.docker.io/v1/refresh-token", []string{"index.docker.io/v1/refresh-token"}},
	} {
		if got, err := candidates(tt.in); err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%q: got %q, %v; want %q", tt.in, got, err, tt.want)
		}
	}
}

// FuzzCanonical holds that a canonical name is its own canonical name, and has nothing by which an entry could be mistaken for another.
func FuzzCanonical(f *testing.F) {
	for _, s := range []string{"docker.io", "https://R.example.com:443/v2/", "http://a:80/b/", "a:443:443", "a//", "a/v2//"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, server string) {
		name, err := Canonical(server)
		if err != nil {
			return
		}
		if again, err := Canonical(name); err != nil || again != name {
			t.Errorf("%q is %q, and that is %q, %v", server, name, again, err)
		}
		if strings.ContainsAny(name, "#\n\x00") {
			t.Errorf("%q is %q", server, name)
		}
	})
}
