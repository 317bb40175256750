package helpers

import (
	"encoding/hex"
	"strings"
	"testing"
)

// resolved returns the segments of a path as a server reads it that knows of no trap: it decodes percent-encoding n times, and takes what is none
// as it is; it reads overlong UTF-8, takes every backslash for a slash, drops parameters, and resolves dot segments.
func resolved(path string, n int) string {
	for range n {
		var b strings.Builder
		for path != "" {
			if len(path) > 2 && path[0] == '%' {
				if c, err := hex.DecodeString(path[1:3]); err == nil {
					b.Write(c)
					path = path[3:]
					continue
				}
			}
			b.WriteByte(path[0])
			path = path[1:]
		}
		path = b.String()
	}
	for overlong, plain := range map[string]string{"\xc0\xae": ".", "\xc0\xaf": "/", "\xc1\x9c": `\`, "\xe0\x80\xae": ".", "\xe0\x80\xaf": "/", "\xf0\x80\x80\xae": "."} {
		path = strings.ReplaceAll(path, overlong, plain)
	}
	path = strings.ReplaceAll(path, `\`, "/")
	var out []string
	for _, segment := range strings.Split(path, "/") {
		segment, _, _ = strings.Cut(segment, ";")
		switch strings.TrimRight(segment, " ") {
		case "", ".":
		case "..":
			out = out[:max(0, len(out)-1)]
		default:
			out = append(out, segment)
		}
	}
	return strings.Join(out, "/")
}

// below reports whether a path's first segment is dir, however its separators are written.
func below(path, dir string) bool {
	first, _, more := strings.Cut(path, "/")
	return more && first == dir
}

// FuzzPath holds that a URL below /org-a/ stays there, however often and however carelessly its server decodes it before it resolves dot segments.
func FuzzPath(f *testing.F) {
	for _, s := range []string{
		"../org-b/x", "%2e%2e/org-b/x", "..%2forg-b", "%252e%252e%252forg-b", "%25zz/%252e%252e/%252e%252e/org-b/x", "..;x=y/org-b/x", "..%3b/org-b/x", "..%20/org-b/x",
		"%c0%ae%c0%ae/org-b/x", "%e0%80%ae%e0%80%ae/org-b/x", "..%5corg-b%5cx", "a/%25/..%252f..%252forg-b/x", "%25%32%65%25%32%65/org-b", "/x", "./..//x", "x%2f..%2f..%2forg-b/y", "a;/../../org-b/x",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, rest string) {
		req, err := ParseRequest("https://a.test/org-a/" + rest)
		if err != nil {
			return
		}
		written := req.URL.EscapedPath()
		for n := range 5 {
			// What a server has that looks at nothing but the path: no query, no fragment.
			if got := resolved(written, n); got != "org-a" && !below(got, "org-a") {
				t.Fatalf("%q is %q to a server that decodes it %d times", written, got, n)
			}
		}
	})
}
