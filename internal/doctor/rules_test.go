package doctor

import (
	"os"
	"reflect"
	"runtime"
	"testing"
)

func TestRules(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("permission bits do not count here")
	}
	const at = "the rule at /ws/.tweag-credential-helper.json:"
	chain := func(host, chain string) string {
		return `{"host": "` + host + `", "helper": "registry", "config": {"lookup_chain": [` + chain + `]}}`
	}
	for _, tt := range []struct {
		name  string
		vars  []string
		rules []string
		want  []string
	}{
		{name: "nothing to say", rules: []string{chain("a.test", `{"source": "netrc"}`), chain("*.b.test", `{"source": "netrc"}`)}},
		{
			name:  "a rule that never answers",
			rules: []string{`{"host": "*.a.test", "helper": "null"}`, `{"scheme": "https", "host": "x.a.test", "path": "/y/*", "helper": "null"}`},
			want: []string{
				"warning " + at + "3 (https://x.a.test/y/*) never answers: the one at line 2 (*.a.test) comes first and takes all of its URLs → move the narrower rule before the wider one, or remove it",
			},
		},
		{
			name: "not supported", rules: []string{`{"host": "a.test", "helper": "s3", "config": {"token": "` + canary + `"}}`},
			want: []string{"warning " + at + `2 names the helper "s3", which is not supported yet: its URLs (a.test) fail → give the rule another helper, or "null" to send nothing`},
		},
		{
			name: "plain HTTP",
			rules: []string{
				`{"host": "a.test", "helper": "null", "config": {"allow_http": true}}`, `{"scheme": "https", "host": "b.test", "helper": "null", "config": {"allow_http": true}}`,
				`{"host": "127.0.0.1", "helper": "null", "config": {"allow_http": true}}`,
			},
			want: []string{
				"warning " + at + `2 has "allow_http": secrets for a.test may go over the network unencrypted → …`,
				"note " + at + `4 has "allow_http", which 127.0.0.1 does not need: it is this machine → remove "allow_http"`,
			},
		},
		{
			name: "too wide",
			rules: []string{
				chain("*example.org", `{"source": "netrc"}`), chain("registry.example.*", `{"source": "netrc"}`), chain("a.*.com", `{"source": "netrc"}`), chain("*.corp", `{"source": "netrc"}`),
				`{"host": "*.co*", "helper": "bound"}`,
			},
			want: []string{
				"warning " + at + `2 sends its secret to hosts of strangers: "*example.org" matches evil-example.org → let the pattern end with a dot and a domain of yours: "*.example.com"`,
				"warning " + at + `3 sends its secret to hosts of strangers: "registry.example.*" matches registry.example.evil.test → …`,
				"warning " + at + `4 sends its secret to hosts of strangers: "a.*.com" matches a.evil.com → …`,
			},
		},
		{
			name: "secrets in the file",
			rules: []string{
				`{"host": "a.test", "helper": "registry", "config": {"token": "` + canary + `"}}`,
				`{"host": "b.test", "helper": "registry", "config": {"username": "me", "password": "x$${` + canary + `}"}}`,
				chain("c.test", `{"source": "static", "value": "me", "binding": "username"}, {"source": "static", "name": "`+canary+`"}`),
				chain("d.test", `{"source": "static", "value": "anonymous"}, {"source": "static", "value": "short", "binding": "password"}`),
			},
			want: []string{
				"note " + at + `2 has a secret in the file itself, as "token" → instead of it, write ${NAME} for an environment variable`,
				"note " + at + `3 has a secret in the file itself, as "password" → instead of it, write ${NAME} for an environment variable`,
				"note " + at + `4 has a secret in the file itself, as a "static" source → instead of it, use {"source": "keyring"} with credential-helper setup-keyring, or {"source": "env"}`,
				"note " + at + `5 has a secret in the file itself, as a "static" source → …`,
			},
		},
		{
			name: "variables", vars: []string{"SET_TOKEN", canary, "FILES_TOKEN", canary, "EMPTY_TOKEN", "", "GITLAB_TOKEN", canary},
			rules: []string{
				chain("a.test", `{"source": "env", "name": "SET_TOKEN"}`),
				chain("b.test", `{"source": "env", "name": "MISSING_ONE"}, {"source": "env", "name": "MISSING_TWO", "binding": "password"}`),
				chain("c.test", `{"source": "env", "name": "MISSING_ONE"}, {"source": "netrc"}`),
				`{"host": "d.test", "helper": "registry", "config": {"token": "x-${FILES_TOKN}"}}`,
				`{"host": "e.test", "helper": "registry", "config": {"token": "${EMPTY_TOKEN}"}}`,
				`{"host": "f.test", "helper": "github", "config": {"lookup_chain": [{"source": "env", "name": "GITHUB_TOKEN"}]}}`,
			},
			want: []string{
				"note $MISSING_ONE, $MISSING_TWO are not set here, which " + at + "3 (b.test) wants: there is no login for it → export MISSING_ONE, MISSING_TWO where the build runs",
				"note $MISSING_ONE is not set here, which " + at + "4 (c.test) wants, beside other sources → export it, if it is meant to be used here",
				"warning $FILES_TOKN is not set here, which " + at + "5 (d.test) wants; $FILES_TOKEN is set → is $FILES_TOKEN meant? correct the rule, or export FILES_TOKN",
				"note $EMPTY_TOKEN is set, but empty, here, which " + at + "6 (e.test) wants: there is no login for it → …",
				"note $GITHUB_TOKEN is not set here, which " + at + "7 (f.test) wants, beside other sources → …",
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine(t, tt.vars...)
			var f findings
			f.rules(m.env(), m.rules(workspaceFile, tt.rules...))
			m.compare(f, tt.want...)
		})
	}
}

// TestExposure holds who is said to read a secret in a file.
func TestExposure(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("permission bits do not count here")
	}
	m := newMachine(t)
	literal := `{"host": "a.test", "helper": "registry", "config": {"token": "` + canary + `"}}`
	check := func(path, want string) {
		t.Helper()
		var f findings
		f.rules(m.env(), m.rules(path, literal))
		m.compare(f, want)
	}
	const text = `the rule at /ws/.tweag-credential-helper.json:2 has a secret in the file itself, as "token"`
	check(workspaceFile, "note "+text+" → …")
	if err := os.Mkdir(m.at(".git"), 0o700); err != nil {
		t.Fatal(err)
	}
	check(workspaceFile, "warning "+text+", which can be read by everybody who has this repository → take it out of the file, and out of the repository's history …")
	m.write("ws/.gitignore", "/.tweag-credential-helper.json\n", 0o600)
	check(workspaceFile, "note "+text+" → …")

	const path = "home/.config/credential-helper/config.json"
	files := m.rules(path, literal)
	m.write(path, "", 0o644)
	var f findings
	f.rules(m.env(), files)
	m.compare(f, `warning the rule at ~/.config/credential-helper/config.json:2 has a secret in the file itself, as "token", which can be read by other users of this machine (mode 0644) → take it out of the file, or chmod 600 ~/.config/credential-helper/config.json; …`)

	// What the workspace takes from the user's own file is no mistake.
	files = append(m.rules(workspaceFile, `{"host": "*", "helper": "null"}`), m.rules(path, `{"host": "a.test", "helper": "null"}`)...)
	f = nil
	f.rules(m.env(), files)
	m.compare(f, "note the rule at ~/.config/credential-helper/config.json:2 (a.test) never answers: the one at /ws/.tweag-credential-helper.json:2 (*) comes first and takes all of its URLs → this is right …")
}

func TestReadFiles(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("permission bits do not count here")
	}
	m := newMachine(t)
	read := func(want ...string) {
		t.Helper()
		e := m.env()
		m.compare(Config(e, ReadFiles(t.Context(), e, kinds)), want...)
	}
	const user = "home/.config/credential-helper/config.json"
	read("ok no file (looked for /ws/.tweag-credential-helper.json and ~/.config/credential-helper/config.json): the built-in rules serve GitHub and well-known registries")
	m.write(workspaceFile, `{"urls": [], "use_defaults": true}`, 0o600)
	m.write(user, "{\n\"urlz\": []}", 0o600)
	read(
		"ok /ws/.tweag-credential-helper.json is valid: 0 rules, and the built-in ones",
		`broken /home/.config/credential-helper/config.json:2:1: unknown key "urlz" (did you mean "urls"?) → correct that line (docs/configuration.md has the keys); nothing is served until then`,
	)
	m.write(user, "{}", 0o666)
	read(
		"ok /ws/.tweag-credential-helper.json is valid: 0 rules, and the built-in ones",
		"broken reading the config file /home/.config/credential-helper/config.json: every user of this machine can write it (mode 0666) → run chmod o-w …",
	)
	m.write("ws/pkg/.tweag-credential-helper.json", "{}", 0o600)
	m.write(user, "{}", 0o600)
	m.dir = m.at("ws/pkg")
	read(
		"ok /ws/.tweag-credential-helper.json is valid: 0 rules, and the built-in ones",
		"ok ~/.config/credential-helper/config.json is valid: 0 rules",
		"warning /ws/pkg/.tweag-credential-helper.json is not read: the root of the workspace is /ws → …",
	)
	m.vars["CREDENTIAL_HELPER_CONFIG_FILE"] = "none.json"
	read("broken $CREDENTIAL_HELPER_CONFIG_FILE names /ws/pkg/none.json, which does not exist → …")
}

func TestSlip(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"FILES_TOKN", "FILES_TOKEN", true},
		{"FILES_TOKENS", "FILES_TOKEN", true},
		{"FLIES_TOKEN", "FILES_TOKEN", true},
		{"FILESTOKEN", "FILES_TOKEN", true},
		{"files_token", "FILES_TOKEN", true},
		{"GITHUB_TOKEN", "GITLAB_TOKEN", false},
		{"GH_TOKEN", "GL_TOKEN", false},
		{"FILES_TOKEN", "FILES_TOKEN", false},
		{"FILES_TOKEN", "FILES_USER", false},
		{"A", "AB", false},
	} {
		if got := slip(tt.a, tt.b); got != tt.want {
			t.Errorf("slip(%s, %s) = %v", tt.a, tt.b, got)
		}
	}
}

func TestTemplateVariables(t *testing.T) {
	for text, want := range map[string][]string{"": nil, "plain": nil, "${A}": {"A"}, "x${A}y${B_2}": {"A", "B_2"}, "$${A}": nil, "$${A}${B}": {"B"}, "${": nil} {
		if got := templateVariables(text); !reflect.DeepEqual(got, want) {
			t.Errorf("%q has %q, want %q", text, got, want)
		}
	}
}
