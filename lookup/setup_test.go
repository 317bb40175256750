package lookup

import (
	"regexp"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/shell"
	"github.com/fe055d52/credential-helper/internal/strictjson"
)

// setupWants are what a source in a rule's chain has a user do for the URL, its remedies separated by " | ", those for a file with its name before them.
// A source that is not here fails the test: whoever adds one says how it is filled.
var setupWants = map[string]struct{ entry, url, want string }{
	"env":      {`"name": "TOKEN"`, "https://a.test/", "read -rs TOKEN && export TOKEN"},
	"file":     {`"path": "~/.config/a b/token"`, "https://a.test/", "(umask 077 && mkdir -p ~/'.config/a b' && cat > ~/'.config/a b/token')"},
	"command":  {`"command": ["my vault", "canary"]`, "https://a.test/", "command -v 'my vault'"},
	"static":   {`"value": "x"`, "https://a.test/", ""},
	"keyring":  {`"service": "a.test", "account": "it's me"`, "https://a.test/", `credential-helper setup-keyring --account 'it'\''s me' a.test`},
	"google":   {``, "https://a.test/", `the rule's lookup_chain: {"source": "command", "command": ["gcloud", "auth", "print-access-token"]}`},
	"bundler":  {``, "https://gems.a.test/gems/x-1.gem", "bundle config set --global gems.a.test USER:TOKEN"},
	"cargo":    {`"registry": "acme"`, "https://crates.a.test/index/a", "~/.cargo/config.toml: [registries.acme]; index = \"sparse+https://crates.a.test/index/\" | cargo login --registry acme"},
	"composer": {``, "https://php.a.test:8443/p/x.json", "composer config --global --auth http-basic.php.a.test:8443 USER TOKEN | composer config --global --auth bearer.php.a.test:8443 TOKEN"},
	"docker":   {``, "https://a.test:5000/v2/", "docker login a.test:5000 | skopeo login a.test:5000"},
	"git":      {``, "https://a.test/team/app.git", "git ls-remote https://a.test/team/app.git"},
	"github":   {`"host": "github.a.test"`, "https://a.test/", "gh auth login --hostname github.a.test"},
	"julia":    {``, "https://pkg.a.test/registries", "JULIA_PKG_SERVER=https://pkg.a.test julia -e 'import PkgAuthentication; PkgAuthentication.authenticate()' | ~/.julia/servers/pkg.a.test/auth.toml: access_token = \"TOKEN\""},
	"maven": {
		``, "https://a.test/repository/releases/x.jar", "~/.m2/settings.xml: <servers><server><id>a</id><username>USER</username><password>TOKEN</password></server></servers>; " +
			"<mirrors><mirror><id>a</id><url>https://a.test/repository/releases/</url><mirrorOf>a</mirrorOf></mirror></mirrors>",
	},
	"moonbit": {``, "https://moon.a.test/x", "registry.toml: [[sources]]; url = \"https://moon.a.test/\"; [sources.auth]; type = \"bearer\"; token = \"${MOONBIT_TOKEN}\" | read -rs MOONBIT_TOKEN && export MOONBIT_TOKEN"},
	"netrc":   {``, "https://a.test/x", "~/.netrc: machine a.test login USER password TOKEN"},
	"npmrc":   {``, "https://a.test/api/v4/packages/npm/@x/y", "npm login --registry=https://a.test/api/v4/packages/npm/ | ~/.npmrc: //a.test/api/v4/packages/npm/:_authToken=${NPM_TOKEN} | read -rs NPM_TOKEN && export NPM_TOKEN"},
	"nuget":   {``, "https://pkgs.a.test/o/_packaging/f/nuget/v3/flat2/x", "dotnet nuget add source https://pkgs.a.test/o/_packaging/f/nuget/v3/index.json --name a --username USER --password TOKEN --store-password-in-clear-text"},
	"pesde":   {`"index": "https://u:canary@a.test/index"`, "https://a.test/x", "pesde auth --index https://a.test/index login"},
	"pip":     {``, "https://a.test/simple/x/", "pip config set global.index-url https://USER:TOKEN@a.test/simple/ | export PIP_INDEX_URL=https://USER:TOKEN@a.test/simple/"},
	"pypirc":  {``, "https://py.acme.test/legacy/", "~/.pypirc: [distutils]; index-servers = acme; [acme]; repository = https://py.acme.test/; username = __token__; password = TOKEN"},
}

func TestEverySourceSaysHowItIsFilled(t *testing.T) {
	s := &Sources{Env: &env.Env{Get: func(string) (string, bool) { return "", false }, Home: "/home/you", Dir: "/home/you/ws"}}
	for kind := range kinds {
		tt, ok := setupWants[kind]
		if !ok {
			t.Errorf("the source %q says nothing on how a login gets there", kind)
			continue
		}
		t.Run(kind, func(t *testing.T) {
			var chain Chain
			entry := `{"chain": [{"source": "` + kind + `"`
			if tt.entry != "" {
				entry += ", " + tt.entry
			}
			err := strictjson.Decode("rule", []byte(entry+`}]}`), func(o *strictjson.Object) { chain, _ = s.Decode(o, "chain", Default) })
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := chain[0].Source.(helpers.Guided); !ok {
				t.Fatal("it has no Setup")
			}
			r, err := helpers.ParseRequest(tt.url)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, remedy := range chain.Setup(r.URL) {
				text := strings.Join(remedy.Lines, "; ")
				if remedy.File != "" {
					text = remedy.File + ": " + text
				}
				got = append(got, text)
				if remedy.Do == "" || strings.Contains(remedy.Do+text, "canary") {
					t.Errorf("%q: %q", remedy.Do, text)
				}
			}
			if got := strings.Join(got, " | "); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestTemplateSetup(t *testing.T) {
	s := &Sources{Env: &env.Env{Get: func(string) (string, bool) { return "", false }}}
	source, err := s.Template("canary-${A}-${B}-${A}-$${C}")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range (Chain{{Source: source}, {Source: s.HostVariable("JOB", "SERVER")}}).Setup(mustParse(t, "https://a.test/x")) {
		got = append(got, r.Lines...)
	}
	want := "read -rs A && export A; read -rs B && export B; export SERVER=https://a.test; read -rs JOB && export JOB"
	if strings.Join(got, "; ") != want {
		t.Errorf("got %q", got)
	}
}

// TestLinesToCopyAreQuoted holds that a name from a configuration file does not become a command of its own.
func TestLinesToCopyAreQuoted(t *testing.T) {
	s := &Sources{Env: &env.Env{Get: func(string) (string, bool) { return "", false }, Home: "/home/you", Dir: "/home/you"}}
	for _, bad := range []string{"x'; rm -rf ~ #$(id)`id`", "a[$(id)]", "-p"} {
		testLines(t, s, bad)
	}
	if got := shell.QuotePath("~"); got != "~" {
		t.Errorf("the home directory is quoted as %s", got)
	}
}

func testLines(t *testing.T, s *Sources, bad string) {
	var chain Chain
	text := `{"chain": [{"source": "env", "name": BAD}, {"source": "env", "name": "A", "host_from": BAD}, {"source": "file", "path": BAD}, {"source": "command", "command": [BAD]},
		{"source": "keyring", "service": BAD, "account": BAD}, {"source": "pesde", "index": BAD}]}`
	err := strictjson.Decode("rule", []byte(strings.ReplaceAll(text, "BAD", `"`+bad+`"`)), func(o *strictjson.Object) { chain, _ = s.Decode(o, "chain", Default) })
	if err != nil {
		t.Fatal(err)
	}
	all := chain.Setup(mustParse(t, "https://a.test/$(id)/';x"))
	if len(all) != 6 {
		t.Errorf("got %d remedies", len(all))
	}
	for _, r := range all {
		for _, line := range r.Lines {
			if r.File != "" {
				continue // it is for no shell
			}
			// What sets a variable evaluates its name, in quotes too.
			if strings.Contains(line, "export") || strings.Contains(line, "read -rs") {
				t.Errorf("%s", line)
			}
			// Outside of quotes nothing is left that a shell would act on, but what the lines are made of.
			outside := regexp.MustCompile(`'[^']*'|\\'`).ReplaceAllString(line, "")
			if strings.ContainsAny(outside, "#;$`") || strings.Contains(outside, "rm ") {
				t.Errorf("%s", line)
			}
		}
	}
}
