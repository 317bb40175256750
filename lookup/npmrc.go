package lookup

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/ascii"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/strictjson"
)

// decodeNpmrc reads {"source": "npmrc", "path": PATH}. PATH may be left out; it is subject to prefix expansion.
// With it, that file is read, and no other and no variable of npm's.
func decodeNpmrc(s *Sources, o *strictjson.Object) Source {
	n := npmrc{Sources: s}
	decodePath(o, &n.path, "npm's variables and files")
	return n
}

// Npmrc returns the source that reads npm's logins.
func (s *Sources) Npmrc() Source { return npmrc{Sources: s} }

// npmrc finds the login for a URL as npm does (https://docs.npmjs.com/cli/configuring-npm/npmrc). An option is taken from the first of these that has it:
//
//   - a variable: $npm_config_//registry.example.com/:_authToken, with the prefix in any case
//   - .npmrc at the root of the project
//   - the user's file: $npm_config_userconfig, else ~/.npmrc
//   - the global file: $npm_config_globalconfig, else etc/npmrc below $npm_config_prefix, else below $PREFIX.
//     The user's file may name both too. Where nothing does, it is below the directory of Node.js, and not looked for.
//
// An option with a login is named by a host and a path: "//registry.example.com/path/:_authToken". The longest path that covers the URL's wins,
// and of its options _authToken, then _auth, then username with _password
// (https://github.com/npm/npm-registry-fetch/blob/main/lib/auth.js); one that has a client certificate alone ends the search.
// Where none covers it, and the option "registry" is at the same host, the login of that is taken: packages may be elsewhere than what lists them.
// The scheme counts for nothing. Options without a host are told of and not used, as npm refuses them.
//
// ${NAME} stands for a variable, and ${NAME?} for one that may be absent. npm leaves the text where the other kind is not set; here that is an error,
// for the URLs that want it.
type npmrc struct {
	*Sources
	path string
}

func (npmrc) Name() string    { return "npm's logins" }
func (npmrc) PathBound() bool { return true }

// HostBound implements [Source]: a file of the project may name any host for a variable of the user's.
func (n npmrc) HostBound() bool { return n.Env.UserOnly }

// Options that logins are made of.
const (
	npmToken    = "_authToken"
	npmAuth     = "_auth"
	npmUsername = "username"
	npmPassword = "_password"
	npmCert     = "certfile"
	npmKey      = "keyfile"
)

func (n npmrc) Lookup(ctx context.Context, q Query) (Values, error) {
	if helpers.Wildcard(q.URL) {
		return nil, helpers.NotFoundf("npm's logins are for one host each, not for %s", q.URL.Host)
	}
	c := &npmConfig{get: n.Env.Get, options: map[string]npmOption{}}
	if err := n.load(ctx, c); err != nil {
		return nil, err
	}
	values, err := alike(q, c.paths(q.URL), func(u *url.URL) (Values, error) {
		values, err := c.find(u)
		if registry := c.registry(); values == nil && err == nil && registry != nil && registry.Host == u.Host {
			values, err = c.find(registry)
		}
		return values, err
	}, sameValues)
	if values != nil || err != nil {
		return values, err
	}
	text := noLogin(q.URL, c.read, c.missing)
	if c.bare != "" {
		text += "; " + c.bare + ", which npm does not use (npm config fix puts it right)"
	}
	return nil, helpers.NotFoundf("%s", text)
}

// load reads npm's variables and files.
func (n npmrc) load(ctx context.Context, c *npmConfig) error {
	if n.path != "" {
		path, err := n.expandPath(n.path)
		if err != nil {
			return fmt.Errorf("reading npm's file %s: %w", n.path, err)
		}
		file, err := n.file(ctx, c, path, n.readNative)
		c.merge(file)
		return err
	}
	vars := n.variables()
	user := n.home(".npmrc")
	if v := vars["userconfig"].value; v != "" {
		user = n.resolve(c, v)
	}
	userFile, err := n.file(ctx, c, user, n.readNative)
	if err != nil {
		return err
	}
	// The variables come before the files, and so they are merged last.
	first := func(name string) string {
		if v := vars[name].value; v != "" {
			return v
		}
		return userFile[name].value
	}
	global := ""
	if v := first("globalconfig"); v != "" {
		global = n.resolve(c, v)
	} else if v := first("prefix"); v != "" {
		global = filepath.Join(n.resolve(c, v), "etc", "npmrc")
	} else if v := n.Env.Var("PREFIX"); v != "" {
		global = filepath.Join(n.resolve(c, v), "etc", "npmrc")
	}
	globalFile, err := n.file(ctx, c, global, n.readNative)
	if err != nil {
		return err
	}
	project := ""
	if dir := n.project(); dir != "" {
		project = filepath.Join(dir, ".npmrc")
	}
	var projectFile map[string]npmOption
	if project != user {
		if projectFile, err = n.file(ctx, c, project, n.readProject); err != nil {
			return err
		}
	}
	for _, options := range []map[string]npmOption{globalFile, userFile, projectFile, vars} {
		c.merge(options)
	}
	return nil
}

// variables returns the options that are set by variables. They are named by hosts and paths, so that the environment is looked through.
func (n npmrc) variables() map[string]npmOption {
	const prefix = "npm_config_"
	options := map[string]npmOption{}
	environ, _ := n.Env.EnvironWith(prefix)
	slices.Sort(environ) // of two spellings of one name, the same one stands each time
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		if len(name) <= len(prefix) || value == "" {
			continue
		}
		key := name[len(prefix):]
		if !strings.HasPrefix(key, "//") {
			key = ascii.Lower(key[:1] + strings.ReplaceAll(key[1:], "_", "-"))
		}
		options[key] = npmOption{value: value, where: "$" + name}
	}
	return options
}

// file returns a file's options. path may be "".
func (n npmrc) file(ctx context.Context, c *npmConfig, path string, read func(context.Context, string) ([]byte, string, bool, error)) (map[string]npmOption, error) {
	if path == "" {
		return nil, nil
	}
	data, shown, found, err := read(ctx, path)
	if err == nil && found {
		err = refuseMark(shown, data)
	}
	switch {
	case err != nil:
		return nil, err
	case !found:
		c.missing = append(c.missing, shown)
		return nil, nil
	}
	c.read = append(c.read, shown)
	options := map[string]npmOption{}
	for _, line := range parseNpmrc(data) {
		where := fmt.Sprintf("%s:%d", shown, line.line)
		if key := line.key; c.bare == "" && line.value != "" && slices.Contains([]string{npmToken, "_authtoken", npmAuth, npmPassword}, key) {
			c.bare = fmt.Sprintf("%s has an %s without a host", where, key)
		}
		key := line.key
		if strings.Contains(key, "${") {
			var over bool
			if key, _, over = npmExpand(key, c.get); over {
				continue // it names no host that is asked for
			}
		}
		options[key] = npmOption{value: line.value, where: where}
	}
	return options, nil
}

// resolve returns the path that an option names; "" where it can be none.
func (n npmrc) resolve(c *npmConfig, path string) string {
	path, _, over := npmExpand(strings.TrimSpace(path), c.get)
	if over {
		return ""
	}
	if rest, ok := strings.CutPrefix(path, "~/"); ok && n.Env.Home != "" {
		return filepath.Join(n.Env.Home, rest)
	}
	return n.absolute(path)
}

// An npmOption is an option as it is written, and where that is.
type npmOption struct{ value, where string }

// npmConfig is what npm's variables and files say together.
type npmConfig struct {
	get           func(string) (string, bool)
	options       map[string]npmOption
	read, missing []string // files
	bare          string   // tells of a login without a host
}

// merge adds options; they take the place of those that are there.
func (c *npmConfig) merge(options map[string]npmOption) {
	for key, option := range options {
		c.options[key] = option
	}
}

// registry returns the URL of the registry that packages come from if nothing else is said; nil where the option is not set, or is none.
// What npm takes then is all of a host, whose login is found anyway.
func (c *npmConfig) registry() *url.URL {
	text, undefined, over := npmExpand(c.options["registry"].value, c.get)
	l, _, ok := parseLoginURL(text)
	if !ok || undefined != "" || over {
		return nil
	}
	return l.url
}

// find returns the login of the longest level ("//host/path/") that covers u and has one, nil where there is none.
func (c *npmConfig) find(u *url.URL) (Values, error) {
	want := "//" + u.Host + u.EscapedPath()
	var levels []string
	for key := range c.options {
		end := strings.LastIndexByte(key, ':')
		if end < 0 || !strings.HasPrefix(key, "//") {
			continue
		}
		if npmCovers(key[:end], want) {
			levels = append(levels, key[:end])
		}
	}
	// A host that is spelled as in the URL goes before another spelling of it.
	slices.SortFunc(levels, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(b, a)
	})
	for _, level := range slices.Compact(levels) {
		values, err := c.login(level)
		if values != nil || err != nil {
			return values, err
		}
	}
	return nil, nil
}

// paths returns the paths of the levels that are at u's host.
func (c *npmConfig) paths(u *url.URL) (paths []string) {
	for key := range c.options {
		level, ok := strings.CutPrefix(key[:max(0, strings.LastIndexByte(key, ':'))], "//")
		if host, path, _ := strings.Cut(level, "/"); ok && ascii.EqualFold(host, u.Host) {
			paths = append(paths, "/"+path)
		}
	}
	return paths
}

// npmCovers reports whether a level is want, or ends where a segment of want's path does. Its host may be in capitals; its path is compared as it is.
func npmCovers(level, want string) bool {
	end := len(level)
	if i := strings.IndexByte(level[2:], '/'); i >= 0 {
		end = 2 + i
	}
	rest, ok := strings.CutPrefix(want, ascii.Lower(level[:end])+level[end:])
	return ok && end > 2 && (rest == "" || rest[0] == '/' || strings.HasSuffix(level, "/"))
}

// login returns the login at a level, nil where it has none.
func (c *npmConfig) login(level string) (Values, error) {
	where := func(name string) string { return c.options[level+":"+name].where }
	broken := func(name, what, hint string) error {
		return helpers.WithHint(fmt.Errorf("reading %s: the %s is not %s", where(name), name, what), "%s", hint)
	}
	token, err := c.value(level, npmToken)
	if err != nil {
		return nil, err
	}
	if token != "" {
		return Values{Token: redact.Hold(token), Default: redact.Hold(token)}.at(where(npmToken)), nil
	}
	auth, err := c.value(level, npmAuth)
	if err != nil {
		return nil, err
	}
	if auth != "" {
		username, password, ok := strings.Cut(fromBase64(auth), ":")
		if !ok {
			return nil, broken(npmAuth, "base64 of USER:PASSWORD", "npm login writes it anew; a token goes into "+npmToken)
		}
		return basicLogin(username, password, where(npmAuth))
	}
	username, err := c.value(level, npmUsername)
	if err != nil {
		return nil, err
	}
	encoded := ""
	if username != "" {
		if encoded, err = c.value(level, npmPassword); err != nil {
			return nil, err
		}
	}
	if encoded != "" {
		password := fromBase64(encoded)
		if password == "" {
			return nil, broken(npmPassword, "base64 of a password", "npm keeps a password in base64; npm login writes it anew")
		}
		return basicLogin(username, password, where(npmPassword))
	}
	for _, name := range []string{npmCert, npmKey} {
		if text, err := c.value(level, name); err != nil || text == "" {
			return nil, err
		}
	}
	return nil, helpers.NotFoundf("%s names a client certificate for %s, and there is no other login beside it", where(npmCert), level)
}

// value returns an option of a level with the variables put in; "" where there is none, also where npm takes it for none.
func (c *npmConfig) value(level, name string) (string, error) {
	option := c.options[level+":"+name]
	text := strings.TrimSpace(option.value)
	if slices.Contains([]string{"true", "false", "null", "undefined"}, text) {
		return "", nil
	}
	text, undefined, over := npmExpand(text, c.get)
	switch {
	case over:
		return "", errTooLong(option.where)
	case undefined != "":
		return "", helpers.WithHint(fmt.Errorf("reading %s: %s is not set", option.where, undefined), "export %s, or write ${NAME?} for a variable that may be absent", strings.TrimPrefix(undefined, "$"))
	}
	return text, nil
}

// fromBase64 decodes base64 of either alphabet, with or without padding; "" where it is none, or none of a text.
func fromBase64(text string) string {
	text = strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(text), "=")
	data, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || !utf8.Valid(data) {
		return ""
	}
	return string(data)
}
