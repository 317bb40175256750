package main

import (
	"os"
	"syscall"

	"golang.org/x/sys/windows"
)

// takesEscapes has the console understand escape sequences, and reports whether it does. Old ones print them.
func takesEscapes(f *os.File) bool {
	var mode uint32
	console := windows.Handle(f.Fd())
	if windows.GetConsoleMode(console, &mode) != nil {
		return false
	}
	return windows.SetConsoleMode(console, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING) == nil
}

// interrupts are the signals that end what a person is asked without being shown the answer.
var interrupts = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}
