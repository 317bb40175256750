package registry

import (
	"slices"
	"testing"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/strictjson"
	"github.com/fe055d52/credential-helper/lookup"
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

// setups are the first remedy of each preset, for the URL of a package. A preset that is not here fails the test.
var setups = map[string]struct{ url, want string }{
	"npm":           {"https://npm.acme.test/@acme/pkg", "npm login --registry=https://npm.acme.test/"},
	"cargo":         {"https://crates.acme.test/api/v1/crates/a/1.0.0/download", "[registries.acme]"},
	"pypi":          {"https://pypi.acme.test/simple/a/", "pip config set global.index-url https://USER:TOKEN@pypi.acme.test/simple/"},
	"maven":         {"https://maven.acme.test/maven2/a.jar", "<servers><server><id>acme</id><username>USER</username><password>TOKEN</password></server></servers>"},
	"composer":      {"https://php.acme.test/p/a.json", "composer config --global --auth http-basic.php.acme.test USER TOKEN"},
	"rubygems":      {"https://gems.acme.test/gems/a-1.gem", "bundle config set --global gems.acme.test USER:TOKEN"},
	"julia":         {"https://pkg.acme.test/registries", "JULIA_PKG_SERVER=https://pkg.acme.test julia -e 'import PkgAuthentication; PkgAuthentication.authenticate()'"},
	"moonbit":       {"https://moon.acme.test/a", "[[sources]]"},
	"pesde":         {"https://pesde.acme.test/v1/packages/a", "pesde auth --index https://pesde.acme.test/INDEX login"},
	"stack-gallery": {"https://gallery.acme.test/maven2/a.jar", "read -rs STACK_GALLERY_TOKEN && export STACK_GALLERY_TOKEN"},
	"gitlab":        {"https://gitlab.acme.test/api/v4/projects/1/packages/generic/a", "read -rs GITLAB_TOKEN && export GITLAB_TOKEN"},
	"gitea":         {"https://gitea.acme.test/api/packages/acme/generic/a", "read -rs GITEA_TOKEN && export GITEA_TOKEN"},
	"artifactory":   {"https://acme.jfrog.test/artifactory/generic/a", "export JF_URL=https://acme.jfrog.test"},
	"nexus":         {"https://nexus.acme.test/repository/npm/@acme/pkg", "npm login --registry=https://nexus.acme.test/repository/npm/"},
	"nuget":         {"https://pkgs.acme.test/acme/_packaging/f/nuget/v3/flat2/a", "dotnet nuget add source https://pkgs.acme.test/acme/_packaging/f/nuget/v3/index.json --name acme --username USER --password TOKEN --store-password-in-clear-text"},
}

func withPreset(t *testing.T, name string) (h helpers.Helper, err error) {
	t.Helper()
	o := Options{Sources: machine(t, nil), OCI: func(helpers.Rule, lookup.Chain) helpers.Helper { return nil }}
	err = strictjson.Decode("rule", []byte(`{"preset": "`+name+`"}`), func(c *strictjson.Object) { h = New(o)(helpers.Rule{}, c) })
	return h, err
}

func TestEveryPresetSaysHowToLogIn(t *testing.T) {
	for _, name := range presetNames() {
		t.Run(name, func(t *testing.T) {
			tt, ok := setups[name]
			if !ok {
				t.Fatal("nothing is said on how to log in; a first remedy belongs here, and its text to the source")
			}
			h, err := withPreset(t, name)
			if err != nil {
				t.Fatal(err)
			}
			r, err := helpers.ParseRequest(tt.url)
			if err != nil {
				t.Fatal(err)
			}
			all := h.(helpers.Guided).Setup(r.URL)
			if len(all) == 0 || len(all[0].Lines) == 0 || all[0].Lines[0] != tt.want {
				t.Errorf("got %+v, want %q first", all, tt.want)
			}
		})
	}
}

// TestManagersSayWhatTheirPathIsFor holds that a server of many kinds of packages names the tool of the kind that is asked for.
func TestManagersSayWhatTheirPathIsFor(t *testing.T) {
	for raw, want := range map[string][]string{
		"https://nexus.acme.test/repository/npm/a":          {"npm", "npm", "npm", "netrc"},
		"https://nexus.acme.test/repository/releases/a.jar": {"maven", "netrc"},
		"https://nexus.acme.test/repository/py/simple/a/":   {"pip", "pip", "netrc"},
		"https://nexus.acme.test/repository/raw/a.zip":      {"netrc"},
		"https://nexus.acme.test/repository/nuget/a.nupkg":  {"nuget", "netrc"},
	} {
		h, err := withPreset(t, "nexus")
		if err != nil {
			t.Fatal(err)
		}
		r, err := helpers.ParseRequest(raw)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, remedy := range h.(helpers.Guided).Setup(r.URL) {
			got = append(got, remedy.Tool)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", raw, got, want)
		}
	}
}
