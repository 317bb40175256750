package cache

import (
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/cache/wire"
)

// TestForgetAll holds that nothing that an agent is asked for is there any more when it was told to forget everything, and that what else it keeps is told to go.
// That no copy is left in its memory is what nobody can promise.
func TestForgetAll(t *testing.T) {
	a := deaf(func() time.Time { return start })
	a.now = func() time.Time { return start }
	forgot := 0
	a.Forget = func() { forgot++ }
	a.Ask = func(Question) (Asked, bool) { return Asked{Key: someKey}, true }
	w := newWorld(t)
	stored := w.stored(Entry{Response: answer("canary", start.Add(time.Hour))})
	if r := a.reply(request(wire.Save, someKey.ID(), stored)); r.Op != wire.Done {
		t.Fatalf("saving: %q", r)
	}
	requests := map[string]wire.Message{"load": request(wire.Load, someKey.ID()), "peek": request(wire.Peek, someKey.ID()), "ask": request(wire.Ask, "u", "", "c")}
	ops := func() (all string) {
		for _, name := range []string{"load", "peek", "ask"} {
			all += string(a.reply(requests[name]).Op)
		}
		return all
	}
	if got := ops(); got != "EEH" {
		t.Fatalf("before: %s", got)
	}
	for _, what := range []What{Expired, Volatile} {
		a.reply(request(wire.Drop, string(what)))
	}
	if got := ops(); got != "EEH" || forgot != 0 {
		t.Errorf("after what is over: %s, %d", got, forgot)
	}
	a.reply(request(wire.Drop, string(All)))
	if got := ops(); got != "MMM" || forgot != 1 || len(a.memory.items) != 0 || a.memory.order.Len() != 0 {
		t.Errorf("after everything: %s, %d times, %d items", got, forgot, len(a.memory.items))
	}
}
