package peertest

import (
	"archive/tar"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A Crane is a client of registries, go-containerregistry's command, with a docker configuration of its own.
type Crane struct {
	// ConfigDir is the directory of its docker configuration, for DOCKER_CONFIG. What [Crane.Login] wrote is in config.json there.
	ConfigDir string

	program string
	t       testing.TB
}

// NewCrane returns a client without a login.
func NewCrane(t testing.TB) *Crane {
	t.Helper()
	return &Crane{
		program:   Require(t, "crane", "go install github.com/google/go-containerregistry/cmd/crane@latest"),
		ConfigDir: t.TempDir(), t: t,
	}
}

// Login keeps a login to the registry at host.
func (c *Crane) Login(host, user, password string) {
	c.t.Helper()
	c.run(password, "auth", "login", host, "--username", user, "--password-stdin")
}

// An Image is what was pushed, by digest ("sha256:…").
type Image struct {
	Manifest string
	Blobs    []string // the image's configuration and its layers
}

// Push makes an image of two layers with random content, pushes it to reference ("localhost:41234/alice/app:v1"), and returns what the registry then holds there.
func (c *Crane) Push(reference string) Image {
	c.t.Helper()
	c.run("", "append", "--oci-empty-base", "--new_tag", reference, "--new_layer", c.layer(), "--new_layer", c.layer())
	image := Image{Manifest: strings.TrimSpace(c.run("", "digest", reference))}
	type descriptor struct {
		Digest string `json:"digest"`
	}
	var manifest struct {
		Config descriptor   `json:"config"`
		Layers []descriptor `json:"layers"`
	}
	if err := json.Unmarshal([]byte(c.run("", "manifest", reference)), &manifest); err != nil {
		c.t.Fatalf("reading the manifest of %s: %v", reference, err)
	}
	for _, d := range append(manifest.Layers, manifest.Config) {
		image.Blobs = append(image.Blobs, d.Digest)
	}
	return image
}

func (c *Crane) layer() string {
	c.t.Helper()
	content := []byte(rand.Text())
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	err := w.WriteHeader(&tar.Header{Name: "content-" + rand.Text(), Mode: 0o644, Size: int64(len(content))})
	if err == nil {
		_, err = w.Write(content)
	}
	if err == nil {
		err = w.Close()
	}
	path := filepath.Join(c.t.TempDir(), "layer.tar")
	if err == nil {
		err = os.WriteFile(path, archive.Bytes(), 0o600)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return path
}

func (c *Crane) run(stdin string, args ...string) string {
	c.t.Helper()
	env := []string{"DOCKER_CONFIG=" + c.ConfigDir, "HOME=" + c.ConfigDir, "PATH=" + os.Getenv("PATH")}
	r := Run(c.t, c.ConfigDir, env, append([]string{c.program}, args...), stdin)
	if r.Code != 0 {
		c.t.Fatalf("crane %q: %+v", args, r)
	}
	return r.Stdout
}
