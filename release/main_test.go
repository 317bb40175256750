package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/internal/peertest"
)

// copyTree copies the module to a directory: what a checkout has, without a repository.
func copyTree(t *testing.T, to string) {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		switch {
		case rel == ".git", rel == "dist", strings.HasPrefix(rel, "bazel-"), rel == "MODULE.bazel.lock":
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		case !d.Type().IsRegular():
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), content, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// committed is when the test's commit was made.
var committed = time.Date(2021, 2, 3, 4, 5, 6, 0, time.UTC)

func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command(peertest.Require(t, "git", "apt-get install git"), args...)
	cmd.Dir = dir
	date := committed.Format(time.RFC3339)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull, "GIT_AUTHOR_DATE="+date, "GIT_COMMITTER_DATE="+date,
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %q: %v\n%s", args, err, out)
	}
}

// TestRelease builds the archive for this system twice, from two clones of one commit, and looks into it.
func TestRelease(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the program")
	}
	peertest.Require(t, "git", "apt-get install git")
	t.Setenv("HOME", t.TempDir()) // no configuration of git's
	t.Setenv("GOCACHE", goEnv(t, "GOCACHE"))
	t.Setenv("GOMODCACHE", goEnv(t, "GOMODCACHE"))
	t.Setenv("GOFLAGS", "-buildvcs=false") // what the builder's environment says does not count
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "a", "longer", "path")
	copyTree(t, one)
	git(t, one, "init", "-q")
	git(t, one, "add", "-A")
	git(t, one, "commit", "-q", "-m", "all")
	git(t, one, "tag", "v1.2.3")
	git(t, dir, "clone", "-q", one, two)

	here := target{runtime.GOOS, runtime.GOARCH}
	base := fmt.Sprintf("credential-helper_1.2.3_%s_%s", here.os, here.arch)
	archive, executable := base+".tar.gz", "credential-helper"
	if here.os == "windows" {
		archive, executable = base+".zip", "credential-helper.exe"
	}
	var dists []string
	for i, root := range []string{one, two} {
		dist := filepath.Join(dir, fmt.Sprintf("dist%d", i))
		if err := release(root, dist, []target{here}, false); err != nil {
			t.Fatal(err)
		}
		dists = append(dists, dist)
	}
	read := func(dist, name string) []byte {
		content, err := os.ReadFile(filepath.Join(dist, name))
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	content := read(dists[0], archive)
	if !bytes.Equal(content, read(dists[1], archive)) {
		t.Error("two builds of one commit differ")
	}
	if got, want := string(read(dists[0], "SHA256SUMS")), fmt.Sprintf("%x  %s\n", sha256.Sum256(content), archive); got != want {
		t.Errorf("SHA256SUMS is %q, want %q", got, want)
	}

	files := open(t, archive, content)
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimPrefix(f.path, base+"/"))
	}
	if want := []string{
		"CHANGELOG.md", "LICENSE", "README.md", "THIRD-PARTY-LICENSES", "completions/_credential-helper", "completions/credential-helper.bash",
		"completions/credential-helper.fish", executable, "man/credential-helper.1",
	}; !slices.Equal(names, want) {
		t.Errorf("the archive has %q, want %q", names, want)
	}
	for _, f := range files {
		name := strings.TrimPrefix(f.path, base+"/")
		switch name {
		case executable:
			if f.mode != 0o755 && here.os != "windows" {
				t.Errorf("%s has mode %o", name, f.mode)
			}
			if bytes.Contains(f.content, []byte(dir)) {
				t.Errorf("%s has the path of the checkout in it", name)
			}
			if got := run(t, f.content, "version"); !strings.HasPrefix(got, "credential-helper v1.2.3 go1.") {
				t.Errorf("version says %q", got)
			}
		case "THIRD-PARTY-LICENSES":
			for _, module := range []string{"Go: LICENSE", "filippo.io/age v", "golang.org/x/term v"} {
				if !strings.Contains(string(f.content), "==== "+module) {
					t.Errorf("%s does not name %s", name, module)
				}
			}
		case "man/credential-helper.1":
			if kept, err := os.ReadFile(filepath.Join("..", "docs", "credential-helper.1")); err != nil || !bytes.Equal(kept, f.content) {
				t.Errorf("%s is another one than that in docs (%v)", name, err)
			}
		}
		if len(f.content) == 0 {
			t.Errorf("%s is empty", name)
		}
	}

	t.Run("files that differ from the commit", func(t *testing.T) {
		if err := os.WriteFile(filepath.Join(two, "README.md"), []byte("changed"), 0o644); err != nil {
			t.Fatal(err)
		}
		err := release(two, t.TempDir(), []target{here}, false)
		if err == nil || err.Error() != "files differ from the commit; commit them, or say -dirty" {
			t.Errorf("error %v", err)
		}
	})
	t.Run("a worktree", func(t *testing.T) {
		tree := filepath.Join(dir, "tree")
		git(t, one, "worktree", "add", "-q", tree)
		err := release(tree, t.TempDir(), []target{here}, false)
		if err != nil && !strings.HasPrefix(err.Error(), "the go command does not see the repository") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("no repository", func(t *testing.T) {
		if err := os.RemoveAll(filepath.Join(one, ".git")); err != nil {
			t.Fatal(err)
		}
		dist := t.TempDir()
		if err := release(one, dist, []target{here}, false); err != nil {
			t.Fatal(err)
		}
		name := strings.Replace(archive, "1.2.3", "devel", 1)
		for _, f := range open(t, name, read(dist, name)) {
			if filepath.Base(f.path) == executable {
				if got := run(t, f.content, "version"); !strings.HasPrefix(got, "credential-helper devel go1.") {
					t.Errorf("version says %q", got)
				}
			}
		}
	})
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// run runs an executable, and returns what it prints.
func run(t *testing.T, executable []byte, args ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program.exe")
	if err := os.WriteFile(path, executable, 0o755); err != nil {
		t.Fatal(err)
	}
	r := peertest.Run(t, t.TempDir(), nil, append([]string{path}, args...), "")
	if r.Code != 0 {
		t.Errorf("%q: %+v", args, r)
	}
	return r.Stdout
}

// open returns the files of an archive, with the time of each checked.
func open(t *testing.T, name string, content []byte) []file {
	t.Helper()
	want := committed
	if strings.Contains(name, "devel") {
		want = time.Unix(0, 0)
	}
	var files []file
	add := func(path string, mode int64, at time.Time, r io.Reader) {
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if !at.Equal(want) && !(at.Equal(zipEpoch) && want.Before(zipEpoch)) {
			t.Errorf("%s was changed at %v, want %v", path, at, want)
		}
		files = append(files, file{path, content, mode})
	}
	if strings.HasSuffix(name, ".zip") {
		z, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range z.File {
			r, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			add(f.Name, int64(f.Mode()), f.Modified, r)
			r.Close()
		}
		return files
	}
	z, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	if z.Name != "" || !z.ModTime.IsZero() {
		t.Errorf("gzip's header has %+v", z.Header)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 {
			t.Errorf("%s belongs to %d:%d", h.Name, h.Uid, h.Gid)
		}
		add(h.Name, h.Mode, h.ModTime, r)
	}
}

// TestArchives holds that both kinds of archive keep what was put in, also where it was changed before their times begin.
func TestArchives(t *testing.T) {
	files := []file{{"a/b", []byte("one"), 0o755}, {"a/c", []byte("two"), 0o644}}
	for name, pack := range map[string]func([]file, time.Time) ([]byte, error){"devel.tar.gz": tarred, "devel.zip": zipped} {
		content, err := pack(files, time.Unix(0, 0))
		if err != nil {
			t.Fatal(err)
		}
		got := open(t, name, content)
		if fmt.Sprint(got) != fmt.Sprint(files) {
			t.Errorf("%s: %v", name, got)
		}
	}
}
