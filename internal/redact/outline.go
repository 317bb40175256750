package redact

import (
	"fmt"
	"regexp"
	"sync"
	"unicode/utf8"
)

// prefixes are those that a kind of token begins with, and which are no secret: their issuers tell everybody.
var prefixes = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:gh[a-z]_|github_pat_|gl[a-z]{2,6}-|npm_|srg_|pypi-|dckr_(?:pat|oat)_|rubygems_|cio|eyJ)`)
})

// Outline returns what may be told of a secret to whom looks for the reason that it does not work: the prefix that says what kind of token it is,
// where it has one of those that are publicly known, and its length. It is "" for the zero Secret.
func (s Secret) Outline() string {
	if s.IsZero() {
		return ""
	}
	text := s.Reveal()
	n := utf8.RuneCountInString(text)
	prefix := prefixes().FindString(text)
	if n < 3*len(prefix) { // what is left would not be much
		prefix = ""
	}
	unit := "characters"
	if n == 1 {
		unit = "character"
	}
	return fmt.Sprintf("%s…(%d %s)", prefix, n, unit)
}
