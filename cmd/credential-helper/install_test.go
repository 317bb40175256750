package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/internal/dockerconfig"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/redact"
)

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A dockerMachine is a home directory with the program in its bin directory, and with docker's configuration.
type dockerMachine struct {
	t            *testing.T
	home, config string
	executable   string
	env          *env.Env
	stored       []string
	putError     error
}

func newDockerMachine(t *testing.T, config string) *dockerMachine {
	home := t.TempDir()
	m := &dockerMachine{t: t, home: home, config: filepath.Join(home, ".docker", "config.json"), executable: filepath.Join(home, "bin", "credential-helper")}
	m.env = &env.Env{
		Home: home, ConfigDir: filepath.Join(home, ".config"), Dir: home,
		Get: func(name string) (string, bool) {
			if name == "PATH" {
				return filepath.Join(home, "bin"), true
			}
			return "", false
		},
	}
	noError(t, os.MkdirAll(filepath.Dir(m.executable), 0o700))
	noError(t, os.WriteFile(m.executable, []byte("a program"), 0o700))
	noError(t, os.MkdirAll(filepath.Dir(m.config), 0o700))
	noError(t, os.WriteFile(m.config, []byte(config), 0o600))
	return m
}

func (m *dockerMachine) setup() *dockerSetup {
	return &dockerSetup{
		env: m.env, name: "credhelper", link: newDockerLink(m.executable, "credhelper"),
		put: func(_ context.Context, server, username string, secret redact.Secret) error {
			if m.putError != nil && len(m.stored) == 1 {
				return m.putError
			}
			m.stored = append(m.stored, server+" "+username+" "+secret.Reveal())
			return nil
		},
	}
}

func (m *dockerMachine) text(path string) string {
	m.t.Helper()
	data, err := os.ReadFile(path)
	noError(m.t, err)
	return string(data)
}

const plainLogins = `{"auths":{"ghcr.io":{"auth":"YWxpY2U6d29uZGVybGFuZA=="},"kept.test":{},"registry.test":{"identitytoken":"identity1"},"gcr.io":{"auth":"Ym9iOmJ1aWxkZXIx"}},"credHelpers":{"gcr.io":"gcloud"}}`

func TestInstallTakesOverLogins(t *testing.T) {
	m := newDockerMachine(t, plainLogins)
	s := m.setup()
	s.takeOver = true
	noError(t, s.install(t.Context()))
	if got := strings.Join(m.stored, "; "); got != "ghcr.io alice wonderland; registry.test <token> identity1" {
		t.Errorf("stored %s", got)
	}
	want := "{\n\t\"auths\": {\n\t\t\"ghcr.io\": {},\n\t\t\"kept.test\": {},\n\t\t\"registry.test\": {},\n\t\t\"gcr.io\": {\n\t\t\t\"auth\": \"Ym9iOmJ1aWxkZXIx\"\n\t\t}\n\t},\n\t\"credHelpers\": {\n\t\t\"gcr.io\": \"gcloud\"\n\t},\n\t\"credsStore\": \"credhelper\"\n}"
	if got := m.text(m.config); got != want {
		t.Errorf("docker's configuration is\n%s", got)
	}
	if !strings.Contains(s.out.String(), "\nlogins: ghcr.io, registry.test → store\n") {
		t.Errorf("said\n%s", s.out.String())
	}
}

// TestInstallTakesOverOnlyWhatDockerAsksFor holds that with --registry the logins of others stay, as docker would not find them in the store.
func TestInstallTakesOverOnlyWhatDockerAsksFor(t *testing.T) {
	m := newDockerMachine(t, plainLogins)
	s := m.setup()
	s.takeOver, s.registries = true, []string{"ghcr.io", "gcr.io"}
	noError(t, s.install(t.Context()))
	if got := strings.Join(m.stored, "; "); got != "ghcr.io alice wonderland; gcr.io bob builder1" {
		t.Errorf("stored %s", got)
	}
	if !strings.Contains(m.text(m.config), `"identitytoken": "identity1"`) {
		t.Error("the login of registry.test is gone")
	}
}

func TestInstallThatCannotStoreChangesNothing(t *testing.T) {
	m := newDockerMachine(t, plainLogins)
	m.putError = errors.New("storing it: the keyring is locked")
	s := m.setup()
	s.takeOver = true
	err := s.install(t.Context())
	want := "taking over the login for registry.test: storing it: the keyring is locked; " + filepath.Join("~", ".docker", "config.json") + " is as it was"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if m.text(m.config) != plainLogins {
		t.Error("docker's configuration changed")
	}
	if _, err := os.Lstat(s.link.path); err == nil {
		t.Error("the link was made")
	}
}

// TestInstallThatIsLateChangesNothing holds that a run which was told to be over its time does not go on in the background.
func TestInstallThatIsLateChangesNothing(t *testing.T) {
	m := newDockerMachine(t, "{}")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.setup().install(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if m.text(m.config) != "{}" {
		t.Error("docker's configuration changed")
	}
}

// TestInstallTwoNames holds that each name restores what it replaced.
func TestInstallTwoNames(t *testing.T) {
	const before = "{\n\t\"credsStore\": \"desktop\"\n}"
	m := newDockerMachine(t, before)
	first, second := m.setup(), m.setup()
	second.name, second.link = "second", newDockerLink(m.executable, "second")
	noError(t, first.install(t.Context()))
	noError(t, second.install(t.Context()))
	noError(t, second.uninstall(t.Context()))
	if got := m.text(m.config); !strings.Contains(got, `"credhelper"`) {
		t.Errorf("docker's configuration is %s", got)
	}
	noError(t, m.setup().uninstall(t.Context()))
	if got := m.text(m.config); got != before {
		t.Errorf("docker's configuration is %s", got)
	}
}

// TestDockerCopy is how it works where there are no symbolic links.
func TestDockerCopy(t *testing.T) {
	m := newDockerMachine(t, "{}")
	install := func() error {
		s := m.setup()
		s.link.copies = true
		return s.install(t.Context())
	}
	path := m.setup().link.path
	noError(t, install())
	if m.text(path) != "a program" {
		t.Error("no copy was made")
	}
	noError(t, os.WriteFile(m.executable, []byte("its next version"), 0o700))
	noError(t, install())
	if m.text(path) != "its next version" {
		t.Error("the copy is of the earlier version")
	}
	noError(t, os.WriteFile(path, []byte("somebody else's"), 0o700))
	want := "making " + m.env.Display(path) + ": it is there already, and is another program"
	if err := install(); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	noError(t, os.WriteFile(path, []byte("its next version"), 0o700))
	s := m.setup()
	s.link.copies = true
	noError(t, s.uninstall(t.Context()))
	if _, err := os.Lstat(path); err == nil {
		t.Error("the copy is still there")
	}
	state, err := dockerconfig.ReadState(m.env)
	if err != nil || len(state.Copies) > 0 {
		t.Errorf("remembered: %+v, %v", state, err)
	}
}

func TestInstallOffPath(t *testing.T) {
	m := newDockerMachine(t, "{}")
	m.env.Get = func(name string) (string, bool) {
		if name == "PATH" {
			return "relative" + string(filepath.ListSeparator) + filepath.Join(m.home, "elsewhere"), true
		}
		return "", false
	}
	s := m.setup()
	noError(t, s.install(t.Context()))
	want := "\nhint: " + filepath.Join("~", "bin") + " is not on PATH, where docker looks for " + filepath.Base(s.link.path) + "\n"
	if !strings.Contains(s.out.String(), want) {
		t.Errorf("said\n%s", s.out.String())
	}
}

// TestInstallWhereNothingCanBeMade is about a directory of the program that is not the user's.
func TestInstallWhereNothingCanBeMade(t *testing.T) {
	m := newDockerMachine(t, "{}")
	s := m.setup()
	noError(t, os.RemoveAll(filepath.Dir(m.executable)))
	want := "making " + m.env.Display(s.link.path) + ": "
	if err := s.install(t.Context()); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s…", err, want)
	}
	if m.text(m.config) != "{}" {
		t.Error("docker's configuration changed")
	}
}

func TestCalledAs(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs symbolic links")
	}
	root := t.TempDir()
	self := filepath.Join(root, "cellar", "credential-helper")
	for _, dir := range []string{"cellar", "bin", "other"} {
		noError(t, os.Mkdir(filepath.Join(root, dir), 0o700))
	}
	noError(t, os.WriteFile(self, []byte("a program"), 0o700))
	noError(t, os.WriteFile(filepath.Join(root, "other", "credential-helper"), []byte("another"), 0o700))
	link := filepath.Join(root, "bin", "credential-helper")
	noError(t, os.Symlink(self, link))
	noError(t, os.Symlink("credential-helper", filepath.Join(root, "bin", "docker-credential-x")))
	for _, tt := range []struct{ name, arg0, path, self, want string }{
		{"by its path", self, "bin", self, self},
		{"by a relative path", "bin/credential-helper", "", self, link},
		{"found on PATH by a link", "credential-helper", "other:bin:cellar", self, link},
		{"not found", "credential-helper", "other", self, self},
		{"by another name", "something", "bin", self, self},
		{"by the name for docker", "docker-credential-x", "bin", self, self},
		{"by the name for docker, where the system says so", "docker-credential-x", "bin", filepath.Join(root, "bin", "docker-credential-x"), self},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var dirs []string
			for dir := range strings.SplitSeq(tt.path, ":") {
				if dir != "" {
					dirs = append(dirs, filepath.Join(root, dir))
				}
			}
			e := &env.Env{Dir: root, Get: func(string) (string, bool) { return strings.Join(dirs, ":"), true }}
			got := calledAs(e, tt.arg0, tt.self)
			if resolved, err := filepath.EvalSymlinks(tt.want); tt.want == self && err == nil && got == resolved {
				return
			}
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestValidDockerName(t *testing.T) {
	for name, want := range map[string]bool{
		"credhelper": true, "a.b-c_9": true, "": false, "-x": false, "x.": false, "a/b": false, `a\b`: false, "a b": false, "é": false, "a\nb": false,
		strings.Repeat("a", 64): true, strings.Repeat("a", 65): false,
	} {
		if validDockerName(name) != want {
			t.Errorf("%q: want %v", name, want)
		}
	}
}
