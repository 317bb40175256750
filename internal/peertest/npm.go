package peertest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// An NPMRegistry is a running registry of npm packages, verdaccio (https://verdaccio.org), empty and private: who is not logged in gets nothing.
// It has no upstream registry.
type NPMRegistry struct {
	// Host is the registry's host and port: "127.0.0.1:41234". The registry is asked by plain HTTP.
	Host string

	t            testing.TB
	npm, storage string
}

// Verdaccio starts a registry without users. It ends with the test.
func Verdaccio(t testing.TB) *NPMRegistry {
	t.Helper()
	program := Require(t, "verdaccio", "npm install --global verdaccio@5")
	dir := t.TempDir()
	r := &NPMRegistry{t: t, npm: Require(t, "npm", "apt-get install npm"), storage: filepath.Join(dir, "storage")}
	loggedIn := map[string]any{"access": "$authenticated", "publish": "$authenticated"}
	// JSON is a form of YAML.
	config, err := json.Marshal(map[string]any{
		"storage":     r.storage,
		"auth":        map[string]any{"htpasswd": map[string]any{"file": filepath.Join(dir, "htpasswd"), "algorithm": "bcrypt", "rounds": 4}},
		"uplinks":     map[string]any{},
		"packages":    map[string]any{"@*/*": loggedIn, "**": loggedIn},
		"web":         map[string]any{"enable": false},
		"middlewares": map[string]any{},
		"log":         map[string]any{"type": "stdout", "format": "pretty", "level": "warn"},
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(path, config, 0o600); err != nil {
		t.Fatal(err)
	}
	r.Host = onIPv4(serve(t, func(addr string) []string { return []string{program, "--config", path, "--listen", onIPv4(addr)} }))
	return r
}

// onIPv4 makes "127.0.0.1:41234" of "localhost:41234".
func onIPv4(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return net.JoinHostPort("127.0.0.1", port)
}

// AddUser makes an account with npm adduser, which asks for the name, the password and the address as it asks a person,
// and keeps the token that it gets in .npmrc in the home directory.
func (r *NPMRegistry) AddUser(home, name, password string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), runLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.npm, "adduser", "--auth-type=legacy")
	cmd.Dir, cmd.Env, cmd.WaitDelay = home, r.env(home), time.Second
	tether(cmd)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	defer stdin.Close()
	person := &person{stdin: stdin, answers: [][2]string{{"Username", name}, {"Password", password}, {"Email", name + "@example.com"}}}
	cmd.Stdout, cmd.Stderr = person, person
	if err := cmd.Run(); err != nil {
		r.t.Fatalf("npm adduser: %v\n%s", err, person.seen.String())
	}
}

// A person reads what a program writes, and answers each of its prompts when it comes: npm reads each answer with a reader of its own,
// which would swallow those that follow.
type person struct {
	stdin   io.Writer
	answers [][2]string // by prompt, in the order in which they come
	seen    bytes.Buffer
}

func (p *person) Write(output []byte) (int, error) {
	p.seen.Write(output)
	if len(p.answers) > 0 && bytes.Contains(p.seen.Bytes(), []byte(p.answers[0][0])) {
		answer := p.answers[0][1]
		p.answers = p.answers[1:]
		if _, err := fmt.Fprintln(p.stdin, answer); err != nil {
			return 0, err
		}
	}
	return len(output), nil
}

// Publish publishes a package with npm publish, as the user whose token is in the home directory, and returns its tarball as the registry keeps it.
func (r *NPMRegistry) Publish(home, name, version string) []byte {
	r.t.Helper()
	dir := r.t.TempDir()
	manifest, err := json.Marshal(map[string]string{"name": name, "version": version, "description": "A package for tests", "license": "MIT", "main": "index.js"})
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "package.json"), manifest, 0o600)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "index.js"), fmt.Appendf(nil, "module.exports = %q;\n", name), 0o600)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	if got := Run(r.t, dir, r.env(home), []string{r.npm, "publish"}, ""); got.Code != 0 {
		r.t.Fatalf("npm publish: %+v", got)
	}
	content, err := os.ReadFile(filepath.Join(r.storage, filepath.FromSlash(name), tarball(name, version)))
	if err != nil {
		r.t.Fatal(err)
	}
	return content
}

// env returns the variables of an npm that knows this registry alone.
func (r *NPMRegistry) env(home string) []string {
	return []string{
		"HOME=" + home, "PATH=" + os.Getenv("PATH"), "LC_ALL=C",
		"npm_config_registry=http://" + r.Host + "/",
		"npm_config_globalconfig=" + filepath.Join(home, "no-global-npmrc"),
		"npm_config_cache=" + filepath.Join(home, ".npm"),
		"npm_config_update_notifier=false", "npm_config_audit=false", "npm_config_fund=false",
		"npm_config_loglevel=warn",
	}
}

// MetadataURL returns the URL of what the registry says of a package.
func (r *NPMRegistry) MetadataURL(name string) string {
	return "http://" + r.Host + "/" + strings.ReplaceAll(name, "/", "%2f")
}

// TarballURL returns the URL of a package's content.
func (r *NPMRegistry) TarballURL(name, version string) string {
	return "http://" + r.Host + "/" + name + "/-/" + tarball(name, version)
}

func tarball(name, version string) string { return path.Base(name) + "-" + version + ".tgz" }
