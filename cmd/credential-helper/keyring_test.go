package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/internal/peertest"
)

const (
	keyringSecret = "k3yr1ng-canary"
	// keyringRules serves keyring.test from the keyring alone, and fallback.test from a variable after it.
	keyringRules = `{"urls": [
	{"host": "keyring.test", "helper": "registry", "config": {"lookup_chain": [{"source": "keyring", "service": "test:tokens"}]}},
	{"host": "fallback.test", "helper": "registry", "config": {"lookup_chain": [{"source": "keyring", "service": "test:tokens"}, {"source": "env", "name": "FALLBACK"}]}}
]}`
	// prompt is how long a command may take at most that neither waits for a person nor for its time limit, which is 8 s.
	prompt = 3 * time.Second
)

// A keyringStep is one run of the program, and what has to come of it. RULES stands for the path of the config file.
//
// The cache in files is on: what is stored in the keyring, or removed from it, takes effect at once.
type keyringStep struct {
	args           string // separated by spaces
	stdin          string
	code           int
	stdout, stderr string
	env            []string
}

func (s keyringStep) test(t *testing.T, run func(argv, env []string, stdin string) peertest.Result, rules string) {
	t.Helper()
	start := time.Now()
	argv := append([]string{program(t)}, strings.Fields(s.args)...)
	got := run(argv, append([]string{"CREDENTIAL_HELPER_CONFIG_FILE=" + rules, "CREDENTIAL_HELPER_CACHE=file"}, s.env...), s.stdin)
	want := peertest.Result{Stdout: s.stdout, Stderr: strings.ReplaceAll(s.stderr, "RULES", rules), Code: s.code}
	if got != want {
		t.Errorf("%s:\n got %+v\nwant %+v", s.args, got, want)
	}
	if took := time.Since(start); took > prompt {
		t.Errorf("%s took %v", s.args, took)
	}
}

// inSession returns how the steps of a test are run, and the config file for them.
func inSession(t *testing.T, state peertest.KeyringState) (run func(argv, env []string, stdin string) peertest.Result, rules string) {
	t.Helper()
	s := peertest.SecretService(t, state)
	program(t) // the first to need it builds it, which is not to be counted as the program's own time
	rules = filepath.Join(t.TempDir(), "rules.json")
	if err := os.WriteFile(rules, []byte(keyringRules), 0o600); err != nil {
		t.Fatal(err)
	}
	return s.Run, rules
}

func TestKeyringUnlocked(t *testing.T) {
	run, rules := inSession(t, peertest.Unlocked)
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("from-file\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const (
		stored  = "Stored secret test:tokens\nA rule's \"lookup_chain\" finds it with {\"source\": \"keyring\", \"service\": \"test:tokens\"}\n"
		noEntry = "credential-helper: the keyring has no entry for service \"test:tokens\"\n"
		toRead  = noEntry + "hint: credential-helper setup-keyring test:tokens < FILE stores one\n"
		missing = "credential-helper: https://keyring.test/x: no login found: the keyring has no entry for service \"test:tokens\"\n" +
			"hint: credential-helper setup-uri https://keyring.test/x tells how, or set \"on_missing\": \"anonymous\" in the config of the rule at RULES:2\n"
	)
	request, fallback := bazelRequest("https://keyring.test/x"), bazelRequest("https://fallback.test/x")
	bearer := func(token string) string {
		return `{"headers":{"Authorization":["Bearer ` + token + `"]}}` + "\n"
	}
	for _, step := range []keyringStep{
		{args: "setup-keyring --read test:tokens", code: 1, stderr: toRead},
		{args: "get", stdin: request, code: 1, stderr: missing},
		{args: "get", stdin: fallback, stdout: bearer("from-variable"), env: []string{"FALLBACK=from-variable"}},
		{args: "setup-keyring test:tokens", stdin: keyringSecret + "\n", stdout: stored},
		{args: "setup-keyring --read test:tokens", stdout: keyringSecret},
		{args: "get", stdin: request, stdout: bearer(keyringSecret)},
		{args: "get", stdin: fallback, stdout: bearer(keyringSecret), env: []string{"FALLBACK=from-variable"}},
		{args: "setup-keyring --file " + file + " test:tokens", stdout: stored},
		{args: "setup-keyring --read test:tokens", stdout: "from-file"},
		{args: "get", stdin: request, stdout: bearer("from-file")},
		// Only one line end is not the secret's.
		{args: "setup-keyring test:tokens", stdin: "two\nlines\n\n", stdout: stored},
		{args: "setup-keyring --read test:tokens", stdout: "two\nlines\n"},
		{
			args: "get", stdin: request, code: 1,
			stderr: "credential-helper: https://keyring.test/x: using the login from keyring service \"test:tokens\": the value has a line break\n" +
				"hint: a secret is one line of text: write it there anew, without what does not belong to it\n",
		},
		{
			args: "setup-keyring test:tokens", stdin: "\n", code: 1,
			stderr: "credential-helper: the secret is empty; nothing was stored\nhint: credential-helper setup-keyring --clear SERVICE removes a stored secret\n",
		},
		{args: "setup-keyring --read test:tokens", stdout: "two\nlines\n"},
		// An account's entry is another one.
		{
			args: "setup-keyring --account bob test:tokens", stdin: "of-bob\n",
			stdout: strings.TrimSuffix(stored, "}\n") + ", \"account\": \"bob\"}\n",
		},
		{args: "setup-keyring --account bob --read test:tokens", stdout: "of-bob"},
		{args: "setup-keyring --account bob --clear test:tokens", stdout: "Cleared secret test:tokens\n"},
		{args: "setup-keyring --read test:tokens", stdout: "two\nlines\n"},
		{args: "setup-keyring --clear test:tokens", stdout: "Cleared secret test:tokens\n"},
		{args: "setup-keyring --clear test:tokens", code: 1, stderr: noEntry},
		{args: "get", stdin: request, code: 1, stderr: missing},
		// An answer that is kept goes with the entry that it was made from.
		{args: "setup-keyring test:tokens", stdin: keyringSecret, stdout: stored},
		{args: "get", stdin: request, stdout: bearer(keyringSecret)},
		{args: "setup-keyring --clear test:tokens", stdout: "Cleared secret test:tokens\n"},
		{args: "get", stdin: request, code: 1, stderr: missing},
		{args: "get", stdin: fallback, stdout: bearer("from-variable"), env: []string{"FALLBACK=from-variable"}},
		{
			args: "setup-keyring --file " + file + ".gone test:tokens", code: 1,
			stderr: "credential-helper: reading the secret from " + file + ".gone: no such file or directory\n",
		},
	} {
		step.test(t, run, rules)
	}
}

func TestKeyringLocked(t *testing.T) {
	run, rules := inSession(t, peertest.Locked)
	const (
		locked = "the keyring: the keyring is locked\n" +
			"hint: log in to the desktop session, or unlock it from here: read -rs P && printf %s \"$P\" | gnome-keyring-daemon --replace --unlock\n"
		reading = "reading service \"test:tokens\" from " + locked
	)
	for _, step := range []keyringStep{
		{args: "get", stdin: bazelRequest("https://keyring.test/x"), code: 1, stderr: "credential-helper: https://keyring.test/x: looking up a login: " + reading},
		// A locked keyring is not passed over: what stands behind it was not meant to be used.
		{
			args: "get", stdin: bazelRequest("https://fallback.test/x"), code: 1, env: []string{"FALLBACK=from-variable"},
			stderr: "credential-helper: https://fallback.test/x: looking up a login: " + reading,
		},
		{args: "setup-keyring --read test:tokens", code: 1, stderr: "credential-helper: " + reading},
		{args: "setup-keyring test:tokens", stdin: keyringSecret, code: 1, stderr: "credential-helper: writing service \"test:tokens\" to " + locked},
		{args: "setup-keyring --clear test:tokens", code: 1, stderr: "credential-helper: removing service \"test:tokens\" from " + locked},
	} {
		step.test(t, run, rules)
	}
}

// TestKeyringAbsent is about a machine without a session bus. It needs no peer, and there is none that may appear.
func TestKeyringAbsent(t *testing.T) {
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		t.Skip("the Secret Service is for Linux and BSD")
	}
	const (
		none    = "there is no keyring here: no D-Bus session bus (neither $DBUS_SESSION_BUS_ADDRESS nor a socket $XDG_RUNTIME_DIR/bus)"
		missing = "credential-helper: https://fallback.test/x: no login found: " + none + "; $FALLBACK is not set\n" +
			"hint: credential-helper setup-uri https://fallback.test/x tells how, or set \"on_missing\": \"anonymous\" in the config of the rule at RULES:3\n"
		noStore = "credential-helper: " + none + "\n" +
			"hint: CREDENTIAL_HELPER_KEYRING=file uses an encrypted file in its place; or use the source \"file\" or \"env\" for this secret\n"
	)
	program(t)
	for _, tt := range []struct {
		name string
		env  []string
	}{
		{"nothing set", nil},
		{"no socket", []string{"XDG_RUNTIME_DIR=/nonexistent"}},
		{"a bus to be started", []string{"DBUS_SESSION_BUS_ADDRESS=autolaunch:"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			home, bin := t.TempDir(), t.TempDir()
			launched := filepath.Join(home, "launched")
			for _, name := range []string{"dbus-launch", "dbus-daemon"} {
				script := "#!/bin/sh\necho " + name + " \"$@\" >>'" + launched + "'\n"
				if err := os.WriteFile(filepath.Join(bin, name), []byte(script), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			rules := filepath.Join(home, "rules.json")
			if err := os.WriteFile(rules, []byte(keyringRules), 0o600); err != nil {
				t.Fatal(err)
			}
			run := func(argv, env []string, stdin string) peertest.Result {
				env = append([]string{"HOME=" + home, "PATH=" + bin + string(filepath.ListSeparator) + os.Getenv("PATH")}, env...)
				return peertest.Run(t, home, append(env, tt.env...), argv, stdin)
			}
			for _, step := range []keyringStep{
				{
					args: "get", stdin: bazelRequest("https://fallback.test/x"), env: []string{"FALLBACK=from-variable"},
					stdout: `{"headers":{"Authorization":["Bearer from-variable"]}}` + "\n",
				},
				{args: "get", stdin: bazelRequest("https://fallback.test/x"), code: 1, stderr: missing},
				{args: "setup-keyring --read test:tokens", code: 1, stderr: noStore},
				{args: "setup-keyring test:tokens", stdin: keyringSecret, code: 1, stderr: noStore},
				{args: "setup-keyring --clear test:tokens", code: 1, stderr: noStore},
			} {
				step.test(t, run, rules)
			}
			if text, err := os.ReadFile(launched); err == nil {
				t.Errorf("a session bus was started:\n%s", text)
			}
			for _, left := range processesWith(t, "HOME="+home) {
				t.Errorf("a process is left: %s", left)
			}
		})
	}
}

// processesWith returns the command lines of the processes that have a variable in their environment, where the system tells.
func processesWith(t *testing.T, variable string) []string {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, path := range paths {
		environ, err := os.ReadFile(path)
		if err != nil || !strings.Contains("\x00"+string(environ), "\x00"+variable+"\x00") {
			continue
		}
		argv, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		found = append(found, strings.ReplaceAll(string(argv), "\x00", " "))
	}
	return found
}
