package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fe055d52/credential-helper/internal/registrytest"
)

// TestMain lets the test executable be other programs: the scripts run each as a process of its own.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"credential-helper": main,
		"get":               getMain,
		"hold":              holdMain,
		// The name under which Docker would start the program.
		"docker-credential-ours": main,
	})
}

// getMain is "get URL": credential-helper get with a request for URL on standard input, as a build tool runs it.
func getMain() {
	request, err := json.Marshal(map[string]string{"uri": os.Args[1]})
	if err != nil {
		panic(err)
	}
	withStdin(func(w *os.File) {
		_, _ = w.Write(request)
		w.Close()
	})
}

// holdMain is "hold TEXT": credential-helper get with TEXT on a standard input that is never closed.
func holdMain() {
	text := os.Args[1]
	withStdin(func(w *os.File) {
		_, _ = io.WriteString(w, text)
		select {}
	})
}

// withStdin runs credential-helper get, with write at the other end of its standard input.
func withStdin(write func(*os.File)) {
	r, w, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	go write(w)
	os.Stdin = r
	os.Args = []string{"credential-helper", "get"}
	main()
}

// TestScripts runs one story a file, each with a home, a workspace and an environment of its own.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(e *testscript.Env) error {
			home := filepath.Join(e.WorkDir, "home")
			for _, dir := range []string{home, filepath.Join(home, "run"), filepath.Join(e.WorkDir, "tmp")} {
				if err := os.MkdirAll(dir, 0o700); err != nil {
					return err
				}
			}
			for name, dir := range map[string]string{
				"HOME": "", "USERPROFILE": "", "AppData": "AppData", "LocalAppData": "AppData", "XDG_CONFIG_HOME": ".config",
				"XDG_CACHE_HOME": ".cache", "XDG_RUNTIME_DIR": "run", "DOCKER_CONFIG": ".docker",
			} {
				e.Setenv(name, filepath.Join(home, dir))
			}
			e.Setenv("GORACE", "atexit_sleep_ms=0")       // the race detector would make every process sleep for a second
			e.Setenv("CREDENTIAL_HELPER_STANDALONE", "1") // the stories of the cache take this away
			e.Setenv("TMPDIR", filepath.Join(e.WorkDir, "tmp"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"agent":    agentCmd,
			"expand":   expandCmd,
			"github":   githubCmd,
			"mints":    mintsCmd,
			"registry": registryCmd,
			"requests": requestsCmd,
			"saw":      sawCmd,
			"server":   serverCmd,
		},
	})
}

// expandCmd is "expand FILE": it puts environment variables for each ${NAME} in a file that names a variable of the script's.
func expandCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: expand FILE")
	}
	text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// registries are those that scripts started, by their script and name.
var registries registryTable

type registryTable struct{ m sync.Map }

func (t *registryTable) Store(ts *testscript.TestScript, name string, r *registrytest.Registry) {
	t.m.Store(ts.Name()+"/"+name, r)
}

func (t *registryTable) Load(ts *testscript.TestScript, name string) (*registrytest.Registry, bool) {
	r, ok := t.m.Load(ts.Name() + "/" + name)
	if !ok {
		return nil, false
	}
	return r.(*registrytest.Registry), true
}

// registryCmd is "registry NAME [bearer|basic|none] [KNOB...]": it starts a registry with the user alice, password wonderland,
// and sets $NAME to its host and port, $NAME_URL to its origin, $NAME_CA to its certificate, $NAME_IDENTITY to an identity token of alice's.
// Knobs: tls, public, other-port (the token server is on another), and the misbehaviours of misbehave.
func registryCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: registry NAME LOGIN [KNOB...]")
	}
	config := registrytest.Config{Users: map[string]string{"alice": "wonderland"}}
	switch args[1] {
	case "bearer":
		config.Login = registrytest.Bearer
	case "basic":
		config.Login = registrytest.Basic
	case "none":
	default:
		ts.Fatalf("unknown login %s", args[1])
	}
	var rest []string
	for _, knob := range args[2:] {
		switch knob {
		case "tls":
			config.TLS = true
		case "public":
			config.Public = true
		case "other-port":
			config.OwnTokenServer = true
		default:
			rest = append(rest, knob)
		}
	}
	r, err := registrytest.Start(config)
	ts.Check(err)
	ts.Defer(r.Close)
	for _, knob := range rest {
		ts.Check(misbehave(r, knob))
	}
	name := args[0]
	registries.Store(ts, name, r)
	ts.Setenv(name, r.Host)
	ts.Setenv(name+"_URL", r.URL)
	ts.Setenv(name+"_CA", r.CAFile)
	ts.Setenv(name+"_IDENTITY", r.IdentityToken("alice"))
}

// requestsCmd is "requests NAME PINGS EXCHANGES": so many there were.
func requestsCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: requests NAME PINGS EXCHANGES")
	}
	r, ok := registries.Load(ts, args[0])
	if !ok {
		ts.Fatalf("no registry %s", args[0])
	}
	if got := fmt.Sprint(r.Pings(), r.Exchanges()); got != args[1]+" "+args[2] {
		ts.Fatalf("%s pings and exchanges, want %s %s", got, args[1], args[2])
	}
}

// agentCmd is "agent": the script will start an agent, which is ended with it.
func agentCmd(ts *testscript.TestScript, neg bool, args []string) {
	ts.Defer(func() {
		ts.Setenv("CREDENTIAL_HELPER_CACHE", "")
		_ = ts.Exec("credential-helper", "agent-shutdown")
	})
}

// misbehave sets one of a registry's wrong answers.
func misbehave(r *registrytest.Registry, knob string) error {
	what, arg, _ := strings.Cut(knob, "=")
	switch what {
	case "challenge":
		r.SetChallenges(strings.ReplaceAll(arg, "@TOKEN@", r.Realm))
	case "ping-status":
		var status int
		if _, err := fmt.Sscan(arg, &status); err != nil {
			return err
		}
		r.SetPing(registrytest.Status(status, "{}", "Location", "https://elsewhere.test/v2/"))
	case "token-status":
		var status int
		if _, err := fmt.Sscan(arg, &status); err != nil {
			return err
		}
		r.SetToken(registrytest.Status(status, `{"errors":[{"code":"TEAPOT","message":"short and stout"}]}`, "Retry-After", "30"))
	case "token-body":
		r.SetToken(registrytest.Status(200, arg))
	case "token-drip":
		r.SetToken(registrytest.Drip(20 * time.Millisecond))
	case "token-html":
		r.SetToken(registrytest.HTML(200))
	case "token-huge":
		r.SetToken(registrytest.Huge(100<<20, false))
	case "token-hangup":
		r.SetToken(registrytest.Hangup())
	case "token-redirect":
		r.SetToken(registrytest.Redirect(307, "https://elsewhere.test/token"))
	default:
		return fmt.Errorf("unknown knob %s", knob)
	}
	return nil
}
