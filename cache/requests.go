package cache

import (
	"encoding/json"
	"errors"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/fe055d52/credential-helper/cache/wire"
	"github.com/fe055d52/credential-helper/internal/place"
)

// reply answers one request.
func (a *Agent) reply(m wire.Message) wire.Message { return a.replyTo(m, false) }

// replyTo is reply. Where it is wanted at once, and would take reading files, it is the zero Message.
func (a *Agent) replyTo(m wire.Message, atOnce bool) wire.Message {
	refuse := func(text string) wire.Message { return wire.Message{Op: wire.Error, Fields: []string{text}} }
	if len(m.Fields) == 0 {
		return refuse("the request does not name the client's build")
	}
	build, fields := place.ParseBuild(m.Fields[0]), m.Fields[1:]
	switch m.Op {
	case wire.Quit:
		a.stop("asked to")
		return wire.Message{Op: wire.Done}
	case wire.Status:
		text, err := json.Marshal(a.Status())
		if err != nil {
			return refuse(err.Error())
		}
		return wire.Message{Op: wire.Done, Fields: []string{string(text)}}
	}
	// What another build asks for, or stores, may not mean the same here.
	switch {
	case build == a.Build && m.Op == wire.Peek:
	case build == a.Build:
		a.lastUsed.Store(int64(time.Since(a.began)))
	case build.ModTime >= a.Build.ModTime: // equal where all files have one time, as in a container image: which one is newer is not known
		return wire.Message{Op: wire.Older}
	default:
		return wire.Message{Op: wire.Newer}
	}
	switch {
	case m.Op == wire.Ask && len(fields) >= 3 && len(fields)%2 == 1:
		q := Question{URI: fields[0], Guess: strings.Contains(fields[1], "g"), Named: strings.Contains(fields[1], "n"), Context: fields[2], AtOnce: atOnce}
		for i := 3; i < len(fields); i += 2 {
			q.Files = append(q.Files, [2]string{fields[i], fields[i+1]})
		}
		return a.ask(q)
	case m.Op == wire.Load && len(fields) >= 1:
		return a.load(fields)
	case m.Op == wire.Peek && len(fields) >= 1:
		return a.peek(fields)
	case m.Op == wire.Save && len(fields) >= 2:
		if err := a.save(fields[0], fields[1], fields[2:]); err != nil {
			return refuse(err.Error())
		}
		return wire.Message{Op: wire.Done}
	case m.Op == wire.Drop && len(fields) == 1:
		what := What(fields[0])
		if what != Expired && what != Volatile && what != All {
			return refuse("nothing is called " + strconv.Quote(fields[0]))
		}
		n := a.memory.drop(what)
		if what == All {
			a.forget()
		}
		if n > 0 {
			a.log("dropped %d entries (%s)", n, what)
		}
		return wire.Message{Op: wire.Done, Fields: []string{strconv.Itoa(n)}}
	}
	return refuse("unknown request")
}

// forget gives back the memory in which there was what is forgotten. Nobody can promise that no copy is left,
// but what stands in it goes with it, and would stand there otherwise until something else is put in its place.
func (a *Agent) forget() {
	if a.Forget != nil {
		a.Forget()
	}
	debug.FreeOSMemory()
}

// ask answers for a URL at once, where an entry for it is there.
func (a *Agent) ask(q Question) wire.Message {
	miss := wire.Message{Op: wire.Miss}
	if a.Ask == nil {
		return miss
	}
	asked, ok := a.Ask(q)
	if !ok {
		return miss
	}
	if asked.Later {
		return wire.Message{}
	}
	if asked.Text != nil {
		a.hits.Add(1)
		return wire.Message{Op: wire.Answer, Fields: []string{string(asked.Text)}}
	}
	a.drain()
	it, ok := a.memory.get(asked.Key.IDs()...)
	if !ok || it.failure {
		return miss // the client asks again, and is counted then
	}
	reply, ok := a.hit(it)
	if !ok {
		return miss
	}
	a.count(it)
	return reply
}

// hit returns the reply that an entry is to an Ask. It is kept, for it stays the same: a client is told one expiry, whenever it asks.
func (a *Agent) hit(it *item) (wire.Message, bool) {
	if kept := it.reply.Load(); kept != nil {
		return *kept, true
	}
	e, err := decode(it.data)
	if err != nil {
		return wire.Message{}, false
	}
	text, ok := a.Encode(e.Response, e.stored)
	if !ok {
		return wire.Message{}, false
	}
	reply := wire.Message{Op: wire.Hit, Fields: []string{string(text), string(e.Salt)}}
	for _, in := range e.Inputs {
		reply.Fields = append(reply.Fields, in.Kind, in.Name, in.Sum)
	}
	it.reply.Store(&reply)
	return reply, true
}

func (a *Agent) count(it *item) {
	a.hits.Add(1)
	if it.exchanged {
		a.saved.Add(1)
	}
}

func (a *Agent) load(ids []string) wire.Message {
	a.drain()
	it, ok := a.memory.get(ids...)
	if !ok {
		a.misses.Add(1)
		return wire.Message{Op: wire.Miss}
	}
	if !it.failure {
		a.count(it)
	}
	return wire.Message{Op: wire.Entry, Fields: []string{string(it.data)}}
}

func (a *Agent) peek(ids []string) wire.Message {
	a.drain()
	it, ok := a.memory.peek(ids...)
	if !ok {
		return wire.Message{Op: wire.Miss}
	}
	return wire.Message{Op: wire.Entry, Fields: []string{string(it.data)}}
}

func (a *Agent) save(id, data string, instead []string) error {
	if len(id) > 64 {
		return errors.New("the key is too long")
	}
	e, err := decode([]byte(data))
	if err != nil {
		return err
	}
	a.memory.put(strings.Clone(id), []byte(data), &e, instead...) // id alone would keep the whole frame
	return nil
}

// Status returns what the agent tells of itself.
func (a *Agent) Status() Status {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return Status{
		PID: os.Getpid(), Build: time.Unix(0, a.Build.ModTime).UTC().Format(time.RFC3339), Uptime: int64(time.Since(a.began).Seconds()), Entries: a.memory.len(),
		Hits: a.hits.Load(), Misses: a.misses.Load(), Saved: a.saved.Load(),
		Clients: a.clients.Load(), Goroutines: runtime.NumGoroutine(), Heap: memory.HeapAlloc,
	}
}
