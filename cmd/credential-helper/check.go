package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/fe055d52/credential-helper/config"
	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/helpers/github"
	"github.com/fe055d52/credential-helper/helpers/oci"
	"github.com/fe055d52/credential-helper/internal/ascii"
	"github.com/fe055d52/credential-helper/internal/probe"
	"github.com/fe055d52/credential-helper/lookup"
)

const helpCheck = `Answers "does it work?" for a URL: finds the headers for it as get does, from the cache too, asks the server with exactly those headers
and once without any, and says what that means and what to do. It asks by HEAD, and where the server refuses that, by GET for one byte.
A redirect is followed as Bazel follows it: what is sent to the next URL is found anew.

For a repository on a server of helper github (https://github.com/OWNER/REPO, with or without .git) it asks the API whether the repository is visible.
The exit status is 0 where the URL can be had, 1 where it cannot, and 2 for a mistake on the command line.
`

const exampleCheck = `  $ credential-helper check https://registry.example.com/v2/team/app/manifests/latest
`

var flagsCheck = []option{
	{name: "json", help: "print a JSON object (docs/check.md has its keys)"},
	{name: "tree", value: "SHA", help: "for a GitHub repository's URL: ask for this tree of it, too"},
}

// check tells whether a URL can be had with the headers that get gives for it.
func (a *app) check(args []string) error {
	l, err := a.parse("check", args)
	if err != nil {
		return err
	}
	tree := l.value("tree")
	if l.has("tree") && !isSHA(tree) {
		return helpers.WithHint(usagef("check takes for --tree a SHA of 40 or 64 hexadecimal digits"), "credential-helper help check shows what it takes")
	}
	req, err := helpers.ParseRequest(l.arg(0))
	switch {
	case err != nil:
		return &usageError{err.Error()}
	case req.URL.Scheme != "https" && req.URL.Scheme != "http":
		return usagef("check asks HTTP servers, and the URL's scheme is %s", req.URL.Scheme)
	case helpers.Wildcard(req.URL):
		return usagef("check asks one host, and %s stands for many", req.URL.Host)
	}
	rep, err := within(a, func(ctx context.Context) (*checkReport, error) {
		r, err := a.resolver(ctx)
		if err != nil {
			return nil, err
		}
		c := &checker{app: a, resolver: r, prober: a.prober()}
		return c.run(ctx, req.URL, tree)
	})
	if err != nil {
		return err
	}
	if err := rep.write(a.stdout, l.has("json")); err != nil {
		return err
	}
	if !rep.OK {
		return &exitStatus{exitError}
	}
	return nil
}

// isSHA reports whether text is a name that git gives to an object: https://git-scm.com/docs/hash-function-transition
func isSHA(text string) bool {
	return (len(text) == 40 || len(text) == 64) && strings.Trim(text, "0123456789abcdefABCDEF") == ""
}

// prober returns what asks servers, by the same transport as all requests.
func (a *app) prober() *probe.Prober {
	return &probe.Prober{
		Transport: newClient().Transport, Now: a.env.Now, Getenv: a.env.Var,
		Challenges: func(values []string) []probe.Challenge {
			var all []probe.Challenge
			for _, c := range oci.ParseChallenges(values) {
				all = append(all, probe.Challenge{Scheme: c.Scheme, Realm: c.Params["realm"], Error: c.Params["error"], Scope: c.Params["scope"]})
			}
			return all
		},
	}
}

// A checker finds out about one URL.
type checker struct {
	app      *app
	resolver *resolver
	prober   *probe.Prober

	// without is the chain that carries nothing, once open is closed.
	without chain
	open    chan struct{}

	mu      sync.Mutex
	secrets []string // what was sent so far, for its recognition in what servers say
}

// A subject is what is asked for.
type subject struct {
	asked *url.URL // the user's URL
	url   *url.URL // the one that is asked for in its place, mostly the same
	way   probe.Way
	// tree is the URL of the tree that --tree names, and repository "OWNER/REPO" where the subject is one.
	tree       *url.URL
	repository string
}

// subject finds out what to ask for. A repository's page says nothing of who may see it by git or by the API, so the API is asked.
func (c *checker) subject(u *url.URL, tree string) (subject, error) {
	s := subject{asked: u, url: u}
	d, err := decide(c.resolver.routes, u)
	if err != nil {
		return s, err
	}
	helper := ""
	if d.rule != nil {
		helper = d.rule.HelperName
	}
	owner, repo, isRepository := github.Repository(u)
	switch {
	case helper == "github" && isRepository:
		s.repository = owner + "/" + repo
		s.url = github.API(u)
		s.url.Path += "/repos/" + owner + "/" + repo
		s.way = probe.Head
		if tree != "" {
			s.tree = s.url.JoinPath("git", "trees", ascii.Lower(tree))
		}
	case tree != "":
		return s, usagef("--tree goes with the URL of a repository that a rule with the helper github serves, and %s is none", helpers.Display(u))
	case helper == "oci" && u.Path == "/" && u.RawQuery == "":
		// What "/" answers says nothing of a registry: its login check is at /v2/.
		s.url = u.JoinPath("v2/")
		if lookup.RegistryName(u.Host) == lookup.DockerHub {
			s.url.Host = "registry-1.docker.io"
		}
	}
	return s, nil
}

// probing leaves of the time budget what it takes to report that the server used it up.
func probing(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-min(time.Until(deadline)/10, 300*time.Millisecond)))
}

// run asks the server for u and reports.
func (c *checker) run(ctx context.Context, u *url.URL, tree string) (*checkReport, error) {
	s, err := c.subject(u, tree)
	if err != nil {
		return nil, err
	}
	first, err := c.login(ctx, s.url)
	if err != nil {
		return nil, err
	}
	limited, cancel := probing(ctx)
	defer cancel()
	var with, trees chain
	var withErr error
	var both sync.WaitGroup
	c.open = make(chan struct{})
	both.Go(func() {
		defer close(c.open)
		c.without, _ = c.follow(ctx, limited, s.url, nil, s.way)
	})
	if first.sent() {
		with, withErr = c.follow(ctx, limited, s.url, &first, s.way)
	}
	both.Wait()
	without := c.without
	if withErr != nil {
		return nil, withErr
	}
	// Without a login for the URL itself, one may be sent behind a redirect.
	if !first.sent() && len(without) > 1 {
		if with, err = c.follow(ctx, limited, s.url, &first, s.way); err != nil {
			return nil, err
		}
		if _, required := with.required(); !with.sent() && !required {
			with = nil
		}
	}
	facts := c.facts(s, first, with, without)
	j := probe.Judge(facts)
	if s.tree != nil && j.Verdict.OK() {
		if trees, err = c.tree(ctx, limited, s); err != nil {
			return nil, err
		}
		j = judgeTree(facts, j, trees)
	}
	rep := c.report(s, first, with, without, trees, j)
	c.warnBazel(limited, rep, with)
	return rep, nil
}

// tree asks for a repository's tree.
func (c *checker) tree(ctx, limited context.Context, s subject) (chain, error) {
	login, err := c.login(ctx, s.tree)
	if err != nil {
		return nil, err
	}
	return c.follow(ctx, limited, s.tree, &login, s.way)
}

// judgeTree is the judgment of a tree whose repository was found.
func judgeTree(facts probe.Facts, repository probe.Judgment, trees chain) probe.Judgment {
	switch final := trees.final(); {
	case final.Failure == nil && (final.Status == http.StatusNotFound || final.Status == http.StatusConflict): // 409: the repository is empty
		return probe.Judgment{Verdict: probe.NotVisible, Cause: probe.CauseAbsent, Advice: "the repository is visible, and has no such tree"}
	case facts.Sent:
		facts.With = final
		if j := probe.Judge(facts); !j.Verdict.OK() {
			return j
		}
	default:
		facts.Without = final
		if j := probe.Judge(facts); !j.Verdict.OK() {
			return j
		}
	}
	return repository
}

// facts gathers what is known for a judgment.
func (c *checker) facts(s subject, first login, with, without chain) probe.Facts {
	f := probe.Facts{Host: s.url.Host, Path: s.url.Path, Sent: with.sent(), Without: without.final()}
	about := first
	if f.Sent {
		f.With = with.final()
		about = with.sender()
	}
	if about.rule != nil {
		f.GitHub, f.OCI = about.rule.HelperName == "github", about.rule.HelperName == "oci"
	}
	f.Source, f.Scheme = about.credential.Source, about.scheme()
	now := c.app.env.Now()
	for _, expires := range []time.Time{about.expiry(now), probe.TokenExpiry(f.With.Header)} {
		if !expires.IsZero() && !expires.After(now) {
			f.Expired = expires
		}
	}
	last := with.last(s, first)
	f.Host, f.Behind = last.url.Host, f.Sent && !last.login.sent()
	if needed, ok := with.required(); ok {
		last, f.Required = needed, true
	}
	f.Required = f.Required || last.login.required
	f.Why, f.Remedy = last.login.why(), c.remedy(last.login, last.url)
	return f
}

// remedy says what to do where nothing is sent and a login is needed.
func (c *checker) remedy(l login, u *url.URL) string {
	switch l.why() {
	case probe.CauseNoRule:
		if near, change := c.resolver.routes.Near(u); near != nil {
			return fmt.Sprintf("the rule at %s comes nearest: %s; or add one for %s", c.app.env.Display(near.Place), change, u.Host)
		}
		if c.builtInWouldMatch(u) {
			return `set "use_defaults": true in your file: a built-in rule serves this URL, where no file is in its way`
		}
		return fmt.Sprintf("add a rule for %s; nothing is sent without one", u.Host)
	case probe.CauseNull:
		if l.rule.HelperName == "null" {
			return fmt.Sprintf("give the rule at %s another helper: null sends nothing", c.app.env.Display(l.rule.Place))
		}
		return l.noOpinion
	}
	if l.missing == nil {
		return "supply a login"
	}
	remedy := fmt.Sprintf("log in; credential-helper setup-uri %s tells how", lookup.Quote(helpers.Origin(u)+u.EscapedPath()))
	var hint *helpers.HintError
	if errors.As(l.missing, &hint) {
		remedy = hint.Hint
	}
	if near := nearVariable(l.missing.Error(), c.app.env); near != "" {
		remedy = near + " is set: is that the one? else " + remedy
	}
	return remedy
}

// builtInWouldMatch reports whether a built-in rule would serve u, if there were no file.
func (c *checker) builtInWouldMatch(u *url.URL) bool {
	kinds := helperKinds(newSources(c.app.env, nil), nil, nil)
	rules, err := c.app.builtIn(kinds)()
	if err != nil || len(c.resolver.routes.BuiltIn) > 0 {
		return false
	}
	return (&config.Routes{BuiltIn: rules}).Match(u) != nil
}
