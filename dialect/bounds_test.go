package dialect

import (
	"strconv"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/internal/boundtest"
)

// TestBounds holds the readers of requests to bounds.
func TestBounds(t *testing.T) {
	t.Run("Bazel", func(t *testing.T) {
		boundtest.Parser{
			Limit: MaxRequest, Format: "JSON", Refusal: []string{"the request", strconv.Itoa(MaxRequest)},
			Parse: func(text string) error {
				_, err := ReadBazel(strings.NewReader(text))
				return err
			},
			Shapes: map[string]boundtest.Shape{
				"a URI": boundtest.Between(`{"uri":"https://a.test/`, "a", `"}`), "URIs": boundtest.Between("{", `"uri":"https://a.test/",`, `"a":1}`), "escapes": boundtest.Between(`{"uri":"https://a.test/`, `\u0061`, `"}`),
			},
		}.Check(t)
	})
	t.Run("Docker", func(t *testing.T) {
		for name, read := range map[string]func(text string) error{
			"a login": func(text string) error {
				_, err := ReadDockerLogin(strings.NewReader(text))
				return err
			},
			"a server": func(text string) error {
				_, err := ReadDockerServer(strings.NewReader(text))
				return err
			},
		} {
			t.Run(name, func(t *testing.T) {
				boundtest.Parser{
					Limit: maxDockerRequest, Format: "JSON", Refusal: []string{"the request", strconv.Itoa(maxDockerRequest)}, Parse: read,
					Shapes: map[string]boundtest.Shape{"a secret": boundtest.Between(`{"ServerURL":"a.test","Username":"u","Secret":"`, `\u0061`, `"}`), "names": boundtest.Between("{", `"Secret":"a",`, `"Username":"u"}`)},
				}.Check(t)
			})
		}
	})
}
