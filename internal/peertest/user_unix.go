//go:build unix

package peertest

import (
	"syscall"
	"testing"
)

// AsUser runs f with another effective user, which only root can take.
func AsUser(t testing.TB, uid int, f func()) {
	t.Helper()
	if err := syscall.Setreuid(-1, uid); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Setreuid(-1, 0); err != nil {
			t.Fatal(err)
		}
	}()
	f()
}
