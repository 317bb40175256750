package config

import (
	"strconv"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/internal/boundtest"
)

// TestBounds holds the configuration to bounds, and the patterns in it.
func TestBounds(t *testing.T) {
	t.Run("files", func(t *testing.T) {
		boundtest.Parser{
			Limit: MaxFile, Format: "JSON", Refusal: []string{"f:1:1", strconv.Itoa(MaxFile)}, Memory: 400,
			Parse: func(text string) error {
				f, err := Parse("f", []byte(text), kinds, false)
				for i := range f.Rules {
					f.Rules[i].Matches(request(t, "https://some-host.test/a/b"))
				}
				return err
			},
			Shapes: map[string]boundtest.Shape{
				"rules":           boundtest.Count(`{"urls":[`, `{"host":"h%d.test","helper":"fake"},`, `{}]}`),
				"unknown keys":    boundtest.Count(`{"urls":[{`, `"hst%d":"a",`, `"host":"a.test"}]}`),
				"unknown kinds":   boundtest.Between(`{"urls":[{"helper":"`, "a", `"}]}`),
				"a long host":     boundtest.Between(`{"urls":[{"helper":"fake","host":"a`, ".a", `"}]}`),
				"a host of stars": boundtest.Between(`{"urls":[{"helper":"fake","host":"`, "*a", `.test"}]}`),
				"a path of stars": boundtest.Between(`{"urls":[{"helper":"fake","host":"a.test","path":"/`, "*a", `"}]}`),
			},
		}.Check(t)
	})
	t.Run("patterns", func(t *testing.T) {
		boundtest.Parser{
			Limit: 32 << 10,
			Parse: func(text string) error {
				NewGlob("*a*a*b*" + strings.Repeat("*aa", 500)).Match(text)
				NewGlob(text).Match(strings.Repeat("a", 32<<10))
				return nil
			},
			Shapes: map[string]boundtest.Shape{"stars and letters": boundtest.Repeat("*a"), "nearly": boundtest.Between("", "*aaaaaaaa", "b")},
		}.Check(t)
	})
}
