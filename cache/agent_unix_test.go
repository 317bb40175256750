//go:build unix

package cache

import (
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/cache/wire"
)

// socketPair returns two ends of a connection.
func socketPair(t testing.TB) (a, b *net.UnixConn) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	must(t, err)
	var conns [2]*net.UnixConn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "socket")
		conn, err := net.FileConn(f)
		must(t, err)
		_ = f.Close()
		conns[i] = conn.(*net.UnixConn)
		t.Cleanup(func() { _ = conn.Close() })
	}
	return conns[0], conns[1]
}

// FuzzAgent holds that no bytes that a client may send make an agent fail, or give away an entry that was not asked for:
// of each entry it returns under a key what was last stored under that key, and nothing where nothing was.
func FuzzAgent(f *testing.F) {
	w := newWorld(f)
	secret := w.stored(Entry{Response: answer("canary", start.Add(time.Hour))})
	other := w.stored(Entry{Response: answer("other", start.Add(time.Hour))})
	frames := func(messages ...wire.Message) (all []byte) {
		for _, m := range messages {
			all = wire.Append(all, m)
		}
		return all
	}
	f.Add(frames(request(wire.Ask, "u", "", "c")))
	f.Add(frames(request(wire.Ask, "canary", "", "", "/config", "-"), request(wire.Load, "k")))
	f.Add(frames(request(wire.Save, "k", other), request(wire.Load, "k"), request(wire.Load, "kk"), request(wire.Status)))
	f.Add(frames(request(wire.Save, "k", other), request(wire.Drop, "all"), request(wire.Load, "k")))
	f.Add(frames(request(wire.Drop, "volatile"), request(wire.Drop, "expired"), request(wire.Quit), request(wire.Load, "k")))
	f.Add(frames(wire.Message{Op: wire.Save, Fields: []string{"another build!!!", "k", other}}, request(wire.Load, "k")))
	f.Add(frames(request(wire.Save, "k", other), request(wire.Save, "kk", other, "k", "kk"), request(wire.Load, "k"), request(wire.Load, "k", "kk", "canary's")))
	f.Add([]byte("CHA9\x00\x00\x00\x01q"))
	f.Add([]byte("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"))
	f.Add(frames(request(wire.Load, "k"))[:20])
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 32<<10 {
			return
		}
		a := deaf(func() time.Time { return start })
		a.now = func() time.Time { return start }
		a.reply(request(wire.Save, "canary's", secret))
		// What each request is to be told, by a model of the agent.
		type expectation struct {
			key  string
			data string // "" for none
		}
		kept := map[string]string{"canary's": secret}
		dropped := false
		var loads []expectation
		for r := bytes.NewReader(data); ; {
			m, err := wire.Read(r)
			if err != nil {
				break
			}
			ours := len(m.Fields) > 0 && m.Fields[0] == testBuild.String()
			switch {
			case ours && m.Op == wire.Load && len(m.Fields) >= 2:
				load := expectation{key: m.Fields[1]}
				for _, key := range m.Fields[1:] {
					// One that was stored later than now is from before the clock was set back.
					if e, err := decode([]byte(kept[key])); load.data == "" && (err != nil || e.fresh(start)) {
						load = expectation{key, kept[key]}
					}
				}
				loads = append(loads, load)
			case ours && m.Op == wire.Save && len(m.Fields) >= 3 && len(m.Fields[1]) <= 64:
				if e, err := decode([]byte(m.Fields[2])); err == nil && start.Before(e.until) && !(dropped && e.outdated(start, start)) {
					for _, key := range m.Fields[3:] {
						delete(kept, key)
					}
					kept[m.Fields[1]] = m.Fields[2]
				}
			case ours && m.Op == wire.Drop && len(m.Fields) == 2:
				dropped = dropped || m.Fields[1] == string(All) || m.Fields[1] == string(Volatile)
				if m.Fields[1] == string(All) {
					clear(kept)
				} else if m.Fields[1] == string(Volatile) {
					for k, d := range kept {
						if e, _ := decode([]byte(d)); e.Volatile {
							delete(kept, k)
						}
					}
				}
			}
			if m.Op == wire.Quit && len(m.Fields) > 0 {
				break
			}
		}

		client, server := socketPair(t)
		must(t, client.CloseWrite())
		go func() {
			defer server.Close()
			if reply := a.replyAtOnce(data); reply != nil {
				deliver(server, reply)
			} else {
				a.serve(server, io.MultiReader(bytes.NewReader(data), server))
			}
		}()
		_ = client.SetDeadline(time.Now().Add(10 * time.Second))
		for {
			m, err := wire.Read(client)
			if err != nil {
				if ne, ok := err.(net.Error); ok && ne.Timeout() {
					t.Fatal("the agent does not end the connection")
				}
				break
			}
			switch {
			case m.Op == wire.Entry:
				for len(loads) > 0 && loads[0].data == "" {
					loads = loads[1:]
				}
				if len(loads) == 0 || m.Fields[0] != loads[0].data {
					t.Fatalf("an entry that was not asked for: %q, want %+v", m.Fields, loads)
				}
				loads = loads[1:]
			case strings.Contains(strings.Join(m.Fields, ""), "canary") && m.Op != wire.Hit:
				t.Fatalf("the secret is in %q", m)
			}
		}
	})
}

// TestForeignClient holds that an agent does not talk to another user's process, even where that one can reach the socket.
func TestForeignClient(t *testing.T) {
	if dial := os.Getenv("CACHE_TEST_DIAL"); dial != "" {
		conn, err := net.Dial("unix", dial)
		must(t, err)
		_, _ = conn.Write(wire.Append(nil, request(wire.Status)))
		m, err := wire.Read(conn)
		t.Logf("reply %q, %v", m.Op, err)
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("it takes root to run a process as another user")
	}
	w := newWorld(t)
	var logged bytes.Buffer
	a := w.serve(func(a *Agent) {
		a.Log = func(format string, args ...any) { _, _ = logged.WriteString(format) }
	})
	// The test executable is where other users cannot get.
	public, err := os.MkdirTemp("", "ch")
	must(t, err)
	defer os.RemoveAll(public)
	exe, err := os.Executable()
	must(t, err)
	data, err := os.ReadFile(exe)
	must(t, err)
	path := filepath.Join(public, "test")
	must(t, os.WriteFile(path, data, 0o755))
	for _, p := range []string{public, w.dir, filepath.Dir(w.dir)} {
		must(t, os.Chmod(p, 0o755))
	}
	must(t, os.Chmod(a.Socket, 0o666))
	t.Cleanup(func() { _ = os.Chmod(w.dir, 0o700) })
	for uid, want := range map[uint32]string{65534: "reply '\\x00', ", 0: "reply 'D', <nil>"} {
		cmd := exec.Command(path, "-test.run=^TestForeignClient$", "-test.v")
		cmd.Dir, cmd.Env = "/", []string{"CACHE_TEST_DIAL=" + a.Socket}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("user %d: %v, want %s:\n%s", uid, err, want, out)
		}
	}
	must(t, os.Chmod(w.dir, 0o700))
}
