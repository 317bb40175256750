package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/internal/peertest"
)

// program returns the path of the executable as it is shipped. The tests with real peers run that one, not the test executable.
func program(t testing.TB) string {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var built = sync.OnceValues(func() (string, error) {
	// TestMain has a directory for the scripts' programs, which it removes in the end.
	beside, err := exec.LookPath("hold")
	if err != nil {
		return "", err
	}
	path := filepath.Join(filepath.Dir(filepath.Dir(beside)), "built", "credential-helper")
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	build := exec.Command("go", "build", "-buildvcs=false", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stderr = os.Stderr
	return path, build.Run()
})

// A site is where the program is run: a home of its own, and an environment without anything of the test's.
type site struct {
	t    testing.TB
	home string
	dir  string // the working directory: the home directory, where a test does not set another one
	env  []string
}

// newSite makes a site without a cache. rules is the content of the config file, or "" for none; env is added to the environment.
func newSite(t testing.TB, rules string, env ...string) *site {
	t.Helper()
	home := t.TempDir()
	p := &site{t: t, home: home, dir: home, env: append([]string{"HOME=" + home, "CREDENTIAL_HELPER_STANDALONE=1"}, env...)}
	if rules != "" {
		p.env = append(p.env, "CREDENTIAL_HELPER_CONFIG_FILE="+p.write("rules.json", rules))
	}
	return p
}

// write writes a file below the home directory and returns its path.
func (p *site) write(name, text string) string {
	p.t.Helper()
	path := filepath.Join(p.home, name)
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = os.WriteFile(path, []byte(text), 0o600)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return path
}

// get runs "credential-helper get" for a URL.
func (p *site) get(url string) peertest.Result {
	p.t.Helper()
	return peertest.Run(p.t, p.dir, p.env, []string{program(p.t), "get"}, bazelRequest(url))
}

// headers runs get for a URL, which has to work, and returns what it printed.
func (p *site) headers(url string) http.Header {
	p.t.Helper()
	headers, _ := readAnswer(p.t, url, p.get(url))
	return headers
}

func bazelRequest(url string) string {
	request, err := json.Marshal(map[string]string{"uri": url})
	if err != nil {
		panic(err) // a map of strings
	}
	return string(request)
}

// readAnswer takes a successful answer apart. expires is the zero time where the answer has none.
func readAnswer(t testing.TB, url string, r peertest.Result) (headers http.Header, expires time.Time) {
	t.Helper()
	if r.Code != 0 || r.Stderr != "" {
		t.Fatalf("get for %s: exit status %d, and on standard error:\n%s", url, r.Code, r.Stderr)
	}
	var answer struct {
		Headers http.Header `json:"headers"`
		Expires *time.Time  `json:"expires"`
	}
	d := json.NewDecoder(strings.NewReader(r.Stdout))
	d.DisallowUnknownFields()
	if err := d.Decode(&answer); err != nil || answer.Headers == nil {
		t.Fatalf("get for %s answers %q: %v", url, r.Stdout, err)
	}
	if answer.Expires != nil {
		expires = *answer.Expires
	}
	return answer.Headers, expires
}

// An answer is what a server says to a request that carries just the headers that were printed.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func fetch(t testing.TB, method, url string, headers http.Header) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = headers.Clone()
	if req.Header == nil {
		req.Header = http.Header{}
	}
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true}
	resp, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, body}
}

// digest returns the SHA-256 of content as registries write it.
func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}
