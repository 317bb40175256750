package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/fe055d52/credential-helper/cache"
	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/inputs"
	"github.com/fe055d52/credential-helper/internal/redact"
)

// tokenDelay is how long the token endpoint of a storm takes.
const tokenDelay = 100 * time.Millisecond

func ms(d time.Duration) string { return fmt.Sprintf("%.4g ms", float64(d.Microseconds())/1000) }

func medianWall(walls []time.Duration) time.Duration {
	walls = slices.Clone(walls)
	slices.Sort(walls)
	return walls[len(walls)/2]
}

// counted runs something and returns how often the registry was asked meanwhile.
func (s *site) counted(run func() (storm, error), wanted func(*job) bool) (storm, counts, error) {
	s.registry.Forget()
	st, err := run()
	return st, counts{pings: s.registry.Pings(), exchanges: s.registry.Exchanges(), failures: st.failures(wanted)}, err
}

func (c *counts) worst(o counts) {
	c.pings, c.exchanges, c.failures = max(c.pings, o.pings), max(c.exchanges, o.exchanges), max(c.failures, o.failures)
}

func (c counts) String() string {
	plural := func(n int, what string) string {
		if n != 1 {
			what += "s"
		}
		return fmt.Sprintf("%d %s", n, what)
	}
	return plural(c.pings, "ping") + ", " + plural(c.exchanges, "exchange") + ", " + plural(c.failures, "failure")
}

// warm compares a get that the agent answers with an empty program, one process at a time.
func (s *site) warm(ctx context.Context, p plan) ([]figure, error) {
	if _, err := s.launch(); err != nil {
		return nil, err
	}
	version := func() *job { return &job{path: s.program.path(), args: []string{"credential-helper", "version"}} }
	get := func() *job { return s.get("team/app") }
	anything := func(*job) bool { return true }
	kinds := []struct {
		new    func() *job
		wanted func(*job) bool
		walls  []time.Duration
		counts counts
	}{{new: s.nothing, wanted: silent}, {new: get, wanted: answered}, {new: version, wanted: anything}}

	// The first rounds fill the caches: ours, and the system's.
	for round := -5; round < p.pairs && ctx.Err() == nil; round++ {
		for i := range kinds {
			k := &kinds[(i+max(round, 0))%len(kinds)] // nobody always follows the same one
			st, n, err := s.counted(func() (storm, error) { return runTogether(s.attr, []*job{k.new()}, 1) }, k.wanted)
			if err != nil {
				return nil, err
			}
			if round >= 0 {
				k.walls = append(k.walls, st.jobs[0].wall)
				k.counts.worst(n)
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	base := medianWall(kinds[0].walls)
	row := func(i int, name, aim string) figure {
		wall := medianWall(kinds[i].walls)
		return figure{name, aim, fmt.Sprintf("%.2f (%s / %s)", float64(wall)/float64(base), ms(wall), ms(base)), kinds[i].counts}
	}
	return []figure{
		row(1, "warm get / empty program", "≤ 1.5, then 1.25"),
		row(2, "version / empty program", "-"),
	}, nil
}

// native compares gets whose login another tool keeps with an empty program: each asks for another file. It wants an agent running.
//
// Each login is for a whole host, GitLab's because it is in a variable, npm's and Maven's because their files have no other: the agent has the answer after the first.
func (s *site) native(ctx context.Context, p plan) ([]figure, error) {
	hosts := []string{"npm.bench.test", "maven.bench.test", "gitlab.bench.test"}
	walls := make([][]time.Duration, len(hosts)+1)
	var sum counts
	login := func(j *job) bool { return strings.HasPrefix(j.answer, `{"headers":{"`) }
	for round := -3; round < p.colds*3; round++ {
		for i := range walls {
			which := (i + max(round, 0)) % len(walls)
			j, wanted := s.nothing(), silent
			if which < len(hosts) {
				j, wanted = s.file(hosts[which]), login
			}
			st, n, err := s.counted(func() (storm, error) { return runTogether(s.attr, []*job{j}, 1) }, wanted)
			if err != nil {
				return nil, err
			}
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if round >= 0 {
				walls[which] = append(walls[which], st.jobs[0].wall)
			}
			sum.worst(n)
		}
	}
	base := medianWall(walls[len(hosts)])
	var figures []figure
	for i, host := range hosts {
		preset, _, _ := strings.Cut(host, ".")
		wall := medianWall(walls[i])
		figures = append(figures, figure{
			"get of another file, preset " + preset + " / empty program", "-", fmt.Sprintf("%.2f (%s / %s)", float64(wall)/float64(base), ms(wall), ms(base)), sum,
		})
	}
	return figures, nil
}

// storms runs hundreds of processes at once. It wants an agent running, and leaves one.
func (s *site) storms(ctx context.Context, p plan) ([]figure, error) {
	s.delay.Store(int64(tokenDelay))
	defer s.delay.Store(0)
	nothing := func() []*job {
		jobs := s.hundred(1)
		for _, j := range jobs {
			j.path = s.empty.path()
		}
		return jobs
	}
	one, ten := func() []*job { return s.hundred(1) }, func() []*job { return s.hundred(10) }
	none := func() error { return nil }
	settle := func() error { _, err := s.settle(); return err }
	kinds := []struct {
		before func() error
		jobs   func() []*job
		wanted func(*job) bool
		walls  []time.Duration
		counts counts
	}{
		{before: none, jobs: nothing, wanted: silent},
		{before: s.forget, jobs: one, wanted: answered},
		{before: none, jobs: one, wanted: answered},
		{before: s.forget, jobs: ten, wanted: answered},
		{before: none, jobs: ten, wanted: answered},
		{before: s.shutdown, jobs: one, wanted: answered},
	}
	for range p.storms {
		for i := range kinds {
			k := &kinds[i]
			if err := k.before(); err != nil {
				return nil, err
			}
			st, n, err := s.counted(func() (storm, error) { return runTogether(s.attr, k.jobs(), 100) }, k.wanted)
			if err != nil {
				return nil, err
			}
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			k.walls = append(k.walls, st.wall)
			k.counts.worst(n)
		}
		if err := settle(); err != nil {
			return nil, fmt.Errorf("finding the agent that a hundred processes started: %w", err)
		}
	}
	base := medianWall(kinds[0].walls)
	cold := func(i int, name string) figure {
		wall, limit := medianWall(kinds[i].walls), tokenDelay+3*base
		return figure{
			name, fmt.Sprintf("1 ping, 1 exchange, 0 failures; ≤ %s", ms(limit)),
			fmt.Sprintf("%s; %s (100 ms + %.2f × %s)", kinds[i].counts, ms(wall), float64(wall-tokenDelay)/float64(base), ms(base)),
			kinds[i].counts,
		}
	}
	warm := func(i int, name string) figure {
		wall := medianWall(kinds[i].walls)
		return figure{
			name, "0 failures; ≤ 1.6",
			fmt.Sprintf("%s; %.2f (%s / %s)", kinds[i].counts, float64(wall)/float64(base), ms(wall), ms(base)), kinds[i].counts,
		}
	}
	return []figure{
		cold(1, "100 cold gets at once, 1 repository, agent running"),
		cold(5, "100 cold gets at once, 1 repository, no agent"),
		{"100 cold gets at once, 10 repositories", "1 ping, 10 exchanges", fmt.Sprintf("%s; %s", kinds[3].counts, ms(medianWall(kinds[3].walls))), kinds[3].counts},
		warm(2, "100 warm gets / 100 empty programs at once, 1 repository"),
		warm(4, "100 warm gets / 100 empty programs at once, 10 repositories"),
	}, nil
}

// many runs warm gets, sixteen at a time, and weighs the agent's share. It wants an agent running.
func (s *site) many(_ context.Context, p plan) ([]figure, error) {
	status, err := s.settle()
	if err != nil {
		return nil, err
	}
	jobs := func(n int) (jobs []*job) {
		for range n {
			jobs = append(jobs, s.get("team/many"))
		}
		return jobs
	}
	// The jobs run in batches: each has six open files beforehand.
	const batch, together = 160, 16
	if _, err := runTogether(s.attr, jobs(together), together); err != nil {
		return nil, err
	}
	before, err := cpuOf(status.PID)
	var clients time.Duration
	var sum counts
	for left := p.gets; left > 0; left -= batch {
		st, n, err := s.counted(func() (storm, error) { return runTogether(s.attr, jobs(min(batch, left)), together) }, answered)
		if err != nil {
			return nil, err
		}
		clients += st.cpu()
		sum.pings, sum.exchanges, sum.failures = sum.pings+n.pings, sum.exchanges+n.exchanges, sum.failures+n.failures
	}
	share := fmt.Sprintf("agent's share: %s", err)
	if after, errAfter := cpuOf(status.PID); err == nil && errAfter == nil {
		share = fmt.Sprintf("%.1f %% (%s / %s)", 100*float64(after-before)/float64(clients), ms(after-before), ms(clients))
	}
	return []figure{{
		fmt.Sprintf("%d warm gets, 16 at a time: agent's CPU / clients' CPU", p.gets), "0 failures; < 5 %", fmt.Sprintf("%s; %s", sum, share), sum,
	}}, nil
}

// cold compares a get that has to start the agent with one that uses none. It ends the agent.
func (s *site) cold(ctx context.Context, p plan) ([]figure, error) {
	alone := s.attr
	alone.Env = append(slices.Clone(alone.Env), "CREDENTIAL_HELPER_STANDALONE=1")
	kinds := []struct {
		attr  os.ProcAttr
		walls []time.Duration
	}{{attr: s.attr}, {attr: alone}}
	var sum counts
	// One of each comes first, unmeasured: whatever a cold run finds warm, both find so.
	for round := -1; round < p.colds && ctx.Err() == nil; round++ {
		for i := range kinds {
			which := (i + max(round, 0)) % len(kinds)
			k := &kinds[which]
			if which == 0 && s.running() {
				if err := s.shutdown(); err != nil {
					return nil, err
				}
			}
			time.Sleep(30 * time.Millisecond) // while the system clears up after the process before
			st, n, err := s.counted(func() (storm, error) { return runTogether(k.attr, []*job{s.get("team/cold")}, 1) }, answered)
			if err != nil {
				return nil, err
			}
			if which == 0 {
				// The agent has started before anything else is measured.
				if _, err := s.settle(); err != nil {
					return nil, fmt.Errorf("finding the agent that a get started: %w", err)
				}
			}
			if round >= 0 {
				k.walls = append(k.walls, st.jobs[0].wall)
			}
			sum.worst(n)
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := s.shutdown(); err != nil {
		return nil, err
	}
	a, b := medianWall(kinds[0].walls), medianWall(kinds[1].walls)
	return []figure{{
		"cold get that starts the agent / the same without a cache", "≤ 1.3", fmt.Sprintf("%.2f (%s / %s)", float64(a)/float64(b), ms(a), ms(b)), sum,
	}}, nil
}

// memory fills an agent and weighs it. It wants none running, and leaves one.
func (s *site) memory(ctx context.Context, p plan) ([]figure, error) {
	status, err := s.launch()
	if err != nil {
		return nil, err
	}
	client := s.client()
	defer client.Close()
	// What a token of the rule above depends on: two variables, and the salt of their sums.
	salt := inputs.Salt("0123456789abcdef")
	record := []inputs.Input{
		{Kind: inputs.Env, Name: "REGISTRY_USER", Sum: inputs.Variable(salt, "alice", true)},
		{Kind: inputs.Env, Name: "REGISTRY_PASSWORD", Sum: inputs.Variable(salt, "wonderland", true)},
	}
	values := map[string]string{"REGISTRY_USER": "alice", "REGISTRY_PASSWORD": "wonderland"}
	c := cache.NewAgent(client, func(name string) (string, bool) { v, ok := values[name]; return v, ok }, time.Now)
	for i := range p.entries {
		key := cache.Key{Helper: "oci", Scope: fmt.Sprintf("repository:team/app%d:pull", i)}
		_, err := c.Get(ctx, key, func(context.Context) (cache.Entry, error) {
			return cache.Entry{Salt: salt, Inputs: record, Response: helpers.Response{
				Expires: time.Now().Add(time.Hour),
				Headers: map[string][]redact.Secret{
					"Authorization":                   {redact.Hold("Bearer " + longToken())},
					"Docker-Distribution-Api-Version": {redact.Hold("registry/2.0")},
					"Accept":                          {redact.Hold("application/vnd.oci.image.index.v1+json"), redact.Hold("application/vnd.oci.image.manifest.v1+json")},
				},
			}}, nil
		})
		if err != nil {
			return nil, err
		}
	}
	if status, err = s.settle(); err != nil {
		return nil, err
	}
	value := ""
	if kib, err := memoryOf(status.PID); err != nil {
		value = err.Error()
	} else {
		value = fmt.Sprintf("%.1f MiB", float64(kib)/1024)
	}
	return []figure{{fmt.Sprintf("agent's resident memory with %d entries", status.Entries), "≤ 25 MiB with 10000", value, counts{}}}, nil
}
