package main

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/cache"
	"github.com/fe055d52/credential-helper/config"
)

// fuzzRule is a rule out of random parts. kind says which helper, and where the secret is from; login is what the login names as its host, where it is one that does.
type fuzzRule struct {
	hostRule
	allowHTTP bool
	kind      int
	login     string
}

const (
	fuzzToken  = iota // helper registry, with a secret for whatever the rule names
	fuzzHost          // helper registry, with a secret that names its host in a variable
	fuzzDocker        // helper oci, with a docker login
	fuzzGitHub        // helper github
	fuzzRemote        // helper remoteapis
	fuzzKinds
)

func (f fuzzRule) text() (string, error) {
	helper := []string{"registry", "registry", "oci", "github", "remoteapis"}[f.kind]
	conf := map[string]any{"allow_http": f.allowHTTP, "on_missing": "anonymous"}
	source := map[string]string{"source": "env", "name": "RULE_TOKEN"}
	switch f.kind {
	case fuzzHost:
		source["host_from"] = "RULE_HOST"
	case fuzzRemote:
		conf["header_name"] = "x-token"
	case fuzzGitHub:
		conf["read_config_file"] = false
	}
	if f.kind != fuzzDocker {
		conf["lookup_chain"] = []any{source}
	}
	data, err := json.Marshal(map[string]any{"urls": []any{map[string]any{"scheme": f.Scheme, "host": f.Host, "path": f.Path, "helper": helper, "config": conf}}})
	return string(data), err
}

// mayHave reports whether the login is for the host of a reading.
func (f fuzzRule) mayHave(r reading) bool {
	switch f.kind {
	case fuzzHost:
		for _, read := range []func(string) (reading, bool){readNet, readWeb} {
			if server, ok := read(f.login); ok && (server.withPort() != r.withPort() || schemePort(server.scheme) == "443" && schemePort(r.scheme) != "443") {
				return false
			}
		}
	case fuzzDocker:
		host := f.login
		if scheme, rest, isURL := strings.Cut(host, "://"); isURL {
			if host = rest; strings.EqualFold(scheme, "http") {
				host, _, _ = strings.Cut(host, "/")
				host = strings.TrimSuffix(host, ":80")
			}
		}
		host, _, _ = strings.Cut(host, "/")
		hub := func(host string) string {
			if host = strings.TrimSuffix(host, ":443"); host == "docker.io" || host == "registry-1.docker.io" {
				return "index.docker.io"
			}
			return host
		}
		return asciiLower(hub(asciiLower(host))) == hub(r.hostPort())
	}
	return true
}

// asciiLower is what case folding comes to where nothing but ASCII has a case.
func asciiLower(text string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, text)
}

// FuzzHosts holds the whole way from a URL to the headers to its promise: where a secret comes out, or a server is sent one, each program that can read the URL
// takes it for a host that the rule names, and that the login names, over an encrypted way, to this machine, or where the rule allows otherwise.
func FuzzHosts(f *testing.F) {
	for i, host := range []string{"github.com", "*.corp.test", "registry.corp.test:8443", "*corp.test", "[2001:db8:*]:*", "127.0.0.1", "localhost:*", "r*y.corp.test", "*", ""} {
		for kind := range fuzzKinds {
			f.Add("https://registry.corp.test/v2/acme/app/manifests/v1", "", host, "", "registry.corp.test", uint8(kind))
		}
		for j, s := range spellings("registry.corp.test") {
			f.Add("https://"+s+"/v2/acme/app/manifests/v1", "", host, "", s, uint8(i+j))
		}
	}
	for i, s := range addresses {
		f.Add("http://"+s+"/", "", s, "", s, uint8(i))
	}
	for i, path := range hostPaths {
		f.Add("https://registry.corp.test"+path, "https", "registry.corp.test", "/org-a/*", "registry.corp.test/org-a", uint8(i))
	}
	w := newHostsWorld(f, nil)
	base := w.resolver("")
	f.Fuzz(func(t *testing.T, raw, scheme, host, path, login string, flags uint8) {
		if len(raw) > 200 || len(host) > 40 || len(path) > 40 || strings.Count(host, "*") > 3 || strings.Count(path, "*") > 3 {
			return // the oracle takes its time
		}
		rule := fuzzRule{hostRule: hostRule{Scheme: scheme, Host: host, Path: path}, kind: int(flags&0x7f) % fuzzKinds, allowHTTP: flags&0x80 != 0, login: login}
		text, err := rule.text()
		if err != nil {
			t.Fatal(err)
		}
		auth := base64.StdEncoding.EncodeToString([]byte("u:" + ruleSecret))
		docker, err := json.Marshal(map[string]any{"auths": map[string]any{login: map[string]string{"auth": auth}}})
		if err != nil {
			t.Fatal(err)
		}
		w.vars["DOCKER_AUTH_CONFIG"], w.vars["RULE_HOST"] = string(docker), login
		e := *w.env
		client := &http.Client{Transport: w}
		file, err := config.Parse("f", []byte(text), helperKinds(newSources(&e, client), client, nil), false)
		if err != nil {
			return
		}
		r := *base
		r.routes, r.cache = &config.Routes{Files: []config.File{file}}, cache.None{}
		w.t = t
		o := w.ask(&r, raw)
		if len(o.secrets)+len(o.sent) == 0 {
			return
		}
		rule.Host, rule.Path = strings.ToValidUTF8(host, "\ufffd"), strings.ToValidUTF8(path, "\ufffd")
		var readings []reading
		if at, ok := readNet(raw); ok {
			readings = append(readings, at)
		}
		if at, ok := readWeb(raw); ok {
			readings = append(readings, at)
		}
		if len(readings) == 0 {
			t.Fatalf("%q: %q for what nobody takes for a URL", raw, o.secrets)
		}
		for _, at := range readings {
			at.path = strings.ToValidUTF8(at.path, "\ufffd")
			rule.Path = oneSlash(rule.Path)
			switch {
			case !rule.names(at):
				t.Errorf("%q: %q under %s, and it is for %+v to one who reads it", raw, o.secrets, rule, at)
			case !rule.mayHave(at):
				t.Errorf("%q: %q of a login for %q, and it is for %+v to one who reads it", raw, o.secrets, login, at)
			case !rule.allowHTTP && !at.loopback() && at.scheme != "https" && at.scheme != "grpcs":
				t.Errorf("%q: %q in the clear", raw, o.secrets)
			}
			for _, sent := range o.sent {
				if server, _, _ := strings.Cut(sent, " "); server != at.hostPort() && !(at.host == "docker.io" && server == "registry-1.docker.io") {
					t.Errorf("%q: sent to %s, and it is for %+v to one who reads it", raw, server, at)
				}
			}
		}
		if o.err != nil {
			t.Errorf("%q: %q and an error: %v", raw, o.secrets, o.err)
		}
	})
}
