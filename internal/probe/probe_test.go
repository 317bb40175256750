package probe

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
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/httpclient"
	"github.com/fe055d52/credential-helper/internal/redact"
)

func now() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func prober() *Prober {
	return &Prober{
		Transport: httpclient.New("agent/1").Transport, Now: time.Now, Getenv: func(string) string { return "" },
		Challenges: func(values []string) (all []Challenge) {
			for _, v := range values {
				all = append(all, Challenge{Scheme: strings.ToLower(v)})
			}
			return all
		},
	}
}

func TestAsk(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen = append(seen, strings.TrimSpace(r.Method+" "+r.Header.Get("Authorization")+" "+r.Header.Get("Range")))
		mu.Unlock()
		head := r.Method == http.MethodHead
		code := 200
		switch r.URL.Path {
		case "/405":
			if head {
				code = 405
			}
		case "/501":
			if code = 401; head {
				code = 501
			}
		case "/403":
			if head {
				code = 403
			}
		case "/403-always":
			code = 403
		case "/403-told":
			w.Header().Set("WWW-Authenticate", "Bearer")
			code = 403
		case "/403-limited":
			w.Header().Set("X-RateLimit-Remaining", "0")
			code = 403
		case "/404":
			if head {
				code = 404
			}
		case "/then-closed":
			if code = 403; !head {
				panic(http.ErrAbortHandler)
			}
		case "/redirect":
			w.Header().Set("Location", "/elsewhere")
			code = 302
		case "/skew":
			w.Header().Set("Date", time.Now().Add(-2*time.Minute).UTC().Format(http.TimeFormat))
		case "/cached":
			w.Header().Set("Date", time.Now().Add(-2*time.Hour).UTC().Format(http.TimeFormat))
			w.Header().Set("Age", "7200")
		}
		w.WriteHeader(code)
		if !head {
			_, _ = io.WriteString(w, strings.Repeat("x", 1<<16))
		}
	}))
	defer server.Close()
	const head, get = "HEAD Bearer x", "GET Bearer x bytes=0-0"
	for _, tt := range []struct {
		path   string
		way    Way
		status int
		method string
		want   []string
	}{
		{"/", HeadOrGet, 200, "HEAD", []string{head}},
		{"/", Get, 200, "GET", []string{get}},
		{"/405", HeadOrGet, 200, "GET", []string{head, get}},
		{"/405", Head, 405, "HEAD", []string{head}},
		{"/501", HeadOrGet, 401, "GET", []string{head, get}},
		{"/403", HeadOrGet, 200, "GET", []string{head, get}},
		{"/403-always", HeadOrGet, 403, "HEAD", []string{head, get}},
		{"/403-told", HeadOrGet, 403, "HEAD", []string{head}},
		{"/403-limited", HeadOrGet, 403, "HEAD", []string{head}},
		{"/404", HeadOrGet, 200, "GET", []string{head, get}},
		{"/redirect", HeadOrGet, 302, "HEAD", []string{head}},
	} {
		t.Run(tt.path, func(t *testing.T) {
			seen = nil
			a := prober().Ask(t.Context(), parse(t, server.URL+tt.path), helpers.Header("Authorization", redact.Hold("Bearer x")).Headers, tt.way, "")
			if a.Status != tt.status || a.Method != tt.method || strings.Join(seen, "|") != strings.Join(tt.want, "|") {
				t.Errorf("%d by %s, %q", a.Status, a.Method, seen)
			}
		})
	}
	if a := prober().Ask(t.Context(), parse(t, server.URL+"/then-closed"), nil, HeadOrGet, ""); a.Status != 403 || a.Failure != nil {
		t.Errorf("a GET that fails: %+v", a)
	}
	if a := prober().Ask(t.Context(), parse(t, server.URL+"/skew"), nil, HeadOrGet, ""); (a.Skew + 2*time.Minute).Abs() > 3*time.Second {
		t.Errorf("skew %s", a.Skew)
	}
	if a := prober().Ask(t.Context(), parse(t, server.URL+"/cached"), nil, HeadOrGet, ""); a.Skew != 0 {
		t.Errorf("skew %s of a cached answer", a.Skew)
	}
	if a := prober().Ask(t.Context(), parse(t, server.URL+"/redirect"), nil, HeadOrGet, ""); a.Location() != "/elsewhere" {
		t.Errorf("location %q", a.Location())
	}
}

// TestSlowSteps has the time run out in each step that a test can make slow.
func TestSlowSteps(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // it never accepts: the connection is made by the system, and then nobody says anything
	host := l.Addr().String()
	for raw, want := range map[string]string{
		"https://" + host + "/": "the TLS handshake with " + host,
		"http://" + host + "/":  "waiting for the answer of " + host,
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		a := prober().Ask(ctx, parse(t, raw), nil, HeadOrGet, "")
		cancel()
		if a.Failure == nil || a.Failure.Cause != CauseTimeout || a.Failure.Text != "no answer in time; the time went into "+want {
			t.Errorf("%s: %+v", raw, a.Failure)
		}
	}
}

func TestExplain(t *testing.T) {
	cert := func(c x509.Certificate) *x509.Certificate { return &c }
	verify := func(err error, chain ...*x509.Certificate) error {
		return &tls.CertificateVerificationError{UnverifiedCertificates: chain, Err: err}
	}
	day := 24 * time.Hour
	young := cert(x509.Certificate{NotBefore: now().Add(day), NotAfter: now().Add(2 * day)})
	old := cert(x509.Certificate{NotBefore: now().Add(-2 * day), NotAfter: now().Add(-day)})
	issued := cert(x509.Certificate{Issuer: pkix.Name{Organization: []string{"Acme"}, CommonName: "Acme Root"}})
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	for _, tt := range []struct {
		name, url  string
		err        error
		cause      Cause
		text, want string
	}{
		{"no such host", "", dial(&net.DNSError{Err: "no such host", Name: "files.test", IsNotFound: true}), CauseHost, "there is no host files.test (DNS)", "is files.test spelled right, and does it need a VPN or HTTPS_PROXY?"},
		{"DNS in trouble", "", dial(&net.DNSError{Err: "server misbehaving", Name: "files.test"}), CauseHost, "looking up the host files.test: server misbehaving", "does DNS work here"},
		{"refused", "", dial(syscall.ECONNREFUSED), CausePort, "the connection is refused: nothing listens at files.test:443", "is a server running at files.test"},
		{"refused, other port", "http://files.test:8080/", dial(syscall.ECONNREFUSED), CausePort, "the connection is refused: nothing listens at files.test:8080", "is a server running"},
		{"no route", "", dial(errors.New("network is unreachable")), CausePort, "dial tcp: network is unreachable", "is files.test reachable from here"},
		{"metadata address", "", dial(httpclient.ErrRefused), CauseHost, httpclient.ErrRefused.Error(), "the hosts file"},
		{"dial timeout", "", dial(context.DeadlineExceeded), CauseTimeout, "no answer in time; the time went into connecting", "CREDENTIAL_HELPER_TIMEOUT"},
		{"not yet valid", "", verify(x509.CertificateInvalidError{Cert: young, Reason: x509.Expired}), CauseClock, "the certificate of files.test is not valid yet: it is from 2026-03-02T12:00:00Z", "this machine's clock says 2026-03-01T12:00:00Z; is that right?"},
		{"expired", "", verify(x509.CertificateInvalidError{Cert: old, Reason: x509.Expired}), CauseCertificate, "the certificate of files.test expired at 2026-02-28T12:00:00Z", "this machine's clock says 2026-03-01T12:00:00Z; if that is right"},
		{"unknown authority", "", verify(x509.UnknownAuthorityError{}, issued), CauseCertificate, "the certificate of files.test is signed by an unknown authority: CN=Acme Root,O=Acme", "SSL_CERT_FILE"},
		{"unknown authority, nameless", "", verify(x509.UnknownAuthorityError{}, &x509.Certificate{}), CauseCertificate, "the certificate of files.test is signed by an unknown authority: an authority without a name", "SSL_CERT_FILE"},
		{
			"other name", "", verify(x509.HostnameError{Certificate: cert(x509.Certificate{DNSNames: []string{"a.test", "b.test", "c.test", "d.test"}}), Host: "files.test"}),
			CauseCertificate, "the certificate is not for files.test, but for a.test, b.test, c.test, …", "spelled right",
		},
		{"no name", "", verify(x509.HostnameError{Certificate: cert(x509.Certificate{}), Host: "files.test"}), CauseCertificate, "the certificate is not for files.test, but for no host", "spelled right"},
		{"other certificate trouble", "", verify(errors.New("odd")), CauseCertificate, "its certificate is not trusted: odd", "a whole chain"},
		{"alert", "", tls.AlertError(116), CauseCertificate, tls.AlertError(116).Error(), "client certificate"},
		{"plain HTTP", "", tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake", RecordHeader: [5]byte{'H', 'T', 'T', 'P', '/'}}, CausePlainHTTP, "files.test speaks plain HTTP at this port", "allow_http"},
		{"no TLS and no HTTP", "", tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}, CauseServer, "tls: first record does not look like a TLS handshake", "is files.test an HTTP server"},
		{"closed", "", io.EOF, CauseServer, "the server closed the connection before its answer was complete", "try again"},
		{"closed, http", "http://files.test/", io.ErrUnexpectedEOF, CauseServer, "the server closed the connection before its answer was complete", "does it want https://?"},
		{"reset", "", &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}, CauseServer, "the server closed the connection before its answer was complete", "try again"},
		{"garbage", "", errors.New(`malformed HTTP response "Bearer abcdefgh12345678"`), CauseServer, `malformed HTTP response "Bearer [redacted]"`, "is files.test an HTTP server"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.url == "" {
				tt.url = "https://files.test/x?sig=canary"
			}
			p := prober()
			p.Now = now
			f := p.explain(t.Context(), &url.Error{Op: "Head", URL: tt.url, Err: tt.err}, parse(t, tt.url), "connecting")
			if f.Cause != tt.cause || f.Text != tt.text || !strings.Contains(f.Advice, tt.want) {
				t.Errorf("%s: %s\n%s", f.Cause, f.Text, f.Advice)
			}
		})
	}
}
