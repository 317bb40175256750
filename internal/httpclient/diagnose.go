package httpclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"

	"github.com/fe055d52/credential-helper/helpers"
)

// Diagnose is [Explain] with what to do next. host is whom the request went to. What a redirect to another server means is the caller's to say.
func Diagnose(ctx context.Context, err error, host string) error {
	var (
		redirect *RedirectError
		misnamed *MisnamedError
		proxy    *ProxyError
		cert     *tls.CertificateVerificationError
		dns      *net.DNSError
		dial     *net.OpError
		timeout  net.Error
	)
	shown := Explain(ctx, err)
	switch {
	case errors.As(err, &redirect):
		return shown
	case errors.Is(err, ErrRefused):
		return helpers.WithHint(shown, "such addresses answer for this machine or this network; is the host %s spelled right, and what do DNS and the hosts file make of it?", host)
	case errors.As(err, &misnamed):
		return helpers.WithHint(shown, "what do DNS and the hosts file make of %s? write the address in its place where that is meant", misnamed.Host)
	case ctx.Err() != nil, errors.As(err, &timeout) && timeout.Timeout():
		return helpers.WithHint(shown, "is %s reachable from here (network, VPN, HTTPS_PROXY)? CREDENTIAL_HELPER_TIMEOUT=30s would give it more time", host)
	case errors.As(err, &cert):
		return helpers.WithHint(shown, "if you trust %s, add the certificate of its authority to the system's store, or (not on macOS and Windows) name its PEM file: export SSL_CERT_FILE=FILE", host)
	case errors.Is(err, http.ErrSchemeMismatch):
		return helpers.WithHint(shown, `%s speaks plain HTTP; if that is meant to be, write http:// and set "allow_http": true in the rule's config`, host)
	case errors.As(err, &proxy) && proxy.Status == http.StatusProxyAuthRequired:
		return helpers.WithHint(shown, "the proxy wants a login: write USER:PASSWORD@ before its host in HTTPS_PROXY; if %s needs no proxy, add it to NO_PROXY", host)
	case errors.As(err, &proxy):
		return helpers.WithHint(shown, "that is the proxy which HTTPS_PROXY names; if %s needs none, add it to NO_PROXY", host)
	case errors.As(err, &dial) && dial.Op == "proxyconnect":
		return helpers.WithHint(shown, "that is the proxy which HTTPS_PROXY or HTTP_PROXY names; if %s needs none, add it to NO_PROXY", host)
	case errors.As(err, &dns):
		return helpers.WithHint(shown, "is the host %s spelled right, and does it need a VPN or HTTPS_PROXY?", host)
	case errors.As(err, &dial) && dial.Op == "dial":
		return helpers.WithHint(shown, "is a server running at %s, and is its port right?", host)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return helpers.WithHint(fmt.Errorf("the server closed the connection before its answer was complete (%w)", shown),
			"try again; if it stays so, look for a proxy between here and %s", host)
	}
	return shown
}
