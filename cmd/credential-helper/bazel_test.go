package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/internal/peertest"
	"github.com/fe055d52/credential-helper/internal/registrytest"
)

// TestBazel downloads private files with a real Bazel: from a server that wants a token, and from a registry with a token server.
func TestBazel(t *testing.T) { peertest.WithBazel(t, testBazel) }

const bazelToken = "b4z3l-canary"

// A download is an http_file rule of the workspace, and what it has to yield.
type download struct {
	name, url string
	content   []byte
}

func testBazel(t *testing.T, b *peertest.Bazel) {
	files := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("Authorization") != "Bearer "+bazelToken {
			http.Error(w, "not for you", http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, "the file at %s\n", req.URL.Path)
	}))
	t.Cleanup(files.Close)
	registry, err := registrytest.Start(registrytest.Config{Login: registrytest.Bearer, Users: map[string]string{"alice": "wonderland"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(registry.Close)
	image, err := registry.Push(t.Context(), "team/app", "v1")
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := image.Image.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	one := download{"one", files.URL + "/one", []byte("the file at /one\n")}
	two := download{"two", files.URL + "/two", []byte("the file at /two\n")}
	blob := download{"blob", image.LayerURL, layerContent(t, image)}
	tagged := download{"tagged", image.ManifestURL, manifest}

	b.Write("BUILD.bazel", "", 0o644)
	workspace := `load("@bazel_tools//tools/build_defs/repo:http.bzl", "http_file")` + "\n"
	for _, d := range []download{one, two, blob, tagged} {
		workspace += fmt.Sprintf("http_file(name = %q, urls = [%q], sha256 = %q)\n", d.name, d.url, sha256Hex(d.content))
	}
	b.Write("WORKSPACE", workspace, 0o644)
	b.Write(".tweag-credential-helper.json", fmt.Sprintf(`{"urls": [
	{"scheme": "http", "host": %q, "helper": "registry", "config": {"token": "${FILES_TOKEN}"}},
	{"scheme": "http", "host": %q, "helper": "oci", "config": {"parse_docker_config": false, "on_missing": "fail", "lookup_chain": [
		{"source": "env", "name": "REG_USER", "binding": "username"},
		{"source": "env", "name": "REG_PASS", "binding": "password"}
	]}}
]}`, strings.TrimPrefix(files.URL, "http://"), registry.Host), 0o600)

	helper := program(t)
	secrets := []string{"FILES_TOKEN=" + bazelToken, "REG_USER=alice", "REG_PASS=wonderland"}
	base := strings.TrimSpace(b.Run(nil, "info", "output_base").Stdout)
	downloaded := func(d download) string {
		content, err := os.ReadFile(filepath.Join(base, "external", d.name, "file", "downloaded"))
		if err != nil {
			return err.Error()
		}
		return string(content)
	}
	refused := func(t *testing.T, r peertest.Result, d download) {
		t.Helper()
		if r.Code == 0 || !strings.Contains(r.Stderr, "GET returned 401 Unauthorized") {
			t.Errorf("%s: %+v", d.name, r)
		}
	}

	t.Run("without a helper", func(t *testing.T) {
		for _, d := range []download{one, blob} {
			refused(t, b.Run(secrets, "fetch", "@"+d.name+"//file"), d)
		}
	})
	t.Run("without a secret", func(t *testing.T) {
		for d, want := range map[*download]string{
			&one:  "credential-helper: " + one.url + ": looking up a login: the rule's value uses ${FILES_TOKEN}, and $FILES_TOKEN is not set\nhint: ",
			&blob: "credential-helper: " + blob.url + ": no login found: $REG_USER is not set; $REG_PASS is not set\nhint: ",
		} {
			r := b.Run(nil, "fetch", "--credential_helper=127.0.0.1="+helper, "@"+d.name+"//file")
			refused(t, r, *d)
			if !strings.Contains(r.Stderr, want) {
				t.Errorf("%s does not show\n%sbut\n%s", d.name, want, r.Stderr)
			}
		}
	})
	t.Run("absolute path", func(t *testing.T) {
		for _, d := range []download{one, blob} {
			r := b.Run(secrets, "fetch", "--credential_helper=127.0.0.1="+helper, "@"+d.name+"//file")
			if got := downloaded(d); r.Code != 0 || got != string(d.content) {
				t.Errorf("%s: %+v\ngot %q", d.name, r, got)
			}
			if strings.Contains(r.Stderr, "WARNING: Error retrieving auth headers") || strings.Contains(r.Stderr, bazelToken) {
				t.Errorf("%s: %s", d.name, r.Stderr)
			}
		}
	})
	t.Run("path in the workspace", func(t *testing.T) {
		calls := filepath.Join(t.TempDir(), "calls")
		b.Write("tools/credential-helper", "#!/bin/sh\necho \"$@\" >>'"+calls+"'\nexec '"+helper+"' \"$@\"\n", 0o755)
		rc, err := os.ReadFile(filepath.Join(b.Workspace, ".bazelrc"))
		if err != nil {
			t.Fatal(err)
		}
		b.Write(".bazelrc", string(rc)+"common --credential_helper=127.0.0.1=%workspace%/tools/credential-helper\n", 0o644)
		r := b.Run(secrets, "fetch", "@two//file", "@tagged//file")
		for _, d := range []download{two, tagged} {
			if got := downloaded(d); r.Code != 0 || got != string(d.content) {
				t.Errorf("%s: %+v\ngot %q", d.name, r, got)
			}
		}
		// One call a URL.
		if got, err := os.ReadFile(calls); string(got) != "get\nget\n" {
			t.Errorf("the helper was called so: %q, %v", got, err)
		}
	})
}

func layerContent(t *testing.T, image registrytest.Image) []byte {
	t.Helper()
	layers, err := image.Image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	r, err := layers[0].Compressed()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func sha256Hex(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
