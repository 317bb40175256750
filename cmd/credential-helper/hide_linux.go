package main

import "golang.org/x/sys/unix"

// hideRun is what each run does of it that comes so far. It costs one call of the system's, and a program that this one starts has it no more.
func hideRun() { _ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }

// hideMemory keeps the agent's memory from other processes of the user: no core dump, no ptrace, no /proc/PID/mem.
// Root sees it still. What is left to all is /proc/PID/stat and its like, by which a client tells whether an agent is stopped.
func hideMemory() {
	hideRun()
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
}
