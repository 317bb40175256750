package main

import (
	"net/http"
	"net/url"

	"github.com/fe055d52/credential-helper/config"
	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/helpers/github"
	"github.com/fe055d52/credential-helper/helpers/null"
	"github.com/fe055d52/credential-helper/helpers/oci"
	"github.com/fe055d52/credential-helper/helpers/registry"
	"github.com/fe055d52/credential-helper/helpers/remoteapis"
	"github.com/fe055d52/credential-helper/lookup"
)

// helperKinds are the helpers that rules may name. Helpers do not know each other: what composes two of them is here.
// memo, where not nil, remembers what several answers depend on.
func helperKinds(s *lookup.Sources, client *http.Client, memo helpers.Memo) config.Kinds {
	registries := oci.Options{
		Sources: s, Client: client, Memo: memo,
		DefaultChains: map[string]lookup.Chain{"ghcr.io": ghcrChain(s)},
	}
	return config.Kinds{
		"oci":    {Anonymous: true, New: oci.New(registries)},
		"github": {New: github.New(github.Options{Sources: s, Client: client, Memo: memo})},
		"registry": {New: registry.New(registry.Options{Sources: s, OCI: func(rule helpers.Rule, chain lookup.Chain) helpers.Helper {
			return oci.ForChain(registries, rule, chain)
		}})},
		"remoteapis": {New: remoteapis.New(s)},
		"null":       {New: null.New},
		// Helpers of tweag-credential-helper's that are not there yet. A file with rules for them loads.
		"s3": {}, "gcs": {}, "gar": {}, "azstorage": {},
	}
}

// ghcrChain finds a token for GitHub's container registry: one for it alone, one for GitHub that this run was given,
// a docker login, and then the GitHub CLI's login, which often lacks the right to read packages.
func ghcrChain(s *lookup.Sources) lookup.Chain {
	chain := lookup.Chain{
		{Source: s.Variable("GITHUB_ACTOR"), Binding: lookup.Username},
		{Source: s.Variable("GHCR_TOKEN"), Binding: lookup.Password},
	}
	chain = append(chain, s.GitHubEnvironment("github.com", lookup.Password)...)
	chain = append(chain, lookup.Entry{Source: s.Docker()})
	return append(chain, s.GitHubStored("github.com", lookup.Password)...)
}

// builtInTable serves the hosts that need no configuration, where no file says otherwise. Public downloads go on without a login.
const builtInTable = `{"urls": [
	{"scheme": "https", "host": "github.com",                "helper": "github", "config": {"on_missing": "anonymous"}},
	{"scheme": "https", "host": "api.github.com",            "helper": "github", "config": {"on_missing": "anonymous"}},
	{"scheme": "https", "host": "codeload.github.com",       "helper": "github", "config": {"on_missing": "anonymous"}},
	{"scheme": "https", "host": "gist.github.com",           "helper": "github", "config": {"on_missing": "anonymous"}},
	{"scheme": "https", "host": "uploads.github.com",        "helper": "github", "config": {"on_missing": "anonymous"}},
	{"scheme": "https", "host": "*.pkg.github.com",          "helper": "github", "config": {"on_missing": "anonymous"}},
	{"scheme": "https", "host": "raw.githubusercontent.com", "helper": "github", "config": {"on_missing": "anonymous"}},
	{"host": "*.buildbuddy.io", "helper": "remoteapis", "config": {"on_missing": "anonymous"}},
	{"scheme": "https", "host": "*.app.snowflake.com",  "helper": "oci"},
	{"scheme": "https", "host": "*.azurecr.io",         "helper": "oci"},
	{"scheme": "https", "host": "cgr.dev",              "helper": "oci"},
	{"scheme": "https", "host": "docker.elastic.co",    "helper": "oci"},
	{"scheme": "https", "host": "docker.io",            "helper": "oci"},
	{"scheme": "https", "host": "gcr.io",               "helper": "oci"},
	{"scheme": "https", "host": "ghcr.io",              "helper": "oci"},
	{"scheme": "https", "host": "index.docker.io",      "helper": "oci"},
	{"scheme": "https", "host": "nvcr.io",              "helper": "oci"},
	{"scheme": "https", "host": "public.ecr.aws",       "helper": "oci"},
	{"scheme": "https", "host": "quay.io",              "helper": "oci"},
	{"scheme": "https", "host": "registry-1.docker.io", "helper": "oci"},
	{"scheme": "https", "host": "registry.gitlab.com",  "helper": "oci"}
]}`

// builtInRules decodes the built-in table. guess (CREDENTIAL_HELPER_GUESS_OCI_REGISTRY=1) adds a rule for every URL that looks like a registry's.
func builtInRules(guess bool, kinds config.Kinds) ([]config.Rule, error) {
	f, err := config.Parse("built-in", []byte(builtInTable), kinds, true)
	if err != nil {
		return nil, err
	}
	if guess {
		more, err := config.Parse("built-in", []byte(`{"urls": [{"helper": "oci"}]}`), kinds, true)
		if err != nil {
			return nil, err
		}
		more.Rules[0].Only = func(u *url.URL) bool { return oci.LooksLikeRegistry(u) }
		more.Rules[0].OnlyFor = "URLs that look like those of a container registry"
		f.Rules = append(f.Rules, more.Rules...)
	}
	return f.Rules, nil
}
