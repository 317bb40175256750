package cache

import (
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// TestStopped holds that a process counts as stopped while it is, and not when it has ended: who waited for an answer of an agent
// that was killed has to look for another one.
func TestStopped(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	signal := func(sig syscall.Signal, want bool) {
		t.Helper()
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(5 * time.Second); stopped(pid) != want; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("after the signal %s: stopped is %v", sig, !want)
			}
		}
	}
	if stopped(pid) {
		t.Error("a running process is stopped")
	}
	signal(syscall.SIGSTOP, true)
	signal(syscall.SIGCONT, false)
	signal(syscall.SIGSTOP, true)
	signal(syscall.SIGKILL, false) // nobody has waited for it yet
	_ = cmd.Wait()
	if stopped(pid) {
		t.Error("a process that is gone is stopped")
	}
}
