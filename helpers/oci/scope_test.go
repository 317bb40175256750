package oci

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/helpers"
)

func parse(t testing.TB, raw string) *url.URL {
	t.Helper()
	r, err := helpers.ParseRequest(raw)
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return r.URL
}

func TestScope(t *testing.T) {
	const digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	h := &helper{}
	for _, tt := range []struct {
		url, want string // want "" for no answer
		looks     bool   // LooksLikeRegistry
	}{
		{"https://r.test/v2/a/manifests/latest", "https://r.test repository:a:pull", true},
		{"https://r.test/v2/a/b/c/manifests/" + digest, "https://r.test repository:a/b/c:pull", true},
		{"https://r.test/v2/a/blobs/" + digest, "https://r.test repository:a:pull", true},
		{"https://r.test/v2/a/blobs/sha256%3Aabc", "https://r.test repository:a:pull", true},
		{"https://r.test/v2/a/tags/list", "https://r.test repository:a:pull", true},
		{"https://r.test/v2/a/tags/list?n=10&last=v1", "https://r.test repository:a:pull", true},
		{"https://r.test/v2/a/referrers/" + digest, "https://r.test repository:a:pull", true},
		{"https://r.test/v2/a/blobs/uploads", "https://r.test repository:a:pull,push", true},
		{"https://r.test/v2/a/blobs/uploads/", "https://r.test repository:a:pull,push", true},
		{"https://r.test/v2/a/blobs/uploads/6b3c?_state=x%3D", "https://r.test repository:a:pull,push", true},
		{"https://r.test/v2/a/blobs/uploads/one/two/three", "https://r.test repository:a:pull,push", true},
		{"https://r.test/v2/a/blobs/uploads/?mount=" + digest + "&from=b/c", "https://r.test repository:a:pull,push repository:b/c:pull", true},
		{"https://r.test/v2/a/blobs/uploads/?mount=" + digest, "https://r.test repository:a:pull,push", true},
		{"https://r.test/v2/a/blobs/uploads/?mount=" + digest + "&from=a", "https://r.test repository:a:pull,push", true},
		{"https://r.test/v2/a/manifests/latest?mount=x&from=b", "https://r.test repository:a:pull", true},
		// Names that look like endpoints.
		{"https://r.test/v2/blobs/manifests/manifests/v1", "https://r.test repository:blobs/manifests:pull", true},
		{"https://r.test/v2/a/blobs/uploads/manifests/v1", "https://r.test repository:a/blobs/uploads:pull", true},
		{"https://r.test/v2/a/manifests/b/blobs/uploads/", "https://r.test repository:a/manifests/b:pull,push", true},
		{"https://r.test/v2/manifests/tags/list", "https://r.test repository:manifests:pull", true},
		{"https://r.test/v2/tags/list/tags/list", "https://r.test repository:tags/list:pull", true},
		{"https://r.test/v2/_catalog/tags/list", "https://r.test repository:_catalog:pull", true},
		{"https://r.test/v2/v2/manifests/v1", "https://r.test repository:v2:pull", true},
		// The registry itself.
		{"https://r.test/v2/", "https://r.test/v2/", false},
		{"https://r.test/v2", "https://r.test/v2/", false},
		{"https://r.test/v2/_catalog?n=100", "https://r.test registry:catalog:*", false},
		{"https://r.test/", "https://r.test/", false},
		{"r.test", "https://r.test/", false},
		{"https://r.test:8443/v2/a/tags/list", "https://r.test:8443 repository:a:pull", true},
		{"https://r.test:443/v2/a/tags/list", "https://r.test repository:a:pull", true},
		{"https://R.TEST./v2/a/tags/list", "https://r.test repository:a:pull", true},
		{"http://localhost:5000/v2/A_b-c.d/tags/list", "http://localhost:5000 repository:A_b-c.d:pull", true},
		// Docker Hub is one registry.
		{"https://docker.io/v2/library/alpine/manifests/3", "https://docker.io repository:library/alpine:pull", true},
		{"https://index.docker.io/v2/library/alpine/manifests/3", "https://docker.io repository:library/alpine:pull", true},
		{"https://registry-1.docker.io/v2/library/alpine/manifests/3", "https://docker.io repository:library/alpine:pull", true},
		{"https://registry-1.docker.io/", "https://docker.io/", false},
		{"https://auth.docker.io/v2/library/alpine/manifests/3", "https://auth.docker.io repository:library/alpine:pull", true},
		// No registry's endpoints.
		{"https://r.test/?service=x", "", false},
		// Of another repository to a registry that takes slashes in a row for one.
		{"https://r.test/v2/a/blobs/uploads/b/blobs//x", "", false},
		{"https://r.test/v2/a/blobs/uploads/b/blobs/%2F/x", "", false},
		{"https://r.test/v2/a/blobs/uploads//x", "https://r.test repository:a:pull,push", true},
		{"https://r.test/v2/a", "", false},
		{"https://r.test/v2/manifests/latest", "", false},
		{"https://r.test/v2/a/manifests/", "", false},
		{"https://r.test/v2/a/blobs/", "", false},
		{"https://r.test/v2/a/manifests/b/c", "", false},
		{"https://r.test/v2/tags/list", "", false},
		{"https://r.test/v2//manifests/latest", "", false},
		{"https://r.test/v2/a//b/manifests/latest", "", false},
		{"https://r.test//v2/a/manifests/latest", "", false},
		{"https://r.test/v2/blobs/uploads/", "", false},
		{"https://r.test/v2/_catalog/", "", false},
		{"https://r.test/v1/a/manifests/latest", "", false},
		{"https://r.test/x/v2/a/manifests/latest", "", false},
		{"https://r.test/V2/a/manifests/latest", "", false},
		{"https://*.r.test/v2/a/manifests/latest", "", false},
		{"https://*.r.test/", "", false},
		{"grpcs://r.test/v2/a/manifests/latest", "", false},
		// What would change the meaning of a scope.
		{"https://r.test/v2/a:pull,push/manifests/latest", "", false},
		{"https://r.test/v2/a%20repository:b/manifests/latest", "", false},
		{"https://r.test/v2/a,b/manifests/latest", "", false},
		{"https://r.test/v2/a%2Fb/manifests/latest", "", false},
		{"https://r.test/v2/%61/manifests/latest", "", false},
		{"https://r.test/v2/caf%C3%A9/manifests/latest", "", false},
		{"https://r.test/v2/a/manifests/b%2Fmanifests%2Fv1", "", false},
		{"https://r.test/v2/a/manifests/b%252Fmanifests%252Fv1", "", false},
		{"https://r.test/v2/a/blobs/b%2Ftags%2Flist", "", false},
		{"https://r.test/v2/a/blobs/uploads/b%2Fblobs%2Fuploads%2Fc", "", false},
		{"https://r.test/v2/a/manifests/%25zz", "", false},
		{"https://r.test/v2/a/blobs/uploads/b%2Fc", "https://r.test repository:a:pull,push", true},
		{"https://r.test/v2/a/blobs/uploads/?mount=x&from=b:push", "", false},
		{"https://r.test/v2/a/blobs/uploads/?mount=x&from=b%20c", "", false},
		{"https://r.test/v2/a/blobs/uploads/?mount=x&from=../b", "", false},
	} {
		t.Run(tt.url, func(t *testing.T) {
			u := parse(t, tt.url)
			got, ok := h.Scope(u)
			if got != tt.want || ok != (tt.want != "") {
				t.Errorf("scope %q, %v; want %q", got, ok, tt.want)
			}
			if got := LooksLikeRegistry(u); got != tt.looks {
				t.Errorf("LooksLikeRegistry is %v, want %v", got, tt.looks)
			}
		})
	}
}

func TestRegistryURL(t *testing.T) {
	for from, want := range map[string]string{
		"https://docker.io/v2/a/tags/list":            "https://registry-1.docker.io/",
		"https://index.docker.io/v2/a/tags/list":      "https://index.docker.io/",
		"https://registry-1.docker.io/v2/a/tags/list": "https://registry-1.docker.io/",
		"http://localhost:5000/v2/a/tags/list?n=1":    "http://localhost:5000/",
	} {
		if got := registryURL(parse(t, from)).String(); got != want {
			t.Errorf("%s is asked at %s, want %s", from, got, want)
		}
	}
}

// endpoint takes a repository's name out of a path as a registry's router does: the longest name that leaves an endpoint behind it.
var endpoint = regexp.MustCompile(`^/v2/(.+)/(?:manifests/[^/]+|blobs/[^/]+|referrers/[^/]+|tags/list|blobs/uploads(?:/.*)?)$`)

// seen returns the repository that a server sees in a URL which decodes the path n times, and takes slashes in a row for one; "" where it sees none.
func seen(u *url.URL, n int) string {
	path := u.EscapedPath()
	for range n {
		if plain, err := url.PathUnescape(path); err == nil {
			path = plain
		}
	}
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	if m := endpoint.FindStringSubmatch(path); m != nil {
		return m[1]
	}
	return ""
}

// FuzzScope holds that a scope names the URL's own host and repository and no other, however often the server decodes the path, and cannot be broken out of.
func FuzzScope(f *testing.F) {
	for _, seed := range []string{
		"https://r.test/v2/a/b/manifests/latest", "https://docker.io/v2/a/blobs/uploads/?mount=x&from=b", "https://r.test/v2/_catalog",
		"https://r.test/", "https://r.test/v2/a%2fb/tags/list", "http://[::1]:5000/v2/blobs/uploads/blobs/uploads/x", "https://r.test/v2/a%20b:c/manifests/x",
		"https://r.test/v2/a/blobs/uploads/b/manifests/x", "https://r.test/v2/a/manifests/b%2fmanifests%2fx", "https://r.test/v2/a/blobs/b%252Fblobs%252Fx", "https://r.test/v2/a//b/tags/list", "https://r.test/v2/a/blobs/uploads/x%2Fblobs%2Fuploads%2Fy",
	} {
		f.Add(seed)
	}
	h := &helper{}
	f.Fuzz(func(t *testing.T, raw string) {
		r, err := helpers.ParseRequest(raw)
		if err != nil {
			return
		}
		u := r.URL
		scope, ok := h.Scope(u)
		if !ok {
			if scope != "" {
				t.Fatalf("%q: scope %q where none is to be", raw, scope)
			}
			return
		}
		parts := strings.Split(scope, " ")
		if rest, ok := strings.CutPrefix(parts[0], u.Scheme+"://"+registryName(u)); !ok || rest != "" && rest != "/" && rest != "/v2/" {
			t.Errorf("%q: scope %q is of another origin", raw, scope)
		}
		if registryName(u) != u.Host && !strings.HasSuffix(u.Host, "docker.io") {
			t.Errorf("%q: the registry is called %q", raw, registryName(u))
		}
		for n := range 4 {
			if name := seen(u, n); len(parts) > 1 && strings.HasPrefix(parts[1], "repository:") && name != "" && !strings.HasPrefix(parts[1], "repository:"+name+":") {
				t.Errorf("%q: scope %q, and a server that decodes the path %d times sees %q", raw, scope, n, name)
			}
		}
		for i, part := range parts[1:] {
			for j := range len(part) {
				if part[j] <= 0x20 || part[j] >= 0x7f {
					t.Errorf("%q: scope %q has the byte %#x", raw, scope, part[j])
				}
			}
			fields := strings.Split(part, ":")
			if len(fields) != 3 {
				t.Fatalf("%q: scope %q has a part of %d fields", raw, scope, len(fields))
			}
			from := u.Path
			if i > 0 {
				from = u.Query().Get("from")
			}
			if fields[0] == "repository" && (fields[1] == "" || !strings.Contains(from, fields[1])) {
				t.Errorf("%q: scope %q names a repository that the URL does not", raw, scope)
			}
		}
		if len(parts) > 3 {
			t.Errorf("%q: scope %q has %d parts", raw, scope, len(parts))
		}
	})
}
