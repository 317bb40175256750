package warm

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestParseURI(t *testing.T) {
	for in, want := range map[string]string{
		`{"uri":"https://example.com/a?b=c"}`: "https://example.com/a?b=c",
		" {\n\t\"uri\" : \"ghcr.io\" }\r\n":   "ghcr.io",
		`{"uri":""}`:                          "",
		`{"uri":"a","b":1}`:                   "-",
		`{"b":1,"uri":"a"}`:                   "-",
		`{"uri":"a"`:                          "-",
		`{"uri":"a`:                           "-",
		`{"uri":"a"}}`:                        "-",
		`{"uri":"a\u0062"}`:                   "-",
		`{"URI":"a"}`:                         "-",
		`{"uri":1}`:                           "-",
		"{\"uri\":\"a\nb\"}":                  "-",
		`{"uri":"ä"}`:                         "-",
		``:                                    "-",
	} {
		uri, ok := parseURI(in)
		if ok != (want != "-") || ok && uri != want {
			t.Errorf("%s: %q, %v", in, uri, ok)
		}
	}
}

// FuzzParseURI holds that what is read here is what a JSON decoder reads, and that nothing else stands in the request.
func FuzzParseURI(f *testing.F) {
	f.Add(`{"uri":"https://example.com/"}`)
	f.Add(` { "uri" : "x" } `)
	f.Fuzz(func(t *testing.T, in string) {
		uri, ok := parseURI(in)
		if !ok {
			return
		}
		var object map[string]string
		if err := json.NewDecoder(strings.NewReader(in)).Decode(&object); err != nil || len(object) != 1 || object["uri"] != uri {
			t.Errorf("%q was read as %q; JSON says %v, %v", in, uri, object, err)
		}
	})
}
