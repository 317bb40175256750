// Package registry serves package registries and other servers that take a token or a login as it is, in one header.
//
// A rule names a preset, which knows how a kind of registry wants its header and where that ecosystem's own tools keep their logins (preset.go).
// Or it says itself how the header looks (auth_method), and where the secret comes from: from its own values, in which ${NAME}
// stands for an environment variable, or from a lookup chain. What a rule says itself comes before what its preset says.
package registry

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/strictjson"
	"github.com/fe055d52/credential-helper/lookup"
)

// Options are what the program gives to every rule's helper.
type Options struct {
	Sources *lookup.Sources
	// OCI builds the helper for the part of a host that is a container registry, with the login that chain finds.
	OCI func(rule helpers.Rule, chain lookup.Chain) helpers.Helper
}

// readToken is the binding of a token that may only read, beside one that may more.
const readToken = "read_token"

// bindings are what the entries of a rule's lookup chain may supply.
var bindings = []string{lookup.Token, lookup.Username, lookup.Password, lookup.Default, readToken}

// New returns the factory. Its config keys:
//
//	preset        what goes without saying for a kind of registry; see preset.go
//	auth_method   bearer, basic, raw or header: how the secret is written, whatever the preset and the login's own file say
//	header_name   the header for the method "header"
//	token         the secret for bearer, raw and header; ${NAME} stands for an environment variable
//	read_token    a token that may only read: it is sent in the place of token, because all that a build asks for is to read
//	username      the user name and
//	password      the password for basic; likewise
//	lookup_chain  sources for the bindings token, read_token, username, password and default, asked for what is not given above
//
// and of single presets: "server" (maven), "registry" (cargo), "index" (pesde), "refresh_hosts" (julia), which their sources explain.
//
// Without "auth_method", what is found decides: a user name with a password is written as Basic, a token as the preset says, else as Bearer;
// and what comes with its own header is sent in that. A rule without any of token, username, password, preset and lookup_chain
// uses the login of the host in the user's netrc.
func New(o Options) helpers.Factory {
	return func(rule helpers.Rule, config *strictjson.Object) helpers.Helper {
		h := &helper{preset: plain, now: o.Sources.Env.Now}
		h.decode(o, config)
		if h.preset.oci {
			h.oci = o.OCI(rule, forOCI(h.chain))
		}
		return h
	}
}

type helper struct {
	preset preset
	// presetName is what the rule calls the preset; empty where it names none.
	// method, where not empty, is the rule's own.
	method, header string
	chain          lookup.Chain
	oci            helpers.Helper
	now            func() time.Time
}

func (h *helper) decode(options Options, o *strictjson.Object) {
	sources := options.Sources
	var name, headerName string
	o.OneOf("preset", &name, presetNames()...)
	if p, ok := presets[name]; ok {
		h.preset, h.preset.name = p, name
	}
	o.OneOf("auth_method", &h.method, methodBearer, methodBasic, methodRaw, methodHeader)
	o.String("header_name", &headerName)
	// The user name comes first: where it is known, a token beside it may be its password.
	for _, key := range []string{lookup.Username, readToken, lookup.Token, lookup.Password} {
		var text string
		o.String(key, &text)
		if text == "" {
			if o.Has(key) {
				o.Failf(key, "%q is empty; give it a value or leave it out", key)
			}
			continue
		}
		source, err := sources.Template(text)
		if err != nil {
			o.Failf(key, "%q: %s", key, err)
		}
		h.chain = append(h.chain, lookup.Entry{Source: source, Binding: key})
	}
	own := len(h.chain)
	chain, given := sources.Decode(o, "lookup_chain", bindings...)
	if given && len(chain) == 0 {
		o.Failf("lookup_chain", `"lookup_chain" is empty; name a source, or leave it out`)
	}
	h.chain = append(h.chain, chain...)
	// The keys of the preset's own are decoded in any case, so that they are known keys.
	usual := h.preset.chain(sources, o)
	switch {
	case given:
	case own == 0, own == 1 && o.Has(lookup.Username):
		h.chain = append(h.chain, usual...)
	}
	h.check(o, headerName)
}

// check reports keys that do not go together.
func (h *helper) check(o *strictjson.Object, headerName string) {
	h.header = "Authorization"
	switch {
	case h.method == methodHeader:
		o.Needs("header_name")
		h.header = headerName
		if headerName == "" {
			o.Failf("header_name", `the auth_method "header" needs a "header_name"`)
		} else if err := helpers.CheckHeaderName(headerName); err != nil {
			o.Failf("header_name", "%s", err)
		}
	case headerName != "" && h.method == "":
		o.Failf("header_name", `"header_name" goes with the auth_method "header"`)
	case headerName != "":
		o.Failf("header_name", `"header_name" goes with the auth_method "header", not with %q`, h.method)
	}
	method := h.method
	if method == "" && h.preset.name == "" {
		method = methodBearer
		if o.Has(lookup.Username) || o.Has(lookup.Password) {
			method = methodBasic
		}
	}
	tokens := []string{lookup.Token, readToken}
	for _, key := range tokens {
		if method == methodBasic && o.Has(key) {
			o.Failf(key, `the auth_method "basic" takes "username" and "password", not %q`, key)
		}
	}
	for _, key := range []string{lookup.Username, lookup.Password} {
		if method != "" && method != methodBasic && o.Has(key) {
			o.Failf(key, `the auth_method %q takes "token", not "username" and "password"`, method)
		}
	}
	if o.Has(lookup.Password) && slices.ContainsFunc(tokens, o.Has) {
		o.Failf(lookup.Password, `a rule gives a "password" or a "token", not both`)
	}
}

// HostBound implements [helpers.HostBound].
func (h *helper) HostBound() bool { return h.chain.HostBound() }

// Scope implements [helpers.Helper]. URLs of one origin share an answer, where neither the login nor the header depends on the path.
func (h *helper) Scope(u *url.URL) (string, bool) {
	if h.isOCI(u) {
		scope, ok := h.oci.Scope(u)
		return "oci " + scope, ok
	}
	scope := h.form(u)
	if h.chain.PathBound() {
		scope += " " + u.EscapedPath()
	}
	return scope, true
}

// form returns u's origin, and how its header looks where the path decides that.
func (h *helper) form(u *url.URL) string {
	if h.preset.method == nil {
		return helpers.Origin(u)
	}
	return helpers.Origin(u) + " " + h.preset.method(u)
}

// below returns the scope of all URLs in a directory whose header has the form of u's.
func (h *helper) below(u *url.URL, dir string) string { return h.form(u) + " below " + dir }

// Wider implements [helpers.Spreading]: the login that a package manager keeps for a path is mostly the only one of its host, or of a directory.
func (h *helper) Wider(u *url.URL) []string {
	if h.isOCI(u) || !h.chain.PathBound() {
		return nil
	}
	scopes := helpers.Directories(u)
	for i, dir := range scopes {
		scopes[i] = h.below(u, dir)
	}
	return scopes
}

// Credential implements [helpers.Helper].
func (h *helper) Credential(ctx context.Context, u *url.URL) (helpers.Credential, error) {
	if h.isOCI(u) {
		return h.oci.Credential(ctx, u)
	}
	found, err := h.chain.Find(ctx, lookup.Query{URL: u}, func(v lookup.Values) bool {
		_, ok := h.pick(u, v)
		return ok
	})
	if err != nil {
		return helpers.Credential{}, h.explain(u, err)
	}
	c, _ := h.pick(u, found.Values)
	c.Source, c.Expires = found.Source, found.Expiry()
	if found.Covers != "" {
		c.Covers = h.below(u, found.Covers)
	}
	return c, nil
}

// Setup implements [helpers.Guided].
func (h *helper) Setup(u *url.URL) []helpers.Remedy {
	if h.isOCI(u) {
		if guided, ok := h.oci.(helpers.Guided); ok {
			return guided.Setup(u)
		}
	}
	return ofKind(h.chain.Setup(u), u)
}

// explain adds to the error of a chain that found a token, and no user name for it, what is missing.
func (h *helper) explain(u *url.URL, err error) error {
	var missing *lookup.MissingError
	if h.method != "" || h.preset.method == nil || h.preset.method(u) != methodBasic || !errors.As(err, &missing) {
		return err
	}
	if first(missing.Partial.Values, readToken, lookup.Token, lookup.Default).IsZero() {
		return err
	}
	return helpers.WithHint(err, `this server wants a user name beside the token: add "username" to the rule's config`)
}

// Headers implements [helpers.Helper].
func (h *helper) Headers(ctx context.Context, u *url.URL, c helpers.Credential) (helpers.Response, error) {
	switch {
	case h.isOCI(u):
		return h.oci.Headers(ctx, u, c)
	case c.Anonymous():
		return helpers.Response{}, nil
	}
	h.tell(ctx, u, c)
	resp, err := h.write(c)
	if err != nil {
		return helpers.Response{}, err
	}
	resp.Expires = c.Expires
	if jwt, ok := helpers.JWTExpiry(c.Secret.Reveal(), time.Time{}, false); ok && (resp.Expires.IsZero() || jwt.Before(resp.Expires)) {
		resp.Expires = jwt
	}
	if !resp.Expires.IsZero() && h.now != nil && !resp.Expires.After(h.now()) {
		return helpers.Response{}, helpers.WithHint(fmt.Errorf("the login from %s expired at %s", c.Source, resp.Expires.UTC().Format(time.RFC3339)),
			"log in again, or put a new token there; if that is in the future, this machine's clock is wrong")
	}
	return resp, nil
}

func (h *helper) isOCI(u *url.URL) bool {
	return h.oci != nil && (u.Path == "/v2" || len(u.Path) >= 4 && u.Path[:4] == "/v2/")
}

// forOCI returns a chain whose tokens are bound as a container registry's login has them: beside a user name.
func forOCI(chain lookup.Chain) lookup.Chain {
	chain = slices.Clone(chain)
	for i, e := range chain {
		if e.Binding == lookup.Token || e.Binding == readToken {
			chain[i].Binding = lookup.Password
		}
	}
	return chain
}
