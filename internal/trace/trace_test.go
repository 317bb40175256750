package trace

import (
	"context"
	"errors"
	"testing"
)

func TestSlowIsTheInnermostOpenStep(t *testing.T) {
	var r Recorder
	ctx := NewContext(context.Background(), &r)
	endOuter := Step(ctx, "walking the chain")
	endInner := Step(ctx, "asking %s", "the keyring")
	if got := r.Slow(); got != "asking the keyring" {
		t.Errorf("Slow() = %q", got)
	}
	endInner(nil)
	if got := r.Slow(); got != "walking the chain" {
		t.Errorf("after the inner step: Slow() = %q", got)
	}
	endOuter(nil)
	if got := r.Slow(); got != "" {
		t.Errorf("after all: Slow() = %q", got)
	}
}

func TestSlowIsTheFirstStepThatEndedTooLate(t *testing.T) {
	var r Recorder
	ctx, cancel := context.WithCancel(NewContext(context.Background(), &r))
	endOuter := Step(ctx, "walking the chain")
	Step(ctx, "reading a file")(nil)
	endInner := Step(ctx, "asking the keyring")
	cancel()
	endInner(ctx.Err())
	endOuter(ctx.Err())
	if got := r.Slow(); got != "asking the keyring" {
		t.Errorf("Slow() = %q", got)
	}
}

func TestEvents(t *testing.T) {
	var got []string
	r := Recorder{OnEvent: func(e Event) { got = append(got, e.What+"|"+e.Outcome) }}
	ctx := NewContext(context.Background(), &r)
	end := Step(ctx, "a")
	Note(ctx, "n %d", 1)
	end(errors.New("bad"))
	end(nil) // a second end of one step is ignored
	want := []string{"n 1|", "a|bad"}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("events %q, want %q", got, want)
	}
}

func TestWithoutRecorder(t *testing.T) {
	Step(context.Background(), "x")(nil)
	Note(context.Background(), "x")
}
