package main

import (
	"encoding/json"
	"net/url"
	"strings"

	"github.com/fe055d52/credential-helper/helpers/oci"
	"github.com/fe055d52/credential-helper/helpers/registry"
)

// A guessedRule is the rule that a URL most likely needs. What composes several helpers' guesses is here: helpers do not know each other.
type guessedRule struct {
	host, path     string
	helper, preset string
	header         string // of helper remoteapis
	anonymous      bool   // go on where no login is found
	why            string // `"npm" in its host`
}

// containerHosts are domains of container registries that no built-in rule serves, because each project there has its own login.
var containerHosts = []string{".pkg.dev", ".gcr.io", ".amazonaws.com", ".azurecr.io", ".ocir.io", ".icr.io"}

// guessRule guesses what serves u from its scheme, host and path alone.
func guessRule(u *url.URL) guessedRule {
	g := guessedRule{host: u.Host, helper: "registry"}
	name := u.Hostname()
	kind, known := registry.GuessPreset(u)
	switch {
	case u.Scheme == "grpcs" || u.Scheme == "grpc":
		g.helper, g.header, g.why = "remoteapis", "authorization", "the scheme is "+u.Scheme
	case oci.LooksLikeRegistry(u) || u.Path == "/v2/" || u.Path == "/v2":
		g.helper, g.why = "oci", "a path below /v2/"
	case strings.HasPrefix(name, "github.") || strings.HasSuffix(name, ".ghe.com"):
		g.helper, g.why = "github", "the host's name is that of a GitHub server"
	case known:
		g.preset, g.why = kind.Preset, kind.Why
	case strings.HasPrefix(name, "docker.") || strings.HasPrefix(name, "harbor.") || isContainerHost(name):
		g.helper, g.why = "oci", "the host's name is that of a container registry"
	default:
		g.why = "of an unknown kind, with the login in your netrc"
	}
	return g
}

func isContainerHost(name string) bool {
	for _, end := range containerHosts {
		if strings.HasSuffix(name, end) {
			return end != ".amazonaws.com" || strings.Contains(name, ".dkr.ecr.")
		}
	}
	return false
}

// text returns the rule as it stands in a file, on one line.
func (g guessedRule) text() string {
	var b strings.Builder
	b.WriteString(`{"host": ` + jsonText(g.host))
	if g.path != "" {
		b.WriteString(`, "path": ` + jsonText(g.path))
	}
	b.WriteString(`, "helper": ` + jsonText(g.helper))
	var config []string
	if g.preset != "" {
		config = append(config, `"preset": `+jsonText(g.preset))
	}
	if g.header != "" {
		config = append(config, `"header_name": `+jsonText(g.header))
	}
	if g.anonymous && g.helper != "oci" { // to oci that goes without saying
		config = append(config, `"on_missing": "anonymous"`)
	}
	if len(config) > 0 {
		b.WriteString(`, "config": {` + strings.Join(config, ", ") + `}`)
	}
	b.WriteString("}")
	return b.String()
}

// describe says which helper it is: "helper registry, preset npm".
func (g guessedRule) describe() string {
	if g.preset == "" {
		return "helper " + g.helper
	}
	return "helper " + g.helper + ", preset " + g.preset
}

// rulesFile returns a configuration file with rules.
func rulesFile(rules []guessedRule) string {
	lines := make([]string, len(rules))
	for i, g := range rules {
		lines[i] = "    " + g.text()
	}
	return "{\n  \"urls\": [\n" + strings.Join(lines, ",\n") + "\n  ],\n  \"use_defaults\": true\n}\n"
}

func jsonText(text string) string {
	data, err := json.Marshal(text)
	if err != nil { // a string always has a form
		return `""`
	}
	return string(data)
}
