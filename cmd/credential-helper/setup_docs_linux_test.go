package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSetupTranscripts runs the commands of docs/setup.md, and holds that they print what stands there.
func TestSetupTranscripts(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "setup.md"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]map[string]string{
		"setup-uri":     {"MODULE.bazel": ""},
		"setup-keyring": {"token.txt": "s3cr3t-canary\n"},
		"init": {
			"MODULE.bazel": "", ".npmrc": "@acme:registry=https://npm.example.com/\n",
			".bazelrc": "common --registry=https://bcr.bazel.build\nbuild --remote_cache=grpcs://cache.example.com --remote_header=x-key=canary\n",
		},
	}
	blocks := regexp.MustCompile("(?s)```console\n\\$ credential-helper ([a-z-]+)([^\n]*)\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) != len(files) {
		t.Errorf("found %d transcripts, want %d", len(blocks), len(files))
	}
	for _, block := range blocks {
		name, args, want := block[1], block[2], block[3]
		t.Run(name, func(t *testing.T) {
			keyring := []string{"HOME=" + t.TempDir()}
			if name == "setup-keyring" {
				keyring = fileKeyring(t)
			}
			home := strings.TrimPrefix(keyring[0], "HOME=")
			ws := filepath.Join(home, "ws")
			if err := os.Mkdir(ws, 0o700); err != nil {
				t.Fatal(err)
			}
			for file, text := range files[name] {
				if err := os.WriteFile(filepath.Join(ws, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.Command(program(t))
			fields := strings.Fields(args)
			if i := len(fields) - 2; i >= 0 && fields[i] == "<" {
				in, err := os.Open(filepath.Join(ws, fields[i+1]))
				if err != nil {
					t.Fatal(err)
				}
				defer in.Close()
				cmd.Stdin, fields = in, fields[:i]
			}
			cmd.Args = append([]string{"credential-helper", name}, fields...)
			cmd.Dir = ws
			cmd.Env = append(keyring, "CREDENTIAL_HELPER_STANDALONE=1", "PATH="+filepath.Dir(program(t)))
			out, err := cmd.CombinedOutput()
			if _, exited := err.(*exec.ExitError); err != nil && !exited {
				t.Fatal(err)
			}
			if string(out) != want {
				t.Errorf("got\n%s\nwant\n%s", out, want)
			}
		})
	}
}
