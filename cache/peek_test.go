package cache

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/inputs"
)

// TestPeek holds that a look at an entry tells when it was made and why it is not used, and is no use of it.
func TestPeek(t *testing.T) {
	conform(t, func(t *testing.T, w *world, open func() *Shared) {
		ctx := context.Background()
		c := open()
		peek := func() (Info, bool) {
			t.Helper()
			info, found, err := c.Peek(ctx, someKey)
			if err != nil {
				t.Fatal(err)
			}
			return info, found
		}
		if info, found := peek(); found {
			t.Errorf("before there is one: %+v", info)
		}
		w.setenv("TOKEN", "cnry-peek-1")
		e := Entry{
			Response: answer("cnry-peek-2", w.now.Add(time.Hour)), Salt: w.salt,
			Inputs: []inputs.Input{{Kind: inputs.Env, Name: "TOKEN", Sum: inputs.Variable(w.salt, "cnry-peek-1", true)}},
		}
		if _, err := c.Get(ctx, someKey, func(context.Context) (Entry, error) { return e, nil }); err != nil {
			t.Fatal(err)
		}
		w.pass(time.Minute)
		info, found := peek()
		want := Info{Stored: start, Until: start.Add(59 * time.Minute), Expires: start.Add(time.Hour), Fresh: true}
		if !found || !info.Usable() || !info.Stored.Equal(want.Stored) || !info.Until.Equal(want.Until) || !info.Expires.Equal(want.Expires) {
			t.Errorf("got %+v, want %+v", info, want)
		}
		w.setenv("TOKEN", "cnry-peek-3")
		info, found = peek()
		if changed := []inputs.Input{{Kind: inputs.Env, Name: "TOKEN"}}; !found || info.Usable() || !reflect.DeepEqual(info.Changed, changed) {
			t.Errorf("after a change: %+v, want %+v", info.Changed, changed)
		}
		w.setenv("TOKEN", "cnry-peek-1")
		w.pass(time.Hour)
		if info, found := peek(); found && info.Usable() {
			t.Errorf("when its time is over: %+v", info)
		}

		failed := Key{Scope: "failed"}
		_, _ = c.Get(ctx, failed, func(context.Context) (Entry, error) { return Entry{}, errors.New("refused") })
		if info, found, err := c.Peek(ctx, failed); err != nil || !found || info.Usable() || info.Failure != "refused" {
			t.Errorf("a failure: %+v, %v, %v", info, found, err)
		}
		negative := Key{Scope: "negative"}
		_, _ = c.Get(ctx, negative, func(context.Context) (Entry, error) { return Entry{Response: helpers.Response{}}, nil })
		if info, found, err := c.Peek(ctx, negative); err != nil || !found || !info.Usable() || !info.Negative {
			t.Errorf("an answer without headers: %+v, %v, %v", info, found, err)
		}
	})
}

// TestPeekChangesNothing holds that a look makes no directory, and neither counts nor keeps the agent.
func TestPeekChangesNothing(t *testing.T) {
	w := newWorld(t)
	if _, found, err := NewFile(w.dir, w.getenv, w.clock).Peek(context.Background(), someKey); found || err != nil {
		t.Errorf("without a directory: %v, %v", found, err)
	}
	started := false
	client := w.client()
	client.Launch = func(_, _ *os.File) error { started = true; return nil }
	if _, _, err := NewAgent(client, w.getenv, w.clock).Peek(context.Background(), someKey); !errors.Is(err, ErrUnreachable) || started {
		t.Errorf("without an agent: %v, started %v", err, started)
	}
	if _, err := os.Stat(w.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is a directory now: %v", err)
	}
	a := w.serve(nil)
	before := a.Status()
	used := a.lastUsed.Load()
	if _, found, err := NewAgent(w.client(), w.getenv, w.clock).Peek(context.Background(), someKey); found || err != nil {
		t.Errorf("without an entry: %v, %v", found, err)
	}
	if after := a.Status(); after.Hits != before.Hits || after.Misses != before.Misses || a.lastUsed.Load() != used {
		t.Errorf("before %+v, after %+v", before, after)
	}
	// An agent of an older build goes on.
	older := w.client()
	older.Build.ModTime++
	if _, _, err := NewAgent(older, w.getenv, w.clock).Peek(context.Background(), someKey); !errors.Is(err, ErrUnreachable) {
		t.Errorf("to an agent of an older build: %v", err)
	}
	if _, _, err := NewAgent(w.client(), w.getenv, w.clock).Peek(context.Background(), someKey); err != nil {
		t.Errorf("it is gone: %v", err)
	}
}
