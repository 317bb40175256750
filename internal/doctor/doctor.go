// Package doctor checks an installation and says what to do about what it finds.
//
// Each subject has a file with small functions from values (an environment, the rules, the lines of .bazelrc) to [Finding]s.
// [Run] runs them beside each other, each within a time of its own. Nothing here writes, starts an agent, sends a credential or asks a person.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/trace"
)

// A Level says how bad a finding is.
type Level string

// The levels, from the best to the worst.
const (
	OK      Level = "ok"
	Note    Level = "note"    // worth knowing, and right as it is for many
	Warning Level = "warning" // works now, or for most
	Broken  Level = "broken"
)

// A Finding is one thing that was found out. None of its texts holds a secret.
type Finding struct {
	Level Level `json:"level"`
	// Subject is the check that found it, in one word.
	Subject string `json:"subject"`
	Text    string `json:"text"`
	// Fix says what to do. Warnings and what is broken always have one.
	Fix string `json:"fix"`
}

// A findings collects what one check finds.
type findings []Finding

func (f *findings) ok(format string, args ...any) {
	*f = append(*f, Finding{Level: OK, Text: fmt.Sprintf(format, args...)})
}

func (f *findings) note(text, fix string) {
	*f = append(*f, Finding{Level: Note, Text: text, Fix: fix})
}

func (f *findings) warn(text, fix string) {
	*f = append(*f, Finding{Level: Warning, Text: text, Fix: fix})
}

func (f *findings) broken(text, fix string) {
	*f = append(*f, Finding{Level: Broken, Text: text, Fix: fix})
}

// fail reports an error with its own hint, or with fix where it has none.
func (f *findings) fail(level Level, err error, fix string) {
	var hint *helpers.HintError
	if errors.As(err, &hint) {
		fix = hint.Hint
	}
	*f = append(*f, Finding{Level: level, Text: err.Error(), Fix: fix})
}

// worst returns the worst level of what was found.
func (f findings) worst() Level {
	rank := map[Level]int{OK: 0, Note: 1, Warning: 2, Broken: 3}
	worst := OK
	for _, x := range f {
		if rank[x.Level] > rank[worst] {
			worst = x.Level
		}
	}
	return worst
}

// A Check is one subject.
type Check struct {
	Subject string
	// Limit is how long it may take.
	Limit time.Duration
	Run   func(ctx context.Context) []Finding
}

// Run runs all checks at once, and returns what they find in their order. A check that does not end in its time is left alone, and told as such:
// what it would have found is not known.
func Run(ctx context.Context, checks []Check) []Finding {
	results := make([]chan []Finding, len(checks))
	for i, c := range checks {
		results[i] = make(chan []Finding, 1)
		go func() { results[i] <- c.run(ctx) }()
	}
	var all []Finding
	for i, c := range checks {
		for _, f := range few(<-results[i]) {
			f.Subject = c.Subject
			all = append(all, f)
		}
	}
	return all
}

// maxFindings is how many findings of one subject are told: a person mends the first ones, and looks again.
const maxFindings = 50

// few returns the first of many findings, the worst of them before others.
func few(found []Finding) []Finding {
	if len(found) <= maxFindings {
		return found
	}
	kept := make([]Finding, 0, maxFindings+1)
	for _, level := range []Level{Broken, Warning, Note, OK} {
		for _, f := range found {
			if f.Level == level && len(kept) < maxFindings {
				kept = append(kept, f)
			}
		}
	}
	return append(kept, Finding{Level: Note, Text: fmt.Sprintf("%d more findings of this kind are left out", len(found)-maxFindings), Fix: "mend these, and run it again"})
}

func (c Check) run(ctx context.Context) []Finding {
	rec := &trace.Recorder{}
	ctx, cancel := context.WithTimeout(trace.NewContext(ctx, rec), c.Limit)
	defer cancel()
	done := make(chan []Finding, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				trace.Note(ctx, "%s", debug.Stack())
				done <- []Finding{{Level: Warning, Text: fmt.Sprintf("this check failed: internal error: %v", r), Fix: "please report it"}}
			}
		}()
		done <- c.Run(ctx)
	}()
	select {
	case found := <-done:
		return found
	case <-ctx.Done():
	}
	// What obeys the context ends now, and knows more.
	select {
	case found := <-done:
		return found
	case <-time.After(min(50*time.Millisecond, c.Limit/10)):
	}
	doing := rec.Slow()
	if doing == "" {
		doing = "reading files"
	}
	return []Finding{{Level: Warning, Text: fmt.Sprintf("not checked to the end within %s: the time went into %s", c.Limit, doing), Fix: "find out what hangs; builds wait for it too"}}
}
