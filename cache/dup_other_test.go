//go:build !unix

package cache

import (
	"os"
	"testing"
)

func dupFile(t testing.TB, f *os.File) *os.File {
	t.Skip("a process inherits no file here: nobody can tell that an agent is starting")
	return nil
}
