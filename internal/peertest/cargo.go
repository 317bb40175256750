package peertest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// A CargoRegistry is a sparse registry of crates (https://doc.rust-lang.org/cargo/reference/registry-index.html#sparse-protocol)
// that gives everything, its index too, to requests with its token alone.
type CargoRegistry struct {
	// Host is the registry's host and port: "127.0.0.1:41234". The registry is asked by plain HTTP.
	Host string

	t      testing.TB
	token  string
	crates map[string]crate // by the path of their file in the index
}

type crate struct {
	name, version string
	content       []byte
}

// The registry's version of the one crate that it has.
const crateVersion = "1.2.3"

// NewCargoRegistry starts a registry that wants a token, and has one crate of each name, in version 1.2.3. It ends with the test.
func NewCargoRegistry(t testing.TB, token string, names ...string) *CargoRegistry {
	t.Helper()
	r := &CargoRegistry{t: t, token: token, crates: map[string]crate{}}
	for _, name := range names {
		r.crates[indexPath(name)] = crate{name, crateVersion, crateFile(t, name, crateVersion)}
	}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.Host = strings.TrimPrefix(server.URL, "http://")
	return r
}

// Index returns the URL by which cargo's configuration names the registry.
func (r *CargoRegistry) Index() string { return "sparse+http://" + r.Host + "/index/" }

// IndexURL returns the URL of a crate's file in the index.
func (r *CargoRegistry) IndexURL(name string) string {
	return "http://" + r.Host + "/index/" + indexPath(name)
}

// DownloadURL returns the URL of a crate's content, which is what [CargoRegistry.Content] returns.
func (r *CargoRegistry) DownloadURL(name string) string {
	return fmt.Sprintf("http://%s/crates/%s/%s/download", r.Host, name, crateVersion)
}

// Content returns a crate's file.
func (r *CargoRegistry) Content(name string) []byte { return r.crates[indexPath(name)].content }

// indexPath is the path of a crate's file in an index.
func indexPath(name string) string {
	name = strings.ToLower(name)
	switch len(name) {
	case 1, 2:
		return path.Join(fmt.Sprint(len(name)), name)
	case 3:
		return path.Join("3", name[:1], name)
	}
	return path.Join(name[:2], name[2:4], name)
}

func (r *CargoRegistry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	// The token by itself, without a scheme.
	if values := req.Header.Values("Authorization"); len(values) != 1 || values[0] != r.token {
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Cargo login_url="http://%s/me"`, r.Host))
		http.Error(w, "not for you", http.StatusUnauthorized)
		return
	}
	if req.URL.Path == "/index/config.json" {
		r.writeJSON(w, map[string]any{"dl": "http://" + r.Host + "/crates", "api": "http://" + r.Host, "auth-required": true})
		return
	}
	if file, ok := strings.CutPrefix(req.URL.Path, "/index/"); ok {
		if c, ok := r.crates[file]; ok {
			sum := sha256.Sum256(c.content)
			r.writeJSON(w, map[string]any{
				"name": c.name, "vers": c.version, "deps": []any{}, "cksum": hex.EncodeToString(sum[:]), "features": map[string]any{}, "yanked": false,
			})
			return
		}
	}
	for c := range maps.Values(r.crates) {
		if req.URL.Path == fmt.Sprintf("/crates/%s/%s/download", c.name, c.version) {
			_, _ = w.Write(c.content)
			return
		}
	}
	http.NotFound(w, req)
}

func (r *CargoRegistry) writeJSON(w http.ResponseWriter, v any) {
	_ = json.NewEncoder(w).Encode(v) // where nobody reads it, there is nobody to tell
}

// crateFile makes a crate as cargo package does: an archive of a directory with a manifest and a library.
func crateFile(t testing.TB, name, version string) []byte {
	t.Helper()
	var file bytes.Buffer
	compressed := gzip.NewWriter(&file)
	archive := tar.NewWriter(compressed)
	for _, f := range [][2]string{
		{"Cargo.toml", fmt.Sprintf("[package]\nname = %q\nversion = %q\nedition = \"2021\"\n", name, version)},
		{"src/lib.rs", ""},
	} {
		err := archive.WriteHeader(&tar.Header{Name: name + "-" + version + "/" + f[0], Mode: 0o644, Size: int64(len(f[1]))})
		if err == nil {
			_, err = archive.Write([]byte(f[1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := compressed.Close(); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// A Cargo is the real client, with a home of its own.
type Cargo struct {
	// Home is its CARGO_HOME. What [Cargo.Login] kept is in credentials.toml there.
	Home string

	program string
	t       testing.TB
}

// NewCargo returns a client whose CARGO_HOME is .cargo in a home directory. By its configuration, it knows a registry by a name.
func NewCargo(t testing.TB, home, name string, registry *CargoRegistry) *Cargo {
	t.Helper()
	c := &Cargo{program: Require(t, "cargo", "rustup, or apt-get install cargo"), Home: filepath.Join(home, ".cargo"), t: t}
	// cargo's own provider of credentials keeps them in a file.
	config := fmt.Sprintf("[registries.%s]\nindex = %q\n[registry]\nglobal-credential-providers = [\"cargo:token\"]\n", name, registry.Index())
	err := os.MkdirAll(c.Home, 0o700)
	if err == nil {
		err = os.WriteFile(filepath.Join(c.Home, "config.toml"), []byte(config), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Login has cargo login keep a token for a registry.
func (c *Cargo) Login(name, token string) {
	c.t.Helper()
	if r := c.Run(filepath.Dir(c.Home), token+"\n", "login", "--registry", name); r.Code != 0 {
		c.t.Fatalf("cargo login: %+v", r)
	}
}

// Run runs cargo in a directory.
func (c *Cargo) Run(dir, stdin string, args ...string) Result {
	c.t.Helper()
	env := []string{"CARGO_HOME=" + c.Home, "HOME=" + filepath.Dir(c.Home), "PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	// Where cargo is rustup's, it finds itself below the home directory of the user.
	if home, err := os.UserHomeDir(); err == nil {
		rustup := filepath.Join(home, ".rustup")
		if v := os.Getenv("RUSTUP_HOME"); v != "" {
			rustup = v
		}
		env = append(env, "RUSTUP_HOME="+rustup)
	}
	return Run(c.t, dir, env, append([]string{c.program}, args...), stdin)
}
