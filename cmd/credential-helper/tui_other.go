//go:build !windows

package main

import (
	"os"
	"syscall"
)

// takesEscapes reports whether a terminal understands escape sequences: all do whose TERM is not dumb.
func takesEscapes(*os.File) bool { return true }

// interrupts are the signals that end what a person is asked without being shown the answer. Ctrl-Z is one of them:
// the shell gives a program that is stopped and goes on its terminal back with echo, and the rest of the secret would be seen.
var interrupts = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGTSTP}
