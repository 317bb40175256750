// The directory "workspace" beside this program is a Bazel workspace with three private downloads: a file behind a user name and a password,
// a layer of a container image, and a module from a registry of modules. To have it for your own servers, copy it, and put your hosts, paths
// and digests in the place of those that are there.
//
// The program does that for servers that it starts on this machine, in a directory of its own, and has Bazel build it:
//
//	go run ./examples/bazel
//
// It needs Bazel 7.1 or newer on PATH, also under the name bazelisk.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

const install = "https://bazel.build/install, or: go install github.com/bazelbuild/bazelisk@latest"

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bazel:", err)
		os.Exit(1)
	}
}

func run(out io.Writer) error {
	bazel, err := exec.LookPath("bazel")
	if err != nil {
		if bazel, err = exec.LookPath("bazelisk"); err != nil {
			fmt.Fprintf(out, "There is no Bazel on PATH, so nothing is run. Install it: %s\n", install)
			return nil
		}
	}
	dir, err := os.MkdirTemp("", "example-bazel-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	bin, ws := filepath.Join(dir, "bin"), filepath.Join(dir, "workspace")
	for _, d := range []string{bin, ws} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return err
		}
	}
	if err := build(bin); err != nil {
		return err
	}
	s, err := startServers()
	if err != nil {
		return err
	}
	defer s.Close()
	command := func(env []string, args ...string) (string, error) {
		cmd := exec.Command(bazel, append([]string{"--nohome_rc", "--output_user_root=" + filepath.Join(dir, "out")}, args...)...)
		cmd.Dir, cmd.Env = ws, append(os.Environ(), "PATH="+bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
		cmd.Env = append(cmd.Env, env...)
		output, err := cmd.CombinedOutput()
		return string(output), err
	}
	err = show(out, s, ws, filepath.Join(dir, "netrc"), command)
	if _, shutdownErr := command(nil, "shutdown"); err == nil && shutdownErr != nil {
		err = fmt.Errorf("ending Bazel's server: %w", shutdownErr)
	}
	return err
}

// show writes the workspace and a netrc file, and has bazel build it: without logins, and with them. bazel returns what it printed.
func show(out io.Writer, s *servers, ws, netrc string, bazel func(env []string, args ...string) (string, error)) error {
	files, err := readWorkspace()
	if err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(ws, name), []byte(s.fill(text)), 0o644); err != nil {
			return err
		}
	}
	// Bazel keeps downloads by their checksum: an empty --repository_cache has it ask each time.
	command := []string{"build", "--repository_cache=", "--color=no", "--curses=no", "--noshow_progress", "//:downloads"}
	// No agent stays behind, and no file of this machine's user is read.
	env := []string{"CREDENTIAL_HELPER_STANDALONE=1", "CREDENTIAL_HELPER_CONFIG_FILE=", "NETRC=" + netrc}

	fmt.Fprintln(out, "$ bazel build //:downloads")
	output, err := bazel(env, command...)
	fmt.Fprintln(out, output)
	if err == nil {
		return errors.New("the build succeeds without logins")
	}
	if !strings.Contains(output, "401 Unauthorized") {
		return errors.New("the build fails for another reason than a missing login")
	}

	host, _, _ := strings.Cut(strings.TrimPrefix(s.files.URL, "http://"), ":")
	if err := os.WriteFile(netrc, fmt.Appendf(nil, "machine %s login %s password %s\n", host, filesUser, filesPassword), 0o600); err != nil {
		return err
	}
	fmt.Fprintln(out, "$ export NETRC=~/.netrc MODULES_TOKEN=… IMAGES_USER=… IMAGES_PASSWORD=…\n$ bazel build //:downloads")
	output, err = bazel(append(env, "MODULES_TOKEN="+modulesToken, "IMAGES_USER="+imagesUser, "IMAGES_PASSWORD="+imagesPassword), command...)
	fmt.Fprintln(out, output)
	if err != nil {
		return fmt.Errorf("building with the logins: %w", err)
	}
	return nil
}

// readWorkspace returns the files of the workspace by name.
func readWorkspace() (map[string]string, error) {
	cmd := exec.Command("go", "list", "-f", "{{.Dir}}", "github.com/fe055d52/credential-helper/examples/bazel")
	cmd.Stderr = os.Stderr
	dir, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("finding the workspace (run this from a checkout): %w", err)
	}
	paths, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "workspace", "*"))
	if err != nil {
		return nil, err
	}
	files := map[string]string{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		files[filepath.Base(path)] = string(text)
	}
	return files, nil
}

// build builds the executable into dir.
func build(dir string) error {
	program := filepath.Join(dir, "credential-helper")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	cmd := exec.Command("go", "build", "-o", program, "github.com/fe055d52/credential-helper/cmd/credential-helper")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("building credential-helper (run this from a checkout): %w", err)
	}
	return nil
}
