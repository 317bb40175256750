package cache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/cache/wire"
	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/redact"
)

// watchedLocks tell when somebody begins to wait.
type watchedLocks struct {
	locks
	waiting *atomic.Int32
}

func (l watchedLocks) wait(ctx context.Context, id string) error {
	l.waiting.Add(1)
	return l.locks.wait(ctx, id)
}

// A crowd asks one question at once, each through a cache of its own, as processes do.
type crowd struct {
	t       *testing.T
	waiting atomic.Int32
	fills   atomic.Int32
	all     sync.WaitGroup
}

func (c *crowd) ask(s *Shared, key Key, fill Fill, then func(helpers.Response, error)) {
	s.locks = watchedLocks{s.locks, &c.waiting}
	c.all.Go(func() {
		then(s.Get(c.t.Context(), key, func(ctx context.Context) (Entry, error) {
			c.fills.Add(1)
			return fill(ctx)
		}))
	})
}

// await waits until n have begun to wait.
func (c *crowd) await(n int32) {
	c.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); c.waiting.Load() < n; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			c.t.Fatalf("%d wait, want %d", c.waiting.Load(), n)
		}
	}
}

func TestOneAnswers(t *testing.T) {
	conform(t, func(t *testing.T, w *world, open func() *Shared) {
		c := &crowd{t: t}
		leads, release := make(chan struct{}), make(chan struct{})
		e := Entry{Response: answer("one", w.now.Add(time.Hour))}
		check := func(r helpers.Response, err error) {
			if err != nil || textOf(r) != "Bearer one" {
				t.Errorf("an answer is %q, %v", textOf(r), err)
			}
		}
		c.ask(open(), someKey, func(context.Context) (Entry, error) {
			close(leads)
			<-release
			return e, nil
		}, check)
		<-leads
		for range 20 {
			c.ask(open(), someKey, func(context.Context) (Entry, error) { return e, nil }, check)
		}
		c.await(20)
		close(release)
		c.all.Wait()
		if n := c.fills.Load(); n != 1 {
			t.Errorf("%d answered", n)
		}
	})
}

// TestFailureIsTold holds that those who wait for one that fails fail with the same text and hint, without trying,
// and that no secret of the one that failed goes to the others.
func TestFailureIsTold(t *testing.T) {
	conform(t, func(t *testing.T, w *world, open func() *Shared) {
		c := &crowd{t: t}
		redact.Remember("canary-password")
		wrong := helpers.WithHint(errors.New("the registry says: canary-password is wrong"), "canary-password is old; try another")
		leads, release := make(chan struct{}), make(chan struct{})
		c.ask(open(), someKey, func(context.Context) (Entry, error) {
			close(leads)
			<-release
			return Entry{}, wrong
		}, func(_ helpers.Response, err error) {
			if err != wrong {
				t.Errorf("the one that answered failed with %v", err)
			}
		})
		<-leads
		for range 5 {
			c.ask(open(), someKey, func(context.Context) (Entry, error) { return Entry{}, errors.New("tried again") }, func(_ helpers.Response, err error) {
				var hint *helpers.HintError
				if err == nil || err.Error() != "the registry says: [redacted] is wrong" || !errors.As(err, &hint) || hint.Hint != "[redacted] is old; try another" {
					t.Errorf("one that waited failed with %v, hint %v", err, hint)
				}
			})
		}
		c.await(5)
		close(release)
		c.all.Wait()
		a := &asked{t: t, cache: open()}
		a.want(false, someKey, Entry{Response: answer("one", w.now.Add(time.Hour))}, "one that came later")
	})
}

// TestFailureOfAnother holds that a failure is not told to one who has another login.
func TestFailureOfAnother(t *testing.T) {
	conform(t, func(t *testing.T, w *world, open func() *Shared) {
		c := &crowd{t: t}
		leads, release := make(chan struct{}), make(chan struct{})
		w.setenv("TOKEN", "mallory's")
		c.ask(open(), someKey, func(context.Context) (Entry, error) {
			close(leads)
			<-release
			return w.entry("", "/nowhere"), errors.New("401")
		}, func(_ helpers.Response, err error) {
			if err == nil {
				t.Error("it did not fail")
			}
		})
		<-leads
		alice := open()
		alice.get = func(name string) (string, bool) { return "alice's", name == "TOKEN" }
		c.ask(alice, someKey, func(context.Context) (Entry, error) {
			return Entry{Response: answer("for alice", w.now.Add(time.Hour))}, nil
		}, func(r helpers.Response, err error) {
			if err != nil || textOf(r) != "Bearer for alice" {
				t.Errorf("alice gets %q, %v", textOf(r), err)
			}
		})
		c.await(1)
		close(release)
		c.all.Wait()
	})
}

// TestEndOfAnotherIsNotTold holds that a leader whose time is up, or that is told to end, frees the others: its end is not theirs.
func TestEndOfAnotherIsNotTold(t *testing.T) {
	for name, limit := range map[string]time.Duration{"less time than the others": 200 * time.Millisecond, "told to end": time.Hour} {
		t.Run(name, func(t *testing.T) {
			conform(t, func(t *testing.T, w *world, open func() *Shared) {
				c := &crowd{t: t}
				short, end := context.WithTimeout(t.Context(), limit)
				defer end()
				leads, ended := make(chan struct{}), make(chan error, 1)
				leader := open()
				go func() {
					_, err := leader.Get(short, someKey, func(ctx context.Context) (Entry, error) {
						close(leads)
						<-ctx.Done()
						return Entry{}, fmt.Errorf("asking the registry: %w", ctx.Err())
					})
					ended <- err
				}()
				<-leads
				for range 5 {
					c.ask(open(), someKey, func(context.Context) (Entry, error) {
						return Entry{Response: answer("one", w.now.Add(time.Hour))}, nil
					}, func(r helpers.Response, err error) {
						if err != nil || textOf(r) != "Bearer one" {
							t.Errorf("one that waited gets %q, %v", textOf(r), err)
						}
					})
				}
				c.await(5)
				if limit == time.Hour {
					end()
				}
				if err := <-ended; err == nil {
					t.Error("the leader did not fail")
				}
				c.all.Wait()
				if n := c.fills.Load(); n != 1 {
					t.Errorf("%d of those that waited answered", n)
				}
			})
		})
	}
}

// TestWaitEnds holds that one who waits does not wait longer than he may, and keeps time for an answer of his own.
func TestWaitEnds(t *testing.T) {
	conform(t, func(t *testing.T, w *world, open func() *Shared) {
		c := &crowd{t: t}
		leads, release := make(chan struct{}), make(chan struct{})
		c.ask(open(), someKey, func(context.Context) (Entry, error) {
			close(leads)
			<-release
			return Entry{}, nil
		}, func(helpers.Response, error) {})
		<-leads
		ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
		defer cancel()
		_, err := open().Get(ctx, someKey, func(context.Context) (Entry, error) { return Entry{}, errors.New("asked again") })
		if err == nil || err.Error() != "asked again" || ctx.Err() != nil {
			t.Errorf("the error is %v", err)
		}
		close(release)
		c.all.Wait()
	})
}

// TestPartWithinQuestion holds that a part is answered while its question is being, also where both have one name,
// and that those who answer different questions share it.
func TestPartWithinQuestion(t *testing.T) {
	conform(t, func(t *testing.T, w *world, open func() *Shared) {
		c := &crowd{t: t}
		var parts atomic.Int32
		for i := range 10 {
			s := open()
			c.ask(s, Key{Scope: fmt.Sprintf("repository %d", i)}, func(ctx context.Context) (Entry, error) {
				r, err := s.Get(ctx, Key{Scope: "registry", Part: true}, func(context.Context) (Entry, error) {
					parts.Add(1)
					return Entry{Response: answer("challenge", time.Time{}), Volatile: true}, nil
				})
				return Entry{Response: answer(textOf(r), w.now.Add(time.Hour))}, err
			}, func(r helpers.Response, err error) {
				if err != nil || textOf(r) != "Bearer Bearer challenge" {
					t.Errorf("an answer is %q, %v", textOf(r), err)
				}
			})
		}
		c.all.Wait()
		if parts.Load() != 1 || c.fills.Load() != 10 {
			t.Errorf("%d parts and %d questions were answered", parts.Load(), c.fills.Load())
		}
	})
}

// TestPanicFrees holds that a question whose answering panics can be answered by the next.
func TestPanicFrees(t *testing.T) {
	conform(t, func(t *testing.T, w *world, open func() *Shared) {
		func() {
			defer func() { _ = recover() }()
			_, _ = open().Get(t.Context(), someKey, func(context.Context) (Entry, error) { panic("a bug") })
		}()
		(&asked{t: t, cache: open()}).want(false, someKey, Entry{}, "after a panic")
	})
}

// TestNoAgent holds that nobody waits for an answer that he will not hear, because there is no agent to tell it:
// not at all where none can be started, and not for long where the one that was started does not come.
func TestNoAgent(t *testing.T) {
	for name, launch := range map[string]func(stdin, starting *os.File) error{
		"none":         nil,
		"cannot be":    func(stdin, starting *os.File) error { return errors.New("no more processes") },
		"dies at once": func(stdin, starting *os.File) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c := &crowd{t: t}
			open := func() *Shared {
				client := w.client()
				client.Launch = launch
				return NewAgent(client, w.getenv, w.clock)
			}
			e := Entry{Response: answer("one", w.now.Add(time.Hour))}
			leads, release := make(chan struct{}), make(chan struct{})
			var first sync.WaitGroup
			first.Go(func() {
				_, _ = open().Get(t.Context(), someKey, func(context.Context) (Entry, error) {
					close(leads)
					<-release
					return e, nil
				})
			})
			<-leads
			began := time.Now()
			for range 10 {
				c.ask(open(), someKey, func(context.Context) (Entry, error) { return e, nil }, func(r helpers.Response, err error) {
					if err != nil || textOf(r) != "Bearer one" {
						t.Errorf("an answer is %q, %v", textOf(r), err)
					}
				})
			}
			c.all.Wait() // and the first one still holds the question
			if took := time.Since(began); took > 4*absence {
				t.Errorf("it took %s", took)
			}
			if n := c.fills.Load(); n != 10 {
				t.Errorf("%d answered", n)
			}
			close(release)
			first.Wait()
		})
	}
}

// TestStart holds that the first one who misses the agent starts it, tells it what it finds, and that the others wait for that.
func TestStart(t *testing.T) {
	w := newWorld(t)
	var launched atomic.Int32
	var agents sync.WaitGroup
	open := func() *Shared {
		c := w.client()
		c.Launch = func(stdin, starting *os.File) error {
			launched.Add(1)
			// As another process has it: with descriptors of its own.
			in, start := dupFile(t, stdin), dupFile(t, starting)
			agents.Go(func() {
				time.Sleep(200 * time.Millisecond) // it is slow to start
				w.serve(func(a *Agent) { a.Preload, a.Starting = PreloadFrom(in), start })
			})
			return nil
		}
		return NewAgent(c, w.getenv, w.clock)
	}
	c := &crowd{t: t}
	for range 20 {
		c.ask(open(), someKey, func(context.Context) (Entry, error) {
			return Entry{Response: answer("one", w.now.Add(time.Hour))}, nil
		}, func(r helpers.Response, err error) {
			if err != nil || textOf(r) != "Bearer one" {
				t.Errorf("an answer is %q, %v", textOf(r), err)
			}
		})
	}
	c.all.Wait()
	agents.Wait()
	if launched.Load() != 1 || c.fills.Load() != 1 {
		t.Errorf("%d agents were started, and %d answered", launched.Load(), c.fills.Load())
	}
}

// TestStartFails holds that an agent that cannot be started is no reason to fail.
func TestStartFails(t *testing.T) {
	w := newWorld(t)
	client := w.client()
	client.Launch = func(stdin, starting *os.File) error { return errors.New("no more processes") }
	a := &asked{t: t, cache: NewAgent(client, w.getenv, w.clock)}
	for range 2 {
		a.want(false, someKey, Entry{Response: answer("one", w.now.Add(time.Hour))}, "without an agent")
	}
	if err := client.Start(); err == nil || err.Error() != "no more processes" {
		t.Errorf("Start: %v", err)
	}
}

// TestTellTooMuch holds that what does not fit into the pipe of a starting agent is left out: nobody waits for the agent to read it.
func TestTellTooMuch(t *testing.T) {
	w := newWorld(t)
	client := w.client()
	client.Launch = func(stdin, starting *os.File) error { return nil }
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	err := client.Tell(t.Context(), wire.Save, "key", strings.Repeat("x", maxPreload))
	if err == nil || err.Error() != "the agent is still starting, and has been told as much as it can hear" {
		t.Errorf("too much: %v", err)
	}
}
