package peertest

import (
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A GitHost is a host of git repositories over HTTP, which wants its users to log in by Basic authentication for everything.
type GitHost struct {
	// Host is its host and port: "127.0.0.1:41234". It is asked by plain HTTP.
	Host string
	// URL is that of its one repository, which has one commit, with the file README.
	URL string

	t   testing.TB
	git string
}

const gitRepository = "acme/app.git"

// GitServer starts a host of git repositories with git's own server program. It ends with the test.
func GitServer(t testing.TB, users map[string]string) *GitHost {
	t.Helper()
	g := &GitHost{t: t, git: Require(t, "git", "apt-get install git")}
	root := t.TempDir()
	work := filepath.Join(root, "work")
	if err := os.Mkdir(work, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(work, "README"), []byte("private\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	repositories := filepath.Join(root, "repositories")
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main"},
		{"add", "README"},
		{"-c", "user.name=Alice", "-c", "user.email=alice@example.com", "commit", "--quiet", "--no-gpg-sign", "--message=Begin"},
		{"clone", "--quiet", "--bare", work, filepath.Join(repositories, filepath.FromSlash(gitRepository))},
	} {
		g.run(root, work, nil, args...)
	}
	backend := filepath.Join(strings.TrimSpace(g.run(root, work, nil, "--exec-path")), "git-http-backend")
	if _, err := os.Stat(backend); err != nil {
		missing(t, "needs %s; install it with: %s", "git-http-backend", "apt-get install git")
	}
	script := &cgi.Handler{
		Path: backend, Dir: repositories,
		Env: append(gitEnv(root), "GIT_PROJECT_ROOT="+repositories, "GIT_HTTP_EXPORT_ALL=1"),
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		name, password, ok := req.BasicAuth()
		if want, known := users[name]; !ok || !known || password != want {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			http.Error(w, "not for you", http.StatusUnauthorized)
			return
		}
		script.ServeHTTP(w, req)
	}))
	t.Cleanup(server.Close)
	g.Host = strings.TrimPrefix(server.URL, "http://")
	g.URL = server.URL + "/" + gitRepository
	return g
}

// Login has git list the repository as a user, asked for a name and a password, and keep them with its store: .git-credentials in the home directory.
func (g *GitHost) Login(home, name, password string) {
	g.t.Helper()
	ask := filepath.Join(g.t.TempDir(), "ask")
	err := os.WriteFile(ask, []byte("#!/bin/sh\ncase $1 in\nUsername*) echo \"$NAME\" ;;\nPassword*) echo \"$PASSWORD\" ;;\nesac\n"), 0o700)
	if err == nil {
		err = os.WriteFile(filepath.Join(home, ".gitconfig"), []byte("[credential]\n\thelper = store\n"), 0o600)
	}
	if err != nil {
		g.t.Fatal(err)
	}
	if refs := g.run(home, home, []string{"GIT_ASKPASS=" + ask, "NAME=" + name, "PASSWORD=" + password}, "ls-remote", g.URL); !strings.Contains(refs, "refs/heads/main") {
		g.t.Fatalf("git ls-remote: %q", refs)
	}
}

func (g *GitHost) run(home, dir string, env []string, args ...string) string {
	g.t.Helper()
	r := Run(g.t, dir, append(gitEnv(home), env...), append([]string{g.git}, args...), "")
	if r.Code != 0 {
		g.t.Fatalf("git %q: %+v", args, r)
	}
	return r.Stdout
}

// gitEnv returns the variables of a git that reads no configuration but that of a home directory.
func gitEnv(home string) []string {
	return []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0"}
}
