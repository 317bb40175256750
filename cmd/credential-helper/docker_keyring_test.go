package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/internal/peertest"
	"github.com/fe055d52/credential-helper/internal/registrytest"
)

// TestDockerKeyringCached is about Bazel's dialect, which keeps its answers in a cache: what is stored in the system's keyring, or erased from it,
// changes no file from which the cache could tell.
func TestDockerKeyringCached(t *testing.T) {
	s := peertest.SecretService(t, peertest.Unlocked)
	registry, err := registrytest.Start(registrytest.Config{Login: registrytest.Basic, Users: logins})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(registry.Close)
	helper := linkForDocker(t, filepath.Join(s.Home, "bin"))
	rules, config := filepath.Join(s.Home, "rules.json"), filepath.Join(s.Home, ".docker", "config.json")
	for path, text := range map[string]string{rules: ociRule(registry.Host, ""), config: storeConfig} {
		err := os.MkdirAll(filepath.Dir(path), 0o700)
		if err == nil {
			err = os.WriteFile(path, []byte(text), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	env := []string{
		withoutAgent, "CREDENTIAL_HELPER_CONFIG_FILE=" + rules,
		"PATH=" + filepath.Dir(helper) + string(filepath.ListSeparator) + os.Getenv("PATH"),
	}
	at := registry.URL + "/v2/team/app/manifests/v1"
	get := func() http.Header {
		t.Helper()
		headers, _ := readAnswer(t, at, s.Run([]string{helper, "get"}, env, bazelRequest(at)))
		return headers
	}
	change := func(action, stdin string) {
		t.Helper()
		if got := s.Run([]string{helper, action}, env, stdin); got != (peertest.Result{}) {
			t.Fatalf("%s: %+v", action, got)
		}
	}
	for _, user := range []string{"alice", "bob"} {
		change("store", dockerLogin(registry.Host, user, logins[user]))
		for range 2 {
			if got, want := get().Get("Authorization"), basic(user); got != want {
				t.Errorf("%s is logged in, and get says %s", user, got)
			}
		}
	}
	asked := len(registry.Requests())
	if get(); len(registry.Requests()) != asked {
		t.Error("the answer does not come from the cache, which this test is about")
	}
	change("erase", registry.Host)
	if got := get(); len(got) != 0 {
		t.Errorf("nobody is logged in, and get says %v", got)
	}
}

// A dockerStep is one run of the program under its Docker name.
type dockerStep struct {
	action, stdin string
	want          peertest.Result
}

func testDockerSteps(t *testing.T, state peertest.KeyringState, env []string, steps []dockerStep) {
	t.Helper()
	s := peertest.SecretService(t, state)
	helper := linkForDocker(t, filepath.Join(s.Home, "bin"))
	for _, step := range steps {
		start := time.Now()
		if got := s.Run([]string{helper, step.action}, append([]string{withoutAgent}, env...), step.stdin); got != step.want {
			t.Errorf("%s:\n got %+v\nwant %+v", step.action, got, step.want)
		}
		if took := time.Since(start); took > prompt {
			t.Errorf("%s took %v", step.action, took)
		}
	}
}

func TestDockerKeyring(t *testing.T) {
	ok := func(stdout string) peertest.Result { return peertest.Result{Stdout: stdout} }
	refused := func(stdout string) peertest.Result { return peertest.Result{Stdout: stdout, Code: 1} }
	const server = "registry.test"
	alice, bob := dockerLogin(server, "alice", "w0nderland"), dockerLogin(server, "bob", strings.Repeat("bu1lder", 1000))

	t.Run("unlocked", func(t *testing.T) {
		testDockerSteps(t, peertest.Unlocked, nil, []dockerStep{
			{"get", server, refused(dockerNotFound)},
			{"list", "unused", ok("{}\n")},
			{"erase", server, ok("")},
			{"store", alice, ok("")},
			{"get", server, ok(`{"ServerURL":"registry.test","Username":"alice","Secret":"w0nderland"}` + "\n")},
			{"list", "unused", ok(`{"registry.test":"alice"}` + "\n")},
			{"store", bob, ok("")},
			{"get", server, ok(`{"ServerURL":"registry.test","Username":"bob","Secret":"` + strings.Repeat("bu1lder", 1000) + `"}` + "\n")},
			{"store", alice, ok("")},
			{"list", "unused", ok(`{"registry.test":"alice"}` + "\n")},
			{"erase", "https://registry.test/v2/", ok("")},
			{"get", server, refused(dockerNotFound)},
			{"list", "unused", ok("{}\n")},
			{"erase", server, ok("")},
		})
	})
	t.Run("locked", func(t *testing.T) {
		locked := func(doing, account string) peertest.Result {
			return refused("credential-helper: " + doing + " service \"credential-helper:docker\", account \"" + account + "\" from the keyring: the keyring is locked\n" +
				"hint: log in to the desktop session, or unlock it from here: read -rs P && printf %s \"$P\" | gnome-keyring-daemon --replace --unlock\n")
		}
		testDockerSteps(t, peertest.Locked, nil, []dockerStep{
			{"store", alice, locked("storing the login for registry.test: reading", "#index")},
			{"get", server, locked("reading", server)},
			{"list", "unused", locked("reading", "#index")},
			{"erase", server, locked("removing", server)},
		})
	})
	const advice = "hint: set CREDENTIAL_HELPER_KEYRING=file and CREDENTIAL_HELPER_KEYRING_PASSPHRASE_FILE or CREDENTIAL_HELPER_KEYRING_IDENTITY, to keep logins in an encrypted file\n" +
		"hint: or take \"credsStore\" or \"credHelpers\" for registry.test out of docker's config.json, to leave this login to docker's own file\n"
	absent := func(why string) []dockerStep {
		return []dockerStep{
			{"store", alice, refused("credential-helper: storing the login for registry.test: there is no keyring here: " + why + "\n" + advice)},
			{"get", server, refused(dockerNotFound)},
			{"list", "unused", ok("{}\n")},
			{"erase", server, ok("")},
		}
	}
	t.Run("absent", func(t *testing.T) {
		testDockerSteps(t, peertest.NoService, nil, absent("no Secret Service (org.freedesktop.secrets) runs on the session bus"))
	})
	t.Run("no session bus", func(t *testing.T) {
		testDockerSteps(t, peertest.NoService, []string{"DBUS_SESSION_BUS_ADDRESS=", "XDG_RUNTIME_DIR=/nonexistent"},
			absent("no D-Bus session bus (neither $DBUS_SESSION_BUS_ADDRESS nor a socket $XDG_RUNTIME_DIR/bus)"))
	})
}
