package cache

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/fe055d52/credential-helper/cache/wire"
	"github.com/fe055d52/credential-helper/internal/place"
)

const (
	// patience is how long an agent may take for a reply. One that is stopped costs a run no more than this, once.
	patience = 100 * time.Millisecond
	// busyPatience is how long one may take that is not stopped: on a machine with more to do than it can, others are served before it.
	busyPatience = 2 * time.Second
	// startPatience is how long an agent that is just started may take until it answers.
	startPatience = 2 * time.Second
	// maxPreload is how much of what is said to a starting agent fits into its pipe, in bytes.
	maxPreload = 60 << 10
)

var (
	// ErrUnreachable is returned where the agent does not answer.
	ErrUnreachable = errors.New("the agent does not answer")
	// errGivenUp is an ErrUnreachable that will be the same for the rest of this run.
	errGivenUp = fmt.Errorf("%w", ErrUnreachable)
)

// A Client talks to the agent of the directory Dir. The zero value of the other fields is usable; it may not be used by several goroutines.
type Client struct {
	Dir, Socket string
	Build       place.Build
	// Launch starts an agent whose standard input is stdin and which holds starting open until it serves, and does not wait for it. Nil: none is started.
	Launch func(stdin, starting *os.File) error

	conn    *net.UnixConn
	slow    bool     // the agent did not answer in time: it gets no more time if it is stopped
	dead    bool     // the agent hangs, or is newer: not asked again in this run
	preload *os.File // the standard input of the agent that this run started
	said    int      // bytes written to preload
}

// NewAgent returns the cache that keeps entries in the agent that c talks to.
func NewAgent(c *Client, get place.Getenv, now func() time.Time) *Shared {
	return &Shared{store: agentStore{c}, locks: newFileLocks(c.Dir), get: get, now: now}
}

// Hung says that the agent did not answer in time. If it is stopped it is not asked again in this run.
func (c *Client) Hung() { c.slow = true }

// Call sends a request and returns the reply. A request fails with [ErrUnreachable] where no agent answers in time.
func (c *Client) Call(ctx context.Context, op byte, fields ...string) (wire.Message, error) {
	return c.call(ctx, c.replace, op, fields...)
}

// call is Call, where older says what to do with an agent of an older build.
func (c *Client) call(ctx context.Context, older func(context.Context), op byte, fields ...string) (wire.Message, error) {
	if c.dead {
		return wire.Message{}, errGivenUp
	}
	m := wire.Message{Op: op, Fields: append([]string{c.Build.String()}, fields...)}
	reused := c.conn != nil
	reply, err := c.roundTrip(ctx, m)
	if err != nil && reused && !errors.Is(err, os.ErrDeadlineExceeded) {
		reply, err = c.roundTrip(ctx, m) // it went away while this run did something else; another may be there
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.dead = true
		return wire.Message{}, fmt.Errorf("%w in time", errGivenUp)
	case err != nil:
		return wire.Message{}, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	switch reply.Op {
	case wire.Newer:
		c.dead = true
		return wire.Message{}, fmt.Errorf("%w: it is of a newer build", errGivenUp)
	case wire.Older:
		older(ctx)
		return wire.Message{}, fmt.Errorf("%w: it was of an older build", ErrUnreachable)
	case wire.Error:
		text := ""
		if len(reply.Fields) > 0 {
			text = reply.Fields[0]
		}
		return wire.Message{}, fmt.Errorf("the agent refuses: %s", text)
	}
	return reply, nil
}

func (c *Client) roundTrip(ctx context.Context, m wire.Message) (reply wire.Message, err error) {
	defer func() {
		if err != nil && c.conn != nil {
			_ = c.conn.Close()
			c.conn = nil
		}
	}()
	if c.conn == nil {
		if err := checkDir(c.Dir); err != nil {
			return wire.Message{}, err
		}
		dialer := net.Dialer{Timeout: busyPatience} // for a slow machine: connecting does not depend on the agent
		conn, err := dialer.DialContext(ctx, "unix", c.Socket)
		if err != nil {
			return wire.Message{}, err
		}
		c.conn = conn.(*net.UnixConn)
	}
	pid, err := peer(c.conn)
	if err != nil {
		return wire.Message{}, err
	}
	if c.slow && stopped(pid) {
		return wire.Message{}, os.ErrDeadlineExceeded
	}
	limit := time.Now().Add(busyPatience)
	if d, ok := ctx.Deadline(); ok && d.Before(limit) {
		limit = d
	}
	conn := &patientConn{UnixConn: c.conn, pid: pid, limit: limit}
	if _, err := conn.Write(wire.Append(nil, m)); err != nil {
		return wire.Message{}, err
	}
	return wire.Read(conn)
}

// A patientConn is a connection to an agent that may be slow until limit, but not stopped.
type patientConn struct {
	*net.UnixConn
	pid   int
	limit time.Time
}

func (c *patientConn) Read(p []byte) (n int, err error) {
	for {
		if err = c.again(err); err != nil {
			return 0, err
		}
		if n, err = c.UnixConn.Read(p); n > 0 || err == nil {
			return n, err
		}
	}
}

func (c *patientConn) Write(p []byte) (n int, err error) {
	for n < len(p) {
		if err = c.again(err); err != nil {
			return n, err
		}
		var more int
		more, err = c.UnixConn.Write(p[n:])
		n += more
	}
	return n, nil
}

// again sets the time for another try after err, or returns why there is none.
func (c *patientConn) again(err error) error {
	if err != nil && (!errors.Is(err, os.ErrDeadlineExceeded) || !time.Now().Before(c.limit) || stopped(c.pid)) {
		return err
	}
	deadline := time.Now().Add(patience)
	if deadline.After(c.limit) {
		deadline = c.limit
	}
	return c.SetDeadline(deadline)
}

// replace ends an agent of an older build, so that one of this build can be started. The old one finishes what it was asked.
func (c *Client) replace(ctx context.Context) {
	_, _ = c.roundTrip(ctx, wire.Message{Op: wire.Quit, Fields: []string{c.Build.String()}})
	c.Close()
}

// Start starts an agent, unless another process is doing so. It does not wait for it.
func (c *Client) Start() error {
	switch {
	case c.dead || c.Launch == nil:
		return errGivenUp
	case c.preload != nil:
		return nil
	}
	dir, err := makeDir(c.Dir)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := checkSocket(c.Socket); err != nil {
		return err
	}
	f, err := openLock(dir, startLock)
	if err != nil {
		return err
	}
	starter, err := tryLock(f)
	if starter == nil {
		return err // another process is starting it
	}
	// The agent gets the lock with the file: it is free when the agent serves, or is dead.
	defer f.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	err = c.Launch(r, f)
	_ = r.Close()
	if err != nil {
		_ = w.Close()
		return err
	}
	c.preload = w
	return nil
}

// startLock is the lock that says that somebody is starting an agent.
const startLock = "start.lock"

// awaitStart waits while another process is starting an agent, and reports whether one was.
// The one that this run starts is told, not waited for.
func (c *Client) awaitStart(ctx context.Context) bool {
	if c.dead || c.preload != nil {
		return false
	}
	f, err := OpenFile(c.Dir, startLock, os.O_RDWR)
	if err != nil {
		return false
	}
	taken, err := lockFile(f, false, false)
	if taken || err != nil {
		_ = f.Close()
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	if waitFor(ctx, f) != nil {
		c.dead = true // whoever starts it hangs, and this run does without
		return false
	}
	return true
}

// Tell sends a request whose reply does not matter. An agent that this run starts is told through its standard input,
// which it reads before it answers anybody. Where none is there any more, one is started.
func (c *Client) Tell(ctx context.Context, op byte, fields ...string) error {
	err := error(ErrUnreachable)
	if c.preload == nil {
		for again := true; again; again = errors.Is(err, ErrUnreachable) && c.awaitStart(ctx) {
			_, err = c.Call(ctx, op, fields...)
		}
		if errors.Is(err, ErrUnreachable) {
			if err := c.Start(); err != nil {
				return err
			}
		}
	}
	if c.preload == nil {
		return err
	}
	frame := wire.Append(nil, wire.Message{Op: op, Fields: append([]string{c.Build.String()}, fields...)})
	if c.said+len(frame) > maxPreload {
		return errors.New("the agent is still starting, and has been told as much as it can hear")
	}
	c.said += len(frame)
	_, err = c.preload.Write(frame)
	return err
}

// Close ends the connection, and what is said to an agent that was started.
func (c *Client) Close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
	if c.preload != nil {
		_ = c.preload.Close()
		c.preload = nil
	}
}

// agentStore keeps entries in the agent.
type agentStore struct{ *Client }

func (s agentStore) load(ctx context.Context, ids []string) (Entry, bool, error) {
	reply, err := s.Call(ctx, wire.Load, ids...)
	return read(reply, err)
}

func (s agentStore) peek(ctx context.Context, ids []string) (Entry, bool, error) {
	// An agent of an older build goes on for those who use it.
	reply, err := s.call(ctx, func(context.Context) {}, wire.Peek, ids...)
	return read(reply, err)
}

// read reads the reply to a request for an entry.
func read(reply wire.Message, err error) (Entry, bool, error) {
	if err != nil || reply.Op != wire.Entry || len(reply.Fields) != 1 {
		return Entry{}, false, err
	}
	e, err := decode([]byte(reply.Fields[0]))
	return e, err == nil, nil // what makes no sense is a miss
}

func (s agentStore) save(ctx context.Context, id string, instead []string, e Entry) error {
	data, err := e.encode()
	if err != nil {
		return err
	}
	return s.Tell(ctx, wire.Save, append([]string{id, string(data)}, instead...)...)
}

func (s agentStore) start(context.Context) error         { return s.Start() }
func (s agentStore) awaitStart(ctx context.Context) bool { return s.Client.awaitStart(ctx) }

func (s agentStore) drop(ctx context.Context, what What) error {
	_, err := s.Call(ctx, wire.Drop, string(what))
	if errors.Is(err, ErrUnreachable) {
		return nil // what is not running remembers nothing
	}
	return err
}

func (s agentStore) close() { s.Client.Close() }

// Dropped returns how many entries a reply to a Drop says were dropped.
func Dropped(m wire.Message) int {
	if len(m.Fields) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(m.Fields[0])
	return n
}
