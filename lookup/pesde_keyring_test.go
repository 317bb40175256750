//go:build (freebsd && cgo) || linux || netbsd || openbsd

package lookup

import (
	"testing"

	"github.com/fe055d52/credential-helper/internal/keyring"
	"github.com/fe055d52/credential-helper/internal/peertest"
	"github.com/fe055d52/credential-helper/internal/redact"
)

func TestPesdeKeyring(t *testing.T) {
	s := inSession(t, peertest.Unlocked)
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", s.Env.Var("DBUS_SESSION_BUS_ADDRESS")) // to be restored: package keyring sets it
	const url = "https://pesde.example.com/v1"
	found := outcome{values: "default=" + canary + " header:Authorization=Bearer " + canary + " token=" + canary}
	broken := outcome{
		kind: "broken", err: `looking for pesde's tokens: the keyring's entry for service "tokens", account "pesde" is not a JSON object of strings`,
		hint: "pesde auth login writes it anew, when the entry is removed",
	}
	expect(t, s, s.Pesde(""), ask(t, url), outcome{
		kind: "not found", err: `~/.pesde/config.toml, which does not exist, has no token of pesde's, and the keyring has no entry for service "tokens", account "pesde"`,
	})
	for _, tt := range []struct {
		name, value string
		want        outcome
	}{
		{"found", `{"https://pesde.example.com/index": "Bearer ` + canary + `"}`, found},
		{"for another host", `{"https://git.example.com/index": "Bearer ` + canary + `"}`, outcome{
			kind: "not found", err: `pesde's entry in the keyring has no token for an index at https://pesde.example.com; if the index of this registry is https://git.example.com/index, add "index": "https://git.example.com/index" to the source "pesde"`,
		}},
		{"empty", `{}`, outcome{kind: "not found", err: "pesde's entry in the keyring has no token for an index at https://pesde.example.com"}},
		{"malformed", `{"https://pesde.example.com/index": "` + canary, broken},
		{"of another type", `{"https://pesde.example.com/index": ["` + canary + `"]}`, broken},
		{"no object", `"` + canary + `"`, broken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := keyring.Set(t.Context(), s.Env, "tokens", "pesde", redact.Hold(tt.value)); err != nil {
				t.Fatal(err)
			}
			expect(t, s, s.Pesde(""), ask(t, url), tt.want)
		})
	}
	t.Run("tokens in the file come first, and alone", func(t *testing.T) {
		if err := keyring.Set(t.Context(), s.Env, "tokens", "pesde", redact.Hold(`{"https://pesde.example.com/index": "other"}`)); err != nil {
			t.Fatal(err)
		}
		write(t, s, ".pesde/config.toml", pesdeTokens("https://one.example.com/a", "x", "https://two.example.com/a", "y"))
		expect(t, s, s.Pesde(""), ask(t, url), outcome{kind: "not found", err: "~/.pesde/config.toml has no token for an index at https://pesde.example.com"})
	})
}

func TestPesdeKeyringLocked(t *testing.T) {
	s := inSession(t, peertest.Locked)
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
	expect(t, s, s.Pesde(""), ask(t, "https://pesde.example.com/"), outcome{
		kind: "broken", err: `looking for pesde's tokens: reading service "tokens", account "pesde" from the keyring: the keyring is locked`,
		hint: "log in to the desktop session, or unlock it from here: read -rs P && printf %s \"$P\" | gnome-keyring-daemon --replace --unlock",
	})
}
