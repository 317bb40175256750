package oci

import (
	"fmt"
	"net/url"
	"slices"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/owner"
	"github.com/fe055d52/credential-helper/internal/redact"
)

// knownRealms are token endpoints that belong to a registry without sharing its domain.
var knownRealms = map[string][]string{
	"nvcr.io": {"authn.nvidia.com"},
}

// realmHint is what to do where a registry's own configuration is wrong.
const realmHint = "the registry's administrator has to set the realm of its token authentication"

// checkRealm returns the token endpoint that a registry names, if the registry's login may be sent there:
// it is the registry's own host, or of the same registrable domain, or a known pair, or both are this machine, or extra lists it.
//
// Without this check whoever can answer for a registry, or stands behind a redirect of it, could have the login sent anywhere
// (CVE-2020-15157). Plain HTTP is accepted between loopback addresses, and where the registry itself is asked over HTTP and allowHTTP is set.
//
// extra holds names as owner.CheckListed returned them.
func checkRealm(registry *url.URL, realm string, extra []string, allowHTTP bool) (*url.URL, error) {
	u, err := owner.ParseEndpoint(realm)
	if err != nil {
		return nil, helpers.WithHint(fmt.Errorf("the registry %s names a token endpoint (realm) that is not usable: %w", registry.Host, err), realmHint)
	}
	shown := redact.Quote(helpers.Display(u), 200)
	sameHost := u.Hostname() == registry.Hostname()
	switch {
	case owner.Refused(u.Hostname()), !sameHost && owner.Forbidden(u.Hostname()):
		return nil, helpers.WithHint(fmt.Errorf("the registry %s names the token endpoint %s, which is a link-local, multicast, unspecified or metadata address; no login is sent there",
			registry.Host, shown), realmHint)
	case u.Scheme == "http" && !(helpers.Loopback(u) && helpers.Loopback(registry)) && !(registry.Scheme == "http" && allowHTTP):
		return nil, helpers.WithHint(fmt.Errorf("the registry %s names the token endpoint %s, which is not encrypted; no login is sent there", registry.Host, shown),
			`the registry's administrator has to name an https: realm; for a registry that is asked over http:, set "allow_http": true`)
	case trust(registry, u, extra) != "":
		return u, nil
	default:
		return nil, helpers.WithHint(fmt.Errorf("the registry %s names the token endpoint %s, which belongs to another domain; no login is sent there", registry.Host, shown),
			`if that server may see this registry's login, add "realms": [%q] to the rule's config`, u.Host)
	}
}

// trust says why a registry's login may be sent to the token endpoint u, as far as that depends on whose it is; "" where it may not.
func trust(registry, u *url.URL, extra []string) string {
	switch {
	case u.Hostname() == registry.Hostname():
		return "it is the registry's own host"
	case owner.SameDomain(registry.Hostname(), u.Hostname()):
		return "it is of the registry's own domain"
	case slices.Contains(knownRealms[registry.Host], u.Host):
		return "it is known to belong to this registry"
	case helpers.Loopback(registry) && helpers.Loopback(u):
		return "both are this machine"
	case owner.Listed(u, extra):
		return `the rule lists it in "realms"`
	}
	return ""
}
