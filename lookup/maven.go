package lookup

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/strictjson"
)

// decodeMaven reads {"source": "maven", "server": ID, "path": PATH}. Both may be left out.
//
// ID is that of a <server> in settings.xml; without it, the server is the one whose id a mirror or a repository in settings.xml has that covers the URL.
// PATH is subject to prefix expansion; without it the files are ~/.m2/settings.xml and, below $MAVEN_HOME or $M2_HOME, conf/settings.xml.
func decodeMaven(s *Sources, o *strictjson.Object) Source {
	m := maven{Sources: s}
	o.String("server", &m.server)
	o.String("path", &m.path)
	for _, key := range []string{"server", "path"} {
		if o.Has(key) && map[string]string{"server": m.server, "path": m.path}[key] == "" {
			o.Failf(key, `%q is empty; leave it out`, key)
		}
	}
	return m
}

// Maven returns the source that reads Maven's settings.xml. server is the id of a <server>, or empty.
func (s *Sources) Maven(server string) Source { return maven{Sources: s, server: server} }

// maven reads logins from Maven's settings (https://maven.apache.org/settings.html): the user's ~/.m2/settings.xml, and that of the installation,
// conf/settings.xml in $MAVEN_HOME or $M2_HOME. Of two servers with one id the user's stands, and in one file the first, as Maven 3 has it.
//
// A server has a user name and a password, or headers in <configuration><httpHeaders>, or both. ${env.NAME} and ${user.home} are expanded;
// a password in braces is decrypted (see [mavenSecurity]). Maven binds servers to hosts by id: what names a URL for an id is a <mirror>,
// and a <repository> or <pluginRepository> of a profile. A project's pom.xml does so too, and is not read:
// who writes it would choose the host that gets another server's password.
type maven struct {
	*Sources
	server, path string
}

func (m maven) Name() string {
	if m.server != "" {
		return fmt.Sprintf("Maven's server %q", m.server)
	}
	return "Maven's settings"
}

// HostBound implements [Source]: a file of the project may name any host for a variable of the user's.
func (m maven) HostBound() bool {
	anywhere := *m.Env
	anywhere.UserOnly = true
	_, err := anywhere.Expand(m.path)
	return m.server == "" && (m.path == "" || m.Env.UserOnly || !errors.Is(err, env.ErrHere))
}

func (m maven) PathBound() bool { return m.server == "" }

func (m maven) Lookup(ctx context.Context, q Query) (Values, error) {
	files, looked, err := m.files(ctx)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		q.everywhere()
		return nil, notThere(looked, "there is no settings.xml of Maven's: there is no home directory")
	}
	var ids []string
	for _, f := range files {
		for _, server := range f.root.all("servers", "server") {
			ids = append(ids, server.value("id"))
		}
	}
	id := m.server
	if id == "" {
		sites := m.sites(files, q.URL, ids)
		paths := make([]string, len(sites))
		for i, s := range sites {
			paths[i] = s.at.EscapedPath()
		}
		id, err = alike(q, paths, func(u *url.URL) (string, error) {
			if id := serverFor(sites, u); id != "" {
				return id, nil
			}
			return "", helpers.NotFoundf(`%s names no URL with a server for %s; name the server: "server": ID%s`, mavenNames(files), u.Host, known(ids))
		}, func(a, b string) bool { return a == b })
		if err != nil {
			return nil, err
		}
	}
	for _, f := range files {
		for _, server := range f.root.all("servers", "server") {
			if server.value("id") == id {
				return m.login(ctx, f, server, id)
			}
		}
	}
	return nil, helpers.NotFoundf("%s has no server %q%s", mavenNames(files), id, known(ids))
}

// A mavenFile is a settings.xml.
type mavenFile struct {
	shown string
	root  *element
}

// mavenNames names files for an error.
func mavenNames(files []mavenFile) string {
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = f.shown
	}
	return strings.Join(names, " and ")
}

// known lists ids for an error.
func known(ids []string) string {
	ids = slices.DeleteFunc(slices.Compact(slices.Sorted(slices.Values(ids))), func(id string) bool { return id == "" })
	if len(ids) == 0 {
		return "; it has none"
	}
	return "; it has " + redact.Line(strings.Join(ids, ", "), 200)
}

// files returns the settings that exist, the user's first.
func (m maven) files(ctx context.Context) (files []mavenFile, looked []string, err error) {
	var paths []string
	if m.path != "" {
		path, err := m.expandPath(m.path)
		if err != nil {
			return nil, nil, fmt.Errorf("reading Maven's settings %s: %w", m.path, err)
		}
		paths = append(paths, path)
	} else {
		if path := m.home(".m2", "settings.xml"); path != "" {
			paths = append(paths, path)
		}
		for _, name := range []string{"MAVEN_HOME", "M2_HOME"} {
			if dir := m.Env.Var(name); dir != "" {
				paths = append(paths, filepath.Join(m.absolute(dir), "conf", "settings.xml"))
				break
			}
		}
	}
	for _, path := range paths {
		data, shown, found, err := m.readNative(ctx, path)
		if err != nil {
			return nil, nil, fmt.Errorf("reading Maven's settings: %w", err)
		}
		looked = append(looked, shown)
		if !found {
			continue
		}
		root, err := parseXML(shown, data, "settings")
		if err != nil {
			return nil, nil, fmt.Errorf("reading Maven's settings: %w", err)
		}
		files = append(files, mavenFile{shown, root})
	}
	return files, looked, nil
}

// A mavenSite is where settings say that a server is.
type mavenSite struct {
	id string
	at *url.URL
}

// sites returns the sites at u's server that have a <server>.
func (m maven) sites(files []mavenFile, u *url.URL, servers []string) (sites []mavenSite) {
	for _, f := range files {
		elements := f.root.all("mirrors", "mirror")
		for _, kind := range [][]string{{"repositories", "repository"}, {"pluginRepositories", "pluginRepository"}} {
			elements = append(elements, f.root.all(append([]string{"profiles", "profile"}, kind...)...)...)
		}
		for _, e := range elements {
			// A URL with a variable that nobody defines names no host.
			raw, err := m.interpolate(f.shown, e, e.value("url"))
			if err != nil {
				continue
			}
			at, _, ok := parseServer(raw)
			id := e.value("id")
			if ok && sameServer(at, u) && id != "" && slices.Contains(servers, id) {
				sites = append(sites, mavenSite{id, at})
			}
		}
	}
	return sites
}

// serverFor returns the id of the site that covers u: the deepest that does, of two as deep the first; else the only id there is. It is "" where none is meant.
func serverFor(sites []mavenSite, u *url.URL) (id string) {
	if helpers.Wildcard(u) || len(sites) == 0 {
		return ""
	}
	deepest := -1
	for _, s := range sites {
		if depth, ok := covers(s.at, u); ok && depth > deepest {
			id, deepest = s.id, depth
		}
	}
	if deepest < 0 && !slices.ContainsFunc(sites, func(s mavenSite) bool { return s.id != sites[0].id }) {
		return sites[0].id
	}
	return id
}

// login returns what a server has.
func (m maven) login(ctx context.Context, file mavenFile, server *element, id string) (Values, error) {
	values := Values{}
	read := func(e *element, text string) (string, error) {
		text, err := m.interpolate(file.shown, e, text)
		if err != nil {
			return "", fmt.Errorf("reading the server %q of Maven's settings: %w", id, err)
		}
		return text, nil
	}
	var headers []*element
	for _, e := range server.all("configuration", "httpHeaders") {
		headers = append(headers, e.children...)
	}
	for _, e := range headers {
		// A header is a <property> with <name> and <value>, or an element of its name.
		name, value := e.name, e.value()
		if e.name == "property" {
			name, value = e.value("name"), e.value("value")
		}
		name, err := read(e, name)
		if err != nil {
			return nil, err
		}
		if value, err = read(e, value); err != nil {
			return nil, err
		}
		if err := checkHeaderName(name); err != nil {
			return nil, fmt.Errorf("reading the server %q of Maven's settings: %s:%d: %w", id, file.shown, e.line, err)
		}
		if value == "" {
			continue
		}
		values[Header(name)] = redact.Hold(value)
		if values[Default].IsZero() {
			values[Default] = redact.Hold(value)
		}
	}
	username, err := read(server, server.value("username"))
	if err != nil {
		return nil, err
	}
	password, err := read(server, server.value("password"))
	if err != nil {
		return nil, err
	}
	if inner, encrypted := mavenEncrypted(password); encrypted {
		if password, err = m.decrypt(ctx, inner); err != nil {
			return nil, helpers.WithHint(fmt.Errorf("decrypting the password of the server %q in %s:%d: %w", id, file.shown, server.line, err),
				"mvn --encrypt-password makes it anew; or write ${env.NAME} in its place")
		}
	}
	if password != "" {
		values[Username], values[Password], values[Default] = redact.Hold(username), redact.Hold(password), redact.Hold(password)
	}
	if len(values) == 0 {
		return nil, helpers.NotFoundf("the server %q in %s has no password and no headers", id, file.shown)
	}
	return values.at(fmt.Sprintf("%s:%d", file.shown, server.line)), nil
}

// interpolate replaces ${env.NAME} and ${user.home} in what stands at e. Maven leaves others as they are, and sends them so.
func (m maven) interpolate(shown string, e *element, text string) (string, error) {
	var b expansion
	for {
		before, rest, found := strings.Cut(text, "${")
		b.WriteString(before)
		if b.over {
			return "", errTooLong(fmt.Sprintf("%s:%d", shown, e.line))
		}
		if !found {
			return b.String(), nil
		}
		name, rest, closed := strings.Cut(rest, "}")
		if !closed {
			b.WriteString("${" + name)
			return b.String(), nil
		}
		text = rest
		variable, isEnv := strings.CutPrefix(name, "env.")
		switch {
		case !isName(name):
			return "", fmt.Errorf("%s:%d: ${…} there is no name of a variable", shown, e.line)
		case isEnv:
			value, ok := m.Env.Get(variable)
			if !ok {
				return "", helpers.WithHint(fmt.Errorf("%s:%d: ${%s} stands for $%s, which is not set", shown, e.line, name, variable), "set the environment variable %s", variable)
			}
			b.variable(value)
		case name == "user.home":
			b.variable(m.Env.Home)
		default:
			// It is not quoted: it may be a part of a password that was never meant to be expanded.
			return "", helpers.WithHint(fmt.Errorf("%s:%d: the ${…} there is a property that only Maven knows", shown, e.line), "write ${env.NAME}")
		}
	}
}

// isName reports whether text is made as names of variables are, so that an error may quote it.
func isName(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '.', c == '-':
		default:
			return false
		}
	}
	return text != "" && len(text) <= 128
}
