// Package github serves GitHub and GitHub Enterprise Server: the API, archives, releases, raw files, packages, and git over HTTPS.
//
// Every host takes the same token, each in its own form:
//
//	api, codeload, uploads, *.pkg.github.com and github.com itself   Authorization: Bearer TOKEN
//	raw files                                                        Authorization: Basic base64(TOKEN:)
//	git over HTTPS (/ORG/REPO.git/…, …/info/refs)                    Authorization: Basic base64(x-access-token:TOKEN)
//	objects and release-assets on githubusercontent.com              nothing: their URLs are signed
//
// An answer costs no request to GitHub: a token is taken as it is found. The exception is a GitHub App (see app.go), whose private key
// is what the user owns: an installation token is asked for with it once an hour.
// Sources: https://docs.github.com/rest/authentication/authenticating-to-the-rest-api and
// https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/authenticating-as-a-github-app-installation
package github

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/strictjson"
	"github.com/fe055d52/credential-helper/internal/trace"
	"github.com/fe055d52/credential-helper/lookup"
)

// Options are what the program gives to every rule's helper.
type Options struct {
	Sources *lookup.Sources
	// Client makes the requests for a GitHub App; it should refuse redirects to other origins, as that of package httpclient does.
	Client *http.Client
	// Memo, where not nil, remembers installations of GitHub Apps, and their tokens.
	Memo helpers.Memo
}

// New returns the factory. Its config keys are "lookup_chain" (binding "default") and "read_config_file":
// whether the GitHub CLI's own login is used behind the chain; the default is true.
//
// A rule for a GitHub App has "app_id", and the keys that go with it: "installation_id" or "owner" (neither: the owner that the URL names),
// "repositories", "permissions", and "lookup_chain" with the binding "private_key" (default means the same).
func New(options Options) helpers.Factory {
	return func(rule helpers.Rule, o *strictjson.Object) helpers.Helper {
		h := &helper{sources: options.Sources, readConfigFile: true}
		h.app = decodeApp(options, rule, o)
		if h.app == nil {
			h.chain, h.ownChain = options.Sources.Decode(o, "lookup_chain", lookup.Default, privateKeyBinding)
			if slices.ContainsFunc(h.chain, func(e lookup.Entry) bool { return e.Binding == privateKeyBinding }) {
				o.Failf("lookup_chain", "the binding %q is for a GitHub App: it needs an %q", privateKeyBinding, "app_id")
			}
			o.Bool("read_config_file", &h.readConfigFile)
		}
		return h
	}
}

// tokenUser is the user name that goes with every token where one is wanted:
// https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/authenticating-as-a-github-app-installation
const tokenUser = "x-access-token"

type helper struct {
	sources        *lookup.Sources
	chain          lookup.Chain
	ownChain       bool
	readConfigFile bool
	app            *app // nil where the rule has none
}

// Scope implements [helpers.Helper]: all URLs of one host that take one form share an answer; with an App that is used
// where its URL's owner has installed it, those of one owner do. Where the chain has logins for parts of a host, each path has its own.
func (h *helper) Scope(u *url.URL) (string, bool) {
	f := formOf(u)
	scope := helpers.Origin(u) + " " + string(f)
	switch {
	case h.app != nil && h.app.byURL():
		scope += " " + ownerOf(u)
	case h.app == nil && h.chain.PathBound():
		scope += " " + u.EscapedPath()
	}
	return scope, f != none
}

// Credential implements [helpers.Helper].
func (h *helper) Credential(ctx context.Context, u *url.URL) (helpers.Credential, error) {
	if h.app != nil {
		return h.app.credential(ctx, u)
	}
	found, err := h.chainFor(Host(u)).Find(ctx, lookup.Query{URL: u}, func(v lookup.Values) bool { return !v[lookup.Default].IsZero() })
	if err != nil {
		return helpers.Credential{}, err
	}
	return helpers.Credential{Username: tokenUser, Secret: found.Values[lookup.Default], Source: found.Source, Expires: found.Expiry()}, nil
}

// chainFor returns the chain that is walked for a host of GitHub's.
func (h *helper) chainFor(host string) lookup.Chain {
	chain := h.chain
	if !h.ownChain {
		chain = h.sources.GitHubEnvironment(host, lookup.Default)
	}
	stored := h.sources.GitHubStored(host, lookup.Default)
	switch {
	case h.readConfigFile && h.ownChain: // the chain names its own keyring entries
		return append(chain[:len(chain):len(chain)], lookup.Entry{Source: h.sources.GitHubCLI(host), Binding: lookup.Default})
	case h.readConfigFile:
		return append(chain, stored...)
	case !h.ownChain:
		return append(chain, stored[0])
	}
	return chain
}

// Setup implements [helpers.Guided]: the GitHub CLI's login comes first, where it is used at all.
func (h *helper) Setup(u *url.URL) []helpers.Remedy {
	switch {
	case h.app != nil:
		return h.app.setup(u)
	case h.ownChain || !h.readConfigFile:
		return h.chainFor(Host(u)).Setup(u)
	}
	return append(h.sources.GitHub(Host(u)).(helpers.Guided).Setup(u), h.sources.GitHubEnvironment(Host(u), lookup.Default)[:1].Setup(u)...)
}

// Headers implements [helpers.Helper].
func (h *helper) Headers(ctx context.Context, u *url.URL, c helpers.Credential) (helpers.Response, error) {
	if c.Anonymous() {
		return helpers.Response{}, nil
	}
	var (
		value redact.Secret
		err   error
	)
	form := formOf(u)
	trace.Tell(ctx, "form", "%s", form.why())
	switch form {
	case rawFile:
		value, err = helpers.BasicTokenOnly(c.Secret)
	case git:
		value, err = helpers.Basic(c.Username, c.Secret)
	case bearer:
		value = helpers.Bearer(c.Secret)
	default:
		return helpers.Response{}, nil
	}
	resp := helpers.Header("Authorization", value)
	resp.Expires = c.Expires
	return resp, err
}
