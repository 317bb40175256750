// Package httpclient makes HTTP clients that can carry a credential: bounded in time and size,
// never redirected to another origin, never connected to a link-local address.
package httpclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/fe055d52/credential-helper/internal/ascii"
	"github.com/fe055d52/credential-helper/internal/redact"
)

// MaxBody is how much of a response's body is accepted, in bytes.
const MaxBody = 1 << 20

// A RedirectError is returned where a server redirects to another origin.
type RedirectError struct {
	From, To string // origins
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

// ErrRefused is wrapped by the error of a request to an address to which no credential is ever sent: one that [Refused] reports.
var ErrRefused = errors.New("no credential is sent to a link-local, multicast or metadata address")

// ErrBodyTooLarge is returned by ReadBody.
var ErrBodyTooLarge = fmt.Errorf("the response is larger than %d bytes", MaxBody)

// New returns a client. It follows up to three redirects within one origin and refuses all others with a [RedirectError].
// Each request's time is bounded by its context alone. userAgent is sent with each request.
func New(userAgent string) *http.Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second, Control: refuseLinkLocal}
	return &http.Client{
		Transport: &transport{
			userAgent: userAgent,
			base: &http.Transport{
				Proxy:                  http.ProxyFromEnvironment,
				DialContext:            dialer.DialContext,
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
			if from.Scheme != to.Scheme || !ascii.EqualFold(from.Host, to.Host) {
				status := 0
				if req.Response != nil {
					status = req.Response.StatusCode
				}
				return &RedirectError{From: from.Scheme + "://" + from.Host, To: to.Scheme + "://" + to.Host, Status: status}
			}
			if len(via) > 3 {
				return fmt.Errorf("%s redirects more than three times", from.Host)
			}
			return nil
		},
	}
}

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

// refuseLinkLocal runs after name resolution and before the connection: a name that resolves to a link-local address
// is refused like the address itself.
func refuseLinkLocal(_, address string, _ syscall.RawConn) error {
	addr, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil // a Unix socket, or what the dialer alone understands
	}
	if Refused(addr.Addr()) {
		return refused(addr.Addr())
	}
	return nil
}

func refused(addr netip.Addr) error { return fmt.Errorf("the address is %s: %w", addr, ErrRefused) }

// Refused reports whether addr is one that no credential is ever sent to: link-local (the metadata service of most clouds is at 169.254.169.254),
// multicast, or a metadata service at another address.
func Refused(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	return addr.IsLinkLocalUnicast() || addr.IsMulticast() || addr == metadataAWS || addr == metadataAlibaba
}

// Addresses of metadata services that are not link-local.
var (
	metadataAWS     = netip.AddrFrom16([16]byte{0: 0xfd, 2: 0x0e, 3: 0xc2, 14: 0x02, 15: 0x54}) // fd00:ec2::254
	metadataAlibaba = netip.AddrFrom4([4]byte{100, 100, 100, 200})
)

// ReadBody reads the body of a response, up to MaxBody, and closes it.
func ReadBody(resp *http.Response) ([]byte, error) {
	defer resp.Body.Close()
	if resp.ContentLength > MaxBody {
		return nil, ErrBodyTooLarge
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, MaxBody+1))
	if err != nil {
		return nil, Explain(resp.Request.Context(), err)
	}
	if len(data) > MaxBody {
		return nil, ErrBodyTooLarge
	}
	return data, nil
}

// Discard closes a response without looking at its body. A short one is read to its end first, so that the connection may serve again,
// unless it is long in coming: a server that never ends it has answered all the same.
func Discard(resp *http.Response) {
	if resp.ContentLength >= 0 && resp.ContentLength <= 4<<10 {
		enough := time.AfterFunc(discardTime, func() { resp.Body.Close() })
		_, _ = io.Copy(io.Discard, resp.Body)
		enough.Stop()
	}
	resp.Body.Close()
}

// discardTime is how long Discard waits for a body.
const discardTime = 250 * time.Millisecond

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
	if op := (*net.OpError)(nil); errors.Is(err, ErrRefused) && errors.As(err, &op) {
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
	}
	return err.Error()
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
