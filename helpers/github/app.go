package github

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/ascii"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/strictjson"
	"github.com/fe055d52/credential-helper/lookup"
)

const (
	privateKeyBinding = "private_key"
	// privateKeyVariable has the App's private key where the rule has no chain.
	privateKeyVariable = "GITHUB_APP_PRIVATE_KEY"
	// maxRepositories is how many repositories one token can be limited to:
	// https://docs.github.com/rest/apps/apps#create-an-installation-access-token-for-an-app
	maxRepositories = 500
	// installationLife is how long the number of an owner's installation is remembered. One that has changed since is looked up again.
	installationLife = 24 * time.Hour
)

// An app is a GitHub App that a rule names. Its private key is what the user owns; tokens of its installations are what GitHub takes.
type app struct {
	Options
	rule helpers.Rule
	// id is the App's id, or its client id.
	id string
	// installation is the number of an installation, and owner whose installation it is. At most one is there.
	installation, owner string
	repositories        []string // sorted; empty for all that the installation has
	permissions         map[string]string
	chain               lookup.Chain
	ownChain            bool
}

// decodeApp reads the keys of a rule that are for a GitHub App. It returns nil where the rule names none.
func decodeApp(options Options, rule helpers.Rule, o *strictjson.Object) *app {
	a := &app{Options: options, rule: rule}
	own := o.Has("app_id")
	o.ID("app_id", &a.id)
	o.ID("installation_id", &a.installation)
	o.String("owner", &a.owner)
	o.Strings("repositories", &a.repositories)
	o.Object("permissions", func(o *strictjson.Object) { a.permissions = decodePermissions(o) })
	needApp := []string{"installation_id", "owner", "repositories", "permissions"}
	o.With("app_id", needApp...)
	if !own {
		for _, key := range needApp {
			if o.Has(key) {
				o.Failf(key, `%q is for a GitHub App: it needs an "app_id"`, key)
			}
		}
		return nil
	}
	if !o.Has("permissions") {
		a.permissions = map[string]string{"contents": "read"}
	}
	a.chain, a.ownChain = options.Sources.Decode(o, "lookup_chain", privateKeyBinding, lookup.Default)
	if !a.ownChain {
		a.chain = lookup.Chain{{Source: options.Sources.Variable(privateKeyVariable), Binding: privateKeyBinding}}
	}
	a.check(o)
	return a
}

// setup says how the App's private key is found. It has many lines, which no prompt takes.
func (a *app) setup(u *url.URL) []helpers.Remedy {
	if a.ownChain {
		return a.chain.Setup(u)
	}
	return []helpers.Remedy{{
		Do: "put the private key of the GitHub App " + a.id + ", which its page makes, into $" + privateKeyVariable, Tool: "variable",
		Lines: []string{"export " + privateKeyVariable + `="$(cat app.private-key.pem)"`},
	}}
}

// check reports mistakes in what was decoded.
func (a *app) check(o *strictjson.Object) {
	if o.Has("read_config_file") {
		var ignored bool
		o.Bool("read_config_file", &ignored)
		o.Failf("read_config_file", `"read_config_file" is about the GitHub CLI's login, and a rule with "app_id" uses the App alone`)
	}
	if a.id == "" || strings.Trim(a.id, "0") == "" || !consistsOf(a.id, "._-") {
		o.Failf("app_id", `"app_id" takes the App's id (12345) or its client id ("Iv23li…"), both of which stand on the App's page`)
	}
	if o.Has("installation_id") && (strings.Trim(a.installation, "0123456789") != "" || strings.Trim(a.installation, "0") == "") {
		o.Failf("installation_id", `"installation_id" takes a number: the last part of the address of the installation's page`)
	}
	if o.Has("owner") {
		if o.Has("installation_id") {
			o.Failf("owner", `"owner" and "installation_id" both say which installation is used; leave one of them out`)
		}
		if !validOwner(a.owner) {
			o.Failf("owner", `"owner" takes the name of an organization or a user, without a host and without a repository`)
		}
	}
	if o.Has("repositories") {
		a.checkRepositories(o)
	}
}

func (a *app) checkRepositories(o *strictjson.Object) {
	fail := func(format string, args ...any) { o.Failf("repositories", `"repositories" `+format, args...) }
	switch {
	case a.byURL():
		fail(`are those of one owner: they need an "owner" or an "installation_id"`)
	case len(a.repositories) == 0:
		fail("names none; leave it out for all that the installation may use")
	case len(a.repositories) > maxRepositories:
		fail("has %d names, and GitHub takes no more than %d", len(a.repositories), maxRepositories)
	}
	for i, name := range a.repositories {
		switch {
		case strings.Contains(name, "/"):
			fail("takes names without their owner: %q, not %q", name[strings.LastIndexByte(name, '/')+1:], name)
		case !validRepository(name):
			fail("has %q, which is not the name of a repository", name)
		case slices.ContainsFunc(a.repositories[:i], func(s string) bool { return ascii.EqualFold(s, name) }):
			fail("has %q twice", name)
		}
	}
	slices.Sort(a.repositories)
}

func decodePermissions(o *strictjson.Object) map[string]string {
	permissions := map[string]string{}
	for _, name := range o.Keys() {
		var level string
		o.OneOf(name, &level, "read", "write", "admin")
		if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") != "" {
			o.Failf(name, `%q is not the name of a permission, as in "contents" or "pull_requests"`, name)
		}
		permissions[name] = level
	}
	if len(permissions) == 0 {
		o.Failf("", `"permissions" grants nothing; leave it out for {"contents": "read"}`)
	}
	return permissions
}

// byURL reports whether the installation is that of the owner whom the URL names.
func (a *app) byURL() bool { return a.installation == "" && a.owner == "" }

// credential finds the App's private key, and has a token for it.
func (a *app) credential(ctx context.Context, u *url.URL) (helpers.Credential, error) {
	owner := a.owner
	if a.byURL() {
		if owner = ownerOf(u); owner == "" {
			return helpers.Credential{}, helpers.WithHint(helpers.NotFoundf("the URL names no owner, whose installation of the GitHub App %s could be used", a.id),
				`name the "owner" in the rule's config`)
		}
	}
	found, err := a.chain.Find(ctx, lookup.Query{URL: u}, func(v lookup.Values) bool { return !keyOf(v).IsZero() })
	if err != nil {
		if !a.ownChain {
			err = helpers.WithHint(err, "put the private key of the GitHub App %s into $%s", a.id, privateKeyVariable)
		}
		return helpers.Credential{}, err
	}
	key, err := parseKey(keyOf(found.Values))
	if err != nil {
		return helpers.Credential{}, fmt.Errorf("reading the private key of the GitHub App %s from %s: %w", a.id, found.Source, err)
	}
	base := API(u)
	if !helpers.Secure(base) && !helpers.Loopback(base) && !a.rule.AllowHTTP {
		return helpers.Credential{}, helpers.WithHint(fmt.Errorf("%s is not encrypted, and a GitHub App logs in there", helpers.Origin(base)),
			`use https, or set "allow_http": true in the rule's config`)
	}
	login := &appLogin{app: a, base: base, key: key, source: found.Source, owner: owner}
	return login.token(ctx)
}

// keyOf returns the private key among the values that a chain yielded.
func keyOf(v lookup.Values) redact.Secret {
	if key := v[privateKeyBinding]; !key.IsZero() {
		return key
	}
	return v[lookup.Default]
}

// question is what is asked of GitHub with a key. It names all that the answer depends on, so that editing the rule or changing the key takes effect at once.
func (s *appLogin) question(what string, on any) helpers.Question {
	text, err := json.Marshal([]any{what, s.base.String(), s.app.id, s.key.fingerprint, on})
	if err != nil {
		panic(err) // these are strings, and maps of strings
	}
	return helpers.Question{Helper: "github", Text: string(text)}
}

// ownerOf returns the organization or user whose a URL is, in lower case; "" where the URL does not say.
func ownerOf(u *url.URL) string {
	host, name := Host(u), u.Hostname()
	segments := strings.Split(strings.TrimPrefix(u.Path, "/"), "/")
	service, _, _ := strings.Cut(name, ".")
	if name == host {
		service = ""
		if host != "github.com" && len(segments) > 1 {
			switch segments[0] {
			case "api": // /api/v3, /api/uploads
				service, segments = "api", segments[2:]
			case "raw", "codeload", "media":
				service, segments = segments[0], segments[1:]
			}
		}
	}
	owner := first(segments)
	switch service {
	case "", "raw", "codeload", "media", "maven":
		if reserved(owner) {
			return ""
		}
	case "api", "uploads":
		if owner != "repos" && owner != "orgs" && owner != "users" {
			return ""
		}
		owner = first(segments[1:])
	default:
		return ""
	}
	if !validOwner(owner) {
		return ""
	}
	return ascii.Lower(owner)
}

// first returns the first of segments, and "" where there is none.
func first(segments []string) string {
	if len(segments) == 0 {
		return ""
	}
	return segments[0]
}
