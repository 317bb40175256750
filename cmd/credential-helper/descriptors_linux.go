package main

import (
	"math"

	"golang.org/x/sys/unix"
)

// keepDescriptors keeps the descriptors that this process was given beside the standard ones from going on to the agent:
// a pipe of the build's that the agent held open would never end.
func keepDescriptors() {
	if unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) == nil {
		return
	}
	for fd := 3; fd < 1024; fd++ { // before Linux 5.11
		unix.CloseOnExec(fd)
	}
}
