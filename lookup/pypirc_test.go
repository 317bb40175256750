package lookup

import (
	"os"
	"strings"
	"testing"
	"time"
)

const pypiHost = "https://pypi.acme.test/simple/x/"

func TestPypirc(t *testing.T) {
	notOnWindows(t) // for the slashes in what is expected
	login := outcome{values: "default=" + canary + " password=" + canary + " username=bob"}
	token := outcome{values: "default=pypi-x password=pypi-x username=__token__"}
	none := outcome{kind: "not found", err: "no login for pypi.acme.test in twine's variables and ~/.pypirc"}
	const (
		servers = "[distutils]\nindex-servers =\n    pypi\n    acme\n    b\n\n"
		user    = "username = bob\npassword = " + canary + "\n"
		acme    = servers + "[acme]\nrepository = https://pypi.acme.test/legacy/\n"
	)
	env := func(pairs ...string) map[string]string {
		vars := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			vars["TWINE_"+pairs[i]] = pairs[i+1]
		}
		return vars
	}

	for _, tt := range []struct {
		name, file string
		vars       map[string]string
		url        string
		want       outcome
	}{
		{"a section", acme + user, nil, pypiHost, login},
		{"colons", servers + "[acme]\nrepository: https://pypi.acme.test/legacy/\nusername: bob\npassword: " + canary, nil, pypiHost, login},
		{"Windows lines", strings.ReplaceAll(acme+user, "\n", "\r\n"), nil, pypiHost, login},
		{"signs of other dialects", acme + "username = bob\npassword = %(x)s ;#${UNDEFINED}\"", nil, pypiHost, outcome{values: "default=%(x)s ;#${UNDEFINED}\" password=%(x)s ;#${UNDEFINED}\" username=bob"}},
		{"one that was commented out", acme + "username = bob\n# password = x\n", nil, pypiHost, none},
		{"defaults", "[DEFAULT]\n" + user + acme, nil, pypiHost, login},
		{"a section that is not named", "[distutils]\nindex-servers = pypi\n[acme]\nrepository = https://pypi.acme.test/\n" + user, nil, pypiHost, none},
		{"no list of sections", "[acme]\nrepository = https://pypi.acme.test/\n" + user, nil, pypiHost, none},
		{"no repository", servers + "[acme]\n" + user, nil, pypiHost, none},
		{"a directory", servers + "[acme]\nrepository = /srv/x\n" + user, nil, pypiHost, none},
		{"the obsolete section", "[server-login]\n" + user + acme, nil, pypiHost, none},
		{"user info", servers + "[acme]\nrepository = https://bob:" + canary + "@pypi.acme.test/\n", nil, pypiHost, login},
		{"user info and a password", servers + "[acme]\nrepository = https://bob:x@pypi.acme.test/\npassword = " + canary, nil, pypiHost, login},
		{"a password alone", acme + "password = " + canary, nil, pypiHost, outcome{kind: "not found", err: none.err + "; ~/.pypirc:8 has a password for pypi.acme.test and no user name"}},
		{"a PyPI token alone", acme + "password = pypi-x", nil, pypiHost, token},
		{"a name alone", acme + "username = bob", nil, pypiHost, none},
		{"empty values", acme + "username =\npassword =\n", nil, pypiHost, none},

		{"the path that covers", acme + "username = a\npassword = b\n[b]\nrepository = https://pypi.acme.test/simple\n" + user, nil, pypiHost, login},
		{"the longest path", servers + "[b]\nrepository = https://pypi.acme.test/\nusername = a\npassword = b\n[acme]\nrepository = https://pypi.acme.test/simple/\n" + user, nil, pypiHost, login},
		{"half a segment", acme + user + "[b]\nrepository = https://pypi.acme.test/simp\nusername = a\npassword = b\n", nil, pypiHost, login},
		{"the first in the file", servers + "[b]\nrepository = https://pypi.acme.test/b\n" + user + "[acme]\nrepository = https://pypi.acme.test/a\nusername = a\npassword = b\n", nil, pypiHost, login},

		{"PyPI", "[pypi]\nusername = __token__\npassword = pypi-x", nil, "https://upload.pypi.org/legacy/", token},
		{"PyPI without a name", "[pypi]\npassword = pypi-x", nil, "https://upload.pypi.org/legacy/", token},
		{"PyPI's twin", "[testpypi]\nusername = old\npassword = pypi-x", nil, "https://test.pypi.org/simple/", token},
		{"PyPI over HTTP", "[pypi]\nrepository = http://upload.pypi.org/legacy/\npassword = pypi-x", nil, "https://upload.pypi.org/legacy/", token},
		{"PyPI's token elsewhere", "[pypi]\npassword = pypi-x", nil, "https://pypi.org/simple/", outcome{kind: "not found", err: "no login for pypi.org in twine's variables and ~/.pypirc"}},

		{"a port", servers + "[acme]\nrepository = https://pypi.acme.test:8443/\n" + user, nil, "https://pypi.acme.test:8443/x", login},
		{"the scheme's port and capitals", servers + "[acme]\nrepository = HTTPS://PyPI.acme.test:443\n" + user, nil, pypiHost, login},
		{"another port", servers + "[acme]\nrepository = https://pypi.acme.test:8443/\n" + user, nil, pypiHost, none},
		{"another scheme", servers + "[acme]\nrepository = http://pypi.acme.test/\n" + user, nil, pypiHost, none},
		{"IPv6", servers + "[acme]\nrepository = http://[::1]:8080/\n" + user, nil, "http://[::1]:8080/x", login},
		{"another host before it", servers + "[acme]\nrepository = https://evilpypi.acme.test/\n" + user, nil, pypiHost, none},
		{"another host behind it", servers + "[acme]\nrepository = https://pypi.acme.test.evil.test/\n" + user, nil, pypiHost, none},
		{"all hosts of a domain", acme + user, nil, "https://*.acme.test/", outcome{kind: "not found", err: "twine's logins are for one host each, not for *.acme.test"}},

		{"variables", "", env("REPOSITORY_URL", "https://pypi.acme.test/up", "USERNAME", "bob", "PASSWORD", canary), pypiHost, login},
		{"variables first", acme + "username = a\npassword = b", env("REPOSITORY_URL", "https://pypi.acme.test/up", "USERNAME", "bob", "PASSWORD", canary), pypiHost, login},
		{"a PyPI token", "", env("REPOSITORY_URL", "https://pypi.acme.test/up", "PASSWORD", "pypi-x"), pypiHost, token},
		{"variables without a name", acme + user, env("REPOSITORY_URL", "https://pypi.acme.test/up", "PASSWORD", "x"), pypiHost, login},
		{"variables for another host", acme + user, env("REPOSITORY_URL", "https://b.test/", "USERNAME", "c", "PASSWORD", "d"), pypiHost, login},
		{"variables for PyPI", acme, env("USERNAME", "c", "PASSWORD", "d"), pypiHost, none},
		{"PyPI's variables", "", env("PASSWORD", "pypi-x"), "https://upload.pypi.org/legacy/", token},
		{"variables for a section", acme + "username = bob\npassword = x", env("REPOSITORY", "acme", "PASSWORD", canary), pypiHost, login},
		{"variables for an unknown section", acme + user, env("REPOSITORY", "x", "PASSWORD", "y"), pypiHost, login},
		{"a directory in a variable", acme + user, env("REPOSITORY_URL", "/srv", "PASSWORD", "y"), pypiHost, login},

		{"a malformed URL", servers + "[acme]\nrepository = https://bob:" + canary + "/@pypi.acme.test/", nil, pypiHost, outcome{
			kind: "broken", err: "reading ~/.pypirc:8: the URL of a repository does not parse", hint: "in its user name and password write %40 for @, %2F for /, and so on",
		}},
		{"a malformed variable", "", env("REPOSITORY_URL", "https://bob:"+canary+"/@pypi.acme.test/"), pypiHost, outcome{
			kind: "broken", err: "reading $TWINE_REPOSITORY_URL: the URL of a repository does not parse", hint: "in its user name and password write %40 for @, %2F for /, and so on",
		}},
		{"malformed", acme + canary, nil, pypiHost, outcome{kind: "broken", err: "reading ~/.pypirc:9: it is neither a [section] nor NAME = VALUE"}},
		{"twice", acme + user + "password = x", nil, pypiHost, outcome{kind: "broken", err: "reading ~/.pypirc:11: the section has an option of that name already"}},
		{"a byte order mark", "\xef\xbb\xbf" + acme + user, nil, pypiHost, outcome{kind: "broken", err: "reading ~/.pypirc:1: the file begins with a byte order mark", hint: "save it as UTF-8 without one"}},
		{"too large", strings.Repeat("\n", maxNative+1), nil, pypiHost, outcome{kind: "broken", err: "reading ~/.pypirc: it is larger than 1048576 bytes"}},
		{"empty", "", nil, pypiHost, none},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSources(t, tt.vars)
			write(t, s, ".pypirc", tt.file)
			expect(t, s, decodeOne(t, s, `{"source": "pypirc"}`), ask(t, tt.url), tt.want)
		})
	}

	t.Run("no file", func(t *testing.T) {
		s := newSources(t, nil)
		expect(t, s, s.Pypirc(), ask(t, pypiHost), outcome{kind: "not found", err: "no login for pypi.acme.test in twine's variables; ~/.pypirc does not exist"})
	})
	t.Run("no home", func(t *testing.T) {
		s := newSources(t, nil)
		s.Env.Home = ""
		expect(t, nil, s.Pypirc(), ask(t, pypiHost), outcome{kind: "not found", err: "no login for pypi.acme.test in twine's variables"})
	})
	t.Run("a directory in its place", func(t *testing.T) {
		s := newSources(t, nil)
		write(t, s, ".pypirc/x", "")
		expect(t, s, s.Pypirc(), ask(t, pypiHost), outcome{kind: "broken", err: "reading ~/.pypirc: it is a directory"})
	})
	t.Run("unreadable", func(t *testing.T) {
		if os.Geteuid() == 0 {
			t.Skip("root reads every file")
		}
		s := newSources(t, nil)
		if err := os.Chmod(write(t, s, ".pypirc", acme+user), 0); err != nil {
			t.Fatal(err)
		}
		expect(t, s, s.Pypirc(), ask(t, pypiHost), outcome{kind: "broken", err: "reading ~/.pypirc: permission denied"})
	})
	t.Run("the rule's own", func(t *testing.T) {
		s := newSources(t, env("REPOSITORY_URL", "https://pypi.acme.test/", "USERNAME", "c", "PASSWORD", "d"))
		source := decodeOne(t, s, `{"source": "pypirc", "path": "~/own"}`)
		expect(t, s, source, ask(t, pypiHost), outcome{kind: "not found", err: "~/own does not exist"})
		write(t, s, "own", acme+user)
		expect(t, s, source, ask(t, pypiHost), login)
	})
	t.Run("an empty path", func(t *testing.T) {
		if _, err := decodeChain(newSources(t, nil), `[{"source": "pypirc", "path": ""}]`); !strings.Contains(sprint(err), "leave it out to read twine's variables and ~/.pypirc") {
			t.Errorf("got %v", err)
		}
	})
}

// FuzzPypirc holds that no file gives a host a login without naming it, that no error quotes the file, and that none takes long.
func FuzzPypirc(f *testing.F) {
	f.Add("[distutils]\nindex-servers = a\n[a]\nrepository = https://pypi.acme.test/\nusername = bob\npassword = " + canary)
	f.Add("[pypi]\nrepository: https://b:" + canary + "@PYPI.acme.test:443/x\n[testpypi]\npassword = pypi-" + canary)
	f.Add("[pypi]\nrepository: https://b:" + canary + "/@pypi.acme.test/x")
	f.Add("[pypi]\nrepository: https://pypi.acme.test:x@evil.test/\nusername=a\npassword=b")
	u := mustParse(f, pypiHost)
	f.Fuzz(func(t *testing.T, text string) {
		start := time.Now()
		all, err := pypircRepositories(".pypirc", []byte(text), u)
		best, note := choose(all, u)
		if best != nil && !strings.Contains(strings.ToLower(text), "pypi.acme.test") {
			t.Errorf("%q has a login for %s", text, u.Host)
		}
		if strings.Contains(sprint(err)+note, canary) {
			t.Errorf("%q: the secret is in the error: %v%s", text, err, note)
		}
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("%d bytes take %v", len(text), d)
		}
	})
}
