package lookup

import (
	"strings"
	"testing"
)

func TestTemplate(t *testing.T) {
	s := newSources(t, map[string]string{"TOKEN": canary, "USER_1": "bob", "EMPTY": "", "NESTED": "${TOKEN}"})
	for _, tt := range []struct {
		text string
		want outcome
	}{
		{"plain", outcome{values: "default=plain"}},
		{"${TOKEN}", outcome{values: "default=" + canary}},
		{"a ${USER_1}:${TOKEN} z", outcome{values: "default=a bob:" + canary + " z"}},
		{"${USER_1}${USER_1}", outcome{values: "default=bobbob"}},
		{"$${TOKEN}", outcome{values: "default=${TOKEN}"}},
		{"$${${USER_1}}", outcome{values: "default=${bob}"}},
		{"$TOKEN $$ $ {x} }", outcome{values: "default=$TOKEN $$ $ {x} }"}},
		{"${NESTED}", outcome{values: "default=${TOKEN}"}},
		{"x ${ABSENT}", outcome{kind: "broken", err: "the rule's value uses ${ABSENT}, and $ABSENT is not set", hint: "export ABSENT, or write $${ for a literal ${"}},
		{"${EMPTY}", outcome{kind: "broken", err: "the rule's value uses ${EMPTY}, and $EMPTY is empty", hint: "export EMPTY, or write $${ for a literal ${"}},
	} {
		t.Run(tt.text, func(t *testing.T) {
			source, err := s.Template(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			name := "the rule's own value"
			if tt.text == "${TOKEN}" || tt.text == "${NESTED}" || tt.text == "${EMPTY}" {
				name = "$" + tt.text[2:len(tt.text)-1]
			}
			if source.HostBound() || source.Name() != name {
				t.Errorf("it is %q, bound to a host: %v", source.Name(), source.HostBound())
			}
			expect(t, s, source, Query{}, tt.want)
		})
	}
}

func TestTemplateMistakes(t *testing.T) {
	s := newSources(t, nil)
	const unclosed = "a ${ is not closed; write ${NAME}, or $${ for a literal ${"
	const unnamed = "a ${…} does not name an environment variable; write ${NAME}, or $${ for a literal ${"
	for text, want := range map[string]string{
		"${TOKEN":         unclosed,
		"a${":             unclosed,
		"${}":             unnamed,
		"${1A}":           unnamed,
		"${A B}":          unnamed,
		"${A:-default}":   unnamed,
		"${OK} ${not-ok}": unnamed,
	} {
		if _, err := s.Template(text); sprint(err) != want {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

// FuzzTemplate holds that a text without "${" is itself, and that an escaped text comes back.
func FuzzTemplate(f *testing.F) {
	f.Add("a ${TOKEN} $${x} $")
	s := newSources(f, map[string]string{"TOKEN": canary})
	f.Fuzz(func(t *testing.T, text string) {
		expand := func(text string) (string, bool) {
			source, err := s.Template(text)
			if err != nil {
				return "", false
			}
			values, err := source.Lookup(t.Context(), Query{})
			return values[Default].Reveal(), err == nil
		}
		if got, ok := expand(text); !strings.Contains(text, "${") && (!ok || got != text) {
			t.Errorf("%q becomes %q, %v", text, got, ok)
		}
		if strings.Contains(text, "$$") {
			return // a dollar before the escape is part of it
		}
		if got, ok := expand(strings.ReplaceAll(text, "${", "$${")); !ok || got != text {
			t.Errorf("%q, escaped, becomes %q, %v", text, got, ok)
		}
	})
}
