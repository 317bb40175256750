package probe

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

// TokenExpiry returns when a GitHub token expires, as GitHub tells with each answer to one that does; the zero time where it does not tell:
// https://docs.github.com/authentication/keeping-your-account-and-data-secure/token-expiration-and-revocation
func TokenExpiry(h http.Header) time.Time {
	text := h.Get("GitHub-Authentication-Token-Expiration")
	for _, layout := range []string{"2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05 UTC"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

const (
	// maxSSO is the length in bytes above which the URL for a sign-on is not shown.
	maxSSO = 500
	// maxForeignSSO is the same of what any other server than GitHub's own has written into it: it may not be as long as a token.
	maxForeignSSO = 11
)

// ssoURL returns the URL at which a token is authorized for an organization's single sign-on. It is not secret: it opens nothing by itself.
// host is that of the server that says so.
func ssoURL(header, host string) string {
	host = strings.TrimPrefix(host, "api.")
	for part := range strings.SplitSeq(header, ";") {
		text, ok := strings.CutPrefix(strings.TrimSpace(part), "url=")
		if !ok || len(text) > maxSSO {
			continue
		}
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "https" || u.User != nil || u.Host == "" || u.Host != host && u.Host != "github.com" || u.Fragment != "" {
			continue
		}
		account, ok := cutAny(strings.TrimSuffix(u.Path, "/sso"), "/orgs/", "/enterprises/")
		if !ok {
			continue
		}
		if written := account + strings.TrimPrefix(u.RawQuery, "authorization_request="); host == "github.com" || len(written) <= maxForeignSSO {
			return u.String()
		}
	}
	return ""
}

// cutAny cuts one of several prefixes.
func cutAny(text string, prefixes ...string) (rest string, ok bool) {
	for _, p := range prefixes {
		if rest, ok = strings.CutPrefix(text, p); ok {
			return rest, true
		}
	}
	return "", false
}
