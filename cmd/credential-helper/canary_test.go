//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/internal/peertest"
)

// with returns the variables that are set for a URL alone, and more.
func (u cagedURL) with(more ...string) []string { return slices.Concat(u.env, more) }

// complain writes down that a canary got out.
func (c *cage) complain(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bad = append(c.bad, fmt.Sprintf(format, args...))
}

// search complains of each canary in a text but the one that may be there.
func (c *cage) search(where, text, but string) {
	names, context := c.in(text)
	delete(names, but)
	for name := range names {
		c.complain("%s has the canary of %q: …%s…", where, name, context)
	}
}

// run runs the program. Its standard output may have one of the canaries, where the protocol puts it.
func (c *cage) run(env []string, stdin, may string, args ...string) peertest.Result {
	return c.runIn(c.dir, env, stdin, may, args...)
}

func (c *cage) runIn(dir string, env []string, stdin, may string, args ...string) peertest.Result {
	c.mu.Lock()
	c.driven[args[0]] = true
	c.mu.Unlock()
	argv := append([]string{c.program}, args...)
	if strings.HasPrefix(args[0], "docker-credential-") {
		argv = append([]string{filepath.Join(c.home, "bin", args[0])}, args[1:]...)
	}
	r := peertest.Run(c.t, dir, slices.Concat(c.env, []string{"CREDENTIAL_HELPER_STANDALONE=1"}, env), argv, stdin)
	where := fmt.Sprintf("%q with %q", strings.ReplaceAll(strings.Join(args, " "), c.home, "~"), env)
	if may != "*" {
		c.search("the output of "+where, r.Stdout, may)
	}
	c.search("standard error of "+where, r.Stderr, "")
	return r
}

// files returns the contents of all files.
func (c *cage) files() map[string]string {
	files := map[string]string{}
	must(c.t, filepath.WalkDir(c.home, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		// Renewed logins are in the files that Julia's own client keeps them in; and what programs were started with is searched by itself.
		if filepath.Base(path) == "auth.toml" || path == c.environ {
			return nil
		}
		data, err := os.ReadFile(path)
		files[path] = string(data)
		return err
	}))
	return files
}

// searchFiles searches what was written since: the lines of all files that were not there before.
func (c *cage) searchFiles(what string, before map[string]string) {
	for path, text := range c.files() {
		old := map[string]bool{}
		for line := range strings.Lines(before[path]) {
			old[line] = true
		}
		var fresh strings.Builder
		for line := range strings.Lines(text) {
			if !old[line] {
				fresh.WriteString(line)
			}
		}
		c.search(strings.Replace(path, c.home, "~", 1)+", written by "+what, fresh.String(), "")
	}
}

// each runs f for each URL, a few at once.
func (c *cage) each(f func(u cagedURL)) { each(c.urls, f) }

func each(urls []cagedURL, f func(u cagedURL)) {
	var all sync.WaitGroup
	free := make(chan struct{}, 4)
	for _, u := range urls {
		free <- struct{}{}
		all.Go(func() {
			defer func() { <-free }()
			f(u)
		})
	}
	all.Wait()
}

const atDebug = "CREDENTIAL_HELPER_LOGGING=debug"

// ask asks for each URL with every command that takes one.
func (c *cage) ask() {
	c.each(func(u cagedURL) {
		for _, level := range []string{"off", "basic", "debug"} {
			r := c.run(u.with("CREDENTIAL_HELPER_LOGGING="+level), bazelRequest(u.url), u.from, "get")
			if names, _ := c.in(r.Stdout); u.from != "" && !names[u.from] {
				c.complain("get for %s does not print the canary of %q, which shows nothing then: %q, %s", u.url, u.from, r.Stdout, r.Stderr)
			}
		}
		c.run(u.with(atDebug), "", "", "explain", u.url)
		c.run(u.with(), "", "", "explain", "--json", u.url)
		c.run(u.with(atDebug), "", "", "check", u.url)
		c.run(u.with(), "", "", "check", "--json", u.url)
		c.run(u.with(), "", "", "setup-uri", u.url)
		c.run(u.with("CREDENTIAL_HELPER_TIMEOUT=1ms", atDebug), bazelRequest(u.url), u.from, "get")
	})
}

// provoke asks servers that are set on having a secret printed.
func (c *cage) provoke() {
	var urls []cagedURL
	for _, u := range c.hostile {
		urls = append(urls, cagedURL{url: u})
	}
	each(urls, func(u cagedURL) {
		c.run([]string{atDebug}, "", "", "check", u.url)
		if !strings.Contains(u.url, "disguise") { // it answers each time in another way
			for range 12 {
				c.run([]string{atDebug}, bazelRequest(u.url), "", "get")
				c.run(nil, "", "", "explain", u.url)
			}
		}
	})
}

// serve asks Docker's questions.
func (c *cage) serve() {
	secret := c.value("stored by docker")
	login, err := json.Marshal(map[string]string{"ServerURL": "stored.test", "Username": "alice", "Secret": secret})
	must(c.t, err)
	for _, level := range []string{"off", "debug"} {
		env := []string{"CREDENTIAL_HELPER_LOGGING=" + level}
		c.run(env, string(login), "", "docker", "store")
		c.run(env, "", "", "docker", "list")
		c.run(env, "stored.test\n", "stored by docker", "docker-credential-ours", "get") // the name is the dialect
		c.run(env, secret, "", "docker-credential-ours", "store")
		if r := c.run(env, "stored.test\n", "stored by docker", "docker", "get"); !strings.Contains(r.Stdout, secret) {
			c.complain("docker get does not print what was stored: %+v", r)
		}
		if r := c.run(env, "dock.test\n", "variable", "docker", "get"); !strings.Contains(r.Stdout, c.value("variable")) {
			c.complain("docker get does not print what a rule finds: %+v", r)
		}
		c.run(env, "stored.test\n", "", "docker", "erase")
		for _, stdin := range []string{
			`{"ServerURL": "a.test", "Username": "alice", "Secret": ` + secret + `}`, `{"ServerURL": "a b", "Username": "alice", "Secret": "` + secret + `"}`, `{"Secret": "` + secret + `"}`, `["` + secret + `"]`,
			`{"ServerURL": "https://bob:` + secret + `@a.test", "Username": "alice", "Secret": "x"}`, `{"ServerURL": "a.test", "Username": "alice", "Secret": "` + secret, secret,
		} {
			c.run(env, stdin, "", "docker", "store")
		}
	}
}

// look runs the commands that look at all there is.
func (c *cage) look() {
	for _, args := range [][]string{
		{"doctor"},
		{"doctor", "--json"},
		{"doctor", "--online"},
		{"init", "--dry-run"},
		{"install", "docker", "--dry-run", "--import"},
		{"agent-status"},
		{"agent-logs"},
		{"agent-raw", "status"},
		{"completion", "bash"},
		{"schema"},
		{"version"},
		{"help"},
		{"help", "--man"},
	} {
		c.run([]string{atDebug}, "", "", args...)
	}
}

// useAgent has an agent answer, and looks at what it keeps where others can see it.
func (c *cage) useAgent() {
	env := []string{"CREDENTIAL_HELPER_STANDALONE=", atDebug}
	r := c.run(env, "", "", "agent-launch")
	var pid int
	if _, err := fmt.Sscanf(r.Stdout, "agent started, process %d", &pid); err != nil {
		c.t.Fatalf("agent-launch: %+v", r)
	}
	defer func() {
		c.run(env, "", "", "agent-shutdown")
		if !eventually(5*time.Second, func() bool { return !alive(pid) }) {
			c.t.Errorf("the agent is left, process %d", pid)
			kill(pid)
		}
	}()
	c.each(func(u cagedURL) {
		for range 2 {
			c.run(u.with(env...), bazelRequest(u.url), u.from, "get")
		}
		c.run(u.with(env...), "", "", "explain", u.url)
		c.run(u.with(env...), "", "", "check", u.url)
	})
	for _, args := range [][]string{{"agent-status", "--json"}, {"agent-logs"}, {"agent-raw", "status"}, {"agent-raw", "retrieve", "x"}, {"doctor"}, {"agent-launch"}, {"agent-prune"}} {
		c.run(env, "", "", args...)
	}
	for _, name := range []string{"environ", "cmdline"} { // root sees the environment, and all see the command line
		if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name)); err == nil {
			c.search("the agent's "+name, string(text), "")
		}
	}
	c.run(env, "", "", "agent-raw", "prune-all")
}

// useFiles has answers kept in files, in a directory that is removed then: there, and nowhere else, they are what they are.
func (c *cage) useFiles() {
	dir := filepath.Join(c.home, "kept")
	env := []string{"CREDENTIAL_HELPER_STANDALONE=", "CREDENTIAL_HELPER_CACHE=file:" + dir, atDebug}
	c.each(func(u cagedURL) {
		for range 2 {
			c.run(u.with(env...), bazelRequest(u.url), u.from, "get")
		}
		c.run(u.with(env...), "", "", "explain", u.url)
		c.run(u.with(env...), "", "", "check", u.url)
	})
	if names, _ := c.in(fmt.Sprint(c.files())); !names["token response"] {
		c.t.Error("the cache keeps nothing, which shows nothing then")
	}
	must(c.t, os.RemoveAll(dir))
}

// change runs the commands that write files.
func (c *cage) change() {
	before := c.files()
	c.runIn(filepath.Join(c.home, "new"), []string{atDebug}, "", "", "init", "--yes")
	c.run([]string{atDebug}, "", "", "install", "docker", "--import")
	c.run(nil, "import.test\n", "docker's login to import", "docker", "get")
	c.run([]string{atDebug}, "", "", "uninstall", "docker")
	c.run([]string{atDebug}, "", "", "setup-keyring", "--clear", "canaries")
	c.searchFiles("the commands that write", before)
}

// fill stores the keyring's canary.
func (c *cage) fill() {
	c.run([]string{atDebug}, c.value("keyring")+"\n", "", "setup-keyring", "canaries")
	c.run([]string{atDebug}, "", "keyring", "setup-keyring", "--read", "canaries")
}

// drive runs it all.
func (c *cage) drive() {
	before := c.files()
	c.fill()
	c.ask()
	c.provoke()
	c.serve()
	c.look()
	c.useAgent()
	c.useFiles()
	c.requests()
	c.searchFiles("all but those that write", before)
	c.breakFiles()
	c.breakVariables()
	c.change()
	started, err := os.ReadFile(c.log)
	must(c.t, err)
	for _, name := range []string{"/tool\nprints\n", "/docker-credential-caged\nget\n", "/git\n"} {
		if !strings.Contains(string(started), name) {
			c.complain("%q was not started", name)
		}
	}
	c.search("a command line", string(started), "")
	c.searchEnviron()
}

// searchEnviron searches the variables of programs that were started for those that hold a canary and are not the user's own.
func (c *cage) searchEnviron() {
	users := map[string]bool{}
	for _, v := range c.env {
		users[v] = true
	}
	for _, u := range c.urls {
		for _, v := range u.env {
			users[v] = true
		}
	}
	text, err := os.ReadFile(c.environ)
	must(c.t, err)
	seen := 0
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSuffix(line, "\n"); users[line] {
			seen++
			continue
		}
		if name, _, _ := strings.Cut(line, "="); !slices.ContainsFunc(c.urls, func(u cagedURL) bool { return u.field == name }) { // those that are broken on purpose
			c.search("the environment of a program", line, "")
		}
	}
	if seen == 0 {
		c.complain("the environment of programs was not seen")
	}
}

// TestCanaries holds that no secret gets out but where the protocol puts it. Every input that holds one has a canary of its own: variables, the files and programs of each lookup source,
// the keyring's file and its passphrase, Docker's configuration, what token servers answer, a private key, .bazelrc, a proxy's password, requests.
// Every command is driven, at each log level, with an agent and without, with each of these inputs as it is, and broken in many ways,
// against servers that repeat what they were sent. Standard output and error, the agent's log, environment and command line, the command lines of all programs that were started,
// and every file that was written are searched, for as little as ten characters of a canary.
//
// TestCanariesSing holds that it sees what gets out.
func TestCanaries(t *testing.T) {
	needLinux(t, "see command lines (/proc)")
	peertest.Require(t, "git", "apt-get install git")
	c := newCage(t, program(t))
	c.drive()
	for _, bad := range c.bad {
		t.Error(bad)
	}
	for _, command := range commands() {
		if !c.driven[command.name] {
			t.Errorf("%s was not driven", command.name)
		}
	}
}
