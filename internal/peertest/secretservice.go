package peertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// A KeyringState is a state that a desktop's keyring can be in.
type KeyringState int

const (
	Unlocked  KeyringState = iota // the login keyring is there, empty and open
	Locked                        // the login keyring is there, and closed; nobody is there to be asked for its password
	Uncreated                     // the keyring's daemon runs, and has no keyring yet
	NoService                     // there is a session bus, and no keyring on it
)

// A Session is a desktop session on a machine without a desktop: a private home, runtime directory and session bus.
type Session struct {
	Home string
	// Bus is the address of the session bus.
	Bus string

	t testing.TB
}

// A Result is what became of a program.
type Result struct {
	Stdout, Stderr string
	Code           int // the exit status; -1 where a signal ended the program
}

const (
	startLimit = time.Minute // node takes its time on a busy machine
	runLimit   = 60 * time.Second
)

// SecretService starts a session with a real Secret Service (gnome-keyring) in the state that is wanted. It ends with the test.
func SecretService(t testing.TB, state KeyringState) *Session {
	t.Helper()
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		t.Skip("the Secret Service is for Linux and BSD")
	}
	const install = "apt-get install dbus gnome-keyring"
	busDaemon := Require(t, "dbus-daemon", install)
	keyringDaemon := Require(t, "gnome-keyring-daemon", install)

	// Not t.TempDir: the path of a socket may not be longer than about 100 bytes.
	home, err := os.MkdirTemp("", "keyring")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) })
	s := &Session{Home: home, Bus: "unix:path=" + filepath.Join(home, "run", "bus"), t: t}
	if err := os.Mkdir(filepath.Join(home, "run"), 0o700); err != nil {
		t.Fatal(err)
	}
	// Nothing can be activated on this bus: what runs is what was started here, and no prompt can appear.
	config := filepath.Join(home, "bus.conf")
	err = os.WriteFile(config, fmt.Appendf(nil, `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>%s</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
`, s.Bus), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	s.start("", busDaemon, "--nofork", "--nopidfile", "--config-file="+config)
	s.wait("the session bus", func(conn *dbus.Conn) bool { return true })

	// The password is made on the first --unlock, which creates the login keyring.
	unlock := []string{keyringDaemon, "--unlock", "--foreground", "--components=secrets"}
	start := []string{keyringDaemon, "--start", "--foreground", "--components=secrets"}
	switch state {
	case Unlocked:
		s.start("password\n", unlock...)
		s.wait("the login keyring", hasLogin)
	case Locked:
		stop := s.start("password\n", unlock...)
		s.wait("the login keyring", hasLogin)
		stop()
		s.wait("the end of the first keyring daemon", func(conn *dbus.Conn) bool { return !hasService(conn) })
		s.start("", start...)
		s.wait("the login keyring", hasLogin)
	case Uncreated:
		s.start("", start...)
		s.wait("the keyring daemon", hasService)
	}
	return s
}

const (
	secrets     = "org.freedesktop.secrets"
	secretsPath = "/org/freedesktop/secrets"
)

func hasService(conn *dbus.Conn) bool {
	var has bool
	err := conn.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, secrets).Store(&has)
	return err == nil && has
}

func hasLogin(conn *dbus.Conn) bool {
	if !hasService(conn) {
		return false
	}
	v, err := conn.Object(secrets, secretsPath).GetProperty("org.freedesktop.Secret.Service.Collections")
	if err != nil {
		return false
	}
	paths, _ := v.Value().([]dbus.ObjectPath)
	return slices.Contains(paths, dbus.ObjectPath(secretsPath+"/collection/login"))
}

// Env returns the variables of the session's programs.
func (s *Session) Env() []string {
	return []string{
		"HOME=" + s.Home,
		"XDG_RUNTIME_DIR=" + filepath.Join(s.Home, "run"),
		"XDG_DATA_HOME=" + filepath.Join(s.Home, "data"),
		"XDG_CONFIG_HOME=" + filepath.Join(s.Home, "config"),
		"XDG_CACHE_HOME=" + filepath.Join(s.Home, "cache"),
		"DBUS_SESSION_BUS_ADDRESS=" + s.Bus,
		"PATH=" + os.Getenv("PATH"),
		"LC_ALL=C",
	}
}

// Run runs a program in the session, with env in addition to what Env returns, and waits for its end. The test's own environment is not inherited.
func (s *Session) Run(argv, env []string, stdin string) Result {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), runLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = s.Home, strings.NewReader(stdin), &stdout, &stderr
	cmd.Env = append(s.Env(), env...)
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); ctx.Err() != nil || err != nil && !errors.As(err, &exit) {
		s.t.Fatalf("running %q in a session: %v\n%s", argv, err, stderr.String())
	}
	return Result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// start starts a program that runs until the test ends, or until the function that it returns is called.
func (s *Session) start(stdin string, argv ...string) (stop func()) {
	s.t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdin = s.Home, s.Env(), strings.NewReader(stdin)
	if err := cmd.Start(); err != nil {
		s.t.Fatalf("starting %q: %v", argv, err)
	}
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			_ = cmd.Process.Signal(os.Interrupt)
			timer := time.AfterFunc(startLimit, func() { _ = cmd.Process.Kill() })
			_ = cmd.Wait()
			timer.Stop()
		}
	}
	s.t.Cleanup(stop)
	return stop
}

// wait asks until done says yes.
func (s *Session) wait(what string, done func(*dbus.Conn) bool) {
	s.t.Helper()
	ask := func() (bool, error) {
		conn, err := dbus.Connect(s.Bus)
		if err != nil {
			return false, err
		}
		defer conn.Close()
		return done(conn), nil
	}
	var err error
	for deadline := time.Now().Add(startLimit); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		var ok bool
		if ok, err = ask(); ok {
			return
		}
	}
	s.t.Fatalf("waiting for %s: not there after %v (last error: %v)", what, startLimit, err)
}
