//go:build !linux

package cache

// stopped cannot be told here: a process that does not answer in time is taken for one that never will.
func stopped(int) bool { return true }
