package lookup

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/internal/peertest"
)

// A cargoServer is a sparse registry with one crate, for those with a token alone
// (https://doc.rust-lang.org/cargo/reference/registry-index.html, "auth-required" in RFC 3139).
type cargoServer struct {
	*httptest.Server
	mu   sync.Mutex
	sent map[string][]string // what Authorization was sent, by path
}

func serveCargo(t *testing.T, accepted ...string) *cargoServer {
	t.Helper()
	crate := tarball(t, map[string]string{
		"demo-0.1.0/Cargo.toml": "[package]\nname = \"demo\"\nversion = \"0.1.0\"\n",
		"demo-0.1.0/src/lib.rs": "",
	})
	s := &cargoServer{sent: map[string][]string{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.sent[r.URL.Path] = append(s.sent[r.URL.Path], r.Header.Get("Authorization"))
		s.mu.Unlock()
		if !slices.Contains(accepted, r.Header.Get("Authorization")) {
			w.Header().Set("WWW-Authenticate", `Cargo login_url="`+s.URL+`/me"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		switch r.URL.Path {
		case "/index/config.json":
			fmt.Fprintf(w, `{"dl": %q, "api": %q, "auth-required": true}`, s.URL+"/dl", s.URL)
		case "/index/de/mo/demo":
			fmt.Fprintf(w, `{"name": "demo", "vers": "0.1.0", "deps": [], "features": {}, "yanked": false, "cksum": "%x"}`, sha256.Sum256(crate))
		case "/dl/demo/0.1.0/download":
			_, _ = w.Write(crate)
		case "/api/v1/crates":
			fmt.Fprint(w, `{"crates": [], "meta": {"total": 0}}`)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func tarball(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for name, content := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// all returns every Authorization that was sent with a path that begins with prefix, and forgets it.
func (s *cargoServer) all(prefix string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for path, values := range s.sent {
		if strings.HasPrefix(path, prefix) {
			list = append(list, values...)
		}
	}
	clear(s.sent)
	slices.Sort(list)
	return slices.Compact(list)
}

// realCargo runs cargo in the working directory of s, with its variables and no others.
func realCargo(t *testing.T, s *Sources, stdin string, args ...string) string {
	t.Helper()
	program := peertest.Require(t, "cargo", "rustup, or apt-get install cargo")
	rustup := os.Getenv("RUSTUP_HOME")
	if home, err := os.UserHomeDir(); err == nil && rustup == "" {
		rustup = filepath.Join(home, ".rustup")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = s.Env.Dir
	cmd.Env = append(s.Env.Environ(), "PATH="+os.Getenv("PATH"), "HOME="+s.Env.Home, "RUSTUP_HOME="+rustup, "CARGO_NET_OFFLINE=false", "CARGO_NET_RETRY=0", "NO_PROXY=*")
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("cargo %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// TestRealCargo lets cargo store a token, and compares what it sends with what is found for the same URLs.
func TestRealCargo(t *testing.T) {
	notOnWindows(t)
	server := serveCargo(t, canary)
	s := newSources(t, map[string]string{})
	write(t, s, "proj/.cargo/config.toml", "[registries.corp]\nindex = \"sparse+"+server.URL+"/index/\"\n[registry]\nglobal-credential-providers = [\"cargo:token\"]\n")
	write(t, s, "proj/Cargo.toml", "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\ndemo = { version = \"0.1\", registry = \"corp\" }\n")
	write(t, s, "proj/src/lib.rs", "")

	realCargo(t, s, canary, "login", "--registry", "corp")
	if _, err := os.Stat(filepath.Join(s.Env.Home, ".cargo", "credentials.toml")); err != nil {
		t.Fatalf("cargo stored no token: %v", err)
	}
	server.all("")
	realCargo(t, s, "", "fetch")
	for _, path := range []string{"/index/config.json", "/index/de/mo/demo", "/dl/demo/0.1.0/download"} {
		server.mu.Lock()
		sent := slices.Clone(server.sent[path])
		server.mu.Unlock()
		values, err := s.Cargo("").Lookup(t.Context(), ask(t, server.URL+path))
		if err != nil || len(sent) == 0 || sent[len(sent)-1] != values[Token].Reveal() {
			t.Errorf("%s: cargo sent %q, and %v, %v is found", path, sent, values, err)
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", values[Token].Reveal())
		response, err := server.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Errorf("%s with the token that is found: %s", path, response.Status)
		}
	}
}

// TestRealCargoPrecedence holds that of several tokens the one is found that cargo sends.
func TestRealCargoPrecedence(t *testing.T) {
	notOnWindows(t)
	token := func(value string) string { return "[registries.my-corp]\ntoken = \"" + value + "\"\n" }
	const provider = "[registry]\nglobal-credential-providers = [\"cargo:token\"]\n"
	for _, tt := range []struct {
		name  string
		vars  map[string]string
		files map[string]string
		want  string
	}{
		{"credentials", nil, map[string]string{".cargo/credentials.toml": token("a")}, "a"},
		{"the old credentials", nil, map[string]string{".cargo/credentials": token("a")}, "a"},
		{"both credentials", nil, map[string]string{".cargo/credentials": token("a"), ".cargo/credentials.toml": token("b")}, "a"},
		{"the variable", map[string]string{"CARGO_REGISTRIES_MY_CORP_TOKEN": "a"}, map[string]string{".cargo/credentials.toml": token("b")}, "a"},
		{"credentials before the project", nil, map[string]string{".cargo/credentials.toml": token("a"), "proj/sub/.cargo/config.toml": token("b")}, "a"},
		{"the nearest", nil, map[string]string{"proj/sub/.cargo/config.toml": token("a"), "proj/.cargo/extra.toml": token("b")}, "a"},
		{"the old configuration", nil, map[string]string{"proj/sub/.cargo/config": token("a"), "proj/sub/.cargo/config.toml": token("b")}, "a"},
		{"cargo's home comes last", nil, map[string]string{"proj/sub/.cargo/config.toml": token("a"), ".cargo/config.toml": token("b")}, "a"},
		{"cargo's home", nil, map[string]string{".cargo/config.toml": token("a")}, "a"},
		{"another home", map[string]string{"CARGO_HOME": "~/else"}, map[string]string{"else/credentials.toml": token("a"), ".cargo/credentials.toml": token("b")}, "a"},
		{"another home's configuration", map[string]string{"CARGO_HOME": "~/else"}, map[string]string{"else/config.toml": token("b"), ".cargo/config.toml": token("a")}, "a"},
		{"included", nil, map[string]string{"proj/sub/.cargo/config.toml": "include = [\"more.toml\"]\n", "proj/sub/.cargo/more.toml": token("a"), ".cargo/config.toml": token("b")}, "a"},
		{"included, the last one first", nil, map[string]string{
			"proj/sub/.cargo/config.toml": "include = [\"one.toml\", {path = \"two.toml\"}, {path = \"three.toml\", optional = true}]\n",
			"proj/sub/.cargo/one.toml":    token("b"), "proj/sub/.cargo/two.toml": token("a"),
		}, "a"},
		{"before what it includes", nil, map[string]string{"proj/sub/.cargo/config.toml": "include = [\"one.toml\"]\n" + token("a"), "proj/sub/.cargo/one.toml": token("b")}, "a"},
		{"an alias of its own provider", nil, map[string]string{
			".cargo/credentials.toml": token("a"), "proj/sub/.cargo/config.toml": "[credential-alias]\nmine = [\"cargo:token\"]\n[registries.my-corp]\ncredential-provider = \"mine\"\n",
		}, "a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := serveCargo(t, "a", "b")
			vars := map[string]string{}
			s := newSources(t, vars)
			for name, value := range tt.vars {
				vars[name] = strings.ReplaceAll(value, "~", s.Env.Home)
			}
			for name, content := range tt.files {
				write(t, s, name, content)
			}
			write(t, s, "proj/.cargo/config.toml", provider+"[registries.my-corp]\nindex = \"sparse+"+server.URL+"/index/\"\n")
			s.Env.Dir = filepath.Join(s.Env.Home, "proj", "sub")
			if err := os.MkdirAll(s.Env.Dir, 0o700); err != nil {
				t.Fatal(err)
			}
			realCargo(t, s, "", "search", "--registry", "my-corp", "demo")
			if sent := server.all("/api/"); !slices.Equal(sent, []string{tt.want}) {
				t.Errorf("cargo sends %q", sent)
			}
			expect(t, s, s.Cargo(""), ask(t, server.URL+"/api/v1/crates"), outcome{values: "default=" + tt.want + " token=" + tt.want})
			expect(t, s, s.Cargo("my-corp"), ask(t, server.URL+"/api/v1/crates"), outcome{values: "default=" + tt.want + " token=" + tt.want})
		})
	}
}
