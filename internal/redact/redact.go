// Package redact keeps secrets out of everything that a person or a log can read.
//
// A secret travels through the program as a [Secret], which prints as "[redacted]" in every format verb,
// in JSON and in slog; only Reveal gives its text. Text that others wrote (a server's error, a program's stderr)
// passes through [Quote] or [Scrub] before it becomes part of an error or a log line.
package redact

import (
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Mark stands where a secret was.
const Mark = "[redacted]"

// A Secret is a string that does not print itself. Its zero value is the absent secret.
//
// The text is held behind a pointer: fmt does not call methods of unexported fields,
// and would print the text of a Secret nested in one.
type Secret struct {
	text *string
}

// New returns a Secret that holds text, and remembers text so that [Scrub] finds it.
// An empty text gives the zero Secret.
func New(text string) Secret {
	Remember(text)
	return Hold(text)
}

// Hold is like New, but does not remember text: for values that are handled like secrets and may be as common
// as the user name "docker", which must not vanish from every message.
func Hold(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: &text}
}

// Reveal returns the secret text. Call it where the text leaves for the place that it is meant for, and nowhere else.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s.text == nil }

// String returns [Mark], or nothing for the zero Secret.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return Mark
}

// Format writes what String returns, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText writes what String returns; encoding/json uses it too.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue gives slog what String returns.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// known holds every secret text that this process has met. It is process-wide on purpose:
// it is the last line of defence, and must also know the secrets of code that forgot to use it.
var known struct {
	sync.Mutex
	texts []string
}

// minKnown is the length below which a text is too common to be searched for.
const minKnown = 4

// Remember makes [Scrub] replace text wherever it stands. Texts of fewer than 4 bytes are ignored.
func Remember(text string) {
	if len(text) < minKnown {
		return
	}
	known.Lock()
	defer known.Unlock()
	if slices.Contains(known.texts, text) {
		return
	}
	known.texts = append(known.texts, text)
	// The longest first: a secret may contain another one.
	slices.SortFunc(known.texts, func(a, b string) int { return len(b) - len(a) })
}

// A shape is a pattern that credentials have, and what is left of it.
type shape struct {
	pattern *regexp.Regexp
	with    string
}

// shapes are what credentials look like wherever they stand. They and loose are compiled on first use: no successful get needs them.
var shapes = sync.OnceValue(func() []shape {
	return []shape{
		{regexp.MustCompile(`://[^/\s@]*:[^/\s@]*@`), "://" + Mark + "@"},
		{regexp.MustCompile(`\b(?:gh[a-z]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,}|glpat-[A-Za-z0-9_-]{16,}|npm_[A-Za-z0-9]{16,}|srg_[A-Za-z0-9]{8,}|AKIA[A-Z0-9]{12,})`), Mark},
		{regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?`), Mark},
		{regexp.MustCompile(`(?i)([?&](?:sig|signature|x-amz-[a-z-]+|x-goog-[a-z-]+)=)[^\s&"']+`), "${1}" + Mark},
	}
})

// loose are shapes that also match words of a sentence ("Basic authentication", "the token: expired").
// They are for foreign text, where a lost word does no harm.
var loose = sync.OnceValue(func() []shape {
	return []shape{
		{regexp.MustCompile(`(?i)\b(bearer|basic)(\s+)[A-Za-z0-9+/=._~-]{8,}`), "${1}${2}" + Mark},
		{regexp.MustCompile(`(?i)\b([a-z_-]*(?:password|passwd|secret|token|api[_-]?key)["']?\s*[=:]\s*["']?)[^\s"',;&]{4,}`), "${1}" + Mark},
	}
})

// Scrub replaces in text every secret that was met so far, and whatever has the shape of a credential.
func Scrub(text string) string {
	known.Lock()
	texts := known.texts
	known.Unlock()
	for _, t := range texts {
		if strings.Contains(text, t) {
			text = strings.ReplaceAll(text, t, Mark)
		}
	}
	return replace(text, shapes())
}

func replace(text string, all []shape) string {
	for _, s := range all {
		text = s.pattern.ReplaceAllString(text, s.with)
	}
	return text
}

// Line makes the program's own text fit for one line: scrubbed, without control characters, and cut to about max bytes.
func Line(text string, max int) string { return line(text, max, nil) }

// Quote makes foreign text fit to stand in an error: as Line does, and with an eye for more that may be a secret.
func Quote(text string, max int) string { return line(text, max, loose()) }

func line(text string, max int, more []shape) string {
	// Far beyond what is shown nothing is read, so that a huge text costs nothing.
	// A margin is kept: a secret that is cut in half would not be recognised.
	if limit := max + 16<<10; len(text) > limit {
		text = text[:limit]
	}
	text = replace(Scrub(strings.ToValidUTF8(text, "?")), more)
	text = strings.Join(strings.Fields(text), " ")
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
	if len(text) <= max {
		return text
	}
	cut := max
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}
