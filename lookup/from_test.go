package lookup

import (
	"encoding/base64"
	"strings"
	"testing"
)

// TestFrom holds what each source that reads several files, variables or programs tells of the place of a login, and that no secret is in it.
func TestFrom(t *testing.T) {
	notOnWindows(t)
	docker := base64.StdEncoding.EncodeToString([]byte("bob:" + canary))
	const feeds = `<configuration>
  <packageSources><add key="acme" value="https://h.test/v3/index.json" /></packageSources>
  <packageSourceCredentials>
    <acme><add key="Username" value="bob" /><add key="ClearTextPassword" value="` + canary + `" /></acme>
  </packageSourceCredentials>
</configuration>`
	const settings = `<settings>
  <mirrors><mirror><id>acme</id><url>https://h.test/</url></mirror></mirrors>
  <servers>
    <server><id>acme</id><username>bob</username><password>` + canary + `</password></server>
  </servers>
</settings>`
	for _, tt := range []struct {
		name   string
		source func(*Sources) Source
		file   string // its name and its text
		text   string
		vars   []string
		// binding is empty for a source that supplies several values together.
		binding string
		want    string
	}{
		{name: "npm's token", source: (*Sources).Npmrc, file: ".npmrc", text: "; a comment\n//h.test/:_authToken=" + canary, want: "npm's logins (~/.npmrc:2)"},
		{name: "npm's auth", source: (*Sources).Npmrc, file: ".npmrc", text: "//h.test/:_auth=" + docker, want: "npm's logins (~/.npmrc:1)"},
		{name: "npm's password", source: (*Sources).Npmrc, file: "proj/.npmrc", text: "//h.test/:username=bob\n//h.test/:_password=" + docker, want: "npm's logins (~/proj/.npmrc:2)"},
		{name: "npm's variable", source: (*Sources).Npmrc, vars: []string{"npm_config_//h.test/:_authToken=" + canary}, want: "npm's logins ($npm_config_//h.test/:_authToken)"},
		{name: "npm's token in a variable", source: (*Sources).Npmrc, file: ".npmrc", text: "//h.test/:_authToken=${T}", vars: []string{"T=" + canary}, want: "npm's logins (~/.npmrc:1)"},
		{name: "pip", source: (*Sources).Pip, file: ".pip/pip.conf", text: "[global]\nindex-url = https://bob:" + canary + "@h.test/simple", want: "the indexes of pip and uv (~/.pip/pip.conf:2)"},
		{name: "pip's variable", source: (*Sources).Pip, vars: []string{"PIP_EXTRA_INDEX_URL=https://" + canary + ":@h.test/simple"}, want: "the indexes of pip and uv ($PIP_EXTRA_INDEX_URL)"},
		{name: "uv's index", source: (*Sources).Pip, vars: []string{"UV_INDEX=acme=https://h.test/simple", "UV_INDEX_ACME_USERNAME=bob", "UV_INDEX_ACME_PASSWORD=" + canary}, want: "the indexes of pip and uv ($UV_INDEX_ACME_PASSWORD)"},
		{name: "twine", source: (*Sources).Pypirc, file: ".pypirc", text: "[distutils]\nindex-servers = a\n[a]\nrepository = https://h.test/legacy/\nusername = bob\npassword = " + canary, want: "twine's logins (~/.pypirc:6)"},
		{name: "twine's URL", source: (*Sources).Pypirc, file: ".pypirc", text: "[distutils]\nindex-servers = a\n[a]\nrepository = https://bob:" + canary + "@h.test/legacy/", want: "twine's logins (~/.pypirc:4)"},
		{name: "twine's variables", source: (*Sources).Pypirc, vars: []string{"TWINE_REPOSITORY_URL=https://h.test/", "TWINE_USERNAME=bob", "TWINE_PASSWORD=" + canary}, want: "twine's logins ($TWINE_PASSWORD)"},
		{name: "twine's URL in a variable", source: (*Sources).Pypirc, vars: []string{"TWINE_REPOSITORY_URL=https://bob:" + canary + "@h.test/"}, want: "twine's logins ($TWINE_REPOSITORY_URL)"},
		{name: "cargo", source: cargoOf, file: ".cargo/config.toml", text: "[registries.a]\nindex = \"sparse+https://h.test/\"\ntoken = \"" + canary + "\"", want: "cargo (~/.cargo/config.toml)"},
		{name: "cargo's variable", source: cargoOf, vars: []string{"CARGO_REGISTRIES_A_INDEX=sparse+https://h.test/", "CARGO_REGISTRIES_A_TOKEN=" + canary}, want: "cargo ($CARGO_REGISTRIES_A_TOKEN)"},
		{name: "Maven", source: func(s *Sources) Source { return s.Maven("") }, file: ".m2/settings.xml", text: settings, want: "Maven's settings (~/.m2/settings.xml:4)"},
		{name: "Maven's server", source: func(s *Sources) Source { return s.Maven("acme") }, file: ".m2/settings.xml", text: settings, want: `Maven's server "acme" (~/.m2/settings.xml:4)`},
		{name: "NuGet", source: (*Sources).Nuget, file: ".nuget/NuGet/NuGet.Config", text: feeds, want: "NuGet's configuration (~/.nuget/NuGet/NuGet.Config:4)"},
		{name: "NuGet's variable", source: (*Sources).Nuget, file: ".nuget/NuGet/NuGet.Config", text: feeds, vars: []string{"NuGetPackageSourceCredentials_acme=Username=eve;Password=" + canary}, want: "NuGet's configuration ($NuGetPackageSourceCredentials_acme)"},
		{name: "NuGet's endpoints", source: (*Sources).Nuget, vars: []string{`VSS_NUGET_EXTERNAL_FEED_ENDPOINTS={"endpointCredentials": [{"endpoint": "https://h.test/", "password": "` + canary + `"}]}`}, want: "NuGet's configuration ($VSS_NUGET_EXTERNAL_FEED_ENDPOINTS)"},
		{name: "Composer", source: (*Sources).Composer, file: ".composer/auth.json", text: "{\n\"bearer\": {\n\"h.test\": \"" + canary + "\"}}", want: "Composer's logins (~/.composer/auth.json:3)"},
		{name: "Composer's name and password", source: (*Sources).Composer, file: ".composer/auth.json", text: "{\n\"http-basic\": {\n\n\"h.test\": {\"username\": \"bob\", \"password\": \"" + canary + "\"}}}", want: "Composer's logins (~/.composer/auth.json:4)"},
		{name: "Composer's variable", source: (*Sources).Composer, vars: []string{"COMPOSER_AUTH={\n\"bearer\": {\"h.test\": \"" + canary + "\"}}"}, want: "Composer's logins ($COMPOSER_AUTH)"},
		{name: "Bundler", source: (*Sources).Bundler, file: ".bundle/config", text: "---\nBUNDLE_JOBS: \"4\"\nBUNDLE_H__TEST: \"bob:" + canary + "\"", want: "Bundler's and RubyGems' logins (~/.bundle/config:3)"},
		{name: "Bundler's variable", source: (*Sources).Bundler, vars: []string{"BUNDLE_H__TEST=bob:" + canary}, want: "Bundler's and RubyGems' logins ($BUNDLE_H__TEST)"},
		{name: "RubyGems' key", source: (*Sources).Bundler, file: ".gem/credentials", text: "---\n:rubygems_api_key: x\nhttps://h.test: " + canary, want: "Bundler's and RubyGems' logins (~/.gem/credentials:3)"},
		{name: "RubyGems' sources", source: (*Sources).Bundler, file: ".gemrc", text: "---\n:sources:\n- https://rubygems.org/\n- https://bob:" + canary + "@h.test/", want: "Bundler's and RubyGems' logins (~/.gemrc:4)"},
		{name: "RubyGems' variable", source: (*Sources).Bundler, vars: []string{"GEM_HOST_API_KEY=" + canary, "RUBYGEMS_HOST=https://h.test"}, want: "Bundler's and RubyGems' logins ($GEM_HOST_API_KEY)"},
		{name: "Julia", source: (*Sources).Julia, file: ".julia/servers/h.test/auth.toml", text: `access_token = "` + canary + `"`, want: "Julia's login (~/.julia/servers/h.test/auth.toml)"},
		{name: "MoonBit", source: (*Sources).Moonbit, file: "proj/registry.toml", text: "[[sources]]\nurl = \"https://h.test/\"\n[sources.auth]\ntype = \"bearer\"\ntoken = \"" + canary + `"`, want: "moonbit-registry's registry.toml (~/proj/registry.toml)"},
		{name: "pesde", source: func(s *Sources) Source { return s.Pesde("") }, file: ".pesde/config.toml", text: "[tokens]\n\"https://h.test/index\" = \"Bearer " + canary + `"`, want: "pesde (~/.pesde/config.toml)"},
		{name: "netrc", source: (*Sources).Netrc, file: ".netrc", text: "machine h.test login bob password " + canary, want: "netrc (~/.netrc)"},
		{name: "docker", source: (*Sources).Docker, file: ".docker/config.json", text: `{"auths": {"h.test": {"auth": "` + docker + `"}}}`, want: "docker's logins (~/.docker/config.json)"},
		{name: "podman", source: (*Sources).Docker, file: ".config/containers/auth.json", text: `{"auths": {"h.test": {"auth": "` + docker + `"}}}`, want: "docker's logins (~/.config/containers/auth.json)"},
		{name: "docker's variable", source: (*Sources).Docker, vars: []string{`DOCKER_AUTH_CONFIG={"auths": {"h.test": {"auth": "` + docker + `"}}}`}, want: "docker's logins ($DOCKER_AUTH_CONFIG)"},
		{name: "docker's program", source: (*Sources).Docker, file: ".docker/config.json", text: `{"credsStore": "one"}`, want: "docker's logins (docker-credential-one, which ~/.docker/config.json names)"},
		{name: "git", source: func(s *Sources) Source { return s.Git(false) }, want: "git's credential helpers (~/bin/git)"},
		{name: "the GitHub CLI", binding: Default, source: func(s *Sources) Source { return s.GitHubCLI("github.com") }, file: ".config/gh/hosts.yml", text: "github.com:\n  oauth_token: " + canary, want: "the GitHub CLI's login for github.com (~/.config/gh/hosts.yml)"},
		{name: "GitHub, of the CLI", source: func(s *Sources) Source { return s.GitHub("github.com") }, file: ".config/gh/hosts.yml", text: "github.com:\n  oauth_token: " + canary, want: "the login to github.com (~/.config/gh/hosts.yml)"},
		{name: "GitHub, of a variable", source: func(s *Sources) Source { return s.GitHub("github.com") }, vars: []string{"GH_TOKEN=" + canary}, want: "the login to github.com ($GH_TOKEN)"},
		{name: "a variable", binding: Default, source: func(s *Sources) Source { return s.Variable("T") }, vars: []string{"T=" + canary}, want: "$T"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			vars := map[string]string{}
			for _, v := range tt.vars {
				name, value, _ := strings.Cut(v, "=")
				vars[name] = value
			}
			s := programs(t, vars)
			write(t, s, "proj/MODULE.bazel", "")
			script(t, s, "bin/git", "printf 'protocol=https\\nhost=h.test\\nusername=bob\\npassword="+canary+"\\n'")
			script(t, s, "bin/docker-credential-one", `echo '{"ServerURL":"h.test","Username":"bob","Secret":"`+canary+`"}'`)
			if tt.file != "" {
				write(t, s, tt.file, tt.text)
			}
			source := tt.source(s)
			ctx, report := WithReport(t.Context())
			found, err := Chain{{source, tt.binding}}.Find(ctx, ask(t, "https://h.test/simple"), Values.hasSecret)
			if err != nil {
				t.Fatal(err)
			}
			if found.Source != tt.want {
				t.Errorf("found in %s, want %s", found.Source, tt.want)
			}
			if _, ok := found.Values[From]; ok {
				t.Error("the place is among the values")
			}
			a := report.Asked()[0]
			if full := a.Source + " (" + a.From + ")"; full != tt.want && a.Source != tt.want {
				t.Errorf("the report has %s", full)
			}
			if strings.Contains(found.Source+a.From, canary) {
				t.Error("the secret is in it")
			}
		})
	}
}

func cargoOf(s *Sources) Source { return s.Cargo("") }

// TestFromIsNoValue holds that the place of a login is never taken for one of its values, and makes no two of one.
func TestFromIsNoValue(t *testing.T) {
	place := values(From, "~/.npmrc:2", Expires, "2030-01-01T00:00:00Z")
	if secret(From) || place.hasSecret() || !place.pick(From).IsZero() || !place.pick(Default).IsZero() {
		t.Error("a place is taken for a secret")
	}
	alone := values(Default, "x", From, "~/a", Expires, "2030-01-01T00:00:00Z")
	for _, binding := range []string{Password, Default, "token"} {
		if alone.pick(binding).Reveal() != "x" {
			t.Errorf("beside a place, the only value is not picked for %q", binding)
		}
	}
	if !sameValues(values(Token, "x", From, "~/a"), values(Token, "x", From, "~/b")) || !sameValues(values(Token, "x"), values(Token, "x", From, "~/b")) ||
		sameValues(values(Token, "x", From, "~/a"), values(Token, "y", From, "~/a")) || sameValues(values(From, "~/a"), values(Token, "y", From, "~/a")) {
		t.Error("one login at two places is not one, or two at one place are")
	}
	_, err := Chain{{fake{name: "one", values: values(Username, "bob", From, "~/a")}, ""}}.Find(t.Context(), Query{}, has(Password))
	if want := `no login found: found only a value for "username", which is not enough`; sprint(err) != want {
		t.Errorf("got %v", err)
	}
}
