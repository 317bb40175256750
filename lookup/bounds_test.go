package lookup

import (
	"strconv"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/internal/boundtest"
	"github.com/fe055d52/credential-helper/internal/subprocess"
)

// TestBounds holds the sources to bounds: whatever stands in a file of theirs, reading it costs as much as its length accounts for,
// and what is longer than that is refused with an error that names the file and the limit.
// A source that is added has to have a row here.
func TestBounds(t *testing.T) {
	const host = "files.test"
	repeat, count, between := boundtest.Repeat, boundtest.Count, boundtest.Between
	type file struct {
		// name is below the home directory, in which "proj" is the working directory.
		name   string
		limit  int
		format string
		// memory is what may be allocated for a byte; the parsers of YAML and TOML keep much of each token.
		memory int
		// beside are other files that make this one be read.
		beside map[string]string
		// own are shapes in which all is for the server that is asked for.
		own map[string]boundtest.Shape
	}
	sources := map[string][]file{
		"env": nil, "static": nil, "keyring": nil, "google": nil, // no text is read
		"command": nil, "git": nil, // see below
		"file": {{name: "proj/file", limit: maxSecretFile}},
		"bundler": {
			{name: "proj/.bundle/config", limit: maxYAML, format: "YAML", memory: 400, own: map[string]boundtest.Shape{
				"settings": count("", "BUNDLE_HTTPS://FILES__TEST/P%d/: a:b\n", ""),
				"URLs":     count("", "https://files.test/p%d/: a:b\n", ""),
			}},
			{name: ".gem/credentials", limit: maxYAML, format: "YAML", memory: 400, own: map[string]boundtest.Shape{"keys": count("", "https://files.test/p%d/: a\n", "")}},
			{name: ".gemrc", limit: maxYAML, format: "YAML", memory: 400, own: map[string]boundtest.Shape{"sources": count(":sources:\n", "- https://a:b@files.test/p%d/\n", "")}},
		},
		"cargo": {
			{name: ".cargo/config.toml", limit: maxTOML, format: "TOML", memory: 400, own: map[string]boundtest.Shape{
				"registries":       count("", "[registries.r%d]\nindex='sparse+https://files.test/p%d/'\ntoken='x'\n", ""),
				"registries, flat": count("[registries]\n", "r%d.index='sparse+https://files.test/p%d/'\n", ""),
				"one registry":     count("[registries]\n", "r%d={index='https://files.test/'}\n", ""),
				"different tokens": count("[registries]\n", "r%d={index='https://files.test/',token='t%d'}\n", ""),
				"few here":         after(count("", "[registries.r%d]\nindex='https://files.test/p%d/'\n", ""), count("", "[registries.o%d]\nindex='https://o%d.test/'\n", "")),
				"providers":        count("registries.a={index='https://files.test/'}\nregistry.global-credential-providers=[", "'p%d',", "'x']"),
				"included":         between("include=[", "'config.toml',", "]\n"),
			}},
			{name: ".cargo/credentials.toml", limit: maxTOML, format: "TOML", memory: 400, beside: map[string]string{".cargo/config.toml": "[registries.r1]\nindex='sparse+https://files.test/'\n"}, own: map[string]boundtest.Shape{
				"registries": count("", "[registries.r%d]\ntoken='x'\n", ""),
			}},
		},
		"composer": {{name: ".config/composer/auth.json", limit: maxNative, format: "JSON", own: map[string]boundtest.Shape{
			"few here": after(count(`{"bearer":{`, `"files.test/p%d":"a",`, ""), count("", `"o%d.test":"a",`, `"a":"b"}}`)),
			"logins":   count(`{"http-basic":{`, `"files.test/p%d":{"username":"a","password":"b"},`, `"a":{"username":"a","password":"b"}}}`),
			"tokens":   count(`{"gitlab-token":{`, `"files.test/p%d":"a",`, `"a":"b"}}`),
		}}},
		"docker": {{name: ".docker/config.json", limit: maxDockerFile, format: "JSON", own: map[string]boundtest.Shape{
			"logins":     count(`{"auths":{`, `"files.test/p%d":{"auth":"YTpi"},`, `"a":{}}}`),
			"spellings":  count(`{"auths":{`, `"https://FILES.test/v1/#%d":{"auth":"YTpi"},`, `"a":{}}}`),
			"helpers":    count(`{"credHelpers":{`, `"h%d.test":"none",`, `"a":"b"}}`),
			"a long one": between(`{"auths":{"files.test":{"auth":"`, "YTpi", `"}}}`),
		}}},
		"github": {{name: ".config/gh/hosts.yml", limit: maxYAML, format: "YAML", memory: 400, own: map[string]boundtest.Shape{
			"users":     count("github.com:\n  users:\n", "    u%d:\n      oauth_token: x\n", ""),
			"spellings": count("", "GitHub.com%d:\n  oauth_token: x\n", ""),
		}}},
		"julia": {{name: ".julia/servers/" + host + "/auth.toml", limit: maxJulia, format: "TOML", memory: 400, own: map[string]boundtest.Shape{
			"tokens": count("access_token='x'\n", "t%d='x'\n", ""),
		}}},
		"maven": {
			{name: ".m2/settings.xml", limit: maxNative, format: "XML", own: map[string]boundtest.Shape{
				"servers":      count("<settings><servers>", "<server><id>s%d</id><username>a</username><password>b</password></server>", "</servers></settings>"),
				"mirrors":      count("<settings><mirrors>", "<mirror><id>s%d</id><url>https://files.test/p%d</url></mirror>", "</mirrors></settings>"),
				"both":         count("<settings>", "<servers><server><id>s%d</id><password>b</password></server></servers><mirrors><mirror><id>s%d</id><url>https://files.test/p%d</url></mirror></mirrors>", "</settings>"),
				"repositories": count("<settings><profiles>", "<profile><repositories><repository><id>s%d</id><url>https://files.test/p%d</url></repository></repositories></profile>", "</profiles></settings>"),
				"few here":     after(count("<settings><servers><server><id>s1</id><password>b</password></server></servers><mirrors>", "<mirror><id>s%d</id><url>https://files.test/p%d</url></mirror>", ""), count("", "<mirror><id>s%d</id><url>https://o%d.test/</url></mirror>", "</mirrors></settings>")),
				"properties":   between("<settings><servers><server><id>a</id><password>", "${env.A}", "</password></server></servers><mirrors><mirror><id>a</id><url>https://files.test/</url></mirror></mirrors></settings>"),
			}},
			{name: ".m2/settings-security.xml", limit: maxNative, format: "XML", beside: map[string]string{
				".m2/settings.xml": "<settings><servers><server><id>a</id><username>u</username><password>{COQLCE6DU6GtcS5P=}</password></server></servers><mirrors><mirror><id>a</id><url>https://files.test/</url></mirror></mirrors></settings>",
			}},
		},
		"moonbit": {{name: "proj/" + moonbitFile, limit: maxTOML, format: "TOML", memory: 400, own: map[string]boundtest.Shape{
			"few here":  after(count("", "[[sources]]\nurl='https://files.test/p%d/'\nauth={type='bearer',token='x'}\n", ""), count("", "[[sources]]\nurl='https://o%d.test/'\nauth={type='bearer',token='x'}\n", "")),
			"sources":   count("", "[[sources]]\nurl='https://files.test/p%d/'\n[sources.auth]\ntype='bearer'\ntoken='x'\n", ""),
			"variables": between("[[sources]]\nurl='https://files.test/'\n[sources.auth]\ntype='bearer'\ntoken='", "${A}", "'\n"),
		}}},
		"netrc": {{name: ".netrc", limit: maxNetrc, format: "netrc", own: map[string]boundtest.Shape{
			"one machine":               repeat("machine files.test login a password b\n"),
			"one machine, no passwords": repeat("machine files.test login a\n"),
			"spellings":                 spellings("machine ", host, " login a\n"),
			"words":                     repeat(host + " "),
			"quoted":                    between(`machine files.test login a password "`, `\"`, `"`),
		}}},
		"npmrc": {{name: ".npmrc", limit: maxNative, format: "INI", own: map[string]boundtest.Shape{
			"few here":        after(count("", "//files.test/p%d/:_authToken=x\n", ""), count("", "//o%d.test/:_authToken=x\n", "")),
			"tokens":          count("", "//files.test/p%d/:_authToken=x\n", ""),
			"one token":       repeat("//files.test/:_authToken=x\n"),
			"variables":       between("//files.test/:_authToken=", "${A}", ""),
			"variables, long": between("//files.test/:_authToken=", "${LONG}", ""),
			"a quoted key":    between(`"//files.test/:_authToken`, `\u0020`, `"=x`),
			"registries":      count("//files.test/:_authToken=x\n", "@s%d:registry=https://files.test/p%d/\n", ""),
			"a deep key":      between("//files.test/", "a/", ":_authToken=x"),
			"options":         count("", "_authToken%d=x\nregistry=https://files.test/\n", ""),
		}}},
		"nuget": {{name: ".nuget/NuGet/NuGet.Config", limit: maxNative, format: "XML", own: map[string]boundtest.Shape{
			"sources":     count("<configuration><packageSources>", `<add key="s%d" value="https://files.test/p%d"/>`, "</packageSources></configuration>"),
			"few here":    after(count("<configuration><packageSources>", `<add key="s%d" value="https://files.test/p%d"/>`, ""), count("", `<add key="o%d" value="https://o%d.test/"/>`, "</packageSources></configuration>")),
			"credentials": count(`<configuration><packageSources><add key="s1" value="https://files.test/"/></packageSources><packageSourceCredentials>`, `<s%d><add key="Username" value="a"/><add key="ClearTextPassword" value="b"/></s%d>`, "</packageSourceCredentials></configuration>"),
			"both":        count("<configuration>", `<packageSources><add key="s%d" value="https://files.test/p%d"/></packageSources><packageSourceCredentials><s%d><add key="Username" value="a"/><add key="ClearTextPassword" value="b"/></s%d></packageSourceCredentials>`, "</configuration>"),
			"escapes":     between(`<configuration><packageSources><add key="a b" value="https://files.test/"/></packageSources><packageSourceCredentials><a`, "_x0020_", `b/></packageSourceCredentials></configuration>`),
			"cleared":     between("<configuration><packageSources>", "<clear/>", "</packageSources></configuration>"),
			"variables":   between(`<configuration><packageSources><add key="a" value="https://files.test/"/></packageSources><packageSourceCredentials><a><add key="Username" value="a"/><add key="ClearTextPassword" value="`, "%LONG%", `"/></a></packageSourceCredentials></configuration>`),
		}}},
		"pesde": {{name: ".pesde/config.toml", limit: maxTOML, format: "TOML", memory: 400, own: map[string]boundtest.Shape{
			"tokens":           count("[tokens]\n", "\"https://files.test/p%d\"='x'\n", ""),
			"different tokens": count("[tokens]\n", "\"https://files.test/?%d\"='x%d'\n", ""),
			"few here":         after(count("[tokens]\n", "\"https://files.test/p%d\"='x'\n", ""), count("", "\"https://o%d.test/\"='x'\n", "")),
		}}},
		"pip": {{name: ".config/pip/pip.conf", limit: maxNative, format: "INI", own: map[string]boundtest.Shape{
			"indexes":     count("[global]\nextra-index-url =\n", " https://a:b@files.test/p%d/\n", ""),
			"few here":    after(count("[global]\nextra-index-url =\n", " https://a:b@files.test/p%d/\n", ""), count("", " https://a:b@o%d.test/\n", "")),
			"one line":    between("[global]\nindex-url = ", "https://a:b@files.test/ ", ""),
			"sections":    count("", "[s%d]\nindex-url = https://a:b@files.test/p%d\n", ""),
			"a long name": between("[global]\n", "k", " = v\n"),
		}}},
		"pypirc": {{name: ".pypirc", limit: maxNative, format: "INI", own: map[string]boundtest.Shape{
			"servers": count("", "[s%d]\nrepository = https://files.test/p%d\nusername = a\npassword = b\n", ""),
			"listed":  listed,
			"names":   count("[distutils]\nindex-servers =\n", "  s%d\n", ""),
		}}},
	}
	for _, kind := range kindNames() {
		files, ok := sources[kind]
		if !ok {
			t.Errorf("the source %q has no bounds here", kind)
		}
		for _, f := range files {
			t.Run(kind+" "+f.name, func(t *testing.T) {
				s := newSources(t, map[string]string{"A": "a", "LONG": strings.Repeat("x", 32<<10)})
				for name, text := range f.beside {
					write(t, s, name, text)
				}
				source := `{"source": "` + kind + `"`
				q := ask(t, "https://"+host+"/a/b/c")
				switch kind {
				case "file":
					source += `, "path": "file"`
				case "github":
					q = ask(t, "https://github.com/a/b/c")
				}
				looked := decodeOne(t, s, source+"}")
				boundtest.Parser{
					Limit: f.limit, Format: f.format, Memory: f.memory, Refusal: []string{s.Env.Display(write(t, s, f.name, "")), strconv.Itoa(f.limit)}, Shapes: f.own,
					Parse: func(text string) error {
						write(t, s, f.name, text)
						dir := ""
						q.alike = &dir
						_, err := looked.Lookup(t.Context(), q)
						return err
					},
				}.Check(t)
			})
		}
	}
	t.Run("git", func(t *testing.T) {
		u := mustParse(t, "https://files.test/")
		boundtest.Parser{Limit: subprocess.MaxOutput, Format: "git", Parse: func(text string) error {
			_, err := parseGit([]byte(text), u, juliaNow)
			return err
		}, Shapes: map[string]boundtest.Shape{"logins": repeat("protocol=https\nhost=files.test\nusername=a\npassword=b\n")}}.Check(t)
	})
	t.Run("templates", func(t *testing.T) {
		s := newSources(t, map[string]string{"A": "a"})
		boundtest.Parser{Limit: 1 << 20, Parse: func(text string) error {
			_, err := template{env: s.Env, text: text}.Lookup(t.Context(), ask(t, "https://files.test"))
			return err
		}}.Check(t)
	})
}

// after is the shape of a few kilobytes of one, and another behind it.
func after(first, rest boundtest.Shape) boundtest.Shape {
	return func(n int) string {
		begin := first(min(n/2, 12<<10))
		return begin + rest(n-len(begin))
	}
}

// spellings is the shape of a host between two texts, each time in another mixture of capitals.
func spellings(before, host, after string) boundtest.Shape {
	return func(n int) string {
		var b strings.Builder
		for i := 0; b.Len()+len(before)+len(host)+len(after) <= n; i++ {
			spelled := []byte(host)
			for bit := range spelled {
				if i>>bit&1 == 1 && spelled[bit] >= 'a' {
					spelled[bit] -= 'a' - 'A'
				}
			}
			b.WriteString(before + string(spelled) + after)
		}
		return b.String()
	}
}

// listed is the shape of a .pypirc that lists servers, and has each of them.
func listed(n int) string {
	names := boundtest.Count("[distutils]\nindex-servers =\n", " s%d\n", "")(n / 8)
	return names + boundtest.Count("", "[s%d]\nrepository = https://files.test/p%d\nusername = a\npassword = b\n", "")(n-len(names))
}
