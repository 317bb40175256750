package lookup

import (
	"net/url"
	"strings"

	"github.com/fe055d52/credential-helper/helpers"
)

// A site is a part of a host that a tool's file names a login for: the URL of a registry's index, of a source.
type site struct {
	origin   string // as helpers.Origin spells it
	segments []string
}

// parseSite reads the URL of a site. Its user info, query and fragment count for nothing.
// ok is false for what is no URL of a server that is asked over HTTP: a path, the address of an SSH server.
func parseSite(raw string) (s site, ok bool) {
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" {
		return site{}, false
	}
	u.User, u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = nil, "", false, "", ""
	r, err := helpers.ParseRequest(u.String())
	if err != nil || u.Scheme == "" || helpers.Wildcard(r.URL) {
		return site{}, false
	}
	return site{helpers.Origin(r.URL), segmentsOf(r.URL)}, true
}

// segmentsOf returns the segments of a URL's path as they are spelled, without empty ones at its end.
func segmentsOf(u *url.URL) []string {
	path := strings.Trim(u.EscapedPath(), "/")
	if path == "" {
		return nil
	}
	return strings.Split(path, "/")
}

// near tells how near u is to the site: covers is true where u is in it, and common is the number of leading segments that they share.
// ok is false where u has another scheme, host or port.
func (s site) near(u *url.URL) (covers bool, common int, ok bool) {
	if helpers.Wildcard(u) || s.origin != helpers.Origin(u) {
		return false, 0, false
	}
	path := segmentsOf(u)
	for common < len(s.segments) && common < len(path) && s.segments[common] == path[common] {
		common++
	}
	return common == len(s.segments), common, true
}

// nearest returns those of several things whose sites are the nearest to u: the longest that cover it,
// else those that have the most leading segments in common with it. There are none where no site is on u's host.
// siteOf tells the site of a thing; ok is false where it has none.
func nearest[T any](things []T, u *url.URL, siteOf func(T) (at site, ok bool)) []T {
	const covering = 1 << 30 // more than a URL has segments
	var found []T
	best := -1
	for _, thing := range things {
		at, ok := siteOf(thing)
		if !ok {
			continue
		}
		covers, common, ok := at.near(u)
		if !ok {
			continue
		}
		rank := common
		if covers {
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

// withoutUser returns the URL of a site as it is shown: without user info, which may be a login, and without its query.
func withoutUser(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" {
		return raw[strings.LastIndexByte(raw, '@')+1:]
	}
	u.User, u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = nil, "", false, "", ""
	return u.String()
}
