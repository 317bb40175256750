package probe

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/fe055d52/credential-helper/internal/ascii"
	"github.com/fe055d52/credential-helper/internal/redact"
)

// refusal says why a login was refused and what to do.
func (f Facts) refusal(with class) (Cause, string) {
	h := f.With.Header
	login := "the login from " + f.Source
	if f.Source == "" {
		login = "the login"
	}
	if f.With.SignIn {
		return CauseSignIn, fmt.Sprintf("the server sends %s to its sign-in page: does it take a token at this URL, in this form?", login)
	}
	if sso := h.Get(ssoHeader); strings.HasPrefix(sso, "required") {
		advice := login + " is not authorized for the organization's single sign-on"
		if at := ssoURL(sso, f.Host); at != "" {
			return CauseSSO, advice + ": open " + at
		}
		return CauseSSO, advice + "; authorize it in the token's settings (Configure SSO)"
	}
	if !f.Expired.IsZero() && f.With.Skew == 0 {
		return CauseExpired, fmt.Sprintf("%s expired at %s; put a new one there", login, f.Expired.UTC().Format(time.RFC3339))
	}
	if f.With.Status == http.StatusUnauthorized || f.With.Status == http.StatusBadRequest {
		if r := f.registry(f.With.Challenges); r != "" && !f.OCI {
			return CauseRegistry, r
		}
		if r := f.otherScheme(); r != "" {
			return CauseScheme, r
		}
	}
	if r := f.scope(login); r != "" {
		return CauseScope, r
	}
	if with == absent {
		if f.GitHub {
			return CauseAbsent, fmt.Sprintf("is the URL right? GitHub answers 404 where %s may not see a repository, too: does its owner give it access?", login)
		}
		return CauseAbsent, fmt.Sprintf("is the URL right? some servers answer 404 where %s has no access, too", login)
	}
	if f.With.Skew != 0 {
		return CauseClock, SkewText(f.With.Skew) + ", so that a token may seem expired, or not valid yet; correct the clock"
	}
	if f.With.Status == http.StatusForbidden {
		return CauseNoAccess, fmt.Sprintf("the server knows %s, and it may not have this: ask for access, or use another one", login)
	}
	if f.With.Status == http.StatusBadRequest {
		return CauseExpired, fmt.Sprintf("the server does not understand %s: is it whole, and does the rule send it in the form that the server wants?", login)
	}
	return CauseExpired, fmt.Sprintf("the server does not accept %s: expired, revoked, mistyped, or for another server; put a new one there", login)
}

// SkewText says how far two clocks differ.
func SkewText(skew time.Duration) string {
	direction := "behind"
	if skew < 0 {
		direction = "ahead of"
	}
	return fmt.Sprintf("this machine's clock is %s %s the server's", skew.Abs(), direction)
}

// scope says what a token lacks, where the server tells.
func (f Facts) scope(login string) string {
	h := f.With.Header
	if has, wants := h.Values("X-OAuth-Scopes"), list(h.Get("X-Accepted-OAuth-Scopes")); len(has) > 0 && len(wants) > 0 {
		have := list(strings.Join(has, ","))
		if !overlap(have, wants) {
			held := "no scope at all"
			if len(have) > 0 {
				held = "the scopes " + orUnnamed(f.said(strings.Join(have, ", ")))
			}
			return fmt.Sprintf("%s has %s, and this needs one of %s", login, held, orUnnamed(f.said(strings.Join(wants, ", "))))
		}
	}
	if wants := h.Get("X-Accepted-GitHub-Permissions"); wants != "" && f.With.Status == http.StatusForbidden {
		return fmt.Sprintf("%s lacks a permission; this needs %s", login, orUnnamed(f.said(wants)))
	}
	for _, c := range f.With.Challenges {
		if c.Error == "insufficient_scope" {
			if wants := f.said(c.Scope); wants != "" {
				return fmt.Sprintf("%s may not do this; the server wants the scope %s", login, wants)
			}
			return login + " may not do this: its scope is not enough"
		}
	}
	return ""
}

// said returns what may be shown of what the server says.
func (f Facts) said(text string) string { return redact.Said(text, 200, f.Host, f.Path) }

func orUnnamed(said string) string {
	if said == "" {
		return "that are not known here"
	}
	return said
}

// Realm returns what may be shown of the realm of a challenge. A URL is shown where the server named it to a request that carried nothing, too:
// without are the challenges of these. own are the request's names.
func Realm(realm string, without []Challenge, own ...string) string {
	if u, err := url.Parse(realm); err != nil || u.Host == "" || !slices.ContainsFunc(without, func(c Challenge) bool { return c.Realm == realm }) {
		return redact.Said(realm, 80, own...)
	}
	return redact.Quote(realm, 80)
}

func list(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}

func overlap(a, b []string) bool {
	for _, x := range a {
		for _, y := range b {
			if x == y {
				return true
			}
		}
	}
	return false
}

// registry says that a server looks like a container registry, where it does: its challenge names a token endpoint.
func (f Facts) registry(challenges []Challenge) string {
	for _, c := range challenges {
		if c.Scheme == "bearer" && (strings.HasPrefix(c.Realm, "https://") || strings.HasPrefix(c.Realm, "http://")) {
			return fmt.Sprintf("%s looks like a container registry, whose tokens have to be fetched: use the helper oci", f.Host)
		}
	}
	return ""
}

// otherScheme says that the server wants another scheme than the one that was sent.
func (f Facts) otherScheme() string {
	var wants []string
	for _, c := range f.With.Challenges {
		if ascii.EqualFold(c.Scheme, f.Scheme) {
			return ""
		}
		text := SchemeName(c.Scheme)
		if realm := Realm(c.Realm, f.Without.Challenges, f.Host, f.Path); realm != "" {
			text += fmt.Sprintf(" (realm %q)", realm)
		}
		if len(wants) < 3 {
			wants = append(wants, text)
		}
	}
	if len(wants) == 0 {
		return ""
	}
	sends := f.Scheme
	if sends == "" {
		sends = "another form"
	}
	return fmt.Sprintf("the server wants %s, the rule sends %s", strings.Join(wants, " or "), sends)
}

// schemes are those of IANA's registry and what else is met, as people write them:
// https://www.iana.org/assignments/http-authschemes/http-authschemes.xhtml
var schemes = []string{"Basic", "Bearer", "Cargo", "Digest", "DPoP", "Negotiate", "NTLM", "OAuth", "PrivateToken", "AWS4-HMAC-SHA256", "token"}

// SchemeName returns a challenge's scheme as people write it. One that nobody knows is not repeated: it was read in lower case,
// in which a secret is not recognized.
func SchemeName(scheme string) string {
	for _, known := range schemes {
		if ascii.EqualFold(scheme, known) {
			return known
		}
	}
	return "an unknown scheme"
}

// again says when a rate limit is over, where the server tells.
func (a Answer) again() string {
	const over = "too many requests; "
	for _, name := range []string{"X-RateLimit-Reset", "RateLimit-Reset"} {
		var seconds int64
		if _, err := fmt.Sscan(a.Header.Get(name), &seconds); err == nil && seconds > 1e9 && seconds < 1e11 {
			return over + "the limit is reset at " + time.Unix(seconds, 0).UTC().Format(time.RFC3339)
		}
	}
	if after := a.Header.Get("Retry-After"); after != "" {
		if strings.Trim(after, "0123456789") == "" {
			if len(after) <= 8 {
				return over + "try again in " + after + " s"
			}
		} else if said := redact.Said(after, 40); said != "" {
			return over + "try again after " + said
		}
	}
	return over + "try again later"
}
