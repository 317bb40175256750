package oci

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/httpclient"
	"github.com/fe055d52/credential-helper/internal/redact"
	"golang.org/x/net/publicsuffix"
)

// knownRealms are token endpoints that belong to a registry without sharing its domain.
var knownRealms = map[string][]string{
	"nvcr.io": {"authn.nvidia.com"},
}

// tenantDomains are domains below which each name belongs to another customer,
// though the list of public suffixes has them as one owner's. A registry there may name its own host only.
var tenantDomains = []string{"azurecr.io", "azurecr.cn", "azurecr.us", "jfrog.io"}

// checkRealm returns the token endpoint that a registry names, if the registry's login may be sent there:
// it is the registry's own host, or of the same registrable domain, or a known pair, or both are this machine, or extra lists it.
//
// Without this check whoever can answer for a registry, or stands behind a redirect of it, could have the login sent anywhere
// (CVE-2020-15157). Plain HTTP is accepted between loopback addresses, and where the registry itself is asked over HTTP and allowHTTP is set.
//
// extra holds names as checkTrusted returned them; one without a port stands for all ports.
func checkRealm(registry *url.URL, realm string, extra []string, allowHTTP bool) (*url.URL, error) {
	u, err := parseRealm(realm)
	if err != nil {
		return nil, fmt.Errorf("the registry %s names a token endpoint (realm) that is not usable: %w", registry.Host, err)
	}
	shown := redact.Quote(helpers.Display(u), 200)
	sameHost := u.Hostname() == registry.Hostname()
	switch {
	case refusedAddress(u.Hostname()), !sameHost && forbiddenHost(u.Hostname()):
		return nil, fmt.Errorf("the registry %s names the token endpoint %s, which is a link-local, multicast, unspecified or metadata address; no login is sent there",
			registry.Host, shown)
	case u.Scheme == "http" && !(helpers.Loopback(u) && helpers.Loopback(registry)) && !(registry.Scheme == "http" && allowHTTP):
		return nil, helpers.WithHint(fmt.Errorf("the registry %s names the token endpoint %s, which is not encrypted; no login is sent there", registry.Host, shown),
			`the registry's administrator has to name an https: realm; for a registry that is asked over http:, set "allow_http": true`)
	case sameHost, sameDomain(registry.Hostname(), u.Hostname()), slices.Contains(knownRealms[registry.Host], u.Host),
		helpers.Loopback(registry) && helpers.Loopback(u), slices.Contains(extra, withoutPort(u)), slices.Contains(extra, helpers.HostPort(u)):
		return u, nil
	default:
		return nil, helpers.WithHint(fmt.Errorf("the registry %s names the token endpoint %s, which belongs to another domain; no login is sent there", registry.Host, shown),
			`if that server may see this registry's login, add "realms": [%q] to the rule's config`, u.Host)
	}
}

// parseRealm accepts an absolute http or https URL without user info and fragment. No error quotes it.
func parseRealm(realm string) (*url.URL, error) {
	switch {
	case realm == "":
		return nil, errors.New("it is empty")
	case !strings.Contains(realm, "://"):
		return nil, errors.New("it is not an absolute URL")
	case strings.Contains(realm, "#"):
		return nil, errors.New("the URL has a fragment")
	}
	r, err := helpers.ParseRequest(realm)
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

// sameDomain reports whether both names are of one registrable domain: one owner, as far as the list of public suffixes knows.
func sameDomain(a, b string) bool {
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

// forbiddenHost reports whether host is a place that answers for this machine or this network, and never for another host that is a registry.
func forbiddenHost(host string) bool {
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return slices.Contains(metadataNames, host)
	}
	return refusedAddress(host) || addr.Unmap().IsUnspecified()
}

// refusedAddress reports whether host is an address to which package httpclient does not connect, for whomever.
func refusedAddress(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && httpclient.Refused(addr)
}

func withoutPort(u *url.URL) string { return strings.TrimSuffix(u.Host, ":"+u.Port()) }

// checkTrusted returns the form in which a host that a rule lists under "realms" is compared: lower case, with a port only where one is given.
func checkTrusted(host string) (string, error) {
	r, err := helpers.ParseRequest(host)
	switch {
	case strings.Contains(host, "/"):
		return "", fmt.Errorf("%q is not a host: write it without a scheme and a path, as HOST or HOST:PORT", host)
	case err != nil:
		return "", fmt.Errorf("%q is not a host: %w", host, err)
	case helpers.Wildcard(r.URL):
		return "", fmt.Errorf("%q is a wildcard; name each host", host)
	case forbiddenHost(r.URL.Hostname()):
		return "", fmt.Errorf("%q is a link-local, multicast, unspecified or metadata address, which is never trusted", host)
	}
	if _, port, err := net.SplitHostPort(host); err == nil && port != "" {
		return helpers.HostPort(r.URL), nil
	}
	return r.URL.Host, nil
}
