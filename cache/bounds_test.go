package cache

import (
	"testing"

	"github.com/fe055d52/credential-helper/internal/boundtest"
)

// TestBounds holds the reader of entries to bounds: a file or an agent's answer may have anything in it.
func TestBounds(t *testing.T) {
	boundtest.Parser{
		Limit: maxEntry, Format: "JSON",
		Parse: func(text string) error {
			Describe(text)
			_, err := decode([]byte(text))
			return err
		},
		Shapes: map[string]boundtest.Shape{
			"headers":    boundtest.Count(`{"stored":1,"until":2,"headers":{`, `"A%d":["b"],`, `"A":["b"]}}`),
			"one header": boundtest.Between(`{"stored":1,"until":2,"headers":{"A":[`, `"b",`, `"b"]}}`),
			"inputs":     boundtest.Count(`{"stored":1,"until":2,"inputs":[`, `{"name":"a%d"},`, `{}]}`),
		},
	}.Check(t)
}
