//go:build unix

package subprocess

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func number(t *testing.T, pid string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(pid))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// gone waits until a process is no more. One that nobody waits for counts as ended.
func gone(t *testing.T, pid string) {
	t.Helper()
	n := number(t, pid)
	for range 1000 {
		if errors.Is(syscall.Kill(n, 0), syscall.ESRCH) {
			return
		}
		if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", n)); err == nil && strings.Contains(string(stat), ") Z ") {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("process %d still runs", n)
}

func end(t *testing.T, pid string) {
	t.Helper()
	_ = syscall.Kill(number(t, pid), syscall.SIGKILL)
}
