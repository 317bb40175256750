package main

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"

	"github.com/fe055d52/credential-helper/internal/registrytest"
)

// The logins that the servers know.
const (
	filesUser, filesPassword   = "alice", "files-pass"
	imagesUser, imagesPassword = "bob", "images-pass"
	modulesToken               = "modules-token"
)

const (
	release  = "the tool, release 1.0.0\n"
	greeting = "hello from a private module\n"
)

// servers are the three private servers of the workspace, on loopback.
type servers struct {
	files, modules *httptest.Server
	images         *registrytest.Registry
	layer          []byte
	close          []func()
}

func startServers() (*servers, error) {
	s := &servers{}
	s.files = s.serve("Basic", func(r *http.Request) bool {
		user, password, _ := r.BasicAuth()
		return user == filesUser && password == filesPassword
	}, func(path string) []byte {
		if path != "/releases/tool-1.0.0.txt" {
			return nil
		}
		return []byte(release)
	})
	s.modules = s.serve("Bearer", func(r *http.Request) bool { return r.Header.Get("Authorization") == "Bearer "+modulesToken }, s.module)
	images, err := registrytest.Start(registrytest.Config{Login: registrytest.Bearer, Users: map[string]string{imagesUser: imagesPassword}})
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("starting the registry: %w", err)
	}
	s.images = images
	s.close = append(s.close, images.Close)
	if s.layer, err = s.push(); err != nil {
		s.Close()
		return nil, fmt.Errorf("pushing an image: %w", err)
	}
	return s, nil
}

// Close ends the servers.
func (s *servers) Close() {
	for _, end := range s.close {
		end()
	}
}

// serve starts a server that gives its files to whoever is logged in.
func (s *servers) serve(scheme string, loggedIn func(*http.Request) bool, file func(path string) []byte) *httptest.Server {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !loggedIn(r) {
			w.Header().Set("WWW-Authenticate", scheme+` realm="private"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		content := file(r.URL.Path)
		if content == nil {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(content)
	}))
	s.close = append(s.close, server.Close)
	return server
}

// push puts an image of one layer into the registry, and returns the layer.
func (s *servers) push() ([]byte, error) {
	image, err := s.images.Push(context.Background(), "team/app", "v1")
	if err != nil {
		return nil, err
	}
	layers, err := image.Image.Layers()
	if err != nil {
		return nil, err
	}
	r, err := layers[0].Compressed()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

var modulePath = regexp.MustCompile(`^/modules/([^/]+)/([^/]+)/(MODULE\.bazel|source\.json|module\.zip)$`)

// module serves a registry of modules (https://bazel.build/external/registry#index_registry): acme_greeting, and empty ones
// by any other name, so that Bazel needs no other registry for what it depends on itself.
func (s *servers) module(path string) []byte {
	m := modulePath.FindStringSubmatch(path)
	if m == nil {
		return nil
	}
	name, version := m[1], m[2]
	declaration := fmt.Sprintf("module(name = %q, version = %q)\n", name, version)
	files := []file{{"MODULE.bazel", declaration}, {"BUILD.bazel", `exports_files(["greeting.txt"])` + "\n"}, {"greeting.txt", greeting}}
	if name != "acme_greeting" {
		files = files[:1]
	}
	switch m[3] {
	case "MODULE.bazel":
		return []byte(declaration)
	case "module.zip":
		return pack(files)
	}
	sum := sha256.Sum256(pack(files))
	source, err := json.Marshal(map[string]string{
		"url":       fmt.Sprintf("%s/modules/%s/%s/module.zip", s.modules.URL, name, version),
		"integrity": "sha256-" + base64.StdEncoding.EncodeToString(sum[:]),
	})
	if err != nil {
		panic(err) // a map of strings
	}
	return source
}

type file struct{ name, text string }

func pack(files []file) []byte {
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	for _, f := range files {
		// A buffer takes all that is written to it.
		if entry, err := w.Create(f.name); err == nil {
			_, _ = io.WriteString(entry, f.text)
		}
	}
	_ = w.Close()
	return archive.Bytes()
}

// fill puts the servers' addresses and the digests of what they have into a file of the workspace: here as there, nothing else is to be changed.
func (s *servers) fill(text string) string {
	for name, url := range map[string]string{"files.example.com": s.files.URL, "images.example.com": s.images.URL, "modules.example.com": s.modules.URL} {
		host := strings.TrimPrefix(url, "http://")
		hostname, _, _ := strings.Cut(host, ":")
		text = strings.NewReplacer(
			"https://"+name, url,
			"--credential_helper="+name, "--credential_helper="+hostname, // it takes no port
			name, host,
		).Replace(text)
	}
	return strings.NewReplacer(strings.Repeat("0", 63)+"1", digest([]byte(release)), strings.Repeat("0", 63)+"2", digest(s.layer)).Replace(text)
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
