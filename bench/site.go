package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/fe055d52/credential-helper/cache"
	"github.com/fe055d52/credential-helper/cache/wire"
	"github.com/fe055d52/credential-helper/internal/place"
	"github.com/fe055d52/credential-helper/internal/registrytest"
)

// A site is where everything is run: a workspace with one rule, a registry, and an agent that nobody else knows.
type site struct {
	dir            string
	program, empty executable
	attr           os.ProcAttr
	build          place.Build
	run, socket    string
	registry       *registrytest.Registry
	delay          atomic.Int64 // of the token endpoint
	blobs          int          // asked for so far
}

// An executable is one program in several files. How the system's page cache holds a file, in large pieces or page by page,
// is up to luck, and makes a start up to a tenth quicker or slower for as long as the file stays there.
type executable struct {
	paths []string
	next  int
}

// path returns the files' paths in turn.
func (e *executable) path() string {
	e.next++
	return e.paths[e.next%len(e.paths)]
}

// copies is the number of files that a program is in.
const copies = 8

// newExecutable copies a file. The copies have one modification time, so that an agent takes them for what they are: the same program.
func newExecutable(file string) (e executable, err error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return e, err
	}
	now := time.Now()
	for i := range copies {
		dir := filepath.Join(filepath.Dir(file), fmt.Sprint("copy", i))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return e, err
		}
		path := filepath.Join(dir, filepath.Base(file))
		if err := os.WriteFile(path, data, 0o700); err != nil {
			return e, err
		}
		if err := os.Chtimes(path, now, now); err != nil {
			return e, err
		}
		e.paths = append(e.paths, path)
	}
	return e, nil
}

// settings is a Maven configuration with a login for maven.bench.test.
const settings = `<settings>
<servers><server><id>bench</id><username>alice</username><password>wonderland</password></server></servers>
<mirrors><mirror><id>bench</id><url>https://maven.bench.test/</url><mirrorOf>*</mirrorOf></mirror></mirrors>
</settings>
`

func newSite(ctx context.Context) (s *site, err error) {
	s = &site{}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.dir, err = os.MkdirTemp("", "chb-"); err != nil {
		return s, err
	}
	// The workspace's path as the system has it: a process is told it in no other way.
	if s.dir, err = filepath.EvalSymlinks(s.dir); err != nil {
		return s, err
	}
	if s.registry, err = registrytest.Start(registrytest.Config{Login: registrytest.Bearer}); err != nil {
		return s, err
	}
	s.registry.SetToken(s.serveToken)

	rule := fmt.Sprintf(`{"urls": [{"host": %q, "helper": "oci", "config": {"parse_docker_config": false, "lookup_chain": [
  {"source": "env", "name": "REGISTRY_USER", "binding": "username"},
  {"source": "env", "name": "REGISTRY_PASSWORD", "binding": "password"}]}},
  {"host": "npm.bench.test", "helper": "registry", "config": {"preset": "npm"}},
  {"host": "maven.bench.test", "helper": "registry", "config": {"preset": "maven"}},
  {"host": "gitlab.bench.test", "helper": "registry", "config": {"preset": "gitlab"}}]}`, s.registry.Host)
	for name, text := range map[string]string{
		"home/.npmrc":                      "//npm.bench.test/:_authToken=npm_0123456789abcdef0123456789abcdef\n",
		"home/.m2/settings.xml":            settings,
		"runtime/.keep":                    "",
		"workspace/MODULE.bazel":           "",
		"workspace/" + place.WorkspaceFile: rule,
		"empty/empty.go":                   "package main\n\nfunc main() {}\n",
	} {
		path := filepath.Join(s.dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return s, err
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return s, err
		}
	}
	home, runtimeDir := filepath.Join(s.dir, "home"), filepath.Join(s.dir, "runtime")
	s.attr = os.ProcAttr{Dir: filepath.Join(s.dir, "workspace"), Env: []string{
		"HOME=" + home, "USERPROFILE=" + home, "LocalAppData=" + home, "AppData=" + home, "SystemRoot=" + os.Getenv("SystemRoot"), "PATH=" + os.Getenv("PATH"),
		"PWD=" + filepath.Join(s.dir, "workspace"), "XDG_RUNTIME_DIR=" + runtimeDir, "REGISTRY_USER=alice", "REGISTRY_PASSWORD=wonderland", "GITLAB_TOKEN=glpat-0123456789abcdef",
		"CREDENTIAL_HELPER_IDLE_TIMEOUT=10m", // should this process be killed, its agent goes soon after
	}}
	s.run = place.RunDir(func(name string) (string, bool) { return runtimeDir, name == "XDG_RUNTIME_DIR" }, "")
	var ok bool
	if s.socket, ok = place.Socket(s.run); !ok {
		return s, fmt.Errorf("the temporary directory's path is too long for a socket: %s", s.dir)
	}

	if s.empty, err = s.goBuild(ctx, filepath.Join(s.dir, "empty", "empty.go")); err != nil {
		return s, err
	}
	if s.program, err = s.goBuild(ctx, "github.com/fe055d52/credential-helper/cmd/credential-helper"); err != nil {
		return s, err
	}
	info, err := os.Stat(s.program.path())
	if err != nil {
		return s, err
	}
	s.build = place.Build{ModTime: info.ModTime().UnixNano(), Size: info.Size()}
	return s, nil
}

// goBuild builds as releases are built.
func (s *site) goBuild(ctx context.Context, what string) (executable, error) {
	path := filepath.Join(s.dir, strings.TrimSuffix(filepath.Base(what), ".go")+"-bin")
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-trimpath", "-ldflags=-s -w", "-o", path, what)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return executable{}, fmt.Errorf("building %s (run this from a checkout): %w", filepath.Base(what), err)
	}
	return newExecutable(path)
}

// serveToken is a token endpoint that takes its time. Its tokens are as long as those of the large registries, and live for an hour,
// so that none of them gets old in a run.
func (s *site) serveToken(w http.ResponseWriter, req *http.Request) {
	time.Sleep(time.Duration(s.delay.Load()))
	if user, password, _ := req.BasicAuth(); user != "alice" || password != "wonderland" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"token": longToken(), "expires_in": 3600})
}

// longToken returns 700 random characters.
func longToken() string {
	var text strings.Builder
	for text.Len() < 700 {
		text.WriteString(rand.Text())
	}
	return text.String()[:700]
}

// get returns a job that asks for the next blob of a repository.
func (s *site) get(repository string) *job {
	s.blobs++
	url := fmt.Sprintf("%s/v2/%s/blobs/sha256:%064x", s.registry.URL, repository, s.blobs)
	return &job{path: s.program.path(), args: []string{"credential-helper", "get"}, request: `{"uri":"` + url + `"}`}
}

// file returns a job that asks for the next file of a package registry.
func (s *site) file(host string) *job {
	s.blobs++
	return &job{path: s.program.path(), args: []string{"credential-helper", "get"}, request: fmt.Sprintf(`{"uri":"https://%s/package%d/file.tgz"}`, host, s.blobs)}
}

// nothing returns a job that runs the empty program, with all that a get is given.
func (s *site) nothing() *job {
	j := s.get("team/app")
	j.path = s.empty.path()
	return j
}

// hundred returns jobs that ask for blobs of n repositories.
func (s *site) hundred(n int) (jobs []*job) {
	for i := range 100 {
		jobs = append(jobs, s.get(fmt.Sprintf("team/app%d", i%n)))
	}
	return jobs
}

// answered reports whether a get got the token that it asked for.
func answered(j *job) bool {
	return strings.HasPrefix(j.answer, `{"headers":{`) && strings.Contains(j.answer, `"Authorization":["Bearer `) && strings.Contains(j.answer, `"expires":"2`)
}

// silent reports whether a process wrote nothing.
func silent(j *job) bool { return j.answer == "" }

// client returns a client for the agent, which starts none.
func (s *site) client() *cache.Client {
	return &cache.Client{Dir: s.run, Socket: s.socket, Build: s.build}
}

// agent returns what the running agent tells of itself.
func (s *site) agent() (status cache.Status, err error) {
	c := s.client()
	defer c.Close()
	reply, err := c.Call(context.Background(), wire.Status)
	if err != nil {
		return status, err
	}
	if len(reply.Fields) != 1 {
		return status, errors.New("the agent's status makes no sense")
	}
	return status, json.Unmarshal([]byte(reply.Fields[0]), &status)
}

// running reports whether there is an agent.
func (s *site) running() bool {
	_, err := s.agent()
	return err == nil
}

// settle waits until an agent that is just starting answers.
func (s *site) settle() (status cache.Status, err error) {
	for deadline := time.Now().Add(3 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		if status, err = s.agent(); err == nil || time.Now().After(deadline) {
			return status, err
		}
	}
}

// launch starts an agent and waits until it answers.
func (s *site) launch() (cache.Status, error) {
	j := &job{path: s.program.path(), args: []string{"credential-helper", "agent-launch"}}
	st, err := runTogether(s.attr, []*job{j}, 1)
	if err != nil {
		return cache.Status{}, err
	}
	if st.failures(func(*job) bool { return true }) > 0 {
		return cache.Status{}, fmt.Errorf("starting the agent: exit status %d, %s", j.exit, strings.TrimSpace(j.complain))
	}
	return s.settle()
}

// forget has the agent forget everything.
func (s *site) forget() error {
	c := s.client()
	defer c.Close()
	_, err := c.Call(context.Background(), wire.Drop, string(cache.All))
	return err
}

// shutdown ends the agent and waits until it is gone.
func (s *site) shutdown() error {
	status, err := s.settle()
	if err != nil {
		return fmt.Errorf("finding the agent to end it: %w", err)
	}
	c := s.client()
	defer c.Close()
	if _, err := c.Call(context.Background(), wire.Quit); err != nil {
		return fmt.Errorf("ending the agent: %w", err)
	}
	for deadline := time.Now().Add(5 * time.Second); alive(status.PID); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("the agent, process %d, does not end", status.PID)
		}
	}
	return nil
}

// close ends what was started and removes what was written.
func (s *site) close() {
	if s.run != "" {
		if _, err := os.Stat(s.socket); err == nil {
			_ = s.shutdown()
		}
	}
	if s.registry != nil {
		s.registry.Close()
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}
