//go:build unix

package boundtest

import (
	"syscall"
	"time"
)

// processorTime is how long processors worked for this process: what else the machine does is not in it.
func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err) // of arguments that make no sense alone
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
