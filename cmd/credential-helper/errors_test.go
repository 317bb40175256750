package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/githubtest"
	"github.com/fe055d52/credential-helper/internal/registrytest"
)

// A situation is one in which a user meets an error of a command: what there is, and what was asked for.
//
// In its texts, {HOST} and {URL} stand for a server that prepare started, {HOME} for the home directory, and {CANARY} for a secret,
// which no error may show.
type situation struct {
	name string
	// args are the command line behind the command itself. Of a command without any, "get" is given a request for url.
	args []string
	// url is what a request is for; "https://a.test/x" unless given.
	url string
	// stdin, where not empty, comes in the place of a request. A standard input that nobody closes is "(open)".
	stdin string
	// rule is one rule of the workspace's configuration, config a whole file in its place.
	rule, config string
	// files are as in a txtar archive: below the home directory, or below ws/, the workspace.
	files string
	vars  map[string]string
	// prepare, where not nil, is called when the files are there, and before the rest.
	prepare func(*scene)
	// plain says that the error needs no hint: it says itself what to do.
	plain bool
	// protocol says that the error is a word of the client's protocol, which is told as it is.
	protocol bool
}

// situations are those of each command, in the order in which its file in testdata/errors has them. A command is tested from its first row on.
var situations = map[string][]situation{
	"get":            slices.Concat(getRequests, getConfigs, getRules, getSources, getTools, getRegistries, getApps),
	"docker":         dockerSituations,
	"install":        installSituations,
	"uninstall":      uninstallSituations,
	"setup-keyring":  keyringSituations,
	"check":          checkSituations,
	"completion":     {{name: "no shell"}, {name: "an unknown shell", args: []string{"bsh"}}},
	"doctor":         {{name: "an argument", args: []string{"now"}}, {name: "an unknown flag", args: []string{"--onlin"}}},
	"explain":        explainSituations,
	"init":           initSituations,
	"setup-uri":      setupURISituations,
	"schema":         {{name: "an argument", args: []string{"config.json"}}},
	"agent-launch":   agentLaunchSituations,
	"agent-logs":     agentLogsSituations,
	"agent-prune":    agentSituations("--no-such-flag"),
	"agent-raw":      agentRawSituations,
	"agent-shutdown": {{name: "an argument", args: []string{"now"}}},
	"agent-status":   agentSituations("--jsno"),
	"version":        {{name: "an argument", args: []string{"now"}}},
	"help":           {{name: "an unknown command", args: []string{"gte"}}, {name: "two commands", args: []string{"get", "docker"}}},
}

// canary is the secret of all situations.
const canary = "canary5f1c70b9e2"

// A scene is where a situation is played: a home with a workspace in it.
type scene struct {
	t        *testing.T
	home, ws string
	vars     map[string]string
	host     string // of the server, with its port
}

// expand puts in what stands for something.
func (s *scene) expand(text string) string {
	return strings.NewReplacer("{HOST}", s.host, "{URL}", "http://"+s.host, "{HOME}", s.home, "{CANARY}", canary).Replace(text)
}

// write writes a file below the home directory.
func (s *scene) write(name, text string) {
	s.t.Helper()
	path := filepath.Join(s.home, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// mode returns what gives a file another mode.
func mode(name string, perm os.FileMode) func(*scene) {
	return func(s *scene) {
		if err := os.Chmod(filepath.Join(s.home, filepath.FromSlash(name)), perm); err != nil {
			s.t.Fatal(err)
		}
	}
}

// atLogin returns what starts a registry that wants a token, and misbehaves; see registryCmd.
func atLogin(knobs ...string) func(*scene) {
	return serveRegistry(registrytest.Config{Login: registrytest.Bearer}, knobs...)
}

func serveRegistry(config registrytest.Config, knobs ...string) func(*scene) {
	return func(s *scene) {
		config.Users = map[string]string{"alice": "wonderland"}
		r, err := registrytest.Start(config)
		if err != nil {
			s.t.Fatal(err)
		}
		s.t.Cleanup(r.Close)
		for _, knob := range knobs {
			if err := misbehave(r, knob); err != nil {
				s.t.Fatal(err)
			}
		}
		s.host = r.Host
	}
}

// forge returns what starts a model of GitHub, with what addAcme adds, whose App's private key is $KEY.
func forge(change func(*githubtest.Server)) func(*scene) {
	return func(s *scene) {
		server := githubtest.New(s.t)
		addAcme(server)
		if change != nil {
			change(server)
		}
		s.host = server.Host
		s.vars["KEY"] = githubtest.PEM(githubtest.Key())
	}
}

// played is what came of a situation.
type played struct {
	status         int
	stdout, stderr string
}

// play has a command run in a situation.
func (x situation) play(t *testing.T, command string) played {
	// Its path is short, for sockets, and has no comma, for the address of a bus.
	home, err := os.MkdirTemp("", "errors")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) })
	s := &scene{t: t, home: home, ws: filepath.Join(home, "ws"), host: "127.0.0.1:1", vars: map[string]string{
		"HOME": home, "PATH": filepath.Join(home, "bin"), "XDG_RUNTIME_DIR": filepath.Join(home, "run"), env.VarStandalone: "1", "TMPDIR": home,
	}}
	s.write("ws/MODULE.bazel", "")
	for _, f := range txtar.Parse([]byte(x.files)).Files {
		s.write(f.Name, s.expand(string(f.Data)))
	}
	if x.prepare != nil {
		x.prepare(s)
	}
	for name, value := range x.vars {
		if value = s.expand(value); value == "(unset)" {
			delete(s.vars, name)
		} else {
			s.vars[name] = value
		}
	}
	config := x.config
	if x.rule != "" {
		config = `{"urls": [` + x.rule + "]}\n"
	}
	if config != "" {
		s.write("ws/.tweag-credential-helper.json", s.expand(config))
	}
	var stdin io.Reader = strings.NewReader(s.expand(x.stdin))
	switch url := x.url; {
	case x.stdin == "(open)":
		r, w := io.Pipe()
		t.Cleanup(func() { w.Close() })
		stdin = r
	case x.stdin == "" && command == "get":
		if url == "" {
			url = "https://a.test/x"
		}
		stdin = strings.NewReader(bazelRequest(s.expand(url)))
	}
	var stdout, stderr bytes.Buffer
	vars := s.vars
	a := &app{stdin: stdin, stdout: &stdout, stderr: &stderr, env: &env.Env{
		Get: func(name string) (string, bool) { v, ok := vars[name]; return v, ok },
		Environ: func() []string {
			var list []string
			for name, value := range vars {
				list = append(list, name+"="+value)
			}
			return list
		},
		Dir: s.ws, Home: vars["HOME"], ConfigDir: filepath.Join(home, ".config"), CacheDir: filepath.Join(home, ".cache"), Now: time.Now,
	}}
	var args []string
	for _, arg := range append([]string{command}, x.args...) {
		args = append(args, s.expand(arg))
	}
	status := a.run(args)
	return played{status, s.normal(stdout.String()), s.normal(stderr.String())}
}

var (
	loopbackPort = regexp.MustCompile(`127\.0\.0\.1:\d+`)
	somewhen     = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)
	programs     = regexp.MustCompile(`/\S*/(credential-helper\.test|docker-credential-\w+)`)
)

// normal takes out of a text what differs from machine to machine.
func (s *scene) normal(text string) string {
	text = strings.ReplaceAll(text, s.home, "/home/you")
	text = loopbackPort.ReplaceAllString(text, "127.0.0.1:PORT")
	text = programs.ReplaceAllString(text, "/bin/$1")
	return somewhen.ReplaceAllString(text, "TIME")
}

// golden is how a situation stands in a file.
func (x situation) golden(command string, p played) string {
	var b strings.Builder
	fmt.Fprintf(&b, "== %s\n", x.name)
	line := "$ credential-helper " + strings.Join(append([]string{command}, x.args...), " ")
	if x.url != "" {
		line += "  # " + x.url
	}
	fmt.Fprintf(&b, "%s\n%s", line, p.stderr)
	if p.stdout != "" {
		fmt.Fprintf(&b, "[stdout] %s", strings.ReplaceAll(strings.TrimSuffix(p.stdout, "\n"), "\n", "\n[stdout] ")+"\n")
	}
	fmt.Fprintf(&b, "[exit %d]\n\n", p.status)
	return b.String()
}

// TestErrors plays every situation, and compares what the user reads with the file in testdata/errors. UPDATE_SCRIPTS=1 writes the files.
func TestErrors(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the texts have what Linux says of files and keyrings")
	}
	for _, command := range commands() {
		if situations[command.name] == nil {
			continue
		}
		t.Run(command.name, func(t *testing.T) {
			var text strings.Builder
			names := map[string]bool{}
			for _, x := range situations[command.name] {
				if names[x.name] {
					t.Errorf("there are two situations %q", x.name)
				}
				names[x.name] = true
				t.Run(x.name, func(t *testing.T) {
					p := x.play(t, command.name)
					text.WriteString(x.golden(command.name, p))
					x.check(t, command.name, p)
				})
			}
			compareGolden(t, filepath.Join("testdata", "errors", command.name+".txt"), text.String())
		})
	}
}

// compareGolden compares a text with a file, or writes the file where UPDATE_SCRIPTS is set.
func compareGolden(t *testing.T, path, text string) {
	t.Helper()
	if os.Getenv("UPDATE_SCRIPTS") != "" {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, wanted := strings.Split(text, "\n\n"), strings.Split(string(want), "\n\n")
	for i := range max(len(got), len(wanted)) {
		var g, w string
		if i < len(got) {
			g = got[i]
		}
		if i < len(wanted) {
			w = wanted[i]
		}
		if g != w {
			t.Errorf("%s: UPDATE_SCRIPTS=1 writes it anew\n got %s\nwant %s", path, g, w)
		}
	}
}

// capitals are words that an error may begin with though they have a capital.
var capitals = []string{"CREDENTIAL_HELPER_", "Bazel", "Docker"}

// jargon is what no error should say: words of the language that the program is written in, and of its libraries.
var jargon = regexp.MustCompile(`(?i)failed to|unable to|could not be found|%!|<nil>|\bnil\b|panic|goroutine|strconv\.|net/http:|unmarshal|unexpected EOF|errno|\b0x[0-9a-f]{8}`)

// check holds what goes for every error.
func (x situation) check(t *testing.T, command string, p played) {
	if strings.Contains(p.stdout+p.stderr, canary) {
		t.Error("the secret is shown")
	}
	out := p.stderr
	if command == "docker" && p.stderr == "" {
		out = p.stdout // as the protocol wants it
	} else if p.stdout != "" {
		t.Errorf("standard output has %q", p.stdout)
	}
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if p.status != exitError && p.status != exitUsage {
		t.Errorf("exit status %d", p.status)
	}
	if x.protocol {
		return
	}
	text, ok := strings.CutPrefix(lines[0], "credential-helper: ")
	first, _ := utf8.DecodeRuneInString(text)
	switch {
	case !ok:
		t.Errorf("it does not begin with the program's name: %q", lines[0])
	case unicode.IsUpper(first) && !slices.ContainsFunc(capitals, func(name string) bool { return strings.HasPrefix(text, name) }):
		t.Errorf("it begins with a capital: %q", text)
	case len(lines) > 3:
		t.Errorf("it has %d lines", len(lines))
	}
	for _, line := range lines {
		if strings.HasSuffix(line, ".") || strings.HasSuffix(line, "!") || strings.HasSuffix(line, " ") || line == "" {
			t.Errorf("a line ends as none should: %q", line)
		}
		if found := jargon.FindString(line); found != "" {
			t.Errorf("%q means nothing to users: %q", found, line)
		}
	}
	hints := 0
	for _, line := range lines[1:] {
		if !strings.HasPrefix(line, "hint: ") {
			t.Errorf("a second line that is no hint: %q", line)
		}
		hints++
	}
	switch {
	case hints == 0 && !x.plain:
		t.Errorf("there is no hint, and the situation is not one that needs none:\n%s", out)
	case hints > 0 && x.plain:
		t.Errorf("there is a hint, and the situation says that none is needed:\n%s", out)
	}
}

// TestEveryCommandHasItsErrors holds that a command's errors are in a file, and that no file is of a command that is gone.
func TestEveryCommandHasItsErrors(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "errors", "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".txt")
		if situations[name] == nil {
			t.Errorf("%s is of a command without situations", path)
		}
	}
	for name := range situations {
		if !slices.ContainsFunc(commands(), func(c command) bool { return c.name == name }) {
			t.Errorf("there are situations of %q, which is no command", name)
		}
	}
}
