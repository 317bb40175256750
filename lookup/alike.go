package lookup

import (
	"net/url"
	"strings"

	"github.com/fe055d52/credential-helper/helpers"
)

// Above these numbers of probes, and bytes in a site's path, it is not looked how far an outcome goes.
const (
	maxProbes = 512
	maxSite   = 2 << 10
)

// alike returns what find yields for the query's URL, and tells the chain below which directory of the server find yields the same for every URL.
//
// sites are the escaped paths, on that server, that find compares a URL's with, segment by segment: whether it is below one, the same, or how many segments
// both begin with (see [covers], [common], [nearest]). So find need not be asked for every URL. Those that leave the sites at one and the same place,
// behind the same segments, are the same to it, and one probe stands for them all. The place at which the query's own URL leaves them is known.
//
// find looks at nothing but the path, and reads nothing of the machine but what it is then asked for: it is asked for the probes too,
// so that the record of what the answer depends on has what decides about all that it is for.
func alike[T any](q Query, sites []string, find func(u *url.URL) (T, error), same func(a, b T) bool) (T, error) {
	found, err := find(q.URL)
	if q.alike == nil || err != nil && !helpers.FallsThrough(err) {
		return found, err
	}
	dirs := helpers.Directories(q.URL)
	probes, ok := probesFor(q.URL, sites)
	if !ok {
		return found, err
	}
	for _, probe := range probes {
		path := probe.EscapedPath()
		if len(dirs) == 0 || !strings.HasPrefix(path, dirs[0]) {
			continue
		}
		other, otherErr := find(probe)
		if err == nil && otherErr == nil && same(found, other) || err != nil && otherErr != nil && helpers.FallsThrough(otherErr) {
			continue
		}
		for len(dirs) > 0 && strings.HasPrefix(path, dirs[0]) {
			dirs = dirs[1:]
		}
	}
	if len(dirs) > 0 {
		*q.alike = dirs[0]
	}
	return found, err
}

// everywhere tells the chain that the outcome is the same for every URL of the query's server: there is no file that could say otherwise.
func (q Query) everywhere() {
	if q.alike != nil && len(helpers.Directories(q.URL)) > 0 {
		*q.alike = "/"
	}
}

// probesFor returns a URL of u's server for each place at which a URL may leave the sites' paths. ok is false where there are too many.
func probesFor(u *url.URL, sites []string) (probes []*url.URL, ok bool) {
	longest := 0
	for _, site := range sites {
		longest = max(longest, len(site))
	}
	if longest > maxSite {
		return nil, false
	}
	other := strings.Repeat("x", longest+1) // a segment that no site has
	seen := map[string]bool{}
	add := func(path string) {
		if seen[path] || strings.Contains(path, "//") { // which is in no directory, see [helpers.Directories]
			return
		}
		seen[path] = true
		probe := *u
		probe.RawPath = path
		var err error
		// A path that no URL can have stands for none.
		if probe.Path, err = url.PathUnescape(path); err == nil && probe.EscapedPath() == path {
			probes = append(probes, &probe)
		}
	}
	for _, site := range sites {
		at := ""
		add("/")
		add("/" + other)
		for segment := range strings.SplitSeq(strings.Trim(site, "/"), "/") {
			at += "/" + segment
			add(at)
			add(at + "/")
			add(at + "/" + other)
			if len(seen) > maxProbes {
				return nil, false
			}
		}
	}
	return probes, true
}

// sameValues reports whether two logins are one, wherever they were found.
func sameValues(a, b Values) bool {
	within := func(a, b Values) bool {
		for binding, value := range a {
			if other, ok := b[binding]; binding != From && (!ok || other.Reveal() != value.Reveal()) {
				return false
			}
		}
		return true
	}
	return within(a, b) && within(b, a)
}
