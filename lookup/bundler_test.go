package lookup

import (
	"strings"
	"testing"
	"time"
)

func TestBundler(t *testing.T) {
	notOnWindows(t) // for the slashes in what is expected
	const (
		global = ".bundle/config"
		local  = "proj/.bundle/config"
		url    = "https://gems.acme.test/private/gems/x-1.0.gem"
		looked = "~/proj/.bundle/config, ~/.bundle/config, ~/.gem/credentials, ~/.local/share/gem/credentials, ~/.gemrc, ~/.config/gem/gemrc"
	)
	both := outcome{values: "default=" + canary + " password=" + canary + " username=bob"}
	token := outcome{values: "default=" + canary + " token=" + canary}
	raw := outcome{values: "default=" + canary + " header:Authorization=" + canary}
	login := "\"bob:" + canary + "\"\n"
	acme := "---\nBUNDLE_GEMS__ACME__TEST: " + login
	noneFor := func(host, key string) outcome {
		return outcome{kind: "not found", err: "no login for " + host + " in $" + key + ", " + looked}
	}
	none := noneFor("gems.acme.test", "BUNDLE_GEMS__ACME__TEST")
	for _, tt := range []struct {
		name  string
		files map[string]string
		vars  map[string]string
		url   string
		want  outcome
	}{
		{"the user's file", map[string]string{global: acme}, nil, url, both},
		{"the project's", map[string]string{local: acme}, nil, url, both},
		{"the variable", nil, map[string]string{"BUNDLE_GEMS__ACME__TEST": "bob:" + canary}, url, both},
		{"the project's before the variable", map[string]string{local: acme}, map[string]string{"BUNDLE_GEMS__ACME__TEST": "eve:x"}, url, both},
		{"the variable before the user's", map[string]string{global: "BUNDLE_GEMS__ACME__TEST: \"eve:x\"\n"}, map[string]string{"BUNDLE_GEMS__ACME__TEST": "bob:" + canary}, url, both},
		{"files left out", map[string]string{local: acme, global: acme}, map[string]string{"BUNDLE_IGNORE_CONFIG": "1"}, url, outcome{kind: "not found", err: strings.Replace(none.err, "~/proj/.bundle/config, ~/.bundle/config, ", "", 1)}},
		{"a directory of its own", map[string]string{"app/config": acme}, map[string]string{"BUNDLE_APP_CONFIG": "~/app"}, url, both},
		{"one in the project", map[string]string{"proj/app/config": acme}, map[string]string{"BUNDLE_APP_CONFIG": "app"}, url, both},
		{"$BUNDLE_CONFIG", map[string]string{"c": acme}, map[string]string{"BUNDLE_CONFIG": "~/c"}, url, both},
		{"$BUNDLE_USER_CONFIG", map[string]string{"c": acme}, map[string]string{"BUNDLE_USER_CONFIG": "~/c"}, url, both},
		{"$BUNDLE_USER_HOME", map[string]string{"c/config": acme}, map[string]string{"BUNDLE_USER_HOME": "~/c"}, url, both},
		{"a token alone", map[string]string{global: "BUNDLE_GEMS__ACME__TEST: " + canary + "\n"}, nil, url, token},
		{"a token with a colon", nil, map[string]string{"BUNDLE_GEMS__ACME__TEST": canary + ":"}, url, token},
		{"a token of digits", map[string]string{global: "BUNDLE_GEMS__ACME__TEST: 0123\n"}, nil, url, outcome{values: "default=0123 token=0123"}},
		{"percent-encoded", nil, map[string]string{"BUNDLE_GEMS__ACME__TEST": "bob%40acme.test:a%2Fb+c%2Bd:e"}, url, outcome{values: "default=a/b c+d:e password=a/b c+d:e username=bob@acme.test"}},
		{"no user", nil, map[string]string{"BUNDLE_GEMS__ACME__TEST": ":" + canary}, url, outcome{values: "default=" + canary + " password=" + canary + " username="}},
		{"a dash", nil, map[string]string{"BUNDLE_MY___GEMS__ACME__TEST": "bob:" + canary}, "https://my-gems.acme.test", both},
		{"a dash written by hand", map[string]string{global: "BUNDLE_MY-GEMS.ACME.TEST: " + login}, nil, "https://my-gems.acme.test", both},
		{"two dashes", nil, map[string]string{"BUNDLE_XN______GEMS__TEST": "bob:" + canary}, "https://xn--gems.test", both},
		{"an underscore", nil, map[string]string{"BUNDLE_MY_GEMS": "bob:" + canary}, "http://my_gems:9292/", both},
		{"any port", nil, map[string]string{"BUNDLE_GEMS__ACME__TEST": "bob:" + canary}, "https://gems.acme.test:8443/", both},
		{"any scheme", nil, map[string]string{"BUNDLE_GEMS__ACME__TEST": "bob:" + canary}, "http://gems.acme.test/", both},
		{"IPv6", nil, map[string]string{"BUNDLE_[::1]": "bob:" + canary}, "http://[::1]:9292/", both},
		{"Windows lines and a byte order mark", map[string]string{global: "\xef\xbb\xbf" + strings.ReplaceAll(acme, "\n", "\r\n")}, nil, url, both},

		{"a URL", map[string]string{global: "BUNDLE_HTTPS://GEMS__ACME__TEST/: " + login}, nil, url, both},
		{"a URL without its slash", map[string]string{global: "BUNDLE_HTTPS://GEMS__ACME__TEST: " + login}, nil, url, both},
		{"a path with a dash", map[string]string{global: "BUNDLE_HTTPS://GEMS__ACME__TEST/ORG___A/: " + login}, nil, "https://gems.acme.test/org-a/gems/x-1.0.gem", both},
		{"another path that is written so", map[string]string{global: "BUNDLE_HTTPS://GEMS__ACME__TEST/ORG___A/: " + login}, nil, "https://gems.acme.test/org___a/gems/x-1.0.gem", none},
		{"a third path that is written so", map[string]string{global: "BUNDLE_HTTPS://GEMS__ACME__TEST/ORG___A/: " + login}, nil, "https://gems.acme.test/org_.a/gems/x-1.0.gem", none},
		{"a URL with a path", map[string]string{global: "BUNDLE_HTTPS://GEMS__ACME__TEST/PRIVATE/: " + login}, nil, url, both},
		{"a URL in a variable", nil, map[string]string{"BUNDLE_HTTPS://GEMS__ACME__TEST/PRIVATE/": "bob:" + canary}, url, both},
		{"a URL before a host", map[string]string{global: "BUNDLE_HTTPS://GEMS__ACME__TEST/: " + login, local: "BUNDLE_GEMS__ACME__TEST: \"eve:x\"\n"}, nil, url, both},
		{"the longest URL", map[string]string{global: "BUNDLE_HTTPS://GEMS__ACME__TEST/PRIVATE/: " + login, local: "BUNDLE_HTTPS://GEMS__ACME__TEST/: \"eve:x\"\n"}, nil, url, both},
		{"a URL with a port", map[string]string{global: "BUNDLE_HTTPS://GEMS__ACME__TEST:8443/: " + login}, nil, "https://gems.acme.test:8443/x", both},
		{"another port's URL", map[string]string{global: "BUNDLE_HTTPS://GEMS__ACME__TEST:8443/: " + login}, nil, url, none},
		{"another scheme's URL", map[string]string{global: "BUNDLE_HTTPS://GEMS__ACME__TEST/: " + login}, nil, "http://gems.acme.test/", none},
		{"another path's URL", map[string]string{global: "BUNDLE_HTTPS://GEMS__ACME__TEST/PRIV/: " + login}, nil, url, none},

		{"none", nil, nil, url, none},
		{"a host behind", map[string]string{global: acme}, nil, "https://gems.acme.test.evil.test/", noneFor("gems.acme.test.evil.test", "BUNDLE_GEMS__ACME__TEST__EVIL__TEST")},
		{"a host before", map[string]string{global: acme}, nil, "https://evilgems.acme.test/", noneFor("evilgems.acme.test", "BUNDLE_EVILGEMS__ACME__TEST")},
		{"a host of the same name", nil, map[string]string{"BUNDLE_MY___GEMS__ACME__TEST": "bob:" + canary}, "https://my_.gems.acme.test/", outcome{kind: "not found", err: "Bundler has no unmistakable name for the host my_.gems.acme.test"}},
		{"another, of dashes", nil, map[string]string{"BUNDLE_A_____B__TEST": "bob:" + canary}, "https://a-.b.test/", outcome{kind: "not found", err: "Bundler has no unmistakable name for the host a-.b.test"}},
		{"in small letters", map[string]string{global: strings.ToLower(acme)}, nil, url, none},
		{"a list", map[string]string{global: "BUNDLE_GEMS__ACME__TEST:\n- " + login}, nil, url, none},
		{"empty", map[string]string{global: "BUNDLE_GEMS__ACME__TEST: \"\"\n"}, nil, url, none},
		{"a colon alone", nil, map[string]string{"BUNDLE_GEMS__ACME__TEST": ":"}, url, outcome{kind: "not found", err: "Bundler's login $BUNDLE_GEMS__ACME__TEST is empty"}},
		{"all hosts of a domain", map[string]string{global: "BUNDLE_*__ACME__TEST: " + login}, nil, "https://*.acme.test/", outcome{kind: "not found", err: "Bundler's logins are for one server each, not for *.acme.test"}},

		{"a percent sign", map[string]string{global: "BUNDLE_GEMS__ACME__TEST: \"bob:" + canary + "%zz\"\n"}, nil, url, outcome{kind: "broken", err: "reading Bundler's login BUNDLE_GEMS__ACME__TEST in ~/.bundle/config: a percent sign in it is not followed by two hexadecimal digits", hint: "write % as %25 in the user name and the password"}},
		{"malformed", map[string]string{global: "---\nBUNDLE_A: [" + canary + "\n"}, nil, url, outcome{kind: "broken", err: "reading Bundler's settings: ~/.bundle/config:2:11: not YAML as Bundler writes it"}},
		{"twice", map[string]string{global: acme + "BUNDLE_GEMS__ACME__TEST: x\n"}, nil, url, outcome{kind: "broken", err: "reading Bundler's settings: ~/.bundle/config:3:1: not YAML as Bundler writes it"}},
		{"an alias", map[string]string{global: "BUNDLE_A: &a " + canary + "\nBUNDLE_B: *a\n"}, nil, url, outcome{kind: "broken", err: "reading Bundler's settings: ~/.bundle/config:2:11: YAML aliases are not read here, and Bundler writes none"}},
		{"a directory", map[string]string{global + "/x": ""}, nil, url, outcome{kind: "broken", err: "reading Bundler's settings: reading ~/.bundle/config: it is a directory"}},
		{"large", map[string]string{global: strings.Repeat("#", maxYAML+1)}, nil, url, outcome{kind: "broken", err: "reading Bundler's settings: ~/.bundle/config: it is larger than 65536 bytes"}},

		{"RubyGems' key", map[string]string{".gem/credentials": "---\nhttps://gems.acme.test/private: " + canary + "\n"}, nil, url, raw},
		{"RubyGems' key in the new place", map[string]string{".local/share/gem/credentials": "---\nhttps://gems.acme.test: " + canary + "\n"}, nil, url, raw},
		{"RubyGems' key in XDG's place", map[string]string{"xdg/gem/credentials": "---\nhttps://gems.acme.test: " + canary + "\n"}, map[string]string{"XDG_DATA_HOME": "~/xdg"}, url, raw},
		{"the longest URL of keys", map[string]string{".gem/credentials": "---\nhttps://gems.acme.test: x\nhttps://gems.acme.test/private: " + canary + "\nhttps://gems.acme.test/private/gem: y\n"}, nil, url, raw},
		{"rubygems.org's key", map[string]string{".gem/credentials": "---\n:rubygems_api_key: " + canary + "\n"}, nil, "https://rubygems.org/gems/x", raw},
		{"rubygems.org's key is for no other", map[string]string{".gem/credentials": "---\n:rubygems_api_key: " + canary + "\n:github: x\n"}, nil, url, outcome{kind: "not found", err: strings.Replace(none.err, "~/.local/share/gem/credentials, ", "", 1)}},
		{"a key of another host", map[string]string{".gem/credentials": "---\nhttps://gems.acme.test: " + canary + "\n"}, nil, "https://gems.acme.test.evil.test/", outcome{kind: "not found", err: strings.Replace(noneFor("gems.acme.test.evil.test", "BUNDLE_GEMS__ACME__TEST__EVIL__TEST").err, "~/.local/share/gem/credentials, ", "", 1)}},
		{"the key's variable", nil, map[string]string{"GEM_HOST_API_KEY": canary}, "https://rubygems.org/", raw},
		{"the key's variable is for no other", nil, map[string]string{"GEM_HOST_API_KEY": canary}, url, none},
		{"the key's and the host's", nil, map[string]string{"GEM_HOST_API_KEY": canary, "RUBYGEMS_HOST": "https://gems.acme.test"}, url, raw},
		{"keys that are malformed", map[string]string{".gem/credentials": "---\n:a: {" + canary + "\n"}, nil, url, outcome{kind: "broken", err: "reading RubyGems' logins: ~/.gem/credentials:2:6: not YAML as RubyGems writes it"}},
		{"Bundler before RubyGems", map[string]string{global: acme, ".gem/credentials": "---\nhttps://gems.acme.test: x\n"}, nil, url, both},

		{"a source's URL", map[string]string{".gemrc": "---\n:sources:\n- https://rubygems.org/\n- https://bob:" + canary + "@gems.acme.test/\n"}, nil, url, both},
		{"a source's token", map[string]string{".gemrc": ":sources:\n- https://" + canary + "@gems.acme.test/\n"}, nil, url, token},
		{"a source's encoded password", map[string]string{".gemrc": ":sources:\n- https://bob:a%2Bb%40c+d@gems.acme.test/\n"}, nil, url, outcome{values: "default=a+b@c d password=a+b@c d username=bob"}},
		{"XDG's gemrc", map[string]string{".config/gem/gemrc": ":sources: [\"https://bob:" + canary + "@gems.acme.test/\"]\n"}, nil, url, both},
		{"$GEMRC", map[string]string{"a": ":sources: [\"https://eve:x@gems.acme.test/\"]\n", "b": "sources: [\"https://bob:" + canary + "@gems.acme.test/\"]\n", ".gemrc": ":sources: []\n"}, map[string]string{"GEMRC": "~/a:~/b"}, url, both},
		{"a source that hides its host", map[string]string{".gemrc": ":sources:\n- https://bob:" + canary + "@gems.acme.test@evil.test/\n- https://bob:" + canary + "@evil.test/@gems.acme.test/\n"}, nil, url, outcome{kind: "not found", err: strings.Replace(none.err, ", ~/.config/gem/gemrc", "", 1)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			vars := map[string]string{}
			s := newSources(t, vars)
			for name, value := range tt.vars {
				vars[name] = strings.ReplaceAll(value, "~", s.Env.Home)
			}
			for name, content := range tt.files {
				write(t, s, name, content)
			}
			expect(t, s, decodeOne(t, s, `{"source": "bundler"}`), ask(t, tt.url), tt.want)
		})
	}
}

func TestBundlerOfTheUser(t *testing.T) {
	notOnWindows(t)
	s := newSources(t, nil)
	write(t, s, "proj/.bundle/config", "BUNDLE_GEMS__ACME__TEST: \"project:p\"\n")
	write(t, s, ".bundle/config", "BUNDLE_GEMS__ACME__TEST: \"user:p\"\n")
	q := ask(t, "https://gems.acme.test")
	expect(t, s, s.Bundler(), q, outcome{values: "default=p password=p username=project"})
	s.Env.UserOnly = true
	expect(t, s, s.Bundler(), q, outcome{values: "default=p password=p username=user"})
	s.Env.Home = ""
	expect(t, nil, s.Bundler(), q, outcome{kind: "not found", err: "no login for gems.acme.test in $BUNDLE_GEMS__ACME__TEST"})
}

func TestBundlerUnreadable(t *testing.T) {
	notOnWindows(t)
	s := newSources(t, nil)
	unreadable(t, write(t, s, ".bundle/config", ""))
	expect(t, s, s.Bundler(), ask(t, "https://gems.acme.test"), outcome{kind: "broken", err: "reading Bundler's settings: reading ~/.bundle/config: permission denied"})
}

// TestRubyBombs holds that a file that is made for it cannot take long.
func TestRubyBombs(t *testing.T) {
	for name, file := range map[string]string{
		"sequences":  strings.Repeat("[", maxYAML),
		"mappings":   strings.Repeat("{a: ", maxYAML/8),
		"in the end": strings.Repeat("{a: ", maxYAMLTokens/4),
		"quotes":     strings.Repeat(`"`, maxYAML),
	} {
		start := time.Now()
		if _, err := rubyYAML("config", []byte(file), "settings", "Bundler"); err == nil {
			t.Errorf("%s are read", name)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s took %v", name, took)
		}
	}
}

// FuzzBundlerKeys holds that no two hosts have one setting.
func FuzzBundlerKeys(f *testing.F) {
	f.Add("a-b.test", "a_.b.test")
	f.Add("xn--a.test", "xn-.-a.test")
	f.Add("a__b", "a.b")
	f.Fuzz(func(t *testing.T, a, b string) {
		one, _, ok := parseServer("https://" + a)
		other, _, ok2 := parseServer("https://" + b)
		if !ok || !ok2 || one.Hostname() == other.Hostname() {
			return
		}
		keys, others := bundlerKeys(one), bundlerKeys(other)
		if len(keys) > 0 && len(others) > 0 && keys[len(keys)-1] == others[len(others)-1] {
			t.Errorf("%s and %s have the setting %s", one.Host, other.Host, keys[len(keys)-1])
		}
	})
}

// FuzzBundler holds that no file gives a login to a host that it does not name, and that no error quotes it.
func FuzzBundler(f *testing.F) {
	f.Add("---\nBUNDLE_GEMS__ACME__TEST: \"bob:"+canary+"\"\n", "---\nhttps://gems.acme.test: "+canary+"\n", ":sources:\n- https://a:"+canary+"@gems.acme.test/\n")
	f.Add("BUNDLE_HTTPS://GEMS__ACME__TEST/: "+canary, ":rubygems_api_key: "+canary, "{"+canary)
	f.Add("? |\n x\n: %zz", "a: *b", ":sources: {a: b}")
	s := newSources(f, nil)
	q := ask(f, "https://gems.acme.test/private/x")
	f.Fuzz(func(t *testing.T, settings, keys, gemrc string) {
		write(t, s, ".bundle/config", settings)
		write(t, s, ".gem/credentials", keys)
		write(t, s, ".gemrc", gemrc)
		values, err := s.Bundler().Lookup(t.Context(), q)
		all := settings + keys + gemrc
		named := strings.Contains(strings.ToLower(all), "gems.acme.test") || strings.Contains(strings.ToLower(settings), "gems") && strings.Contains(strings.ToLower(settings), "acme")
		if err == nil && !named && !strings.Contains(all, `\`) {
			t.Errorf("%q gives gems.acme.test %v", all, values)
		}
		checkFuzzed(t, all, values, err)
	})
}
