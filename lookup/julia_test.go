package lookup

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/internal/httpclient"
	"github.com/fe055d52/credential-helper/internal/peertest"
)

// juliaNow is the time in the tests, and that at which their files were changed last.
var juliaNow = time.Date(2026, 5, 17, 12, 0, 0, 0, time.UTC)

// juliaSources returns sources whose clock stands.
func juliaSources(t testing.TB, vars map[string]string) *Sources {
	t.Helper()
	s := newSources(t, vars)
	s.Env.Now = func() time.Time { return juliaNow }
	s.Client = httpclient.New("test")
	return s
}

// writeJulia writes an auth.toml for a host, whose directory is name, as the test's time says.
func writeJulia(t testing.TB, s *Sources, name, content string) string {
	t.Helper()
	path := write(t, s, ".julia/servers/"+name+"/auth.toml", content)
	if err := os.Chtimes(path, juliaNow, juliaNow); err != nil {
		t.Fatal(err)
	}
	return path
}

// in returns what a TOML number of seconds after the test's time is.
func in(d time.Duration) string { return fmt.Sprint(juliaNow.Add(d).Unix()) }

func rfc(d time.Duration) string { return juliaNow.Add(d).Format(time.RFC3339) }

func TestJulia(t *testing.T) {
	const (
		token = "access_token = \"" + canary + "\"\n"
		file  = "~/.julia/servers/pkg.acme.test/auth.toml"
		hint  = "log in to the Pkg server anew, or move the file away"
	)
	plain := outcome{values: "default=" + canary + " token=" + canary}
	until := func(d time.Duration) outcome {
		return outcome{values: "default=" + canary + " expires=" + rfc(d) + " token=" + canary}
	}
	none := outcome{kind: "not found", err: file + " does not exist"}
	bad := func(line, why string) outcome {
		return outcome{kind: "broken", err: "reading Julia's login in " + file + line + ": " + why, hint: hint}
	}
	for _, tt := range []struct {
		name, dir, file, url string
		want                 outcome
	}{
		{"a token", "pkg.acme.test", token, "https://pkg.acme.test/registries", plain},
		{"upper case", "pkg.acme.test", token, "https://PKG.Acme.Test/registries", plain},
		{"the scheme's port", "pkg.acme.test", token, "https://pkg.acme.test:443/registries", plain},
		{"a port", "pkg.acme.test_8443", token, "https://pkg.acme.test:8443/", plain},
		{"loopback", "localhost_8000", token, "http://localhost:8000/", plain},
		{"a loopback address", "127.0.0.1_8000", token, "http://127.0.0.1:8000/", plain},
		{"IPv6", "[__1]_8000", token, "http://[::1]:8000/", plain},
		{"Windows lines", "pkg.acme.test", "expires_at = " + in(time.Hour) + "\r\n" + strings.TrimSpace(token) + "\r\n", "https://pkg.acme.test", until(time.Hour)},
		{"a byte order mark", "pkg.acme.test", "\xef\xbb\xbf" + token, "https://pkg.acme.test", plain},
		{"other keys", "pkg.acme.test", token + "user_name = \"bob\"\n[more]\naccess_token = 3\n", "https://pkg.acme.test", plain},
		{"expires_at", "pkg.acme.test", token + "expires_at = " + in(time.Hour), "https://pkg.acme.test", until(time.Hour)},
		{"expires_at with a fraction", "pkg.acme.test", token + "expires_at = " + in(time.Hour) + ".75", "https://pkg.acme.test", until(time.Hour)},
		{"expires_at with an exponent", "pkg.acme.test", token + "expires_at = 1.9e9", "https://pkg.acme.test", outcome{values: "default=" + canary + " expires=2030-03-17T17:46:40Z token=" + canary}},
		{"expires_in", "pkg.acme.test", token + "expires_in = 7200", "https://pkg.acme.test", until(2 * time.Hour)},
		{"the earlier of both", "pkg.acme.test", token + "expires_in = 7200\nexpires_at = " + in(time.Hour), "https://pkg.acme.test", until(time.Hour)},
		{"the earlier of both, the other way", "pkg.acme.test", token + "expires_in = 3600.5\nexpires_at = " + in(2*time.Hour), "https://pkg.acme.test", until(time.Hour)},
		{"no end", "pkg.acme.test", token + "expires_at = inf", "https://pkg.acme.test", plain},
		{"an end beyond the calendar", "pkg.acme.test", token + "expires_at = 1e300", "https://pkg.acme.test", plain},
		{"ten minutes left", "pkg.acme.test", token + "refresh_url = \"https://pkg.acme.test/x\"\nrefresh_token = \"r\"\nexpires_at = " + in(10*time.Minute), "https://pkg.acme.test", until(10 * time.Minute)},
		{"soon to end, and nothing to renew it", "pkg.acme.test", token + "expires_at = " + in(time.Minute), "https://pkg.acme.test", until(time.Minute)},
		{"ended, and nothing to renew it", "pkg.acme.test", token + "expires_at = " + in(-time.Minute), "https://pkg.acme.test", plain},
		{"ended long ago", "pkg.acme.test", token + "expires_at = -inf", "https://pkg.acme.test", plain},
		{"ended, and no refresh token", "pkg.acme.test", token + "refresh_url = \"https://pkg.acme.test/x\"\nexpires_in = 0", "https://pkg.acme.test", plain},
		{"ended, and an empty refresh token", "pkg.acme.test", token + "refresh_url = \"https://pkg.acme.test/x\"\nrefresh_token = \"\"\nexpires_in = 0", "https://pkg.acme.test", plain},
		{"ended, and an insecure refresh URL", "pkg.acme.test", token + "refresh_url = \"http://pkg.acme.test/x\"\nrefresh_token = \"r\"\nexpires_in = 0", "https://pkg.acme.test", plain},
		{"ended, and a refresh URL that is none", "pkg.acme.test", token + "refresh_url = \"renew\"\nrefresh_token = \"r\"\nexpires_in = 0", "https://pkg.acme.test", plain},

		{"another host", "pkg.acme.org", token, "https://pkg.acme.test", none},
		{"a host that ends alike", "pkg.acme.test", token, "https://evilpkg.acme.test", outcome{kind: "not found", err: "~/.julia/servers/evilpkg.acme.test/auth.toml does not exist"}},
		{"a host that begins alike", "pkg.acme.test", token, "https://pkg.acme.test.evil.test", outcome{kind: "not found", err: "~/.julia/servers/pkg.acme.test.evil.test/auth.toml does not exist"}},
		{"another port", "pkg.acme.test_8443", token, "https://pkg.acme.test", none},
		{"a port that the file has not", "pkg.acme.test", token, "https://pkg.acme.test:8443", outcome{kind: "not found", err: "~/.julia/servers/pkg.acme.test_8443/auth.toml and ~/.julia/servers/pkg.acme.test:8443/auth.toml do not exist"}},
		{"a name like a port's directory", "pkg_8443", token, "https://pkg_8443", outcome{kind: "not found", err: "Julia's logins do not tell the host pkg_8443 from one with a port"}},
		{"not encrypted", "pkg.acme.test", token, "http://pkg.acme.test", outcome{kind: "not found", err: "Julia's logins are sent over https, or to this machine, and not to http://pkg.acme.test"}},
		{"gRPC", "pkg.acme.test", token, "grpcs://pkg.acme.test", outcome{kind: "not found", err: "Julia's logins are sent over https, or to this machine, and not to grpcs://pkg.acme.test"}},
		{"a name below localhost", "x.localhost", token, "http://x.localhost", outcome{kind: "not found", err: "Julia's logins are sent over https, or to this machine, and not to http://x.localhost"}},
		{"all hosts of a domain", "pkg.acme.test", token, "https://*.acme.test/", outcome{kind: "not found", err: "Julia's logins are for one server each, not for *.acme.test"}},
		{"empty", "pkg.acme.test", "", "https://pkg.acme.test", outcome{kind: "not found", err: file + " has no access token"}},
		{"an empty token", "pkg.acme.test", "access_token = ''", "https://pkg.acme.test", outcome{kind: "not found", err: file + " has no access token"}},
		{"a variable is no variable", "pkg.acme.test", "access_token = \"${UNDEFINED}\"", "https://pkg.acme.test", outcome{values: "default=${UNDEFINED} token=${UNDEFINED}"}},

		{"no quotes", "pkg.acme.test", "# mine\naccess_token = " + canary + "\n", "https://pkg.acme.test", bad(":2", "it is not TOML")},
		{"no end of the quotes", "pkg.acme.test", "access_token = \"" + canary + "\n", "https://pkg.acme.test", bad(":1", "it is not TOML")},
		{"two tokens", "pkg.acme.test", token + token, "https://pkg.acme.test", bad(":2", "it is not TOML")},
		{"not UTF-8", "pkg.acme.test", "access_token = \"\xff" + canary + "\"\n", "https://pkg.acme.test", bad(":1", "it is not TOML")},
		{"JSON", "pkg.acme.test", `{"access_token": "` + canary + `"}`, "https://pkg.acme.test", bad(":1", "it is not TOML")},
		{"a token that is a number", "pkg.acme.test", "access_token = 12", "https://pkg.acme.test", bad("", `"access_token" is not a string`)},
		{"a token that is a table", "pkg.acme.test", "[access_token]\nx = 1", "https://pkg.acme.test", bad("", `"access_token" is not a string`)},
		{"a token with a line break", "pkg.acme.test", `access_token = "a\n` + canary + `"`, "https://pkg.acme.test", bad("", `"access_token" cannot be sent: the value has a line break`)},
		{"a refresh token that is a list", "pkg.acme.test", token + "refresh_token = []", "https://pkg.acme.test", bad("", `"refresh_token" is not a string`)},
		{"a refresh URL that is a date", "pkg.acme.test", token + "refresh_url = 2026-01-01", "https://pkg.acme.test", bad("", `"refresh_url" is not a string`)},
		{"an end that is a text", "pkg.acme.test", token + `expires_at = "12"`, "https://pkg.acme.test", bad("", `"expires_at" is not a number of seconds`)},
		{"an end that is a date", "pkg.acme.test", token + `expires_at = 2026-01-01T00:00:00Z`, "https://pkg.acme.test", bad("", `"expires_at" is not a number of seconds`)},
		{"an end that is no number", "pkg.acme.test", token + `expires_at = nan`, "https://pkg.acme.test", bad("", `"expires_at" is not a number of seconds`)},
		{"a life that is true", "pkg.acme.test", token + `expires_in = true`, "https://pkg.acme.test", bad("", `"expires_in" is not a number of seconds`)},
		{"too large", "pkg.acme.test", token + strings.Repeat("#", maxJulia), "https://pkg.acme.test", bad("", "it is larger than 32768 bytes")},
		{"far too large", "pkg.acme.test", token + strings.Repeat("#", maxNative), "https://pkg.acme.test", outcome{kind: "broken", err: "reading " + file + ": it is larger than 1048576 bytes"}},
		{"deeply nested", "pkg.acme.test", "x = " + strings.Repeat("[", maxJulia-10), "https://pkg.acme.test", bad(":1", "it is not TOML")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			notOnWindows(t) // for the slashes in what is expected, and the colons in a path
			s := juliaSources(t, nil)
			writeJulia(t, s, tt.dir, tt.file)
			expect(t, s, decodeOne(t, s, `{"source": "julia"}`), ask(t, tt.url), tt.want)
		})
	}
}

func TestJuliaPlaces(t *testing.T) {
	notOnWindows(t)
	token := func(name string) string { return "access_token = \"" + name + "\"" }
	found := func(name string) outcome { return outcome{values: "default=" + name + " token=" + name} }
	for _, tt := range []struct {
		name   string
		vars   map[string]string
		files  []string
		url    string
		modify func(*Sources)
		want   outcome
	}{
		{name: "the first depot", vars: map[string]string{"JULIA_DEPOT_PATH": "~/depot:~/other"}, files: []string{"depot", "other", ".julia"}, want: found("depot")},
		{name: "the first depot alone", vars: map[string]string{"JULIA_DEPOT_PATH": "~/depot:~/other"}, files: []string{"other", ".julia"}, want: outcome{kind: "not found", err: "~/depot/servers/pkg.acme.test/auth.toml does not exist"}},
		{name: "an empty first entry", vars: map[string]string{"JULIA_DEPOT_PATH": ":~/other"}, files: []string{"other", ".julia"}, want: found(".julia")},
		{name: "an empty last entry", vars: map[string]string{"JULIA_DEPOT_PATH": "~/depot:"}, files: []string{"depot", ".julia"}, want: found("depot")},
		{name: "the home directory", vars: map[string]string{"JULIA_DEPOT_PATH": "~"}, files: []string{"."}, want: found(".")},
		{name: "a prefix of ours is none of Julia's", vars: map[string]string{"JULIA_DEPOT_PATH": "%workdir%/x"}, files: []string{".julia"}, want: outcome{kind: "not found", err: "~/proj/%workdir%/x/servers/pkg.acme.test/auth.toml does not exist"}},
		{name: "no depot", vars: map[string]string{"JULIA_DEPOT_PATH": ""}, files: []string{".julia"}, want: outcome{kind: "not found", err: "Julia has no depot, and so no logins: $JULIA_DEPOT_PATH is empty"}},
		{name: "from the working directory", vars: map[string]string{"JULIA_DEPOT_PATH": "depot"}, files: []string{"proj/depot", ".julia"}, want: found("proj/depot")},
		{name: "not from the working directory", vars: map[string]string{"JULIA_DEPOT_PATH": "depot"}, files: []string{"proj/depot", ".julia"}, modify: func(s *Sources) { s.Env.UserOnly = true }, want: outcome{kind: "not found", err: "Julia's first depot is relative to the working directory ($JULIA_DEPOT_PATH), which is not looked into here"}},
		{name: "the user's alone", files: []string{".julia"}, modify: func(s *Sources) { s.Env.UserOnly = true }, want: found(".julia")},
		{name: "no home", modify: func(s *Sources) { s.Env.Home = "" }, want: outcome{kind: "not found", err: "Julia's depot cannot be found: there is no home directory"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := juliaSources(t, tt.vars)
			for _, name := range tt.files {
				write(t, s, name+"/servers/pkg.acme.test/auth.toml", token(name))
			}
			if tt.modify != nil {
				tt.modify(s)
			}
			shown := s
			if s.Env.Home == "" {
				shown = nil
			}
			expect(t, shown, s.Julia(), ask(t, "https://pkg.acme.test/registries"), tt.want)
		})
	}

	for _, tt := range []struct {
		name, server string
		dirs         []string
		url          string
		want         outcome
	}{
		{"as the variable spells it", "https://Pkg.Acme.Test/", []string{"Pkg.Acme.Test", "pkg.acme.test"}, "https://pkg.acme.test", found("Pkg.Acme.Test")},
		{"without a scheme", "Pkg.Acme.Test", []string{"Pkg.Acme.Test"}, "https://pkg.acme.test", found("Pkg.Acme.Test")},
		{"with the scheme's port", "https://pkg.acme.test:443/julia", []string{"pkg.acme.test_443"}, "https://pkg.acme.test", found("pkg.acme.test_443")},
		{"of another host", "https://pkg.acme.org", []string{"pkg.acme.org"}, "https://pkg.acme.test", outcome{kind: "not found", err: "~/.julia/servers/pkg.acme.test/auth.toml does not exist"}},
		{"with a user", "https://bob:x@pkg.acme.test", []string{"bob_x@pkg.acme.test"}, "https://pkg.acme.test", outcome{kind: "not found", err: "~/.julia/servers/pkg.acme.test/auth.toml does not exist"}},
		{"a path", "https://../pkg.acme.test", []string{"..", "pkg.acme.test"}, "https://pkg.acme.test", found("pkg.acme.test")},
		{"an old client's directory", "", []string{"pkg.acme.test:8443"}, "https://pkg.acme.test:8443", found("pkg.acme.test:8443")},
		{"not an old client's directory", "", []string{"pkg.acme.test:8443", "pkg.acme.test_8443"}, "https://pkg.acme.test:8443", found("pkg.acme.test_8443")},
	} {
		t.Run("$JULIA_PKG_SERVER "+tt.name, func(t *testing.T) {
			s := juliaSources(t, map[string]string{"JULIA_PKG_SERVER": tt.server})
			for _, dir := range tt.dirs {
				write(t, s, ".julia/servers/"+dir+"/auth.toml", token(dir))
			}
			expect(t, s, s.Julia(), ask(t, tt.url), tt.want)
		})
	}
}

func TestJuliaFileIsNone(t *testing.T) {
	notOnWindows(t)
	s := juliaSources(t, nil)
	path := filepath.Join(s.Env.Home, ".julia", "servers", "pkg.acme.test", "auth.toml")
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
	expect(t, s, s.Julia(), ask(t, "https://pkg.acme.test"), outcome{kind: "broken", err: "reading ~/.julia/servers/pkg.acme.test/auth.toml: it is a directory"})
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	writeJulia(t, s, "pkg.acme.test", "access_token = \""+canary+"\"")
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	unprivileged(t, s, func() {
		expect(t, s, s.Julia(), ask(t, "https://pkg.acme.test"), outcome{kind: "broken", err: "reading ~/.julia/servers/pkg.acme.test/auth.toml: permission denied"})
	})
}

// unprivileged runs test as somebody for whom the modes of files count. Where that is not this user, the user is somebody else for a moment, whom all below the home directory belongs to.
func unprivileged(t *testing.T, s *Sources, test func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		test()
		return
	}
	const nobody = 65534
	for dir := filepath.Dir(s.Env.Home); dir != os.TempDir(); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	err := filepath.Walk(s.Env.Home, func(path string, _ os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, nobody, nobody)
	})
	if err != nil {
		t.Fatal(err)
	}
	peertest.AsUser(t, nobody, test)
}

func TestJuliaKeys(t *testing.T) {
	s := juliaSources(t, nil)
	for hosts, want := range map[string]string{
		`["https://x.test"]`:   `config.json:1:56: "https://x.test" is not a host: write it without a scheme and a path, as HOST or HOST:PORT`,
		`["*.x.test"]`:         `config.json:1:56: "*.x.test" is a wildcard; name each host`,
		`["169.254.169.254"]`:  `config.json:1:56: "169.254.169.254" is a link-local, multicast, unspecified or metadata address, which is never trusted`,
		`["Login.X.test:443"]`: "",
	} {
		c, err := decodeChain(s, `[{"source": "julia", "refresh_hosts": `+hosts+`}]`)
		if sprint(err) != want {
			t.Errorf("%s:\n got %v\nwant %s", hosts, err, want)
		}
		if want == "" && (!c.HostBound() || c.PathBound() || c[0].Source.Name() != "Julia's login") {
			t.Errorf("%s: %+v", hosts, c)
		}
	}
}

// FuzzJulia holds that no file gives a login without having it, that no error quotes the file, and that the end of a login is one that can be written down.
func FuzzJulia(f *testing.F) {
	f.Add("access_token = \"" + canary + "\"\nexpires_at = 1.7e9\nexpires_in = 3600\n")
	f.Add("access_token = '''" + canary)
	f.Add("access_token." + canary + " = 1\naccess_token = 2")
	f.Add("[access_token]\n[[x]]\na = {b = [nan, 2026-01-01T00:00:00Z]}\n\"" + canary + "\" = \"\\u12\"")
	f.Add("expires_in = -inf\nrefresh_url = \"https://" + canary + "@x/\"\naccess_token = \"\\r\"")
	f.Fuzz(func(t *testing.T, file string) {
		l, err := parseJulia([]byte(file), juliaNow)
		if err != nil {
			told := juliaError("auth.toml", err)
			if o := outcomeOf(nil, nil, told); strings.Contains(o.err+o.hint, canary) {
				t.Errorf("%q: the secret is in the error: %+v", file, o)
			}
			return
		}
		if l.token == "" || strings.ContainsAny(l.token, "\r\n\x00") || math.IsNaN(l.expires) {
			t.Errorf("%q gives %+v", file, l)
		}
		if !strings.Contains(file, "access_token") && !strings.Contains(file, `\`) {
			t.Errorf("%q gives a token without naming it", file)
		}
		values := l.values()
		if _, ok := values[Expires]; ok && values.Expiry().IsZero() {
			t.Errorf("%q ends at %v, which is no time", file, l.expires)
		}
		// What is written down is read again.
		answer := l
		if again, err := parseJulia(mustTOML(t, l.succeeded(&answer, 0)), juliaNow); err != nil || again.token != l.token {
			t.Errorf("%q does not survive: %v", file, err)
		}
	})
}
