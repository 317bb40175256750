package main

import (
	"net/url"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/config"
	"github.com/fe055d52/credential-helper/helpers"
)

// TestEveryHelperSaysHowToLogIn holds that setup-uri has something to say for each helper that a rule may name.
func TestEveryHelperSaysHowToLogIn(t *testing.T) {
	_, kinds := kindsFor(t, nil)
	more := map[string]string{"remoteapis": `, "config": {"header_name": "x"}`}
	for name, kind := range kinds {
		if kind.New == nil {
			continue
		}
		f, err := config.Parse("rule", []byte(`{"urls": [{"host": "a.test", "helper": "`+name+`"`+more[name]+`}]}`), kinds, false)
		if err != nil {
			t.Fatal(err)
		}
		u := &url.URL{Scheme: "https", Host: "a.test", Path: "/"}
		if got := ways(f.Rules[0].Helper, u); (len(got) == 0) != (name == "null") {
			t.Errorf("helper %s: %+v", name, got)
		}
	}
}

// TestGuessedRulesLoad holds that a rule which is told to be copied is one, and is for the URL.
func TestGuessedRulesLoad(t *testing.T) {
	_, kinds := kindsFor(t, nil)
	for raw, want := range map[string]string{
		"https://npm.example.com/a":                                    "helper registry, preset npm",
		"https://files.example.com:8443/a":                             "helper registry",
		"https://registry.example.com/v2/a/manifests/1":                "helper oci",
		"https://registry.example.com/v2/":                             "helper oci",
		"https://1.dkr.ecr.eu-west-1.amazonaws.com/":                   "helper oci",
		"https://bucket.s3.amazonaws.com/":                             "helper registry",
		"https://us-docker.pkg.dev/":                                   "helper oci",
		"https://evilpkg.dev/":                                         "helper registry",
		"https://github.example.com/api/v3/":                           "helper github",
		"https://acme.ghe.com/":                                        "helper github",
		"grpcs://cache.example.com/":                                   "helper remoteapis",
		"https://[::1]:8443/":                                          "helper registry",
		"https://gitlab.example.com/v2/team/app/manifests/1":           "helper oci",
		"https://pkgs.dev.azure.com/acme/_packaging/f/npm/registry/":   "helper registry, preset npm",
		"https://" + strings.Repeat("a", 60) + ".example.com/simple/x": "helper registry, preset pypi",
	} {
		req, err := helpers.ParseRequest(raw)
		if err != nil {
			t.Fatal(err)
		}
		g := guessRule(req.URL)
		f, err := config.Parse("rules", []byte(rulesFile([]guessedRule{g})), kinds, false)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		if g.describe() != want || g.why == "" || len(f.Rules) != 1 || !f.Rules[0].Matches(req.URL) || !f.UseDefaults {
			t.Errorf("%s: got %s (%s), want %s", raw, g.describe(), g.why, want)
		}
	}
}
