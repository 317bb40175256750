package helpers

import "context"

// A Question is what a helper asks a server on the way to its answers, where more than one answer depends on it:
// how a registry wants its users to log in, a token that opens a whole organization.
type Question struct {
	// Helper is the name of the helper that asks, and Text all that the answer depends on. Text is not secret.
	Helper, Text string
	// Volatile says that the answer may change and nobody tells: it is not kept for long, though it may say that it lives longer.
	Volatile bool
}

// A Memo returns what the answer to a question was before, or asks. Any number of processes with one question ask once;
// an error is told to those who waited for it, and is not kept. What is kept is in the headers of the Response,
// until it expires; one without headers is kept for a minute.
//
// Ask makes requests alone: what it read of the environment and of files would not be watched for changes.
// The question of one Memo is not asked while another one's is being answered.
type Memo func(ctx context.Context, q Question, ask func(context.Context) (Response, error)) (Response, error)

// Remember is m itself, or asks where m is nil.
func (m Memo) Remember(ctx context.Context, q Question, ask func(context.Context) (Response, error)) (Response, error) {
	if m == nil {
		return ask(ctx)
	}
	return m(ctx, q, ask)
}
