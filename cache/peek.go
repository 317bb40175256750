package cache

import (
	"context"
	"time"

	"github.com/fe055d52/credential-helper/internal/inputs"
)

// An Info tells of an entry all but its secrets.
type Info struct {
	// Stored is when the answer was made, Until until when it may be used, and Expires when its token ends: zero where nobody knows.
	Stored, Until, Expires time.Time
	// Volatile says that the answer depends on something that cannot be watched.
	Volatile bool
	// Negative says that it is an answer without headers, Failure that it is the text of a failure, for those who waited for it.
	Negative bool
	Failure  string
	// Fresh says that its time is not over.
	Fresh bool
	// Changed are the inputs that are not as they were, without their sums. Where there is one, the answer is not used.
	Changed []inputs.Input
}

// Usable reports whether Get would return the entry.
func (i Info) Usable() bool { return i.Fresh && len(i.Changed) == 0 && i.Failure == "" }

// Peek tells of the entry for key, where there is one. It asks, keeps and forgets nothing, starts nothing, and counts as no use of the entry.
// err is not nil where the entries are out of reach.
func (s *Shared) Peek(ctx context.Context, key Key) (info Info, found bool, err error) {
	e, found, err := s.store.peek(ctx, key.IDs())
	if err != nil || !found {
		return Info{}, false, err
	}
	info = Info{
		Stored: e.stored, Until: e.until, Expires: e.Response.Expires, Volatile: e.Volatile,
		Negative: e.failure == nil && e.Response.Empty(), Fresh: e.fresh(s.now()),
	}
	if e.failure != nil {
		info.Failure = e.failure.Text
	}
	for _, in := range e.Inputs {
		if !in.Unchanged(e.Salt, s.get) {
			info.Changed = append(info.Changed, inputs.Input{Kind: in.Kind, Name: in.Name})
		}
	}
	return info, true, nil
}
