package registry

import (
	"net/url"
	"slices"
	"strings"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/ascii"
)

// ofKind leaves out, of the remedies of a preset whose chain asks many tools, those of tools that are for another kind of package than u's.
func ofKind(all []helpers.Remedy, u *url.URL) []helpers.Remedy {
	tools := map[string]string{"npm": "npm", "maven": "maven", "pip": "pypi", "nuget": "nuget"}
	several := 0
	for tool := range tools {
		if slices.ContainsFunc(all, func(r helpers.Remedy) bool { return r.Tool == tool }) {
			several++
		}
	}
	if several < 2 {
		return all
	}
	kind, _ := kindOf(u)
	// An unknown kind leaves what every client reads.
	return slices.DeleteFunc(all, func(r helpers.Remedy) bool { return tools[r.Tool] != "" && tools[r.Tool] != kind })
}

// A Guess is what a server's name and a path on it look like.
type Guess struct {
	// Preset is the preset to begin with.
	Preset string
	// Why names what gave it away: `"npm" in its host`.
	Why string
}

// A word that gives a preset away where it stands between dots, slashes, dashes and underscores.
type word struct{ text, preset string }

// hostEnds are domains of one kind of server each; they say more than any word.
var hostEnds = []word{
	{"jfrog.io", "artifactory"},
	{"pkgs.dev.azure.com", "nuget"},
	{"pkgs.visualstudio.com", "nuget"},
	{"gitlab.com", "gitlab"},
	{"gitea.com", "gitea"},
	{"codeberg.org", "gitea"},
	{"repo.nexus.com", "nexus"},
	{"stack.gallery", "stack-gallery"},
	{"juliahub.com", "julia"},
	{"fury.io", "rubygems"},
	{"packagist.com", "composer"},
}

// products are servers that have many kinds of packages; their name counts before a kind's.
var products = []word{
	{"gitlab", "gitlab"},
	{"gitea", "gitea"},
	{"forgejo", "gitea"},
	{"artifactory", "artifactory"},
	{"jfrog", "artifactory"},
	{"nexus", "nexus"},
	{"nexus3", "nexus"},
	{"stack-gallery", "stack-gallery"},
}

// pathStarts are paths that one product has.
var pathStarts = []word{
	{"/artifactory/", "artifactory"},
	{"/api/v4/", "gitlab"},
	{"/api/packages/", "gitea"},
	{"/repository/", "nexus"},
	{"/service/rest/", "nexus"},
}

// hostWords and pathWords are names of kinds of packages.
var (
	hostWords = []word{
		{"npm", "npm"},
		{"npmjs", "npm"},
		{"verdaccio", "npm"},
		{"pypi", "pypi"},
		{"devpi", "pypi"},
		{"python", "pypi"},
		{"maven", "maven"},
		{"maven2", "maven"},
		{"mvn", "maven"},
		{"cargo", "cargo"},
		{"crates", "cargo"},
		{"rust", "cargo"},
		{"composer", "composer"},
		{"packagist", "composer"},
		{"satis", "composer"},
		{"gems", "rubygems"},
		{"gem", "rubygems"},
		{"rubygems", "rubygems"},
		{"julia", "julia"},
		{"moonbit", "moonbit"},
		{"mooncakes", "moonbit"},
		{"pesde", "pesde"},
		{"nuget", "nuget"},
	}
	pathWords = append([]word{
		{"-", "npm"}, // /-/NAME.tgz
		{"simple", "pypi"},
		{"packages.json", "composer"},
		{"flat2", "nuget"},
		{"flatcontainer", "nuget"},
	}, hostWords...)
	// pathEnds are the ends of files of one kind.
	pathEnds = []word{
		{".whl", "pypi"},
		{".pom", "maven"},
		{".jar", "maven"},
		{"/maven-metadata.xml", "maven"},
		{".crate", "cargo"},
		{".gem", "rubygems"},
		{".nupkg", "nuget"},
	}
)

// GuessPreset guesses the preset for u's server from its name and the path. ok is false where nothing gives it away.
func GuessPreset(u *url.URL) (g Guess, ok bool) {
	host, path := u.Hostname(), ascii.Lower(u.Path)
	found := func(preset, why string) (Guess, bool) { return Guess{preset, why}, preset != "" }
	for _, w := range hostEnds {
		if host == w.text || strings.HasSuffix(host, "."+w.text) {
			// Azure's feeds have several kinds of packages, and the path says which.
			if kind, why := kindOf(u); w.preset == "nuget" && kind != "" {
				return found(kind, why)
			}
			return found(w.preset, "the host is one of "+w.text)
		}
	}
	for _, w := range products {
		if hasWord(host, w.text) {
			return found(w.preset, `"`+w.text+`" in its host`)
		}
	}
	for _, w := range pathStarts {
		if strings.HasPrefix(path, w.text) {
			return found(w.preset, "a path that begins with "+w.text)
		}
	}
	for _, w := range hostWords {
		if hasWord(host, w.text) {
			return found(w.preset, `"`+w.text+`" in its host`)
		}
	}
	return found(kindOf(u))
}

// kindOf guesses the kind of package from the path alone, and says why; both are "" where nothing gives it away.
func kindOf(u *url.URL) (preset, why string) {
	path := ascii.Lower(u.Path)
	for _, w := range pathWords {
		if hasWord(path, w.text) {
			return w.preset, `"` + w.text + `" in its path`
		}
	}
	for _, w := range pathEnds {
		if strings.HasSuffix(path, w.text) {
			return w.preset, "a path that ends with " + w.text
		}
	}
	return "", ""
}

// hasWord reports whether a word stands in text: a path's word is a whole segment, a host's is a part between dots or dashes.
func hasWord(text, w string) bool {
	if strings.HasPrefix(text, "/") {
		return slices.Contains(strings.Split(text, "/"), w)
	}
	return slices.ContainsFunc(strings.Split(text, "."), func(label string) bool {
		return label == w || strings.HasPrefix(label, w+"-") || strings.HasSuffix(label, "-"+w) || strings.Contains(label, "-"+w+"-")
	})
}
