package lookup

import (
	"testing"

	"github.com/fe055d52/credential-helper/helpers"
)

func TestVariable(t *testing.T) {
	s := newSources(t, map[string]string{"TOKEN": canary, "EMPTY": "", "SPACED": " x\n"})
	for name, want := range map[string]outcome{
		"TOKEN":  {values: "default=" + canary},
		"SPACED": {values: "default= x\n"},
		"EMPTY":  {kind: "not found", err: "$EMPTY is set but empty"},
		"ABSENT": {kind: "not found", err: "$ABSENT is not set"},
	} {
		t.Run(name, func(t *testing.T) { expect(t, s, s.Variable(name), Query{}, want) })
	}
}

// TestMalformedServerOfAnother holds that a variable which names another server in a way that is not understood here stops no search.
func TestMalformedServerOfAnother(t *testing.T) {
	s := newSources(t, map[string]string{"TOKEN": canary, "SERVER": "acme.test/artifactory"})
	source := s.HostVariable("TOKEN", "SERVER")
	expect(t, s, source, ask(t, "https://files.test/"), outcome{kind: "not found", err: "$TOKEN is for another server, as $SERVER says"})
	if _, err := source.Lookup(t.Context(), ask(t, "https://acme.test/")); err == nil || helpers.FallsThrough(err) {
		t.Errorf("for the server that may be meant: %v", err)
	}
}
