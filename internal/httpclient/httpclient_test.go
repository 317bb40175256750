package httpclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
)

func TestRedirects(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the other origin was reached") }))
	defer other.Close()
	var last http.Header
	mux := http.NewServeMux()
	mux.HandleFunc("/end", func(_ http.ResponseWriter, r *http.Request) { last = r.Header })
	for from, to := range map[string]string{"/1": "/end", "/2": "/1", "/3": "/2", "/4": "/3", "/loop": "/loop", "/other": other.URL + "/?sig=canary-signature"} {
		mux.Handle(from, http.RedirectHandler(to, http.StatusTemporaryRedirect))
	}
	mux.HandleFunc("/https", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://"+r.Host+"/end", http.StatusFound)
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")

	for _, tt := range []struct{ path, want string }{
		{"/end", ""},
		{"/1", ""},
		{"/3", ""},
		{"/4", host + " redirects more than three times"},
		{"/loop", host + " redirects more than three times"},
		{"/other", server.URL + " redirects (307) to another server, " + other.URL + "; no credential is sent there"},
		{"/https", server.URL + " redirects (302) to another server, https://" + host + "; no credential is sent there"},
	} {
		t.Run(tt.path, func(t *testing.T) {
			last = nil
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+tt.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer canary")
			resp, err := New("agent/1").Do(req)
			if tt.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if last.Get("Authorization") != "Bearer canary" || last.Get("User-Agent") != "agent/1" {
					t.Errorf("within one origin the headers were lost: %v", last)
				}
				return
			}
			if err == nil {
				resp.Body.Close()
				t.Fatal("the redirect was followed")
			}
			if got := Explain(t.Context(), err).Error(); got != tt.want {
				t.Errorf("error %q, want %q", got, tt.want)
			}
			var redirect *RedirectError
			if crosses := strings.Contains(tt.want, "another server"); errors.As(Explain(t.Context(), err), &redirect) != crosses {
				t.Errorf("is a RedirectError: %v, want %v", !crosses, crosses)
			}
		})
	}
}

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
		err := refuseLinkLocal("tcp", address, nil)
		if errors.Is(err, ErrRefused) != refused || (err != nil) != refused {
			t.Errorf("%s: error %v, want one: %v", address, err, refused)
		}
	}

	// The same through a real dialer, whose resolver is a DNS server in this test.
	dialer := &net.Dialer{Control: refuseLinkLocal, Resolver: &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go answerDNS(server, netip.MustParseAddr("169.254.169.254"))
		return client, nil
	}}}
	conn, err := dialer.DialContext(t.Context(), "tcp4", "metadata.example.com:80")
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

// answerDNS answers each question on a stream with one address (RFC 1035 §4.2.2: two bytes of length before each message).
func answerDNS(conn net.Conn, addr netip.Addr) {
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
		reply := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0}, question...)
		ip := addr.As4()
		reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4)
		reply = append(reply, ip[:]...)
		if _, err := conn.Write(append([]byte{byte(len(reply) >> 8), byte(len(reply))}, reply...)); err != nil {
			return
		}
	}
}

func TestReadBody(t *testing.T) {
	for _, tt := range []struct {
		name    string
		size    int
		chunked bool
		want    error
	}{
		{"empty", 0, false, nil},
		{"at the limit", MaxBody, false, nil},
		{"at the limit, chunked", MaxBody, true, nil},
		{"over the limit", MaxBody + 1, false, ErrBodyTooLarge},
		{"over the limit, chunked", MaxBody + 1, true, ErrBodyTooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if tt.chunked {
					w.(http.Flusher).Flush()
				}
				_, _ = io.WriteString(w, strings.Repeat("x", tt.size))
			}))
			defer server.Close()
			resp, err := New("agent/1").Get(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			data, err := ReadBody(resp)
			if !errors.Is(err, tt.want) {
				t.Fatalf("error %v, want %v", err, tt.want)
			}
			if err == nil && len(data) != tt.size {
				t.Errorf("%d bytes, want %d", len(data), tt.size)
			}
		})
	}
	if got, want := ErrBodyTooLarge.Error(), "the response is larger than 1048576 bytes"; got != want {
		t.Errorf("the error is %q, want %q", got, want)
	}
}

func TestSlowBodyEndsWithContext(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	defer server.Close()
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errors.New("the time is up"))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := New("agent/1").Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = ReadBody(resp); err == nil || err.Error() != "no answer in time: the time is up" {
		t.Errorf("error %v", err)
	}
}

func TestDiscardKeepsConnection(t *testing.T) {
	connections := map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		connections[r.RemoteAddr] = true
		_, _ = io.WriteString(w, "short")
	}))
	defer server.Close()
	client := New("agent/1")
	for range 2 {
		resp, err := client.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		Discard(resp)
	}
	if len(connections) != 1 {
		t.Errorf("two requests took %d connections, want 1", len(connections))
	}
}

func TestExplain(t *testing.T) {
	// A listener that is closed again: its port refuses.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	at := "http://" + l.Addr().String() + "/path?sig=canary-signature"
	_, err = New("agent/1").Get(at)
	if err == nil || !strings.Contains(err.Error(), "canary-signature") {
		t.Fatalf("net/http's own error is %v: the test is of no use", err)
	}
	explained := Explain(t.Context(), err)
	if got := explained.Error(); strings.Contains(got, "canary") || strings.Contains(got, "/path") || !strings.Contains(got, l.Addr().String()) {
		t.Errorf("error %q", got)
	}
	var op *net.OpError
	if !errors.As(explained, &op) {
		t.Error("the explained error does not unwrap to the cause")
	}

	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the budget is spent"))
	explained = Explain(ctx, &url.Error{Op: "Get", URL: at, Err: context.Canceled})
	if got, want := explained.Error(), "no answer in time: the budget is spent"; got != want {
		t.Errorf("error %q, want %q", got, want)
	}
	long := Explain(t.Context(), errors.New(strings.Repeat("x", 5000)+"\r\n"))
	if n := len(long.Error()); n > 310 {
		t.Errorf("a long error is shown with %d bytes", n)
	}
}

// TestProxyRefuses has a proxy that does not connect. What it calls its status is not repeated.
func TestProxyRefuses(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 407 canary\r\nContent-Length: 0\r\n\r\n")
		conn.Close()
	}))
	defer proxy.Close()
	client := New("agent/1")
	client.Transport.(*transport).base.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(proxy.URL) }
	resp, err := client.Get("https://files.example.com/")
	if err == nil {
		resp.Body.Close()
		t.Fatal("there was an answer")
	}
	var refused *ProxyError
	if err = Explain(t.Context(), err); !errors.As(err, &refused) || refused.Status != 407 || err.Error() != "the proxy answers 407 Proxy Authentication Required" {
		t.Errorf("error %v", err)
	}
}

// TestDiscardEnds holds that a body which never comes does not take the time of a request that was answered.
func TestDiscardEnds(t *testing.T) {
	done := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "10")
		w.WriteHeader(http.StatusUnauthorized)
		_ = http.NewResponseController(w).Flush()
		<-done
	}))
	defer server.Close()
	defer close(done)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := New("agent/1").Do(req)
	if err != nil {
		t.Fatal(err)
	}
	Discard(resp)
	if ctx.Err() != nil {
		t.Error("the body is waited for until the time is up")
	}
}

// TestDiagnoseProxy has what to do about a proxy that answers, and does not connect.
func TestDiagnoseProxy(t *testing.T) {
	for status, want := range map[int]string{
		http.StatusProxyAuthRequired: "the proxy wants a login: write USER:PASSWORD@ before its host in HTTPS_PROXY; if a.test needs no proxy, add it to NO_PROXY",
		http.StatusForbidden:         "that is the proxy which HTTPS_PROXY names; if a.test needs none, add it to NO_PROXY",
	} {
		var hint *helpers.HintError
		if err := Diagnose(t.Context(), &ProxyError{Status: status}, "a.test"); !errors.As(err, &hint) || hint.Hint != want {
			t.Errorf("%d: %v", status, err)
		}
	}
}

// TestIssuer has the name of an authority that nobody knows, which is the server's text.
func TestIssuer(t *testing.T) {
	issued := &x509.Certificate{Issuer: pkix.Name{CommonName: "Corp\nRoot"}}
	for name, tt := range map[string]struct {
		err  tls.CertificateVerificationError
		want string
	}{
		"unknown":        {tls.CertificateVerificationError{UnverifiedCertificates: []*x509.Certificate{issued}, Err: x509.UnknownAuthorityError{}}, "CN=Corp Root"},
		"without a name": {tls.CertificateVerificationError{UnverifiedCertificates: []*x509.Certificate{{}}, Err: x509.UnknownAuthorityError{}}, ""},
		"another error":  {tls.CertificateVerificationError{UnverifiedCertificates: []*x509.Certificate{issued}, Err: x509.HostnameError{}}, ""},
	} {
		if got := Issuer(&tt.err); got != tt.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}
