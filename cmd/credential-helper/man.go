package main

import "strings"

// manual is the manual page, in the macros of man(7): https://man.openbsd.org/man.7
func manual() string {
	var m roff
	m.macro("TH", "CREDENTIAL-HELPER", "1", "", "credential-helper", "User Commands")
	m.macro("SH", "NAME")
	_, what, _ := strings.Cut(about, " ")
	m.text("credential-helper - " + strings.TrimSuffix(what, ".") + "\n")
	m.macro("SH", "SYNOPSIS")
	m.raw(`\fBcredential\-helper\fR \fICOMMAND\fR [\fIARGUMENT\fR]...`)
	m.macro("SH", "DESCRIPTION")
	m.text(descriptionMan + "\n" + helpBazel)
	m.macro("SH", "COMMANDS")
	all := commands()
	for _, group := range groups {
		m.macro("SS", group)
		for _, c := range all {
			if c.group != group {
				continue
			}
			m.macro("TP")
			m.raw(`\fB` + m.escape(c.name) + `\fR` + m.escape(strings.TrimPrefix(c.synopsis(), c.name)))
			m.text(capital(c.summary) + ".\n")
			if c.help != "" {
				m.macro("IP")
				m.fill(c.help, "IP")
			}
			m.below(c.explained())
			m.below(c.options())
		}
	}
	m.macro("SH", "ENVIRONMENT")
	m.terms(variables)
	m.macro("SH", "FILES")
	m.terms(files)
	m.macro("PP")
	m.text(helpFiles)
	m.macro("SH", "EXIT STATUS")
	m.terms(statuses)
	m.macro("SH", "EXAMPLES")
	first := true
	for _, c := range all {
		if c.example != "" {
			if !first {
				m.macro("PP")
			}
			first = false
			m.text(capital(c.summary) + ":\n" + c.example)
		}
	}
	return m.String()
}

const descriptionMan = `A build tool asks it which headers go with a URL. It finds the secret that you already have (environment, files, a program,
the system keyring, docker login, netrc, the GitHub CLI), turns it into what that server wants, and prints the headers with the time until which they are good.
Under a name that begins with docker-credential- it speaks Docker's protocol.
`

// A roff writes a manual page.
type roff struct{ strings.Builder }

// macro writes a request with its arguments.
func (m *roff) macro(name string, args ...string) {
	m.WriteString("." + name)
	for _, arg := range args {
		m.WriteString(` "` + m.escape(arg) + `"`)
	}
	m.WriteString("\n")
}

// raw writes a line that is roff already.
func (m *roff) raw(line string) { m.WriteString(line + "\n") }

// text writes a text as fill does, in paragraphs that begin at the margin.
func (m *roff) text(text string) { m.fill(text, "PP") }

// fill writes lines that are filled, and those indented by two spaces as they are. An empty line begins a paragraph.
func (m *roff) fill(text, paragraph string) {
	asIs, ended := false, false
	set := func(want bool) {
		switch {
		case want && !asIs:
			m.raw(".RS 2\n.nf")
		case asIs && !want:
			m.raw(".fi\n.RE")
		}
		asIs = want
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		verbatim, indented := strings.CutPrefix(line, "  ")
		if line == "" {
			ended = true
			continue
		}
		set(indented)
		if ended {
			m.macro(paragraph)
		}
		ended = false
		m.raw(m.line(verbatim))
	}
	set(false)
}

// terms writes words and what they mean.
func (m *roff) terms(words []word) {
	for _, w := range words {
		m.macro("TP")
		m.raw(`\fB` + m.escape(w.name) + `\fR`)
		m.raw(m.line(w.help))
	}
}

// below writes them indented, below the term before them.
func (m *roff) below(words []word) {
	if len(words) > 0 {
		m.macro("RS")
		m.terms(words)
		m.macro("RE")
	}
}

// line escapes a line of text, which is never taken for a request.
func (m *roff) line(text string) string {
	text = m.escape(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}

// escape has characters stand for themselves: a hyphen that can be copied, quotes, and those beyond ASCII.
func (m *roff) escape(text string) string {
	return strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`, `"`, `\(dq`, "…", "...").Replace(text)
}
