package probe

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func parse(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// status returns an answer with headers given as names and values in turn.
func status(code int, headers ...string) Answer {
	a := Answer{Status: code, Header: http.Header{}}
	for i := 0; i+1 < len(headers); i += 2 {
		a.Header.Add(headers[i], headers[i+1])
	}
	return a
}

func challenged(code int, c ...Challenge) Answer {
	a := status(code)
	a.Challenges = c
	return a
}

func TestJudge(t *testing.T) {
	signIn, skewed := status(302), status(401)
	signIn.SignIn, skewed.Skew = true, -90*time.Second
	failing := Answer{Failure: &Failure{Cause: CauseTimeout, Text: "x", Advice: "wait"}}
	const sso = "required; url=https://github.com/orgs/o/sso?authorization_request=A1B2"
	for _, tt := range []struct {
		name    string
		facts   Facts
		verdict Verdict
		cause   Cause
		advice  string // a part of it
	}{
		{"accepted", Facts{With: status(200), Without: status(401)}, Accepted, "", ""},
		{"accepted, 404 without", Facts{With: status(206), Without: status(404)}, Accepted, "", ""},
		{"accepted, and the other failed", Facts{With: status(200), Without: failing}, Accepted, "", ""},
		{"accepted, sign-in without", Facts{With: status(200), Without: signIn}, Accepted, "", ""},
		{"an empty file", Facts{With: status(416), Without: status(401)}, Accepted, "", ""},
		{"public", Facts{With: status(200), Without: status(200)}, Public, "", ""},
		{"a token for everybody", Facts{Source: "-", With: status(200), Without: status(401)}, Public, "", ""},
		{"public, nothing sent", Facts{Source: "-", Why: CauseNoRule, Without: status(200)}, Public, "", ""},
		{"the rule wants a login", Facts{Source: "-", Why: CauseNoLogin, Required: true, Remedy: "do this", Without: status(200)}, Missing, CauseNoLogin, "do this"},
		{"a rule behind a redirect does", Facts{Required: true, Remedy: "do this", With: status(200), Without: status(401)}, Missing, CauseNoLogin, "do this"},
		{"a rule behind a redirect does, rightly", Facts{Required: true, Remedy: "do this", Why: CauseNoLogin, With: status(401), Without: status(401)}, Missing, CauseNoLogin, "do this"},

		{"a signed URL behind a redirect", Facts{Behind: true, Why: CausePresigned, With: status(403), Without: status(401)}, Refused, CausePresigned, "behind the redirect is refused"},
		{"the same, with a clock", Facts{Behind: true, Why: CausePresigned, With: skewed, Without: status(401)}, Refused, CausePresigned, "1m30s ahead"},
		{"no rule behind a redirect", Facts{Behind: true, Why: CauseNoRule, Remedy: "add a rule", With: status(401), Without: status(401)}, Missing, CauseNoRule, "add a rule"},
		{"no rule behind a redirect, and no need", Facts{Behind: true, Why: CauseNoRule, With: status(200), Without: status(401)}, Accepted, "", ""},

		{"refused", Facts{With: status(401), Without: status(401)}, Refused, CauseExpired, "the login from $X: expired, revoked"},
		{"expired", Facts{Expired: time.Unix(1e9, 0), With: status(401), Without: status(401)}, Refused, CauseExpired, "the login from $X expired at 2001-09-09T01:46:40Z"},
		{"no access", Facts{With: status(403), Without: status(401)}, Refused, CauseNoAccess, "may not have this"},
		{"not understood", Facts{With: status(400), Without: status(401)}, Refused, CauseExpired, "does not understand"},
		{"sign-in", Facts{With: signIn, Without: signIn}, Refused, CauseSignIn, "sign-in page"},
		{"public without", Facts{With: status(401), Without: status(200)}, RefusedPublic, CauseExpired, `helper "null"`},
		{"public without, signed storage", Facts{With: status(400), Without: status(200)}, RefusedPublic, CauseExpired, `helper "null"`},
		{"clock", Facts{With: skewed, Without: status(401)}, Refused, CauseClock, "this machine's clock is 1m30s ahead of the server's"},
		{"clock before expiry", Facts{Expired: time.Unix(1e9, 0), With: skewed, Without: status(401)}, Refused, CauseClock, "correct the clock"},
		{"sso", Facts{With: status(403, ssoHeader, sso), Without: status(404)}, Refused, CauseSSO, "open https://github.com/orgs/o/sso?authorization_request=A1B2"},
		{"sso without a URL", Facts{With: status(403, ssoHeader, "required; url=http://bob:pw@x/"), Without: status(404)}, Refused, CauseSSO, "(Configure SSO)"},
		{"partial results", Facts{With: status(404, ssoHeader, "partial-results; organizations=1"), Without: status(404)}, NotVisible, CauseAbsent, ""},
		{"rate limit", Facts{With: status(403, "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "1900000000"), Without: status(401)}, Unclear, CauseRateLimit, "reset at 2030-03-17T17:46:40Z"},
		{"rate limit, retry", Facts{With: status(429, "Retry-After", "30"), Without: status(401)}, Unclear, CauseRateLimit, "in 30 s"},
		{"rate limit, date", Facts{With: status(429, "Retry-After", "Fri, 31 Dec 2027 23:59:59 GMT"), Without: status(401)}, Unclear, CauseRateLimit, "after Fri, 31 Dec"},
		{"rate limit, no time", Facts{With: status(429, "X-RateLimit-Reset", "soon"), Without: status(401)}, Unclear, CauseRateLimit, "later"},
		{"scopes", Facts{With: status(404, "X-OAuth-Scopes", "gist, read:org", "X-Accepted-OAuth-Scopes", "repo"), Without: status(404)}, NotVisible, CauseScope, "has the scopes gist, read:org, and this needs one of repo"},
		{"no scopes", Facts{With: status(403, "X-OAuth-Scopes", "", "X-Accepted-OAuth-Scopes", "read:packages, write:packages"), Without: status(401)}, Refused, CauseScope, "no scope at all, and this needs one of read:packages, write:packages"},
		{"enough scopes", Facts{With: status(404, "X-OAuth-Scopes", "repo", "X-Accepted-OAuth-Scopes", "public_repo, repo"), Without: status(404)}, NotVisible, CauseAbsent, ""},
		{"not a classic token", Facts{With: status(404, "X-Accepted-OAuth-Scopes", "repo"), Without: status(404)}, NotVisible, CauseAbsent, ""},
		{"permissions", Facts{With: status(403, "X-Accepted-GitHub-Permissions", "contents=read"), Without: status(404)}, Refused, CauseScope, "needs contents=read"},
		{"insufficient scope", Facts{Scheme: "Bearer", With: challenged(403, Challenge{Scheme: "bearer", Error: "insufficient_scope", Scope: "read_api"}), Without: status(401)}, Refused, CauseScope, "read_api"},
		{"another scheme", Facts{Scheme: "Bearer", With: challenged(401, Challenge{Scheme: "basic", Realm: "files"}), Without: status(401)}, Refused, CauseScheme, `the server wants Basic (realm "files"), the rule sends Bearer`},
		{"one scheme of several", Facts{Scheme: "Basic", With: challenged(401, Challenge{Scheme: "negotiate"}, Challenge{Scheme: "basic"}), Without: status(401)}, Refused, CauseExpired, ""},
		{"another header", Facts{With: challenged(401, Challenge{Scheme: "basic"}), Without: status(401)}, Refused, CauseScheme, "the server wants Basic, the rule sends another form"},
		{"an unknown scheme is not repeated", Facts{Scheme: "Bearer", With: challenged(401, Challenge{Scheme: "s3cret"}), Without: status(401)}, Refused, CauseScheme, "the server wants an unknown scheme, the rule sends Bearer"},
		{"container registry", Facts{Scheme: "Bearer", With: challenged(401, Challenge{Scheme: "bearer", Realm: "https://auth.test/token"}), Without: status(401)}, Refused, CauseRegistry, "use the helper oci"},
		{"container registry by oci", Facts{OCI: true, Scheme: "Bearer", With: challenged(401, Challenge{Scheme: "bearer", Realm: "https://auth.test/token"}), Without: status(401)}, Refused, CauseExpired, ""},
		{"GitHub's 404", Facts{GitHub: true, With: status(404), Without: status(404)}, NotVisible, CauseAbsent, "GitHub answers 404"},
		{"gone", Facts{With: status(410), Without: status(401)}, NotVisible, CauseAbsent, ""},

		{"nothing sent", Facts{Source: "-", Why: CauseNoRule, Remedy: "add a rule", Without: status(401)}, Missing, CauseNoRule, "add a rule"},
		{"null", Facts{Source: "-", Why: CauseNull, Remedy: "another helper", Without: status(403)}, Missing, CauseNull, "another helper"},
		{"no login to a container registry", Facts{Source: "-", Why: CauseNoLogin, Without: challenged(401, Challenge{Scheme: "bearer", Realm: "https://auth.test/token"})}, Missing, CauseRegistry, "helper oci"},
		{"everybody's token is refused", Facts{Source: "-", With: status(401), Without: status(401), Remedy: "log in"}, Missing, CauseNoLogin, "log in"},
		{"nothing sent, nothing there", Facts{Source: "-", Why: CauseNoRule, Remedy: "add a rule", Without: status(404)}, NotVisible, CauseAbsent, "if it takes a login, add a rule"},
		{"nothing sent, rate limit", Facts{Source: "-", Why: CauseNoRule, Without: status(429)}, Unclear, CauseRateLimit, ""},
		{"signed", Facts{Source: "-", Why: CausePresigned, Without: status(206)}, Accepted, CausePresigned, "signed already"},
		{"signed, stale", Facts{Source: "-", Why: CausePresigned, Without: status(403)}, Refused, CausePresigned, "signature is refused"},
		{"signed, wrong", Facts{Source: "-", Why: CausePresigned, Without: status(400)}, Refused, CausePresigned, "signature is refused"},

		{"no answer", Facts{With: failing, Without: status(401)}, Unreachable, CauseTimeout, "wait"},
		{"no answer, nothing sent", Facts{Source: "-", Without: failing}, Unreachable, CauseTimeout, "wait"},
		{"nothing at all", Facts{Source: "-"}, Unreachable, CauseServer, ""},
		{"trouble", Facts{With: status(503), Without: status(401)}, Unclear, CauseServer, "files.test is in trouble"},
		{"a redirect without a target", Facts{With: status(302), Without: status(401)}, Unclear, CauseRedirect, ""},
		{"a status of its own", Facts{With: status(418), Without: status(401)}, Unclear, CauseServer, ""},
		{"400 both ways", Facts{With: status(400), Without: status(400)}, Unclear, CauseServer, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := tt.facts
			f.Host, f.Sent = "files.test", f.With.Status != 0 || f.With.Failure != nil
			switch f.Source {
			case "":
				f.Source = "$X"
			case "-":
				f.Source = ""
			}
			got := Judge(f)
			if got.Verdict != tt.verdict || got.Cause != tt.cause || !strings.Contains(got.Advice, tt.advice) {
				t.Errorf("%s, %s: %s\nwant %s, %s: %s", got.Verdict, got.Cause, got.Advice, tt.verdict, tt.cause, tt.advice)
			}
			if (got.Cause == "") != (got.Advice == "") || strings.Contains(got.Advice, "\n") {
				t.Errorf("the cause is %q and the advice %q", got.Cause, got.Advice)
			}
		})
	}
}

func TestIsSignIn(t *testing.T) {
	for _, tt := range []struct {
		from, to string
		want     bool
	}{
		{"https://git.test/o/r", "https://git.test/users/sign_in", true},
		{"https://git.test/o/r", "https://sso.acme.test/auth?return=x", true},
		{"https://git.test/o/r", "https://login.acme.test/0123/oauth2/authorize", true},
		{"https://github.com/o/r", "https://github.com/Login?return_to=x", true},
		{"https://npm.test/login/-/login-1.0.0.tgz", "https://cdn.test/login/-/login-1.0.0.tgz", false},
		{"https://git.test/o/r", "https://cdn.test/o/r", false},
		{"https://git.test/o/r", "https://s3.test/login?X-Amz-Signature=0", false},
		{"https://login.test/x", "https://login.test/y", false},
	} {
		if got := IsSignIn(parse(t, tt.from), parse(t, tt.to)); got != tt.want {
			t.Errorf("%s → %s: %v", tt.from, tt.to, got)
		}
	}
}

func TestTokenExpiry(t *testing.T) {
	want := time.Date(2026, 3, 1, 13, 4, 5, 0, time.UTC)
	for text, known := range map[string]bool{
		"2026-03-01 13:04:05 UTC": true, "2026-03-01 05:04:05 -0800": true, "2026-03-01 15:04:05 +0200": true,
		"": false, "never": false, "2026-03-01T13:04:05Z": false, "2026-03-01 13:04:05 PST": false,
	} {
		got := TokenExpiry(http.Header{"Github-Authentication-Token-Expiration": {text}})
		if known && !got.Equal(want) || !known && !got.IsZero() {
			t.Errorf("%q: %s", text, got)
		}
	}
}
