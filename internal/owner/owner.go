// Package owner tells whether two hosts belong together, as far as that can be known: whether a login for one may be sent to the other.
package owner

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/httpclient"
)

// tenantDomains are domains below which each name belongs to another customer,
// though the list of public suffixes has them as one owner's. A registry there may name its own host only.
var tenantDomains = []string{"azurecr.io", "azurecr.cn", "azurecr.us", "jfrog.io"}

// ParseEndpoint accepts an absolute http or https URL without user info and fragment, of a server that hands out tokens. No error quotes it.
func ParseEndpoint(endpoint string) (*url.URL, error) {
	switch {
	case endpoint == "":
		return nil, errors.New("it is empty")
	case !strings.Contains(endpoint, "://"):
		return nil, errors.New("it is not an absolute URL")
	case strings.Contains(endpoint, "#"):
		return nil, errors.New("the URL has a fragment")
	}
	r, err := helpers.ParseRequest(endpoint)
	switch {
	case err != nil:
		return nil, err
	case r.URL.Scheme != "https" && r.URL.Scheme != "http":
		return nil, fmt.Errorf("the URL's scheme is %s, and a token endpoint's is https", r.URL.Scheme)
	case helpers.Wildcard(r.URL):
		return nil, errors.New("the URL's host is a wildcard")
	}
	return r.URL, nil
}

// SameDomain reports whether both names are of one registrable domain: one owner, as far as the list of public suffixes knows.
func SameDomain(a, b string) bool {
	if isAddress(a) || isAddress(b) {
		return false
	}
	domain, err := publicsuffix.EffectiveTLDPlusOne(a)
	if err != nil || slices.Contains(tenantDomains, domain) {
		return false
	}
	other, err := publicsuffix.EffectiveTLDPlusOne(b)
	return err == nil && domain == other
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

// metadataNames are the names by which clouds serve their machines' own credentials.
var metadataNames = []string{"metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"}

// Forbidden reports whether host is a place that answers for this machine or this network, and never for another host that is a registry.
func Forbidden(host string) bool {
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return slices.Contains(metadataNames, host)
	}
	return Refused(host) || addr.Unmap().IsUnspecified()
}

// Refused reports whether host is an address to which package httpclient does not connect, for whomever.
func Refused(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && httpclient.Refused(addr)
}

// Listed reports whether a rule lists u's host. list holds names as CheckListed returned them; one without a port stands for all ports.
func Listed(u *url.URL, list []string) bool {
	return slices.Contains(list, strings.TrimSuffix(u.Host, ":"+u.Port())) || slices.Contains(list, helpers.HostPort(u))
}

// CheckListed returns the form in which a host that a rule lists ("realms", "refresh_hosts") is compared: lower case, with a port only where one is given.
func CheckListed(host string) (string, error) {
	r, err := helpers.ParseRequest(host)
	switch {
	case strings.Contains(host, "/"):
		return "", fmt.Errorf("%q is not a host: write it without a scheme and a path, as HOST or HOST:PORT", host)
	case err != nil:
		return "", fmt.Errorf("%q is not a host: %w", host, err)
	case helpers.Wildcard(r.URL):
		return "", fmt.Errorf("%q is a wildcard; name each host", host)
	case Forbidden(r.URL.Hostname()):
		return "", fmt.Errorf("%q is a link-local, multicast, unspecified or metadata address, which is never trusted", host)
	}
	if _, port, err := net.SplitHostPort(host); err == nil && port != "" {
		return helpers.HostPort(r.URL), nil
	}
	return r.URL.Host, nil
}
