package lookup

import (
	"fmt"
	"testing"
)

func TestGitHub(t *testing.T) {
	notOnWindows(t) // for the slashes in what is expected
	const hosts = "github.com:\n    oauth_token: hub\ngithub.example.com:\n    oauth_token: own\nacme.ghe.com:\n    oauth_token: ghe\n"
	found := func(token string) outcome { return outcome{values: "default=" + token + " token=" + token} }
	for _, tt := range []struct {
		name, source string
		vars         map[string]string
		file         string
		want         outcome
	}{
		{"the first variable", ``, map[string]string{"GH_TOKEN": "a", "GITHUB_TOKEN": "b"}, hosts, found("a")},
		{"the second variable", ``, map[string]string{"GH_TOKEN": "", "GITHUB_TOKEN": "b"}, hosts, found("b")},
		{"the GitHub CLI", ``, map[string]string{"GH_ENTERPRISE_TOKEN": "e"}, hosts, found("hub")},
		{"Enterprise Server's variable", `, "host": "github.example.com"`, map[string]string{"GH_TOKEN": "a", "GITHUB_ENTERPRISE_TOKEN": "e"}, hosts, found("e")},
		{"Enterprise Server", `, "host": "GitHub.Example.com"`, map[string]string{"GH_TOKEN": "a"}, hosts, found("own")},
		{"data residency", `, "host": "acme.ghe.com"`, map[string]string{"GH_TOKEN": "a", "GH_ENTERPRISE_TOKEN": "e"}, hosts, found("a")},
		{"nothing", ``, nil, "{}\n", outcome{
			kind: "not found", err: "$GH_TOKEN is not set; $GITHUB_TOKEN is not set; " + noKeyringHere + "; the GitHub CLI's ~/.config/gh/hosts.yml has no login for github.com",
		}},
		{"broken", ``, nil, "github.com: [" + canary + "\n", outcome{
			kind: "broken", err: "reading the GitHub CLI's hosts: ~/.config/gh/hosts.yml:1:13: not YAML as the GitHub CLI writes it", hint: "gh auth login writes the file anew",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSources(t, tt.vars)
			write(t, s, ".config/gh/hosts.yml", tt.file)
			source := decodeOne(t, s, `{"source": "github"`+tt.source+`}`)
			if source.HostBound() {
				t.Error("it is bound to a host: its token goes to the one of the rule")
			}
			expect(t, s, source, ask(t, "https://pesde.example.com/"), tt.want)
		})
	}
	for _, host := range []string{"", "*.ghe.com", "git hub.com", "https://github.com"} {
		if _, err := decodeChain(newSources(t, nil), fmt.Sprintf(`[{"source": "github", "host": %q}]`, host), Default); err == nil {
			t.Errorf("the host %q is accepted", host)
		}
	}
}
