package config

import "strings"

// HostPattern returns the pattern that the rule has for hosts, with a port where it has one; "" where the rule is for every host.
func (r *Rule) HostPattern() string { return r.host.text() }

// PathPattern returns the pattern that the rule has for paths; "" where the rule is for every path.
func (r *Rule) PathPattern() string {
	if !r.hasPath {
		return ""
	}
	return r.path.text()
}

// Covers reports whether every URL that other is for is one that r is for, too: where r is tried first, other never answers.
// It says so only where that is certain; two rules that are the same in a way that it does not see are not covered.
func (r *Rule) Covers(other *Rule) bool {
	switch {
	case r.Only != nil, r.Scheme != "" && r.Scheme != other.Scheme:
		return false
	case r.hasPath && r.path.text() != "*" && r.path.text() != "/*" && (!other.hasPath || !r.path.covers(other.path)):
		return false
	}
	return !r.hasHost || other.hasHost && r.host.covers(other.host, other.Scheme)
}

// schemePorts are the ports that a URL's host does not show.
var schemePorts = [...]struct{ scheme, port string }{{"https", "443"}, {"http", "80"}, {"grpcs", "443"}, {"grpc", "80"}}

// covers reports whether h matches every host that other matches, in URLs of a scheme, or of any where that is "".
func (h host) covers(other host, scheme string) bool {
	if h.port != "" && other.port != "" {
		return h.glob.covers(other.glob)
	}
	for _, s := range schemePorts {
		if scheme != "" && scheme != s.scheme {
			continue
		}
		switch {
		case h.port == "" && other.port == "":
			if !h.glob.covers(other.glob) {
				return false
			}
		case h.port != "":
			// A star may stand for a port as well, and then it is not known which ones there are.
			if strings.Contains(other.name, "*") || !h.glob.Match(other.name+":"+s.port) {
				return false
			}
		default:
			shown := strings.Contains(other.port, "*") || other.port != s.port
			hidden := strings.Contains(other.port, "*") || other.port == s.port
			if shown && !h.glob.covers(other.glob) || hidden && !h.glob.covers(NewGlob(other.name)) {
				return false
			}
		}
	}
	return true
}

func (g Glob) text() string { return strings.Join(g.parts, "*") }

// covers reports whether g matches all that other matches: no part of g can match other's stars, so only g's own stars do.
func (g Glob) covers(other Glob) bool { return g.Match(other.text()) }
