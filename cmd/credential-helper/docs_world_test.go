package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/fe055d52/credential-helper/internal/githubtest"
	"github.com/fe055d52/credential-helper/internal/registrytest"
)

// docHome is the home directory in the pages. The working directory is the workspace "ws" there.
const docHome = "/home/you"

// A docWorld is where the blocks of a page are run: a home with a workspace, our program on PATH, and the internet, which consists of the setup's servers:
// the program reaches them by their names, over TLS, through a proxy on loopback.
type docWorld struct {
	t               *testing.T
	home, workspace string
	env             []string
	after           string // is run after a script, and must succeed
	direct          bool   // without the proxy, for what asks no server
	hosts           map[string]http.Handler
}

// askedByBazel has Bazel ask the program for all hosts of the pages, so that nobody is told to do so.
func (w *docWorld) askedByBazel() {
	w.write("ws/.bazelrc", "common --credential_helper=*.example.com=credential-helper\ncommon --credential_helper=*.github.com=credential-helper\n")
}

// docSetups are the worlds that a page can ask for, by name.
var docSetups = map[string]func(*docWorld){
	// A machine that knows of nothing.
	"clean": func(*docWorld) {},

	// files.example.com has private files for a token, which the workspace's rule finds in $FILES_TOKEN.
	"files": func(w *docWorld) {
		w.askedByBazel()
		w.serve("files.example.com", func(rw http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer "+docToken {
				rw.Header().Set("WWW-Authenticate", `Bearer realm="Files"`)
				rw.WriteHeader(http.StatusUnauthorized)
				return
			}
			_, _ = io.WriteString(rw, "a private file\n")
		})
		w.write("ws/.tweag-credential-helper.json", docFilesRule)
		w.env = append(w.env, "FILES_TOKEN="+docToken)
	},

	// The same, but the server wants a user name and a password.
	"files-basic": func(w *docWorld) {
		w.askedByBazel()
		w.serve("files.example.com", func(rw http.ResponseWriter, r *http.Request) {
			if user, password, _ := r.BasicAuth(); user != "alice" || password != "wonderland" {
				rw.Header().Set("WWW-Authenticate", `Basic realm="Files"`)
				rw.WriteHeader(http.StatusUnauthorized)
			}
		})
		w.write("ws/.tweag-credential-helper.json", docFilesRule)
		w.env = append(w.env, "FILES_TOKEN="+docToken)
	},

	// A configuration with a mistake in it.
	"typo": func(w *docWorld) {
		w.write("ws/.tweag-credential-helper.json", `{
  "urls": [
    {"host": "a.example.com", "helper": "oci"},
    {"host": "b.example.com", "helper": "oci", "confg": {}}
  ]
}
`)
	},

	// registry.example.com has the private image team/app:v1, for the login in Docker's configuration.
	"registry": func(w *docWorld) {
		w.askedByBazel()
		w.registry("registry.example.com")
		w.write("ws/.tweag-credential-helper.json", `{"urls": [{"host": "registry.example.com", "helper": "oci"}]}`)
		w.write(".docker/config.json", `{"auths": {"registry.example.com": {"auth": "YWxpY2U6d29uZGVybGFuZA=="}}}`)
	},

	// The same, with two rules, and a chain whose variables are not set.
	"registry-rules": func(w *docWorld) {
		w.askedByBazel()
		w.registry("registry.example.com")
		w.write("ws/.tweag-credential-helper.json", `{"urls": [
  {"host": "registry.example.com", "path": "/v2/public/*", "helper": "null"},
  {"host": "registry.example.com", "helper": "oci", "config": {"lookup_chain": [
    {"source": "env", "name": "REGISTRY_TOKEN", "binding": "registrytoken"},
    {"source": "static", "value": "alice", "binding": "username"},
    {"source": "env", "name": "REGISTRY_PASSWORD", "binding": "password"}
  ]}}
]}`)
		w.write(".docker/config.json", `{"auths": {"registry.example.com": {"auth": "YWxpY2U6d29uZGVybGFuZA=="}}}`)
	},

	// The same, with the rule of a CI machine, which finds the login in variables.
	"registry-ci": func(w *docWorld) {
		w.askedByBazel()
		w.registry("registry.example.com")
		w.write(".config/credential-helper/config.json", `{"urls": [{"host": "registry.example.com", "helper": "oci", "config": {"lookup_chain": [
			{"source": "env", "name": "CI_REGISTRY_USER", "binding": "username"}, {"source": "env", "name": "CI_REGISTRY_PASSWORD", "binding": "password"}]}}]}`)
		w.env = append(w.env, "CI_REGISTRY_USER=alice", "CI_REGISTRY_PASSWORD=wonderland")
	},

	// GitHub, with the private repository acme/tools and a token for it in $GH_TOKEN.
	"github": func(w *docWorld) {
		w.askedByBazel()
		s := githubtest.New(w.t)
		addAcme(s)
		s.AddToken(githubtest.Token{Value: "ghp_0123456789abcdef", Repos: []string{"acme/tools"}, Expires: time.Now().Add(100 * 24 * time.Hour)})
		for _, host := range []string{"github.com", "api.github.com", "raw.githubusercontent.com", "codeload.github.com"} {
			w.forward(host, s.URL)
		}
		w.env = append(w.env, "GH_TOKEN=ghp_0123456789abcdef")
	},

	// A keyring, which is an encrypted file, and a file with a secret to put into it.
	"keyring": func(w *docWorld) {
		w.keyring()
		w.write("ws/token.txt", docToken+"\n")
		w.after = "test \"$(credential-helper setup-keyring --read files.example.com)\" = " + docToken + "\n"
	},

	// A machine without a keyring, whose user has a key for SSH. After the block there is an encrypted file that works.
	"ssh-key": func(w *docWorld) {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			w.t.Fatal(err)
		}
		block, err := ssh.MarshalPrivateKey(key, "")
		if err != nil {
			w.t.Fatal(err)
		}
		w.write(".ssh/id_ed25519", string(pem.EncodeToMemory(block)))
		w.after = "echo t0ken | credential-helper setup-keyring a\ntest \"$(credential-helper setup-keyring --read a)\" = t0ken\n"
	},

	// A workspace that fetches from a private npm registry and a remote cache, and says nothing of logins.
	"unconfigured": func(w *docWorld) {
		w.write("ws/.npmrc", "@acme:registry=https://npm.example.com/\n")
		w.write("ws/.bazelrc", "common --registry=https://bcr.bazel.build\nbuild --remote_cache=grpcs://cache.example.com --remote_header=x-key=canary\n")
	},

	// An installation with some mistakes in it: a rule's variable that is misspelled where it is set, and a port in .bazelrc.
	"mistakes": func(w *docWorld) {
		w.direct = true
		w.write("ws/.tweag-credential-helper.json", `{"urls": [
  {"host": "files.example.com", "helper": "registry", "config": {"token": "${FILES_TOKEN}"}},
  {"host": "registry.example.com", "helper": "oci"}
]}`)
		w.write("ws/.bazelrc", "common --credential_helper=files.example.com:8443=credential-helper\ncommon --credential_helper=registry.example.com=credential-helper\n")
		w.write(".docker/config.json", "{}")
		if err := os.Symlink("credential-helper", filepath.Join(w.home, "bin", "docker-credential-credhelper")); err != nil {
			w.t.Fatal(err)
		}
		w.env = append(slices.DeleteFunc(w.env, func(v string) bool { return strings.HasPrefix(v, "CREDENTIAL_HELPER_") }), "FILES_TOKENS="+docToken)
	},

	// A release's archive with its checksums, in the working directory.
	"archive": func(w *docWorld) {
		w.archive("credential-helper_1.2.3_linux_amd64")
		w.after = "~/.local/bin/credential-helper version\n"
	},

	// A user of fish.
	"shells": func(w *docWorld) {
		w.write(".config/fish/completions/nothing", "")
		w.after = "test -s ~/.local/share/man/man1/credential-helper.1\n"
	},

	// A login to ghcr.io that Docker keeps in plain text, and a keyring to take it over.
	"docker": func(w *docWorld) {
		w.keyring()
		w.write(".docker/config.json", `{"auths": {"ghcr.io": {"auth": "YWxpY2U6d29uZGVybGFuZA=="}}}`)
	},
}

const (
	docToken     = "t0ken-0123456789"
	docFilesRule = `{
  "urls": [
    {"host": "github.example.com", "helper": "github"},
    {"host": "files.example.com", "helper": "registry", "config": {"lookup_chain": [{"source": "env", "name": "FILES_TOKEN"}]}}
  ]
}
`
)

func newDocWorld(t *testing.T, setup func(*docWorld)) *docWorld {
	t.Helper()
	home, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := &docWorld{t: t, home: home, workspace: filepath.Join(home, "ws"), hosts: map[string]http.Handler{}}
	w.write("ws/MODULE.bazel", "")
	w.write("run/nothing", "")
	if err := os.Mkdir(filepath.Join(home, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	// The program's own directory is where it makes links, so it is a copy.
	content, err := os.ReadFile(program(t))
	if err == nil {
		err = os.WriteFile(filepath.Join(home, "bin", "credential-helper"), content, 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
	examples, err := filepath.Abs(filepath.Join("..", "..", "examples"))
	if err == nil {
		err = os.Symlink(examples, filepath.Join(w.workspace, "examples"))
	}
	if err != nil {
		t.Fatal(err)
	}
	w.env = []string{
		"HOME=" + home, "XDG_RUNTIME_DIR=" + filepath.Join(home, "run"), "PATH=" + filepath.Join(home, "bin") + ":/usr/local/bin:/usr/bin:/bin", "LC_ALL=C.UTF-8",
		"CREDENTIAL_HELPER_STANDALONE=1", // no agent stays behind
	}
	setup(w)
	if !w.direct {
		w.connect()
	}
	return w
}

// archive writes an archive that has our program in a directory of its own, and SHA256SUMS.
func (w *docWorld) archive(name string) {
	program, err := os.ReadFile(filepath.Join(w.home, "bin", "credential-helper"))
	if err != nil {
		w.t.Fatal(err)
	}
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	archive := tar.NewWriter(zip)
	err = archive.WriteHeader(&tar.Header{Name: name + "/credential-helper", Mode: 0o755, Size: int64(len(program))})
	if err == nil {
		_, err = archive.Write(program)
	}
	for _, c := range []io.Closer{archive, zip} {
		if closeErr := c.Close(); err == nil {
			err = closeErr
		}
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.write("ws/"+name+".tar.gz", packed.String())
	w.write("ws/SHA256SUMS", sha256Hex(packed.Bytes())+"  "+name+".tar.gz\n"+sha256Hex(nil)+"  another.zip\n")
}

// keyring gives the world a keyring.
func (w *docWorld) keyring() {
	w.write("passphrase", "a passphrase\n")
	w.env = append(w.env, "CREDENTIAL_HELPER_KEYRING=file", "CREDENTIAL_HELPER_KEYRING_PASSPHRASE_FILE="+filepath.Join(w.home, "passphrase"))
}

// registry adds a registry with a token server and the image team/app:v1, for alice, password wonderland.
func (w *docWorld) registry(host string) {
	r, err := registrytest.Start(registrytest.Config{Login: registrytest.Bearer, Users: logins})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(r.Close)
	if _, err := r.Push(w.t.Context(), "team/app", "v1"); err != nil {
		w.t.Fatal(err)
	}
	r.SetChallenges(`Bearer realm="https://` + host + strings.TrimPrefix(r.Realm, r.URL) + `",service="` + registrytest.Service + `"`)
	w.forward(host, r.URL)
}

func (w *docWorld) serve(host string, h http.HandlerFunc) { w.hosts[host] = h }

// forward has a model server be a host.
func (w *docWorld) forward(host, to string) {
	target, err := url.Parse(to)
	if err != nil {
		w.t.Fatal(err)
	}
	w.hosts[host] = &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
	}}
}

// connect starts the proxy through which the hosts are reached, and one server that is all of them.
func (w *docWorld) connect() {
	certificate := w.certificate(slices.Collect(maps.Keys(w.hosts)))
	internet := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.hosts[r.Host].ServeHTTP(rw, r) }))
	internet.Config.ErrorLog = log.New(io.Discard, "", 0)
	internet.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	internet.StartTLS()
	w.t.Cleanup(internet.Close)
	proxy := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		host, port, _ := strings.Cut(r.Host, ":")
		if r.Method != http.MethodConnect || w.hosts[host] == nil || port != "443" {
			w.t.Errorf("the block asks for %s %s, which the setup does not have", r.Method, r.Host)
			rw.WriteHeader(http.StatusBadGateway)
			return
		}
		tunnel(rw, internet.Listener.Addr().String())
	}))
	w.t.Cleanup(proxy.Close)
	w.env = append(w.env, "HTTP_PROXY="+proxy.URL, "http_proxy="+proxy.URL, "HTTPS_PROXY="+proxy.URL)
}

// tunnel connects a client to an address, until one of them ends it.
func tunnel(rw http.ResponseWriter, addr string) {
	client, _, err := http.NewResponseController(rw).Hijack()
	if err != nil {
		return
	}
	defer client.Close()
	server, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer server.Close()
	_, _ = io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
	var both sync.WaitGroup
	for _, pair := range [][2]net.Conn{{client, server}, {server, client}} {
		both.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			client.Close()
			server.Close()
		})
	}
	both.Wait()
}

// certificate makes a certificate for hosts, which the programs of this world trust.
func (w *docWorld) certificate(hosts []string) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "the world of a page"}, DNSNames: hosts,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		w.t.Fatal(err)
	}
	w.write("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	w.env = append(w.env, "SSL_CERT_FILE="+filepath.Join(w.home, "ca.pem"))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
