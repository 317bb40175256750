// Package redact keeps secrets out of everything that a person or a log can read.
//
// A secret travels through the program as a [Secret], which prints as "[redacted]" in every format verb,
// in JSON and in slog; only Reveal gives its text. Text that others wrote (a server's error, a program's stderr)
// passes through [Said], [Quote] or [Scrub] before it becomes part of an error or a log line.
package redact

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/url"
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
	texts map[string]bool
	// sought are the texts and their forms, the longest first: a secret may contain another one. met are the texts alone, the shortest first.
	// They are made when they are wanted, nil where texts has grown since, and never changed: who has them needs no lock.
	sought, met []string
}

const (
	// minKnown is the length in bytes below which a text is too common to be searched for.
	minKnown = 4
	// maxForms is the length in bytes above which a text is searched for as it is alone.
	maxForms = 8 << 10
)

// Remember makes [Scrub] replace text wherever it stands, as it is and in the forms in which it travels: escaped for a query, a path or JSON,
// and in base64. Of one of 10 bytes or more that goes for each part of that length too, in letters of any case, in hexadecimal digits, base32 or base64, and reversed.
// Texts of fewer than 4 bytes are ignored; of those of more than 8 KiB only the text itself is replaced.
func Remember(text string) {
	if len(text) < minKnown {
		return
	}
	known.Lock()
	defer known.Unlock()
	if known.texts[text] {
		return
	}
	if known.texts == nil {
		known.texts = map[string]bool{}
	}
	known.texts[text] = true
	known.sought = nil
}

// sought returns what is to be replaced, the longest first, and the secrets themselves, the shortest first.
func sought() (all, met []string) {
	known.Lock()
	defer known.Unlock()
	if known.sought == nil {
		all := make([]string, 0, 8*len(known.texts))
		for text := range known.texts {
			met = append(met, text)
			all = append(all, text)
			if len(text) <= maxForms {
				all = append(all, forms(text)...)
			}
		}
		byLength := func(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(a, b)) }
		slices.SortFunc(met, byLength)
		slices.SortFunc(all, func(a, b string) int { return byLength(b, a) })
		known.sought, known.met = slices.Compact(all), met
	}
	return known.sought, known.met
}

// forms returns how a text looks in a query, in a path, in JSON and in base64.
func forms(text string) []string {
	all := []string{url.QueryEscape(text), url.PathEscape(text)}
	for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		all = append(all, e.EncodeToString([]byte(text)))
	}
	for _, html := range []bool{true, false} {
		var b strings.Builder
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(html)
		if e.Encode(text) == nil {
			quoted := strings.TrimSuffix(b.String(), "\n")
			all = append(all, quoted[1:len(quoted)-1])
		}
	}
	return all
}

// A shape is a pattern that credentials have, and what is left of it.
type shape struct {
	pattern *regexp.Regexp
	with    string
}

// shapes are what credentials look like wherever they stand. They and loose are compiled on first use: no successful get needs them.
var shapes = sync.OnceValue(func() []shape {
	return []shape{
		// User info is one without a password, too: a token often stands alone. One slash is what is left of a URL that was taken for a path.
		{regexp.MustCompile(`\b([A-Za-z][A-Za-z0-9+.-]+:/{1,2})[^/\s@]+@`), "${1}" + Mark + "@"},
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
func Scrub(text string) string { return replace(replaceKnown(text), shapes()) }

func replaceKnown(text string) string {
	all, met := sought()
	return hideParts(replaceWhole(text, all), met)
}

func replaceWhole(text string, all []string) string {
	for _, t := range all {
		if strings.Contains(text, t) {
			text = strings.ReplaceAll(text, t, Mark)
		}
	}
	return text
}

// Cut returns text if it is no longer than max bytes. Of a longer one it returns the beginning, such that no secret is cut in two,
// whose first half nobody would recognise: secrets that were met are replaced, and it ends at white space or behind one of them,
// and not with the beginning of another.
func Cut(text string, max int) string {
	if len(text) <= max {
		return text
	}
	secrets, _ := sought()
	text = replaceWhole(text[:max], secrets)
	end := 0
	if i := strings.LastIndex(text, Mark); i >= 0 {
		end = i + len(Mark)
	}
	// Without either, nothing tells where a secret could have begun: nothing is left.
	text = text[:end] + strings.TrimRightFunc(text[end:], func(r rune) bool { return !unicode.IsSpace(r) })
	for again := true; again; {
		text, again = strings.TrimRightFunc(text, unicode.IsSpace), false
		for _, t := range secrets {
			if n := overlap(text, t); n > 0 {
				text, again = text[:len(text)-n], true
			}
		}
	}
	return text
}

// overlap returns the length of the longest end of text with which secret begins and goes on.
func overlap(text, secret string) int {
	if text == "" {
		return 0
	}
	last := text[len(text)-1]
	for n := min(len(text), len(secret)-1); n > 0; n-- {
		if n = strings.LastIndexByte(secret[:n], last) + 1; n > 0 && strings.HasSuffix(text, secret[:n]) {
			return n
		}
	}
	return 0
}

func replace(text string, all []shape) string {
	for _, s := range all {
		text = s.pattern.ReplaceAllString(text, s.with)
	}
	return text
}

// Line makes the program's own text fit for one line: scrubbed, without control characters, and cut to about max bytes.
func Line(text string, max int) string { return line(text, max, nil) }

// Quote makes foreign text fit to stand in an error: as Line does, and with an eye for more that may be a secret. What a server says is for [Said].
func Quote(text string, max int) string { return line(text, max, loose()) }

func line(text string, max int, more []shape) string {
	// Far beyond what is shown nothing is read, so that a huge text costs nothing.
	shown := Cut(text, max+16<<10)
	shortened := len(shown) < len(text)
	text = Scrub(shown)
	if more != nil {
		text = hideStrange(replace(text, more))
	}
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " ")
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
	// Once more: what was two words with a line between them may be a secret now.
	text = replaceKnown(text)
	if len(text) <= max && !shortened {
		return text
	}
	cut := min(max, len(text))
	for cut > 0 && cut < len(text) && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}
