package oci

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/ascii"
	"github.com/fe055d52/credential-helper/internal/httpclient"
	"github.com/fe055d52/credential-helper/internal/owner"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/trace"
)

// challengeHeader is the header that a registry's challenges are in.
const challengeHeader = "WWW-Authenticate"

// ping asks a registry how to log in and returns the values of its challenge header, one of which is a challenge;
// none where no login is needed.
// The request carries no credential, and a redirect is not followed: whoever is behind it must not choose the token endpoint.
func ping(ctx context.Context, client *http.Client, registry *url.URL) (values []string, err error) {
	at := helpers.Origin(registry) + "/v2/"
	end := trace.Step(ctx, "asking %s how to log in", at)
	defer func() { end(err) }()
	wrap := func(err error) error { return fmt.Errorf("asking %s how to log in: %w", at, err) }

	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, wrap(err)
	}
	direct := *client
	direct.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := direct.Do(req)
	if err != nil {
		return nil, wrap(explain(ctx, err, registry.Host))
	}
	switch {
	case resp.StatusCode == http.StatusOK:
		resp.Body.Close()
		return nil, nil
	case resp.StatusCode == http.StatusUnauthorized:
		httpclient.Discard(resp) // the token endpoint is mostly at the same host: the connection is wanted again
		values = resp.Header.Values(challengeHeader)
		if len(ParseChallenges(values)) == 0 {
			return nil, wrap(helpers.WithHint(errors.New("401 Unauthorized without a challenge that could be read (WWW-Authenticate)"),
				"is %s an OCI registry? if not, give its URLs a rule with another helper", registry.Host))
		}
		return values, nil
	case resp.StatusCode/100 == 3:
		resp.Body.Close()
		return nil, wrap(redirected(resp, registry))
	}
	status := readStatus(resp, registry.Host)
	return nil, wrap(helpers.WithHint(status, "%s", pingHint(status, registry.Host)))
}

// redirected explains a redirect of the login check.
func redirected(resp *http.Response, registry *url.URL) error {
	status := fmt.Sprintf("%d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	to, err := resp.Location()
	if err != nil || to.Host == "" {
		return fmt.Errorf("%s without a usable location", status)
	}
	target := redact.Quote(to.Scheme+"://"+to.Host, maxQuoted)
	if ascii.EqualFold(to.Host, registry.Host) && to.Scheme == registry.Scheme {
		return helpers.WithHint(fmt.Errorf("%s to another path of the same host", status), "is %s an OCI registry?", registry.Host)
	}
	return helpers.WithHint(fmt.Errorf("%s to %s; a login check is not followed there", status, target), "if the registry lives there, use %s for its URLs", target)
}

func pingHint(e *statusError, host string) string {
	switch {
	case e.Status == http.StatusForbidden:
		return host + " refuses this machine before any login; is a VPN, a proxy or an allowed address needed?"
	case e.Status == http.StatusNotFound:
		return "is " + host + " an OCI registry? it has no /v2/"
	case e.Status == http.StatusTooManyRequests:
		return tryAgain(e)
	case e.Status >= 500:
		return "the registry is in trouble; " + tryAgain(e)
	}
	return "a registry answers 200 or 401 here; is " + host + " an OCI registry?"
}

func tryAgain(e *statusError) string {
	switch {
	case e.retryAfter == "":
		return "try again later"
	case strings.Trim(e.retryAfter, "0123456789") == "":
		return "try again in " + e.retryAfter + " s"
	}
	return "try again after " + e.retryAfter
}

// choose returns the challenge to answer: Bearer before Basic, the order of the servers aside.
func choose(challenges []Challenge, registry string) (Challenge, error) {
	for _, scheme := range []string{"bearer", "basic"} {
		for _, c := range challenges {
			if c.Scheme == scheme && (scheme == "basic" || c.Params["realm"] != "") {
				return c, nil
			}
		}
	}
	var offered []string
	for _, c := range challenges {
		if c.Scheme == "bearer" {
			return Challenge{}, helpers.WithHint(fmt.Errorf("the registry %s asks for a Bearer token and names no token endpoint (no realm in its challenge)", registry),
				realmHint)
		}
		scheme := redact.Said(c.Scheme, 40)
		if scheme == "" {
			scheme = "one that is not known here"
		}
		if !slices.Contains(offered, scheme) {
			offered = append(offered, scheme)
		}
	}
	return Challenge{}, helpers.WithHint(fmt.Errorf("the registry %s offers no login that is known: it wants %s", registry, strings.Join(offered, ", ")),
		"known are Bearer and Basic")
}

// tell says what the server asks for, where somebody wants to know.
func (c Challenge) tell(ctx context.Context, scopes []string) {
	trace.Tell(ctx, "challenge", "%s", map[string]string{"bearer": "Bearer", "basic": "Basic"}[c.Scheme])
	if c.Scheme != "bearer" {
		return
	}
	shown := "not usable"
	if realm, err := owner.ParseEndpoint(c.Params["realm"]); err == nil {
		shown = redact.Quote(helpers.Display(realm), maxQuoted)
	}
	trace.Tell(ctx, "realm", "%s", shown)
	if service := c.Params["service"]; service != "" {
		trace.Tell(ctx, "service", "%s", redact.Quote(service, maxQuoted))
	}
	if len(scopes) > 0 {
		trace.Tell(ctx, "scope", "%s", strings.Join(scopes, " "))
	}
}
