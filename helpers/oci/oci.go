// Package oci knows OCI registries: it turns a login into the token that a registry wants, or into Basic where it wants that.
//
// A registry tells at /v2/ how to log in, by a challenge. A Basic challenge is answered with the login itself. A Bearer challenge names
// a token endpoint; the login is exchanged there for a token that opens one repository for a few minutes:
//
//	GET https://registry.example.com/v2/          ► 401, WWW-Authenticate: Bearer realm="https://auth.example.com/token",service="registry"
//	GET https://auth.example.com/token?…          ► {"token": "…", "expires_in": 300}
//	GET https://registry.example.com/v2/NAME/…    ► 200, with Authorization: Bearer TOKEN
//
// The package makes the first two requests; the client makes the third. A token is asked for the narrowest scope that the URL needs,
// and the login goes only to a token endpoint that belongs to the registry.
package oci

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/owner"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/strictjson"
	"github.com/fe055d52/credential-helper/internal/trace"
	"github.com/fe055d52/credential-helper/lookup"
)

// The values of "token_exchange_method".
const (
	methodAuto   = "auto"   // POST for identity tokens, GET for all else
	methodOAuth2 = "oauth2" // POST for passwords too
	methodBasic  = "basic"  // GET always
)

// Options are what the program gives to every rule's helper.
type Options struct {
	Sources *lookup.Sources
	// Client makes the requests; it should refuse redirects to other origins, as that of package httpclient does.
	Client *http.Client
	// DefaultChains are the chains, by registry host ("ghcr.io"), that are used where a rule has no "lookup_chain".
	DefaultChains map[string]lookup.Chain
	// Memo, where not nil, remembers challenges: the header WWW-Authenticate. No header means that no login is needed.
	Memo helpers.Memo
}

// New returns the factory of helpers for OCI registries. Their config has the keys
//
//   - "lookup_chain", with the bindings username, password (default means the same), auth (base64 of USER:PASSWORD), identitytoken and registrytoken;
//   - "parse_docker_config": whether docker's logins are asked too, after the chain (true unless given);
//   - "token_exchange_method": "auto" (unless given), "oauth2" or "basic";
//   - "realms": an array of hosts (HOST or HOST:PORT) that may be the registry's token endpoint though they are of another domain.
func New(o Options) helpers.Factory {
	return func(rule helpers.Rule, config *strictjson.Object) helpers.Helper {
		h := &helper{Options: o, rule: rule, dockerConfig: true, method: methodAuto, docker: o.Sources.Docker()}
		h.chain, h.ownChain = o.Sources.Decode(config, "lookup_chain",
			lookup.Default, lookup.Username, lookup.Password, lookup.Auth, lookup.IdentityToken, lookup.RegistryToken)
		config.Bool("parse_docker_config", &h.dockerConfig)
		config.OneOf("token_exchange_method", &h.method, methodAuto, methodOAuth2, methodBasic)
		var realms []string
		config.Strings("realms", &realms)
		for _, r := range realms {
			host, err := owner.CheckListed(r)
			if err != nil {
				config.Failf("realms", `"realms": %s`, err)
			}
			h.realms = append(h.realms, host)
		}
		return h
	}
}

// ForChain returns the helper of a registry whose login is what chain finds: for the part of a rule's host that is a container registry.
func ForChain(o Options, rule helpers.Rule, chain lookup.Chain) helpers.Helper {
	return &helper{Options: o, rule: rule, chain: chain, ownChain: true, dockerConfig: true, method: methodAuto, docker: o.Sources.Docker()}
}

type helper struct {
	Options
	rule         helpers.Rule
	chain        lookup.Chain // the rule's own, if ownChain is set
	ownChain     bool
	dockerConfig bool
	docker       lookup.Source
	method       string
	realms       []string
}

// HostBound reports whether each secret of the rule's chain names its own host.
// A default chain counts as bound: it is used for the one host that the program lists it under.
func (h *helper) HostBound() bool { return !h.ownChain || h.chain.HostBound() }

// chainFor returns the chain that is walked for a registry.
func (h *helper) chainFor(registry string) lookup.Chain {
	chain := h.chain
	if !h.ownChain {
		chain = h.DefaultChains[registry]
	}
	switch {
	case h.dockerConfig && !slices.ContainsFunc(chain, h.isDocker):
		return append(slices.Clip(chain), lookup.Entry{Source: h.docker})
	case !h.dockerConfig && !h.ownChain:
		return slices.DeleteFunc(slices.Clone(chain), h.isDocker)
	}
	return chain
}

func (h *helper) isDocker(e lookup.Entry) bool {
	return e.Source == h.docker
}

// Scope implements [helpers.Helper]. Docker Hub's hosts are one registry to docker's logins; a rule's own chain may have sources that tell them apart.
func (h *helper) Scope(u *url.URL) (scope string, ok bool) {
	t, ok := parseTarget(u)
	if !ok {
		return "", false
	}
	name := registryName(u)
	if h.ownChain {
		name = u.Host
	}
	return t.scope(u, name), true
}

// Credential walks the chain until it has a login that a registry can be given. It answers for every path of a host:
// clients that want a user name and a secret name the host alone.
func (h *helper) Credential(ctx context.Context, u *url.URL) (helpers.Credential, error) {
	if helpers.Wildcard(u) {
		return helpers.Credential{}, helpers.NotFoundf("%s stands for many hosts, and a registry's login is for one", u.Host)
	}
	t, _ := parseTarget(u)
	registry := registryName(u)
	chain := h.chainFor(registry)
	found, err := chain.Find(ctx, lookup.Query{URL: t.at(u), Registry: registry, Repository: t.repository}, enough)
	if err != nil {
		// A password alone is a login too: ghcr.io and others take any user name with a token.
		// It counts only now, so that the chain had its chance to yield the name.
		var missing *lookup.MissingError
		if !errors.As(err, &missing) {
			return helpers.Credential{}, err
		}
		if password(missing.Partial.Values).IsZero() {
			if slices.ContainsFunc(chain, h.isDocker) {
				err = helpers.WithHint(err, "run %s", loginCommand(registry))
			}
			return helpers.Credential{}, err
		}
		found = missing.Partial
	}
	return credential(found)
}

// Setup implements [helpers.Guided]: a login of docker's comes first, as it is the one that every client of a registry knows.
func (h *helper) Setup(u *url.URL) []helpers.Remedy {
	chain := h.chainFor(registryName(u))
	if h.ownChain {
		return chain.Setup(u)
	}
	// A user name is not wanted with a token.
	chain = slices.DeleteFunc(slices.Clone(chain), func(e lookup.Entry) bool { return e.Binding == lookup.Username })
	return append(lookup.Chain{{Source: h.docker}}, chain...).Setup(u)
}

func enough(v lookup.Values) bool {
	return !v[lookup.RegistryToken].IsZero() || !v[lookup.IdentityToken].IsZero() || !v[lookup.Auth].IsZero() ||
		v.Named() && !password(v).IsZero()
}

func password(v lookup.Values) redact.Secret {
	if p := v[lookup.Password]; !p.IsZero() {
		return p
	}
	return v[lookup.Default]
}

// credential makes a Credential of what a chain yielded.
func credential(found lookup.Found) (helpers.Credential, error) {
	c := helpers.Credential{
		Username:      found.Values[lookup.Username].Reveal(),
		Secret:        password(found.Values),
		IdentityToken: found.Values[lookup.IdentityToken],
		RegistryToken: found.Values[lookup.RegistryToken],
		Source:        found.Source,
		Expires:       found.Expiry(),
	}
	if !found.Values.Named() && !c.Secret.IsZero() {
		c.Username = "unset" // whatever it is: the registries that take a token by itself do not look at it
	}
	if auth := found.Values[lookup.Auth]; !auth.IsZero() && (!found.Values.Named() || c.Secret.IsZero()) {
		user, secret, ok := decodeAuth(auth.Reveal())
		if !ok {
			return helpers.Credential{}, helpers.WithHint(fmt.Errorf(`reading the value for "auth" from %s: it is not the base64 form of USER:PASSWORD`, found.Source),
				`for a bare password or token, bind it to "password"`)
		}
		c.Username, c.Secret = user, redact.New(secret)
	}
	if c.Username == lookup.TokenUser {
		// Docker's credential helpers mark an identity token by this name.
		if c.IdentityToken.IsZero() {
			c.IdentityToken = c.Secret
		}
		c.Username, c.Secret = "", redact.Secret{}
	}
	return c, nil
}

// decodeAuth reads the base64 form of USER:PASSWORD, with or without padding.
func decodeAuth(auth string) (user, secret string, ok bool) {
	text, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.TrimSpace(auth), "="))
	if err != nil {
		return "", "", false
	}
	user, secret, ok = strings.Cut(string(text), ":")
	return user, secret, ok && secret != ""
}

// Headers asks the registry how to log in, and does so.
func (h *helper) Headers(ctx context.Context, u *url.URL, c helpers.Credential) (helpers.Response, error) {
	t, ok := parseTarget(u)
	switch {
	case !ok:
		return helpers.Response{}, nil
	case t.kind == bare:
		// Who asks for the host alone makes the exchange itself when given Basic, and takes a Bearer for the final token.
		// No token is good for all of a registry, so it is the login or nothing.
		if c.Secret.IsZero() {
			return helpers.Response{}, nil
		}
		trace.Tell(ctx, "exchange", "none: the URL names the host alone, which gets the login itself")
		authorization, err := basic(c)
		resp := helpers.Header("Authorization", authorization)
		resp.Expires = c.Expires
		return resp, err
	case !c.RegistryToken.IsZero():
		trace.Tell(ctx, "exchange", "none: a registry token is sent as it is")
		return h.registryToken(c)
	}
	registry := registryURL(u)
	challenges, err := h.challenges(ctx, registry)
	if err != nil {
		return helpers.Response{}, err
	}
	if len(challenges) == 0 {
		trace.Tell(ctx, "challenge", "none: %s/v2/ is open to everybody", helpers.Origin(registry))
		return helpers.Response{}, nil
	}
	challenge, err := choose(challenges, u.Host)
	if err != nil {
		return helpers.Response{}, err
	}
	challenge.tell(ctx, t.scopes)
	if challenge.Scheme == "basic" {
		switch {
		case !c.Secret.IsZero():
			trace.Tell(ctx, "exchange", "none: the registry takes the login itself (Basic)")
			authorization, err := basic(c)
			return answer(authorization, c.Expires), err
		case !c.IdentityToken.IsZero():
			return helpers.Response{}, helpers.WithHint(fmt.Errorf("the registry %s wants a user name and a password (Basic), and %s has an identity token, which only a token endpoint takes",
				u.Host, c.Source), "log in with a password or an access token: %s", loginCommand(registryName(u)))
		}
		return helpers.Response{}, nil
	}
	realm, err := checkRealm(registry, challenge.Params["realm"], h.realms, h.rule.AllowHTTP)
	if err != nil {
		return helpers.Response{}, err
	}
	trace.Tell(ctx, "trust", "%s", trust(registry, realm, h.realms))
	x := exchange{
		client: h.Client, now: h.Sources.Env.Now, method: h.method, registry: registryName(u),
		realm: realm, service: challenge.Params["service"], scopes: t.scopes, credential: c, docker: h.docker.Name(),
	}
	tok, err := x.run(ctx)
	if err != nil {
		return helpers.Response{}, err
	}
	trace.Tell(ctx, "life", "the token ends in %s", tok.expires.Sub(h.Sources.Env.Now()).Round(time.Second))
	return answer(helpers.Bearer(tok.secret), tok.expires), nil
}

// challenges returns how a registry wants its users to log in, from memory or by asking it.
func (h *helper) challenges(ctx context.Context, registry *url.URL) ([]Challenge, error) {
	question := helpers.Question{Helper: "oci", Text: "challenge " + helpers.Origin(registry), Volatile: true}
	resp, err := h.Memo.Remember(ctx, question, func(ctx context.Context) (helpers.Response, error) {
		values, err := ping(ctx, h.Client, registry)
		if err != nil || len(values) == 0 {
			return helpers.Response{}, err
		}
		remembered := helpers.Response{Headers: map[string][]redact.Secret{}}
		for _, v := range values {
			remembered.Headers[challengeHeader] = append(remembered.Headers[challengeHeader], redact.Hold(v))
		}
		return remembered, nil
	})
	var values []string
	for _, v := range resp.Headers[challengeHeader] {
		values = append(values, v.Reveal())
	}
	return ParseChallenges(values), err
}

// basic returns a login in the form that Basic authentication has.
func basic(c helpers.Credential) (redact.Secret, error) {
	authorization, err := helpers.Basic(c.Username, c.Secret)
	if err != nil {
		return redact.Secret{}, fmt.Errorf("using the login from %s: %w", c.Source, err)
	}
	return authorization, nil
}

// registryToken answers with a token that needs no exchange.
func (h *helper) registryToken(c helpers.Credential) (helpers.Response, error) {
	text := c.RegistryToken.Reveal()
	if err := helpers.CheckToken(c.RegistryToken); err != nil {
		return helpers.Response{}, fmt.Errorf("the registry token from %s %w", c.Source, err)
	}
	now := h.Sources.Env.Now()
	expires, ok := helpers.JWTExpiry(text, now, false)
	if !ok || !c.Expires.IsZero() && c.Expires.Before(expires) {
		expires = c.Expires
	}
	if !expires.IsZero() && !expires.After(now) {
		return helpers.Response{}, helpers.WithHint(fmt.Errorf("the registry token from %s expired at %s", c.Source, expires.UTC().Format(time.RFC3339)), "put a new token there")
	}
	return answer(helpers.Bearer(c.RegistryToken), expires), nil
}

// manifestTypes are the manifests that a client may be given. Without them some registries answer with the oldest form that they know.
// They are one value, comma and all: there are clients that take one value a header.
const manifestTypes = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, " +
	"application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json"

// answer adds to an Authorization what every request to a registry carries.
func answer(authorization redact.Secret, expires time.Time) helpers.Response {
	r := helpers.Header("Authorization", authorization)
	r.Headers["Accept"] = []redact.Secret{redact.Hold(manifestTypes)}
	r.Headers["Docker-Distribution-API-Version"] = []redact.Secret{redact.Hold("registry/2.0")}
	r.Expires = expires
	return r
}
