package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/internal/peertest"
)

// TestBazelNative downloads a package of npm's and one of Maven's with a real Bazel, by presets and the logins in the tools' own files.
func TestBazelNative(t *testing.T) { peertest.WithBazel(t, testBazelNative) }

func testBazelNative(t *testing.T, b *peertest.Bazel) {
	registry, host, home := peertest.Verdaccio(t), serveFiles(t), t.TempDir()
	registry.AddUser(home, "alice", "wonderland")
	downloads := []download{
		{"npm", registry.TarballURL(npmPackage, npmVersion), registry.Publish(home, npmPackage, npmVersion)},
		{"maven", "http://" + host + "/" + mavenJar, []byte(packages[mavenJar])},
	}
	settings := filepath.Join(home, ".m2", "settings.xml")
	err := os.Mkdir(filepath.Dir(settings), 0o700)
	if err == nil {
		err = os.WriteFile(settings, []byte(mavenSettings), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}

	b.Write("BUILD.bazel", "", 0o644)
	workspace := `load("@bazel_tools//tools/build_defs/repo:http.bzl", "http_file")` + "\n"
	for _, d := range downloads {
		workspace += fmt.Sprintf("http_file(name = %q, urls = [%q], sha256 = %q)\n", d.name, d.url, sha256Hex(d.content))
	}
	b.Write("WORKSPACE", workspace, 0o644)
	b.Write(".tweag-credential-helper.json", fmt.Sprintf(`{"urls": [
	{"scheme": "http", "host": %q, "helper": "registry", "config": {"preset": "npm"}},
	{"scheme": "http", "host": %q, "helper": "registry", "config": {"preset": "maven", "server": "acme"}}
]}`, registry.Host, host), 0o600)

	env := []string{"HOME=" + home, "CREDENTIAL_HELPER_STANDALONE=1"}
	base := strings.TrimSpace(b.Run(env, "info", "output_base").Stdout)
	for _, d := range downloads {
		t.Run(d.name, func(t *testing.T) {
			target := "@" + d.name + "//file"
			if r := b.Run(env, "fetch", target); r.Code == 0 || !strings.Contains(r.Stderr, "GET returned 401 Unauthorized") {
				t.Errorf("without a helper: %+v", r)
			}
			r := b.Run(env, "fetch", "--credential_helper=127.0.0.1="+program(t), target)
			if r.Code != 0 {
				t.Fatalf("%+v", r)
			}
			if got, err := os.ReadFile(filepath.Join(base, "external", d.name, "file", "downloaded")); err != nil || string(got) != string(d.content) {
				t.Errorf("%v, %q", err, got)
			}
		})
	}
}
