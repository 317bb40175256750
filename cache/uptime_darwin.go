package cache

import (
	"time"

	"golang.org/x/sys/unix"
)

func sinceBoot() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC_RAW, &t) != nil { // goes on while the machine sleeps
		return 0
	}
	return time.Duration(t.Nano())
}
