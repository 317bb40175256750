//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// A step is one of those at which the program sends a credential away, or is told where it is to go.
type step struct {
	name string
	// args ask for url, by get where they are none; server answers the step's request, at path.
	args              []string
	url, server, path string
	// sends are the canaries that go to server and no other; of an App's JWT, which is no canary, its name.
	sends []string
	// says is what is printed where all is well.
	says string
}

const jwtOfApp = "JWT of an App"

var steps = []step{
	{name: "login check", url: "https://r.example.com/v2/get/manifests/v1", server: "https://r.example.com", path: "/v2/", says: "Bearer tok-of-registry"},
	{name: "token by GET", url: "https://r.example.com/v2/get/manifests/v1", server: "https://auth.example.com", path: "/token", sends: []string{"password", "user name"}, says: "Bearer tok-of-registry"},
	{name: "token by GET, for an identity token", url: "https://r.example.com/v2/basic/manifests/v1", server: "https://auth.example.com", path: "/token", sends: []string{"identity token"}, says: "Bearer tok-of-registry"},
	{name: "token by POST, for an identity token", url: "https://r.example.com/v2/identity/manifests/v1", server: "https://auth.example.com", path: "/token", sends: []string{"identity token"}, says: "Bearer tok-of-registry"},
	{name: "token by POST, for a password", url: "https://r.example.com/v2/password/manifests/v1", server: "https://auth.example.com", path: "/token", sends: []string{"password", "user name"}, says: "Bearer tok-of-registry"},
	{name: "an App's installation", url: "https://ghe.example.com/acme/tools/archive/v1.tar.gz", server: "https://ghe.example.com", path: "/api/v3/orgs/acme/installation", sends: []string{jwtOfApp}, says: "Bearer ghs_ofinstallation"},
	{name: "an App's token", url: "https://ghe.example.com/acme/tools/archive/v1.tar.gz", server: "https://ghe.example.com", path: "/api/v3/app/installations/678/access_tokens", sends: []string{jwtOfApp}, says: "Bearer ghs_ofinstallation"},
	{name: "Julia's renewal", url: "https://pkg.example.com/registries", server: "https://pkg.example.com", path: "/auth/renew/token.toml", sends: []string{"refresh token"}, says: "Bearer tok-of-julia"},
	{name: "check, by Bearer", args: []string{"check"}, url: "https://files.example.com/x.zip", server: "https://files.example.com", path: "/x.zip", sends: []string{"token"}, says: "the login is needed, and accepted"},
	{name: "check, by Basic", args: []string{"check"}, url: "https://basic.example.com/x.zip", server: "https://basic.example.com", path: "/x.zip", sends: []string{"password", "user name"}, says: "the login is needed, and accepted"},
}

// stepNamed returns one of them.
func stepNamed(t *testing.T, name string) step {
	i := slices.IndexFunc(steps, func(s step) bool { return s.name == name })
	if i < 0 {
		t.Fatalf("there is no step %q", name)
	}
	return steps[i]
}

// requests returns what arrived, "METHOD ORIGIN".
func (n *network) requests() (all []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, a := range n.arrived {
		all = append(all, a.method+" "+a.origin)
	}
	return all
}

// sent returns what arrived where of what is secret: "password to https://auth.example.com".
func (n *network) sent() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	found := map[string]bool{}
	for _, a := range n.arrived {
		// Of an identity token in Basic, the user name is one that everybody knows.
		names, _ := n.in(a.text)
		if strings.Contains(a.text, "\r\nAuthorization: Bearer eyJ") {
			names[jwtOfApp] = true
		}
		if len(names) == 0 && (strings.Contains(a.text, "\r\nAuthorization:") || strings.Contains(a.text, "\r\nProxy-Authorization:")) {
			names["some credential"] = true
		}
		for name := range names {
			found[name+" to "+a.origin] = true
		}
	}
	all := []string{}
	for s := range found {
		all = append(all, s)
	}
	slices.Sort(all)
	return all
}

// mine are what the network finds where a step's credential goes to its server alone.
func (s step) mine() []string {
	all := []string{}
	if s.path == "/v2/" { // the credential goes to the token endpoint, in the next step
		return all
	}
	for _, name := range s.sends {
		all = append(all, name+" to "+s.server)
	}
	return all
}

// An outcome is what a run of the program came to.
type outcome struct {
	stdout, stderr string
	code           int
	took           time.Duration
	peak           int64 // the memory that the process had at most, in bytes
}

// run runs the program for a step.
func (n *network) run(t *testing.T, s step, env ...string) outcome {
	t.Helper()
	executable := program(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	args, stdin := []string{"get"}, bazelRequest(s.url)
	if len(s.args) > 0 {
		args, stdin = append(slices.Clone(s.args), s.url), ""
	}
	cmd := exec.CommandContext(ctx, executable, args...)
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = n.dir, slices.Concat(n.env, env), strings.NewReader(stdin), &stdout, &stderr
	begin := time.Now()
	must(t, cmd.Start())
	ended, peak := make(chan struct{}), make(chan int64)
	go func() { peak <- peakOf(cmd.Process.Pid, ended) }()
	err := cmd.Wait()
	close(ended)
	if exit := (*exec.ExitError)(nil); ctx.Err() != nil || err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v\n%s%s", s.name, err, &stdout, &stderr)
	}
	return outcome{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode(), time.Since(begin), <-peak}
}

// peakOf looks at a process until it has ended, and returns the memory that it had at most. What the system tells of a process that has ended
// is of no use here: it counts that of the process which started it.
func peakOf(pid int, ended <-chan struct{}) (peak int64) {
	for tick := time.NewTicker(time.Millisecond); ; {
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		_, rest, _ := strings.Cut(string(status), "\nVmHWM:")
		var kib int64
		if _, err := fmt.Sscan(rest, &kib); err == nil {
			peak = max(peak, kib<<10)
		}
		select {
		case <-ended:
			tick.Stop()
			return peak
		case <-tick.C:
		}
	}
}

// refusedClearly complains of an error that is not one: an answer beside it, more than three lines, a line without an end, or a secret in it.
func (n *network) refusedClearly(t *testing.T, s step, o outcome) {
	t.Helper()
	lines := strings.Count(o.stderr, "\n")
	switch {
	case o.code != 1:
		t.Errorf("exit status %d, want 1: %s%s", o.code, o.stdout, o.stderr)
	case len(s.args) == 0 && (o.stdout != "" || lines < 1 || lines > 3 || len(o.stderr) > 2000):
		t.Errorf("it prints %q, and the error has %d lines, %d bytes:\n%s", o.stdout, lines, len(o.stderr), o.stderr)
	}
	if names, context := n.in(o.stdout + o.stderr); len(names) > 0 {
		t.Errorf("it shows %v: %s", names, context)
	}
}
