package main

import (
	"net/http"
	"slices"

	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/githubtest"
	"github.com/fe055d52/credential-helper/internal/registrytest"
)

// What a client may ask that is no request.
var getRequests = []situation{
	{name: "an argument", args: []string{"https://a.test/x"}},
	{name: "nothing on standard input", stdin: " ", plain: true},
	{name: "a URL without JSON around it", stdin: "https://a.test/x", plain: true},
	{name: "JSON that is cut off", stdin: `{"uri": "https://a.te`, plain: true},
	{name: "an array", stdin: `["https://a.test/x"]`, plain: true},
	{name: "a request without uri", stdin: `{"url": "https://a.test/x"}`, plain: true},
	{name: "a uri that is a number", stdin: `{"uri": 7}`, plain: true},
	{name: "uri twice", stdin: `{"uri": "https://a.test/", "uri": "https://b.test/"}`, plain: true},
	{name: "an empty URL", stdin: `{"uri": ""}`, plain: true},
	{name: "a relative URL", url: "/v2/", plain: true},
	{name: "an unknown scheme", url: "ftp://a.test/", plain: true},
	{name: "a URL with a password", url: "https://bob:{CANARY}@a.test/", plain: true},
	{name: "a URL without a host", url: "https:///x", plain: true},
	{name: "a URL with dot segments", url: "https://a.test/a/../b", plain: true},
	{name: "a URL with a line break", stdin: `{"uri": "https://a.test/\r\nX: y"}`, plain: true},
	{name: "a host that is not ASCII", url: "https://bücher.test/", plain: true},
	{name: "a port that is none", url: "https://a.test:99999/", plain: true},
	{name: "a bad escape", url: "https://a.test/%zz", plain: true},
	{name: "a request that never ends", stdin: "(open)", vars: map[string]string{env.VarTimeout: "50ms"}},
	{name: "a bad time limit", vars: map[string]string{env.VarTimeout: "soon"}, plain: true},
	{name: "a bad log level", vars: map[string]string{env.VarLogging: "verbose"}, plain: true},
	{name: "a bad cache", vars: map[string]string{env.VarCache: "memory", env.VarStandalone: ""}, plain: true},
}

// What may be wrong with a configuration file.
var getConfigs = []situation{
	{name: "an unknown key", rule: `{"host": "a.test", "helper": "oci", "confg": {}}`, plain: true},
	{name: "a key of another helper", rule: `{"host": "a.test", "helper": "github", "config": {"token": "x"}}`, plain: true},
	{name: "a key of another preset", rule: `{"host": "a.test", "helper": "registry", "config": {"preset": "npm", "server": "x"}}`, plain: true},
	{name: "an unknown helper", rule: `{"host": "a.test", "helper": "regsitry"}`, plain: true},
	{name: "no helper", rule: `{"host": "a.test"}`, plain: true},
	{name: "an unknown preset", rule: `{"host": "a.test", "helper": "registry", "config": {"preset": "jfrog"}}`, plain: true},
	{name: "an unknown source", rule: `{"host": "a.test", "helper": "registry", "config": {"lookup_chain": [{"source": "envv", "name": "X"}]}}`, plain: true},
	{name: "a source without its name", rule: `{"host": "a.test", "helper": "registry", "config": {"lookup_chain": [{"source": "env", "nam": "X"}]}}`, plain: true},
	{name: "a source without its key", rule: `{"host": "a.test", "helper": "registry", "config": {"lookup_chain": [{"source": "env"}]}}`, plain: true},
	{name: "an unknown binding", rule: `{"host": "a.test", "helper": "oci", "config": {"lookup_chain": [{"source": "env", "name": "X", "binding": "user"}]}}`, plain: true},
	{name: "an unknown method", rule: `{"host": "a.test", "helper": "registry", "config": {"auth_method": "token"}}`, plain: true},
	{name: "a header without a name", rule: `{"host": "a.test", "helper": "registry", "config": {"auth_method": "header", "token": "x"}}`, plain: true},
	{name: "a header's name that is none", rule: `{"host": "a.test", "helper": "registry", "config": {"auth_method": "header", "header_name": "X Key", "token": "x"}}`, plain: true},
	{name: "a password and a token", rule: `{"host": "a.test", "helper": "registry", "config": {"preset": "gitea", "token": "x", "password": "y"}}`, plain: true},
	{name: "an empty token", rule: `{"host": "a.test", "helper": "registry", "config": {"token": ""}}`, plain: true},
	{name: "an empty chain", rule: `{"host": "a.test", "helper": "registry", "config": {"lookup_chain": []}}`, plain: true},
	{name: "a variable that is not closed", rule: `{"host": "a.test", "helper": "registry", "config": {"token": "${TOKEN"}}`, plain: true},
	{name: "a number for a string", rule: `{"host": 7, "helper": "oci"}`, plain: true},
	{name: "a key twice", rule: `{"host": "a.test", "host": "b.test", "helper": "oci"}`, plain: true},
	{name: "no host", rule: `{"helper": "registry", "config": {"token": "x"}}`, plain: true},
	{name: "a host that is too wide", rule: `{"host": "*.com", "helper": "registry", "config": {"token": "x"}}`, plain: true},
	{name: "a URL for a host", rule: `{"host": "https://a.test/", "helper": "oci"}`, plain: true},
	{name: "a path that never matches", rule: `{"host": "a.test", "path": "x/*", "helper": "oci"}`, plain: true},
	{name: "an App's key without an App", rule: `{"host": "a.test", "helper": "github", "config": {"owner": "acme"}}`, plain: true},
	{name: "a repository with its owner", rule: `{"host": "a.test", "helper": "github", "config": {"app_id": 1, "owner": "acme", "repositories": ["acme/tools"]}}`, plain: true},
	{name: "an empty file", config: " ", plain: true},
	{name: "a file that is cut off", config: "{\"urls\": [\n", plain: true},
	{name: "a comment", config: "{\n  // the registry\n  \"urls\": []\n}\n", plain: true},
	{name: "a comma too many", config: "{\"urls\": [\n  {\"host\": \"a.test\", \"helper\": \"oci\"},\n]}\n", plain: true},
	{name: "rules without urls around them", config: `[{"host": "a.test", "helper": "oci"}]`, plain: true},
	{name: "a byte order mark", config: "\ufeff{}", plain: true},
	{name: "a file that others can write", config: `{}`, files: "-- ws/.tweag-credential-helper.json --\n{}\n", prepare: mode("ws/.tweag-credential-helper.json", 0o666)},
	{name: "a directory", vars: map[string]string{env.VarConfigFile: "{HOME}"}},
	{name: "a named file that is not there", vars: map[string]string{env.VarConfigFile: "~/none.json"}},
	{name: "no home for a named file", vars: map[string]string{env.VarConfigFile: "~/none.json", "HOME": ""}, plain: true},
}

// What a rule may refuse.
var getRules = []situation{
	{name: "a helper that is not there yet", rule: `{"host": "a.test", "helper": "s3"}`},
	{name: "plain HTTP", rule: `{"host": "a.test", "helper": "registry", "config": {"token": "{CANARY}"}}`, url: "http://a.test/x"},
	{name: "a token with a line break", rule: `{"host": "a.test", "helper": "registry", "config": {"token": "${TOKEN}"}}`, vars: map[string]string{"TOKEN": "{CANARY}\nX"}},
	{name: "a user name with a colon", rule: `{"host": "a.test", "helper": "registry", "config": {"username": "a:b", "password": "{CANARY}"}}`, plain: true},
	{name: "a token without a user name", rule: `{"host": "a.test", "helper": "registry", "config": {"preset": "nexus", "token": "{CANARY}"}}`},
	{name: "a token that has expired", rule: `{"host": "a.test", "helper": "registry", "config": {"token": "${TOKEN}"}}`, vars: map[string]string{"TOKEN": "eyJhbGciOiJub25lIn0.eyJleHAiOjE1MDAwMDAwMDB9.{CANARY}"}},
	{name: "one value that is no login", rule: `{"host": "a.test", "helper": "remoteapis", "config": {"auth_method": "basic_auth", "lookup_chain": [{"source": "env", "name": "SECRET"}]}}`, vars: map[string]string{"SECRET": "{CANARY}"}, plain: true},
	{name: "remote APIs without a secret", rule: `{"host": "a.test", "helper": "remoteapis", "config": {"header_name": "x-key"}}`},
	{name: "GitHub without a login", rule: `{"host": "a.test", "helper": "github"}`},
}

// withSource is a rule with one source.
func withSource(source string) string {
	return `{"host": "a.test", "helper": "registry", "config": {"lookup_chain": [` + source + `]}}`
}

// What the sources of the program's own may say.
var getSources = []situation{
	{name: "env, not set", rule: withSource(`{"source": "env", "name": "TOKEN"}`)},
	{name: "env, empty", rule: withSource(`{"source": "env", "name": "TOKEN"}`), vars: map[string]string{"TOKEN": ""}},
	{name: "env, for another server", rule: withSource(`{"source": "env", "name": "TOKEN", "host_from": "SERVER"}`), vars: map[string]string{"TOKEN": "{CANARY}", "SERVER": "https://b.test"}},
	{name: "a value's variable, not set", rule: `{"host": "a.test", "helper": "registry", "config": {"token": "${TOKEN}"}}`},
	{name: "file, missing", rule: withSource(`{"source": "file", "path": "~/token"}`)},
	{name: "file, empty", rule: withSource(`{"source": "file", "path": "~/token"}`), files: "-- token --\n"},
	{name: "file, a directory", rule: withSource(`{"source": "file", "path": "~"}`), plain: true},
	{name: "file, readable by all", rule: withSource(`{"source": "file", "path": "~/token"}`), files: "-- token --\n{CANARY}\n", prepare: mode("token", 0o644)},
	{name: "file, writable by others", rule: withSource(`{"source": "file", "path": "~/token"}`), files: "-- token --\n{CANARY}\n", prepare: mode("token", 0o620)},
	{name: "file, without a home", rule: withSource(`{"source": "file", "path": "~/token"}`), vars: map[string]string{"HOME": ""}, plain: true},
	{name: "command, missing", rule: withSource(`{"source": "command", "command": ["vault", "read"]}`)},
	{name: "command, one string", rule: withSource(`{"source": "command", "command": "vault read"}`), plain: true},
	{name: "command, a line for a program", rule: withSource(`{"source": "command", "command": ["vault read"]}`)},
	{name: "command, a path that is missing", rule: withSource(`{"source": "command", "command": ["%workspace%/tools/token"]}`)},
	{name: "command, failing", rule: withSource(`{"source": "command", "command": ["~/bin/token"]}`), files: "-- bin/token --\n#!/bin/sh\necho {CANARY}; echo the vault is sealed >&2; exit 3\n", prepare: mode("bin/token", 0o700)},
	{name: "command, silent", rule: withSource(`{"source": "command", "command": ["~/bin/token"]}`), files: "-- bin/token --\n#!/bin/sh\n", prepare: mode("bin/token", 0o700)},
	{name: "command, not executable", rule: withSource(`{"source": "command", "command": ["~/bin/token"]}`), files: "-- bin/token --\n#!/bin/sh\n"},
	{name: "command, hanging", rule: withSource(`{"source": "command", "command": ["~/bin/token"]}`), files: "-- bin/token --\n#!/bin/sh\nexec /bin/sleep 20\n", prepare: mode("bin/token", 0o700), vars: map[string]string{env.VarTimeout: "300ms"}},
	{name: "keyring, none", rule: withSource(`{"source": "keyring", "service": "a"}`)},
	{name: "keyring, a bus that is gone", rule: withSource(`{"source": "keyring", "service": "a"}`), vars: map[string]string{"DBUS_SESSION_BUS_ADDRESS": "unix:path={HOME}/none"}},
	{name: "keyring, a file without a key", rule: withSource(`{"source": "keyring", "service": "a"}`), vars: map[string]string{"CREDENTIAL_HELPER_KEYRING": "file"}},
	{name: "keyring, a file whose passphrase is missing", rule: withSource(`{"source": "keyring", "service": "a"}`), vars: map[string]string{"CREDENTIAL_HELPER_KEYRING": "file", "CREDENTIAL_HELPER_KEYRING_PASSPHRASE_FILE": "~/none"}, plain: true},
	{name: "keyring, a passphrase for all to read", rule: withSource(`{"source": "keyring", "service": "a"}`), files: "-- pass --\n{CANARY}\n", prepare: mode("pass", 0o644), vars: map[string]string{"CREDENTIAL_HELPER_KEYRING": "file", "CREDENTIAL_HELPER_KEYRING_PASSPHRASE_FILE": "~/pass"}},
	{name: "keyring, an unknown kind", rule: withSource(`{"source": "keyring", "service": "a"}`), vars: map[string]string{"CREDENTIAL_HELPER_KEYRING": "fiel"}, plain: true},
	{name: "keyring, a damaged file", rule: withSource(`{"source": "keyring", "service": "a"}`), files: "-- pass --\n{CANARY}\n-- ring --\nnot age\n", vars: map[string]string{"CREDENTIAL_HELPER_KEYRING": "file", "CREDENTIAL_HELPER_KEYRING_FILE": "~/ring", "CREDENTIAL_HELPER_KEYRING_PASSPHRASE_FILE": "~/pass"}},
	{name: "google", rule: withSource(`{"source": "google"}`)},
	{name: "all of several", rule: withSource(`{"source": "env", "name": "TOKEN"}, {"source": "file", "path": "~/token"}, {"source": "keyring", "service": "a"}, {"source": "netrc"}`)},
}

// What the sources of other tools' logins may say: nothing there, and broken.
var getTools = []situation{
	{name: "netrc, missing", rule: withSource(`{"source": "netrc"}`)},
	{name: "netrc, another host", rule: withSource(`{"source": "netrc"}`), files: "-- .netrc --\nmachine b.test login bob password {CANARY}\n"},
	{name: "netrc, malformed", rule: withSource(`{"source": "netrc"}`), files: "-- .netrc --\nmachine a.test\nlogin bob\nlogin bob password {CANARY}\n", plain: true},
	{name: "docker, no login", rule: `{"host": "a.test", "helper": "oci", "config": {"on_missing": "fail"}}`, url: "https://a.test/v2/app/manifests/v1", files: "-- .docker/config.json --\n{\"auths\": {\"b.test\": {}}}\n"},
	{name: "docker, malformed", rule: `{"host": "a.test", "helper": "oci"}`, url: "https://a.test/v2/app/manifests/v1", files: "-- .docker/config.json --\n{\"auths\": {\"a.test\": {\"auth\": \"{CANARY}\"},}}\n", plain: true},
	{name: "docker, a bad login", rule: `{"host": "a.test", "helper": "oci"}`, url: "https://a.test/v2/app/manifests/v1", files: "-- .docker/config.json --\n{\"auths\": {\"a.test\": {\"auth\": \"{CANARY}\"}}}\n"},
	{name: "docker, a program that is missing", rule: `{"host": "a.test", "helper": "oci", "config": {"on_missing": "fail"}}`, url: "https://a.test/v2/app/manifests/v1", files: "-- .docker/config.json --\n{\"credsStore\": \"desktop\"}\n"},
	{name: "docker, a program that fails", rule: `{"host": "a.test", "helper": "oci"}`, url: "https://a.test/v2/app/manifests/v1", files: "-- .docker/config.json --\n{\"credsStore\": \"desktop\"}\n-- bin/docker-credential-desktop --\n#!/bin/sh\necho the store is locked; exit 1\n", prepare: mode("bin/docker-credential-desktop", 0o700)},
	{name: "git, missing", rule: withSource(`{"source": "git"}`)},
	{name: "github, no login", rule: withSource(`{"source": "github"}`)},
	{name: "github, a malformed file", rule: withSource(`{"source": "github"}`), files: "-- .config/gh/hosts.yml --\ngithub.com: [\n"},
	{name: "npm, no login", rule: `{"host": "a.test", "helper": "registry", "config": {"preset": "npm"}}`},
	{name: "npm, a variable that is not set", rule: `{"host": "a.test", "helper": "registry", "config": {"preset": "npm"}}`, files: "-- .npmrc --\n//a.test/:_authToken=${NPM_TOKEN}\n"},
	{name: "npm, a password that is not base64", rule: `{"host": "a.test", "helper": "registry", "config": {"preset": "npm"}}`, files: "-- .npmrc --\n//a.test/:username=bob\n//a.test/:_password={CANARY}!\n"},
	{name: "cargo, no registry", rule: `{"host": "a.test", "helper": "registry", "config": {"preset": "cargo"}}`},
	{name: "cargo, no token", rule: `{"host": "a.test", "helper": "registry", "config": {"preset": "cargo", "registry": "corp"}}`},
	{name: "cargo, malformed", rule: `{"host": "a.test", "helper": "registry", "config": {"preset": "cargo"}}`, files: "-- .cargo/credentials.toml --\n[registries.corp]\ntoken = {CANARY}\n"},
	{name: "pypi, no login", rule: `{"host": "a.test", "helper": "registry", "config": {"preset": "pypi"}}`},
	{name: "pypi, malformed", rule: `{"host": "a.test", "helper": "registry", "config": {"preset": "pypi"}}`, files: "-- .pypirc --\nusername = bob\npassword = {CANARY}\n", plain: true},
	{name: "maven, no settings", rule: `{"host": "a.test", "helper": "registry", "config": {"preset": "maven"}}`},
	{name: "maven, another server", rule: `{"host": "a.test", "helper": "registry", "config": {"preset": "maven", "server": "corp"}}`, files: "-- .m2/settings.xml --\n" + settingsXML + "</settings>\n"},
	{name: "maven, malformed", rule: `{"host": "a.test", "helper": "registry", "config": {"preset": "maven"}}`, files: "-- .m2/settings.xml --\n<settings><servers>\n", plain: true},
	{name: "maven, a variable that is not set", rule: `{"host": "a.test", "helper": "registry", "config": {"preset": "maven", "server": "corp"}}`, files: "-- .m2/settings.xml --\n<settings><servers><server><id>corp</id><username>u</username><password>${env.NEXUS}</password></server></servers></settings>\n"},
	{name: "composer, no login", rule: `{"host": "a.test", "helper": "registry", "config": {"preset": "composer"}}`},
	{name: "composer, malformed", rule: `{"host": "a.test", "helper": "registry", "config": {"preset": "composer"}}`, vars: map[string]string{"COMPOSER_AUTH": `{"bearer": {"a.test": "{CANARY}"`}, plain: true},
	{name: "rubygems, no login", rule: `{"host": "a.test", "helper": "registry", "config": {"preset": "rubygems"}}`},
	{name: "rubygems, malformed", rule: `{"host": "a.test", "helper": "registry", "config": {"preset": "rubygems"}}`, files: "-- .bundle/config --\n{CANARY}: [\n", plain: true},
	{name: "julia, no login", rule: `{"host": "a.test", "helper": "registry", "config": {"preset": "julia"}}`},
	{name: "julia, malformed", rule: `{"host": "a.test", "helper": "registry", "config": {"preset": "julia"}}`, files: "-- .julia/servers/a.test/auth.toml --\naccess_token = {CANARY}\n"},
	{name: "moonbit, no file", rule: `{"host": "a.test", "helper": "registry", "config": {"preset": "moonbit"}}`},
	{name: "moonbit, a variable that is not set", rule: `{"host": "a.test", "helper": "registry", "config": {"preset": "moonbit"}}`, files: "-- ws/registry.toml --\n[[sources]]\nname = \"corp\"\nurl = \"https://a.test\"\n[sources.auth]\ntype = \"bearer\"\ntoken = \"${MOON}\"\n"},
	{name: "pesde, no token", rule: `{"host": "a.test", "helper": "registry", "config": {"preset": "pesde", "index": "https://git.test/index"}}`},
	{name: "nuget, no login", rule: `{"host": "a.test", "helper": "registry", "config": {"preset": "nuget"}}`},
	{name: "nuget, malformed", rule: `{"host": "a.test", "helper": "registry", "config": {"preset": "nuget"}}`, files: "-- .nuget/NuGet/NuGet.Config --\n<configuration>\n", plain: true},
	{name: "stack-gallery, no token", rule: `{"host": "a.test", "helper": "registry", "config": {"preset": "stack-gallery"}}`},
	{name: "stack-gallery, maven without a user name", rule: `{"host": "a.test", "helper": "registry", "config": {"preset": "stack-gallery"}}`, url: "https://a.test/maven2/x.jar", vars: map[string]string{"STACK_GALLERY_TOKEN": "srg_{CANARY}"}},
	{name: "gitlab, a job of another server", rule: `{"host": "a.test", "helper": "registry", "config": {"preset": "gitlab"}}`, vars: map[string]string{"CI_JOB_TOKEN": "{CANARY}", "CI_SERVER_URL": "https://gitlab.test"}},
	{name: "gitea, no token", rule: `{"host": "a.test", "helper": "registry", "config": {"preset": "gitea"}}`},
	{name: "artifactory, no token", rule: `{"host": "a.test", "helper": "registry", "config": {"preset": "artifactory"}}`},
	{name: "nexus, no login", rule: `{"host": "a.test", "helper": "registry", "config": {"preset": "nexus"}}`},
}

const (
	tokenRule  = `{"host": "127.0.0.1:*", "helper": "oci", "config": {"lookup_chain": [{"source": "static", "value": "alice", "binding": "username"}, {"source": "env", "name": "PASS", "binding": "password"}]}}`
	tokenURL   = "{URL}/v2/team/app/manifests/v1"
	tokenHTTPS = "https://{HOST}/v2/team/app/manifests/v1"
)

var tokenLogin = map[string]string{"PASS": canary}

// atRegistry is a situation at a registry.
func atRegistry(name string, start func(*scene)) situation {
	return situation{name: "registry: " + name, plain: slices.Contains(serversOwn, name), rule: tokenRule, url: tokenURL, vars: tokenLogin, prepare: start}
}

// serversOwn are the mistakes of a token server about which a user can do nothing but tell whose it is.
var serversOwn = []string{"a huge answer", "an answer that is not JSON", "an answer without a token", "a token with a line break"}

// What a registry, its token server and the network may say.
var getRegistries = []situation{
	atRegistry("a wrong password", atLogin()),
	atRegistry("400 from the token server", atLogin("token-status=400")),
	atRegistry("403 from the token server", atLogin("token-status=403")),
	atRegistry("404 from the token server", atLogin("token-status=404")),
	atRegistry("429 from the token server", atLogin("token-status=429")),
	atRegistry("500 from the token server", atLogin("token-status=500")),
	atRegistry("a web page for a token", atLogin("token-html")),
	atRegistry("a huge answer", atLogin("token-huge")),
	atRegistry("an answer that is not JSON", atLogin("token-body=token=x")),
	atRegistry("an answer without a token", atLogin(`token-body={"expires_in": 300}`)),
	atRegistry("a token with a line break", atLogin(`token-body={"token": "a\r\nX: 1"}`)),
	atRegistry("a hangup", atLogin("token-hangup")),
	atRegistry("a redirect to another server", atLogin("token-redirect")),
	atRegistry("301 for the login check", atLogin("ping-status=301")),
	atRegistry("401 without a challenge", atLogin("challenge=")),
	atRegistry("403 for the login check", atLogin("ping-status=403")),
	atRegistry("404 for the login check", atLogin("ping-status=404")),
	atRegistry("407 for the login check", atLogin("ping-status=407")),
	atRegistry("503 for the login check", atLogin("ping-status=503")),
	atRegistry("a challenge without a realm", atLogin(`challenge=Bearer service="x"`)),
	atRegistry("a realm of another domain", atLogin(`challenge=Bearer realm="https://evil.test/token"`)),
	atRegistry("a realm that is a metadata server", atLogin(`challenge=Bearer realm="http://169.254.169.254/token"`)),
	atRegistry("a realm that is no URL", atLogin(`challenge=Bearer realm="token"`)),
	atRegistry("an unknown kind of login", atLogin(`challenge=Digest realm="x"`)),
	atRegistry("no server", nil),
	{name: "registry: slow", rule: tokenRule, url: tokenURL, vars: map[string]string{"PASS": canary, env.VarTimeout: "200ms"}, prepare: atLogin("token-drip")},
	{name: "registry: plain HTTP at a TLS port", rule: tokenRule, url: tokenHTTPS, vars: tokenLogin, prepare: atLogin()},
	{name: "registry: an unknown authority", rule: tokenRule, url: tokenHTTPS, vars: tokenLogin, prepare: serveRegistry(registrytest.Config{Login: registrytest.Bearer, TLS: true})},
	{name: "registry: an identity token where Basic is wanted", url: tokenURL, vars: tokenLogin, prepare: serveRegistry(registrytest.Config{Login: registrytest.Basic}), rule: `{"host": "127.0.0.1:*", "helper": "oci", "config": {"lookup_chain": [{"source": "env", "name": "PASS", "binding": "identitytoken"}]}}`},
	{name: "registry: an auth that is not base64", url: tokenURL, vars: tokenLogin, prepare: atLogin(), rule: `{"host": "127.0.0.1:*", "helper": "oci", "config": {"lookup_chain": [{"source": "env", "name": "PASS", "binding": "auth"}]}}`},
	{name: "registry: a registry token that has expired", url: tokenURL, prepare: atLogin(), vars: map[string]string{"PASS": "eyJhbGciOiJub25lIn0.eyJleHAiOjE1MDAwMDAwMDB9." + canary}, rule: `{"host": "127.0.0.1:*", "helper": "oci", "config": {"lookup_chain": [{"source": "env", "name": "PASS", "binding": "registrytoken"}]}}`},
}

const appRule = `{"host": "127.0.0.1:*", "helper": "github", "config": {"app_id": 12345, "owner": "acme", "lookup_chain": [{"source": "env", "name": "KEY"}]}}`

// atGitHub is a situation of a GitHub App.
func atGitHub(name string, change func(*githubtest.Server)) situation {
	return situation{name: "App: " + name, plain: name == "no token in the answer", rule: appRule, url: "{URL}/api/v3/repos/acme/tools", prepare: forge(change)}
}

// answer returns what has GitHub say something to a login.
func minting(status int, body string) func(*githubtest.Server) {
	return func(s *githubtest.Server) {
		s.SetMint(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		})
	}
}

// What may go wrong with a GitHub App.
var getApps = []situation{
	{name: "App: no key", rule: `{"host": "a.test", "helper": "github", "config": {"app_id": 12345, "owner": "acme"}}`},
	{name: "App: a key that is none", rule: appRule, url: "{URL}/x", vars: map[string]string{"KEY": canary}},
	{name: "App: a key that is cut off", rule: appRule, url: "{URL}/x", vars: map[string]string{"KEY": "-----BEGIN RSA PRIVATE KEY-----\n" + canary}},
	{name: "App: a key of OpenSSH's", rule: appRule, url: "{URL}/x", vars: map[string]string{"KEY": "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"}},
	{name: "App: a URL without an owner", rule: `{"host": "127.0.0.1:*", "helper": "github", "config": {"app_id": 12345, "lookup_chain": [{"source": "env", "name": "KEY"}]}}`, url: "{URL}/api/v3/rate_limit", prepare: forge(nil)},
	{name: "App: an unknown App", rule: `{"host": "127.0.0.1:*", "helper": "github", "config": {"app_id": 999, "owner": "acme", "lookup_chain": [{"source": "env", "name": "KEY"}]}}`, url: "{URL}/acme/tools/archive/x.zip", prepare: forge(nil)},
	{name: "App: not installed", rule: `{"host": "127.0.0.1:*", "helper": "github", "config": {"app_id": 12345, "owner": "eve", "lookup_chain": [{"source": "env", "name": "KEY"}]}}`, url: "{URL}/eve/other/archive/x.zip", prepare: forge(nil)},
	{name: "App: a repository that it may not use", rule: `{"host": "127.0.0.1:*", "helper": "github", "config": {"app_id": 12345, "owner": "acme", "repositories": ["nowhere"], "lookup_chain": [{"source": "env", "name": "KEY"}]}}`, url: "{URL}/acme/tools/archive/x.zip", prepare: forge(nil)},
	{name: "App: a permission that it was not granted", rule: `{"host": "127.0.0.1:*", "helper": "github", "config": {"app_id": 12345, "owner": "acme", "permissions": {"administration": "write"}, "lookup_chain": [{"source": "env", "name": "KEY"}]}}`, url: "{URL}/acme/tools/archive/x.zip", prepare: forge(nil)},
	atGitHub("401", minting(401, `{"message": "Bad credentials"}`)),
	atGitHub("403", minting(403, `{"message": "This installation has been suspended"}`)),
	atGitHub("500", minting(500, `oops`)),
	atGitHub("a web page", minting(200, `<html>sign in</html>`)),
	atGitHub("no token in the answer", minting(201, `{}`)),
	{name: "App: no server", rule: appRule, url: "{URL}/acme/x", prepare: func(s *scene) { s.vars["KEY"] = githubtest.PEM(githubtest.Key()) }},
}
