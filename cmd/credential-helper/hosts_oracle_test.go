package main

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// What is in this file says by itself which host a URL names, and whether a rule names that host. It calls nothing of the program's.

// A reading is what a program takes a URL for.
type reading struct {
	scheme, host, port, path string // host is in lower case without a trailing dot; port is empty where it is the scheme's own
}

func (r reading) hostPort() string {
	if r.port == "" {
		return r.host
	}
	return r.host + ":" + r.port
}

// withPort returns the host with its port always there.
func (r reading) withPort() string {
	if r.port == "" {
		return r.host + ":" + schemePort(r.scheme)
	}
	return r.host + ":" + r.port
}

func schemePort(scheme string) string {
	switch scheme {
	case "https", "grpcs":
		return "443"
	}
	return "80"
}

// loopback reports whether a host is this machine.
func (r reading) loopback() bool {
	addr, err := netip.ParseAddr(strings.Trim(r.host, "[]"))
	return r.host == "localhost" || err == nil && addr.Unmap().IsLoopback()
}

// readNet reads a URL as Go's library does, without a look at whether that is wise.
func readNet(raw string) (r reading, ok bool) {
	if !strings.Contains(raw, "://") {
		raw = "https://" + raw
	}
	u, err := url.Parse(raw)
	if err != nil {
		return reading{}, false
	}
	r = reading{scheme: u.Scheme, host: strings.TrimSuffix(strings.ToLower(u.Hostname()), "."), port: u.Port(), path: u.Path}
	if strings.Contains(r.host, ":") {
		if addr, err := netip.ParseAddr(r.host); err == nil {
			r.host = addr.String()
		}
		r.host = "[" + r.host + "]"
	}
	r.shortPort()
	return r, r.host != ""
}

// shortPort spells the port in the one way.
func (r *reading) shortPort() {
	if r.port = strings.TrimLeft(r.port, "0"); r.port == schemePort(r.scheme) {
		r.port = ""
	}
	if r.path == "" {
		r.path = "/"
	}
}

// readWeb reads a URL as browsers do, and the programs that follow them (https://url.spec.whatwg.org): without tabs and line breaks, with a backslash for a slash,
// user info up to the last "@", the host percent-decoded and mapped by IDNA, and numbers of many forms for an IPv4 address.
func readWeb(raw string) (r reading, ok bool) {
	raw = strings.NewReplacer("\t", "", "\r", "", "\n", "").Replace(strings.Trim(raw, " \x00\x01\x02\x1f\t\r\n"))
	scheme, rest, found := strings.Cut(strings.ReplaceAll(raw, `\`, "/"), "://")
	if !found {
		scheme, rest = "https", strings.ReplaceAll(raw, `\`, "/")
	}
	r.scheme = strings.ToLower(scheme)
	rest = strings.TrimLeft(rest, "/") // as many slashes as there are
	authority, path := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	path, _, _ = strings.Cut(path, "#")
	path, _, _ = strings.Cut(path, "?")
	if decoded, err := url.PathUnescape(path); err == nil {
		path = decoded
	}
	r.path = path
	authority = authority[strings.LastIndexByte(authority, '@')+1:]
	host := authority
	if i := strings.LastIndexByte(authority, ':'); i > strings.LastIndexByte(authority, ']') {
		host, r.port = authority[:i], authority[i+1:]
	}
	if r.port != "" {
		if n, err := strconv.ParseUint(r.port, 10, 16); err != nil || n == 0 {
			return reading{}, false
		}
	}
	if inner, v6 := strings.CutPrefix(host, "["); v6 {
		addr, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		if err != nil || !addr.Is6() || addr.Zone() != "" {
			return reading{}, false
		}
		r.host = "[" + addr.String() + "]"
		r.shortPort()
		return r, true
	}
	if decoded, err := url.PathUnescape(host); err == nil {
		host = decoded
	}
	host, star := strings.CutPrefix(host, "*.") // Bazel's own: all hosts of a domain
	name := strings.ToLower(host)
	if strings.ContainsFunc(host, func(r rune) bool { return r >= 0x80 }) { // what is ASCII is looked up as it is, also where it is no right xn-- form
		var err error
		if name, err = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false)).ToASCII(host); err != nil {
			return reading{}, false
		}
	}
	if name == "" || strings.ContainsAny(name, " #%/:<>?@[\\]^|\x00\x7f") {
		return reading{}, false
	}
	if r.host = strings.TrimSuffix(name, "."); star {
		r.host = "*." + r.host
	}
	if v4, numeric, ok := readIPv4(r.host); numeric && !ok {
		return reading{}, false
	} else if ok {
		r.host = v4
	}
	r.shortPort()
	return r, r.host != ""
}

// readIPv4 reads an address whose parts may be decimal, octal or hexadecimal, and fewer than four. numeric says that the host can be nothing else.
func readIPv4(host string) (addr string, numeric, ok bool) {
	parts := strings.Split(host, ".")
	number := func(s string) (uint64, bool) {
		base := 10
		if rest, hex := strings.CutPrefix(s, "0x"); hex {
			if s, base = rest, 16; rest == "" {
				return 0, true
			}
		} else if len(s) > 1 && s[0] == '0' {
			base = 8
		}
		n, err := strconv.ParseUint(s, base, 64)
		return n, err == nil
	}
	last := parts[len(parts)-1]
	n, isNumber := number(last)
	if !isNumber && (last == "" || strings.Trim(last, "0123456789") != "") {
		return "", false, false
	}
	if !isNumber || len(parts) > 4 || n >= 1<<(8*(5-len(parts))) {
		return "", true, false
	}
	for i, p := range parts[:len(parts)-1] {
		v, ok := number(p)
		if !ok || v > 255 {
			return "", true, false
		}
		n |= v << (8 * (3 - i))
	}
	return fmt.Sprintf("%d.%d.%d.%d", n>>24, n>>16&255, n>>8&255, n&255), true, true
}

// A hostRule is what a rule says of the URLs that it is for.
type hostRule struct {
	Scheme string `json:"scheme,omitempty"`
	Host   string `json:"host,omitempty"`
	Path   string `json:"path,omitempty"`
}

func (h hostRule) String() string {
	text, err := json.Marshal(h)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// names reports whether a rule names what a URL is for.
func (h hostRule) names(r reading) bool {
	if h.Scheme != "" && h.Scheme != r.scheme || h.Path != "" && !glob(h.Path, oneSlash(r.path)) {
		return false
	}
	pattern := oneSpelling(h.Host)
	colon := strings.LastIndexByte(pattern, ':')
	switch {
	case pattern == "":
		return true
	case colon > strings.LastIndexByte(pattern, ']'):
		return glob(pattern, r.withPort())
	case !strings.Contains(pattern, "*"):
		return pattern == r.hostPort()
	}
	if domain, whole := strings.CutPrefix(pattern, "*."); whole && !strings.Contains(domain, "*") {
		// Label by label, from the last: at least one more than the pattern has.
		want, got := strings.Split(domain, "."), strings.Split(r.hostPort(), ".")
		if len(got) <= len(want) {
			return false
		}
		for i := range want {
			if want[len(want)-1-i] != got[len(got)-1-i] {
				return false
			}
		}
		return true
	}
	return glob(pattern, r.hostPort())
}

// oneSpelling returns a pattern as a reading has hosts.
func oneSpelling(pattern string) string {
	name, port := strings.ToLower(pattern), ""
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, ']') {
		name, port = name[:i], strings.TrimLeft(name[i+1:], "0")
	}
	name = strings.TrimSuffix(name, ".")
	if addr, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil && addr.Is6() {
		name = "[" + addr.String() + "]"
	}
	if port == "" {
		return name
	}
	return name + ":" + port
}

// glob is the definition: a star is any run of characters, and all else is itself.
func glob(pattern, text string) bool {
	if pattern == "" {
		return text == ""
	}
	if pattern[0] == '*' {
		for i := range len(text) + 1 {
			if glob(pattern[1:], text[i:]) {
				return true
			}
		}
		return false
	}
	return text != "" && text[0] == pattern[0] && glob(pattern[1:], text[1:])
}

func oneSlash(path string) string {
	var b strings.Builder
	for i := range len(path) {
		if i == 0 || path[i] != '/' || path[i-1] != '/' {
			b.WriteByte(path[i])
		}
	}
	return b.String()
}
