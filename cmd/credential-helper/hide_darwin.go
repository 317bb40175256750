package main

import "golang.org/x/sys/unix"

// hideMemory keeps the agent's memory from other processes of the user: no core dump, no ptrace.
// An agent that is started by a debugger ends here: so the system has it. Root sees the memory still.
func hideMemory() {
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	_ = unix.PtraceDenyAttach()
}

// hideRun does nothing: there is no call here that costs a short run nothing, and its programs nothing either.
func hideRun() {}
