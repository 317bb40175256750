package oci_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/fe055d52/credential-helper/helpers"
)

// TestLoginIsThatOfItsScope holds that URLs which share an answer have one login, with sources whose logins are for a path or a host:
// what is looked up is the scope's, and not that of whichever URL came first.
func TestLoginIsThatOfItsScope(t *testing.T) {
	netrc := filepath.Join(t.TempDir(), "netrc")
	text := "machine docker.io login hub password hub-passwd\nmachine index.docker.io login index password index-passwd\nmachine registry-1.docker.io login one password one-passwd\n"
	if err := os.WriteFile(netrc, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	pip := map[string]string{
		"NETRC":         netrc,
		"PIP_INDEX_URL": "https://manifests:manifests-passwd@r.test/v2/team/app/manifests/",
		"PIP_EXTRA_INDEX_URL": "https://blobs:blobs-passwd@r.test/v2/team/app/blobs/ https://uploads:uploads-passwd@r.test/v2/team/app/blobs/uploads/ " +
			"https://app:app-passwd@r.test/v2/team/app/ https://other:other-passwd@r.test/v2/team/other/ https://catalog:catalog-passwd@r.test/v2/_catalog https://root:root-passwd@r.test/",
	}
	h := machine{vars: pip}.helper(t, `{"parse_docker_config": false, "lookup_chain": [{"source": "pip"}, {"source": "netrc"}]}`)
	users := map[string]string{} // by scope
	met := map[string]bool{}
	for _, tt := range []struct{ url, user string }{
		{"https://r.test/v2/team/app/manifests/v1", "app"},
		{"https://r.test/v2/team/app/blobs/sha256:00", "app"},
		{"https://r.test/v2/team/app/referrers/sha256:00", "app"},
		{"https://r.test/v2/team/app/tags/list?n=1", "app"},
		{"https://r.test/v2/team/app/blobs/uploads/", "app"},
		{"https://r.test/v2/team/app/blobs/uploads/1/2?state=x", "app"},
		{"https://r.test/v2/team/app/blobs/uploads/?mount=sha256:00&from=team/other", "app"},
		{"https://r.test/v2/team/other/manifests/v1", "other"},
		{"https://r.test/v2/team/other/blobs/sha256:00", "other"},
		{"https://r.test/v2/team/app-b/manifests/v1", "manifests"}, // no index covers it: the first of those that have most in common with it, as pip has it
		{"https://r.test/v2/_catalog?n=1", "catalog"},
		{"https://r.test/v2/", "manifests"},
		{"https://r.test/v2", "manifests"},
		{"https://r.test/", "root"},
		{"https://docker.io/v2/library/alpine/manifests/3", "hub"},
		{"https://index.docker.io/v2/library/alpine/manifests/3", "index"},
		{"https://registry-1.docker.io/v2/library/alpine/manifests/3", "one"},
		{"https://docker.io/", "hub"},
		{"https://index.docker.io/", "index"},
		{"https://registry-1.docker.io/", "one"},
	} {
		r, err := helpers.ParseRequest(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		c, err := h.Credential(t.Context(), r.URL)
		if err != nil || c.Username != tt.user || c.Secret.Reveal() != tt.user+"-passwd" {
			t.Errorf("%s: the login of %q, %v; want that of %q", tt.url, c.Username, err, tt.user)
		}
		scope, _ := h.Scope(r.URL)
		if user, ok := users[scope]; ok && user != c.Username {
			t.Errorf("%s: the login of %s, and that of %s is remembered for its scope %q", tt.url, c.Username, user, scope)
		}
		users[scope], met[tt.user] = c.Username, true
	}
	if len(met) != 8 {
		t.Errorf("only %d logins were met: %v", len(met), met)
	}
	elsewhere, err := helpers.ParseRequest("https://r.test.evil.test/v2/team/app/manifests/v1")
	if err != nil {
		t.Fatal(err)
	}
	if c, err := h.Credential(t.Context(), elsewhere.URL); !errors.Is(err, helpers.ErrNotFound) {
		t.Errorf("another host: the login of %q, %v", c.Username, err)
	}
}
