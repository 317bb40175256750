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
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/fe055d52/credential-helper/cache"
)

// A soakPlan says how long an agent is asked, and with how much of a processor.
type soakPlan struct {
	length  time.Duration
	share   float64
	entries int // as many as it keeps; more are asked for
	seed    uint64
}

// A sample is what an agent takes at one time.
type sample struct {
	values  [5]float64 // in the order of series
	entries int
	clients int64
	log     int64
}

// series are what is sampled. Something is flat where the median of the last third of the time is at most a tenth above that of the second third, and slack.
// All but resident memory, which the system gets back late, is in the end, when no client is there, at most a tenth above what it was in the beginning, and slack.
var series = [5]struct {
	name, unit string
	slack      float64
}{{"resident memory", "MiB", 2}, {"heap", "MiB", 2}, {"descriptors", "", 5}, {"threads", "", 2}, {"goroutines", "", 5}}

// A soaking is a soak that runs.
type soaking struct {
	*site
	plan  soakPlan
	rng   *rand.Rand
	pid   int
	began time.Time
	cpu   time.Duration // that was used before it began
	slow  []slowClient
	done  map[string]int
	bad   []string
	rest  [2]sample // without a client, in the beginning and in the end
}

// soak asks one agent all kinds of things for a time, and prints what that made of it. ok is false where what it takes grows, or an answer is wrong.
func soak(ctx context.Context, out io.Writer, p soakPlan) (ok bool, err error) {
	s := &soaking{plan: p, rng: rand.New(rand.NewPCG(p.seed, 0)), done: map[string]int{}}
	if s.site, err = newSite(ctx); err != nil {
		return false, err
	}
	defer s.close()
	s.registry.SetToken(s.serveSoak)
	status, err := s.launch()
	if err != nil {
		return false, err
	}
	s.pid, s.began, s.cpu = status.PID, time.Now(), s.used()
	defer func() {
		for _, c := range s.slow {
			_ = c.conn.Close()
		}
	}()
	fmt.Fprintf(out, "%s of mixed load on one agent, with %.0f %% of a processor, seed %d\n\n", p.length, 100*p.share, p.seed)
	samples, err := s.run(ctx)
	if err != nil {
		return false, err
	}
	return s.print(out, samples), nil
}

// run loads the agent, and samples it 180 times.
func (s *soaking) run(ctx context.Context) (samples []sample, err error) {
	if err := s.fill(ctx, 0, s.plan.entries); err != nil {
		return nil, err
	}
	if s.rest[0], err = s.sample(); err != nil {
		return nil, err
	}
	loads := s.loads()
	next := s.began.Add(s.plan.length / 180)
	for time.Since(s.began) < s.plan.length {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		l := loads[s.rng.IntN(len(loads))]
		switch err := l.do(ctx); {
		case errors.Is(err, cache.ErrUnreachable): // a get would go on without the agent
			s.done[unanswered]++
		case err != nil:
			return nil, fmt.Errorf("%s: %w", l.name, err)
		}
		s.done[l.name]++
		s.closeSlow()
		for {
			if time.Now().After(next) {
				one, err := s.sample()
				if err != nil {
					return nil, err
				}
				samples, next = append(samples, one), next.Add(s.plan.length/180)
				s.registry.Forget()
			}
			// Others want the processors, too.
			if float64(s.used()-s.cpu) <= s.plan.share*float64(time.Since(s.began)) || ctx.Err() != nil {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	for _, c := range s.slow {
		_ = c.conn.Close()
	}
	for range 50 {
		if s.rest[1], err = s.sample(); err != nil || s.rest[1].clients <= 1 { // the one that asks
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	return samples, err
}

// unanswered is what is counted where the agent gave no answer in two seconds, as on a machine that has much else to do.
const unanswered = "requests without an answer in time"

// used is the time that all of this took of the processors so far.
func (s *soaking) used() (sum time.Duration) {
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if syscall.Getrusage(who, &u) == nil {
			sum += time.Duration(u.Utime.Nano() + u.Stime.Nano())
		}
	}
	agent, _ := cpuOf(s.pid)
	return sum + agent
}

func (s *soaking) sample() (one sample, err error) {
	status, err := s.agent()
	for range 10 {
		if !errors.Is(err, cache.ErrUnreachable) {
			break
		}
		s.done[unanswered]++
		status, err = s.agent()
	}
	if err != nil {
		return one, fmt.Errorf("asking the agent how it is: %w", err)
	}
	if status.PID != s.pid {
		return one, fmt.Errorf("the agent is process %d, and was %d", status.PID, s.pid)
	}
	memory, err := memoryOf(s.pid)
	if err != nil {
		return one, err
	}
	descriptors, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.pid))
	if errors.Is(err, os.ErrPermission) { // it takes root to look
		descriptors, err = make([]os.DirEntry, status.Clients), nil
	}
	if err != nil {
		return one, err
	}
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", s.pid))
	if err != nil {
		return one, err
	}
	one.values = [5]float64{float64(memory) / 1024, float64(status.Heap) / (1 << 20), float64(len(descriptors)), float64(len(threads)), float64(status.Goroutines)}
	one.entries, one.clients = status.Entries, status.Clients
	if info, err := os.Stat(filepath.Join(s.site.run, "agent.log")); err == nil {
		one.log = info.Size()
	}
	return one, nil
}

// print prints the samples, and reports whether all is well.
func (s *soaking) print(out io.Writer, samples []sample) (ok bool) {
	third := len(samples) / 3
	if third == 0 {
		fmt.Fprintln(out, "BAD: too few samples")
		return false
	}
	fmt.Fprintln(out, "| median of | first third | second third | last third | most | flat | without clients, before and after |")
	fmt.Fprintln(out, "|---|---|---|---|---|---|---|")
	ok = true
	for i, what := range series {
		var medians [3]float64
		most := 0.0
		for part := range medians {
			var values []float64
			for _, one := range samples[part*third : (part+1)*third] {
				values = append(values, one.values[i])
			}
			slices.Sort(values)
			medians[part], most = values[len(values)/2], max(most, values[len(values)-1])
		}
		verdict := "yes"
		before, after := s.rest[0].values[i], s.rest[1].values[i]
		if medians[2] > 1.1*medians[1]+what.slack || what.name != "resident memory" && after > 1.1*before+what.slack {
			verdict, ok = "NO", false
		}
		unit := what.unit
		if unit != "" {
			unit = " " + unit
		}
		fmt.Fprintf(out, "| %s | %.4g%s | %.4g%s | %.4g%s | %.4g%s | %s | %.4g, %.4g%s |\n", what.name, medians[0], unit, medians[1], unit, medians[2], unit, most, unit, verdict, before, after, unit)
	}
	last := samples[len(samples)-1]
	fmt.Fprintf(out, "\n%d samples; %d entries and a log of %d bytes in the end\n\n", len(samples), last.entries, last.log)
	for _, name := range slices.Sorted(maps.Keys(s.done)) {
		fmt.Fprintf(out, "%s: %d\n", name, s.done[name])
	}
	for _, b := range s.bad[:min(len(s.bad), 20)] {
		fmt.Fprintln(out, "BAD:", b)
	}
	return ok && len(s.bad) == 0
}
