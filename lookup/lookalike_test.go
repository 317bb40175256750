package lookup

import (
	"encoding/base64"
	"runtime"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/helpers"
)

// asked is the host of the tests below. It has the letters that Unicode has twins of.
const asked = "reg.kiosk.test"

// lookalikes are hosts that are not that one.
var lookalikes = []string{
	"reg.kiosk.test.evil.test", "evilreg.kiosk.test", "evil-reg.kiosk.test", "evil.reg.kiosk.test", "kiosk.test", "reg.kiosk.tes", "reg.kiosk.testx", "reg.kiosk", "reg-kiosk.test", "reg.kiosk-test", "regxkiosk.test", "reg_kiosk.test",
	"reg__kiosk.test", "reg___kiosk.test", "reg.kiosk__test", "reg._kiosk.test", "reg--kiosk.test", "*.kiosk.test", "*", "reg.kiosk.test_8443", "xn--reg.kiosk.test", "evil.test",
	"reg.kiosk.test:8443", "reg.kiosk.test:80", "reg.kiosk.test:4430", "reg.kiosk.test:443:443", "reg.kiosk.test..", ".reg.kiosk.test", "reg..kiosk.test",
	"reg.kiosk.test@evil.test", "evil.test#@reg.kiosk.test", "evil.test?@reg.kiosk.test", `evil.test\@reg.kiosk.test`, "evil.test/reg.kiosk.test", "evil.test/@reg.kiosk.test", "evil.test//reg.kiosk.test", "evil.test?reg.kiosk.test", "evil.test;reg.kiosk.test", "evil.test,reg.kiosk.test",
	"reg%2ekiosk.test", "%72eg.kiosk.test", "reg.kiosk.test%00", "reg.kiosk.test%2f.evil.test", "reg.kiosk.test%40evil.test", "reg.kiosk.test%3a443", "127.0.0.1", "[::1]",
	"reg.\u212aiosk.test", "reg.kio\u017fk.test", "reg.k\u0130osk.test", "reg.k\u0131osk.test", "reg.k\u0456osk.test", "r\uff45g.kiosk.test", "reg\u3002kiosk.test", "reg\uff0ekiosk.test", "reg.kio\u00adsk.test", "reg.kio\u200bsk.test", "reg.kiosk.te\u017ft", "REG.\u212aIOSK.TEST", "reg.k%C4%B0osk.test",
}

// namesAsked reports whether a host as a person may write it is the one that is asked for: in any case of ASCII letters, with a last dot, with the port of https,
// or behind user info.
func namesAsked(host string) bool {
	if i := strings.IndexAny(host, `/?#\`); i >= 0 {
		host = host[:i]
	}
	host = strings.TrimSuffix(strings.TrimSuffix(host[strings.LastIndexByte(host, '@')+1:], ":443"), ".")
	if len(host) != len(asked) {
		return false
	}
	for i := range len(host) {
		if c := host[i]; c != asked[i] && c|0x20 != asked[i] || c >= 0x80 {
			return false
		}
	}
	return true
}

// A loginPlace is where a login for a host is kept. {HOST} stands for it, and {KEY} for it as Bundler writes it.
type loginPlace struct {
	name   string
	source func(*Sources) Source
	file   string // its name and its text
	text   string
	vars   map[string]string
	// lastAt says that user info ends at the last "@", also behind a backslash, which is part of a Windows user's name.
	lastAt bool
}

var loginPlaces = []loginPlace{
	{name: "docker", source: (*Sources).Docker, file: ".docker/config.json", text: `{"auths": {"{HOST}": {"auth": "{BASIC}"}}}`},
	{name: "docker's URL", source: (*Sources).Docker, file: ".docker/config.json", text: `{"auths": {"https://{HOST}/v1/": {"auth": "{BASIC}"}}}`},
	{name: "podman's repository", source: (*Sources).Docker, file: ".config/containers/auth.json", text: `{"auths": {"{HOST}/team": {"auth": "{BASIC}"}}}`},
	{name: "netrc", source: (*Sources).Netrc, file: ".netrc", text: "machine other.test login a password b\nmachine {HOST} login u password {SECRET}\n"},
	{name: "npm", source: (*Sources).Npmrc, file: ".npmrc", text: "//{HOST}/:_authToken={SECRET}\n"},
	{name: "npm, without a slash", source: (*Sources).Npmrc, file: ".npmrc", text: "//{HOST}:_authToken={SECRET}\n"},
	{name: "npm's registry", source: (*Sources).Npmrc, file: ".npmrc", text: "registry=https://{HOST}/npm/\n//{HOST}/npm/:_authToken={SECRET}\n"},
	{name: "npm's variable", source: (*Sources).Npmrc, vars: map[string]string{"npm_config_//{HOST}/:_authToken": "{SECRET}"}},
	{name: "pip", source: (*Sources).Pip, file: ".config/pip/pip.conf", text: "[global]\nindex-url = https://u:{SECRET}@{HOST}/simple\n", lastAt: true},
	{name: "pip's variable", source: (*Sources).Pip, vars: map[string]string{"PIP_EXTRA_INDEX_URL": "https://u:{SECRET}@{HOST}/simple"}, lastAt: true},
	{name: "uv's variable", source: (*Sources).Pip, vars: map[string]string{"UV_INDEX": "acme=https://{HOST}/simple", "UV_INDEX_ACME_USERNAME": "u", "UV_INDEX_ACME_PASSWORD": "{SECRET}"}, lastAt: true},
	{name: "twine", source: (*Sources).Pypirc, file: ".pypirc", text: "[distutils]\nindex-servers = a\n[a]\nrepository = https://{HOST}/legacy/\nusername = u\npassword = {SECRET}\n", lastAt: true},
	{name: "twine's variable", source: (*Sources).Pypirc, vars: map[string]string{"TWINE_REPOSITORY_URL": "https://{HOST}/", "TWINE_USERNAME": "u", "TWINE_PASSWORD": "{SECRET}"}, lastAt: true},
	{name: "cargo", source: cargoOf, file: ".cargo/config.toml", text: "[registries.a]\nindex = \"sparse+https://{HOST}/\"\ntoken = \"{SECRET}\"\n"},
	{name: "cargo's variable", source: cargoOf, vars: map[string]string{"CARGO_REGISTRIES_A_INDEX": "sparse+https://{HOST}/", "CARGO_REGISTRIES_A_TOKEN": "{SECRET}"}},
	{name: "cargo's named registry", source: func(s *Sources) Source { return s.Cargo("a") }, file: ".cargo/config.toml", text: "[registries.a]\nindex = \"https://{HOST}/\"\ntoken = \"{SECRET}\"\n"},
	{name: "Maven's mirror", source: func(s *Sources) Source { return s.Maven("") }, file: ".m2/settings.xml", text: "<settings><servers><server><id>a</id><username>u</username><password>{SECRET}</password></server></servers><mirrors><mirror><id>a</id><url>https://{HOST}/</url></mirror></mirrors></settings>"},
	{name: "NuGet", source: (*Sources).Nuget, file: ".nuget/NuGet/NuGet.Config", text: nugetConfig(nugetLogin("a", "u", "{SECRET}"), "a https://{HOST}/v3/index.json")},
	{name: "NuGet's endpoints", source: (*Sources).Nuget, vars: map[string]string{"VSS_NUGET_EXTERNAL_FEED_ENDPOINTS": `{"endpointCredentials": [{"endpoint": "https://{HOST}/", "password": "{SECRET}"}]}`}},
	{name: "Composer", source: (*Sources).Composer, file: ".config/composer/auth.json", text: `{"http-basic": {"{HOST}": {"username": "u", "password": "{SECRET}"}}}`},
	{name: "Composer's GitLab", source: (*Sources).Composer, file: ".config/composer/auth.json", text: `{"gitlab-token": {"{HOST}": "{SECRET}"}}`},
	{name: "Bundler", source: (*Sources).Bundler, file: ".bundle/config", text: "\"BUNDLE_{KEY}\": \"u:{SECRET}\"\n"},
	{name: "Bundler's URL", source: (*Sources).Bundler, file: ".bundle/config", text: "\"BUNDLE_HTTPS://{KEY}/\": \"u:{SECRET}\"\n"},
	{name: "Bundler's variable", source: (*Sources).Bundler, vars: map[string]string{"BUNDLE_{KEY}": "u:{SECRET}"}},
	{name: "RubyGems' key", source: (*Sources).Bundler, file: ".gem/credentials", text: "---\n\"https://{HOST}\": {SECRET}\n"},
	{name: "RubyGems' sources", source: (*Sources).Bundler, file: ".gemrc", text: "---\n:sources:\n- \"https://u:{SECRET}@{HOST}/\"\n"},
	{name: "RubyGems' variable", source: (*Sources).Bundler, vars: map[string]string{"GEM_HOST_API_KEY": "{SECRET}", "RUBYGEMS_HOST": "https://{HOST}"}},
	{name: "Julia", source: (*Sources).Julia, file: ".julia/servers/{HOST}/auth.toml", text: "access_token = \"{SECRET}\"\n"},
	{name: "moonbit", source: (*Sources).Moonbit, file: "proj/registry.toml", text: "[[sources]]\nurl = \"https://{HOST}/\"\n[sources.auth]\ntype = \"bearer\"\ntoken = \"{SECRET}\"\n"},
	{name: "pesde", source: func(s *Sources) Source { return s.Pesde("") }, file: ".pesde/config.toml", text: "[tokens]\n\"https://{HOST}/index\" = \"{SECRET}\"\n"},
	{name: "a variable with its server", source: func(s *Sources) Source { return s.HostVariable("T", "T_URL") }, vars: map[string]string{"T": "{SECRET}", "T_URL": "https://{HOST}/path"}},
	{name: "a variable with its host", source: func(s *Sources) Source { return s.HostVariable("T", "T_HOST") }, vars: map[string]string{"T": "{SECRET}", "T_HOST": "{HOST}"}},
	{name: "the GitHub CLI", source: func(s *Sources) Source { return s.GitHubCLI(asked) }, file: ".config/gh/hosts.yml", text: "\"{HOST}\":\n  oauth_token: {SECRET}\n"},
}

// bundlerSpelling returns a host as Ruby writes it in capitals, which makes one of some hosts.
func bundlerSpelling(host string) string {
	return strings.ToUpper(strings.NewReplacer(".", "__", "-", "___").Replace(host))
}

// at returns sources that have the login for host, and whether it can be written down there at all.
func (p loginPlace) at(t *testing.T, host string) (*Sources, bool) {
	fill := strings.NewReplacer("{HOST}", host, "{KEY}", bundlerSpelling(host), "{SECRET}", canary, "{BASIC}", base64.StdEncoding.EncodeToString([]byte("u:"+canary)))
	vars := map[string]string{}
	for name, value := range p.vars {
		vars[fill.Replace(name)] = fill.Replace(value)
	}
	s := newSources(t, vars)
	if p.file != "" {
		if strings.Contains(p.file, "{HOST}") && strings.ContainsAny(host, `/\`) {
			return s, false
		}
		write(t, s, fill.Replace(p.file), fill.Replace(p.text))
	}
	return s, true
}

// found looks for a login, and reports whether the secret came.
func (p loginPlace) found(t *testing.T, s *Sources, q Query) bool {
	t.Helper()
	v, err := p.source(s).Lookup(t.Context(), q)
	for _, value := range v {
		if strings.Contains(value.Reveal(), canary) {
			if err != nil {
				t.Errorf("a secret and an error: %v", err)
			}
			return true
		}
	}
	return false
}

// query asks for a host in the way that a registry's helper does.
func query(t *testing.T, host string) (Query, bool) {
	req, err := helpers.ParseRequest("https://" + host + "/simple/x")
	if err != nil {
		return Query{}, false
	}
	return Query{URL: req.URL, Repository: "team/app"}, true
}

// TestLookalikes holds, for each place that a login for a host may be in, that it is found for that host and for none that is spelled like it:
// neither where the place names another host than the one that is asked for, nor where another is asked for than the place names.
func TestLookalikes(t *testing.T) {
	notOnWindows(t) // for names of files and of variables
	for _, p := range loginPlaces {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			right, _ := p.at(t, asked)
			q, _ := query(t, asked)
			if !p.found(t, right, q) {
				t.Fatalf("no login is found for %s itself: %v", asked, func() error { _, err := p.source(right).Lookup(t.Context(), q); return err }())
			}
			named, others := 0, 0
			for _, host := range lookalikes {
				if namesAsked(host) {
					t.Fatalf("%s is no other host", host)
				}
				if other, ok := query(t, host); ok && p.name != "the GitHub CLI" { // which is not asked for a URL
					others++
					if allPorts := p.name == "netrc" || strings.HasPrefix(p.name, "Bundler") && p.name != "Bundler's URL"; p.found(t, right, other) != (allPorts && other.URL.Hostname() == asked) {
						t.Errorf("asked for %q, with a login for %s", host, asked)
					}
				}
				if strings.Contains(p.name, "Bundler") && bundlerSpelling(host) == bundlerSpelling(asked) {
					continue // it is written as the host that is asked for
				}
				if runtime.GOOS == "darwin" && p.name == "Julia" {
					continue // its file system has twins of its own
				}
				s, ok := p.at(t, host)
				if !ok || p.lastAt && host == `evil.test\@reg.kiosk.test` {
					continue
				}
				named++
				if p.found(t, s, q) {
					t.Errorf("the login that is written down for %q is found for %s", host, asked)
				}
			}
			if named < 40 || others < 15 && p.name != "the GitHub CLI" {
				t.Errorf("only %d other hosts were written down, and %d asked for", named, others)
			}
		})
	}
}
