package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/internal/peertest"
)

// TestBazelTroubles holds that a real Bazel prints what docs/troubleshooting.md quotes of it, and remembers answers as it says there.
func TestBazelTroubles(t *testing.T) { peertest.WithBazel(t, testBazelTroubles) }

func testBazelTroubles(t *testing.T, b *peertest.Bazel) {
	private := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer good" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(private.Close)
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "troubleshooting.md"))
	if err != nil {
		t.Fatal(err)
	}
	var workspace strings.Builder
	workspace.WriteString(`load("@bazel_tools//tools/build_defs/repo:http.bzl", "http_file")` + "\n")
	add := func(name string) { // a file that is downloaded once for each name: Bazel remembers answers by their URL
		workspace.WriteString(`http_file(name = "` + name + `", urls = ["` + private.URL + "/" + name + `"], sha256 = "` + sha256Hex(nil) + `")` + "\n")
		b.Write("WORKSPACE", workspace.String(), 0o644)
	}
	b.Write("BUILD.bazel", "", 0o644)
	const helper = "--credential_helper=127.0.0.1=%workspace%/"
	for _, tt := range []struct {
		name, script string
		args         []string
		quotes       []string
	}{
		{"none", "", nil, []string{"class com.google.devtools.build.lib.bazel.repository.downloader.UnrecoverableHttpException GET returned 401 Unauthorized"}},
		{"fails", "echo 'credential-helper: why' >&2; exit 1", nil, []string{
			"WARNING: Error retrieving auth headers, continuing without: Failed to get credentials for '", "process exited with code 1. stderr: ",
		}},
		{"slow", "sleep 3", []string{"--credential_helper_timeout=1s"}, []string{"process timed out"}},
		{"silent", "cat >/dev/null", nil, []string{"process exited without output"}},
		{"garbage", "cat >/dev/null; echo hello", nil, []string{"error parsing output"}},
		{"missing", "", []string{helper + "nonesuch"}, []string{"Cannot run program ", "Exec failed, error: 2 (No such file or directory)"}},
		{"data", "", []string{helper + "WORKSPACE"}, []string{"Exec failed, error: 13 (Permission denied)"}},
		{"name", "", []string{"--credential_helper=files.example.com=credential-helper"}, []string{
			"ERROR: Could not find file with name 'credential-helper' on PATH '", "ERROR: Error initializing credential helper",
		}},
		{"port", "", []string{"--credential_helper=files.example.com:8443=credential-helper"}, []string{
			"Credential helper scope 'files.example.com:8443' must be a valid domain name with an optional leading '*.' wildcard",
		}},
		{"cache", "exit 1", []string{"--remote_cache=" + private.URL}, []string{"ERROR: Failed to get credentials for '", "ERROR: Error initializing RemoteModule"}},
	} {
		add(tt.name)
		args := append(tt.args, "@"+tt.name+"//file")
		if tt.script != "" {
			b.Write(tt.name+".sh", "#!/bin/sh\n"+tt.script+"\n", 0o755)
			args = append([]string{helper + tt.name + ".sh"}, args...)
		}
		r := b.Run(nil, "fetch", args...)
		for _, quote := range tt.quotes {
			if !strings.Contains(r.Stderr, quote) {
				t.Errorf("%s: Bazel does not print %q but\n%s", tt.name, quote, r.Stderr)
			}
			if !strings.Contains(string(page), quote) {
				t.Errorf("%s: the page does not have %q", tt.name, quote)
			}
		}
	}

	// An answer is remembered, whatever changes; an error is not. The helper has the variables of the command, not of Bazel's server.
	calls := filepath.Join(t.TempDir(), "calls")
	b.Write("count.sh", "#!/bin/sh\ncat >/dev/null\necho \"$MARK\" >>'"+calls+"'\n"+`echo '{"headers":{}}'`+"\n", 0o755)
	b.Write("good.sh", "#!/bin/sh\ncat >/dev/null\n"+`echo '{"headers":{"Authorization":["Bearer good"]}}'`+"\n", 0o755)
	add("counted")
	for _, env := range []string{"MARK=one", "MARK=two"} {
		b.Run([]string{env}, "fetch", helper+"count.sh", "@counted//file")
	}
	if r := b.Run([]string{"MARK=three"}, "fetch", helper+"good.sh", "@counted//file"); r.Code == 0 {
		t.Error("Bazel asks another helper, though it has an answer")
	}
	if r := b.Run(nil, "fetch", helper+"good.sh", "@fails//file"); r.Code != 0 {
		t.Errorf("Bazel does not ask again after an error: %+v", r)
	}
	if r := b.Run(nil, "shutdown"); r.Code != 0 {
		t.Fatalf("%+v", r)
	}
	b.Run([]string{"MARK=four"}, "fetch", helper+"count.sh", "@counted//file")
	if got, err := os.ReadFile(calls); string(got) != "one\nfour\n" {
		t.Errorf("the helper was called with %q, %v", got, err)
	}
}
