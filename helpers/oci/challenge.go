package oci

import (
	"maps"
	"slices"
	"strings"

	"github.com/fe055d52/credential-helper/internal/ascii"
)

// Bounds on what a server may ask of the parser.
const (
	maxChallengeHeader = 16 << 10 // bytes in one header value; a longer one is ignored
	maxChallenges      = 16
	maxParams          = 32 // of one challenge
)

// A Challenge is one way to log in that a server offers in a WWW-Authenticate header (RFC 9110 §11.6.1).
type Challenge struct {
	Scheme string            // in lower case: "bearer"
	Params map[string]string // by name in lower case; empty where the challenge has none, or a token68
}

// String returns the challenge as it may stand in a header.
func (c Challenge) String() string {
	var b strings.Builder
	b.WriteString(c.Scheme)
	for i, name := range slices.Sorted(maps.Keys(c.Params)) {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(" " + name + `="`)
		for j := range len(c.Params[name]) {
			ch := c.Params[name][j]
			if ch == '"' || ch == '\\' {
				b.WriteByte('\\')
			}
			b.WriteByte(ch)
		}
		b.WriteByte('"')
	}
	return b.String()
}

// ParseChallenges reads the values of WWW-Authenticate headers. Each may hold several challenges:
//
//	WWW-Authenticate = #challenge
//	challenge        = auth-scheme [ 1*SP ( token68 / #auth-param ) ]
//	auth-param       = token BWS "=" BWS ( token / quoted-string )
//	token68          = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="
//
// Where servers stray from the grammar it goes on: empty list elements, missing commas, and characters in an unquoted value
// that a token has not (a realm's URL) are accepted. What cannot be read ends the header; the challenges before it count.
// The first of two parameters with one name counts. Scheme and parameters are not judged.
func ParseChallenges(values []string) []Challenge {
	var all []Challenge
	for _, v := range values {
		if len(v) > maxChallengeHeader {
			continue
		}
		p := challengeParser{v}
		for len(all) < maxChallenges {
			c, ok := p.challenge()
			if !ok {
				break
			}
			all = append(all, c)
		}
	}
	return all
}

// A challengeParser holds what is not yet read of a header.
type challengeParser struct{ rest string }

func (p *challengeParser) challenge() (Challenge, bool) {
	p.skip(" \t,")
	scheme := p.take(isToken)
	if scheme == "" {
		return Challenge{}, false
	}
	c := Challenge{Scheme: ascii.Lower(scheme), Params: map[string]string{}}
	if p.rest != "" && p.rest[0] != ' ' && p.rest[0] != '\t' && p.rest[0] != ',' {
		p.rest = "" // not a challenge, and no telling where the next one begins
		return Challenge{}, false
	}
	p.token68()
	for {
		name, value, ok := p.param()
		if !ok {
			return c, true
		}
		name = ascii.Lower(name)
		if _, twice := c.Params[name]; !twice && len(c.Params) < maxParams {
			c.Params[name] = value
		}
	}
}

// token68 skips a token68, if one follows that cannot be a parameter.
func (p *challengeParser) token68() {
	q := *p
	q.skip(" \t")
	if q.take(isToken68) == "" {
		return
	}
	q.skip("=")
	q.skip(" \t")
	if q.rest != "" && q.rest[0] != ',' {
		return
	}
	*p = q
}

// param reads a parameter. Without one it reads nothing: what follows is the next challenge.
func (p *challengeParser) param() (name, value string, ok bool) {
	q := *p
	q.skip(" \t,")
	name = q.take(isToken)
	q.skip(" \t")
	if name == "" || !strings.HasPrefix(q.rest, "=") {
		return "", "", false
	}
	q.rest = q.rest[1:]
	q.skip(" \t")
	if strings.HasPrefix(q.rest, `"`) {
		value, ok = q.quoted()
	} else {
		value, ok = q.take(isLooseValue), true
	}
	if !ok {
		p.rest = "" // a quoted string without an end
		return "", "", false
	}
	*p = q
	return name, value, true
}

// quoted reads a quoted-string: "\" takes the meaning off the character that follows it.
func (p *challengeParser) quoted() (string, bool) {
	var b strings.Builder
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '"':
			p.rest = p.rest[i+1:]
			return b.String(), true
		case c == '\\' && i+1 < len(p.rest):
			i++
			b.WriteByte(p.rest[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", false
}

func (p *challengeParser) skip(chars string) { p.rest = strings.TrimLeft(p.rest, chars) }

func (p *challengeParser) take(is func(byte) bool) string {
	i := 0
	for i < len(p.rest) && is(p.rest[i]) {
		i++
	}
	taken := p.rest[:i]
	p.rest = p.rest[i:]
	return taken
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// isToken reports whether c may stand in a token (RFC 9110 §5.6.2).
func isToken(c byte) bool {
	return isAlphanumeric(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

func isToken68(c byte) bool {
	return isAlphanumeric(c) || strings.IndexByte("-._~+/", c) >= 0
}

// isLooseValue accepts in an unquoted value all that could not end it.
func isLooseValue(c byte) bool {
	return c > 0x20 && c < 0x7f && c != ',' && c != '"'
}
