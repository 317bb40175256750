package lookup

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/internal/peertest"
	"github.com/fe055d52/credential-helper/internal/redact"
)

// newPip returns the source as the configuration makes it, for a system whose files are below the home directory.
func newPip(t testing.TB, s *Sources) pip {
	t.Helper()
	p := decodeOne(t, s, `{"source": "pip"}`).(pip)
	p.system = []string{filepath.Join(s.Env.Home, "etc", "pip.conf")}
	return p
}

const (
	pipURL  = "https://pip.acme.test/simple/x/"
	pipRest = "~/.pip/pip.conf and ~/.config/pip/pip.conf do not exist"
)

func TestPip(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs the places of Linux")
	}
	login := outcome{values: "default=" + canary + " password=" + canary + " username=bob"}
	const in = "https://bob:" + canary + "@pip.acme.test/simple"
	other := strings.ReplaceAll(in, canary, "x")
	none := outcome{kind: "not found", err: "no login for pip.acme.test in pip's and uv's variables and ~/etc/pip.conf; " + pipRest}
	malformed := func(where string) outcome {
		return outcome{kind: "broken", err: "reading " + where + ": the URL of an index does not parse", hint: "in its user name and password write %40 for @, %2F for /, and so on"}
	}

	for _, tt := range []struct {
		name, file string // the system's
		vars       map[string]string
		url        string
		want       outcome
	}{
		{"an index", "[global]\nindex-url = " + in, nil, pipURL, login},
		{"with an underscore", "[global]\nindex_url: " + in, nil, pipURL, login},
		{"Windows lines", "[global]\r\nindex-url = " + in + "\r\n", nil, pipURL, login},
		{"packages elsewhere on the host", "[global]\nindex-url = " + in, nil, "https://pip.acme.test/packages/x.whl", login},
		{"an extra index", "[global]\nextra-index-url =\n  https://b.test/\n  " + in + "\n", nil, pipURL, login},
		{"one that was commented out", "[global]\nextra-index-url =\n  https://b.test/\n  # " + in + "\n", nil, pipURL, none},
		{"for a command", "[global]\nindex-url = " + other + "\n[install]\nindex-url = " + in, nil, pipURL, login},
		{"for the other command", "[download]\nindex-url = " + in, nil, pipURL, login},
		{"for an unknown command", "[wheel]\nindex-url = " + in, nil, pipURL, none},
		{"defaults", "[DEFAULT]\nindex-url = " + in + "\n[global]\n", nil, pipURL, login},
		{"defaults of nothing", "[DEFAULT]\nindex-url = " + in, nil, pipURL, none},
		{"an empty one for a command", "[global]\nindex-url = " + in + "\n[install]\nindex-url =\n", nil, pipURL, login},
		{"escapes", "[global]\nindex-url = https://b%40b:p%2f%25s@pip.acme.test/", nil, pipURL, outcome{values: "default=p/%s password=p/%s username=b@b"}},
		{"no variables", "[global]\nindex-url = https://bob:${UNDEFINED}@pip.acme.test/", nil, pipURL, outcome{values: "default=${UNDEFINED} password=${UNDEFINED} username=bob"}},
		{"a token and no password", "[global]\nindex-url = https://" + canary + ":@pip.acme.test/", nil, pipURL, outcome{values: "default=" + canary + " header:Authorization=Basic " + b64(canary+":")}},
		{"a password and no name", "[global]\nindex-url = https://:" + canary + "@pip.acme.test/", nil, pipURL, outcome{values: "default=" + canary + " password=" + canary + " username="}},
		{"a name and no password", "[global]\n\nindex-url = https://bob@pip.acme.test/", nil, pipURL, outcome{
			kind: "not found", err: none.err + "; ~/etc/pip.conf:3 has a user name for pip.acme.test and no password (a token that goes without one is written https://TOKEN:@HOST/)",
		}},
		{"nothing at all", "[global]\nindex-url = https://:@pip.acme.test/", nil, pipURL, none},
		{"no login", "[global]\nindex-url = https://pip.acme.test/simple", nil, pipURL, none},

		{"the nearest", "[global]\nindex-url = " + other + "/../a\nextra-index-url = https://b.test", nil, pipURL, malformed("~/etc/pip.conf:2")},
		{"the nearest path", "[global]\nindex-url = https://c:d@pip.acme.test/\nextra-index-url = " + in + " https://e:f@pip.acme.test/simple/y", nil, pipURL, login},
		{"the nearest has no login", "[global]\nindex-url = https://c:d@pip.acme.test/\nextra-index-url = https://pip.acme.test/simple", nil, pipURL, outcome{values: "default=d password=d username=c"}},
		{"half a segment", "[global]\nindex-url = " + in + "\nextra-index-url = https://e:f@pip.acme.test/simp", nil, "https://pip.acme.test/simple/", login},
		{"the same", "[global]\nindex-url = https://c:d@pip.acme.test/simple/x/y\nextra-index-url = https://bob:" + canary + "@pip.acme.test/simple/x", nil, pipURL, login},
		{"the first of two", "[global]\nindex-url = " + in + "\nextra-index-url = " + other, nil, pipURL, login},

		{"a port", "[global]\nindex-url = https://bob:" + canary + "@pip.acme.test:8443/", nil, "https://pip.acme.test:8443/x", login},
		{"the scheme's port", "[global]\nindex-url = https://bob:" + canary + "@PIP.acme.test:443/", nil, pipURL, login},
		{"another port", "[global]\nindex-url = https://bob:x@pip.acme.test:8443/", nil, pipURL, none},
		{"another scheme", "[global]\nindex-url = http://bob:x@pip.acme.test/", nil, pipURL, none},
		{"for plain HTTP", "[global]\nindex-url = " + in, nil, "http://pip.acme.test/simple/", none},
		{"IPv6", "[global]\nindex-url = http://bob:" + canary + "@[0::1]:80/", nil, "http://[::1]/x", login},
		{"another host before it", "[global]\nindex-url = https://bob:x@evilpip.acme.test/simple", nil, pipURL, none},
		{"another host behind it", "[global]\nindex-url = https://bob:x@pip.acme.test.evil.test/simple", nil, pipURL, none},
		{"its host in the login", "[global]\nindex-url = https://pip.acme.test:x@evil.test/simple", nil, pipURL, none},
		{"a directory", "[global]\nindex-url = /srv/simple\nextra-index-url = file:///srv " + in, nil, pipURL, login},
		{"all hosts of a domain", "[global]\nindex-url = " + in, nil, "https://*.acme.test/", outcome{kind: "not found", err: "the indexes of pip and uv are for one host each, not for *.acme.test"}},

		{"a variable", "", map[string]string{"PIP_INDEX_URL": in}, pipURL, login},
		{"an extra variable", "", map[string]string{"PIP_EXTRA_INDEX_URL": "https://b.test\n" + in}, pipURL, login},
		{"a variable before a file", "[install]\nindex-url = " + other, map[string]string{"PIP_INDEX_URL": in}, pipURL, login},
		{"a variable in place of a file", "[install]\nindex-url = " + in, map[string]string{"PIP_INDEX_URL": "https://b.test"}, pipURL, none},
		{"an empty variable", "[install]\nindex-url = " + in, map[string]string{"PIP_INDEX_URL": ""}, pipURL, login},

		{"uv's index", "", map[string]string{"UV_INDEX": "https://b.test acme=" + in}, pipURL, login},
		{"uv's default index", "", map[string]string{"UV_DEFAULT_INDEX": in}, pipURL, login},
		{"uv's old variables", "", map[string]string{"UV_INDEX_URL": "https://b.test", "UV_EXTRA_INDEX_URL": in}, pipURL, login},
		{"uv before pip's files", "[global]\nindex-url = " + other, map[string]string{"UV_INDEX": in}, pipURL, login},
		{"uv behind pip's variables", "", map[string]string{"UV_INDEX": other, "PIP_INDEX_URL": in}, pipURL, login},
		{"uv's login for a name", "", map[string]string{"UV_INDEX": "my-index.2=https://pip.acme.test/", "UV_INDEX_MY_INDEX_2_USERNAME": "bob", "UV_INDEX_MY_INDEX_2_PASSWORD": canary}, pipURL, login},
		{"uv's login for a name first", "", map[string]string{"UV_DEFAULT_INDEX": "a=https://c:d@pip.acme.test/", "UV_INDEX_A_USERNAME": "bob", "UV_INDEX_A_PASSWORD": canary}, pipURL, login},
		{"uv's password for a name", "", map[string]string{"UV_INDEX": "a=https://pip.acme.test/", "UV_INDEX_A_PASSWORD": canary}, pipURL, outcome{values: "default=" + canary + " password=" + canary + " username="}},
		{"uv's login for another name", "", map[string]string{"UV_INDEX": "a=https://pip.acme.test/", "UV_INDEX_B_PASSWORD": "x"}, pipURL, none},
		{"an equals sign that is none of a name", "", map[string]string{"UV_INDEX": "https://bob:a=b@pip.acme.test/"}, pipURL, outcome{values: "default=a=b password=a=b username=bob"}},

		{"a slash in the password", "", map[string]string{"PIP_INDEX_URL": "https://bob:" + canary + "/@pip.acme.test/"}, pipURL, malformed("$PIP_INDEX_URL")},
		{"a slash in uv's password", "", map[string]string{"UV_INDEX": "https://bob:" + canary + "/@pip.acme.test/"}, pipURL, malformed("$UV_INDEX")},
		{"two indexes in one", "[global]\nindex-url = https://b.test\n " + in, nil, pipURL, malformed("~/etc/pip.conf:2")},
		{"a malformed file", "[global]\n" + in[8:11] + canary, nil, pipURL, outcome{kind: "broken", err: "reading ~/etc/pip.conf:2: it is neither a [section] nor NAME = VALUE"}},
		{"twice", "[global]\nindex-url = a\nindex-url = " + canary, nil, pipURL, outcome{kind: "broken", err: "reading ~/etc/pip.conf:3: the section has an option of that name already"}},
		{"a byte order mark", "\xef\xbb\xbf[global]\nindex-url = " + in, nil, pipURL, outcome{kind: "broken", err: "reading ~/etc/pip.conf:1: the file begins with a byte order mark", hint: "save it as UTF-8 without one"}},
		{"too large", strings.Repeat("\n", maxNative+1), nil, pipURL, outcome{kind: "broken", err: "reading ~/etc/pip.conf: it is larger than 1048576 bytes"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSources(t, tt.vars)
			write(t, s, "etc/pip.conf", tt.file)
			expect(t, s, newPip(t, s), ask(t, tt.url), tt.want)
		})
	}
}

func TestPipPlaces(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs the places of Linux")
	}
	const user, legacy, system, site, own = ".config/pip/pip.conf", ".pip/pip.conf", "etc/pip.conf", "venv/pip.conf", "own.conf"
	venv := map[string]string{"VIRTUAL_ENV": "HOME/venv"}
	ownVar := map[string]string{"PIP_CONFIG_FILE": "../own.conf"}
	for _, tt := range []struct {
		name  string
		files []string
		vars  map[string]string // HOME stands for the home directory
		want  outcome
	}{
		{"none", nil, nil, outcome{kind: "not found", err: "no login for pip.acme.test in pip's and uv's variables; ~/etc/pip.conf, " + pipRest}},
		{"the system's", []string{system}, nil, outcome{values: system}},
		{"the user's", []string{system, user}, nil, outcome{values: user}},
		{"the user's old one", []string{system, legacy}, nil, outcome{values: legacy}},
		{"the user's new one", []string{legacy, user}, nil, outcome{values: user}},
		{"the user's elsewhere", []string{user, "xdg/pip/pip.conf"}, map[string]string{"XDG_CONFIG_HOME": "HOME/xdg"}, outcome{values: "xdg/pip/pip.conf"}},
		{"the virtual environment's", []string{system, user, site}, venv, outcome{values: site}},
		{"no virtual environment", []string{system, site}, nil, outcome{values: system}},
		{"its own", []string{system, user, own}, ownVar, outcome{values: own}},
		{"its own before the virtual environment's", []string{site, own}, map[string]string{"VIRTUAL_ENV": "HOME/venv", "PIP_CONFIG_FILE": "HOME/own.conf"}, outcome{values: own}},
		{"its own is not there", []string{system, user}, ownVar, outcome{values: user}},
		{"no files", []string{system, user}, map[string]string{"PIP_CONFIG_FILE": os.DevNull}, outcome{kind: "not found", err: "no login for pip.acme.test in pip's and uv's variables"}},
		{"a directory", nil, map[string]string{"PIP_CONFIG_FILE": "HOME/proj"}, outcome{kind: "broken", err: "reading ~/proj: it is a directory"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			vars := map[string]string{}
			s := newSources(t, vars)
			for name, value := range tt.vars {
				vars[name] = strings.Replace(value, "HOME", s.Env.Home, 1)
			}
			for _, name := range tt.files {
				write(t, s, name, "[global]\nindex-url = https://u:"+strings.ReplaceAll(name, "/", "%2f")+"@pip.acme.test/\n")
			}
			if tt.want.values != "" {
				tt.want.values = "default=" + tt.want.values + " password=" + tt.want.values + " username=u"
			}
			expect(t, s, newPip(t, s), ask(t, pipURL), tt.want)
		})
	}
	t.Run("what each says", func(t *testing.T) {
		s := newSources(t, nil)
		write(t, s, system, "[install]\nindex-url = https://a:b@pip.acme.test/simple/x/\n")
		write(t, s, user, "[global]\nindex-url = https://c:d@pip.acme.test/simple/x/\nextra-index-url = https://e:f@b.test\n")
		expect(t, s, newPip(t, s), ask(t, pipURL), outcome{values: "default=b password=b username=a"})
		expect(t, s, newPip(t, s), ask(t, "https://b.test/y"), outcome{values: "default=f password=f username=e"})
	})
	t.Run("the system's places", func(t *testing.T) {
		get := func(dirs string) string {
			return strings.Join(pipSystem(func(string) string { return dirs }), " ")
		}
		if got := get(""); got != "/etc/xdg/pip/pip.conf /etc/pip.conf" {
			t.Errorf("got %s", got)
		}
		if got := get("/a:b:/c"); got != "/a/pip/pip.conf /c/pip/pip.conf /etc/pip.conf" {
			t.Errorf("got %s", got)
		}
	})
}

// TestPipAgrees compares with what pip itself sends.
func TestPipAgrees(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs the places of Linux")
	}
	program := peertest.Require(t, "pip", "apt-get install python3-pip")
	for _, tt := range []struct {
		name, file, user, env string
		packageOnly           bool
	}{
		{"a login", "[global]\nindex-url = http://bob:p%2fw%25@HOST/simple/\n", "", "", false},
		{"a token", "[global]\nindex-url = http://token:@HOST/simple/\n", "", "", false},
		{"a password", "[global]\nindex-url = http://:pw@HOST/simple/\n", "", "", false},
		{"at signs", "[global]\nindex-url = http://a:b:c@d@HOST/simple/\n", "", "", false},
		{"a command's", "[global]\nindex-url = http://a:b@HOST/simple/\n[install]\nindex-url = http://c:d@HOST/simple\n", "", "", false},
		{"the user's", "[global]\nindex-url = http://a:b@HOST/simple/\n", "[global]\nindex-url = http://c:d@HOST/simple\n", "", false},
		{"a command's against the user's", "[install]\nindex-url = http://a:b@HOST/simple/\n", "[global]\nindex-url = http://c:d@HOST/simple\n", "", false},
		{"a variable", "[install]\nindex-url = http://a:b@HOST/simple/\n", "", "http://c:d@HOST/simple", false},
		{"the nearest", "[global]\nindex-url = http://HOST/simple/\nextra-index-url =\n  http://c:d@HOST/\n  # http://e:f@HOST/simple/x\n", "", "", true},
		{"not for the packages", "[global]\nindex-url = http://a:b@HOST/simple/\nextra-index-url = http://HOST/files\n", "", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := newRecorder(t, func(w http.ResponseWriter, q *http.Request) {
				w.Header().Set("Content-Type", "text/html")
				if q.URL.Path != "/simple/x/" {
					http.NotFound(w, q)
					return
				}
				_, _ = w.Write([]byte(`<!DOCTYPE html><html><body><a href="/files/x-1.0-py3-none-any.whl">x-1.0-py3-none-any.whl</a></body></html>`))
			})
			host := strings.TrimPrefix(server.URL, "http://")
			vars := map[string]string{}
			s := newSources(t, vars)
			xdg := filepath.Join(s.Env.Home, "xdg")
			vars["XDG_CONFIG_DIRS"] = xdg
			if tt.env != "" {
				vars["PIP_INDEX_URL"] = strings.ReplaceAll(tt.env, "HOST", host)
			}
			// The machine's own /etc/pip.conf is read too, by pip alone: nothing of it stands, as these are set nearer.
			write(t, s, "xdg/pip/pip.conf", "")
			file := strings.ReplaceAll(tt.file, "HOST", host)
			if tt.user == "" {
				write(t, s, ".config/pip/pip.conf", file)
			} else {
				write(t, s, ".pip/pip.conf", file)
				write(t, s, ".config/pip/pip.conf", strings.ReplaceAll(tt.user, "HOST", host))
			}
			cmd := exec.CommandContext(t.Context(), program, "install", "--no-deps", "--no-cache-dir", "--retries=0", "--timeout=5",
				"--disable-pip-version-check", "--no-input", "--keyring-provider=disabled", "--target", t.TempDir(), "x")
			cmd.Dir = s.Env.Dir
			cmd.Env = append(s.Env.Environ(), "HOME="+s.Env.Home, "PATH="+filepath.Dir(program)+":/usr/bin:/bin", "NO_PROXY=*")
			cmd.WaitDelay = time.Second
			if output, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(output), "404") {
				t.Fatalf("pip install: %v\n%s", err, redact.Quote(string(output), 2000))
			}
			p := newPip(t, s)
			paths := []string{"/files/x-1.0-py3-none-any.whl"}
			if !tt.packageOnly {
				paths = append(paths, "/simple/x/")
			}
			server.compare(t, p, paths)
		})
	}
}

// FuzzPip holds that no file gives a host a login without naming it, that no error quotes the file, and that none takes long.
func FuzzPip(f *testing.F) {
	f.Add("[global]\nindex-url = https://bob:" + canary + "@pip.acme.test/simple")
	f.Add("[install]\nextra_index_url:\n https://b\n # c\n https://" + canary + ":@PIP.acme.test:443/")
	f.Add("[download]\nindex-url = https://bob:" + canary + "/x@pip.acme.test")
	f.Add("[DEFAULT]\nindex-url = https://pip.acme.test:" + canary + "@evil.test")
	s := newSources(f, nil)
	path := filepath.Join(s.Env.Home, "etc", "pip.conf")
	p := newPip(f, s)
	u := mustParse(f, pipURL)
	f.Fuzz(func(t *testing.T, text string) {
		start := time.Now()
		write(t, s, "etc/pip.conf", text)
		options, _, _, err := p.file(t.Context(), path)
		var i *index
		if err == nil {
			var indexes []index
			indexes, err = p.pipIndexes(options, u)
			i = nearestIndex(indexes, u)
		}
		if i != nil && !strings.Contains(strings.ToLower(text), "pip.acme.test") {
			t.Errorf("%q has an index for %s", text, u.Host)
		}
		if err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("%q: the secret is in the error: %v", text, err)
		}
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("%d bytes take %v", len(text), d)
		}
	})
}

// TestMalformedIndexOfAnother holds that an index or a repository which is not understood here stops no search for the login of another host:
// a preset that asks five tools must not fail for what one of them has to do with something else.
func TestMalformedIndexOfAnother(t *testing.T) {
	for _, url := range []string{"https://${HOST}/simple", "https://pypi.örg/simple", "https://other.test/a/../b", "https://bob:p/w@other.test/", "https://other.test:x/"} {
		for _, tt := range []struct {
			name, file, text string
			vars             map[string]string
		}{
			{"pip's file", ".config/pip/pip.conf", "[global]\nindex-url = " + url + "\nextra-index-url = " + url + "\n", nil},
			{"two indexes in the place of one", ".config/pip/pip.conf", "[global]\nindex-url = https://other.test/ " + url + "\n", nil},
			{"pip's variable", "x", "", map[string]string{"PIP_EXTRA_INDEX_URL": url}},
			{"uv's variable", "x", "", map[string]string{"UV_INDEX": "a=" + url}},
			{"pypirc", ".pypirc", "[distutils]\nindex-servers = a\n[a]\nrepository = " + url + "\nusername = b\npassword = c\n", nil},
			{"twine's variable", "x", "", map[string]string{"TWINE_REPOSITORY_URL": url, "TWINE_PASSWORD": "x"}},
		} {
			t.Run(tt.name+" "+url, func(t *testing.T) {
				s := newSources(t, tt.vars)
				write(t, s, tt.file, tt.text)
				write(t, s, ".netrc", "machine files.test login bob password pw\n")
				found, err := Chain{{Source: newPip(t, s)}, {Source: s.Pypirc()}, {Source: s.Netrc()}}.Find(t.Context(), ask(t, "https://files.test/simple"), Values.hasSecret)
				if err != nil || found.Values[Password].Reveal() != "pw" {
					t.Errorf("no login: %v", err)
				}
			})
		}
	}
}
