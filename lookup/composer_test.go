package lookup

import (
	"maps"
	"strings"
	"testing"
	"time"
)

func TestComposer(t *testing.T) {
	notOnWindows(t) // for the slashes in what is expected
	const file = "~/.config/composer/auth.json"
	both := outcome{values: "default=" + canary + " password=" + canary + " username=bob"}
	token := outcome{values: "default=" + canary + " token=" + canary}
	private := outcome{values: "default=" + canary + " header:PRIVATE-TOKEN=" + canary}
	none := func(host string) outcome {
		return outcome{kind: "not found", err: file + ": no login for " + host}
	}
	wrong := func(line, section string) outcome {
		return outcome{kind: "broken", err: "reading Composer's logins: " + file + ":" + line + `: what is here in "` + section + `" is of the wrong type for Composer`}
	}
	basicFor := func(host string) string {
		return `{"http-basic": {"` + host + `": {"username": "bob", "password": "` + canary + `"}}}`
	}
	acme := basicFor("composer.acme.test")
	const url = "https://composer.acme.test/p/x.json"
	for _, tt := range []struct {
		name, file, url string
		want            outcome
	}{
		{"http-basic", acme, url, both},
		{"bearer", `{"bearer": {"composer.acme.test": "` + canary + `"}}`, url, token},
		{"http-basic that says bearer", `{"http-basic": {"composer.acme.test": {"username": "` + canary + `", "password": "bearer"}}}`, url, token},
		{"forgejo-token", `{"forgejo-token": {"composer.acme.test": {"username": "bob", "token": "` + canary + `"}}}`, url, both},
		{"gitlab-token", `{"gitlab-token": {"composer.acme.test": "` + canary + `"}}`, url, private},
		{"gitlab-token with a name", `{"gitlab-token": {"composer.acme.test": {"username": "bob", "token": "` + canary + `"}}}`, url, both},
		{"gitlab-token in CI", `{"gitlab-token": {"composer.acme.test": {"username": "gitlab-ci-token", "token": "` + canary + `"}}}`, url, outcome{values: "default=" + canary + " password=" + canary + " username=gitlab-ci-token"}},
		{"gitlab-token that says private-token", `{"gitlab-token": {"composer.acme.test": {"username": "` + canary + `", "token": "private-token"}}}`, url, private},
		{"gitlab-token the other way round", `{"gitlab-token": {"composer.acme.test": {"username": "private-token", "token": "` + canary + `"}}}`, url, private},
		{"gitlab-token that says oauth2", `{"gitlab-token": {"composer.acme.test": {"username": "` + canary + `", "token": "oauth2"}}}`, url, token},
		{"gitlab-token named oauth2", `{"gitlab-token": {"composer.acme.test": {"username": "oauth2", "token": "` + canary + `"}}}`, url, token},
		{"gitlab-oauth", `{"gitlab-oauth": {"composer.acme.test": "` + canary + `"}}`, url, token},
		{"gitlab-oauth with an end", `{"gitlab-oauth": {"composer.acme.test": {"expires-at": 4102444800, "refresh-token": "r", "token": "` + canary + `"}}}`, url, outcome{values: "default=" + canary + " expires=2100-01-01T00:00:00Z token=" + canary}},
		{"gitlab-oauth far beyond", `{"gitlab-oauth": {"composer.acme.test": {"expires-at": 1e300, "token": "` + canary + `"}}}`, url, token},
		{"a GitLab with a path", `{"gitlab-token": {"gitlab.acme.test/git": "` + canary + `"}}`, "https://gitlab.acme.test/api", private},
		{"github-oauth", `{"github-oauth": {"github.com": "` + canary + `"}}`, "https://github.com/o/r", token},
		{"github-oauth of the API", `{"github-oauth": {"github.com": "` + canary + `"}}`, "https://api.github.com/repos/o/r/zipball", token},
		{"github-oauth of an Enterprise Server", `{"github-oauth": {"github.acme.test": "` + canary + `"}}`, "https://github.acme.test/api/v3/", token},
		{"custom-headers", `{"custom-headers": {"composer.acme.test": ["X-Token: ` + canary + `", "X-B:b"]}}`, url, outcome{values: "default=" + canary + " header:X-B=b header:X-Token=" + canary}},
		{"Packagist's repository", basicFor("packagist.org"), "https://repo.packagist.org/p", both},

		{"headers before the rest", `{"http-basic": {"composer.acme.test": {"username": "u", "password": "p"}}, "bearer": {"composer.acme.test": "b"}, "custom-headers": {"composer.acme.test": ["X: ` + canary + `"]}}`, url, outcome{values: "default=" + canary + " header:X=" + canary}},
		{"bearer before http-basic", `{"bearer": {"composer.acme.test": "` + canary + `"}, "http-basic": {"composer.acme.test": {"username": "u", "password": "p"}}}`, url, token},
		{"the last of one name", `{"bearer": {"composer.acme.test": "x", "composer.acme.test": "` + canary + `"}}`, url, token},
		{"a port", basicFor("composer.acme.test:8443"), "https://composer.acme.test:8443/", both},
		{"the scheme's port", basicFor("composer.acme.test:443"), url, both},
		{"any scheme", acme, "http://composer.acme.test/", both},
		{"upper case", basicFor("Composer.ACME.test"), url, both},
		{"IPv6", basicFor("[::1]:8080"), "http://[::1]:8080/", both},
		{"PHP's empty object", `{"bearer": [], "gitlab-token": null, "http-basic": {"composer.acme.test": {"username": "bob", "password": "` + canary + `"}}}`, url, both},
		{"Windows lines", strings.ReplaceAll(acme, " ", "\r\n"), url, both},

		{"no host", `{"http-basic": {}}`, url, none("composer.acme.test")},
		{"nothing", `{}`, url, none("composer.acme.test")},
		{"a host behind", acme, "https://composer.acme.test.evil.test/", none("composer.acme.test.evil.test")},
		{"a host before", acme, "https://evilcomposer.acme.test/", none("evilcomposer.acme.test")},
		{"a host that ends like GitHub's", basicFor("github.com"), "https://evilgithub.com/", none("evilgithub.com")},
		{"GitHub's archives", basicFor("github.com"), "https://codeload.github.com/", none("codeload.github.com")},
		{"another port", acme, "https://composer.acme.test:8443/", none("composer.acme.test:8443")},
		{"the port of another", basicFor("composer.acme.test:8443"), url, none("composer.acme.test")},
		{"user info", basicFor("composer.acme.test@evil.test"), url, none("composer.acme.test")},
		{"a path behind a host", basicFor("composer.acme.test/x"), url, none("composer.acme.test")},
		{"a client certificate", `{"client-certificate": {"composer.acme.test": {"local_cert": "x"}}}`, url, none("composer.acme.test")},
		{"all hosts of a domain", basicFor("*.acme.test"), "https://*.acme.test/", none("*.acme.test")},
		{"an empty token", `{"bearer": {"composer.acme.test": ""}}`, url, outcome{kind: "not found", err: file + ` has an empty login for composer.acme.test in "bearer"`}},
		{"an empty password", `{"http-basic": {"composer.acme.test": {"username": "bob", "password": ""}}}`, url, outcome{kind: "not found", err: file + ` has an empty login for composer.acme.test in "http-basic"`}},
		{"no headers", `{"custom-headers": {"composer.acme.test": ["X: "]}}`, url, outcome{kind: "not found", err: file + " has an empty list of headers for composer.acme.test"}},
		{"gitlab-oauth at its end", `{"gitlab-oauth": {"composer.acme.test": {"expires-at": 1577836800, "token": "` + canary + `"}}}`, url, outcome{kind: "not found", err: "the GitLab token for composer.acme.test in " + file + " has expired on 2020-01-01 00:00:00; Composer renews it when it runs"}},
		{"bitbucket-oauth", `{"bitbucket-oauth": {"bitbucket.org": {"consumer-key": "k", "consumer-secret": "` + canary + `"}}}`, "https://api.bitbucket.org/2.0", outcome{kind: "not found", err: file + " has a login of kind bitbucket-oauth for api.bitbucket.org, which is not supported; an app password goes into http-basic"}},

		{"a section of another type", "{\n\"bearer\": \"" + canary + "\"}", url, wrong("2", "bearer")},
		{"a token of another type", "{\"bearer\": {\n\n\"composer.acme.test\": [\"" + canary + "\"]}}", url, wrong("3", "bearer")},
		{"a login of another type", "{\"http-basic\": {\n\"composer.acme.test\": \"" + canary + "\"}}", url, wrong("2", "http-basic")},
		{"a login without a password", `{"http-basic": {"composer.acme.test": {"username": "bob"}}}`, url, wrong("1", "http-basic")},
		{"headers of another type", `{"custom-headers": {"composer.acme.test": {"X": "` + canary + `"}}}`, url, wrong("1", "custom-headers")},
		{"a header without a name", `{"custom-headers": {"composer.acme.test": ["` + canary + `"]}}`, url, wrong("1", "custom-headers")},
		{"no header's name", `{"custom-headers": {"composer.acme.test": ["` + canary + ` x: y"]}}`, url, outcome{kind: "broken", err: "reading Composer's logins: " + file + ": the custom headers for composer.acme.test: what stands in the place of a header's name is none", hint: `each is "Name: value"`}},
		{"a header that cannot be", `{"custom-headers": {"composer.acme.test": ["Host: x"]}}`, url, outcome{kind: "broken", err: "reading Composer's logins: " + file + `: the custom headers for composer.acme.test: the header "Host" governs the connection and cannot carry a credential`, hint: `each is "Name: value"`}},
		{"malformed", "{\n" + canary, url, outcome{kind: "broken", err: "reading Composer's logins: " + file + `:2:1: not valid JSON: a key in double quotes is wanted here, not "c"`}},
		{"a list", `["` + canary + `"]`, url, outcome{kind: "broken", err: "reading Composer's logins: " + file + ":1:1: a JSON object is wanted here, not an array"}},
		{"empty", "", url, outcome{kind: "broken", err: "reading Composer's logins: " + file + ":1:1: the file is empty; the least it may hold is {}"}},
		{"a byte order mark", "\xef\xbb\xbf{}", url, outcome{kind: "broken", err: "reading Composer's logins: " + file + ":1:1: the file begins with a byte order mark; save it as UTF-8 without one"}},
		{"too large", strings.Repeat(" ", maxNative+1), url, outcome{kind: "broken", err: "reading Composer's logins: reading " + file + ": it is larger than 1048576 bytes"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSources(t, nil)
			write(t, s, ".config/composer/auth.json", tt.file)
			expect(t, s, decodeOne(t, s, `{"source": "composer"}`), ask(t, tt.url), tt.want)
		})
	}
}

func TestComposerPlaces(t *testing.T) {
	notOnWindows(t)
	auth := func(token string) string { return `{"bearer": {"composer.acme.test": "` + token + `"}}` }
	found := func(token string) outcome { return outcome{values: "default=" + token + " token=" + token} }
	for _, tt := range []struct {
		name, source string
		files        []string
		vars         map[string]string
		userOnly     bool
		want         outcome
	}{
		{"nowhere", "", nil, nil, false, outcome{kind: "not found", err: "there is no login of Composer's: $COMPOSER_AUTH is not set, and there is no ~/proj/auth.json, nor ~/.config/composer/auth.json, nor ~/.composer/auth.json"}},
		{"the variable", "", []string{"proj/auth.json", ".config/composer/auth.json"}, map[string]string{"COMPOSER_AUTH": auth("var")}, false, found("var")},
		{"the project", "", []string{"proj/auth.json", ".config/composer/auth.json"}, nil, false, found("proj/auth.json")},
		{"the user alone", "", []string{"proj/auth.json", ".config/composer/auth.json"}, nil, true, found(".config/composer/auth.json")},
		{"XDG", "", []string{"xdg/composer/auth.json", ".composer/auth.json"}, map[string]string{"XDG_CONFIG_HOME": "~/xdg"}, false, found("xdg/composer/auth.json")},
		{"the old place", "", []string{".composer/auth.json"}, nil, false, found(".composer/auth.json")},
		{"its own variable", "", []string{"own/auth.json", ".config/composer/auth.json"}, map[string]string{"COMPOSER_HOME": "~/own"}, false, found("own/auth.json")},
		{"the rule's own", `, "path": "~/mine.json"`, []string{"mine.json", "proj/auth.json"}, map[string]string{"COMPOSER_AUTH": auth("var")}, false, found("mine.json")},
		{"the variable is malformed", "", nil, map[string]string{"COMPOSER_AUTH": canary}, false, outcome{kind: "broken", err: `reading Composer's logins: $COMPOSER_AUTH:1:1: not valid JSON: a value is wanted here, not "c"; text stands in double quotes`}},
		{"a directory", "", []string{"proj/auth.json/x"}, nil, false, outcome{kind: "broken", err: "reading Composer's logins: reading ~/proj/auth.json: it is a directory"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			vars := map[string]string{}
			s := newSources(t, vars)
			s.Env.UserOnly = tt.userOnly
			for name, value := range tt.vars {
				vars[name] = strings.ReplaceAll(value, "~", s.Env.Home)
			}
			for _, name := range tt.files {
				write(t, s, name, auth(name))
			}
			expect(t, s, decodeOne(t, s, `{"source": "composer"`+tt.source+`}`), ask(t, "https://composer.acme.test"), tt.want)
		})
	}
	// Places add up in each section; the order of sections comes before that of places.
	t.Run("together", func(t *testing.T) {
		s := newSources(t, map[string]string{"COMPOSER_AUTH": `{"http-basic": {"composer.acme.test": {"username": "u", "password": "p"}}}`})
		write(t, s, "proj/auth.json", auth("project"))
		write(t, s, ".composer/auth.json", `{"bearer": {"other.test": "o"}}`)
		expect(t, s, s.Composer(), ask(t, "https://composer.acme.test"), found("project"))
		expect(t, s, s.Composer(), ask(t, "https://other.test"), found("o"))
	})
	t.Run("no home", func(t *testing.T) {
		s := newSources(t, nil)
		s.Env.Home, s.Env.UserOnly = "", true
		expect(t, nil, s.Composer(), ask(t, "https://composer.acme.test"), outcome{kind: "not found", err: "there is no login of Composer's: $COMPOSER_AUTH is not set, and there is no home directory"})
	})
	t.Run("unreadable", func(t *testing.T) {
		s := newSources(t, nil)
		unreadable(t, write(t, s, ".composer/auth.json", "{}"))
		expect(t, s, s.Composer(), ask(t, "https://composer.acme.test"), outcome{kind: "broken", err: "reading Composer's logins: reading ~/.composer/auth.json: permission denied"})
	})
}

func TestComposerExpiry(t *testing.T) {
	s := newSources(t, map[string]string{"COMPOSER_AUTH": `{"gitlab-oauth": {"gitlab.com": {"expires-at": 1000, "token": "x"}}}`})
	q := ask(t, "https://gitlab.com")
	s.Env.Now = func() time.Time { return time.Unix(999, 0) }
	if v, err := s.Composer().Lookup(t.Context(), q); err != nil || !v.Expiry().Equal(time.Unix(1000, 0)) {
		t.Errorf("before its end: %v, %v", maps.Clone(v), err)
	}
	s.Env.Now = func() time.Time { return time.Unix(1000, 0) }
	if _, err := s.Composer().Lookup(t.Context(), q); err == nil {
		t.Error("at its end the token is yielded still")
	}
}

// FuzzComposer holds that no file gives a login to a host that it does not name, and that no error quotes it.
func FuzzComposer(f *testing.F) {
	f.Add(`{"http-basic": {"composer.acme.test": {"username": "bob", "password": "` + canary + `"}}, "bearer": []}`)
	f.Add(`{"gitlab-token": {"composer.acme.test/x": "` + canary + `"}, "gitlab-oauth": {"composer.acme.test": {"expires-at": 1, "token": "` + canary + `"}}}`)
	f.Add(`{"custom-headers": {"composer.acme.test": ["` + canary + `:x", {}]}}`)
	s := newSources(f, nil)
	q := ask(f, "https://composer.acme.test/x")
	f.Fuzz(func(t *testing.T, file string) {
		path := write(t, s, "auth.json", file)
		values, err := composer{Sources: s, path: path}.Lookup(t.Context(), q)
		if err == nil && !strings.Contains(strings.ToLower(file), "composer.acme.test") && !strings.Contains(file, `\`) {
			t.Errorf("%q gives composer.acme.test %v", file, values)
		}
		checkFuzzed(t, file, values, err)
	})
}
