// Package helpers says what a helper is: the part of the program that knows one kind of server.
//
// A request comes in as a [Request], which has been checked by [ParseRequest]. The rule that matches its URL names a [Helper].
// The helper finds what the user owns for that URL (a [Credential]) and turns it into what the server wants (a [Response]).
// Clients that want a user name and a secret are served from the first step, clients that want headers from the second.
//
// This package holds types only. Each kind of server is a package below it; they know [lookup], and not each other.
//
// [lookup]: https://pkg.go.dev/github.com/fe055d52/credential-helper/lookup
package helpers

import (
	"context"
	"net/url"
	"time"

	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/strictjson"
)

// A Helper serves one kind of server. It is built by a [Factory] from a rule's config, which is decoded and validated once.
type Helper interface {
	// Scope names the part of u that an answer depends on: two URLs with one scope share one answer.
	// It never widens u: what it names is at the host, and in the repository, that u names.
	// ok is false where no answer is to be given (endpoints that take no credential).
	Scope(u *url.URL) (scope string, ok bool)

	// Credential finds what the user owns for u. It returns an error wrapping [ErrNotFound] when there is none.
	Credential(ctx context.Context, u *url.URL) (Credential, error)

	// Headers turns a credential (the zero one is anonymous) into the headers that u's server wants.
	Headers(ctx context.Context, u *url.URL, c Credential) (Response, error)
}

// A HostBound helper reports whether each of its secrets names its own host (a docker login, a netrc machine).
// A rule without a host may use such a helper only: any other would send its secret to every host there is.
type HostBound interface {
	HostBound() bool
}

// A Spreading helper finds logins that hold for more than a URL's scope, which is known only when the login is found.
type Spreading interface {
	// Wider returns scopes that are wider than u's, the widest first. A credential's Covers may be one of them:
	// then it, and the headers that are made from it, hold for every URL that has this scope among its own.
	Wider(u *url.URL) []string
}

// A Rule is what a helper is told of the rule that it serves.
type Rule struct {
	// Host is the rule's host pattern, with a port where it has one, spelled as [ParseRequest] spells hosts; empty where the rule has none.
	Host string
	// BuiltIn is true for the rules of the built-in table, and false for those of the user's files.
	BuiltIn bool
	// AllowHTTP permits plain HTTP to hosts other than loopback.
	AllowHTTP bool
}

// A Factory builds the helper of a rule. It visits the keys of the rule's config that are the helper's own,
// and reports mistakes to the object that it visits.
type Factory func(r Rule, config *strictjson.Object) Helper

// A Credential is what the user owns for a server. The zero value is the anonymous one.
type Credential struct {
	Username string
	// Secret is the password or token that goes with Username.
	Secret redact.Secret
	// IdentityToken is an OAuth2 refresh token, to be exchanged at an OCI registry's token endpoint.
	IdentityToken redact.Secret
	// RegistryToken is a bearer token that an OCI registry takes as it is.
	RegistryToken redact.Secret
	// Headers are whole headers that the login itself names, by field name (Composer's custom-headers). They are sent as they are, and Secret is not.
	Headers map[string]redact.Secret
	// Form says how Secret is written into a header where the place that it was found in decides that, in the words of the helper that found it.
	Form string
	// Expires is when the login stops being accepted; zero where nobody knows.
	Expires time.Time
	// Source says where it was found, in words: "$GITHUB_TOKEN", "~/.docker/config.json".
	Source string
	// Covers is the scope, out of those that a [Spreading] helper names for the URL, for all of which the login holds; empty where it is known for the URL's own alone.
	Covers string
}

// Anonymous reports whether c holds no secret.
func (c Credential) Anonymous() bool {
	return c.Secret.IsZero() && c.IdentityToken.IsZero() && c.RegistryToken.IsZero() && len(c.Headers) == 0
}

// A Response is an answer to a client that wants headers.
type Response struct {
	// Headers maps a field name to its values, which are secret.
	Headers map[string][]redact.Secret
	// Expires is when the headers stop being accepted by the server; zero where nobody knows.
	Expires time.Time
}

// Header returns a Response with one header.
func Header(name string, value redact.Secret) Response {
	return Response{Headers: map[string][]redact.Secret{name: {value}}}
}

// Empty reports whether r is the answer without an opinion: no headers.
func (r Response) Empty() bool { return len(r.Headers) == 0 }
