//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A phase is a part of a fault run: how many gets, and what is done to them meanwhile.
type phase struct {
	name  string
	share int // of all gets, in hundredths
	file  bool
	// What is done: to agents and to clients (killed, stopped, restarted at random), by token endpoints (which fail), to the programs' clock (which jumps),
	// to the disk (which is full), to the descriptors (no more than 64 for each process, and bursts of gets).
	agents, clients, servers, clock, disk, descriptors bool
}

var phases = []phase{
	{name: "nothing", share: 5},
	{name: "agent killed, stopped, restarted", share: 15, agents: true},
	{name: "clients killed and stopped", share: 10, clients: true},
	{name: "token endpoint fails, 30 %", share: 10, servers: true},
	{name: "clock jumps", share: 10, clock: true},
	{name: "clock jumps, cache in files", share: 5, clock: true, file: true},
	{name: "disk full", share: 5, disk: true},
	{name: "disk full, cache in files", share: 5, disk: true, file: true},
	{name: "64 descriptors", share: 10, descriptors: true},
	{name: "all of it", share: 15, agents: true, clients: true, servers: true, clock: true, disk: true, descriptors: true},
	{name: "all of it, cache in files", share: 10, agents: true, clients: true, servers: true, clock: true, disk: true, descriptors: true, file: true},
}

// excused are the kinds of errors that a phase is a cause of.
func (p phase) excused() (kinds []string) {
	if p.servers {
		kinds = append(kinds, "server: 500", "server: 429", "server: hung up", "server: not JSON", "out of time")
	}
	if p.clients && p.servers {
		kinds = append(kinds, "out of time")
	}
	if p.clock || p.servers || p.clients { // a token that lives for seconds, and took some to come
		kinds = append(kinds, "clock")
	}
	return kinds
}

// A faultPlan says how much is run.
type faultPlan struct {
	gets, atOnce int
	seed         uint64
	only         string // the phases with this in their names; the share of the others is not run
}

// An outcome is what came of a phase.
type outcome struct {
	phase
	ends           map[string]int // by verdict.what
	bad            []string       // what must not be
	hangs, late    int
	orphans        []int
	left           []string // files that are left and should not be
	temporary      int      // files of processes that were killed while they wrote
	harm           map[string]int
	exchanges      map[string]int
	slowest, usual time.Duration
	idle           time.Duration // the slowest run that had nothing to do
	took           time.Duration
}

// faults makes a fault run and prints what came of it. ok is false where something is that must not be.
func faults(ctx context.Context, out io.Writer, p faultPlan) (ok bool, err error) {
	dir, err := os.MkdirTemp("", "chf-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return false, err
	}
	plain, clocked, err := faultPrograms(ctx, dir)
	if err != nil {
		return false, err
	}
	fmt.Fprintf(out, "%d gets, %d at once, seed %d; %s\n\n", p.gets, p.atOnce, p.seed, diskKind())
	var all []*outcome
	for i, ph := range phases {
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if !strings.Contains(ph.name, p.only) {
			continue
		}
		n := max(p.gets*ph.share/100, 1)
		f := &faultRun{phase: ph, dir: filepath.Join(dir, fmt.Sprint("p", i)), rng: rand.New(rand.NewPCG(p.seed, uint64(i))), program: plain}
		if ph.clock {
			f.program = clocked
		}
		o, err := f.run(ctx, n, p.atOnce, p.seed+uint64(i))
		if err != nil {
			return false, fmt.Errorf("%s: %w", ph.name, err)
		}
		all = append(all, o)
		fmt.Fprintf(os.Stderr, "%s: %d gets in %s\n", ph.name, n, o.took.Round(time.Second))
	}
	return printFaults(out, all), nil
}

// A faultRun is a phase that runs.
type faultRun struct {
	phase
	dir     string
	program string
	*world

	runtime, temp string // the directories of the agent, and for temporary files
	attr          os.ProcAttr
	unmount       []func()

	mu      sync.Mutex
	rng     *rand.Rand
	running map[*ask]*os.Process
	out     outcome
}

func (f *faultRun) run(ctx context.Context, n, atOnce int, seed uint64) (_ *outcome, err error) {
	began := time.Now()
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return nil, err
	}
	if f.world, err = newWorld(f.dir, seed); err != nil {
		return nil, err
	}
	defer f.world.close()
	f.out = outcome{phase: f.phase, ends: map[string]int{}, harm: map[string]int{}}
	f.running = map[*ask]*os.Process{}
	defer func() {
		for _, undo := range f.unmount {
			undo()
		}
	}()
	if err := f.settle(); err != nil {
		return nil, err
	}
	if f.servers {
		f.setFail(0.3)
	}
	walls := f.storm(ctx, n, atOnce)
	f.calm(ctx)
	f.out.exchanges = f.world.exchanges()
	if len(walls) > 0 {
		slices.Sort(walls)
		f.out.slowest, f.out.usual = walls[len(walls)-1], walls[len(walls)/2]
	}
	f.out.took = time.Since(began)
	return &f.out, nil
}

// settle makes the directories and the environment.
func (f *faultRun) settle() error {
	home := filepath.Join(f.dir, "home")
	f.runtime, f.temp = filepath.Join(f.dir, "run"), filepath.Join(f.dir, "tmp")
	for _, dir := range []string{f.runtime, f.temp} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		if f.disk {
			undo, err := smallDisk(dir)
			if err != nil {
				return err
			}
			f.unmount = append(f.unmount, undo)
		}
	}
	f.attr = os.ProcAttr{Dir: filepath.Join(f.dir, "work"), Env: []string{
		"HOME=" + home, "PATH=" + os.Getenv("PATH"), "PWD=" + filepath.Join(f.dir, "work"), "XDG_RUNTIME_DIR=" + f.runtime, "TMPDIR=" + f.temp,
		"CREDENTIAL_HELPER_IDLE_TIMEOUT=10m", "CREDENTIAL_HELPER_PRUNE_INTERVAL=500ms", // one that nobody finds any more goes soon
	}}
	if f.file {
		f.attr.Env = append(f.attr.Env, "CREDENTIAL_HELPER_CACHE=file")
	}
	return writeClock(f.program, 0)
}

// storm runs n gets while the phase's harm is done, and returns how long each took.
func (f *faultRun) storm(ctx context.Context, n, atOnce int) (walls []time.Duration) {
	harming, stop := context.WithCancel(ctx)
	var harmers, workers sync.WaitGroup
	for _, h := range f.harms() {
		harmers.Go(func() { h(harming) })
	}
	if f.descriptors {
		atOnce = max(atOnce, min(70, n/4)) // more than an agent of 64 has room for
	}
	left := make(chan struct{}, n)
	for range n {
		left <- struct{}{}
	}
	close(left)
	for range atOnce {
		workers.Go(func() {
			for range left {
				if ctx.Err() != nil {
					return
				}
				wall := f.one()
				f.mu.Lock()
				walls = append(walls, wall)
				f.mu.Unlock()
			}
		})
	}
	workers.Wait()
	stop()
	harmers.Wait()
	return walls
}

// one runs a get and judges it.
func (f *faultRun) one() time.Duration {
	a := f.newAsk(f.program)
	v := f.ask(a)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.out.ends[v.what]++
	if v.late {
		f.out.late++
		f.out.bad = append(f.out.bad, fmt.Sprintf("late: %s after %s: %s", v.what, a.job.wall.Round(time.Millisecond), a.job.complain))
	}
	if v.hang {
		f.out.hangs++
	}
	if v.reason != "" {
		f.out.bad = append(f.out.bad, v.what+": "+v.reason)
	}
	return a.job.wall - a.stopped
}

// ask runs a get in the phase's environment.
func (f *faultRun) ask(a *ask) verdict {
	attr := f.attr
	attr.Env = append(slices.Clone(attr.Env), "REGISTRY_USER="+a.user, "REGISTRY_PASSWORD="+users[a.user])
	limits := ""
	if f.descriptors {
		limits += "ulimit -n 64; "
	}
	if f.disk && !canMount() {
		limits += "ulimit -f 0; "
	}
	if limits != "" {
		a.job.path, a.job.args = "/bin/sh", append([]string{"sh", "-c", limits + `exec "$@"`, "sh", f.program}, a.job.args[1:]...)
	}
	a.job.started = func(p *os.Process) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.running[a] = p
	}
	a.began = time.Now()
	if err := a.job.prepare(); err != nil {
		a.job.failure = err
	} else {
		a.job.run(attr)
	}
	a.ended = time.Now()
	f.mu.Lock()
	delete(f.running, a)
	f.mu.Unlock()
	a.job.finish()
	return f.judge(a, f.excused())
}

// calm ends the harm, and looks at what is left when all is quiet: nobody who holds a lock, no process, no file.
func (f *faultRun) calm(ctx context.Context) {
	f.setFail(0)
	for _, pid := range processesOf(f.program) {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
	harm := f.phase
	f.phase = phase{name: f.name, file: f.file}
	for range 2 {
		if f.one() > 5*time.Second { // it would wait longer for who holds a lock
			f.out.bad = append(f.out.bad, "a get after all that is slow")
		}
	}
	f.phase = harm
	f.endAgents(ctx)
	f.out.orphans = processesOf(f.program)
	for _, pid := range f.out.orphans {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	f.leftOver()
}

// endAgents ends the agent as a user would.
func (f *faultRun) endAgents(ctx context.Context) {
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline) && ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
		if len(processesOf(f.program)) == 0 {
			return
		}
		// One that was just started may not serve yet, and one that lost its socket ends by itself.
		cmd := exec.Command(f.program, "agent-shutdown")
		cmd.Dir, cmd.Env = f.attr.Dir, f.attr.Env
		_ = cmd.Run()
	}
}

// leftOver finds files that nobody documents: see docs/caching.md.
func (f *faultRun) leftOver() {
	known := map[string]bool{"agent.log": true, "agent.lock": true, "start.lock": true, "pruned": true, "forgotten": true, "ballast": true}
	for _, dir := range []string{f.runtime, f.temp} {
		_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			name, _ := filepath.Rel(dir, path)
			parent := filepath.Base(filepath.Dir(path))
			switch {
			case err != nil && !errors.Is(err, os.ErrNotExist):
				f.out.left = append(f.out.left, err.Error())
			case err != nil || d.IsDir():
			case known[filepath.Base(path)], parent == "locks" && strings.HasSuffix(name, ".lock"):
			case f.file && parent == "entries" && strings.HasSuffix(name, ".entry"):
			case f.file && f.clients && parent == "entries" && strings.HasPrefix(filepath.Base(path), ".new-"):
				f.out.temporary++ // of one that was killed while it wrote: it goes a minute later
			default:
				f.out.left = append(f.out.left, name)
			}
			return nil
		})
	}
}

func total(m map[string]int) (sum int) {
	for _, n := range m {
		sum += n
	}
	return sum
}

// printFaults prints what came of a fault run, and reports whether all of it may be.
func printFaults(out io.Writer, all []*outcome) (ok bool) {
	fmt.Fprintln(out, "| what is done meanwhile | gets | right | errors | killed | wrong | hangs | late | orphans | files left | exchanges (failed) | median, slowest | slowest that does nothing |")
	fmt.Fprintln(out, "|---|---|---|---|---|---|---|---|---|---|---|---|---|")
	ok = true
	kinds, harm := map[string]int{}, map[string]int{}
	var sum outcome
	sum.ends, sum.exchanges = map[string]int{}, map[string]int{}
	row := func(o *outcome) {
		errs := 0
		for what, n := range o.ends {
			if !slices.Contains([]string{"right", "killed", "wrong", "hang", "secret", "not run"}, what) {
				errs += n
			}
		}
		n := total(o.exchanges)
		fmt.Fprintf(out, "| %s | %d | %d | %d | %d | %d | %d | %d | %d | %d | %d (%d) | %s, %s | %s |\n", o.name, total(o.ends), o.ends["right"], errs, o.ends["killed"],
			o.ends["wrong"]+o.ends["secret"]+o.ends["not run"], o.hangs, o.late, len(o.orphans), len(o.left), n, n-o.exchanges["token"]-o.exchanges["slow"],
			o.usual.Round(time.Millisecond), o.slowest.Round(time.Millisecond), o.idle.Round(time.Millisecond))
	}
	for _, o := range all {
		row(o)
		for what, n := range o.ends {
			sum.ends[what] += n
			if what != "right" && what != "killed" {
				kinds[what] += n
			}
		}
		for what, n := range o.exchanges {
			sum.exchanges[what] += n
		}
		for what, n := range o.harm {
			harm[what] += n
		}
		sum.hangs, sum.late, sum.temporary = sum.hangs+o.hangs, sum.late+o.late, sum.temporary+o.temporary
		sum.orphans, sum.left = append(sum.orphans, o.orphans...), append(sum.left, o.left...)
		sum.usual, sum.slowest, sum.idle = max(sum.usual, o.usual), max(sum.slowest, o.slowest), max(sum.idle, o.idle)
		ok = ok && len(o.bad) == 0 && len(o.orphans) == 0 && len(o.left) == 0
	}
	sum.name = "sum"
	row(&sum)
	list := func(title string, m map[string]int) {
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(m)) {
			parts = append(parts, fmt.Sprintf("%s %d", k, m[k]))
		}
		fmt.Fprintf(out, "\n%s: %s\n", title, strings.Join(parts, ", "))
	}
	list("errors by kind", kinds)
	list("exchanges by outcome", sum.exchanges)
	list("what was done", harm)
	if sum.temporary > 0 {
		fmt.Fprintf(out, "\ntemporary files of processes that were killed: %d\n", sum.temporary)
	}
	for _, o := range all {
		for _, b := range o.bad[:min(len(o.bad), 12)] {
			fmt.Fprintf(out, "\nBAD: %s: %s\n", o.name, strings.TrimSpace(b))
		}
		for _, b := range o.left[:min(len(o.left), 12)] {
			fmt.Fprintf(out, "\nBAD: %s: a file is left: %s\n", o.name, b)
		}
		if len(o.orphans) > 0 {
			fmt.Fprintf(out, "\nBAD: %s: processes are left: %v\n", o.name, o.orphans)
		}
	}
	return ok
}
