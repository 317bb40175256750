package loginstore

import (
	"testing"

	"github.com/fe055d52/credential-helper/internal/boundtest"
)

// TestBounds holds to bounds what is read out of a keyring, which other programs write to, and the names of servers.
func TestBounds(t *testing.T) {
	t.Run("servers", func(t *testing.T) {
		boundtest.Parser{Limit: 64 << 10, Parse: func(text string) error {
			_, err := Canonical(text)
			return err
		}}.Check(t)
	})
	t.Run("entries", func(t *testing.T) {
		boundtest.Parser{
			Limit: maxPieces * maxValue, Format: "JSON",
			Parse: func(text string) error {
				parseHead(text)
				var w wireIndex
				if err := decodeExactly(text, &w, &w.Version); err == nil {
					return nil
				}
				_, err := decode(text)
				return err
			},
			Shapes: map[string]boundtest.Shape{
				"logins":   boundtest.Count(`{"version":1,"logins":[`, `{"server":"h%d.test","username":"u"},`, `{"server":"a","username":"u"}]}`),
				"a secret": boundtest.Between(`{"version":1,"server":"a","username":"b","secret":"`, "c", `"}`),
			},
		}.Check(t)
	})
}
