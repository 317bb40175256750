package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/fe055d52/credential-helper/internal/httpclient"
	"github.com/fe055d52/credential-helper/internal/redact"
)

// A Failure is why there was no answer.
type Failure struct {
	Cause  Cause
	Text   string // what happened, fit to be shown
	Advice string // what to do
}

// ProxyFor returns the proxy by which u is asked for, without its user info, and the variable that names it; "" where there is none.
// The variables are those of net/http, in its order.
func (p *Prober) ProxyFor(u *url.URL) (proxy, variable string) {
	via, err := http.ProxyFromEnvironment(&http.Request{URL: u})
	if err != nil || via == nil {
		return "", ""
	}
	names := []string{"HTTP_PROXY", "http_proxy"}
	if u.Scheme == "https" {
		names = []string{"HTTPS_PROXY", "https_proxy"}
	}
	for _, name := range names {
		if p.Getenv(name) != "" {
			variable = "$" + name
			break
		}
	}
	return redact.Line(via.Scheme+"://"+via.Host, 100), variable
}

// explain says why a request for u had no answer. reached is what it was doing in the end.
func (p *Prober) explain(ctx context.Context, err error, u *url.URL, reached string) *Failure {
	var (
		proxied  *httpclient.ProxyError
		misnamed *httpclient.MisnamedError
		cert     *tls.CertificateVerificationError
		alert    tls.AlertError
		record   tls.RecordHeaderError
		dns      *net.DNSError
		dial     *net.OpError
		timeout  net.Error
	)
	host := u.Host
	text := httpclient.Explain(ctx, err).Error()
	via, variable := p.ProxyFor(u)
	byProxy := via != "" && (errors.As(err, &proxied) || errors.As(err, &dial) && dial.Op == "proxyconnect")
	switch {
	case errors.Is(err, httpclient.ErrRefused), errors.As(err, &misnamed):
		return &Failure{CauseHost, text, fmt.Sprintf("is the host %s spelled right, and what do DNS and the hosts file make of it?", host)}
	case ctx.Err() != nil, errors.As(err, &timeout) && timeout.Timeout():
		return &Failure{
			CauseTimeout, "no answer in time; the time went into " + reached,
			fmt.Sprintf("is %s reachable from here (network, VPN, HTTPS_PROXY)? $CREDENTIAL_HELPER_TIMEOUT sets the time limit", host),
		}
	case byProxy:
		f := &Failure{
			CauseProxy, fmt.Sprintf("the proxy %s, which %s names, does not connect: %s", via, variable, text),
			fmt.Sprintf("correct %s; if %s needs no proxy, name it in $NO_PROXY", variable, host),
		}
		if proxied != nil {
			f.Text = fmt.Sprintf("%s, %s, which %s names", proxied, via, variable)
			if proxied.Status == http.StatusProxyAuthRequired {
				f.Advice = fmt.Sprintf("the proxy wants a login: write USER:PASSWORD@ before its host in %s; if %s needs no proxy, name it in $NO_PROXY", variable, host)
			}
		}
		return f
	case errors.As(err, &cert):
		return p.certificate(cert, host, text)
	case errors.As(err, &record) && string(record.RecordHeader[:]) == "HTTP/":
		return &Failure{CausePlainHTTP, host + " speaks plain HTTP at this port", `is the port right? if plain HTTP is meant to be, write http:// and set "allow_http": true in the rule's config`}
	case errors.As(err, &alert):
		return &Failure{CauseCertificate, text, host + " ends the TLS handshake: it may want a client certificate, which a credential helper cannot send, or another version of TLS"}
	case errors.As(err, &dns):
		if dns.IsNotFound {
			return &Failure{CauseHost, "there is no host " + host + " (DNS)", fmt.Sprintf("is %s spelled right, and does it need a VPN or HTTPS_PROXY?", host)}
		}
		return &Failure{CauseHost, text, "does DNS work here, and does the host need a VPN or HTTPS_PROXY?"}
	case errors.Is(err, syscall.ECONNREFUSED):
		return &Failure{CausePort, "the connection is refused: nothing listens at " + withPort(u), fmt.Sprintf("is a server running at %s, and is its port right?", host)}
	case errors.As(err, &dial) && dial.Op == "dial":
		return &Failure{CausePort, text, fmt.Sprintf("is %s reachable from here (network, VPN, HTTPS_PROXY), and is its port right?", host)}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		advice := "try again; if it stays so, look for a proxy between here and " + host
		if u.Scheme == "http" {
			advice = "does it want https://?"
		}
		return &Failure{CauseServer, "the server closed the connection before its answer was complete", advice}
	}
	return &Failure{CauseServer, text, "is " + host + " an HTTP server, and is its port right?"}
}

func withPort(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	if u.Scheme == "https" {
		return u.Host + ":443"
	}
	return u.Host + ":80"
}

// certificate says what is wrong with a server's certificate. A name in it is the server's own text.
func (p *Prober) certificate(err *tls.CertificateVerificationError, host, text string) *Failure {
	var (
		unknown x509.UnknownAuthorityError
		invalid x509.CertificateInvalidError
		name    x509.HostnameError
	)
	now := p.Now()
	switch {
	case errors.As(err, &name):
		return &Failure{
			CauseCertificate, fmt.Sprintf("the certificate is not for %s, but for %s", host, subjects(name.Certificate)),
			"is the host spelled right? write it as the certificate has it",
		}
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		told := fmt.Sprintf("this machine's clock says %s", now.UTC().Format(time.RFC3339))
		if now.Before(invalid.Cert.NotBefore) {
			return &Failure{CauseClock, fmt.Sprintf("the certificate of %s is not valid yet: it is from %s", host, invalid.Cert.NotBefore.UTC().Format(time.RFC3339)), told + "; is that right?"}
		}
		return &Failure{
			CauseCertificate, fmt.Sprintf("the certificate of %s expired at %s", host, invalid.Cert.NotAfter.UTC().Format(time.RFC3339)),
			told + "; if that is right, the server's administrator has to renew the certificate",
		}
	case errors.As(err, &unknown):
		issuer := "an authority without a name"
		if name := httpclient.Issuer(err); name != "" {
			issuer = name
		}
		return &Failure{
			CauseCertificate, fmt.Sprintf("the certificate of %s is signed by an unknown authority: %s", host, issuer),
			"if you trust it, add it to the system's store, or (not on macOS and Windows) name its PEM file: export SSL_CERT_FILE=FILE; " +
				"Bazel itself needs it in Java's: startup --host_jvm_args=-Djavax.net.ssl.trustStore=FILE",
		}
	}
	return &Failure{CauseCertificate, text, "has the certificate of " + host + " a whole chain, up to an authority that this machine trusts?"}
}

// subjects are the names that a certificate is for, a few of them.
func subjects(c *x509.Certificate) string {
	var names []string
	if c != nil {
		names = append(names, c.DNSNames...)
		for _, ip := range c.IPAddresses {
			names = append(names, ip.String())
		}
	}
	if len(names) == 0 {
		return "no host"
	}
	more := ""
	if len(names) > 3 {
		names, more = names[:3], ", …"
	}
	return redact.Quote(strings.Join(names, ", "), 200) + more
}
