package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/fe055d52/credential-helper/cache"
	"github.com/fe055d52/credential-helper/internal/ascii"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/place"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/trace"
	"github.com/fe055d52/credential-helper/internal/warm"
)

// openCache opens the cache that CREDENTIAL_HELPER_CACHE names. That the agent's place cannot be used is no error: then there is no cache.
func (a *app) openCache(ctx context.Context) (cache.Cache, error) {
	if a.standalone() {
		return cache.None{}, nil
	}
	switch kind, dir, _ := strings.Cut(a.env.Var(env.VarCache), ":"); kind {
	case "", "agent":
		client, err := a.agentClient()
		if err != nil {
			trace.Note(ctx, "no cache: %s", err)
			return cache.None{}, nil
		}
		if warm.Hung {
			client.Hung()
		}
		client.Launch = a.launch
		return cache.NewAgent(client, a.env.Get, a.env.Now), nil
	case "file":
		if dir == "" {
			dir = place.RunDir(a.env.Get, a.env.CacheDir)
		}
		if dir == "" {
			trace.Note(ctx, "no cache: there is neither $XDG_RUNTIME_DIR nor a cache directory")
			return cache.None{}, nil
		}
		path, err := a.env.Expand(dir)
		if err != nil {
			return nil, fmt.Errorf("opening the cache that $%s names: %w", env.VarCache, err)
		}
		return cache.NewFile(path, a.env.Get, a.env.Now), nil
	case "none":
		return cache.None{}, nil
	default:
		return nil, fmt.Errorf("$%s is %q; it takes agent, file, file:DIRECTORY or none", env.VarCache, redact.Quote(a.env.Var(env.VarCache), 60))
	}
}

// standalone reports whether CREDENTIAL_HELPER_STANDALONE asks for a run without a cache.
func (a *app) standalone() bool {
	v := ascii.Lower(a.env.Var(env.VarStandalone))
	return v == "1" || v == "true"
}

// agentClient returns a client for the user's agent. It starts none.
func (a *app) agentClient() (*cache.Client, error) {
	c := &cache.Client{Build: place.ThisBuild()}
	if named := a.env.Var(env.VarSocket); named != "" {
		path, err := a.env.Expand(named)
		if err != nil {
			return nil, fmt.Errorf("finding the socket that $%s names: %w", env.VarSocket, err)
		}
		c.Dir, c.Socket = filepath.Dir(path), path
		if !place.FitsSocket(path) {
			return nil, fmt.Errorf("the path of the agent's socket is too long for this system: %s", path)
		}
		return c, nil
	}
	c.Dir = place.RunDir(a.env.Get, a.env.CacheDir)
	var ok bool
	switch c.Socket, ok = place.Socket(c.Dir); {
	case c.Dir == "":
		return nil, fmt.Errorf("there is no place for the agent: neither $XDG_RUNTIME_DIR nor a cache directory")
	case !ok:
		return nil, fmt.Errorf("the path of the agent's socket is too long for this system: %s", c.Socket)
	}
	return c, nil
}

// agentVars are the variables that an agent is given. It looks nothing up, so it gets no other: a token in it would stay there for hours.
var agentVars = []string{
	"HOME", "USERPROFILE", "LocalAppData", "AppData", "SystemRoot", "PATH", "TMPDIR", "TEMP", "TMP", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME",
	"GORACE", "GOCOVERDIR", env.VarSocket, env.VarAgentPID, env.VarIdle, env.VarPrune, env.VarWorkdir, env.VarWorkspace,
}

// launch starts an agent in the background and does not wait for it.
func (a *app) launch(stdin, starting *os.File) error {
	executable, err := os.Executable()
	if err != nil {
		return err
	}
	client, err := a.agentClient()
	if err != nil {
		return err
	}
	log, err := openLog(client.Dir)
	if err != nil {
		return err
	}
	defer log.Close()
	vars := []string{}
	for _, name := range agentVars {
		if v, ok := a.env.Get(name); ok {
			vars = append(vars, name+"="+v)
		}
	}
	// A relative path means something else from where the agent runs.
	if named := a.env.Var(env.VarSocket); named != "" {
		vars = append(vars, env.VarSocket+"="+client.Socket)
	}
	keepDescriptors()
	files := []*os.File{stdin, log, log}
	if runtime.GOOS != "windows" { // where a process inherits three at most
		files = append(files, starting)
	}
	process, err := os.StartProcess(executable, []string{"credential-helper", "agent-launch", "--foreground", "--starting"}, &os.ProcAttr{
		Dir: rootDir(), Env: vars, Files: files, Sys: detached(),
	})
	if err != nil {
		return err
	}
	return process.Release()
}

// maxLog is the size in bytes above which the agent's log is begun anew.
const maxLog = 1 << 20

// shorten begins the log anew that an agent was given by openLog, where it has become too large.
func shorten(log io.Writer) {
	if f, ok := log.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() && info.Size() > maxLog {
			_ = f.Truncate(0)
		}
	}
}

const logName = "agent.log"

func logPath(dir string) string { return filepath.Join(dir, logName) }

func openLog(dir string) (*os.File, error) {
	f, err := cache.OpenFile(dir, logName, os.O_WRONLY|os.O_CREATE|os.O_APPEND)
	if err != nil {
		return nil, fmt.Errorf("opening the agent's log: %w", err)
	}
	shorten(f)
	return f, nil
}
