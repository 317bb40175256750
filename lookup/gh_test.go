package lookup

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/internal/ascii"
)

func TestGitHubCLI(t *testing.T) {
	notOnWindows(t) // for the slashes in what is expected
	token := outcome{values: "default=" + canary}
	const noKeyring = "the GitHub CLI keeps its token for github.com in the keyring, and there is no keyring here: no D-Bus session bus (neither $DBUS_SESSION_BUS_ADDRESS nor a socket $XDG_RUNTIME_DIR/bus)"
	const file = "~/.config/gh/hosts.yml"
	broken := func(text string) outcome {
		return outcome{kind: "broken", err: "reading the GitHub CLI's hosts: " + file + text, hint: "gh auth login writes the file anew"}
	}
	foreign := func(at string) outcome { return broken(":" + at + ": not YAML as the GitHub CLI writes it") }
	for _, tt := range []struct {
		name, file, host string
		want             outcome
	}{
		{"one user", "github.com:\n    oauth_token: " + canary + "\n    user: bob\n    git_protocol: https\n", "github.com", token},
		{"as it is written today", "github.com:\n    users:\n        bob:\n            oauth_token: " + canary + "\n    git_protocol: https\n    oauth_token: " + canary + "\n    user: bob\n", "github.com", token},
		{"the active user", "github.com:\n    user: bob\n    users:\n        eve:\n            oauth_token: other\n        bob:\n            oauth_token: " + canary + "\n", "github.com", token},
		{"among other hosts", "a.test:\n    oauth_token: other\ngithub.com:\n    oauth_token: " + canary + "\n", "github.com", token},
		{"Enterprise Server", "github.com:\n    oauth_token: other\ngithub.example.com:\n    oauth_token: " + canary + "\n", "github.example.com", token},
		{"whatever the case", "GitHub.Example.COM:\n    oauth_token: " + canary + "\n", "GITHUB.example.com", token},
		{"two spellings", "GitHub.com:\n    oauth_token: other\ngithub.com:\n    oauth_token: " + canary + "\n", "github.com", token},
		{"quoted", "\"github.com\":\n    oauth_token: '" + canary + "'\n", "github.com", token},
		{"Windows lines", "github.com:\r\n    oauth_token: " + canary + "\r\n", "github.com", token},

		{"another host", "github.com:\n    oauth_token: " + canary + "\n", "github.example.com", outcome{kind: "not found", err: "the GitHub CLI's " + file + " has no login for github.example.com"}},
		{"a host below", "github.com:\n    oauth_token: " + canary + "\n", "api.github.com", outcome{kind: "not found", err: "the GitHub CLI's " + file + " has no login for api.github.com"}},
		{"empty", "", "github.com", outcome{kind: "not found", err: "the GitHub CLI's " + file + " has no login for github.com"}},
		{"an empty map", "{}\n", "github.com", outcome{kind: "not found", err: "the GitHub CLI's " + file + " has no login for github.com"}},
		{"in the keyring", "github.com:\n    user: bob\n    users:\n        bob:\n", "github.com", outcome{kind: "unavailable", err: noKeyring}},
		{"another user's token is not taken", "github.com:\n    user: bob\n    users:\n        eve:\n            oauth_token: other\n", "github.com", outcome{kind: "unavailable", err: noKeyring}},
		{"a host without anything", "github.com:\n", "github.com", outcome{kind: "unavailable", err: noKeyring}},

		{"malformed", "github.com:\n  oauth_token: [" + canary + "\n", "github.com", foreign("2:16")},
		{"a tab", "github.com:\n\toauth_token: " + canary + "\n", "github.com", foreign("2:1")},
		{"a list", "- github.com: " + canary + "\n", "github.com", foreign("1:1")},
		{"a word", canary + "\n", "github.com", foreign("1:1")},
		{"a token of another type", "github.com:\n    oauth_token: {a: " + canary + "}\n", "github.com", foreign("2:18")},
		{"a host of another type", "github.com: " + canary + "\n", "github.com", foreign("1:13")},
		{"a host twice", "github.com:\n    oauth_token: " + canary + "\ngithub.com:\n    oauth_token: other\n", "github.com", foreign("3:1")},
		{"an alias", "a: &a\n    oauth_token: " + canary + "\ngithub.com: *a\n", "github.com", broken(":3:13: YAML aliases are not read here, and the GitHub CLI writes none")},
		{"a merge", "github.com:\n    <<: {oauth_token: " + canary + "}\n", "github.com", broken(":2:5: YAML aliases are not read here, and the GitHub CLI writes none")},
		{"too large", strings.Repeat("#", maxYAML+1), "github.com", outcome{kind: "broken", err: "reading the GitHub CLI's " + file + ": it is larger than 65536 bytes"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSources(t, nil)
			write(t, s, ".config/gh/hosts.yml", tt.file)
			expect(t, s, s.GitHubCLI(tt.host), Query{}, tt.want)
		})
	}
}

func TestGitHubCLIPlaces(t *testing.T) {
	notOnWindows(t)
	file := func(token string) string { return "github.com:\n  oauth_token: " + token + "\n" }
	for _, tt := range []struct {
		name  string
		vars  map[string]string
		files []string
		want  outcome
	}{
		{"nowhere", nil, nil, outcome{kind: "not found", err: "the GitHub CLI's ~/.config/gh/hosts.yml does not exist"}},
		{"at home", nil, []string{".config/gh/hosts.yml"}, outcome{values: "default=.config/gh/hosts.yml"}},
		{"XDG", map[string]string{"XDG_CONFIG_HOME": "~/xdg"}, []string{".config/gh/hosts.yml", "xdg/gh/hosts.yml"}, outcome{values: "default=xdg/gh/hosts.yml"}},
		{"its own variable", map[string]string{"XDG_CONFIG_HOME": "~/xdg", "GH_CONFIG_DIR": "~/own"}, []string{"xdg/gh/hosts.yml", "own/hosts.yml"}, outcome{values: "default=own/hosts.yml"}},
		{"from the working directory", map[string]string{"GH_CONFIG_DIR": "../own"}, []string{"own/hosts.yml"}, outcome{values: "default=own/hosts.yml"}},
		{"not there", map[string]string{"GH_CONFIG_DIR": "~/own"}, []string{".config/gh/hosts.yml"}, outcome{kind: "not found", err: "the GitHub CLI's ~/own/hosts.yml does not exist"}},
		{"a directory", nil, []string{".config/gh/hosts.yml/x"}, outcome{kind: "broken", err: "reading the GitHub CLI's ~/.config/gh/hosts.yml: it is a directory"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			vars := map[string]string{}
			s := newSources(t, vars)
			for name, value := range tt.vars {
				vars[name] = strings.ReplaceAll(value, "~", s.Env.Home)
			}
			for _, name := range tt.files {
				write(t, s, name, file(name))
			}
			expect(t, s, s.GitHubCLI("github.com"), Query{}, tt.want)
		})
	}
	t.Run("no home", func(t *testing.T) {
		s := newSources(t, nil)
		s.Env.Home = ""
		expect(t, nil, s.GitHubCLI("github.com"), Query{}, outcome{kind: "not found", err: "the GitHub CLI's hosts.yml cannot be found: there is no home directory"})
	})
}

func TestGitHubCLIOnWindows(t *testing.T) {
	if runtime.GOOS != "windows" {
		t.Skip("the place is Windows' own")
	}
	vars := map[string]string{}
	s := newSources(t, vars)
	vars["AppData"] = s.Env.Home
	write(t, s, "GitHub CLI/hosts.yml", "github.com:\n  oauth_token: "+canary+"\n")
	expect(t, s, s.GitHubCLI("github.com"), Query{}, outcome{values: "default=" + canary})
}

// TestHostsBombs holds that a small file cannot take long: aliases that multiply, and deep nesting.
func TestHostsBombs(t *testing.T) {
	var aliases strings.Builder
	aliases.WriteString("a0: &a0 {oauth_token: x}\n")
	for i := 1; i < 100; i++ {
		fmt.Fprintf(&aliases, "a%d: &a%d {users: {%s}}\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("u: *a%d, ", i-1), 9), ", "))
	}
	const deep = maxYAML / 8
	for name, file := range map[string]string{
		"aliases":         aliases.String(),
		"flow sequences":  strings.Repeat("[", maxYAML),
		"flow mappings":   strings.Repeat("{a: ", deep),
		"block sequences": strings.Repeat("- ", maxYAML/2),
		"block mappings":  strings.Repeat("a:\n", deep),
		"anchors":         strings.Repeat("a: &x ", deep),
		"quotes":          strings.Repeat(`"`, maxYAML),
		"within the limit of tokens, in sequences": strings.Repeat("[", maxYAMLTokens-1),
		"within the limit of tokens, in mappings":  strings.Repeat("{a: ", maxYAMLTokens/4),
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			if hosts, err := parseHosts("hosts.yml", []byte(file)); err == nil {
				t.Errorf("it is read as %d hosts", len(hosts))
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// FuzzHosts holds that no file makes the parser panic or hang, and that no error quotes it.
func FuzzHosts(f *testing.F) {
	f.Add("github.com:\n  oauth_token: " + canary + "\n  users: {bob: {oauth_token: x}}\n")
	f.Add("github.com: [" + canary + "]")
	f.Add("a: &a {b: *a}")
	f.Add("? - |\n  x\n: !!binary " + canary)
	f.Fuzz(func(t *testing.T, file string) {
		hosts, err := parseHosts("hosts.yml", []byte(file))
		if err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("%q: the secret is in the error: %v", file, err)
		}
		for host := range hosts {
			if host != ascii.Lower(host) {
				t.Errorf("%q: the host %q is not in lower case", file, host)
			}
		}
	})
}
