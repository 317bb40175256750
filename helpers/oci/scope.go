package oci

import (
	"net/url"
	"strings"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/lookup"
)

// registryName returns the host and port by which a registry is known: that of the URL, with Docker Hub's names folded into one.
func registryName(u *url.URL) string { return lookup.RegistryName(u.Host) }

// registryURL returns the origin at which the registry that u belongs to is asked how to log in.
// The host docker.io only redirects to a website, so Docker Hub is asked at the host that serves it.
func registryURL(u *url.URL) *url.URL {
	base := &url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/"}
	if base.Host == lookup.DockerHub {
		base.Host = "registry-1.docker.io"
	}
	return base
}

// kind tells the endpoints of a registry apart by the answer that they take.
type kind int

const (
	bare       kind = iota // "/": the client asked for the host alone
	login                  // "/v2/": the login check
	catalog                // "/v2/_catalog"
	repository             // everything below a repository
)

// A target is what a URL asks a registry for.
type target struct {
	kind       kind
	repository string   // empty unless kind is repository
	scopes     []string // as the token endpoint takes them; empty for bare and login
}

// LooksLikeRegistry reports whether u has the form of a registry's endpoint for one repository: manifests, blobs, uploads, tags or referrers.
// Unlike "/v2/" alone, such a path is hardly met on a server that is no registry.
func LooksLikeRegistry(u *url.URL) bool {
	t, ok := parseTarget(u)
	return ok && t.kind == repository
}

// parseTarget reads what u asks for. ok is false for what is not an endpoint of the distribution API.
//
// The API: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#endpoints,
// its scopes: https://distribution.github.io/distribution/spec/auth/scope/
func parseTarget(u *url.URL) (t target, ok bool) {
	if u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || helpers.Wildcard(u) {
		return target{}, false
	}
	// The escaped path is read, so that an encoded slash does not look like a separator:
	// no repository's name has a character that must be encoded.
	path := u.EscapedPath()
	switch path {
	case "", "/":
		return target{kind: bare}, u.RawQuery == ""
	case "/v2", "/v2/":
		return target{kind: login}, true
	case "/v2/_catalog":
		return target{kind: catalog, scopes: []string{"registry:catalog:*"}}, true
	}
	rest, ok := strings.CutPrefix(path, "/v2/")
	if !ok {
		return target{}, false
	}
	name, upload, ok := splitRepository(rest)
	if !ok || !validRepository(name) || !sameToAll(rest, name, upload) {
		return target{}, false
	}
	t = target{kind: repository, repository: name, scopes: []string{"repository:" + name + ":pull"}}
	if !upload {
		return t, true
	}
	t.scopes[0] += ",push"
	// A cross-repository mount reads the other repository too.
	if q := u.Query(); q.Get("mount") != "" && q.Get("from") != "" && q.Get("from") != name {
		from := q.Get("from")
		if !validRepository(from) {
			return target{}, false
		}
		t.scopes = append(t.scopes, "repository:"+from+":pull")
	}
	return t, true
}

// splitRepository takes the endpoint off the end of a path below /v2/ and returns the repository's name.
// It starts at the end because names may have components like "blobs" and "manifests".
func splitRepository(rest string) (name string, upload, ok bool) {
	if name, ok = strings.CutSuffix(rest, "/tags/list"); ok {
		return name, false, true
	}
	if name, ok = strings.CutSuffix(strings.TrimSuffix(rest, "/"), "/blobs/uploads"); ok {
		return name, true, true
	}
	i := strings.LastIndexByte(rest, '/')
	if i < 0 {
		return "", false, false
	}
	if rest[i+1:] != "" {
		for _, endpoint := range []string{"/manifests", "/blobs", "/referrers"} {
			if name, ok = strings.CutSuffix(rest[:i], endpoint); ok {
				return name, false, true
			}
		}
	}
	// What follows an upload is the registry's own: one identifier mostly, several segments at some.
	if i = strings.LastIndex(rest, "/blobs/uploads/"); i >= 0 {
		return rest[:i], true, true
	}
	return "", false, false
}

// sameToAll reports whether a path below /v2/ is of the same repository to a registry that takes slashes in a row for one,
// and that decodes the path before it looks for the endpoint, once or more often: many routers do.
func sameToAll(rest, name string, upload bool) bool {
	for {
		if seen, isUpload, ok := splitRepository(singleSlashes(rest)); !ok || seen != name || isUpload != upload {
			return false
		}
		if !strings.Contains(rest, "%") {
			return true
		}
		plain, err := url.PathUnescape(rest)
		if err != nil {
			return false
		}
		rest = plain
	}
}

func singleSlashes(path string) string {
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	return path
}

// validRepository accepts a repository's name: components of letters, digits, ".", "_" and "-". The distribution spec wants lower case;
// some registries do not. A colon, a comma or a space would change the meaning of the scope that the name becomes part of.
func validRepository(name string) bool {
	for component := range strings.SplitSeq(name, "/") {
		if strings.Trim(component, ".") == "" {
			return false
		}
		for i := range len(component) {
			c := component[i]
			switch {
			case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
			default:
				return false
			}
		}
	}
	return true
}

// at returns the URL at u's host that the login for t is looked up for: that of the repository, or of the registry's endpoint.
// All URLs of one scope have it in common, so that a source whose logins are for paths has one for all of them.
func (t target) at(u *url.URL) *url.URL {
	path := "/"
	switch t.kind {
	case login:
		path = "/v2/"
	case catalog:
		path = "/v2/_catalog"
	case repository:
		path = "/v2/" + t.repository + "/"
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host, Path: path}
}

// scope returns the canonical text of what an answer for t depends on. name is the registry's, as far as its hosts have one login.
func (t target) scope(u *url.URL, name string) string {
	origin := u.Scheme + "://" + name
	switch t.kind {
	case bare:
		return origin + "/"
	case login:
		return origin + "/v2/"
	}
	return origin + " " + strings.Join(t.scopes, " ")
}
