package peertest

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// get asks a server as a user, or with an Authorization header, or without both, and returns the status and the content.
func get(t *testing.T, url string, authorize func(*http.Request)) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if authorize != nil {
		authorize(req)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(body)
}

func raw(value string) func(*http.Request) {
	return func(req *http.Request) { req.Header.Set("Authorization", value) }
}

func user(name, password string) func(*http.Request) {
	return func(req *http.Request) { req.SetBasicAuth(name, password) }
}

func TestVerdaccio(t *testing.T) {
	r := Verdaccio(t)
	home := t.TempDir()
	r.AddUser(home, "alice", "wonderland")
	npmrc, err := os.ReadFile(filepath.Join(home, ".npmrc"))
	if err != nil {
		t.Fatal(err)
	}
	_, token, ok := strings.Cut(strings.TrimSpace(string(npmrc)), "//"+r.Host+"/:_authToken=")
	if !ok || strings.Contains(token, "\n") {
		t.Fatalf("npm wrote %q", npmrc)
	}
	token = strings.Trim(token, `"`)
	content := r.Publish(home, "@acme/secret", "1.2.3")

	tarball, metadata := r.TarballURL("@acme/secret", "1.2.3"), r.MetadataURL("@acme/secret")
	for _, url := range []string{tarball, metadata} {
		if status, _, body := get(t, url, nil); status != http.StatusUnauthorized {
			t.Errorf("%s without a token: %d %s", url, status, body)
		}
	}
	if status, _, body := get(t, tarball, raw("Bearer "+token)); status != http.StatusOK || body != string(content) {
		t.Errorf("%s: %d %q", tarball, status, body)
	}
	if status, _, body := get(t, metadata, raw("Bearer "+token)); status != http.StatusOK || !strings.Contains(body, `"tarball": "`+tarball+`"`) {
		t.Errorf("%s: %d %s", metadata, status, body)
	}
	if status, _, body := get(t, tarball, raw(token)); status == http.StatusOK {
		t.Errorf("%s with the token by itself: %d %q", tarball, status, body)
	}
}

func TestNginxBasic(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{"maven2/test/acme/app.pom": "<project/>", "simple/secret/index.html": "<html></html>"} {
		path := filepath.Join(root, filepath.FromSlash(name))
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if err == nil {
			err = os.WriteFile(path, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	host := NginxBasic(t, map[string]string{"alice": "wonderland"}, root)
	url := "http://" + host + "/maven2/test/acme/app.pom"
	if status, header, _ := get(t, url, nil); status != http.StatusUnauthorized || header.Get("WWW-Authenticate") != `Basic realm="private"` {
		t.Errorf("without a login: %d %v", status, header)
	}
	if status, _, _ := get(t, url, user("alice", "looking-glass")); status != http.StatusUnauthorized {
		t.Errorf("with a wrong password: %d", status)
	}
	if status, _, body := get(t, url, user("alice", "wonderland")); status != http.StatusOK || body != "<project/>" {
		t.Errorf("%d %q", status, body)
	}
	// pip reads an index only where it is said to be HTML.
	index := "http://" + host + "/simple/secret/"
	if status, header, body := get(t, index, user("alice", "wonderland")); status != http.StatusOK || header.Get("Content-Type") != "text/html" || body != "<html></html>" {
		t.Errorf("%d %v %q", status, header, body)
	}
}

func TestCargoRegistry(t *testing.T) {
	r := NewCargoRegistry(t, "c4rg0-canary", "acme-secret", "abc")
	home := t.TempDir()
	cargo := NewCargo(t, home, "acme", r)
	project := filepath.Join(home, "project")
	for name, text := range map[string]string{
		"Cargo.toml": "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\n" +
			"[dependencies]\nacme-secret = { version = \"1\", registry = \"acme\" }\nabc = { version = \"1\", registry = \"acme\" }\n",
		"src/lib.rs": "",
	} {
		path := filepath.Join(project, filepath.FromSlash(name))
		err := os.MkdirAll(filepath.Dir(path), 0o700)
		if err == nil {
			err = os.WriteFile(path, []byte(text), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := cargo.Run(project, "", "fetch"); got.Code == 0 || !strings.Contains(got.Stderr, "no token found for `acme`") {
		t.Errorf("cargo fetch without a login: %+v", got)
	}
	cargo.Login("acme", "c4rg0-canary")
	if got := cargo.Run(project, "", "fetch"); got.Code != 0 {
		t.Errorf("cargo fetch: %+v", got)
	}
	for _, name := range []string{"acme-secret", "abc"} {
		kept, _ := filepath.Glob(filepath.Join(cargo.Home, "registry", "cache", "*", name+"-1.2.3.crate"))
		if len(kept) != 1 {
			t.Errorf("cargo has %q of %s", kept, name)
			continue
		}
		if content, err := os.ReadFile(kept[0]); err != nil || string(content) != string(r.Content(name)) {
			t.Errorf("%s: %v", kept[0], err)
		}
	}
	for _, url := range []string{r.IndexURL("acme-secret"), r.DownloadURL("abc")} {
		for name, authorize := range map[string]func(*http.Request){"nothing": nil, "Bearer": raw("Bearer c4rg0-canary"), "Basic": user("", "c4rg0-canary"), "another token": raw("canary")} {
			if status, header, _ := get(t, url, authorize); status != http.StatusUnauthorized || !strings.HasPrefix(header.Get("WWW-Authenticate"), "Cargo login_url=") {
				t.Errorf("%s with %s: %d %v", url, name, status, header)
			}
		}
	}
	if status, _, body := get(t, r.DownloadURL("abc"), raw("c4rg0-canary")); status != http.StatusOK || body != string(r.Content("abc")) {
		t.Errorf("%d %q", status, body)
	}
}

func TestGitServer(t *testing.T) {
	g := GitServer(t, map[string]string{"alice": "wonderland"})
	home := t.TempDir()
	g.Login(home, "alice", "wonderland")
	// git escapes the colon of the port, or does not.
	if kept, err := os.ReadFile(filepath.Join(home, ".git-credentials")); err != nil || strings.ReplaceAll(string(kept), "%3a", ":") != "http://alice:wonderland@"+g.Host+"\n" {
		t.Errorf("git kept %q, %v", kept, err)
	}
	g.run(home, home, nil, "clone", "--quiet", g.URL, "app")
	if content, err := os.ReadFile(filepath.Join(home, "app", "README")); err != nil || string(content) != "private\n" {
		t.Errorf("%q, %v", content, err)
	}
	url := g.URL + "/info/refs?service=git-upload-pack"
	if status, header, _ := get(t, url, nil); status != http.StatusUnauthorized || header.Get("WWW-Authenticate") != `Basic realm="git"` {
		t.Errorf("without a login: %d %v", status, header)
	}
	if status, _, _ := get(t, url, user("alice", "looking-glass")); status != http.StatusUnauthorized {
		t.Errorf("with a wrong password: %d", status)
	}
	if status, _, body := get(t, url, user("alice", "wonderland")); status != http.StatusOK || !strings.Contains(body, "refs/heads/main") {
		t.Errorf("%d %q", status, body)
	}
}
