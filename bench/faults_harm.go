//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// faultPrograms builds the program twice: as it is shipped, and with a clock that jumps as a file says.
func faultPrograms(ctx context.Context, dir string) (plain, clocked string, err error) {
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return "", "", fmt.Errorf("asking where Go is: %w", err)
	}
	overlay, err := writeOverlay(strings.TrimSpace(string(root)), filepath.Join(dir, "overlay"))
	if err != nil {
		return "", "", err
	}
	plain, clocked = filepath.Join(dir, "plain", "credential-helper"), filepath.Join(dir, "clocked", "credential-helper")
	for path, flags := range map[string][]string{plain: nil, clocked: {"-overlay=" + overlay}} {
		args := append([]string{"build", "-buildvcs=false", "-trimpath", "-ldflags=-s -w", "-o", path}, flags...)
		cmd := exec.CommandContext(ctx, "go", append(args, "github.com/fe055d52/credential-helper/cmd/credential-helper")...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return "", "", fmt.Errorf("building the program (run this from a checkout): %w", err)
		}
	}
	return plain, clocked, nil
}

// writeOverlay writes what has a build's time.Now add the seconds that a file says: the wall clock jumps, and the monotonic one does not,
// as when a clock is set. Timers and the kernel's clocks are as ever. The file is beside the directory of the executable, so that all builds are one,
// which Go's build cache keeps.
func writeOverlay(goroot, dir string) (string, error) {
	source := filepath.Join(goroot, "src", "time", "time.go")
	data, err := os.ReadFile(source)
	if err != nil {
		return "", err
	}
	const before = "	sec, nsec, mono := runtimeNow()\n	if mono == 0 {"
	text := string(data)
	if strings.Count(text, before) != 1 {
		return "", errors.New("this version of Go reads the clock in another way than is known here: change writeOverlay")
	}
	text = strings.Replace(text, before, "	sec, nsec, mono := runtimeNow()\n	sec += jumped()\n	if mono == 0 {", 1)
	const jumped = `package time

import (
	"syscall"
	"unsafe"
)

var jumpFile = openJump()

func openJump() int {
	var path [4096]byte
	n, _ := syscall.Readlink("/proc/self/exe", path[:])
	for range 2 {
		for n--; n > 0 && path[n] != '/'; n-- {
		}
	}
	fd, _ := syscall.Open(string(path[:max(n, 0)])+"/clock", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	return fd
}

func jumped() (n int64) {
	var b [16]byte
	// Timers ask for the time where nothing may wait, and where there is little stack.
	if n, _, _ := syscall.RawSyscall6(syscall.SYS_PREAD64, uintptr(jumpFile), uintptr(unsafe.Pointer(&b)), 16, 0, 0, 0); n != 16 {
		return 0
	}
	for _, d := range b[1:] {
		if d >= '0' && d <= '9' {
			n = n*10 + int64(d-'0')
		}
	}
	if b[0] == '-' {
		n = -n
	}
	return n
}
`
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	one, two, list := filepath.Join(dir, "time.go"), filepath.Join(dir, "jumped.go"), filepath.Join(dir, "overlay.json")
	json := fmt.Sprintf(`{"Replace": {%q: %q, %q: %q}}`, source, one, filepath.Join(filepath.Dir(source), "jumped.go"), two)
	return list, errors.Join(os.WriteFile(one, []byte(text), 0o600), os.WriteFile(two, []byte(jumped), 0o600), os.WriteFile(list, []byte(json), 0o600))
}

// writeClock sets the clock of the programs that jump: so many seconds ahead.
func writeClock(program string, seconds int) error {
	f, err := os.OpenFile(filepath.Join(filepath.Dir(filepath.Dir(program)), "clock"), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(fmt.Appendf(nil, "%+016d", seconds), 0)
	return errors.Join(err, f.Close())
}

// canMount reports whether this process has a mount namespace of its own, and may mount. See [ownMounts].
func canMount() bool { return os.Getenv(mountsVar) != "" }

const mountsVar = "BENCH_OWN_MOUNTS"

// ownMounts runs the command again in a mount namespace of its own, where root runs it: what is mounted there goes with it.
func ownMounts() (exit int, done bool) {
	if os.Geteuid() != 0 || canMount() {
		return 0, false
	}
	self, err := os.Executable()
	if err != nil {
		return 0, false
	}
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Env = append(os.Environ(), mountsVar+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGINT}
	runtime.LockOSThread() // the signal comes when the thread ends
	if err := cmd.Start(); err != nil {
		return 0, false // no such namespace to be had here
	}
	_ = cmd.Wait() // an interrupt from the terminal reaches both
	return cmd.ProcessState.ExitCode(), true
}

// diskKind says how a disk is full here.
func diskKind() string {
	if canMount() {
		return "a full disk is a file system of 256 KiB"
	}
	return "a full disk is a limit on the size of files (it takes root to mount one)"
}

// smallDisk mounts a small file system at dir.
func smallDisk(dir string) (undo func(), err error) {
	if !canMount() {
		return func() {}, nil
	}
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=256k,nr_inodes=80,mode=0700"); err != nil {
		return nil, fmt.Errorf("mounting a small file system: %w", err)
	}
	return func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) }, nil
}

// harms are what does the phase's harm, each until its context ends.
func (f *faultRun) harms() (list []func(context.Context)) {
	list = append(list, f.every(300*time.Millisecond, func(context.Context) { _ = f.rotate(); f.did("secrets rotated") }))
	list = append(list, f.every(100*time.Millisecond, f.idleRun))
	if f.agents && !f.file {
		list = append(list, f.every(250*time.Millisecond, f.harmAgent))
	}
	if f.clients {
		list = append(list, f.every(60*time.Millisecond, f.harmClient))
	}
	if f.clock {
		list = append(list, f.every(400*time.Millisecond, f.jump))
	}
	if f.disk && canMount() {
		list = append(list, f.every(500*time.Millisecond, f.fill))
	}
	return list
}

// every returns what does something about that often.
func (f *faultRun) every(about time.Duration, do func(context.Context)) func(context.Context) {
	return func(ctx context.Context) {
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(about/2 + time.Duration(f.random(int(about)))):
				do(ctx)
			}
		}
	}
}

func (f *faultRun) random(n int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rng.IntN(n)
}

func (f *faultRun) did(what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.out.harm[what]++
}

// sleep waits, and reports whether the harm goes on.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// agentsOf returns the agents of a program: it is root that sees them, for an agent hides what it runs.
func agentsOf(program string) (pids []int) {
	for _, pid := range processesOf(program) {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if strings.Contains(string(line), "agent-launch\x00--foreground") {
			pids = append(pids, pid)
		}
	}
	return pids
}

// idleRun takes the time of a run that has nothing to do.
func (f *faultRun) idleRun(ctx context.Context) {
	began := time.Now()
	cmd := exec.CommandContext(ctx, f.program, "version")
	cmd.Env = []string{}
	f.idleSince.Store(&began)
	defer f.idleSince.Store(nil)
	if cmd.Run() == nil {
		took := time.Since(began)
		f.idle.add(took.String(), began)
		f.mu.Lock()
		f.out.idle = max(f.out.idle, took)
		f.mu.Unlock()
	}
}

// harmAgent does something to an agent.
func (f *faultRun) harmAgent(ctx context.Context) {
	agents := agentsOf(f.program)
	f.mu.Lock()
	pid, ok := pick(f.rng, agents)
	what := f.rng.IntN(10)
	f.mu.Unlock()
	if !ok {
		return
	}
	switch what {
	case 0, 1, 2:
		_ = syscall.Kill(pid, syscall.SIGKILL)
		f.did("agents killed")
	case 3, 4, 5:
		f.did("agents stopped")
		_ = syscall.Kill(pid, syscall.SIGSTOP)
		sleep(ctx, time.Duration(20+f.random(1500))*time.Millisecond)
		if f.random(3) == 0 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			f.did("agents killed")
		}
		_ = syscall.Kill(pid, syscall.SIGCONT)
	case 6:
		_ = syscall.Kill(pid, syscall.SIGTERM)
		f.did("agents terminated")
	case 7:
		_ = os.Remove(filepath.Join(f.runtime, "credential-helper", "agent.sock"))
		f.did("sockets removed")
	default:
		for _, command := range []string{"agent-shutdown", "agent-launch"} {
			cmd := exec.CommandContext(ctx, f.program, command)
			cmd.Dir, cmd.Env = f.attr.Dir, f.attr.Env
			_ = cmd.Run()
		}
		f.did("agents restarted")
	}
}

// harmClient kills or stops a get that runs.
func (f *faultRun) harmClient(ctx context.Context) {
	f.mu.Lock()
	var asks []*ask
	for a := range f.running {
		asks = append(asks, a)
	}
	a, ok := pick(f.rng, asks)
	if !ok {
		f.mu.Unlock()
		return
	}
	process, stop := f.running[a], f.rng.IntN(4) == 0
	pause := time.Duration(20+f.rng.IntN(1500)) * time.Millisecond
	if !stop {
		a.killed = true
		f.out.harm["clients killed"]++
		_ = process.Kill()
		f.mu.Unlock()
		return
	}
	f.out.harm["clients stopped"]++
	began := time.Now()
	_ = process.Signal(syscall.SIGSTOP)
	f.mu.Unlock()
	go func() {
		sleep(ctx, pause)
		f.mu.Lock()
		defer f.mu.Unlock()
		_ = process.Signal(syscall.SIGCONT)
		if f.running[a] != nil {
			a.stopped += time.Since(began)
		}
	}()
}

// jump sets the clock: by minutes or hours, forward or back.
func (f *faultRun) jump(context.Context) {
	seconds := 0
	switch f.random(4) {
	case 0:
		seconds = f.random(14400) - 7200
	case 1, 2:
		seconds = f.random(240) - 120
	}
	f.offset.set(strconv.Itoa(seconds), func() { _ = writeClock(f.program, seconds) })
	f.did("clock set")
}

// fill fills the disks, or makes room again.
func (f *faultRun) fill(context.Context) {
	for _, dir := range []string{f.runtime, f.temp} {
		path := filepath.Join(dir, "ballast")
		if f.random(3) == 0 {
			_ = os.Remove(path)
			f.did("room made")
			continue
		}
		if file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600); err == nil {
			chunk := make([]byte, 4096)
			for err == nil {
				_, err = file.Write(chunk)
			}
			if !errors.Is(err, unix.ENOSPC) {
				f.did("disk not filled: " + err.Error())
			}
			_ = file.Close()
			f.did("disk filled")
		}
	}
}
