package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fe055d52/credential-helper/config"
	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/bazelrc"
	"github.com/fe055d52/credential-helper/internal/place"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/lookup"
)

const helpSetupURI = `Tells what a URL needs, and what of it is there already: the rule that serves it, the login, and the line in .bazelrc.
For what is missing it prints the lines to copy. It changes nothing, asks no server except where a login has to be renewed, and prints no secret.
The exit status is 0 where nothing is missing, 1 where something is, or is broken, and 2 for a mistake on the command line.
`

const exampleSetupURI = `  $ credential-helper setup-uri https://npm.example.com/@acme/pkg
`

var flagsSetupURI = []option{{name: "json", help: "print a JSON object (docs/setup.md has its keys)"}}

// maxRemedies is how many ways to log in are printed.
const maxRemedies = 3

// setupURI tells what a URL needs.
func (a *app) setupURI(args []string) error {
	l, err := a.parse("setup-uri", args)
	if err != nil {
		return err
	}
	req, err := helpers.ParseRequest(l.arg(0))
	switch {
	case err != nil:
		return &usageError{err.Error()}
	case helpers.Wildcard(req.URL):
		return usagef("setup-uri is for one host, and %s stands for many", req.URL.Host)
	}
	type outcome struct {
		report *setupReport
		broken error
	}
	found, err := within(a, func(ctx context.Context) (outcome, error) {
		rep, broken, err := a.examine(ctx, req.URL)
		return outcome{rep, broken}, err
	})
	if err != nil {
		return err
	}
	if err := found.report.write(a.stdout, l.has("json")); err != nil {
		return err
	}
	switch {
	case found.broken != nil:
		return found.broken
	case !found.report.OK:
		return &exitStatus{exitError}
	}
	return nil
}

// A setupReport is what setup-uri prints. All its texts are fit to be shown.
type setupReport struct {
	URL string `json:"url"`
	OK  bool   `json:"ok"`
	// Rule says which rule serves the URL; it is nil where none does.
	Rule *setupRule `json:"rule,omitempty"`
	// Advice tells of another rule that may be the one that is meant.
	Advice string `json:"advice,omitempty"`
	// Nothing says why no login is needed.
	Nothing string `json:"nothing_needed,omitempty"`
	// Login is where the login was found, and Tried why it was not.
	Login string   `json:"login,omitempty"`
	Tried []string `json:"tried,omitempty"`
	// Anonymous says that the rule goes on without a login.
	Anonymous bool `json:"anonymous,omitempty"`
	// Broken is what is wrong with the login.
	Broken string `json:"broken,omitempty"`
	// Bazel is the line of .bazelrc that covers the host. It is "" also outside a workspace, where nothing is said of it.
	Bazel string      `json:"bazelrc,omitempty"`
	Steps []setupStep `json:"steps"`
	Check string      `json:"check,omitempty"`

	workspace  bool
	shownPlace string
	guess      string
}

type setupRule struct {
	Place  string `json:"place"`
	Helper string `json:"helper"`
}

// A setupStep is something to do, in one of several ways.
type setupStep struct {
	What string     `json:"what"` // rule, login or bazelrc
	Ways []setupWay `json:"ways"`
}

type setupWay struct {
	Do    string   `json:"do"`
	And   bool     `json:"and,omitempty"`  // it goes with the way before it
	File  string   `json:"file,omitempty"` // what Lines are put into; else they are for a shell
	Lines []string `json:"lines"`
}

// text says what a way is, and in which file.
func (w setupWay) text() string {
	if w.File == "" {
		return w.Do
	}
	return w.Do + ", in " + w.File
}

// examine finds out what u needs. broken is what is wrong with the login that is there.
func (a *app) examine(ctx context.Context, u *url.URL) (rep *setupReport, broken, err error) {
	client := newClient()
	kinds := helperKinds(newSources(a.env, client), client, nil)
	routes, err := config.Load(a.env, kinds, a.builtIn(kinds))
	if err != nil {
		return nil, nil, err
	}
	shown := helpers.Display(u)
	rep = &setupReport{URL: shown, Check: "credential-helper check " + lookup.Quote(redact.Line(helpers.Origin(u)+u.EscapedPath(), helpers.MaxURL)), Steps: []setupStep{}}
	if u.Scheme != "https" && u.Scheme != "http" { // check asks HTTP servers alone
		rep.Check = strings.Replace(rep.Check, " check ", " explain ", 1)
	}
	d, err := decide(routes, u)
	if err != nil {
		return nil, nil, err
	}
	rule := d.rule
	switch {
	case rule != nil:
		rep.Rule, rep.shownPlace = &setupRule{rule.Place, rule.HelperName}, a.env.Display(rule.Place)
		if hidden := hiddenBehind(rule, routes.Behind(u)); hidden != nil {
			rep.Advice = redact.Line(a.env.Display(hidden.Place)+" is for this URL too, and stands behind the one that is asked", 500)
		}
		if d.noOpinion != "" {
			rep.Nothing, rep.OK = redact.Line(d.noOpinion, 500), true
			return rep, nil, nil
		}
	case helpers.Presigned(u):
		rep.Nothing, rep.OK, rep.Check = redact.Line(d.noOpinion, 500), true, ""
		return rep, nil, nil
	default:
		if near, change := routes.Near(u); near != nil {
			rep.Advice = redact.Line(a.env.Display(near.Place)+" comes nearest: "+change, 500)
		}
		g := guessRule(u)
		f, err := config.Parse("the guessed rule", []byte(`{"urls": [`+g.text()+`]}`), kinds, false)
		if err != nil {
			return nil, nil, fmt.Errorf("guessing the rule for %s: %w", shown, err)
		}
		rule, rep.guess = &f.Rules[0], g.describe()+": "+g.why
		rep.Steps = append(rep.Steps, setupStep{"rule", []setupWay{a.ruleStep(routes, g)}})
	}
	broken = a.examineLogin(ctx, rep, rule, u)
	a.examineBazel(ctx, rep, u)
	rep.OK = broken == nil && len(rep.Steps) == 0
	return rep, broken, nil
}

// ruleStep says where a rule is to be written.
func (a *app) ruleStep(routes *config.Routes, g guessedRule) setupWay {
	if len(routes.Files) > 0 {
		file := routes.Files[0].Path
		text := g.text()
		if len(routes.Files[0].Rules) > 0 {
			text += ","
		}
		return setupWay{Do: `put this rule first into "urls"`, File: a.env.Display(file), Lines: []string{text}}
	}
	path := filepath.Join(a.env.ConfigDir, "credential-helper", "config.json")
	if dir, ok := a.bazelWorkspace(); ok || a.env.ConfigDir == "" {
		path = filepath.Join(dir, place.WorkspaceFile)
	}
	return setupWay{Do: "make this file", File: a.env.Display(path), Lines: strings.Split(strings.TrimSuffix(rulesFile([]guessedRule{g}), "\n"), "\n")}
}

// bazelWorkspace returns the root of the workspace. ok is false where nothing marks it as one.
func (a *app) bazelWorkspace() (dir string, ok bool) {
	dir = a.env.Workspace()
	for _, name := range []string{"MODULE.bazel", "WORKSPACE", "WORKSPACE.bazel"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && !info.IsDir() {
			return dir, true
		}
	}
	return dir, false
}

// examineLogin looks for the login as get does.
func (a *app) examineLogin(ctx context.Context, rep *setupReport, rule *config.Rule, u *url.URL) error {
	c, err := findCredential(ctx, rule, u)
	if err == nil {
		rep.Login = redact.Line(c.Source, 300)
		expires := c.Expires
		if jwt, ok := helpers.JWTExpiry(c.Secret.Reveal(), time.Time{}, false); ok && (expires.IsZero() || jwt.Before(expires)) {
			expires = jwt
		}
		if expires.IsZero() || expires.After(a.env.Now()) {
			return nil
		}
		err = helpers.NotFoundf("the login from %s expired at %s", c.Source, expires.UTC().Format(time.RFC3339))
		rep.Login = ""
	}
	var missing *lookup.MissingError
	switch {
	case errors.As(err, &missing):
		for _, tried := range missing.Tried {
			rep.Tried = append(rep.Tried, redact.Line(tried, 500))
		}
	case errors.Is(err, helpers.ErrNotFound):
		rep.Tried = []string{redact.Line(err.Error(), 500)}
	case ctx.Err() != nil:
		return err
	default:
		rep.Broken = oneLine(err.Error())
	}
	for i, tried := range rep.Tried {
		if near := nearVariable(tried, a.env); near != "" {
			rep.Tried[i] += " (" + redact.Line(near, 100) + " is set; is that the one?)"
		}
	}
	rep.Anonymous = rule.Anonymous
	step := setupStep{"login", ways(rule.Helper, u)}
	if rep.Broken != "" {
		// What is there comes first: another login behind it would not be reached.
		return fmt.Errorf("%s: %w", helpers.Display(u), err)
	}
	if missing != nil && len(missing.First.Lines) > 0 && len(step.Ways) > 0 && strings.HasPrefix(step.Ways[0].Lines[0], "docker ") {
		rep.Steps = append(rep.Steps, setupStep{"login", []setupWay{wayOf(missing.First)}})
	}
	rep.Steps = append(rep.Steps, step)
	return nil
}

// ways returns what makes a helper find a login for u.
func ways(helper helpers.Helper, u *url.URL) []setupWay {
	guided, ok := helper.(helpers.Guided)
	if !ok {
		return nil
	}
	var all []setupWay
	count := 0
	for _, r := range guided.Setup(u) {
		if !r.And {
			count++
		}
		if count > maxRemedies {
			break
		}
		all = append(all, wayOf(r))
	}
	return all
}

func wayOf(r helpers.Remedy) setupWay {
	way := setupWay{Do: redact.Line(r.Do, 300), And: r.And, File: redact.Line(r.File, 300)}
	for _, l := range r.Lines {
		way.Lines = append(way.Lines, copyable(l))
	}
	return way
}

// copyable makes a line fit to be shown, and leaves the words in it that stand for a login.
func copyable(text string) string {
	const login = "USER:TOKEN@"
	parts := strings.Split(text, login)
	for i, part := range parts {
		parts[i] = redact.Line(part, 2000)
	}
	return strings.Join(parts, login)
}

// examineBazel looks whether Bazel asks this program for u.
func (a *app) examineBazel(ctx context.Context, rep *setupReport, u *url.URL) {
	workspace, ok := a.bazelWorkspace()
	if !ok {
		return
	}
	rep.workspace = true
	options := bazelrc.Read(ctx, a.env, workspace)
	if h, ok := options.Serving(u.Hostname()); ok {
		rep.Bazel = redact.Line(options.Place(h.Line), 300)
		return
	}
	line, err := a.bazelLine(workspace, u.Hostname())
	if err != nil {
		return
	}
	rep.Steps = append(rep.Steps, setupStep{"bazelrc", []setupWay{{
		Do: "have Bazel ask this program", File: a.env.Display(bazelrcOf(workspace)), Lines: []string{redact.Line(line, 2000)},
	}}})
}

// bazelrcOf returns the file that a workspace's own options are in.
func bazelrcOf(workspace string) string { return filepath.Join(workspace, ".bazelrc") }

// bazelLine returns the line that makes Bazel ask this program for a host, or for all where Bazel takes none like it as a scope.
func (a *app) bazelLine(workspace, host string) (string, error) {
	name, err := a.nameForBazel(workspace)
	if err != nil {
		return "", err
	}
	if !bazelrc.ValidScope(host) {
		host = ""
	}
	return bazelrc.HelperLine(host, name), nil
}

// nameForBazel returns how .bazelrc names this program: by its name where that is found on PATH, from %workspace% where it is in there, else by its path.
func (a *app) nameForBazel(workspace string) (string, error) {
	executable, err := a.executable()
	if err != nil {
		return "", err
	}
	name := filepath.Base(executable)
	for _, dir := range searchPath(a.env) {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			if sameFile(path, executable) {
				return strings.TrimSuffix(name, ".exe"), nil
			}
			break // another program of this name comes first
		}
	}
	if rel, err := filepath.Rel(workspace, executable); err == nil && filepath.IsLocal(rel) {
		return "%workspace%/" + filepath.ToSlash(rel), nil
	}
	return filepath.ToSlash(executable), nil
}

// write prints the report.
func (r *setupReport) write(w io.Writer, asJSON bool) error {
	if asJSON {
		return writeJSON(w, r)
	}
	var b strings.Builder
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&b, "%-7s %s\n", label, fmt.Sprintf(format, args...))
	}
	line("url", "%s", r.URL)
	switch {
	case r.Rule != nil:
		line("rule", "%s, helper %s", r.shownPlace, r.Rule.Helper)
	case r.Nothing == "":
		line("rule", "none. Guessed: %s", r.guess)
	}
	if r.Advice != "" {
		line("", "- %s", r.Advice)
	}
	switch {
	case r.Nothing != "":
		line("login", "none is needed: %s", r.Nothing)
	case r.Broken != "":
		line("login", "broken")
	case r.Login != "":
		line("login", "%s", r.Login)
	default:
		state := "not found"
		if r.Anonymous {
			state = "not found; what is public works without one"
		}
		line("login", "%s", state)
		for _, tried := range r.Tried {
			line("", "- %s", tried)
		}
	}
	switch {
	case !r.workspace:
	case r.Bazel != "":
		line("bazel", "%s covers the host", r.Bazel)
	default:
		line("bazel", "no --credential_helper in .bazelrc covers the host")
	}
	for i, step := range r.Steps {
		for n, way := range step.Ways {
			head := fmt.Sprintf("%d. ", i+1)
			switch {
			case way.And:
				head = "   and "
			case n > 0:
				head = "   or "
			}
			if n == 0 {
				b.WriteString("\n")
			}
			fmt.Fprintf(&b, "%s%s:\n", head, way.text())
			for _, l := range way.Lines {
				fmt.Fprintf(&b, "     %s\n", l)
			}
		}
	}
	if r.Check != "" {
		fmt.Fprintf(&b, "\nThen see whether it works:\n     %s\n", r.Check)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
