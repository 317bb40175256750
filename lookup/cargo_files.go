package lookup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fe055d52/credential-helper/helpers"
)

// maxIncludes is the number of files above which no more are included by a file of cargo's, directly or not.
const maxIncludes = 32

// cargoFile is what a file of cargo's may say of registries and their tokens.
type cargoFile struct {
	Include         any                      `toml:"include"`
	Registry        cargoRegistry            `toml:"registry"`
	Registries      map[string]cargoRegistry `toml:"registries"`
	CredentialAlias map[string]any           `toml:"credential-alias"`
}

type cargoRegistry struct {
	Index     string `toml:"index"`
	Token     string `toml:"token"`
	SecretKey string `toml:"secret-key"`
	Provider  any    `toml:"credential-provider"`
	Global    []any  `toml:"global-credential-providers"`

	tokenFrom string   // the file that has the token
	provider  []string // the program and its arguments

	// at is where the index is, once it was looked for; nil where nobody says (see [cargo.index]).
	at      *url.URL
	located bool
}

// cargoSettings are all files of cargo's together: the first that says something of a registry stands.
type cargoSettings struct {
	registries  map[string]*cargoRegistry
	sorted      []string // the names of registries, once they were asked for
	global      [][]string
	aliases     map[string][]string
	credentials string // the file in which cargo keeps its tokens, for errors
	read        []string
	includes    int
	size        int // of all files, in bytes
}

func newCargoSettings() *cargoSettings {
	return &cargoSettings{registries: map[string]*cargoRegistry{}, aliases: map[string][]string{}, credentials: "cargo's credentials.toml"}
}

// settings reads cargo's files, those first whose values stand.
func (c cargo) settings(ctx context.Context) (*cargoSettings, error) {
	settings := newCargoSettings()
	home := c.cargoHome()
	if home != "" {
		settings.credentials = c.Env.Display(filepath.Join(home, "credentials.toml"))
		if err := c.readEither(ctx, settings, filepath.Join(home, "credentials"), c.readNative); err != nil {
			return nil, helpers.WithHint(err, "cargo logout and cargo login write a registry's token anew")
		}
	}
	atHome := false
	for _, dir := range c.upward() {
		dir, read := filepath.Join(dir, ".cargo"), c.readProject
		if dir == home {
			atHome, read = true, c.readNative
		}
		if err := c.readEither(ctx, settings, filepath.Join(dir, "config"), read); err != nil {
			return nil, err
		}
	}
	if home != "" && !atHome {
		if err := c.readEither(ctx, settings, filepath.Join(home, "config"), c.readNative); err != nil {
			return nil, err
		}
	}
	return settings, nil
}

type readFunc func(ctx context.Context, path string) (data []byte, shown string, found bool, err error)

// readEither reads the file without an extension, or the one with it where that does not exist.
func (c cargo) readEither(ctx context.Context, settings *cargoSettings, path string, read readFunc) error {
	for _, path := range []string{path, path + ".toml"} {
		found, err := c.readOne(ctx, settings, path, read)
		if found || err != nil {
			return err
		}
	}
	return nil
}

// readOne reads a file and those that it includes. inside are the files that include it.
func (c cargo) readOne(ctx context.Context, settings *cargoSettings, path string, read readFunc, inside ...string) (found bool, err error) {
	data, shown, found, err := read(ctx, path)
	if err != nil || !found {
		return false, err
	}
	includes, err := settings.parse(shown, data)
	if err != nil {
		return false, err
	}
	for _, include := range slices.Backward(includes) {
		target := filepath.FromSlash(include.path)
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		shownTarget := c.Env.Display(target)
		switch settings.includes++; {
		case !strings.HasSuffix(target, ".toml"):
			return false, fmt.Errorf("reading %s: it includes %s, and cargo includes files whose names end in .toml", shown, shownTarget)
		case slices.Contains(append(inside, path), target):
			return false, fmt.Errorf("reading %s: it includes %s, which includes it", shown, shownTarget)
		case settings.includes > maxIncludes:
			return false, fmt.Errorf("reading %s: more than %d files are included", shown, maxIncludes)
		}
		found, err := c.readOne(ctx, settings, target, read, append(inside[:len(inside):len(inside)], path)...)
		if err != nil {
			return false, err
		}
		if !found && !include.optional {
			return false, helpers.WithHint(fmt.Errorf("reading %s: it includes %s, which does not exist", shown, shownTarget), `cargo needs the file too; {path = "…", optional = true} includes one that may be missing`)
		}
	}
	return true, nil
}

// parse adds what a file says, and returns the files that it includes.
func (s *cargoSettings) parse(shown string, data []byte) ([]cargoInclude, error) {
	if s.size += len(data); s.size > maxTOML && s.size > len(data) {
		return nil, fmt.Errorf("reading %s: it is larger than %d bytes, together with the files before it, which is too long for files of cargo", shown, maxTOML)
	}
	var file cargoFile
	if err := decodeTOML(shown, "cargo", data, &file); err != nil {
		return nil, err
	}
	includes, err := includesOf(file.Include)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", shown, err)
	}
	s.read = append(s.read, shown)
	s.add(&file, shown)
	return includes, nil
}

type cargoInclude struct {
	path     string
	optional bool
}

// includesOf reads the value of "include": an array of paths and of tables that have one.
func includesOf(value any) ([]cargoInclude, error) {
	wrong := errors.New(`"include" is not an array of paths and {path = "…"}`)
	list, ok := value.([]any)
	if !ok && value != nil {
		return nil, wrong
	}
	includes := make([]cargoInclude, 0, len(list))
	for _, item := range list {
		var include cargoInclude
		switch item := item.(type) {
		case string:
			include.path = item
		case map[string]any:
			include.path, _ = item["path"].(string)
			include.optional, _ = item["optional"].(bool)
		}
		if include.path == "" {
			return nil, wrong
		}
		includes = append(includes, include)
	}
	return includes, nil
}

// registry returns what is known of a registry; it may be nothing.
func (s *cargoSettings) registry(name string) *cargoRegistry {
	if r, ok := s.registries[name]; ok {
		return r
	}
	// A variable does not tell "-" from "_", nor upper case from lower.
	for _, known := range s.names() {
		if known != cratesIO && name != cratesIO && cratesVariable(known) == name {
			return s.registries[known]
		}
	}
	r := &cargoRegistry{}
	s.registries[name] = r
	return r
}

// names returns the names of the registries, in order.
func (s *cargoSettings) names() []string {
	if len(s.sorted) != len(s.registries) { // none is ever removed
		s.sorted = slices.Sorted(maps.Keys(s.registries))
	}
	return s.sorted
}

// add adds what a file says, where nothing was said before.
func (s *cargoSettings) add(file *cargoFile, shown string) {
	merge := func(name string, from cargoRegistry) {
		to, ok := s.registries[name]
		if !ok {
			to = &cargoRegistry{}
			s.registries[name] = to
		}
		if to.Index == "" {
			to.Index = from.Index
		}
		if to.Token == "" && from.Token != "" {
			to.Token, to.tokenFrom = from.Token, shown
		}
		if to.SecretKey == "" {
			to.SecretKey = from.SecretKey
		}
		if len(to.provider) == 0 {
			to.provider = words(from.Provider)
		}
	}
	for name, r := range file.Registries {
		if name != cratesIO { // cargo's own registry is configured in [registry]
			merge(name, r)
		}
	}
	merge(cratesIO, file.Registry)
	for _, provider := range file.Registry.Global {
		s.global = append(s.global, words(provider))
	}
	for name, value := range file.CredentialAlias {
		if _, ok := s.aliases[name]; !ok {
			s.aliases[name] = words(value)
		}
	}
}

// others tells which credential providers cargo asks beside its own files, by their programs' names, and whether it asks those.
// Arguments are not told: there is no knowing what they are.
func (s *cargoSettings) others(providers [][]string) (others string, own bool) {
	var names []string
	seen := map[string]bool{}
	for _, provider := range providers {
		if len(provider) == 1 && !strings.HasPrefix(provider[0], "cargo:") {
			if alias := s.aliases[provider[0]]; len(alias) > 0 {
				provider = alias
			}
		}
		switch {
		case len(provider) == 0:
		case provider[0] == tokenProvider:
			own = true
		case !seen[filepath.Base(provider[0])]:
			seen[filepath.Base(provider[0])] = true
			names = append(names, filepath.Base(provider[0]))
		}
	}
	return fewOf(names, ", "), own || len(names) == 0
}

// words returns a program and its arguments, which are written as one string or as an array of them.
func words(value any) []string {
	switch value := value.(type) {
	case string:
		return strings.Fields(value)
	case []any:
		var list []string
		for _, item := range value {
			if word, ok := item.(string); ok && word != "" {
				list = append(list, word)
			}
		}
		return list
	}
	return nil
}

// places tells which files were read.
func (s *cargoSettings) places() string {
	if len(s.read) == 0 {
		return "there is no .cargo/config.toml in the working directory or above it, nor a config.toml or credentials.toml in cargo's home"
	}
	return "in " + strings.Join(s.read, ", ")
}
