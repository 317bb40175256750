package main

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/internal/peertest"
)

// TestBazelWorkspace builds the workspace with a real Bazel, that of BAZEL_ROOT.
func TestBazelWorkspace(t *testing.T) { peertest.WithBazel(t, testWorkspace) }

func testWorkspace(t *testing.T, b *peertest.Bazel) {
	dir := t.TempDir()
	if err := build(dir); err != nil {
		t.Fatal(err)
	}
	s, err := startServers()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	// Bazel's server is ended without the helper on PATH.
	defer b.Write(".bazelrc", "", 0o644)
	var out bytes.Buffer
	err = show(&out, s, b.Workspace, filepath.Join(dir, "netrc"), func(env []string, args ...string) (string, error) {
		r := b.Run(append(env, "PATH="+dir+":/usr/bin:/bin"), args[0], args[1:]...)
		if r.Code != 0 {
			return r.Stdout + r.Stderr, errors.New("it fails")
		}
		return r.Stdout + r.Stderr, nil
	})
	t.Logf("%s", out.String())
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{filesPassword, imagesPassword, modulesToken} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("it prints %s", secret)
		}
	}
}

// TestWorkspaceIsFilled holds that the program changes the hosts and the digests of each file, and leaves none behind.
func TestWorkspaceIsFilled(t *testing.T) {
	s, err := startServers()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	files, err := readWorkspace()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"MODULE.bazel", "BUILD.bazel", ".bazelrc", ".tweag-credential-helper.json"} {
		if files[name] == "" {
			t.Errorf("the workspace has no %s", name)
		}
	}
	for name, text := range files {
		if got := s.fill(text); strings.Contains(got, ".example.com") || strings.Contains(got, "00000000") {
			t.Errorf("%s:\n%s", name, got)
		}
	}
}
