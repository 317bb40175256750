// Package remoteapis serves remote caches and remote execution services, which take one secret in one header of each gRPC call:
// https://github.com/bazelbuild/remote-apis
//
// Its config and defaults are those of tweag-credential-helper 0.0.9.
package remoteapis

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/strictjson"
	"github.com/fe055d52/credential-helper/internal/trace"
	"github.com/fe055d52/credential-helper/lookup"
)

const (
	methodHeader    = "header"
	methodBasicAuth = "basic_auth"
)

// services are the gRPC services that Bazel calls. A built-in rule serves no other path.
var services = map[string]bool{
	"google.bytestream.ByteStream":                              true,
	"google.devtools.build.v1.PublishBuildEvent":                true,
	"build.bazel.remote.asset.v1.Fetch":                         true,
	"build.bazel.remote.asset.v1.Push":                          true,
	"build.bazel.remote.execution.v2.ActionCache":               true,
	"build.bazel.remote.execution.v2.Capabilities":              true,
	"build.bazel.remote.execution.v2.ContentAddressableStorage": true,
	"build.bazel.remote.execution.v2.Execution":                 true,
}

// New returns the factory. Its config keys:
//
//	auth_method   header (the default): the secret is the value of header_name; or basic_auth: the secret is "USERNAME:PASSWORD"
//	header_name   the header; for basic_auth the default is "authorization"
//	lookup_chain  sources for the binding default; the default is $CREDENTIAL_HELPER_REMOTEAPIS_SECRET,
//	              then the keyring's service tweag-credential-helper:remoteapis
//
// For hosts below buildbuddy.io the header is x-buildbuddy-api-key, and the chain $BUILDBUDDY_API_KEY,
// then the keyring's service tweag-credential-helper:buildbuddy_api_key.
func New(sources *lookup.Sources) helpers.Factory {
	return func(r helpers.Rule, o *strictjson.Object) helpers.Helper {
		h := &helper{method: methodHeader, builtIn: r.BuiltIn}
		host, _, _ := strings.Cut(r.Host, ":") // less the port
		buildbuddy := strings.HasSuffix(host, ".buildbuddy.io")
		o.OneOf("auth_method", &h.method, methodHeader, methodBasicAuth)
		o.String("header_name", &h.header)
		if h.header == "" {
			switch {
			case h.method == methodBasicAuth:
				h.header = "authorization"
			case buildbuddy:
				h.header = "x-buildbuddy-api-key"
			default:
				o.Failf("auth_method", `the auth_method "header" needs a "header_name"`)
			}
		}
		if err := helpers.CheckHeaderName(h.header); err != nil {
			o.Failf("header_name", "%s", err)
		}
		var given bool
		if h.chain, given = sources.Decode(o, "lookup_chain", lookup.Default); !given {
			variable, service := "CREDENTIAL_HELPER_REMOTEAPIS_SECRET", "tweag-credential-helper:remoteapis"
			if buildbuddy {
				variable, service = "BUILDBUDDY_API_KEY", "tweag-credential-helper:buildbuddy_api_key"
			}
			h.chain = lookup.Chain{
				{Source: sources.Variable(variable), Binding: lookup.Default},
				{Source: sources.Keyring(service, ""), Binding: lookup.Default},
			}
		}
		return h
	}
}

type helper struct {
	method, header string
	chain          lookup.Chain
	builtIn        bool
}

// Scope implements [helpers.Helper]: all services of one origin share an answer, where the login does not depend on the path.
// A rule of the user's also serves HTTP caches, for which Bazel asks without a path.
func (h *helper) Scope(u *url.URL) (string, bool) {
	service, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	scope := helpers.Origin(u)
	if h.chain.PathBound() {
		scope += " " + u.EscapedPath()
	}
	return scope, !h.builtIn || services[service]
}

// Credential implements [helpers.Helper].
func (h *helper) Credential(ctx context.Context, u *url.URL) (helpers.Credential, error) {
	found, err := h.chain.Find(ctx, lookup.Query{URL: u}, func(v lookup.Values) bool { return !v[lookup.Default].IsZero() })
	if err != nil {
		return helpers.Credential{}, err
	}
	return helpers.Credential{Secret: found.Values[lookup.Default], Source: found.Source, Expires: found.Expiry()}, nil
}

// Setup implements [helpers.Guided].
func (h *helper) Setup(u *url.URL) []helpers.Remedy { return h.chain.Setup(u) }

// Headers implements [helpers.Helper].
func (h *helper) Headers(ctx context.Context, _ *url.URL, c helpers.Credential) (helpers.Response, error) {
	if c.Anonymous() {
		return helpers.Response{}, nil
	}
	trace.Tell(ctx, "method", "%s, in %s", h.method, h.header)
	if h.method != methodBasicAuth {
		resp := helpers.Header(h.header, c.Secret)
		resp.Expires = c.Expires
		return resp, nil
	}
	username, password, ok := strings.Cut(c.Secret.Reveal(), ":")
	if !ok || username == "" || password == "" {
		return helpers.Response{}, fmt.Errorf(`the auth_method "basic_auth" takes a secret of the form USERNAME:PASSWORD, and the one from %s is not`, c.Source)
	}
	value, err := helpers.Basic(username, redact.New(password))
	resp := helpers.Header(h.header, value)
	resp.Expires = c.Expires
	return resp, err
}
