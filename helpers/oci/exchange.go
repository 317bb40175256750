package oci

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/httpclient"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/trace"
	"github.com/fe055d52/credential-helper/lookup"
)

// clientID is how the program names itself to an OAuth2 token endpoint.
const clientID = "credential-helper"

// An exchange turns a credential into a token for some scopes, at the token endpoint that a registry named.
//
// The GET form: https://distribution.github.io/distribution/spec/auth/token/,
// the POST form: https://distribution.github.io/distribution/spec/auth/oauth/
type exchange struct {
	client     *http.Client
	now        func() time.Time
	method     string // auto, oauth2 or basic
	registry   string // as the user knows it
	realm      *url.URL
	service    string
	scopes     []string
	credential helpers.Credential
	docker     string // what docker's logins are called as a source
}

// run asks for the token: by POST for an identity token, and for a password where the method is oauth2; else by GET.
// Many servers know the GET alone, so a POST that is answered as if it were unknown is followed by a GET with the same credential.
func (x *exchange) run(ctx context.Context) (t token, err error) {
	end := trace.Step(ctx, "asking %s for a token", helpers.Display(x.realm))
	defer func() { end(err) }()

	form := x.form()
	if form == nil {
		trace.Tell(ctx, "exchange", "GET, %s", x.with())
		t, err = x.get(ctx)
		return t, x.context(err)
	}
	trace.Tell(ctx, "exchange", "POST with the grant %s", form.Get("grant_type"))
	t, err = x.post(ctx, form)
	var posted *statusError
	if !errors.As(err, &posted) || !posted.fallsBack() {
		return t, x.context(err)
	}
	trace.Note(ctx, "the token endpoint answers POST with %d; trying GET", posted.Status)
	trace.Tell(ctx, "exchange", "GET, %s, after POST was answered with %d", x.with(), posted.Status)
	if t, err = x.get(ctx); err != nil {
		err = fmt.Errorf("%w (and before that, to a POST, %v)", err, posted)
	}
	return t, x.context(err)
}

// form returns what is to be posted, nil where GET is the way.
func (x *exchange) form() url.Values {
	c := x.credential
	form := url.Values{"client_id": {clientID}}
	if x.service != "" {
		form.Set("service", x.service)
	}
	if len(x.scopes) > 0 {
		form.Set("scope", strings.Join(x.scopes, " "))
	}
	switch {
	case x.method == methodBasic:
		return nil
	case !c.IdentityToken.IsZero():
		form.Set("grant_type", "refresh_token")
		form.Set("refresh_token", c.IdentityToken.Reveal())
	case x.method == methodOAuth2 && !c.Secret.IsZero():
		form.Set("grant_type", "password")
		form.Set("username", c.Username)
		form.Set("password", c.Secret.Reveal())
	default:
		return nil
	}
	return form
}

// with says what a GET carries.
func (x *exchange) with() string {
	switch {
	case !x.credential.IdentityToken.IsZero():
		return "with the identity token as Basic"
	case !x.credential.Secret.IsZero():
		return "with the login as Basic"
	}
	return "without a login (anonymous)"
}

func (x *exchange) post(ctx context.Context, form url.Values) (token, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, x.realm.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return token{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return x.send(req)
}

func (x *exchange) get(ctx context.Context) (token, error) {
	query := url.Values{}
	if x.service != "" {
		query.Set("service", x.service)
	}
	if len(x.scopes) > 0 {
		query["scope"] = x.scopes
	}
	at := *x.realm
	if at.RawQuery != "" && len(query) > 0 {
		at.RawQuery += "&"
	}
	at.RawQuery += query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return token{}, err
	}
	user, secret := x.credential.Username, x.credential.Secret
	if !x.credential.IdentityToken.IsZero() {
		secret = x.credential.IdentityToken
		if user == "" {
			user = lookup.TokenUser
		}
	}
	if !secret.IsZero() {
		authorization, err := helpers.Basic(user, secret)
		if err != nil {
			return token{}, err
		}
		req.Header.Set("Authorization", authorization.Reveal())
	}
	return x.send(req)
}

func (x *exchange) send(req *http.Request) (token, error) {
	req.Header.Set("Accept", "application/json")
	sent := x.now()
	resp, err := x.client.Do(req)
	if err != nil {
		return token{}, explain(req.Context(), err, x.realm.Host)
	}
	if resp.StatusCode != http.StatusOK {
		return token{}, readStatus(resp, append([]string{x.registry, x.credential.Username}, x.scopes...)...)
	}
	body, err := httpclient.ReadBody(resp)
	if errors.Is(err, httpclient.ErrBodyTooLarge) {
		return token{}, err
	}
	if err != nil {
		return token{}, explain(req.Context(), err, x.realm.Host)
	}
	return parseToken(resp, body, sent)
}

// refused reports whether a server understood a POST and refused the credential itself (RFC 6749 §5.2).
func (e *statusError) refused() bool {
	switch e.code {
	case "invalid_grant", "invalid_client", "unauthorized_client", "access_denied":
		return true
	}
	return false
}

// fallsBack reports whether a POST that was answered so may only be unknown to the server:
// GCR and Gitea answer 404, Harbor 405, Artifactory 401, ACR 400, others 403, 415 or 501.
func (e *statusError) fallsBack() bool {
	if e.refused() {
		return false
	}
	switch e.Status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound,
		http.StatusMethodNotAllowed, http.StatusUnsupportedMediaType, http.StatusNotImplemented:
		return true
	}
	return false
}

// context says what was tried, whose login it was, and what to do next.
func (x *exchange) context(err error) error {
	if err == nil {
		return nil
	}
	what := "a token"
	if len(x.scopes) > 0 {
		what += " for " + strings.Join(x.scopes, " ")
	}
	tried := fmt.Sprintf("asking %s for %s", redact.Quote(helpers.Display(x.realm), maxQuoted), what)
	var status *statusError
	if !errors.As(err, &status) {
		return fmt.Errorf("%s: %w", tried, err)
	}
	with := "without a login"
	if !x.credential.Anonymous() {
		with = "with the login from " + x.credential.Source
	}
	return helpers.WithHint(fmt.Errorf("%s %s: %w", tried, with, err), "%s", x.hint(status))
}

func (x *exchange) hint(e *statusError) string {
	renew := "put a valid login for " + x.registry + " into " + x.credential.Source
	switch {
	case x.credential.Anonymous():
		renew = "log in: " + loginCommand(x.registry)
	case x.credential.Source == x.docker, strings.HasPrefix(x.credential.Source, x.docker+" ("):
		renew = "log in again: " + loginCommand(x.registry)
	}
	switch {
	case x.method == methodBasic && !x.credential.IdentityToken.IsZero() && e.Status < 500 && e.Status != http.StatusTooManyRequests:
		return `identity tokens are mostly taken by POST alone; try without "token_exchange_method": "basic" in the rule's config`
	case e.refused(), e.Status == http.StatusUnauthorized:
		return renew
	case e.Status == http.StatusBadRequest && x.method != methodAuto:
		return `the token endpoint does not take the request; try without "token_exchange_method" in the rule's config`
	case e.Status == http.StatusBadRequest:
		return `the token endpoint does not take the request; try "token_exchange_method": "oauth2" or "basic" in the rule's config`
	case e.Status == http.StatusForbidden && !x.credential.Anonymous():
		return "may this user read the repository? if so, " + renew
	case e.Status == http.StatusForbidden:
		return renew
	case e.Status == http.StatusNotFound, e.Status == http.StatusMethodNotAllowed:
		return "the registry " + x.registry + " names a token endpoint that does not serve tokens; does a proxy stand before it?"
	case e.Status == http.StatusTooManyRequests:
		return tryAgain(e)
	case e.Status >= 500:
		return "the token server is in trouble; " + tryAgain(e)
	}
	return "this is no answer that a token endpoint gives; does a proxy stand before it?"
}
