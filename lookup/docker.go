package lookup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/strictjson"
	"github.com/fe055d52/credential-helper/internal/trace"
)

// decodeDocker reads {"source": "docker"}, which has no keys of its own.
func decodeDocker(s *Sources, _ *strictjson.Object) Source { return s.Docker() }

// Docker returns the source that finds what `docker login` and `podman login` left behind. The first place that has a login wins:
//
//   - $DOCKER_AUTH_CONFIG, which holds the JSON itself
//   - $DOCKER_CONFIG/config.json, else ~/.docker/config.json
//   - podman's $REGISTRY_AUTH_FILE, $XDG_RUNTIME_DIR/containers/auth.json, and $XDG_CONFIG_HOME/containers/auth.json, else ~/.config/containers/auth.json
//
// In each of them a credential helper program comes first: the one that "credHelpers" names for the registry, else that of "credsStore".
// Where it has no login, or is not installed, "auths" is read.
//
// It supplies "username" and "password" together, or "identitytoken" (with "username" where that is known), or "registrytoken";
// bound to one name, it supplies the password. The formats are those of docker's config.json
// (https://docs.docker.com/reference/cli/docker/#docker-cli-configuration-file-configjson-properties)
// and of podman's auth.json (https://github.com/containers/image/blob/main/docs/containers-auth.json.5.md).
func (s *Sources) Docker() Source { return docker{s} }

type docker struct{ *Sources }

func (docker) Name() string    { return "docker's logins" }
func (docker) HostBound() bool { return true }

// maxDockerFile is the size in bytes above which a login file is not read.
const maxDockerFile = 1 << 20

// A place is where logins may be. Its text is in data, or in the file at path.
type place struct {
	shown  string
	path   string
	data   string
	podman bool
}

// Lookup searches the places. A place that is malformed or cannot be read is broken: what stands behind it was not meant to be used.
func (d docker) Lookup(ctx context.Context, q Query) (Values, error) {
	registry := q.Registry
	if registry == "" {
		registry = q.URL.Host
	}
	want := target{registry: canonicalRegistry(registry), repository: q.Repository}
	if strings.Contains(want.registry, "*") {
		return nil, helpers.NotFoundf("docker's logins are for one registry each, not for %s", want.registry)
	}
	var notes []string
	unavailable, podmanFile := false, false
	var missing *programMissing
	for _, p := range d.places() {
		if p.data == "" && !filepath.IsAbs(p.path) { // see absolute
			notes = append(notes, notHere(p.shown).Error())
			continue
		}
		data, err := d.read(ctx, p)
		if errors.Is(err, fs.ErrNotExist) {
			if !p.podman {
				notes = append(notes, p.shown+" does not exist")
			}
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading docker's logins in %s: %w", p.shown, err)
		}
		podmanFile = podmanFile || p.podman
		file, err := parseDockerFile(p, data)
		if err != nil {
			return nil, fmt.Errorf("reading docker's logins: %w", err)
		}
		values, err := d.search(ctx, file, want)
		if err == nil {
			return values, nil
		}
		if ctx.Err() != nil || !helpers.FallsThrough(err) {
			return nil, err
		}
		unavailable = unavailable || errors.Is(err, helpers.ErrUnavailable)
		if !p.podman && missing == nil {
			errors.As(err, &missing)
		}
		notes = append(notes, err.Error())
	}
	if !podmanFile {
		notes = append(notes, "podman's auth.json files do not exist")
	}
	all := strings.Join(notes, "; ")
	switch {
	case missing != nil:
		return nil, &programMissing{helpers.Unavailablef("%s", all), missing.remedy}
	case unavailable:
		return nil, helpers.Unavailablef("%s", all)
	}
	return nil, helpers.NotFoundf("%s", all)
}

// places returns where to look, in order.
func (d docker) places() []place {
	var places []place
	if data := d.Env.Var("DOCKER_AUTH_CONFIG"); data != "" {
		places = append(places, place{shown: "$DOCKER_AUTH_CONFIG", data: data})
	}
	add := func(podman bool, dir string, elem ...string) {
		if dir == "" {
			return
		}
		path := d.absolute(filepath.Join(append([]string{dir}, elem...)...))
		places = append(places, place{shown: d.Env.Display(path), path: path, podman: podman})
	}
	below := func(elem ...string) string {
		if d.Env.Home == "" {
			return ""
		}
		return filepath.Join(append([]string{d.Env.Home}, elem...)...)
	}
	dir := d.Env.Var("DOCKER_CONFIG")
	if dir == "" {
		dir = below(".docker")
	}
	add(false, dir, "config.json")
	add(true, d.Env.Var("REGISTRY_AUTH_FILE"))
	add(true, d.Env.Var("XDG_RUNTIME_DIR"), "containers", "auth.json")
	dir = d.Env.Var("XDG_CONFIG_HOME")
	if dir == "" {
		dir = below(".config")
	}
	add(true, dir, "containers", "auth.json")
	return places
}

func (d docker) read(ctx context.Context, p place) (_ []byte, err error) {
	if p.path == "" {
		if len(p.data) > maxDockerFile {
			return nil, fmt.Errorf("it is larger than %d bytes", maxDockerFile)
		}
		return []byte(p.data), nil
	}
	end := trace.Step(ctx, "reading %s", p.shown)
	defer func() { end(err) }()
	data, _, err := d.Env.ReadFile(p.path, maxDockerFile)
	// A file takes the place of a directory on the way: DOCKER_CONFIG=/dev/null is used to have no configuration.
	if errors.Is(err, syscall.ENOTDIR) {
		err = fs.ErrNotExist
	}
	return data, err
}

// search looks for a login in one file. The error falls through where it has none.
func (d docker) search(ctx context.Context, file *dockerFile, want target) (Values, error) {
	key, store := file.helperFor(want)
	var reason error
	if store != "" {
		values, err := d.askProgram(ctx, file.place, key, store, want)
		if err == nil || ctx.Err() != nil || !helpers.FallsThrough(err) {
			return values.at("docker-credential-" + store + ", which " + file.shown + " names"), err
		}
		reason = err
	}
	login, err := file.loginFor(want)
	switch {
	case err != nil:
		return nil, err
	case login != nil:
		return login.values().at(file.shown), nil
	case reason != nil:
		return nil, reason
	default:
		return nil, helpers.NotFoundf("%s has no login for %s", file.shown, want.registry)
	}
}

// A dockerLogin is what one entry yields.
type dockerLogin struct {
	username, password, identityToken, registryToken string
}

func (l dockerLogin) empty() bool {
	return l.password == "" && l.identityToken == "" && l.registryToken == ""
}

func (l dockerLogin) values() Values {
	values := Values{}
	for binding, text := range map[string]string{
		Username: l.username, Password: l.password, Default: l.password, IdentityToken: l.identityToken, RegistryToken: l.registryToken,
	} {
		if text != "" || binding == Username && l.password != "" {
			values[binding] = redact.Hold(text)
		}
	}
	return values
}
