package lookup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"slices"

	"github.com/goccy/go-yaml/ast"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/redact"
)

// rubyGems is the server that RubyGems pushes to where nothing names another.
const rubyGems = "https://rubygems.org"

// gems returns what RubyGems has for u, nil where it has nothing (https://guides.rubygems.org/command-reference/#gem-environment):
//
//   - $GEM_HOST_API_KEY, which is for $RUBYGEMS_HOST, else for rubygems.org
//   - ~/.gem/credentials, else $XDG_DATA_HOME/gem/credentials or ~/.local/share/gem/credentials: keys by URL, and :rubygems_api_key for rubygems.org.
//     A key is a whole header's value: RubyGems sends it as it is
//   - :sources of $GEMRC (files in a list), else ~/.gemrc, else $XDG_CONFIG_HOME/gem/gemrc or ~/.config/gem/gemrc: URLs with user info
//
// looked names the files for an error.
func (b bundler) gems(ctx context.Context, q Query) (values Values, looked []string, err error) {
	var keys, users []gemLogin
	if key := b.Env.Var("GEM_HOST_API_KEY"); key != "" {
		host := b.Env.Var("RUBYGEMS_HOST")
		if host == "" {
			host = rubyGems
		}
		if server, _, ok := parseServer(host); ok {
			if _, ok := covers(server, q.URL); ok {
				return gemKey(key).at("$GEM_HOST_API_KEY"), nil, nil
			}
			keys = append(keys, gemLogin{server, key, "$GEM_HOST_API_KEY"})
		}
	}
	stored, err := b.gemCredentials(ctx, &looked)
	last := gemFor(stored, q.URL).value == ""
	if err == nil && last {
		users, err = b.gemSources(ctx, &looked)
	}
	if err != nil {
		return nil, looked, fmt.Errorf("reading RubyGems' logins: %w", err)
	}
	var paths []string
	for _, login := range slices.Concat(keys, stored, users) {
		if sameServer(login.at, q.URL) {
			paths = append(paths, login.at.EscapedPath())
		}
	}
	values, err = alike(q, paths, func(u *url.URL) (Values, error) {
		for _, logins := range [][]gemLogin{keys, stored} {
			if key := gemFor(logins, u); key.value != "" {
				return gemKey(key.value).at(key.from), nil
			}
		}
		if !last {
			return nil, errors.New("not looked for")
		}
		if user := gemFor(users, u); user.value != "" {
			values, err := userInfo(user.value)
			return values.at(user.from), err
		}
		return nil, nil
	}, sameValues)
	if err != nil && !helpers.FallsThrough(err) {
		err = fmt.Errorf("reading RubyGems' logins: %w", err)
	}
	return values, looked, err
}

// A gemLogin is a login, in its own form, for what is below a URL.
type gemLogin struct {
	at    *url.URL
	value string
	from  string // the place of the login
}

// gemFor returns the login that is the closest to u of those that cover it; the zero one where none does.
func gemFor(logins []gemLogin, u *url.URL) (best gemLogin) {
	deepest := -1
	for _, login := range logins {
		if depth, ok := covers(login.at, u); ok && depth > deepest {
			best, deepest = login, depth
		}
	}
	return best
}

// gemKey returns the values for a key of RubyGems.
func gemKey(key string) Values {
	return Values{Header("Authorization"): redact.Hold(key), Default: redact.Hold(key)}
}

// gemCredentials reads the file of keys.
func (b bundler) gemCredentials(ctx context.Context, looked *[]string) (logins []gemLogin, err error) {
	file, err := b.firstYAML(ctx, looked, b.home(".gem", "credentials"), b.xdg("XDG_DATA_HOME", []string{".local", "share"}, "gem", "credentials"))
	if err != nil || file.values == nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(file.values)) {
		key, _ := file.get(name)
		raw := name
		switch name {
		case ":rubygems_api_key", "rubygems_api_key":
			raw = rubyGems
		}
		if server, _, ok := parseServer(raw); ok && key != "" {
			logins = append(logins, gemLogin{server, key, file.place(name)})
		}
	}
	return logins, nil
}

// gemSources reads the user info in the URLs of sources.
func (b bundler) gemSources(ctx context.Context, looked *[]string) (logins []gemLogin, err error) {
	var sources []ast.Node
	var shown string
	set := func(file bundlerSettings) {
		for _, name := range []string{"sources", ":sources"} {
			if list, ok := file.values[name].(*ast.SequenceNode); ok {
				sources, shown = list.Values, file.shown
			}
		}
	}
	if list := b.Env.Var("GEMRC"); list != "" {
		for _, path := range filepath.SplitList(list) {
			if path == "" {
				continue
			}
			file, err := b.firstYAML(ctx, looked, b.absolute(path))
			if err != nil {
				return nil, err
			}
			set(file)
		}
	} else {
		file, err := b.firstYAML(ctx, looked, b.home(".gemrc"), b.xdg("XDG_CONFIG_HOME", []string{".config"}, "gem", "gemrc"))
		if err != nil {
			return nil, err
		}
		set(file)
	}
	for _, source := range sources {
		if server, user, ok := parseServer(yamlText(source)); ok && user != "" {
			logins = append(logins, gemLogin{server, user, yamlPlace(shown, source)})
		}
	}
	return logins, nil
}

// xdg returns a path below the directory that a variable names, else below one in the home directory; "" where there is none.
func (b bundler) xdg(variable string, fallback []string, elem ...string) string {
	dir := b.Env.Var(variable)
	if dir == "" {
		if dir = b.home(fallback...); dir == "" {
			return ""
		}
	}
	return filepath.Join(append([]string{b.absolute(dir)}, elem...)...)
}

// firstYAML reads the first of the files that exists.
func (b bundler) firstYAML(ctx context.Context, looked *[]string, paths ...string) (bundlerSettings, error) {
	for _, path := range paths {
		if path == "" {
			continue
		}
		data, shown, found, err := b.readNative(ctx, path)
		if err != nil {
			return bundlerSettings{}, err
		}
		*looked = append(*looked, shown)
		if !found {
			continue
		}
		values, err := rubyYAML(shown, data, "settings", "RubyGems")
		if err == nil && values == nil {
			values = map[string]ast.Node{}
		}
		return bundlerSettings{shown, values}, err
	}
	return bundlerSettings{}, nil
}
