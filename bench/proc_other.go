//go:build !linux

package main

import (
	"errors"
	"os"
	"syscall"
	"time"
)

var errNotMeasured = errors.New("not measured on this system")

func cpuOf(int) (time.Duration, error) { return 0, errNotMeasured }

func memoryOf(int) (int, error) { return 0, errNotMeasured }

// alive reports whether a process runs.
func alive(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	defer p.Release()
	return p.Signal(syscall.Signal(0)) == nil
}
