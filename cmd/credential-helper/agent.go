package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/fe055d52/credential-helper/cache"
	"github.com/fe055d52/credential-helper/cache/wire"
	"github.com/fe055d52/credential-helper/config"
	"github.com/fe055d52/credential-helper/dialect"
	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/inputs"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/lookup"
)

const (
	helpAgentLaunch = `Starts the agent, unless one runs already: a background process that keeps answers in memory. "get" starts it where it is wanted.

CREDENTIAL_HELPER_IDLE_TIMEOUT says how long it stays without being asked anything (the default is 3h; negative: for ever),
CREDENTIAL_HELPER_PRUNE_INTERVAL how often it forgets what has expired (1m; negative: never).
`
	helpAgentStatus = `Prints what the agent is doing: its process id, how long it runs, how many answers it keeps, how often it had one (hits) or not (misses),
and how many exchanges with a server it saved. The exit status is 1 where no agent runs.
`
	helpAgentRaw = `Sends the agent a request and prints its reply as JSON, for finding out what it does. Secrets are left out of the reply.
`
)

var (
	flagsAgentLaunch = []option{
		{name: "foreground", help: "be the agent, for a service manager: it ends when it is asked to, or idle"},
		{name: "starting", hidden: true}, // for launch: descriptor 3 is the lock that says so
	}
	flagsAgentPrune  = []option{{name: "all", help: "forget everything"}}
	flagsAgentStatus = []option{{name: "json", help: "print a JSON object"}}
	wordsAgentRaw    = []word{
		{"status", "what agent-status prints"},
		{"prune", "forget what has expired"},
		{"prune-all", "forget everything"},
		{"shutdown", "end"},
		{"retrieve", "the entry that is kept under KEY"},
	}
)

const (
	defaultIdle  = 3 * time.Hour
	defaultPrune = time.Minute
)

// durationVar reads a duration from the environment. One that is negative means never.
func (a *app) durationVar(name string, unset time.Duration) (time.Duration, error) {
	text := a.env.Var(name)
	if text == "" {
		return unset, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("$%s is %q; it takes a duration like 3h or 90s, or a negative one for never", name, redact.Quote(text, 40))
	}
	return d, nil
}

// agentLaunch starts the agent, or is it.
func (a *app) agentLaunch(args []string) error {
	l, err := a.parse("agent-launch", args)
	if err != nil {
		return err
	}
	if a.standalone() {
		return helpers.WithHint(fmt.Errorf("$%s is set: no run uses an agent", env.VarStandalone), "unset it")
	}
	client, err := a.agentClient()
	if err != nil {
		return err
	}
	if l.has("foreground") {
		return a.beAgent(client, l.has("starting"))
	}
	client.Launch = a.launch
	defer client.Close()
	status, err := agentStatus(client)
	if err == nil {
		_, err := fmt.Fprintf(a.stdout, "agent is running already, process %d\n", status.PID)
		return err
	}
	if err := client.Start(); err != nil {
		return fmt.Errorf("starting the agent: %w", err)
	}
	for deadline := time.Now().Add(2 * time.Second); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if status, err = agentStatus(client); err == nil {
			_, err := fmt.Fprintf(a.stdout, "agent started, process %d\n", status.PID)
			return err
		}
	}
	return helpers.WithHint(fmt.Errorf("starting the agent: %w", err), "credential-helper agent-logs shows what it said")
}

// beAgent serves until it is idle for too long, or asked to quit.
func (a *app) beAgent(client *cache.Client, starting bool) error {
	idle, err := a.durationVar(env.VarIdle, defaultIdle)
	if err != nil {
		return err
	}
	prune, err := a.durationVar(env.VarPrune, defaultPrune)
	if err != nil {
		return err
	}
	pidFile := a.env.Var(env.VarAgentPID)
	if pidFile != "" {
		if pidFile, err = a.env.Expand(pidFile); err != nil {
			return err
		}
	}
	hideMemory()
	// Its memory is what a machine of many users pays for it, and its speed is not what anybody waits for.
	debug.SetGCPercent(10)
	// One processor serves all: an answer takes less time than it takes to wake a second one.
	runtime.GOMAXPROCS(1)
	q := newAsker(a.env)
	agent := &cache.Agent{
		Dir: client.Dir, Socket: client.Socket, PIDFile: pidFile, Build: client.Build, Idle: idle, Prune: prune, Ask: q.ask, Forget: q.forget,
		Encode: func(resp helpers.Response, made time.Time) ([]byte, bool) {
			told, ok := tell(resp, made, time.Now())
			if !ok {
				return nil, false
			}
			return encode(told)
		},
		Log: func(format string, args ...any) {
			if starting {
				shorten(a.stderr)
			}
			fmt.Fprintf(a.stderr, "%s %s\n", time.Now().UTC().Format(time.RFC3339), redact.Line(fmt.Sprintf(format, args...), 500))
		},
	}
	if starting && runtime.GOOS != "windows" {
		agent.Starting = os.NewFile(3, "starting")
	}
	if stdin, ok := a.stdin.(*os.File); ok && starting {
		if info, err := stdin.Stat(); err == nil && info.Mode()&fs.ModeNamedPipe != 0 {
			agent.Preload = cache.PreloadFrom(stdin)
		}
	}
	if err := agent.Serve(); !errors.Is(err, cache.ErrRunning) {
		return err
	}
	return nil
}

// encode writes an answer as Bazel's dialect has it.
func encode(resp helpers.Response) ([]byte, bool) {
	var text bytes.Buffer
	err := dialect.WriteBazel(&text, resp)
	return text.Bytes(), err == nil
}

// An asker tells an agent which entry answers for a URL, by the same rules as a run without an agent.
type asker struct {
	env   *env.Env
	kinds config.Kinds

	mu     sync.Mutex
	routes map[string]*config.Routes // by the configuration files and their sums
}

// maxRoutes is how many configurations an agent keeps decoded.
const maxRoutes = 64

func newAsker(e *env.Env) *asker {
	return &asker{env: e, kinds: helperKinds(&lookup.Sources{Env: e}, nil, nil), routes: map[string]*config.Routes{}}
}

func (q *asker) ask(question cache.Question) (cache.Asked, bool) {
	req, err := helpers.ParseRequest(question.URI)
	if err != nil {
		return cache.Asked{}, false
	}
	routes, ok := q.routesFor(question)
	if !ok {
		return cache.Asked{}, false
	}
	if routes == nil {
		return cache.Asked{Later: true}, true
	}
	d, err := decide(routes, req.URL)
	if err != nil {
		return cache.Asked{}, false
	}
	if d.noOpinion != "" {
		text, ok := encode(noOpinion(time.Now()))
		return cache.Asked{Text: text}, ok
	}
	return cache.Asked{Key: d.key(question.Context)}, true
}

// forget drops the decoded configurations: a secret may be written down in one.
func (q *asker) forget() {
	q.mu.Lock()
	defer q.mu.Unlock()
	clear(q.routes)
}

// routesFor decodes configuration files, or finds them decoded. ok is false where they are not what the client saw, or are not valid.
// Of those that are wanted at once and have to be read first there are none. While files are read, others are answered.
func (q *asker) routesFor(question cache.Question) (*config.Routes, bool) {
	var name strings.Builder
	fmt.Fprintf(&name, "%v %v", question.Guess, question.Named)
	for _, f := range question.Files {
		fmt.Fprintf(&name, "\x00%s\x00%s", f[0], f[1])
	}
	q.mu.Lock()
	known, ok := q.routes[name.String()]
	q.mu.Unlock()
	if ok || question.AtOnce {
		return known, true
	}
	routes := &config.Routes{}
	settled := true
	for _, f := range question.Files {
		path, sum := f[0], f[1]
		if sum == "-" {
			continue
		}
		info, err := os.Stat(path)
		if sum == "" || inputs.Sum(info, err) != sum {
			return nil, false
		}
		settled = settled && !inputs.Recent(info, q.env.Now().UnixNano())
		file, found, err := config.Read(q.env, path, q.kinds, question.Named)
		if err != nil || !found || inputs.Stat(path) != sum {
			return nil, false
		}
		routes.Files = append(routes.Files, file)
	}
	if err := routes.AddBuiltIn(func() ([]config.Rule, error) { return builtInRules(question.Guess, q.kinds) }); err != nil {
		return nil, false
	}
	if !settled {
		return routes, true // by its sum it cannot be told from what it may become within a tick of its file system's clock
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.routes) >= maxRoutes {
		clear(q.routes)
	}
	q.routes[name.String()] = routes
	return routes, true
}

// callAgent sends the agent a request, where it runs.
func (a *app) callAgent(op byte, fields ...string) (wire.Message, error) {
	client, err := a.agentClient()
	if err != nil {
		return wire.Message{}, err
	}
	defer client.Close()
	reply, err := client.Call(context.Background(), op, fields...)
	return reply, explainAgent(err)
}

// notRunning reports whether an agent was not reached because there is none.
func notRunning(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}

// A quietError says what an error means, in the place of its text.
type quietError struct {
	text string
	err  error
}

func (e *quietError) Error() string { return e.text }
func (e *quietError) Unwrap() error { return e.err }

// explainAgent says of an agent that was not reached whether there is one, and what to do.
func explainAgent(err error) error {
	switch {
	case notRunning(err):
		return helpers.WithHint(&quietError{"no agent runs", err}, "get starts it where it is wanted; credential-helper agent-launch starts it now")
	case errors.Is(err, cache.ErrUnreachable):
		return helpers.WithHint(fmt.Errorf("asking the agent: %w", err), "an agent that is stopped or hangs has to be killed; agent-logs shows its process id")
	}
	return err
}

func agentStatus(client *cache.Client) (cache.Status, error) {
	var status cache.Status
	reply, err := client.Call(context.Background(), wire.Status)
	if err != nil {
		return status, err
	}
	if len(reply.Fields) != 1 || json.Unmarshal([]byte(reply.Fields[0]), &status) != nil {
		return status, errors.New("the agent's reply makes no sense")
	}
	return status, nil
}

// agentShutdown ends the agent, where one runs.
func (a *app) agentShutdown(args []string) error {
	if _, err := a.parse("agent-shutdown", args); err != nil {
		return err
	}
	_, err := a.callAgent(wire.Quit)
	if notRunning(err) {
		return nil // what does not run need not be ended
	}
	return err
}

// agentPrune has the agent forget what has expired, or everything.
func (a *app) agentPrune(args []string) error {
	l, err := a.parse("agent-prune", args)
	if err != nil {
		return err
	}
	what := cache.Expired
	if l.has("all") {
		what = cache.All
	}
	reply, err := a.callAgent(wire.Drop, string(what))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "forgot %d answers\n", cache.Dropped(reply))
	return err
}

// agentLogs prints the agent's log.
func (a *app) agentLogs(args []string) error {
	if _, err := a.parse("agent-logs", args); err != nil {
		return err
	}
	client, err := a.agentClient()
	if err != nil {
		return err
	}
	f, err := cache.OpenFile(client.Dir, logName, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return helpers.WithHint(fmt.Errorf("there is no log of an agent at %s", a.env.Display(logPath(client.Dir))), "an agent that get starts writes one; credential-helper agent-launch starts it now")
	}
	if err != nil {
		return fmt.Errorf("reading the agent's log: %w", err)
	}
	defer f.Close()
	_, err = io.Copy(a.stdout, f)
	return err
}

// agentStatus prints what the agent tells of itself.
func (a *app) agentStatus(args []string) error {
	l, err := a.parse("agent-status", args)
	if err != nil {
		return err
	}
	client, err := a.agentClient()
	if err != nil {
		return err
	}
	defer client.Close()
	status, err := agentStatus(client)
	if err != nil {
		return explainAgent(err)
	}
	if l.has("json") {
		return json.NewEncoder(a.stdout).Encode(status)
	}
	return a.write(a.style(a.stdout).table([][2]string{
		{"process", fmt.Sprintf("%d, for %s", status.PID, time.Duration(status.Uptime)*time.Second)},
		{"answers", fmt.Sprint(status.Entries)},
		{"hits", fmt.Sprint(status.Hits)},
		{"misses", fmt.Sprint(status.Misses)},
		{"exchanges saved", fmt.Sprint(status.Saved)},
	}))
}

// agentRaw sends one request and prints the reply.
func (a *app) agentRaw(args []string) error {
	l, err := a.parse("agent-raw", args)
	if err != nil {
		return err
	}
	requests := map[string]func() (wire.Message, error){
		"status":    func() (wire.Message, error) { return a.callAgent(wire.Status) },
		"prune":     func() (wire.Message, error) { return a.callAgent(wire.Drop, string(cache.Expired)) },
		"prune-all": func() (wire.Message, error) { return a.callAgent(wire.Drop, string(cache.All)) },
		"shutdown":  func() (wire.Message, error) { return a.callAgent(wire.Quit) },
	}
	var reply wire.Message
	switch request := l.arg(0); {
	case (request == "retrieve") != (len(l.args) == 2):
		return helpers.WithHint(usagef("agent-raw takes a KEY for retrieve, and for nothing else"), "credential-helper help agent-raw shows what it takes")
	case request == "retrieve":
		reply, err = a.callAgent(wire.Load, l.arg(1))
	default:
		reply, err = requests[request]()
	}
	if err != nil {
		return err
	}
	out := struct {
		Op     string            `json:"op"`
		Fields []json.RawMessage `json:"fields"`
	}{Op: string(reply.Op), Fields: []json.RawMessage{}}
	for _, f := range reply.Fields {
		if reply.Op == wire.Entry {
			f = cache.Describe(f)
		}
		if !json.Valid([]byte(f)) {
			quoted, err := json.Marshal(f)
			if err != nil {
				return err
			}
			f = string(quoted)
		}
		out.Fields = append(out.Fields, json.RawMessage(f))
	}
	return json.NewEncoder(a.stdout).Encode(out)
}
