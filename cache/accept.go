package cache

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/fe055d52/credential-helper/cache/wire"
)

const (
	// maxConnections is how many clients an agent serves at once. Where more come, those go first that say nothing.
	maxConnections = 512
	// maxAtOnce is the size in bytes of the longest reply that is written before the next client is served. A socket's buffer holds as much
	// on every system, so a client that does not read its reply keeps nobody waiting.
	maxAtOnce = 8 << 10
	// clientPatience is how long a client may say nothing before its connection is closed. A client that waits for another process is one.
	clientPatience = 30 * time.Second
)

// accept serves clients until the listener is closed.
func (a *Agent) accept(l *net.UnixListener, clients *sync.WaitGroup) {
	slots := make(chan struct{}, a.most)
	buf := make([]byte, 16<<10)
	var told time.Time
	for {
		conn, err := l.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			// Out of descriptors, mostly.
			if time.Since(told) > time.Minute {
				told = time.Now()
				a.log("accepting a client: %s", err)
			}
			a.dismiss()
			time.Sleep(time.Millisecond) // it takes a moment to go
			continue
		}
		if _, err := peer(conn); err != nil {
			a.log("refusing a client: %s", err)
			_ = conn.Close()
			continue
		}
		// Most clients ask one question, which is here already: it is answered without a goroutine, which would have to be woken.
		n, _ := readAvailable(conn, buf)
		reply := a.replyAtOnce(buf[:n])
		if reply != nil && len(reply) <= maxAtOnce {
			deliver(conn, reply)
			continue
		}
		a.makeRoom(slots)
		said := bytes.Clone(buf[:n])
		clear(buf[:n]) // it may be an entry that is to be kept, and is to be found nowhere when it is forgotten
		a.clients.Add(1)
		clients.Go(func() {
			defer func() {
				a.clients.Add(-1)
				a.silent.Delete(conn)
				_ = conn.Close()
				<-slots
			}()
			if reply != nil {
				deliver(conn, reply)
				return
			}
			a.serve(conn, io.MultiReader(bytes.NewReader(said), conn))
		})
	}
}

// makeRoom takes a slot for another client. Where there is none, one is dismissed.
func (a *Agent) makeRoom(slots chan<- struct{}) {
	select {
	case slots <- struct{}{}:
		return
	default:
	}
	a.dismiss()
	slots <- struct{}{}
}

// dismiss hangs up on the client that has said nothing for the longest time: it may be one that hangs itself, and one that does not connects again.
func (a *Agent) dismiss() {
	var quietest *net.UnixConn
	var longest time.Time
	a.silent.Range(func(conn, since any) bool {
		if at := since.(time.Time); quietest == nil || at.Before(longest) {
			quietest, longest = conn.(*net.UnixConn), at
		}
		return true
	})
	if quietest != nil {
		a.silent.Delete(quietest)
		_ = quietest.Close()
	}
}

// replyAtOnce returns the reply to a client whose only request so far is a whole Ask, and nil to another, or where it takes reading files:
// they may be on a disk that hangs.
func (a *Agent) replyAtOnce(said []byte) []byte {
	r := bytes.NewReader(said)
	m, err := wire.Read(r)
	if err != nil || m.Op != wire.Ask || r.Len() > 0 {
		return nil
	}
	reply := a.replyTo(m, true)
	if reply.Op == 0 {
		return nil
	}
	return wire.Append(nil, reply)
}

// deliver writes the only reply that a client gets.
func deliver(conn *net.UnixConn, reply []byte) {
	_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = conn.Write(reply)
	_ = conn.Close()
}

func (a *Agent) serve(conn *net.UnixConn, r io.Reader) {
	for {
		_ = conn.SetDeadline(time.Now().Add(clientPatience))
		a.silent.Store(conn, time.Now())
		if a.ending.Load() {
			return
		}
		m, err := wire.Read(r)
		a.silent.Delete(conn)
		if errors.Is(err, wire.ErrMagic) && m.Op == wire.Quit {
			a.stop("asked to, by a client of another version")
			_, _ = conn.Write(wire.Append(nil, wire.Message{Op: wire.Done}))
			return
		}
		if err != nil {
			if errors.Is(err, wire.ErrFrame) || errors.Is(err, wire.ErrMagic) {
				_, _ = conn.Write(wire.Append(nil, wire.Message{Op: wire.Error, Fields: []string{err.Error()}}))
			}
			return
		}
		if _, err := conn.Write(wire.Append(nil, a.reply(m))); err != nil || m.Op == wire.Quit {
			return
		}
	}
}
