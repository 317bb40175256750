package config

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/ascii"
)

// A host is a pattern for hosts, spelled as [helpers.ParseRequest] spells them.
type host struct {
	name, port string // globs; port is empty where the pattern has none
	glob       Glob   // for a host and its port where the pattern has a port; else for a host with the port that its URL shows
}

// parseHost reads a pattern. problem says why no URL's host could match it.
func parseHost(pattern string) (h host, problem string) {
	pattern = ascii.Lower(pattern)
	switch {
	case strings.Contains(pattern, "/"):
		return host{}, fmt.Sprintf(`"host" takes a host like "example.com" or "*.example.com", not %q; a path goes into "path"`, pattern)
	case strings.ContainsAny(pattern, " \t\r\n@?#\\%"):
		return host{}, fmt.Sprintf(`"host" takes a host like "example.com" or "*.example.com", not %q`, pattern)
	case strings.ContainsFunc(pattern, func(r rune) bool { return r >= 0x80 }):
		return host{}, fmt.Sprintf(`"host" is not ASCII; write the international name %q in its xn-- form`, pattern)
	case pattern == "":
		return host{glob: NewGlob("")}, ""
	}
	never := func(why string) (host, string) { return host{}, fmt.Sprintf("%q can never match: %s", pattern, why) }
	if strings.HasPrefix(pattern, "[") {
		address, rest, closed := strings.Cut(pattern, "]")
		port, hasPort := strings.CutPrefix(rest, ":")
		if !closed || rest != "" && !hasPort {
			return never(`an IPv6 address stands in brackets, and a port behind a colon: "[::1]:8443"`)
		}
		h.name, h.port = address+"]", port
	} else {
		h.name, h.port, _ = strings.Cut(pattern, ":")
		if strings.Contains(h.port, ":") {
			return never(`an IPv6 address stands in brackets, like "[::1]"`)
		}
	}
	var err error
	if h.name, err = parseName(h.name); err != nil {
		return never("the host " + err.Error())
	}
	switch {
	case h.port == "": // a colon alone says nothing, as in a URL
	case strings.Trim(h.port, "0123456789*") != "" || !strings.Contains(h.port, "*"):
		if h.port, err = helpers.NormalizePort(h.port); err != nil {
			return never("the port " + err.Error())
		}
	}
	h.glob = NewGlob(h.text())
	return h, ""
}

// parseName returns the one spelling of a name or address, in which "*" may stand.
func parseName(name string) (string, error) {
	if !strings.Contains(name, "*") {
		return helpers.NormalizeName(name)
	}
	if strings.HasPrefix(name, "[") {
		if strings.Trim(name, "[]0123456789abcdef:.*") != "" {
			return "", errors.New("is not an IPv6 address without a zone")
		}
		return name, nil
	}
	name = strings.TrimSuffix(name, ".")
	// What stands between the stars has to be right with a letter for each of them.
	// The label at the end keeps "10.*.0.1" from being taken for an address that is none.
	_, err := helpers.NormalizeName(strings.ReplaceAll(name, "*", "x") + ".x")
	return name, err
}

// text returns the pattern, which is empty for every host.
func (h host) text() string {
	if h.port == "" {
		return h.name
	}
	return h.name + ":" + h.port
}

func (h host) matches(u *url.URL) bool {
	if h.port == "" {
		return h.glob.Match(u.Host)
	}
	return h.glob.Match(helpers.HostPort(u))
}

// matchesBelow reports whether the pattern matches a host below the domain that u, a wildcard, stands for.
func (h host) matchesBelow(u *url.URL) bool {
	if h.port == "" {
		return h.glob.matchesEnd(strings.TrimPrefix(u.Host, "*"))
	}
	hostPort := helpers.HostPort(u)
	colon := strings.LastIndexByte(hostPort, ':')
	return NewGlob(h.port).Match(hostPort[colon+1:]) && NewGlob(h.name).matchesEnd(strings.TrimPrefix(hostPort[:colon], "*"))
}

// tooWide says why a secret that names no host itself may not go to all hosts that the pattern matches. It is empty where it may.
func (h host) tooWide() string {
	if strings.Trim(h.name, "*.:[]") == "" {
		return `a rule with a secret needs a "host": without one the secret would be sent to every host there is`
	}
	if suffix := h.publicSuffix(); suffix != "" {
		return fmt.Sprintf(`a rule with a secret needs a "host" of one owner: %q matches all of %q, where the secret would be sent to hosts of anybody`, h.text(), suffix)
	}
	return ""
}

// commonSuffixes are some of the domains below which anybody may register a name: a sample, for patterns that have no end to look up in the list.
var commonSuffixes = [...]string{"com", "net", "org", "io", "dev", "app", "ai", "co", "de", "eu", "uk", "us", "cn", "co.uk", "com.au", "co.jp"}

// publicSuffix returns the domain of a registry (https://publicsuffix.org, the ICANN section) below which the pattern matches every name; "" where there is none.
// Of domains that belong to one owner who lets others have names below it (the list's other section), and of those that no registry knows
// ("test", a company's "corp"), everything may be matched.
func (h host) publicSuffix() string {
	if !strings.HasPrefix(h.name, "*") {
		return ""
	}
	end := strings.TrimPrefix(h.name[strings.LastIndexByte(h.name, '*')+1:], ".")
	if end == "home.arpa" { // for networks at home (RFC 8375), and in the list only because nobody owns it
		return ""
	}
	if strings.Trim(strings.TrimSuffix(h.name, end), "*.") == "" && end != "" {
		// A rule of the list may be a wildcard: every name below "ck" is a suffix itself.
		for _, name := range []string{end, "x." + end} {
			if suffix, icann := publicsuffix.PublicSuffix(name); icann && suffix == name {
				return end
			}
		}
	}
	glob := NewGlob(h.name)
	for _, suffix := range commonSuffixes {
		if glob.Match("\x00." + suffix) { // a name that no part of a pattern matches
			return suffix
		}
	}
	return ""
}
