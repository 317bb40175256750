package helpers

import (
	"encoding/base64"
	"strconv"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/internal/boundtest"
)

// TestBounds holds the readers of URLs and of tokens to bounds.
func TestBounds(t *testing.T) {
	between := boundtest.Between
	t.Run("URLs", func(t *testing.T) {
		boundtest.Parser{
			Limit: MaxURL, Refusal: []string{"URL", strconv.Itoa(MaxURL)},
			Parse: func(text string) error {
				r, err := ParseRequest(text)
				if err == nil {
					Display(r.URL)
					Directories(r.URL)
				}
				return err
			},
			Shapes: map[string]boundtest.Shape{
				"segments":  between("https://a.test", "/a", ""),
				"empty":     between("https://a.test", "/", ""),
				"escapes":   between("https://a.test/", "%2541", ""),
				"escaped":   between("https://a.test/", "%252525252541", ""),
				"semicolon": between("https://a.test/", "a;./", ""),
				"labels":    between("https://a", ".a", "/"),
				"a label":   between("https://", "a", "/"),
				"a query":   between("https://a.test/?", "a=b&", ""),
				"a port":    between("https://a.test:", "0", "443/"),
				"brackets":  between("https://", "[", "/"),
				"zeroes":    between("https://[::", "0", "1]/"),
			},
		}.Check(t)
	})
	t.Run("tokens", func(t *testing.T) {
		parse := func(text string) error {
			JWTExpiry(text, time.Unix(0, 0), true)
			return nil
		}
		boundtest.Parser{Limit: 1 << 20, Parse: parse}.Check(t)
		boundtest.Parser{Limit: 40 << 10, Format: "JSON", Parse: func(text string) error {
			return parse("e30." + base64.RawURLEncoding.EncodeToString([]byte(text)) + ".x")
		}}.Check(t)
	})
}
