package lookup

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/ascii"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/strictjson"
)

// cratesIO is cargo's name for the registry that needs no configuration.
const cratesIO = "crates-io"

// tokenProvider is what cargo calls its own files and variables, among the credential providers.
const tokenProvider = "cargo:token"

// decodeCargo reads {"source": "cargo", "registry": NAME}. "registry" may be left out: then it is found by the URL.
func decodeCargo(s *Sources, o *strictjson.Object) Source {
	var name string
	o.String("registry", &name)
	if o.Has("registry") && !isRegistryName(name) {
		o.Failf("registry", `"registry" is the name of a registry as cargo's configuration has it: letters, digits, "-" and "_"; leave it out to find it by the URL`)
	}
	return s.Cargo(name)
}

func isRegistryName(name string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
}

// Cargo returns the source that finds cargo's token for a registry. Where registry is empty, it is the one whose index is on the URL's host.
func (s *Sources) Cargo(registry string) Source { return cargo{s, registry} }

// cargo finds the tokens of cargo's registries (https://doc.rust-lang.org/cargo/reference/registry-authentication.html).
//
// Registries are named in cargo's configuration, [registries.NAME] index (https://doc.rust-lang.org/cargo/reference/config.html):
// $CARGO_REGISTRIES_<NAME>_INDEX, then .cargo/config.toml in the working directory and those above it, the nearest first,
// then $CARGO_HOME/config.toml, which is below ~/.cargo where the variable is not set. Files that a file includes come right behind it, the last one first.
// Where there is a file "config" beside "config.toml", it is read in its place, as cargo does.
//
// The token is $CARGO_REGISTRIES_<NAME>_TOKEN, else that of $CARGO_HOME/credentials.toml ("credentials" in its place, too),
// else that of the configuration. It is found, and not taken, where cargo is told to ask another credential provider.
//
// Of several registries on the URL's host, the longest index path that covers the URL counts; where none does, because crates are
// downloaded from elsewhere on the host, the one that has the most leading segments in common with it.
// crates.io's own token ($CARGO_REGISTRY_TOKEN, [registry] token) is for crates.io and index.crates.io alone.
type cargo struct {
	*Sources
	registry string
}

func (c cargo) Name() string {
	if c.registry != "" {
		return fmt.Sprintf("cargo's registry %q", c.registry)
	}
	return "cargo"
}

// HostBound implements [Source]: a registry that the rule names may have no index on this machine,
// and a file of the project may say of any host that the user's registry is there.
func (c cargo) HostBound() bool { return c.registry == "" && c.Env.UserOnly }

// PathBound implements [PathBound].
func (c cargo) PathBound() bool { return c.registry == "" }

func (c cargo) Lookup(ctx context.Context, q Query) (Values, error) {
	if helpers.Wildcard(q.URL) {
		return nil, helpers.NotFoundf("cargo has no registry for all hosts of a domain (%s)", q.URL.Host)
	}
	settings, err := c.settings(ctx)
	if err != nil {
		return nil, fmt.Errorf("looking for cargo's registries: %w", err)
	}
	return alike(q, c.paths(settings, q.URL), func(u *url.URL) (Values, error) { return c.find(settings, u) }, sameValues)
}

// find returns the token for u.
func (c cargo) find(settings *cargoSettings, u *url.URL) (Values, error) {
	origin := helpers.Origin(u)
	if origin == "https://static.crates.io" {
		return nil, helpers.NotFoundf("cargo sends no token to static.crates.io")
	}
	switch {
	case ofCratesIO(u) && (c.registry == "" || c.registry == cratesIO):
		return c.token(settings, cratesIO)
	case c.registry == cratesIO:
		return nil, helpers.NotFoundf("the token of crates.io does not go to %s", origin)
	case c.registry != "":
		at, ok := c.index(settings, c.registry)
		switch {
		case ok && !sameServer(at, u):
			return nil, helpers.NotFoundf("cargo's registry %q is at %s, not at %s", c.registry, helpers.Origin(at), origin)
		case !ok && isWeb(c.indexText(settings, c.registry)):
			return nil, helpers.NotFoundf("cargo's registry %q has an index whose URL does not parse, so that nobody knows whether it is at %s", c.registry, origin)
		}
		return c.token(settings, c.registry)
	}
	names := c.on(settings, u)
	if len(names) == 0 {
		return nil, helpers.NotFoundf("cargo's configuration names no registry at %s (%s)", origin, settings.places())
	}
	return c.oneOf(settings, names, origin)
}

func ofCratesIO(u *url.URL) bool {
	origin := helpers.Origin(u)
	return origin == "https://crates.io" || origin == "https://index.crates.io"
}

// on returns the names of the registries that are the nearest to u.
func (c cargo) on(settings *cargoSettings, u *url.URL) []string {
	at := func(name string) (*url.URL, bool) { return c.index(settings, name) }
	names := nearest(settings.names(), u, at)
	if len(names) > 0 {
		return names // which ones depends on u's path, and whether there are some on its server alone
	}
	// A registry may be in the environment alone.
	variables, _ := c.Env.EnvironWith("CARGO_REGISTRIES_")
	for _, variable := range variables {
		key, _, _ := strings.Cut(variable, "=")
		name, isRegistry := strings.CutPrefix(key, "CARGO_REGISTRIES_")
		name, isIndex := strings.CutSuffix(name, "_INDEX")
		if name = ascii.Lower(name); isRegistry && isIndex && isRegistryName(name) && name != cratesVariable(cratesIO) {
			settings.registry(name)
		}
	}
	return nearest(settings.names(), u, at)
}

// paths returns the paths of the indexes on u's server.
func (c cargo) paths(settings *cargoSettings, u *url.URL) (paths []string) {
	if c.registry != "" || ofCratesIO(u) {
		return nil // no path decides
	}
	c.on(settings, u) // which may learn of registries that are in the environment alone
	for _, name := range settings.names() {
		if at, ok := c.index(settings, name); ok && sameServer(at, u) {
			paths = append(paths, at.EscapedPath())
		}
	}
	return paths
}

// oneOf returns the token of one of several registries that are equally near, where they have no two.
func (c cargo) oneOf(settings *cargoSettings, names []string, origin string) (found Values, err error) {
	var from, missing []string
	same := true
	for _, name := range names {
		values, err := c.token(settings, name)
		switch {
		case errors.Is(err, helpers.ErrNotFound):
			missing = append(missing, err.Error())
			continue
		case err != nil:
			return nil, err
		case found != nil && found[Token].Reveal() != values[Token].Reveal():
			same = false
		}
		found, from = values, append(from, name)
	}
	switch {
	case !same:
		return nil, helpers.WithHint(fmt.Errorf("looking for cargo's token: the registries %s are at %s, with different tokens, and the URL fits each as well", fewOf(from, ", "), origin),
			`write "registry": %q, or another one, in the source "cargo" of the rule`, from[0])
	case found == nil:
		return nil, helpers.NotFoundf("%s", fewOf(missing, "; "))
	}
	return found, nil
}

// index returns where the index of a registry is. ok is false where nobody says, and for one that is not asked over HTTP.
func (c cargo) index(settings *cargoSettings, name string) (at *url.URL, ok bool) {
	if name == cratesIO {
		return nil, false
	}
	r := settings.registry(name)
	if !r.located {
		r.at, _, _ = parseServer(c.indexText(settings, name))
		r.located = true
	}
	return r.at, r.at != nil
}

// indexText returns the URL of a registry's index as it is written.
func (c cargo) indexText(settings *cargoSettings, name string) string {
	index := c.Env.Var(cargoVariable(name, "INDEX"))
	if index == "" {
		index = settings.registry(name).Index
	}
	return strings.TrimPrefix(index, "sparse+")
}

// isWeb reports whether a URL is one of http or https, also where it does not parse.
func isWeb(raw string) bool {
	scheme, _, ok := strings.Cut(strings.TrimSpace(raw), "://")
	return ok && (ascii.EqualFold(scheme, "https") || ascii.EqualFold(scheme, "http"))
}

// token returns the token of a registry, by the rules of cargo's credential providers.
func (c cargo) token(settings *cargoSettings, name string) (Values, error) {
	r, variable := settings.registry(name), cargoVariable(name, "TOKEN")
	token, from, shown := c.Env.Var(variable), "$"+variable, "$"+variable
	if token == "" {
		token, from, shown = r.Token, r.tokenFrom, "the one in "+r.tokenFrom
	}
	key := c.Env.Var(cargoVariable(name, "SECRET_KEY"))
	if key == "" {
		key = r.SecretKey
	}
	if token == "" && key != "" {
		return nil, helpers.WithHint(fmt.Errorf("looking for cargo's token: the registry %q uses an asymmetric token, which is not supported", name),
			"give %s a token of its own, if the registry takes one", "$"+variable)
	}
	provider := strings.Fields(c.Env.Var(cargoVariable(name, "CREDENTIAL_PROVIDER")))
	if len(provider) == 0 {
		provider = r.provider
	}
	providers := [][]string{provider}
	if len(provider) == 0 {
		providers = slices.Clone(settings.global)
		for name := range strings.FieldsSeq(c.Env.Var("CARGO_REGISTRY_GLOBAL_CREDENTIAL_PROVIDERS")) {
			providers = append(providers, []string{name})
		}
	}
	others, own := settings.others(providers)
	switch {
	case !own && token != "":
		return nil, helpers.NotFoundf("cargo asks the credential provider %s for the token of its registry %q, and leaves out %s; this program does not ask it", others, name, shown)
	case others != "" && token == "":
		return nil, helpers.NotFoundf("cargo asks the credential provider %s for the token of its registry %q; this program does not ask it", others, name)
	case token == "":
		return nil, helpers.NotFoundf("cargo has no token for its registry %q: $%s is not set, and %s has none", name, variable, settings.credentials)
	}
	return Values{Token: redact.Hold(token), Default: redact.Hold(token)}.at(from), nil
}

// cargoVariable returns the name of the variable that stands for a key of a registry.
func cargoVariable(name, key string) string {
	if name == cratesIO {
		return "CARGO_REGISTRY_" + key
	}
	return "CARGO_REGISTRIES_" + ascii.Upper(cratesVariable(name)) + "_" + key
}

// cratesVariable returns a registry's name as variables have it, in lower case.
func cratesVariable(name string) string { return ascii.Lower(strings.ReplaceAll(name, "-", "_")) }

// cargoHome returns $CARGO_HOME, or what it is where it is not set; "" where there is no home directory.
func (s *Sources) cargoHome() string {
	dir := s.Env.Var("CARGO_HOME")
	if dir == "" {
		return s.home(".cargo")
	}
	return s.absolute(dir)
}
