package cache

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/cache/wire"
	"github.com/fe055d52/credential-helper/internal/inputs"
)

// below returns the key of a path, with a wider scope for each directory that the path is in.
func below(path string) Key {
	key := Key{Helper: "registry", Rule: `{"host": "files.test"}`, Scope: path, Context: "/home/me"}
	for i := range len(path) {
		if path[i] == '/' {
			key.Wider = append(key.Wider, "below "+path[:i+1])
		}
	}
	return key
}

// TestWider holds that an answer is for all that its scope names, and for nothing else.
func TestWider(t *testing.T) {
	conform(t, func(t *testing.T, w *world, open func() *Shared) {
		a := &asked{t: t, cache: open()}
		entry := func(scope string) Entry {
			return Entry{Response: answer("x", w.now.Add(time.Hour)), Scope: scope}
		}
		a.want(false, below("/a/one"), entry("below /a/"), "the first one")
		a = &asked{t: t, cache: open()}
		a.want(true, below("/a/one"), entry(""), "again")
		a.want(true, below("/a/two"), entry(""), "another file")
		a.want(true, below("/a/b/c/three"), entry(""), "deeper")
		a.want(false, below("/b/one"), entry(""), "beside it")
		a.want(false, below("/b/two"), entry(""), "the one beside it was for itself alone")
		a.want(true, below("/b/two"), entry(""), "which it is for again")
		a.want(false, below("/c/one"), entry("below /a/"), "a scope that is not the key's counts for nothing")
		a.want(false, below("/c/two"), entry(""), "so nothing else has it")
		a.want(true, below("/c/one"), entry(""), "but for itself")
		for name, change := range map[string]func(*Key){
			"helper":  func(k *Key) { k.Helper = "other" },
			"rule":    func(k *Key) { k.Rule = "other" },
			"context": func(k *Key) { k.Context = "other" },
			"part":    func(k *Key) { k.Part = true },
		} {
			key := below("/a/one")
			change(&key)
			a.want(false, key, entry(""), "another "+name)
		}
	})
}

// TestWiderAndFailures holds that those who waited for a leader that failed are told so, whatever was kept before, and that nobody else is.
func TestWiderAndFailures(t *testing.T) {
	conform(t, func(t *testing.T, w *world, open func() *Shared) {
		s := open()
		watched := func(text, scope string) Entry {
			value, set := w.getenv("A")
			return Entry{
				Response: answer(text, w.now.Add(time.Hour)), Scope: scope, Salt: w.salt,
				Inputs: []inputs.Input{{Kind: inputs.Env, Name: "A", Sum: inputs.Variable(w.salt, value, set)}},
			}
		}
		(&asked{t: t, cache: s}).want(false, below("/a/one"), watched("x", "below /"), "at first")
		w.setenv("A", "changed")
		key := below("/a/one")
		if _, err := s.Get(context.Background(), key, func(context.Context) (Entry, error) { return Entry{Scope: "below /"}, errors.New("no") }); err == nil {
			t.Fatal("what has changed is used again")
		}
		e, found, err := s.load(t.Context(), key.IDs())
		if err != nil || !found || e.failure == nil {
			t.Errorf("who waited finds %v, %+v, %v; want the failure", found, e, err)
		}
		if _, found, _ := s.load(t.Context(), below("/a/two").IDs()); found {
			t.Error("a failure is for more than its own question")
		}
		a := &asked{t: t, cache: s}
		a.want(false, below("/a/two"), watched("y", "below /"), "another one")
		a.want(true, key, Entry{}, "the failure does not stand in the way")
	})
}

// TestWiderSupersedes holds, for logins that come and go, that every answer is the one that holds now,
// and that no entry stays in the way of a newer one: what was just answered is remembered.
func TestWiderSupersedes(t *testing.T) {
	conform(t, func(t *testing.T, w *world, open func() *Shared) {
		r := rand.New(rand.NewPCG(1, 2))
		dirs := []string{"/", "/a/", "/a/b/", "/a/b/c/", "/d/"}
		var paths []string
		for _, dir := range dirs {
			paths = append(paths, dir+"x", dir+"y")
		}
		s := open()
		for step := range 400 {
			if r.IntN(4) == 0 {
				// The directories that have a login of their own.
				w.setenv("LOGINS", fmt.Sprint(r.IntN(1<<len(dirs))|1))
			}
			value, _ := w.getenv("LOGINS")
			var logins int
			_, _ = fmt.Sscan(value, &logins)
			login := func(path string) (best string) {
				for i, dir := range dirs {
					if logins&(1<<i) != 0 && strings.HasPrefix(path, dir) {
						best = dir
					}
				}
				return best
			}
			path := paths[r.IntN(len(paths))]
			key := below(path)
			get := func() (text string, hit bool) {
				return (&asked{t: t, cache: s}).get(key, func() Entry {
					e := Entry{
						Response: answer(login(path), w.now.Add(time.Hour)), Salt: w.salt,
						Inputs: []inputs.Input{{Kind: inputs.Env, Name: "LOGINS", Sum: inputs.Variable(w.salt, value, value != "")}},
					}
					for i := len(key.Wider) - 1; i >= 0; i-- {
						dir := strings.TrimPrefix(key.Wider[i], "below ")
						for _, other := range paths {
							if strings.HasPrefix(other, dir) && login(other) != login(path) {
								return e
							}
						}
						e.Scope = key.Wider[i]
					}
					return e
				}())
			}
			if text, _ := get(); text != "Bearer "+login(path) {
				t.Fatalf("step %d: %s is answered %q, want that of %q", step, path, text, login(path))
			}
			if text, hit := get(); !hit || text != "Bearer "+login(path) {
				t.Fatalf("step %d: %s is answered %q, remembered: %v", step, path, text, hit)
			}
		}
	})
}

// TestWiderReplies holds what the agent replies to a question with several keys.
func TestWiderReplies(t *testing.T) {
	w := newWorld(t)
	a := deaf(w.clock)
	a.Ask = func(q Question) (Asked, bool) { return Asked{Key: below(q.URI)}, true }
	ids := below("/a/b/one").IDs()
	data := w.stored(Entry{Response: answer("x", w.now.Add(time.Hour))})
	wantReply(t, a, request(wire.Load, ids...), wire.Miss)
	wantReply(t, a, request(wire.Save, ids[1], data, ids[0], ids[2], ids[3]), wire.Done)
	wantReply(t, a, request(wire.Load, ids...), wire.Entry, data)
	wantReply(t, a, request(wire.Ask, "/a/two", "", "here"), wire.Hit, "Bearer x until 12:59:00", "")
	wantReply(t, a, request(wire.Ask, "/two", "", "here"), wire.Miss)
	other := w.stored(Entry{Response: answer("y", w.now.Add(time.Hour))})
	wantReply(t, a, request(wire.Save, append([]string{ids[3], other}, ids[:3]...)...), wire.Done)
	wantReply(t, a, request(wire.Load, ids...), wire.Entry, other)
	wantReply(t, a, request(wire.Ask, "/a/two", "", "here"), wire.Miss)
}
