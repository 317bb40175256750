package trace

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// A Fact is something that a decision rests on, for a person who asks how it came about: ("realm", "https://auth.example.com/token").
type Fact struct {
	Name string `json:"name"` // one of few, and does not change
	Text string `json:"text"`
}

// Facts are those of one run. It may be used by several goroutines.
type Facts struct {
	mu   sync.Mutex
	list []Fact
}

type factsKey struct{}

// WithFacts returns a context on which facts are gathered. Without it they are not even put into words.
func WithFacts(ctx context.Context) (context.Context, *Facts) {
	f := &Facts{}
	return context.WithValue(ctx, factsKey{}, f), f
}

// Tell records a fact, where somebody gathers them. It may not be given a secret. Of two with one name, the later replaces the earlier.
func Tell(ctx context.Context, name, format string, args ...any) {
	f, _ := ctx.Value(factsKey{}).(*Facts)
	if f == nil {
		return
	}
	fact := Fact{name, fmt.Sprintf(format, args...)}
	f.mu.Lock()
	defer f.mu.Unlock()
	if i := slices.IndexFunc(f.list, func(g Fact) bool { return g.Name == name }); i >= 0 {
		f.list[i] = fact
		return
	}
	f.list = append(f.list, fact)
}

// List returns the facts so far, in the order in which they were told first.
func (f *Facts) List() []Fact {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.list)
}
