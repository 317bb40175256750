package cache

import (
	"container/list"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fe055d52/credential-helper/cache/wire"
)

// maxMemory is about how many bytes entries may take: 10,000 of a usual size take less. A server decides how long its tokens are.
const maxMemory = 128 << 20

// A memory keeps encoded entries, the least recently used of which go when there are too many, or they are too large.
type memory struct {
	max int
	now func() time.Time

	mu    sync.Mutex
	items map[string]*list.Element
	order *list.List // of *item, the most recently used first
	size  int        // of all items, in bytes
	// forgot is when what cannot be watched was forgotten, by the wall clock.
	forgot time.Time
}

type item struct {
	id        string
	data      []byte
	volatile  bool
	failure   bool
	exchanged bool      // for a token that expires
	stored    time.Time // by the wall clock, as until
	until     time.Time
	uptime    time.Duration // when it was stored
	deadline  time.Time     // by the monotonic clock, which nobody sets

	reply atomic.Pointer[wire.Message] // what it is told as
}

func newMemory(max int, now func() time.Time) *memory {
	return &memory{max: max, now: now, items: map[string]*list.Element{}, order: list.New()}
}

// size is about how much memory an item takes, in bytes: the entry, and the reply that is made of it.
func (i *item) size() int { return 2*len(i.data) + 1<<10 }

// over reports whether an entry's time is over by either clock: the wall clock may be set back, and the other may stand still while the machine sleeps.
func (i *item) over(now time.Time) bool {
	return !now.Round(0).Before(i.until) || !now.Before(i.deadline)
}

// mistimed reports whether the clock was set back since an entry was kept: its answer says until when it may be used by the clock as it was.
func (i *item) mistimed(now time.Time) bool { return setBack(i.stored, i.uptime, now) }

// get returns the first entry under one of ids whose time is not over.
func (m *memory) get(ids ...string) (*item, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		el, ok := m.items[id]
		if !ok {
			continue
		}
		it := el.Value.(*item)
		if it.over(m.now()) {
			m.remove(el)
			continue
		}
		if it.mistimed(m.now()) {
			continue
		}
		m.order.MoveToFront(el)
		return it, true
	}
	return nil, false
}

// peek is get for one who only looks: nothing is forgotten, and no entry is the more recently used.
func (m *memory) peek(ids ...string) (*item, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		if el, ok := m.items[id]; ok {
			if it := el.Value.(*item); !it.over(m.now()) && !it.mistimed(m.now()) {
				return it, true
			}
		}
	}
	return nil, false
}

// put keeps an entry that decode accepts, and forgets those under the ids in instead. The bytes are kept as they are: that takes the least memory.
func (m *memory) put(id string, data []byte, e *Entry, instead ...string) {
	now := m.now()
	life := min(e.until.Sub(now.Round(0)), e.until.Sub(e.stored))
	if life <= 0 {
		return
	}
	it := &item{
		id: id, data: data, volatile: e.Volatile, failure: e.failure != nil, exchanged: !e.Response.Expires.IsZero(),
		stored: e.stored, until: e.until, uptime: e.uptime, deadline: now.Add(life),
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if e.outdated(m.forgot, now.Round(0)) {
		return
	}
	for _, other := range instead {
		if el, ok := m.items[other]; ok && other != id {
			m.remove(el)
		}
	}
	if el, ok := m.items[id]; ok {
		m.remove(el)
	}
	m.items[id] = m.order.PushFront(it)
	m.size += it.size()
	for len(m.items) > m.max || m.size > maxMemory {
		m.remove(m.order.Back())
	}
}

func (m *memory) remove(el *list.Element) {
	it := m.order.Remove(el).(*item)
	delete(m.items, it.id)
	m.size -= it.size()
}

// drop forgets entries and returns how many.
func (m *memory) drop(what What) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, n := m.now(), 0
	if what != Expired {
		m.forgot = now.Round(0)
	}
	for el := m.order.Front(); el != nil; {
		next := el.Next()
		if it := el.Value.(*item); what == All || it.over(now) || what == Volatile && it.volatile {
			m.remove(el)
			n++
		}
		el = next
	}
	return n
}

func (m *memory) len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.items)
}
