package config

import "strings"

// A Glob is a pattern in which "*" matches any run of characters, also an empty one, also across "/" and ".";
// every other character matches itself. There is no escape.
type Glob struct {
	parts []string // what stands between the stars
}

// NewGlob returns the glob for pattern.
func NewGlob(pattern string) Glob {
	return Glob{parts: strings.Split(pattern, "*")}
}

// String returns the pattern.
func (g Glob) String() string { return strings.Join(g.parts, "*") }

// Match reports whether the whole of s matches. It takes time linear in the lengths of pattern and s:
// each part is found at its first place behind the one before, which is never worse than a later place.
func (g Glob) Match(s string) bool {
	if len(g.parts) == 0 {
		return s == ""
	}
	first, last := g.parts[0], g.parts[len(g.parts)-1]
	if len(g.parts) == 1 {
		return s == first
	}
	if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, part := range g.parts[1 : len(g.parts)-1] {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return true
}

// matchesEnd reports whether the glob matches some string that is longer than end and ends with it.
func (g Glob) matchesEnd(end string) bool {
	last := g.parts[len(g.parts)-1]
	if len(g.parts) == 1 {
		return len(last) > len(end) && strings.HasSuffix(last, end)
	}
	// The last star takes what is missing, on whichever side.
	return strings.HasSuffix(last, end) || strings.HasSuffix(end, last)
}
