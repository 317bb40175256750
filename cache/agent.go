package cache

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fe055d52/credential-helper/cache/wire"
	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/place"
)

// ErrRunning is returned by Serve where an agent runs already.
var ErrRunning = errors.New("an agent is running already")

// A Question is what a client asks before it has read any configuration.
type Question struct {
	URI string
	// Guess says that CREDENTIAL_HELPER_GUESS_OCI_REGISTRY is set.
	Guess bool
	// Named says that CREDENTIAL_HELPER_CONFIG_FILE names the one file.
	Named bool
	// Context is what answers depend on beside their inputs: see [Key].
	Context string
	// Files are the paths of the configuration files that the client would read, and their sums.
	Files [][2]string
	// AtOnce says that nobody waits for files: where they have to be read first, the answer comes later.
	AtOnce bool
}

// An Asked is what an agent finds for a URL.
type Asked struct {
	// Key names the entry that answers. Its ID is empty where Text is the answer.
	Key Key
	// Text is the answer for standard output, which needs no entry: there is no opinion about that URL.
	Text []byte
	// Later says that the question has to be asked again, without AtOnce.
	Later bool
}

// An Agent keeps entries in memory for all processes of one user. It is what agent-launch runs.
type Agent struct {
	Dir, Socket string
	PIDFile     string // where its process id is written; empty: nowhere
	Build       place.Build
	// Idle is how long the agent stays without being asked anything; Prune is how often it forgets what is over.
	// Neither happens where the duration is not positive.
	Idle, Prune time.Duration
	// MaxEntries is how many entries are kept; 0 means 10,000.
	MaxEntries int
	// Preload, where not nil, is read for what the process that started the agent says to it.
	Preload *os.File
	// Starting, where not nil, is the lock that tells others that the agent is about to serve. It is closed when it does.
	Starting *os.File
	// Ask finds what answers a question. ok is false where a client has to see for itself.
	Ask func(q Question) (a Asked, ok bool)
	// Encode writes an answer that was made at a time for standard output; ok is false for one that may not be used any more.
	Encode func(resp helpers.Response, made time.Time) (text []byte, ok bool)
	// Forget, where not nil, is called where everything is to be forgotten: the agent's own entries are by then.
	Forget func()
	// Log is told what happens, without secrets. It may be nil.
	Log func(format string, args ...any)

	memory     *memory
	preloading sync.Mutex
	heard      []byte // of Preload, what is not a whole frame yet
	began      time.Time
	lastUsed   atomic.Int64 // nanoseconds since began
	hits       atomic.Int64
	misses     atomic.Int64
	saved      atomic.Int64
	clients    atomic.Int64 // that have a goroutine of their own
	quit       chan string
	silent     sync.Map    // of *net.UnixConn that have not asked anything since their last reply: since when, a time.Time
	ending     atomic.Bool // no request is waited for any more
	socket     os.FileInfo
	now        func() time.Time // the clock by which entries end; time.Now unless a test sets it
	most       int              // of clients; maxConnections unless a test sets it
}

// A Status is what an agent tells of itself.
type Status struct {
	PID     int    `json:"pid"`
	Build   string `json:"build"`
	Uptime  int64  `json:"uptime_seconds"`
	Entries int    `json:"entries"`
	Hits    int64  `json:"hits"`
	Misses  int64  `json:"misses"`
	Saved   int64  `json:"exchanges_saved"`
	// What it takes: clients with a connection that lasts, goroutines, and bytes of memory in use.
	Clients    int64  `json:"clients"`
	Goroutines int    `json:"goroutines"`
	Heap       uint64 `json:"heap_bytes"`
}

// Serve answers clients until the agent is idle for too long or is asked to quit. It returns nil then, and [ErrRunning] where another one runs.
func (a *Agent) Serve() error {
	a.prepare()
	alive, err := a.succeed()
	if err != nil {
		return err
	}
	defer alive.release()

	// Whoever has the lock owns the socket's place; a socket that is there was left behind.
	l, err := a.listen()
	if err != nil {
		return err
	}
	defer l.Close()
	if a.PIDFile != "" {
		defer a.writePID()()
	}
	if a.Starting != nil {
		_ = a.Starting.Close()
	}
	a.drain()
	a.log("serving on %s, process %d", a.Socket, os.Getpid())

	var clients sync.WaitGroup
	clients.Go(func() { a.accept(l, &clients) })
	why := a.watch()
	a.log("ending: %s", why)
	a.removeSocket()
	// No new clients; those who are here get their reply, and those who say nothing are not waited for.
	_ = l.Close()
	a.ending.Store(true)
	a.silent.Range(func(conn, _ any) bool {
		_ = conn.(*net.UnixConn).SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		return true
	})
	done := make(chan struct{})
	go func() { clients.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(time.Second):
	}
	a.memory.drop(All)
	return nil
}

// prepare makes the agent ready for requests.
func (a *Agent) prepare() {
	if a.now == nil {
		a.now = time.Now
	}
	if a.most <= 0 {
		a.most = maxConnections
	}
	entries := a.MaxEntries
	if entries <= 0 {
		entries = maxEntries
	}
	a.began = time.Now()
	a.memory = newMemory(entries, a.now)
	a.quit = make(chan string, 1)
}

// succession is how long an agent that ends may take for it, until its successor gives up.
const succession = 2 * time.Second

// succeed takes the lock that says that an agent is alive. Where one is that stays, it passes on to it what this one was told, and returns ErrRunning.
// One that is just ending is waited for, and one that has only just begun: nobody else would hear what this one was told.
func (a *Agent) succeed() (*lock, error) {
	dir, err := makeDir(a.Dir)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	for deadline := time.Now().Add(succession); ; time.Sleep(2 * time.Millisecond) {
		f, err := openLock(dir, "agent.lock")
		if err != nil {
			return nil, err
		}
		if alive, err := tryLock(f); alive != nil || err != nil {
			return alive, err
		}
		if a.forward() || time.Now().After(deadline) {
			return nil, ErrRunning
		}
	}
}

func (a *Agent) log(format string, args ...any) {
	if a.Log != nil {
		a.Log(format, args...)
	}
}

// watch waits for the end and says why it came.
func (a *Agent) watch() string {
	tick := func(d time.Duration) (<-chan time.Time, func()) {
		if d <= 0 {
			return nil, func() {}
		}
		t := time.NewTicker(d)
		return t.C, t.Stop
	}
	prune, stopPrune := tick(a.Prune)
	defer stopPrune()
	idle, stopIdle := tick(max(a.Idle/20, min(a.Idle, 10*time.Millisecond)))
	defer stopIdle()
	for {
		select {
		case why := <-a.quit:
			return why
		case <-prune:
			pruneLocks(a.Dir, time.Now())
			a.drain()
			if !a.socketIsOurs() {
				return "the socket is gone: nobody finds this agent any more"
			}
			if n := a.memory.drop(Expired); n > 0 {
				a.log("pruned %d entries, %d are left", n, a.memory.len())
			}
		case <-idle:
			if time.Since(a.began)-time.Duration(a.lastUsed.Load()) >= a.Idle {
				return "idle for " + a.Idle.String()
			}
		}
	}
}

func (a *Agent) stop(why string) {
	select {
	case a.quit <- why:
	default:
	}
}

// drain reads what the process that started the agent has said so far. It is done before anybody is told that there is no entry:
// that process may have let the others go on as soon as it had written its answer.
func (a *Agent) drain() {
	a.preloading.Lock()
	defer a.preloading.Unlock()
	for a.Preload != nil {
		var chunk [32 << 10]byte
		n, err := readAvailable(a.Preload, chunk[:])
		a.heard = append(a.heard, chunk[:n]...)
		clear(chunk[:n])
		for {
			r := bytes.NewReader(a.heard)
			m, err := wire.Read(r)
			if err != nil {
				break // not all of a frame is there yet
			}
			a.heard = a.heard[len(a.heard)-r.Len():]
			if m.Op == wire.Save { // nothing else makes sense where nobody hears the reply
				a.reply(m)
			}
		}
		if len(a.heard) == 0 {
			a.heard = nil // what was in it is kept elsewhere, or nowhere any more
		}
		switch {
		case errors.Is(err, errNothingYet):
			return
		case err != nil || len(a.heard) > wire.MaxFrame:
			_ = a.Preload.Close()
			a.Preload, a.heard = nil, nil
		}
	}
}

// forward passes on what the starting process says to the agent that runs already. It reports false where that one does not answer,
// or is about to be replaced.
func (a *Agent) forward() bool {
	c := Client{Dir: a.Dir, Socket: a.Socket, Build: a.Build}
	defer c.Close()
	reply, err := c.roundTrip(context.Background(), wire.Message{Op: wire.Drop, Fields: []string{a.Build.String(), string(Expired)}})
	if err != nil || reply.Op == wire.Older {
		return false
	}
	if a.Starting != nil {
		_ = a.Starting.Close()
	}
	if a.Preload == nil {
		return true
	}
	_ = a.Preload.SetReadDeadline(time.Now().Add(10 * time.Second))
	for {
		m, err := wire.Read(a.Preload)
		if err != nil {
			return true
		}
		_, _ = c.roundTrip(context.Background(), m)
	}
}
