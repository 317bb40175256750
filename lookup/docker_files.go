package lookup

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/ascii"
	"github.com/fe055d52/credential-helper/internal/strictjson"
)

// hubLogin is the key under which docker keeps the login for Docker Hub.
const hubLogin = "https://index.docker.io/v1/"

// DockerHub is what [RegistryName] calls Docker Hub.
const DockerHub = "docker.io"

// A target is what a login is wanted for.
type target struct {
	registry   string // canonical
	repository string
}

// RegistryName returns the name by which a registry is known: its host and port, or [DockerHub] for each of Docker Hub's hosts.
// host is as in the URL of a [helpers.Request].
func RegistryName(host string) string {
	switch host {
	case "index.docker.io", "registry-1.docker.io":
		return DockerHub
	}
	return host
}

// canonicalRegistry is RegistryName for a host as people and programs write it into files.
func canonicalRegistry(host string) string {
	return RegistryName(strings.TrimSuffix(ascii.Lower(host), ":443"))
}

// splitKey returns which registry the key of a login names, and the repository or part of one to which it is limited.
//
// Docker writes hosts, and URLs of which only the host counts ("https://index.docker.io/v1/"); podman writes hosts and repositories ("quay.io/team/app").
// User info in a key is not taken apart: such a key names no registry.
func splitKey(key string) (registry, repository string) {
	scheme, rest, isURL := strings.Cut(key, "://")
	if !isURL {
		rest = key
	}
	host, path, _ := strings.Cut(rest, "/")
	switch {
	case isURL && ascii.EqualFold(scheme, "http"):
		host = strings.TrimSuffix(host, ":80")
		path = ""
	case isURL && ascii.EqualFold(scheme, "https"), !isURL && (path == "v1/" || path == "v2/"):
		path = ""
	case isURL:
		return "", ""
	}
	return canonicalRegistry(host), strings.TrimSuffix(path, "/")
}

// covers reports whether a login that is limited to part of the registry serves the repository. The limit holds at path boundaries.
func (t target) covers(limit string) bool {
	return limit == "" || t.repository == limit || strings.HasPrefix(t.repository, limit+"/")
}

// exact reports whether key is how docker itself writes the registry.
func (t target) exact(key string) bool {
	if t.registry == DockerHub {
		return key == hubLogin
	}
	return key == t.registry
}

// best returns the key that names the registry most closely: the longest path, then docker's own spelling, then the first in order.
func (t target) best(keys []string, paths bool) (best string, found bool) {
	longest := -1
	for _, key := range slices.Sorted(slices.Values(keys)) {
		registry, limit := splitKey(key)
		if registry != t.registry || registry == "" || !t.covers(limit) || limit != "" && !paths {
			continue
		}
		if len(limit) > longest || len(limit) == longest && t.exact(key) {
			best, found, longest = key, true, len(limit)
		}
	}
	return best, found
}

// A dockerFile is the part of docker's configuration that concerns logins.
type dockerFile struct {
	place       `json:"-"`
	Auths       map[string]dockerAuth `json:"auths"`
	CredsStore  string                `json:"credsStore"`
	CredHelpers map[string]string     `json:"credHelpers"`
}

type dockerAuth struct {
	Auth          string `json:"auth"`
	Username      string `json:"username"`
	Password      string `json:"password"`
	IdentityToken string `json:"identitytoken"`
	RegistryToken string `json:"registrytoken"`
}

func parseDockerFile(p place, data []byte) (*dockerFile, error) {
	file := &dockerFile{place: p}
	if len(bytes.TrimSpace(data)) == 0 {
		return file, nil // docker takes an empty file for an empty configuration
	}
	if err := strictjson.Decode(p.shown, data, (*strictjson.Object).AllowUnknown); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, file); err != nil {
		var mistyped *json.UnmarshalTypeError
		if !errors.As(err, &mistyped) {
			return nil, fmt.Errorf("%s: not docker's configuration", p.shown)
		}
		before := data[:min(max(int(mistyped.Offset), 0), len(data))]
		// Only the kind of the value is told, as the value may be a secret.
		kind, _, _ := strings.Cut(mistyped.Value, " ")
		return nil, &strictjson.Error{
			File: p.shown, Offset: len(before),
			Line:   bytes.Count(before, []byte("\n")) + 1,
			Column: utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1,
			Msg:    fmt.Sprintf("the JSON %s here is of the wrong type for docker's configuration", kind),
		}
	}
	return file, nil
}

// helperFor returns the credential helper that serves the registry, and the key that names it. store is empty where there is none;
// docker takes an empty name in credHelpers for "not even the one of credsStore".
func (f *dockerFile) helperFor(t target) (key, store string) {
	if registry, ok := t.best(slices.Collect(maps.Keys(f.CredHelpers)), false); ok {
		return "credHelpers", f.CredHelpers[registry]
	}
	return "credsStore", f.CredsStore
}

// loginFor returns the login in "auths" that is closest to the target, or nil. Empty entries, which docker writes beside a credential helper, do not count.
func (f *dockerFile) loginFor(t target) (*dockerLogin, error) {
	var keys []string
	for key, auth := range f.Auths {
		if auth.Auth != "" || auth.Password != "" || auth.IdentityToken != "" || auth.RegistryToken != "" {
			keys = append(keys, key)
		}
	}
	key, ok := t.best(keys, true)
	if !ok {
		return nil, nil
	}
	auth := f.Auths[key]
	login := &dockerLogin{auth.Username, auth.Password, auth.IdentityToken, auth.RegistryToken}
	if auth.Auth != "" {
		if login.username, login.password, ok = decodeAuth(auth.Auth); !ok {
			return nil, helpers.WithHint(fmt.Errorf(`reading docker's logins: %s: the "auth" of %q is not USER:PASSWORD in base64`, f.shown, key),
				"run docker login %s again", t.registry)
		}
	}
	if login.empty() {
		return nil, nil
	}
	return login, nil
}

// decodeAuth decodes what docker writes as "auth": USER:PASSWORD in padded base64. Like docker it reads over line ends, wants a user,
// and drops NUL bytes around the password, which old versions wrote.
func decodeAuth(auth string) (username, password string, ok bool) {
	decoded, err := base64.StdEncoding.DecodeString(auth)
	if err != nil {
		return "", "", false
	}
	username, password, ok = strings.Cut(string(decoded), ":")
	return username, strings.Trim(password, "\x00"), ok && username != ""
}
