package lookup

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal returns the side of a new terminal that a session is started on.
func terminal(t *testing.T) *os.File {
	t.Helper()
	main, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("needs a terminal: %v", err)
	}
	t.Cleanup(func() { main.Close() })
	if err := unix.IoctlSetPointerInt(int(main.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(main.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	side, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("needs a terminal: %v", err)
	}
	t.Cleanup(func() { side.Close() })
	return side
}

// TestGitHasNoTerminal holds that a helper cannot ask on the terminal of whoever started the build.
func TestGitHasNoTerminal(t *testing.T) {
	s, _ := gitSources(t, gitHelper(`if (: </dev/tty) 2>/dev/null; then echo terminal; else echo none; fi >"$HOME/saw"; exit 1`))
	onTerminal := func(argv ...string) string {
		t.Helper()
		cmd := exec.Command(argv[0], argv[1:]...)
		var out strings.Builder
		cmd.Env = append(s.Env.Environ(), "GIT_LOGIN_OF=https://example.com", "GOCOVERDIR="+t.TempDir())
		cmd.Stdin, cmd.Stdout = terminal(t), &out
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
		_ = cmd.Run() // it fails: there is no login
		return out.String()
	}
	if got := onTerminal("sh", "-c", `: </dev/tty && echo terminal`); got != "terminal\n" {
		t.Fatalf("the test shows nothing: %q", got)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if got := onTerminal(self); got != "git has no login for example.com\n" {
		t.Errorf("got %q", got)
	}
	if saw, err := os.ReadFile(filepath.Join(s.Env.Home, "saw")); err != nil || string(saw) != "none\n" {
		t.Errorf("the helper saw %q, %v", saw, err)
	}
}
