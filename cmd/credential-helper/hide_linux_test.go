package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// peek is what this test has a process of its own for, under the user that the agent runs as: "PEEK=PID" has the test executable
// try to look into that process, and print a line for each way that was open.
func init() {
	pid, err := strconv.Atoi(os.Getenv("PEEK"))
	if err != nil {
		return
	}
	runtime.LockOSThread()
	for _, name := range []string{"stat", "status", "environ", "mem", "maps"} {
		if f, err := os.Open(fmt.Sprintf("/proc/%d/%s", pid, name)); err == nil {
			fmt.Println(name)
			f.Close()
		}
	}
	if err := syscall.PtraceAttach(pid); err == nil {
		fmt.Println("ptrace")
		var status syscall.WaitStatus
		_, _ = syscall.Wait4(pid, &status, syscall.WALL, nil)
		_ = syscall.PtraceDetach(pid)
	}
	os.Exit(0)
}

// TestAgentHidesItsMemory holds that no other process of the user's reads the agent's memory or environment, and that the agent answers all the same.
// As root, which sees everything, it runs them all as another user.
func TestAgentHidesItsMemory(t *testing.T) {
	dir, err := os.MkdirTemp("", "ch") // the name of a test's directory can be too long for a socket
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() == 0 {
		const other = 65534
		attr.Credential = &syscall.Credential{Uid: other, Gid: other}
		must(t, os.Chown(dir, other, other))
	}
	self, err := os.Executable()
	must(t, err)
	copyTo := func(name, from string) string {
		data, err := os.ReadFile(from)
		path := filepath.Join(dir, name)
		must(t, errors.Join(err, os.WriteFile(path, data, 0o755)))
		return path
	}
	helper, peek := copyTo("program", program(t)), copyTo("peek", self)
	command := func(name string, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir, cmd.SysProcAttr = dir, attr
		cmd.Env = []string{"HOME=" + dir, "XDG_RUNTIME_DIR=" + dir}
		return cmd
	}
	runtime.LockOSThread() // Pdeathsig is about the thread that starts a process
	defer runtime.UnlockOSThread()
	waysInto := func(pid int) []string {
		cmd := command(peek)
		cmd.Env = append(cmd.Env, fmt.Sprintf("PEEK=%d", pid))
		out, err := cmd.CombinedOutput()
		must(t, err)
		return strings.Fields(string(out))
	}

	sleep := command("sleep", "60")
	if err := sleep.Start(); errors.Is(err, fs.ErrPermission) {
		t.Skipf("no process of another user is to be had here: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sleep.Process.Kill(); _ = sleep.Wait() }()
	var open []string
	if !eventually(2*time.Second, func() bool {
		open = waysInto(sleep.Process.Pid)
		return slices.Contains(open, "environ")
	}) {
		t.Skipf("this system keeps the processes of a user from each other: only %q are open", open)
	}
	t.Logf("into a process that does not hide lead %q", open) // Yama may forbid the ways that write

	hidden := []string{"stat", "status"} // these are for ps, and tell a client whether an agent is stopped
	get := command(helper, "get")
	stdin, err := get.StdinPipe()
	must(t, errors.Join(err, get.Start()))
	if !eventually(5*time.Second, func() bool { open = waysInto(get.Process.Pid); return slices.Equal(open, hidden) }) {
		t.Errorf("into a run that waits for its request lead %q", open)
	}
	_, _ = stdin.Close(), get.Wait()

	agent := command(helper, "agent-launch", "--foreground")
	var said bytes.Buffer
	agent.Stderr = &said
	must(t, agent.Start())
	defer func() { _ = agent.Process.Kill(); _ = agent.Wait() }()
	running := func() bool {
		out, err := command(helper, "agent-status").Output()
		return err == nil && strings.Contains(string(out), strconv.Itoa(agent.Process.Pid))
	}
	if !eventually(5*time.Second, running) {
		t.Fatalf("the agent does not answer; it says %q", said.String())
	}
	if ways := waysInto(agent.Process.Pid); !slices.Equal(ways, hidden) {
		t.Errorf("into the agent lead %q", ways)
	}
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", agent.Process.Pid))
	must(t, err)
	for line := range strings.Lines(string(limits)) {
		if f := strings.Fields(line); strings.HasPrefix(line, "Max core file size") && (f[4] != "0" || f[5] != "0") {
			t.Errorf("the agent's limit of core dumps: %s", line)
		}
	}
	if !running() {
		t.Error("the agent does not answer any more")
	}
	if out, err := command(helper, "agent-shutdown").CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("agent-shutdown: %v, %s", err, out)
	}
	if state, err := agent.Process.Wait(); err != nil || !state.Success() {
		t.Errorf("the agent ends with %v, %v", state, err)
	}
}
