package lookup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/strictjson"
)

// moonbitFile is the name of the file in which moonbit-registry keeps its sources.
const moonbitFile = "registry.toml"

// decodeMoonbit reads {"source": "moonbit", "path": PATH}. PATH is subject to prefix expansion;
// without it the file is the nearest registry.toml, in the working directory or above it.
func decodeMoonbit(s *Sources, o *strictjson.Object) Source {
	m := moonbit{Sources: s}
	decodePath(o, &m.path, "the nearest "+moonbitFile)
	return m
}

// Moonbit returns the source that finds the logins of moonbit-registry.
func (s *Sources) Moonbit() Source { return moonbit{Sources: s} }

// moonbit finds the logins that moonbit-registry mirrors other registries with (https://github.com/moonrockz/moonbit-registry-tools):
// in registry.toml, [[sources]] with "url", "index_url", "package_url_pattern", "enabled" and "priority", and [sources.auth] with "type"
// (none, bearer or basic), "token", "username" and "password". In a token, a user name and a password ${NAME} stands for an environment variable.
//
// A login is for the URLs below the source's "url", and below its index and its packages where they are on the host of that.
// The client sends it to whatever host the pattern names, and to the default one where there is no pattern; here it stays where its source is.
// Of several sources the longest path counts, and of those with the same path the first in the client's order.
type moonbit struct {
	*Sources
	path string
}

func (moonbit) Name() string    { return "moonbit-registry's " + moonbitFile }
func (moonbit) PathBound() bool { return true }

// HostBound implements [Source]: a file of the project may name any host for a variable of the user's.
func (m moonbit) HostBound() bool { return m.Env.UserOnly }

// moonbitSource is a source in registry.toml.
type moonbitSource struct {
	Name     string `toml:"name"`
	URL      string `toml:"url"`
	IndexURL string `toml:"index_url"`
	Pattern  string `toml:"package_url_pattern"`
	Enabled  *bool  `toml:"enabled"`
	Priority *int   `toml:"priority"`
	Auth     *struct {
		Type     moonbitType `toml:"type"`
		Token    string      `toml:"token"`
		Username string      `toml:"username"`
		Password string      `toml:"password"`
	} `toml:"auth"`
}

// moonbitType is how a source wants its login. It is no string, so that the parser tells the line of one that is not known.
type moonbitType struct{ name string }

var errMoonbitType = errors.New(`the "type" of a login is none of "none", "bearer" and "basic"`)

// UnmarshalText implements [encoding.TextUnmarshaler].
func (t *moonbitType) UnmarshalText(text []byte) error {
	if t.name = string(text); !slices.Contains([]string{"none", "bearer", "basic"}, t.name) {
		return errMoonbitType
	}
	return nil
}

func (m moonbit) Lookup(ctx context.Context, q Query) (Values, error) {
	data, shown, err := m.read(ctx)
	if err != nil {
		q.everywhere()
		return nil, err
	}
	return m.find(shown, data, q)
}

// find returns the login from a file's text. shown is the file's name in errors.
func (m moonbit) find(shown string, data []byte, q Query) (Values, error) {
	var file struct {
		Sources []moonbitSource `toml:"sources"`
	}
	if err := decodeTOML(shown, "moonbit-registry", data, &file, errMoonbitType); err != nil {
		return nil, err
	}
	parts := moonbitParts(file.Sources)
	var paths []string
	for _, p := range parts {
		if sameServer(p.at, q.URL) {
			paths = append(paths, p.at.EscapedPath())
		}
	}
	source, err := alike(q, paths, func(u *url.URL) (*moonbitSource, error) {
		if source := moonbitFor(parts, u); source != nil {
			return source, nil
		}
		return nil, helpers.NotFoundf("%s has no source for %s", shown, helpers.Origin(u))
	}, func(a, b *moonbitSource) bool { return a == b })
	if err != nil {
		return nil, err
	}
	values, err := m.login(shown, *source)
	return values.at(shown), err
}

// read returns the file, and its name as people write it.
func (m moonbit) read(ctx context.Context) (data []byte, shown string, err error) {
	if m.path != "" {
		path, err := m.expandPath(m.path)
		if err != nil {
			return nil, "", fmt.Errorf("reading moonbit-registry's %s: %w", m.path, err)
		}
		data, shown, found, err := m.readProject(ctx, path)
		if err == nil && !found {
			err = helpers.NotFoundf("%s does not exist", shown)
		}
		return data, shown, err
	}
	for _, dir := range m.upward() {
		data, shown, found, err := m.readProject(ctx, filepath.Join(dir, moonbitFile))
		if found || err != nil {
			return data, shown, err
		}
	}
	if m.Env.UserOnly {
		return nil, "", helpers.NotFoundf("moonbit-registry's %s is not looked for: files of the project are not read here", moonbitFile)
	}
	return nil, "", helpers.NotFoundf("there is no %s in %s or above it", moonbitFile, m.Env.Display(m.Env.Dir))
}

// A moonbitPart is a place where a source has something.
type moonbitPart struct {
	*moonbitSource
	at *url.URL
}

// moonbitParts returns the parts of all sources.
func moonbitParts(sources []moonbitSource) (parts []moonbitPart) {
	for i := range sources {
		source := &sources[i]
		home, _, ok := parseServer(source.URL)
		if !ok || source.Enabled != nil && !*source.Enabled {
			continue
		}
		parts = append(parts, moonbitPart{source, home})
		for _, raw := range []string{source.IndexURL, source.packages()} {
			if at, _, ok := parseServer(raw); ok && sameServer(at, home) {
				parts = append(parts, moonbitPart{source, at})
			}
		}
	}
	return parts
}

// moonbitFor returns the source that a URL is of, nil where it is of none.
func moonbitFor(parts []moonbitPart, u *url.URL) *moonbitSource {
	found := nearest(parts, u, func(p moonbitPart) (*url.URL, bool) {
		_, ok := covers(p.at, u)
		return p.at, ok
	})
	if len(found) == 0 {
		return nil
	}
	first := slices.MinFunc(found, func(a, b moonbitPart) int { return cmp.Compare(a.priority(), b.priority()) })
	return first.moonbitSource
}

// packages returns the URL below which the source's packages are: what its pattern has before the first variable, up to the last slash.
func (s moonbitSource) packages() string {
	path, _, query := strings.Cut(strings.ReplaceAll(s.Pattern, "${url}", s.URL), "?")
	path, _, varies := strings.Cut(path, "${")
	if varies || !query {
		return path[:strings.LastIndexByte(path, '/')+1]
	}
	return path
}

func (s moonbitSource) priority() int {
	if s.Priority == nil {
		return 100
	}
	return *s.Priority
}

// login returns the login of a source. What the client would send without a value is not found.
func (m moonbit) login(shown string, source moonbitSource) (Values, error) {
	if source.Auth == nil {
		return nil, helpers.NotFoundf("%s has no login for the source %q", shown, source.Name)
	}
	incomplete := func(what string) error {
		return helpers.NotFoundf("%s has no %s for the source %q, whose login is of the type %s", shown, what, source.Name, source.Auth.Type.name)
	}
	switch source.Auth.Type.name {
	case "bearer":
		token, err := m.expand(shown, source.Name, source.Auth.Token)
		switch {
		case err != nil:
			return nil, err
		case token == "":
			return nil, incomplete("token")
		}
		return Values{Token: redact.Hold(token), Default: redact.Hold(token)}, nil
	case "basic":
		if source.Auth.Username == "" || source.Auth.Password == "" {
			return nil, incomplete("user name and password")
		}
		username, err := m.expand(shown, source.Name, source.Auth.Username)
		if err != nil {
			return nil, err
		}
		password, err := m.expand(shown, source.Name, source.Auth.Password)
		if err != nil {
			return nil, err
		}
		return Values{Username: redact.Hold(username), Password: redact.Hold(password), Default: redact.Hold(password)}, nil
	case "none":
		return nil, helpers.NotFoundf("%s says that the source %q needs no login", shown, source.Name)
	}
	return nil, helpers.WithHint(fmt.Errorf("reading %s: the login for the source %q has no type", shown, source.Name), `write type = "bearer" or "basic" in its [sources.auth]`)
}

// expand replaces each ${NAME} by the environment variable. One that is not set, or empty, is an error: it never becomes an empty secret.
func (m moonbit) expand(shown, source, text string) (string, error) {
	var out expansion
	for {
		if out.over {
			return "", errTooLong(shown)
		}
		before, rest, ok := strings.Cut(text, "${")
		name, after, closed := strings.Cut(rest, "}")
		if !ok || !closed {
			out.WriteString(text)
			return out.String(), nil
		}
		if !isVariableName(name) {
			return "", fmt.Errorf("reading %s: a ${…} in the login for the source %q does not name an environment variable", shown, source)
		}
		value, set := m.Env.Get(name)
		if value == "" {
			state := "not set"
			if set {
				state = "empty"
			}
			return "", helpers.WithHint(fmt.Errorf("reading %s: the login for the source %q uses ${%s}, and $%s is %s", shown, source, name, name, state), "export %s", name)
		}
		out.WriteString(before)
		out.variable(value)
		text = after
	}
}
