package redact

import (
	"regexp"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/fe055d52/credential-helper/internal/ascii"
)

// maxDigits is how many digits of a foreign text are shown, and letters that stand alone: a time has 14.
const maxDigits = 14

// Said makes fit to stand in an error what a server says, which may be set on having a secret printed, or repeat one that was never met here, in any writing.
// It does what [Quote] does, and of what is left it shows those words that are known: those of a vocabulary, short numbers, and the words of own,
// which are the request's: its host, its path. An ellipsis stands for all others. It returns "" where that leaves nothing worth to be read.
//
// So no text can be made to come through that its reader, or a search, would find to be a secret. A server can still choose among the words.
func Said(text string, max int, own ...string) string {
	text, cut := strings.CutSuffix(Quote(text, max), "…")
	mine := map[string]string{}
	for _, o := range own {
		for _, word := range wordPattern().FindAllString(hideStrange(o), -1) {
			mine[ascii.Lower(word)] = word
		}
	}
	var b strings.Builder
	digits, told, hidden, all := 0, false, false, true
	between := ""
	end := 0
	for _, at := range append(wordPattern().FindAllStringIndex(text, -1), []int{len(text), len(text)}) {
		between += punctuation(text[end:at[0]])
		word := text[at[0]:at[1]]
		end = at[1]
		shown, known := word, word == ""
		switch n := strings.Count(strings.Map(digitsOnly, word), "0"); {
		case word == "":
		case n > 0 && timePattern().MatchString(word):
			digits += n
			known = digits <= maxDigits
		case mine[ascii.Lower(word)] != "":
			shown, known, told = inPlainCase(word, mine[ascii.Lower(word)]), true, true
		default:
			shown, known = inVocabulary(word)
			if len(word) == 1 {
				digits++
				known = known && digits <= maxDigits
			}
			told = told || known && utf8.RuneCountInString(word) > 2
		}
		switch {
		case known:
			if hidden && between == "" && word != "" {
				between = " "
			}
			b.WriteString(between + shown)
			between, hidden = "", hidden && word == ""
		case hidden:
			between = ""
		default:
			b.WriteString(between + "…")
			between, hidden, all = "", true, false
		}
	}
	if !told && !all {
		return ""
	}
	if text = strings.TrimSpace(b.String()); cut && !hidden {
		text += "…"
	}
	return text
}

var (
	wordPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[\pL\pN\pM]+`) })
	// timePattern is that of a number, of a life such as 30s, and of what there is of a time between its punctuation.
	timePattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(?:\d{1,4}[smhdkMGZ]?|\d\dT\d\d)$`) })
	camelCase   = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[A-Z][a-z]+|^[a-z]+|[A-Z]+$`) })
)

// inVocabulary reports whether a word is known, or consists of known words as the names of errors do (UnauthorizedAccess), and returns it as it may be shown:
// which of its letters are capitals says nothing then.
func inVocabulary(word string) (shown string, known bool) {
	lower := ascii.Lower(word)
	if vocabulary()[lower] {
		return inPlainCase(word, lower), true
	}
	parts := camelCase().FindAllString(word, -1)
	if len(parts) < 2 || len(strings.Join(parts, "")) != len(word) {
		return "", false
	}
	for _, part := range parts {
		if len(part) < 2 || !vocabulary()[ascii.Lower(part)] {
			return "", false
		}
	}
	return word, true
}

// inPlainCase returns a word, or otherwise where which of its letters are capitals could say something.
func inPlainCase(word, otherwise string) string {
	lower := ascii.Lower(word)
	if word == lower || word == ascii.Upper(word) || word == ascii.Upper(lower[:1])+lower[1:] {
		return word
	}
	return otherwise
}

// punctuation returns what is shown of what stands between two words: a few characters, as sentences have them.
func punctuation(text string) string {
	text = strings.Map(func(r rune) rune {
		if r > unicode.MaxASCII {
			return ' ' // not nothing: what stands on both sides would be one word
		}
		return r
	}, text)
	if len(text) <= 3 {
		return text
	}
	if strings.HasSuffix(text, " ") {
		return text[:2] + " "
	}
	return text[:3]
}

func digitsOnly(r rune) rune {
	if '0' <= r && r <= '9' {
		return '0'
	}
	return -1
}
