//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestForeignRealms has a registry name its token endpoint: the login for it may be sent to no server that is not its own.
//
// The class is that of CVE-2020-15157 (GHSA-742w-89gc-8m9c), where a server that a client was led to asked for the registry's login by a challenge of its own;
// here whoever answers for the registry, once, would have it sent anywhere.
func TestForeignRealms(t *testing.T) {
	n := newNetwork(t)
	const (
		foreign  = "which belongs to another domain; no login is sent there"
		plain    = "which is not encrypted; no login is sent there"
		metadata = "which is a link-local, multicast, unspecified or metadata address; no login is sent there"
		unusable = "names a token endpoint (realm) that is not usable: "
	)
	for _, tt := range []struct{ registry, realm, want string }{
		{"r.example.com", "https://evil.test/token", foreign},
		{"r.example.com", "https://r.example.com.evil.test/token", foreign},
		{"r.example.com", "https://evilexample.com/token", foreign},
		{"r.example.com", "https://example.com.evil.test/token?service=r.example.com", foreign},
		{"r.example.com", "https://xn--exmple-cua.com/token", foreign}, // exámple.com
		{"r.example.com", "https://com/token", foreign},
		{"team.github.io", "https://other.github.io/token", foreign},
		{"team.github.io", "https://github.io/token", foreign},
		{"r.acme.co.uk", "https://evil.co.uk/token", foreign},
		{"r.acme.co.uk", "https://co.uk/token", foreign},
		{"r.example.com", "https://127.0.0.1/token", foreign},
		{"r.example.com", "https://localhost/token", foreign},
		{"r.example.com", "https://10.0.0.1/token", foreign},
		{"r.example.com", "http://r.example.com/token", plain},
		{"r.example.com", "http://auth.example.com/token", plain},
		{"r.example.com", "http://evil.test/token", plain},
		{"r.example.com", "http://localhost:8080/token", plain},
		{"r.example.com", "http://169.254.169.254/latest/meta-data/iam/security-credentials/admin", metadata},
		{"r.example.com", "https://169.254.169.254/token", metadata},
		{"r.example.com", "https://169.254.170.2/v2/credentials", metadata},
		{"r.example.com", "https://[::ffff:169.254.169.254]/token", metadata},
		{"r.example.com", "https://[::ffff:a9fe:a9fe]/token", metadata},
		{"r.example.com", "https://[64:ff9b::a9fe:a9fe]/token", metadata},
		{"r.example.com", "https://[2002:a9fe:a9fe::1]/token", metadata},
		{"r.example.com", "https://[fd00:ec2::254]/token", metadata},
		{"r.example.com", "https://[fd00:ec2::23]/v1/credentials", metadata},
		{"r.example.com", "https://[fd20:ce::254]/token", metadata},
		{"r.example.com", "https://168.63.129.16/token", metadata},
		{"r.example.com", "https://100.100.100.200/token", metadata},
		{"r.example.com", "https://[fe80::1]/token", metadata},
		{"r.example.com", "https://0.0.0.0/token", metadata},
		{"r.example.com", "https://[::]/token", metadata},
		{"r.example.com", "https://metadata.google.internal/token", metadata},
		{"r.example.com", "https://metadata/token", metadata},
		{"r.example.com", "https://METADATA.google.internal./token", metadata},
		{"r.example.com", "https://2852039166/token", "looks like an IP address and is none"},
		{"r.example.com", "https://0xa9fea9fe/token", "looks like an IP address and is none"},
		{"r.example.com", "https://0xa9.0xfe.0xa9.0xfe/token", "looks like an IP address and is none"},
		{"r.example.com", "https://0251.0376.0251.0376/token", "looks like an IP address and is none"},
		{"r.example.com", "https://169.254.43518/token", "looks like an IP address and is none"},
		{"r.example.com", "https://[fe80::1%25eth0]/token", "is not an IPv6 address without a zone"},
		{"r.example.com", "https://bob:pw@auth.example.com/token", unusable + "the URL has user info"},
		{"r.example.com", "https://auth.example.com@evil.test/token", unusable + "the URL has user info"},
		{"r.example.com", "https://evil.test#@auth.example.com/token", unusable + "the URL has a fragment"},
		{"r.example.com", "https://auth.example.com/token#x", unusable + "the URL has a fragment"},
		{"r.example.com", `https://evil.test\\@auth.example.com/token`, unusable + "the URL has a space or a backslash"},
		{"r.example.com", "https://auth.example.com/\tx", unusable + "the URL has a control character"},
		{"r.example.com", "https://auth.example.com/%0d%0aX-Evil:1", "encoded control character"},
		{"r.example.com", "https://auth.example.com%2eevil.test/token", "does not parse"},
		{"r.example.com", "https://auth.example.com/a/../token", "dot segments"},
		{"r.example.com", "https://exämple.com/token", "is not ASCII"},
		{"r.example.com", "https://*.example.com/token", unusable + "the URL's host is a wildcard"},
		{"r.example.com", "https://auth.example.com:0/token", "is not a number from 1 to 65535"},
		{"r.example.com", "https://auth.example.com:99999/token", "is not a number from 1 to 65535"},
		{"r.example.com", "//evil.test/token", unusable + "it is not an absolute URL"},
		{"r.example.com", "/token", unusable + "it is not an absolute URL"},
		{"r.example.com", "token", unusable + "it is not an absolute URL"},
		{"r.example.com", "https:evil.test/token", unusable + "it is not an absolute URL"},
		{"r.example.com", "https:///token", "the URL has no host"},
		{"r.example.com", "file:///etc/passwd", "unknown scheme"},
		{"r.example.com", "javascript://evil.test/%0aalert(1)", "unknown scheme"},
		{"r.example.com", "grpcs://auth.example.com/token", "the URL's scheme is grpcs"},
		{"r.example.com", "https://" + strings.Repeat("a", 300) + ".example.com/token", "is longer than 253 bytes"},
		{"r.example.com", "https://evil.test/" + strings.Repeat("a", 15<<10), foreign},
	} {
		t.Run(fmt.Sprintf("%s %.60s", tt.registry, tt.realm), func(t *testing.T) {
			n.reset()
			n.set("https://"+tt.registry+"/v2/", challenge(`Bearer realm="`+tt.realm+`",service="registry"`))
			s := step{url: "https://" + tt.registry + "/v2/get/manifests/v1"}
			o := n.run(t, s)
			n.refusedClearly(t, s, o)
			if !strings.Contains(o.stderr, tt.want) || strings.Contains(o.stderr, ":pw@") {
				t.Errorf("it says %q, want %q in it", o.stderr, tt.want)
			}
			if got := n.requests(); !slices.Equal(got, []string{"GET https://" + tt.registry}) || len(n.sent()) > 0 {
				t.Errorf("asked %q, sent %q", got, n.sent())
			}
		})
	}
}

// TestChallenges has more than one challenge, or odd ones: which of them is answered, and with what.
func TestChallenges(t *testing.T) {
	n := newNetwork(t)
	const own = `Bearer realm="https://auth.example.com/token",service="registry"`
	toAuth := []string{"password to https://auth.example.com", "user name to https://auth.example.com"}
	for _, tt := range []struct {
		name   string
		values []string
		sent   []string
		want   string // in what is printed
	}{
		{"two endpoints, the first is its own", []string{own, `Bearer realm="https://evil.test/token"`}, toAuth, "Bearer tok-of-registry"},
		{"two endpoints, the first is foreign", []string{`Bearer realm="https://evil.test/token"`, own}, nil, "belongs to another domain"},
		{"two realms in one", []string{`Bearer realm="https://auth.example.com/token",realm="https://evil.test/token"`}, toAuth, "Bearer tok-of-registry"},
		{"a foreign endpoint beside Basic", []string{`Basic realm="r"`, `Bearer realm="https://evil.test/token"`}, nil, "belongs to another domain"},
		{"a quoted challenge", []string{`Basic realm="Bearer realm=\"https://evil.test/token\""`}, nil, "Basic "},
		{"a scheme that is none", []string{`Bearer\tevil realm="https://evil.test/token"`}, nil, "without a challenge that could be read"},
		{"a list without an end", []string{strings.Repeat("x,", 8<<10)}, nil, "offers no login that is known"},
		{"thousands", slices.Repeat([]string{`Digest realm="x"`}, 4000), nil, "offers no login that is known"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n.reset()
			n.set("https://r.example.com/v2/", challenge(tt.values...))
			s := stepNamed(t, "token by GET")
			o := n.run(t, s)
			if got := n.sent(); !slices.Equal(got, append([]string{}, tt.sent...)) {
				t.Errorf("sent %q, want %q", got, tt.sent)
			}
			if !strings.Contains(o.stdout+o.stderr, tt.want) {
				t.Errorf("it prints %q, %q; want %q in it", o.stdout, o.stderr, tt.want)
			}
			if o.code != 0 {
				n.refusedClearly(t, s, o)
			}
		})
	}
}

// TestHeaderInjection has what a registry says of itself try to become more than one parameter, or a header.
// It is the class of CVE-2020-5260, where a line break in what another one wrote made the question about another host.
func TestHeaderInjection(t *testing.T) {
	n := newNetwork(t)
	for _, service := range []string{
		"r&scope=repository:secret:push", "r&service=other", "r#x", "r?x", "r\tX-Evil: 1", `r\"quoted\"`, "r%0d%0aX-Evil:%201", "r;scope=x", "r\u2028x", "r+a b", "r\x7f", strings.Repeat("r", 12<<10),
	} {
		for _, name := range []string{"token by GET", "token by POST, for an identity token"} {
			s := stepNamed(t, name)
			t.Run(fmt.Sprintf("%s %.30q", name, service), func(t *testing.T) {
				n.reset()
				// The scope of a challenge is the server's idea, too; ours comes from the URL.
				n.set("https://r.example.com/v2/", challenge(`Bearer realm="https://auth.example.com/token?account=x",service="`+service+`",scope="repository:secret:push,delete"`))
				var got url.Values
				var header http.Header
				n.set("https://auth.example.com/token", func(w http.ResponseWriter, r *http.Request) {
					_ = r.ParseForm()
					got, header = r.Form, r.Header
					_, _ = io.WriteString(w, `{"token": "tok-of-registry"}`)
				})
				o := n.run(t, s)
				if header == nil { // what cannot be a header did not come so far
					n.refusedClearly(t, s, o)
					return
				}
				repository := strings.TrimSuffix(strings.TrimPrefix(s.url, "https://r.example.com/v2/"), "/manifests/v1")
				want := strings.NewReplacer(`\"`, `"`).Replace(service)
				if !slices.Equal(got["service"], []string{want}) || !slices.Equal(got["scope"], []string{"repository:" + repository + ":pull"}) || !slices.Equal(got["account"], []string{"x"}) {
					t.Errorf("service %.60q, scope %q, account %q", got["service"], got["scope"], got["account"])
				}
				if header.Get("X-Evil") != "" || o.code != 0 || !strings.Contains(o.stdout, "tok-of-registry") {
					t.Errorf("header %v; exit status %d: %s", header, o.code, o.stderr)
				}
			})
		}
	}
}

// TestTokensThatAreNone has a token endpoint hand out what cannot be sent: it becomes no header, neither ours nor the client's.
func TestTokensThatAreNone(t *testing.T) {
	n := newNetwork(t)
	for _, name := range []string{"token by GET", "token by POST, for an identity token", "an App's token", "Julia's renewal"} {
		s := stepNamed(t, name)
		for _, token := range []string{
			"tok\r\nX-Evil: 1", "tok\nX-Evil: 1", "tok\rX", "tok\x00x", "tok\x1b[2J", "tok\x7f", "tök", "tok\u2028x", "tok tok", "", " ", "\ttok", "tok ", strings.Repeat("t", 70<<10), strings.Repeat("t", 1<<20-200),
		} {
			t.Run(fmt.Sprintf("%s %.20q", name, token), func(t *testing.T) {
				n.reset()
				quoted, err := json.Marshal(token)
				must(t, err)
				n.set(s.server+s.path, func(w http.ResponseWriter, _ *http.Request) {
					switch name {
					case "an App's token":
						w.WriteHeader(http.StatusCreated)
						fmt.Fprintf(w, `{"token": %s, "expires_at": "2099-01-01T00:00:00Z"}`, quoted)
					case "Julia's renewal":
						fmt.Fprintf(w, "access_token = %s\nexpires_in = 3600\n", strings.ReplaceAll(string(quoted), `\u007f`, "\x7f"))
					default:
						fmt.Fprintf(w, `{"token": %s, "expires_in": 300}`, quoted)
					}
				})
				o := n.run(t, s)
				if name == "Julia's renewal" && o.code == 0 {
					// The client goes on with the old token there. One with characters that a header may have is the server's to judge.
					if sendable := !strings.ContainsAny(token, "\r\n\x00\x1b\x7f") && len(token) < 32<<10; !strings.Contains(o.stdout, "old-token") && !sendable {
						t.Errorf("it prints %.300q", o.stdout)
					}
				} else {
					n.refusedClearly(t, s, o)
				}
				if strings.ContainsAny(o.stdout+o.stderr, "\r\x00\x1b\x7f") || strings.Contains(o.stdout+o.stderr, "X-Evil") || len(o.stdout) > 2000 {
					t.Errorf("it prints %.300q, %.300q", o.stdout, o.stderr)
				}
			})
		}
	}
}

// TestOddLives has token endpoints say how long their tokens live, in ways that a client could take for never, or for long ago.
func TestOddLives(t *testing.T) {
	n := newNetwork(t)
	for _, tt := range []struct{ name, rest string }{
		{"none", ``},
		{"negative", `, "expires_in": -300`},
		{"zero", `, "expires_in": 0`},
		{"huge", `, "expires_in": 9223372036854775807`},
		{"more than a number holds", `, "expires_in": 1e400`},
		{"less than a number holds", `, "expires_in": -1e400`},
		{"seconds that a duration does not hold", `, "expires_in": 9223372037`},
		{"a fraction", `, "expires_in": 299.9999`},
		{"text", `, "expires_in": "soon"`},
		{"a number in text", `, "expires_in": "300"`},
		{"not a number", `, "expires_in": "NaN"`},
		{"hexadecimal", `, "expires_in": "0x1p20"`},
		{"an object", `, "expires_in": {"seconds": 300}`},
		{"an array", `, "expires_in": [300]`},
		{"true", `, "expires_in": true`},
		{"twice", `, "expires_in": 300, "expires_in": 99999999999`},
		{"issued long ago", `, "expires_in": 300, "issued_at": "1970-01-01T00:00:00Z"`},
		{"issued in the far future", `, "expires_in": 300, "issued_at": "9999-12-31T23:59:59Z"`},
		{"issued never", `, "expires_in": 300, "issued_at": "never"`},
		{"the token twice", `, "expires_in": 300, "token": "tok-of-another"`},
		{"another access token", `, "expires_in": 300, "access_token": "tok-of-another"`},
		{"a new refresh token", `, "expires_in": 300, "refresh_token": "tok-to-refresh"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n.reset()
			n.set("https://auth.example.com/token", func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, `{"token": "tok-of-registry"`+tt.rest+`}`)
			})
			begin := time.Now()
			o := n.run(t, stepNamed(t, "token by GET"))
			var answer struct {
				Headers map[string][]string
				Expires *time.Time
			}
			if err := json.Unmarshal([]byte(o.stdout), &answer); err != nil || o.code != 0 || o.stderr != "" {
				t.Fatalf("exit status %d, %v: %q %q", o.code, err, o.stdout, o.stderr)
			}
			if got := answer.Headers["Authorization"]; !slices.Equal(got, []string{"Bearer tok-of-registry"}) {
				t.Errorf("Authorization %q", got)
			}
			if answer.Expires == nil || answer.Expires.Before(begin) || answer.Expires.After(begin.Add(30*24*time.Hour+time.Minute)) {
				t.Errorf("expires at %v", answer.Expires)
			}
		})
	}
}

// TestRefusalsEnd has servers refuse again and again, and ask for the login anew each time: each is asked a few times, and no more.
func TestRefusalsEnd(t *testing.T) {
	n := newNetwork(t)
	for _, s := range steps {
		t.Run(s.name, func(t *testing.T) {
			n.reset()
			again := challenge(`Bearer realm="https://auth.example.com/token",service="again"`, `Bearer realm="https://evil.test/token"`, `Basic realm="again"`)
			for _, at := range []string{"https://auth.example.com/token", s.server + s.path} {
				n.set(at, again)
			}
			o := n.run(t, s)
			n.refusedClearly(t, s, o)
			if got := n.requests(); len(got) > 4 {
				t.Errorf("asked %q", got)
			}
			for _, sent := range n.sent() {
				if strings.Contains(sent, "evil.test") || strings.Contains(sent, "https://r.example.com") {
					t.Errorf("sent %s", sent)
				}
			}
		})
	}
}

// TestUntrustedServers has each step's server speak TLS as a stranger does, or no TLS: nothing is sent to it.
func TestUntrustedServers(t *testing.T) {
	n := newNetwork(t)
	for wrong, want := range map[string]string{
		"other name": "certificate", "expired": "certificate", "self-signed": "certificate", "plain": "tls: first record does not look like a TLS handshake|speaks plain HTTP|closed the connection|HTTP response to HTTPS client",
		"HTTP/2": "no application protocol|malformed HTTP|closed the connection|tls: ",
	} {
		for _, s := range steps {
			t.Run(wrong+" "+s.name, func(t *testing.T) {
				n.reset()
				n.spoil(s.server, wrong)
				o := n.run(t, s, "CREDENTIAL_HELPER_TIMEOUT=5s")
				if wrong == "HTTP/2" && o.code == 0 {
					return // what speaks HTTP/1.1 when it is not asked for HTTP/2 is a server like others
				}
				n.refusedClearly(t, s, o)
				if !slices.ContainsFunc(strings.Split(want, "|"), func(w string) bool { return strings.Contains(o.stdout+o.stderr, w) }) {
					t.Errorf("it says %s%s, want %s", o.stdout, o.stderr, want)
				}
				for _, sent := range n.sent() {
					if strings.HasSuffix(sent, s.server) {
						t.Errorf("sent %s", sent)
					}
				}
			})
		}
	}
}

// TestOtherProtocols has a server answer with what is no HTTP/1.1, as one of HTTP/2 that ends its streams would.
func TestOtherProtocols(t *testing.T) {
	n := newNetwork(t)
	for name, text := range map[string]string{
		"SETTINGS, GOAWAY":   "\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x08\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
		"RST_STREAM":         "\x00\x00\x04\x03\x00\x00\x00\x00\x01\x00\x00\x00\x08",
		"HTTP/0.9":           `{"token": "tok-of-registry"}`,
		"switched protocols": "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n{\"token\": \"tok-of-registry\"}",
		"two lengths":        "HTTP/1.1 200 OK\r\nContent-Length: 28\r\nContent-Length: 5\r\n\r\n{\"token\": \"tok-of-registry\"}",
		"a bad status":       "HTTP/1.1 2x0 OK\r\nContent-Length: 28\r\n\r\n{\"token\": \"tok-of-registry\"}",
		"a bad header":       "HTTP/1.1 200 OK\r\n: x\r\n\tx\r\nContent-Length: 28\r\n\r\n{\"token\": \"tok-of-registry\"}",
		"a bad chunk":        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{\"token\": \"tok-of-registry\"}\r\n0\r\n\r\n",
		"gzip unasked":       "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00",
		"a web page":         "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 28\r\n\r\n{\"token\": \"tok-of-registry\"}",
	} {
		for _, s := range []step{stepNamed(t, "token by GET"), stepNamed(t, "token by POST, for a password")} {
			t.Run(name+" "+s.name, func(t *testing.T) {
				n.reset()
				n.set(s.server+s.path, hijacked(func(w *bufio.Writer, _ <-chan struct{}) { _, _ = io.WriteString(w, text) }))
				o := n.run(t, s, "CREDENTIAL_HELPER_TIMEOUT=5s")
				n.refusedClearly(t, s, o)
				if got := n.sent(); !slices.Equal(got, s.mine()) {
					t.Errorf("sent %q", got)
				}
			})
		}
	}
}
