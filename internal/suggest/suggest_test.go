package suggest

import "testing"

func TestNearest(t *testing.T) {
	keys := []string{"scheme", "host", "path", "helper", "config", "lookup_chain", "header_name"}
	for _, tt := range []struct{ word, want string }{
		{"hots", "host"},
		{"Host", "host"},
		{"lookupchain", "lookup_chain"},
		{"lookup-chain", "lookup_chain"},
		{"headername", "header_name"},
		{"helpers", "helper"},
		{"zebra", ""},
		{"", ""},
	} {
		if got, _ := Nearest(tt.word, keys); got != tt.want {
			t.Errorf("Nearest(%q) = %q, want %q", tt.word, got, tt.want)
		}
	}
}
