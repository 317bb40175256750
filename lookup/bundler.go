package lookup

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/ascii"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/strictjson"
)

// decodeBundler reads {"source": "bundler"}, which has no keys of its own.
func decodeBundler(s *Sources, _ *strictjson.Object) Source { return s.Bundler() }

// Bundler returns the source that reads what Bundler and RubyGems keep.
func (s *Sources) Bundler() Source { return bundler{s} }

// bundler reads logins for gem servers as Ruby's Bundler does, and then as RubyGems does (see [bundler.gems]).
//
// Bundler's settings (https://bundler.io/man/bundle-config.1.html) are, in order, $BUNDLE_APP_CONFIG/config, else .bundle/config in the project;
// environment variables; and $BUNDLE_CONFIG, else $BUNDLE_USER_CONFIG, else $BUNDLE_USER_HOME/config, else ~/.bundle/config. $BUNDLE_IGNORE_CONFIG leaves the files out.
// A setting's name is BUNDLE_ and what it is for in capitals, with __ for a dot and ___ for a dash: a server's URL, or a host, for all its ports and schemes.
// A setting for a URL counts before one for a host, and the longest URL first.
//
// The value is USER:PASSWORD, percent-encoded. One without a colon is a token: Bundler sends it as a user name with an empty password,
// Basic base64(TOKEN:), and it is yielded as [Token], for the preset to write it so.
type bundler struct{ *Sources }

func (bundler) Name() string    { return "Bundler's and RubyGems' logins" }
func (bundler) HostBound() bool { return true }
func (bundler) PathBound() bool { return true }

func (b bundler) Lookup(ctx context.Context, q Query) (Values, error) {
	if helpers.Wildcard(q.URL) {
		return nil, helpers.NotFoundf("Bundler's logins are for one server each, not for %s", q.URL.Host)
	}
	local, global, looked, err := b.settings(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading Bundler's settings: %w", err)
	}
	if b.byPath(q.URL, local, global) {
		q.alike = nil
	}
	keys := bundlerKeys(q.URL)
	for _, key := range keys {
		value, from := local.get(key)
		place := local.place(key)
		if value == "" {
			value, from, place = b.Env.Var(key), "$"+key, "$"+key
		}
		if value == "" {
			value, from = global.get(key)
			place = global.place(key)
		}
		if value == "" {
			continue
		}
		values, err := userInfo(value)
		if err != nil && helpers.FallsThrough(err) {
			return nil, helpers.NotFoundf("Bundler's login %s is empty", from)
		}
		if err != nil {
			return nil, helpers.WithHint(fmt.Errorf("reading Bundler's login %s: %w", from, err), "write %% as %%25 in the user name and the password")
		}
		return alike(q, nil, func(*url.URL) (Values, error) { return values.at(place), nil }, sameValues)
	}
	values, more, err := b.gems(ctx, q)
	if err != nil || values != nil {
		return values, err
	}
	if len(keys) == 0 {
		return nil, helpers.NotFoundf("Bundler has no unmistakable name for the host %s", q.URL.Host)
	}
	looked = slices.Concat([]string{"$" + keys[len(keys)-1]}, looked, more)
	return nil, helpers.NotFoundf("no login for %s in %s", q.URL.Host, strings.Join(looked, ", "))
}

// userInfo returns the login that stands before the @ in a URL: USER:PASSWORD or TOKEN, in which a plus sign is a space, as Ruby has it.
func userInfo(value string) (Values, error) {
	user, password, _ := strings.Cut(value, ":")
	user, err := url.QueryUnescape(user)
	if err == nil {
		password, err = url.QueryUnescape(password)
	}
	switch {
	case err != nil:
		return nil, errors.New("a percent sign in it is not followed by two hexadecimal digits") // what follows it may be part of the secret
	case password == "" && user == "":
		return nil, helpers.NotFoundf("the login is empty")
	case password == "":
		return Values{Token: redact.Hold(user), Default: redact.Hold(user)}, nil
	case password == "x-oauth-basic":
		redact.Remember(user) // it is the secret
	}
	return Values{Username: redact.Hold(user), Password: redact.Hold(password), Default: redact.Hold(password)}, nil
}

// bundlerKeys returns the names of the settings that have the login for u, the closest first: those for a URL and, with the host alone, the last.
// It has none for a host of which another has the same name, and none for a path of which another has.
func bundlerKeys(u *url.URL) []string {
	host := u.Hostname()
	if bundlerAmbiguous(host) {
		return nil
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]" // as Ruby has an IPv6 address
	}
	var keys []string
	if u.Scheme == "https" || u.Scheme == "http" {
		path := segments(u)
		for n := min(len(path), maxBundlerPath); n >= 0; n-- {
			if bundlerAmbiguous(strings.Join(path[:n], "/")) {
				continue
			}
			keys = append(keys, bundlerKey(strings.TrimSuffix(u.Scheme+"://"+u.Host+"/"+strings.Join(path[:n], "/"), "/")+"/"))
		}
	}
	return append(keys, bundlerKey(host))
}

// bundlerAmbiguous reports whether something else has the same name in Bundler's settings: an underscore beside a dot or a dash cannot be told from either.
func bundlerAmbiguous(name string) bool {
	for i := 1; i < len(name); i++ {
		if a, b := name[i-1], name[i]; strings.IndexByte("_.-", a) >= 0 && strings.IndexByte("_.-", b) >= 0 && (a != '-' || b != '-') {
			return true
		}
	}
	return false
}

// byPath reports whether there is a setting for a part of u's server, or there may be one.
func (b bundler) byPath(u *url.URL, files ...bundlerSettings) bool {
	server := ascii.Upper(bundlerKey(u.Scheme + "://" + u.Host + "/"))
	deeper := func(name string) bool {
		return len(name) > len(server) && ascii.EqualFold(name[:len(server)], server)
	}
	for _, file := range files {
		for key := range file.values {
			if deeper(key) {
				return true
			}
		}
	}
	variables, ok := b.Env.EnvironWith(server)
	return !ok || slices.ContainsFunc(variables, func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return deeper(name)
	})
}

// maxBundlerPath is the number of segments of a URL's path above which no setting is looked for.
const maxBundlerPath = 16

func bundlerKey(name string) string {
	return "BUNDLE_" + ascii.Upper(strings.NewReplacer(".", "__", "-", "___").Replace(name))
}

// bundlerSettings are those of one file.
type bundlerSettings struct {
	shown  string
	values map[string]ast.Node
}

// get returns a setting that is a text, and where it was found.
func (s bundlerSettings) get(key string) (value, from string) {
	return yamlText(s.values[key]), key + " in " + s.shown
}

// place returns where a setting stands.
func (s bundlerSettings) place(key string) string { return yamlPlace(s.shown, s.values[key]) }

// settings reads the files of the project and of the user. looked names them for an error.
func (b bundler) settings(ctx context.Context) (local, global bundlerSettings, looked []string, err error) {
	if b.Env.Var("BUNDLE_IGNORE_CONFIG") != "" {
		return local, global, nil, nil
	}
	read := b.readNative
	app := b.Env.Var("BUNDLE_APP_CONFIG")
	if !filepath.IsAbs(app) {
		// It is the project's, unlike a directory that the user chose by its whole path.
		read = b.readProject
		project := b.project()
		switch {
		case project == "":
			app = ""
		case app == "":
			app = filepath.Join(project, ".bundle")
		default:
			app = filepath.Join(project, app)
		}
	}
	if app != "" {
		if local, err = b.file(ctx, read, filepath.Join(app, "config"), &looked); err != nil {
			return local, global, looked, err
		}
	}
	user := b.Env.Var("BUNDLE_CONFIG")
	if user == "" {
		user = b.Env.Var("BUNDLE_USER_CONFIG")
	}
	if dir := b.Env.Var("BUNDLE_USER_HOME"); user == "" && dir != "" {
		user = filepath.Join(dir, "config")
	}
	if user == "" {
		user = b.home(".bundle", "config")
	}
	if user != "" {
		global, err = b.file(ctx, b.readNative, b.absolute(user), &looked)
	}
	return local, global, looked, err
}

// file reads a file of settings.
func (b bundler) file(ctx context.Context, read func(context.Context, string) ([]byte, string, bool, error), path string, looked *[]string) (bundlerSettings, error) {
	data, shown, found, err := read(ctx, path)
	if err != nil {
		return bundlerSettings{}, err
	}
	*looked = append(*looked, shown)
	if !found {
		return bundlerSettings{}, nil
	}
	values, err := rubyYAML(shown, data, "settings", "Bundler")
	if err != nil {
		return bundlerSettings{}, err
	}
	settings := bundlerSettings{shown: shown, values: map[string]ast.Node{}}
	for key, value := range values {
		// Bundler mends what people write by hand: a URL without its last slash, and dots and dashes as they are.
		if lower := ascii.Lower(key); strings.Contains(lower, "http:") || strings.Contains(lower, "https:") {
			key = strings.TrimSuffix(key, "/") + "/"
		}
		key = strings.NewReplacer(".", "__", "-", "___").Replace(key)
		settings.values[key] = value
	}
	return settings, nil
}

// rubyYAML reads a file as Bundler and RubyGems write it: a map of texts, and of lists of them.
func rubyYAML(shown string, data []byte, what, writer string) (map[string]ast.Node, error) {
	if len(data) > maxYAML {
		return nil, fmt.Errorf("%s: it is larger than %d bytes", shown, maxYAML)
	}
	var values map[string]ast.Node
	if err := decodeYAML(shown, []byte(strings.TrimPrefix(string(data), "\xef\xbb\xbf")), what, writer, &values); err != nil {
		return nil, err
	}
	return values, nil
}
