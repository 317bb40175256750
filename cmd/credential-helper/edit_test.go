package main

import "testing"

func TestEditData(t *testing.T) {
	for _, tt := range []struct {
		old   string
		at    int
		added string
		want  string
	}{
		{"", 0, "x\n", "x\n"},
		{"a\nb\n", 1, "x\n", "a\nx\nb\n"},
		{"a\nb", 2, "x\n", "a\nb\nx\n"},
		{"a\r\nb\r\n", 1, "x\ny\n", "a\r\nx\r\ny\r\nb\r\n"},
		{"a\r\nb", 2, "x\n", "a\r\nb\r\nx\r\n"},
	} {
		e := &edit{old: []byte(tt.old)}
		e.insert(tt.at, tt.added)
		if got := string(e.data()); got != tt.want {
			t.Errorf("%q with %q before line %d is %q, want %q", tt.old, tt.added, tt.at, got, tt.want)
		}
	}
}
