package github

import (
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/strictjson"
)

func TestAppConfig(t *testing.T) {
	const key = `"lookup_chain": [{"source": "env", "name": "KEY", "binding": "private_key"}]`
	for _, tt := range []struct{ name, config, want string }{
		{"least", `{"app_id": 12345}`, ""},
		{"id as a string", `{"app_id": "12345", "installation_id": "678"}`, ""},
		{"client id", `{"app_id": "Iv23liABCDEF", "owner": "acme"}`, ""},
		{"everything", `{"app_id": 1, "owner": "a-b_c", "repositories": ["x", "y.z"], "permissions": {"contents": "read", "pull_requests": "write"}, ` + key + `}`, ""},
		{"binding default", `{"app_id": 1, "lookup_chain": [{"source": "env", "name": "KEY"}]}`, ""},

		{"id of another type", `{"app_id": true}`, `f:1:12: "app_id" takes a string or a number, not a boolean`},
		{"id with a fraction", `{"app_id": 1.5}`, `f:1:12: "app_id" takes a string or a whole number, not 1.5`},
		{"id empty", `{"app_id": ""}`, `f:1:12: "app_id" takes the App's id (12345) or its client id ("Iv23li…"), both of which stand on the App's page`},
		{"id zero", `{"app_id": 0}`, `f:1:12: "app_id" takes the App's id`},
		{"id a URL", `{"app_id": "https://github.com/apps/x"}`, `f:1:12: "app_id" takes the App's id`},
		{"installation not a number", `{"app_id": 1, "installation_id": "acme"}`, `f:1:34: "installation_id" takes a number: the last part of the address of the installation's page`},
		{"installation empty", `{"app_id": 1, "installation_id": ""}`, `f:1:34: "installation_id" takes a number`},
		{"installation and owner", `{"app_id": 1, "installation_id": 2, "owner": "acme"}`, `f:1:46: "owner" and "installation_id" both say which installation is used; leave one of them out`},
		{"owner empty", `{"app_id": 1, "owner": ""}`, `f:1:24: "owner" takes the name of an organization or a user, without a host and without a repository`},
		{"owner with repository", `{"app_id": 1, "owner": "acme/tools"}`, `f:1:24: "owner" takes the name of an organization or a user`},
		{"owner that climbs", `{"app_id": 1, "owner": ".."}`, `f:1:24: "owner" takes the name of an organization or a user`},
		{"repositories empty", `{"app_id": 1, "owner": "acme", "repositories": []}`, `f:1:48: "repositories" names none; leave it out for all that the installation may use`},
		{"repositories with owner", `{"app_id": 1, "owner": "acme", "repositories": ["acme/tools"]}`, `f:1:48: "repositories" takes names without their owner: "tools", not "acme/tools"`},
		{"repositories twice", `{"app_id": 1, "owner": "acme", "repositories": ["tools", "Tools"]}`, `f:1:48: "repositories" has "Tools" twice`},
		{"repositories not names", `{"app_id": 1, "owner": "acme", "repositories": ["a b"]}`, `f:1:48: "repositories" has "a b", which is not the name of a repository`},
		{"too many repositories", `{"app_id": 1, "owner": "acme", "repositories": ["` + strings.Repeat(`x", "`, 500) + `x"]}`, `f:1:48: "repositories" has 501 names, and GitHub takes no more than 500`},
		{"repositories of nobody", `{"app_id": 1, "repositories": ["tools"]}`, `f:1:31: "repositories" are those of one owner: they need an "owner" or an "installation_id"`},
		{"permissions not an object", `{"app_id": 1, "permissions": "read"}`, `f:1:30: "permissions" takes an object, not a string`},
		{"permissions empty", `{"app_id": 1, "permissions": {}}`, `f:1:30: "permissions" grants nothing; leave it out for {"contents": "read"}`},
		{"permission level", `{"app_id": 1, "permissions": {"contents": "raed"}}`, `f:1:43: "contents" takes one of "read", "write", "admin", not "raed" (did you mean "read"?)`},
		{"permission name", `{"app_id": 1, "permissions": {"pull-requests": "read"}}`, `f:1:48: "pull-requests" is not the name of a permission, as in "contents" or "pull_requests"`},
		{"the CLI's login", `{"app_id": 1, "read_config_file": true}`, `f:1:35: "read_config_file" is about the GitHub CLI's login, and a rule with "app_id" uses the App alone`},
		{"unknown binding", `{"app_id": 1, "lookup_chain": [{"source": "env", "name": "K", "binding": "token"}]}`, `f:1:74: unknown binding "token"; this helper knows private_key, default`},
		{"unknown key", `{"app_id": 1, "permission": {}}`, `f:1:15: unknown key "permission" (did you mean "permissions"?)`},

		{"installation without App", "{\n  \"installation_id\": 2}", `f:2:22: "installation_id" is for a GitHub App: it needs an "app_id"`},
		{"owner without App", `{"owner": "acme"}`, `f:1:11: "owner" is for a GitHub App: it needs an "app_id"`},
		{"repositories without App", `{"repositories": ["x"]}`, `f:1:18: "repositories" is for a GitHub App: it needs an "app_id"`},
		{"permissions without App", `{"permissions": {"contents": "read"}}`, `f:1:17: "permissions" is for a GitHub App: it needs an "app_id"`},
		{"key without App", `{` + key + `}`, `f:1:18: the binding "private_key" is for a GitHub App: it needs an "app_id"`},
		{"mistyped app_id", `{"appid": 1, "owner": "acme"}`, `f:1:23: "owner" is for a GitHub App: it needs an "app_id"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := strictjson.Decode("f", []byte(tt.config), func(o *strictjson.Object) { New(Options{Sources: machine(t, nil)})(helpers.Rule{}, o) })
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.want)):
				t.Errorf("\n got %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestAppScope(t *testing.T) {
	build := func(config string) helpers.Helper { return build(t, machine(t, nil), config) }
	byURL, fixed := build(`{"app_id": 1}`), build(`{"app_id": 1, "owner": "acme"}`)
	for in, want := range map[string]string{
		"https://github.com/Acme/tools/archive/v1.tar.gz":       "https://github.com bearer acme",
		"https://github.com/acme/site":                          "https://github.com bearer acme",
		"https://github.com/bob/site":                           "https://github.com bearer bob",
		"https://github.com/acme/tools.git/info/refs":           "https://github.com git acme",
		"https://github.com/settings/tokens":                    "https://github.com bearer ",
		"https://github.com/":                                   "https://github.com bearer ",
		"https://api.github.com/repos/acme/tools":               "https://api.github.com bearer acme",
		"https://api.github.com/orgs/acme/repos":                "https://api.github.com bearer acme",
		"https://api.github.com/acme/tools":                     "https://api.github.com bearer ",
		"https://uploads.github.com/repos/acme/t/releases/1":    "https://uploads.github.com bearer acme",
		"https://raw.githubusercontent.com/acme/tools/main/f":   "https://raw.githubusercontent.com raw acme",
		"https://codeload.github.com/acme/tools/tar.gz/main":    "https://codeload.github.com bearer acme",
		"https://maven.pkg.github.com/acme/tools/a/b":           "https://maven.pkg.github.com bearer acme",
		"https://npm.pkg.github.com/@acme/p":                    "https://npm.pkg.github.com bearer ",
		"https://*.github.com/":                                 "https://*.github.com bearer ",
		"https://ghe.acme.test/api/v3/repos/team/t":             "https://ghe.acme.test bearer team",
		"https://ghe.acme.test/raw/team/t/main/f":               "https://ghe.acme.test raw team",
		"https://raw.ghe.acme.test/team/t/main/f":               "https://raw.ghe.acme.test raw team",
		"https://api.acme.ghe.com/repos/team/t":                 "https://api.acme.ghe.com bearer team",
		"https://acme.ghe.com/team/t/archive/v1.tar.gz":         "https://acme.ghe.com bearer team",
		"https://ghe.acme.test:8443/team/t/archive/main.tar.gz": "https://ghe.acme.test:8443 bearer team",
	} {
		u := parse(t, in)
		if got, ok := byURL.Scope(u); !ok || got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
		short := want[:strings.LastIndexByte(want, ' ')]
		if got, ok := fixed.Scope(u); !ok || got != short {
			t.Errorf("%s, with an owner in the rule: %q, want %q", in, got, short)
		}
	}
}
