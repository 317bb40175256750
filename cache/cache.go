// Package cache remembers answers between runs of the program, which a build tool starts once per URL.
//
// The seam is [Cache]: a question goes in with the function that answers it, and the answer comes out,
// from memory or from that function. Whoever implements it decides how many processes may ask at once.
package cache

import (
	"context"

	"github.com/fe055d52/credential-helper/helpers"
)

// A Key names a question. Two questions with one key have one answer.
type Key struct {
	// Helper is the helper's name, and Rule the text of the rule that it was built from.
	Helper, Rule string
	// Scope is what [helpers.Helper.Scope] returned.
	Scope string
}

// A Cache answers questions.
type Cache interface {
	// Get returns the answer to key: a remembered one that has not expired, or the one that fill gives.
	// An error of fill is returned as it is.
	Get(ctx context.Context, key Key, fill func(context.Context) (helpers.Response, error)) (helpers.Response, error)
}

// None remembers nothing: every question is answered anew. CREDENTIAL_HELPER_STANDALONE=1 asks for it.
type None struct{}

// Get returns what fill gives.
func (None) Get(ctx context.Context, _ Key, fill func(context.Context) (helpers.Response, error)) (helpers.Response, error) {
	return fill(ctx)
}
