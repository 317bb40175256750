package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/ascii"
	"github.com/fe055d52/credential-helper/internal/probe"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/lookup"
)

// A checkReport is what check prints: as JSON it is this object (docs/check.md tells of its keys), as text its fields a line each.
// All its texts are fit to be shown.
type checkReport struct {
	URL     string        `json:"url"`
	Asked   string        `json:"asked"`
	OK      bool          `json:"ok"`
	Verdict probe.Verdict `json:"verdict"`
	Cause   probe.Cause   `json:"cause,omitempty"`
	Advice  string        `json:"advice,omitempty"`

	Rule    *checkRule  `json:"rule,omitempty"`
	Login   *checkLogin `json:"login,omitempty"`
	Nothing string      `json:"nothing_sent,omitempty"` // why
	Headers []string    `json:"headers"`
	Scheme  string      `json:"scheme,omitempty"`
	Expires *time.Time  `json:"expires,omitempty"`

	With    []checkHop   `json:"with,omitempty"`
	Without []checkHop   `json:"without"`
	GitHub  *checkGitHub `json:"github,omitempty"`
	Proxy   *checkProxy  `json:"proxy,omitempty"`

	Warnings      []string        `json:"warnings,omitempty"`
	SuggestedRule json.RawMessage `json:"suggested_rule,omitempty"`
	Ways          []setupWay      `json:"ways,omitempty"` // to log in anew

	now   time.Time
	place string   // of the rule, as people write it
	lines []string // the suggested rule
}

type checkRule struct {
	Place  string `json:"place"`
	Helper string `json:"helper"`
}

type checkLogin struct {
	Source     string `json:"source,omitempty"`
	Remembered bool   `json:"remembered"`
	AgeSeconds int64  `json:"age_seconds"`
}

type checkHop struct {
	Host       string           `json:"host"`
	Login      bool             `json:"login"`
	Nothing    string           `json:"nothing_sent,omitempty"` // why
	Method     string           `json:"method"`
	Status     int              `json:"status"` // 0: no answer
	SignIn     bool             `json:"sign_in,omitempty"`
	Error      string           `json:"error,omitempty"`
	Challenges []checkChallenge `json:"challenges,omitempty"`
}

type checkChallenge struct {
	Scheme string `json:"scheme"`
	Realm  string `json:"realm,omitempty"`
}

type checkGitHub struct {
	Repository   string     `json:"repository,omitempty"`
	Tree         string     `json:"tree,omitempty"`
	TreeStatus   int        `json:"tree_status,omitempty"`
	TokenExpires *time.Time `json:"token_expires,omitempty"`
}

type checkProxy struct {
	URL      string `json:"url"`
	Variable string `json:"variable"`
}

// tokenWarning is how long before its expiry a GitHub token is worth a word.
const tokenWarning = 7 * 24 * time.Hour

// report puts together what is told.
func (c *checker) report(s subject, first login, with, without, trees chain, j probe.Judgment) *checkReport {
	now := c.app.env.Now()
	r := &checkReport{
		URL: redact.Line(helpers.Display(s.asked), 400), Asked: redact.Line(helpers.Display(s.url), 400), now: now,
		OK: j.Verdict.OK(), Verdict: j.Verdict, Cause: j.Cause,
		Headers: []string{}, Scheme: first.scheme(), With: shownHops(with, without), Without: shownHops(without, without), Nothing: nothingSent(first),
	}
	c.advise(r, s, &j, with.about(s, first))
	r.Advice = redact.Line(j.Advice, 1000)
	if first.rule != nil {
		r.Rule, r.place = &checkRule{redact.Line(first.rule.Place, 300), first.rule.HelperName}, redact.Line(c.app.env.Display(first.rule.Place), 300)
	}
	for name := range first.told.Headers {
		r.Headers = append(r.Headers, name)
	}
	slices.Sort(r.Headers)
	if first.credential.Source != "" || !first.made.IsZero() {
		r.Login = &checkLogin{Source: redact.Line(first.credential.Source, 200), Remembered: !first.made.IsZero()}
		if r.Login.Remembered {
			r.Login.AgeSeconds = int64(now.Sub(first.made) / time.Second)
		}
	}
	if x := first.told.Expires; !x.IsZero() && first.sent() {
		r.Expires = &x
	}
	if via, variable := c.prober.ProxyFor(s.url); via != "" {
		r.Proxy = &checkProxy{via, variable}
	}
	r.github(s, first, with, trees)
	r.warn(s, first, with, without)
	last := with.last(s, first)
	if noRule := last.login.why() == probe.CauseNoRule; noRule && !r.OK && (j.Cause == probe.CauseNoRule || j.Verdict == probe.NotVisible) && !c.builtInWouldMatch(last.url) && redact.Scrub(last.url.Host) == last.url.Host {
		r.suggest(last.url, without.final())
	}
	return r
}

// github tells what GitHub says beyond a status.
func (r *checkReport) github(s subject, first login, with, trees chain) {
	if first.rule == nil || first.rule.HelperName != "github" {
		return
	}
	g := &checkGitHub{Repository: s.repository}
	if s.tree != nil {
		g.Tree = s.tree.Path[strings.LastIndexByte(s.tree.Path, '/')+1:]
		g.TreeStatus = trees.final().Status
	}
	if expires := probe.TokenExpiry(with.final().Header); !expires.IsZero() {
		g.TokenExpires = &expires
		if left := expires.Sub(r.now); left > 0 && left < tokenWarning {
			r.Warnings = append(r.Warnings, fmt.Sprintf("the token expires in %s; make a new one in time", days(left)))
		}
	}
	if *g != (checkGitHub{}) {
		r.GitHub = g
	}
}

func days(d time.Duration) string {
	if d < 48*time.Hour {
		return d.Round(time.Minute).String()
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}

// warn tells what is no reason for the verdict, and worth to know.
func (r *checkReport) warn(s subject, first login, with, without chain) {
	for _, answer := range []probe.Answer{with.final(), without.final()} {
		if answer.Skew != 0 && r.Cause != probe.CauseClock {
			r.Warnings = append(r.Warnings, probe.SkewText(answer.Skew)+": a token's life may be misjudged")
			break
		}
	}
	if first.sent() && !helpers.Secure(s.url) && !helpers.Loopback(s.url) {
		r.Warnings = append(r.Warnings, "the login goes over plain HTTP, where others can read it")
	}
	final, last := without.final(), without.last(s, first)
	if len(with) > 0 {
		final, last = with.final(), with.last(s, first)
	}
	if r.Verdict == probe.Public && final.HTML && !mayBePage(last.url) {
		r.Warnings = append(r.Warnings, "what everybody gets is a web page (HTML): is that what the URL should give, or the sign-in page of the server, or of a proxy before it?")
	}
	if first.unknown != nil {
		r.Warnings = append(r.Warnings, redact.Line("where the remembered answer's login came from is not known any more: "+first.unknown.Error(), 300))
	}
}

// mayBePage reports whether a URL may well be a web page's: that of a directory, as the indexes of packages are, or one that says so.
func mayBePage(u *url.URL) bool {
	return strings.HasSuffix(u.Path, "/") && u.Path != "/v2/" || strings.HasSuffix(u.Path, ".html") || strings.HasSuffix(u.Path, ".htm")
}

// nothingSent says why nothing is sent to a URL, and "" where something is.
func nothingSent(l login) string {
	switch why := l.why(); {
	case l.sent():
		return ""
	case why == probe.CausePresigned:
		return "signed already"
	case why == probe.CauseNoRule:
		return "no rule matches"
	case why == probe.CauseNoLogin:
		var missing *lookup.MissingError
		if errors.As(l.missing, &missing) {
			return redact.Line(missing.Error(), 400)
		}
		return "no login found"
	case why == probe.CauseNull && l.rule.HelperName == "null":
		return "helper null"
	case why == probe.CauseNull && l.rule.BuiltIn && strings.HasSuffix(l.noOpinion, "is not encrypted"):
		return "not encrypted"
	case why == probe.CauseNull:
		return "the helper sends nothing to this URL"
	}
	return "the server asks for no login"
}

// shownHops returns what is shown of a chain. without is the one that carried nothing.
func shownHops(hops, without chain) []checkHop {
	var all []checkHop
	var offered []probe.Challenge
	for _, h := range without {
		offered = append(offered, h.answer.Challenges...)
	}
	for _, h := range hops {
		s := checkHop{Host: redact.Line(h.host, 100), Login: h.login.sent(), Method: h.answer.Method, Status: h.answer.Status, SignIn: h.answer.SignIn}
		if h.login.rule != nil || h.login.noOpinion != "" || h.login.missing != nil {
			s.Nothing = nothingSent(h.login)
		}
		if h.answer.Failure != nil {
			s.Error = redact.Line(h.answer.Failure.Text, 400)
		}
		for _, c := range h.answer.Challenges[:min(len(h.answer.Challenges), 4)] {
			s.Challenges = append(s.Challenges, checkChallenge{probe.SchemeName(c.Scheme), probe.Realm(c.Realm, offered, h.url.Host, h.url.Path)})
		}
		all = append(all, s)
	}
	return all
}

// text says what came of a hop.
func (h checkHop) text() string {
	var text string
	switch {
	case h.Error != "" && h.Status == 0:
		return "no answer: " + h.Error
	case h.SignIn:
		text = fmt.Sprintf("%d, to a sign-in page", h.Status)
	default:
		text = strings.TrimSpace(fmt.Sprintf("%d %s", h.Status, http.StatusText(h.Status)))
	}
	if h.Method == http.MethodGet {
		text += " (by GET)"
	}
	if h.Error != "" {
		text += ": " + h.Error
	}
	if h.Status == http.StatusUnauthorized && len(h.Challenges) > 0 {
		var wants []string
		for _, c := range h.Challenges {
			want := c.Scheme
			if c.Realm != "" {
				want += fmt.Sprintf(" realm=%q", c.Realm)
			}
			wants = append(wants, want)
		}
		text += ", challenge " + strings.Join(wants, ", ")
	}
	return text
}

// suggest makes the rule that the URL most likely needs.
func (r *checkReport) suggest(u *url.URL, without probe.Answer) {
	line := fmt.Sprintf(`{"host": %q, "helper": `, u.Host)
	basic := slices.ContainsFunc(without.Challenges, func(c probe.Challenge) bool { return c.Scheme == "basic" })
	token := slices.ContainsFunc(without.Challenges, func(c probe.Challenge) bool {
		return c.Scheme == "bearer" && strings.Contains(c.Realm, "://")
	})
	label := ascii.Upper(strings.NewReplacer(".", "_", "-", "_", ":", "_", "[", "", "]", "").Replace(u.Host))
	if label[0] >= '0' && label[0] <= '9' {
		label = "HOST_" + label
	}
	switch {
	case token || strings.HasPrefix(u.Path, "/v2/") || without.Header.Get("Docker-Distribution-API-Version") != "":
		r.lines = []string{line + `"oci",`, ` "config": {"on_missing": "fail"}}`}
	case without.Header.Get("X-GitHub-Request-Id") != "" || strings.HasPrefix(u.Host, "github."):
		r.lines = []string{line + `"github",`, ` "config": {"on_missing": "fail"}}`}
	case basic:
		r.lines = []string{line + `"registry",`, fmt.Sprintf(` "config": {"username": "${%s_USER}", "password": "${%s_PASSWORD}"}}`, label, label)}
	default:
		r.lines = []string{line + `"registry",`, fmt.Sprintf(` "config": {"token": "${%s_TOKEN}"}}`, label)}
	}
	r.SuggestedRule = json.RawMessage(strings.Join(r.lines, ""))
}

// write prints the report.
func (r *checkReport) write(w io.Writer, asJSON bool) error {
	if asJSON {
		return writeJSON(w, r)
	}
	var b strings.Builder
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&b, "%-9s %s\n", label, fmt.Sprintf(format, args...))
	}
	line("url", "%s", r.URL)
	if r.Asked != r.URL {
		line("asked", "%s", r.Asked)
	}
	if r.Rule != nil {
		line("rule", "%s, helper %s", r.place, r.Rule.Helper)
	} else {
		line("rule", "none")
	}
	line("login", "%s", r.loginText())
	if len(r.Headers) > 0 {
		line("sent", "%s", strings.Join(r.sentText(), ", "))
	}
	if r.Expires != nil {
		line("expires", "%s, in %s", r.Expires.UTC().Format(time.RFC3339), r.Expires.Sub(r.now).Round(time.Second))
	}
	if r.GitHub != nil && r.GitHub.TokenExpires != nil {
		line("token", "expires %s", r.GitHub.TokenExpires.UTC().Format(time.RFC3339))
	}
	if r.Proxy != nil {
		line("proxy", "%s, from %s", r.Proxy.URL, r.Proxy.Variable)
	}
	for _, part := range []struct {
		label string
		hops  []checkHop
	}{{"with", r.With}, {"without", r.Without}} {
		for i, h := range part.hops {
			if i == 0 {
				line(part.label, "%s", h.text())
				continue
			}
			sent := ""
			if part.label == "with" {
				sent = " with its own login"
				if !h.Login {
					sent = " with nothing (" + h.Nothing + ")"
				}
			}
			line("  then", "%s%s: %s", h.Host, sent, h.text())
		}
	}
	if r.GitHub != nil && r.GitHub.Tree != "" && r.GitHub.TreeStatus != 0 {
		line("tree", "%d %s", r.GitHub.TreeStatus, http.StatusText(r.GitHub.TreeStatus))
	}
	line("verdict", "%s", r.Verdict.Text())
	if r.Advice != "" {
		line("do", "%s", r.Advice)
	}
	for _, l := range r.lines {
		line("", "%s", l)
	}
	for _, way := range r.Ways {
		line("", "%s:", way.text())
		for _, l := range way.Lines {
			line("", "  %s", l)
		}
	}
	for _, w := range r.Warnings {
		line("warning", "%s", w)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *checkReport) loginText() string {
	switch {
	case r.Login == nil && r.Nothing == "":
		return "none found; what is sent is for everybody"
	case r.Login == nil:
		return "none: " + r.Nothing
	}
	text := r.Login.Source
	if text == "" {
		text = "none"
		if r.Nothing != "" {
			text += ": " + r.Nothing
		}
	}
	if r.Login.Remembered {
		text += fmt.Sprintf(" (the answer is remembered since %s)", time.Duration(r.Login.AgeSeconds)*time.Second)
	}
	return text
}

func (r *checkReport) sentText() []string {
	var all []string
	for _, name := range r.Headers {
		if ascii.EqualFold(name, "Authorization") && r.Scheme != "" {
			name += " (" + r.Scheme + ")"
		}
		all = append(all, name)
	}
	return all
}
