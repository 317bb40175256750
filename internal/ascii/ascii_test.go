package ascii

import "testing"

func TestFold(t *testing.T) {
	for _, tt := range []struct{ in, lower, upper string }{
		{"", "", ""},
		{"example.com", "example.com", "EXAMPLE.COM"},
		{"GitHub.COM:443", "github.com:443", "GITHUB.COM:443"},
		{"@[`{", "@[`{", "@[`{"},
		{"gİthub", "gİthub", "GİTHUB"},
		{"gıthub", "gıthub", "GıTHUB"},
		{"\u212a.test", "\u212a.test", "\u212a.TEST"}, // the Kelvin sign
		{"ſ", "ſ", "ſ"},
		{"Ä\xff", "Ä\xff", "Ä\xff"},
	} {
		if got := Lower(tt.in); got != tt.lower {
			t.Errorf("Lower(%q) = %q, want %q", tt.in, got, tt.lower)
		}
		if got := Upper(tt.in); got != tt.upper {
			t.Errorf("Upper(%q) = %q, want %q", tt.in, got, tt.upper)
		}
		if !EqualFold(tt.in, tt.lower) || !EqualFold(tt.upper, tt.in) {
			t.Errorf("EqualFold tells the cases of %q apart", tt.in)
		}
	}
	for _, tt := range [][2]string{{"i", "İ"}, {"I", "ı"}, {"k", "\u212a"}, {"s", "ſ"}, {"a", "ab"}, {"@", "`"}, {"[", "{"}} {
		if EqualFold(tt[0], tt[1]) {
			t.Errorf("%q and %q are equal", tt[0], tt[1])
		}
	}
}
