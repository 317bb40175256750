package redact

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"
)

const (
	// minPart is the length in bytes of the shortest part of a secret that is searched for: of fewer bytes, words have too many in common.
	minPart = 10
	// minWords is the same of a part that has no digit, which may be a word like any other.
	minWords = 16
	// maxLoud is how many bytes of secrets are searched for in parts, the shortest secrets first: a program may print megabytes that count as secret.
	maxLoud = 256 << 10
	// partBytes are those that the parts consist of which are searched for: those of tokens and of the encodings, in lower case.
	partBytes = "abcdefghijklmnopqrstuvwxyz0123456789-_+="
)

// hideParts replaces what is left of a secret that was cut, spelled in letters of another case, reversed, or written in hexadecimal digits, in base32 or,
// among other bytes, in base64: each run of a text that has minPart bytes or more in common with the spellings of secrets that were met.
//
// The text is what is taken apart, because it is short. The secrets are read through once.
func hideParts(text string, secrets []string) string {
	lower := lowerASCII(text)
	windows := map[string]bool{}
	var begins [1 << 13]bool // a quick look at the first bytes tells most of what is not among the windows
	for i, n := 0, 0; i < len(lower); i++ {
		if n++; strings.IndexByte(partBytes, lower[i]) < 0 {
			n = 0
		}
		if n >= minPart {
			window := lower[i+1-minPart : i+1]
			windows[window], begins[beginning(window)] = false, true
		}
	}
	if len(windows) == 0 {
		return text
	}
	met, loud := false, 0
	for _, secret := range secrets {
		if len(secret) < minPart || len(secret) > maxForms {
			continue
		}
		if loud += len(secret); loud > maxLoud {
			break
		}
		for _, form := range spellings(secret) {
			for i := 0; i+minPart <= len(form); i++ {
				if !begins[beginning(form[i:])] {
					continue
				}
				if hit, ok := windows[form[i:i+minPart]]; ok && !hit {
					windows[form[i:i+minPart]], met = true, true
				}
			}
		}
	}
	if !met {
		return text
	}
	var b strings.Builder
	written := 0
	for i := 0; i+minPart <= len(lower); i++ {
		end := i
		for next := i; next <= end && next+minPart <= len(lower); next++ {
			if windows[lower[next:next+minPart]] {
				end = next + minPart
			}
		}
		if run := lower[i:end]; len(run) >= minWords || strings.ContainsAny(run, "0123456789") {
			b.WriteString(text[written:i])
			b.WriteString(Mark)
			written = end
		}
		i = max(i, end-1)
	}
	b.WriteString(text[written:])
	return b.String()
}

// beginning returns a number for the first four bytes of text.
func beginning(text string) uint32 {
	return binary.LittleEndian.Uint32([]byte(text[:4])) * 2654435761 >> 19
}

// spellings returns how a secret may be spelled, in lower case.
func spellings(secret string) []string {
	var all []string
	fields := strings.Fields(secret)
	for _, field := range fields {
		// What has other bytes than a token, such as a line of JSON, has parts that are no secret.
		token := lowerASCII(field)
		if strings.Trim(token, partBytes+"./~:") == "" && (len(fields) == 1 || len(token) >= minWords && strings.ContainsAny(token, "0123456789")) {
			all = append(all, token[max(0, min(len(prefixes().FindString(field))+1-minPart, len(token))):]) // a prefix is told
		}
	}
	data := []byte(secret)
	digits := hex.EncodeToString(data)
	all = append(all, lowerASCII(reversed(secret)), digits, reversed(digits), within64(base64.RawStdEncoding, []byte(reversed(secret)), 0))
	for i := range 5 { // a group of base32 has five bytes, one of base64 three, and the secret may begin at each of them
		filled := append([]byte("xxxxx")[:i:i], data...)
		all = append(all, lowerASCII(base32.StdEncoding.EncodeToString(filled)[(8*i+4)/5:8*len(filled)/5]))
		if i < 3 {
			all = append(all, within64(base64.RawStdEncoding, filled, i), within64(base64.RawURLEncoding, filled, i))
		}
	}
	return all
}

// within64 returns the digits for data that depend on nothing but what stands behind its first n bytes.
func within64(e *base64.Encoding, data []byte, n int) string {
	return lowerASCII(e.EncodeToString(data)[(8*n+5)/6 : 8*len(data)/6])
}

func reversed(text string) string {
	b := []byte(text)
	slices.Reverse(b)
	return string(b)
}

// lowerASCII returns text in lower case and of the same length.
func lowerASCII(text string) string {
	b := []byte(text)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
