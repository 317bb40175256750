//go:build unix

package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/internal/githubtest"
	"github.com/fe055d52/credential-helper/internal/registrytest"
)

// A cage is a world in which whatever may hold a secret holds a canary.
type cage struct {
	*site
	canaries
	program string
	urls    []cagedURL
	hostile []string // URLs whose servers say what they were sent, each time in another writing
	log     string   // where the programs that are started write how they were started
	environ string   // and where they write their variables

	mu     sync.Mutex
	bad    []string        // what got out
	driven map[string]bool // the commands that were run
}

// A cagedURL is one that an input gives the login for.
type cagedURL struct {
	url   string
	from  string   // the name of the canary that get prints; "" where there is no answer
	file  string   // the file that the canary is in, below the home directory
	field string   // the variable that it is in
	env   []string // what is set for this URL alone
}

// newCage returns a cage for a program. Nothing in it leads away from this machine: all hosts but those on loopback are asked for through a proxy that is not there.
func newCage(t *testing.T, program string) *cage {
	t.Helper()
	home, err := os.MkdirTemp("", "ch") // the name of a test's directory can be too long for a socket
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	c := &cage{
		site: &site{t: t, home: home, dir: filepath.Join(home, "ws")}, program: program, log: filepath.Join(home, "started"), environ: filepath.Join(home, "environ"),
		canaries: canaries{map[string]string{}, map[string]string{}}, driven: map[string]bool{},
	}
	v := c.value
	echo := httptest.NewServer(http.HandlerFunc(sayItAll))
	t.Cleanup(echo.Close)
	host := strings.TrimPrefix(echo.URL, "http://")
	port := strings.TrimPrefix(host, "127.0.0.1:")

	registry := func(password string, token http.HandlerFunc) *registrytest.Registry {
		r, err := registrytest.Start(registrytest.Config{Login: registrytest.Bearer, Users: map[string]string{"alice": password}})
		must(t, err)
		t.Cleanup(r.Close)
		if token != nil {
			r.SetToken(token)
		}
		return r
	}
	minting := registry(v("docker's file"), registrytest.Status(200, `{"token": "`+v("token response")+`", "access_token": "`+v("token response")+`", "refresh_token": "`+v("refresh token response")+`", "expires_in": 300}`))
	stored := registry(v("docker's program"), registrytest.Status(200, `{"token": "`+v("second token response")+`", "expires_in": 300}`))
	inError, ofInstallation := v("token in an error"), v("installation token")
	refusing, identity := registry(v("refused"), refuse(401, inError)), registry(v("identity"), refuse(401, inError))
	gh := githubtest.New(t)
	addAcme(gh)
	gh.SetMint(func(w http.ResponseWriter, req *http.Request) {
		w.WriteHeader(201)
		fmt.Fprintf(w, `{"token": "ghs_%s", "expires_at": %q, "permissions": {"contents": "read"}, "repository_selection": "all"}`, ofInstallation, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	})
	unwilling := githubtest.New(t)
	addAcme(unwilling)
	unwilling.SetMint(refuse(403, v("token in GitHub's error")))
	answering := func(text string) *httptest.Server {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if req.URL.Path == "/refresh" {
				fmt.Fprint(w, text)
				return
			}
			sayItAll(w, req)
		}))
		t.Cleanup(s.Close)
		return s
	}
	renewing := answering(fmt.Sprintf("access_token = %q\nrefresh_token = %q\nexpires_in = 86400\n", v("julia's new token"), v("julia's new refresh token")))
	babbling := answering(fmt.Sprintf("access_token = %q\nrefresh_token = %s and\n%s", v("julia, unread"), v("julia, unread too"), v("julia, unread as well")))
	key := githubtest.PEM(githubtest.Key())
	for _, line := range strings.Split(strings.TrimSpace(key), "\n") {
		if !strings.HasPrefix(line, "-----") {
			c.add("private key", line)
		}
	}

	// Maven 3 encrypted these: the master password "master of all", and a password with it.
	const master, sealed = "{EXgzPisq3N0HKshA1rfUnihAPHGdA0A0EYffSKYVvb4=}", "{EpeP7WohrQoH+JJMuuxQ1rSSBJRumokdGoPxbKGkHP+94l8F7b+IOqYhNQ7OCz9d}"
	c.add("maven, encrypted", "cnry-lookup-c4f1")
	c.add("maven's master password", "master of all")

	image := "/v2/team/app/manifests/v1"
	chain := func(source string) string {
		return `"helper": "registry", "config": {"lookup_chain": [` + source + `]}`
	}
	var rules []string
	rule := func(path, from, file, variable, text string) {
		rules = append(rules, fmt.Sprintf(`{"host": %q, "path": "/%s/*", %s}`, host, path, text))
		c.urls = append(c.urls, cagedURL{url: echo.URL + "/" + path + "/x", from: from, file: file, field: variable})
	}
	// set adds one whose login is in a variable that others do not see. The canary's name is the variable's.
	set := func(path, name, value, text string, more ...string) {
		if text != "" {
			rules = append(rules, fmt.Sprintf(`{"host": %q, "path": "/%s/*", %s}`, host, path, text))
		}
		c.urls = append(c.urls, cagedURL{url: echo.URL + "/" + path + "/y", from: name, field: name, env: append(more, name+"="+fmt.Sprintf(value, v(name)))})
	}
	rule("env", "variable", "", "CANARY_ENV", chain(`{"source": "env", "name": "CANARY_ENV"}`))
	rule("template", "template", "", "CANARY_TEMPLATE", `"helper": "registry", "config": {"auth_method": "raw", "token": "Token token=${CANARY_TEMPLATE}"}`)
	rule("user", "variable", "", "CANARY_ENV", `"helper": "registry", "config": {"username": "${CANARY_ENV}", "password": "x-oauth-basic"}`)
	rule("header", "variable", "", "CANARY_ENV", `"helper": "registry", "config": {"auth_method": "header", "header_name": "X-Api-Key", "token": "${CANARY_ENV}"}`)
	rule("file", "file", "secret", "", chain(`{"source": "file", "path": "~/secret"}`))
	rule("command", "program's output", "out", "", chain(`{"source": "command", "command": ["tool", "prints"]}`))
	rule("failing", "", "err", "", chain(`{"source": "env", "name": "CANARY_ENV", "binding": "password"}, {"source": "command", "command": ["tool", "fails"]}`))
	rule("complaining", "", "", "", chain(`{"source": "command", "command": ["tool", "complains"]}`))
	rule("halving", "", "", "", chain(`{"source": "command", "command": ["tool", "halves"]}`))
	rule("repeating", "", "", "", chain(`{"source": "command", "command": ["tool", "repeats"]}`))
	rules = append(rules, fmt.Sprintf(`{"host": %q, "path": "/absent/*", %s}`, host, chain(`{"source": "env", "name": "NOT_SET"}`)))
	rule("keyring", "keyring", "ring", "", chain(`{"source": "keyring", "service": "canaries"}`))
	rule("static", "static", "ws/.tweag-credential-helper.json", "", chain(`{"source": "static", "value": "`+v("static")+`"}`))
	rule("literal", "literal", "ws/.tweag-credential-helper.json", "", `"helper": "registry", "config": {"username": "bob", "password": "`+v("literal")+`"}`)
	rule("netrc", "netrc", ".netrc", "", chain(`{"source": "netrc"}`))
	rule("git", "git", ".git-credentials", "", chain(`{"source": "git"}`))
	rule("gh", "gh", ".config/gh/hosts.yml", "", chain(`{"source": "github"}`))
	rule("julia", "julia", ".julia/servers/127.0.0.1_"+port+"/auth.toml", "", `"helper": "registry", "config": {"preset": "julia"}`)
	rule("npm", "npm", ".npmrc", "", `"helper": "registry", "config": {"preset": "npm"}`)
	rule("cargo", "cargo", ".cargo/credentials.toml", "", `"helper": "registry", "config": {"preset": "cargo"}`)
	rule("pip", "pip", "", "PIP_INDEX_URL", chain(`{"source": "pip"}`))
	rule("pypi", "pypirc", ".pypirc", "", chain(`{"source": "pypirc"}`))
	rule("maven", "maven", ".m2/settings.xml", "", `"helper": "registry", "config": {"preset": "maven", "server": "corp"}`)
	rule("composer", "composer", ".config/composer/auth.json", "", `"helper": "registry", "config": {"preset": "composer"}`)
	rule("gems", "bundler", ".bundle/config", "", `"helper": "registry", "config": {"preset": "rubygems"}`)
	rule("moonbit", "moonbit", "ws/registry.toml", "", `"helper": "registry", "config": {"preset": "moonbit"}`)
	rule("pesde", "pesde", ".pesde/config.toml", "", `"helper": "registry", "config": {"preset": "pesde", "index": "`+echo.URL+`/pesde/index"}`)
	rule("nuget", "nuget", ".nuget/NuGet/NuGet.Config", "", `"helper": "registry", "config": {"preset": "nuget"}`)
	rule("gitlab", "gitlab", "", "GITLAB_TOKEN", `"helper": "registry", "config": {"preset": "gitlab"}`)
	rule("remote", "remote", "", "CANARY_REMOTE", `"helper": "remoteapis", "config": {"header_name": "x-key", "lookup_chain": [{"source": "env", "name": "CANARY_REMOTE"}]}`)
	preset := func(name string) string { return `"helper": "registry", "config": {"preset": "` + name + `"}` }
	set("gitea", "GITEA_TOKEN", "%s", preset("gitea"))
	set("artifactory", "JF_ACCESS_TOKEN", "%s", preset("artifactory"), "JF_URL="+echo.URL+"/artifactory")
	set("nexus", "PIP_EXTRA_INDEX_URL", "http://bob:%s@"+host+"/nexus/simple", preset("nexus"))
	set("job", "CI_JOB_TOKEN", "%s", preset("gitlab"), "CI_SERVER_URL="+echo.URL)
	set("gallery", "STACK_GALLERY_TOKEN", "srg_%s", preset("stack-gallery"))
	set("twine", "TWINE_PASSWORD", "%s", chain(`{"source": "pypirc"}`), "TWINE_USERNAME=bob", "TWINE_REPOSITORY_URL="+echo.URL+"/twine/")
	set("packagist", "COMPOSER_AUTH", `{"http-basic": {"`+host+`": {"username": "bob", "password": "%s"}}}`, preset("composer"))
	set("gem", "GEM_HOST_API_KEY", "%s", preset("rubygems"), "RUBYGEMS_HOST="+echo.URL+"/gem", "BUNDLE_IGNORE_CONFIG=1")
	set("cargo", "CARGO_REGISTRIES_CORP_TOKEN", "Bearer %s", "")
	rule("sealed", "maven, encrypted", ".m2/settings.xml", "", `"helper": "registry", "config": {"preset": "maven", "server": "sealed"}`)
	other := func(url, from, file, variable, text string) {
		if text != "" {
			rules = append(rules, fmt.Sprintf(`{"host": %q, %s}`, strings.TrimPrefix(url[:strings.IndexByte(url[8:], '/')+8], "http://"), text))
		}
		c.urls = append(c.urls, cagedURL{url: url, from: from, file: file, field: variable})
	}
	login := `"helper": "oci", "config": {"lookup_chain": [{"source": "static", "value": "alice", "binding": "username"}, {"source": "env", "name": "CANARY_ENV", "binding": "password"}]}`
	other(minting.URL+image, "token response", ".docker/config.json", "", `"helper": "oci"`)
	other(stored.URL+image, "second token response", "store", "", `"helper": "oci"`)
	other(refusing.URL+image, "", "", "CANARY_ENV", login)
	other(identity.URL+image, "", ".docker/config.json", "", `"helper": "oci"`)
	c.urls = append(c.urls,
		cagedURL{url: identity.URL + image, field: "DOCKER_AUTH_CONFIG", env: []string{`DOCKER_AUTH_CONFIG={"auths": {"` + identity.Host + `": {"username": "bob", "password": "` + v("DOCKER_AUTH_CONFIG") + `"}}}`}},
		cagedURL{url: "https://github.com/acme/other", from: "GH_TOKEN", field: "GH_TOKEN", env: []string{"GH_TOKEN=ghp_" + v("GH_TOKEN")}},
		cagedURL{url: "https://a.test/y", from: "variable", field: "HTTPS_PROXY", env: []string{"HTTPS_PROXY=http://bob:" + v("a talkative proxy") + "@" + host}},
	)
	other(unwilling.API+"/repos/acme/tools", "", "app.pem", "", `"helper": "github", "config": {"app_id": 12345, "owner": "acme", "lookup_chain": [{"source": "file", "path": "~/app.pem"}]}`)
	c.hostile = []string{refusing.URL + image, identity.URL + image, unwilling.API + "/repos/acme/tools"}
	for n := range waysToSay * len(disguises) {
		c.hostile = append(c.hostile, fmt.Sprintf("%s/env/disguise%d", echo.URL, n))
	}
	other(renewing.URL+"/x", "julia's new token", "", "", preset("julia"))
	other(babbling.URL+"/x", "julia, old", "", "", preset("julia"))
	other(gh.API+"/repos/acme/tools", "installation token", "app.pem", "", `"helper": "github", "config": {"app_id": 12345, "owner": "acme", "lookup_chain": [{"source": "file", "path": "~/app.pem"}]}`)
	other("https://github.com/acme/tools", "gh", ".config/gh/hosts.yml", "", "")
	other("https://a.test/x?X-Amz-Signature="+v("signature"), "", "", "", "")
	other("https://bob:"+v("user info")+"@a.test/", "", "", "", "")
	other("https://a.test/x", "variable", "", "HTTPS_PROXY", "")
	rules = append(rules, `{"host": "a.test", `+chain(`{"source": "env", "name": "CANARY_ENV"}`)+`}`)

	c.write("ws/MODULE.bazel", "module(name = \"m\")\n")
	c.write("ws/.tweag-credential-helper.json", `{"use_defaults": true, "urls": [`+"\n"+strings.Join(rules, ",\n")+"\n]}\n")
	c.write(".config/credential-helper/config.json", `{"urls": [{"host": "dock.test", `+login+`}]}`)
	bazelrc := "common --registry=http://bob:" + v("registry in .bazelrc") + "@" + host + "/bcr\nbuild --remote_cache=grpcs://cache.example.com --remote_header=x-key=" + v(".bazelrc") +
		"\nbuild --bes_header=Authorization=Bearer\\ " + v(".bazelrc") + "\n"
	c.write("ws/.bazelrc", bazelrc)
	c.write("new/MODULE.bazel", "module(name = \"m\")\narchive_override(module_name = \"x\", urls = [\"https://bob:"+v("MODULE.bazel")+"@files.example.com/x.zip\"])\n")
	c.write("new/.bazelrc", bazelrc)
	c.write("secret", v("file")+"\n")
	c.write("out", v("program's output"))
	c.write("err", "it says: "+v("program's complaint")+"\ntoken="+v("program's complaint"))
	c.write("complaint", "it says "+v("program's complaint alone")+"\nits password: "+v("program's password")[:12]+"\n")
	c.write("half", v("program's halves")[:14]+"\n")
	phrase := v("program's phrase")
	c.write("phrase", phrase[:4]+"!"+phrase[4:8]+"!"+phrase[8:12])
	c.write("whole", v("program's halves")+"\n")
	c.write("pass", v("passphrase")+"\n")
	c.write("app.pem", key)
	c.write(".netrc", "machine 127.0.0.1 login bob password "+v("netrc")+"\n")
	c.write(".gitconfig", "[credential]\n\thelper = store\n")
	c.write(".git-credentials", "http://bob:"+v("git")+"@127.0.0.1%3a"+port+"\n")
	c.write(".config/gh/hosts.yml", "github.com:\n    user: bob\n    oauth_token: gho_"+v("gh")+"\n")
	c.write(".julia/servers/127.0.0.1_"+port+"/auth.toml", fmt.Sprintf("access_token = %q\nrefresh_token = %q\nrefresh_url = \"%s/julia/refresh\"\nexpires_at = %d\n", v("julia"), v("julia's refresh token"), echo.URL, time.Now().Add(24*time.Hour).Unix()))
	for s, from := range map[*httptest.Server]string{renewing: "julia, expired", babbling: "julia, old"} {
		c.write(".julia/servers/"+strings.ReplaceAll(strings.TrimPrefix(s.URL, "http://"), ":", "_")+"/auth.toml",
			fmt.Sprintf("access_token = %q\nrefresh_token = %q\nrefresh_url = \"%s/refresh\"\nexpires_at = %d\n", v(from), v(from+", to be renewed"), s.URL, time.Now().Add(time.Minute).Unix()))
	}
	c.write(".npmrc", "//"+host+"/npm/:_authToken="+v("npm")+"\n")
	c.write(".cargo/config.toml", "[registries.corp]\nindex = \"sparse+"+echo.URL+"/cargo/\"\n")
	c.write(".cargo/credentials.toml", "[registries.corp]\ntoken = \"Bearer "+v("cargo")+"\"\n")
	c.write(".pypirc", "[distutils]\nindex-servers = corp\n[corp]\nrepository = "+echo.URL+"/pypi/\nusername = bob\npassword = "+v("pypirc")+"\n")
	c.write(".m2/settings.xml", "<settings><servers><server><id>corp</id><username>bob</username><password>"+v("maven")+"</password></server>"+
		"<server><id>sealed</id><username>bob</username><password>"+sealed+"</password></server></servers></settings>\n")
	c.write(".m2/settings-security.xml", "<settingsSecurity><master>"+master+"</master></settingsSecurity>\n")
	c.write(".config/composer/auth.json", `{"http-basic": {"`+host+`": {"username": "bob", "password": "`+v("composer")+`"}}}`)
	c.write(".bundle/config", "---\nBUNDLE_HTTP://127__0__0__1:"+port+"/: \"bob:"+v("bundler")+"\"\n")
	c.write("ws/registry.toml", "[[sources]]\nname = \"p\"\nurl = \""+echo.URL+"/moonbit\"\n[sources.auth]\ntype = \"bearer\"\ntoken = \""+v("moonbit")+"\"\n")
	c.write(".pesde/config.toml", "[tokens]\n\""+echo.URL+"/pesde/index\" = \"Bearer "+v("pesde")+"\"\n")
	c.write(".nuget/NuGet/NuGet.Config", `<configuration><packageSources><add key="acme" value="`+echo.URL+`/nuget/index.json" /></packageSources>`+
		`<packageSourceCredentials><acme><add key="Username" value="bob" /><add key="ClearTextPassword" value="`+v("nuget")+"\" /></acme></packageSourceCredentials></configuration>\n")
	c.write(".docker/config.json", `{"auths": {"`+minting.Host+`": {"auth": "`+base64.StdEncoding.EncodeToString([]byte("alice:"+v("docker's file")))+`"},
		"`+identity.Host+`": {"auth": "`+base64.StdEncoding.EncodeToString([]byte("<token>:"))+`", "identitytoken": "`+v("docker's identity token")+`"},
		"import.test": {"username": "alice", "password": "`+v("docker's login to import")+`"}},
		"credHelpers": {"`+stored.Host+`": "caged"}}`)
	login2, err := json.Marshal(map[string]string{"ServerURL": stored.Host, "Username": "alice", "Secret": v("docker's program")})
	must(t, err)
	c.write("store", string(login2))
	// Each program writes down how it was started, and by which command line.
	started := "#!/bin/sh\n{ printf '%s\\n' \"$0\" \"$@\"; tr '\\0' '\\n' </proc/$PPID/cmdline; } >>" + c.log + " 2>&1\ntr '\\0' '\\n' </proc/$$/environ >>" + c.environ + "\n"
	for name, script := range map[string]string{
		"tool":                    `[ "$1" = prints ] && exec cat "$HOME/out"; [ "$1" = complains ] && cat "$HOME/complaint" >&2 && exit 1; [ "$1" = repeats ] && cat "$HOME/phrase" >&2 && cat "$HOME/phrase" && exit 1; [ "$1" = halves ] && cat "$HOME/half" >&2 && cat "$HOME/whole" && exit 1; cat "$HOME/err" >&2; cat "$HOME/err"; exit 1`,
		"docker-credential-caged": `cat >/dev/null; exec cat "$HOME/store"`,
		"git":                     `PATH=/usr/local/bin:/usr/bin:/bin exec git "$@"`,
	} {
		must(t, os.Chmod(c.write("bin/"+name, started+script+"\n"), 0o700))
	}
	must(t, os.Symlink(program, filepath.Join(home, "bin", "docker-credential-ours")))
	must(t, os.MkdirAll(filepath.Join(home, "tmp"), 0o700))
	c.env = []string{
		"HOME=" + home, "PATH=" + filepath.Join(home, "bin") + ":/usr/bin:/bin", "TMPDIR=" + filepath.Join(home, "tmp"), "XDG_RUNTIME_DIR=" + filepath.Join(home, "run"),
		"CANARY_ENV=" + v("variable"), "CANARY_TEMPLATE=" + v("template"), "CANARY_REMOTE=" + v("remote"), "GITLAB_TOKEN=glpat-" + v("gitlab"),
		"PIP_INDEX_URL=http://bob:" + v("pip") + "@" + host + "/pip/simple", "HTTPS_PROXY=http://bob:" + v("proxy") + "@127.0.0.1:1", "HTTP_PROXY=http://bob:" + v("proxy") + "@127.0.0.1:1",
		"CREDENTIAL_HELPER_KEYRING=file", "CREDENTIAL_HELPER_KEYRING_FILE=~/ring", "CREDENTIAL_HELPER_KEYRING_PASSPHRASE_FILE=~/pass",
	}
	return c
}
