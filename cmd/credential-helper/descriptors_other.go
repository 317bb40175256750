//go:build unix && !linux

package main

import "golang.org/x/sys/unix"

// keepDescriptors keeps the descriptors that this process was given beside the standard ones from going on to the agent:
// a pipe of the build's that the agent held open would never end.
func keepDescriptors() {
	for fd := 3; fd < 1024; fd++ {
		unix.CloseOnExec(fd)
	}
}
