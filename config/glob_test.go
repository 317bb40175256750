package config

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestGlob(t *testing.T) {
	for _, tt := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"*", "a/b.c:1", true},
		{"a", "a", true},
		{"a", "ab", false},
		{"*.example.com", "a.example.com", true},
		{"*.example.com", "a.b.example.com", true},
		{"*.example.com", "example.com", false},
		{"*.example.com", "a.example.com.evil.test", false},
		{"*.example.com", "evilexample.com", false},
		{"*.example.com", "*.example.com", true},
		{"a*.example.com", "*.example.com", false},
		{"/tweag/*", "/tweag/", true},
		{"/tweag/*", "/tweag", false},
		{"*.tar.gz", "/a/b.tar.gz", true},
		{"/a*b*c", "/aXbYc", true},
		{"/a*b*c", "/acb", false},
		{"ab*ba", "aba", false},
		{"ab*ba", "abba", true},
		{"**", "x", true},
		{"*a*a*", "aa", true},
		{"*a*a*", "a", false},
		{"?", "x", false},
		{"[a-z]", "b", false},
		{`\*`, "*", false},
	} {
		if got := NewGlob(tt.pattern).Match(tt.s); got != tt.want {
			t.Errorf("%q matches %q: %v", tt.pattern, tt.s, got)
		}
	}
}

// slowMatch is the definition of a glob, without a thought for time.
func slowMatch(pattern, s string) bool {
	if pattern == "" {
		return s == ""
	}
	if pattern[0] == '*' {
		for i := 0; i <= len(s); i++ {
			if slowMatch(pattern[1:], s[i:]) {
				return true
			}
		}
		return false
	}
	return s != "" && s[0] == pattern[0] && slowMatch(pattern[1:], s[1:])
}

// FuzzGlob holds that a glob matches exactly what its definition says.
func FuzzGlob(f *testing.F) {
	f.Add("*.example.com", "a.example.com")
	f.Add("/a*b*c", "/aXbYc")
	f.Add("*a*a*b", "aaaaaaaab")
	f.Fuzz(func(t *testing.T, pattern, s string) {
		if strings.Count(pattern, "*") > 4 || len(s) > 24 || len(pattern) > 24 {
			return
		}
		if got, want := NewGlob(pattern).Match(s), slowMatch(pattern, s); got != want {
			t.Errorf("%q matches %q: %v, want %v", pattern, s, got, want)
		}
	})
}

// FuzzGlobEnd holds that a glob matches an end where it matches something with that end, by trying.
func FuzzGlobEnd(f *testing.F) {
	f.Add("b*.c", ".c", "bx")
	f.Add("a.b", ".b", "a")
	f.Add("*a*", "ab", "x")
	f.Fuzz(func(t *testing.T, pattern, end, begin string) {
		if begin != "" && NewGlob(pattern).Match(begin+end) && !NewGlob(pattern).matchesEnd(end) {
			t.Errorf("%q matches %q and not its end %q", pattern, begin+end, end)
		}
		if filled := strings.ReplaceAll(pattern, "*", "x"+end); NewGlob(pattern).matchesEnd(end) && strings.HasSuffix(pattern, "*") && !(strings.HasSuffix(filled, end) && NewGlob(pattern).Match(filled)) {
			t.Errorf("%q does not match %q, which has the end %q", pattern, filled, end)
		}
	})
}

// TestGlobIsLinear gives a pattern and a text that take a backtracking matcher longer than anybody waits.
func TestGlobIsLinear(t *testing.T) {
	pattern, s := strings.Repeat("*a", 2000)+"b", strings.Repeat("a", 100_000)
	done := make(chan bool, 1)
	go func() { done <- NewGlob(pattern).Match(s) }()
	select {
	case got := <-done:
		if got {
			t.Error("matches")
		}
	case <-time.After(20 * time.Second):
		t.Fatal("still matching after 20 s")
	}
}

func BenchmarkGlob(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			g, s := NewGlob(strings.Repeat("*ab", 5)+"*"), strings.Repeat("ax", n)
			for b.Loop() {
				g.Match(s)
			}
		})
	}
}
