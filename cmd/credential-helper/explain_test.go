package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/githubtest"
	"github.com/fe055d52/credential-helper/internal/peertest"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/registrytest"
)

func (p *site) explain(args ...string) peertest.Result {
	p.t.Helper()
	return peertest.Run(p.t, p.home, p.env, append([]string{program(p.t), "explain"}, args...), "")
}

// TestExplainCanary holds that no secret that goes into an explanation comes out of it, whatever place it is found in, and whatever goes wrong.
func TestExplainCanary(t *testing.T) {
	const canary = "cnry7f3a9d51e2"
	forms := []string{canary}
	for i := range 3 { // in base64, wherever it begins
		encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", i) + canary + "xxx"))
		forms = append(forms, encoded[4:len(encoded)-8])
	}
	reg, err := registrytest.Start(registrytest.Config{Login: registrytest.Bearer, Users: map[string]string{"alice": canary}})
	if err != nil {
		t.Fatal(err)
	}
	defer reg.Close()
	echo, err := registrytest.Start(registrytest.Config{Login: registrytest.Bearer})
	if err != nil {
		t.Fatal(err)
	}
	defer echo.Close()
	echo.SetToken(registrytest.Status(401, `{"errors":[{"code":"DENIED","message":"no `+canary+` here"}], "token": "`+canary+`"}`))
	minted, err := registrytest.Start(registrytest.Config{Login: registrytest.Bearer})
	if err != nil {
		t.Fatal(err)
	}
	defer minted.Close()
	minted.SetToken(registrytest.Status(200, `{"token": "`+canary+`", "expires_in": 300}`))
	gh := githubtest.New(t)
	addAcme(gh)

	_, keyLine, _ := strings.Cut(githubtest.PEM(githubtest.Key()), "\n")
	keyLine, _, _ = strings.Cut(keyLine, "\n")
	image := "/v2/team/app/manifests/v1"
	login := `"lookup_chain": [{"source": "static", "value": "alice", "binding": "username"}, {"source": "env", "name": "SECRET", "binding": "password"}]`
	for _, tt := range []struct{ name, url, config string }{
		{"token", "https://a.test/", `"helper": "registry", "config": {"token": "${SECRET}"}`},
		{"literal token", "https://a.test/", `"helper": "registry", "config": {"token": "` + canary + `"}`},
		{"literal in a chain", "https://a.test/", `"helper": "registry", "config": {"lookup_chain": [{"source": "static", "value": "` + canary + `"}]}`},
		{"raw", "https://a.test/", `"helper": "registry", "config": {"auth_method": "raw", "token": "${SECRET}"}`},
		{"header of another name", "https://a.test/", `"helper": "registry", "config": {"auth_method": "header", "header_name": "Accept", "token": "application/vnd.${SECRET}"}`},
		{"raw with a scheme of its own", "https://a.test/", `"helper": "registry", "config": {"auth_method": "raw", "token": "Token token=${SECRET}"}`},
		{"password", "https://a.test/", `"helper": "registry", "config": {"username": "alice", "password": "${SECRET}"}`},
		{"token as the user name", "https://a.test/", `"helper": "registry", "config": {"username": "${SECRET}", "password": "x-oauth-basic"}`},
		{"token as the user name, short password", "https://a.test/", `"helper": "registry", "config": {"username": "${SECRET}", "password": "x"}`},
		{"the same twice", "https://a.test/", `"helper": "registry", "config": {"username": "${SECRET}", "password": "${SECRET}"}`},
		{"not for a header", "https://a.test/", `"helper": "registry", "config": {"token": "a\n${SECRET}"}`},
		{"file", "https://a.test/", `"helper": "registry", "config": {"lookup_chain": [{"source": "file", "path": "~/secret"}]}`},
		{"program", "https://a.test/", `"helper": "registry", "config": {"lookup_chain": [{"source": "command", "command": ["cat", "secret"]}]}`},
		{"program that complains", "https://a.test/", `"helper": "registry", "config": {"lookup_chain": [{"source": "env", "name": "SECRET", "binding": "password"}, {"source": "command", "command": ["sh", "-c", "cat secret >&2; exit 1"]}]}`},
		{"netrc", "https://netrc.test/", `"helper": "registry"`},
		{"npmrc", "https://npm.test/x", `"helper": "registry", "config": {"preset": "npm"}`},
		{"bundler, the token as the user name", "https://gems.test/", `"helper": "registry", "config": {"preset": "rubygems"}`},
		{"docker's file", reg.URL + image, `"helper": "oci"`},
		{"remote APIs", "https://a.test/", `"helper": "remoteapis", "config": {"auth_method": "basic_auth", "lookup_chain": [{"source": "env", "name": "LOGIN"}]}`},
		{"GitHub", "https://a.test/", `"helper": "github", "config": {"lookup_chain": [{"source": "env", "name": "SECRET"}]}`},
		{"GitHub, raw", "https://raw.a.test/x", `"helper": "github", "config": {"lookup_chain": [{"source": "env", "name": "SECRET"}]}`},
		{"a private key that is none", gh.URL + "/acme/tools", `"helper": "github", "config": {"app_id": 1, "owner": "acme", "lookup_chain": [{"source": "env", "name": "SECRET"}]}`},
		{"GitHub App", gh.API + "/repos/acme/tools", `"helper": "github", "config": {"app_id": 12345, "owner": "acme", "lookup_chain": [{"source": "file", "path": "~/app.pem"}]}`},
		{"registry", reg.URL + image, `"helper": "oci", "config": {` + login + `}`},
		{"registry token", reg.URL + image, `"helper": "oci", "config": {"lookup_chain": [{"source": "env", "name": "SECRET", "binding": "registrytoken"}]}`},
		{"identity token", reg.URL + image, `"helper": "oci", "config": {"lookup_chain": [{"source": "env", "name": "SECRET", "binding": "identitytoken"}]}`},
		{"auth that is none", reg.URL + image, `"helper": "oci", "config": {"lookup_chain": [{"source": "env", "name": "SECRET", "binding": "auth"}]}`},
		{"by OAuth2", reg.URL + image, `"helper": "oci", "config": {"token_exchange_method": "oauth2", ` + login + `}`},
		{"a server that says it aloud", echo.URL + image, `"helper": "oci", "config": {` + login + `}`},
		{"a token that the server makes", minted.URL + image, `"helper": "oci"`},
		{"a presigned URL", "https://a.test/x?X-Amz-Signature=" + canary, `"helper": "null"`},
		{"a query", "https://a.test/x?key=" + canary, `"helper": "registry", "config": {"token": "${SECRET}"}`},
		{"user info", "https://alice:" + canary + "@a.test/", `"helper": "null"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newSite(t, "", "SECRET="+canary, "LOGIN=alice:"+canary, "PATH=/usr/bin:/bin", "BUNDLE_GEMS__TEST="+canary)
			host := `"host": "*.test"`
			if strings.HasPrefix(tt.url, "http://") {
				host = `"host": "127.0.0.1:*"`
			}
			p.env = append(p.env, "CREDENTIAL_HELPER_CONFIG_FILE="+p.write("rules.json", `{"urls": [{`+host+`, `+tt.config+`}]}`))
			p.write("secret", canary)
			p.write("app.pem", githubtest.PEM(githubtest.Key()))
			p.write(".netrc", "machine netrc.test login "+canary+" password x-oauth-basic\n")
			p.write(".npmrc", "//npm.test/:_authToken="+canary+"\n")
			p.write(".docker/config.json", `{"auths": {"`+reg.Host+`": {"auth": "`+base64.StdEncoding.EncodeToString([]byte("alice:"+canary))+`"}}}`)
			for _, flags := range [][]string{nil, {"--json"}, {"--offline"}} {
				r := p.explain(append(flags, tt.url)...)
				for _, form := range forms {
					if out := r.Stdout + r.Stderr; strings.Contains(out, form) {
						t.Errorf("explain %v tells the secret:\n%s", flags, out)
					}
				}
				if strings.Contains(r.Stdout+r.Stderr, keyLine) || r.Stderr == "" != (r.Code == 0) {
					t.Errorf("explain %v: %+v", flags, r)
				}
				if r.Stdout == "" && tt.name != "user info" {
					t.Errorf("explain %v prints nothing: %+v", flags, r)
				}
			}
		})
	}
}

// TestExplainStatus holds that an argument which is no URL is a mistake on the command line, as check and setup-uri have it.
func TestExplainStatus(t *testing.T) {
	p := newSite(t, "", "PATH=/usr/bin:/bin")
	for raw, want := range map[string]int{"file:///x": exitUsage, "https://a.test:http/": exitUsage, "https://a.test/": exitOK} {
		if r := p.explain("--offline", raw); r.Code != want {
			t.Errorf("explain %s: %+v, want status %d", raw, r, want)
		}
	}
}

func TestPublicName(t *testing.T) {
	for _, tt := range []struct{ name, secret, want string }{
		{"alice", "wonderland", "alice"},
		{"alice@example.com", "wonderland", "alice@example.com"},
		{"ci-deploy_2", "wonderland", "ci-deploy_2"},
		{"x-access-token", "ghs_0123456789abcdef", "x-access-token"},
		{"__token__", "pypi-x", "__token__"},
		{"unset", "wonderland", ""},
		{"", "wonderland", ""},
		{"alice", "", ""},
		{"0123456789abcdef0123456789abcdef01234567", "x-oauth-basic", ""},
		{"alice", "X-OAuth-Basic", ""},
		{"alice", "x", ""},
		{"0123456789abcdef0123456789abcdef", "wonderland", ""},
		{"ghp_0123456789abcdefghijklmnopqrst", "wonderland", ""},
		{"npm_abcdefgh", "wonderland", ""},
		{"same-as-the-secret", "same-as-the-secret", ""},
		{"alice bob", "wonderland", ""},
		{"käthe", "wonderland", ""},
	} {
		if got := publicName(helpers.Credential{Username: tt.name, Secret: redact.Hold(tt.secret)}); got != tt.want {
			t.Errorf("%q with %q: %q, want %q", tt.name, tt.secret, got, tt.want)
		}
	}
}

// TestExplainHangs holds that the time budget is kept, that the source which hangs is told, and that JSON is whole all the same.
func TestExplainHangs(t *testing.T) {
	p := newSite(t, `{"urls": [{"host": "a.test", "helper": "registry", "config": {"lookup_chain": [
		{"source": "env", "name": "ABSENT"}, {"source": "command", "command": ["sleep", "100"]}, {"source": "netrc"}]}}]}`,
		"CREDENTIAL_HELPER_TIMEOUT=300ms", "PATH=/usr/bin:/bin")
	r := p.explain("--json", "https://a.test/")
	var e struct {
		Sources []struct{ Source, Outcome string }
		Error   struct{ Text, Hint string }
	}
	if err := json.Unmarshal([]byte(r.Stdout), &e); err != nil || r.Code != 1 {
		t.Fatalf("%v: %+v", err, r)
	}
	outcomes := fmt.Sprint(e.Sources)
	if want := "[{$ABSENT not found} {command sleep broken} {netrc not reached}]"; outcomes != want && outcomes != strings.Replace(want, "broken", "no answer", 1) {
		t.Errorf("the sources are %s, want %s", outcomes, want)
	}
	if !strings.HasPrefix(e.Error.Text, "no answer within 300ms; the time went into ") {
		t.Errorf("the error is %q", e.Error.Text)
	}
}

// TestExplainUsage has the status of a URL that is none: a mistake on the command line, as with the other commands that take one.
func TestExplainUsage(t *testing.T) {
	for _, command := range []string{"explain", "check", "setup-uri"} {
		e, _ := kindsFor(t, nil)
		a := &app{env: e, stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard}
		if got := a.run([]string{command, "files.example.com/x"}); got != exitUsage {
			t.Errorf("%s: status %d", command, got)
		}
	}
}
