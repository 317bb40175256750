//go:build (dragonfly && cgo) || (freebsd && cgo) || linux || netbsd || openbsd

package keyring

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/peertest"
	"github.com/fe055d52/credential-helper/internal/redact"
)

// did is what an operation came to, as TestMain prints it.
type did struct {
	kind, secret, err, hint string
	quick                   bool
}

func do(t *testing.T, s *peertest.Session, extra []string, operation string, args ...string) did {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := s.Run(append([]string{self}, args...), append([]string{"OPERATION=" + operation, "GORACE=atexit_sleep_ms=0", "GOCOVERDIR=" + t.TempDir()}, extra...), "")
	lines := strings.Split(r.Stdout, "\n")
	if r.Code != 0 || len(lines) != 6 {
		t.Fatalf("%s %q: %+v", operation, args, r)
	}
	if r.Stderr != "" {
		t.Errorf("%s %q wrote to stderr: %s", operation, args, r.Stderr)
	}
	return did{kind: lines[0], secret: lines[1], err: lines[2], hint: lines[3], quick: lines[4] == "quick=true"}
}

func TestUnlocked(t *testing.T) {
	s := peertest.SecretService(t, peertest.Unlocked)
	const noEntry = `the keyring has no entry for service "tokens"`
	for _, step := range []struct {
		operation string
		args      []string
		want      did
	}{
		{"get", []string{"tokens"}, did{"not found", "", noEntry, "", true}},
		{"delete", []string{"tokens"}, did{"not found", "", noEntry, "", true}},
		{"set", []string{"tokens", "", canary}, did{"ok", "", "<nil>", "", true}},
		{"set", []string{"tokens", "bob", "bob's"}, did{"ok", "", "<nil>", "", true}},
		{"get", []string{"tokens"}, did{"ok", canary, "<nil>", "", true}},
		{"get", []string{"tokens", "bob"}, did{"ok", "bob's", "<nil>", "", true}},
		{"get", []string{"tokens", "eve"}, did{"not found", "", noEntry + `, account "eve"`, "", true}},
		{"set", []string{"tokens", "", "another"}, did{"ok", "", "<nil>", "", true}},
		{"get", []string{"tokens"}, did{"ok", "another", "<nil>", "", true}},
		{"delete", []string{"tokens"}, did{"ok", "", "<nil>", "", true}},
		{"get", []string{"tokens"}, did{"not found", "", noEntry, "", true}},
		{"get", []string{"tokens", "bob"}, did{"ok", "bob's", "<nil>", "", true}},
		{"set", []string{"encoded", "", "go-keyring-base64:YQ=="}, did{"ok", "", "<nil>", "", true}},
		{"get", []string{"encoded"}, did{"ok", "a", "<nil>", "", true}},
		{"set", []string{"garbled", "", "go-keyring-base64:" + canary}, did{"ok", "", "<nil>", "", true}},
		{"get", []string{"garbled"}, did{"broken", "", `reading service "garbled" from the keyring: the value has the prefix of an encoded one, and does not decode`, "", true}},
		{"set", []string{"empty", "", ""}, did{"ok", "", "<nil>", "", true}},
		{"get", []string{"empty"}, did{"not found", "", `the keyring's entry for service "empty" is empty`, "", true}},
	} {
		if got := do(t, s, nil, step.operation, step.args...); got != step.want {
			t.Errorf("%s %q:\n got %+v\nwant %+v", step.operation, step.args, got, step.want)
		}
	}
}

// TestSharesWithOthers reads and writes the entries of an independent client.
func TestSharesWithOthers(t *testing.T) {
	tool := peertest.Require(t, "secret-tool", "apt-get install libsecret-tools")
	s := peertest.SecretService(t, peertest.Unlocked)
	if got := do(t, s, nil, "set", "tokens", "bob", canary); got.kind != "ok" {
		t.Fatalf("set: %+v", got)
	}
	if got := s.Run([]string{tool, "lookup", "service", "tokens", "username", "bob"}, nil, ""); got.Stdout != canary {
		t.Errorf("secret-tool finds %+v", got)
	}
	if got := s.Run([]string{tool, "store", "--label=x", "service", "theirs", "username", ""}, nil, "their secret"); got.Code != 0 {
		t.Fatalf("secret-tool stores: %+v", got)
	}
	if got := do(t, s, nil, "get", "theirs"); got.secret != "their secret" {
		t.Errorf("get: %+v", got)
	}
}

func TestFindsBusInRuntimeDirectory(t *testing.T) {
	s := peertest.SecretService(t, peertest.Unlocked)
	for _, address := range []string{"", "autolaunch:"} {
		got := do(t, s, append(noLaunch(t), "DBUS_SESSION_BUS_ADDRESS="+address), "get", "tokens")
		if got.kind != "not found" {
			t.Errorf("with the address %q: %+v", address, got)
		}
	}
}

func TestLocked(t *testing.T) {
	s := peertest.SecretService(t, peertest.Locked)
	want := did{"locked", "", `reading service "tokens" from the keyring: the keyring is locked`, unlockHint, true}
	if got := do(t, s, nil, "get", "tokens"); got != want {
		t.Errorf("get:\n got %+v\nwant %+v", got, want)
	}
	// The prompt that these may show cannot be shown.
	testLockedChanges(t, s)
}

func testLockedChanges(t *testing.T, s *peertest.Session) {
	t.Helper()
	for operation, doing := range map[string]string{"set": "writing service \"tokens\" to", "delete": "removing service \"tokens\" from"} {
		got := do(t, s, []string{"LIMIT=1s"}, operation, "tokens", "", canary)
		if want := (did{"locked", "", doing + " the keyring: the keyring is locked", unlockHint, true}); got != want {
			t.Errorf("%s:\n got %+v\nwant %+v", operation, got, want)
		}
	}
}

// patient is a Secret Service whose one collection is locked, and whose prompt nobody answers.
type patient struct{ prompted atomic.Int32 }

func (*patient) Get(iface, name string) (dbus.Variant, *dbus.Error) {
	if name == "Locked" {
		return dbus.MakeVariant(true), nil
	}
	return dbus.MakeVariant([]dbus.ObjectPath{"/org/freedesktop/secrets/collection/kept"}), nil
}

func (*patient) ReadAlias(string) (dbus.ObjectPath, *dbus.Error) {
	return "/org/freedesktop/secrets/collection/kept", nil
}

func (*patient) OpenSession(string, dbus.Variant) (dbus.Variant, dbus.ObjectPath, *dbus.Error) {
	return dbus.MakeVariant(""), "/org/freedesktop/secrets/session/1", nil
}

func (*patient) Unlock([]dbus.ObjectPath) ([]dbus.ObjectPath, dbus.ObjectPath, *dbus.Error) {
	return nil, "/org/freedesktop/secrets/prompt/1", nil
}

func (p *patient) Prompt(string) *dbus.Error {
	p.prompted.Add(1)
	return nil
}

func TestPromptThatNobodyAnswers(t *testing.T) {
	s := peertest.SecretService(t, peertest.NoService)
	conn, err := dbus.Connect(s.Bus)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	p := &patient{}
	for path, iface := range map[dbus.ObjectPath]string{
		servicePath: "org.freedesktop.Secret.Service",
		"/org/freedesktop/secrets/collection/kept": "org.freedesktop.Secret.Collection",
		"/org/freedesktop/secrets/prompt/1":        "org.freedesktop.Secret.Prompt",
	} {
		for _, name := range []string{iface, "org.freedesktop.DBus.Properties"} {
			if err := conn.Export(p, path, name); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := conn.RequestName(serviceName, 0); err != nil {
		t.Fatal(err)
	}
	if got := do(t, s, nil, "get", "tokens"); got.kind != "locked" || !got.quick {
		t.Errorf("get: %+v", got)
	}
	if n := p.prompted.Load(); n != 0 {
		t.Errorf("a read prompted %d times", n)
	}
	testLockedChanges(t, s)
	if n := p.prompted.Load(); n != 2 {
		t.Errorf("two changes prompted %d times", n)
	}
}

func TestUncreated(t *testing.T) {
	s := peertest.SecretService(t, peertest.Uncreated)
	want := did{"unavailable", "", "the keyring holds nothing yet: it was never unlocked, and so has no default collection", unlockHint, true}
	for _, operation := range []string{"get", "set", "delete"} {
		if got := do(t, s, nil, operation, "tokens", "", canary); got != want {
			t.Errorf("%s:\n got %+v\nwant %+v", operation, got, want)
		}
	}
}

func TestNoService(t *testing.T) {
	s := peertest.SecretService(t, peertest.NoService)
	want := did{"unavailable", "", "there is no keyring here: no Secret Service (org.freedesktop.secrets) runs on the session bus", "", true}
	for _, operation := range []string{"get", "set", "delete"} {
		if got := do(t, s, nil, operation, "tokens", "", canary); got != want {
			t.Errorf("%s:\n got %+v\nwant %+v", operation, got, want)
		}
	}
}

// noLaunch puts a dbus-launch in front of PATH that leaves a trace, and fails the test at its end where it was run.
func noLaunch(t *testing.T) []string {
	dir := t.TempDir()
	trace := filepath.Join(dir, "launched")
	if err := os.WriteFile(filepath.Join(dir, "dbus-launch"), []byte("#!/bin/sh\n: >'"+trace+"'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := os.Stat(trace); err == nil {
			t.Error("dbus-launch was run")
		}
	})
	return []string{"PATH=" + dir + string(filepath.ListSeparator) + os.Getenv("PATH")}
}

func TestAbsent(t *testing.T) {
	for _, kv := range noLaunch(t) {
		name, value, _ := strings.Cut(kv, "=")
		t.Setenv(name, value)
	}
	t.Setenv(varBus, "")
	dir := t.TempDir()
	const none = "there is no keyring here: no D-Bus session bus (neither $DBUS_SESSION_BUS_ADDRESS nor a socket $XDG_RUNTIME_DIR/bus)"
	for _, tt := range []struct {
		name string
		vars map[string]string
		want string
	}{
		{"nothing set", nil, none},
		{"no socket", map[string]string{"XDG_RUNTIME_DIR": dir}, none},
		{"autolaunch", map[string]string{varBus: "autolaunch:"}, none},
		{
			"dead socket",
			map[string]string{varBus: "unix:path=" + filepath.Join(dir, "gone")},
			"there is no keyring here: the session bus at unix:path=" + filepath.Join(dir, "gone") + " does not answer: dial unix " + filepath.Join(dir, "gone") + ": connect: no such file or directory",
		},
		{"nonsense", map[string]string{varBus: "nonsense"}, "there is no keyring here: the session bus at nonsense does not answer: dbus: invalid bus address (no transport)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := &env.Env{Get: func(name string) (string, bool) { v, ok := tt.vars[name]; return v, ok }}
			start := time.Now()
			_, err := Get(t.Context(), e, "tokens", "")
			if err == nil || err.Error() != tt.want || !errors.Is(err, helpers.ErrUnavailable) {
				t.Errorf("get:\n got %v\nwant %s", err, tt.want)
			}
			if err := Set(t.Context(), e, "tokens", "", redact.New(canary)); err == nil || err.Error() != tt.want {
				t.Errorf("set:\n got %v\nwant %s", err, tt.want)
			}
			if took := time.Since(start); took > time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

func TestSilentBus(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bus")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	vars := map[string]string{varBus: "unix:path=" + path}
	e := &env.Env{Get: func(name string) (string, bool) { v, ok := vars[name]; return v, ok }}
	_, err = Get(ctx, e, "tokens", "")
	if want := `reading service "tokens" from the keyring: the keyring did not answer in time: context deadline exceeded`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if helpers.FallsThrough(err) {
		t.Error("a timeout falls through")
	}
}

// TestBusyBus holds that a bus at which too many knock is waited for, and is not taken for one that is not there: a lower login would be used then, or none.
func TestBusyBus(t *testing.T) {
	address := &syscall.SockaddrUnix{Name: filepath.Join(t.TempDir(), "bus")}
	open := func() int {
		fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = syscall.Close(fd) })
		if err := syscall.SetNonblock(fd, true); err != nil {
			t.Fatal(err)
		}
		return fd
	}
	listener := open()
	if err := errors.Join(syscall.Bind(listener, address), syscall.Listen(listener, 0)); err != nil {
		t.Fatal(err)
	}
	for n := 0; ; n++ {
		if err := syscall.Connect(open(), address); errors.Is(err, syscall.EAGAIN) {
			break
		} else if err != nil || n == 100 {
			t.Skipf("this system lets no queue run full: %v", err)
		}
	}
	vars := map[string]string{varBus: "unix:path=" + address.Name}
	e := &env.Env{Get: func(name string) (string, bool) { v, ok := vars[name]; return v, ok }}
	for doing, f := range map[string]func(context.Context) error{
		"reading service \"tokens\" from": func(ctx context.Context) error { _, err := Get(ctx, e, "tokens", ""); return err },
		"writing service \"tokens\" to":   func(ctx context.Context) error { return Set(ctx, e, "tokens", "", redact.New(canary)) },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		err := f(ctx)
		cancel()
		if want := doing + " the keyring: the keyring did not answer in time: context deadline exceeded"; err == nil || err.Error() != want || helpers.FallsThrough(err) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestExhausted holds that a process which cannot connect, for want of descriptors or memory, knows nothing of the keyring.
func TestExhausted(t *testing.T) {
	dial := func(errno syscall.Errno) error {
		return &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", errno)}
	}
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{dial(syscall.EMFILE), true},
		{dial(syscall.ENFILE), true},
		{dial(syscall.ENOMEM), true},
		{dial(syscall.ENOBUFS), true},
		{dial(syscall.EAGAIN), true},
		{dbus.Error{Name: "org.freedesktop.DBus.Error.LimitsExceeded"}, true},
		{dbus.Error{Name: "org.freedesktop.DBus.Error.NoMemory"}, true},
		{dbus.Error{Name: "org.freedesktop.DBus.Error.Spawn.ForkFailed"}, true},
		{dial(syscall.ENOENT), false},
		{dial(syscall.ECONNREFUSED), false},
		{dial(syscall.EACCES), false},
		{dbus.Error{Name: "org.freedesktop.DBus.Error.ServiceUnknown"}, false},
		{errors.New("dbus: authentication failed"), false},
	} {
		if exhausted(tt.err) != tt.want {
			t.Errorf("%v: %v", tt.err, !tt.want)
		}
	}
}

// TestForeignBus holds that nobody is asked, and given secrets, on a session bus that may be another user's: sudo and su leave variables behind that name one.
func TestForeignBus(t *testing.T) {
	const hint = "unset DBUS_SESSION_BUS_ADDRESS and XDG_RUNTIME_DIR (sudo and su leave them behind)"
	for _, tt := range []struct {
		name           string
		mode           os.FileMode
		socket, parent bool // another user's
		relative       bool
		want           string
	}{
		{"directory of a stranger", 0o755, false, true, false, "it belongs to another user, or is in a directory of another user's"},
		{"socket of a stranger", 0o700, true, false, false, "it belongs to another user, or is in a directory of another user's"},
		{"directory of everybody's", 0o777, false, false, false, "every user can put another into its place"},
		{"relative", 0o700, false, false, true, "its path is relative"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if os.Geteuid() != 0 && (tt.socket || tt.parent) {
				t.Skip("it takes root to give a socket to another user")
			}
			dir := t.TempDir()
			path := filepath.Join(dir, "bus")
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			err = os.Chmod(dir, tt.mode)
			if tt.socket {
				err = errors.Join(err, os.Chown(path, 65534, 65534))
			}
			if tt.parent {
				err = errors.Join(err, os.Chown(dir, 65534, 65534))
			}
			if err != nil {
				t.Fatal(err)
			}
			worlds := map[string]map[string]string{"address": {varBus: "unix:path=" + path + ",guid=0"}, "second address": {varBus: "unix:path=/gone;unix:path=" + path}, "directory": {"XDG_RUNTIME_DIR": dir}}
			if tt.relative {
				t.Chdir(dir)
				path, worlds = "bus", map[string]map[string]string{"address": {varBus: "unix:path=bus"}}
				e := &env.Env{Get: func(name string) (string, bool) {
					v, ok := map[string]string{"XDG_RUNTIME_DIR": "."}[name]
					return v, ok
				}}
				if got := busAddress(e); got != "" {
					t.Errorf("the bus of a relative directory: %q", got)
				}
			}
			for name, vars := range worlds {
				e := &env.Env{Get: func(name string) (string, bool) { v, ok := vars[name]; return v, ok }}
				_, err := Get(t.Context(), e, "tokens", "")
				want := "there is no keyring here: the session bus at " + path + " is not asked: " + tt.want
				var h *helpers.HintError
				if err == nil || err.Error() != want || !errors.Is(err, helpers.ErrUnavailable) || !errors.As(err, &h) || h.Hint != hint {
					t.Errorf("%s: got %v\nwant %s", name, err, want)
				}
				if err := Set(t.Context(), e, "tokens", "", redact.New(canary)); err == nil || err.Error() != want {
					t.Errorf("%s: set: %v", name, err)
				}
			}
			if err := l.SetDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			if conn, err := l.Accept(); err == nil {
				conn.Close()
				t.Error("somebody came to the bus")
			}
		})
	}
}
