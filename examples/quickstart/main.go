// Quickstart shows the main job from end to end, on this machine alone: a private container registry, a 401,
// credential-helper run as Bazel runs it, and the 200 that its headers get.
//
//	go run ./examples/quickstart
//
// It exits with status 1 where a step does not go as it says.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/fe055d52/credential-helper/internal/registrytest"
)

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func run(out io.Writer) error {
	dir, err := os.MkdirTemp("", "quickstart-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	// 1. A private registry, with a token server, and an image in it.
	registry, err := registrytest.Start(registrytest.Config{
		Login: registrytest.Bearer,
		Users: map[string]string{"alice": "wonderland"},
	})
	if err != nil {
		return fmt.Errorf("starting the registry: %w", err)
	}
	defer registry.Close()
	image, err := registry.Push(context.Background(), "team/app", "v1")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "A private registry runs at %s, with the image team/app:v1.\n\n", registry.URL)

	// 2. Without credentials it answers 401.
	status, err := fetch(image.ManifestURL, nil)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "$ curl %s\n%s\n\n", image.ManifestURL, status)
	if !strings.HasPrefix(status, "401") {
		return fmt.Errorf("the registry answered %s without credentials, not 401", status)
	}

	// 3. A workspace whose configuration says how to log in: one rule, and the password stays in the environment.
	config := fmt.Sprintf(`{
  "urls": [
    {
      "host": %q,
      "helper": "oci",
      "config": {
        "lookup_chain": [
          {"source": "env", "name": "REGISTRY_USER", "binding": "username"},
          {"source": "env", "name": "REGISTRY_PASSWORD", "binding": "password"}
        ]
      }
    }
  ]
}
`, registry.Host)
	for name, text := range map[string]string{"MODULE.bazel": "", ".tweag-credential-helper.json": config} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "The workspace has a .tweag-credential-helper.json:\n%s\n", indent(config))

	// 4. The real executable, run as Bazel runs it: a request on standard input, the headers on standard output.
	program, err := build(dir)
	if err != nil {
		return err
	}
	request, err := json.Marshal(map[string]string{"uri": image.ManifestURL})
	if err != nil {
		return err
	}
	headers, expires, err := get(program, dir, request, "REGISTRY_USER=alice", "REGISTRY_PASSWORD=wonderland")
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "Bazel would be told about it in .bazelrc:")
	fmt.Fprintf(out, "  common --credential_helper=127.0.0.1=/path/to/credential-helper\n\n")
	fmt.Fprintf(out, "$ export REGISTRY_USER=alice REGISTRY_PASSWORD=…\n$ echo '%s' | credential-helper get\n", request)
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		fmt.Fprintf(out, "  %s: %s\n", name, shorten(strings.Join(headers[name], ", ")))
	}
	fmt.Fprintf(out, "  (to be used until %s)\n\n", expires)

	// 5. With exactly these headers the registry answers 200, for the manifest and for a layer.
	for _, url := range []string{image.ManifestURL, image.LayerURL} {
		status, err := fetch(url, headers)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "$ curl -H … %s\n%s\n\n", url, status)
		if !strings.HasPrefix(status, "200") {
			return fmt.Errorf("the registry answered %s with our headers, not 200", status)
		}
	}
	fmt.Fprintf(out, "The registry was asked how to log in %d time(s), and its token server for a token %d time(s).\n", registry.Pings(), registry.Exchanges())
	return nil
}

// build builds the executable into dir.
func build(dir string) (string, error) {
	program := filepath.Join(dir, "credential-helper")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	cmd := exec.Command("go", "build", "-o", program, "github.com/fe055d52/credential-helper/cmd/credential-helper")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("building credential-helper (run this from a checkout): %w", err)
	}
	return program, nil
}

// get runs the executable in a workspace, with a home of its own so that no login of this machine's user is met.
func get(program, dir string, request []byte, vars ...string) (headers http.Header, expires string, err error) {
	cmd := exec.Command(program, "get")
	cmd.Dir = dir
	home := filepath.Join(dir, "home")
	cmd.Env = append(os.Environ(), "HOME="+home, "USERPROFILE="+home, "XDG_CONFIG_HOME="+home, "AppData="+home, "DOCKER_CONFIG="+home, "CREDENTIAL_HELPER_CONFIG_FILE=",
		"CREDENTIAL_HELPER_STANDALONE=1") // no agent stays behind
	cmd.Env = append(cmd.Env, vars...)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(request), os.Stderr
	stdout, err := cmd.Output()
	if err != nil {
		return nil, "", fmt.Errorf("running credential-helper get: %w", err)
	}
	var answer struct {
		Headers http.Header `json:"headers"`
		Expires string      `json:"expires"`
	}
	if err := json.Unmarshal(stdout, &answer); err != nil {
		return nil, "", fmt.Errorf("reading the answer: %w", err)
	}
	if !strings.HasPrefix(answer.Headers.Get("Authorization"), "Bearer ") || answer.Expires == "" {
		return nil, "", errors.New("the answer has no bearer token, or does not say when it expires")
	}
	return answer.Headers, answer.Expires, nil
}

// fetch returns the status of a GET.
func fetch(url string, headers http.Header) (string, error) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	req.Header = headers.Clone()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	return resp.Status, nil
}

// shorten makes a long value fit for a screen, and a token fit to be shown.
func shorten(value string) string {
	if len(value) <= 60 {
		return value
	}
	return fmt.Sprintf("%s… (%d characters)", value[:24], len(value))
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n  ") + "\n"
}
