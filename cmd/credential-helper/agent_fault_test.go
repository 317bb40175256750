//go:build unix

package main

import (
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/internal/peertest"
	"github.com/fe055d52/credential-helper/internal/registrytest"
)

const nobody = 65534

func needRoot(t *testing.T, why string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skipf("it takes root to %s", why)
	}
}

func needLinux(t *testing.T, why string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skipf("it takes Linux to %s", why)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// alive reports whether a process runs, stopped or not.
func alive(pid int) bool {
	if pid == 0 || syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)) // where there is one
	return !strings.Contains(string(stat), ") Z ")
}

// sendSignal sends a signal to an agent of the test's.
func sendSignal(t testing.TB, pid int, s syscall.Signal) {
	t.Helper()
	if pid == 0 {
		t.Fatal("there is no agent")
	}
	must(t, syscall.Kill(pid, s))
}

// launch starts an agent and returns its process id.
func (c *camp) launch() int {
	c.t.Helper()
	c.command("agent-launch")
	pid := c.agent()
	if pid == 0 {
		c.t.Fatal("agent-launch starts none")
	}
	return pid
}

// plain is a copy of the environment without the cache: what get does by itself.
func (c *camp) plain() *camp {
	p, s := *c, *c.site
	s.env = append(slices.Clone(c.env), "CREDENTIAL_HELPER_STANDALONE=1")
	p.site = &s
	return &p
}

// TestPlaces holds that get answers by itself wherever the agent's place cannot be used, and lets alone what is not its own.
func TestPlaces(t *testing.T) {
	for _, tt := range []struct {
		name string
		// spoil makes the place unusable, given the directory of the socket, which does not exist yet, and the socket.
		spoil func(t *testing.T, dir, socket string)
		// note is what debugging says of it; empty where the agent works all the same.
		note string
		// check looks at what is there afterwards.
		check func(t *testing.T, dir, socket string)
	}{
		{name: "nothing there", spoil: func(*testing.T, string, string) {}},
		{name: "dead socket", spoil: func(t *testing.T, dir, socket string) {
			must(t, os.Mkdir(dir, 0o700))
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
			must(t, err)
			l.SetUnlinkOnClose(false)
			must(t, l.Close())
		}},
		{
			name: "plain file for a socket", note: "agent.sock",
			spoil: func(t *testing.T, dir, socket string) {
				must(t, os.Mkdir(dir, 0o700))
				must(t, os.WriteFile(socket, []byte("dear diary"), 0o600))
			},
			check: func(t *testing.T, dir, socket string) {
				if text, err := os.ReadFile(socket); string(text) != "dear diary" {
					t.Errorf("the file is %q now, %v", text, err)
				}
			},
		},
		{
			name: "directory for a socket", note: "agent.sock",
			spoil: func(t *testing.T, dir, socket string) { must(t, os.MkdirAll(socket, 0o700)) },
			check: func(t *testing.T, dir, socket string) {
				if info, err := os.Stat(socket); err != nil || !info.IsDir() {
					t.Errorf("the directory is gone: %v", err)
				}
			},
		},
		{
			name: "file for a directory", note: "is not a directory",
			spoil: func(t *testing.T, dir, socket string) { must(t, os.WriteFile(dir, nil, 0o600)) },
		},
		{
			name: "directory of another user", note: "belongs to another user",
			spoil: func(t *testing.T, dir, socket string) {
				needRoot(t, "give a directory to another user")
				must(t, os.Mkdir(dir, 0o700))
				must(t, os.Chown(dir, nobody, nobody))
			},
		},
		{
			name: "link for a directory", note: "is not a directory",
			spoil: func(t *testing.T, dir, socket string) {
				must(t, os.Mkdir(dir+"-elsewhere", 0o700))
				must(t, os.Symlink(dir+"-elsewhere", dir))
			},
			check: func(t *testing.T, dir, socket string) {
				if list, err := os.ReadDir(dir + "-elsewhere"); err != nil || len(list) > 0 {
					t.Errorf("the link was followed: %v, %v", list, err)
				}
			},
		},
		{
			name: "directory of everybody's", note: "is open to other users",
			spoil: func(t *testing.T, dir, socket string) {
				must(t, os.Mkdir(dir, 0o700))
				must(t, os.Chmod(dir, 0o777|fs.ModeSticky))
			},
			check: func(t *testing.T, dir, socket string) {
				if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o777 {
					t.Errorf("others were shut out of what is theirs too: %v, %v", info.Mode(), err)
				}
			},
		},
		{
			name: "directory with other things in it", note: "is open to other users",
			spoil: func(t *testing.T, dir, socket string) {
				must(t, os.Mkdir(dir, 0o755))
				must(t, os.WriteFile(filepath.Join(dir, "index.html"), nil, 0o644))
			},
			check: func(t *testing.T, dir, socket string) {
				if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o755 {
					t.Errorf("others were shut out of what is theirs too: %v, %v", info.Mode(), err)
				}
			},
		},
		{
			// A user who names a directory has made it for this, most likely.
			name:  "empty directory that others can read",
			spoil: func(t *testing.T, dir, socket string) { must(t, os.Mkdir(dir, 0o755)) },
			check: func(t *testing.T, dir, socket string) {
				if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
					t.Errorf("its mode is %v, %v", info.Mode(), err)
				}
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCamp(t)
			socket := filepath.Join(c.run, "agent.sock")
			tt.spoil(t, c.run, socket)
			alone := c.plain().goodGet(c.url("team/app"))
			c.registry.Forget()
			took := c.goodGet(c.url("team/app"))
			t.Logf("get took %s; %s without a cache", took.Round(time.Millisecond), alone.Round(time.Millisecond))
			if took > alone+400*time.Millisecond {
				t.Errorf("get took %s", took)
			}
			c.goodGet(c.url("team/app"))
			if tt.note == "" {
				c.wantRequests(1, 1)
			} else {
				c.wantRequests(2, 2)
				c.env = append(c.env, "CREDENTIAL_HELPER_LOGGING=debug")
				if r := c.get(c.url("team/app")); r.Code != 0 || !strings.Contains(r.Stderr, tt.note) {
					t.Errorf("exit status %d, and debugging does not speak of %q:\n%s", r.Code, tt.note, r.Stderr)
				}
			}
			if tt.check != nil {
				tt.check(t, c.run, socket)
			}
		})
	}
}

// TestSocketPathTooLong holds that a path that no socket can have is no reason to fail.
func TestSocketPathTooLong(t *testing.T) {
	long := filepath.Join(t.TempDir(), strings.Repeat("d", 100))
	must(t, os.Mkdir(long, 0o700))
	for _, v := range []string{"XDG_RUNTIME_DIR=" + long, "CREDENTIAL_HELPER_AGENT_SOCKET=" + long + "/agent.sock"} {
		c := newCamp(t, v)
		c.goodGet(c.url("team/app"))
		r := peertest.Run(t, c.home, c.env, []string{c.path, "agent-launch"}, "")
		if r.Code != 1 || !strings.Contains(r.Stderr, "the path of the agent's socket is too long for this system: "+long) {
			t.Errorf("agent-launch: exit status %d: %s", r.Code, r.Stderr)
		}
	}
}

// TestHomeOfNobody holds that a user who may write nowhere gets his answer.
func TestHomeOfNobody(t *testing.T) {
	needRoot(t, "run the program as another user")
	c := newCamp(t)
	public, err := os.MkdirTemp("", "ch")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(public) })
	must(t, os.Chmod(public, 0o755))
	path := copyProgram(t, filepath.Join(public, "credential-helper"), time.Now())
	rules, err := os.ReadFile(filepath.Join(c.home, "rules.json"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(public, "rules.json"), rules, 0o644))
	for _, vars := range [][]string{
		{"HOME=" + public},
		{"HOME=" + public, "XDG_RUNTIME_DIR=" + public},
		{"HOME=" + public, "CREDENTIAL_HELPER_CACHE=file"},
		{"HOME=" + public, "CREDENTIAL_HELPER_CACHE=file:" + public + "/cache"},
		{}, // no home at all
	} {
		cmd := exec.Command(path, "get")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		cmd.Dir, cmd.Stdin = "/", strings.NewReader(bazelRequest(c.url("team/app")))
		cmd.Env = append([]string{"USER_=alice", "PASS=wonderland", "CREDENTIAL_HELPER_CONFIG_FILE=" + public + "/rules.json"}, vars...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%q: %v: %s", vars, err, out)
			continue
		}
		c.checkAnswer(c.url("team/app"), peertest.Result{Stdout: string(out)})
	}
}

// copyProgram copies the executable, as a build that was installed at another time.
func copyProgram(t testing.TB, to string, installed time.Time) string {
	t.Helper()
	data, err := os.ReadFile(program(t))
	must(t, err)
	must(t, os.WriteFile(to, data, 0o755))
	must(t, os.Chtimes(to, installed, installed))
	return to
}

// TestDiskFull holds that a disk without room for files, or for their content, is no reason to fail.
func TestDiskFull(t *testing.T) {
	needLinux(t, "mount a small file system")
	needRoot(t, "mount a small file system")
	unshare := peertest.Require(t, "unshare", "apt-get install util-linux")
	if out, err := exec.Command(unshare, "--mount", "true").CombinedOutput(); err != nil {
		t.Skipf("no mount namespace to be had here: %v: %s", err, out)
	}
	for name, options := range map[string]string{"content": "size=16k", "files": "size=1m,nr_inodes=2"} {
		for _, where := range []string{"CREDENTIAL_HELPER_CACHE=", "CREDENTIAL_HELPER_CACHE=file"} {
			t.Run(name+" "+strings.TrimPrefix(where, "CREDENTIAL_HELPER_CACHE="), func(t *testing.T) {
				c := newCamp(t, where)
				script := `mount -t tmpfs -o mode=0700,` + options + ` none "$XDG_RUNTIME_DIR" &&
					{ dd if=/dev/zero of="$XDG_RUNTIME_DIR/full" bs=1k count=2000 2>/dev/null; test $? -ne 0; } || exit 3
					for i in 1 2; do "$0" get <"$HOME/request" || exit; done
					"$0" agent-shutdown`
				if strings.Contains(options, "nr_inodes") {
					script = strings.Replace(script, "test $? -ne 0", "true", 1)
				}
				c.write("request", bazelRequest(c.url("team/app")))
				r := peertest.Run(t, c.home, append(c.env, "PATH="+os.Getenv("PATH")), []string{unshare, "--mount", "sh", "-c", script, c.path}, "")
				if r.Code != 0 || r.Stderr != "" {
					t.Fatalf("exit status %d: %s", r.Code, r.Stderr)
				}
				answers := strings.SplitAfter(r.Stdout, "\n")
				for _, a := range answers[:2] {
					c.checkAnswer(c.url("team/app"), peertest.Result{Stdout: a})
				}
			})
		}
	}
}

// TestStoppedAgent holds that get gives up on an agent that is stopped.
func TestStoppedAgent(t *testing.T) {
	c := newCamp(t)
	pid := c.launch()
	c.goodGet(c.url("team/app"))
	sendSignal(t, pid, syscall.SIGSTOP)
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGCONT) }) // before it is ended

	var extra []time.Duration
	for range 5 {
		a := c.plain().goodGet(c.url("team/app"))
		extra = append(extra, c.goodGet(c.url("team/app"))-a)
	}
	slices.Sort(extra)
	t.Logf("a stopped agent costs a get %s (median of %d; aim 200 ms)", extra[len(extra)/2].Round(time.Millisecond), len(extra))
	if extra[len(extra)/2] > 400*time.Millisecond {
		t.Errorf("a stopped agent costs a get %s", extra)
	}

	// Of three rounds too the median: one alone measures what else the machine does.
	var mores []time.Duration
	for range 3 {
		start := time.Now()
		c.plain().storm(repeat(20, c.url("team/app"))...).answered(0)
		without := time.Since(start)
		start = time.Now()
		c.storm(repeat(20, c.url("team/app"))...).answered(0)
		mores = append(mores, time.Since(start)-without)
		t.Logf("it costs 20 gets at once %s more than %s", mores[len(mores)-1].Round(time.Millisecond), without.Round(time.Millisecond))
	}
	slices.Sort(mores)
	more := mores[1]
	if more > 400*time.Millisecond {
		t.Errorf("a stopped agent costs 20 gets at once %s", more)
	}
	if !alive(pid) {
		t.Error("the stopped agent is gone")
	}
	sendSignal(t, pid, syscall.SIGCONT)
	c.registry.Forget()
	c.goodGet(c.url("team/app"))
	c.wantRequests(0, 0) // what it knew when it was stopped, it knows
}

// TestStoppedInMidStorm holds that those who wait are not lost with an agent that is stopped while they do.
func TestStoppedInMidStorm(t *testing.T) {
	needLocks(t)
	c := newCamp(t)
	pid := c.launch()
	c.registry.SetToken(registrytest.Hang())
	s := c.storm(repeat(20, c.url("team/app"))...)
	leader := s.gather()
	sendSignal(t, pid, syscall.SIGSTOP)
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
	c.registry.SetToken(nil)
	_ = leader.cmd.Process.Kill()
	start := time.Now()
	s.answered(1)
	took := time.Since(start)
	t.Logf("the others took %s", took.Round(time.Millisecond))
	if took > 800*time.Millisecond {
		t.Errorf("the others took %s", took)
	}
}

// TestAgentKilledInMidStorm holds that an agent that is killed while many wait for an answer is replaced, and none of them fails.
func TestAgentKilledInMidStorm(t *testing.T) {
	needLocks(t)
	c := newCamp(t)
	pid := c.launch()
	held := make(chan struct{})
	c.registry.SetToken(func(w http.ResponseWriter, req *http.Request) {
		<-held
		c.issue(w, req)
	})
	s := c.storm(repeat(50, c.url("team/app"))...)
	s.gather()
	sendSignal(t, pid, syscall.SIGKILL)
	close(held)
	start := time.Now()
	s.answered(0)
	t.Logf("50 gets took %s, with %d exchanges", time.Since(start).Round(time.Millisecond), c.registry.Exchanges())
	if e := c.registry.Exchanges(); e > 2 {
		t.Errorf("%d exchanges, want no more than 2", e)
	}
	if now := c.agent(); now == 0 || now == pid {
		t.Errorf("the agent is process %d now; it was %d", now, pid)
	}
}
