//go:build unix

package main

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
)

// canaries are what is looked for: one for each input that holds a secret, so that a hit tells which one got out.
type canaries struct {
	near map[string]string // each run of nearBytes bytes of a writing of a canary, in lower case → the canary's name
	hex  map[string]string // the same of nearHex hexadecimal digits
}

// As little as this of a canary is one too many. What is allowed to be told of a secret is its length, and a prefix that all of its kind have.
const (
	nearBytes = 10
	nearHex   = 2 * nearBytes
)

// value returns the canary of an input. It is the same in each run, and consists of what no escaping changes: neither URLs' nor JSON's.
func (c *canaries) value(name string) string {
	sum := sha256.Sum256([]byte("canary of " + name))
	text := "cn" + hex.EncodeToString(sum[:11])
	c.add(name, text)
	return text
}

// add has a text looked for, in all of its writings.
func (c *canaries) add(name, text string) {
	for _, form := range writings(text) {
		form = strings.ToLower(form)
		for i := 0; i+nearBytes <= len(form); i++ {
			c.near[form[i:i+nearBytes]] = name
		}
	}
	for _, form := range []string{hex.EncodeToString([]byte(text)), backwards(hex.EncodeToString([]byte(text)))} {
		for i := 0; i+nearHex <= len(form); i++ {
			c.hex[form[i:i+nearHex]] = name
		}
	}
}

// writings returns how a text may be written: as it is, rotated by 13 letters, in base32 and base64, which look different
// for each place in which a group can begin; and all that reversed. Others come down to these without what stands between.
func writings(text string) []string {
	all := []string{text, strings.Map(rotate, text)}
	for i := range 5 {
		filled := []byte("xxxxx"[:i] + text)
		all = append(all, base32.StdEncoding.EncodeToString(filled)[(8*i+4)/5:8*len(filled)/5])
		if i < 3 {
			all = append(all, base64.StdEncoding.EncodeToString(filled)[(8*i+5)/6:8*len(filled)/6])
		}
	}
	for _, form := range all {
		all = append(all, backwards(form))
	}
	return all
}

// in returns the names of the canaries that are in a text, and where the first stands.
func (c *canaries) in(text string) (names map[string]bool, context string) {
	names = map[string]bool{}
	text = strings.ToLower(text)
	// A second look passes over what may stand between: the percent signs of a URL, the escapes of JSON, line ends.
	for _, text := range []string{text, bare(text)} {
		for i := 0; i+nearBytes <= len(text); i++ {
			name, ok := c.near[text[i:i+nearBytes]]
			if !ok && i+nearHex <= len(text) {
				name, ok = c.hex[text[i:i+nearHex]]
			}
			if ok {
				names[name] = true
				if context == "" {
					context = text[max(0, i-120):min(len(text), i+60)]
				}
			}
		}
	}
	return names, context
}

var escapes = strings.NewReplacer(`\u00`, "", `\x`, "", "&#x", "", `\n`, "", `\r`, "", "=\n", "", "%0a", "", "%0d", "")

// bare returns the letters and digits of a text.
func bare(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, escapes.Replace(text))
}

func backwards(text string) string {
	b := []byte(text)
	slices.Reverse(b)
	return string(b)
}

func rotate(r rune) rune {
	switch {
	case 'a' <= r && r <= 'z':
		return 'a' + (r-'a'+13)%26
	case 'A' <= r && r <= 'Z':
		return 'A' + (r-'A'+13)%26
	}
	return r
}

// TestCanariesAreSeen holds that the search sees a canary in each writing of it, and in each part that is worth something.
func TestCanariesAreSeen(t *testing.T) {
	c := canaries{map[string]string{}, map[string]string{}}
	secret := c.value("x")
	for name, text := range map[string]string{
		"plain": secret, "upper case": strings.ToUpper(secret), "part": secret[5:17], "reversed": backwards(secret), "rotated": strings.Map(rotate, secret),
		"hex": hex.EncodeToString([]byte(secret)), "percent": percent(secret), "JSON": escaped(secret), "quoted-printable": strings.ReplaceAll(percent(secret), "%", "="),
		"lines": secret[:5] + "\r\n" + secret[5:9] + "\n  " + secret[9:], "base32": base32.HexEncoding.EncodeToString(nil) + base32.StdEncoding.EncodeToString([]byte("abc"+secret)),
		"base64": base64.StdEncoding.EncodeToString([]byte("user:" + secret)), "base64, half": base64.URLEncoding.EncodeToString([]byte("u:" + secret[:14])),
		"base64, reversed": backwards(base64.RawURLEncoding.EncodeToString([]byte("a" + secret))), "base64, in lines": base64.StdEncoding.EncodeToString([]byte(secret))[:11] + "\n" + base64.StdEncoding.EncodeToString([]byte(secret))[11:],
	} {
		if names, _ := c.in("before " + text + " after"); !names["x"] {
			t.Errorf("%s is not seen: %q", name, text)
		}
	}
	if names, context := c.in("before after " + secret[:9]); len(names) > 0 {
		t.Errorf("seen: %q", context)
	}
}

func percent(text string) string {
	return "%" + strings.TrimSuffix(strings.ReplaceAll(hexPairs(text), " ", "%"), "%")
}

func escaped(text string) string {
	return `\u00` + strings.TrimSuffix(strings.ReplaceAll(hexPairs(text), " ", `\u00`), `\u00`)
}

func hexPairs(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		b.WriteString(hex.EncodeToString([]byte{c}) + " ")
	}
	return b.String()
}
