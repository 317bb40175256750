package main

import "golang.org/x/sys/unix"

// hideMemory keeps the agent's memory from other processes of the user: no core dump, no ptrace, no /proc/PID/mem.
// Root sees it still. What is left to all is /proc/PID/stat and its like, by which a client tells whether an agent is stopped.
func hideMemory() {
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
}
