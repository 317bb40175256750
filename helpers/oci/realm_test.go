package oci

import (
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/helpers"
	"golang.org/x/net/publicsuffix"
)

// told returns what a user reads of an error: its text, and its hint on a line of its own.
func told(err error) string {
	if err == nil {
		return ""
	}
	text := err.Error()
	var hint *helpers.HintError
	if errors.As(err, &hint) {
		text += "\nhint: " + hint.Hint
	}
	return text
}

func TestCheckRealm(t *testing.T) {
	const (
		foreign  = "which belongs to another domain; no login is sent there"
		plain    = "which is not encrypted; no login is sent there"
		metadata = "which is a link-local, multicast, unspecified or metadata address; no login is sent there"
	)
	for _, tt := range []struct {
		registry, realm string
		extra           []string
		allowHTTP       bool
		want            string // in the error; "" where the realm is accepted
	}{
		{registry: "https://r.example.com", realm: "https://r.example.com/token"},
		{registry: "https://r.example.com", realm: "https://R.example.com:443/token?account=x"},
		{registry: "https://r.example.com", realm: "https://r.example.com:8443/token"},
		{registry: "https://r.example.com:5000", realm: "https://r.example.com:5001/token"},
		{registry: "https://r.example.com", realm: "https://auth.example.com/token"},
		{registry: "https://r.example.co.uk", realm: "https://auth.example.co.uk/token"},
		{registry: "https://192.0.2.1", realm: "https://192.0.2.1/token"},
		{registry: "https://registry", realm: "https://registry/token"},
		{registry: "https://registry-1.docker.io", realm: "https://auth.docker.io/token"},
		{registry: "https://index.docker.io", realm: "https://auth.docker.io/token"},
		{registry: "https://nvcr.io", realm: "https://nvcr.io/proxy_auth"},
		{registry: "https://nvcr.io", realm: "https://authn.nvidia.com/token"},
		{registry: "https://registry.gitlab.com", realm: "https://gitlab.com/jwt/auth"},
		{registry: "https://docker.elastic.co", realm: "https://docker-auth.elastic.co/auth"},
		{registry: "https://quay.io", realm: "https://quay.io/v2/auth"},
		{registry: "https://ghcr.io", realm: "https://ghcr.io/token"},
		{registry: "https://cgr.dev", realm: "https://cgr.dev/token"},
		{registry: "https://public.ecr.aws", realm: "https://public.ecr.aws/token/"},
		{registry: "https://me.azurecr.io", realm: "https://me.azurecr.io/oauth2/token"},
		{registry: "http://localhost:5000", realm: "http://127.0.0.1:5001/token"},
		{registry: "http://[::1]:5000", realm: "http://localhost:5001/token"},
		{registry: "https://localhost:5000", realm: "http://localhost:5001/token"},
		{registry: "https://r.example.com", realm: "https://login.corp.test/token", extra: []string{"login.corp.test"}},
		{registry: "https://r.example.com", realm: "https://login.corp.test:8443/token", extra: []string{"login.corp.test"}},
		{registry: "https://r.example.com", realm: "https://login.corp.test:8443/token", extra: []string{"login.corp.test:8443"}},
		{registry: "https://r.example.com", realm: "https://login.corp.test/token", extra: []string{"login.corp.test:443"}},
		{registry: "https://r.example.com", realm: "https://[2001:db8::1]/token", extra: []string{"[2001:db8::1]"}},
		{registry: "http://r.example.com", realm: "http://r.example.com/token", allowHTTP: true},
		{registry: "http://localhost:5000", realm: "http://auth.corp.test/token", extra: []string{"auth.corp.test"}, allowHTTP: true},
		// The registry is at such a host itself. Nothing is refused there that was not asked for.
		{registry: "https://0.0.0.0:5000", realm: "https://0.0.0.0:5001/token"},
		{registry: "https://metadata", realm: "https://metadata/token"},

		{registry: "https://r.example.com", realm: "https://evil.test/token", want: foreign},
		{registry: "https://r.example.com", realm: "https://r.example.com.evil.test/token", want: foreign},
		{registry: "https://r.example.com", realm: "https://evilexample.com/token", want: foreign},
		{registry: "https://r.example.co.uk", realm: "https://other.co.uk/token", want: foreign},
		{registry: "https://a.github.io", realm: "https://b.github.io/token", want: foreign},
		{registry: "https://github.io", realm: "https://b.github.io/token", want: foreign},
		{registry: "https://a.internal", realm: "https://b.internal/token", want: foreign},
		{registry: "https://registry", realm: "https://auth/token", want: foreign},
		{registry: "https://me.azurecr.io", realm: "https://other.azurecr.io/oauth2/token", want: foreign},
		{registry: "https://me.jfrog.io", realm: "https://other.jfrog.io/token", want: foreign},
		{registry: "https://192.0.2.1", realm: "https://192.0.2.2/token", want: foreign},
		{registry: "https://nvcr.io", realm: "https://nvidia.com/token", want: foreign},
		{registry: "https://nvcr.io", realm: "https://authn.nvidia.com:8443/token", want: foreign},
		{registry: "https://nvcr.io.evil.test", realm: "https://authn.nvidia.com/token", want: foreign},
		{registry: "https://r.example.com", realm: "https://localhost/token", want: foreign},
		{registry: "https://localhost", realm: "https://auth.example.com/token", want: foreign},
		{registry: "https://r.example.com", realm: "https://login.corp.test:8443/token", extra: []string{"login.corp.test:443"}, want: foreign},
		{registry: "https://r.example.com", realm: "https://x.login.corp.test/token", extra: []string{"login.corp.test"}, want: foreign},
		{registry: "https://r.example.com", realm: "http://r.example.com/token", want: plain},
		{registry: "https://r.example.com", realm: "http://r.example.com/token", allowHTTP: true, want: plain},
		{registry: "https://r.example.com", realm: "http://localhost/token", want: plain},
		{registry: "http://localhost:5000", realm: "http://r.example.com/token", extra: []string{"r.example.com"}, want: plain},
		{registry: "http://r.example.com", realm: "http://r.example.com/token", want: plain},
		{registry: "https://r.example.com", realm: "http://login.corp.test/token", extra: []string{"login.corp.test"}, want: plain},
		{registry: "http://r.example.com", realm: "http://evil.test/token", allowHTTP: true, want: foreign},
		{registry: "https://r.example.com", realm: "https://169.254.169.254/token", want: metadata},
		{registry: "https://r.example.com", realm: "http://169.254.169.254/latest/meta-data/", want: metadata},
		{registry: "http://localhost", realm: "http://169.254.169.254/token", allowHTTP: true, extra: []string{"169.254.169.254"}, want: metadata},
		{registry: "https://r.example.com", realm: "https://[fe80::1]/token", want: metadata},
		{registry: "https://169.254.1.1", realm: "https://169.254.1.1/token", want: metadata},
		{registry: "https://[fd00:ec2::254]", realm: "https://[fd00:ec2::254]/token", want: metadata},
		{registry: "https://r.example.com", realm: "https://[::ffff:169.254.169.254]/token", want: metadata},
		{registry: "https://r.example.com", realm: "https://[fd00:ec2::254]/token", want: metadata},
		{registry: "https://r.example.com", realm: "https://224.0.0.1/token", want: metadata},
		{registry: "https://r.example.com", realm: "https://0.0.0.0/token", want: metadata},
		{registry: "https://r.google.internal", realm: "https://metadata.google.internal/token", want: metadata},
		{registry: "https://r.example.com", realm: "", want: "it is empty"},
		{registry: "https://r.example.com", realm: "r.example.com/token", want: "it is not an absolute URL"},
		{registry: "https://r.example.com", realm: "/token", want: "it is not an absolute URL"},
		{registry: "https://r.example.com", realm: "https:/token", want: "it is not an absolute URL"},
		{registry: "https://r.example.com", realm: "https:///token", want: "the URL has no host"},
		{registry: "https://r.example.com", realm: "https://r.example.com/token#x", want: "the URL has a fragment"},
		{registry: "https://r.example.com", realm: "https://evil.test#@r.example.com/", want: "the URL has a fragment"},
		{registry: "https://r.example.com", realm: "https://user:canary@r.example.com/token", want: "the URL has user info"},
		{registry: "https://r.example.com", realm: `https://r.example.com\@evil.test/`, want: "the URL has a space or a backslash"},
		{registry: "https://r.example.com", realm: "https://r.example.com /token", want: "the URL has a space or a backslash"},
		{registry: "https://r.example.com", realm: "https://r.example.com/\r\nHost: evil.test", want: "the URL has a control character"},
		{registry: "https://r.example.com", realm: "grpcs://r.example.com/token", want: "the URL's scheme is grpcs, and a token endpoint's is https"},
		{registry: "https://r.example.com", realm: "file:///etc/passwd", want: "unknown scheme"},
		{registry: "https://r.example.com", realm: "https://*.example.com/token", want: "the URL's host is a wildcard"},
		{registry: "https://r.example.com", realm: "https://2852039166/token", want: "looks like an IP address and is none"},
	} {
		t.Run(tt.registry+" "+tt.realm, func(t *testing.T) {
			got, err := checkRealm(parse(t, tt.registry), tt.realm, tt.extra, tt.allowHTTP)
			if tt.want == "" {
				if err != nil || got == nil {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			if err == nil {
				t.Fatalf("accepted as %s", got)
			}
			if !strings.Contains(err.Error(), tt.want) || strings.Contains(told(err), "canary") {
				t.Errorf("error %q, want %q in it", err, tt.want)
			}
		})
	}
}

func TestRealmErrors(t *testing.T) {
	registry := parse(t, "https://r.example.com")
	for realm, want := range map[string]string{
		"https://evil.test/token?key=canary": `the registry r.example.com names the token endpoint https://evil.test/token?…, which belongs to another domain; no login is sent there
hint: if that server may see this registry's login, add "realms": ["evil.test"] to the rule's config`,
		"http://r.example.com/token": `the registry r.example.com names the token endpoint http://r.example.com/token, which is not encrypted; no login is sent there
hint: the registry's administrator has to name an https: realm; for a registry that is asked over http:, set "allow_http": true`,
		"http://169.254.169.254/token": `the registry r.example.com names the token endpoint http://169.254.169.254/token, which is a link-local, multicast, unspecified or metadata address; no login is sent there` + "\nhint: " + realmHint,
		"token":                        `the registry r.example.com names a token endpoint (realm) that is not usable: it is not an absolute URL` + "\nhint: " + realmHint,
	} {
		if _, err := checkRealm(registry, realm, nil, false); told(err) != want {
			t.Errorf("%s:\n got %s\nwant %s", realm, told(err), want)
		}
	}
}

// FuzzRealm holds rule: what is accepted is the same host, of the same registrable domain, a known pair, listed, or both on this machine.
func FuzzRealm(f *testing.F) {
	f.Add("https://r.example.com", "https://auth.example.com/token", false)
	f.Add("https://nvcr.io", "https://authn.nvidia.com/token", false)
	f.Add("http://localhost:5000", "http://127.0.0.1:5001/token", false)
	f.Add("https://a.co.uk", "https://b.co.uk/", true)
	f.Add("http://r.example.com", "http://login.corp.test/?x=y", true)
	f.Add("https://169.254.169.254", "http://[fe80::1]/", true)
	listed := []string{"login.corp.test"}
	f.Fuzz(func(t *testing.T, registry, realm string, allowHTTP bool) {
		r, err := helpers.ParseRequest(registry)
		if err != nil || r.URL.Scheme != "https" && r.URL.Scheme != "http" {
			return
		}
		got, err := checkRealm(r.URL, realm, listed, allowHTTP)
		if err != nil {
			return
		}
		// A second parser has to see the same host.
		second, err := url.Parse(got.String())
		if err != nil || second.Host != got.Host || second.User != nil || second.Fragment != "" || got.User != nil {
			t.Fatalf("%q names %q, accepted as %q, which reads as %+v (%v)", registry, realm, got, second, err)
		}
		local := helpers.Loopback(r.URL) && helpers.Loopback(got)
		if got.Scheme != "https" && (got.Scheme != "http" || !local && (r.URL.Scheme != "http" || !allowHTTP)) {
			t.Errorf("%q names %q: accepted with the scheme %s", registry, realm, got.Scheme)
		}
		mine, errMine := publicsuffix.EffectiveTLDPlusOne(r.URL.Hostname())
		theirs, errTheirs := publicsuffix.EffectiveTLDPlusOne(got.Hostname())
		switch {
		case got.Hostname() == r.URL.Hostname(), local, slices.Contains(listed, got.Hostname()), slices.Contains(knownRealms[r.URL.Host], got.Host):
		case errMine == nil && errTheirs == nil && mine == theirs && !address(got) && !address(r.URL):
		default:
			t.Errorf("%q names %q: accepted without belonging", registry, realm)
		}
	})
}

func address(u *url.URL) bool {
	_, err := netip.ParseAddr(u.Hostname())
	return err == nil
}
