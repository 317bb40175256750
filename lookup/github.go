package lookup

import (
	"context"
	"strings"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/strictjson"
)

// decodeGitHub reads {"source": "github", "host": HOST}. "host" may be left out: then it is github.com.
func decodeGitHub(s *Sources, o *strictjson.Object) Source {
	host := "github.com"
	o.String("host", &host)
	name, err := helpers.NormalizeName(host)
	switch {
	case host == "":
		o.Failf("host", `"host" is empty; leave it out for github.com`)
	case err != nil:
		o.Failf("host", "the host %s", err)
	case strings.HasPrefix(name, "*."):
		o.Failf("host", `"host" is one host of GitHub's, like "github.example.com"`)
	}
	return s.GitHub(name)
}

// GitHub returns the source that finds the user's login to GitHub at host, for another server that takes it: one that asks GitHub who the user is.
// Its secret goes to the host of the rule, whatever that is.
func (s *Sources) GitHub(host string) Source { return gitHub{s, host} }

// gitHub finds a token as helper "github" does: $GH_TOKEN and $GITHUB_TOKEN, or those for Enterprise Server,
// then the login of the GitHub CLI, in the keyring and in its hosts.yml.
type gitHub struct {
	*Sources
	host string
}

func (g gitHub) Name() string  { return "the login to " + g.host }
func (gitHub) HostBound() bool { return false }

func (g gitHub) Lookup(ctx context.Context, q Query) (Values, error) {
	var tried []string
	for _, e := range append(g.GitHubEnvironment(g.host, Default), g.GitHubStored(g.host, Default)...) {
		values, err := e.Source.Lookup(ctx, q)
		switch {
		case err == nil:
			from := values[From].Reveal()
			if from == "" {
				from = e.Source.Name()
			}
			return Values{Token: values[Default], Default: values[Default]}.at(from), nil
		case ctx.Err() != nil || !helpers.FallsThrough(err):
			return nil, err
		}
		tried = append(tried, err.Error())
	}
	return nil, helpers.NotFoundf("%s", strings.Join(tried, "; "))
}

// GitHubEnvironment returns the entries for the variables in which the GitHub CLI accepts a token for host:
// https://cli.github.com/manual/gh_help_environment
func (s *Sources) GitHubEnvironment(host, binding string) Chain {
	names := []string{"GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"}
	if host == "github.com" || strings.HasSuffix(host, ".ghe.com") {
		names = []string{"GH_TOKEN", "GITHUB_TOKEN"}
	}
	var chain Chain
	for _, name := range names {
		chain = append(chain, Entry{Source: s.Variable(name), Binding: binding})
	}
	return chain
}

// GitHubStored returns the entries for the GitHub CLI's own login to host: in the keyring, and in its hosts.yml.
func (s *Sources) GitHubStored(host, binding string) Chain {
	return Chain{
		{Source: s.Keyring("gh:"+host, ""), Binding: binding},
		{Source: s.GitHubCLIUser(host), Binding: binding},
	}
}
