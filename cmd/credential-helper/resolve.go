package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/fe055d52/credential-helper/cache"
	"github.com/fe055d52/credential-helper/config"
	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/httpclient"
	"github.com/fe055d52/credential-helper/internal/inputs"
	"github.com/fe055d52/credential-helper/internal/loginstore"
	"github.com/fe055d52/credential-helper/internal/place"
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
	// context is that of the cache's keys, watched the record of what is read to make an answer, under salt.
	context string
	watched *env.Observation
	salt    inputs.Salt
}

// resolver reads the configuration and opens the cache.
func (a *app) resolver(ctx context.Context) (*resolver, error) {
	return a.resolverWith(ctx, newClient())
}

// resolverWith is like resolver, with the client that makes all requests.
func (a *app) resolverWith(ctx context.Context, client *http.Client) (r *resolver, err error) {
	end := trace.Step(ctx, "reading the configuration")
	defer func() { end(err) }()
	salt := make([]byte, 16)
	if _, err := rand.Read(salt); err != nil {
		return nil, err
	}
	r = &resolver{now: a.env.Now, salt: inputs.Salt(salt), context: place.Context(a.env.Home, a.env.Workspace(), a.env.Dir)}
	var seen *env.Env
	seen, r.watched = a.env.Observe(r.salt)
	for _, name := range env.DirectoryVars() {
		seen.Get(name)
	}
	kinds := helperKinds(newSources(seen, client), client, r.remember)
	r.routes, err = config.Load(a.env, kinds, a.builtIn(kinds))
	if err != nil {
		return nil, err
	}
	r.cache, err = a.openCache(ctx)
	return r, err
}

// newClient returns the client that makes all requests.
func newClient() *http.Client { return httpclient.New("credential-helper/" + shortVersion()) }

// newSources returns the lookup sources that see an environment.
func newSources(e *env.Env, client *http.Client) *lookup.Sources {
	executable, _ := os.Executable()
	return &lookup.Sources{Env: e, Executable: executable, Client: client, Stored: func(ctx context.Context, server string) (string, redact.Secret, error) {
		login, err := loginstore.Get(ctx, e, server)
		return login.Username, login.Secret, err
	}}
}

// builtIn returns what makes the built-in rules, if they are wanted.
func (a *app) builtIn(kinds config.Kinds) func() ([]config.Rule, error) {
	return func() ([]config.Rule, error) { return builtInRules(a.env.Var(env.VarGuessOCI) == "1", kinds) }
}

// remember is the [helpers.Memo] of this run: ten repositories of one registry cost one login check, and all forms of a GitHub App's token one token.
func (r *resolver) remember(ctx context.Context, q helpers.Question, ask func(context.Context) (helpers.Response, error)) (helpers.Response, error) {
	if r.cache == nil {
		return ask(ctx)
	}
	key := cache.Key{Helper: q.Helper, Scope: q.Text, Part: true}
	return r.cache.Get(ctx, key, func(ctx context.Context) (cache.Entry, error) {
		resp, err := ask(ctx)
		return cache.Entry{Response: resp, Volatile: q.Volatile}, err
	})
}

// A decision is what the rules say about a URL, before anything is looked up.
type decision struct {
	rule  *config.Rule
	scope string
	wider []string
	// noOpinion says why no headers are sent; empty where some are.
	noOpinion string
}

// decide finds the rule for a URL and what it means for it.
func decide(routes *config.Routes, u *url.URL) (decision, error) {
	shown := helpers.Display(u)
	if helpers.Presigned(u) {
		return decision{noOpinion: shown + " is presigned"}, nil
	}
	rule := routes.Match(u)
	if rule == nil {
		return decision{noOpinion: "no rule for " + shown}, nil
	}
	if rule.Helper == nil {
		return decision{}, helpers.WithHint(fmt.Errorf("the helper %q, which %s names for %s, is not supported yet", rule.HelperName, rule.Place, shown),
			`give the rule another helper, or "null" to send nothing`)
	}
	scope, ok := rule.Helper.Scope(u)
	if !ok {
		return decision{rule: rule, noOpinion: fmt.Sprintf("the helper %s sends nothing to %s", rule.HelperName, shown)}, nil
	}
	if !helpers.Secure(u) && !helpers.Loopback(u) && !rule.AllowHTTP {
		if rule.BuiltIn {
			return decision{rule: rule, noOpinion: shown + " is not encrypted"}, nil
		}
		return decision{}, helpers.WithHint(fmt.Errorf("%s is not encrypted (%s), and %s sends a secret", shown, u.Scheme, rule.Place),
			`use https, or set "allow_http": true in the rule's config`)
	}
	d := decision{rule: rule, scope: scope}
	if s, ok := rule.Helper.(helpers.Spreading); ok {
		d.wider = s.Wider(u)
	}
	return d, nil
}

// key is what the cache knows the decision's answer by.
func (d decision) key(context string) cache.Key {
	return cache.Key{Helper: d.rule.HelperName, Rule: d.rule.Text, Scope: d.scope, Wider: d.wider, Context: context}
}

// noOpinion is the answer without headers.
func noOpinion(now time.Time) helpers.Response {
	return helpers.Response{Expires: now.Add(noOpinionLife)}
}

// headers answers a client that wants headers. The answer's expiry is what the client is to be told.
func (r *resolver) headers(ctx context.Context, req helpers.Request) (helpers.Response, error) {
	a, err := r.account(ctx, req)
	return a.told, err
}

// An account is an answer, and how it came about.
type account struct {
	decision
	told helpers.Response
	// made is when the answer was made, where it is a remembered one; zero where it is new.
	made time.Time
	// credential is the login of a new answer, and missing says that none was found. Of a remembered one neither is known.
	credential helpers.Credential
	missing    error
}

// account answers, and tells how.
func (r *resolver) account(ctx context.Context, req helpers.Request) (a account, err error) {
	d, err := decide(r.routes, req.URL)
	a.decision = d
	if d.rule != nil {
		trace.Note(ctx, "%s is served by %s, the helper %s", helpers.Display(req.URL), d.rule.Place, d.rule.HelperName)
	}
	switch {
	case err != nil:
		return a, err
	case d.noOpinion != "":
		trace.Note(ctx, "%s: no headers", d.noOpinion)
		a.told = noOpinion(r.now())
		return a, nil
	}
	resp, err := r.cache.Get(cache.WithMade(ctx, &a.made), d.key(r.context), func(ctx context.Context) (cache.Entry, error) {
		resp, err := fill(ctx, &a, req.URL)
		e := cache.Entry{Response: resp, Salt: r.salt, Scope: a.credential.Covers}
		e.Inputs, e.Volatile = r.watched.Inputs()
		return e, err
	})
	if err != nil {
		return a, err
	}
	now := r.now()
	made := a.made
	if made.IsZero() {
		made = now
	}
	told, ok := tell(resp, made, now)
	if !ok && a.made.IsZero() { // a remembered one was good when it was looked at, a moment ago
		return a, expiresAtOnce(req.URL, resp)
	}
	a.told = told
	return a, nil
}

// expiresAtOnce is the error of an answer that nothing is left of.
func expiresAtOnce(u *url.URL, resp helpers.Response) error {
	return fmt.Errorf("the token for %s expires at once (%s); is this machine's clock right?", helpers.Display(u), resp.Expires.UTC().Format(time.RFC3339))
}

// tell returns an answer that was made at a time as a client is told it: with an expiry that keeps its margin. The margin is that of the life which it had
// when it was made: it does not shrink while the answer is remembered. ok is false where nothing is left of its life.
func tell(resp helpers.Response, made, now time.Time) (told helpers.Response, ok bool) {
	switch {
	case resp.Empty():
		return noOpinion(now), true
	case resp.Expires.IsZero():
		return resp, true
	}
	resp.Expires = helpers.WithMargin(resp.Expires, made)
	return resp, resp.Expires.After(now)
}

// fill answers without a cache: it finds the credential and turns it into headers. What it finds on the way is in a.
func fill(ctx context.Context, a *account, u *url.URL) (helpers.Response, error) {
	rule := a.rule
	credential, err := findCredential(ctx, rule, u)
	missing := errors.Is(err, helpers.ErrNotFound)
	if a.credential = credential; missing {
		a.missing = err
	}
	if err != nil && !(missing && rule.Anonymous) {
		if missing {
			return helpers.Response{}, noLogin(rule, u, err)
		}
		return helpers.Response{}, fmt.Errorf("%s: %w", helpers.Display(u), err)
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
		return helpers.Response{}, fmt.Errorf("%s: %w (%s)", helpers.Display(u), first(err, headersErr), err)
	default:
		return helpers.Response{}, fmt.Errorf("%s: %w", helpers.Display(u), headersErr)
	}
}

// noLogin is the error of a rule that needs a login and has none: it says what to do in the helper's words, and in the rule.
func noLogin(rule *config.Rule, u *url.URL, err error) error {
	remedy := fmt.Sprintf("credential-helper setup-uri %s://%s/ tells how", u.Scheme, u.Host)
	if shown := helpers.Display(u); !strings.Contains(shown, "…") {
		remedy = fmt.Sprintf("credential-helper setup-uri %s tells how", shown)
	}
	var hint *helpers.HintError
	if errors.As(err, &hint) {
		remedy = hint.Hint
	}
	return helpers.WithHint(fmt.Errorf("%s: %w", helpers.Display(u), err),
		`%s, or set "on_missing": "anonymous" in the config of the rule at %s`, remedy, rule.Place)
}

// first puts what has to be done before a login can be kept before the hint of an error.
func first(missing, err error) error {
	var (
		tried *lookup.MissingError
		hint  *helpers.HintError
	)
	if !errors.As(missing, &tried) || len(tried.First.Lines) == 0 || !errors.As(err, &hint) {
		return err
	}
	return helpers.WithHint(err, "%s (%s); then %s", tried.First.Do, strings.Join(tried.First.Lines, "; "), hint.Hint)
}

// findCredential finds the user's credential and refuses one that could break out of a header.
func findCredential(ctx context.Context, rule *config.Rule, u *url.URL) (c helpers.Credential, err error) {
	end := trace.Step(ctx, "looking for a login to %s", u.Host)
	defer func() { end(err) }()
	c, err = rule.Helper.Credential(ctx, u)
	var unset *lookup.UnsetError
	switch {
	case errors.Is(err, helpers.ErrNotFound):
		return helpers.Credential{}, first(err, err)
	case errors.As(err, &unset) && !rule.BuiltIn:
		return helpers.Credential{}, helpers.WithHint(err, "export %s, or correct the rule at %s; $${ in it stands for a literal ${", unset.Name, rule.Place)
	case err != nil:
		return helpers.Credential{}, err
	}
	values := slices.AppendSeq([]redact.Secret{redact.Hold(c.Username), c.Secret, c.IdentityToken, c.RegistryToken}, maps.Values(c.Headers))
	for _, value := range values {
		if err := helpers.CheckHeaderValue(value); err != nil {
			return helpers.Credential{}, helpers.WithHint(fmt.Errorf("using the login from %s: %w", c.Source, err), "a secret is one line of text: write it there anew, without what does not belong to it")
		}
	}
	trace.Note(ctx, "using the login from %s", c.Source)
	return c, nil
}
