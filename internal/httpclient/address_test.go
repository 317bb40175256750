package httpclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"testing"

	"github.com/fe055d52/credential-helper/helpers"
)

func TestRefused(t *testing.T) {
	for address, want := range map[string]bool{
		"169.254.169.254":        true,
		"169.254.0.1":            true,
		"::ffff:169.254.169.254": true,
		"fe80::1":                true,
		"fe80::1%eth0":           true,
		"fd00:ec2::254":          true,
		"100.100.100.200":        true,
		"224.0.0.1":              true,
		"ff02::1":                true,
		"127.0.0.1":              false,
		"::1":                    false,
		"10.0.0.1":               false,
		"192.0.2.1":              false,
		"fd00:ec2::253":          false,
		"2001:db8::1":            false,

		// The others' metadata services, and what stands for an IPv4 address.
		"fd00:ec2::23":               true,
		"fd20:ce::254":               true,
		"fd00:c1::a9fe:a9fe":         true,
		"fd00:42::42":                true,
		"168.63.129.16":              true,
		"192.0.0.192":                true,
		"64:ff9b::169.254.169.254":   true,
		"64:ff9b:1::169.254.169.254": true,
		"2002:a9fe:a9fe::1":          true,
		"::169.254.169.254":          true,
		"::ffff:0:169.254.169.254":   true,
		"64:ff9b::100.100.100.200":   true,
		"64:ff9b::192.0.2.1":         false,
		"2002:c000:201::1":           false,
		"::":                         false,
		"0.0.0.0":                    false,
	} {
		if got := Refused(netip.MustParseAddr(address)); got != want {
			t.Errorf("Refused(%s) = %v, want %v", address, got, want)
		}
	}
}

func TestLinkLocalLiteral(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the proxy was asked") }))
	defer proxy.Close()
	for at, want := range map[string]string{
		"http://169.254.169.254/latest/?key=canary": "169.254.169.254",
		"http://[fe80::1]/":                         "fe80::1",
		"http://[::ffff:169.254.169.254]/":          "::ffff:169.254.169.254",
		"http://[fd00:ec2::254]:8080/":              "fd00:ec2::254",
	} {
		client := New("agent/1")
		proxied := New("agent/1")
		proxied.Transport.(*transport).base.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(proxy.URL) }
		for name, client := range map[string]*http.Client{"direct": client, "by a proxy": proxied} {
			resp, err := client.Get(at)
			if err == nil {
				resp.Body.Close()
				t.Fatalf("%s, %s: was asked", at, name)
			}
			err = Explain(t.Context(), err)
			if want := "the address is " + want + ": no credential is sent to a link-local, multicast or metadata address"; err.Error() != want {
				t.Errorf("%s, %s:\n got %s\nwant %s", at, name, err, want)
			}
			if !errors.Is(err, ErrRefused) {
				t.Errorf("%s, %s: is not ErrRefused", at, name)
			}
		}
	}
}

// TestLinkLocalName has a name resolve to a link-local address: the dialer's control hears of the address only.
func TestLinkLocalName(t *testing.T) {
	for address, refused := range map[string]bool{
		"169.254.169.254:80": true,
		"[fe80::1%1]:443":    true,
		"127.0.0.1:80":       false,
		"192.0.2.1:443":      false,
		"/run/socket":        false, // of a Unix socket
	} {
		err := check("metadata.example.com", address)
		if errors.Is(err, ErrRefused) != refused || (err != nil) != refused {
			t.Errorf("%s: error %v, want one: %v", address, err, refused)
		}
	}

	// The same through a real dialer, whose resolver is a DNS server in this test.
	conn, err := dialer{dnsServer("169.254.169.254")}.DialContext(t.Context(), "tcp4", "metadata.example.com:80")
	if err == nil {
		conn.Close()
		t.Fatal("a name that resolves to a link-local address was dialled")
	}
	explained := Explain(t.Context(), &url.Error{Op: "Get", URL: "http://metadata.example.com/", Err: err})
	const want = "the address is 169.254.169.254: no credential is sent to a link-local, multicast or metadata address"
	if explained.Error() != want || !errors.Is(explained, ErrRefused) {
		t.Errorf("error %q, want %q", explained, want)
	}
}

// TestRebinding has DNS change its mind: it names an address that may be asked first, and another one when the next connection is made.
// What counts is the address that is connected to; an answer to an earlier question is no permission.
func TestRebinding(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.Header().Set("Connection", "close") // the next request needs a connection of its own
	}))
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		then []string // what DNS answers to the second question
		want string
	}{
		{"metadata", []string{"169.254.169.254"}, "the address is 169.254.169.254: no credential is sent to a link-local, multicast or metadata address"},
		{"metadata at a public address", []string{"168.63.129.16"}, "the address is 168.63.129.16: no credential is sent to a link-local, multicast or metadata address"},
		{"metadata twice", []string{"100.100.100.200", "169.254.169.254"}, "the address is 100.100.100.200: no credential is sent to a link-local, multicast or metadata address"},
		{"no address", []string{"0.0.0.0"}, "the host r.example.com has the address 0.0.0.0 here, which cannot be right; nothing is sent there"},
		{"as before", []string{"127.0.0.1"}, ""},
		{"metadata beside what it was", []string{"169.254.169.254", "127.0.0.1"}, ""}, // the other one is asked
	} {
		t.Run(tt.name, func(t *testing.T) {
			asked = 0
			answers := []string{"127.0.0.1"}
			client := New("agent/1")
			client.Transport.(*transport).base.DialContext = func(ctx context.Context, _, address string) (net.Conn, error) {
				return dialer{dnsServer(answers...)}.DialContext(ctx, "tcp4", address)
			}
			for i, want := range []string{"", tt.want} {
				resp, err := client.Get("http://r.example.com:" + port + "/?key=canary")
				if err == nil {
					resp.Body.Close()
				}
				if text := ""; err != nil {
					if text = Diagnose(t.Context(), err, "r.example.com").Error(); text != want {
						t.Errorf("request %d: error %q, want %q", i+1, text, want)
					}
				} else if want != "" {
					t.Errorf("request %d was answered", i+1)
				}
				answers = tt.then
			}
			if tt.want != "" && asked != 1 || tt.want == "" && asked != 2 {
				t.Errorf("the server was asked %d times", asked)
			}
		})
	}
}

// TestMisnamed has DNS say of localhost, to which secrets go unencrypted, that it is elsewhere.
func TestMisnamed(t *testing.T) {
	for _, tt := range []struct{ host, address, want string }{
		{"localhost", "192.0.2.1:80", "the host localhost has the address 192.0.2.1 here, which cannot be right; nothing is sent there"},
		{"LOCALHOST", "[2001:db8::1]:80", "the host LOCALHOST has the address 2001:db8::1 here, which cannot be right; nothing is sent there"},
		{"localhost", "0.0.0.0:80", "the host localhost has the address 0.0.0.0 here, which cannot be right; nothing is sent there"},
		{"r.example.com", "[::]:80", "the host r.example.com has the address :: here, which cannot be right; nothing is sent there"},
		{"localhost", "127.0.0.1:80", ""},
		{"localhost", "127.8.9.1:80", ""},
		{"localhost", "[::1]:80", ""},
		{"localhost", "[::ffff:127.0.0.1]:80", ""},
		{"0.0.0.0", "0.0.0.0:80", ""}, // whoever writes an address means it
		{"r.example.com", "127.0.0.1:80", ""},
	} {
		err := check(tt.host, tt.address)
		if text := fmt.Sprint(err); err == nil && tt.want != "" || err != nil && text != tt.want {
			t.Errorf("%s at %s: %v, want %q", tt.host, tt.address, err, tt.want)
		}
	}

	var hint *helpers.HintError
	err := Diagnose(t.Context(), &net.OpError{Op: "dial", Net: "tcp", Err: check("localhost", "192.0.2.1:80")}, "localhost")
	if want := "what do DNS and the hosts file make of localhost? write the address in its place where that is meant"; !errors.As(err, &hint) || hint.Hint != want {
		t.Errorf("hint %v, want %q", hint, want)
	}
	if want := "the host localhost has the address 192.0.2.1 here, which cannot be right; nothing is sent there"; err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
}

// dnsServer returns a resolver that finds the same addresses under every name.
func dnsServer(addresses ...string) *net.Resolver {
	var all []netip.Addr
	for _, a := range addresses {
		all = append(all, netip.MustParseAddr(a))
	}
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go answerDNS(server, all)
		return client, nil
	}}
}

// answerDNS answers each question on a stream with IPv4 addresses (RFC 1035 §4.2.2: two bytes of length before each message).
func answerDNS(conn net.Conn, addrs []netip.Addr) {
	defer conn.Close()
	for {
		var length [2]byte
		if _, err := io.ReadFull(conn, length[:]); err != nil {
			return
		}
		query := make([]byte, int(length[0])<<8|int(length[1]))
		if _, err := io.ReadFull(conn, query); err != nil {
			return
		}
		end := 12
		for query[end] != 0 {
			end += int(query[end]) + 1
		}
		question := query[12 : end+5]
		reply := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, byte(len(addrs)), 0, 0, 0, 0}, question...)
		for _, addr := range addrs {
			ip := addr.As4()
			reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4)
			reply = append(reply, ip[:]...)
		}
		if _, err := conn.Write(append([]byte{byte(len(reply) >> 8), byte(len(reply))}, reply...)); err != nil {
			return
		}
	}
}
