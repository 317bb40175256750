// Package peertest lets tests use real programs: it finds them, and starts those that need a world of their own.
//
// A test that needs a program which is not installed is skipped, and says how to install it.
// Where REQUIRE_PEERS=1 is set, as it is in continuous integration, it fails instead.
package peertest

import (
	"os"
	"os/exec"
	"testing"
)

// VarRequire names the variable that turns a skip for want of a program into a failure when it is "1".
const VarRequire = "REQUIRE_PEERS"

// Require returns the path of a program on PATH. Where there is none, the test is skipped, or fails (see the package's doc);
// install is the command that installs it.
func Require(t testing.TB, program, install string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		missing(t, "needs %s; install it with: %s", program, install)
	}
	return path
}

func missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv(VarRequire) == "1" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}
