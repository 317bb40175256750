package lookup

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/fe055d52/credential-helper/helpers"
)

// An Outcome is what became of an entry of a chain.
type Outcome string

const (
	OutcomeFound       Outcome = "found"
	OutcomeNotFound    Outcome = "not found"
	OutcomeUnavailable Outcome = "unavailable"
	OutcomeBroken      Outcome = "broken"
	// OutcomeNoAnswer is the outcome of a source that is still being asked.
	OutcomeNoAnswer Outcome = "no answer"
	// OutcomeNotNeeded is that of an entry whose value was found before it.
	OutcomeNotNeeded Outcome = "not needed"
	// OutcomeNotReached is that of an entry behind the one that sufficed, or was broken.
	OutcomeNotReached Outcome = "not reached"
)

// An Asked tells of one entry of a chain what became of it.
type Asked struct {
	Source  string  `json:"source"`
	Binding string  `json:"binding,omitempty"` // empty for a source that supplies several values together
	Outcome Outcome `json:"outcome"`
	From    string  `json:"from,omitempty"`   // where it was found, if the source's name does not say so
	Reason  string  `json:"reason,omitempty"` // why nothing was found; fit to be shown
	Hint    string  `json:"hint,omitempty"`
}

// A Report tells what became of each entry of the chains that were walked. It may be used by several goroutines.
type Report struct {
	mu    sync.Mutex
	asked []Asked
}

type reportKey struct{}

// WithReport returns a context whose chains tell the report what becomes of their entries. Without it nothing is recorded.
func WithReport(ctx context.Context) (context.Context, *Report) {
	r := &Report{}
	return context.WithValue(ctx, reportKey{}, r), r
}

// Asked returns the entries, in the order of their chains.
func (r *Report) Asked() []Asked {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.asked)
}

// begin returns where the walk of a chain tells of its entries; nil where nobody asked for a report.
func (c Chain) begin(ctx context.Context) *walk {
	r, _ := ctx.Value(reportKey{}).(*Report)
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	w := &walk{r, len(r.asked)}
	for _, e := range c {
		r.asked = append(r.asked, Asked{Source: e.Source.Name(), Binding: e.Binding, Outcome: OutcomeNotReached})
	}
	return w
}

// A walk is that of one chain. A nil one tells nobody.
type walk struct {
	report *Report
	first  int // the index of the chain's first entry
}

// is records the outcome of entry i; err, where not nil, says why.
func (w *walk) is(i int, outcome Outcome, err error) {
	if w == nil {
		return
	}
	w.report.mu.Lock()
	defer w.report.mu.Unlock()
	a := &w.report.asked[w.first+i]
	a.Outcome = outcome
	if err == nil {
		return
	}
	a.Reason = err.Error()
	var hint *helpers.HintError
	if errors.As(err, &hint) {
		a.Hint = hint.Hint
	}
}

// found records that entry i has a value, from a place.
func (w *walk) found(i int, from string) {
	if w == nil {
		return
	}
	w.is(i, OutcomeFound, nil)
	w.report.mu.Lock()
	defer w.report.mu.Unlock()
	w.report.asked[w.first+i].From = from
}

// failed records what the error of entry i means.
func (w *walk) failed(i int, err error) {
	switch {
	case w == nil:
	case errors.Is(err, helpers.ErrNotFound):
		w.is(i, OutcomeNotFound, err)
	case errors.Is(err, helpers.ErrUnavailable):
		w.is(i, OutcomeUnavailable, err)
	default:
		w.is(i, OutcomeBroken, err)
	}
}
