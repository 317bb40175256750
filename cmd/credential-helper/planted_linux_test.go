package main

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fe055d52/credential-helper/cache/wire"
	"github.com/fe055d52/credential-helper/internal/peertest"
)

// planted are things that may stand in the place of a file of the program's. victim is a file that none of them may harm.
var planted = []struct {
	name  string
	plant func(path, victim string) error
}{
	{"file", func(path, _ string) error { return os.WriteFile(path, []byte("dear diary"), 0o600) }},
	{"pipe", func(path, _ string) error { return syscall.Mkfifo(path, 0o600) }},
	{"directory", func(path, _ string) error { return os.MkdirAll(filepath.Join(path, "full"), 0o700) }},
	{"link", func(path, victim string) error { return os.Symlink(victim, path) }},
	{"hard link", func(path, victim string) error { return os.Link(victim, path) }},
	{"dangling link", func(path, victim string) error { return os.Symlink(victim+"-new", path) }},
	{"link to itself", func(path, _ string) error { return os.Symlink(path, path) }},
	{"link to a device", func(path, _ string) error { return os.Symlink("/dev/zero", path) }},
	{"socket of nobody's", func(path, _ string) error {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			return err
		}
		l.SetUnlinkOnClose(false)
		return l.Close()
	}},
	{"10 GB of nothing", func(path, _ string) error {
		return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 10<<30))
	}},
}

// TestPlantedInRunDirectory holds that whatever stands in the place of the agent's files, or of its directory, the right answer comes within the time limit,
// and that nothing else is written to.
func TestPlantedInRunDirectory(t *testing.T) {
	for _, place := range []string{"agent.sock", "agent.log", "agent.lock", "start.lock", "locks", "."} {
		for _, p := range planted {
			t.Run(place+" is a "+p.name, func(t *testing.T) {
				c := newCamp(t)
				victim := filepath.Join(filepath.Dir(c.run), "victim")
				must(t, os.WriteFile(victim, []byte("dear diary"), 0o600))
				if place != "." {
					must(t, os.Mkdir(c.run, 0o700))
				}
				must(t, p.plant(filepath.Join(c.run, place), victim))
				c.goodGet(c.url("team/app"))
				c.goodGet(c.url("team/app"))
				if text, err := os.ReadFile(victim); err != nil || place != "agent.log" && string(text) != "dear diary" {
					t.Errorf("another file is %q now, %v", text, err)
				}
				if _, err := os.Lstat(victim + "-new"); err == nil {
					t.Error("a file was made where a link leads")
				}
				r := peertest.Run(t, c.home, c.env, []string{c.path, "agent-logs"}, "") // which has no time limit of its own
				t.Logf("agent-logs: %d %.100q %.300q", r.Code, r.Stdout, r.Stderr)
			})
		}
	}
}

// asOther runs f on a thread that is another user's: what it listens on has that one at its end.
func asOther(t *testing.T, f func() error) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocks it: the thread ends with this
		const other = 65534
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, other, other, other); errno != 0 {
			done <- errno
			return
		}
		done <- f()
	}()
	must(t, <-done)
}

// TestImpostors holds that an agent of another user's that has got to where the user's should be is not believed, and told nothing but that somebody came.
func TestImpostors(t *testing.T) {
	needRoot(t, "be another user")
	for _, late := range []bool{false, true} {
		c := newCamp(t)
		must(t, os.Mkdir(c.run, 0o700))
		for dir := c.run; dir != filepath.Dir(os.TempDir()); dir = filepath.Dir(dir) {
			if dir != os.TempDir() {
				must(t, os.Chmod(dir, 0o777))
			}
		}
		var l *net.UnixListener
		asOther(t, func() (err error) {
			l, err = net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(c.run, "agent.sock"), Net: "unix"})
			return err
		})
		l.SetUnlinkOnClose(false) // another's may be there by then
		t.Cleanup(func() { _ = l.Close() })
		said := make(chan string, 100)
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				_ = conn.SetDeadline(time.Now().Add(time.Second))
				if late { // what is written at once is in the client's hands before it asks
					m, _ := wire.Read(conn)
					said <- strings.Join(m.Fields, " ")
				}
				_, _ = conn.Write(wire.Append(nil, wire.Message{Op: wire.Answer, Fields: []string{`{"headers":{"Authorization":["Bearer planted"]}}`}}))
				_ = conn.Close()
			}
		}()
		must(t, os.Chmod(c.run, 0o700))
		c.goodGet(c.url("team/app"))
		c.goodGet(c.url("team/app"))
		close(said)
		for text := range said {
			if text != "" {
				t.Errorf("it was told %q", text)
			}
		}
	}
}

// TestOthersRunDirectory holds that a directory that is not the user's, or that others can write, is used for nothing, and changed in nothing.
func TestOthersRunDirectory(t *testing.T) {
	needRoot(t, "give a directory to another user")
	for name, tt := range map[string]struct {
		mode  os.FileMode
		other bool
	}{
		"another's": {0o700, true}, "another's, open to all": {0o777, true}, "of everybody's": {0o777, false},
		"of everybody's, as /tmp": {0o777 | os.ModeSticky, false}, "of the group's": {0o770, false},
	} {
		for _, cache := range []string{"", "file"} {
			t.Run(name+" "+cache, func(t *testing.T) {
				c := newCamp(t, "CREDENTIAL_HELPER_CACHE="+cache)
				must(t, os.Mkdir(c.run, 0o700))
				must(t, os.Chmod(c.run, tt.mode))
				if tt.other {
					must(t, os.Chown(c.run, 65534, 65534))
				}
				c.goodGet(c.url("team/app"))
				c.goodGet(c.url("team/app"))
				c.wantRequests(2, 2)
				if list, err := os.ReadDir(c.run); err != nil || len(list) > 0 {
					t.Errorf("there are %v, %v", list, err)
				}
			})
		}
	}
}
