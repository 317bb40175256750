package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/internal/peertest"
	"github.com/fe055d52/credential-helper/internal/registrytest"
)

// A camp is a site with a cache and a registry.
type camp struct {
	*site
	path     string // of the program
	registry *registrytest.Registry
	run      string // the directory of the agent's socket and locks
}

// newCamp makes a site whose cache is the agent, and a registry that alice may use; nothing runs yet but the registry.
// Whatever agent the test starts is ended with it; one that cannot be ended, or that nobody knows of, fails the test.
func newCamp(t testing.TB, env ...string) *camp {
	t.Helper()
	registry, err := registrytest.Start(registrytest.Config{Login: registrytest.Bearer, Users: map[string]string{"alice": "wonderland"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(registry.Close)
	runtimeDir, err := os.MkdirTemp("", "ch") // the name of a test's directory can be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(runtimeDir) })
	rules := fmt.Sprintf(`{"urls": [{"host": %q, "helper": "oci", "config": {"lookup_chain": [
		{"source": "env", "name": "USER_", "binding": "username"}, {"source": "env", "name": "PASS", "binding": "password"}]}}]}`, registry.Host)
	c := &camp{path: program(t), registry: registry, run: filepath.Join(runtimeDir, "credential-helper")}
	c.site = newSite(t, rules, append([]string{
		"CREDENTIAL_HELPER_STANDALONE=", "XDG_RUNTIME_DIR=" + runtimeDir, "USER_=alice", "PASS=wonderland",
	}, env...)...)
	t.Cleanup(c.endAgents)
	return c
}

// url returns a URL in a repository of the registry.
func (c *camp) url(repository string) string {
	return c.registry.URL + "/v2/" + repository + "/manifests/v1"
}

// get runs "credential-helper get" for a URL.
func (c *camp) get(url string) peertest.Result {
	c.t.Helper()
	return peertest.Run(c.t, c.home, c.env, []string{c.path, "get"}, bazelRequest(url))
}

// command runs a command of the program's other than get, which has to work, and returns what it printed.
func (c *camp) command(args ...string) string {
	c.t.Helper()
	r := peertest.Run(c.t, c.home, c.env, append([]string{c.path}, args...), "")
	if r.Code != 0 {
		c.t.Fatalf("%s: exit status %d: %s", args, r.Code, r.Stderr)
	}
	return r.Stdout
}

// agent returns the process id of the agent that answers, and 0 where none does.
func (c *camp) agent() int {
	c.t.Helper()
	r := peertest.Run(c.t, c.home, c.env, []string{c.path, "agent-status", "--json"}, "")
	var status struct {
		PID int `json:"pid"`
	}
	if r.Code != 0 || json.Unmarshal([]byte(r.Stdout), &status) != nil {
		return 0
	}
	return status.PID
}

// agents returns the process ids of all agents of this site, whether they answer or not. It sees them on Linux, as root:
// an agent hides its environment from others.
func (c *camp) agents() (pids []int) {
	names, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range names {
		line, _ := os.ReadFile(name)
		if !bytes.Contains(line, []byte("agent-launch\x00--foreground")) {
			continue
		}
		vars, _ := os.ReadFile(filepath.Join(filepath.Dir(name), "environ"))
		for _, v := range strings.Split(string(vars), "\x00") {
			if v == "HOME="+c.home {
				pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// endAgents ends what agents there are, and complains of those that do not obey.
func (c *camp) endAgents() {
	for range 3 { // one that is only starting is not heard yet
		if pid := c.agent(); pid != 0 {
			c.command("agent-shutdown")
		}
		if !eventually(500*time.Millisecond, func() bool { return len(c.agents()) == 0 }) {
			continue
		}
		return
	}
	for _, pid := range c.agents() {
		c.t.Errorf("an agent is left, process %d", pid)
		kill(pid)
	}
}

func kill(pid int) {
	if p, err := os.FindProcess(pid); err == nil {
		_ = p.Kill()
		_ = p.Release()
	}
}

// eventually reports whether something comes true in time.
func eventually(limit time.Duration, is func() bool) bool {
	for deadline := time.Now().Add(limit); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// A run is one "get" among many.
type run struct {
	url            string
	cmd            *exec.Cmd
	stdout, stderr bytes.Buffer
}

// A storm is many gets at once.
type storm struct {
	c    *camp
	runs []*run
}

// storm starts a get for each URL, and does not wait for any.
func (c *camp) storm(urls ...string) *storm {
	c.t.Helper()
	s := &storm{c: c}
	for _, url := range urls {
		r := &run{url: url, cmd: exec.Command(c.path, "get")}
		r.cmd.Dir, r.cmd.Env, r.cmd.Stdin = c.home, c.env, strings.NewReader(bazelRequest(url))
		r.cmd.Stdout, r.cmd.Stderr = &r.stdout, &r.stderr
		r.cmd.WaitDelay = 5 * time.Second
		if err := r.cmd.Start(); err != nil {
			c.t.Fatal(err)
		}
		s.runs = append(s.runs, r)
	}
	return s
}

// wait waits for all, and returns those that failed or were killed.
func (s *storm) wait() (failed []*run) {
	for _, r := range s.runs {
		if err := r.cmd.Wait(); err != nil {
			var exit *exec.ExitError
			if !errors.As(err, &exit) {
				s.c.t.Errorf("get for %s: %v", r.url, err)
			}
			failed = append(failed, r)
		}
	}
	return failed
}

// answered waits for all, none of which may fail but n, and checks that each of the others got a token that the registry takes.
func (s *storm) answered(n int) {
	s.c.t.Helper()
	failed := s.wait()
	if len(failed) != n {
		s.c.t.Errorf("%d of %d gets failed, want %d", len(failed), len(s.runs), n)
		for _, r := range failed[:min(len(failed), 3)] {
			s.c.t.Logf("%s: %s\n%s", r.url, r.cmd.ProcessState, r.stderr.String())
		}
	}
	checked := map[string]bool{}
	for _, r := range s.runs {
		if answer := r.url + r.stdout.String(); !r.cmd.ProcessState.Success() || checked[answer] {
			continue
		} else {
			checked[answer] = true
		}
		s.c.checkAnswer(r.url, peertest.Result{Stdout: r.stdout.String(), Stderr: r.stderr.String()})
	}
}

// checkAnswer checks that an answer of get's opens the registry.
func (c *camp) checkAnswer(url string, r peertest.Result) {
	c.t.Helper()
	headers, _ := readAnswer(c.t, url, r)
	if a := fetch(c.t, "GET", url, headers); a.status != http.StatusNotFound {
		c.t.Errorf("the registry answers %d to the headers for %s; want 404, for there is no such image", a.status, url)
	}
}

// goodGet runs get, which has to answer rightly, and returns how long it took.
func (c *camp) goodGet(url string) time.Duration {
	c.t.Helper()
	start := time.Now()
	r := c.get(url)
	took := time.Since(start)
	c.checkAnswer(url, r)
	return took
}

func (c *camp) wantRequests(pings, exchanges int) {
	c.t.Helper()
	if p, e := c.registry.Pings(), c.registry.Exchanges(); p != pings || e != exchanges {
		c.t.Errorf("%d pings and %d exchanges, want %d and %d", p, e, pings, exchanges)
	}
}

// awaitRequests waits until the registry has seen so many requests: that a leader holds its lock does not say that it has asked.
func (c *camp) awaitRequests(pings, exchanges int) {
	c.t.Helper()
	if !eventually(10*time.Second, func() bool { return c.registry.Pings() == pings && c.registry.Exchanges() == exchanges }) {
		c.wantRequests(pings, exchanges)
	}
}

// issue answers a request to the token endpoint.
func (c *camp) issue(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"token": %q, "expires_in": 300}`, c.registry.Token(req.URL.Query()["scope"]...))
}

// slowToken has the token endpoint take a while.
func (c *camp) slowToken(d time.Duration) {
	c.registry.SetToken(func(w http.ResponseWriter, req *http.Request) {
		time.Sleep(d)
		c.issue(w, req)
	})
}

// A cacheKind is one of the caches that processes share, and what is done before the storm.
type cacheKind struct {
	name   string
	env    string
	before func(*camp)
}

var cacheKinds = []cacheKind{
	{"agent running", "", func(c *camp) { c.command("agent-launch") }},
	{"no agent yet", "", func(*camp) {}},
	{"file", "CREDENTIAL_HELPER_CACHE=file", func(*camp) {}},
}

func eachCache(t *testing.T, test func(t *testing.T, c *camp)) {
	for _, kind := range cacheKinds {
		t.Run(kind.name, func(t *testing.T) {
			c := newCamp(t, kind.env)
			kind.before(c)
			test(t, c)
		})
	}
}

func repeat(n int, url string) []string {
	urls := make([]string, n)
	for i := range urls {
		urls[i] = url
	}
	return urls
}

// TestStorm holds that a hundred processes with one question make one exchange, and no more than one login check however many repositories there are.
func TestStorm(t *testing.T) {
	eachCache(t, func(t *testing.T, c *camp) {
		c.slowToken(100 * time.Millisecond)
		start := time.Now()
		c.storm(repeat(100, c.url("team/app"))...).answered(0)
		t.Logf("100 cold gets for one repository took %s", time.Since(start).Round(time.Millisecond))
		c.wantRequests(1, 1)

		start = time.Now()
		c.storm(repeat(100, c.url("team/app"))...).answered(0)
		t.Logf("100 warm gets took %s", time.Since(start).Round(time.Millisecond))
		c.wantRequests(1, 1)
	})
}

func TestStormOverRepositories(t *testing.T) {
	eachCache(t, func(t *testing.T, c *camp) {
		c.slowToken(100 * time.Millisecond)
		var urls []string
		for i := range 100 {
			urls = append(urls, c.url(fmt.Sprintf("team/app%d", i%10)))
		}
		start := time.Now()
		c.storm(urls...).answered(0)
		t.Logf("100 cold gets for ten repositories took %s", time.Since(start).Round(time.Millisecond))
		c.wantRequests(1, 10)
	})
}

// A flock is a line of /proc/locks: a lock on a file that somebody has or waits for.
type flock struct {
	pid     int
	inode   string
	waiting bool
	shared  bool
}

func flocks(t testing.TB) (list []flock) {
	text, err := os.ReadFile("/proc/locks")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)[1:]
		l := flock{}
		if f[0] == "->" {
			l.waiting, f = true, f[1:]
		}
		if len(f) < 5 || f[0] != "FLOCK" {
			continue
		}
		l.shared = f[2] == "READ"
		l.pid, _ = strconv.Atoi(f[3])
		l.inode = f[4][strings.LastIndexByte(f[4], ':')+1:]
		list = append(list, l)
	}
	return list
}

// gather waits until all runs of a storm but one wait for that one, and returns it.
func (s *storm) gather() (leader *run) {
	s.c.t.Helper()
	byPID := map[int]*run{}
	for _, r := range s.runs {
		byPID[r.cmd.Process.Pid] = r
	}
	var state string
	if !eventually(10*time.Second, func() bool {
		list := flocks(s.c.t)
		waiters := map[string]int{}
		for _, l := range list {
			if l.waiting && byPID[l.pid] != nil {
				waiters[l.inode]++
			}
		}
		leader = nil
		n := 0
		for _, l := range list {
			if !l.waiting && !l.shared && byPID[l.pid] != nil && waiters[l.inode] > n {
				leader, n = byPID[l.pid], waiters[l.inode]
			}
		}
		state = fmt.Sprintf("%d of %d wait for one that leads", n, len(s.runs))
		return n == len(s.runs)-1
	}) {
		s.c.t.Fatal(state)
	}
	return leader
}

// needLocks skips a test that has to see who waits for whom.
func needLocks(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("who waits for whom is read from /proc/locks, which only Linux has")
	}
}

// TestLeaderDies holds that the others are free at once when the process that they wait for is killed,
// and that no more than one of them does its work again.
func TestLeaderDies(t *testing.T) {
	needLocks(t)
	const n = 20
	eachCache(t, func(t *testing.T, c *camp) {
		killed := func(s *storm, leader *run) {
			t.Helper()
			_ = leader.cmd.Process.Kill()
			start := time.Now()
			s.answered(1)
			t.Logf("the others took %s", time.Since(start).Round(time.Millisecond))
		}
		// Before it knows how to log in.
		c.registry.SetPing(registrytest.Hang())
		s := c.storm(repeat(n, c.url("team/early"))...)
		leader := s.gather()
		c.awaitRequests(1, 0)
		c.registry.SetPing(nil)
		killed(s, leader)
		c.wantRequests(2, 1)

		// Before it has a token.
		c.registry.Forget()
		c.registry.SetToken(registrytest.Hang())
		s = c.storm(repeat(n, c.url("team/later"))...)
		leader = s.gather()
		c.awaitRequests(0, 1)
		c.registry.SetToken(nil)
		killed(s, leader)
		c.wantRequests(0, 2) // how to log in is known from before

		// When it has one: it may have kept it already or not, and may even have ended.
		c.registry.Forget()
		leaders := make(chan *run)
		c.registry.SetToken(func(w http.ResponseWriter, req *http.Request) {
			leader := <-leaders
			c.issue(w, req)
			_ = http.NewResponseController(w).Flush()
			if leader != nil {
				_ = leader.cmd.Process.Kill()
			}
		})
		s = c.storm(repeat(n, c.url("team/late"))...)
		leaders <- s.gather()
		close(leaders)
		if failed := len(s.wait()); failed > 1 {
			t.Errorf("%d gets failed beside the one that was killed", failed-1)
		}
		if e := c.registry.Exchanges(); e > 2 {
			t.Errorf("%d exchanges, want no more than 2", e)
		}
	})
}

// TestLeaderFails holds that those who wait for a process that fails fail with it, at once and with its words,
// and that the failure is nobody's after that.
func TestLeaderFails(t *testing.T) {
	needLocks(t)
	const n = 50
	eachCache(t, func(t *testing.T, c *camp) {
		held := make(chan struct{})
		c.registry.SetToken(func(w http.ResponseWriter, req *http.Request) {
			select {
			case <-held:
			case <-req.Context().Done():
			}
			registrytest.Status(http.StatusInternalServerError, `{"errors":[{"code":"TEAPOT","message":"short and stout"}]}`)(w, req)
		})
		s := c.storm(repeat(n, c.url("team/app"))...)
		s.gather()
		close(held)
		start := time.Now()
		failed := s.wait()
		took := time.Since(start)
		t.Logf("%d gets failed within %s, with %d exchanges", len(failed), took.Round(time.Millisecond), c.registry.Exchanges())
		if len(failed) != n || took > 2*time.Second {
			t.Errorf("%d gets of %d failed, within %s", len(failed), n, took)
		}
		texts := map[string]int{}
		for _, r := range failed {
			texts[r.stderr.String()]++
			if r.stdout.Len() > 0 {
				t.Errorf("a get that failed wrote %q", r.stdout.String())
			}
		}
		if len(texts) != 1 {
			t.Errorf("they fail with different words: %v", texts)
		}
		for text := range texts {
			if !strings.Contains(text, "500 Internal Server Error") || !strings.Contains(text, "\nhint: ") {
				t.Errorf("they fail with %q", text)
			}
		}
		c.wantRequests(1, 1)
		c.registry.SetToken(nil)
		c.goodGet(c.url("team/app"))
		c.wantRequests(1, 2)
	})
}
