package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/packagetest"
)

// A presetCase is a login in the place where an ecosystem's own tool keeps it, and what a rule with the preset makes of it.
// In texts, {HOST} and {URL} stand for the server's, and {TOKEN}, {JOB}, {PASSWORD64} and {BASIC64} for the login's.
type presetCase struct {
	preset, name string
	config       string // what the rule's config has beside the preset
	files        string // as in a txtar archive: below the home directory, or below ws/, the workspace
	vars         map[string]string
	path         string // "/x" unless given
	login        packagetest.Login
}

const settingsXML = "<settings><servers><server><id>acme</id><username>alice</username><password>wonderland-passwd</password></server></servers>"

// presetCases have for each preset every kind of place that it looks at.
var presetCases = []presetCase{
	{preset: "npm", name: "token", files: "-- .npmrc --\n//{HOST}/:_authToken={TOKEN}\n"},
	{preset: "npm", name: "password", files: "-- .npmrc --\n//{HOST}/:username=alice\n//{HOST}/:_password={PASSWORD64}\n"},
	{preset: "npm", name: "auth", files: "-- .npmrc --\n//{HOST}/:_auth={BASIC64}\n"},
	{preset: "npm", name: "variable", files: "-- ws/.npmrc --\n//{HOST}/npm/:_authToken=${NPM_TOKEN}\n", vars: map[string]string{"NPM_TOKEN": "{TOKEN}"}, path: "/npm/@acme/pkg/-/pkg-1.0.0.tgz"},
	{preset: "npm", name: "netrc", files: "-- .netrc --\nmachine {HOST} login alice password wonderland-passwd\n"},

	{preset: "cargo", name: "file", files: "-- .cargo/config.toml --\n[registries.acme]\nindex = \"sparse+{URL}/index/\"\n-- .cargo/credentials.toml --\n[registries.acme]\ntoken = \"{TOKEN}\"\n"},
	{
		preset: "cargo", name: "variable", files: "-- ws/.cargo/config.toml --\n[registries.acme-corp]\nindex = \"sparse+{URL}/index/\"\n",
		vars: map[string]string{"CARGO_REGISTRIES_ACME_CORP_TOKEN": "{TOKEN}"}, path: "/api/v1/crates/a/1.0.0/download",
	},
	{preset: "cargo", name: "named", config: `"registry": "acme"`, files: "-- .cargo/credentials.toml --\n[registries.acme]\ntoken = \"{TOKEN}\"\n"},

	{preset: "pypi", name: "pip", files: "-- .config/pip/pip.conf --\n[global]\nextra-index-url = {SCHEME}alice:wonderland-passwd@{HOST}/simple/\n", path: "/simple/acme/"},
	{preset: "pypi", name: "variable", vars: map[string]string{"PIP_INDEX_URL": "{SCHEME}__token__:{TOKEN}@{HOST}/simple/"}, path: "/packages/acme-1.0-py3-none-any.whl"},
	{preset: "pypi", name: "pypirc", files: "-- .pypirc --\n[distutils]\nindex-servers = acme\n[acme]\nrepository = {URL}/legacy/\nusername = __token__\npassword = {TOKEN}\n"},
	{preset: "pypi", name: "netrc", files: "-- .netrc --\nmachine {HOST} login alice password wonderland-passwd\n"},
	{preset: "pypi", name: "token of the rule", config: `"token": "${PYPI}"`, vars: map[string]string{"PYPI": "{TOKEN}"}},

	{preset: "maven", name: "server", config: `"server": "acme"`, files: "-- .m2/settings.xml --\n" + settingsXML + "</settings>\n", path: "/maven2/com/acme/app/1.0/app-1.0.jar"},
	{preset: "maven", name: "mirror", files: "-- .m2/settings.xml --\n" + settingsXML + "<mirrors><mirror><id>acme</id><url>{URL}/maven2</url><mirrorOf>*</mirrorOf></mirror></mirrors></settings>\n", path: "/maven2/com/acme/app/1.0/app-1.0.jar"},

	{preset: "composer", name: "basic", files: "-- .config/composer/auth.json --\n{\"http-basic\": {\"{HOST}\": {\"username\": \"alice\", \"password\": \"wonderland-passwd\"}}}\n"},
	{preset: "composer", name: "bearer", files: "-- ws/auth.json --\n{\"bearer\": {\"{HOST}\": \"{TOKEN}\"}}\n"},
	{preset: "composer", name: "gitlab", vars: map[string]string{"COMPOSER_AUTH": `{"gitlab-token": {"{HOST}": "{TOKEN}"}}`}},
	{preset: "composer", name: "header", vars: map[string]string{"COMPOSER_AUTH": `{"custom-headers": {"{HOST}": ["PRIVATE-TOKEN: {TOKEN}"]}}`}},

	{preset: "rubygems", name: "bundler", files: "-- .bundle/config --\n---\nBUNDLE_{BUNDLEHOST}: \"alice:wonderland-passwd\"\n", path: "/gems/acme-1.0.gem"},
	{preset: "rubygems", name: "variable", vars: map[string]string{"BUNDLE_{BUNDLEHOST}": "{TOKEN}"}, path: "/gems/acme-1.0.gem"},
	{preset: "rubygems", name: "gem", files: "-- .gem/credentials --\n---\n{URL}: {TOKEN}\n", path: "/api/v1/gems"},

	{preset: "julia", name: "auth.toml", files: "-- .julia/servers/{JULIAHOST}/auth.toml --\naccess_token = \"{TOKEN}\"\n", path: "/registry/23338594-aafe-5451-b93e-139f81909106"},

	{preset: "moonbit", name: "bearer", files: "-- ws/registry.toml --\n[[sources]]\nurl = \"{URL}\"\n[sources.auth]\ntype = \"bearer\"\ntoken = \"${MOON}\"\n", vars: map[string]string{"MOON": "{TOKEN}"}},
	{preset: "moonbit", name: "basic", files: "-- ws/registry.toml --\n[[sources]]\nurl = \"{URL}\"\n[sources.auth]\ntype = \"basic\"\nusername = \"alice\"\npassword = \"wonderland-passwd\"\n"},

	{preset: "pesde", name: "verbatim", files: "-- .pesde/config.toml --\n[tokens]\n\"{URL}/index\" = \"{TOKEN}\"\n", path: "/v1/packages/acme%2Fapp/1.0.0/luau/archive"},
	{preset: "pesde", name: "index elsewhere", config: `"index": "https://git.example.com/acme/index"`, files: "-- .pesde/config.toml --\n[tokens]\n\"https://git.example.com/acme/index\" = \"bearer {TOKEN}\"\n", path: "/v1/packages/acme%2Fapp/1.0.0/luau/archive"},
	{
		preset: "pesde", name: "read token", config: `"token": "${WRITE}", "read_token": "${READ}"`, vars: map[string]string{"WRITE": "write-0123456789", "READ": "read-0123456789"},
		login: packagetest.Login{Token: "write-0123456789", ReadToken: "read-0123456789"}, path: "/v1/packages/acme%2Fapp/1.0.0/luau/archive",
	},
	{preset: "pesde", name: "GitHub", config: `"lookup_chain": [{"source": "github"}]`, vars: map[string]string{"GH_TOKEN": "{TOKEN}"}, path: "/v1/packages/acme%2Fapp/1.0.0/luau/archive"},

	{preset: "stack-gallery", name: "npm", config: `"username": "alice"`, vars: galleryVars, path: "/@acme/pkg/-/pkg-1.0.0.tgz"},
	{preset: "stack-gallery", name: "npm, search", config: `"username": "alice"`, vars: galleryVars, path: "/-/v1/search"},
	{preset: "stack-gallery", name: "maven", config: `"username": "alice"`, vars: galleryVars, path: "/maven2/com/acme/app/1.0/app-1.0.jar"},
	{preset: "stack-gallery", name: "cargo", config: `"username": "alice"`, vars: galleryVars, path: "/api/v1/crates/acme/1.0.0/download"},
	{preset: "stack-gallery", name: "pypi", config: `"username": "alice"`, vars: galleryVars, path: "/simple/acme/"},
	{preset: "stack-gallery", name: "pypi, JSON", config: `"username": "alice"`, vars: galleryVars, path: "/pypi/acme/json"},
	{preset: "stack-gallery", name: "composer", config: `"username": "alice"`, vars: galleryVars, path: "/packages.json"},
	{preset: "stack-gallery", name: "composer, package", config: `"username": "alice"`, vars: galleryVars, path: "/p/acme/app.json"},
	{preset: "stack-gallery", name: "rubygems", config: `"username": "alice"`, vars: galleryVars, path: "/gems/acme-1.0.gem"},
	{preset: "stack-gallery", name: "rubygems, API", config: `"username": "alice"`, vars: galleryVars, path: "/api/v1/gems/acme.json"},
	{preset: "stack-gallery", name: "token of the rule, maven", config: `"username": "alice", "token": "${GALLERY}"`, vars: map[string]string{"GALLERY": "{TOKEN}"}, path: "/maven2/com/acme/app/1.0/app-1.0.jar"},
	{preset: "stack-gallery", name: "oci", config: `"username": "alice"`, vars: galleryVars, path: "/v2/acme/app/manifests/latest"},
	{preset: "stack-gallery", name: "token of the rule", config: `"username": "alice", "token": "${GALLERY}"`, vars: map[string]string{"GALLERY": "{TOKEN}"}, path: "/maven2/a.jar"},
	{preset: "stack-gallery", name: "netrc, maven", files: "-- .netrc --\nmachine {HOST} login alice password {TOKEN}\n", path: "/maven2/a.jar"},
	{preset: "stack-gallery", name: "netrc, cargo", files: "-- .netrc --\nmachine {HOST} login alice password {TOKEN}\n", path: "/api/v1/crates/acme/1.0.0/download"},
	{preset: "stack-gallery", name: "netrc, npm", files: "-- .netrc --\nmachine {HOST} login alice password {TOKEN}\n", path: "/@acme/pkg"},
	{preset: "stack-gallery", name: "netrc, oci", files: "-- .netrc --\nmachine {HOST} login alice password {TOKEN}\n", path: "/v2/acme/app/manifests/latest"},
	{preset: "stack-gallery", name: "account, npm", files: "-- .netrc --\nmachine {HOST} login alice@example.com password wonderland-passwd\n", path: "/@acme/pkg"},
	{preset: "stack-gallery", name: "account, oci", files: "-- .netrc --\nmachine {HOST} login alice@example.com password wonderland-passwd\n", path: "/v2/acme/app/manifests/latest"},

	{preset: "gitlab", name: "job", vars: map[string]string{"CI_JOB_TOKEN": "{JOB}", "CI_SERVER_URL": "{URL}", "GITLAB_TOKEN": "other"}, path: "/api/v4/projects/1/packages/generic/a/1/a.zip"},
	{preset: "gitlab", name: "token", vars: map[string]string{"CI_JOB_TOKEN": "{JOB}", "CI_SERVER_URL": "https://gitlab.example.com", "GITLAB_TOKEN": "{TOKEN}"}},
	{preset: "gitlab", name: "netrc", files: "-- .netrc --\nmachine {HOST} login alice password {TOKEN}\n"},
	{preset: "gitlab", name: "bearer instead", config: `"auth_method": "bearer"`, vars: map[string]string{"GITLAB_TOKEN": "{TOKEN}"}},

	{preset: "gitea", name: "token", vars: map[string]string{"GITEA_TOKEN": "{TOKEN}"}, path: "/api/packages/acme/generic/a/1/a.zip"},
	{preset: "gitea", name: "netrc", files: "-- .netrc --\nmachine {HOST} login alice password {TOKEN}\n"},

	{preset: "artifactory", name: "token", vars: map[string]string{"JF_ACCESS_TOKEN": "{TOKEN}", "JF_URL": "{URL}/"}, path: "/artifactory/generic-local/a.zip"},
	{preset: "artifactory", name: "npm", files: "-- .npmrc --\n//{HOST}/artifactory/api/npm/npm-local/:_authToken={TOKEN}\n", path: "/artifactory/api/npm/npm-local/acme"},
	{preset: "artifactory", name: "key", config: `"auth_method": "header", "header_name": "X-JFrog-Art-Api", "token": "${KEY}"`, vars: map[string]string{"KEY": "{TOKEN}"}},

	{preset: "nexus", name: "maven", files: "-- .m2/settings.xml --\n" + settingsXML + "<mirrors><mirror><id>acme</id><url>{URL}/repository/maven</url></mirror></mirrors></settings>\n", path: "/repository/maven/a.jar"},
	{preset: "nexus", name: "netrc", files: "-- .netrc --\nmachine {HOST} login alice password wonderland-passwd\n"},

	{
		preset: "nuget", name: "file", path: "/v3/flat2/acme/1.0.0/acme.1.0.0.nupkg",
		files: "-- .nuget/NuGet/NuGet.Config --\n<configuration><packageSources><add key=\"acme\" value=\"{URL}/v3/index.json\"/></packageSources>" +
			"<packageSourceCredentials><acme><add key=\"Username\" value=\"any\"/><add key=\"ClearTextPassword\" value=\"{TOKEN}\"/></acme></packageSourceCredentials></configuration>\n",
	},
	{preset: "nuget", name: "variable", vars: map[string]string{"VSS_NUGET_EXTERNAL_FEED_ENDPOINTS": `{"endpointCredentials": [{"endpoint": "{URL}/v3/index.json", "password": "{TOKEN}"}]}`}, path: "/v3/flat2/acme/1.0.0/acme.1.0.0.nupkg"},
}

var galleryVars = map[string]string{"STACK_GALLERY_TOKEN": "{TOKEN}"}

// A presetMachine is a home, a workspace and an environment.
type presetMachine struct {
	t      *testing.T
	env    *env.Env
	vars   map[string]string
	expand *strings.Replacer
}

func newPresetMachine(t *testing.T, s *packagetest.Server) *presetMachine {
	t.Helper()
	home := t.TempDir()
	ws := filepath.Join(home, "ws")
	l := s.Login
	bundle := strings.ReplaceAll(strings.TrimSuffix(s.Host, s.Host[strings.LastIndexByte(s.Host, ':'):]), ".", "__")
	m := &presetMachine{t: t, vars: map[string]string{env.VarStandalone: "1"}}
	m.expand = strings.NewReplacer("{HOST}", s.Host, "{URL}", s.URL, "{SCHEME}", "http://", "{TOKEN}", l.Token, "{JOB}", l.JobToken, "{BUNDLEHOST}", bundle,
		"{JULIAHOST}", strings.ReplaceAll(s.Host, ":", "_"),
		"{PASSWORD64}", base64.StdEncoding.EncodeToString([]byte(l.Password)), "{BASIC64}", base64.StdEncoding.EncodeToString([]byte(l.User+":"+l.Password)))
	m.env = &env.Env{
		Get: func(name string) (string, bool) { v, ok := m.vars[name]; return v, ok },
		Dir: ws, Home: home, ConfigDir: filepath.Join(home, ".config"), CacheDir: filepath.Join(home, ".cache"), Now: time.Now,
	}
	m.write("ws/MODULE.bazel", "")
	return m
}

func (m *presetMachine) write(name, text string) {
	m.t.Helper()
	path := filepath.Join(m.env.Home, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

// prepare writes the files and sets the variables of a case, and the rule.
func (m *presetMachine) prepare(c presetCase, config string) {
	m.t.Helper()
	for _, file := range regexp.MustCompile(`(?m)^-- (\S+) --\n`).FindAllStringSubmatchIndex(c.files, -1) {
		text := c.files[file[1]:]
		if end := strings.Index(text, "\n-- "); end >= 0 {
			text = text[:end+1]
		}
		m.write(m.expand.Replace(c.files[file[2]:file[3]]), m.expand.Replace(text))
	}
	for name, value := range c.vars {
		m.vars[m.expand.Replace(name)] = m.expand.Replace(value)
	}
	m.rule(config)
}

// rule makes {"host": the server's, "helper": "registry", "config": config} the only rule.
func (m *presetMachine) rule(config string) {
	m.t.Helper()
	m.write("ws/.tweag-credential-helper.json", m.expand.Replace(fmt.Sprintf(`{"urls": [{"host": "{HOST}", "helper": "registry", "config": {%s}}]}`, config)))
}

// headers returns what get answers.
func (m *presetMachine) headers(url string) (helpers.Response, error) {
	m.t.Helper()
	req, err := helpers.ParseRequest(url)
	if err != nil {
		m.t.Fatal(err)
	}
	e := *m.env // which remembers its workspace
	a := &app{env: &e, stderr: io.Discard}
	r, err := a.resolver(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	return r.headers(m.t.Context(), req)
}

// statusOf asks for a URL with headers, and returns the status.
func statusOf(t *testing.T, url string, resp helpers.Response) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range resp.Headers {
		for _, v := range values {
			req.Header.Add(name, v.Reveal())
		}
	}
	got, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	got.Body.Close()
	return got.StatusCode
}

func (c presetCase) start(t *testing.T) (*packagetest.Server, string) {
	t.Helper()
	if c.login == (packagetest.Login{}) {
		c.login = packagetest.Alice
	}
	if c.path == "" {
		c.path = "/x"
	}
	s := packagetest.Start(t, c.preset, c.login)
	return s, s.URL + c.path
}

func (c presetCase) rule() string {
	if c.config == "" {
		return fmt.Sprintf(`"preset": %q`, c.preset)
	}
	return fmt.Sprintf(`"preset": %q, %s`, c.preset, c.config)
}

// TestPresets fetches with the headers that each preset makes of each native login, and without them.
func TestPresets(t *testing.T) {
	for _, c := range presetCases {
		t.Run(c.preset+"/"+c.name, func(t *testing.T) {
			t.Parallel()
			s, url := c.start(t)
			m := newPresetMachine(t, s)
			m.prepare(c, c.rule())
			resp, err := m.headers(url)
			if err != nil {
				t.Fatal(err)
			}
			if got := statusOf(t, url, resp); got != http.StatusOK {
				t.Errorf("status %d with our headers (%v)", got, s.Seen())
			}
			if got := statusOf(t, url, helpers.Response{}); got != http.StatusUnauthorized {
				t.Errorf("status %d without", got)
			}
			// Another host gets nothing of it, whatever it begins or ends with.
			for _, host := range []string{"127.0.0.1.evil.test", "evil-127.0.0.1.test", "127.0.0.1:1", "localhost"} {
				if resp, err := m.headers("http://" + host + c.path); err != nil || !resp.Empty() {
					t.Errorf("%s: %v, %v", host, resp.Headers, err)
				}
			}
		})
	}
}

// TestPresetsWithoutALogin holds that a preset without a login is an error that says what was looked at, and that an empty machine has none.
func TestPresetsWithoutALogin(t *testing.T) {
	for _, preset := range packagetest.Kinds() {
		t.Run(preset, func(t *testing.T) {
			t.Parallel()
			c := presetCase{preset: preset}
			s, url := c.start(t)
			m := newPresetMachine(t, s)
			m.rule(c.rule())
			_, err := m.headers(url)
			if err == nil || !strings.Contains(err.Error(), "no login found: ") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestPresetForms holds that each server refuses the forms that are not its own. The forms are those of seven presets.
func TestPresetForms(t *testing.T) {
	forms := map[string]string{
		"npm": `"token": "${T}"`, "cargo": `"token": "${T}"`, "rubygems": `"token": "${T}"`, "pypi": `"token": "${T}"`, "gitlab": `"token": "${T}"`, "nuget": `"token": "${T}"`,
		"maven": `"username": "alice", "password": "wonderland-passwd"`,
	}
	accepts := map[string][]string{
		"npm": {"npm", "maven"}, "cargo": {"cargo"}, "pypi": {"pypi", "maven"}, "maven": {"maven"}, "composer": {"npm", "maven", "gitlab"},
		"rubygems": {"rubygems", "maven"}, "julia": {"npm"}, "moonbit": {"npm", "maven"}, "pesde": {"npm", "cargo"},
		"stack-gallery": {"npm"}, "gitlab": {"npm", "gitlab"}, "gitea": {"npm"}, "artifactory": {"npm", "maven"}, "nexus": {"maven"}, "nuget": {"nuget", "pypi", "maven"},
	}
	for _, server := range packagetest.Kinds() {
		for preset, login := range forms {
			t.Run(server+"/"+preset, func(t *testing.T) {
				t.Parallel()
				c := presetCase{preset: server}
				if server == "stack-gallery" {
					c.path = "/@acme/pkg"
				}
				s, url := c.start(t)
				m := newPresetMachine(t, s)
				m.vars["T"] = packagetest.Alice.Token
				m.rule(fmt.Sprintf(`"preset": %q, %s`, preset, login))
				resp, err := m.headers(url)
				if err != nil {
					t.Fatal(err)
				}
				want := http.StatusUnauthorized
				if slices.Contains(accepts[server], preset) {
					want = http.StatusOK
				}
				if got := statusOf(t, url, resp); got != want {
					t.Errorf("status %d, want %d", got, want)
				}
			})
		}
	}
}

// TestPresetTable holds that the table in docs/registry.md has a row for each preset, that there is a server for each, and a case for each row.
func TestPresetTable(t *testing.T) {
	page := pages(t)[filepath.Join("..", "..", "docs", "registry.md")]
	var rows []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| \\S.* \\| \\S.* \\|$").FindAllStringSubmatch(page, -1) {
		rows = append(rows, row[1])
	}
	var cases []string
	for _, c := range presetCases {
		cases = append(cases, c.preset)
	}
	servers := packagetest.Kinds()
	slices.Sort(servers)
	slices.Sort(rows)
	slices.Sort(cases)
	if cases = slices.Compact(cases); !slices.Equal(rows, servers) || !slices.Equal(cases, servers) {
		t.Errorf("the presets:\nin the docs  %q\nwith a case  %q\nwith a model %q", rows, cases, servers)
	}
}

// TestPresetCredentialStaysAtItsHost holds that where a registry redirects to, nothing of the login goes (rules 4 and 8).
func TestPresetCredentialStaysAtItsHost(t *testing.T) {
	c := presetCase{preset: "pesde", files: "-- .pesde/config.toml --\n[tokens]\n\"{URL}/index\" = \"{TOKEN}\"\n"}
	s, url := c.start(t)
	m := newPresetMachine(t, s)
	m.prepare(c, c.rule())
	for _, next := range []string{
		"https://cdn.example.com/archive", s.URL + "/archive?X-Amz-Signature=0", strings.Replace(url, "127.0.0.1", "localhost", 1), "https://127.0.0.1.evil.test/x",
	} {
		resp, err := m.headers(next)
		if err != nil || !resp.Empty() {
			t.Errorf("%s: %v, %v", next, resp.Headers, err)
		}
	}
}
