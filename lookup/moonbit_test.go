package lookup

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/internal/env"
)

// moonbitEntry returns a source of registry.toml at a URL, and what else it has.
func moonbitEntry(name, url, rest string) string {
	return "[[sources]]\nname = \"" + name + "\"\nurl = \"" + url + "\"\n" + rest + "\n"
}

func TestMoonbit(t *testing.T) {
	const bearer = "[sources.auth]\ntype = \"bearer\"\ntoken = \"" + canary + "\"\n"
	const other = "[sources.auth]\ntype = \"bearer\"\ntoken = \"other\"\n"
	const home, url = "https://moon.example.com/registry", "https://moon.example.com/registry/user/a/b/1.0.0.zip"
	found := outcome{values: "default=" + canary + " token=" + canary}
	second := outcome{values: "default=other token=other"}
	none := func(origin string) outcome {
		return outcome{kind: "not found", err: "~/proj/registry.toml has no source for " + origin}
	}
	undefined := func(name, state string) outcome {
		return outcome{kind: "broken", err: `reading ~/proj/registry.toml: the login for the source "p" uses ${` + name + "}, and $" + name + " is " + state, hint: "export " + name}
	}
	incomplete := func(what, kind string) outcome {
		return outcome{kind: "not found", err: "~/proj/registry.toml has no " + what + ` for the source "p", whose login is of the type ` + kind}
	}
	vars := map[string]string{"TOKEN": canary, "USR": "bob", "EMPTY": ""}
	auth := func(lines string) string { return moonbitEntry("p", home, "[sources.auth]\n"+lines) }

	for _, tt := range []struct {
		name, file, url string
		want            outcome
	}{
		{"bearer", moonbitEntry("p", home, bearer), url, found},
		{"the source itself", moonbitEntry("p", home, bearer), home, found},
		{"a slash at the end", moonbitEntry("p", home+"/", bearer), url, found},
		{"a variable", auth("type = 'bearer'\ntoken = '${TOKEN}'"), url, found},
		{"a variable inside", auth("type = 'bearer'\ntoken = 'a-${USR}-${USR}$x'"), url, outcome{values: "default=a-bob-bob$x token=a-bob-bob$x"}},
		{"basic", auth("type = 'basic'\nusername = '${USR}'\npassword = '${TOKEN}'"), url, outcome{values: "default=" + canary + " password=" + canary + " username=bob"}},
		{"Windows lines", strings.ReplaceAll(moonbitEntry("p", home, bearer), "\n", "\r\n"), url, found},
		{"a byte order mark", "\xef\xbb\xbf" + moonbitEntry("p", home, bearer), url, found},
		{"whatever the case of the host", moonbitEntry("p", "https://Moon.Example.COM/registry", bearer), url, found},
		{"the scheme's port", moonbitEntry("p", "https://moon.example.com:443/registry", bearer), url, found},
		{"IPv6", moonbitEntry("p", "http://[::1]:8080", bearer), "http://[::1]:8080/user/a", found},
		{"its index on the same host", moonbitEntry("p", home, "index_url = \"https://moon.example.com/git/index\"\n"+bearer), "https://moon.example.com/git/index/info/refs", found},
		{"its packages on the same host", moonbitEntry("p", home, "package_url_pattern = \"https://moon.example.com/dl/v1-${version}/${name}.zip\"\n"+bearer), "https://moon.example.com/dl/v1-1.0.0/b.zip", found},
		{"its packages, by its own URL", moonbitEntry("p", home, "package_url_pattern = \"${url}/user/${name}.zip\"\n"+bearer), url, found},
		{"the longest", moonbitEntry("q", "https://moon.example.com", other) + moonbitEntry("p", home, bearer), url, found},
		{"another path of the host", moonbitEntry("q", "https://moon.example.com", other) + moonbitEntry("p", home, bearer), "https://moon.example.com/registry2/x", second},
		{"the first of one path", moonbitEntry("p", home, bearer) + moonbitEntry("q", home, other), url, found},
		{"the priority", moonbitEntry("q", home, other) + moonbitEntry("p", home, "priority = 50\n"+bearer), url, found},
		{"switched off", moonbitEntry("q", home, "enabled = false\n"+other) + moonbitEntry("p", "https://moon.example.com", bearer), url, found},

		{"its packages on another host", moonbitEntry("p", home, "package_url_pattern = \"https://dl.example.com/${name}.zip\"\n"+bearer), "https://dl.example.com/b.zip", none("https://dl.example.com")},
		{"packages at the client's default", moonbitEntry("p", home, bearer), "https://download.mooncakes.io/user/a/b/1.zip", none("https://download.mooncakes.io")},
		{"its index on another host", moonbitEntry("p", home, "index_url = \"https://git.example.com/index\"\n"+bearer), "https://git.example.com/index", none("https://git.example.com")},
		{"another path", moonbitEntry("p", home, bearer), "https://moon.example.com/registry2/x", none("https://moon.example.com")},
		{"a path above", moonbitEntry("p", home, bearer), "https://moon.example.com/", none("https://moon.example.com")},
		{"a host with more behind", moonbitEntry("p", home, bearer), "https://moon.example.com.evil.test/registry/", none("https://moon.example.com.evil.test")},
		{"a host with more before", moonbitEntry("p", home, bearer), "https://evilmoon.example.com/registry/", none("https://evilmoon.example.com")},
		{"another port", moonbitEntry("p", home, bearer), "https://moon.example.com:8443/registry/", none("https://moon.example.com:8443")},
		{"another scheme", moonbitEntry("p", home, bearer), "http://moon.example.com/registry/", none("http://moon.example.com")},
		{"a host in the user info", moonbitEntry("p", "https://moon.example.com@evil.test/registry", bearer), url, none("https://moon.example.com")},
		{"all hosts of a domain", moonbitEntry("p", home, bearer), "https://*.example.com/registry/", none("https://*.example.com")},
		{"no sources", "[upstream]\nurl = \"https://moon.example.com\"\n", url, none("https://moon.example.com")},

		{"none", auth("type = 'none'"), url, outcome{kind: "not found", err: `~/proj/registry.toml says that the source "p" needs no login`}},
		{"no login", moonbitEntry("p", home, ""), url, outcome{kind: "not found", err: `~/proj/registry.toml has no login for the source "p"`}},
		{"no token", auth("type = 'bearer'"), url, incomplete("token", "bearer")},
		{"an empty token", auth("type = 'bearer'\ntoken = ''"), url, incomplete("token", "bearer")},
		{"no password", auth("type = 'basic'\nusername = 'bob'"), url, incomplete("user name and password", "basic")},
		{"no type", auth("token = '" + canary + "'"), url, outcome{kind: "broken", err: `reading ~/proj/registry.toml: the login for the source "p" has no type`, hint: `write type = "bearer" or "basic" in its [sources.auth]`}},
		{"a type that is not known", moonbitEntry("q", "https://other.test", "") + auth("token = '"+canary+"'\ntype = 'digest'"), url, outcome{kind: "broken", err: `reading ~/proj/registry.toml:10:8: the "type" of a login is none of "none", "bearer" and "basic"`}},
		{"undefined", auth("type = 'bearer'\ntoken = '${NOPE}'"), url, undefined("NOPE", "not set")},
		{"empty", auth("type = 'basic'\nusername = '${USR}'\npassword = '" + canary + "${EMPTY}'"), url, undefined("EMPTY", "empty")},
		{"an undefined user name", auth("type = 'basic'\nusername = '${NOPE}'\npassword = '" + canary + "'"), url, undefined("NOPE", "not set")},
		{"undefined, for another source", moonbitEntry("q", "https://other.test", "[sources.auth]\ntype = 'bearer'\ntoken = '${NOPE}'") + moonbitEntry("p", home, bearer), url, found},
		{"no name of a variable", auth("type = 'bearer'\ntoken = '${" + canary + "}'"), url, outcome{kind: "broken", err: `reading ~/proj/registry.toml: a ${…} in the login for the source "p" does not name an environment variable`}},

		{"malformed", auth("type = 'bearer'\ntoken = \"" + canary), url, outcome{kind: "broken", err: "reading ~/proj/registry.toml:6:26: not TOML as moonbit-registry reads it"}},
		{"of another type", auth("type = 'bearer'\ntoken = ['" + canary + "']"), url, outcome{kind: "broken", err: "reading ~/proj/registry.toml:6:9: not TOML as moonbit-registry reads it"}},
		{"too large", strings.Repeat("\n", maxTOML+1), url, outcome{kind: "broken", err: "reading ~/proj/registry.toml: it is larger than 65536 bytes, which is too long for a file of moonbit-registry"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			notOnWindows(t) // for the slashes in what is expected; the file is read alike
			s := newSources(t, vars)
			write(t, s, "proj/registry.toml", tt.file)
			expect(t, s, decodeOne(t, s, `{"source": "moonbit"}`), ask(t, tt.url), tt.want)
		})
	}
}

func TestMoonbitPlaces(t *testing.T) {
	notOnWindows(t)
	const url = "https://moon.example.com/x"
	file := func(token string) string {
		return moonbitEntry("p", "https://moon.example.com", "[sources.auth]\ntype = 'bearer'\ntoken = '"+token+"'")
	}
	for _, tt := range []struct {
		name, source string
		files        []string
		want         outcome
	}{
		{"the nearest", "", []string{"proj/registry.toml", "proj/a/registry.toml", "registry.toml"}, outcome{values: "default=proj/a/registry.toml token=proj/a/registry.toml"}},
		{"further up", "", []string{"registry.toml"}, outcome{values: "default=registry.toml token=registry.toml"}},
		{"the rule's own", `, "path": "~/mine.toml"`, []string{"proj/registry.toml", "mine.toml"}, outcome{values: "default=mine.toml token=mine.toml"}},
		{"the rule's own is not there", `, "path": "~/mine.toml"`, []string{"proj/registry.toml"}, outcome{kind: "not found", err: "~/mine.toml does not exist"}},
		{"nowhere", "", nil, outcome{kind: "not found", err: "there is no registry.toml in ~/proj/a/b or above it"}},
		{"a directory", "", []string{"proj/registry.toml/x"}, outcome{kind: "broken", err: "reading ~/proj/registry.toml: it is a directory"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSources(t, nil)
			for _, name := range tt.files {
				write(t, s, name, file(name))
			}
			s.Env.Dir = filepath.Join(s.Env.Home, "proj", "a", "b")
			source := decodeOne(t, s, `{"source": "moonbit"`+tt.source+`}`)
			if !source.(PathBound).PathBound() {
				t.Error("it is bound to no path")
			}
			expect(t, s, source, ask(t, url), tt.want)
		})
	}
	t.Run("a file that all can write", func(t *testing.T) {
		s := newSources(t, nil)
		if err := os.Chmod(write(t, s, "proj/registry.toml", file("x")), 0o666); err != nil {
			t.Fatal(err)
		}
		expect(t, s, s.Moonbit(), ask(t, url), outcome{
			kind: "broken", err: "reading ~/proj/registry.toml: every user of this machine can write it (mode 0666)", hint: "run chmod o-w ~/proj/registry.toml, if what it says is yours",
		})
	})
	t.Run("the user's files alone", func(t *testing.T) {
		s := newSources(t, nil)
		s.Env.UserOnly = true
		write(t, s, "proj/registry.toml", file("x"))
		expect(t, s, s.Moonbit(), ask(t, url), outcome{kind: "not found", err: "moonbit-registry's registry.toml is not looked for: files of the project are not read here"})
	})
	t.Run("an empty path", func(t *testing.T) {
		if _, err := decodeChain(newSources(t, nil), `[{"source": "moonbit", "path": ""}]`, Default); err == nil {
			t.Error("it is accepted")
		}
	})
}

// FuzzMoonbit holds that no file gives moon.example.com a login without naming it, that what is found is not empty, and that no error quotes the file.
func FuzzMoonbit(f *testing.F) {
	const home = "https://moon.example.com"
	f.Add(moonbitEntry("p", home+"/a", "[sources.auth]\ntype = 'bearer'\ntoken = '"+canary+"'"), "/a/b")
	f.Add(moonbitEntry("p", home, "package_url_pattern = '"+home+"/x?${name}'\nauth = {type = 'basic', username = '${A}', password = '${B'}"), "/x")
	f.Add(moonbitEntry("p", home+"@evil.test", "[sources.auth]\ntype = '"+canary+"'"), "/")
	f.Add(moonbitEntry("p", home, "[sources.auth]\ntype = 'bearer'\ntoken = '${"+canary+"}'"), "/")
	m := moonbit{Sources: &Sources{Env: &env.Env{Get: func(name string) (string, bool) {
		if name == "A" {
			return "a", true
		}
		return "", false
	}}}}
	f.Fuzz(func(t *testing.T, file, path string) {
		u := mustParse(t, home)
		u.Path = "/" + path
		values, err := m.find("registry.toml", []byte(file), Query{URL: u})
		if err == nil && !strings.Contains(strings.ToLower(file), "moon.example.com") && !strings.Contains(file, `\`) {
			t.Errorf("%q gives moon.example.com %v", file, values)
		}
		if err == nil && values[Default].IsZero() {
			t.Errorf("%q gives no error and no secret", file)
		}
		if o := outcomeOf(nil, nil, err); strings.Contains(o.err+o.hint, canary) && !sourceNamesCanary(file) {
			t.Errorf("%q: the secret is in the error: %v", file, err)
		}
	})
}

// sourceNamesCanary reports whether the canary is in the name of a source, which is no secret.
func sourceNamesCanary(file string) bool {
	var into struct{ Sources []moonbitSource }
	return decodeTOML("", "", []byte(file), &into) == nil && slices.ContainsFunc(into.Sources, func(s moonbitSource) bool { return strings.Contains(s.Name, canary) })
}
