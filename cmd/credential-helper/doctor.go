package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/fe055d52/credential-helper/internal/doctor"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/place"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/trace"
)

const helpDoctor = `Checks the program and its names on PATH, the configuration files and what their rules mean together, .bazelrc, docker's configuration,
the keyring, the agent, and the environment. A line a finding: ok, note, warning or broken, what it is about, and behind an arrow what to do.
The exit status is 1 where something is broken. It changes nothing, starts nothing and asks nothing of you, and shows no secret.
`

const exampleDoctor = `  $ credential-helper doctor --online
`

var flagsDoctor = []option{
	{name: "json", help: "print a JSON object (docs/doctor.md has its keys)"},
	{name: "online", help: "also ask one host of the rules, else github.com, for the time, without a credential: is it reached and trusted, is this machine's clock right?"},
}

// Times for single checks. Those that read files need none of it.
const (
	fileTime    = 3 * time.Second
	keyringTime = 4 * time.Second
	agentTime   = 3 * time.Second
	onlineTime  = 6 * time.Second
)

// A diagnosis is what doctor prints with --json.
type diagnosis struct {
	Findings []doctor.Finding `json:"findings"`
	Broken   int              `json:"broken"`
	Warnings int              `json:"warnings"`
	Notes    int              `json:"notes"`
	OK       int              `json:"ok"`
}

// doctor checks the installation.
func (a *app) doctor(args []string) error {
	l, err := a.parse("doctor", args)
	if err != nil {
		return err
	}
	// A bad value of a variable that this run depends on itself is a finding, not its end.
	budget, err := a.timeout()
	if err != nil {
		budget = defaultTimeout
	}
	patient := *a
	if _, err := a.logger(); err != nil {
		patient.env = without(a.env, env.VarLogging)
	}
	found, err := withinTime(&patient, budget, func(ctx context.Context) ([]doctor.Finding, error) {
		return a.diagnose(ctx, budget, l.has("online")), nil
	})
	if err != nil {
		return err
	}
	d := diagnosis{Findings: found}
	for i := range found {
		f := &found[i]
		f.Text, f.Fix = redact.Line(f.Text, 1500), redact.Line(f.Fix, 1500)
		switch f.Level {
		case doctor.Broken:
			d.Broken++
		case doctor.Warning:
			d.Warnings++
		case doctor.Note:
			d.Notes++
		default:
			d.OK++
		}
	}
	if l.has("json") {
		err = writeJSON(a.stdout, d)
	} else {
		_, err = fmt.Fprint(a.stdout, d.show(a.style(a.stdout)))
	}
	if err == nil && d.Broken > 0 {
		return &exitStatus{exitError}
	}
	return err
}

// show is for people: a line a finding, and one with the sum.
func (d diagnosis) show(s style) string {
	dress := map[doctor.Level]func(string) string{doctor.OK: s.green, doctor.Note: s.dim, doctor.Warning: s.yellow, doctor.Broken: s.red}
	var b strings.Builder
	for _, f := range d.Findings {
		fmt.Fprintf(&b, "%s %-11s %s", dress[f.Level](fmt.Sprintf("%-8s", f.Level)), f.Subject, f.Text)
		if f.Fix != "" {
			fmt.Fprintf(&b, " → %s", f.Fix)
		}
		b.WriteByte('\n')
	}
	switch {
	case d.Broken > 0 || d.Warnings > 0:
		fmt.Fprintf(&b, "\n%d broken, %s, %s\n", d.Broken, plural(d.Warnings, "warning"), plural(d.Notes, "note"))
	case d.Notes > 0:
		fmt.Fprintf(&b, "\nnothing is broken; %s\n", plural(d.Notes, "note"))
	default:
		b.WriteString("\nall is well\n")
	}
	return b.String()
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// without returns an environment in which a variable is not set.
func without(e *env.Env, name string) *env.Env {
	less := *e
	less.Get = func(asked string) (string, bool) {
		if asked == name {
			return "", false
		}
		return e.Get(asked)
	}
	return &less
}

// diagnose runs all checks.
func (a *app) diagnose(ctx context.Context, budget time.Duration, online bool) []doctor.Finding {
	e := a.env
	e.Workspace() // is found once, before several ask for it
	executable, err := a.executable()
	if err != nil {
		executable = os.Args[0]
	}
	kinds := helperKinds(newSources(e, nil), nil, nil)
	// The other checks need the rules. A file on a disk that hangs costs them their findings, not their time.
	read := make(chan *doctor.Files, 1)
	go func() { read <- doctor.ReadFiles(ctx, e, kinds) }()
	var files *doctor.Files
	limit := min(fileTime, budget/4)
	select {
	case files = <-read:
	case <-time.After(limit):
		files = &doctor.Files{Late: limit}
	}
	rules := files.Good
	allowed := func(most time.Duration) time.Duration { return min(most, budget*3/5) }
	checks := []doctor.Check{
		{Subject: "program", Limit: allowed(fileTime), Run: func(context.Context) []doctor.Finding { return doctor.Program(e, executable, shortVersion()) }},
		{Subject: "config", Limit: allowed(fileTime), Run: func(context.Context) []doctor.Finding { return doctor.Config(e, files) }},
		{Subject: "bazel", Limit: allowed(fileTime), Run: func(ctx context.Context) []doctor.Finding {
			return doctor.Bazel(ctx, doctor.Build{Env: e, Executable: executable, Files: rules, Budget: budget})
		}},
		{Subject: "docker", Limit: allowed(fileTime), Run: func(ctx context.Context) []doctor.Finding { return doctor.Docker(ctx, e, executable) }},
		{Subject: "keyring", Limit: allowed(keyringTime), Run: func(ctx context.Context) []doctor.Finding { return doctor.Keyring(ctx, e, rules) }},
		{Subject: "agent", Limit: allowed(agentTime), Run: func(ctx context.Context) []doctor.Finding { return doctor.CheckAgent(e, a.lookAtAgent(ctx)) }},
		{Subject: "variables", Limit: allowed(fileTime), Run: func(context.Context) []doctor.Finding { return doctor.Variables(e, a.badValues()) }},
		{Subject: "directories", Limit: allowed(fileTime), Run: func(context.Context) []doctor.Finding { return doctor.Directories(e) }},
		{Subject: "proxy", Limit: allowed(fileTime), Run: func(context.Context) []doctor.Finding {
			return doctor.Proxies(e, rules, http.ProxyFromEnvironment)
		}},
		{Subject: "certificates", Limit: allowed(fileTime), Run: func(context.Context) []doctor.Finding { return doctor.Certificates(e) }},
	}
	if online {
		checks = append(checks, doctor.Check{Subject: "online", Limit: allowed(onlineTime), Run: func(ctx context.Context) []doctor.Finding {
			return doctor.Online(ctx, newClient(), doctor.OnlineHost(rules), e.Now)
		}})
	}
	return doctor.Run(ctx, checks)
}

// badValues are the variables of this program with values that it does not take.
func (a *app) badValues() []error {
	_, timeout := a.timeout()
	_, logging := a.logger()
	_, idle := a.durationVar(env.VarIdle, defaultIdle)
	_, prune := a.durationVar(env.VarPrune, defaultPrune)
	var kept error
	if !a.standalone() {
		_, kept = a.openCache(context.Background())
	}
	var bad []error
	for _, err := range []error{timeout, logging, idle, prune, kept} {
		if err != nil {
			bad = append(bad, err)
		}
	}
	return bad
}

// lookAtAgent asks the agent what it is. One of another build answers that too, and is let alone.
func (a *app) lookAtAgent(ctx context.Context) doctor.Agent {
	kind, _, _ := strings.Cut(a.env.Var(env.VarCache), ":")
	switch {
	case a.standalone():
		return doctor.Agent{Off: "$" + env.VarStandalone + " is set"}
	case kind != "" && kind != "agent":
		return doctor.Agent{Off: "$" + env.VarCache + " is " + redact.Quote(kind, 40)}
	}
	client, err := a.agentClient()
	if err != nil {
		return doctor.Agent{Err: err}
	}
	defer client.Close()
	found := doctor.Agent{Dir: client.Dir}
	end := trace.Step(ctx, "asking the agent")
	status, err := agentStatus(client)
	end(err)
	if err != nil {
		found.Err, found.NotRunning = explainAgent(err), notRunning(err)
		return found
	}
	found.PID, found.Entries, found.Uptime = status.PID, status.Entries, time.Duration(status.Uptime)*time.Second
	own := time.Unix(0, place.ThisBuild().ModTime).UTC().Format(time.RFC3339)
	found.Built, found.SameBuild = status.Build, status.Build == own
	return found
}
