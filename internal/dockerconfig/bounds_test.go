package dockerconfig

import (
	"testing"

	"github.com/fe055d52/credential-helper/internal/boundtest"
)

// TestBounds holds docker's configuration to bounds: reading it, and taking each login out.
func TestBounds(t *testing.T) {
	boundtest.Parser{
		Limit: maxSize, Format: "JSON", Refusal: []string{"config.json", "1048576"},
		Parse: func(text string) error {
			doc, err := Parse("config.json", []byte(text))
			if err != nil {
				return err
			}
			doc.SetHelper("a.test", "x")
			doc.Helpers()
			doc.Registries("x")
			for _, server := range doc.PlainServers() {
				_, _ = doc.Login(server)
				doc.ServedBy(server)
				doc.ClearLogin(server)
			}
			doc.Bytes()
			return nil
		},
		Shapes: map[string]boundtest.Shape{
			"logins":  boundtest.Count(`{"auths":{`, `"h%d.test":{"auth":"YTpi"},`, `"a":{}}}`),
			"helpers": boundtest.Count(`{"credHelpers":{`, `"h%d.test":"x",`, `"a":"b"}}`),
		},
	}.Check(t)
}
