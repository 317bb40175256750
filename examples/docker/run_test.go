// Package docker tests the script in this directory.
package docker

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/internal/peertest"
	"github.com/fe055d52/credential-helper/internal/registrytest"
)

const (
	user, password = "alice", "wonderland-canary"
	image          = "team/app:v1"
)

// TestRun runs the script with Docker's command against registries with both kinds of login. The keyring is an encrypted file.
func TestRun(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the script is for Unix")
	}
	docker := peertest.Require(t, "docker", "apt-get install docker-cli")
	script, err := filepath.Abs("run.sh")
	if err != nil {
		t.Fatal(err)
	}
	for name, login := range map[string]registrytest.Login{"basic": registrytest.Basic, "bearer": registrytest.Bearer} {
		t.Run(name, func(t *testing.T) {
			registry, err := registrytest.Start(registrytest.Config{Login: login, Users: map[string]string{user: password}})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(registry.Close)
			if _, err := registry.Push(t.Context(), "team/app", "v1"); err != nil {
				t.Fatal(err)
			}
			s := newHome(t, filepath.Dir(docker), fmt.Sprintf(`{"urls": [{"host": %q, "helper": "oci"}]}`, registry.Host))
			argv := []string{script, registry.Host, user, image}

			r := peertest.Run(t, s.dir, s.env, argv, password)
			if r.Code != 0 || strings.Contains(r.Stdout+r.Stderr, password) {
				t.Fatalf("%+v", r)
			}
			for _, want := range []string{"credsStore: none → credhelper\n", "Login Succeeded\n", "docker reads " + registry.Host + "/" + image + "\n", "with      200 OK\n", "Removing login credentials"} {
				if !strings.Contains(r.Stdout, want) {
					t.Errorf("it does not print %q but\n%s", want, r.Stdout)
				}
			}
			config, err := os.ReadFile(filepath.Join(s.dir, ".docker", "config.json"))
			if err != nil || strings.Contains(string(config), "credhelper") || strings.Contains(string(config), user) {
				t.Errorf("it leaves %s, %v", config, err)
			}

			// With a wrong password nothing is kept.
			if r := peertest.Run(t, s.dir, s.env, argv, "looking-glass"); r.Code == 0 || strings.Contains(r.Stdout, "docker reads") {
				t.Errorf("with a wrong password: %+v", r)
			}
			if r := peertest.Run(t, s.dir, s.env, []string{filepath.Join(s.dir, "bin", "credential-helper"), "docker", "list"}, ""); r.Stdout != "{}\n" {
				t.Errorf("what is left is %+v", r)
			}
		})
	}
}

type home struct {
	dir string
	env []string
}

// newHome makes a home with our program and a keyring of its own, and with rules for Bazel.
func newHome(t *testing.T, docker, rules string) home {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "bin", "credential-helper")
	if r := peertest.Run(t, "", nil, []string{"go", "build", "-o", program, "github.com/fe055d52/credential-helper/cmd/credential-helper"}, ""); r.Code != 0 {
		t.Fatalf("%+v", r)
	}
	for name, text := range map[string]string{"rules.json": rules, "passphrase": "a passphrase for a test\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := []string{filepath.Dir(program), docker, "/usr/bin", "/bin"}
	return home{dir, []string{
		"HOME=" + dir, "PATH=" + strings.Join(path, string(filepath.ListSeparator)),
		"DOCKER_HOST=unix://" + filepath.Join(dir, "no-engine"), // nothing here needs one
		"PLAIN_HTTP=1",
		"CREDENTIAL_HELPER_STANDALONE=1",
		"CREDENTIAL_HELPER_CONFIG_FILE=" + filepath.Join(dir, "rules.json"),
		"CREDENTIAL_HELPER_KEYRING=file",
		"CREDENTIAL_HELPER_KEYRING_PASSPHRASE_FILE=" + filepath.Join(dir, "passphrase"),
	}}
}
