package helpers

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// checkPath refuses backslashes, which are slashes to some servers, and dot segments: plain, percent-encoded (once more than they were decoded),
// with parameters or spaces behind them, in characters that Unicode takes for dots and slashes, or in overlong UTF-8.
// A server may resolve them after a rule was chosen by what stands before them.
func checkPath(path string) error {
	backslash := strings.Contains(path, `\`)
	for range 4 {
		if err := checkBytes(path); err != nil {
			return err
		}
		for seg := range strings.FieldsFuncSeq(strings.Map(plainMark, path), func(r rune) bool { return r == '/' || r == '\\' }) {
			if dotSegment(seg) {
				return errors.New("the URL's path has dot segments (. or ..); resolve them first")
			}
		}
		if backslash {
			return errors.New("the URL's path has an encoded backslash (%5c)")
		}
		next := unescape(path)
		if next == path {
			return nil
		}
		path = next
	}
	return errors.New("the URL's path is percent-encoded more than four times")
}

// checkBytes refuses control characters, and bytes that a careless decoder of UTF-8 takes for an ASCII character (RFC 3629 §10): C0 AE for a dot.
func checkBytes(path string) error {
	for i := range len(path) {
		switch c := path[i]; {
		case c < 0x20 || c == 0x7f:
			return fmt.Errorf("the URL's path has an encoded control character (0x%02x)", c)
		case c&0xfe == 0xc0 && continues(path[i+1:], 1),
			c == 0xe0 && continues(path[i+1:], 2) && path[i+1]&0xfe == 0x80,
			c == 0xf0 && continues(path[i+1:], 3) && path[i+1] == 0x80 && path[i+2]&0xfe == 0x80:
			return errors.New("the URL's path has an ASCII character in overlong UTF-8")
		}
	}
	return nil
}

// continues reports whether text begins with n bytes that continue a character of UTF-8.
func continues(text string, n int) bool {
	for i := range n {
		if i >= len(text) || text[i]&0xc0 != 0x80 {
			return false
		}
	}
	return true
}

// plainMark returns the dot, slash or backslash that compatibility mappings (NFKC, Windows' best fit) make of r, and else r itself.
func plainMark(r rune) rune {
	switch r {
	case '\uff0e', '\u2024', '\ufe52':
		return '.'
	case '\uff0f', '\u2215', '\u2044':
		return '/'
	case '\uff3c', '\ufe68':
		return '\\'
	case '\uff1b':
		return ';'
	}
	return r
}

// dotSegment reports whether a server may take a segment for "." or "..": also with a parameter behind it, with spaces, which Windows drops,
// or before a mark at which a path that is parsed once more ends.
func dotSegment(seg string) bool {
	name, _, _ := strings.Cut(seg, ";")
	name = strings.TrimRight(name, " ")
	if name == "." {
		return true
	}
	if i := strings.IndexAny(name, "?#"); i >= 0 {
		name = name[:i]
	}
	return name == ".." || name == "\u2025"
}

// unescape decodes percent-encoding and leaves what is none as it is: so do servers that decode more than once.
func unescape(path string) string {
	if !strings.Contains(path, "%") {
		return path
	}
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if c := path[i]; c == '%' && i+2 < len(path) {
			if v, err := strconv.ParseUint(path[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(v))
				i += 2
				continue
			}
		}
		b.WriteByte(path[i])
	}
	return b.String()
}
