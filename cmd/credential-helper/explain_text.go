package main

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/inputs"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/lookup"
)

// A text is part of an explanation. Where it is written, it has no secret that was met by then.
type text string

// MarshalText writes what String returns; encoding/json uses it too.
func (t text) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

func (t text) String() string { return redact.Line(string(t), 1500) }

// An explanation is what is told of a URL. Its keys are documented in docs/explain.md.
type explanation struct {
	URL       text               `json:"url"`
	Config    *configExplained   `json:"config,omitempty"`
	Rules     []ruleExplained    `json:"rules,omitempty"`
	Advice    []text             `json:"advice,omitempty"`
	Scope     text               `json:"scope,omitempty"`
	Cache     *cacheExplained    `json:"cache,omitempty"`
	Sources   []sourceExplained  `json:"sources,omitempty"`
	Login     *loginExplained    `json:"login,omitempty"`
	Facts     []factExplained    `json:"facts,omitempty"`
	Requests  []requestExplained `json:"requests,omitempty"`
	Stopped   text               `json:"stopped,omitempty"`
	NoOpinion text               `json:"no_opinion,omitempty"`
	Answer    *answerExplained   `json:"answer,omitempty"`
	Error     *errorExplained    `json:"error,omitempty"`
}

type configExplained struct {
	NamedBy    string          `json:"named_by,omitempty"` // the variable that names the one file
	Files      []fileExplained `json:"files"`
	BuiltIn    bool            `json:"built_in"`
	WhyBuiltIn string          `json:"built_in_why"`
}

type fileExplained struct {
	Path        text   `json:"path"`
	State       string `json:"state"` // absent, read or broken
	Rules       int    `json:"rules"`
	UseDefaults bool   `json:"use_defaults"`
	Error       text   `json:"error,omitempty"`
}

type ruleExplained struct {
	Place   text   `json:"place"`
	Helper  string `json:"helper"`
	Matches bool   `json:"matches"`
	WhyNot  text   `json:"why_not,omitempty"`
	BuiltIn bool   `json:"built_in"`
}

type cacheExplained struct {
	Kind     string           `json:"kind"`  // agent, file or none
	State    string           `json:"state"` // off, unreachable, miss, hit or unused
	Why      text             `json:"why,omitempty"`
	Stored   *time.Time       `json:"stored,omitempty"`
	Until    *time.Time       `json:"until,omitempty"`
	Volatile bool             `json:"volatile,omitempty"`
	Negative bool             `json:"negative,omitempty"`
	Changed  []inputExplained `json:"changed,omitempty"`
}

type inputExplained struct {
	Kind string `json:"kind"` // env, file or environ
	Name text   `json:"name,omitempty"`
}

type sourceExplained struct {
	Source     text           `json:"source"`
	Binding    string         `json:"binding,omitempty"`
	Outcome    lookup.Outcome `json:"outcome"`
	From       text           `json:"from,omitempty"`
	Reason     text           `json:"reason,omitempty"`
	Hint       text           `json:"hint,omitempty"`
	DidYouMean text           `json:"did_you_mean,omitempty"` // a variable that is set, and named nearly the same
}

type loginExplained struct {
	Source   text `json:"source,omitempty"` // empty where there is none, and the rule goes on without
	Username text `json:"username,omitempty"`
}

type requestExplained struct {
	Method string `json:"method"`
	URL    text   `json:"url"`
	Sent   bool   `json:"sent"`
	Status int    `json:"status,omitempty"` // 0 where there was no answer
	Proxy  text   `json:"proxy,omitempty"`
}

type factExplained struct {
	Name string `json:"name"`
	Text text   `json:"text"`
}

type answerExplained struct {
	Headers []headerExplained `json:"headers"`
	Expires *time.Time        `json:"expires,omitempty"`
	Bazel   string            `json:"bazel"`
}

type headerExplained struct {
	Name  string `json:"name"`
	Shown text   `json:"shown"`
}

type errorExplained struct {
	Text text `json:"text"`
	Hint text `json:"hint,omitempty"`
}

// clock tells when, by the clock on the wall, and in how long.
func clock(t, now time.Time) string {
	layout := "15:04:05"
	if t.Local().Format(time.DateOnly) != now.Local().Format(time.DateOnly) {
		layout = time.DateTime
	}
	return fmt.Sprintf("%s (in %s)", t.Local().Format(layout), span(t.Sub(now)))
}

// span is a duration as people say it.
func span(d time.Duration) string {
	switch d = d.Round(time.Second); {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// A section of the text is a title, and rows under it.
type section struct {
	title string
	rows  [][2]string
}

func (s *section) row(label text, format string, args ...any) {
	s.rows = append(s.rows, [2]string{label.String(), text(fmt.Sprintf(format, args...)).String()})
}

// maxRules is how many rules are told of one by one that are for other hosts.
const maxRules = 12

// write writes the explanation for a person.
func (e explanation) write(w io.Writer, at *env.Env) error {
	if e.URL == "" {
		return nil // it is no URL, as the error says
	}
	short := func(path text) text { return text(at.Display(string(path))) }
	sections := []section{e.configSection(short), e.ruleSection(short), e.cacheSection(short, at.Now()), e.sourceSection(), e.serverSection(), e.answerSection()}
	var out strings.Builder
	fmt.Fprintf(&out, "%s\n", e.URL)
	for _, s := range sections {
		if len(s.rows) == 0 {
			continue
		}
		fmt.Fprintf(&out, "\n%s\n", s.title)
		width := 0
		for _, r := range s.rows {
			if n := utf8.RuneCountInString(r[0]); n > width && n <= 60 {
				width = n
			}
		}
		for _, r := range s.rows {
			fmt.Fprintln(&out, strings.TrimRight(fmt.Sprintf("  %-*s  %s", width, r[0], r[1]), " "))
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func (e explanation) configSection(short func(text) text) section {
	s := section{title: "Configuration"}
	if e.Config == nil {
		return s
	}
	for _, f := range e.Config.Files {
		said := ""
		if e.Config.NamedBy != "" {
			said = ", named by $" + e.Config.NamedBy
		}
		switch {
		case f.State == "absent":
			s.row(short(f.Path), "not there%s", said)
		case f.State == "broken":
			s.row(short(f.Path), "broken%s", said)
		case f.Rules == 1:
			s.row(short(f.Path), "1 rule%s", said)
		default:
			s.row(short(f.Path), "%d rules%s", f.Rules, said)
		}
	}
	s.row("built-in rules", "%s", e.Config.WhyBuiltIn)
	return s
}

func (e explanation) ruleSection(short func(text) text) section {
	s := section{title: "Rule"}
	others, builtIn := 0, 0
	for _, r := range e.Rules {
		elsewhere := strings.HasPrefix(string(r.WhyNot), "the host is not ")
		switch {
		case r.Matches:
		case r.BuiltIn && elsewhere:
			builtIn++
			continue
		case elsewhere && len(e.Rules) > maxRules:
			others++
			continue
		}
		if !r.Matches {
			s.row(short(r.Place), "no: %s", r.WhyNot)
			continue
		}
		if others > 0 {
			s.row(text(fmt.Sprintf("%d other rules", others)), "no: they are for other hosts")
			others = 0
		}
		s.row(short(r.Place), "yes: the helper %s", r.Helper)
	}
	if others > 0 {
		s.row(text(fmt.Sprintf("%d other rules", others)), "no: they are for other hosts")
	}
	if builtIn > 0 && !e.Rules[len(e.Rules)-1].Matches {
		s.row(text(fmt.Sprintf("%d built-in rules", builtIn)), "no: they are for other hosts")
	}
	for _, a := range e.Advice {
		s.row("what would help", "%s", a)
	}
	if e.Scope != "" {
		s.row("scope", "%s", e.Scope)
	}
	return s
}

func (e explanation) cacheSection(short func(text) text, now time.Time) section {
	s := section{title: "Cache"}
	c := e.Cache
	if c == nil {
		return s
	}
	switch c.State {
	case "off", "unreachable":
		s.row(text(c.Kind), "%s", c.Why)
		if c.Kind == "none" {
			s.rows[0][0] = "off"
		}
		return s
	case "miss":
		s.row(text(c.Kind), "nothing is kept for this scope")
		return s
	}
	age := span(now.Sub(*c.Stored))
	if c.State == "unused" {
		s.row(text(c.Kind), "an answer from %s ago is not used%s", age, because(c.Why))
		for _, in := range c.Changed {
			s.row("changed since", "%s", in.shown(short))
		}
		return s
	}
	s.row(text(c.Kind), "hit: get answers with what was found %s ago; what follows was found just now", age)
	kept := ""
	if c.Volatile {
		kept = "; not longer, because it depends on what nobody tells changes of, like a keyring or a program"
	}
	s.row("kept until", "%s%s", clock(*c.Until, now), kept)
	return s
}

func because(why text) string {
	if why == "" {
		return ""
	}
	return ": " + string(why)
}

func (in inputExplained) shown(short func(text) text) string {
	switch in.Kind {
	case inputs.Env:
		return "$" + string(in.Name)
	case inputs.File:
		return "the file " + string(short(in.Name))
	}
	return "the environment that a program was given"
}

func (e explanation) sourceSection() section {
	s := section{title: "Login"}
	for _, a := range e.Sources {
		label := a.Source
		if a.Binding != "" && a.Binding != lookup.Default {
			label += text(" (" + a.Binding + ")")
		}
		why := because(a.Reason + a.From)                      // what was found has no reason
		if a.Hint != "" && a.Outcome != lookup.OutcomeBroken { // that hint is the error's
			why += " (" + string(a.Hint) + ")"
		}
		if a.DidYouMean != "" {
			why += " (" + string(a.DidYouMean) + " is set; is that the one?)"
		}
		s.row(label, "%s%s", a.Outcome, why)
	}
	switch {
	case e.Login == nil:
	case e.Login.Source == "":
		s.row("used", "none: the rule goes on without a login (anonymous)")
	case e.Login.Username != "":
		s.row("used", "%s, user name %s", e.Login.Source, e.Login.Username)
	default:
		s.row("used", "%s", e.Login.Source)
	}
	return s
}

func (e explanation) serverSection() section {
	s := section{title: "How the answer is made"}
	for _, r := range e.Requests {
		became := fmt.Sprint(r.Status)
		switch {
		case !r.Sent:
			became = "not sent (--offline)"
		case r.Status == 0:
			became = "no answer"
		}
		if r.Proxy != "" {
			became += ", by way of the proxy " + string(r.Proxy)
		}
		s.row("request", "%s %s: %s", r.Method, r.URL, became)
	}
	for _, f := range e.Facts {
		s.row(text(f.Name), "%s", f.Text)
	}
	return s
}

func (e explanation) answerSection() section {
	s := section{title: "Answer"}
	if e.NoOpinion != "" {
		s.row("none", "%s", e.NoOpinion)
	}
	switch {
	case e.Stopped != "":
		s.row("not known", "%s", e.Stopped)
	case e.Error != nil:
		s.row("none", "it fails, as the error says")
	case e.Answer != nil:
		if len(e.Answer.Headers) == 0 && e.NoOpinion == "" {
			s.row("none", "no headers are needed, or there is no login to make them from")
		}
		for _, h := range e.Answer.Headers {
			shown, more, cut := strings.Cut(string(h.Shown), ", ")
			if cut {
				shown += fmt.Sprintf(" and %d more", strings.Count(more, ", ")+1)
			}
			s.row(text(h.Name), "%s", shown)
		}
		s.row("for Bazel", "%s", e.Answer.Bazel)
	}
	return s
}
