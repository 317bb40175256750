package registry

import (
	"slices"
	"testing"

	"github.com/fe055d52/credential-helper/helpers"
)

func TestGuessPreset(t *testing.T) {
	for raw, want := range map[string]string{
		"https://npm.example.com/@acme/pkg":                                     "npm",
		"https://npm-internal.example.com/":                                     "npm",
		"https://packages.example.com/npm/@acme/pkg":                            "npm",
		"https://packages.example.com/@acme/pkg/-/pkg-1.tgz":                    "npm",
		"https://pypi.example.com/simple/acme/":                                 "pypi",
		"https://packages.example.com/simple/acme/":                             "pypi",
		"https://packages.example.com/files/acme-1.0-py3-none-any.whl":          "pypi",
		"https://repo.example.com/maven2/com/acme/a.jar":                        "maven",
		"https://repo.example.com/releases/com/acme/a.pom":                      "maven",
		"https://crates.example.com/api/v1/crates/a/1/download":                 "cargo",
		"https://example.com/crates/a":                                          "cargo",
		"https://gitlab.com/api/v4/projects/1/packages/generic/a":               "gitlab",
		"https://gitlab.example.com/api/v4/projects/1/packages/npm/a":           "gitlab",
		"https://code.example.com/api/v4/projects/1/packages/npm/a":             "gitlab",
		"https://git.example.com/api/packages/acme/npm/a":                       "gitea",
		"https://acme.jfrog.io/artifactory/api/npm/npm/a":                       "artifactory",
		"https://artifactory.example.com/":                                      "artifactory",
		"https://repo.example.com/artifactory/libs-release/a.jar":               "artifactory",
		"https://nexus.example.com/repository/maven/a.jar":                      "nexus",
		"https://nexus3.example.com/":                                           "nexus",
		"https://repo.example.com/repository/npm/a":                             "nexus",
		"https://pkgs.dev.azure.com/acme/_packaging/f/nuget/v3/flat2/a/1.nupkg": "nuget",
		"https://acme.pkgs.visualstudio.com/_packaging/f/nuget/v3/index.json":   "nuget",
		"https://gems.example.com/gems/a-1.gem":                                 "rubygems",
		"https://satis.example.com/packages.json":                               "composer",
		"https://pkg.example.juliahub.com/registry/1":                           "julia",
		"https://moonbit.example.com/":                                          "moonbit",
		"https://pesde.example.com/":                                            "pesde",
		"https://stack.gallery/npm/a":                                           "stack-gallery",
		"https://files.example.com/releases/a.tar.gz":                           "",
		"https://npmx.example.com/":                                             "",
		"https://evilgitlab.com/":                                               "",
		"https://[::1]:8080/":                                                   "",
		"https://simple.example.com/a":                                          "",
		"https://rusty.example.com/trust":                                       "",
		"https://example.com/gitlab/a":                                          "",
		"https://pythonic.example.com/":                                         "",
		"https://127.0.0.1/api/packages/acme/pypi/simple/acme/":                 "gitea",
		"https://example.com/NPM/a":                                             "npm",
		"https://cache.example.com/org.acme.npm":                                "",
		"https://jfrog.io.example.com/":                                         "artifactory",
		"https://example.com/service/rest/v1/components":                        "nexus",
		"https://example.com/pypi/acme/json":                                    "pypi",
		"https://example.com/rubygems/x":                                        "rubygems",
	} {
		r, err := helpers.ParseRequest(raw)
		if err != nil {
			t.Fatal(err)
		}
		g, ok := GuessPreset(r.URL)
		if g.Preset != want || ok != (want != "") {
			t.Errorf("%s: got %+v, want %q", raw, g, want)
		}
		if ok && (!slices.Contains(presetNames(), g.Preset) || g.Why == "") {
			t.Errorf("%s: there is no preset %q, or no reason for it", raw, g.Preset)
		}
	}
}
