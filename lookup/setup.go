package lookup

import (
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/ascii"
	"github.com/fe055d52/credential-helper/internal/shell"
)

// What a user does so that a source finds a login. Every source has its own: see [helpers.Guided].

// Setup returns the remedies of all sources, in the chain's order, each once.
func (c Chain) Setup(u *url.URL) []helpers.Remedy {
	var all []helpers.Remedy
	seen := map[string]bool{}
	for _, e := range c {
		guided, ok := e.Source.(helpers.Guided)
		if !ok {
			continue
		}
		// A user name and a password from two places make one login.
		half := e.Binding == Password && seen[Username] || e.Binding == Username && seen[Password]
		seen[e.Binding] = true
		for _, r := range guided.Setup(u) {
			if r.Source == "" {
				r.Source = e.Source.Name()
			}
			r.And = r.And || half && len(all) > 0
			if e.Binding == Username {
				r.Do = strings.Replace(r.Do, "the secret", "the user name", 1)
			}
			if !slices.ContainsFunc(all, func(other helpers.Remedy) bool { return slices.Equal(other.Lines, r.Lines) }) {
				all = append(all, r)
			}
		}
	}
	return all
}

func remedy(tool, do string, lines ...string) []helpers.Remedy {
	return []helpers.Remedy{{Do: do, Tool: tool, Lines: lines}}
}

// and returns a remedy of two parts.
func and(first, second []helpers.Remedy) []helpers.Remedy {
	second[0].And = true
	return append(first, second...)
}

func inFile(tool, file, do string, lines ...string) []helpers.Remedy {
	return []helpers.Remedy{{Do: do, File: file, Tool: tool, Lines: lines}}
}

// setVariable is what a shell does to set a variable without its value in the shell's history. name is a variable's for certain.
func setVariable(name string) string { return fmt.Sprintf("read -rs %s && export %s", name, name) }

// environment is where a variable is put whose name no shell takes. Such a name comes from a file that others may have written, and is in no line for a shell,
// not in quotes either: read and export run the command in "a[$(command)]".
const environment = "the environment of the build"

// Setup implements [helpers.Guided].
func (v variable) Setup(*url.URL) []helpers.Remedy {
	if !isVariableName(v.name) {
		return inFile("variable", environment, "put the secret there", v.name+"=TOKEN")
	}
	return remedy("variable", "put the secret into $"+v.name+": type or paste it, and press Enter", setVariable(v.name))
}

// Setup implements [helpers.Guided]. What a CI system sets for its jobs, nobody else does.
func (v hostVariable) Setup(u *url.URL) []helpers.Remedy {
	if strings.HasPrefix(v.name, "CI_") {
		return nil
	}
	server := v.host + "=" + helpers.Origin(u)
	if !isVariableName(v.name) || !isVariableName(v.host) {
		return inFile("variable", environment, "put the secret, and its server, there", server, v.name+"=TOKEN")
	}
	return remedy("variable", fmt.Sprintf("put the secret into $%s, and its server into $%s", v.name, v.host), "export "+server, setVariable(v.name))
}

// Setup implements [helpers.Guided].
func (t template) Setup(*url.URL) []helpers.Remedy {
	var names []string
	_, _ = t.expand(func(name string) (string, error) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		return "", nil
	})
	var all []helpers.Remedy
	for _, name := range names {
		all = append(all, remedy("variable", "put the secret into $"+name+", which the rule names: type or paste it, and press Enter", setVariable(name))...)
	}
	return all
}

// Setup implements [helpers.Guided].
func (f file) Setup(*url.URL) []helpers.Remedy {
	path := f.path
	if expanded, err := f.Env.Expand(path); err == nil {
		path = f.Env.Display(expanded)
	}
	return remedy("file", "write the secret into "+path+": type or paste it, press Enter and then Ctrl-D",
		fmt.Sprintf("(umask 077 && mkdir -p %s && cat > %s)", shell.QuotePath(filepath.Dir(path)), shell.QuotePath(path)))
}

// Setup implements [helpers.Guided]. The arguments are not repeated: there are people who write secrets there.
func (c command) Setup(*url.URL) []helpers.Remedy {
	return remedy("command", "see why the program that the rule names prints no secret", "command -v "+Quote(c.argv[0]))
}

// Setup implements [helpers.Guided].
func (k keyringEntry) Setup(*url.URL) []helpers.Remedy {
	account := ""
	if k.account != "" {
		account = "--account " + Quote(k.account) + " "
	}
	return remedy("keyring", "put the secret into the keyring", "credential-helper setup-keyring "+account+Quote(k.service))
}

// Setup implements [helpers.Guided]: the value is there.
func (static) Setup(*url.URL) []helpers.Remedy { return nil }

// Setup implements [helpers.Guided].
func (google) Setup(*url.URL) []helpers.Remedy {
	return inFile("google", "the rule's lookup_chain", `ask the Google Cloud CLI: the source "google" is not supported yet`,
		`{"source": "command", "command": ["gcloud", "auth", "print-access-token"]}`)
}

// Setup implements [helpers.Guided].
func (b bundler) Setup(u *url.URL) []helpers.Remedy {
	name := u.Hostname()
	if u.Port() != "" {
		name = helpers.Origin(u) + "/"
	}
	return remedy("bundler", "give Bundler the login", fmt.Sprintf("bundle config set --global %s USER:TOKEN", name))
}

// Setup implements [helpers.Guided].
func (c cargo) Setup(u *url.URL) []helpers.Remedy {
	if origin := helpers.Origin(u); origin == "https://crates.io" || origin == "https://index.crates.io" {
		return remedy("cargo", "log in with cargo", "cargo login")
	}
	name := c.registry
	if name == "" {
		name = nickname(u)
	}
	if !isRegistryName(name) {
		name = "NAME"
	}
	file := "~/.cargo/config.toml"
	if dir := c.cargoHome(); dir != "" {
		file = c.Env.Display(filepath.Join(dir, "config.toml"))
	}
	return and(
		inFile("cargo", file, "tell cargo of the registry, unless it knows it by another name", "[registries."+name+"]", fmt.Sprintf(`index = "sparse+%s"`, base(u, "cargo"))),
		remedy("cargo", "log in with cargo", "cargo login --registry "+name),
	)
}

// Setup implements [helpers.Guided].
func (c composer) Setup(u *url.URL) []helpers.Remedy {
	return append(
		remedy("composer", "give Composer the login", fmt.Sprintf("composer config --global --auth http-basic.%s USER TOKEN", u.Host)),
		remedy("composer", "give it a token alone", fmt.Sprintf("composer config --global --auth bearer.%s TOKEN", u.Host))...,
	)
}

// Setup implements [helpers.Guided].
func (d docker) Setup(u *url.URL) []helpers.Remedy {
	registry := " " + u.Host
	if RegistryName(u.Host) == DockerHub {
		registry = ""
	}
	hub := registry
	if hub == "" {
		hub = " docker.io"
	}
	return append(
		remedy("docker", "log in with docker", "docker login"+registry),
		remedy("docker", "log in without docker", "skopeo login"+hub)...,
	)
}

// Setup implements [helpers.Guided].
func (g git) Setup(u *url.URL) []helpers.Remedy {
	return remedy("git", "have git ask for the login, which its credential helper then keeps", "git ls-remote "+Quote(helpers.Origin(u)+u.EscapedPath()))
}

// Setup implements [helpers.Guided].
func (g gitHub) Setup(*url.URL) []helpers.Remedy { return githubLogin(g.host) }

// Setup implements [helpers.Guided].
func (g githubCLI) Setup(*url.URL) []helpers.Remedy { return githubLogin(g.host) }

func githubLogin(host string) []helpers.Remedy {
	login := remedy("gh", "log in with the GitHub CLI", "gh auth login --hostname "+Quote(host))
	login[0].Source = githubCLI{host: host}.Name()
	return login
}

// Setup implements [helpers.Guided].
func (j julia) Setup(u *url.URL) []helpers.Remedy {
	file := "~/.julia/servers/" + u.Host + "/auth.toml"
	if paths, err := j.paths(u); err == nil && len(paths) > 0 {
		file = j.Env.Display(paths[0])
	}
	return append(
		remedy("julia", "log in with Julia, where the server has a package that does it (JuliaHub's, PkgAuthentication)",
			fmt.Sprintf(`JULIA_PKG_SERVER=%s julia -e 'import PkgAuthentication; PkgAuthentication.authenticate()'`, helpers.Origin(u))),
		inFile("julia", file, "put the auth.toml there that the server gives you for download, or a token", `access_token = "TOKEN"`)...,
	)
}

// Setup implements [helpers.Guided].
func (m maven) Setup(u *url.URL) []helpers.Remedy {
	file := "~/.m2/settings.xml"
	if m.path != "" {
		file = m.path
	}
	id := m.server
	if id == "" {
		id = nickname(u)
	}
	lines := []string{fmt.Sprintf("<servers><server><id>%s</id><username>USER</username><password>TOKEN</password></server></servers>", xmlText(id))}
	if m.server == "" {
		lines = append(lines, fmt.Sprintf("<mirrors><mirror><id>%s</id><url>%s</url><mirrorOf>%s</mirrorOf></mirror></mirrors>", xmlText(id), xmlText(base(u, "maven")), xmlText(id)))
	}
	return inFile("maven", file, "give Maven the login, within <settings>", lines...)
}

// Setup implements [helpers.Guided].
func (m moonbit) Setup(u *url.URL) []helpers.Remedy {
	file := moonbitFile
	if m.path != "" {
		file = m.path
	}
	return and(
		inFile("moonbit", file, "give moonbit-registry the login",
			"[[sources]]", fmt.Sprintf("url = %q", base(u, "moonbit")), "[sources.auth]", `type = "bearer"`, `token = "${MOONBIT_TOKEN}"`),
		remedy("moonbit", "put the secret into $MOONBIT_TOKEN: type or paste it, and press Enter", setVariable("MOONBIT_TOKEN")),
	)
}

// Setup implements [helpers.Guided].
func (n netrcFile) Setup(u *url.URL) []helpers.Remedy {
	file := "~/.netrc"
	if paths, err := n.paths(); err == nil {
		file = n.Env.Display(paths[0])
	}
	name := u.Hostname()
	if u.Port() != "" {
		name = u.Host
	}
	return inFile("netrc", file, "put the login into your netrc, which only you may read (chmod 600)", fmt.Sprintf("machine %s login USER password TOKEN", name))
}

// Setup implements [helpers.Guided].
func (n npmrc) Setup(u *url.URL) []helpers.Remedy {
	at := base(u, "npm")
	_, server, _ := strings.Cut(at, ":")
	file := "~/.npmrc"
	if n.path != "" {
		file = n.path
	}
	token := and(
		inFile("npm", file, "have npm take a token from $NPM_TOKEN", server+":_authToken=${NPM_TOKEN}"),
		remedy("npm", "put the token into it: type or paste it, and press Enter", setVariable("NPM_TOKEN")),
	)
	if n.path != "" {
		return token
	}
	return append(remedy("npm", "log in with npm", "npm login --registry="+Quote(at)), token...)
}

// Setup implements [helpers.Guided].
func (n nuget) Setup(u *url.URL) []helpers.Remedy {
	return remedy("nuget", "give NuGet the login", fmt.Sprintf("dotnet nuget add source %s --name %s --username USER --password TOKEN --store-password-in-clear-text",
		Quote(base(u, "nuget")), Quote(nickname(u))))
}

// Setup implements [helpers.Guided].
func (p pesde) Setup(u *url.URL) []helpers.Remedy {
	index := helpers.Origin(u) + "/INDEX"
	if p.index != "" {
		index = shownSite(p.index)
	}
	return remedy("pesde", "log in with pesde", "pesde auth --index "+Quote(index)+" login")
}

// Setup implements [helpers.Guided].
func (p pip) Setup(u *url.URL) []helpers.Remedy {
	at := strings.Replace(base(u, "pypi"), "://", "://USER:TOKEN@", 1)
	return append(
		remedy("pip", "give pip the login", "pip config set global.index-url "+Quote(at)),
		remedy("pip", "have pip take it from a variable", "export PIP_INDEX_URL="+Quote(at))...,
	)
}

// Setup implements [helpers.Guided].
func (p pypirc) Setup(u *url.URL) []helpers.Remedy {
	file, name := "~/.pypirc", nickname(u)
	if p.path != "" {
		file = p.path
	}
	return inFile("pypirc", file, "give twine the login", "[distutils]", "index-servers = "+name, "["+name+"]", "repository = "+helpers.Origin(u)+"/", "username = __token__", "password = TOKEN")
}

// roots are the paths below which servers have their registries, one a kind of server.
var roots = regexp.MustCompile(`^(?:/artifactory/(?:api/[a-z]+/)?[^/]+/|/repository/[^/]+/|/api/v4/(?:(?:projects|groups)/[^/]+/)?(?:-/)?packages/[a-z]+/|/api/packages/[^/]+/[a-z]+/` +
	`|/(?:[^/]+/){1,2}_packaging/[^/]+/[a-z]+/(?:v[0-9]+/|registry/)?)`)

// ways are the first segments of a path that name a registry's protocol; the registry begins behind it.
var ways = map[string]bool{"npm": true, "maven": true, "maven2": true, "nuget": true, "composer": true, "cargo": true, "pypi": true, "rubygems": true, "index": true}

// base guesses the URL of the registry that u is a part of, as a tool is told it.
func base(u *url.URL, tool string) string {
	path := u.EscapedPath()
	root := roots.FindString(path)
	if root == "" {
		root = "/"
		if first, _, more := strings.Cut(strings.TrimPrefix(path, "/"), "/"); more && ways[ascii.Lower(first)] {
			root = "/" + first + "/"
		}
	}
	if tool == "pypi" && !strings.HasSuffix(root, "/simple/") {
		root += "simple/"
	}
	if tool == "nuget" && strings.HasSuffix(root, "/v3/") {
		root += "index.json"
	}
	return helpers.Origin(u) + root
}

// nickname makes a short name for u's server: "example" of "npm.example.com". It is fit for a key of TOML and XML.
func nickname(u *url.URL) string {
	labels := strings.Split(u.Hostname(), ".")
	name := labels[0]
	if len(labels) > 1 {
		name = labels[len(labels)-2]
	}
	if strings.Trim(name, "0123456789") == "" || strings.ContainsAny(name, "[]:*") {
		return "private"
	}
	return name
}

func xmlText(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}

// Quote writes a word for a shell.
func Quote(word string) string { return shell.Quote(word) }
