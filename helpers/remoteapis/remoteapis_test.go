package remoteapis

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/strictjson"
	"github.com/fe055d52/credential-helper/lookup"
)

func build(rule helpers.Rule, vars map[string]string, config string) (h helpers.Helper, err error) {
	s := &lookup.Sources{Env: &env.Env{Get: func(name string) (string, bool) { v, ok := vars[name]; return v, ok }}}
	err = strictjson.Decode("f", []byte(config), func(o *strictjson.Object) { h = New(s)(rule, o) })
	return h, err
}

func TestHeaders(t *testing.T) {
	vars := map[string]string{"CREDENTIAL_HELPER_REMOTEAPIS_SECRET": "bob:pw", "BUILDBUDDY_API_KEY": "bbkey", "OWN": "own"}
	for _, tt := range []struct{ name, host, config, header, want, err string }{
		{name: "header", host: "remote.test", config: `{"header_name": "x-key"}`, header: "x-key", want: "bob:pw"},
		{name: "basic_auth", host: "remote.test", config: `{"auth_method": "basic_auth"}`, header: "authorization", want: "Basic Ym9iOnB3"},
		{name: "basic_auth in another header", host: "remote.test", config: `{"auth_method": "basic_auth", "header_name": "x-auth"}`, header: "x-auth", want: "Basic Ym9iOnB3"},
		{name: "own chain", host: "remote.test", config: `{"header_name": "x-key", "lookup_chain": [{"source": "env", "name": "OWN"}]}`, header: "x-key", want: "own"},
		{name: "BuildBuddy", host: "remote.buildbuddy.io", config: `{}`, header: "x-buildbuddy-api-key", want: "bbkey"},
		{name: "BuildBuddy and a port", host: "remote.buildbuddy.io:443", config: `{}`, header: "x-buildbuddy-api-key", want: "bbkey"},
		{name: "BuildBuddy, any host and port", host: "*.buildbuddy.io:*", config: `{}`, header: "x-buildbuddy-api-key", want: "bbkey"},
		{name: "BuildBuddy, any host", host: "*.buildbuddy.io", config: `{}`, header: "x-buildbuddy-api-key", want: "bbkey"},
		{name: "not BuildBuddy", host: "evilbuildbuddy.io", config: `{"header_name": "x-key"}`, header: "x-key", want: "bob:pw"},
		{name: "not a login", host: "remote.test", config: `{"auth_method": "basic_auth", "lookup_chain": [{"source": "env", "name": "OWN"}]}`, err: `the auth_method "basic_auth" takes a secret of the form USERNAME:PASSWORD, and the one from $OWN is not`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, err := build(helpers.Rule{Host: tt.host}, vars, tt.config)
			if err != nil {
				t.Fatal(err)
			}
			req, _ := helpers.ParseRequest("https://remote.test/build.bazel.remote.execution.v2.Execution")
			c, err := h.Credential(context.Background(), req.URL)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := h.Headers(context.Background(), req.URL, c)
			if tt.err != "" {
				if err == nil || err.Error() != tt.err {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := resp.Headers[tt.header]; len(got) != 1 || got[0].Reveal() != tt.want {
				t.Errorf("got %v", resp.Headers)
			}
		})
	}
}

func TestConfigErrors(t *testing.T) {
	for config, want := range map[string]string{
		`{}`:                                   `f:1:1: the auth_method "header" needs a "header_name"`,
		`{"auth_method": "basic"}`:             `f:1:17: "auth_method" takes one of "header", "basic_auth", not "basic"`,
		`{"header_name": "a b"}`:               `f:1:17: the header name "a b" has the character ' '`,
		`{"header_name": "a", "headername":1}`: `f:1:22: unknown key "headername" (did you mean "header_name"?)`,
	} {
		if _, err := build(helpers.Rule{Host: "remote.test"}, nil, config); err == nil || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", config, err, want)
		}
	}
}

func TestScope(t *testing.T) {
	for _, tt := range []struct {
		url     string
		builtIn bool
		want    bool
	}{
		{"https://remote.buildbuddy.io/build.bazel.remote.execution.v2.Capabilities", true, true},
		{"https://remote.buildbuddy.io/google.devtools.build.v1.PublishBuildEvent/PublishBuildToolEventStream", true, true},
		{"grpcs://remote.buildbuddy.io/google.bytestream.ByteStream", true, true},
		{"https://app.buildbuddy.io/docs/setup", true, false},
		{"https://remote.buildbuddy.io/", true, false},
		{"https://cache.test:9092", false, true},
		{"https://cache.test/own.Service", false, true},
	} {
		h, err := build(helpers.Rule{Host: "x.buildbuddy.io", BuiltIn: tt.builtIn}, nil, `{}`)
		if err != nil {
			t.Fatal(err)
		}
		req, _ := helpers.ParseRequest(tt.url)
		if scope, ok := h.Scope(req.URL); ok != tt.want || scope != helpers.Origin(req.URL) {
			t.Errorf("%s, built-in %v: %q, %v", tt.url, tt.builtIn, scope, ok)
		}
	}
}

// TestLoginOfAnotherTool holds that a login of another tool keeps what that knows of it: the part of the host that it is for, and its end.
func TestLoginOfAnotherTool(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"npmrc":     "//cache.test/a/:_authToken=token-a\n//cache.test/b/:_authToken=token-b\n",
		"auth.json": `{"gitlab-oauth": {"cache.test": {"token": "user:t", "expires-at": 4000000000}}}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a, _ := helpers.ParseRequest("https://cache.test/a/ac/0")
	b, _ := helpers.ParseRequest("https://cache.test/b/ac/0")
	own := func(source, more string) helpers.Helper {
		t.Helper()
		h, err := build(helpers.Rule{Host: "cache.test"}, nil, `{"lookup_chain": [{"source": "`+source+`", "path": `+strconv.Quote(dir+more)+`, "binding": "default"}], "auth_method": "basic_auth"}`)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	h := own("npmrc", "/npmrc")
	one, _ := h.Scope(a.URL)
	if other, _ := h.Scope(b.URL); one == other {
		t.Errorf("two URLs with different logins share the scope %q", one)
	}
	h = own("composer", "/auth.json")
	c, err := h.Credential(t.Context(), a.URL)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := h.Headers(t.Context(), a.URL, c); err != nil || resp.Expires.Unix() != 4000000000 {
		t.Errorf("the headers of a login that ends are good until %v (%v)", resp.Expires, err)
	}
}
