//go:build unix

package subprocess

import (
	"os/exec"
	"syscall"
)

// ownGroup puts the program in a process group of its own, and ends that whole group with it.
// A session of its own, for a program without a terminal, has such a group, too.
func ownGroup(cmd *exec.Cmd, noTerminal bool) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: !noTerminal, Setsid: noTerminal}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
