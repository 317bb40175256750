package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A terminal is a pseudoterminal, with a person at its other end.
type terminal struct {
	t      *testing.T
	person *os.File // what is written here is typed
	device string   // the program's end

	mu    sync.Mutex
	shown bytes.Buffer
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("there are no pseudoterminals here: %v", err)
	}
	t.Cleanup(func() { person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	term := &terminal{t: t, person: person, device: "/dev/pts/" + strconv.Itoa(n)}
	return term
}

// start runs the program with the terminal as its own, and returns what waits for its end.
func (term *terminal) start(env []string, args ...string) (wait func() error) {
	term.t.Helper()
	device, err := os.OpenFile(term.device, os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		term.t.Fatal(err)
	}
	term.t.Cleanup(func() { device.Close() })
	cmd := exec.Command(program(term.t), args...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = env, device, device, device
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		term.t.Fatal(err)
	}
	go func() {
		buf := make([]byte, 1024)
		for {
			n, err := term.person.Read(buf)
			term.mu.Lock()
			term.shown.Write(buf[:n])
			term.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	return func() error {
		select {
		case err := <-ended:
			return err
		case <-time.After(20 * time.Second):
			_ = cmd.Process.Kill()
			term.t.Fatalf("the program did not end; it showed %q", term.text())
			return nil
		}
	}
}

func (term *terminal) text() string {
	term.mu.Lock()
	defer term.mu.Unlock()
	return strings.ReplaceAll(term.shown.String(), "\r\n", "\n")
}

// waitFor waits until the terminal shows a text.
func (term *terminal) waitFor(text string) {
	term.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(term.text(), text); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			term.t.Fatalf("the terminal shows %q, and not %q", term.text(), text)
		}
	}
}

// echoes reports whether the terminal shows what is typed.
func (term *terminal) echoes() bool {
	state, err := unix.IoctlGetTermios(int(term.person.Fd()), unix.TCGETS)
	if err != nil {
		term.t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

func (term *terminal) waitForEcho(want bool) {
	term.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); term.echoes() != want; time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			term.t.Fatalf("echo is not %v; the terminal shows %q", want, term.text())
		}
	}
}

func (term *terminal) typeText(text string) {
	term.t.Helper()
	if _, err := term.person.WriteString(text); err != nil {
		term.t.Fatal(err)
	}
}

// fileKeyring returns an environment with a keyring in a file.
func fileKeyring(t *testing.T) []string {
	t.Helper()
	home := t.TempDir()
	passphrase := filepath.Join(home, "passphrase")
	if err := os.WriteFile(passphrase, []byte("open sesame\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{
		"HOME=" + home, "CREDENTIAL_HELPER_STANDALONE=1", "CREDENTIAL_HELPER_KEYRING=file", "CREDENTIAL_HELPER_KEYRING_FILE=" + filepath.Join(home, "keyring"),
		"CREDENTIAL_HELPER_KEYRING_PASSPHRASE_FILE=" + passphrase, "CREDENTIAL_HELPER_TIMEOUT=15s",
	}
}

func readBack(t *testing.T, env []string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program(t), append([]string{"setup-keyring", "--read"}, args...)...)
	cmd.Env = env
	out, _ := cmd.Output()
	return string(out)
}

func TestSecretIsTypedUnseen(t *testing.T) {
	env := fileKeyring(t)
	term := newTerminal(t)
	wait := term.start(env, "setup-keyring", "svc")
	term.waitFor("Secret for svc (it is not shown): ")
	term.waitForEcho(false)
	term.typeText("typed-canary\n")
	if err := wait(); err != nil {
		t.Errorf("%v: %s", err, term.text())
	}
	term.waitFor("Stored secret svc\n")
	if strings.Contains(term.text(), "canary") || !term.echoes() {
		t.Errorf("the secret is shown, or the terminal is left without echo: %q", term.text())
	}
	if got := readBack(t, env, "svc"); got != "typed-canary" {
		t.Errorf("stored %q", got)
	}
}

func TestInterruptedSecretLeavesTheTerminalAsItWas(t *testing.T) {
	env := fileKeyring(t)
	for name, typed := range map[string]struct{ keys, want string }{
		"Ctrl-C": {"half-canary\x03", "credential-helper: interrupted; nothing was stored\n"},
		// A shell gives a program that goes on after that its terminal back with echo.
		"Ctrl-Z":   {"half-canary\x1a", "credential-helper: interrupted; nothing was stored\n"},
		"nothing":  {"\n", "credential-helper: the secret is empty; nothing was stored\n"},
		"too much": {strings.Repeat("canary", 1000) + "\n", "credential-helper: a terminal passes on no more than 4095 bytes of a line, and the secret may be longer\n"},
	} {
		t.Run(name, func(t *testing.T) {
			term := newTerminal(t)
			wait := term.start(env, "setup-keyring", "svc2")
			term.waitFor("Secret for svc2")
			term.waitForEcho(false)
			term.typeText(typed.keys)
			if err := wait(); err == nil {
				t.Error("it went well")
			}
			term.waitFor(typed.want)
			if strings.Contains(term.text(), "canary") || !term.echoes() {
				t.Errorf("the secret is shown, or the terminal is left without echo: %q", term.text())
			}
			if got := readBack(t, env, "svc2"); got != "" {
				t.Errorf("stored %q", got)
			}
		})
	}
}

func TestInitAsks(t *testing.T) {
	for answer, want := range map[string]bool{"y\n": true, "yes\n": true, "n\n": false, "\n": false, "\x04": false} {
		t.Run(answer, func(t *testing.T) {
			ws := t.TempDir()
			if err := os.WriteFile(filepath.Join(ws, "MODULE.bazel"), []byte(`f(url = "https://npm.acme.test/x")`), 0o600); err != nil {
				t.Fatal(err)
			}
			term := newTerminal(t)
			wait := term.start([]string{"HOME=" + ws, "CREDENTIAL_HELPER_WORKSPACE_DIRECTORY=" + ws, "CREDENTIAL_HELPER_STANDALONE=1"}, "init")
			term.waitFor("Write this? [y/N] ")
			term.typeText(answer)
			if err := wait(); (err == nil) != want {
				t.Errorf("%v: %s", err, term.text())
			}
			for _, name := range []string{".tweag-credential-helper.json", ".bazelrc"} {
				if _, err := os.Stat(filepath.Join(ws, name)); (err == nil) != want {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
}
