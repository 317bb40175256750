// Package ascii folds case as hosts, schemes and names of headers are compared: A to Z, and nothing else.
//
// What package strings folds is Unicode: there "İ" becomes "i", and the Kelvin sign becomes "k". A host that is spelled with one of them
// would be taken for another (RFC 4343 §3: names in DNS are folded in ASCII).
package ascii

// Lower returns s with the letters A to Z in lower case.
func Lower(s string) string { return fold(s, 'A', 'Z') }

// Upper returns s with the letters a to z in upper case.
func Upper(s string) string { return fold(s, 'a', 'z') }

func fold(s string, first, last byte) string {
	for i := range len(s) {
		if first <= s[i] && s[i] <= last {
			b := []byte(s)
			for ; i < len(b); i++ {
				if first <= b[i] && b[i] <= last {
					b[i] ^= 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}

// EqualFold reports whether a and b are the same but for the case of A to Z.
func EqualFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
