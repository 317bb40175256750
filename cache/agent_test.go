package cache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fe055d52/credential-helper/cache/wire"
	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/inputs"
	"github.com/fe055d52/credential-helper/internal/place"
)

// deaf returns an agent that serves nobody: its replies are had by reply.
func deaf(now func() time.Time) *Agent {
	a := &Agent{Build: testBuild, now: now, Encode: func(r helpers.Response, made time.Time) ([]byte, bool) {
		told := helpers.WithMargin(r.Expires, made)
		return []byte(textOf(r) + " until " + told.Format(time.TimeOnly)), told.After(now())
	}}
	a.Ask = func(q Question) (Asked, bool) {
		switch {
		case strings.HasSuffix(q.URI, "/none"):
			return Asked{Text: []byte("no opinion")}, true
		case strings.HasSuffix(q.URI, "/unknown"):
			return Asked{}, false
		}
		return Asked{Key: Key{Scope: q.URI, Context: q.Context}}, true
	}
	a.prepare()
	return a
}

// request is a message from a client of the tests' build.
func request(op byte, fields ...string) wire.Message {
	return wire.Message{Op: op, Fields: append([]string{testBuild.String()}, fields...)}
}

func (w *world) stored(e Entry) string {
	w.t.Helper()
	if !e.seal(w.clock()) {
		w.t.Fatal("there is no point in keeping the entry")
	}
	data, err := e.encode()
	if err != nil {
		w.t.Fatal(err)
	}
	return string(data)
}

func wantReply(t testing.TB, a *Agent, m wire.Message, op byte, fields ...string) {
	t.Helper()
	if r := a.reply(m); r.Op != op || strings.Join(r.Fields, "|") != strings.Join(fields, "|") {
		t.Errorf("the reply to %q is %q, want %q", m, r, wire.Message{Op: op, Fields: fields})
	}
}

func TestReplies(t *testing.T) {
	w := newWorld(t)
	a := deaf(w.clock)
	const url = "https://registry.test/v2/"
	key := Key{Scope: url, Context: "here"}.ID()
	data := w.stored(Entry{
		Response: answer("x", w.now.Add(time.Hour)), Salt: w.salt,
		Inputs: []inputs.Input{{Kind: inputs.Env, Name: "A", Sum: "-"}},
	})
	wantReply(t, a, request(wire.Load, key), wire.Miss)
	wantReply(t, a, request(wire.Ask, url, "", "here"), wire.Miss)
	wantReply(t, a, request(wire.Save, key, data), wire.Done)
	wantReply(t, a, request(wire.Load, key), wire.Entry, data)
	hit := []string{"Bearer x until 12:59:00", string(w.salt), inputs.Env, "A", "-"}
	wantReply(t, a, request(wire.Ask, url, "", "here"), wire.Hit, hit...)
	wantReply(t, a, request(wire.Ask, url, "", "here", "/config", "-"), wire.Hit, hit...)
	wantReply(t, a, request(wire.Ask, url, "", "there"), wire.Miss)
	wantReply(t, a, request(wire.Ask, url+"other", "", "here"), wire.Miss)
	wantReply(t, a, request(wire.Ask, url+"none", "", "here"), wire.Answer, "no opinion")
	wantReply(t, a, request(wire.Ask, url+"unknown", "", "here"), wire.Miss)
	w.pass(-2 * time.Second)
	wantReply(t, a, request(wire.Ask, url, "", "here"), wire.Miss) // it is from the future
	w.pass(2 * time.Second)
	w.pass(58 * time.Minute) // the margin does not shrink
	wantReply(t, a, request(wire.Ask, url, "", "here"), wire.Hit, hit...)
	w.pass(time.Minute)
	wantReply(t, a, request(wire.Ask, url, "", "here"), wire.Miss)
	wantReply(t, a, request(wire.Load, key), wire.Miss)

	// A failure is for those who waited: it is told to them, and no answer.
	wantReply(t, a, request(wire.Save, key, w.stored(Entry{failure: &failure{Text: "no"}})), wire.Done)
	wantReply(t, a, request(wire.Ask, url, "", "here"), wire.Miss)
	if r := a.reply(request(wire.Load, key)); r.Op != wire.Entry {
		t.Errorf("the reply is %q", r)
	}

	var s Status
	if r := a.reply(request(wire.Status)); r.Op != wire.Done || json.Unmarshal([]byte(r.Fields[0]), &s) != nil || s.PID != os.Getpid() || s.Entries != 1 || s.Hits != 5 || s.Saved != 4 || s.Misses != 2 {
		t.Errorf("the status is %q", r)
	}
}

func TestRefuses(t *testing.T) {
	a := deaf(time.Now)
	for _, tt := range []struct {
		m    wire.Message
		want string
	}{
		{wire.Message{Op: wire.Load}, "the request does not name the client's build"},
		{wire.Message{Op: wire.Quit}, "the request does not name the client's build"},
		{request(wire.Load), "unknown request"},
		{request(wire.Save, "a"), "unknown request"},
		{request(wire.Ask, "u", ""), "unknown request"},
		{request(wire.Ask, "u", "", "c", "path without a sum"), "unknown request"},
		{request('?'), "unknown request"},
		{request(wire.Drop, "everything"), `nothing is called "everything"`},
		{request(wire.Save, "key", "{"), "the entry is not valid JSON"},
		{request(wire.Save, strings.Repeat("k", 65), string(encoded(t, Entry{}))), "the key is too long"},
	} {
		wantReply(t, a, tt.m, wire.Error, tt.want)
	}
	if a.memory.len() > 0 {
		t.Error("something was kept")
	}
}

// TestBuilds holds what an agent says to clients that are not of its build: they neither get nor store anything.
func TestBuilds(t *testing.T) {
	a := deaf(time.Now)
	a.Build = place.Build{ModTime: 10, Size: 5}
	for build, op := range map[place.Build]byte{
		{ModTime: 10, Size: 5}: wire.Miss,
		{ModTime: 11, Size: 5}: wire.Older,
		{ModTime: 10, Size: 6}: wire.Older, // which is newer is not known: the agent gives way
		{ModTime: 9, Size: 5}:  wire.Newer,
		{}:                     wire.Newer,
	} {
		wantReply(t, a, wire.Message{Op: wire.Load, Fields: []string{build.String(), "key"}}, op)
		if r := a.reply(wire.Message{Op: wire.Status, Fields: []string{build.String()}}); r.Op != wire.Done {
			t.Errorf("build %v hears %q of its status", build, r)
		}
	}
	wantReply(t, a, wire.Message{Op: wire.Load, Fields: []string{"nonsense", "key"}}, wire.Newer)
}

// TestLeastRecentlyUsed holds that the entry that was not used for the longest time goes when there are too many.
func TestLeastRecentlyUsed(t *testing.T) {
	w := newWorld(t)
	a := w.serve(func(a *Agent) { a.MaxEntries = 3 })
	q := &asked{t: t, cache: NewAgent(w.client(), w.getenv, w.clock)}
	entry := Entry{Response: answer("x", w.now.Add(time.Hour))}
	for _, scope := range []string{"a", "b", "c"} {
		q.get(Key{Scope: scope}, entry)
	}
	q.want(true, Key{Scope: "a"}, entry, "all are there")
	q.want(false, Key{Scope: "d"}, entry, "a fourth one")
	if n := a.Status().Entries; n != 3 {
		t.Errorf("there are %d entries", n)
	}
	for _, scope := range []string{"a", "c", "d"} {
		q.want(true, Key{Scope: scope}, entry, scope+" was used after b")
	}
	q.want(false, Key{Scope: "b"}, entry, "b was not used")
	q.want(false, Key{Scope: "a"}, entry, "and now a is the one")
}

// TestMemoryIsBounded holds that entries of whatever size take a bounded amount of memory together: a registry decides how long its tokens are.
func TestMemoryIsBounded(t *testing.T) {
	m := newMemory(maxEntries, time.Now)
	e := Entry{Response: answer("x", time.Now().Add(time.Hour))}
	e.seal(time.Now())
	data := make([]byte, wire.MaxFrame)
	for i := range 1000 { // a gigabyte, if each were a copy
		m.put(fmt.Sprint(i%900), data, &e) // some replace another
	}
	sum := 0
	for el := m.order.Front(); el != nil; el = el.Next() {
		sum += len(el.Value.(*item).data)
	}
	if sum > maxMemory || sum < maxMemory/4 || m.len() != len(m.items) {
		t.Errorf("%d entries of %d bytes are kept", m.len(), sum)
	}
	if _, ok := m.get("99"); !ok {
		t.Error("the last one is not kept")
	}
	if m.drop(All); m.size != 0 {
		t.Errorf("without entries, the size is %d", m.size)
	}
	for i := range 2 * maxEntries {
		m.put(fmt.Sprint(i), data[:4<<10], &e)
	}
	if m.len() != maxEntries {
		t.Errorf("%d entries of a usual size are kept, want %d", m.len(), maxEntries)
	}
}

// TestCrowdOfSilentClients holds that clients which say nothing, do not read what they asked for, or have files that hang, keep no other waiting,
// and that one that was hung up on for others is served when it asks again.
func TestCrowdOfSilentClients(t *testing.T) {
	w := newWorld(t)
	const most = 20
	long := strings.Repeat("x", wire.MaxFrame/2)
	w.serve(func(a *Agent) {
		a.most = most
		a.Ask = func(q Question) (Asked, bool) {
			switch {
			case q.URI != "hangs":
				return Asked{Text: []byte(long)}, true
			case q.AtOnce:
				return Asked{Later: true}, true
			}
			<-t.Context().Done() // its files are on a disk that hangs, until the test ends
			return Asked{}, false
		}
	})
	patient := w.client()
	defer patient.Close()
	ask := func(c *Client, who string) {
		t.Helper()
		if _, err := c.Call(t.Context(), wire.Status); err != nil { // which waits for busyPatience
			t.Errorf("%s: %v", who, err)
		}
	}
	ask(patient, "the first one")
	for i := range 5 * most {
		conn, err := net.Dial("unix", filepath.Join(w.dir, "agent.sock"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		switch {
		case i%3 == 0:
			_, _ = conn.Write([]byte("CHA1\x00\x0f\xff\xffl")) // the head of a long frame
		case i == 11:
			_, _ = conn.Write(wire.Append(nil, request(wire.Ask, "hangs", "", "c")))
		case i < 10: // several, each of whom could keep others waiting for a second
			_, _ = conn.Write(wire.Append(nil, request(wire.Ask, "u", "", "c")))
		}
		if i%10 == 0 {
			c := w.client()
			ask(c, fmt.Sprint("one after ", i))
			c.Close()
		}
	}
	ask(patient, "the first one, again")
}

// TestMonotonicClock holds that an entry ends by the clock that nobody sets, too.
func TestMonotonicClock(t *testing.T) {
	m := newMemory(1, time.Now)
	e := Entry{}
	e.seal(time.Now())
	m.put("key", nil, &e)
	if it, ok := m.get("key"); !ok || !strings.Contains(it.deadline.String(), " m=") {
		t.Errorf("the entry's deadline is %s", it.deadline)
	}
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(10, time.Now)
		e := Entry{Response: answer("x", time.Now().Add(time.Hour))}
		e.seal(time.Now())
		m.put("key", nil, &e)
		it, ok := m.get("key")
		if !ok {
			t.Fatal("the entry is not there")
		}
		it.until = it.until.Add(24 * time.Hour) // as if the clock had been set back by a day
		time.Sleep(59*time.Minute - time.Nanosecond)
		if _, ok := m.get("key"); !ok {
			t.Error("it ends too early")
		}
		time.Sleep(time.Nanosecond)
		if _, ok := m.get("key"); ok {
			t.Error("it lives on")
		}
		if m.len() != 0 {
			t.Error("it is kept")
		}
	})
}

// TestAgentPrunes holds that what is over is forgotten without being asked for.
func TestAgentPrunes(t *testing.T) {
	w := newWorld(t)
	a := w.serve(func(a *Agent) { a.Prune = time.Millisecond })
	q := &asked{t: t, cache: NewAgent(w.client(), w.getenv, w.clock)}
	q.get(Key{Scope: "short"}, Entry{})
	q.get(Key{Scope: "long"}, Entry{Response: answer("x", w.now.Add(time.Hour))})
	if n := a.Status().Entries; n != 2 {
		t.Errorf("there are %d entries", n)
	}
	w.pass(2 * time.Minute)
	for deadline := time.Now().Add(10 * time.Second); a.Status().Entries != 1; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("there are still %d entries", a.Status().Entries)
		}
	}
}

// TestIdleClients holds that a client that says nothing does not keep an agent from ending.
func TestIdleClients(t *testing.T) {
	w := newWorld(t)
	ended := make(chan struct{})
	a := &Agent{Dir: w.dir, Socket: filepath.Join(w.dir, "agent.sock"), Build: testBuild}
	go func() {
		defer close(ended)
		if err := a.Serve(); err != nil {
			t.Error(err)
		}
	}()
	idle, quitter := w.client(), w.client()
	defer idle.Close()
	defer quitter.Close()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err := idle.Call(t.Context(), wire.Status); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	began := time.Now()
	if _, err := quitter.Call(t.Context(), wire.Quit); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("the agent does not end")
	}
	if took := time.Since(began); took > 500*time.Millisecond {
		t.Errorf("the agent takes %s for its end", took)
	}
}

// TestSecondAgent holds that an agent does not start beside another one, that what it was told gets to that one, and that it takes the place of one that ends.
func TestSecondAgent(t *testing.T) {
	w := newWorld(t)
	first := w.serve(nil)
	second := &Agent{Dir: w.dir, Socket: first.Socket, Build: testBuild, Preload: w.preload(request(wire.Save, "key", w.stored(Entry{})))}
	if err := second.Serve(); !errors.Is(err, ErrRunning) {
		t.Fatalf("a second agent: %v", err)
	}
	if n := first.Status().Entries; runtime.GOOS != "windows" && n != 1 {
		t.Errorf("the first agent has %d entries", n)
	}

	newer := &Agent{Dir: w.dir, Socket: first.Socket, Build: place.Build{ModTime: testBuild.ModTime + 1}, Idle: time.Millisecond}
	served := make(chan error)
	go func() { served <- newer.Serve() }()
	c := w.client()
	defer c.Close()
	time.Sleep(20 * time.Millisecond) // it meets the first one
	if _, err := c.Call(t.Context(), wire.Quit); err != nil {
		t.Fatal(err)
	}
	if err := <-served; err != nil {
		t.Errorf("a newer agent that waits for the first one's end: %v", err)
	}
}

// preload is a pipe in which messages are, and which is closed then; nil where a pipe cannot be read without waiting.
func (w *world) preload(messages ...wire.Message) *os.File {
	w.t.Helper()
	r, out, err := os.Pipe()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, m := range messages {
		if _, err := out.Write(wire.Append(nil, m)); err != nil {
			w.t.Fatal(err)
		}
	}
	w.t.Cleanup(func() { _ = out.Close() })
	if runtime.GOOS != "windows" {
		_ = out.Close()
	}
	f := PreloadFrom(r)
	if f == nil {
		_ = r.Close()
	}
	return f
}

// TestPreload holds that an agent knows what it was told before it answers anybody, and that nothing that it is told there stops it.
func TestPreload(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a pipe cannot be read without waiting on Windows: an agent is told nothing while it starts")
	}
	w := newWorld(t)
	entry := w.stored(Entry{Response: answer("x", w.now.Add(time.Hour))})
	a := w.serve(func(a *Agent) {
		a.Preload = w.preload(
			request(wire.Load, "key"), request(wire.Ask, "u", "", ""), request(wire.Quit), // none of these makes sense here
			request(wire.Save, "key", entry), request(wire.Save, "other", "{"), request(wire.Save, "large", w.stored(Entry{Response: answer(strings.Repeat("x", 40000), w.now.Add(time.Hour))})),
			wire.Message{Op: wire.Save, Fields: []string{"another build", "foreign", entry}},
		)
	})
	c := w.client()
	defer c.Close()
	for key, op := range map[string]byte{"key": wire.Entry, "large": wire.Entry, "other": wire.Miss, "foreign": wire.Miss} {
		if r, err := c.Call(t.Context(), wire.Load, key); err != nil || r.Op != op {
			t.Errorf("%s: %q, %v", key, r.Op, err)
		}
	}
	if a.Preload != nil {
		t.Error("the pipe is still open")
	}
}

// TestPlaceTaken holds that an agent removes nothing but a socket for its own.
func TestPlaceTaken(t *testing.T) {
	w := newWorld(t)
	socket := filepath.Join(w.dir, "agent.sock")
	if err := errors.Join(os.Mkdir(w.dir, 0o700), os.WriteFile(socket, []byte("dear diary"), 0o600)); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("making room for the socket: %s is there and is not a socket", socket)
	if err := (&Agent{Dir: w.dir, Socket: socket}).Serve(); err == nil || err.Error() != want {
		t.Errorf("an agent at the place of a file: %v", err)
	}
	c := w.client()
	c.Launch = func(stdin, starting *os.File) error { return errors.New("started all the same") }
	if err := c.Start(); err == nil || err.Error() != want {
		t.Errorf("a client: %v", err)
	}
	if text, _ := os.ReadFile(socket); string(text) != "dear diary" {
		t.Errorf("the file is %q now", text)
	}
}

// impostor answers each connection to the agent's socket as answer says.
func (w *world) impostor(answer func(conn net.Conn)) {
	w.t.Helper()
	if err := os.MkdirAll(w.dir, 0o700); err != nil {
		w.t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(w.dir, "agent.sock"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				answer(conn)
			}()
		}
	}()
}

// TestImpostors holds that whatever is at the agent's place, the question is answered.
func TestImpostors(t *testing.T) {
	say := func(bytes string) func(net.Conn) {
		return func(conn net.Conn) {
			_, _ = wire.Read(conn)
			_, _ = conn.Write([]byte(bytes))
		}
	}
	reply := func(m wire.Message) func(net.Conn) { return say(string(wire.Append(nil, m))) }
	for name, answerConn := range map[string]func(net.Conn){
		"hangs up":           func(net.Conn) {},
		"nonsense":           say("HTTP/1.1 400 Bad Request\r\n\r\n"),
		"half a frame":       say(wire.Magic + "\x00\x00\x00\x09E"),
		"another version":    say("CHA9\x00\x00\x00\x01E"),
		"unknown reply":      reply(wire.Message{Op: '?'}),
		"entry of nothing":   reply(wire.Message{Op: wire.Entry}),
		"corrupt entry":      reply(wire.Message{Op: wire.Entry, Fields: []string{"{"}}),
		"error":              reply(wire.Message{Op: wire.Error, Fields: []string{"no"}}),
		"error without text": reply(wire.Message{Op: wire.Error}),
		"newer":              reply(wire.Message{Op: wire.Newer}),
		"older":              reply(wire.Message{Op: wire.Older}),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.impostor(answerConn)
			a := &asked{t: t, cache: NewAgent(w.client(), w.getenv, w.clock)}
			began := time.Now()
			for range 2 {
				if text, hit := a.get(someKey, Entry{Response: answer("x", w.now.Add(time.Hour))}); hit || text != "Bearer x" {
					t.Errorf("the answer is %q, remembered: %v", text, hit)
				}
			}
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// TestBusyAgent holds that an agent that is not stopped gets more time than one that is.
func TestBusyAgent(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("that an agent is busy and not stopped can be told on Linux alone")
	}
	w := newWorld(t)
	data := w.stored(Entry{Response: answer("late", w.now.Add(time.Hour))})
	w.impostor(func(conn net.Conn) {
		_, _ = wire.Read(conn)
		time.Sleep(3 * patience)
		frame := wire.Append(nil, wire.Message{Op: wire.Entry, Fields: []string{data}})
		_, _ = conn.Write(frame[:20])
		time.Sleep(2 * patience)
		_, _ = conn.Write(frame[20:])
	})
	a := &asked{t: t, cache: NewAgent(w.client(), w.getenv, w.clock)}
	if text, hit := a.get(someKey, Entry{}); text != "Bearer late" || !hit {
		t.Errorf("the answer is %q, remembered: %v", text, hit)
	}
	// But no more than there is.
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	c := w.client()
	began := time.Now()
	_, err := c.Call(ctx, wire.Load, "key")
	if took := time.Since(began); !errors.Is(err, errGivenUp) || took > 4*patience {
		t.Errorf("after %s: %v", took, err)
	}
	if _, err := c.Call(t.Context(), wire.Load, "key"); !errors.Is(err, errGivenUp) {
		t.Errorf("asked again in that run: %v", err)
	}
}
