package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/config"
	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/httpclient"
	"github.com/fe055d52/credential-helper/lookup"
)

// kindsFor returns the real helpers, in an environment that has nothing but vars.
func kindsFor(t *testing.T, vars map[string]string) (*env.Env, config.Kinds) {
	t.Helper()
	home := t.TempDir()
	e := &env.Env{Get: func(name string) (string, bool) { v, ok := vars[name]; return v, ok }, Dir: home, Home: home, Now: time.Now}
	return e, helperKinds(&lookup.Sources{Env: e}, httpclient.New("test"), nil)
}

// TestTweagConfigurations holds that what tweag-credential-helper 0.0.9 documents in its README and its pages on providers
// and lookup chains loads, and routes as it does there. The texts are ours; each says where the form that it has is documented.
func TestTweagConfigurations(t *testing.T) {
	// An https URL → the helper it goes to; "" for the empty answer.
	for _, tt := range []struct {
		name, text string
		routes     map[string]string
	}{
		{
			name: "README, config file",
			text: `{"urls": [
				{"scheme": "https", "host": "github.com", "path": "/acme/*", "helper": "github", "config": {"read_config_file": false}},
				{"scheme": "https", "host": "artifacts.acme.test", "path": "*.tar.gz", "helper": "s3", "config": {"region": "eu-west-1"}},
				{"host": "*.oci.acme.test", "helper": "oci"},
				{"host": "cache.acme.test", "helper": "remoteapis", "config": {"auth_method": "basic_auth", "lookup_chain": [
					{"source": "env", "name": "CREDENTIAL_HELPER_REMOTEAPIS_SECRET"},
					{"source": "keyring", "service": "tweag-credential-helper:remoteapis"}]}}
			]}`,
			routes: map[string]string{
				"https://github.com/acme/tool/archive/v1.zip":                                           "github",
				"https://github.com/other/tool/archive/v1.zip":                                          "",
				"https://artifacts.acme.test/a/b.tar.gz":                                                "s3",
				"https://artifacts.acme.test/a/b.zip":                                                   "",
				"http://artifacts.acme.test/a/b.tar.gz":                                                 "",
				"https://eu.oci.acme.test/v2/app/manifests/v1":                                          "oci",
				"https://oci.acme.test/v2/app/manifests/v1":                                             "",
				"https://cache.acme.test/build.bazel.remote.execution.v2.ActionCache":                   "remoteapis",
				"https://ghcr.io/v2/acme/app/manifests/v1":                                              "",
				"https://CACHE.acme.test:443/build.bazel.remote.execution.v2.ContentAddressableStorage": "remoteapis",
			},
		},
		{
			name: "README, a rule without patterns, and null",
			text: `{"urls": [{"scheme": "", "host": "open.acme.test", "path": "", "helper": "null"}, {"helper": "oci"}]}`,
			routes: map[string]string{
				"https://open.acme.test/x": "null", "https://anything.test/v2/a/tags/list": "oci",
			},
		},
		{
			name: "github page",
			text: `{"urls": [{"host": "github.com", "helper": "github", "config": {"read_config_file": true, "lookup_chain": [
				{"source": "env", "name": "GH_TOKEN", "binding": "default"},
				{"source": "env", "name": "GITHUB_TOKEN", "binding": "default"},
				{"source": "keyring", "name": "gh:github.com", "binding": "default"}]}}]}`,
			routes: map[string]string{"https://github.com/o/r": "github"},
		},
		{
			name: "oci page",
			text: `{"urls": [{"host": "registry.acme.test", "helper": "oci", "config": {"parse_docker_config": false, "token_exchange_method": "oauth2", "lookup_chain": [
				{"source": "env", "name": "U", "binding": "username"}, {"source": "env", "name": "P", "binding": "password"},
				{"source": "env", "name": "A", "binding": "auth"}, {"source": "env", "name": "I", "binding": "identitytoken"},
				{"source": "env", "name": "R", "binding": "registrytoken"}]}}]}`,
			routes: map[string]string{"https://registry.acme.test/v2/a/blobs/sha256:0": "oci"},
		},
		{
			name: "remoteapis page, self-hosted BuildBuddy, Buildbarn and bazel-remote",
			text: `{"urls": [
				{"host": "buildbuddy.acme.test", "helper": "remoteapis", "config": {"auth_method": "header", "header_name": "x-buildbuddy-api-key", "lookup_chain": [
					{"source": "env", "name": "BUILDBUDDY_API_KEY"}, {"source": "keyring", "service": "tweag-credential-helper:buildbuddy_api_key"}]}},
				{"host": "buildbarn.acme.test", "helper": "remoteapis", "config": {"auth_method": "header", "header_name": "Authorization", "lookup_chain": [
					{"source": "env", "name": "BUILDBARN_API_KEY"}, {"source": "keyring", "service": "tweag-credential-helper:buildbarn_api_key"},
					{"source": "google", "token_type": "jwt"}]}},
				{"host": "bazel-remote.acme.test", "helper": "remoteapis", "config": {"auth_method": "basic_auth", "lookup_chain": [
					{"source": "env", "name": "CREDENTIAL_HELPER_REMOTEAPIS_SECRET"}, {"source": "keyring", "service": "tweag-credential-helper:remoteapis"}]}}
			]}`,
			routes: map[string]string{
				"https://buildbuddy.acme.test/google.devtools.build.v1.PublishBuildEvent": "remoteapis",
				"https://buildbarn.acme.test/google.bytestream.ByteStream":                "remoteapis",
				"https://bazel-remote.acme.test/build.bazel.remote.asset.v1.Fetch":        "remoteapis",
			},
		},
		{
			name: "lookup chain page",
			text: `{"urls": [{"host": "a.acme.test", "helper": "github", "config": {"lookup_chain": [
				{"source": "env", "name": "GITHUB_TOKEN", "binding": "default"},
				{"source": "keyring", "service": "github-pat", "binding": "default"},
				{"source": "static", "name": "a-literal", "binding": "default"},
				{"source": "google", "token_type": "access", "scopes": ["https://www.example.com/auth/platform"], "binding": "default"},
				{"source": "google", "token_type": "id", "audience": "https://service.example.com", "binding": "default"}]}}]}`,
			routes: map[string]string{"https://a.acme.test/x": "github"},
		},
		{
			name:   "s3 page",
			text:   `{"urls": [{"host": "*.s3.acme.test", "helper": "s3", "config": {"region": "auto", "lookup_chain": [{"source": "env", "name": "AWS_ACCESS_KEY_ID", "binding": "aws-access-key-id"}]}}]}`,
			routes: map[string]string{"https://bucket.s3.acme.test/key": "s3"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, kinds := kindsFor(t, nil)
			f, err := config.Parse("tweag.json", []byte(tt.text), kinds, false)
			if err != nil {
				t.Fatal(err)
			}
			routes := &config.Routes{Files: []config.File{f}}
			for raw, want := range tt.routes {
				req, err := helpers.ParseRequest(raw)
				if err != nil {
					t.Fatal(err)
				}
				got := ""
				if r := routes.Match(req.URL); r != nil {
					got = r.HelperName
				}
				if got != want {
					t.Errorf("%s goes to %q, want %q", raw, got, want)
				}
			}
		})
	}
}

// TestBuiltInTable holds the hosts that need no configuration, and those that only look like them.
func TestBuiltInTable(t *testing.T) {
	for _, tt := range []struct {
		helper string
		urls   []string
	}{
		{"github", []string{
			"https://github.com/o/r", "https://api.github.com/repos/o/r", "https://codeload.github.com/o/r", "https://uploads.github.com/x", "https://gist.github.com/x",
			"https://npm.pkg.github.com/@o/p", "https://maven.pkg.github.com/o/r", "https://raw.githubusercontent.com/o/r/main/f", "https://GitHub.com./o/r",
		}},
		{"remoteapis", []string{"https://remote.buildbuddy.io/x", "https://acme.buildbuddy.io/x"}},
		{"oci", []string{
			"https://a.app.snowflake.com/v2/a/tags/list", "https://acme.azurecr.io/v2/a/tags/list", "https://cgr.dev/v2/a/tags/list", "https://docker.elastic.co/v2/a/tags/list",
			"https://gcr.io/v2/a/tags/list", "https://ghcr.io/v2/a/tags/list", "https://index.docker.io/v2/a/tags/list", "https://nvcr.io/v2/a/tags/list",
			"https://public.ecr.aws/v2/a/tags/list", "https://quay.io/v2/a/tags/list", "https://registry.gitlab.com/v2/a/tags/list",
			"https://docker.io/v2/a/tags/list", "https://registry-1.docker.io/v2/a/tags/list",
		}},
		{"", []string{
			"https://evilgithub.com/", "https://github.com.evil.test/", "https://api.github.com.evil.test/", "https://pkg.github.com.evil.test/", "http://github.com/", "https://github.com:8443/",
			"https://docs.github.com/", "https://evilraw.githubusercontent.com/", "https://evilbuildbuddy.io/", "https://azurecr.io.evil.test/v2/a/tags/list", "https://evilazurecr.io/v2/a/tags/list",
			"https://ghcr.io.evil.test/v2/a/tags/list", "https://notquay.io/v2/a/tags/list", "https://evilpkg.dev/", "http://ghcr.io/v2/a/tags/list", "https://registry.example.com/v2/a/tags/list",
		}},
	} {
		e, kinds := kindsFor(t, nil)
		rules, err := builtInRules(e.Var(env.VarGuessOCI) == "1", kinds)
		if err != nil {
			t.Fatal(err)
		}
		routes := &config.Routes{BuiltIn: rules}
		for _, raw := range tt.urls {
			req, err := helpers.ParseRequest(raw)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if r := routes.Match(req.URL); r != nil {
				got = r.HelperName
				if !r.BuiltIn || !r.Anonymous {
					t.Errorf("%s: a built-in rule that does not say so, or that fails without a login", raw)
				}
			}
			if got != tt.helper {
				t.Errorf("%s goes to %q, want %q", raw, got, tt.helper)
			}
		}
	}
}

func TestGuessOCIRegistry(t *testing.T) {
	for _, guess := range []string{"", "0", "1"} {
		e, kinds := kindsFor(t, map[string]string{env.VarGuessOCI: guess})
		rules, err := builtInRules(e.Var(env.VarGuessOCI) == "1", kinds)
		if err != nil {
			t.Fatal(err)
		}
		routes := &config.Routes{BuiltIn: rules}
		for raw, registry := range map[string]bool{
			"https://registry.example.com/v2/a/b/manifests/v1": true, "https://registry.example.com/v2/a/blobs/sha256:0": true,
			"https://registry.example.com/v2/a/tags/list": true, "https://registry.example.com/v2/": false, "https://registry.example.com/a/b": false,
		} {
			req, _ := helpers.ParseRequest(raw)
			if got := routes.Match(req.URL) != nil; got != (registry && guess == "1") {
				t.Errorf("guess %q: %s is matched: %v", guess, raw, got)
			}
		}
	}
}

// TestGHCRChain holds the order of ghcr.io's logins, and that each comes with a user name.
func TestGHCRChain(t *testing.T) {
	all := []string{"GHCR_TOKEN", "GH_TOKEN", "GITHUB_TOKEN"}
	for i, first := range all {
		vars := map[string]string{"GITHUB_ACTOR": "octocat"}
		for _, name := range all[i:] {
			vars[name] = "value-of-" + name
		}
		_, kinds := kindsFor(t, vars)
		f, err := config.Parse("f", []byte(`{"urls": [{"host": "ghcr.io", "helper": "oci"}]}`), kinds, false)
		if err != nil {
			t.Fatal(err)
		}
		req, _ := helpers.ParseRequest("https://ghcr.io/v2/o/r/manifests/v1")
		c, err := f.Rules[0].Helper.Credential(context.Background(), req.URL)
		if err != nil {
			t.Fatal(err)
		}
		if c.Username != "octocat" || c.Secret.Reveal() != "value-of-"+first || c.Source != "$"+first {
			t.Errorf("%s is there: %+v", first, c)
		}
	}

	_, kinds := kindsFor(t, map[string]string{"GH_TOKEN": "x"})
	f, err := config.Parse("f", []byte(`{"urls": [{"host": "ghcr.io", "helper": "oci"}]}`), kinds, false)
	if err != nil {
		t.Fatal(err)
	}
	req, _ := helpers.ParseRequest("https://ghcr.io/v2/o/r/manifests/v1")
	if c, err := f.Rules[0].Helper.Credential(context.Background(), req.URL); err != nil || c.Username == "" || c.Secret.Reveal() != "x" {
		t.Errorf("a token without a user name: %+v, %v", c, err)
	}
	_, kinds = kindsFor(t, nil)
	f, _ = config.Parse("f", []byte(`{"urls": [{"host": "ghcr.io", "helper": "oci"}]}`), kinds, false)
	_, err = f.Rules[0].Helper.Credential(context.Background(), req.URL)
	for _, want := range append(all, "docker", "keyring", "hosts.yml") {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("nothing found: %v does not tell of %s", err, want)
		}
	}
}

// TestUnknownHelpersAreTold holds what a rule for a helper that is not there yet says when it is used.
func TestUnknownHelpersAreTold(t *testing.T) {
	for _, name := range []string{"s3", "gcs", "gar", "azstorage"} {
		_, kinds := kindsFor(t, nil)
		f, err := config.Parse("f", fmt.Appendf(nil, `{"urls": [{"host": "a.test", "helper": %q}]}`, name), kinds, false)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		req, _ := helpers.ParseRequest("https://a.test/")
		r := &resolver{routes: &config.Routes{Files: []config.File{f}}, now: testNow}
		if _, err := r.headers(context.Background(), req); err == nil || !strings.Contains(err.Error(), "is not supported yet") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
