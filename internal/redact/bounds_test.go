package redact

import (
	"testing"

	"github.com/fe055d52/credential-helper/internal/boundtest"
)

// TestBounds holds to bounds the search for secrets in what servers and programs say.
func TestBounds(t *testing.T) {
	New("bounds-canary")
	for name, show := range map[string]func(string) string{
		"Quote": func(text string) string { return Quote(text, 200) }, "Line": func(text string) string { return Line(text, 500) }, "Scrub": Scrub, "Cut": func(text string) string { return Cut(text, 8<<10) },
	} {
		t.Run(name, func(t *testing.T) {
			boundtest.Parser{
				Limit: 128 << 10, Format: "PEM", Parse: func(text string) error {
					show(text)
					return nil
				},
				Shapes: map[string]boundtest.Shape{
					"words of a secret": boundtest.Repeat("token="), "a secret": boundtest.Repeat("bounds-canary"), "halves": boundtest.Repeat("bounds-can"), "user info": boundtest.Between("https://", "a:", "@b/"),
					"JSON Web Tokens": boundtest.Repeat("eyJhbGciOiJub25lIn0."), "headers": boundtest.Repeat("Authorization: Bearer "),
				},
			}.Check(t)
		})
	}
}
