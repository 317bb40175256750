//go:build !unix

package subprocess

import "os/exec"

// ownGroup does nothing here: the program alone is ended, which is what os/exec does by itself.
func ownGroup(*exec.Cmd, bool) {}
