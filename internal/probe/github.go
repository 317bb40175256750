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

// maxSSO is the length in bytes above which the URL for a sign-on is not shown.
const maxSSO = 500

// ssoURL returns the URL at which a token is authorized for an organization's single sign-on. It is not secret: it opens nothing by itself.
func ssoURL(header string) string {
	for part := range strings.SplitSeq(header, ";") {
		text, ok := strings.CutPrefix(strings.TrimSpace(part), "url=")
		if !ok || len(text) > maxSSO {
			continue
		}
		if u, err := url.Parse(text); err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil {
			return u.String()
		}
	}
	return ""
}
