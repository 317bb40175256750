package registrytest

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// serveToken is the token endpoint: GET with Basic (distribution's token specification), or POST (its OAuth2 form).
func (r *Registry) serveToken(w http.ResponseWriter, req *http.Request) {
	var user string
	var scopes []string
	switch req.Method {
	case http.MethodGet:
		scopes = req.URL.Query()["scope"]
		var ok bool
		if user, ok = r.loggedIn(r.credential(req)); !ok {
			sendError(w, http.StatusUnauthorized, "UNAUTHORIZED", "incorrect username or password")
			return
		}
	case http.MethodPost:
		if r.config.PostStatus != 0 {
			sendError(w, r.config.PostStatus, "UNSUPPORTED", "this endpoint knows GET alone")
			return
		}
		scopes = strings.Fields(req.PostFormValue("scope"))
		var ok bool
		switch req.PostFormValue("grant_type") {
		case "refresh_token":
			user, ok = r.tokens.identityOf(req.PostFormValue("refresh_token"))
		case "password":
			user = req.PostFormValue("username")
			ok = r.passwordFits(Request{Scheme: "Basic", User: user, Secret: req.PostFormValue("password")})
		default:
			sendJSON(w, http.StatusBadRequest, map[string]any{"error": "unsupported_grant_type"})
			return
		}
		if !ok {
			sendJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant", "error_description": "the credential is not valid"})
			return
		}
	default:
		sendError(w, http.StatusMethodNotAllowed, "UNSUPPORTED", "GET or POST")
		return
	}
	if user == "" {
		scopes = pullOnly(scopes)
	}
	token := r.tokens.issue(user, scopes)
	sendJSON(w, http.StatusOK, map[string]any{
		"token":        token,
		"access_token": token,
		"expires_in":   int(r.config.TokenLife.Seconds()),
		"issued_at":    r.config.Now().UTC().Format(time.RFC3339),
	})
}

// loggedIn returns whose credential came with a GET; nobody's is in order where the registry is public.
func (r *Registry) loggedIn(q Request) (user string, ok bool) {
	if q.Scheme == "" {
		return "", r.config.Public
	}
	if user, ok = r.tokens.identityOf(q.Secret); ok {
		return user, true
	}
	return q.User, r.passwordFits(q)
}

// pullOnly takes every action but pull off scopes.
func pullOnly(scopes []string) []string {
	var allowed []string
	for _, s := range scopes {
		if i := strings.LastIndexByte(s, ':'); i > 0 && slices.Contains(strings.Split(s[i+1:], ","), "pull") {
			allowed = append(allowed, s[:i]+":pull")
		}
	}
	return allowed
}

// An issuer issues tokens and knows them again.
type issuer struct {
	key    []byte
	opaque bool
	life   time.Duration
	now    func() time.Time

	mu         *sync.Mutex
	issued     map[string]grant  // opaque tokens
	identities map[string]string // identity token → user
}

// A grant is what a token opens, in the form of a JWT's claims.
type grant struct {
	Subject string   `json:"sub"`
	Expires int64    `json:"exp"`
	Issued  int64    `json:"iat"`
	Scopes  []string `json:"scopes"`
}

func newIssuer(c Config) issuer {
	return issuer{
		key: []byte(rand.Text()), opaque: c.OpaqueTokens, life: c.TokenLife, now: c.Now,
		mu: new(sync.Mutex), issued: map[string]grant{}, identities: map[string]string{},
	}
}

func (i issuer) identity(user string) string {
	token := "identity-" + rand.Text()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.identities[token] = user
	return token
}

func (i issuer) identityOf(token string) (user string, ok bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	user, ok = i.identities[token]
	return user, ok
}

func (i issuer) issue(user string, scopes []string) string {
	now := i.now()
	g := grant{Subject: user, Issued: now.Unix(), Expires: now.Add(i.life).Unix(), Scopes: scopes}
	if i.opaque {
		token := "opaque-" + rand.Text()
		i.mu.Lock()
		defer i.mu.Unlock()
		i.issued[token] = g
		return token
	}
	claims, err := json.Marshal(g)
	if err != nil {
		panic(err) // a struct of strings and numbers
	}
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(claims)
	return text + "." + i.sign(text)
}

func (i issuer) sign(text string) string {
	mac := hmac.New(sha256.New, i.key)
	mac.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// opens reports whether token was issued here, lives, and covers scope.
func (i issuer) opens(token, scope string) bool {
	g, ok := i.read(token)
	if !ok || i.now().Unix() >= g.Expires {
		return false
	}
	if scope == "" {
		return true
	}
	cut := strings.LastIndexByte(scope, ':')
	if cut < 0 {
		return false
	}
	return slices.ContainsFunc(g.Scopes, func(s string) bool {
		at := strings.LastIndexByte(s, ':')
		return at == cut && s[:at] == scope[:cut] && slices.Contains(strings.Split(s[at+1:], ","), scope[cut+1:])
	})
}

func (i issuer) read(token string) (g grant, ok bool) {
	if i.opaque {
		i.mu.Lock()
		defer i.mu.Unlock()
		g, ok = i.issued[token]
		return g, ok
	}
	cut := strings.LastIndexByte(token, '.')
	if cut < 0 || !hmac.Equal([]byte(i.sign(token[:cut])), []byte(token[cut+1:])) {
		return grant{}, false
	}
	_, claims, _ := strings.Cut(token[:cut], ".")
	data, err := base64.RawURLEncoding.DecodeString(claims)
	return g, err == nil && json.Unmarshal(data, &g) == nil
}

func sendJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func sendError(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"errors":[{"code":%q,"message":%q}]}`+"\n", code, message)
}
