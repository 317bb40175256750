// Package github serves GitHub and GitHub Enterprise Server: the API, archives, releases, raw files, packages, and git over HTTPS.
//
// Every host takes the same token, each in its own form:
//
//	api, codeload, uploads, *.pkg.github.com and github.com itself   Authorization: Bearer TOKEN
//	raw files                                                        Authorization: Basic base64(TOKEN:)
//	git over HTTPS (/ORG/REPO.git/…, …/info/refs)                    Authorization: Basic base64(x-access-token:TOKEN)
//	objects and release-assets on githubusercontent.com              nothing: their URLs are signed
//
// An answer costs no request to GitHub: a token is taken as it is found.
// Sources: https://docs.github.com/rest/authentication/authenticating-to-the-rest-api and
// https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/authenticating-as-a-github-app-installation
package github

import (
	"context"
	"net/url"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/strictjson"
	"github.com/fe055d52/credential-helper/lookup"
)

// New returns the factory. Its config keys are "lookup_chain" (binding "default") and "read_config_file":
// whether the GitHub CLI's own login is used behind the chain; the default is true.
func New(sources *lookup.Sources) helpers.Factory {
	return func(_ helpers.Rule, o *strictjson.Object) helpers.Helper {
		h := &helper{sources: sources, readConfigFile: true}
		h.chain, h.ownChain = sources.Decode(o, "lookup_chain", lookup.Default)
		o.Bool("read_config_file", &h.readConfigFile)
		return h
	}
}

type helper struct {
	sources        *lookup.Sources
	chain          lookup.Chain
	ownChain       bool
	readConfigFile bool
}

// Scope implements [helpers.Helper]: all URLs of one host that take one form share an answer.
func (h *helper) Scope(u *url.URL) (string, bool) {
	f := formOf(u)
	return helpers.Origin(u) + " " + string(f), f != none
}

// Credential implements [helpers.Helper].
func (h *helper) Credential(ctx context.Context, u *url.URL) (helpers.Credential, error) {
	host := Host(u)
	chain := h.chain
	if !h.ownChain {
		chain = h.sources.GitHubEnvironment(host, lookup.Default)
	}
	stored := h.sources.GitHubStored(host, lookup.Default)
	switch {
	case h.readConfigFile && h.ownChain: // the chain names its own keyring entries
		chain = append(chain[:len(chain):len(chain)], lookup.Entry{Source: h.sources.GitHubCLI(host), Binding: lookup.Default})
	case h.readConfigFile:
		chain = append(chain, stored...)
	case !h.ownChain:
		chain = append(chain, stored[0])
	}
	found, err := chain.Find(ctx, lookup.Query{URL: u}, func(v lookup.Values) bool { return !v[lookup.Default].IsZero() })
	if err != nil {
		return helpers.Credential{}, err
	}
	return helpers.Credential{Username: "x-access-token", Secret: found.Values[lookup.Default], Source: found.Source}, nil
}

// Headers implements [helpers.Helper].
func (h *helper) Headers(_ context.Context, u *url.URL, c helpers.Credential) (helpers.Response, error) {
	if c.Anonymous() {
		return helpers.Response{}, nil
	}
	switch formOf(u) {
	case rawFile:
		value, err := helpers.BasicTokenOnly(c.Secret)
		return helpers.Header("Authorization", value), err
	case git:
		value, err := helpers.Basic(c.Username, c.Secret)
		return helpers.Header("Authorization", value), err
	case bearer:
		return helpers.Header("Authorization", helpers.Bearer(c.Secret)), nil
	default:
		return helpers.Response{}, nil
	}
}
