package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/internal/env"
)

// TestDockerGetHasOneBudget holds that a standard input that never says anything costs one time limit, and is told of as what it is.
func TestDockerGetHasOneBudget(t *testing.T) {
	r, w := io.Pipe()
	defer w.Close()
	vars := map[string]string{env.VarTimeout: "300ms"}
	var stdout, stderr strings.Builder
	a := &app{env: &env.Env{Get: func(name string) (string, bool) { v, ok := vars[name]; return v, ok }, Now: time.Now}, stdin: r, stdout: &stdout, stderr: &stderr}
	start := time.Now()
	code := a.runDocker([]string{"get"})
	if took := time.Since(start); took > 550*time.Millisecond {
		t.Errorf("it took %s", took)
	}
	const want = "credential-helper: no answer within 300ms; the time went into reading the server from standard input\nhint: $CREDENTIAL_HELPER_TIMEOUT sets the time limit\n"
	if code != exitError || stdout.String() != want || stderr.String() != "" {
		t.Errorf("status %d, stdout %q, stderr %q", code, stdout.String(), stderr.String())
	}
}

// TestUninstallKeepsTheProgram holds that the program itself under a Docker name is not taken for the link.
func TestUninstallKeepsTheProgram(t *testing.T) {
	path := filepath.Join(t.TempDir(), "docker-credential-credhelper")
	if err := os.WriteFile(path, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if (dockerLink{executable: path, path: path}).ours(nil) {
		t.Error("the program is taken for a link to it")
	}
}
