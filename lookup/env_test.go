package lookup

import "testing"

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
