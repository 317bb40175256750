package registry

import (
	"net/url"
	"slices"
	"strings"

	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/strictjson"
	"github.com/fe055d52/credential-helper/lookup"
)

// A preset is what goes without saying for a kind of registry.
type preset struct {
	name string
	// chain returns where the login is looked for, unless the rule says so itself. It visits the config keys that are the preset's own.
	chain func(s *lookup.Sources, o *strictjson.Object) lookup.Chain
	// method says how a token is written that comes without a user name; nil is Bearer.
	method func(u *url.URL) string
	// header is the header for methodHeader, user the user name for methodBasic.
	header, user string
	// isToken, where not nil, tells a token that came with a user name from a password.
	isToken func(redact.Secret) bool
	// oci says that the host is a container registry below /v2/.
	oci bool
}

func always(method string) func(*url.URL) string { return func(*url.URL) string { return method } }

// sources is the chain of a preset that has no keys of its own.
func sources(list func(s *lookup.Sources) []lookup.Source) func(*lookup.Sources, *strictjson.Object) lookup.Chain {
	return func(s *lookup.Sources, _ *strictjson.Object) lookup.Chain { return together(list(s)...) }
}

// together returns a chain of sources each of which supplies all that it has.
func together(list ...lookup.Source) lookup.Chain {
	chain := make(lookup.Chain, len(list))
	for i, source := range list {
		chain[i].Source = source
	}
	return chain
}

// token returns an entry for a source that has one value, and that is a token.
func token(s lookup.Source) lookup.Entry { return lookup.Entry{Source: s, Binding: lookup.Token} }

// plain is for a rule without a preset.
var plain = preset{chain: sources(func(s *lookup.Sources) []lookup.Source { return []lookup.Source{s.Netrc()} })}

// presets by name. Each row is in the table of docs/registry.md, and tested against a server that takes its form and no other.
//
// Almost all end with the user's netrc, which names its hosts; not those whose servers take no Basic.
var presets = map[string]preset{
	// https://docs.npmjs.com/cli/configuring-npm/npmrc
	"npm": {chain: sources(func(s *lookup.Sources) []lookup.Source { return []lookup.Source{s.Npmrc(), s.Netrc()} })},

	// https://doc.rust-lang.org/cargo/reference/registry-authentication.html
	"cargo": {
		method: always(methodRaw),
		chain:  func(s *lookup.Sources, o *strictjson.Object) lookup.Chain { return together(s.Source("cargo", o)) },
	},

	// https://docs.pypi.org/api/ for the user name of a token
	"pypi": {
		method: always(methodBasic), user: "__token__",
		chain: sources(func(s *lookup.Sources) []lookup.Source { return []lookup.Source{s.Pip(), s.Pypirc(), s.Netrc()} }),
	},

	// https://maven.apache.org/settings.html#servers
	"maven": {
		method: always(methodBasic),
		chain: func(s *lookup.Sources, o *strictjson.Object) lookup.Chain {
			return together(s.Source("maven", o), s.Netrc())
		},
	},

	// https://getcomposer.org/doc/articles/authentication-for-private-packages.md
	"composer": {chain: sources(func(s *lookup.Sources) []lookup.Source { return []lookup.Source{s.Composer(), s.Netrc()} })},

	// https://bundler.io/man/bundle-config.1.html: a single value is the user name of a login without a password
	"rubygems": {
		method: always(methodOnly),
		chain:  sources(func(s *lookup.Sources) []lookup.Source { return []lookup.Source{s.Bundler(), s.Netrc()} }),
	},

	// https://pkgdocs.julialang.org/dev/protocol/
	"julia": {
		chain: func(s *lookup.Sources, o *strictjson.Object) lookup.Chain { return together(s.Source("julia", o)) },
	},

	"moonbit": {chain: sources(func(s *lookup.Sources) []lookup.Source { return []lookup.Source{s.Moonbit(), s.Netrc()} })},

	"pesde": {
		chain: func(s *lookup.Sources, o *strictjson.Object) lookup.Chain { return together(s.Source("pesde", o)) },
	},

	"stack-gallery": {
		method: galleryMethod, isToken: galleryToken, oci: true,
		chain: func(s *lookup.Sources, _ *strictjson.Object) lookup.Chain {
			return append(lookup.Chain{token(s.Variable("STACK_GALLERY_TOKEN"))}, together(s.Netrc())...)
		},
	},

	// https://docs.gitlab.com/user/packages/package_registry/supported_functionality/#authenticate-with-the-registry
	"gitlab": {
		method: always(methodHeader), header: "PRIVATE-TOKEN",
		chain: func(s *lookup.Sources, _ *strictjson.Object) lookup.Chain {
			return append(lookup.Chain{
				// The token of a CI job is for the server that the job belongs to, and has a header of its own.
				{Source: s.HostVariable("CI_JOB_TOKEN", "CI_SERVER_URL"), Binding: lookup.Header("JOB-TOKEN")},
				token(s.Variable("GITLAB_TOKEN")),
			}, together(s.Netrc())...)
		},
	},

	// https://docs.gitea.com/development/api-usage#authentication
	"gitea": {
		chain: func(s *lookup.Sources, _ *strictjson.Object) lookup.Chain {
			return append(lookup.Chain{token(s.Variable("GITEA_TOKEN"))}, together(s.Netrc())...)
		},
	},

	// The variables are those of JFrog's own tools: https://docs.jfrog-applications.jfrog.io/jfrog-applications/jfrog-cli/cli-for-jfrog-artifactory/authentication
	"artifactory": {
		chain: func(s *lookup.Sources, _ *strictjson.Object) lookup.Chain {
			return append(lookup.Chain{token(s.HostVariable("JF_ACCESS_TOKEN", "JF_URL"))}, together(manager(s)...)...)
		},
	},

	"nexus": {method: always(methodBasic), chain: sources(manager)},

	// https://learn.microsoft.com/nuget/consume-packages/consuming-packages-authenticated-feeds: any user name goes with a token
	"nuget": {
		method: always(methodBasic), user: "token",
		chain: sources(func(s *lookup.Sources) []lookup.Source { return []lookup.Source{s.Nuget(), s.Netrc()} }),
	},
}

// manager returns where the login to a server may be that has repositories of many kinds: each kind's own tool knows it.
func manager(s *lookup.Sources) []lookup.Source {
	return []lookup.Source{s.Maven(""), s.Npmrc(), s.Pip(), s.Nuget(), s.Netrc()}
}

func presetNames() []string {
	names := make([]string, 0, len(presets))
	for name := range presets {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// galleryMethod returns how a stack.gallery registry wants its token, which the path decides: one host speaks seven protocols.
// Its Maven takes Basic, because Maven sends nothing else, and its Cargo the token as it is, because Cargo does.
func galleryMethod(u *url.URL) string {
	switch {
	case strings.HasPrefix(u.Path, "/maven2/"):
		return methodBasic
	case strings.HasPrefix(u.Path, "/api/v1/crates/"), u.Path == "/api/v1/crates":
		return methodRaw
	default:
		return methodBearer
	}
}

// galleryToken tells a stack.gallery token from the password of an account.
func galleryToken(secret redact.Secret) bool { return strings.HasPrefix(secret.Reveal(), "srg_") }
