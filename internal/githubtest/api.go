package githubtest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A grant is what a token opens.
type grant struct {
	installation int64 // 0 for a person's
	expires      time.Time
	told         bool // whether each answer tells when it ends
	sso          []string
	limited      bool
	permissions  map[string]string
	covers       func(Repo) bool
}

// grantOf returns what a token opens; nil where there is no such token, or no more.
func (s *Server) grantOf(token string) *grant {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.tokens[token]
	if g == nil || !g.expires.IsZero() && !s.now().Before(g.expires) {
		return nil
	}
	return g
}

// repo finds a repository; names of owners and repositories differ in more than case.
func (s *Server) repo(owner, name string) (Repo, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.repos, func(r Repo) bool { return strings.EqualFold(r.Owner, owner) && strings.EqualFold(r.Name, name) })
	if i < 0 {
		return Repo{}, false
	}
	return s.repos[i], true
}

// serveAPI is the REST API.
func (s *Server) serveAPI(w http.ResponseWriter, req *http.Request, path string, body []byte) {
	// https://docs.github.com/rest/about-the-rest-api/api-versions: a version that is not supported is 400
	if v := req.Header.Get("X-GitHub-Api-Version"); v != "" && v != "2022-11-28" {
		sendError(w, http.StatusBadRequest, "\""+v+"\" is not a supported version")
		return
	}
	s.mu.Lock()
	mint, lookup, repository, delay := s.mint, s.lookup, s.repository, s.delay
	s.mu.Unlock()
	time.Sleep(delay)
	p := strings.Split(strings.TrimPrefix(path, "/"), "/")
	reading := req.Method == http.MethodGet || req.Method == http.MethodHead
	switch {
	case req.Method == http.MethodPost && len(p) == 4 && p[0] == "app" && p[1] == "installations" && p[3] == "access_tokens":
		if mint != nil {
			mint(w, req)
			return
		}
		s.serveMint(w, req, p[2], body)
	case reading && len(p) == 3 && (p[0] == "orgs" || p[0] == "users") && p[2] == "installation":
		if lookup != nil {
			lookup(w, req)
			return
		}
		s.serveLookup(w, req, p[1], p[0] == "users")
	case reading && p[0] == "repos" && (len(p) == 3 || len(p) == 6 && p[3] == "git" && p[4] == "trees"):
		if repository != nil {
			repository(w, req)
			return
		}
		s.serveRepository(w, req, p)
	default:
		sendError(w, http.StatusNotFound, "Not Found")
	}
}

// serveRepository is GET and HEAD of /repos/OWNER/REPO and /repos/OWNER/REPO/git/trees/SHA:
// https://docs.github.com/rest/repos/repos#get-a-repository, https://docs.github.com/rest/git/trees#get-a-tree
func (s *Server) serveRepository(w http.ResponseWriter, req *http.Request, path []string) {
	g := (*grant)(nil)
	if authorization := req.Header.Get("Authorization"); authorization != "" {
		token, ok := strings.CutPrefix(authorization, "Bearer ")
		if ok {
			g = s.grantOf(token)
		}
		if g == nil {
			// https://docs.github.com/rest/authentication/authenticating-to-the-rest-api#failed-login-limit
			sendError(w, http.StatusUnauthorized, "Bad credentials")
			return
		}
	}
	// https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#checking-the-status-of-your-rate-limit
	s.mu.Lock()
	reset := s.now().Add(time.Hour)
	s.mu.Unlock()
	w.Header().Set("X-RateLimit-Limit", "5000")
	w.Header().Set("X-RateLimit-Remaining", "4999")
	w.Header().Set("X-RateLimit-Reset", strconv.FormatInt(reset.Unix(), 10))
	if g != nil {
		if g.told {
			// https://github.blog/changelog/2021-07-26-expiration-options-for-personal-access-tokens/
			w.Header().Set("GitHub-Authentication-Token-Expiration", g.expires.UTC().Format("2006-01-02 15:04:05 UTC"))
		}
		if g.limited {
			// https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
			w.Header().Set("X-RateLimit-Remaining", "0")
			sendError(w, http.StatusForbidden, "API rate limit exceeded for user ID 1.")
			return
		}
		if slices.ContainsFunc(g.sso, func(owner string) bool { return strings.EqualFold(owner, path[1]) }) {
			// https://docs.github.com/rest/authentication/authenticating-to-the-rest-api#personal-access-tokens-and-saml-sso
			w.Header().Set("X-GitHub-SSO", "required; url=https://github.com/orgs/"+path[1]+"/sso?authorization_request=A1B2")
			sendError(w, http.StatusForbidden, "Resource protected by organization SAML enforcement. You must grant your Personal Access token access to this organization.")
			return
		}
	}
	r, ok := s.repo(path[1], path[2])
	if !ok || !r.Public && (g == nil || !g.covers(r)) {
		// https://docs.github.com/rest/using-the-rest-api/troubleshooting-the-rest-api#404-not-found-for-an-existing-resource
		sendError(w, http.StatusNotFound, "Not Found")
		return
	}
	if len(path) == 3 {
		send(w, http.StatusOK, map[string]any{"name": r.Name, "full_name": r.Owner + "/" + r.Name, "private": !r.Public})
		return
	}
	switch {
	case !r.Public && g.permissions["contents"] == "":
		// https://docs.github.com/rest/using-the-rest-api/troubleshooting-the-rest-api#resource-not-accessible
		sendError(w, http.StatusForbidden, "Resource not accessible by integration")
	case !slices.Contains(r.Trees, path[5]):
		sendError(w, http.StatusNotFound, "Not Found")
	default:
		send(w, http.StatusOK, map[string]any{"sha": path[5], "tree": []any{}, "truncated": false})
	}
}
