package cache

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/inputs"
)

func TestLifetimes(t *testing.T) {
	year := 365 * 24 * time.Hour
	for _, tt := range []struct {
		name  string
		entry Entry
		life  time.Duration // 0: it is not kept at all
	}{
		{"expires in an hour", Entry{Response: answer("x", start.Add(time.Hour))}, 59 * time.Minute},
		{"expires in 90 s", Entry{Response: answer("x", start.Add(90*time.Second))}, 60 * time.Second},
		{"expires in 90 s and a bit", Entry{Response: answer("x", start.Add(90*time.Second+900*time.Millisecond))}, 60 * time.Second},
		{"does not say", Entry{Response: answer("x", time.Time{})}, 15 * time.Minute},
		{"volatile, does not say", Entry{Response: answer("x", time.Time{}), Volatile: true}, 5 * time.Minute},
		{"volatile, expires in an hour", Entry{Response: answer("x", start.Add(time.Hour)), Volatile: true}, 5 * time.Minute},
		{"volatile, expires in 2 min", Entry{Response: answer("x", start.Add(2*time.Minute)), Volatile: true}, 80 * time.Second},
		{"no headers", Entry{}, time.Minute},
		{"no headers, expires in an hour", Entry{Response: helpers.Response{Expires: start.Add(time.Hour)}}, time.Minute},
		{"no headers, expires in 30 s", Entry{Response: helpers.Response{Expires: start.Add(30 * time.Second)}}, 20 * time.Second},
		{"no headers, volatile", Entry{Volatile: true}, time.Minute},
		{"expires in a year", Entry{Response: answer("x", start.Add(year))}, 31 * 24 * time.Hour},
		{"expires in 280 years", Entry{Response: answer("x", start.Add(280*year))}, 31 * 24 * time.Hour},
		{"expires in the year 36000", Entry{Response: answer("x", time.Unix(1<<40, 0))}, 31 * 24 * time.Hour},
		{"expires now", Entry{Response: answer("x", start)}, 0},
		{"expired an hour ago", Entry{Response: answer("x", start.Add(-time.Hour))}, 0},
		{"expires in a second", Entry{Response: answer("x", start.Add(time.Second))}, 0}, // whole seconds, less a third of one
	} {
		t.Run(tt.name, func(t *testing.T) {
			conform(t, func(t *testing.T, w *world, open func() *Shared) {
				a := &asked{t: t, cache: open()}
				a.want(false, someKey, tt.entry, "at first")
				if tt.life > 0 {
					w.pass(tt.life - time.Nanosecond)
					a.want(true, someKey, tt.entry, "just before the end")
					w.pass(time.Nanosecond)
				}
				a.want(false, someKey, tt.entry, "at the end")
			})
		})
	}
}

// TestInputs holds that an answer is used again only while what it was made from is as it was.
func TestInputs(t *testing.T) {
	write := func(t *testing.T, path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name   string
		there  bool // the file is there at first
		change func(t *testing.T, w *world, path string)
		hit    bool
	}{
		{"nothing", true, func(*testing.T, *world, string) {}, true},
		{"nothing, and no file", false, func(*testing.T, *world, string) {}, true},
		{"another variable", true, func(t *testing.T, w *world, path string) { w.setenv("OTHER", "x") }, true},
		{"variable set anew", true, func(t *testing.T, w *world, path string) { w.setenv("TOKEN", "two") }, false},
		{"variable empty", true, func(t *testing.T, w *world, path string) { w.setenv("TOKEN", "") }, false},
		{"variable gone", true, func(t *testing.T, w *world, path string) { w.unsetenv("TOKEN") }, false},
		{"variable there", true, func(t *testing.T, w *world, path string) { w.setenv("ABSENT", "") }, false},
		{"file longer", true, func(t *testing.T, w *world, path string) { write(t, path, "one and more") }, false},
		{"file gone", true, func(t *testing.T, w *world, path string) { _ = os.Remove(path) }, false},
		{"file appears", false, func(t *testing.T, w *world, path string) { write(t, path, "") }, false},
		{"directory for a file", true, func(t *testing.T, w *world, path string) {
			_ = os.Remove(path)
			_ = os.Mkdir(path, 0o700)
		}, false},
		{"file replaced by one like it", true, func(t *testing.T, w *world, path string) {
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			write(t, path+".new", "two")
			if err := errors.Join(os.Chtimes(path+".new", info.ModTime(), info.ModTime()), os.Rename(path+".new", path)); err != nil {
				t.Fatal(err)
			}
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conform(t, func(t *testing.T, w *world, open func() *Shared) {
				path := filepath.Join(filepath.Dir(w.dir), "token")
				if tt.there {
					write(t, path, "one")
				}
				w.setenv("TOKEN", "one")
				entry := func() Entry { return w.entry("x", path) }
				a := &asked{t: t, cache: open()}
				a.want(false, someKey, entry(), "at first")
				a.want(true, someKey, entry(), "before the change")
				tt.change(t, w, path)
				a.want(tt.hit, someKey, entry(), "after the change")
				a.want(true, someKey, entry(), "and again")
			})
		})
	}
}

// entry is an answer that was made from $TOKEN, $ABSENT and a file.
func (w *world) entry(text, path string) Entry {
	value, set := w.getenv("TOKEN")
	absent, absentSet := w.getenv("ABSENT")
	return Entry{Response: answer(text, w.clock().Add(time.Hour)), Salt: w.salt, Inputs: []inputs.Input{
		{Kind: inputs.Env, Name: "TOKEN", Sum: inputs.Variable(w.salt, value, set)},
		{Kind: inputs.Env, Name: "ABSENT", Sum: inputs.Variable(w.salt, absent, absentSet)},
		{Kind: inputs.File, Name: path, Sum: inputs.Stat(path)},
	}}
}

// TestIdentity holds that one user's token does not answer for another one in the same terminal.
func TestIdentity(t *testing.T) {
	conform(t, func(t *testing.T, w *world, open func() *Shared) {
		get := func(who string) (text string, hit bool) {
			w.setenv("TOKEN", who)
			return (&asked{t: t, cache: open()}).get(someKey, w.entry("for "+who, "/nowhere"))
		}
		for _, who := range []string{"alice", "bob", "alice", "bob"} {
			if text, _ := get(who); text != "Bearer for "+who {
				t.Errorf("%s gets %q", who, text)
			}
		}
		if text, hit := get("bob"); text != "Bearer for bob" || !hit {
			t.Errorf("bob gets %q, remembered: %v", text, hit)
		}
	})
}

// TestMade holds that an answer tells when it was made where it is a remembered one, and that a part of an answer does not.
func TestMade(t *testing.T) {
	conform(t, func(t *testing.T, w *world, open func() *Shared) {
		part := someKey
		part.Part = true
		cache := open()
		ask := func(key Key) (made time.Time) {
			if _, err := cache.Get(WithMade(t.Context(), &made), key, func(ctx context.Context) (Entry, error) {
				if !key.Part { // as a helper asks for a part of its answer
					if _, err := cache.Get(ctx, part, func(context.Context) (Entry, error) { return Entry{Response: answer("y", time.Time{})}, nil }); err != nil {
						return Entry{}, err
					}
				}
				return Entry{Response: answer("x", time.Time{})}, nil
			}); err != nil {
				t.Fatal(err)
			}
			return made
		}
		ask(part)
		for range 2 {
			if made := ask(part); !made.IsZero() {
				t.Errorf("a part was made at %s", made)
			}
		}
		if made := ask(someKey); !made.IsZero() {
			t.Errorf("a new answer was made at %s", made)
		}
		w.pass(time.Minute)
		if made := ask(someKey); !made.Equal(start) {
			t.Errorf("a remembered answer was made at %s, want %s", made, start)
		}
	})
}
