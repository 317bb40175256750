package cache

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"syscall"
)

// stopped reports whether a process that does not answer will not do so soon: it is stopped (SIGSTOP, a debugger), or not to be seen.
// One that is neither waits for its turn. One that has ended is not stopped: the connection to it is closed and says so, and another may be there.
func stopped(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat") // proc_pid_stat(5): "12 (name) S …"
	end := bytes.LastIndexByte(stat, ')')
	if err != nil || end < 0 || end+2 >= len(stat) {
		return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
	}
	return stat[end+2] == 'T' || stat[end+2] == 't'
}
