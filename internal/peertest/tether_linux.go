package peertest

import (
	"os/exec"
	"syscall"
)

// tether has the kernel end a program with the test, also where the test is killed and cleans up nothing.
func tether(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
