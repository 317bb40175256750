package lookup

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/peertest"
	"github.com/fe055d52/credential-helper/internal/trace"
)

// gitSources returns sources with git on PATH, a configuration of the user's, and none of the system's.
func gitSources(t *testing.T, config string) (s *Sources, vars map[string]string) {
	t.Helper()
	peertest.Require(t, "git", "apt-get install git")
	vars = map[string]string{"GIT_CONFIG_NOSYSTEM": "1"}
	s = programs(t, vars)
	vars["HOME"] = s.Env.Home
	write(t, s, ".gitconfig", config)
	return s, vars
}

// gitHelper is a configuration with a shell command as a helper.
func gitHelper(command string) string {
	quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace("!f() { " + command + "; }; f")
	return "[credential]\n\thelper = \"" + quoted + "\"\n"
}

func TestGit(t *testing.T) {
	notOnWindows(t)
	login := "echo username=bob; echo password=" + canary
	both := outcome{values: "default=" + canary + " password=" + canary + " username=bob"}
	none := outcome{kind: "not found", err: "git has no login for example.com"}
	const hint = `see what it says by itself: printf 'protocol=https\nhost=example.com\n\n' | git credential fill`
	for _, tt := range []struct {
		name, config, source, url string
		vars                      map[string]string
		want                      outcome
	}{
		{name: "a login", config: gitHelper(login), want: both},
		{name: "no helper", config: "", want: none},
		{name: "no login", config: gitHelper("exit 0"), want: none},
		{name: "a user alone", config: gitHelper("echo username=bob"), want: none},
		{name: "a helper that fails", config: gitHelper("echo oops >&2; exit 3"), want: none},
		{name: "a helper that fails at length", config: gitHelper("seq 1000 >&2; exit 3"), want: none},
		{name: "a helper that is not installed", config: "[credential]\n\thelper = gone\n", want: none},
		{name: "a helper that prints something else", config: gitHelper("echo " + canary), want: none},
		{name: "quit", config: gitHelper("echo quit=1"), want: none},
		{name: "the second helper", config: gitHelper("exit 0") + gitHelper(login), want: both},
		{name: "a helper for the host", config: strings.ReplaceAll(gitHelper(login), "[credential]", `[credential "https://example.com"]`), want: both},
		{name: "a helper for another host", config: strings.ReplaceAll(gitHelper(login), "[credential]", `[credential "https://example.org"]`), want: none},
		{name: "an empty password", config: gitHelper("echo username=bob; echo password="), want: outcome{kind: "not found", err: "git has an empty login for example.com"}},
		{name: "an empty user", config: gitHelper("echo username=; echo password=" + canary), want: outcome{values: "default=" + canary + " password=" + canary + " username="}},
		{name: "what is asked", config: gitHelper(`test "$(grep -v capability | tr '\n' ,)" = protocol=https,host=example.com, && ` + login), want: both},
		{name: "what is asked of a port", url: "http://Example.com:8080/a/b.git/info/refs?service=git-upload-pack", config: gitHelper(`grep -qx host=example.com:8080 && ` + login), want: both},
		{name: "IPv6", url: "http://[::1]:8080/", config: gitHelper(`grep -qFx 'host=[::1]:8080' && ` + login), want: both},
		{name: "a path", source: `, "use_http_path": true`, url: "https://example.com/a/b%20c.git/info/refs?service=git-upload-pack", config: gitHelper(`grep -qx "path=a/b c.git" && ` + login), want: both},
		{name: "no path", source: `, "use_http_path": true`, url: "https://example.com/", config: gitHelper(`! grep -q path= && ` + login), want: both},
		{name: "the environment", config: gitHelper(`env >"$HOME/env"; test -z "$GIT_DIR$GIT_WORK_TREE$GIT_ASKPASS$SSH_ASKPASS" && test "$GCM_INTERACTIVE$GIT_TERMINAL_PROMPT$CREDENTIAL_HELPER_NESTED" = never01 && ` + login), vars: map[string]string{"GIT_DIR": "/x", "GIT_WORK_TREE": "/x", "SSH_ASKPASS": "/bin/true", "GIT_TERMINAL_PROMPT": "1"}, want: both},
		{name: "who would be asked", config: "[core]\n\taskPass = /bin/true\n", vars: map[string]string{"GIT_ASKPASS": "/bin/true", "SSH_ASKPASS": "/bin/true"}, want: none},
		{name: "who asks here", config: gitHelper(login), vars: map[string]string{varNested: "1"}, want: outcome{kind: "not found", err: "git is not asked, because it may be who asks here"}},
		{name: "gRPC", config: gitHelper(login), url: "grpcs://example.com", want: outcome{kind: "not found", err: "git is asked for logins over https and http, not over grpcs"}},
		{name: "all hosts of a domain", config: gitHelper(login), url: "https://*.example.com", want: outcome{kind: "not found", err: "git is asked for the login of one host, not for that of *.example.com"}},
		{name: "no git", vars: map[string]string{"PATH": "/nonexistent"}, want: outcome{kind: "unavailable", err: "git is not on PATH"}},

		{name: "another host", config: gitHelper("echo host=example.org; " + login), want: outcome{kind: "broken", err: "asking git for the login of example.com: it answered for another host, or another protocol, than the one it was asked for", hint: hint}},
		{name: "another port", config: gitHelper("echo host=example.com:8443; " + login), want: outcome{kind: "broken", err: "asking git for the login of example.com: it answered for another host, or another protocol, than the one it was asked for", hint: hint}},
		{name: "another protocol", config: gitHelper("echo protocol=http; " + login), want: outcome{kind: "broken", err: "asking git for the login of example.com: it answered for another host, or another protocol, than the one it was asked for", hint: hint}},
		{name: "a URL of another host", config: gitHelper("echo url=https://example.org; " + login), want: outcome{kind: "broken", err: "asking git for the login of example.com: it answered for another host, or another protocol, than the one it was asked for", hint: hint}},
		{name: "a malformed configuration", config: "[credential\n\thelper = " + canary + "\n", want: outcome{kind: "broken", err: "asking git for the login of example.com: git failed (exit status 128): fatal: bad config line 1 in file ~/.gitconfig", hint: hint}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, vars := gitSources(t, tt.config)
			for name, value := range tt.vars {
				vars[name] = value
			}
			if tt.url == "" {
				tt.url = "https://example.com/a/b.git"
			}
			expect(t, s, decodeOne(t, s, `{"source": "git"`+tt.source+`}`), ask(t, tt.url), tt.want)
		})
	}
}

// TestGitTellsNoSecret holds that what a helper prints at the wrong place, and what its command has in it, is told nowhere.
func TestGitTellsNoSecret(t *testing.T) {
	notOnWindows(t)
	for name, config := range map[string]string{
		"a line that is no attribute":  gitHelper("echo " + canary),
		"standard error":               gitHelper("echo " + canary + " >&2; exit 1"),
		"a helper's command":           gitHelper("echo quit=1 # " + canary + "\n"),
		"both, and git fails":          gitHelper("echo "+canary+"; exit 1") + "[credential]\n\tinteractive = false\n\thelper = \"!kill -9 $PPID; echo " + canary + "\"\n",
		"a malformed line of the file": "[credential]\n\thelper " + canary + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := gitSources(t, config)
			var told []string
			recorder := &trace.Recorder{OnEvent: func(e trace.Event) { told = append(told, e.What, e.Outcome) }}
			values, err := s.Git(false).Lookup(trace.NewContext(t.Context(), recorder), ask(t, "https://example.com"))
			if err == nil {
				t.Errorf("it gives %v", values)
			}
			if o := outcomeOf(s, values, err); strings.Contains(o.err+o.hint+strings.Join(told, "\n"), canary) {
				t.Errorf("the secret is told: %+v, %s", o, told)
			}
		})
	}
}

func TestGitBounds(t *testing.T) {
	s := newSources(t, nil)
	for _, byPath := range []bool{false, true} {
		c := Chain{{Source: s.Git(byPath)}}
		if !c.HostBound() || c.PathBound() != byPath {
			t.Errorf("use_http_path %v: bound to the host %v, to the path %v", byPath, c.HostBound(), c.PathBound())
		}
	}
}

// TestGitIsAskedOutsideOfRepositories holds that a workspace does not name git's helpers.
func TestGitIsAskedOutsideOfRepositories(t *testing.T) {
	notOnWindows(t)
	s, _ := gitSources(t, "")
	for _, dir := range []string{s.Env.Dir, s.Env.Home} {
		if out, err := exec.Command("git", "-C", dir, "init").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		config := filepath.Join(dir, ".git", "config")
		if err := os.WriteFile(config, []byte(gitHelper("echo username=eve; echo password=evil")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, s, s.Git(false), ask(t, "https://example.com"), outcome{kind: "not found", err: "git has no login for example.com"})

	// A repository does do that to git itself.
	cmd := exec.Command("git", "credential", "fill")
	cmd.Dir, cmd.Stdin = s.Env.Dir, strings.NewReader("protocol=https\nhost=example.com\n\n")
	cmd.Env = append(s.Env.Environ(), "GIT_TERMINAL_PROMPT=0")
	if out, err := cmd.Output(); err != nil || !strings.Contains(string(out), "password=evil") {
		t.Errorf("the test shows nothing: %v, %s", err, out)
	}
}

func TestGitThatHangs(t *testing.T) {
	notOnWindows(t)
	s, _ := gitSources(t, gitHelper(`echo $$ >"$HOME/pid"; exec sleep 100`))
	ctx, cancel := context.WithCancelCause(t.Context())
	pid := filepath.Join(s.Env.Home, "pid")
	go func() {
		for {
			if data, err := os.ReadFile(pid); err == nil && strings.HasSuffix(string(data), "\n") || ctx.Err() != nil {
				cancel(errors.New("the budget is spent"))
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	_, err := s.Git(false).Lookup(ctx, ask(t, "https://example.com"))
	if want := "asking git for the login of example.com: git did not end in time: the budget is spent"; sprint(err) != want || helpers.FallsThrough(err) {
		t.Errorf("got %v, want %s", err, want)
	}
	data, err := os.ReadFile(pid)
	if err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		// One that nobody waits for counts as ended.
		if exec.Command("sh", "-c", `kill -0 "$0" && ! grep -q ') Z ' "/proc/$0/stat"`, strings.TrimSpace(string(data))).Run() != nil {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("git's helper still runs: %s", data)
}

// TestGitOpensARepository has git store a login, finds it, and opens a repository on a server that asks for one.
func TestGitOpensARepository(t *testing.T) {
	notOnWindows(t)
	s, vars := gitSources(t, "[credential]\n\thelper = store\n")
	run := func(stdin string, args ...string) string {
		t.Helper()
		cmd := exec.Command("git", args...)
		cmd.Env, cmd.Stdin = append(s.Env.Environ(), "GIT_TERMINAL_PROMPT=0"), strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %s: %v\n%s", args, err, out)
		}
		return string(out)
	}
	root := filepath.Join(s.Env.Home, "repositories")
	run("", "init", "-q", "--bare", filepath.Join(root, "team", "repo.git"))
	backend := filepath.Join(strings.TrimSpace(run("", "--exec-path")), "git-http-backend")
	if _, err := os.Stat(backend); err != nil {
		t.Skipf("needs git-http-backend: %v", err)
	}
	repositories := &cgi.Handler{Path: backend, Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "HOME=" + vars["HOME"]}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, ok := r.BasicAuth(); !ok || user != "bob" || password != canary {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			http.Error(w, "log in", http.StatusUnauthorized)
			return
		}
		repositories.ServeHTTP(w, r)
	}))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	url := server.URL + "/team/repo.git/info/refs?service=git-upload-pack"
	get := func(authorization string) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if authorization != "" {
			req.Header.Set("Authorization", authorization)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}

	expect(t, s, s.Git(false), ask(t, url), outcome{kind: "not found", err: "git has no login for " + host})
	run("protocol=http\nhost="+host+"\nusername=bob\npassword="+canary+"\n\n", "credential", "approve")
	run("protocol=http\nhost=example.com\npath=one\nusername=a\npassword=aa\n\n", "-c", "credential.useHttpPath=true", "credential", "approve")
	run("protocol=http\nhost=example.com\npath=two.git\nusername=b\npassword=bb\n\n", "-c", "credential.useHttpPath=true", "credential", "approve")

	values, err := s.Git(false).Lookup(t.Context(), ask(t, url))
	if err != nil {
		t.Fatal(err)
	}
	login := values[Username].Reveal() + ":" + values[Password].Reveal()
	if status := get("Basic " + base64.StdEncoding.EncodeToString([]byte(login))); status != http.StatusOK {
		t.Errorf("the server answers %d to the login", status)
	}
	for _, wrong := range []string{"", "Bearer " + canary} {
		if status := get(wrong); status != http.StatusUnauthorized {
			t.Errorf("the server answers %d to %q", status, wrong)
		}
	}
	run("", "ls-remote", server.URL+"/team/repo.git") // as git itself does

	expect(t, s, s.Git(true), ask(t, "http://example.com/two.git/info/refs"), outcome{values: "default=bb password=bb username=b"})
	expect(t, s, s.Git(true), ask(t, "http://example.com/two"), outcome{kind: "not found", err: "git has no login for example.com"})
}

func TestParseGit(t *testing.T) {
	const head = "capability[]=authtype\nprotocol=https\nhost=example.com\n"
	bad := func(why string) outcome { return outcome{kind: "broken", err: why} }
	other := bad("it answered for another host, or another protocol, than the one it was asked for")
	for _, tt := range []struct {
		name, out string
		want      outcome
	}{
		{"a header", "capability[]=authtype\nauthtype=Bearer\ncredential=" + canary + "\nprotocol=https\nhost=example.com\n", outcome{values: "default=" + canary + " header:Authorization=Bearer " + canary}},
		{"a header before a password", head + "authtype=Bearer\ncredential=" + canary + "\nusername=a\npassword=b\n", outcome{values: "default=" + canary + " header:Authorization=Bearer " + canary}},
		{"a header that was not announced", "protocol=https\nhost=example.com\nauthtype=Bearer\ncredential=x\nusername=bob\npassword=" + canary, outcome{values: "default=" + canary + " password=" + canary + " username=bob"}},
		{"a header without its scheme", head + "credential=" + canary, bad(`its answer has a "credential" without an "authtype" of one word`)},
		{"a header with two schemes", head + "authtype=Basic Bearer\ncredential=" + canary, bad(`its answer has a "credential" without an "authtype" of one word`)},
		{"an end", head + "username=bob\npassword=x\npassword_expiry_utc=1900000000\n", outcome{values: "default=x expires=2030-03-17T17:46:40Z password=x username=bob"}},
		{"an end in the past", head + "username=bob\npassword=x\npassword_expiry_utc=100\n", outcome{kind: "not found", err: "git's login for example.com has ended"}},
		{"an end beyond the calendar", head + "username=bob\npassword=x\npassword_expiry_utc=9223372036854775807\n", outcome{values: "default=x password=x username=bob"}},
		{"an end that is none", head + "username=bob\npassword=x\npassword_expiry_utc=" + canary, bad(`the "password_expiry_utc" of its answer is not a number of seconds`)},
		{"an equals sign in the password", head + "username=bob\npassword=a=b \n", outcome{values: "default=a=b  password=a=b  username=bob"}},
		{"more behind an empty line", head + "username=bob\npassword=x\n\nhost=example.org\n", outcome{values: "default=x password=x username=bob"}},
		{"a host that ends alike", "protocol=https\nhost=evilexample.com\nusername=bob\npassword=" + canary, other},
		{"a host that begins alike", "protocol=https\nhost=example.com.evil.test\nusername=bob\npassword=" + canary, other},
		{"two hosts", head + "host=example.org\nusername=bob\npassword=" + canary, other},
		{"no host", "protocol=https\nusername=bob\npassword=" + canary, other},
		{"a carriage return", head + "username=bob\npassword=" + canary + "\r\n", bad("line 5 of its answer has a carriage return or a NUL byte")},
		{"a NUL byte", head + "username=bob\npassword=" + canary + "\x00x\n", bad("line 5 of its answer has a carriage return or a NUL byte")},
		{"no key", head + canary + "\n", bad("line 4 of its answer is not KEY=VALUE")},
		{"nothing", "", other},
	} {
		t.Run(tt.name, func(t *testing.T) {
			values, err := parseGit([]byte(tt.out), mustParse(t, "https://example.com/"), juliaNow)
			if got := outcomeOf(nil, values, err); got != tt.want || strings.Contains(got.err, canary) {
				t.Errorf("\n got %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestRepositoryPath(t *testing.T) {
	for at, want := range map[string]string{
		"https://h/": "", "https://h/a/b.git": "a/b.git", "https://h/a/b.git/": "a/b.git", "https://h/a/b.git/info/refs?service=git-upload-pack": "a/b.git",
		"https://h/a/b.git/git-upload-pack": "a/b.git", "https://h/a/b/info/lfs/objects/batch": "a/b", "https://h/a/archive/x.zip": "a/archive/x.zip",
	} {
		if got := repositoryPath(mustParse(t, at)); got != want {
			t.Errorf("%s: got %q, want %q", at, got, want)
		}
	}
}

// FuzzGit holds that an answer is a login for the host that was asked for, fit for a header, and that no error quotes it.
func FuzzGit(f *testing.F) {
	f.Add("capability[]=authtype\nauthtype=Bearer\ncredential=" + canary + "\nprotocol=https\nhost=example.com\n")
	f.Add("protocol=https\nhost=example.com\nusername=bob\npassword=" + canary + "\npassword_expiry_utc=1900000000\n")
	f.Add("protocol=https\nhost=example.com\nhost=example.org\npassword=" + canary + "\r\n")
	f.Add(canary)
	u := mustParse(f, "https://example.com/")
	f.Fuzz(func(t *testing.T, out string) {
		values, err := parseGit([]byte(out), u, juliaNow)
		if err != nil {
			if strings.Contains(err.Error(), canary) {
				t.Errorf("%q: the secret is in the error: %v", out, err)
			}
			return
		}
		if lines := strings.Split(strings.ToLower(out), "\n"); !slices.Contains(lines, "host=example.com") || !slices.Contains(lines, "protocol=https") {
			t.Errorf("%q gives example.com a login", out)
		}
		if values[Default].IsZero() || values[Password].IsZero() == values[Header("Authorization")].IsZero() {
			t.Errorf("%q gives %v", out, values)
		}
		for binding, value := range values {
			if strings.ContainsAny(value.Reveal(), "\r\n\x00") {
				t.Errorf("%q: %s has a control character", out, binding)
			}
		}
		if values[Expires].IsZero() != values.Expiry().IsZero() {
			t.Errorf("%q: the end is %s", out, values[Expires].Reveal())
		}
	})
}
