package registry

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/trace"
	"github.com/fe055d52/credential-helper/lookup"
)

// Methods of writing the secret into a header. A rule may name the first four.
const (
	methodBearer = "bearer" // Authorization: Bearer TOKEN
	methodBasic  = "basic"  // Authorization: Basic base64(USERNAME:PASSWORD)
	methodRaw    = "raw"    // Authorization: TOKEN
	methodHeader = "header" // HEADER_NAME: TOKEN
	methodOnly   = "only"   // Authorization: Basic base64(TOKEN:)
)

// pick chooses from the values what makes a login, and how it is written. ok is false while they do not suffice.
func (h *helper) pick(u *url.URL, v lookup.Values) (c helpers.Credential, ok bool) {
	switch {
	case h.method == methodBasic:
		return basicLogin(v)
	case h.method != "":
		secret := first(v, readToken, lookup.Token, lookup.Default, lookup.Password)
		return helpers.Credential{Secret: secret, Form: h.method}, !secret.IsZero()
	}
	if headers := v.Headers(); headers != nil {
		return helpers.Credential{Headers: headers}, true
	}
	method := methodBearer
	if h.preset.method != nil {
		method = h.preset.method(u)
	}
	token := first(v, readToken, lookup.Token, lookup.Default)
	if h.preset.isToken != nil && token.IsZero() && h.preset.isToken(v[lookup.Password]) {
		token = v[lookup.Password]
	}
	switch {
	case h.preset.isToken != nil && h.preset.isToken(token):
		// It is a token, also where it came with a user name.
		if method == methodBasic {
			return helpers.Credential{Username: v[lookup.Username].Reveal(), Secret: token, Form: methodBasic}, v.Named()
		}
		return helpers.Credential{Secret: token, Form: method}, true
	case v.Named():
		secret := first(v, lookup.Password, lookup.Default, lookup.Token, readToken)
		return helpers.Credential{Username: v[lookup.Username].Reveal(), Secret: secret, Form: methodBasic}, !secret.IsZero()
	case token.IsZero():
		return helpers.Credential{}, false
	case method == methodBasic && h.preset.user == "":
		name, password, both := strings.Cut(token.Reveal(), ":")
		if !both || name == "" || password == "" {
			return helpers.Credential{}, false
		}
		return helpers.Credential{Username: name, Secret: redact.New(password), Form: methodBasic}, true
	default:
		return helpers.Credential{Username: h.preset.user, Secret: token, Form: method}, true
	}
}

// basicLogin returns a user name and a password; or both from one value, USERNAME:PASSWORD.
func basicLogin(v lookup.Values) (c helpers.Credential, ok bool) {
	if !v.Named() {
		name, password, both := strings.Cut(v[lookup.Default].Reveal(), ":")
		if !both || name == "" || password == "" {
			return helpers.Credential{}, false
		}
		return helpers.Credential{Username: name, Secret: redact.New(password), Form: methodBasic}, true
	}
	secret := first(v, lookup.Password, lookup.Default, lookup.Token)
	return helpers.Credential{Username: v[lookup.Username].Reveal(), Secret: secret, Form: methodBasic}, !secret.IsZero()
}

// first returns the first value that is there.
func first(v lookup.Values, bindings ...string) redact.Secret {
	for _, b := range bindings {
		if !v[b].IsZero() {
			return v[b]
		}
	}
	return redact.Secret{}
}

// tell says how a login is written and who says so, where somebody wants to know.
func (h *helper) tell(ctx context.Context, u *url.URL, c helpers.Credential) {
	if h.preset.name != "" {
		trace.Tell(ctx, "preset", "%s", h.preset.name)
	}
	switch {
	case len(c.Headers) > 0:
		trace.Tell(ctx, "method", "whole headers: the login's own place (%s) names them", c.Source)
	case h.method != "":
		trace.Tell(ctx, "method", `%s: the rule's "auth_method"`, c.Form)
	case h.preset.method != nil && c.Form == h.preset.method(u):
		trace.Tell(ctx, "method", "%s: the preset's way to send a token", c.Form)
	case c.Form == methodBasic:
		trace.Tell(ctx, "method", "basic: the login has a user name")
	default:
		trace.Tell(ctx, "method", "%s: a token by itself, and nothing says otherwise", c.Form)
	}
}

// write returns the header for a login.
func (h *helper) write(c helpers.Credential) (helpers.Response, error) {
	if len(c.Headers) > 0 {
		resp := helpers.Response{Headers: map[string][]redact.Secret{}}
		for name, value := range c.Headers {
			if err := helpers.CheckHeaderName(name); err != nil {
				return helpers.Response{}, fmt.Errorf("using the login from %s: %w", c.Source, err)
			}
			resp.Headers[name] = []redact.Secret{value}
		}
		return resp, nil
	}
	switch c.Form {
	case methodBasic:
		value, err := helpers.Basic(c.Username, c.Secret)
		if err != nil {
			return helpers.Response{}, fmt.Errorf("using the login from %s: %w", c.Source, err)
		}
		return helpers.Header("Authorization", value), nil
	case methodOnly:
		value, err := helpers.BasicTokenOnly(c.Secret)
		return helpers.Header("Authorization", value), err
	case methodRaw:
		return helpers.Header("Authorization", c.Secret), nil
	case methodHeader:
		name := h.header
		if h.method == "" {
			name = h.preset.header
		}
		return helpers.Header(name, c.Secret), nil
	default:
		return helpers.Header("Authorization", helpers.Bearer(c.Secret)), nil
	}
}
