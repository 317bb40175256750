package cache

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/cache/wire"
	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/inputs"
	"github.com/fe055d52/credential-helper/internal/place"
	"github.com/fe055d52/credential-helper/internal/redact"
)

// start is when the tests' clock begins.
var start = time.Date(2031, 5, 17, 12, 0, 0, 0, time.UTC)

// A world is what caches see of the machine: a directory, variables, and a clock that the test sets.
type world struct {
	t    testing.TB
	dir  string
	salt inputs.Salt

	mu   sync.Mutex
	now  time.Time
	vars map[string]string
}

func newWorld(t testing.TB) *world {
	t.Helper()
	dir, err := os.MkdirTemp("", "ch") // the name of a test's directory can be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	salt := make([]byte, 16)
	_, _ = rand.Read(salt)
	return &world{t: t, dir: filepath.Join(dir, "run"), salt: inputs.Salt(salt), now: start, vars: map[string]string{}}
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) setClock(t time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = t
}

func (w *world) pass(d time.Duration) { w.setClock(w.clock().Add(d)) }

func (w *world) getenv(name string) (string, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v, ok := w.vars[name]
	return v, ok
}

func (w *world) setenv(name, value string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.vars[name] = value
}

func (w *world) unsetenv(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.vars, name)
}

var testBuild = place.Build{ModTime: 1, Size: 2}

// serve runs an agent in this process until the test ends. configure, where not nil, sets it up.
func (w *world) serve(configure func(*Agent)) *Agent {
	w.t.Helper()
	a := &Agent{Dir: w.dir, Socket: filepath.Join(w.dir, "agent.sock"), Build: testBuild, now: w.clock}
	if configure != nil {
		configure(a)
	}
	ended := make(chan error, 1)
	go func() { ended <- a.Serve() }()
	c := w.client()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err := c.Call(context.Background(), wire.Status); err == nil || time.Now().After(deadline) {
			break
		}
	}
	c.Close()
	w.t.Cleanup(func() {
		c := w.client()
		_, _ = c.Call(context.Background(), wire.Quit)
		c.Close()
		select {
		case err := <-ended:
			if err != nil {
				w.t.Errorf("the agent ends with %v", err)
			}
		case <-time.After(10 * time.Second):
			w.t.Error("the agent does not end")
		}
	})
	return a
}

// client returns a client for the world's agent, which starts none.
func (w *world) client() *Client {
	return &Client{Dir: w.dir, Socket: filepath.Join(w.dir, "agent.sock"), Build: testBuild}
}

// kinds are the caches that remember. open is called once per process that the test plays.
var kinds = []struct {
	name    string
	prepare func(*world)
	open    func(*world) *Shared
}{
	{"agent", func(w *world) { w.serve(nil) }, func(w *world) *Shared { return NewAgent(w.client(), w.getenv, w.clock) }},
	{"file", func(*world) {}, func(w *world) *Shared { return NewFile(w.dir, w.getenv, w.clock) }},
}

// conform runs a test on each cache that remembers. open opens it anew, as another process does.
func conform(t *testing.T, test func(t *testing.T, w *world, open func() *Shared)) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			w := newWorld(t)
			kind.prepare(w)
			test(t, w, func() *Shared {
				s := kind.open(w)
				t.Cleanup(s.Close)
				return s
			})
		})
	}
}

var someKey = Key{Helper: "oci", Rule: `{"host": "registry.test"}`, Scope: "https://registry.test team/app", Context: "/home/me"}

func answer(text string, expires time.Time) helpers.Response {
	r := helpers.Header("Authorization", redact.Hold("Bearer "+text))
	r.Expires = expires
	return r
}

func textOf(r helpers.Response) string {
	for _, v := range r.Headers["Authorization"] {
		return v.Reveal()
	}
	return ""
}

// An asked counts how often a question had to be answered anew.
type asked struct {
	t     testing.TB
	cache Cache
	n     int
}

// get asks, and answers with e where nothing is remembered. It reports whether something was.
func (a *asked) get(key Key, e Entry) (text string, hit bool) {
	a.t.Helper()
	before := a.n
	r, err := a.cache.Get(context.Background(), key, func(context.Context) (Entry, error) {
		a.n++
		return e, nil
	})
	if err != nil {
		a.t.Fatalf("Get: %v", err)
	}
	return textOf(r), a.n == before
}

// want asks, and complains where an answer was remembered and should not have been, or the other way round.
func (a *asked) want(hit bool, key Key, e Entry, why string) {
	a.t.Helper()
	if _, got := a.get(key, e); got != hit {
		a.t.Errorf("%s: remembered: %v, want %v", why, got, hit)
	}
}

func TestRemembers(t *testing.T) {
	conform(t, func(t *testing.T, w *world, open func() *Shared) {
		e := Entry{Response: answer("one", w.now.Add(time.Hour))}
		e.Response.Headers["X-Other"] = []redact.Secret{redact.Hold("a"), redact.Hold("b")}
		if text, hit := (&asked{t: t, cache: open()}).get(someKey, e); hit || text != "Bearer one" {
			t.Fatalf("the first answer is %q, remembered: %v", text, hit)
		}
		r, err := open().Get(context.Background(), someKey, func(context.Context) (Entry, error) { return Entry{}, errors.New("asked again") })
		if err != nil || textOf(r) != "Bearer one" || !r.Expires.Equal(e.Response.Expires) || len(r.Headers["X-Other"]) != 2 || r.Headers["X-Other"][1].Reveal() != "b" {
			t.Errorf("the second answer is %v, %v", r, err)
		}
	})
}

func TestNoneRemembersNothing(t *testing.T) {
	a := &asked{t: t, cache: None{}}
	for range 2 {
		a.want(false, someKey, Entry{Response: answer("one", start)}, "without a cache")
	}
	wrong := errors.New("wrong")
	if _, err := (None{}).Get(context.Background(), someKey, func(context.Context) (Entry, error) { return Entry{}, wrong }); err != wrong {
		t.Errorf("the error is %v", err)
	}
	if err := (None{}).Drop(context.Background(), All); err != nil {
		t.Error(err)
	}
	None{}.Close()
}

// TestErrors holds that an error comes back as it is, and is nobody else's who did not wait for it.
func TestErrors(t *testing.T) {
	conform(t, func(t *testing.T, w *world, open func() *Shared) {
		wrong := helpers.WithHint(errors.New("the registry says no"), "ask it nicely")
		for range 2 {
			_, err := open().Get(context.Background(), someKey, func(context.Context) (Entry, error) { return Entry{}, wrong })
			if err != wrong {
				t.Fatalf("the error is %v", err)
			}
		}
		(&asked{t: t, cache: open()}).want(false, someKey, Entry{Response: answer("one", time.Time{})}, "after a failure")
	})
}

// TestKeys holds that no question has the answer of another one: the old helper gave one organisation's token for another's URL.
func TestKeys(t *testing.T) {
	base := Key{Helper: "github", Rule: `{"path": "/org-a/*"}`, Scope: "https://github.com", Context: "/home/a"}
	keys := []Key{base}
	add := func(change func(*Key)) {
		k := base
		change(&k)
		keys = append(keys, k)
	}
	add(func(k *Key) { k.Helper = "oci" })
	add(func(k *Key) { k.Rule = `{"path": "/org-b/*"}` })
	add(func(k *Key) { k.Scope = "https://api.github.com" })
	add(func(k *Key) { k.Context = "/home/b" })
	add(func(k *Key) { k.Part = true })
	add(func(k *Key) { *k = Key{} })
	// What ends one part and begins the next belongs to its own.
	add(func(k *Key) { k.Helper, k.Rule = k.Helper+k.Rule, "" })
	add(func(k *Key) { k.Helper, k.Rule = k.Helper+k.Rule[:1], k.Rule[1:] })
	add(func(k *Key) { k.Rule, k.Scope = "", k.Rule+k.Scope })
	add(func(k *Key) { k.Scope, k.Context = k.Scope+k.Context, "" })
	add(func(k *Key) { k.Scope += "\x00" })

	ids := map[string]Key{}
	for _, k := range keys {
		id := k.ID()
		if other, ok := ids[id]; ok {
			t.Errorf("%+v and %+v have one ID", k, other)
		}
		if ids[id] = k; len(id) != 33 || (id[0] == 'p') != k.Part || id != k.ID() {
			t.Errorf("%+v has the ID %q", k, id)
		}
	}
	conform(t, func(t *testing.T, w *world, open func() *Shared) {
		for round := range 2 {
			for i, k := range keys {
				want := fmt.Sprintf("for key %d", i)
				if text, hit := (&asked{t: t, cache: open()}).get(k, Entry{Response: answer(want, w.now.Add(time.Hour))}); text != "Bearer "+want || hit != (round == 1) {
					t.Errorf("round %d: key %d is answered %q, remembered: %v", round, i, text, hit)
				}
			}
		}
	})
}

func TestDrop(t *testing.T) {
	for _, tt := range []struct {
		what                      What
		watched, volatile, passed bool // what is remembered afterwards
	}{
		{Expired, true, true, false},
		{Volatile, true, false, false},
		{All, false, false, false},
	} {
		t.Run(string(tt.what), func(t *testing.T) {
			conform(t, func(t *testing.T, w *world, open func() *Shared) {
				a := &asked{t: t, cache: open()}
				watched, volatile, passed := Key{Scope: "watched"}, Key{Scope: "volatile"}, Key{Scope: "passed"}
				entry := Entry{Response: answer("x", w.now.Add(time.Hour))}
				unwatched := entry
				unwatched.Volatile = true
				a.get(passed, Entry{})
				w.pass(2 * time.Minute)
				a.get(watched, entry)
				a.get(volatile, unwatched)
				if err := open().Drop(context.Background(), tt.what); err != nil {
					t.Fatal(err)
				}
				a.want(tt.watched, watched, entry, "an entry that is watched")
				a.want(tt.volatile, volatile, unwatched, "a volatile one")
				a.want(tt.passed, passed, Entry{}, "one that is over")
			})
		})
	}
}

// TestDropOfWhatIsBeingMade holds that an answer which somebody is at while such answers are dropped, because what they are made from has changed,
// is not remembered, nor is his failure told: he may have read what was there before. What is watched tells by itself.
func TestDropOfWhatIsBeingMade(t *testing.T) {
	for _, tt := range []struct {
		name           string
		what           What
		volatile, fail bool
		hit            bool // it is remembered, or told, all the same
	}{
		{"from the keyring", Volatile, true, false, false},
		{"from the keyring, all dropped", All, true, false, false},
		{"from the keyring, the expired dropped", Expired, true, false, true},
		{"from files", Volatile, false, false, true},
		{"a failure from the keyring", Volatile, true, true, false},
		{"a failure from files", Volatile, false, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conform(t, func(t *testing.T, w *world, open func() *Shared) {
				c := &crowd{t: t}
				e := Entry{Response: answer("old", w.now.Add(time.Hour)), Volatile: tt.volatile}
				leads, release := make(chan struct{}), make(chan struct{})
				c.ask(open(), someKey, func(context.Context) (Entry, error) {
					close(leads)
					<-release
					if tt.fail {
						return Entry{Volatile: tt.volatile}, errors.New("the old one is wrong")
					}
					return e, nil
				}, func(helpers.Response, error) {})
				<-leads
				w.pass(time.Second)
				if err := open().Drop(t.Context(), tt.what); err != nil {
					t.Fatal(err)
				}
				renewed := Entry{Response: answer("new", w.now.Add(time.Hour)), Volatile: tt.volatile}
				var got string
				c.ask(open(), someKey, func(context.Context) (Entry, error) { return renewed, nil }, func(r helpers.Response, err error) {
					if got = textOf(r); err != nil {
						got = err.Error()
					}
				})
				c.await(1)
				close(release)
				c.all.Wait()
				if hit := got != "Bearer new"; hit != tt.hit {
					t.Errorf("one that asked after that gets %q", got)
				}
				if !tt.hit {
					(&asked{t: t, cache: open()}).want(true, someKey, renewed, "the new answer")
				}
			})
		})
	}
}

// TestDropOfNothing holds that what does not remember anything has nothing to forget.
func TestDropOfNothing(t *testing.T) {
	w := newWorld(t)
	for _, c := range []Cache{NewAgent(w.client(), w.getenv, w.clock), NewFile(w.dir, w.getenv, w.clock)} {
		for _, what := range []What{Expired, Volatile, All} {
			if err := c.Drop(context.Background(), what); err != nil {
				t.Errorf("%T: %v", c, err)
			}
		}
		c.Close()
		c.Close()
	}
}

// TestClockJumps holds that nothing is given whose time may be over, wherever the clock is set.
func TestClockJumps(t *testing.T) {
	for _, tt := range []struct {
		name  string
		jumps []time.Duration
		hit   bool
	}{
		{"stands still", []time.Duration{0}, true},
		{"back by less than a second", []time.Duration{-500 * time.Millisecond}, true},
		{"back behind the beginning", []time.Duration{-time.Minute}, false},
		{"back by years", []time.Duration{-10 * 365 * 24 * time.Hour}, false},
		{"far forward", []time.Duration{24 * time.Hour}, false},
		{"forward by years", []time.Duration{50 * 365 * 24 * time.Hour}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conform(t, func(t *testing.T, w *world, open func() *Shared) {
				a := &asked{t: t, cache: open()}
				a.want(false, someKey, Entry{Response: answer("x", w.now.Add(time.Hour))}, "at first")
				for _, d := range tt.jumps {
					w.pass(d)
				}
				a.want(tt.hit, someKey, Entry{Response: answer("x", w.now.Add(time.Hour))}, "after the jump")
			})
		})
	}
}

// FuzzNothingExpired holds, for any walk of the clock, that what is given has not expired, and is no older than it may be.
func FuzzNothingExpired(f *testing.F) {
	f.Add([]byte{10, 200, 10, 70, 255, 0, 128, 90})
	f.Add([]byte("forward and back, and forward again"))
	f.Fuzz(func(t *testing.T, walk []byte) {
		if len(walk) > 64 {
			return
		}
		w := newWorld(t)
		memory := newMemory(100, w.clock)
		caches := []*Shared{NewFile(w.dir, w.getenv, w.clock), {store: memoryStore{memory}, locks: newFileLocks(w.dir), get: w.getenv, now: w.clock}}
		made := map[string]time.Time{}
		for i, b := range walk {
			// Up to four minutes forward or back; the life of the tokens is about two.
			w.pass(time.Duration(int8(b)) * 2 * time.Second)
			for n, c := range caches {
				now := w.clock()
				text := fmt.Sprintf("%d-%d", n, i)
				r, err := c.Get(context.Background(), someKey, func(context.Context) (Entry, error) {
					made["Bearer "+text] = now
					return Entry{Response: answer(text, now.Add(2*time.Minute))}, nil
				})
				if err != nil {
					t.Fatal(err)
				}
				if !r.Expires.After(now) {
					t.Errorf("step %d: the answer expired at %s, and it is %s", i, r.Expires, now)
				}
				if at := made[textOf(r)]; now.Sub(at) >= 80*time.Second || at.Sub(now) > time.Second {
					t.Errorf("step %d: the answer was made at %s, and it is %s", i, at, now)
				}
			}
		}
	})
}

// memoryStore is the agent's store without an agent.
type memoryStore struct{ *memory }

func (s memoryStore) load(_ context.Context, ids []string) (Entry, bool, error) {
	it, ok := s.memory.get(ids...)
	if !ok {
		return Entry{}, false, nil
	}
	e, err := decode(it.data)
	return e, err == nil, nil
}

func (s memoryStore) peek(_ context.Context, ids []string) (Entry, bool, error) {
	it, ok := s.memory.peek(ids...)
	if !ok {
		return Entry{}, false, nil
	}
	e, err := decode(it.data)
	return e, err == nil, nil
}

func (s memoryStore) save(_ context.Context, id string, instead []string, e Entry) error {
	data, err := e.encode()
	if err == nil {
		s.put(id, data, &e, instead...)
	}
	return err
}

func (s memoryStore) start(context.Context) error     { return nil }
func (s memoryStore) awaitStart(context.Context) bool { return false }
func (s memoryStore) close()                          {}

func (s memoryStore) drop(_ context.Context, what What) error {
	s.memory.drop(what)
	return nil
}

// TestTooLarge holds that an answer that is too large to keep is given all the same.
func TestTooLarge(t *testing.T) {
	conform(t, func(t *testing.T, w *world, open func() *Shared) {
		a := &asked{t: t, cache: open()}
		large := Entry{Response: answer("x", w.now.Add(time.Hour))}
		for i := range 1100 {
			large.Response.Headers[fmt.Sprintf("X-%d", i)] = []redact.Secret{redact.Hold(fmt.Sprintf("%01000d", i))}
		}
		a.want(false, someKey, large, "at first")
		a.want(false, someKey, large, "again")
		other := Key{Scope: "other"}
		a.want(false, other, Entry{Response: answer("x", w.now.Add(time.Hour))}, "another one")
		a.want(true, other, Entry{}, "and that one again")
	})
}
