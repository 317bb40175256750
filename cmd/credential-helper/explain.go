package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/fe055d52/credential-helper/cache"
	"github.com/fe055d52/credential-helper/config"
	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/helpers/oci"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/trace"
	"github.com/fe055d52/credential-helper/lookup"
)

const helpExplain = `Tells how the answer for URL comes about: which files were looked for, which rule is the one and why those before it are not, what is kept of an
earlier answer, where the login was looked for and what came of it, what the server was asked, and what the answer means for Bazel.
Secrets are shown by their kind and length alone. It does what "get" does where nothing is kept of an earlier answer, keeps nothing itself, and starts no agent.

The exit status is 1 where there is no telling the answer: what was found until then is printed, and then the error as "get" has it. It is 2 for a mistake on the command line.
`

const exampleExplain = `  $ credential-helper explain https://registry.example.com/v2/team/app/manifests/latest
  $ credential-helper explain --offline https://npm.pkg.github.com/@team/app
`

var flagsExplain = []option{
	{name: "json", help: "print a JSON object; docs/explain.md tells of its keys"},
	{name: "offline", help: "send nothing over the network. Keyrings are asked, and programs that sources run are run, as usual: what they send is up to them"},
}

// explain tells how the answer for a URL comes about.
func (a *app) explain(args []string) error {
	l, err := a.parse("explain", args)
	if err != nil {
		return err
	}
	x := &explainer{app: a, network: newClient()}
	x.requests = &requestLog{base: x.network.Transport, offline: l.has("offline")}
	x.network.Transport = x.requests
	_, err = within(a, func(ctx context.Context) (struct{}, error) { return struct{}{}, x.run(ctx, l.arg(0)) })
	e := x.snapshot(err)
	if e.Stopped != "" {
		err = nil
	}
	if l.has("json") {
		return errors.Join(e.writeJSON(a.stdout), err)
	}
	return errors.Join(e.write(a.stdout, a.env), err)
}

// An explainer makes an explanation. Its run may go on when the time is up, so what it has found by then is behind a lock.
type explainer struct {
	app      *app
	network  *http.Client
	requests *requestLog

	mu      sync.Mutex
	found   explanation
	sources *lookup.Report
	facts   *trace.Facts
}

// note changes what was found.
func (x *explainer) note(change func(e *explanation)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	change(&x.found)
}

// snapshot returns what was found so far. err is what the run came to.
func (x *explainer) snapshot(err error) explanation {
	x.mu.Lock()
	defer x.mu.Unlock()
	e := x.found
	if x.sources != nil {
		for _, s := range x.sources.Asked() {
			e.Sources = append(e.Sources, sourceExplained{text(s.Source), s.Binding, s.Outcome, text(s.From), text(s.Reason), text(s.Hint), ""})
		}
		for _, f := range x.facts.List() {
			e.Facts = append(e.Facts, factExplained{f.Name, text(f.Text)})
		}
	}
	if err != nil && x.sources != nil && e.Login == nil {
		suggestVariables(e.Sources, x.app.env)
	}
	e.Requests = x.requests.told()
	switch {
	case err == nil:
	case slices.ContainsFunc(e.Requests, func(r requestExplained) bool { return !r.Sent }):
		e.Stopped = "the answer depends on what is not sent"
	default:
		e.Error = &errorExplained{Text: text(err.Error())}
		var hint *helpers.HintError
		if errors.As(err, &hint) {
			e.Error.Hint = text(hint.Hint)
		}
	}
	return e
}

// run does what get does where nothing is kept, and notes what it finds.
func (x *explainer) run(ctx context.Context, raw string) error {
	req, err := helpers.ParseRequest(raw)
	if err != nil {
		return &usageError{err.Error()}
	}
	u := req.URL
	x.note(func(e *explanation) { e.URL = text(helpers.Display(u)) })
	if err := x.readFiles(); err != nil {
		return err
	}
	r, err := x.app.resolverWith(ctx, x.network)
	if err != nil {
		return err
	}
	kept := r.cache
	r.cache = nil // nothing is kept of what is asked on the way
	defer kept.Close()
	x.explainRules(r.routes, u)

	d, err := decide(r.routes, u)
	if err != nil {
		return err
	}
	now := x.app.env.Now
	if d.noOpinion != "" {
		x.note(func(e *explanation) {
			e.NoOpinion = text(whyNothing(d, u))
			e.Answer = answerOf(noOpinion(now()), helpers.Credential{}, now())
		})
		return nil
	}
	kind := x.app.cacheKind()
	c := x.peek(ctx, kind, kept, d.key(r.context))
	ctx, sources := lookup.WithReport(ctx)
	ctx, facts := trace.WithFacts(ctx)
	x.note(func(e *explanation) {
		e.Scope, e.Cache = text(d.scope), c
		x.sources, x.facts = sources, facts
	})
	acc := account{decision: d}
	resp, err := fill(ctx, &acc, u)
	credential := acc.credential
	x.note(func(e *explanation) {
		e.Login = loginOf(credential, err == nil || d.rule.Anonymous && !broken(sources.Asked()))
	})
	if err != nil {
		return err
	}
	told, ok := tell(resp, now(), now())
	if !ok {
		return expiresAtOnce(u, resp)
	}
	x.note(func(e *explanation) { e.Answer = answerOf(told, credential, now()) })
	return nil
}

// broken reports whether a source ended the search for a login.
func broken(asked []lookup.Asked) bool {
	return slices.ContainsFunc(asked, func(a lookup.Asked) bool {
		return a.Outcome == lookup.OutcomeBroken || a.Outcome == lookup.OutcomeNoAnswer
	})
}

// readFiles looks for the configuration files, and notes which are there. The error is that the variable which names one makes no sense.
func (x *explainer) readFiles() error {
	a := x.app
	paths, named, err := config.Sought(a.env)
	if err != nil {
		return err
	}
	c := configExplained{Files: []fileExplained{}}
	if named {
		c.NamedBy = env.VarConfigFile
	}
	kinds := helperKinds(newSources(a.env, x.network), x.network, nil)
	off, broken := false, false
	for _, path := range paths {
		f := fileExplained{Path: text(path), State: "absent"}
		file, found, err := config.Read(a.env, path, kinds, named)
		switch {
		case err != nil:
			f.State, f.Error, broken = "broken", text(err.Error()), true
		case !found && named:
			broken = true
		case found:
			f.State, f.Rules, f.UseDefaults = "read", len(file.Rules), file.UseDefaults
			off = off || !c.BuiltIn
			c.BuiltIn = c.BuiltIn || file.UseDefaults
		}
		c.Files = append(c.Files, f)
	}
	switch {
	case broken:
		c.WhyBuiltIn, c.BuiltIn = "not known before the file is mended", false
	case c.BuiltIn:
		c.WhyBuiltIn = `on, behind the files': one says "use_defaults": true`
	case off:
		c.WhyBuiltIn = `off: there is a file, and none says "use_defaults": true`
	default:
		c.WhyBuiltIn, c.BuiltIn = "on: there is no file", true
	}
	x.note(func(e *explanation) { e.Config = &c })
	return nil
}

// explainRules notes which rules were tried, and where none is for u, what would have to change.
func (x *explainer) explainRules(routes *config.Routes, u *url.URL) {
	if helpers.Presigned(u) {
		return
	}
	var rules []ruleExplained
	matched := false
	for _, t := range routes.Explain(u) {
		matched = t.WhyNot == ""
		rules = append(rules, ruleExplained{text(t.Rule.Place), t.Rule.HelperName, matched, text(t.WhyNot), t.Rule.BuiltIn})
	}
	for _, r := range routes.Behind(u) {
		rules = append(rules, ruleExplained{text(r.Place), r.HelperName, false, "it is for this URL too, and stands behind the one that is asked", false})
	}
	x.note(func(e *explanation) {
		e.Rules = rules
		if !matched {
			e.Advice = x.advice(routes, e.Config, u)
		}
	})
}

// advice says what would make a rule serve u.
func (x *explainer) advice(routes *config.Routes, c *configExplained, u *url.URL) []text {
	var advice []text
	where := "a configuration file"
	for _, f := range slices.Backward(c.Files) {
		if f.State == "read" || where == "a configuration file" {
			where = x.app.env.Display(string(f.Path))
		}
	}
	kinds := helperKinds(newSources(x.app.env, x.network), x.network, nil)
	guessed := x.app.env.Var(env.VarGuessOCI) == "1"
	if !c.BuiltIn {
		rules, err := builtInRules(guessed, kinds)
		without := config.Routes{BuiltIn: rules}
		if r := without.Match(u); err == nil && r != nil {
			advice = append(advice, text(`a built-in rule (helper `+r.HelperName+`) would serve it: add "use_defaults": true to `+where))
		}
	}
	if near, change := routes.Near(u); near != nil {
		advice = append(advice, text(x.app.env.Display(near.Place)+" comes nearest: "+change))
	}
	if len(advice) > 0 || helpers.Wildcard(u) {
		return advice
	}
	helper := "registry"
	if oci.LooksLikeRegistry(u) {
		helper = "oci"
		if c.BuiltIn && !guessed {
			advice = append(advice, "it looks like a container registry: $"+env.VarGuessOCI+"=1 would serve it, as every such URL")
		}
	}
	return append(advice, text(`a rule in `+where+` would serve it: {"host": "`+u.Host+`", "helper": "`+helper+`"}, and what its config needs`))
}

// whyNothing says why a URL gets no headers.
func whyNothing(d decision, u *url.URL) string {
	name := ""
	if d.rule != nil {
		name = d.rule.HelperName
	}
	switch {
	case helpers.Presigned(u):
		return "the URL is presigned: it carries its own authorization, and a server refuses a second one. No rule is asked"
	case d.rule == nil && helpers.Wildcard(u):
		return "no rule is for all the hosts that this URL stands for"
	case d.rule == nil:
		return "no rule is for this URL"
	case name == "null":
		return "the rule says so: the helper null sends nothing"
	case !helpers.Secure(u) && !helpers.Loopback(u) && !d.rule.AllowHTTP && d.rule.BuiltIn:
		return "the URL is not encrypted (" + u.Scheme + "), and built-in rules send nothing over that"
	case helpers.Wildcard(u):
		return "the URL stands for many hosts, and the helper " + name + " has a login for one"
	case name == "oci":
		return "the path is not one of a container registry's (/v2/NAME/manifests/…, /v2/NAME/blobs/…): such URLs take no login there"
	case name == "remoteapis":
		return "the path is not that of a remote cache's or a remote execution's service"
	}
	return d.noOpinion
}

// cacheKind names the cache that answers are kept in.
func (a *app) cacheKind() string {
	switch kind := a.env.Var(env.VarCache); {
	case a.standalone(), kind == "none":
		return "none"
	case kind == "", kind == "agent":
		return "agent"
	}
	return "file"
}

// peek tells of what is kept of an earlier answer.
func (x *explainer) peek(ctx context.Context, kind string, kept cache.Cache, key cache.Key) *cacheExplained {
	c := &cacheExplained{Kind: kind, State: "off"}
	shared, ok := kept.(*cache.Shared)
	if !ok {
		c.Why = "there is no place for it: neither $XDG_RUNTIME_DIR nor a cache directory"
		if kind == "none" {
			c.Why = "$" + env.VarCache + " is none"
			if x.app.standalone() {
				c.Why = "$" + env.VarStandalone + " is set"
			}
		}
		return c
	}
	info, found, err := shared.Peek(ctx, key)
	switch {
	case notRunning(err):
		c.State, c.Why = "unreachable", "no agent runs; get starts it"
		return c
	case err != nil:
		c.State, c.Why = "unreachable", text(err.Error())
		return c
	case !found:
		c.State = "miss"
		return c
	}
	c.State = "hit"
	c.Stored, c.Until, c.Volatile, c.Negative = utc(info.Stored), utc(info.Until), info.Volatile, info.Negative
	for _, in := range info.Changed {
		c.Changed = append(c.Changed, inputExplained{in.Kind, text(in.Name)})
	}
	switch {
	case info.Failure != "":
		c.State, c.Why = "unused", "it is a failure, which is told to those who waited for it, and to nobody else"
	case !info.Fresh:
		c.State, c.Why = "unused", "its time is over"
	case len(c.Changed) > 0:
		c.State = "unused"
	}
	return c
}

func utc(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}

// writeJSON writes the explanation as one JSON object.
func (e explanation) writeJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(e)
}
