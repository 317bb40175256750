//go:build (freebsd && cgo) || linux || netbsd || openbsd

package lookup

import (
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/internal/keyring"
	"github.com/fe055d52/credential-helper/internal/peertest"
	"github.com/fe055d52/credential-helper/internal/redact"
)

// inSession returns sources that see the variables of a session.
func inSession(t *testing.T, state peertest.KeyringState) *Sources {
	t.Helper()
	vars := map[string]string{}
	s := newSources(t, vars)
	for _, variable := range peertest.SecretService(t, state).Env() {
		if name, value, _ := strings.Cut(variable, "="); name == "DBUS_SESSION_BUS_ADDRESS" || name == "XDG_RUNTIME_DIR" {
			vars[name] = value
		}
	}
	return s
}

func TestKeyring(t *testing.T) {
	s := inSession(t, peertest.Unlocked)
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", s.Env.Var("DBUS_SESSION_BUS_ADDRESS")) // to be restored: package keyring sets it
	for _, entry := range [][3]string{
		{"tokens", "", canary},
		{"tokens", "bob", "bob's"},
		{"gh:github.com", "bob", "the CLI's, for bob"},
		{"gh:github.example.com", "", "the CLI's, for nobody"},
	} {
		if err := keyring.Set(t.Context(), s.Env, entry[0], entry[1], redact.Hold(entry[2])); err != nil {
			t.Fatal(err)
		}
	}
	write(t, s, ".config/gh/hosts.yml", "github.com:\n  user: bob\n  users:\n    bob:\ngithub.example.com:\n  user: eve\nthird.example.com:\n  user: bob\n")
	for _, tt := range []struct {
		name   string
		source Source
		want   outcome
	}{
		{"service", s.Keyring("tokens", ""), outcome{values: "default=" + canary}},
		{"service and account", s.Keyring("tokens", "bob"), outcome{values: "default=bob's"}},
		{"decoded", decodeOne(t, s, `{"source": "keyring", "name": "tokens", "account": "bob"}`), outcome{values: "default=bob's"}},
		{"another service", s.Keyring("other", ""), outcome{kind: "not found", err: `the keyring has no entry for service "other"`}},
		{"another account", s.Keyring("tokens", "eve"), outcome{kind: "not found", err: `the keyring has no entry for service "tokens", account "eve"`}},
		{"the GitHub CLI's active user", s.GitHubCLI("github.com"), outcome{values: "default=the CLI's, for bob"}},
		{"the GitHub CLI, under no name", s.GitHubCLI("github.example.com"), outcome{values: "default=the CLI's, for nobody"}},
		{"the GitHub CLI, nowhere", s.GitHubCLI("third.example.com"), outcome{kind: "not found", err: "the GitHub CLI has no token for third.example.com, in its file or in the keyring"}},
	} {
		t.Run(tt.name, func(t *testing.T) { expect(t, s, tt.source, Query{}, tt.want) })
	}
}

func TestKeyringLocked(t *testing.T) {
	s := inSession(t, peertest.Locked)
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
	write(t, s, ".config/gh/hosts.yml", "github.com:\n  user: bob\n")
	const hint = "log in to the desktop session, or unlock it from here: read -rs P && printf %s \"$P\" | gnome-keyring-daemon --replace --unlock"
	expect(t, s, s.Keyring("tokens", ""), Query{}, outcome{kind: "broken", err: `reading service "tokens" from the keyring: the keyring is locked`, hint: hint})
	expect(t, s, s.GitHubCLI("github.com"), Query{}, outcome{
		kind: "broken", err: `looking for the GitHub CLI's token: reading service "gh:github.com", account "bob" from the keyring: the keyring is locked`, hint: hint,
	})
}

func TestKeyringAbsent(t *testing.T) {
	s := newSources(t, nil)
	expect(t, s, s.Keyring("tokens", ""), Query{}, outcome{
		kind: "unavailable", err: "there is no keyring here: no D-Bus session bus (neither $DBUS_SESSION_BUS_ADDRESS nor a socket $XDG_RUNTIME_DIR/bus)",
	})
}
