package github

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/internal/boundtest"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/httpclient"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/lookup"
)

// TestBounds holds to bounds what is made of a private key and of the API's answers.
func TestBounds(t *testing.T) {
	t.Run("keys", func(t *testing.T) {
		boundtest.Parser{
			Limit: 64 << 10, Format: "PEM", // that of a file with a secret
			Parse: func(text string) error {
				_, err := parseKey(redact.Hold(text))
				return err
			},
			Shapes: map[string]boundtest.Shape{
				"escaped lines":  boundtest.Between("-----BEGIN PRIVATE KEY-----", `\nAAAA`, `\n-----END PRIVATE KEY-----`),
				"a large number": boundtest.Between("-----BEGIN RSA PRIVATE KEY-----\nMIIB", "////", "\n-----END RSA PRIVATE KEY-----\n"),
			},
		}.Check(t)
	})
	t.Run("answers", func(t *testing.T) {
		login := &appLogin{app: &app{}}
		login.app.Sources = &lookup.Sources{Env: &env.Env{Now: func() time.Time { return time.Unix(0, 0) }}}
		boundtest.Parser{Limit: httpclient.MaxBody, Format: "JSON", Parse: func(text string) error {
			if _, _, err := (answer{body: []byte(text)}).token(); err == nil {
				return nil
			}
			return login.status(&http.Response{StatusCode: 403, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text)), Request: &http.Request{}})
		}}.Check(t)
	})
}
