package main

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/internal/peertest"
)

// presetRule is a config file with the rule for a server that a user would write, and another one for every host that looks like it, and every scheme,
// so that nothing but the login itself says where it goes. config is the content of the rules' "config".
func presetRule(host, config string) string {
	name, _, _ := strings.Cut(host, ":")
	return fmt.Sprintf(`{"urls": [
	{"scheme": "http", "host": %q, "helper": "registry", "config": {%s}},
	{"host": "*%[3]s*", "helper": "registry", "config": {%[2]s, "allow_http": true}}
]}`, host, config, name[1:])
}

// onlyRule is presetRule without the rule for other hosts, for logins that name none.
func onlyRule(host, config string) string {
	return fmt.Sprintf(`{"urls": [{"scheme": "http", "host": %q, "helper": "registry", "config": {%s}}]}`, host, config)
}

// newProject makes a site whose home has nothing but what a client writes there, with the workspace in which the program runs, and its rules.
func newProject(t *testing.T, rules string, env ...string) *site {
	t.Helper()
	p := newSite(t, "", append(env, "PATH="+os.Getenv("PATH"))...)
	p.dir = filepath.Dir(p.write(filepath.Join("project", "MODULE.bazel"), ""))
	p.write(filepath.Join("project", ".tweag-credential-helper.json"), rules)
	return p
}

// testOpens fetches a URL without headers, which is refused, and with those that the program prints, which is not.
func testOpens(t *testing.T, p *site, at string, content []byte) {
	t.Helper()
	if got := fetch(t, http.MethodGet, at, nil); got.status != http.StatusUnauthorized {
		t.Errorf("%s without headers: %d %q", at, got.status, got.body)
	}
	if got := fetch(t, http.MethodGet, at, p.headers(at)); got.status != http.StatusOK || string(got.body) != string(content) {
		t.Errorf("%s: %d %q, want %q", at, got.status, got.body, content)
	}
}

// testKeeps asks for URLs on hosts that look like the one of a login, and are others. portless says that the login's file names no port.
func testKeeps(t *testing.T, p *site, at string, portless bool, secrets ...string) {
	t.Helper()
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(u.Host)
	if err != nil {
		t.Fatal(err)
	}
	hosts := []string{host + ".evil.test:" + port, "evil" + host + ":" + port, "evil." + host + ":" + port, host + "0:" + port, host[1:] + ":" + port}
	if !portless {
		hosts = append(hosts, host, host+":"+port[:len(port)-1])
	}
	for _, scheme := range []string{"http", "https"} {
		for _, other := range hosts {
			other := scheme + "://" + other + u.RequestURI()
			got := p.get(other)
			for _, secret := range secrets {
				if strings.Contains(got.Stdout+got.Stderr, secret) {
					t.Errorf("get for %s shows the login: %+v", other, got)
				}
			}
			if got.Code == 0 {
				// No rule is about that host.
				if headers, _ := readAnswer(t, other, got); len(headers) != 0 {
					t.Errorf("get for %s: %v", other, headers)
				}
				continue
			}
			// 127.0.0.1 with something in front is refused before anything is looked up.
			if got.Stdout != "" || !strings.Contains(got.Stderr, ": no login found: ") && !strings.Contains(got.Stderr, "looks like an IP address and is none") {
				t.Errorf("get for %s: %+v", other, got)
			}
		}
	}
}

const (
	npmPackage = "@acme/secret"
	npmVersion = "1.2.3"
)

// TestNativeNPM reads the token that npm itself got from the registry and kept.
func TestNativeNPM(t *testing.T) {
	registry := peertest.Verdaccio(t)
	p := newProject(t, presetRule(registry.Host, `"preset": "npm"`))
	registry.AddUser(p.home, "alice", "wonderland")
	content := registry.Publish(p.home, npmPackage, npmVersion)
	tarball, metadata := registry.TarballURL(npmPackage, npmVersion), registry.MetadataURL(npmPackage)

	npmrc, err := os.ReadFile(filepath.Join(p.home, ".npmrc"))
	if err != nil {
		t.Fatal(err)
	}
	_, token, _ := strings.Cut(strings.TrimSpace(string(npmrc)), ":_authToken=")
	token = strings.Trim(token, `"`)
	testOpens(t, p, tarball, content)
	testKeeps(t, p, tarball, false, token)
	if got := fetch(t, http.MethodGet, metadata, p.headers(metadata)); got.status != http.StatusOK || !strings.Contains(string(got.body), tarball) {
		t.Errorf("%s: %d %s", metadata, got.status, got.body)
	}

	// What people write by hand, against the same registry.
	for _, tt := range []struct {
		name, npmrc string
		env         []string
	}{
		{name: "token in a variable", npmrc: "//HOST/:_authToken=${NPM_TOKEN}\n", env: []string{"NPM_TOKEN=" + token}},
		{name: "name and password", npmrc: "//HOST/:username=alice\n//HOST/:_password=d29uZGVybGFuZA==\n"},
		{name: "both in one value", npmrc: "//HOST/:_auth=YWxpY2U6d29uZGVybGFuZA==\n"},
		{name: "path of the packages of a scope", npmrc: "//HOST/@acme/:_authToken=" + token + "\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newProject(t, presetRule(registry.Host, `"preset": "npm"`), tt.env...)
			p.write(".npmrc", strings.ReplaceAll(tt.npmrc, "HOST", registry.Host))
			testOpens(t, p, tarball, content)
			testKeeps(t, p, tarball, false, token, "wonderland")
		})
	}
}

// TestNativeCargo reads the token that cargo itself kept.
func TestNativeCargo(t *testing.T) {
	const token, name = "c4rg0-canary", "acme-secret"
	registry := peertest.NewCargoRegistry(t, token, name)
	p := newProject(t, presetRule(registry.Host, `"preset": "cargo"`))
	peertest.NewCargo(t, p.home, "acme", registry).Login("acme", token)
	testOpens(t, p, registry.DownloadURL(name), registry.Content(name))
	testKeeps(t, p, registry.DownloadURL(name), false, token)
	index := registry.IndexURL(name)
	if got := fetch(t, http.MethodGet, index, p.headers(index)); got.status != http.StatusOK || !strings.Contains(string(got.body), name) {
		t.Errorf("%s: %d %s", index, got.status, got.body)
	}

	t.Run("variable", func(t *testing.T) {
		p := newProject(t, presetRule(registry.Host, `"preset": "cargo"`), "CARGO_REGISTRIES_ACME_INDEX="+registry.Index(), "CARGO_REGISTRIES_ACME_TOKEN="+token)
		testOpens(t, p, registry.DownloadURL(name), registry.Content(name))
		testKeeps(t, p, registry.DownloadURL(name), false, token)
	})
}

// TestNativeGit reads the login that git itself kept, by asking git.
func TestNativeGit(t *testing.T) {
	const config = `"auth_method": "basic", "lookup_chain": [{"source": "git"}]`
	server := peertest.GitServer(t, logins)
	p := newProject(t, presetRule(server.Host, config))
	server.Login(p.home, "alice", logins["alice"])
	for _, path := range []string{"/info/refs?service=git-upload-pack", "/HEAD"} {
		at := server.URL + path
		want := fetch(t, http.MethodGet, at, http.Header{"Authorization": {"Basic YWxpY2U6d29uZGVybGFuZA=="}})
		if want.status != http.StatusOK {
			t.Fatalf("%s: %d %s", at, want.status, want.body)
		}
		testOpens(t, p, at, want.body)
		testKeeps(t, p, at, false, logins["alice"], "YWxpY2U6d29uZGVybGFuZA")
	}
}

// packages are files as a Maven, PyPI, RubyGems or Composer repository has them, by path.
var packages = map[string]string{
	"maven2/test/acme/app/1.0/app-1.0.jar": "a jar",
	"simple/secret/index.html":             `<a href="/packages/secret-1.0.tar.gz">secret-1.0.tar.gz</a>`,
	"packages/secret-1.0.tar.gz":           "a sdist",
	"gems/secret-1.0.gem":                  "a gem",
	"dist/acme/secret/1.0.zip":             "a zip",
	"v3-flatcontainer/secret.1.0.nupkg":    "a nupkg",
}

// serveFiles puts the packages behind nginx, for the logins.
func serveFiles(t *testing.T) (host string) {
	t.Helper()
	root := t.TempDir()
	for name, content := range packages {
		path := filepath.Join(root, filepath.FromSlash(name))
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if err == nil {
			err = os.WriteFile(path, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return peertest.NginxBasic(t, logins, root)
}

const (
	mavenJar      = "maven2/test/acme/app/1.0/app-1.0.jar"
	mavenSettings = `<?xml version="1.0" encoding="UTF-8"?>
<settings xmlns="http://maven.apache.org/SETTINGS/1.2.0">
  <servers>
    <server><id>other</id><username>bob</username><password>looking-glass</password></server>
    <server><id>acme</id><username>alice</username><password>wonderland</password></server>
  </servers>
</settings>
`
)

// TestNativeBasic reads the logins that people write into the files of their tools, for one server with Basic authentication.
// In the files and the variables, {host} stands for its host and port, and {port} for the port.
func TestNativeBasic(t *testing.T) {
	_, port, err := net.SplitHostPort(serveFiles(t))
	if err != nil {
		t.Fatal(err)
	}
	// Other names can begin and end with this one.
	host := "localhost:" + port
	expand := strings.NewReplacer("{host}", host, "{port}", port).Replace
	for _, tt := range []struct {
		name, config string
		env          []string
		file, text   string
		paths        []string
		only         bool // the login names no host, but the rule does
		portless     bool // the login names no port
	}{
		{
			name: "maven settings", config: `"preset": "maven", "server": "acme"`,
			file: ".m2/settings.xml", text: mavenSettings, paths: []string{mavenJar}, only: true,
		},
		{
			name: "maven settings with a variable", config: `"preset": "maven", "server": "acme"`, env: []string{"MAVEN_PASSWORD=wonderland"},
			file: ".m2/settings.xml", text: strings.Replace(mavenSettings, "wonderland", "${env.MAVEN_PASSWORD}", 1), paths: []string{mavenJar}, only: true,
		},
		{
			name: "maven mirror", config: `"preset": "maven"`, file: ".m2/settings.xml",
			text: strings.Replace(mavenSettings, "</servers>", "</servers>\n<mirrors><mirror><id>acme</id><url>http://{host}/maven2</url><mirrorOf>*</mirrorOf></mirror></mirrors>", 1), paths: []string{mavenJar},
		},
		{
			name: "pip's index", config: `"preset": "pypi"`,
			file: ".config/pip/pip.conf", text: "[global]\nindex-url = http://alice:wonderland@{host}/simple\n",
			paths: []string{"simple/secret/", "packages/secret-1.0.tar.gz"},
		},
		{
			name: "pip's index in a variable", config: `"preset": "pypi"`, env: []string{"PIP_EXTRA_INDEX_URL=http://alice:wonderland@{host}/simple"},
			paths: []string{"simple/secret/", "packages/secret-1.0.tar.gz"},
		},
		{
			name: "pypirc", config: `"preset": "pypi"`, file: ".pypirc",
			text:  "[distutils]\nindex-servers =\n    acme\n\n[acme]\nrepository = http://{host}/\nusername = alice\npassword = wonderland\n",
			paths: []string{"packages/secret-1.0.tar.gz"},
		},
		{
			name: "netrc", config: `"preset": "pypi"`, file: ".netrc", text: "machine localhost\nlogin alice\npassword wonderland\n",
			paths: []string{"simple/secret/", mavenJar, "gems/secret-1.0.gem"}, portless: true,
		},
		{
			name: "bundler", config: `"preset": "rubygems"`, file: ".bundle/config",
			text: "---\nBUNDLE_HTTP://LOCALHOST:{port}/: \"alice:wonderland\"\n", paths: []string{"gems/secret-1.0.gem"},
		},
		{
			name: "bundler with a host", config: `"preset": "rubygems"`, file: ".bundle/config",
			text: "---\nBUNDLE_LOCALHOST: \"alice:wonderland\"\n", paths: []string{"gems/secret-1.0.gem"}, portless: true,
		},
		{
			name: "bundler's variable", config: `"preset": "rubygems"`, env: []string{"BUNDLE_LOCALHOST=alice:wonderland"},
			paths: []string{"gems/secret-1.0.gem"}, portless: true,
		},
		{
			name: "composer", config: `"preset": "composer"`, file: ".config/composer/auth.json",
			text: `{"http-basic": {"{host}": {"username": "alice", "password": "wonderland"}}}`, paths: []string{"dist/acme/secret/1.0.zip"},
		},
		{
			name: "composer's variable", config: `"preset": "composer"`,
			env:   []string{`COMPOSER_AUTH={"http-basic": {"{host}": {"username": "alice", "password": "wonderland"}}}`},
			paths: []string{"dist/acme/secret/1.0.zip"},
		},
		{
			name: "nuget", config: `"preset": "nuget"`, file: ".nuget/NuGet/NuGet.Config",
			text: `<?xml version="1.0" encoding="utf-8"?>
<configuration>
  <packageSources><add key="acme" value="http://{host}/v3/index.json" /></packageSources>
  <packageSourceCredentials><acme><add key="Username" value="alice" /><add key="ClearTextPassword" value="wonderland" /></acme></packageSourceCredentials>
</configuration>
`,
			paths: []string{"v3-flatcontainer/secret.1.0.nupkg"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rule := presetRule
			if tt.only {
				rule = onlyRule
			}
			env := make([]string, len(tt.env))
			for i, v := range tt.env {
				env[i] = expand(v)
			}
			p := newProject(t, rule(host, tt.config), env...)
			if tt.file != "" {
				p.write(filepath.FromSlash(tt.file), expand(tt.text))
			}
			for _, path := range tt.paths {
				at := "http://" + host + "/" + path
				content := packages[path]
				if strings.HasSuffix(path, "/") {
					content = packages[path+"index.html"]
				}
				testOpens(t, p, at, []byte(content))
				testKeeps(t, p, at, tt.portless, "wonderland", "YWxpY2U6d29uZGVybGFuZA")
			}
		})
	}
}
