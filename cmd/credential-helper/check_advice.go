package main

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/fe055d52/credential-helper/config"
	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/helpers/github"
	"github.com/fe055d52/credential-helper/internal/ascii"
	"github.com/fe055d52/credential-helper/internal/bazelrc"
	"github.com/fe055d52/credential-helper/internal/probe"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/lookup"
)

// What a server's answer alone does not tell: which rule to correct, and how to log in anew.

// about returns the hop whose login a judgment is about: the last that was sent one, else the last.
func (c chain) about(s subject, first login) hop {
	for _, h := range slices.Backward(c) {
		if h.login.sent() {
			return h
		}
	}
	return c.last(s, first)
}

// advise adds to a judgment what the rules and the place of the login have to do with it.
func (c *checker) advise(r *checkReport, s subject, j *probe.Judgment, h hop) {
	rule := h.login.rule
	if j.Verdict.OK() || rule == nil {
		return
	}
	place := c.app.env.Display(rule.Place)
	if j.Verdict == probe.Refused || j.Verdict == probe.Missing || j.Verdict == probe.NotVisible {
		if hidden := hiddenBehind(rule, c.resolver.routes.Behind(h.url)); hidden != nil {
			j.Advice += fmt.Sprintf("; is the rule at %s the one that is meant? put it before the one at %s, which is asked in its place", c.app.env.Display(hidden.Place), place)
			return
		}
	}
	switch j.Cause {
	case probe.CauseScheme:
		if rule.HelperName == "registry" {
			j.Advice += fmt.Sprintf("; in the config of the rule at %s, write %s", place, remedyFor(h.answer.Challenges, guessRule(h.url).preset))
		}
	case probe.CauseRegistry:
		j.Advice += fmt.Sprintf(`; in the rule at %s, write "helper": "oci"`, place)
	case probe.CauseExpired:
		r.Ways = renewals(rule.Helper, h.login.credential.Source, h.url)
	case probe.CauseAbsent:
		if page := repositoryPage(h.url); page != "" && rule.HelperName == "github" && s.repository == "" {
			j.Advice += " its API says whether the login is good: credential-helper check " + page
		}
	}
}

// hiddenBehind returns the rule that never answers because an earlier one takes all of its URLs. A wider rule behind a narrow one is as it should be.
func hiddenBehind(rule *config.Rule, behind []*config.Rule) *config.Rule {
	for _, r := range behind {
		if rule.Covers(r) {
			return r
		}
	}
	return nil
}

// remedyFor says how a rule sends what a server's challenges want. preset is the one that the URL looks like; it may be empty.
func remedyFor(challenges []probe.Challenge, preset string) string {
	other := `another "preset"`
	if preset != "" {
		other = fmt.Sprintf(`"preset": %q`, preset)
	}
	for _, c := range challenges {
		switch ascii.Lower(c.Scheme) {
		case "basic":
			return `"auth_method": "basic" and a "username", or ` + other
		case "bearer":
			return `"auth_method": "bearer", or ` + other
		case "cargo":
			return `"preset": "cargo"`
		}
	}
	return other + ` or another "auth_method"`
}

// renewals returns what puts a new login into the place where a helper found one.
func renewals(helper helpers.Helper, source string, u *url.URL) []setupWay {
	guided, ok := helper.(helpers.Guided)
	if !ok || source == "" {
		return nil
	}
	var all []setupWay
	for _, r := range guided.Setup(u) {
		// The place may stand behind the name.
		if r.Source == source || strings.HasPrefix(source, r.Source+" (") {
			all = append(all, wayOf(r))
		}
	}
	if name, ok := strings.CutPrefix(source, "$"); ok && len(all) == 0 {
		for _, r := range (&lookup.Sources{}).Variable(name).(helpers.Guided).Setup(u) {
			all = append(all, wayOf(r))
		}
	}
	return all
}

// repositoryPage returns the URL of the repository on GitHub that u is in, or "".
func repositoryPage(u *url.URL) string {
	host, path := github.Host(u), strings.TrimPrefix(u.Path, "/")
	if u.Hostname() == "api."+host {
		path = strings.TrimPrefix(path, "repos/")
	}
	segments := strings.SplitN(path, "/", 3)
	if len(segments) < 2 {
		return ""
	}
	page := &url.URL{Scheme: u.Scheme, Host: host, Path: "/" + segments[0] + "/" + segments[1]}
	if _, _, ok := github.Repository(page); !ok {
		return ""
	}
	return page.String()
}

// warnBazel tells of the hosts that a login was sent to and Bazel does not ask for.
func (c *checker) warnBazel(ctx context.Context, r *checkReport, hops chain) {
	workspace, ok := c.app.bazelWorkspace()
	if !ok {
		return
	}
	var files *bazelrc.Files
	var told []string
	for _, h := range hops {
		host := h.url.Hostname()
		if !h.login.sent() || slices.Contains(told, host) {
			continue
		}
		told = append(told, host)
		if files == nil {
			files = bazelrc.Read(ctx, c.app.env, workspace)
		}
		if _, ok := files.Serving(host); ok {
			continue
		}
		if line, err := c.app.bazelLine(workspace, host); err == nil {
			r.Warnings = append(r.Warnings, redact.Line(fmt.Sprintf("Bazel does not ask for %s: no --credential_helper in .bazelrc covers it; add to %s: %s",
				host, c.app.env.Display(bazelrcOf(workspace)), line), 600))
		}
	}
}
