package redact

import "strings"

const (
	// minStrange is the length in bytes of the shortest word that is looked at whether it was made by chance.
	minStrange = 16
	// minTurns is how often letters of the two cases and digits take turns in such a word: seven times in one of 16 hexadecimal digits,
	// and three times in 20260101T000000Z.
	minTurns = 4
)

// hideStrange replaces the words that nobody made up, whose letters and digits follow each other by chance. They may be tokens of a kind that has no shape;
// mostly they are sums and numbers that only machines read.
func hideStrange(text string) string {
	var b strings.Builder
	written := 0
	for i := 0; i < len(text); {
		n, turns, digits := 0, 0, 0
		last := byte(0)
		for ; i+n < len(text); n++ {
			kind := kindOf(text[i+n])
			if kind == 0 {
				break
			}
			if kind == 'd' {
				digits++
			}
			// A capital begins a word of those that are written together.
			if last != 0 && last != '-' && kind != '-' && kind != last && !(last == 'A' && kind == 'a') {
				turns++
			}
			last = kind
		}
		if n >= minStrange && digits > 1 && turns >= minTurns {
			b.WriteString(text[written:i])
			b.WriteString(Mark)
			written = i + n
		}
		i += max(n, 1)
	}
	b.WriteString(text[written:])
	return b.String()
}

// kindOf returns what a byte of a token is: 'a', 'A' or 'd' for a letter or a digit, '-' for what joins them, 0 for any other.
func kindOf(c byte) byte {
	switch {
	case 'a' <= c && c <= 'z':
		return 'a'
	case 'A' <= c && c <= 'Z':
		return 'A'
	case '0' <= c && c <= '9':
		return 'd'
	case c == '-', c == '_', c == '+', c == '=':
		return '-'
	}
	return 0
}
