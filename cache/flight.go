package cache

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/place"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/trace"
)

// A store keeps entries where other processes of the user's find them.
type store interface {
	// load returns the first entry that is there under one of ids. err is not nil where the store cannot be reached; it wraps errGivenUp where that will not change.
	load(ctx context.Context, ids []string) (e Entry, found bool, err error)
	// peek is load for one who only looks: it changes nothing, and does not make the store reachable.
	peek(ctx context.Context, ids []string) (e Entry, found bool, err error)
	// save keeps an entry under id, and forgets those under the ids in instead. Where the store is still starting, that may be done later.
	save(ctx context.Context, id string, instead []string, e Entry) error
	// start makes an unreachable store reachable soon; it is an error where that cannot be done. It does not wait for it.
	start(ctx context.Context) error
	// awaitStart waits while another process makes the store reachable, and reports whether one did.
	awaitStart(ctx context.Context) bool
	// drop forgets entries.
	drop(ctx context.Context, what What) error
	close()
}

// Shared is a cache that processes of one user share: a store for the entries, and locks that decide who answers.
type Shared struct {
	store store
	locks locks
	get   place.Getenv
	now   func() time.Time
}

// Get implements [Cache].
//
// Whoever gets the key's lock answers the question, the leader; who does not get it waits until it is free, and looks again.
// The system frees the lock of a leader that dies, and the next one takes it. A leader's failure is kept for a moment,
// for those who began to wait before it came: they fail with it, instead of repeating it one after the other.
// That its time was up, or that it was told to end, is no such failure: the next one takes the lock.
//
// A key with wider scopes is answered by what is kept under any of them. The lock is that of its own scope: how far an answer holds is known when it is there.
//
// Where there are no locks, or a leader's answer could not be had because the store is out of reach and stays there, each process answers by itself.
func (s *Shared) Get(ctx context.Context, key Key, fill Fill) (helpers.Response, error) {
	ids := key.IDs()
	id := ids[len(ids)-1]
	began := s.now()
	for waits := 0; ; waits++ {
		e, found, err := s.load(ctx, ids)
		absent := err != nil
		switch {
		case found && e.failure == nil:
			trace.Note(ctx, "cache: an answer from %s ago", s.now().Sub(e.stored).Round(time.Millisecond))
			tellMade(ctx, key, &e)
			return e.Response, nil
		case found && waits > 0 && !e.stored.Before(began):
			trace.Note(ctx, "cache: the process that was waited for failed")
			return helpers.Response{}, e.failure.err()
		case absent:
			trace.Note(ctx, "cache: %s", err)
			// One more leader is waited for, who may bring the store back; not a hundred, one after the other.
			if waits > 1 || errors.Is(err, errGivenUp) {
				return s.answer(ctx, fill)
			}
		}
		lock, err := s.locks.try(id)
		if err != nil {
			trace.Note(ctx, "cache: no lock: %s", err)
			return s.answer(ctx, fill)
		}
		if lock != nil {
			return s.lead(ctx, key, ids, lock, fill)
		}
		if err := s.wait(ctx, id, absent); errors.Is(err, errNoPatience) {
			return s.answer(ctx, fill)
		} else if err != nil {
			return helpers.Response{}, fmt.Errorf("waiting for another process with the same question: %w", err)
		}
	}
}

// absence is how long a process waits for another one while the store is out of reach, before it looks for it again.
const absence = 500 * time.Millisecond

// wait waits for the process that answers. absent says that the store is out of reach.
func (s *Shared) wait(ctx context.Context, id string, absent bool) (err error) {
	end := trace.Step(ctx, "waiting for another process with the same question")
	defer func() { end(err) }()
	limited := ctx
	switch deadline, ok := ctx.Deadline(); {
	case absent:
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, absence)
		defer cancel()
	case ok:
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, time.Until(deadline)*3/4)
		defer cancel()
	}
	if err = s.locks.wait(limited, id); err != nil && limited.Err() != nil && ctx.Err() == nil {
		if !absent {
			return errNoPatience
		}
		return nil
	}
	return err
}

// errNoPatience says that three quarters of the time went into waiting for another process. It may be stopped, and what is left
// of the time is for an answer of one's own.
var errNoPatience = errors.New("the process that was waited for takes too long")

// load returns an entry that may be used now. It waits for a store that is starting.
func (s *Shared) load(ctx context.Context, ids []string) (Entry, bool, error) {
	e, found, err := s.store.load(ctx, ids)
	if err != nil && s.store.awaitStart(ctx) {
		e, found, err = s.store.load(ctx, ids)
	}
	if err != nil || !found || !e.fresh(s.now()) || !e.unchanged(s.get) {
		return Entry{}, false, err
	}
	return e, true, nil
}

// lead answers a question for all who wait, holding the key's lock.
func (s *Shared) lead(ctx context.Context, key Key, ids []string, held *lock, fill Fill) (helpers.Response, error) {
	defer held.release()
	// Somebody may have answered between the look and the lock.
	e, found, err := s.load(ctx, ids)
	if found && e.failure == nil {
		tellMade(ctx, key, &e)
		return e.Response, nil
	}
	if err != nil {
		if err := s.store.start(ctx); err != nil {
			trace.Note(ctx, "cache: %s", err)
			held.release() // nobody will hear the answer: it makes no sense to wait for it
			return s.answer(ctx, fill)
		}
	}
	began := s.now()
	e, err = fill(ctx)
	e.began = began
	switch {
	case err != nil && ctx.Err() != nil:
		// This process's time is up, or it was told to end. That says nothing of those who wait, who may have more time: the next one leads.
		return helpers.Response{}, err
	case err != nil:
		s.save(ctx, key, ids, Entry{failure: tellable(err), Inputs: e.Inputs, Salt: e.Salt, Volatile: e.Volatile, began: began})
		return helpers.Response{}, err
	}
	s.save(ctx, key, ids, e)
	return e.Response, nil
}

// answer answers a question for this process alone.
func (s *Shared) answer(ctx context.Context, fill Fill) (helpers.Response, error) {
	e, err := fill(ctx)
	return e.Response, err
}

// save keeps an entry; that it cannot be kept is no reason to fail.
//
// What is there under the key's other scopes could not be used, or there would be no new entry. It goes, so that it does not stand in this one's way:
// and so of two entries that are both for one URL, that of the wider scope is the newer one.
func (s *Shared) save(ctx context.Context, key Key, ids []string, e Entry) {
	if !e.seal(s.now()) {
		return
	}
	// A leader whose time is up still tells its answer to those who wait.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), busyPatience)
	defer cancel()
	at := len(key.Wider)
	if i := slices.Index(key.Wider, e.Scope); e.Scope != "" && i >= 0 {
		at = i
	}
	if err := s.store.save(ctx, ids[at], slices.Delete(slices.Clone(ids), at, at+1), e); err != nil {
		trace.Note(ctx, "cache: not kept: %s", err)
	}
}

// Drop implements [Cache].
func (s *Shared) Drop(ctx context.Context, what What) error { return s.store.drop(ctx, what) }

// Close implements [Cache].
func (s *Shared) Close() { s.store.close() }

func tellable(err error) *failure {
	// What this process prints is scrubbed when it is printed; the others do not know this one's secrets.
	f := &failure{Text: redact.Scrub(err.Error())}
	var hint *helpers.HintError
	if errors.As(err, &hint) {
		f.Hint = redact.Scrub(hint.Hint)
	}
	return f
}
