package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/internal/peertest"
)

// TestAbortedAgent holds that an agent that is ended as by a fault leaves nothing of what it kept, in a core or in its log, and that the next run goes on without it.
func TestAbortedAgent(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGABRT, syscall.SIGSEGV, syscall.SIGQUIT} {
		t.Run(sig.String(), func(t *testing.T) {
			c := newCamp(t, "GOTRACEBACK=crash")
			c.write("request", bazelRequest(c.url("team/app")))
			r := peertest.Run(t, c.home, c.env, []string{"/bin/sh", "-c", `ulimit -c unlimited 2>/dev/null; exec "$0" get <"$HOME/request"`, c.path}, "")
			c.checkAnswer(c.url("team/app"), r)
			var answer struct{ Headers map[string][]string }
			must(t, json.Unmarshal([]byte(r.Stdout), &answer))
			secret := strings.TrimPrefix(strings.Join(answer.Headers["Authorization"], ""), "Bearer ")
			pid := 0
			if !eventually(5*time.Second, func() bool { pid = c.agent(); return pid != 0 }) {
				t.Fatal("no agent answers")
			}
			sendSignal(t, pid, sig)
			if !eventually(5*time.Second, func() bool { return !alive(pid) }) {
				t.Fatal("the agent stays")
			}
			log, err := os.ReadFile(filepath.Join(c.run, "agent.log"))
			must(t, err)
			if len(secret) < 20 || strings.Contains(string(log), secret) || strings.Contains(string(log), "wonderland") {
				t.Errorf("the log says\n%s", log)
			}
			for _, pattern := range []string{"/core*", c.home + "/core*", c.run + "/core*"} {
				if cores, _ := filepath.Glob(pattern); len(cores) > 0 {
					t.Errorf("there is a core: %s", cores)
				}
			}
			c.goodGet(c.url("team/app"))
		})
	}
}
