package packagetest

import (
	"net/http"
	"net/url"
	"strings"
)

// kinds are the servers by name.
var kinds = map[string]func(*Server, http.ResponseWriter, *http.Request){
	// npm's client sends "_authToken" as Bearer, and "_auth" or "username" with "_password" as Basic:
	// https://docs.npmjs.com/cli/configuring-npm/npmrc#auth-related-configuration
	"npm": only(`Basic, Bearer`, func(l Login) taken { return taken{bearer(l.Token), basic(l.User, l.Password)} }),

	// Cargo sends the token as it is, and nothing before it: https://doc.rust-lang.org/cargo/reference/registry-index.html#index-authentication
	"cargo": only(`Cargo login_url="https://example.com/me"`, func(l Login) taken { return taken{raw(l.Token)} }),

	// pip knows Basic alone; a token's user name is __token__: https://pypi.org/help/#apitoken
	"pypi": only(`Basic realm="pypi"`, func(l Login) taken { return taken{basic("__token__", l.Token), basic(l.User, l.Password)} }),

	// https://maven.apache.org/settings.html#servers
	"maven": only(`Basic realm="maven"`, func(l Login) taken { return taken{basic(l.User, l.Password)} }),

	// https://getcomposer.org/doc/articles/authentication-for-private-packages.md
	"composer": only("", func(l Login) taken {
		return taken{bearer(l.Token), basic(l.User, l.Password), "PRIVATE-TOKEN: " + l.Token}
	}),

	// Bundler sends the user info of a source's URL; RubyGems sends the key as it is to its API, where gems are pushed:
	// https://guides.rubygems.org/rubygems-org-api/
	"rubygems": func(s *Server, w http.ResponseWriter, r *http.Request) {
		l := s.Login
		right := taken{basic(l.Token, ""), basic(l.User, l.Password), basic(l.User, l.Token)}
		if strings.HasPrefix(r.URL.Path, "/api/v1/gems") {
			right = taken{raw(l.Token)}
		}
		if right.has(r) {
			serve(w, r)
			return
		}
		refuse(w, `Basic realm="rubygems"`)
	},

	// https://pkgdocs.julialang.org/dev/protocol/
	"julia": only("", func(l Login) taken { return taken{bearer(l.Token)} }),

	// A source of type bearer or basic; both were seen on a running server.
	"moonbit": only("", func(l Login) taken { return taken{bearer(l.Token), basic(l.User, l.Password)} }),

	"pesde": pesde,

	"stack-gallery": gallery,

	// https://docs.gitlab.com/api/rest/authentication/ and https://docs.gitlab.com/ci/jobs/ci_job_token/
	"gitlab": only(`Basic realm="GitLab Packages Registry"`, func(l Login) taken {
		return taken{"PRIVATE-TOKEN: " + l.Token, "JOB-TOKEN: " + l.JobToken, bearer(l.Token), basic(l.User, l.Token)}
	}),

	// Seen on a running Gitea, as are its challenge and that it refuses the raw token and PRIVATE-TOKEN.
	"gitea": only(`Basic realm="Gitea Package API"`, func(l Login) taken {
		return taken{bearer(l.Token), raw("token " + l.Token), basic(l.User, l.Token)}
	}),

	// https://jfrog.com/help/r/jfrog-rest-apis/authentication
	"artifactory": only(`Basic realm="Artifactory Realm"`, func(l Login) taken {
		return taken{bearer(l.Token), "X-JFrog-Art-Api: " + l.Token, basic(l.User, l.Password)}
	}),

	// https://help.sonatype.com/en/user-tokens.html: a token is a pair that goes where user name and password go
	"nexus": only(`BASIC realm="Sonatype Nexus Repository Manager"`, func(l Login) taken { return taken{basic(l.User, l.Password)} }),

	// https://learn.microsoft.com/nuget/consume-packages/consuming-packages-authenticated-feeds: any user name goes with a token
	"nuget": func(s *Server, w http.ResponseWriter, r *http.Request) {
		user, password, ok := r.BasicAuth()
		if ok && (user == s.Login.User && password == s.Login.Password || user != "" && password == s.Login.Token) {
			serve(w, r)
			return
		}
		refuse(w, `Basic realm="nuget"`)
	},
}

// pesde is a pesde registry: "Bearer X", whatever the case, or X by itself, and never Basic; it refuses without a challenge.
// Of separate tokens, reading wants the one for reading. A download may be redirected to a presigned URL.
// From the registry's source, https://github.com/pesde-pkg/pesde, registry/src/auth.
func pesde(s *Server, w http.ResponseWriter, r *http.Request) {
	value := r.Header.Get("Authorization")
	if scheme, rest, ok := strings.Cut(value, " "); ok && strings.EqualFold(scheme, "bearer") {
		value = rest
	}
	want := s.Login.Token
	if s.Login.ReadToken != "" {
		want = s.Login.ReadToken
	}
	if value != want || len(r.Header.Values("Authorization")) != 1 {
		refuse(w, "")
		return
	}
	if to := r.URL.Query().Get("redirect"); to != "" {
		http.Redirect(w, r, to, http.StatusTemporaryRedirect)
		return
	}
	serve(w, r)
}

// gallery is a stack.gallery registry: one host, and seven protocols by path. A token is Bearer; beside a user name it is Basic, as an e-mail address
// with a password is. Cargo's part takes the token as it is, and Maven's takes Basic: their clients can send nothing else.
// Below /v2/ it is a container registry, whose token endpoint takes a login as Basic.
func gallery(s *Server, w http.ResponseWriter, r *http.Request) {
	l := s.Login
	logins := taken{basic(l.Email, l.Password), basic(l.User, l.Token)}
	right, challenge := append(taken{bearer(l.Token)}, logins...), ""
	const granted = "oci-token-for-"
	switch path := r.URL.Path; {
	case path == "/token":
		if !logins.has(r) {
			refuse(w, "")
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"token": "` + granted + url.QueryEscape(r.URL.Query().Get("scope")) + `", "expires_in": 300}`))
		return
	case path == "/v2/":
		right, challenge = nil, `Bearer realm="`+s.URL+`/token",service="stack.gallery"`
	case strings.HasPrefix(path, "/v2/"):
		repository, _, _ := strings.Cut(strings.TrimPrefix(path, "/v2/"), "/manifests/")
		right, challenge = taken{bearer(granted + url.QueryEscape("repository:"+repository+":pull"))}, `Bearer realm="`+s.URL+`/token"`
	case strings.HasPrefix(path, "/maven2/"):
		right, challenge = logins, `Basic realm="maven"`
	case strings.HasPrefix(path, "/api/v1/crates/"):
		right = taken{raw(l.Token)}
	case strings.HasPrefix(path, "/-/"), strings.HasPrefix(path, "/@"), // npm
		strings.HasPrefix(path, "/simple/"), strings.HasPrefix(path, "/pypi/"),
		path == "/packages.json", strings.HasPrefix(path, "/p/"), // Composer
		strings.HasPrefix(path, "/api/v1/gems/"), strings.HasPrefix(path, "/gems/"):
	default:
		http.NotFound(w, r)
		return
	}
	if right.has(r) {
		serve(w, r)
		return
	}
	refuse(w, challenge)
}
