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
	"net/url"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/helpers"
)

func TestRedirects(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the other origin was reached") }))
	defer other.Close()
	var last http.Header
	mux := http.NewServeMux()
	mux.HandleFunc("/end", func(_ http.ResponseWriter, r *http.Request) { last = r.Header })
	for from, to := range map[string]string{"/1": "/end", "/2": "/1", "/3": "/2", "/4": "/3", "/loop": "/loop", "/other": other.URL + "/?sig=canary-signature", "/scheme": "CaNaRy:opaque", "/bidi": "http://a\u202eb.evil.test/"} {
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
		{"/scheme", server.URL + " redirects (307) to a URL that is not of HTTP; no credential is sent there"},
		{"/bidi", server.URL + " redirects (307) to another server, http://a?b.evil.test; no credential is sent there"},
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
