package lookup

import (
	"net/url"
	"strings"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/ascii"
	"github.com/fe055d52/credential-helper/internal/redact"
)

// A loginURL is a URL with user info, as people write it into the files and variables of package managers.
type loginURL struct {
	url                *url.URL // without user info, as [helpers.ParseRequest] normalizes it
	username, password string
	// named and secured say whether there is a user name, and whether there is a password behind it; both may be empty.
	named, secured bool
}

// parseLoginURL takes a URL apart as pip does: user info ends at the last "@" of the authority, and the user name at the first ":".
// web is false for what is no http or https URL (a directory, say); ok is false for one that is malformed.
func parseLoginURL(raw string) (l loginURL, web, ok bool) {
	raw = strings.TrimFunc(raw, pySpace)
	scheme, rest, found := strings.Cut(raw, "://")
	if scheme = ascii.Lower(scheme); !found || scheme != "http" && scheme != "https" {
		return loginURL{}, false, false
	}
	end := len(rest)
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		end = i
	}
	authority, rest := rest[:end], rest[end:]
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		l.named = true
		l.username, l.password, l.secured = strings.Cut(authority[:i], ":")
		// Where one "%" begins no escape, none is meant to.
		if _, err := url.PathUnescape(authority[:i]); err == nil {
			l.username, _ = url.PathUnescape(l.username)
			l.password, _ = url.PathUnescape(l.password)
		}
		authority = authority[i+1:]
	}
	// A fragment means nothing to who fetches, and the query nothing to who looks for a login.
	path, _, _ := strings.Cut(rest, "#")
	path, _, _ = strings.Cut(path, "?")
	r, err := helpers.ParseRequest(scheme + "://" + authority + path)
	if err != nil || helpers.Wildcard(r.URL) {
		return loginURL{}, true, false
	}
	l.url = r.URL
	return l, true, true
}

// mayBeFor reports whether a URL that does not parse may be meant for u's host. One that does not name it stops no search for another's login.
func mayBeFor(malformed string, u *url.URL) bool {
	return strings.Contains(ascii.Lower(malformed), u.Hostname())
}

// basicLogin returns a login, and the place that it was found in. One whose password is empty is a token in the place of the user name: as a value it would be none, so the header is made here.
func basicLogin(username, password, from string) (Values, error) {
	if password != "" {
		return Values{Username: redact.Hold(username), Password: redact.Hold(password), Default: redact.Hold(password)}.at(from), nil
	}
	header, err := helpers.BasicTokenOnly(redact.New(username))
	if err != nil {
		return nil, err
	}
	return Values{Header("Authorization"): header, Default: redact.Hold(username)}.at(from), nil
}

// noLogin says where no login for u was found, for the error that tells it.
func noLogin(u *url.URL, read, missing []string) string {
	var parts []string
	if len(read) > 0 {
		parts = append(parts, "no login for "+u.Host+" in "+list(read))
	}
	switch len(missing) {
	case 0:
	case 1:
		parts = append(parts, missing[0]+" does not exist")
	default:
		parts = append(parts, list(missing)+" do not exist")
	}
	if len(parts) == 0 {
		return "no login for " + u.Host + ": there is no home directory to look in"
	}
	return strings.Join(parts, "; ")
}

// list returns "a, b and c".
func list(names []string) string {
	last := len(names) - 1
	if last < 1 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
