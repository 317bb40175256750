package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/internal/peertest"
)

// TestCanariesOfTheKeyring does for a real Secret Service what TestCanaries does for the other inputs: its secret is in no output but those that print it,
// and in no file, be the keyring open or locked.
func TestCanariesOfTheKeyring(t *testing.T) {
	for name, state := range map[string]peertest.KeyringState{"unlocked": peertest.Unlocked, "locked": peertest.Locked} {
		t.Run(name, func(t *testing.T) {
			s := peertest.SecretService(t, state)
			looked := canaries{map[string]string{}, map[string]string{}}
			secret := looked.value("the keyring's")
			rules := filepath.Join(s.Home, "rules.json")
			must(t, os.WriteFile(rules, []byte(keyringRules), 0o600))
			run := func(stdin string, may bool, args ...string) {
				r := s.Run(append([]string{program(t)}, args...), []string{"CREDENTIAL_HELPER_CONFIG_FILE=" + rules, "CREDENTIAL_HELPER_STANDALONE=1", atDebug}, stdin)
				names, context := looked.in(r.Stdout)
				if found := len(names) > 0; found && !may || !found && may && state == peertest.Unlocked {
					t.Errorf("%q: it is in the output: %v, …%s…, %s", args, found, context, r.Stderr)
				}
				if names, context := looked.in(r.Stderr); len(names) > 0 {
					t.Errorf("standard error of %q has it: …%s…", args, context)
				}
			}
			const url = "https://keyring.test/x"
			login := `{"ServerURL": "stored.test", "Username": "alice", "Secret": "` + secret + `"}`
			run(secret+"\n", false, "setup-keyring", "test:tokens")
			run("", true, "setup-keyring", "--read", "test:tokens")
			run(bazelRequest(url), true, "get")
			for _, args := range [][]string{{"explain", url}, {"explain", "--json", url}, {"check", url}, {"setup-uri", url}, {"doctor"}, {"docker", "list"}, {"init", "--dry-run"}} {
				run("", false, args...)
			}
			run(login, false, "docker", "store")
			run("stored.test\n", true, "docker", "get")
			run("stored.test\n", false, "docker", "erase")
			run(secret[:12]+"\n"+secret[12:]+"\n\n", false, "setup-keyring", "test:tokens") // of two lines, which no header can have
			run(bazelRequest(url), false, "get")
			run("", false, "setup-keyring", "--clear", "test:tokens")
			searchHome(t, looked, s.Home)
		})
	}
}

// TestCanariesTyped does it for what is typed at a terminal.
func TestCanariesTyped(t *testing.T) {
	looked := canaries{map[string]string{}, map[string]string{}}
	secret := looked.value("the typed one")
	for name, end := range map[string]string{"stored": "\n", "interrupted": "\x03", "corrected": "\x7f\n", "wiped out": "\x15\n"} {
		t.Run(name, func(t *testing.T) {
			env := append(fileKeyring(t), atDebug)
			term := newTerminal(t)
			wait := term.start(env, "setup-keyring", "svc")
			term.waitFor("Secret for svc")
			term.waitForEcho(false)
			term.typeText(secret + end)
			_ = wait()
			if names, context := looked.in(term.text()); len(names) > 0 {
				t.Errorf("the terminal shows it: …%s…", context)
			}
			home, _ := strings.CutPrefix(env[0], "HOME=")
			searchHome(t, looked, home)
		})
	}
}

// searchHome searches all files of a directory.
func searchHome(t *testing.T, looked canaries, home string) {
	t.Helper()
	c := &cage{site: &site{t: t, home: home}}
	for path, text := range c.files() {
		if names, context := looked.in(text); len(names) > 0 {
			t.Errorf("%s has it: …%s…", path, context)
		}
	}
}
