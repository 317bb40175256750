package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/term"

	"github.com/fe055d52/credential-helper/config"
	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/ascii"
	"github.com/fe055d52/credential-helper/internal/bazelrc"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/hosts"
	"github.com/fe055d52/credential-helper/internal/place"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/trace"
)

const helpInit = `Proposes a first .tweag-credential-helper.json, and lines for .bazelrc, for the hosts that the workspace names: in MODULE.bazel, WORKSPACE, .bazelrc, .npmrc,
pip.conf, requirements.txt, .cargo/config.toml and settings.xml, and in the user's own files of npm, pip, cargo, Maven and Docker.
It shows the change, and asks before it writes. A configuration that is there is left as it is; .bazelrc gets lines for hosts that no line covers.

Hosts that everybody may read from are left out, and so are those that only a download's URL names and that no login is found for.
A rule that init writes goes on without a login where none is found.
`

const exampleInit = `  $ credential-helper init --dry-run
`

var flagsInit = []option{
	{name: "dry-run", help: "show the change, and change nothing"},
	{name: "yes", help: "write without asking", or: true},
}

// initWorkspace proposes a configuration for the workspace, and writes it.
func (a *app) initWorkspace(args []string) error {
	l, err := a.parse("init", args)
	if err != nil {
		return err
	}
	workspace, ok := a.bazelWorkspace()
	if !ok {
		return helpers.WithHint(fmt.Errorf("%s is not in a Bazel workspace: there is no MODULE.bazel or WORKSPACE there or above it", a.env.Display(a.env.Dir)),
			"run init in the workspace, or name it in $%s; for a single URL, credential-helper setup-uri URL says what it needs", env.VarWorkspace)
	}
	p, err := within(a, func(ctx context.Context) (*proposal, error) { return a.propose(ctx, workspace) })
	if err != nil {
		return err
	}
	if _, err := io.WriteString(a.stdout, p.text()); err != nil {
		return err
	}
	switch {
	case len(p.edits) == 0:
		return nil
	case l.has("dry-run"):
		_, err := fmt.Fprintln(a.stdout, "dry run: nothing was changed")
		return err
	case !l.has("yes"):
		if err := a.agree(); err != nil {
			return err
		}
	}
	return a.apply(p)
}

// agree asks a person whether to write.
func (a *app) agree() error {
	stdin, isFile := a.stdin.(*os.File)
	if !isFile || !term.IsTerminal(int(stdin.Fd())) {
		return helpers.WithHint(errors.New("nothing was changed: there is no terminal to ask on"), "credential-helper init --yes writes it")
	}
	fmt.Fprint(a.stderr, "Write this? [y/N] ")
	answer, err := bufio.NewReader(io.LimitReader(stdin, 1024)).ReadString('\n')
	if err != nil {
		fmt.Fprintln(a.stderr)
	}
	if answer = ascii.Lower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
		return errors.New("nothing was changed")
	}
	return nil
}

// apply writes what was shown.
func (a *app) apply(p *proposal) error {
	for _, e := range p.edits {
		_, err := within(a, func(ctx context.Context) (_ struct{}, err error) {
			end := trace.Step(ctx, "writing %s", e.shown)
			defer func() { end(err) }()
			return struct{}{}, e.write()
		})
		if err != nil {
			return fmt.Errorf("writing %s: %w", e.shown, err)
		}
		fmt.Fprintf(a.stdout, "wrote %s\n", e.shown)
	}
	_, err := fmt.Fprint(a.stdout, "\nNext:\n     credential-helper doctor\n     credential-helper check URL\n")
	return err
}

// A proposal is what init shows, and writes.
type proposal struct {
	hosts    []proposedHost
	problems []error
	edits    []*edit
	// copied are rules for a configuration that is there, and config its name.
	copied []guessedRule
	config string
	// unscoped are hosts that Bazel takes no line for.
	unscoped []string
}

type proposedHost struct{ host, place, what string }

// publicDomains are those of servers that everybody may read. All hosts below one count.
var publicDomains = []string{
	"bazel.build", "npmjs.org", "yarnpkg.com", "crates.io", "static.rust-lang.org", "pypi.org", "pythonhosted.org", "maven.org", "maven.apache.org",
	"maven.google.com", "dl.google.com", "go.dev", "golang.org", "rubygems.org", "packagist.org", "api.nuget.org", "nodejs.org", "pkg.julialang.org", "storage.googleapis.com",
}

// servesAll reports whether a host serves everybody without a login.
func servesAll(host string) bool {
	return slices.ContainsFunc(publicDomains, func(domain string) bool { return host == domain || strings.HasSuffix(host, "."+domain) })
}

// propose finds out what init would change.
func (a *app) propose(ctx context.Context, workspace string) (*proposal, error) {
	client := newClient()
	kinds := helperKinds(newSources(a.env, client), client, nil)
	routes, err := config.Load(a.env, kinds, a.builtIn(kinds))
	if err != nil {
		return nil, err
	}
	options := bazelrc.Read(ctx, a.env, workspace)
	found, problems := hosts.Find(ctx, a.env, workspace, options)
	p := &proposal{problems: append(problems, options.Problems...)}
	var rules []guessedRule
	var served []*url.URL
	for _, group := range byHost(found) {
		what, own, ours := a.proposeHost(ctx, group, routes, kinds)
		p.hosts = append(p.hosts, proposedHost{group[0].URL.Host, group[0].Place, what})
		rules = append(rules, own...)
		if ours {
			served = append(served, group[0].URL)
		}
	}
	if err := a.proposeConfig(p, workspace, routes, rules); err != nil {
		return nil, err
	}
	if err := a.proposeBazelrc(p, workspace, options, served); err != nil {
		return nil, err
	}
	return p, nil
}

// byHost groups URLs by their host and port, in the order in which the hosts were found.
func byHost(all []hosts.Found) [][]hosts.Found {
	var groups [][]hosts.Found
	at := map[string]int{}
	for _, found := range all {
		i, seen := at[found.URL.Host]
		if !seen {
			i = len(groups)
			at[found.URL.Host] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], found)
	}
	return groups
}

// proposeHost says what serves a host. ours is true where Bazel is to ask this program for it, and rules are those that are missing.
func (a *app) proposeHost(ctx context.Context, group []hosts.Found, routes *config.Routes, kinds config.Kinds) (what string, rules []guessedRule, ours bool) {
	first := group[0].URL
	if servesAll(first.Hostname()) {
		return "left out: everybody may read there", nil, false
	}
	if rule := routes.Match(first); rule != nil {
		return fmt.Sprintf("served by %s, helper %s", a.shownPlace(rule), rule.HelperName), nil, rule.HelperName != "null"
	}
	var why string
	for _, found := range group {
		g := guessRule(found.URL)
		known := g.helper != "registry" || g.preset != ""
		if g.preset == "" && g.helper == "registry" && found.Kind != "" && found.Kind != "oci" {
			g.preset, g.why = found.Kind, "a registry in "+found.Place
		}
		if found.Kind == "oci" {
			g.why = "a container registry"
		}
		g.anonymous = true
		if !known && !found.Named && !a.hasLogin(ctx, g, found.URL, kinds) {
			continue
		}
		if !slices.ContainsFunc(rules, func(other guessedRule) bool { return other.text() == g.text() }) {
			rules = append(rules, g)
			why = g.why
		}
	}
	switch {
	case len(rules) == 0:
		return "left out: a download's URL, and no login is found for it", nil, false
	case len(rules) == 1:
		return rules[0].describe() + ": " + why, rules, true
	}
	// One host, several kinds: the path has to tell them apart, as far as it does.
	rules = apart(group, rules)
	names := make([]string, len(rules))
	for i, g := range rules {
		names[i] = g.describe() + " for " + g.path
	}
	return strings.Join(names, "; "), rules, true
}

// shownPlace is where a rule stands, as people write it.
func (a *app) shownPlace(rule *config.Rule) string {
	if rule.BuiltIn {
		return "the built-in rules"
	}
	return a.env.Display(rule.Place)
}

// apart gives each of several rules for one host the first segment of a path that it was guessed from; the last one stays for the rest.
func apart(group []hosts.Found, rules []guessedRule) []guessedRule {
	var all []guessedRule
	for _, found := range group {
		g := guessRule(found.URL)
		segment, _, _ := strings.Cut(strings.TrimPrefix(found.URL.Path, "/"), "/")
		if !plainSegment(segment) {
			continue
		}
		i := slices.IndexFunc(rules, func(r guessedRule) bool { return r.helper == g.helper && r.preset == g.preset })
		if i < 0 {
			continue
		}
		rule := rules[i]
		rule.path = "/" + segment + "/*"
		if !slices.ContainsFunc(all, func(other guessedRule) bool { return other.path == rule.path }) {
			all = append(all, rule)
		}
	}
	if len(all) == 0 {
		return rules[:1]
	}
	return all
}

// plainSegment reports whether a segment of a path is fit to be shown, and to stand in a rule: some servers have tokens in the paths of their URLs,
// and those are long, or have digits among letters.
func plainSegment(segment string) bool {
	most := 24
	if strings.ContainsAny(segment, "0123456789") {
		most = 9
	}
	return segment != "" && len(segment) <= most && !strings.ContainsAny(segment, "*%:")
}

// hasLogin reports whether the login that a guessed rule would use is there.
func (a *app) hasLogin(ctx context.Context, g guessedRule, u *url.URL, kinds config.Kinds) bool {
	f, err := config.Parse("the guessed rule", []byte(`{"urls": [`+g.text()+`]}`), kinds, false)
	if err != nil {
		return false
	}
	_, err = findCredential(ctx, &f.Rules[0], u)
	return err == nil
}

// proposeConfig puts the rules into a new file, or tells them where there is one.
func (a *app) proposeConfig(p *proposal, workspace string, routes *config.Routes, rules []guessedRule) error {
	path := filepath.Join(workspace, place.WorkspaceFile)
	if named := a.env.Var(env.VarConfigFile); named != "" {
		path = routes.Files[0].Path // it is there, or loading it was an error
	}
	if len(rules) == 0 {
		return nil
	}
	if _, err := os.Lstat(path); err == nil {
		p.copied, p.config = rules, a.env.Display(path)
		return nil
	}
	e, err := newEdit(a.env, workspace, path, a.env.Display(path))
	if err != nil {
		return err
	}
	e.insert(0, rulesFile(rules))
	p.edits = append(p.edits, e)
	return nil
}

// Marks of the lines in .bazelrc that init writes.
const (
	blockBegin = "# BEGIN credential-helper init"
	blockEnd   = "# END credential-helper init"
)

// proposeBazelrc adds lines for the hosts that no line covers.
func (a *app) proposeBazelrc(p *proposal, workspace string, options *bazelrc.Files, served []*url.URL) error {
	var lines []string
	for _, u := range served {
		host := u.Hostname()
		if _, ok := options.Serving(host); ok {
			continue
		}
		if !bazelrc.ValidScope(host) {
			p.unscoped = append(p.unscoped, host)
			continue
		}
		line, err := a.bazelLine(workspace, host)
		if err != nil {
			return err
		}
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	path := filepath.Join(workspace, ".bazelrc")
	e, err := newEdit(a.env, workspace, path, a.env.Display(path))
	if err != nil {
		return err
	}
	text := strings.Join(lines, "\n") + "\n"
	old := e.lines()
	if end := slices.IndexFunc(old, func(l string) bool { return strings.TrimSpace(l) == blockEnd }); end >= 0 {
		e.insert(end, text)
	} else {
		blank := ""
		if len(old) > 0 && strings.TrimSpace(old[len(old)-1]) != "" {
			blank = "\n"
		}
		e.insert(len(old), blank+blockBegin+"\n"+text+blockEnd+"\n")
	}
	p.edits = append(p.edits, e)
	return nil
}

// text is what init shows before it asks.
func (p *proposal) text() string {
	var b strings.Builder
	if len(p.hosts) == 0 {
		b.WriteString("no file of the workspace names a host\n")
	}
	wide, wider := 0, 0
	for _, h := range p.hosts {
		wide, wider = max(wide, len(h.host)), max(wider, len(h.place))
	}
	wide, wider = min(wide, 40), min(wider, 30)
	for _, h := range p.hosts {
		fmt.Fprintf(&b, "%-*s  %-*s  %s\n", wide, h.host, wider, redact.Line(h.place, 200), redact.Line(h.what, 500))
	}
	for _, err := range p.problems {
		fmt.Fprintf(&b, "%s\n", redact.Line(err.Error(), 500))
	}
	for _, host := range p.unscoped {
		fmt.Fprintf(&b, "Bazel takes no --credential_helper line for %s alone: its name needs a dot, and no underscore\n", host)
	}
	if len(p.copied) > 0 {
		fmt.Fprintf(&b, "\n%s is left as it is. These rules are missing in its \"urls\":\n", p.config)
		for _, g := range p.copied {
			fmt.Fprintf(&b, "     %s,\n", g.text())
		}
	}
	for _, e := range p.edits {
		b.WriteString("\n" + e.diff())
	}
	if len(p.edits) == 0 {
		b.WriteString("\nnothing to write\n")
	} else {
		b.WriteString("\n")
	}
	return b.String()
}
