package helpers

import (
	"net/url"
	"strings"
	"testing"
)

func TestParseRequest(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"plain", "https://example.com/a/b?c=d", "https://example.com/a/b?c=d"},
		{"bare host", "ghcr.io", "https://ghcr.io/"},
		{"bare host and port", "localhost:5000", "https://localhost:5000/"},
		{"no path", "https://cache.example.com:9092", "https://cache.example.com:9092/"},
		{"default port", "https://example.com:443/", "https://example.com/"},
		{"default port with a zero", "https://example.com:0443/", "https://example.com/"},
		{"empty port", "https://example.com:/x", "https://example.com/x"},
		{"http default port", "http://example.com:80/", "http://example.com/"},
		{"https port on http", "http://example.com:443/", "http://example.com:443/"},
		{"grpc", "grpc://remote.example.com:8980", "grpc://remote.example.com:8980/"},
		{"grpcs default port", "grpcs://remote.example.com:443", "grpcs://remote.example.com/"},
		{"gRPC as Bazel asks", "https://remote.example.com/build.bazel.remote.execution.v2.Execution", "https://remote.example.com/build.bazel.remote.execution.v2.Execution"},
		{"all hosts of a domain", "https://*.example.com/", "https://*.example.com/"},
		{"case", "HTTPS://EXAMPLE.com/Path", "https://example.com/Path"},
		{"trailing dot", "https://GITHUB.COM./x", "https://github.com/x"},
		{"IPv4", "http://127.0.0.1:5000/v2/", "http://127.0.0.1:5000/v2/"},
		{"IPv6", "https://[::1]:5000/", "https://[::1]:5000/"},
		{"IPv6 is normalized", "https://[0:0:0:0:0:0:0:1]/", "https://[::1]/"},
		{"fragment behind a path", "https://example.com/a#sha256=abc", "https://example.com/a"},
		{"encoded slash", "https://example.com/a%2Fb", "https://example.com/a%2Fb"},
		{"Latin-1", "https://example.com/caf%E9/%C0%20la", "https://example.com/caf%E9/%C0%20la"},
		{"UTF-8", "https://example.com/%E0%A4%85/%F0%9F%98%80/a%EF%BC%8E", "https://example.com/%E0%A4%85/%F0%9F%98%80/a%EF%BC%8E"},
		{"a percent sign", "https://example.com/100%25/%25zz/%25", "https://example.com/100%25/%25zz/%25"},
		{"a space behind a name", "https://example.com/a..%20/b.%3b/.%23x", "https://example.com/a..%20/b.%3b/.%23x"},
		{"dots in a name", "https://example.com/a..b/...", "https://example.com/a..b/..."},
		{"a name that begins like a hex number", "https://0xproxy/", "https://0xproxy/"},
		{"a hex number below a domain", "https://0xff.example.com/", "https://0xff.example.com/"},
		{"underscore in a host", "https://my_host.example.com/", "https://my_host.example.com/"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req, err := ParseRequest(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if got := req.URL.String(); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestParseRequestRefuses(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"empty", "", "is empty"},
		{"relative", "/v2/x", "is relative"},
		{"relative path", "a/b", "is relative"},
		{"no scheme", "//example.com/x", "is relative"},
		{"no host", "https:///x", "has no host"},
		{"port only", "https://:443/x", "has no host"},
		{"unknown scheme", "ftp://example.com/", `unknown scheme "ftp"`},
		{"file", "file:///etc/passwd", `unknown scheme "file"`},
		{"user info", "https://bob:hunter2@example.com/", "has user info"},
		{"user only", "https://github.com@evil.test/", "has user info"},
		{"empty user", "https://@example.com/", "has user info"},
		{"line break", "https://example.com/\r\nX: y", "control character (0x0d)"},
		{"NUL", "https://example.com/\x00", "control character (0x00)"},
		{"tab", "https://exam\tple.com/", "control character (0x09)"},
		{"DEL", "https://example.com/\x7f", "control character (0x7f)"},
		{"encoded line break", "https://example.com/a%0d%0ab", "encoded control character (0x0d)"},
		{"encoded NUL", "https://example.com/a%00", "encoded control character (0x00)"},
		{"space", "https://example.com/a b", "a space or a backslash"},
		{"backslash", `https://github.com\@evil.test/`, "a space or a backslash"},
		{"fragment at the host", "https://github.com#@evil.test/", "fragment that could hide"},
		{"fragment with an at", "https://github.com/#@evil.test/", "fragment that could hide"},
		{"query at the host", "https://github.com?@evil.test/", "an @ behind its host"},
		{"international", "https://exämple.com/", "not ASCII"},
		{"homograph", "https://gіthub.com/", "not ASCII"},
		{"a capital that becomes ASCII", "https://g\u0130thub.com/", "not ASCII"},
		{"a capital that becomes ASCII, alone", "g\u0130thub.com", "not ASCII"},
		{"a capital that becomes ASCII, encoded", "https://g%C4%B0thub.com/", "not ASCII"},
		{"the Kelvin sign", "https://doc\u212aer.io/", "not ASCII"},
		{"the long s", "https://regi\u017ftry.test/", "not ASCII"},
		{"a dotless i", "https://g\u0131thub.com/", "not ASCII"},
		{"full width", "https://\uff47ithub.com/", "not ASCII"},
		{"an ideographic full stop", "https://github\u3002com/", "not ASCII"},
		{"a soft hyphen", "https://git\u00adhub.com/", "not ASCII"},
		{"encoded international", "https://%C3%A4.com/", "not ASCII"},
		{"encoded host", "https://%67ithub.com/", "does not parse"},
		{"encoded dot", "https://github%2ecom/", "does not parse"},
		{"a password for a port", "https://user:hunter2/x", "the URL does not parse: its port is not a number"},
		{"zone", "https://[fe80::1%25eth0]/", "without a zone"},
		{"IPv4 in brackets", "https://[127.0.0.1]/", "does not parse"},
		{"short IPv4", "https://127.1/", "looks like an IP address"},
		{"decimal IPv4", "https://2130706433/", "looks like an IP address"},
		{"hex IPv4", "https://127.0.0.0x1/", "looks like an IP address"},
		{"hex IPv4 as a whole", "https://0x7f000001/", "looks like an IP address"},
		{"hex IPv4 in capitals", "https://0X7F000001:8443/", "looks like an IP address"},
		{"hex nothing", "https://0x/", "looks like an IP address"},
		{"hex label", "https://a.0x1/", "looks like an IP address"},
		{"empty label", "https://a..example.com/", "an empty label"},
		{"two trailing dots", "https://example.com../", "an empty label"},
		{"star inside", "https://a.*.example.com/", "character '*'"},
		{"star in a label", "https://a*.example.com/", "character '*'"},
		{"star alone", "https://*/", "character '*'"},
		{"port 0", "https://example.com:0/", "port"},
		{"port too large", "https://example.com:65536/", "port"},
		{"port is a word", "https://example.com:http/", "port"},
		{"two ports", "localhost:1:2", "port"},
		{"dot segments", "https://example.com/org-a/../org-b/", "dot segments"},
		{"dot segment", "https://example.com/./x", "dot segments"},
		{"encoded dots", "https://example.com/org-a/%2e%2e/org-b", "dot segments"},
		{"half encoded dots", "https://example.com/org-a/.%2E/org-b", "dot segments"},
		{"encoded slashes", "https://example.com/org-a%2f..%2forg-b", "dot segments"},
		{"encoded twice", "https://example.com/org-a/%252e%252e/org-b", "dot segments"},
		{"parameter", "https://example.com/org-a/..;x=y/org-b", "dot segments"},
		{"encoded twice, behind what is no encoding", "https://example.com/org-a/%25zz/%252e%252e/%252e%252e/org-b", "dot segments"},
		{"encoded twice, behind a percent sign", "https://example.com/org-a/%25/..%252forg-b", "dot segments"},
		{"encoded twice, at the end of what is no encoding", "https://example.com/org-a/%25%252e%252e/%2525/%252e%252e/", "dot segments"},
		{"a parameter, encoded", "https://example.com/org-a/..%3bx/org-b", "dot segments"},
		{"a parameter, encoded twice", "https://example.com/org-a/%252e%252e%253b/org-b", "dot segments"},
		{"a space", "https://example.com/org-a/..%20/org-b", "dot segments"},
		{"an encoded question mark", "https://example.com/org-a/..%3f/", "dot segments"},
		{"an encoded number sign", "https://example.com/org-a/..%23x/", "dot segments"},
		{"an encoded NUL behind dots", "https://example.com/org-a/..%2500/org-b", "encoded control character (0x00)"},
		{"an encoded line break, encoded once more", "https://example.com/a%250d%250ab", "encoded control character (0x0d)"},
		{"full-width dots", "https://example.com/org-a/%EF%BC%8E%EF%BC%8E/org-b", "dot segments"},
		{"full-width dots as they are", "https://example.com/org-a/\uff0e\uff0e/org-b", "dot segments"},
		{"full-width slashes", "https://example.com/org-a\uff0f..\uff0forg-b", "dot segments"},
		{"a full-width backslash", "https://example.com/org-a\uff3c..\uff3corg-b", "dot segments"},
		{"leaders", "https://example.com/org-a/\u2024\u2024/org-b", "dot segments"},
		{"a leader of two dots", "https://example.com/org-a/%E2%80%A5/org-b", "dot segments"},
		{"overlong dots", "https://example.com/org-a/%c0%ae%c0%ae/org-b", "overlong"},
		{"overlong dots in three bytes", "https://example.com/org-a/%e0%80%ae%e0%80%ae/org-b", "overlong"},
		{"overlong dots in four bytes", "https://example.com/org-a/%f0%80%80%ae%f0%80%80%ae/org-b", "overlong"},
		{"an overlong slash", "https://example.com/org-a%c0%afx", "overlong"},
		{"an overlong backslash", "https://example.com/org-a%c1%9cx", "overlong"},
		{"an overlong slash, encoded twice", "https://example.com/org-a%25c0%25afx", "overlong"},
		{"an overlong letter in three bytes", "https://example.com/%e0%81%81", "overlong"},
		{"encoded backslash", "https://example.com/org-a%5c..%5corg-b", "dot segments"},
		{"backslash for a slash", "https://example.com/org-a%5corg-b", "an encoded backslash"},
		{"backslash for a slash, in capitals", "https://example.com/%5C%5Corg-b", "an encoded backslash"},
		{"encoded again and again", "https://example.com/%25252525252e", "more than four times"},
		{"long", "https://example.com/" + strings.Repeat("a", MaxURL), "longer than"},
		{"long host", "https://" + strings.Repeat("a.", 130) + "com/", "longer than 253"},
		{"long label", "https://" + strings.Repeat("a", 64) + ".com/", "longer than 63"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req, err := ParseRequest(tt.in)
			if err == nil {
				t.Fatalf("accepted as %s", req.URL)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q does not say %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "hunter2") || strings.ContainsAny(err.Error(), "\r\n\x00") {
				t.Errorf("error quotes what it may not: %q", err)
			}
		})
	}
}

// FuzzParseRequest holds that what is accepted is normalized, and that no other way of parsing it leads to another host.
func FuzzParseRequest(f *testing.F) {
	for _, s := range []string{"https://example.com/", "ghcr.io", "https://*.a.test:8443/x?y#z", "grpc://[::1]:1/", "https://a@b/", "https://a/%2e%2e/b", "http://a.b.:80", "https://g\u0130thub.com/", "https://doc\u212aer.io/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		req, err := ParseRequest(in)
		if err != nil {
			return
		}
		u := req.URL
		if u.User != nil || u.Fragment != "" || u.Hostname() == "" || !strings.HasPrefix(u.Path, "/") || u.Host != strings.ToLower(u.Host) {
			t.Errorf("%q is accepted and not normalized: %#v", in, u)
		}
		again, err := ParseRequest(u.String())
		if err != nil || again.URL.String() != u.String() {
			t.Errorf("%q: normalizing twice gives %v, %v", in, again.URL, err)
		}
		// What a careless parser takes for the host: all between "//" and the next "/", behind any "@".
		rest := in
		if i := strings.Index(rest, "://"); i >= 0 {
			rest = rest[i+3:]
		}
		authority, _, _ := strings.Cut(rest, "/")
		careless := authority[strings.LastIndexAny(authority, "@\\")+1:]
		careless, _, _ = strings.Cut(careless, "?")
		careless, _, _ = strings.Cut(careless, "#")
		if strings.ContainsFunc(careless, func(r rune) bool { return r >= 0x80 || r == '%' }) {
			t.Errorf("%q: the host is %q, and not what was written", in, u.Hostname())
		}
		if c, err := url.Parse("//" + careless); err != nil || !strings.EqualFold(strings.TrimSuffix(c.Hostname(), "."), u.Hostname()) && !strings.HasPrefix(u.Host, "[") {
			t.Errorf("%q: the host is %q, and %q to a careless parser", in, u.Hostname(), careless)
		}
		if strings.Contains(Display(u), u.RawQuery) && u.RawQuery != "" && len(u.RawQuery) > len(Display(u)) {
			t.Errorf("Display shows the query of %q", in)
		}
		if n := len(Display(u)); n > max(maxDisplay, len(u.Host)+60)+20 {
			t.Errorf("Display takes %d bytes for %q", n, in)
		}
	})
}

func TestHostProperties(t *testing.T) {
	for _, tt := range []struct {
		in               string
		secure, loopback bool
		hostPort         string
	}{
		{"https://example.com/", true, false, "example.com:443"},
		{"http://example.com/", false, false, "example.com:80"},
		{"grpc://example.com/", false, false, "example.com:80"},
		{"grpcs://example.com/", true, false, "example.com:443"},
		{"http://localhost:5000/", false, true, "localhost:5000"},
		// Such a name goes to DNS and through proxies, whatever RFC 6761 §6.3 wants.
		{"http://registry.localhost/", false, false, "registry.localhost:80"},
		{"http://localhost./", false, true, "localhost:80"},
		{"http://*.localhost/", false, false, "*.localhost:80"},
		{"http://127.0.0.2/", false, true, "127.0.0.2:80"},
		{"http://[::1]/", false, true, "[::1]:80"},
		{"http://localhost.evil.test/", false, false, "localhost.evil.test:80"},
		{"http://127.0.0.1.evil.test/", false, false, "127.0.0.1.evil.test:80"},
		{"http://169.254.169.254/", false, false, "169.254.169.254:80"},
	} {
		req, err := ParseRequest(tt.in)
		if err != nil {
			t.Fatal(err)
		}
		if Secure(req.URL) != tt.secure || Loopback(req.URL) != tt.loopback || HostPort(req.URL) != tt.hostPort {
			t.Errorf("%s: secure %v, loopback %v, host and port %s", tt.in, Secure(req.URL), Loopback(req.URL), HostPort(req.URL))
		}
	}
}

func TestDisplay(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, tt := range []struct{ name, in, want string }{
		{"short", "https://example.com/a/b", "https://example.com/a/b"},
		{"query", "https://example.com/a?sig=canary", "https://example.com/a?…"},
		{"empty query", "https://example.com/a?", "https://example.com/a?…"},
		{"many segments", "https://example.com" + strings.Repeat("/segment", 100) + "/file?x", "https://example.com" + strings.Repeat("/segment", 11) + "/…" + strings.Repeat("/segment", 11) + "/file?…"},
		{"a long segment", "https://example.com/a/" + long + "/b", "https://example.com/a/…/b"},
		{"a long segment at the end", "https://example.com/a/" + long, "https://example.com/a/…"},
		{"a long segment alone", "https://example.com/" + long, "https://example.com/…"},
		{"a long segment at the beginning", "https://example.com/" + long + "/b/c", "https://example.com/…/b/c"},
		{"encoded", "https://example.com/%20" + strings.Repeat("%20", 100) + "/b", "https://example.com/…/b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req, err := ParseRequest(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if got := Display(req.URL); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
	host := strings.Repeat("label.", 40) + "test"
	req, err := ParseRequest("https://" + host + strings.Repeat("/segment", 100))
	if err != nil {
		t.Fatal(err)
	}
	if got := Display(req.URL); len(got) > maxDisplay+100 || !strings.HasPrefix(got, "https://"+host+"/segment/") || !strings.HasSuffix(got, "/…/segment/segment/segment") {
		t.Errorf("a long host: %s", got)
	}
}

// TestDisplayKeepsSecretsWhole: where a secret is not shown whole, none of it is shown, as nobody would recognise the half.
func TestDisplayKeepsSecretsWhole(t *testing.T) {
	const secret = "canary-0123456789abcdef"
	for n := range 300 {
		req, err := ParseRequest("https://example.com/" + strings.Repeat("a", n) + "/" + secret + "/" + strings.Repeat("a", 300-n))
		if err != nil {
			t.Fatal(err)
		}
		rest := strings.ReplaceAll(strings.TrimPrefix(Display(req.URL), "https://example.com"), secret, "")
		if strings.Trim(rest, "/a…") != "" {
			t.Errorf("%d bytes before it: %s", n, Display(req.URL))
		}
	}
}

func TestPresigned(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     bool
	}{
		{"S3 v4", "https://b.s3.amazonaws.com/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=00ff", true},
		{"S3 v4, lower case", "https://minio.test/k?x-amz-signature=00ff", true},
		{"S3 v2", "https://b.s3.amazonaws.com/k?AWSAccessKeyId=A&Expires=1&Signature=x%3D", true},
		{"GCS v4", "https://storage.googleapis.com/b/k?X-Goog-Signature=00", true},
		{"GCS v2", "https://storage.googleapis.com/b/k?GoogleAccessId=a&Expires=1&Signature=x", true},
		{"Azure SAS", "https://a.blob.core.windows.net/c/b?sv=2024-01-01&sp=r&sig=abc", true},
		{"CloudFront", "https://d111.cloudfront.net/k?Expires=1&Signature=x&Key-Pair-Id=K", true},
		{"GitHub objects", "https://objects.githubusercontent.com/x", true},
		{"GitHub release assets", "https://release-assets.githubusercontent.com/x?sp=r&sv=1&sig=2&jwt=3", true},
		{"GitHub raw with its own token", "https://raw.githubusercontent.com/o/r/main/f?token=ABC", true},
		{"encoded key", "https://minio.test/k?X%2DAmz%2DSignature=00ff", true},
		{"semicolons", "https://minio.test/k?a=b;X-Amz-Signature=00ff", true},
		{"raw", "https://raw.githubusercontent.com/o/r/main/f", false},
		{"no value", "https://minio.test/k?X-Amz-Signature=", false},
		{"a signature parameter alone", "https://example.com/k?signature=x", false},
		{"a token parameter elsewhere", "https://example.com/k?token=x", false},
		{"in the path", "https://example.com/X-Amz-Signature=00", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req, err := ParseRequest(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if got := Presigned(req.URL); got != tt.want {
				t.Errorf("Presigned(%s) = %v", tt.in, got)
			}
		})
	}
}

func TestDirectories(t *testing.T) {
	for raw, want := range map[string]string{
		"https://a.test": "/", "https://a.test/": "/", "https://a.test/a": "/", "https://a.test/a/": "/ /a/", "https://a.test/a/b?c/d": "/ /a/",
		"https://a.test/a%2Fb/c%20d/e": "/ /a%2Fb/ /a%2Fb/c%20d/", "https://a.test//a": "", "https://a.test/a//": "",
		"https://a.test" + strings.Repeat("/x", 40): "/ /x/ /x/x/ /x/x/x/",
	} {
		r, err := ParseRequest(raw)
		if err != nil {
			t.Fatal(err)
		}
		dirs := Directories(r.URL)
		if len(dirs) > 16 || strings.Join(dirs[:min(len(dirs), 4)], " ") != want {
			t.Errorf("%s is in %q, want %q", raw, dirs, want)
		}
	}
}
