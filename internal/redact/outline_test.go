package redact

import (
	"strings"
	"testing"
)

func TestOutline(t *testing.T) {
	for text, want := range map[string]string{
		"":                                      "",
		"x":                                     "…(1 character)",
		"wonderland":                            "…(10 characters)",
		"pässword":                              "…(8 characters)",
		"ghp_" + strings.Repeat("a", 36):        "ghp_…(40 characters)",
		"github_pat_" + strings.Repeat("a", 82): "github_pat_…(93 characters)",
		"glpat-" + strings.Repeat("a", 20):      "glpat-…(26 characters)",
		"srg_" + strings.Repeat("a", 20):        "srg_…(24 characters)",
		"eyJhbGciOiJub25lIn0.e30.c2ln":          "eyJ…(28 characters)",
		"ghp_abc":                               "…(7 characters)",
		"xghp_" + strings.Repeat("a", 36):       "…(41 characters)",
	} {
		if got := Hold(text).Outline(); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
