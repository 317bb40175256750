package lookup

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const npmHost = "https://npm.acme.test/a/b/c.tgz"

func b64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func TestNpmrc(t *testing.T) {
	notOnWindows(t) // for the slashes in what is expected
	token := outcome{values: "default=" + canary + " token=" + canary}
	login := outcome{values: "default=" + canary + " password=" + canary + " username=bob"}
	none := outcome{kind: "not found", err: "no login for npm.acme.test in ~/.npmrc; ~/proj/.npmrc does not exist"}
	undefined := func(name string) outcome {
		return outcome{kind: "broken", err: "reading ~/.npmrc:1: " + name + " is not set", hint: "export " + strings.TrimPrefix(name, "$") + ", or write ${NAME?} for a variable that may be absent"}
	}
	bare := func(where string) outcome {
		return outcome{kind: "not found", err: "no login for npm.acme.test in ~/.npmrc; ~/proj/.npmrc does not exist; ~/.npmrc:" + where + " without a host, which npm does not use (npm config fix puts it right)"}
	}
	const host = "//npm.acme.test/"

	for _, tt := range []struct {
		name, file, url string
		want            outcome
	}{
		{"a token", host + ":_authToken=" + canary, npmHost, token},
		{"white space", "\t" + host + ":_authToken  =  " + canary + "  ", npmHost, token},
		{"Windows lines", "a=b\r\n" + host + ":_authToken=" + canary + "\r\n", npmHost, token},
		{"old Macintosh lines", "a=b\r" + host + ":_authToken=" + canary, npmHost, token},
		{"double quotes", host + `:_authToken="` + canary + `"`, npmHost, token},
		{"single quotes", host + `:_authToken='` + canary + `'`, npmHost, token},
		{"a quoted key", `"` + host + `:_authToken"=` + canary, npmHost, token},
		{"an escape in quotes", host + `:_authToken="a\"\u0062"`, npmHost, outcome{values: `default=a"b token=a"b`}},
		{"a bad escape in quotes", host + `:_authToken="a\q"`, npmHost, outcome{values: `default="a\q" token="a\q"`}},
		{"a lone quote", host + `:_authToken="`, npmHost, outcome{values: `default=" token="`}},
		{"a lone single quote", host + `:_authToken='`, npmHost, none},
		{"a comment behind it", host + ":_authToken=" + canary + " ; old", npmHost, token},
		{"a number sign behind it", host + ":_authToken=" + canary + "#old", npmHost, token},
		{"escaped comment signs", host + `:_authToken=a\;b\#c\\d\e`, npmHost, outcome{values: `default=a;b#c\d\e token=a;b#c\d\e`}},
		{"a back quote", host + ":_authToken=`x\n//b/:_authToken=y`", npmHost, outcome{values: "default=`x token=`x"}},
		{"three quotes", host + `:_authToken="""x`, npmHost, outcome{values: `default="""x token="""x`}},
		{"an equals sign in the token", host + ":_authToken=a=b==", npmHost, outcome{values: "default=a=b== token=a=b=="}},
		{"comments", ";" + host + ":_authToken=x\n # " + host + ":_authToken=y", npmHost, none},
		{"lists", "ca[]=a\nca[] = b\n" + host + ":_authToken=" + canary, npmHost, token},
		{"a line without a key", "=x\n" + host + ":_authToken=" + canary, npmHost, token},
		{"a line without a value", "loglevel\n" + host + ":_authToken=" + canary, npmHost, token},
		{"an open bracket", "[x\n" + host + ":_authToken=" + canary, npmHost, token},
		{"the last counts", host + ":_authToken=x\n" + host + ":_authToken=" + canary, npmHost, token},
		{"an empty one behind it", host + ":_authToken=" + canary + "\n" + host + ":_authToken=", npmHost, none},
		{"a section", "[x]\n" + host + ":_authToken=" + canary, npmHost, none},
		{"not a section", "[x] y\n" + host + ":_authToken=" + canary, npmHost, token},

		{"a login", host + ":username=bob\n" + host + ":_password=" + b64(canary), npmHost, login},
		{"a whole login", host + ":_auth=" + b64("bob:"+canary), npmHost, login},
		{"base64 without padding", host + ":_auth=" + strings.TrimRight(b64("bob:"+canary), "="), npmHost, login},
		{"a colon in the password", host + ":_auth=" + b64("bob:a:b"), npmHost, outcome{values: "default=a:b password=a:b username=bob"}},
		{"an empty password", host + ":_auth=" + b64(canary+":"), npmHost, outcome{values: "default=" + canary + " header:Authorization=Basic " + b64(canary+":")}},
		{"a user name alone", host + ":username=bob", npmHost, none},
		{"a password alone", host + ":_password=" + b64(canary), npmHost, none},
		{"a token before a login", host + ":_auth=" + b64("a:b") + "\n" + host + ":_authToken=" + canary, npmHost, token},
		{"a whole login before a user name", host + ":username=eve\n" + host + ":_password=" + b64("x") + "\n" + host + ":_auth=" + b64("bob:"+canary), npmHost, login},
		{"a word that npm takes for no text", host + ":_authToken=null", npmHost, none},

		{"a path", "//npm.acme.test/a/:_authToken=" + canary + "\n" + host + ":_authToken=x", npmHost, token},
		{"the longest path", "//npm.acme.test/a/b/:_authToken=" + canary + "\n//npm.acme.test/a/:_authToken=x", npmHost, token},
		{"a path without a slash", "//npm.acme.test/a:_authToken=" + canary, npmHost, token},
		{"with a slash first", "//npm.acme.test/a:_authToken=x\n//npm.acme.test/a/:_authToken=" + canary, npmHost, token},
		{"a host without a slash", "//npm.acme.test:_authToken=" + canary, npmHost, token},
		{"the URL itself", "//npm.acme.test/a/b/c.tgz:_authToken=" + canary, npmHost, token},
		{"an empty one on a longer path", "//npm.acme.test/a/:_authToken=\n" + host + ":_authToken=" + canary, npmHost, token},
		{"a user name on a longer path", "//npm.acme.test/a/:username=x\n" + host + ":_authToken=" + canary, npmHost, token},
		{"half a segment", "//npm.acme.test/a/b/c:_authToken=x", npmHost, none},
		{"another path", "//npm.acme.test/b/:_authToken=x", npmHost, none},
		{"an escaped path", "//npm.acme.test/@x%2fy/:_authToken=" + canary, "https://npm.acme.test/@x%2fy/-/z.tgz", token},
		{"of the registry at the same host", "registry=https://npm.acme.test/other/\n//npm.acme.test/other/:_authToken=" + canary, npmHost, token},
		{"of the registry at another host", "registry=https://npm.acme.test.evil.test/\n//npm.acme.test.evil.test/:_authToken=" + canary, npmHost, none},
		{"a client certificate", "//npm.acme.test/a/:certfile=c\n//npm.acme.test/a/:keyfile=k\n" + host + ":_authToken=x", npmHost, outcome{kind: "not found", err: "~/.npmrc:1 names a client certificate for //npm.acme.test/a/, and there is no other login beside it"}},

		{"a port", "//npm.acme.test:8443/:_authToken=" + canary, "https://npm.acme.test:8443/x", token},
		{"without its port", host + ":_authToken=x", "https://npm.acme.test:8443/x", outcome{kind: "not found", err: "no login for npm.acme.test:8443 in ~/.npmrc; ~/proj/.npmrc does not exist"}},
		{"another port", "//npm.acme.test:8443/:_authToken=x", npmHost, none},
		{"IPv6", "//[::1]:4873/:_authToken=" + canary, "http://[::1]:4873/x", token},
		{"capitals", "//NPM.Acme.TEST/:_authToken=" + canary, "https://npm.acme.test/x", token},
		{"capitals and small letters", host + ":_authToken=" + canary + "\n//NPM.acme.test/:_authToken=x", "https://npm.acme.test/x", token},
		{"capitals in a path", "//npm.acme.test/A/:_authToken=x", npmHost, none},
		{"another host before it", "//evilnpm.acme.test/:_authToken=x", npmHost, none},
		{"another host behind it", "//npm.acme.test.evil.test/:_authToken=x", npmHost, none},
		{"a longer domain", host + ":_authToken=x", "https://npm.acme.test.evil.test/", outcome{kind: "not found", err: "no login for npm.acme.test.evil.test in ~/.npmrc; ~/proj/.npmrc does not exist"}},
		{"user info in the host", "//bob:x@npm.acme.test/:_authToken=x", npmHost, none},
		{"no host", "//:_authToken=x", npmHost, none},
		{"all hosts of a domain", host + ":_authToken=x", "https://*.acme.test/", outcome{kind: "not found", err: "npm's logins are for one host each, not for *.acme.test"}},

		{"a variable", host + ":_authToken=${NPM_TOKEN}", npmHost, token},
		{"a variable in the middle", host + ":_authToken=a${X}b${X?}c", npmHost, outcome{values: "default=axbxc token=axbxc"}},
		{"a variable in the key", "//${HOST}/:_authToken=" + canary, npmHost, token},
		{"an empty variable", host + ":_authToken=${EMPTY}", npmHost, none},
		{"an undefined variable", host + ":_authToken=a${UNDEFINED}", npmHost, undefined("$UNDEFINED")},
		{"one that looks like no variable", host + ":_authToken=${" + canary + "}", npmHost, undefined("a variable that the value names")},
		{"an undefined one for another URL", "//b.test/:_authToken=${UNDEFINED}\n" + host + ":_authToken=" + canary, npmHost, token},
		{"an undefined one on a shorter path", host + ":_authToken=${UNDEFINED}\n//npm.acme.test/a/:_authToken=" + canary, npmHost, token},
		{"an undefined one that is not used", host + ":_auth=${UNDEFINED}\n" + host + ":_authToken=" + canary, npmHost, token},
		{"an undefined one that may be absent", host + ":_authToken=${UNDEFINED?}\n" + host + ":_auth=" + b64("bob:"+canary), npmHost, login},
		{"an undefined user name", host + ":username=${UNDEFINED}\n" + host + ":_password=eA==", npmHost, undefined("$UNDEFINED")},
		{"escaped", host + `:_authToken=\${X}`, npmHost, outcome{values: "default=${X} token=${X}"}},
		{"escaped twice", host + `:_authToken='\\${X}'`, npmHost, outcome{values: `default=\x token=\x`}},
		{"not quite a variable", host + ":_authToken=$X${}${a$b}{X}${X", npmHost, outcome{values: "default=$X${}${a$b}{X}${X token=$X${}${a$b}{X}${X"}},

		{"a token without a host", "x=y\n_authToken=" + canary, npmHost, bare("2 has an _authToken")},
		{"a login without a host", "_auth = " + canary, npmHost, bare("1 has an _auth")},
		{"not base64", host + ":_auth=%" + canary, npmHost, outcome{kind: "broken", err: "reading ~/.npmrc:1: the _auth is not base64 of USER:PASSWORD", hint: "npm login writes it anew; a token goes into _authToken"}},
		{"no user in it", host + ":_auth=" + b64(canary), npmHost, outcome{kind: "broken", err: "reading ~/.npmrc:1: the _auth is not base64 of USER:PASSWORD", hint: "npm login writes it anew; a token goes into _authToken"}},
		{"a plain password", host + ":username=bob\n" + host + ":_password=%" + canary, npmHost, outcome{kind: "broken", err: "reading ~/.npmrc:2: the _password is not base64 of a password", hint: "npm keeps a password in base64; npm login writes it anew"}},
		{"a byte order mark", "\xef\xbb\xbf" + host + ":_authToken=" + canary, npmHost, outcome{kind: "broken", err: "reading ~/.npmrc:1: the file begins with a byte order mark", hint: "save it as UTF-8 without one"}},
		{"too large", strings.Repeat("\n", maxNative+1), npmHost, outcome{kind: "broken", err: "reading ~/.npmrc: it is larger than 1048576 bytes"}},
		{"empty", "", npmHost, none},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSources(t, map[string]string{"NPM_TOKEN": canary, "X": "x", "EMPTY": "", "HOST": "npm.acme.test"})
			write(t, s, ".npmrc", tt.file)
			expect(t, s, decodeOne(t, s, `{"source": "npmrc"}`), ask(t, tt.url), tt.want)
		})
	}
}

func TestNpmrcPlaces(t *testing.T) {
	notOnWindows(t)
	const key = "//npm.acme.test/:_authToken"
	for _, tt := range []struct {
		name, source string
		files        []string // each has its own name for a token
		vars         map[string]string
		userOnly     bool
		want         outcome
	}{
		{name: "none", want: outcome{kind: "not found", err: "~/.npmrc and ~/proj/.npmrc do not exist"}},
		{name: "the project's first", files: []string{"proj/.npmrc", ".npmrc"}, want: outcome{values: "proj/.npmrc"}},
		{name: "the user's alone", files: []string{"proj/.npmrc", ".npmrc"}, userOnly: true, want: outcome{values: ".npmrc"}},
		{name: "a variable before files", files: []string{"proj/.npmrc"}, vars: map[string]string{"npm_config_" + key: "v"}, want: outcome{values: "v"}},
		{name: "in capitals", files: []string{"proj/.npmrc"}, vars: map[string]string{"NPM_CONFIG_" + key: "v"}, want: outcome{values: "v"}},
		{name: "an empty variable", files: []string{"proj/.npmrc"}, vars: map[string]string{"npm_config_" + key: ""}, want: outcome{values: "proj/.npmrc"}},
		{name: "a variable in a variable", vars: map[string]string{"npm_config_" + key: "${X}", "X": "x"}, want: outcome{values: "x"}},
		{name: "an undefined one", vars: map[string]string{"npm_config_" + key: "${X}"}, want: outcome{
			kind: "broken", err: "reading $npm_config_//npm.acme.test/:_authToken: $X is not set", hint: "export X, or write ${NAME?} for a variable that may be absent",
		}},
		{name: "the user's file", files: []string{"mine", ".npmrc"}, vars: map[string]string{"NPM_CONFIG_USERCONFIG": "~/mine"}, want: outcome{values: "mine"}},
		{name: "from the working directory", files: []string{"mine", ".npmrc"}, vars: map[string]string{"npm_config_userconfig": "../mine"}, want: outcome{values: "mine"}},
		{name: "the user's before the global", files: []string{"global", ".npmrc"}, vars: map[string]string{"npm_config_globalconfig": "~/global"}, want: outcome{values: ".npmrc"}},
		{name: "the global", files: []string{"global"}, vars: map[string]string{"npm_config_globalconfig": "~/global"}, want: outcome{values: "global"}},
		{name: "below a prefix", files: []string{"p/etc/npmrc"}, vars: map[string]string{"NPM_CONFIG_PREFIX": "~/p", "PREFIX": "/nowhere"}, want: outcome{values: "p/etc/npmrc"}},
		{name: "below $PREFIX", files: []string{"p/etc/npmrc"}, vars: map[string]string{"PREFIX": "../p"}, want: outcome{values: "p/etc/npmrc"}},
		{name: "a directory", files: []string{".npmrc"}, vars: map[string]string{"npm_config_userconfig": "~/proj"}, want: outcome{kind: "broken", err: "reading ~/proj: it is a directory"}},
		{name: "the rule's own", source: `, "path": "~/own"`, files: []string{"own", ".npmrc"}, vars: map[string]string{"npm_config_" + key: "v"}, want: outcome{values: "own"}},
		{name: "the rule's own is not there", source: `, "path": "~/own"`, files: []string{".npmrc"}, want: outcome{kind: "not found", err: "~/own does not exist"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSources(t, tt.vars)
			s.Env.UserOnly = tt.userOnly
			for _, name := range tt.files {
				write(t, s, name, key+"="+name)
			}
			if tt.want.values != "" {
				tt.want.values = "default=" + tt.want.values + " token=" + tt.want.values
			}
			expect(t, s, decodeOne(t, s, `{"source": "npmrc"`+tt.source+`}`), ask(t, npmHost), tt.want)
		})
	}

	t.Run("options of several files", func(t *testing.T) {
		s := newSources(t, nil)
		write(t, s, ".npmrc", "prefix=~/p\n//npm.acme.test/:username=eve\n//npm.acme.test/:_password="+b64(canary))
		write(t, s, "proj/.npmrc", "//npm.acme.test/:username=bob")
		write(t, s, "p/etc/npmrc", "//npm.acme.test/:_password="+b64("old")+"\n//npm.acme.test/a/b/:_auth="+b64("c:d"))
		source := s.Npmrc()
		expect(t, s, source, ask(t, "https://npm.acme.test/"), outcome{values: "default=" + canary + " password=" + canary + " username=bob"})
		expect(t, s, source, ask(t, npmHost), outcome{values: "default=d password=d username=c"})
	})
	t.Run("the project is the home directory", func(t *testing.T) {
		s := newSources(t, nil)
		s.Env.Dir = s.Env.Home
		path := write(t, s, ".npmrc", key+"=t")
		if err := os.Chmod(path, 0o666); err != nil { // a file of the project's would be refused
			t.Fatal(err)
		}
		expect(t, s, s.Npmrc(), ask(t, npmHost), outcome{values: "default=t token=t"})
	})
	t.Run("a project's file that all can write", func(t *testing.T) {
		s := newSources(t, nil)
		if err := os.Chmod(write(t, s, "proj/.npmrc", key+"=t"), 0o666); err != nil {
			t.Fatal(err)
		}
		expect(t, s, s.Npmrc(), ask(t, npmHost), outcome{
			kind: "broken", err: "reading ~/proj/.npmrc: every user of this machine can write it (mode 0666)", hint: "run chmod o-w ~/proj/.npmrc, if what it says is yours",
		})
	})
	t.Run("unreadable", func(t *testing.T) {
		if os.Geteuid() == 0 {
			t.Skip("root reads every file")
		}
		s := newSources(t, nil)
		if err := os.Chmod(write(t, s, ".npmrc", key+"=t"), 0); err != nil {
			t.Fatal(err)
		}
		expect(t, s, s.Npmrc(), ask(t, npmHost), outcome{kind: "broken", err: "reading ~/.npmrc: permission denied"})
	})
	t.Run("no home", func(t *testing.T) {
		s := newSources(t, nil)
		s.Env.Home, s.Env.UserOnly = "", true
		expect(t, nil, s.Npmrc(), ask(t, npmHost), outcome{kind: "not found", err: "no login for npm.acme.test: there is no home directory to look in"})
	})
	t.Run("an empty path", func(t *testing.T) {
		if _, err := decodeChain(newSources(t, nil), `[{"source": "npmrc", "path": ""}]`); !strings.Contains(sprint(err), "leave it out to read npm's variables and files") {
			t.Errorf("got %v", err)
		}
	})
}

// FuzzNpmrc holds that no file gives a host a login without naming it, that no error quotes the file, and that none takes long.
func FuzzNpmrc(f *testing.F) {
	f.Add("//npm.acme.test/:_authToken=" + canary)
	f.Add("//NPM.acme.test/a:_auth='" + b64("bob:"+canary) + "'\n//npm.acme.test:username=x")
	f.Add("registry=https://npm.acme.test/x\n//npm.acme.test/x/:_authToken=\"" + canary + "\\\"")
	f.Add("[x]\n_authToken=" + canary + "\n=\\${" + canary + "}")
	f.Add("//npm.acme.test/:_authToken=\\\\${" + canary + "?}${x}")
	f.Add(strings.Repeat("//npm.acme.test/:_authToken=${", 1000))
	home := f.TempDir()
	u := mustParse(f, npmHost)
	f.Fuzz(func(t *testing.T, text string) {
		start := time.Now()
		c := &npmConfig{get: func(string) (string, bool) { return "", false }, options: map[string]npmOption{}}
		for _, line := range parseNpmrc([]byte(text)) {
			c.options[line.key] = npmOption{value: line.value, where: filepath.Join(home, ".npmrc")}
		}
		values, err := c.find(u)
		if registry := c.registry(); values == nil && err == nil && registry != nil && registry.Host == u.Host {
			values, err = c.find(registry)
		}
		// A key may be quoted, and the escapes of JSON be in it.
		if values != nil && !strings.Contains(strings.ToLower(text), "npm.acme.test") && !strings.Contains(text, `\`) {
			t.Errorf("%q gives a login: %v", text, outcomeOf(nil, values, nil))
		}
		if o := outcomeOf(nil, nil, err); err != nil && strings.Contains(o.err+o.hint, canary) {
			t.Errorf("%q: the secret is in the error: %v", text, err)
		}
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("%d bytes take %v", len(text), d)
		}
	})
}
