package cache

import (
	"testing"
	"time"
	"unsafe"

	"github.com/fe055d52/credential-helper/helpers"
)

// afterSet returns what the clock would show at t, a time of the system's, had it been set forward by d before: the monotonic reading is as it was.
func afterSet(t time.Time, d time.Duration) time.Time {
	seconds := int64(d / time.Second)
	wall := (*uint64)(unsafe.Pointer(&t)) // the flag, 33 bits of seconds, 30 bits of nanoseconds: see package time
	*wall = uint64(int64(*wall) + seconds<<30)
	return t
}

// TestClockSetBack holds that nothing is used that was kept before the clock was set back, by however little of its age:
// the expiry that it tells would be later than its token's.
func TestClockSetBack(t *testing.T) {
	made := time.Now()
	if moved := afterSet(made, -time.Hour); moved.Sub(made) != 0 || made.Round(0).Sub(moved.Round(0)) != time.Hour {
		t.Fatalf("%s cannot be set back: %s", made, moved)
	}
	if uptime(made) == 0 {
		t.Skip("this system does not tell for how long it runs")
	}
	if uptime(made.Round(0)) != 0 {
		t.Error("a test's clock has the system's uptime")
	}
	for _, tt := range []struct {
		name   string
		age    time.Duration // of the entry, by the clock that nobody sets
		set    time.Duration // the clock, forward, since then
		usable bool
	}{
		{name: "not set", age: 4 * time.Second, usable: true},
		{name: "new, not set", usable: true},
		{name: "set forward", age: 4 * time.Second, set: 3 * time.Second, usable: true},
		{name: "set forward past its end", age: 4 * time.Second, set: 2 * time.Hour},
		{name: "set back by less than its age", age: 4 * time.Second, set: -3 * time.Second},
		{name: "set back by its age", age: 4 * time.Second, set: -4 * time.Second},
		{name: "set back by more than its age", age: 4 * time.Second, set: -time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := Entry{Response: answer("x", made.Add(time.Hour))}
			if !e.seal(made) {
				t.Fatal("it is not kept")
			}
			e.stored, e.uptime = e.stored.Add(-tt.age), e.uptime-tt.age
			now := afterSet(made, tt.set)
			if got := e.fresh(now); got != tt.usable {
				t.Errorf("fresh: %v", got)
			}
			data, err := e.encode()
			if err != nil {
				t.Fatal(err)
			}
			back, err := decode(data)
			if err != nil {
				t.Fatal(err)
			}
			if got := back.fresh(now); got != tt.usable {
				t.Errorf("fresh, from a file: %v", got)
			}
			clock := made
			m := newMemory(10, func() time.Time { return clock })
			m.put("q", data, &back)
			clock = now
			if _, got := m.get("q"); got != tt.usable {
				t.Errorf("in the agent's memory: %v", got)
			}
			if _, got := m.peek("q"); got != tt.usable {
				t.Errorf("for one who looks into the agent's memory: %v", got)
			}
		})
	}
}

// TestClockSetDuringExchange holds that an answer's expiry is that of its token where the clock is set while the server is asked.
func TestClockSetDuringExchange(t *testing.T) {
	sent := time.Now()
	for _, set := range []time.Duration{-2 * time.Hour, -time.Minute, 0, time.Minute, 2 * time.Hour} {
		now := afterSet(sent, set)
		e := Entry{Response: answer("x", sent.Add(time.Hour))}
		if !e.seal(now) {
			t.Errorf("set by %s: it is not kept", set)
		}
		if left := e.Response.Expires.Round(0).Sub(now.Round(0)); left != time.Hour {
			t.Errorf("set by %s: the token lives for %s", set, left)
		}
		if left := helpers.WithMargin(sent.Add(time.Hour), now).Sub(now.Round(0)); left > 59*time.Minute || left < 59*time.Minute-time.Second {
			t.Errorf("set by %s: a client is told that it lives for %s", set, left)
		}
	}
}
