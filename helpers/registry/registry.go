// Package registry serves package registries and other servers that take a token or a login as it is, in one header.
//
// A rule says how the header looks (auth_method) and where the secret comes from: from its own values, in which ${NAME}
// stands for an environment variable, or from a lookup chain.
package registry

import (
	"context"
	"net/url"
	"strings"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/strictjson"
	"github.com/fe055d52/credential-helper/lookup"
)

// Methods of writing the secret into a header.
const (
	methodBearer = "bearer" // Authorization: Bearer TOKEN
	methodBasic  = "basic"  // Authorization: Basic base64(USERNAME:PASSWORD)
	methodRaw    = "raw"    // Authorization: TOKEN
	methodHeader = "header" // HEADER_NAME: TOKEN
)

const token = "token"

// New returns the factory. Its config keys:
//
//	auth_method   bearer, basic, raw or header; the default is basic where "username" or "password" is given or nothing at all, else bearer
//	header_name   the header for the method "header"
//	token         the secret for bearer, raw and header; ${NAME} stands for an environment variable
//	username      the user name and
//	password      the password for basic; likewise
//	lookup_chain  sources for the bindings token, username, password and default, asked for what is not given above
//
// The binding "default" is the token, or for basic the password; for basic without a user name it is "USERNAME:PASSWORD".
// A rule without any of token, username, password and lookup_chain uses the login of the host in the user's netrc.
func New(sources *lookup.Sources) helpers.Factory {
	return func(_ helpers.Rule, o *strictjson.Object) helpers.Helper {
		h := &helper{header: "Authorization"}
		var headerName string
		o.OneOf("auth_method", &h.method, methodBearer, methodBasic, methodRaw, methodHeader)
		o.String("header_name", &headerName)
		for _, key := range []string{token, lookup.Username, lookup.Password} {
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
		chain, given := sources.Decode(o, "lookup_chain", token, lookup.Username, lookup.Password, lookup.Default)
		if given && len(chain) == 0 {
			o.Failf("lookup_chain", `"lookup_chain" is empty; name a source, or leave it out`)
		}
		h.chain = append(h.chain, chain...)
		nothing := len(h.chain) == 0
		if nothing {
			h.chain = lookup.Chain{{Source: sources.Netrc()}}
		}
		if h.method == "" {
			h.method = methodBearer
			if nothing || o.Has(lookup.Username) || o.Has(lookup.Password) {
				h.method = methodBasic
			}
		}
		switch {
		case h.method == methodHeader:
			h.header = headerName
			if headerName == "" {
				o.Failf("header_name", `the auth_method "header" needs a "header_name"`)
			} else if err := helpers.CheckHeaderName(headerName); err != nil {
				o.Failf("header_name", "%s", err)
			}
		case headerName != "":
			o.Failf("header_name", `"header_name" goes with the auth_method "header", not with %q`, h.method)
		}
		if h.method == methodBasic && o.Has(token) {
			o.Failf(token, `the auth_method "basic" takes "username" and "password", not "token"`)
		}
		for _, key := range []string{lookup.Username, lookup.Password} {
			if h.method != methodBasic && o.Has(key) {
				o.Failf(key, `the auth_method %q takes "token", not "username" and "password"`, h.method)
			}
		}
		return h
	}
}

type helper struct {
	method, header string
	chain          lookup.Chain
}

// HostBound implements [helpers.HostBound].
func (h *helper) HostBound() bool { return h.chain.HostBound() }

// Scope implements [helpers.Helper]: all URLs of one origin share an answer.
func (h *helper) Scope(u *url.URL) (string, bool) { return helpers.Origin(u), true }

// Credential implements [helpers.Helper].
func (h *helper) Credential(ctx context.Context, u *url.URL) (helpers.Credential, error) {
	found, err := h.chain.Find(ctx, lookup.Query{URL: u}, func(v lookup.Values) bool {
		_, _, ok := h.pick(v)
		return ok
	})
	if err != nil {
		return helpers.Credential{}, err
	}
	username, secret, _ := h.pick(found.Values)
	return helpers.Credential{Username: username, Secret: secret, Source: found.Source}, nil
}

// pick chooses from the values what the method needs.
func (h *helper) pick(v lookup.Values) (username string, secret redact.Secret, ok bool) {
	first := func(bindings ...string) redact.Secret {
		for _, b := range bindings {
			if !v[b].IsZero() {
				return v[b]
			}
		}
		return redact.Secret{}
	}
	if h.method != methodBasic {
		secret = first(token, lookup.Default, lookup.Password)
		return "", secret, !secret.IsZero()
	}
	username, secret = v[lookup.Username].Reveal(), first(lookup.Password, lookup.Default)
	if !v.Named() {
		name, password, both := strings.Cut(v[lookup.Default].Reveal(), ":")
		if !both || name == "" || password == "" {
			return "", redact.Secret{}, false
		}
		return name, redact.New(password), true
	}
	return username, secret, !secret.IsZero()
}

// Headers implements [helpers.Helper].
func (h *helper) Headers(_ context.Context, _ *url.URL, c helpers.Credential) (helpers.Response, error) {
	if c.Anonymous() {
		return helpers.Response{}, nil
	}
	switch h.method {
	case methodBasic:
		value, err := helpers.Basic(c.Username, c.Secret)
		return helpers.Header(h.header, value), err
	case methodBearer:
		return helpers.Header(h.header, helpers.Bearer(c.Secret)), nil
	default:
		return helpers.Header(h.header, c.Secret), nil
	}
}
