package doctor

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/internal/bazelrc"
	"github.com/fe055d52/credential-helper/internal/boundtest"
)

// TestBounds holds the check of .bazelrc to bounds: also for thousands of lines that are about credential helpers, and thousands of rules.
func TestBounds(t *testing.T) {
	count := boundtest.Count
	m := newMachine(t)
	var rules []string
	for i := range 2000 {
		rules = append(rules, fmt.Sprintf(`{"host": "r%d.test", "helper": "registry"}`, i))
	}
	b := Build{Env: m.env(), System: m.at("none"), Executable: m.executable(), Files: m.rules(workspaceFile, rules...), Budget: time.Second}
	boundtest.Parser{
		Limit: 256 << 10, Format: "Bazel", Memory: 600,
		Parse: func(text string) error {
			m.write("ws/.bazelrc", text, 0o600)
			Bazel(t.Context(), b)
			return nil
		},
		Shapes: map[string]boundtest.Shape{
			"one host, other programs": count("", "common --credential_helper=r.test=p%d\n", ""),
			"builds alone":             count("", "build --credential_helper=r%d.test=credential-helper\n", ""),
			"tests alone":              count("", "test --credential_helper=r%d.test=credential-helper\n", ""),
			"one host, builds alone":   boundtest.Repeat("build --credential_helper=r.test=credential-helper\n"),
			"two programs":             boundtest.Repeat("common --credential_helper=r.test=credential-helper\ncommon --credential_helper=r.test=/bin/sh\n"),
			"with a config":            count("", "common:c%d --credential_helper=r%d.test=credential-helper\n", ""),
			"nearly":                   count("", "common --credential_helper=x.r%d.test=credential-helper\n", ""),
			"mistyped":                 count("", "common --credential_helpr=r%d.test=credential-helper\n", ""),
		},
	}.Check(t)
}

// TestIndex holds that the index finds what Bazel would, by the rank of each line.
func TestIndex(t *testing.T) {
	hosts := []string{"a.test", "b.a.test", "c.b.a.test", "*.a.test", "*.b.a.test", "*.test", "localhost", "ba.test"}
	scopes := append(slices.Clone(hosts), "", "", "A.test", "*.A.test", "test", "*.", "a..test")
	for range 2000 {
		var all []assignment
		for i := range rand.IntN(6) {
			scope := scopes[rand.IntN(len(scopes))]
			all = append(all, assignment{Helper: bazelrc.Helper{Scope: scope, Line: &bazelrc.Line{}}, path: fmt.Sprint(i)})
		}
		for _, host := range hosts {
			want, best := "", 0
			for _, a := range all {
				if rank := a.Rank(host); rank > 0 && rank >= best {
					want, best = a.path, rank
				}
			}
			if got, ok := indexOf(all).choose(host); got.path != want || ok != (best > 0) {
				var list []string
				for _, a := range all {
					list = append(list, a.Scope)
				}
				t.Fatalf("of %q, %q gets the one at %q, want %q", strings.Join(list, " "), host, got.path, want)
			}
		}
	}
}
