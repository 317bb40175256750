package lookup

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/helpers"
)

// TestUserOnly holds, for all sources that read files and run programs, that none of the working directory, and none of the workspace around it, is read or run
// for a client that is started from any directory: also where a variable of the user's, or a rule, has a path that is relative to it.
func TestUserOnly(t *testing.T) {
	notOnWindows(t)
	const (
		npmrcFile   = "//files.test/:_authToken=x\n"
		pipFile     = "[global]\nindex-url = https://u:x@files.test/simple\n"
		pypircFile  = "[distutils]\nindex-servers = a\n[a]\nrepository = https://files.test/\nusername = u\npassword = x\n"
		mavenFile   = "<settings><servers><server><id>a</id><username>u</username><password>x</password></server></servers><mirrors><mirror><id>a</id><url>https://files.test/</url></mirror></mirrors></settings>"
		authFile    = `{"bearer": {"files.test": "x"}}`
		bundleFile  = "BUNDLE_FILES__TEST: u:x\n"
		gemFile     = "https://files.test: x\n"
		gemrcFile   = ":sources:\n- https://u:x@files.test/\n"
		cargoConfig = "[registries.a]\nindex = \"sparse+https://files.test/\"\ntoken = \"x\"\n"
		pesdeConfig = "[tokens]\n\"https://files.test/index\" = \"x\"\n"
		moonConfig  = "[[sources]]\nurl = \"https://files.test/\"\n[sources.auth]\ntype = \"bearer\"\ntoken = \"x\"\n"
		netrcText   = "machine files.test login u password x\n"
		juliaFile   = "access_token = \"x\"\n"
		dockerFile  = `{"auths": {"files.test": {"auth": "dTp4"}}}`
		hostsFile   = "github.com:\n  oauth_token: x\n"
		script      = "#!/bin/sh\necho x\n"
	)
	nugetFile := nugetConfig(nugetLogin("a", "u", "x"), "a https://files.test/v3/index.json")
	for _, tt := range []struct{ name, source, file, content, variable, value string }{
		{"file", `"file", "path": "dir/token"`, "dir/token", "x", "", ""},
		{"file of the workspace", `"file", "path": "%workspace%/token"`, "token", "x", "", ""},
		{"npm, of the project", `"npmrc"`, ".npmrc", npmrcFile, "", ""},
		{"npm, userconfig", `"npmrc"`, "dir/npmrc", npmrcFile, "npm_config_userconfig", "dir/npmrc"},
		{"npm, globalconfig", `"npmrc"`, "dir/npmrc", npmrcFile, "npm_config_globalconfig", "./dir/npmrc"},
		{"npm, prefix", `"npmrc"`, "dir/etc/npmrc", npmrcFile, "PREFIX", "dir"},
		{"npm, path", `"npmrc", "path": "dir/npmrc"`, "dir/npmrc", npmrcFile, "", ""},
		{"npm, path in the workspace", `"npmrc", "path": "%workspace%/npmrc"`, "npmrc", npmrcFile, "", ""},
		{"pip", `"pip"`, "dir/pip.conf", pipFile, "PIP_CONFIG_FILE", "dir/pip.conf"},
		{"pypirc, path", `"pypirc", "path": "pypirc"`, "pypirc", pypircFile, "", ""},
		{"Maven", `"maven"`, "dir/conf/settings.xml", mavenFile, "MAVEN_HOME", "dir"},
		{"Maven, path", `"maven", "path": "settings.xml"`, "settings.xml", mavenFile, "", ""},
		{"NuGet, of the project", `"nuget"`, "nuget.config", nugetFile, "", ""},
		{"NuGet", `"nuget"`, "dir/NuGet/NuGet.Config", nugetFile, "XDG_CONFIG_HOME", "dir"},
		{"NuGet, path", `"nuget", "path": "dir/n.config"`, "dir/n.config", nugetFile, "", ""},
		{"Composer, of the project", `"composer"`, "auth.json", authFile, "", ""},
		{"Composer, home", `"composer"`, "dir/auth.json", authFile, "COMPOSER_HOME", "dir"},
		{"Composer, XDG", `"composer"`, "dir/composer/auth.json", authFile, "XDG_CONFIG_HOME", "dir"},
		{"Composer, path", `"composer", "path": "auth.json"`, "auth.json", authFile, "", ""},
		{"Bundler, of the project", `"bundler"`, ".bundle/config", bundleFile, "", ""},
		{"Bundler, app", `"bundler"`, "dir/config", bundleFile, "BUNDLE_APP_CONFIG", "dir"},
		{"Bundler, user", `"bundler"`, "dir/config", bundleFile, "BUNDLE_USER_CONFIG", "dir/config"},
		{"Bundler, user's home", `"bundler"`, "dir/config", bundleFile, "BUNDLE_USER_HOME", "dir"},
		{"RubyGems, credentials", `"bundler"`, "dir/gem/credentials", gemFile, "XDG_DATA_HOME", "dir"},
		{"RubyGems, gemrc", `"bundler"`, "dir/gemrc", gemrcFile, "GEMRC", "dir/gemrc"},
		{"cargo, of the project", `"cargo"`, ".cargo/config.toml", cargoConfig, "", ""},
		{"cargo", `"cargo"`, "dir/config.toml", cargoConfig, "CARGO_HOME", "dir"},
		{"pesde", `"pesde"`, "dir/config.toml", pesdeConfig, "PESDE_HOME", "dir"},
		{"moonbit, of the project", `"moonbit"`, "registry.toml", moonConfig, "", ""},
		{"moonbit, path", `"moonbit", "path": "r.toml"`, "r.toml", moonConfig, "", ""},
		{"netrc", `"netrc"`, "dir/netrc", netrcText, "NETRC", "dir/netrc"},
		{"netrc, path", `"netrc", "path": "netrc"`, "netrc", netrcText, "", ""},
		{"Julia", `"julia"`, "dir/servers/files.test/auth.toml", juliaFile, "JULIA_DEPOT_PATH", "dir"},
		{"Docker", `"docker"`, "dir/config.json", dockerFile, "DOCKER_CONFIG", "dir"},
		{"podman", `"docker"`, "auth.json", dockerFile, "REGISTRY_AUTH_FILE", "auth.json"},
		{"podman, at run time", `"docker"`, "dir/containers/auth.json", dockerFile, "XDG_RUNTIME_DIR", "dir"},
		{"podman, XDG", `"docker"`, "dir/containers/auth.json", dockerFile, "XDG_CONFIG_HOME", "dir"},
		{"GitHub CLI", `"github"`, "dir/hosts.yml", hostsFile, "GH_CONFIG_DIR", "dir"},
		{"GitHub CLI, XDG", `"github"`, "dir/gh/hosts.yml", hostsFile, "XDG_CONFIG_HOME", "./dir"},
		{"a file", `"file", "path": "token"`, "token", "x", "", ""},
		{"a file in the workspace", `"file", "path": "%workspace%/token"`, "token", "x", "", ""},
		{"a file in a directory for temporary files", `"file", "path": "%tmp%/token"`, "dir/token", "x", "TMPDIR", "dir"},
		{"a program", `"command", "command": ["./dir/token"]`, "dir/token", script, "", ""},
		{"a program in the workspace", `"command", "command": ["%workspace%/dir/token"]`, "dir/token", script, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSources(t, map[string]string{tt.variable: tt.value})
			write(t, s, "proj/"+tt.file, tt.content)
			if tt.content == script {
				if err := os.Chmod(filepath.Join(s.Env.Dir, tt.file), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			t.Chdir(s.Env.Dir)
			source := decodeOne(t, s, `{"source": `+tt.source+`}`)
			values, err := source.Lookup(t.Context(), ask(t, "https://files.test/a"))
			if err != nil || values[Default].IsZero() {
				t.Fatalf("a client of the project finds nothing: %v", err)
			}
			s.Env.UserOnly = true
			_, err = source.Lookup(t.Context(), ask(t, "https://files.test/a"))
			switch o := outcomeOf(s, nil, err); {
			case err == nil:
				t.Error("the file is read for a client that is started from anywhere")
			case o.kind != "not found" && o.kind != "unavailable" || strings.Contains(o.err, s.Env.Dir):
				t.Errorf("%+v", o)
			}
		})
	}
}

// TestUserOnlyRunsNothing holds that a client that is started from any directory has no program of that directory, or of the workspace around it, run,
// and that what it does have run is not run there.
func TestUserOnlyRunsNothing(t *testing.T) {
	notOnWindows(t)
	for name, path := range map[string]string{
		"relative": "tools/login", "relative, here": "./login", "of the workspace": "%workspace%/tools/login", "upward": "../proj/login", "by way of the workspace": "%workspace%/../proj/login",
	} {
		t.Run(name, func(t *testing.T) {
			s := newSources(t, nil)
			for _, path := range []string{"proj/login", "proj/tools/login"} {
				script(t, s, path, "echo x")
			}
			t.Chdir(s.Env.Dir)
			source := decodeOne(t, s, `{"source": "command", "command": ["`+path+`"]}`)
			values, err := source.Lookup(t.Context(), ask(t, "https://files.test/a"))
			if err != nil || values[Default].Reveal() != "x" {
				t.Fatalf("a client of the project finds nothing: %v", err)
			}
			s.Env.UserOnly = true
			values, err = source.Lookup(t.Context(), ask(t, "https://files.test/a"))
			if !errors.Is(err, helpers.ErrNotFound) || len(values) > 0 {
				t.Errorf("for a client that is started from anywhere: %v", err)
			}
		})
	}
	t.Run("elsewhere", func(t *testing.T) {
		s := newSources(t, nil)
		script(t, s, "bin/pwd", "pwd -P")
		s.Env = s.Env.Elsewhere()
		values, err := decodeOne(t, s, `{"source": "command", "command": ["~/bin/pwd"]}`).Lookup(t.Context(), ask(t, "https://files.test/a"))
		if got := values[Default].Reveal(); err != nil || got != "/" {
			t.Errorf("it runs in %q, %v", got, err)
		}
	})
}

// TestProjectBindsNoHost holds that a source in which a file of the project may say which host gets a secret of the user's does not count as bound to hosts:
// a rule that uses it has to name its host.
func TestProjectBindsNoHost(t *testing.T) {
	for source, want := range map[string][2]bool{ // for the project's clients, and for those that are started from anywhere
		`"npmrc"`: {false, true}, `"cargo"`: {false, true}, `"nuget"`: {false, true}, `"moonbit"`: {false, true},
		`"npmrc", "path": "~/npmrc"`: {false, true}, `"cargo", "registry": "corp"`: {false, false},
		`"maven"`: {true, true}, `"maven", "path": "~/settings.xml"`: {true, true}, `"maven", "path": "%workspace%/settings.xml"`: {false, true},
		`"maven", "path": "settings.xml"`: {false, true}, `"maven", "server": "corp"`: {false, false},
		`"composer"`: {true, true}, `"bundler"`: {true, true}, `"pip"`: {true, true}, `"netrc"`: {true, true},
	} {
		s := newSources(t, nil)
		for i, userOnly := range []bool{false, true} {
			s.Env.UserOnly = userOnly
			if got := decodeOne(t, s, `{"source": `+source+`}`).HostBound(); got != want[i] {
				t.Errorf("%s, for the user alone: %v: bound to hosts: %v", source, userOnly, got)
			}
		}
	}
}
