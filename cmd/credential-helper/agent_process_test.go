//go:build unix

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/internal/peertest"
)

// TestAgentsRace holds that one agent is left of many that are started at once, and that all who start one hear of that one.
func TestAgentsRace(t *testing.T) {
	c := newCamp(t)
	said := make([]string, 10)
	var starts sync.WaitGroup
	for i := range said {
		starts.Go(func() {
			cmd := exec.Command(c.path, "agent-launch")
			cmd.Dir, cmd.Env = c.home, c.env
			out, err := cmd.CombinedOutput()
			if said[i] = string(out); err != nil {
				t.Errorf("agent-launch: %v: %s", err, out)
			}
		})
	}
	starts.Wait()
	pid := c.agent()
	for _, s := range said {
		if !strings.HasSuffix(s, fmt.Sprintf(", process %d\n", pid)) {
			t.Errorf("agent-launch says %q; the agent is process %d", s, pid)
		}
	}
	if os.Geteuid() == 0 && runtime.GOOS == "linux" {
		if !eventually(5*time.Second, func() bool { return slices.Equal(c.agents(), []int{pid}) }) {
			t.Errorf("the agents are %v", c.agents())
		}
	}
}

// build returns the camp as it is for another build of the program.
func (c *camp) build(name string, installed time.Time) *camp {
	b := *c
	b.path = copyProgram(c.t, filepath.Join(c.home, name), installed)
	return &b
}

// TestOtherBuilds holds that a newer build replaces an older one's agent, and that an older build does without a newer one's.
func TestOtherBuilds(t *testing.T) {
	now := time.Now()
	t.Run("older", func(t *testing.T) {
		c := newCamp(t)
		older, newer := c.build("older", now.Add(-time.Hour)), c.build("newer", now)
		pid := older.launch()
		older.goodGet(c.url("team/app"))
		newer.goodGet(c.url("team/app"))
		if !eventually(5*time.Second, func() bool { return !alive(pid) }) {
			t.Error("the older agent is still there")
		}
		newer.goodGet(c.url("team/app"))
		c.wantRequests(2, 2)
		if now := newer.agent(); now == 0 || now == pid {
			t.Errorf("the agent is process %d now; the older one was %d", now, pid)
		}
		newer.endAgents()
	})
	t.Run("older, under a storm", func(t *testing.T) {
		c := newCamp(t)
		older, newer := c.build("older", now.Add(-time.Hour)), c.build("newer", now)
		pid := older.launch()
		newer.storm(repeat(50, c.url("team/app"))...).answered(0)
		t.Logf("%d exchanges", c.registry.Exchanges())
		if e := c.registry.Exchanges(); e > 2 {
			t.Errorf("%d exchanges, want no more than 2", e)
		}
		if !eventually(5*time.Second, func() bool { return !alive(pid) }) {
			t.Error("the older agent is still there")
		}
		newer.endAgents()
	})
	t.Run("newer", func(t *testing.T) {
		c := newCamp(t)
		older, newer := c.build("older", now.Add(-time.Hour)), c.build("newer", now)
		pid := newer.launch()
		older.goodGet(c.url("team/app"))
		older.goodGet(c.url("team/app"))
		c.wantRequests(2, 2)
		if now := newer.agent(); now != pid {
			t.Errorf("the agent is process %d now; it was %d", now, pid)
		}
		newer.endAgents()
	})
	t.Run("not to be told", func(t *testing.T) { // all files of an image have one time
		c := newCamp(t)
		one, other := c.build("one", now), c.build("other", now)
		f, err := os.OpenFile(other.path, os.O_WRONLY|os.O_APPEND, 0)
		must(t, err)
		_, err = f.WriteString("x")
		must(t, errors.Join(err, f.Close(), os.Chtimes(other.path, now, now)))
		pid := one.launch()
		other.goodGet(c.url("team/app"))
		other.goodGet(c.url("team/app"))
		c.wantRequests(1, 1)
		if !eventually(5*time.Second, func() bool { return !alive(pid) }) {
			t.Error("the other build's agent is still there")
		}
		other.endAgents()
	})
}

// TestAgentIsDetached holds that an agent takes nothing along from the build that started it.
func TestAgentIsDetached(t *testing.T) {
	needLinux(t, "see what a process has (/proc)")
	needRoot(t, "look into an agent, which hides itself")
	c := newCamp(t, "GH_TOKEN=canary-token", "GITHUB_TOKEN=canary-token")
	cmd := exec.Command(c.path, "get")
	cmd.Dir, cmd.Env, cmd.Stdin = c.home, c.env, strings.NewReader(bazelRequest(c.url("team/app")))
	r, w, err := os.Pipe()
	must(t, err)
	defer r.Close()
	cmd.ExtraFiles = []*os.File{w, w, w, w}
	out, err := cmd.CombinedOutput()
	must(t, errors.Join(err, w.Close()))
	c.checkAnswer(c.url("team/app"), peertest.Result{Stdout: string(out)})
	must(t, r.SetReadDeadline(time.Now().Add(2*time.Second)))
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("a pipe of the build's stays open: %v", err)
	}
	c.goodGet(c.url("team/app"))
	pid := c.agent()
	proc := fmt.Sprintf("/proc/%d/", pid)

	list, err := os.ReadDir(proc + "fd")
	must(t, err)
	own, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	ours := map[string]bool{}
	for _, f := range own {
		link, _ := os.Readlink("/proc/self/fd/" + f.Name())
		ours[link] = true
	}
	for _, f := range list {
		link, _ := os.Readlink(proc + "fd/" + f.Name())
		switch {
		case strings.HasPrefix(link, c.run+"/") && !strings.Contains(link, "start.lock"):
		case strings.HasPrefix(link, "anon_inode:"), strings.HasPrefix(link, "/sys/fs/cgroup/"): // the Go runtime's
		case strings.HasPrefix(link, "socket:"), link == "/dev/null":
			if !ours[link] || link == "/dev/null" {
				continue
			}
			fallthrough
		default:
			t.Errorf("the agent holds %s open (descriptor %s)", link, f.Name())
		}
	}
	if cwd, err := os.Readlink(proc + "cwd"); cwd != "/" {
		t.Errorf("the agent's working directory is %s, %v", cwd, err)
	}
	stat, err := os.ReadFile(proc + "stat")
	must(t, err)
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if session, group := fields[3], fields[2]; session != strconv.Itoa(pid) || group != session {
		t.Errorf("the agent, process %d, is in session %s, group %s", pid, session, group)
	}
	for _, name := range []string{"environ", "cmdline"} {
		text, err := os.ReadFile(proc + name)
		must(t, err)
		for _, secret := range []string{"canary", "wonderland", "PASS", "TOKEN"} {
			if strings.Contains(string(text), secret) {
				t.Errorf("the agent's %s holds %s: %q", name, secret, text)
			}
		}
	}
}

// TestLogIsBounded holds that an agent's log does not grow for as long as it runs.
func TestLogIsBounded(t *testing.T) {
	c := newCamp(t)
	c.goodGet(c.url("team/app"))
	if !eventually(5*time.Second, func() bool { return c.agent() != 0 }) {
		t.Fatal("no agent runs")
	}
	path := logPath(c.run)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	_, err = f.Write(make([]byte, maxLog+1))
	must(t, errors.Join(err, f.Close()))
	c.command("agent-prune", "--all")
	log, err := os.ReadFile(path)
	if err != nil || len(log) > 1000 || !strings.Contains(string(log), "dropped ") {
		t.Errorf("the log has %d bytes and ends with %q, %v", len(log), log[max(0, len(log)-50):], err)
	}
}

// TestModes holds that all that is made is the user's alone, whatever the umask says.
func TestModes(t *testing.T) {
	for _, where := range []string{"", "CREDENTIAL_HELPER_CACHE=file"} {
		for _, umask := range []string{"000", "022", "077"} {
			c := newCamp(t, where)
			c.write("request", bazelRequest(c.url("team/app")))
			r := peertest.Run(t, c.home, c.env, []string{"/bin/sh", "-c", `umask ` + umask + `; exec "$0" get <"$HOME/request"`, c.path}, "")
			c.checkAnswer(c.url("team/app"), r)
			c.goodGet(c.url("team/app"))
			n := 0
			must(t, filepath.WalkDir(c.run, func(path string, d fs.DirEntry, err error) error {
				if err != nil {
					return err
				}
				info, err := d.Info()
				if err != nil {
					return err
				}
				n++
				want := fs.FileMode(0o600)
				if d.IsDir() {
					want = 0o700
				}
				if info.Mode().Perm() != want {
					t.Errorf("with umask %s: %s has mode %v", umask, path, info.Mode())
				}
				return nil
			}))
			if n < 4 {
				t.Errorf("with umask %s: no more than %d files were made", umask, n)
			}
		}
	}
}

// TestAgentEnds holds that an agent ends when nobody asks it any more, and when nobody can find it.
func TestAgentEnds(t *testing.T) {
	t.Run("idle", func(t *testing.T) {
		c := newCamp(t, "CREDENTIAL_HELPER_IDLE_TIMEOUT=300ms")
		pid := c.launch()
		if !eventually(5*time.Second, func() bool { return !alive(pid) }) {
			t.Error("the agent stays")
		}
		if _, err := os.Lstat(filepath.Join(c.run, "agent.sock")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("its socket is left: %v", err)
		}
		if log := c.command("agent-logs"); !strings.Contains(log, "ending: idle for 300ms\n") {
			t.Errorf("its log says:\n%s", log)
		}
		c.goodGet(c.url("team/app")) // and starts another one
	})
	t.Run("never idle", func(t *testing.T) {
		c := newCamp(t, "CREDENTIAL_HELPER_IDLE_TIMEOUT=-1s")
		if pid := c.launch(); eventually(300*time.Millisecond, func() bool { return !alive(pid) }) {
			t.Error("the agent ends")
		}
	})
	t.Run("socket removed", func(t *testing.T) {
		c := newCamp(t, "CREDENTIAL_HELPER_PRUNE_INTERVAL=20ms")
		pid := c.launch()
		must(t, os.Remove(filepath.Join(c.run, "agent.sock")))
		if !eventually(5*time.Second, func() bool { return !alive(pid) }) {
			t.Error("the agent stays")
		}
	})
	t.Run("directory replaced", func(t *testing.T) {
		c := newCamp(t, "CREDENTIAL_HELPER_PRUNE_INTERVAL=200ms")
		first := c.launch()
		must(t, os.Rename(c.run, c.run+"-old"))
		second := c.launch()
		if !eventually(5*time.Second, func() bool { return !alive(first) }) {
			t.Error("the agent that nobody finds stays")
		}
		if pid := c.agent(); pid != second {
			t.Errorf("the agent is process %d, want %d", pid, second)
		}
	})
	t.Run("terminated", func(t *testing.T) {
		c := newCamp(t)
		pid := c.launch()
		sendSignal(t, pid, syscall.SIGTERM)
		if !eventually(5*time.Second, func() bool { return !alive(pid) }) {
			t.Error("the agent stays")
		}
		c.goodGet(c.url("team/app"))
		c.goodGet(c.url("team/app"))
		c.wantRequests(1, 1)
	})
}
