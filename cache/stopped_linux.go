package cache

import (
	"bytes"
	"os"
	"strconv"
)

// stopped reports whether a process that does not answer will not do so soon: it is stopped (SIGSTOP, a debugger), or not to be seen.
// One that is neither waits for its turn.
func stopped(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat") // proc_pid_stat(5): "12 (name) S …"
	end := bytes.LastIndexByte(stat, ')')
	if err != nil || end < 0 || end+2 >= len(stat) {
		return true
	}
	switch stat[end+2] {
	case 'T', 't', 'Z', 'X':
		return true
	}
	return false
}
