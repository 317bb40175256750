package warm

import (
	"errors"
	"testing"

	"github.com/fe055d52/credential-helper/internal/boundtest"
)

// TestBounds holds to bounds what is made of the first bytes of a request.
func TestBounds(t *testing.T) {
	boundtest.Parser{Limit: maxRequest, Format: "JSON", Parse: func(text string) error {
		if _, ok := parseURI(text); !ok {
			return errors.New("no request")
		}
		return nil
	}, Memory: 1}.Check(t)
}
