//go:build unix

package main

import "syscall"

// detached puts the agent into a session of its own: it outlives the terminal and the build that started it.
func detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

func rootDir() string { return "/" }
