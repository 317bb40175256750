//go:build unix

package main

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/cache/wire"
	"github.com/fe055d52/credential-helper/internal/peertest"
)

// TestAgentOutOfDescriptors holds that clients who say nothing do not keep others from an agent that has no descriptor left,
// and that its log does not grow meanwhile.
func TestAgentOutOfDescriptors(t *testing.T) {
	c := newCamp(t)
	r := peertest.Run(t, c.home, c.env, []string{"/bin/sh", "-c", `ulimit -n 64; exec "$0" agent-launch`, c.path}, "")
	if r.Code != 0 {
		t.Fatalf("agent-launch: exit status %d: %s", r.Code, r.Stderr)
	}
	c.goodGet(c.url("team/app"))
	for range 100 {
		conn, err := net.Dial("unix", filepath.Join(c.run, "agent.sock"))
		must(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		_, err = conn.Write(wire.Append(nil, wire.Message{Op: wire.Status, Fields: []string{""}}))
		must(t, err)
	}
	alone := c.plain().goodGet(c.url("team/app"))
	c.registry.Forget()
	took := c.goodGet(c.url("team/app"))
	t.Logf("get took %s; %s without a cache", took.Round(time.Millisecond), alone.Round(time.Millisecond))
	c.wantRequests(0, 0) // the agent had the answer, and gave it within the time that a get has for it
	if log := c.command("agent-logs"); strings.Count(log, "accepting a client: ") != 1 {
		t.Errorf("its log says:\n%s", log)
	}
}
