package helpers

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/fe055d52/credential-helper/internal/ascii"
)

// A Request asks for what a URL's server wants. [ParseRequest] makes it.
type Request struct {
	// URL is normalized: the scheme is one of http, https, grpc and grpcs; the host is lower case, without a
	// trailing dot and without the scheme's default port; the path begins with "/"; there is no user info and no fragment.
	// The host may begin with "*.": some clients ask for all hosts of a domain at once.
	URL *url.URL
}

var defaultPorts = map[string]string{"https": "443", "http": "80", "grpcs": "443", "grpc": "80"}

// MaxURL is the length in bytes above which a URL is refused.
const MaxURL = 32 << 10

// ParseRequest checks and normalizes a URL as clients send it (RFC 3986). A bare host ("ghcr.io", "localhost:5000") means https.
//
// It refuses what could make two programs disagree about where a request goes, or could break out of a header or a log line:
// user info, control characters, an empty host, a host that is not plain ASCII, backslashes, percent-encoding and zones in the host,
// a fragment or "@" right behind the host, and dot segments in the path. No error quotes the query or the user info.
func ParseRequest(raw string) (Request, error) {
	if raw == "" {
		return Request{}, errors.New("the URL is empty")
	}
	if len(raw) > MaxURL {
		return Request{}, fmt.Errorf("the URL is longer than %d bytes", MaxURL)
	}
	for i := range len(raw) {
		if c := raw[i]; c < 0x20 || c == 0x7f {
			return Request{}, fmt.Errorf("the URL has a control character (0x%02x) at byte %d", c, i)
		}
	}
	if strings.ContainsAny(raw, " \\") {
		return Request{}, errors.New("the URL has a space or a backslash")
	}
	if !strings.Contains(raw, "://") {
		if strings.ContainsAny(raw, "/?#@") {
			return Request{}, fmt.Errorf("the URL is relative: it has no scheme; write https://HOST/PATH")
		}
		raw = "https://" + raw
	}
	u, err := url.Parse(raw)
	if err != nil {
		// url.Error quotes the whole URL, with its query and user info.
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err
		}
		if strings.Contains(raw, "@") {
			return Request{}, errors.New("the URL does not parse, and has user info or an @")
		}
		if strings.HasPrefix(err.Error(), "invalid port") {
			// "https://user:pa#ss@host" ends before the #, and what is taken for the port is the beginning of a password.
			return Request{}, errors.New("the URL does not parse: its port is not a number")
		}
		return Request{}, fmt.Errorf("the URL does not parse: %w", err)
	}
	port, known := defaultPorts[u.Scheme]
	switch {
	case !known:
		return Request{}, fmt.Errorf("the URL has the unknown scheme %q; known are https, http, grpcs and grpc", u.Scheme)
	case u.User != nil:
		return Request{}, errors.New("the URL has user info (user:password@); remove it: a credential helper answers by host")
	case u.Opaque != "" || u.Host == "" || u.Hostname() == "":
		return Request{}, errors.New("the URL has no host")
	}
	host, err := normalizeHost(u, port)
	if err != nil {
		return Request{}, err
	}
	u.Host = host
	// "https://a.test#@b.test/": one parser sees a.test, another b.test.
	if u.Fragment != "" && (u.Path == "" || strings.ContainsAny(u.Fragment, "@\\")) {
		return Request{}, errors.New("the URL has a fragment that could hide another host")
	}
	if u.Path == "" && strings.Contains(u.RawQuery, "@") {
		return Request{}, errors.New("the URL has an @ behind its host")
	}
	u.Fragment, u.RawFragment = "", ""
	if u.Path == "" {
		u.Path = "/"
	}
	if err := checkPath(u.Path); err != nil {
		return Request{}, err
	}
	return Request{URL: u}, nil
}

func normalizeHost(u *url.URL, defaultPort string) (string, error) {
	port := u.Port()
	if i := strings.LastIndexByte(u.Host, ':'); port == "" && i >= 0 && !strings.HasSuffix(u.Host, "]") && i != len(u.Host)-1 {
		return "", errors.New("the URL's port is not a number")
	}
	if port != "" {
		var err error
		if port, err = NormalizePort(port); err != nil {
			return "", fmt.Errorf("the URL's port %w", err)
		}
	}
	name := u.Hostname()
	if strings.HasPrefix(u.Host, "[") {
		name = "[" + name + "]"
	}
	name, err := NormalizeName(name)
	if err != nil {
		return "", fmt.Errorf("the URL's host %w", err)
	}
	if port == "" || port == defaultPort {
		return name, nil
	}
	return name + ":" + port, nil
}

// NormalizePort returns the one spelling of a port. The text of an error goes on from what names the port: "is not …".
func NormalizePort(port string) (string, error) {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", errors.New("is not a number from 1 to 65535")
	}
	return strconv.FormatUint(n, 10), nil
}

// NormalizeName returns the one spelling of a host without its port, as the URL of a [Request] has it:
// a DNS name in ASCII (RFC 1123 §2.1, and the underscore that is used in practice), an IPv4 address, or an IPv6 address in brackets.
// A leading "*." stands for all hosts of a domain. The text of an error goes on from what names the host: "has …".
func NormalizeName(name string) (string, error) {
	if inner, bracket := strings.CutPrefix(name, "["); bracket {
		inner, closed := strings.CutSuffix(inner, "]")
		addr, err := netip.ParseAddr(inner)
		if err != nil || !closed || !addr.Is6() || addr.Zone() != "" {
			return "", errors.New("is not an IPv6 address without a zone")
		}
		return "[" + addr.String() + "]", nil
	}
	name = strings.TrimSuffix(ascii.Lower(name), ".")
	return name, checkName(name)
}

func checkName(name string) error {
	if len(name) > 253 {
		return errors.New("is longer than 253 bytes")
	}
	labels := strings.Split(strings.TrimPrefix(name, "*."), ".")
	for _, label := range labels {
		if label == "" {
			return errors.New("has an empty label")
		}
		if len(label) > 63 {
			return errors.New("has a label longer than 63 bytes")
		}
		for i := range len(label) {
			c := label[i]
			switch {
			case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
			case c >= 0x80:
				return errors.New("is not ASCII; write an international name in its xn-- form")
			default:
				return fmt.Errorf("has the character %q", c)
			}
		}
	}
	// "127.1", "2130706433" and "0x7f000001" are addresses to some programs and names to others: the last label decides
	// (https://url.spec.whatwg.org/#ends-in-a-number-checker).
	last := labels[len(labels)-1]
	hex, isHex := strings.CutPrefix(last, "0x")
	if strings.Trim(last, "0123456789") == "" || isHex && strings.Trim(hex, "0123456789abcdef") == "" {
		if addr, err := netip.ParseAddr(name); err != nil || !addr.Is4() {
			return errors.New("looks like an IP address and is none")
		}
	}
	return nil
}

// HostPort returns u's host with its port always there: what a pattern with a port is compared with.
func HostPort(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	return u.Host + ":" + defaultPorts[u.Scheme]
}

// Secure reports whether what is sent to u is encrypted on the way.
func Secure(u *url.URL) bool { return u.Scheme == "https" || u.Scheme == "grpcs" }

// Loopback reports whether u's host is this machine: "localhost" or a loopback address.
// A name below localhost is not: it is looked up in DNS, and asked for by way of proxies, like any other.
func Loopback(u *url.URL) bool {
	name := u.Hostname()
	if name == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(name)
	return err == nil && addr.IsLoopback()
}

// Wildcard reports whether u's host stands for all hosts of a domain ("*.example.com").
func Wildcard(u *url.URL) bool { return strings.HasPrefix(u.Host, "*.") }

// maxDisplay is about the length in bytes of what Display returns. The rest of an error has to find room on a line, too.
const maxDisplay = 200

// Display returns u for an error or a log line: without its query, which may be a signature, and of a long path
// the first and the last segments only. Segments are shown whole or not at all, so that no half of a secret is left that nobody would recognise.
func Display(u *url.URL) string {
	path := u.EscapedPath()
	if room := max(maxDisplay-len(u.Scheme)-len(u.Host), 40); len(path) > room {
		segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
		head, tail := "", ""
		front, back := 0, len(segments)
		for front < back && len(head)+1+len(segments[front]) <= room/2 {
			head += "/" + segments[front]
			front++
		}
		for back > front && len(head)+len(tail)+1+len(segments[back-1]) <= room {
			back--
			tail = "/" + segments[back] + tail
		}
		path = head + "/…" + tail
	}
	s := u.Scheme + "://" + u.Host + path
	if u.RawQuery != "" || u.ForceQuery {
		s += "?…"
	}
	return s
}

// Origin returns u's scheme and host: "https://example.com:8443".
func Origin(u *url.URL) string { return u.Scheme + "://" + u.Host }

// maxDirectories is the number of a URL's directories above which the deeper ones do not count.
const maxDirectories = 16

// Directories returns the directories that u is in, the widest first: "/", "/a/" and "/a/b/" for /a/b/c. They are escaped as u's path is.
// There are none of a path with an empty segment, which is a directory to one program and nothing to another.
func Directories(u *url.URL) []string {
	path := u.EscapedPath()
	if !strings.HasPrefix(path, "/") || strings.Contains(path, "//") {
		return nil
	}
	var dirs []string
	for i := 0; i < len(path) && len(dirs) < maxDirectories; i++ {
		if path[i] == '/' {
			dirs = append(dirs, path[:i+1])
		}
	}
	return dirs
}
