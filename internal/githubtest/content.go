package githubtest

import (
	"encoding/base64"
	"io"
	"net/http"
	"strings"
)

// A login is what a request carries: the scheme, the user name and the token.
type login struct{ scheme, user, token string }

func loginOf(req *http.Request) login {
	scheme, value, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	if scheme != "Basic" {
		return login{scheme: scheme, token: value}
	}
	text, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return login{}
	}
	user, password, _ := strings.Cut(string(text), ":")
	return login{scheme, user, password}
}

// serveContent is everything beside the API: files, archives, releases and git, each of which takes a token in one form.
func (s *Server) serveContent(w http.ResponseWriter, req *http.Request, area area, path string) {
	p := strings.Split(strings.TrimPrefix(path, "/"), "/")
	if len(p) < 2 {
		http.NotFound(w, req)
		return
	}
	r, exists := s.repo(p[0], strings.TrimSuffix(p[1], ".git"))
	l := loginOf(req)
	git := area == web && (strings.HasSuffix(p[1], ".git") || strings.HasSuffix(path, "/info/refs") ||
		strings.HasSuffix(path, "/git-upload-pack") || strings.HasSuffix(path, "/git-receive-pack"))
	token, form := "", false
	switch {
	case area == raw:
		// The token is the user name and the password is empty. A token of Actions is taken in no other form.
		token, form = l.user, l.scheme == "Basic" && l.token == ""
	case git:
		// https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/authenticating-as-a-github-app-installation#about-authentication-as-a-github-app-installation
		token, form = l.token, l.scheme == "Basic" && l.user == "x-access-token"
	case area == codeload, area == web && len(p) > 2 && (p[2] == "archive" || p[2] == "releases" || p[2] == "raw"):
		// https://docs.github.com/rest/repos/contents#download-a-repository-archive-tar
		token, form = l.token, l.scheme == "Bearer"
	default:
		// A page is for browsers, which log in by a cookie: whose token it is does not matter.
	}
	allowed := exists && r.Public && l == login{}
	if form {
		g := s.grantOf(token)
		allowed = g != nil && exists && (r.Public || g.covers(r) && g.permissions["contents"] != "")
	}
	switch {
	case !allowed && git:
		w.Header().Set("WWW-Authenticate", `Basic realm="GitHub"`)
		http.Error(w, "Authentication failed.", http.StatusUnauthorized)
	case !allowed:
		http.NotFound(w, req)
	default:
		_, _ = io.WriteString(w, "content of "+r.Owner+"/"+r.Name+"\n")
	}
}
