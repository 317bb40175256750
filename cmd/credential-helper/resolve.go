package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/fe055d52/credential-helper/cache"
	"github.com/fe055d52/credential-helper/config"
	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/httpclient"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/trace"
	"github.com/fe055d52/credential-helper/lookup"
)

// noOpinionLife is how long a client may keep the answer without headers. Bazel would keep one that does not say for 30 minutes,
// and the login that the user then makes would not be seen.
const noOpinionLife = time.Minute

// A resolver finds the headers for a URL: the rule, the cache, the user's credential, what the server wants.
// It does not know which client asked.
type resolver struct {
	routes *config.Routes
	cache  cache.Cache
	now    func() time.Time
}

// resolver reads the configuration.
func (a *app) resolver(ctx context.Context) (r *resolver, err error) {
	end := trace.Step(ctx, "reading the configuration")
	defer func() { end(err) }()
	executable, _ := os.Executable()
	sources := &lookup.Sources{Env: a.env, Executable: executable}
	kinds := helperKinds(sources, httpclient.New("credential-helper/"+shortVersion()))
	routes, err := config.Load(a.env, kinds, func() ([]config.Rule, error) { return builtInRules(a.env, kinds) })
	if err != nil {
		return nil, err
	}
	return &resolver{routes: routes, cache: cache.None{}, now: a.env.Now}, nil
}

// headers answers a client that wants headers. The answer's expiry is what the client is to be told.
func (r *resolver) headers(ctx context.Context, req helpers.Request) (helpers.Response, error) {
	u := req.URL
	shown := helpers.Display(u)
	noOpinion := helpers.Response{Expires: r.now().Add(noOpinionLife)}
	if helpers.Presigned(u) {
		trace.Note(ctx, "%s is presigned: no headers", shown)
		return noOpinion, nil
	}
	rule := r.routes.Match(u)
	if rule == nil {
		trace.Note(ctx, "no rule for %s: no headers", shown)
		return noOpinion, nil
	}
	trace.Note(ctx, "%s is served by %s, the helper %s", shown, rule.Place, rule.HelperName)
	if rule.Helper == nil {
		return helpers.Response{}, helpers.WithHint(fmt.Errorf("the helper %q, which %s names for %s, is not supported yet", rule.HelperName, rule.Place, shown),
			`give the rule another helper, or "null" to send nothing`)
	}
	scope, ok := rule.Helper.Scope(u)
	if !ok {
		trace.Note(ctx, "the helper %s sends nothing to %s", rule.HelperName, shown)
		return noOpinion, nil
	}
	if !helpers.Secure(u) && !helpers.Loopback(u) && !rule.AllowHTTP {
		if rule.BuiltIn {
			trace.Note(ctx, "%s is not encrypted: no headers", shown)
			return noOpinion, nil
		}
		return helpers.Response{}, helpers.WithHint(fmt.Errorf("%s is not encrypted (%s), and %s sends a secret", shown, u.Scheme, rule.Place),
			`use https, or set "allow_http": true in the rule's config`)
	}
	key := cache.Key{Helper: rule.HelperName, Rule: rule.Text, Scope: scope}
	resp, err := r.cache.Get(ctx, key, func(ctx context.Context) (helpers.Response, error) { return fill(ctx, rule, u) })
	if err != nil {
		return helpers.Response{}, err
	}
	now := r.now()
	switch {
	case resp.Empty():
		return noOpinion, nil
	case resp.Expires.IsZero():
		return resp, nil
	}
	expires := helpers.WithMargin(resp.Expires, now)
	if !expires.After(now) {
		return helpers.Response{}, fmt.Errorf("the token for %s expires at once (%s); is this machine's clock right?", shown, resp.Expires.UTC().Format(time.RFC3339))
	}
	resp.Expires = expires
	return resp, nil
}

// fill answers without a cache: it finds the credential and turns it into headers.
func fill(ctx context.Context, rule *config.Rule, u *url.URL) (helpers.Response, error) {
	credential, err := findCredential(ctx, rule, u)
	missing := errors.Is(err, helpers.ErrNotFound)
	if err != nil && !(missing && rule.Anonymous) {
		err = fmt.Errorf("%s: %w", helpers.Display(u), err)
		if missing {
			return helpers.Response{}, helpers.WithHint(err, `supply one of these, or set "on_missing": "anonymous" in the config of the rule at %s`, rule.Place)
		}
		return helpers.Response{}, err
	}
	if missing {
		trace.Note(ctx, "going on without a login: %s", err)
	}
	end := trace.Step(ctx, "getting the headers that %s wants", u.Host)
	resp, headersErr := rule.Helper.Headers(ctx, u, credential)
	end(headersErr)
	switch {
	case headersErr == nil:
		return resp, nil
	case missing:
		return helpers.Response{}, fmt.Errorf("%s: %w (%s)", helpers.Display(u), headersErr, err)
	default:
		return helpers.Response{}, fmt.Errorf("%s: %w", helpers.Display(u), headersErr)
	}
}

// findCredential finds the user's credential and refuses one that could break out of a header.
func findCredential(ctx context.Context, rule *config.Rule, u *url.URL) (c helpers.Credential, err error) {
	end := trace.Step(ctx, "looking for a login to %s", u.Host)
	defer func() { end(err) }()
	c, err = rule.Helper.Credential(ctx, u)
	if err != nil {
		return helpers.Credential{}, err
	}
	for _, value := range []redact.Secret{redact.Hold(c.Username), c.Secret, c.IdentityToken, c.RegistryToken} {
		if err := helpers.CheckHeaderValue(value); err != nil {
			return helpers.Credential{}, fmt.Errorf("using the login from %s: %w", c.Source, err)
		}
	}
	trace.Note(ctx, "using the login from %s", c.Source)
	return c, nil
}
