package cache

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/inputs"
	"github.com/fe055d52/credential-helper/internal/place"
	"github.com/fe055d52/credential-helper/internal/redact"
)

// How long answers are kept, at most.
const (
	lifeUnknown  = 15 * time.Minute // of an answer that does not say when it expires
	lifeVolatile = 5 * time.Minute  // of one made from something that cannot be watched: a keyring, a program's output
	lifeNegative = time.Minute      // of one without headers
	lifeFailure  = 10 * time.Second // of a failure: it is for those who waited for it, and no one else
)

// An Entry is an answer, and what it was made from.
type Entry struct {
	Response helpers.Response
	// Inputs are what the answer depends on, under Salt. An answer is used again only while they are unchanged.
	Inputs []inputs.Input
	Salt   inputs.Salt
	// Volatile says that it also depends on what cannot be watched.
	Volatile bool
	// Scope is the one of [Key.Wider] for which the answer holds; empty where it is known to hold for the key's own alone.
	Scope string

	// failure says that there is no answer, and why.
	failure *failure
	// began is when somebody began to make the entry, stored when it was made, until when it may be used. All are wall clock times.
	began, stored, until time.Time
	// uptime is what the machine's clock that nobody sets showed when the entry was made; 0 where that is not known.
	uptime time.Duration
}

// A failure is an error in a form that can be told to another process. It holds no secret: it was going to be printed.
type failure struct {
	Text string `json:"text"`
	Hint string `json:"hint,omitempty"`
}

func (f *failure) err() error {
	err := errors.New(f.Text)
	if f.Hint != "" {
		return helpers.WithHint(err, "%s", f.Hint)
	}
	return err
}

// seal sets the entry's times. It reports whether there is any point in keeping it.
func (e *Entry) seal(now time.Time) bool {
	life := maxLife
	switch {
	case e.failure != nil:
		life = lifeFailure
	case e.Response.Empty():
		life = lifeNegative
	case e.Response.Expires.IsZero():
		life = lifeUnknown
	}
	if e.Volatile {
		life = min(life, lifeVolatile)
	}
	e.stored, e.until, e.uptime = now, now.Add(life), uptime(now)
	if x := helpers.ByClock(e.Response.Expires, now); !x.IsZero() {
		e.Response.Expires = x
		if told := helpers.WithMargin(x, now); told.Before(e.until) {
			e.until = told
		}
	}
	return e.until.After(now)
}

// fresh reports whether the entry's time is not over. Where the clock was set back since, it is: what the entry says of its token's end was told by another clock.
func (e *Entry) fresh(now time.Time) bool {
	return now.Before(e.until) && !setBack(e.stored, e.uptime, now)
}

// setBack reports whether the clock was set back after the time stored, when the machine's uptime was at.
// Where the uptime is not known, it is certain of a time in the future alone.
func setBack(stored time.Time, at time.Duration, now time.Time) bool {
	if ahead(stored, now) {
		return true
	}
	up := uptime(now)
	if at == 0 || up == 0 {
		return false
	}
	// A machine that was started since has lost count, and shows it by less uptime, mostly.
	return up < at || now.Round(0).Sub(stored.Round(0)) < up-at-time.Second
}

// outdated reports whether an entry may have been made from what was changed before all such entries were dropped, at a time:
// whoever made it was at it then, and dropping came too early for it.
func (e *Entry) outdated(dropped, now time.Time) bool {
	return e.Volatile && !e.began.IsZero() && e.began.Before(dropped) && !ahead(dropped, now)
}

// ahead reports whether what was done at a time is in the future.
func ahead(done, now time.Time) bool { return now.Add(time.Second).Before(done) }

// unchanged reports whether all that the entry was made from is as it was.
func (e *Entry) unchanged(get place.Getenv) bool { return inputs.Unchanged(e.Inputs, e.Salt, get) }

// wireEntry is the form in which an entry is kept and sent.
type wireEntry struct {
	Headers  map[string][]string `json:"headers"`
	Expires  int64               `json:"expires,omitempty"` // in seconds since 1970; tokens may say that they live for centuries
	Began    int64               `json:"began,omitempty"`   // in nanoseconds, as Stored and Until
	Stored   int64               `json:"stored"`
	Until    int64               `json:"until"`
	Uptime   int64               `json:"uptime,omitempty"`
	Volatile bool                `json:"volatile,omitempty"`
	Salt     []byte              `json:"salt,omitempty"`
	Inputs   []inputs.Input      `json:"inputs,omitempty"`
	Failure  *failure            `json:"failure,omitempty"`
}

// encode returns the entry's bytes. They hold its secrets.
func (e *Entry) encode() ([]byte, error) {
	w := wireEntry{
		Stored: e.stored.UnixNano(), Until: e.until.UnixNano(), Uptime: int64(e.uptime), Volatile: e.Volatile,
		Salt: []byte(e.Salt), Inputs: e.Inputs, Failure: e.failure,
	}
	if !e.began.IsZero() {
		w.Began = e.began.UnixNano()
	}
	if !e.Response.Expires.IsZero() {
		w.Expires = e.Response.Expires.Unix()
	}
	w.Headers = make(map[string][]string, len(e.Response.Headers))
	for name, values := range e.Response.Headers {
		for _, v := range values {
			w.Headers[name] = append(w.Headers[name], v.Reveal())
		}
	}
	return json.Marshal(w)
}

// maxLife is the longest that any entry lives, whatever its token says: what says more is corrupt.
const maxLife = 31 * 24 * time.Hour

// decode reads what encode wrote. Whatever else it is given is an error, and never an answer that could not be sent.
func decode(data []byte) (Entry, error) {
	var w wireEntry
	if err := json.Unmarshal(data, &w); err != nil {
		return Entry{}, errors.New("the entry is not valid JSON")
	}
	e := Entry{
		stored: time.Unix(0, w.Stored), until: time.Unix(0, w.Until), uptime: time.Duration(w.Uptime), Volatile: w.Volatile,
		Salt: inputs.Salt(w.Salt), Inputs: w.Inputs, failure: w.Failure,
	}
	if w.Stored <= 0 || w.Until <= w.Stored || w.Uptime < 0 || e.until.Sub(e.stored) > maxLife {
		return Entry{}, errors.New("the entry's times make no sense")
	}
	if w.Began != 0 {
		e.began = time.Unix(0, w.Began)
	}
	if w.Expires != 0 {
		e.Response.Expires = time.Unix(w.Expires, 0)
		if e.Response.Expires.Before(e.until) {
			return Entry{}, errors.New("the entry outlives its token")
		}
	}
	if w.Failure != nil && (len(w.Headers) > 0 || w.Failure.Text == "") {
		return Entry{}, errors.New("the entry is a failure and an answer, or neither")
	}
	for name, values := range w.Headers {
		if err := helpers.CheckHeaderName(name); err != nil {
			return Entry{}, fmt.Errorf("the entry's header name: %w", err)
		}
		if e.Response.Headers == nil {
			e.Response.Headers = make(map[string][]redact.Secret, len(w.Headers))
		}
		for _, v := range values {
			secret := redact.Hold(v)
			if err := helpers.CheckHeaderValue(secret); err != nil {
				return Entry{}, fmt.Errorf("the entry's header %s: %w", name, err)
			}
			e.Response.Headers[name] = append(e.Response.Headers[name], secret)
		}
		if len(e.Response.Headers[name]) == 0 {
			return Entry{}, fmt.Errorf("the entry's header %s has no value", name)
		}
	}
	return e, nil
}

// Describe returns an encoded entry as JSON without its secrets.
func Describe(data string) string {
	e, err := decode([]byte(data))
	if err != nil {
		return `"` + err.Error() + `"`
	}
	d := struct {
		Headers  map[string][]redact.Secret `json:"headers"` // a Secret is JSON without its text
		Expires  *time.Time                 `json:"expires,omitempty"`
		Stored   time.Time                  `json:"stored"`
		Until    time.Time                  `json:"until"`
		Volatile bool                       `json:"volatile"`
		Inputs   []inputs.Input             `json:"inputs"`
		Failure  *failure                   `json:"failure,omitempty"`
	}{Headers: e.Response.Headers, Stored: e.stored.UTC(), Until: e.until.UTC(), Volatile: e.Volatile, Failure: e.failure}
	if !e.Response.Expires.IsZero() {
		expires := e.Response.Expires.UTC()
		d.Expires = &expires
	}
	for _, in := range e.Inputs {
		d.Inputs = append(d.Inputs, inputs.Input{Kind: in.Kind, Name: in.Name})
	}
	text, err := json.Marshal(d)
	if err != nil {
		return `"` + err.Error() + `"`
	}
	return string(text)
}
