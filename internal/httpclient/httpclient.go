// Package httpclient makes HTTP clients that can carry a credential: bounded in time and size,
// never redirected to another origin, never connected to a link-local address.
package httpclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/fe055d52/credential-helper/internal/ascii"
	"github.com/fe055d52/credential-helper/internal/redact"
)

// A RedirectError is returned where a server redirects to another origin.
type RedirectError struct {
	From, To string // origins; To is fit to be shown
	Status   int
}

func (e *RedirectError) Error() string {
	return fmt.Sprintf("%s redirects (%d) to another server, %s; no credential is sent there", e.From, e.Status, e.To)
}

// A ProxyError is returned where a proxy does not connect to the server.
type ProxyError struct{ Status int }

func (e *ProxyError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("the proxy answers %d %s", e.Status, http.StatusText(e.Status)))
}

// New returns a client. It follows up to three redirects within one origin and refuses all others with a [RedirectError].
// Each request's time is bounded by its context alone. userAgent is sent with each request.
func New(userAgent string) *http.Client {
	return &http.Client{
		Transport: &transport{
			userAgent: userAgent,
			base: &http.Transport{
				Proxy:                  http.ProxyFromEnvironment,
				DialContext:            dialer{}.DialContext,
				TLSHandshakeTimeout:    10 * time.Second,
				MaxResponseHeaderBytes: 256 << 10,
				DisableCompression:     true, // a small body that unpacks to a huge one
				MaxIdleConnsPerHost:    1,
				// A process makes two requests, mostly to two hosts: HTTP/2 costs start-up time and gains nothing.
				Protocols: http1(),
				OnProxyConnectResponse: func(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
					if resp.StatusCode != http.StatusOK {
						return &ProxyError{resp.StatusCode}
					}
					return nil
				},
			},
		},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			from, to := via[0].URL, req.URL
			status := 0
			if req.Response != nil {
				status = req.Response.StatusCode
			}
			switch {
			case to.Scheme != "https" && to.Scheme != "http": // a scheme was read in lower case, in which a secret is not recognized
				return &ownError{fmt.Sprintf("%s redirects (%d) to a URL that is not of HTTP; no credential is sent there", origin(from), status)}
			case from.Scheme != to.Scheme, !ascii.EqualFold(from.Host, to.Host):
				return &RedirectError{From: origin(from), To: to.Scheme + "://" + redact.Name(to.Host, from.Host), Status: status}
			}
			if len(via) > 3 {
				return &ownError{from.Host + " redirects more than three times"}
			}
			return nil
		},
	}
}

// An ownError is one that is told in words of this program's.
type ownError struct{ text string }

func (e *ownError) Error() string { return e.text }

// origin returns the scheme and the host of a URL, fit to be shown.
func origin(u *url.URL) string { return redact.Quote(u.Scheme+"://"+u.Host, 200) }

func http1() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	return p
}

type transport struct {
	base      *http.Transport
	userAgent string
}

// RoundTrip refuses an address that stands in the URL itself: the dialer does not see it where a proxy does the dialling.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if addr, err := netip.ParseAddr(req.URL.Hostname()); err == nil && Refused(addr) {
		return nil, refused(addr)
	}
	req = req.Clone(req.Context())
	req.Header.Set("User-Agent", t.userAgent)
	return t.base.RoundTrip(req)
}

// Explain makes the error of a request fit to be shown: without the URL, whose query may hold a secret,
// and with the cause where the time was up.
func Explain(ctx context.Context, err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	var redirect *RedirectError
	if errors.As(err, &redirect) {
		return redirect
	}
	var misnamed *MisnamedError
	if op := (*net.OpError)(nil); (errors.Is(err, ErrRefused) || errors.As(err, &misnamed)) && errors.As(err, &op) {
		return op.Err // it was not tried: "dial" would tell otherwise
	}
	if ctx.Err() != nil {
		return fmt.Errorf("no answer in time: %w", context.Cause(ctx))
	}
	return &textError{redact.Quote(plainly(err), 300), err}
}

// plainly returns the text of a network error in the words of who reads it, rather than of the library's.
func plainly(err error) string {
	var (
		cert *tls.CertificateVerificationError
		op   *net.OpError
		dns  *net.DNSError
		call *os.SyscallError
		own  *ownError
	)
	switch {
	case errors.As(err, &cert):
		text := "its certificate is not trusted: " + strings.TrimPrefix(cert.Err.Error(), "x509: ")
		if issuer := Issuer(cert); issuer != "" {
			text += " (" + issuer + ")"
		}
		return text
	case errors.As(err, &op) && op.Op == "proxyconnect":
		return "connecting to the proxy: " + plainly(op.Err)
	case errors.As(err, &op) && op.Op == "dial" && errors.As(op.Err, &dns):
		return fmt.Sprintf("looking up the host %s: %s", dns.Name, dns.Err)
	case errors.As(err, &op) && op.Op == "dial" && op.Addr != nil && errors.As(op.Err, &call):
		return fmt.Sprintf("connecting to %s: %s", op.Addr, call.Err)
	case errors.As(err, &op), errors.As(err, &call), errors.As(err, &dns), errors.As(err, &own), errors.Is(err, ErrRefused):
		return err.Error()
	}
	// What net/http cannot read it quotes: a header, a status line, the target of a redirect.
	if said := redact.Said(err.Error(), 300); said != "" {
		return said
	}
	return "the answer is not HTTP"
}

// Issuer returns the name of the authority that nobody here knows, as the server's certificates give it; "" where it has none, or something else is wrong.
func Issuer(err *tls.CertificateVerificationError) string {
	var unknown x509.UnknownAuthorityError
	n := len(err.UnverifiedCertificates)
	if n == 0 || !errors.As(err, &unknown) {
		return ""
	}
	return redact.Quote(err.UnverifiedCertificates[n-1].Issuer.String(), 100)
}

// textError shows a cleaned text and unwraps to the original.
type textError struct {
	text string
	err  error
}

func (e *textError) Error() string { return e.text }
func (e *textError) Unwrap() error { return e.err }
