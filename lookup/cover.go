package lookup

import (
	"net/url"
	"strings"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/ascii"
)

// parseServer reads a server's URL as it stands in another tool's file, in the form that a query's URL has. User info is returned apart, as it stands there.
// ok is false for what is no URL of a server: a path, a variable, an unknown scheme. Such an entry names no host.
func parseServer(raw string) (u *url.URL, user string, ok bool) {
	raw = strings.TrimSpace(raw)
	scheme, rest, isURL := strings.Cut(raw, "://")
	if !isURL {
		return nil, "", false
	}
	host, path := rest, ""
	if i := strings.IndexAny(rest, "/?#\\"); i >= 0 {
		host, path = rest[:i], rest[i:]
	}
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		user, host = host[:i], host[i+1:]
	}
	path, _, _ = strings.Cut(path, "#")
	path, _, _ = strings.Cut(path, "?")
	r, err := helpers.ParseRequest(ascii.Lower(scheme) + "://" + host + path)
	if err != nil || helpers.Wildcard(r.URL) {
		return nil, "", false
	}
	return r.URL, user, true
}

// sameServer reports whether two URLs in the form of a query's have scheme, host and port in common.
func sameServer(a, b *url.URL) bool { return a.Scheme == b.Scheme && a.Host == b.Host }

// segments returns the segments of a path, as it is escaped; an empty one at its end does not count.
func segments(u *url.URL) []string {
	path := strings.Trim(u.EscapedPath(), "/")
	if path == "" {
		return nil
	}
	return strings.Split(path, "/")
}

// common returns with how many segments both paths begin.
func common(a, b []string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// covers reports whether a server's URL is for all that lies at u: one server, and a path that u's continues at a segment's end.
// depth is the length of that path in segments: of two that cover u, the deeper one is closer.
func covers(server, u *url.URL) (depth int, ok bool) {
	path := segments(server)
	return len(path), sameServer(server, u) && common(path, segments(u)) == len(path)
}

// nearest returns those of several things whose URLs are the nearest to u: the longest that cover it,
// else those that have the most leading segments in common with it. There are none where no URL is of u's server.
// urlOf tells the URL of a thing; ok is false where it has none.
func nearest[T any](things []T, u *url.URL, urlOf func(T) (at *url.URL, ok bool)) []T {
	const covering = 1 << 30 // more than a URL has segments
	var found []T
	best := -1
	for _, thing := range things {
		at, ok := urlOf(thing)
		if !ok || !sameServer(at, u) {
			continue
		}
		rank := common(segments(at), segments(u))
		if _, ok := covers(at, u); ok {
			rank += covering
		}
		switch {
		case rank > best:
			found, best = []T{thing}, rank
		case rank == best:
			found = append(found, thing)
		}
	}
	return found
}

// shownSite returns the URL of a site as it is shown: withoutUser. One that does not parse, or has an "@" left, may have been mistyped with a login in it.
func shownSite(raw string) string {
	u, err := url.Parse(raw)
	if shown := withoutUser(raw); err == nil && u.Host != "" && !strings.Contains(shown, "@") {
		return shown
	}
	return "a URL that is none"
}

// withoutUser returns the URL of a site without user info, which may be a login, and without its query.
func withoutUser(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" || u.Host == "" {
		return raw[strings.LastIndexByte(raw, '@')+1:]
	}
	u.User, u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = nil, "", false, "", ""
	return u.String()
}
