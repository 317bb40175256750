// Release builds the archives of a release: `go run ./release` makes one for each system in dist/, and SHA256SUMS.
//
// Whoever builds the same commit with the same version of Go gets the same bytes, wherever the checkout is: nothing in an archive
// says when, where or by whom it was made. The version and the time are those that the Go toolchain records of the commit
// (see runtime/debug.BuildInfo), so that the tag is the one place that a version is written in.
// A tree without a repository makes archives of the version "devel", with the files' times at zero.
package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"debug/buildinfo"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// A target is a system that the program is built for.
type target struct{ os, arch string }

func (t target) String() string { return t.os + "/" + t.arch }

var targets = []target{
	{"linux", "amd64"},
	{"linux", "arm64"},
	{"darwin", "amd64"},
	{"darwin", "arm64"},
	{"windows", "amd64"},
	{"windows", "arm64"},
}

const (
	name    = "credential-helper"
	command = "./cmd/credential-helper"
)

func main() {
	dist := flag.String("o", "dist", "the directory for the archives")
	host := flag.Bool("host", false, "build for this system alone")
	dirty := flag.Bool("dirty", false, "build also what is not a commit: for trying it out")
	flag.Parse()
	list := targets
	if *host {
		list = []target{{runtime.GOOS, runtime.GOARCH}}
	}
	if err := release(".", *dist, list, *dirty); err != nil {
		fmt.Fprintf(os.Stderr, "release: %v\n", err)
		os.Exit(1)
	}
}

// release builds archives of the module in root.
func release(root, dist string, list []target, dirty bool) error {
	work, err := os.MkdirTemp("", "release")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := os.MkdirAll(dist, 0o755); err != nil {
		return err
	}

	shared, err := sharedFiles(root, work)
	if err != nil {
		return err
	}
	var sums bytes.Buffer
	for _, t := range list {
		executable, err := build(root, work, t)
		if err != nil {
			return err
		}
		b, err := readStamp(executable)
		if err != nil {
			return err
		}
		if b.modified && !dirty {
			return errors.New("files differ from the commit; commit them, or say -dirty")
		}
		if _, err := os.Lstat(filepath.Join(root, ".git")); err == nil && b.version == "devel" && !dirty {
			return errors.New("the go command does not see the repository: build in a clone, not in a worktree of another one")
		}
		archive, content, err := pack(root, executable, b, t, shared)
		if err != nil {
			return fmt.Errorf("packing for %s: %w", t, err)
		}
		if err := os.WriteFile(filepath.Join(dist, archive), content, 0o644); err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(content), archive)
		fmt.Printf("%s %d\n", archive, len(content))
	}
	return os.WriteFile(filepath.Join(dist, "SHA256SUMS"), sums.Bytes(), 0o644)
}

// build builds the executable below work, unless it was built before. Whatever the builder's environment says of that is put aside.
func build(root, work string, t target) (string, error) {
	executable := filepath.Join(work, t.os, t.arch, name)
	if t.os == "windows" {
		executable += ".exe"
	}
	if _, err := os.Stat(executable); err == nil {
		return executable, nil
	}
	cmd := goCommand(root, t, "build", "-trimpath", "-buildvcs=auto", "-ldflags=-s -w", "-o", executable, command)
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("building for %s: %w", t, err)
	}
	return executable, nil
}

func goCommand(root string, t target, args ...string) *exec.Cmd {
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Stderr = root, os.Stderr
	cmd.Env = append(os.Environ(), "GOOS="+t.os, "GOARCH="+t.arch, "CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOWORK=off",
		"GOEXPERIMENT=", "GOAMD64=v1", "GOARM64=v8.0", "GOFIPS140=off", "GODEBUG=")
	return cmd
}

// A stamp is what the toolchain recorded of the commit.
type stamp struct {
	version  string
	time     time.Time
	modified bool
}

func readStamp(executable string) (stamp, error) {
	info, err := buildinfo.ReadFile(executable)
	if err != nil {
		return stamp{}, err
	}
	b := stamp{version: cmp.Or(info.Main.Version, "devel"), time: time.Unix(0, 0).UTC()}
	if b.version == "(devel)" {
		b.version = "devel"
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.time":
			if b.time, err = time.Parse(time.RFC3339, s.Value); err != nil {
				return stamp{}, fmt.Errorf("reading the commit's time: %w", err)
			}
		case "vcs.modified":
			b.modified = s.Value == "true"
		}
	}
	return b, nil
}

// sharedFiles returns those of an archive that are the same for all systems, by their names in it.
func sharedFiles(root, work string) (map[string][]byte, error) {
	list := map[string][]byte{}
	for to, from := range map[string]string{
		"LICENSE": "LICENSE", "README.md": "README.md", "CHANGELOG.md": "CHANGELOG.md", "man/" + name + ".1": "docs/" + name + ".1",
	} {
		content, err := os.ReadFile(filepath.Join(root, from))
		if err != nil {
			return nil, err
		}
		list[to] = content
	}
	// The program that runs here says how shells complete its command line.
	executable, err := build(root, work, target{runtime.GOOS, runtime.GOARCH})
	if err != nil {
		return nil, err
	}
	for shell, file := range map[string]string{"bash": name + ".bash", "zsh": "_" + name, "fish": name + ".fish"} {
		content, err := exec.Command(executable, "completion", shell).Output()
		if err != nil {
			return nil, fmt.Errorf("asking for %s's completions: %w", shell, err)
		}
		list["completions/"+file] = content
	}
	return list, nil
}

// pack makes the archive for a target, and its name.
func pack(root, executable string, b stamp, t target, shared map[string][]byte) (string, []byte, error) {
	program, err := os.ReadFile(executable)
	if err != nil {
		return "", nil, err
	}
	notices, err := licences(root, t)
	if err != nil {
		return "", nil, err
	}
	dir := fmt.Sprintf("%s_%s_%s_%s", name, strings.TrimPrefix(b.version, "v"), t.os, t.arch)
	files := []file{{dir + "/THIRD-PARTY-LICENSES", notices, 0o644}}
	for path, content := range shared {
		files = append(files, file{dir + "/" + path, content, 0o644})
	}
	if t.os == "windows" {
		files = sorted(append(files, file{dir + "/" + name + ".exe", program, 0o755}))
		content, err := zipped(files, b.time)
		return dir + ".zip", content, err
	}
	files = sorted(append(files, file{dir + "/" + name, program, 0o755}))
	content, err := tarred(files, b.time)
	return dir + ".tar.gz", content, err
}

// A file is one of an archive.
type file struct {
	path    string
	content []byte
	mode    int64
}

func sorted(files []file) []file {
	return slices.SortedFunc(slices.Values(files), func(a, b file) int { return strings.Compare(a.path, b.path) })
}
