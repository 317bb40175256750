//go:build unix

package lookup

import (
	"syscall"
	"testing"
)

// asUser runs f with another effective user, which only root can take.
func asUser(t *testing.T, uid int, f func()) {
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
