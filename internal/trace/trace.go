// Package trace tells what a run is doing: which step is under way when the time is up,
// and what each step came to when somebody wants to know.
//
// Libraries do not log. They mark their steps on the context, and the command that started them decides
// what to show: nothing, the step that hung, or all of them.
package trace

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// A Recorder collects the steps of one run. Its zero value is ready; it may be used by several goroutines.
type Recorder struct {
	// OnEvent, when set before the first step, is called with every step that ends and every note, in order.
	OnEvent func(Event)

	mu   sync.Mutex
	open []*step
	slow string
}

// An Event is one finished step or one note.
type Event struct {
	What    string        // what was done: "asking the keyring for service \"x\""
	Outcome string        // what came of it; empty for a note
	Took    time.Duration // how long it took; 0 for a note
}

type step struct {
	what  string
	start time.Time
}

type contextKey struct{}

// NewContext returns a context that carries r.
func NewContext(ctx context.Context, r *Recorder) context.Context {
	return context.WithValue(ctx, contextKey{}, r)
}

func from(ctx context.Context) *Recorder {
	r, _ := ctx.Value(contextKey{}).(*Recorder)
	return r
}

// Step marks the beginning of a step, named by a gerund ("reading ~/.netrc"). The function it returns marks its end,
// with the error it came to. Neither may be given a secret.
func Step(ctx context.Context, format string, args ...any) func(error) {
	r := from(ctx)
	if r == nil {
		return func(error) {}
	}
	s := &step{what: fmt.Sprintf(format, args...), start: time.Now()}
	r.mu.Lock()
	r.open = append(r.open, s)
	r.mu.Unlock()
	return func(err error) {
		r.mu.Lock()
		i := slices.Index(r.open, s)
		if i >= 0 {
			r.open = slices.Delete(r.open, i, i+1)
			if r.slow == "" && ctx.Err() != nil {
				r.slow = s.what
			}
		}
		r.mu.Unlock()
		if i >= 0 && r.OnEvent != nil {
			outcome := "ok"
			if err != nil {
				outcome = err.Error()
			}
			r.OnEvent(Event{What: s.what, Outcome: outcome, Took: time.Since(s.start)})
		}
	}
}

// Note records a fact that is not a step ("rule 3 of config.json matches"). It may not be given a secret.
func Note(ctx context.Context, format string, args ...any) {
	if r := from(ctx); r != nil && r.OnEvent != nil {
		r.OnEvent(Event{What: fmt.Sprintf(format, args...)})
	}
}

// Slow returns the step that the time ran out in: the first that ended after its context did,
// or else the innermost one still under way, or "".
func (r *Recorder) Slow() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.slow == "" && len(r.open) > 0 {
		return r.open[len(r.open)-1].what
	}
	return r.slow
}
