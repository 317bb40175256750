package probe

import (
	"net/http"
	"time"
)

// A Verdict is what the answers come to.
type Verdict string

const (
	Public        Verdict = "public"         // no login is needed, and the one that was sent, if any, does no harm
	Accepted      Verdict = "accepted"       // a login is needed, and this one does
	Refused       Verdict = "refused"        // a login is needed, and this one does not
	RefusedPublic Verdict = "refused-public" // no login is needed, and this one is refused
	Missing       Verdict = "missing"        // a login is needed, and none is sent
	NotVisible    Verdict = "not-visible"    // 404
	Unreachable   Verdict = "unreachable"    // no answer
	Unclear       Verdict = "unclear"        // an answer that says nothing about logins
)

// OK reports whether a client would get what it asks for.
func (v Verdict) OK() bool { return v == Public || v == Accepted }

// Text returns the verdict in words.
func (v Verdict) Text() string {
	switch v {
	case Public:
		return "public: no login is needed"
	case Accepted:
		return "the login is needed, and accepted"
	case Refused:
		return "the login is refused"
	case RefusedPublic:
		return "the login is refused, and without one the URL is public"
	case Missing:
		return "a login is needed, and none is sent"
	case NotVisible:
		return "absent, or not visible to this login"
	case Unreachable:
		return "no answer"
	}
	return "unclear: the answer says nothing about the login"
}

// A Cause is why a verdict is not better, in one word for programs.
type Cause string

const (
	CauseExpired     Cause = "expired"            // or revoked, or mistyped: the server does not know the login
	CauseScope       Cause = "scope"              // the token may not do this
	CauseSSO         Cause = "sso"                // the token is not authorized for the organization's single sign-on
	CauseRateLimit   Cause = "rate-limit"         // too many requests
	CauseNoAccess    Cause = "no-access"          // the login is known and may not have this
	CauseScheme      Cause = "auth-scheme"        // the server wants another form of header
	CauseRegistry    Cause = "container-registry" // the server wants a token that helper oci can get
	CauseSignIn      Cause = "sign-in"            // the server redirects to a page where people log in
	CauseClock       Cause = "clock"              // this machine's clock and the server's differ
	CauseNoLogin     Cause = "no-login"           // the rule's lookup found none
	CauseNoRule      Cause = "no-rule"            // no rule matches the URL
	CauseNull        Cause = "null"               // the rule or its helper sends nothing to this URL
	CausePresigned   Cause = "presigned"          // the URL carries its own signature, which is judged
	CauseAbsent      Cause = "absent"             // 404
	CauseHost        Cause = "host"               // the host's name is not known, or its address is refused
	CausePort        Cause = "port"               // nothing can be reached there
	CausePlainHTTP   Cause = "plain-http"         // the server does not speak TLS
	CauseCertificate Cause = "certificate"        // the server's certificate is not accepted
	CauseProxy       Cause = "proxy"              // the proxy does not connect
	CauseTimeout     Cause = "timeout"            // no answer in time
	CauseRedirect    Cause = "redirect"           // a redirect that is not followed
	CauseServer      Cause = "server"             // the server is in trouble, or is no HTTP server
)

// Facts are what is known of a URL.
type Facts struct {
	Host   string // of the URL
	Path   string // of the URL
	GitHub bool   // the rule's helper is github
	OCI    bool   // the rule's helper is oci
	// Sent says that headers were sent; Source is where their login was found, and empty where there was none.
	Sent   bool
	Source string
	// Scheme is that of the Authorization that was sent: "Bearer", "Basic", "token", or "" for any other header.
	Scheme string
	// Expired is when the login's life ended by its own account; zero where it has not, or nobody knows.
	Expired time.Time
	// Why is why nothing was sent: CauseNoRule, CauseNull, CauseNoLogin or CausePresigned; empty where the helper found that nothing is needed.
	Why Cause
	// Remedy is what to do where nothing was sent.
	Remedy string
	// Behind says that a login was sent to the URL, and nothing to the one that its redirects lead to, for the reason Why.
	Behind bool
	// Required says that the rule needs a login, so that clients get an error where there is none.
	Required bool

	With, Without Answer // With is the zero Answer where nothing was sent
}

// A Judgment is a verdict with its reason.
type Judgment struct {
	Verdict Verdict
	Cause   Cause  // empty where all is well
	Advice  string // one line
}

type class int

const (
	failed class = iota
	accepted
	denied
	absent
	limited
	other
)

func (a Answer) class() class {
	switch s := a.Status; {
	case a.Failure != nil || s == 0:
		return failed
	case a.SignIn, s == http.StatusUnauthorized:
		return denied
	case a.limited():
		return limited
	case s == http.StatusForbidden:
		return denied
	case s/100 == 2, s == http.StatusNotModified, s == http.StatusRequestedRangeNotSatisfiable: // an empty file has no first byte
		return accepted
	case s == http.StatusNotFound, s == http.StatusGone:
		return absent
	}
	return other
}

// ssoHeader is GitHub's: https://docs.github.com/rest/authentication/authenticating-to-the-rest-api#personal-access-tokens-and-saml-sso
const ssoHeader = "X-GitHub-SSO"

// limited reports whether the answer is that there were too many requests. GitHub says so by a 403:
// https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
func (a Answer) limited() bool {
	return a.Status == http.StatusTooManyRequests ||
		a.Status == http.StatusForbidden && (a.Header.Get("X-RateLimit-Remaining") == "0" || a.Header.Get("Retry-After") != "")
}

// Judge comes to a judgment.
func Judge(f Facts) Judgment {
	if !f.Sent {
		return f.unsent()
	}
	with, without := f.With.class(), f.Without.class()
	if f.With.Status == http.StatusBadRequest && without != other { // some servers' answer to a login that they do not understand
		with = denied
	}
	switch with {
	case failed:
		return f.With.failure()
	case accepted:
		if f.Required { // behind a redirect
			return f.unwanted()
		}
		if without == accepted || f.Source == "" { // a registry's token without a login is for everybody
			return Judgment{Verdict: Public}
		}
		return Judgment{Verdict: Accepted}
	case limited:
		return Judgment{Unclear, CauseRateLimit, f.With.again()}
	case denied, absent:
		verdict := Refused
		switch {
		case f.Behind && f.Why == CausePresigned:
			advice := "the signed URL behind the redirect is refused; it is the server's own, which made it for this login"
			if f.With.Skew != 0 {
				advice += "; " + SkewText(f.With.Skew)
			}
			return Judgment{Refused, CausePresigned, advice}
		case f.Behind && with == denied && without != accepted:
			return f.missing()
		case without == accepted:
			verdict = RefusedPublic
		case with == denied && (f.Source == "" || f.Required):
			return f.missing()
		case with == absent:
			verdict = NotVisible
		}
		cause, advice := f.refusal(with)
		if verdict == RefusedPublic {
			advice += `; or take the login away: a rule with the helper "null" sends nothing`
		}
		return Judgment{verdict, cause, advice}
	}
	return f.With.unclear(f.Host)
}

// unsent judges where no headers were sent.
func (f Facts) unsent() Judgment {
	signed := f.Why == CausePresigned
	switch c := f.Without.class(); {
	case c == failed:
		return f.Without.failure()
	case c == accepted && signed:
		return Judgment{Accepted, CausePresigned, "the URL is signed already, and its signature is accepted; no login is sent to it"}
	case c == accepted && f.Required:
		return f.unwanted()
	case c == accepted:
		return Judgment{Verdict: Public}
	case c == limited:
		return Judgment{Unclear, CauseRateLimit, f.Without.again()}
	case signed && (c == denied || c == absent || f.Without.Status == http.StatusBadRequest):
		return Judgment{Refused, CausePresigned, "the URL's own signature is refused: it has expired, or the URL was changed; get a new one"}
	case c == denied:
		return f.missing()
	case c == absent:
		advice := "is the URL right?"
		if f.Remedy != "" {
			advice += " if it takes a login, " + f.Remedy
		}
		return Judgment{NotVisible, CauseAbsent, advice}
	}
	return f.Without.unclear(f.Host)
}

// unwanted judges where a rule needs a login, and the server does not.
func (f Facts) unwanted() Judgment {
	return Judgment{Missing, CauseNoLogin, "the server wants no login, but the rule does, and clients get an error: " + f.Remedy}
}

// missing judges where a login is needed and there is none.
func (f Facts) missing() Judgment {
	cause := f.Why
	if cause == "" {
		cause = CauseNoLogin
	}
	advice := f.Remedy
	if r := f.registry(f.Without.Challenges); r != "" && !f.OCI && cause != CauseNoRule {
		cause, advice = CauseRegistry, r
	}
	return Judgment{Missing, cause, advice}
}

func (a Answer) failure() Judgment {
	if a.Failure == nil {
		return Judgment{Unreachable, CauseServer, "try again"}
	}
	return Judgment{Unreachable, a.Failure.Cause, a.Failure.Advice}
}

// unclear judges an answer that says nothing about logins.
func (a Answer) unclear(host string) Judgment {
	switch {
	case a.Status/100 == 5:
		return Judgment{Unclear, CauseServer, host + " is in trouble; try again later"}
	case a.Status/100 == 3:
		return Judgment{Unclear, CauseRedirect, "a redirect that leads nowhere; is the URL right?"}
	}
	return Judgment{Unclear, CauseServer, "is the URL right, and is it one that can be fetched?"}
}
