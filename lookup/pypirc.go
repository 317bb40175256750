package lookup

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/strictjson"
)

// decodePypirc reads {"source": "pypirc", "path": PATH}. PATH may be left out; it is subject to prefix expansion.
// With it, that file is read, and no other and no variable of twine's.
func decodePypirc(s *Sources, o *strictjson.Object) Source {
	p := pypirc{Sources: s}
	decodePath(o, &p.path, "twine's variables and ~/.pypirc")
	return p
}

// Pypirc returns the source that reads the logins that Python packages are uploaded with.
func (s *Sources) Pypirc() Source { return pypirc{Sources: s} }

// pypirc finds the login for the host of a repository, as twine has it (https://packaging.python.org/en/latest/specifications/pypirc/):
//
//   - $TWINE_USERNAME and $TWINE_PASSWORD, for the repository at $TWINE_REPOSITORY_URL, else for the section that $TWINE_REPOSITORY names, else for PyPI
//   - ~/.pypirc: the sections that "index-servers" of [distutils] names, else [pypi] and [testpypi]; these two have URLs that go without saying.
//     User info in the URL counts where the section has no username or password
//
// What is downloaded is mostly beside what is uploaded to: a repository counts for the whole of its scheme, host and port.
// Of several the one with the longest path that covers the URL's wins, else the first in the file. A login for PyPI goes to PyPI's upload hosts alone.
// PyPI's user name is "__token__" whatever the file says, unless $TWINE_USERNAME says another; so is the one that goes with a password that begins "pypi-"
// where there is none.
type pypirc struct {
	*Sources
	path string
}

func (pypirc) Name() string    { return "twine's logins" }
func (pypirc) HostBound() bool { return true }
func (pypirc) PathBound() bool { return true }

// The sections whose repositories are known.
const (
	pypiSection, pypiURL         = "pypi", "https://upload.pypi.org/legacy/"
	testpypiSection, testpypiURL = "testpypi", "https://test.pypi.org/legacy/"
)

// A repository is one that packages are uploaded to.
type repository struct {
	loginURL
	section string
	where   string // for errors
	from    string // where its password was read
}

func (p pypirc) Lookup(ctx context.Context, q Query) (Values, error) {
	if helpers.Wildcard(q.URL) {
		return nil, helpers.NotFoundf("twine's logins are for one host each, not for %s", q.URL.Host)
	}
	path := p.home(".pypirc")
	if p.path != "" {
		var err error
		if path, err = p.expandPath(p.path); err != nil {
			return nil, fmt.Errorf("reading twine's file %s: %w", p.path, err)
		}
	}
	var read, missing []string
	var ofFile []repository
	if path != "" {
		data, shown, found, err := p.readNative(ctx, path)
		if err != nil {
			return nil, err
		}
		if !found {
			missing = []string{shown}
		} else if ofFile, err = pypircRepositories(shown, data, q.URL); err != nil {
			return nil, err
		} else {
			read = []string{shown}
		}
	}
	var ofVariables []repository
	if p.path == "" {
		var err error
		if ofVariables, err = p.variables(ofFile, q.URL); err != nil {
			return nil, err
		}
		read = append([]string{"twine's variables"}, read...)
	}
	var paths []string
	for _, r := range slices.Concat(ofVariables, ofFile) {
		if sameServer(r.url, q.URL) {
			paths = append(paths, r.url.EscapedPath())
		}
	}
	return alike(q, paths, func(u *url.URL) (Values, error) {
		best, note := choose(ofVariables, u)
		if best == nil {
			var more string
			best, more = choose(ofFile, u)
			note += more
		}
		if best == nil {
			return nil, helpers.NotFoundf("%s%s", noLogin(u, read, missing), note)
		}
		return basicLogin(best.username, best.password, best.from)
	}, sameValues)
}

// choose returns the repository whose login is for u. note tells of one that is not enough.
func choose(all []repository, u *url.URL) (best *repository, note string) {
	longest := -1
	for n := range all {
		r := &all[n]
		switch {
		case !sameServer(r.url, u) || r.password == "":
			continue
		case r.username == "":
			note = fmt.Sprintf("; %s has a password for %s and no user name", r.where, u.Host)
			continue
		}
		length := 0
		if depth, ok := covers(r.url, u); ok {
			length = 1 + depth
		}
		if length > longest {
			best, longest = r, length
		}
	}
	return best, note
}

// isPyPI reports whether r is PyPI, or its twin for tests, which take tokens alone.
func (r *repository) isPyPI() bool {
	text := r.url.String()
	return strings.HasPrefix(text, pypiURL) || strings.HasPrefix(text, testpypiURL)
}

// variables returns the repository that twine's variables have a login for, if any.
func (p pypirc) variables(ofFile []repository, u *url.URL) ([]repository, error) {
	username, password := p.Env.Var("TWINE_USERNAME"), p.Env.Var("TWINE_PASSWORD")
	if text := p.Env.Var("TWINE_REPOSITORY_URL"); text != "" {
		r := repository{where: "$TWINE_REPOSITORY_URL", from: "$TWINE_REPOSITORY_URL"}
		return r.with(text, u, username, password)
	}
	if username == "" && password == "" {
		return nil, nil
	}
	section := p.Env.Var("TWINE_REPOSITORY")
	if section == "" {
		section = pypiSection
	}
	for _, r := range ofFile {
		if r.section == section {
			return r.with("", u, username, password)
		}
	}
	r := repository{where: "$TWINE_PASSWORD"}
	return r.with(defaultRepository(section), u, username, password)
}

// with returns r at the URL in text, if there is one, and with a login that comes before its own.
func (r repository) with(text string, u *url.URL, username, password string) ([]repository, error) {
	if text != "" {
		if err := r.parse(text, u); err != nil {
			return nil, err
		}
	}
	if r.url == nil {
		return nil, nil
	}
	if password != "" {
		r.password, r.from = password, "$TWINE_PASSWORD"
	}
	r.name(username)
	return []repository{r}, nil
}

// name puts a user name before that which r has, if it is not empty. PyPI knows one alone that goes without saying, whatever the file has.
func (r *repository) name(username string) {
	switch {
	case username != "":
		r.username = username
	case r.isPyPI(), r.username == "" && strings.HasPrefix(r.password, "pypi-"):
		r.username = "__token__"
	}
}

// parse sets the URL of a repository. It stays nil for what is none that is fetched from, and for a malformed one that is not for u.
func (r *repository) parse(text string, u *url.URL) error {
	l, web, ok := parseLoginURL(text)
	if web && !ok && mayBeFor(text, u) {
		return helpers.WithHint(fmt.Errorf("reading %s: the URL of a repository does not parse", r.where),
			"in its user name and password write %%40 for @, %%2F for /, and so on")
	}
	r.loginURL = l
	if l.url != nil && l.url.Scheme == "http" && (l.url.Host == "upload.pypi.org" || l.url.Host == "test.pypi.org") {
		r.url.Scheme = "https" // as twine does it
	}
	return nil
}

func defaultRepository(section string) string {
	switch section {
	case pypiSection:
		return pypiURL
	case testpypiSection:
		return testpypiURL
	}
	return ""
}

// pypircRepositories returns the repositories of a file, in its order. A malformed one is an error where it may be for u.
func pypircRepositories(shown string, data []byte, u *url.URL) ([]repository, error) {
	file, err := parsePython(shown, data)
	if err != nil {
		return nil, err
	}
	named := map[string]bool{pypiSection: true, testpypiSection: true}
	if text, line := file.get(file.section("distutils"), "index-servers"); line > 0 {
		named = map[string]bool{}
		for _, name := range strings.FieldsFunc(text, pySpace) {
			named[name] = true
		}
	}
	var all []repository
	for _, s := range file.sections {
		if !named[s.name] {
			continue
		}
		text, line := file.get(s, "repository")
		if line == 0 {
			text = defaultRepository(s.name)
		}
		r := repository{section: s.name, where: fmt.Sprintf("%s:%d", shown, line)}
		if line == 0 {
			r.where = shown
		}
		r.from = r.where
		if err := r.parse(text, u); err != nil {
			return nil, err
		}
		if r.url == nil {
			continue
		}
		if v, line := file.get(s, "username"); line > 0 {
			r.username = v
		}
		if v, line := file.get(s, "password"); line > 0 {
			r.password, r.from = v, fmt.Sprintf("%s:%d", shown, line)
		}
		r.name("")
		all = append(all, r)
	}
	return all, nil
}
