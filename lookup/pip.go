package lookup

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/ascii"
	"github.com/fe055d52/credential-helper/internal/strictjson"
)

// decodePip reads {"source": "pip"}, which has no keys of its own.
func decodePip(s *Sources, _ *strictjson.Object) Source { return s.Pip() }

// Pip returns the source that finds the login in the URLs of the indexes that pip and uv are told of.
func (s *Sources) Pip() Source { return pip{Sources: s, system: pipSystem(s.Env.Var)} }

// pip finds the user info of an index's URL. The indexes are
//
//   - pip's: $PIP_INDEX_URL and $PIP_EXTRA_INDEX_URL, and where one of them is not set, "index-url" and "extra-index-url" of the sections [install],
//     [download] and [global] of pip's files. A section for a command comes before [global]; of the files the last that says something stands: the system's,
//     the user's (not read where $PIP_CONFIG_FILE exists), $VIRTUAL_ENV/pip.conf, and $PIP_CONFIG_FILE
//     (https://pip.pypa.io/en/stable/topics/configuration/)
//   - uv's: $UV_INDEX, $UV_EXTRA_INDEX_URL, $UV_DEFAULT_INDEX and $UV_INDEX_URL; one that is written NAME=URL has its login in
//     $UV_INDEX_NAME_USERNAME and $UV_INDEX_NAME_PASSWORD too, which come before that in the URL
//     (https://docs.astral.sh/uv/concepts/indexes/#providing-credentials-directly)
//
// As pip does it (https://github.com/pypa/pip/blob/main/src/pip/_internal/network/auth.py), the login is taken from the index of the URL's origin whose path
// has most in common with the URL's: packages are often beside the index that lists them. Where that one has no login, pip takes another's for the host
// once it has used it; here it is taken at once. A login of pip's variables comes first, then uv's, then that of pip's files.
//
// A user name alone is not a login: pip and uv ask a netrc file and the keyring for its password then, and sources for these come behind this one in a chain.
// A user name with an empty password ("https://TOKEN:@host/") is one: a token that is sent in the place of the user name.
type pip struct {
	*Sources
	system []string // the system's files
}

func (pip) Name() string    { return "the indexes of pip and uv" }
func (pip) HostBound() bool { return true }
func (pip) PathBound() bool { return true }

// An index is a place that packages come from.
type index struct {
	loginURL
	where string // where it was read, for errors
	from  string // where its password was read, if that is elsewhere
	file  bool   // in a file, not in a variable
}

func (p pip) Lookup(ctx context.Context, q Query) (Values, error) {
	if helpers.Wildcard(q.URL) {
		return nil, helpers.NotFoundf("the indexes of pip and uv are for one host each, not for %s", q.URL.Host)
	}
	options, found, missing, err := p.files(ctx)
	if err != nil {
		return nil, err
	}
	pips, err := p.pipIndexes(options, q.URL)
	if err != nil {
		return nil, err
	}
	uvs, err := p.uvIndexes(q.URL)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, i := range slices.Concat(pips, uvs) {
		if sameServer(i.url, q.URL) {
			paths = append(paths, i.url.EscapedPath())
		}
	}
	values, err := alike(q, paths, func(u *url.URL) (Values, error) {
		best := nearestIndex(pips, u)
		if best == nil || best.file {
			best = cmp.Or(nearestIndex(uvs, u), best)
		}
		if best == nil {
			return nil, nil
		}
		return basicLogin(best.username, best.password, cmp.Or(best.from, best.where))
	}, sameValues)
	if values != nil || err != nil {
		return values, err
	}
	text := noLogin(q.URL, append([]string{"pip's and uv's variables"}, found...), missing)
	for _, i := range append(pips, uvs...) {
		if sameServer(i.url, q.URL) && i.username != "" {
			text += fmt.Sprintf("; %s has a user name for %s and no password (a token that goes without one is written https://TOKEN:@HOST/)", i.where, q.URL.Host)
			break
		}
	}
	return nil, helpers.NotFoundf("%s", text)
}

// usable reports whether an index has a login.
func (i *index) usable() bool { return i.secured && (i.username != "" || i.password != "") }

// nearestIndex returns the index with a login, of u's origin, whose path has most segments in common with u's, the first of those; nil where there is none.
func nearestIndex(indexes []index, u *url.URL) *index {
	path := segments(u)
	var best *index
	most := -1
	for n := range indexes {
		i := &indexes[n]
		if !sameServer(i.url, u) || !i.usable() {
			continue
		}
		own := segments(i.url)
		if slices.Equal(own, path) {
			return i
		}
		if c := common(own, path); c > most {
			best, most = i, c
		}
	}
	return best
}

// pipOption is an option of pip's files.
type pipOption struct{ value, where string }

// pipIndexes returns pip's indexes, in its order: the index, and the extra ones. A malformed one is an error where it may be for u.
func (p pip) pipIndexes(options pipOptions, u *url.URL) ([]index, error) {
	var indexes []index
	for _, command := range []string{"install", "download"} {
		for _, name := range []string{"index-url", "extra-index-url"} {
			variable := "PIP_" + ascii.Upper(strings.ReplaceAll(name, "-", "_"))
			value, where, file := p.Env.Var(variable), "$"+variable, false
			for _, section := range []string{command, "global"} {
				if o := options[section+"."+name]; value == "" {
					value, where, file = o.value, o.where, true
				}
			}
			urls := strings.FieldsFunc(value, pySpace)
			if name == "index-url" && len(urls) > 1 {
				if mayBeFor(value, u) {
					return nil, indexError(where)
				}
				continue
			}
			for _, text := range urls {
				i := index{where: where, file: file}
				if err := i.parse(text, u); err != nil {
					return nil, err
				}
				if i.url != nil {
					indexes = append(indexes, i)
				}
			}
		}
	}
	return indexes, nil
}

// uvIndexes returns uv's indexes, in its order. A malformed one is an error where it may be for u.
func (p pip) uvIndexes(u *url.URL) ([]index, error) {
	var indexes []index
	for _, variable := range []string{"UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"} {
		for _, text := range strings.FieldsFunc(p.Env.Var(variable), pySpace) {
			i := index{where: "$" + variable}
			name, url, named := strings.Cut(text, "=")
			if named = named && !strings.Contains(name, ":"); named {
				text = url
			}
			if err := i.parse(text, u); err != nil {
				return nil, err
			}
			if i.url == nil {
				continue
			}
			if named {
				p.uvLogin(&i, name)
			}
			indexes = append(indexes, i)
		}
	}
	return indexes, nil
}

// uvLogin puts in the login that variables have for an index's name.
func (p pip) uvLogin(i *index, name string) {
	prefix := "UV_INDEX_" + strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		case 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
			return r
		}
		return '_'
	}, name)
	username, password := p.Env.Var(prefix+"_USERNAME"), p.Env.Var(prefix+"_PASSWORD")
	if username == "" && password == "" {
		return
	}
	i.where, i.from = "$"+prefix+"_USERNAME", "$"+prefix+"_PASSWORD"
	i.username, i.password, i.named, i.secured = username, password, true, password != ""
}

// parse sets the URL of an index. It stays nil for what is none that is fetched from a server, and for a malformed one that is not for u.
func (i *index) parse(text string, u *url.URL) error {
	l, web, ok := parseLoginURL(text)
	if web && !ok && mayBeFor(text, u) {
		return indexError(i.where)
	}
	i.loginURL = l
	return nil
}

func indexError(where string) error {
	return helpers.WithHint(fmt.Errorf("reading %s: the URL of an index does not parse", where),
		"in its user name and password write %%40 for @, %%2F for /, and so on")
}

// pipOptions are options of pip's files, as "SECTION.NAME".
type pipOptions map[string]pipOption

// files reads pip's files. found and missing are those that are there, and that are not.
func (p pip) files(ctx context.Context) (options pipOptions, found, missing []string, err error) {
	options = pipOptions{}
	own := p.Env.Var("PIP_CONFIG_FILE")
	if own == os.DevNull {
		return options, nil, nil, nil // that is how pip is told to have no files
	}
	if own != "" {
		own = p.absolute(own)
	}
	// Where its own file exists, the user's are not read. It comes last.
	ownOptions, shown, ownThere, err := p.file(ctx, own)
	if err != nil {
		return nil, nil, nil, err
	}
	paths := p.system
	if !ownThere {
		paths = append(append(paths[:len(paths):len(paths)], p.home(pipLegacy, pipFile)), p.userFiles()...)
	}
	if v := p.Env.Var("VIRTUAL_ENV"); filepath.IsAbs(v) {
		paths = append(paths[:len(paths):len(paths)], filepath.Join(v, pipFile))
	}
	for _, path := range paths {
		more, shown, there, err := p.file(ctx, path)
		switch {
		case err != nil:
			return nil, nil, nil, err
		case there:
			found = append(found, shown)
			maps.Copy(options, more)
		case shown != "":
			missing = append(missing, shown)
		}
	}
	if ownThere {
		found = append(found, shown)
	} else if own != "" {
		missing = append(missing, shown)
	}
	maps.Copy(options, ownOptions)
	return options, found, missing, nil
}

// file reads one file. path may be "".
func (p pip) file(ctx context.Context, path string) (options pipOptions, shown string, there bool, err error) {
	if path == "" {
		return nil, "", false, nil
	}
	data, shown, there, err := p.readNative(ctx, path)
	if err != nil || !there {
		return nil, shown, false, err
	}
	file, err := parsePython(shown, data)
	if err != nil {
		return nil, shown, false, err
	}
	options = pipOptions{}
	for _, section := range []string{"global", "install", "download"} {
		s := file.section(section)
		for _, name := range []string{"index-url", "index_url", "extra-index-url", "extra_index_url"} {
			if value, line := file.get(s, name); line > 0 {
				options[section+"."+strings.ReplaceAll(name, "_", "-")] = pipOption{value, fmt.Sprintf("%s:%d", shown, line)}
			}
		}
	}
	return options, shown, true, nil
}

// userFiles returns the user's files, the last of which stands.
func (p pip) userFiles() []string {
	switch runtime.GOOS {
	case "windows":
		if v := p.Env.Var("APPDATA"); v != "" {
			return []string{filepath.Join(v, "pip", pipFile)}
		}
		return []string{p.home("AppData", "Roaming", "pip", pipFile)}
	case "darwin":
		return []string{p.home(".config", "pip", pipFile), p.home("Library", "Application Support", "pip", pipFile)}
	}
	if v := p.Env.Var("XDG_CONFIG_HOME"); filepath.IsAbs(v) {
		return []string{filepath.Join(v, "pip", pipFile)}
	}
	return []string{p.home(".config", "pip", pipFile)}
}

// pipFile is the name of pip's files, and pipLegacy that of the directory in the user's home in which old versions had theirs.
var pipFile, pipLegacy = pipNames()

func pipNames() (file, legacy string) {
	if runtime.GOOS == "windows" {
		return "pip.ini", "pip"
	}
	return "pip.conf", ".pip"
}

// pipSystem returns the system's files, the last of which stands.
func pipSystem(get func(string) string) []string {
	switch runtime.GOOS {
	case "windows":
		if v := get("PROGRAMDATA"); v != "" {
			return []string{filepath.Join(v, "pip", pipFile)}
		}
		return nil
	case "darwin":
		return []string{"/Library/Application Support/pip/pip.conf"}
	}
	dirs := get("XDG_CONFIG_DIRS")
	if strings.TrimSpace(dirs) == "" {
		dirs = "/etc/xdg"
	}
	var paths []string
	for _, dir := range filepath.SplitList(dirs) {
		if filepath.IsAbs(dir) {
			paths = append(paths, filepath.Join(dir, "pip", pipFile))
		}
	}
	return append(paths, "/etc/"+pipFile)
}
