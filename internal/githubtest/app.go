package githubtest

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxAhead is how far ahead a JWT may end, and tokenLife how long an installation token lives.
const (
	maxAhead  = 10 * time.Minute
	tokenLife = time.Hour
)

// appOf checks the JWT of a request and returns the App that signed it, or the status and the message that GitHub answers with:
// https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
func (s *Server) appOf(req *http.Request) (app App, status int, message string) {
	const undecodable = "A JSON web token could not be decoded"
	token, ok := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer ")
	parts := strings.Split(token, ".")
	if !ok || len(parts) != 3 {
		return App{}, http.StatusUnauthorized, undecodable
	}
	var header struct {
		Alg string `json:"alg"`
	}
	var claims struct {
		Iat *int64 `json:"iat"`
		Exp *int64 `json:"exp"`
		Iss any    `json:"iss"`
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || decodePart(parts[0], &header) != nil || decodePart(parts[1], &claims) != nil || header.Alg != "RS256" {
		return App{}, http.StatusUnauthorized, undecodable
	}
	s.mu.Lock()
	now, apps := s.now(), slices.Clone(s.apps)
	s.mu.Unlock()
	issuer := fmt.Sprint(claims.Iss)
	i := slices.IndexFunc(apps, func(a App) bool {
		return issuer == strconv.FormatInt(a.ID, 10) || a.ClientID != "" && issuer == a.ClientID
	})
	if i < 0 {
		return App{}, http.StatusNotFound, "Integration not found"
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	switch {
	case rsa.VerifyPKCS1v15(apps[i].Key, crypto.SHA256, sum[:], signature) != nil:
		return App{}, http.StatusUnauthorized, undecodable
	case claims.Iat == nil || time.Unix(*claims.Iat, 0).After(now):
		return App{}, http.StatusUnauthorized, "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
	case claims.Exp == nil || !time.Unix(*claims.Exp, 0).After(now):
		return App{}, http.StatusUnauthorized, "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires"
	case time.Unix(*claims.Exp, 0).After(now.Add(maxAhead)):
		return App{}, http.StatusUnauthorized, "'Expiration time' claim ('exp') is too far in the future"
	}
	return apps[i], 0, ""
}

func decodePart(part string, to any) error {
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(to)
}

// serveLookup is GET /orgs/OWNER/installation and /users/OWNER/installation:
// https://docs.github.com/rest/apps/apps#get-an-organization-installation-for-the-authenticated-app
func (s *Server) serveLookup(w http.ResponseWriter, req *http.Request, owner string, user bool) {
	app, status, message := s.appOf(req)
	if status != 0 {
		sendError(w, status, message)
		return
	}
	s.mu.Lock()
	i := slices.IndexFunc(s.installations, func(i Installation) bool {
		return i.App == app.ID && i.User == user && strings.EqualFold(i.Owner, owner)
	})
	var found Installation
	if i >= 0 {
		found = s.installations[i]
	}
	s.mu.Unlock()
	if i < 0 {
		sendError(w, http.StatusNotFound, "Not Found")
		return
	}
	send(w, http.StatusOK, map[string]any{"id": found.ID, "app_id": app.ID, "account": map[string]string{"login": found.Owner}})
}

// serveMint is POST /app/installations/ID/access_tokens:
// https://docs.github.com/rest/apps/apps#create-an-installation-access-token-for-an-app
func (s *Server) serveMint(w http.ResponseWriter, req *http.Request, id string, body []byte) {
	app, status, message := s.appOf(req)
	if status != 0 {
		sendError(w, status, message)
		return
	}
	var want struct {
		Repositories []string          `json:"repositories"`
		Permissions  map[string]string `json:"permissions"`
	}
	if len(body) > 0 {
		d := json.NewDecoder(bytes.NewReader(body))
		d.DisallowUnknownFields()
		if err := d.Decode(&want); err != nil || d.Decode(&struct{}{}) != io.EOF {
			sendError(w, http.StatusBadRequest, "Problems parsing JSON")
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.installations, func(i Installation) bool { return i.App == app.ID && strconv.FormatInt(i.ID, 10) == id })
	if i < 0 {
		sendError(w, http.StatusNotFound, "Not Found")
		return
	}
	in := s.installations[i]
	// https://docs.github.com/apps/maintaining-github-apps/suspending-a-github-app-installation
	if in.Suspended {
		sendError(w, http.StatusForbidden, "This installation has been suspended")
		return
	}
	for name, level := range want.Permissions {
		if rank(level) == 0 || rank(in.Permissions[name]) < rank(level) && !(name == "metadata" && level == "read") {
			sendError(w, http.StatusUnprocessableEntity, "The permissions requested are not granted to this installation.")
			return
		}
	}
	for _, name := range want.Repositories {
		if !slices.ContainsFunc(s.repos, func(r Repo) bool { return in.covers(r) && strings.EqualFold(r.Name, name) }) {
			sendError(w, http.StatusUnprocessableEntity, "There is at least one repository that does not exist or is not accessible to the parent installation.")
			return
		}
	}
	permissions := want.Permissions
	if permissions == nil {
		permissions = maps.Clone(in.Permissions)
	}
	token, expires := "ghs_"+rand.Text()+rand.Text()[:10], s.now().Add(tokenLife)
	s.tokens[token] = &grant{installation: in.ID, expires: expires, permissions: permissions, covers: func(r Repo) bool {
		return in.covers(r) && (want.Repositories == nil || containsFold(want.Repositories, r.Name))
	}}
	selection := "all"
	if want.Repositories != nil || in.Repositories != nil {
		selection = "selected"
	}
	send(w, http.StatusCreated, map[string]any{
		"token": token, "expires_at": expires.UTC().Format(time.RFC3339), "permissions": permissions, "repository_selection": selection,
	})
}

func (i Installation) covers(r Repo) bool {
	return strings.EqualFold(i.Owner, r.Owner) && (i.Repositories == nil || containsFold(i.Repositories, r.Name))
}

func containsFold(list []string, text string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, text) })
}

// rank orders the levels of a permission; 0 is none.
func rank(level string) int { return slices.Index([]string{"read", "write", "admin"}, level) + 1 }
