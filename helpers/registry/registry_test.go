package registry

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/strictjson"
	"github.com/fe055d52/credential-helper/lookup"
)

func machine(t *testing.T, vars map[string]string) *lookup.Sources {
	home := t.TempDir()
	netrc := "machine files.test login bob password hunter2\nmachine other.test login eve password x\n"
	if err := os.WriteFile(filepath.Join(home, ".netrc"), []byte(netrc), 0o600); err != nil {
		t.Fatal(err)
	}
	return &lookup.Sources{Env: &env.Env{
		Get:  func(name string) (string, bool) { v, ok := vars[name]; return v, ok },
		Home: home, Dir: home,
	}}
}

func build(s *lookup.Sources, config string) (h helpers.Helper, err error) {
	err = strictjson.Decode("f", []byte(config), func(o *strictjson.Object) { h = New(Options{Sources: s})(helpers.Rule{Host: "files.test"}, o) })
	return h, err
}

func TestConfigErrors(t *testing.T) {
	_, err := build(machine(t, nil), `{"lookup_chain": [{"source": "?"}]}`)
	_, known, _ := strings.Cut(err.Error(), "known are ")
	for _, tt := range []struct{ name, config, want string }{
		{"method", `{"auth_method": "beerer"}`, `f:1:17: "auth_method" takes one of "bearer", "basic", "raw", "header", not "beerer" (did you mean "bearer"?)`},
		{"header without a name", `{"auth_method": "header", "token": "x"}`, `f:1:1: the auth_method "header" needs a "header_name"`},
		{"name without header", `{"auth_method": "bearer", "token": "x", "header_name": "X"}`, `f:1:56: "header_name" goes with the auth_method "header", not with "bearer"`},
		{"bad header name", `{"auth_method": "header", "token": "x", "header_name": "X Y"}`, `f:1:56: the header name "X Y" has the character ' '`},
		{"forbidden header name", `{"auth_method": "header", "token": "x", "header_name": "Host"}`, `f:1:56: the header "Host" governs the connection and cannot carry a credential`},
		{"empty token", `{"token": ""}`, `f:1:11: "token" is empty; give it a value or leave it out`},
		{"open expansion", `{"token": "${X"}`, `f:1:11: "token": a ${ is not closed; write ${NAME}, or $${ for a literal ${`},
		{"expansion of nothing", `{"token": "${}"}`, `f:1:11: "token": a ${…} does not name an environment variable; write ${NAME}, or $${ for a literal ${`},
		{"basic with a token", `{"auth_method": "basic", "token": "x"}`, `f:1:35: the auth_method "basic" takes "username" and "password", not "token"`},
		{"bearer with a password", `{"auth_method": "bearer", "password": "x"}`, `f:1:39: the auth_method "bearer" takes "token", not "username" and "password"`},
		{"empty chain", `{"lookup_chain": []}`, `f:1:18: "lookup_chain" is empty; name a source, or leave it out`},
		{"unknown binding", `{"lookup_chain": [{"source": "env", "name": "X", "binding": "tokn"}]}`, `f:1:61: unknown binding "tokn" (did you mean "token"?); this helper knows token, username, password, default, read_token`},
		{"unknown source", `{"lookup_chain": [{"source": "evn", "name": "X"}]}`, `f:1:30: unknown source "evn" (did you mean "env"?); known are ` + known},
		{"source without a name", `{"lookup_chain": [{"source": "env"}]}`, `f:1:19: the source "env" needs a "name" that is not empty`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := build(machine(t, nil), tt.config); err == nil || err.Error() != tt.want {
				t.Errorf("\n got %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestHeaders(t *testing.T) {
	vars := map[string]string{"TOK": "t0k", "USR": "bob", "PWD_": "pw", "BOTH": "bob:p:w", "EMPTY": ""}
	for _, tt := range []struct{ name, netrc, config, header, want, err string }{
		{name: "bearer is the default", config: `{"token": "${TOK}"}`, want: "Bearer t0k"},
		{name: "raw", config: `{"auth_method": "raw", "token": "${TOK}"}`, want: "t0k"},
		{name: "header", config: `{"auth_method": "header", "header_name": "PRIVATE-TOKEN", "token": "${TOK}"}`, header: "PRIVATE-TOKEN", want: "t0k"},
		{name: "basic", config: `{"username": "${USR}", "password": "${PWD_}"}`, want: "Basic Ym9iOnB3"},
		{name: "expansion inside a text", config: `{"token": "a-${TOK}-${USR}"}`, want: "Bearer a-t0k-bob"},
		{name: "literal", config: `{"token": "$${TOK}$x"}`, want: "Bearer ${TOK}$x"},
		{name: "undefined", config: `{"token": "${NOPE}"}`, err: "looking up a login: the rule's value uses ${NOPE}, and $NOPE is not set"},
		{name: "empty", config: `{"token": "${EMPTY}"}`, err: "looking up a login: the rule's value uses ${EMPTY}, and $EMPTY is empty"},
		{name: "chain, default binding", config: `{"lookup_chain": [{"source": "env", "name": "NOPE"}, {"source": "env", "name": "TOK"}]}`, want: "Bearer t0k"},
		{name: "chain, token binding", config: `{"lookup_chain": [{"source": "env", "name": "TOK", "binding": "token"}]}`, want: "Bearer t0k"},
		{name: "chain, basic bindings", config: `{"auth_method": "basic", "lookup_chain": [{"source": "env", "name": "USR", "binding": "username"}, {"source": "env", "name": "PWD_", "binding": "password"}]}`, want: "Basic Ym9iOnB3"},
		{name: "chain, basic from one value", config: `{"auth_method": "basic", "lookup_chain": [{"source": "env", "name": "BOTH"}]}`, want: "Basic Ym9iOnA6dw=="},
		{name: "chain, default is the password", config: `{"username": "bob", "lookup_chain": [{"source": "env", "name": "PWD_"}]}`, want: "Basic Ym9iOnB3"},
		{name: "chain, found nothing", config: `{"lookup_chain": [{"source": "env", "name": "NOPE"}, {"source": "env", "name": "EMPTY"}]}`, err: "no login found: $NOPE is not set; $EMPTY is set but empty"},
		{name: "chain, half of a login", config: `{"auth_method": "basic", "lookup_chain": [{"source": "env", "name": "USR", "binding": "username"}]}`, err: `no login found: found only a value for "username", which is not enough`},
		{name: "google is not there yet", config: `{"lookup_chain": [{"source": "google", "token_type": "jwt"}]}`, err: `no login found: the source "google" is not supported yet`},
		{name: "netrc is the default", config: `{}`, want: "Basic Ym9iOmh1bnRlcjI="},
		{name: "netrc without a user name", netrc: "machine files.test password pat4", config: `{}`, want: "Basic OnBhdDQ="},
		{name: "netrc without a user name before another login's name", netrc: "machine files.test password pat4", config: `{"auth_method": "basic", "lookup_chain": [{"source": "netrc"}, {"source": "env", "name": "USR", "binding": "username"}]}`, want: "Basic OnBhdDQ="},
		{name: "netrc's password as a token", config: `{"auth_method": "bearer", "lookup_chain": [{"source": "netrc"}]}`, want: "Bearer hunter2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := machine(t, vars)
			if tt.netrc != "" {
				if err := os.WriteFile(filepath.Join(s.Env.Home, ".netrc"), []byte(tt.netrc), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			h, err := build(s, tt.config)
			if err != nil {
				t.Fatal(err)
			}
			req, _ := helpers.ParseRequest("https://files.test/a/b")
			if scope, ok := h.Scope(req.URL); !ok || scope != "https://files.test" {
				t.Errorf("scope %q, %v", scope, ok)
			}
			c, err := h.Credential(context.Background(), req.URL)
			if tt.err != "" {
				if err == nil || err.Error() != tt.err {
					t.Errorf("\n got %v\nwant %s", err, tt.err)
				}
				if strings.HasPrefix(tt.err, "no login found") != errors.Is(err, helpers.ErrNotFound) {
					t.Errorf("%v is of the wrong kind", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			resp, err := h.Headers(context.Background(), req.URL, c)
			if err != nil {
				t.Fatal(err)
			}
			if tt.header == "" {
				tt.header = "Authorization"
			}
			if got := resp.Headers[tt.header]; len(got) != 1 || got[0].Reveal() != tt.want || len(resp.Headers) != 1 {
				t.Errorf("got %v", resp.Headers)
			}
		})
	}
}

func TestHostBound(t *testing.T) {
	for config, want := range map[string]bool{
		`{}`: true, `{"lookup_chain": [{"source": "docker"}, {"source": "netrc"}]}`: true,
		`{"token": "${X}"}`: false, `{"lookup_chain": [{"source": "netrc"}, {"source": "env", "name": "X"}]}`: false,
	} {
		h, err := build(machine(t, nil), config)
		if err != nil {
			t.Fatal(err)
		}
		if got := h.(helpers.HostBound).HostBound(); got != want {
			t.Errorf("%s: %v", config, got)
		}
	}
}

// TestWider holds that every scope for which a login may be told to hold is at the URL's origin, above the URL, and for one form of header.
func TestWider(t *testing.T) {
	for _, tt := range []struct {
		config, url string
		wider       []string
		covers      string
	}{
		{`{}`, "https://files.test/a/b", nil, ""},
		{`{"preset": "npm"}`, "https://files.test/a/b", []string{"https://files.test below /", "https://files.test below /a/"}, "https://files.test below /a/"},
		{`{"preset": "npm"}`, "https://files.test/b", []string{"https://files.test below /"}, ""},
		{`{"preset": "npm"}`, "https://files.test/b/c/", []string{"https://files.test below /", "https://files.test below /b/", "https://files.test below /b/c/"}, "https://files.test below /b/"},
		{`{"preset": "npm"}`, "https://files.test//a/b", nil, ""},
		{`{"preset": "maven"}`, "https://files.test/a", []string{"https://files.test basic below /"}, "https://files.test basic below /"},
		{`{"preset": "stack-gallery", "lookup_chain": [{"source": "npmrc"}]}`, "https://files.test/maven2/x", []string{"https://files.test basic below /", "https://files.test basic below /maven2/"}, "https://files.test basic below /maven2/"},
		{`{"preset": "stack-gallery", "lookup_chain": [{"source": "npmrc"}]}`, "https://files.test/v2/x/manifests/1", nil, ""},
		// The first has it for a part of the host, the second for all of it.
		{`{"lookup_chain": [{"source": "npmrc"}, {"source": "netrc"}]}`, "https://files.test/a/b", []string{"https://files.test below /", "https://files.test below /a/"}, "https://files.test below /a/"},
		{`{"lookup_chain": [{"source": "netrc"}, {"source": "npmrc"}]}`, "https://files.test/a/b", []string{"https://files.test below /", "https://files.test below /a/"}, "https://files.test below /"},
		{`{"lookup_chain": [{"source": "git", "use_http_path": true}, {"source": "netrc"}]}`, "https://files.test/a/b", []string{"https://files.test below /", "https://files.test below /a/"}, ""},
	} {
		t.Run(tt.config+" "+tt.url, func(t *testing.T) {
			s := machine(t, nil)
			npmrc := "//files.test/a/:_authToken=x\n//files.test/maven2/:username=u\n//files.test/maven2/:_password=cHc=\n"
			if err := os.WriteFile(filepath.Join(s.Env.Home, ".npmrc"), []byte(npmrc), 0o600); err != nil {
				t.Fatal(err)
			}
			var h helpers.Helper
			err := strictjson.Decode("f", []byte(tt.config), func(o *strictjson.Object) {
				h = New(Options{Sources: s, OCI: func(helpers.Rule, lookup.Chain) helpers.Helper { return nowhere{} }})(helpers.Rule{Host: "files.test"}, o)
			})
			if err != nil {
				t.Fatal(err)
			}
			req, err := helpers.ParseRequest(tt.url)
			if err != nil {
				t.Fatal(err)
			}
			wider := h.(helpers.Spreading).Wider(req.URL)
			if !slices.Equal(wider, tt.wider) {
				t.Errorf("the wider scopes are %q, want %q", wider, tt.wider)
			}
			c, _ := h.Credential(t.Context(), req.URL)
			if !slices.Contains(wider, c.Covers) {
				c.Covers = "" // which means nothing
			}
			if c.Covers != tt.covers {
				t.Errorf("the login of %q covers %q, want %q", c.Source, c.Covers, tt.covers)
			}
		})
	}
}

// nowhere is a container registry's helper that has nothing.
type nowhere struct{ helpers.Helper }

func (nowhere) Credential(context.Context, *url.URL) (helpers.Credential, error) {
	return helpers.Credential{}, helpers.ErrNotFound
}
