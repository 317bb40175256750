package lookup

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/ascii"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/strictjson"
)

// decodeNuget reads {"source": "nuget", "path": PATH}. PATH may be left out.
//
// PATH is subject to prefix expansion, and that file alone is read; without it the files are NuGet's own.
func decodeNuget(s *Sources, o *strictjson.Object) Source {
	n := nuget{Sources: s}
	decodePath(o, &n.path, "NuGet's own files")
	return n
}

// Nuget returns the source that reads what NuGet knows of feeds: nuget.config, and its variables.
func (s *Sources) Nuget() Source { return nuget{Sources: s} }

// nuget reads logins for feeds as NuGet does (https://learn.microsoft.com/nuget/reference/nuget-config-file):
//
//   - $ARTIFACTS_CREDENTIALPROVIDER_EXTERNAL_FEED_ENDPOINTS, else $VSS_NUGET_EXTERNAL_FEED_ENDPOINTS: JSON with logins by URL
//     (https://github.com/microsoft/artifacts-credprovider#environment-variables)
//   - for each of the <packageSources> of all files, $NuGetPackageSourceCredentials_NAME, else its <packageSourceCredentials>. The files are
//     nuget.config, NuGet.config or NuGet.Config in the working directory and those above, the nearest first, and the user's.
//     <clear /> drops what files further away say.
//
// Packages may lie beside a feed's index. So a feed is the closest one whose path, without "index.json", covers the URL's;
// else the one on the server where all have one login; else the one whose path has the most segments at its beginning in common with the URL's.
//
// A login in the user's file goes to a server that the user's files name for it, and to no other that a file of the project gives its name to.
type nuget struct {
	*Sources
	path string
}

func (nuget) Name() string    { return "NuGet's configuration" }
func (nuget) PathBound() bool { return true }

// HostBound implements [Source]: a file of the project may name any host for a variable of the user's.
func (n nuget) HostBound() bool { return n.Env.UserOnly }

// A feed is a URL with a login.
type feed struct {
	url                *url.URL
	username, password string
	from               string // the place of the login
}

func (n nuget) Lookup(ctx context.Context, q Query) (Values, error) {
	var feeds []feed
	if n.path == "" {
		var err error
		if feeds, err = n.endpoints(); err != nil {
			return nil, err
		}
	}
	files, looked, err := n.files(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading NuGet's configuration: %w", err)
	}
	if helpers.Wildcard(q.URL) {
		return nil, helpers.NotFoundf("NuGet's logins are for one server each, not for %s", q.URL.Host)
	}
	more, notes, err := n.feeds(files, q.URL)
	if err != nil {
		return nil, fmt.Errorf("reading NuGet's configuration: %w", err)
	}
	feeds = slices.DeleteFunc(append(feeds, more...), func(f feed) bool { return !sameServer(f.url, q.URL) || f.password == "" })
	paths := make([]string, len(feeds))
	for i, f := range feeds {
		paths[i] = f.url.EscapedPath()
	}
	best, err := alike(q, paths, func(u *url.URL) (*feed, error) { return closestFeed(feeds, u) }, func(a, b *feed) bool {
		return a == b || a != nil && b != nil && a.username == b.username && a.password == b.password
	})
	switch {
	case err != nil:
		return nil, err
	case best != nil:
		return Values{Username: redact.Hold(best.username), Password: redact.Hold(best.password), Default: redact.Hold(best.password)}.at(best.from), nil
	case len(notes) > 0:
		return nil, helpers.NotFoundf("%s", strings.Join(notes, "; "))
	case len(files) == 0 && n.path != "":
		return nil, notThere(looked, "")
	case len(files) == 0 && len(feeds) == 0:
		if len(looked) == 0 {
			looked = []string{"a home directory"}
		}
		return nil, helpers.NotFoundf("there is no login of NuGet's: no nuget.config in the working directory or above it, nor %s", strings.Join(looked, ", nor "))
	}
	return nil, helpers.NotFoundf("NuGet's configuration has no login for %s", q.URL.Host)
}

// closestFeed returns the feed, of those on u's server, whose login is for u; nil where there is none.
func closestFeed(feeds []feed, u *url.URL) (*feed, error) {
	if len(feeds) == 0 {
		return nil, nil
	}
	path := segments(u)
	var best *feed
	deepest, same := -1, true
	for i, f := range feeds {
		base := f.base()
		if n := common(base, path); n == len(base) && n > deepest {
			best, deepest = &feeds[i], n
		}
		same = same && f.username == feeds[0].username && f.password == feeds[0].password
	}
	if best != nil {
		return best, nil
	}
	if same {
		return &feeds[0], nil
	}
	tied := false
	for i, f := range feeds {
		switch n := common(f.base(), path); {
		case n > deepest:
			best, deepest, tied = &feeds[i], n, false
		case n == deepest:
			tied = tied || f.username != best.username || f.password != best.password
		}
	}
	if tied {
		return nil, helpers.NotFoundf("NuGet's configuration has several logins for %s, and the path does not tell which is meant", u.Host)
	}
	return best, nil
}

// base returns the segments of the path below which the feed's files are sought.
func (f feed) base() []string {
	base := segments(f.url)
	if len(base) > 0 && ascii.EqualFold(base[len(base)-1], "index.json") {
		base = base[:len(base)-1]
	}
	return base
}

// endpoints returns the feeds of the credential provider's variable.
func (n nuget) endpoints() ([]feed, error) {
	for _, name := range []string{"ARTIFACTS_CREDENTIALPROVIDER_EXTERNAL_FEED_ENDPOINTS", "VSS_NUGET_EXTERNAL_FEED_ENDPOINTS"} {
		text := n.Env.Var(name)
		if strings.TrimSpace(text) == "" {
			continue
		}
		var list struct {
			EndpointCredentials []struct {
				Endpoint, Password string
				Username           *string
			}
		}
		shown := "$" + name
		if err := strictjson.Decode(shown, []byte(text), (*strictjson.Object).AllowUnknown); err != nil {
			return nil, fmt.Errorf("reading NuGet's feeds: %w", err)
		}
		if err := json.Unmarshal([]byte(text), &list); err != nil {
			return nil, helpers.WithHint(fmt.Errorf("reading NuGet's feeds in %s: a value is of the wrong type", shown),
				`it is {"endpointCredentials": [{"endpoint": URL, "username": NAME, "password": TOKEN}]}`)
		}
		var feeds []feed
		for _, e := range list.EndpointCredentials {
			server, _, ok := parseServer(e.Endpoint)
			if !ok {
				continue
			}
			f := feed{url: server, username: "VssSessionToken", password: e.Password, from: shown}
			if e.Username != nil {
				f.username = *e.Username
			}
			feeds = append(feeds, f)
		}
		return feeds, nil
	}
	return nil, nil
}

// fromVariable reads a login as NuGet has it in a variable: "Username=NAME;Password=TOKEN;ValidAuthenticationTypes=LIST", the last of which may be missing.
func fromVariable(text string) (username, password, types string, ok bool) {
	rest, ok := cutFold(strings.TrimSpace(text), "Username=")
	if !ok {
		return "", "", "", false
	}
	for i := range len(rest) {
		if rest[i] != ';' {
			continue
		}
		if password, ok = cutFold(strings.TrimLeft(rest[i+1:], " \t\r\n"), "Password="); !ok {
			continue
		}
		username = rest[:i]
		for j := range len(password) {
			if types, ok = cutFold(password[j:], ";ValidAuthenticationTypes="); ok {
				return username, password[:j], types, true
			}
		}
		return username, password, "", true
	}
	return "", "", "", false
}

// cutFold is strings.CutPrefix, whatever the case.
func cutFold(text, prefix string) (rest string, ok bool) {
	if len(text) < len(prefix) || !ascii.EqualFold(text[:len(prefix)], prefix) {
		return text, false
	}
	return text[len(prefix):], true
}

// allowsBasic reports whether a list of authentication types has Basic, the one that is answered with.
func allowsBasic(types string) bool {
	if strings.TrimSpace(types) == "" {
		return true
	}
	for t := range strings.SplitSeq(types, ",") {
		if ascii.EqualFold(strings.TrimSpace(t), "basic") {
			return true
		}
	}
	return false
}
