// Package scripts tests the scripts in this directory.
package scripts

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/fe055d52/credential-helper/internal/peertest"
)

const (
	token   = "glpat-canary-0123456789"
	content = "a private file\n"
)

// A server has private files for whoever sends the token, and sends them on to a storage service, as registries do.
type server struct {
	*httptest.Server
	storage *httptest.Server

	mu     sync.Mutex
	leaked []string // headers that the storage service was sent, and command lines with the token
}

func newServer(t *testing.T) *server {
	s := &server{}
	s.storage = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(fmt.Sprint(r.Header), token) {
			s.leak("the storage service is sent %v", r.Header)
		}
		fmt.Fprint(w, content)
	}))
	t.Cleanup(s.storage.Close)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.watch(t)
		switch {
		case r.Header.Get("PRIVATE-TOKEN") != token:
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/stored":
			http.Redirect(w, r, s.storage.URL+"/object?X-Amz-Signature=abc", http.StatusFound)
		case r.URL.Path == "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		default:
			fmt.Fprint(w, content)
		}
	}))
	t.Cleanup(s.Server.Close)
	return s
}

// watch looks at the command lines of all processes: that of the client that waits for the answer is among them.
func (s *server) watch(t *testing.T) {
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Error(err)
	}
	for _, path := range lines {
		// A process may be gone by now.
		if line, err := os.ReadFile(path); err == nil && strings.Contains(string(line), token) {
			s.leak("%s is %q", path, line)
		}
	}
}

func (s *server) leak(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaked = append(s.leaked, fmt.Sprintf(format, args...))
}

// TestScripts downloads with each script: directly, through a redirect to another host, and what cannot be had.
func TestScripts(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the scripts are started as on Unix")
	}
	bin, home := t.TempDir(), t.TempDir()
	if r := peertest.Run(t, "", nil, []string{"go", "build", "-o", filepath.Join(bin, "credential-helper"), "github.com/fe055d52/credential-helper/cmd/credential-helper"}, ""); r.Code != 0 {
		t.Fatalf("%+v", r)
	}
	s := newServer(t)
	nginx := peertest.NginxBasic(t, map[string]string{"alice": "wonder\"l\\and"}, writeFile(t, t.TempDir(), "release.txt", content))
	rules := filepath.Join(writeFile(t, home, "rules.json", fmt.Sprintf(`{"urls": [
		{"host": %q, "helper": "registry", "config": {"auth_method": "header", "header_name": "PRIVATE-TOKEN", "token": "${FILES_TOKEN}"}},
		{"host": %q, "helper": "registry", "config": {"username": "alice", "password": "${NGINX_PASSWORD}"}},
		{"host": %q, "helper": "registry", "config": {"auth_method": "header", "header_name": "PRIVATE-TOKEN", "token": "${FILES_TOKEN}"}}
	]}`, strings.TrimPrefix(s.URL, "http://"), nginx, strings.TrimPrefix(s.storage.URL, "http://"))), "rules.json")
	path := bin + string(filepath.ListSeparator) + os.Getenv("PATH")
	with := func(env ...string) []string {
		return append([]string{"PATH=" + path, "HOME=" + home, "CREDENTIAL_HELPER_STANDALONE=1", "CREDENTIAL_HELPER_CONFIG_FILE=" + rules}, env...)
	}
	login := with("FILES_TOKEN="+token, `NGINX_PASSWORD=wonder"l\and`)

	for _, script := range []struct{ name, program, install string }{
		{"fetch.sh", "curl", "apt-get install curl"},
		{"fetch.py", "python3", "apt-get install python3"},
	} {
		t.Run(script.name, func(t *testing.T) {
			peertest.Require(t, script.program, script.install)
			program, err := filepath.Abs(script.name)
			if err != nil {
				t.Fatal(err)
			}
			fetch := func(env []string, url string) (peertest.Result, string) {
				t.Helper()
				out := filepath.Join(t.TempDir(), "out")
				r := peertest.Run(t, home, env, []string{program, url, out}, "")
				got, err := os.ReadFile(out)
				if err != nil && !os.IsNotExist(err) {
					t.Fatal(err)
				}
				return r, string(got)
			}
			for _, url := range []string{s.URL + "/direct", s.URL + "/stored", "http://" + nginx + "/release.txt"} {
				if r, got := fetch(login, url); r != (peertest.Result{}) || got != content {
					t.Errorf("%s: %+v, %q", url, r, got)
				}
			}
			for _, tt := range []struct {
				env       []string
				url, want string
			}{
				{with(), s.URL + "/direct", "$FILES_TOKEN is not set"},
				{with("FILES_TOKEN=old"), s.URL + "/direct", "401"},
				{login, s.URL + "/loop", ""},
			} {
				if r, got := fetch(tt.env, tt.url); r.Code == 0 || got != "" || r.Stderr == "" || !strings.Contains(r.Stderr, tt.want) {
					t.Errorf("%s: %+v, %q", tt.url, r, got)
				}
			}
			if r := peertest.Run(t, home, login, []string{program}, ""); r.Code == 0 || !strings.HasPrefix(r.Stderr, "usage: ") {
				t.Errorf("without arguments: %+v", r)
			}
		})
	}
	for _, leak := range s.leaked {
		t.Error(leak)
	}
}

// writeFile writes a file and returns its directory.
func writeFile(t *testing.T, dir, name, text string) string {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}
