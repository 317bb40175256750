// Package cache remembers answers between runs of the program, which a build tool starts once per URL, a hundred at a time.
//
// The seam is [Cache]: a question goes in with the function that answers it, and the answer comes out, from memory or from that function.
// A hundred processes with one question make one of them answer it; the others wait for that answer.
//
// There are three caches. [None] remembers nothing. Agent, the default, keeps entries in the memory of a background process of the user's;
// File keeps them in files. The latter two share what is hard: [Shared] decides who answers (flight.go), what may be used again (entry.go),
// and what happens where the store cannot be reached: the question is answered here, as if there were no cache.
package cache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
)

// A Key names a question. Two questions with one key have one answer.
type Key struct {
	// Helper is the helper's name, and Rule the text of the rule that it was built from.
	Helper, Rule string
	// Scope is what [helpers.Helper.Scope] returned.
	Scope string
	// Wider are scopes that hold for more than Scope, and for all that it holds for, the widest first.
	// An entry that is kept under one of them answers every question that has it.
	Wider []string
	// Context is what answers depend on beside their inputs: the directories that the user's and the workspace's files are found from.
	Context string
	// Part says that the question is asked while another one is being answered.
	Part bool
}

// ID is the key in a form that says nothing of what is in it: "q", or "p" for a part, and 32 hexadecimal digits.
func (k Key) ID() string {
	k.Wider = nil
	return k.IDs()[0]
}

// IDs are the IDs of the key's scopes: the wider ones as they come, and that of the key itself behind them.
func (k Key) IDs() []string {
	// What all scopes have in common is hashed once: a rule may be long.
	h := sha256.New()
	for _, part := range []string{k.Helper, k.Rule, k.Context} {
		var n [8]byte
		for i := range n {
			n[i] = byte(len(part) >> (8 * i))
		}
		h.Write(n[:])
		h.Write([]byte(part))
	}
	var common [sha256.Size]byte
	h.Sum(common[:0])
	kind := "q"
	if k.Part {
		kind = "p"
	}
	ids := make([]string, 0, len(k.Wider)+1)
	var sum [sha256.Size]byte
	id := func(scope string) {
		h.Reset()
		h.Write(common[:])
		h.Write([]byte(scope))
		ids = append(ids, kind+hex.EncodeToString(h.Sum(sum[:0])[:16]))
	}
	for _, scope := range k.Wider {
		id(scope)
	}
	id(k.Scope)
	return ids
}

// A Fill answers a question anew.
type Fill func(ctx context.Context) (Entry, error)

// A Cache answers questions.
type Cache interface {
	// Get returns the answer to key: a remembered one that may be used again, or the one that fill gives.
	// An error of fill is returned as it is; to those who waited for it, with the same text and hint.
	Get(ctx context.Context, key Key, fill Fill) (helpers.Response, error)

	// Drop forgets entries: those that cannot be watched for changes (a keyring's), or all.
	Drop(ctx context.Context, what What) error

	// Close ends what the cache still does in the background, within a moment.
	Close()
}

type madeKey struct{}

// WithMade returns a context in which Get tells when a remembered answer was made: it sets *made, and leaves it alone where the answer is new.
// Of a question that is asked while another one is being answered nothing is told.
func WithMade(ctx context.Context, made *time.Time) context.Context {
	return context.WithValue(ctx, madeKey{}, made)
}

func tellMade(ctx context.Context, key Key, e *Entry) {
	if made, ok := ctx.Value(madeKey{}).(*time.Time); ok && !key.Part {
		*made = e.stored
	}
}

// What names the entries to drop.
type What string

const (
	Expired  What = "expired"
	Volatile What = "volatile"
	All      What = "all"
)

// None remembers nothing: every question is answered anew. CREDENTIAL_HELPER_STANDALONE=1 asks for it.
type None struct{}

// Get returns what fill gives.
func (None) Get(ctx context.Context, _ Key, fill Fill) (helpers.Response, error) {
	e, err := fill(ctx)
	return e.Response, err
}

// Drop does nothing.
func (None) Drop(context.Context, What) error { return nil }

// Close does nothing.
func (None) Close() {}
