package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/redact"
)

// A panicker is a reader and a writer that panics with a text.
type panicker string

func (p panicker) Read([]byte) (int, error)  { panic("reading " + string(p)) }
func (p panicker) Write([]byte) (int, error) { panic("writing " + string(p)) }

// TestPanicsAreScrubbed holds that a mistake of this program's own does not print a secret: the runtime shows the value of a panic that nobody catches.
func TestPanicsAreScrubbed(t *testing.T) {
	const met, unmet = "tiger-lily-of-a-panic", "Zk3vQ9pLx2Wt7mBn4Rc8"
	redact.New(met)
	for _, args := range [][]string{{"get"}, {"version"}, {"help"}, {"docker", "get"}, {"docker", "store"}, {"docker", "version"}, {"schema"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			var stderr bytes.Buffer
			out := panicker(met + " " + unmet)
			a := &app{env: &env.Env{Home: t.TempDir(), Dir: t.TempDir(), Get: func(string) (string, bool) { return "", false }, Now: time.Now}, stdin: out, stdout: out, stderr: &stderr}
			if code := a.run(args); code != exitError {
				t.Errorf("exit status %d", code)
			}
			if text := stderr.String(); strings.Contains(text, met) || strings.Contains(text, unmet) || !strings.Contains(text, "internal error: ") {
				t.Errorf("standard error: %q", text)
			}
		})
	}
}
