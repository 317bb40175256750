package config

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/peertest"
	"github.com/fe055d52/credential-helper/internal/place"
	"github.com/fe055d52/credential-helper/internal/strictjson"
)

// fake is a helper that records the rule it was built for.
type fake struct {
	rule  helpers.Rule
	bound bool
	token string
}

func (f *fake) HostBound() bool               { return f.bound }
func (f *fake) Scope(*url.URL) (string, bool) { return "", true }
func (f *fake) Credential(context.Context, *url.URL) (helpers.Credential, error) {
	return helpers.Credential{}, nil
}

func (f *fake) Headers(context.Context, *url.URL, helpers.Credential) (helpers.Response, error) {
	return helpers.Response{}, nil
}

var kinds = Kinds{
	"fake": {New: func(r helpers.Rule, o *strictjson.Object) helpers.Helper {
		f := &fake{rule: r}
		o.String("token", &f.token)
		return f
	}},
	"bound": {Anonymous: true, New: func(helpers.Rule, *strictjson.Object) helpers.Helper { return &fake{bound: true} }},
	"s3":    {},
}

func request(t *testing.T, raw string) *url.URL {
	t.Helper()
	req, err := helpers.ParseRequest(raw)
	if err != nil {
		t.Fatal(err)
	}
	return req.URL
}

func TestParseErrors(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"top-level typo", `{"url": []}`, `f:1:2: unknown key "url" (did you mean "urls"?)`},
		{"rule typo", "{\"urls\": [\n {\"hots\": \"a.test\", \"helper\": \"fake\"}]}", `f:2:3: unknown key "hots" (did you mean "host"?)`},
		{"typo in the helper's config", `{"urls": [{"host": "a.test", "helper": "fake", "config": {"tokne": "x"}}]}`, `f:1:59: unknown key "tokne" (did you mean "token"?)`},
		{"typo in a later rule", `{"urls": [{"host": "a.test", "helper": "fake"}, {"host": "b.test", "helper": "fake", "conifg": {}}]}`, `f:1:86: unknown key "conifg" (did you mean "config"?)`},
		{"no helper", `{"urls": [{"host": "a.test"}]}`, `f:1:11: the rule needs a "helper": one of bound, fake`},
		{"unknown helper", `{"urls": [{"host": "a.test", "helper": "fkae"}]}`, `f:1:40: unknown helper "fkae" (did you mean "fake"?); known are bound, fake`},
		{"scheme", `{"urls": [{"scheme": "htps", "host": "a.test", "helper": "fake"}]}`, `f:1:22: "scheme" takes one of "https", "http", "grpcs", "grpc", "", not "htps" (did you mean "https"?)`},
		{"URL as host", `{"urls": [{"host": "https://a.test/", "helper": "fake"}]}`, `f:1:20: "host" takes a host like "example.com" or "*.example.com", not "https://a.test/"; a path goes into "path"`},
		{"user info in the host", `{"urls": [{"host": "bob@a.test", "helper": "fake"}]}`, `f:1:20: "host" takes a host like "example.com" or "*.example.com", not "bob@a.test"`},
		{"international host", `{"urls": [{"host": "ä.test", "helper": "fake"}]}`, `f:1:20: "host" is not ASCII; write the international name "ä.test" in its xn-- form`},
		{"path without slash", `{"urls": [{"host": "a.test", "path": "x/*", "helper": "fake"}]}`, `f:1:38: "x/*" can never match: every path begins with "/"; write "/x/*", or "*x/*" for any path that ends so`},
		{"host of another type", `{"urls": [{"host": ["a.test"], "helper": "fake"}]}`, `f:1:20: "host" takes a string, not an array`},
		{"urls of another type", `{"urls": {}}`, `f:1:10: "urls" takes an array of objects, not an object`},
		{"on_missing", `{"urls": [{"host": "a.test", "helper": "fake", "config": {"on_missing": "ignore"}}]}`, `f:1:73: "on_missing" takes one of "fail", "anonymous", not "ignore"`},
		{"allow_http", `{"urls": [{"host": "a.test", "helper": "fake", "config": {"allow_http": "yes"}}]}`, `f:1:73: "allow_http" takes true or false, not a string`},
		{"secret for every host", `{"urls": [{"helper": "fake"}]}`, `f:1:11: a rule with a secret needs a "host": without one the secret would be sent to every host there is`},
		{"empty host", `{"urls": [{"host": "", "helper": "fake"}]}`, `f:1:20: a rule with a secret needs a "host": without one the secret would be sent to every host there is`},
		{"IPv6 without brackets", `{"urls": [{"host": "::1", "helper": "fake"}]}`, `f:1:20: "::1" can never match: an IPv6 address stands in brackets, like "[::1]"`},
		{"IPv6 without an end", `{"urls": [{"host": "[::1", "helper": "fake"}]}`, `f:1:20: "[::1" can never match: an IPv6 address stands in brackets, and a port behind a colon: "[::1]:8443"`},
		{"IPv6 and a port without a colon", `{"urls": [{"host": "[::1]8443", "helper": "fake"}]}`, `f:1:20: "[::1]8443" can never match: an IPv6 address stands in brackets, and a port behind a colon: "[::1]:8443"`},
		{"no IPv6", `{"urls": [{"host": "[127.0.0.1]", "helper": "fake"}]}`, `f:1:20: "[127.0.0.1]" can never match: the host is not an IPv6 address without a zone`},
		{"a letter that becomes ASCII", `{"urls": [{"host": "gİthub.test", "helper": "fake"}]}`, `f:1:20: "host" is not ASCII; write the international name "gİthub.test" in its xn-- form`},
		{"no IPv6 glob", `{"urls": [{"host": "[*.test]", "helper": "fake"}]}`, `f:1:20: "[*.test]" can never match: the host is not an IPv6 address without a zone`},
		{"no port", `{"urls": [{"host": "a.test:https", "helper": "fake"}]}`, `f:1:20: "a.test:https" can never match: the port is not a number from 1 to 65535`},
		{"no port glob", `{"urls": [{"host": "a.test:4*s", "helper": "fake"}]}`, `f:1:20: "a.test:4*s" can never match: the port is not a number from 1 to 65535`},
		{"port too large", `{"urls": [{"host": "a.test:65536", "helper": "fake"}]}`, `f:1:20: "a.test:65536" can never match: the port is not a number from 1 to 65535`},
		{"port alone", `{"urls": [{"host": ":443", "helper": "bound"}]}`, `f:1:20: ":443" can never match: the host has an empty label`},
		{"empty label", `{"urls": [{"host": "a..test", "helper": "fake"}]}`, `f:1:20: "a..test" can never match: the host has an empty label`},
		{"empty label in a glob", `{"urls": [{"host": "*..test", "helper": "fake"}]}`, `f:1:20: "*..test" can never match: the host has an empty label`},
		{"dot for a star", `{"urls": [{"host": ".a.test", "helper": "fake"}]}`, `f:1:20: ".a.test" can never match: the host has an empty label`},
		{"character", `{"urls": [{"host": "*.a$.test", "helper": "fake"}]}`, `f:1:20: "*.a$.test" can never match: the host has the character '$'`},
		{"hex address", `{"urls": [{"host": "0x7f000001", "helper": "fake"}]}`, `f:1:20: "0x7f000001" can never match: the host looks like an IP address and is none`},
		{"star and port", `{"urls": [{"host": "*:443", "helper": "fake"}]}`, `f:1:20: a rule with a secret needs a "host": without one the secret would be sent to every host there is`},
		{"star and another port", `{"urls": [{"host": "*:8443", "helper": "fake"}]}`, `f:1:20: a rule with a secret needs a "host": without one the secret would be sent to every host there is`},
		{"every IPv6 address", `{"urls": [{"host": "[*]:8443", "helper": "fake"}]}`, `f:1:20: a rule with a secret needs a "host": without one the secret would be sent to every host there is`},
		{"public suffix", `{"urls": [{"host": "*.com", "helper": "fake"}]}`, `f:1:20: a rule with a secret needs a "host" of one owner: "*.com" matches all of "com", where the secret would be sent to hosts of anybody`},
		{"public suffix and port", `{"urls": [{"host": "*.CO.uk.:443", "helper": "fake"}]}`, `f:1:20: a rule with a secret needs a "host" of one owner: "*.co.uk:443" matches all of "co.uk", where the secret would be sent to hosts of anybody`},
		{"star for a host", `{"urls": [{"host": "*", "helper": "fake"}]}`, `f:1:20: a rule with a secret needs a "host": without one the secret would be sent to every host there is`},
		{"stars for a host", `{"urls": [{"host": "*.*:*", "helper": "fake"}]}`, `f:1:20: a rule with a secret needs a "host": without one the secret would be sent to every host there is`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("f", []byte(tt.in), kinds, false)
			if err == nil || err.Error() != tt.want {
				t.Errorf("\n got %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestParseAccepts(t *testing.T) {
	for _, in := range []string{
		`{}`,
		`{"urls": []}`,
		`{"$schema": "x", "use_defaults": true}`,
		`{"urls": [{"helper": "bound"}]}`,
		`{"urls": [{"host": "*:8443", "helper": "bound"}]}`,
		`{"urls": [{"host": "*.com", "helper": "bound"}]}`,
		`{"urls": [{"host": "*.github.io", "helper": "fake"}]}`,
		`{"urls": [{"host": "*.corp:*", "helper": "fake"}]}`,
		`{"urls": [{"host": "a.test", "helper": "s3", "config": {"region": "us-east-1"}}]}`,
		`{"urls": [{"scheme": "", "host": "A.test", "path": "", "helper": "fake", "config": {}}]}`,
	} {
		if _, err := Parse("f", []byte(in), kinds, false); err != nil {
			t.Errorf("%s: %v", in, err)
		}
	}
}

func TestMatches(t *testing.T) {
	for _, tt := range []struct {
		rule, url string
		want      bool
	}{
		{`"host": "a.test"`, "https://a.test/x", true},
		{`"host": "A.Test."`, "https://a.test/x", true},
		{`"host": "a.test"`, "https://A.TEST./x", true},
		{`"host": "a.test"`, "https://a.test:443/x", true},
		{`"host": "a.test"`, "https://a.test:8443/x", false},
		{`"host": "a.test"`, "http://a.test:443/x", false},
		{`"host": "a.test:443"`, "https://a.test/x", true},
		{`"host": "a.test:8443"`, "https://a.test:8443/x", true},
		{`"host": "a.test:8443"`, "https://a.test/x", false},
		{`"host": "a.test:*"`, "https://a.test/x", true},
		{`"host": "a.test:*"`, "https://a.test:8443/x", true},
		{`"host": "*.a.test"`, "https://b.a.test/", true},
		{`"host": "*.a.test"`, "https://*.a.test/", true},
		{`"host": "b.a.test"`, "https://*.a.test/", false},
		{`"host": "*.a.test"`, "https://a.test/", false},
		{`"host": "a.test"`, "https://a.test.evil.test/", false},
		{`"host": "a.test"`, "https://evila.test/", false},
		{`"host": "[::1]:5000"`, "http://[::1]:5000/", true},
		{`"host": "[::1]"`, "http://[::1]/", true},
		{`"host": "[::1]"`, "http://[::1]:5000/", false},
		{`"host": "[0:0::1]"`, "http://[::1]/", true},
		{`"host": "[0:0::1]:05000"`, "http://[::1]:5000/", true},
		{`"host": "[2001:DB8:*]:*"`, "https://[2001:db8::1]/", true},
		{`"host": "a.test.:443"`, "https://a.test/", true},
		{`"host": "a.test.:08443"`, "https://a.test:8443/", true},
		{`"host": "a.test:"`, "https://a.test/", true},
		{`"host": "a.test:"`, "https://a.test:8443/", false},
		{`"host": "*.a.test."`, "https://b.a.test/", true},
		{`"host": "*.a.test.:443"`, "https://b.a.test/", true},
		{`"host": "*.0.0.1"`, "http://127.0.0.1/", true},
		{`"host": "127.*.0.1:5*"`, "http://127.0.0.1:5000/", true},
		{`"host": "a.*"`, "https://a.test:8443/", true},
		{`"host": "a.test", "scheme": "https"`, "https://a.test/", true},
		{`"host": "a.test", "scheme": "https"`, "http://a.test/", false},
		{`"host": "a.test", "path": "/org-a/*"`, "https://a.test/org-a/x", true},
		{`"host": "a.test", "path": "/org-a/*"`, "https://a.test/org-b/x", false},
		{`"host": "a.test", "path": "/org-a/*"`, "https://a.test//org-a/x", true},
		{`"host": "a.test", "path": "/public/*"`, "https://a.test///public//x", true},
		{`"host": "a.test", "path": "/public/*"`, "https://a.test/%2Fpublic/x", true},
		{`"host": "a.test", "path": "/public//*"`, "https://a.test/public/x", true},
		{`"host": "a.test", "path": "/public"`, "https://a.test//public", true},
		{`"host": "a.test", "path": "*"`, "https://a.test", true},
		{`"host": "a.test", "path": "/a/*"`, "https://a.test/a%2Fb", true},
		{`"host": "a.test", "path": "/A/*"`, "https://a.test/a/b", false},
	} {
		f, err := Parse("f", []byte(`{"urls": [{"helper": "fake", `+tt.rule+`}]}`), kinds, false)
		if err != nil {
			t.Fatalf("%s: %v", tt.rule, err)
		}
		if got := f.Rules[0].Matches(request(t, tt.url)); got != tt.want {
			t.Errorf("%s for %s: %v", tt.rule, tt.url, got)
		}
	}
}

// machine is an environment with a workspace, a home and no variables.
func machine(t *testing.T, vars map[string]string) *env.Env {
	t.Helper()
	root := t.TempDir()
	e := &env.Env{
		Get:       func(name string) (string, bool) { v, ok := vars[name]; return v, ok },
		Dir:       filepath.Join(root, "ws", "sub"),
		Home:      filepath.Join(root, "home"),
		ConfigDir: filepath.Join(root, "home", ".config"),
		CacheDir:  filepath.Join(root, "home", ".cache"),
	}
	write(t, filepath.Join(root, "ws", "MODULE.bazel"), "")
	if err := os.MkdirAll(e.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return e
}

func userFile(e *env.Env) string { return place.ConfigFiles("", e.ConfigDir)[0] }

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func builtIn() ([]Rule, error) {
	f, err := Parse("built-in", []byte(`{"urls": [{"host": "builtin.test", "helper": "bound"}]}`), kinds, true)
	return f.Rules, err
}

func rule(host string) string { return fmt.Sprintf(`{"host": %q, "helper": "fake"}`, host) }

func TestLoad(t *testing.T) {
	const builtin = "https://builtin.test/"
	for _, tt := range []struct {
		name, workspace, user string
		url                   string
		want                  string // the place of the rule, by its file; "" for no rule
	}{
		{name: "no file: the built-in table", url: builtin, want: "built-in"},
		{name: "workspace first", workspace: `{"urls": [` + rule("a.test") + `]}`, user: `{"urls": [` + rule("a.test") + `]}`, url: "https://a.test/", want: place.WorkspaceFile},
		{name: "then the user's", workspace: `{"urls": [` + rule("a.test") + `]}`, user: `{"urls": [` + rule("b.test") + `]}`, url: "https://b.test/", want: "config.json"},
		{name: "a file without a match gives nothing", workspace: `{"urls": [` + rule("a.test") + `]}`, url: builtin},
		{name: "an empty file gives nothing", user: `{}`, url: builtin},
		{name: "unless it says so", workspace: `{"use_defaults": true, "urls": [` + rule("a.test") + `]}`, url: builtin, want: "built-in"},
		{name: "a file wins over the built-in table", user: `{"use_defaults": true, "urls": [` + rule("builtin.test") + `]}`, url: builtin, want: "config.json"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := machine(t, nil)
			if tt.workspace != "" {
				write(t, filepath.Join(e.Dir, "..", place.WorkspaceFile), tt.workspace)
			}
			if tt.user != "" {
				write(t, userFile(e), tt.user)
			}
			routes, err := Load(e, kinds, builtIn)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if r := routes.Match(request(t, tt.url)); r != nil {
				got = r.Place
			}
			if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("served by %q, want %q", got, tt.want)
			}
		})
	}
}

func TestLoadNamedFile(t *testing.T) {
	vars := map[string]string{}
	e := machine(t, vars)
	write(t, filepath.Join(e.Dir, "..", place.WorkspaceFile), `{"broken`)
	write(t, userFile(e), `{"broken`)
	write(t, filepath.Join(e.Home, "own.json"), `{"urls": [`+rule("a.test")+`]}`)

	vars[env.VarConfigFile] = "~/own.json"
	routes, err := Load(e, kinds, builtIn)
	if err != nil {
		t.Fatalf("the named file is read alone: %v", err)
	}
	if routes.Match(request(t, "https://a.test/")) == nil {
		t.Error("the named file's rule is not there")
	}

	vars[env.VarConfigFile] = "%workspace%/none.json"
	_, err = Load(e, kinds, builtIn)
	var hint *helpers.HintError
	if err == nil || !strings.Contains(err.Error(), "none.json: it does not exist") || !errors.As(err, &hint) {
		t.Errorf("a named file that is not there: %v", err)
	}
}

func TestLoadErrors(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func(t *testing.T, path string)
		want string
	}{
		{"malformed", func(t *testing.T, path string) { write(t, path, "{\n\"urls\": [,]}") }, `:2:10: not valid JSON: a value is wanted here, not ","`},
		{"empty", func(t *testing.T, path string) { write(t, path, "") }, ":1:1: the file is empty; the least it may hold is {}"},
		{"directory", func(t *testing.T, path string) {
			if err := os.MkdirAll(path, 0o755); err != nil {
				t.Fatal(err)
			}
		}, ": it is a directory"},
		{"too large", func(t *testing.T, path string) { write(t, path, strings.Repeat(" ", MaxFile+1)) }, ": it is larger than 1048576 bytes"},
		{"unreadable", func(t *testing.T, path string) {
			if runtime.GOOS == "windows" || os.Geteuid() == 0 {
				t.Skip("needs a user whom file modes bind")
			}
			write(t, path, "{}")
			if err := os.Chmod(path, 0); err != nil {
				t.Fatal(err)
			}
		}, ": permission denied"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, which := range []string{"workspace", "user"} {
				e := machine(t, nil)
				path := filepath.Join(filepath.Dir(e.Dir), place.WorkspaceFile)
				if which == "user" {
					path = userFile(e)
				}
				tt.make(t, path)
				_, err := Load(e, kinds, builtIn)
				if err == nil || !strings.HasSuffix(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
					t.Errorf("%s: error %v, want …%s", which, err, tt.want)
				}
			}
		})
	}
}

// FuzzParse holds that no document makes a rule for every host with a secret, whatever else it says.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"urls": [{"host": "*", "helper": "fake"}]}`))
	f.Add([]byte(`{"$schema": "x", "use_defaults": true, "urls": [{"scheme": "https", "host": "a.*", "path": "/*", "helper": "s3", "config": {"a": [1]}}]}`))
	any := []string{"https://some-host.test/", "https://xn--nother.example:8443/p"}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse("f", data, kinds, false)
		if err != nil {
			return
		}
		for _, r := range file.Rules {
			if r.HelperName != "fake" {
				continue
			}
			all := r.Scheme == "" && !r.hasPath
			for _, raw := range any {
				req, err := helpers.ParseRequest(raw)
				if err != nil {
					t.Fatal(err)
				}
				all = all && r.Matches(req.URL)
			}
			if !r.hasPath && r.Scheme == "" {
				for _, suffix := range []string{"com", "net", "co.uk"} {
					a, b := request(t, "https://aaa."+suffix), request(t, "https://bbb."+suffix)
					if r.Matches(a) && r.Matches(b) {
						t.Errorf("a secret for all of %s: %s", suffix, data)
					}
				}
			}
			if all && strings.Trim(r.Helper.(*fake).rule.Host, "*.:0123456789") == "" {
				t.Errorf("a secret for every host: %s", data)
			}
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10000} {
		b.Run(fmt.Sprint(n, " rules"), func(b *testing.B) {
			var rules []string
			for i := range n {
				rules = append(rules, rule(fmt.Sprintf("*.host%d.test", i)))
			}
			f, err := Parse("f", []byte(`{"urls": [`+strings.Join(rules, ",")+`]}`), kinds, false)
			if err != nil {
				b.Fatal(err)
			}
			routes := &Routes{Files: []File{f}}
			req, _ := helpers.ParseRequest("https://a.nowhere.test/x")
			for b.Loop() {
				if routes.Match(req.URL) != nil {
					b.Fatal("matches")
				}
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10000} {
		b.Run(fmt.Sprint(n, " rules"), func(b *testing.B) {
			var rules []string
			for i := range n {
				rules = append(rules, rule(fmt.Sprintf("*.host%d.test", i)))
			}
			data := []byte(`{"urls": [` + strings.Join(rules, ",") + `]}`)
			for b.Loop() {
				if _, err := Parse("f", data, kinds, false); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestForeignConfig holds that a workspace's file of another user's is not obeyed, and one that the user named is.
func TestForeignConfig(t *testing.T) {
	if runtime.GOOS == "windows" || os.Geteuid() != 0 {
		t.Skip("only root gives files away and becomes another user")
	}
	vars := map[string]string{}
	e := machine(t, vars)
	path := filepath.Join(filepath.Dir(e.Dir), place.WorkspaceFile)
	write(t, path, `{}`)
	err := errors.Join(os.Chown(path, 54321, -1), os.Chmod(path, 0o644))
	for dir := filepath.Dir(path); dir != os.TempDir() && err == nil; dir = filepath.Dir(dir) {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Load(e, kinds, builtIn); err != nil {
		t.Errorf("to root, whom containers run builds as: %v", err)
	}
	peertest.AsUser(t, 65534, func() {
		if _, err := Load(e, kinds, builtIn); err == nil || !strings.Contains(err.Error(), "it belongs to another user, who could have your secrets sent anywhere") {
			t.Errorf("to another user: %v", err)
		}
		vars[env.VarConfigFile] = path
		if _, err := Load(e, kinds, builtIn); err != nil {
			t.Errorf("a file that the user named: %v", err)
		}
	})
}
