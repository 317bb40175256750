package lookup

import (
	"fmt"
	"strings"
	"testing"
)

const noKeyringHere = "there is no keyring here: no D-Bus session bus (neither $DBUS_SESSION_BUS_ADDRESS nor a socket $XDG_RUNTIME_DIR/bus)"

// pesdeTokens returns a config.toml with tokens: index, value, index, value, …
func pesdeTokens(pairs ...string) string {
	file := "default_index = \"https://github.com/pesde-pkg/index\"\n[tokens]\n"
	for i := 0; i < len(pairs); i += 2 {
		file += fmt.Sprintf("%q = %q\n", pairs[i], pairs[i+1])
	}
	return file
}

func TestPesde(t *testing.T) {
	const index, url = "https://pesde.example.com/org/index", "https://pesde.example.com/v1/packages/a/1.0.0/any/archive"
	const hosted = "https://github.com/org/index"
	const file = "~/.pesde/config.toml"
	bearer := outcome{values: "default=" + canary + " header:Authorization=Bearer " + canary + " token=" + canary}
	raw := outcome{values: "default=" + canary + " header:Authorization=" + canary + " token=" + canary}
	missing := func(text string) outcome { return outcome{kind: "not found", err: file + text} }
	none := func(origin string) outcome {
		return missing(" has no token for an index at " + origin)
	}
	one := func(origin, index string) outcome {
		return missing(" has no token for an index at " + origin + "; if the index of this registry is " + index + `, add "index": "` + index + `" to the source "pesde"`)
	}
	two := pesdeTokens("https://pesde.example.com/a/index", "Bearer "+canary, "https://pesde.example.com/b/index", "other")
	corp := pesdeTokens(index, "Bearer "+canary)

	for _, tt := range []struct {
		name, file, index, url string
		want                   outcome
	}{
		{"bearer", corp, "", url, bearer},
		{"raw", pesdeTokens(index, canary), "", url, raw},
		{"whatever the case", pesdeTokens("https://Pesde.Example.com/org/index", "bEARER "+canary), "", url, outcome{values: "default=" + canary + " header:Authorization=bEARER " + canary + " token=" + canary}},
		{"Windows lines", strings.ReplaceAll(corp, "\n", "\r\n"), "", url, bearer},
		{"IPv6", pesdeTokens("http://[::1]:3000/index", canary), "", "http://[::1]:3000/v1", raw},
		{"user info in the index", pesdeTokens("https://bob:"+canary+"@pesde.example.com/org/index", canary), "", url, raw},
		{"an inline table", "tokens = {\"" + index + "\" = \"" + canary + "\"}\n", "", url, raw},
		{"the nearest", two, "", "https://pesde.example.com/a/v1", bearer},
		{"a tie", two, "", url, outcome{
			kind: "broken", err: "looking for pesde's token: " + file + " has different tokens for https://pesde.example.com/a/index, https://pesde.example.com/b/index, and the URL fits each as well",
			hint: `write "index": "https://pesde.example.com/a/index", or another one, in the source "pesde" of the rule`,
		}},
		{"the same token twice", pesdeTokens("https://pesde.example.com/a", canary, "https://pesde.example.com/b", canary), "", url, raw},

		{"by its index", pesdeTokens(hosted, "Bearer "+canary, index, "other"), hosted, url, bearer},
		{"by its index, spelled in another way", pesdeTokens(hosted, canary), "https://GitHub.com:443/org/index/", url, raw},
		{"by its index over SSH", pesdeTokens("git@github.com:org/index", canary), "git@github.com:org/index", url, raw},
		{"by another index", pesdeTokens(hosted, canary), hosted + "2", url, missing(" has no token for the index " + hosted + "2")},
		{"by an index with user info", pesdeTokens(hosted, canary), "https://bob:" + canary + "@github.com/org/other", url, missing(" has no token for the index https://github.com/org/other")},

		{"one, for an index elsewhere", pesdeTokens(hosted, canary), "", url, one("https://pesde.example.com", hosted)},
		{"one beside GitHub's own", pesdeTokens(hosted, canary, "https://github.com", "Bearer gh"), "", url, one("https://pesde.example.com", hosted)},
		{"one with user info", pesdeTokens("https://bob:"+canary+"@git.example.com/index", canary), "", url, one("https://pesde.example.com", "https://git.example.com/index")},
		{"several, for indexes elsewhere", pesdeTokens(hosted, canary, hosted+"2", "x"), "", url, none("https://pesde.example.com")},
		{"the host of an index is not its registry", pesdeTokens(hosted, canary), "", "https://github.com/org/index/info/refs", one("https://github.com", hosted)},
		{"GitHub's own", pesdeTokens(hosted, "x", "https://github.com", "Bearer "+canary), "", "https://github.com/org/repo", bearer},
		{"a host with more behind", corp, "", "https://pesde.example.com.evil.test/v1", one("https://pesde.example.com.evil.test", index)},
		{"a host with more before", corp, "", "https://evilpesde.example.com/v1", one("https://evilpesde.example.com", index)},
		{"another port", corp, "", "https://pesde.example.com:8443/v1", one("https://pesde.example.com:8443", index)},
		{"another scheme", corp, "", "http://pesde.example.com/v1", one("http://pesde.example.com", index)},
		{"all hosts of a domain", corp, "", "https://*.example.com/", one("https://*.example.com", index)},
		{"an empty token", pesdeTokens(index, ""), "", url, one("https://pesde.example.com", index)},
		{"no tokens", pesdeTokens(), "", url, outcome{kind: "unavailable", err: file + " has no token of pesde's, and " + noKeyringHere}},
		{"empty", "", "", url, outcome{kind: "unavailable", err: file + " has no token of pesde's, and " + noKeyringHere}},

		{"malformed", corp + "x = \"" + canary, "", url, outcome{kind: "broken", err: "reading " + file + ":4:21: not TOML as pesde reads it"}},
		{"an index twice", pesdeTokens(index, "x", index, canary), "", url, outcome{kind: "broken", err: "reading " + file + ":4:1: not TOML as pesde reads it"}},
		{"of another type", "[tokens]\n\"" + index + "\" = [\"" + canary + "\"]\n", "", url, outcome{kind: "broken", err: "reading " + file + ":2:41: not TOML as pesde reads it"}},
		{"too large", strings.Repeat("\n", maxTOML+1), "", url, outcome{kind: "broken", err: "reading " + file + ": it is larger than 65536 bytes, which is too long for a file of pesde"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			notOnWindows(t) // for the slashes in what is expected; the file is read alike
			s := newSources(t, nil)
			write(t, s, ".pesde/config.toml", tt.file)
			config := `{"source": "pesde"}`
			if tt.index != "" {
				config = fmt.Sprintf(`{"source": "pesde", "index": %q}`, tt.index)
			}
			source := decodeOne(t, s, config)
			if bound := tt.index == ""; source.HostBound() != bound || source.(PathBound).PathBound() != bound {
				t.Errorf("bound to the host: %v", source.HostBound())
			}
			expect(t, s, source, ask(t, tt.url), tt.want)
		})
	}
}

func TestPesdePlaces(t *testing.T) {
	notOnWindows(t)
	const url = "https://pesde.example.com/"
	found := func(token string) outcome {
		return outcome{values: "default=" + token + " header:Authorization=" + token + " token=" + token}
	}
	for _, tt := range []struct {
		name  string
		vars  map[string]string
		files []string
		want  outcome
	}{
		{"at home", nil, []string{".pesde/config.toml"}, found(".pesde/config.toml")},
		{"its own variable", map[string]string{"PESDE_HOME": "~/own"}, []string{".pesde/config.toml", "own/config.toml"}, found("own/config.toml")},
		{"from the working directory", map[string]string{"PESDE_HOME": "../own"}, []string{"own/config.toml"}, found("own/config.toml")},
		{"nowhere", nil, nil, outcome{kind: "unavailable", err: "~/.pesde/config.toml, which does not exist, has no token of pesde's, and " + noKeyringHere}},
		{"a directory", nil, []string{".pesde/config.toml/x"}, outcome{kind: "broken", err: "reading ~/.pesde/config.toml: it is a directory"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			vars := map[string]string{}
			s := newSources(t, vars)
			for name, value := range tt.vars {
				vars[name] = strings.ReplaceAll(value, "~", s.Env.Home)
			}
			for _, name := range tt.files {
				write(t, s, name, pesdeTokens("https://pesde.example.com/index", name))
			}
			expect(t, s, s.Pesde(""), ask(t, url), tt.want)
		})
	}
	t.Run("no home", func(t *testing.T) {
		s := newSources(t, nil)
		s.Env.Home = ""
		expect(t, nil, s.Pesde(""), ask(t, url), outcome{kind: "unavailable", err: "pesde's config.toml, which has no place without a home directory, has no token of pesde's, and " + noKeyringHere})
	})
	t.Run("an empty index", func(t *testing.T) {
		if _, err := decodeChain(newSources(t, nil), `[{"source": "pesde", "index": ""}]`, Default); err == nil {
			t.Error("it is accepted")
		}
	})
}

// FuzzPesde holds that no file gives pesde.example.com a token without naming it, that it goes out as it is, and that no error has it.
func FuzzPesde(f *testing.F) {
	f.Add(pesdeTokens("https://pesde.example.com/index", "Bearer "+canary), "/v1")
	f.Add(pesdeTokens("https://pesde.example.com/a", canary, "https://pesde.example.com/b", "x"), "/c")
	f.Add(pesdeTokens("https://pesde.example.com@evil.test", canary), "/")
	f.Add(pesdeTokens("https://bob:"+canary+"@git.example.com/index", "x"), "/")
	f.Add("tokens = '"+canary+"'", "/")
	f.Fuzz(func(t *testing.T, file, path string) {
		u := mustParse(t, "https://pesde.example.com")
		u.Path = "/" + path
		tokens, err := parsePesde("config.toml", []byte(file))
		var values Values
		if err == nil {
			values, err = pesde{}.find(tokens, "config.toml", u)
		}
		if err == nil && !strings.Contains(strings.ToLower(file), "pesde.example.com") && !strings.Contains(file, `\`) {
			t.Errorf("%q gives pesde.example.com %v", file, values)
		}
		if err == nil && !strings.HasSuffix(strings.TrimSpace(values[Header("Authorization")].Reveal()), values[Token].Reveal()) {
			t.Errorf("%q: the header is not the token", file)
		}
		if o := outcomeOf(nil, nil, err); strings.Contains(o.err+o.hint, "bob:"+canary) {
			t.Errorf("%q: the secret is in the error: %v", file, err)
		}
	})
}
