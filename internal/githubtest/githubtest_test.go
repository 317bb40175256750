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
	"net/http"
	"strings"
	"testing"
	"time"
)

func newServer(t *testing.T) *Server {
	s := New(t)
	s.AddApp(App{ID: 7, ClientID: "Iv1.7", Key: &Key().PublicKey})
	s.Install(Installation{ID: 70, App: 7, Owner: "acme", Repositories: []string{"tools"}, Permissions: map[string]string{"contents": "read"}})
	s.AddRepo(Repo{Owner: "acme", Name: "tools", Trees: []string{"abc"}})
	s.AddRepo(Repo{Owner: "acme", Name: "secret"})
	s.AddRepo(Repo{Owner: "acme", Name: "open", Public: true, Trees: []string{"def"}})
	s.AddToken(Token{Value: "ghp_good", Repos: []string{"acme/tools"}, Expires: time.Date(2100, 1, 2, 3, 4, 5, 0, time.UTC)})
	s.AddToken(Token{Value: "ghp_old", Repos: []string{"acme/tools"}, Expires: time.Now().Add(-time.Second)})
	s.AddToken(Token{Value: "ghp_sso", Repos: []string{"acme/tools"}, SSO: []string{"acme"}})
	s.AddToken(Token{Value: "ghp_busy", Repos: []string{"acme/tools"}, RateLimited: true})
	return s
}

func do(t *testing.T, client *http.Client, method, url, authorization, body string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func TestAccess(t *testing.T) {
	s := newServer(t)
	client := s.Client()
	for _, tt := range []struct {
		url, authorization string
		want               int
	}{
		{"https://api.github.com/repos/acme/tools", "", 404},
		{"https://api.github.com/repos/acme/tools", "Bearer ghp_good", 200},
		{"https://api.github.com/repos/ACME/Tools", "Bearer ghp_good", 200},
		{"https://api.github.com/repos/acme/secret", "Bearer ghp_good", 404},
		{"https://api.github.com/repos/acme/tools", "Bearer ghp_old", 401},
		{"https://api.github.com/repos/acme/tools", "Bearer ghp_wrong", 401},
		{"https://api.github.com/repos/acme/open", "Bearer ghp_wrong", 401},
		{"https://api.github.com/repos/acme/open", "", 200},
		{"https://api.github.com/repos/acme/tools", basic("ghp_good", ""), 401},
		{"https://api.github.com/repos/acme/tools", basic("x-access-token", "ghp_good"), 401},
		{"https://api.github.com/repos/acme/tools", "ghp_good", 401},
		{"https://api.github.com/repos/acme/tools/git/trees/abc", "Bearer ghp_good", 200},
		{"https://api.github.com/repos/acme/tools/git/trees/def", "Bearer ghp_good", 404},
		{"https://api.github.com/repos/acme/open/git/trees/def", "", 200},
		{"https://api.github.com/repos/acme/tools", "Bearer ghp_sso", 403},
		{"https://api.github.com/repos/acme/tools", "Bearer ghp_busy", 403},
		{"https://api.github.com/api/v3/repos/acme/tools", "Bearer ghp_good", 404},
		{"https://api.acme.ghe.com/repos/acme/tools", "Bearer ghp_good", 200},
		{s.API + "/repos/acme/tools", "Bearer ghp_good", 200},
		{s.API + "/repos/acme/tools", "", 404},
		{s.URL + "/repos/acme/tools", "Bearer ghp_good", 404},

		{"https://raw.githubusercontent.com/acme/tools/main/f", basic("ghp_good", ""), 200},
		{"https://raw.githubusercontent.com/acme/tools/main/f", basic("x-access-token", "ghp_good"), 404},
		{"https://raw.githubusercontent.com/acme/tools/main/f", "Bearer ghp_good", 404},
		{"https://raw.githubusercontent.com/acme/tools/main/f", "", 404},
		{"https://raw.githubusercontent.com/acme/open/main/f", "", 200},
		{s.URL + "/raw/acme/tools/main/f", basic("ghp_good", ""), 200},
		{"https://github.com/acme/tools.git/info/refs", basic("x-access-token", "ghp_good"), 200},
		{"https://github.com/acme/tools.git/info/refs", basic("ghp_good", ""), 401},
		{"https://github.com/acme/tools.git/info/refs", "Bearer ghp_good", 401},
		{"https://github.com/acme/tools.git/info/refs", "", 401},
		{"https://github.com/acme/open.git/info/refs", "", 200},
		{"https://github.com/acme/tools/archive/v1.tar.gz", "Bearer ghp_good", 200},
		{"https://github.com/acme/tools/archive/v1.tar.gz", basic("x-access-token", "ghp_good"), 404},
		{"https://codeload.github.com/acme/tools/tar.gz/v1", "Bearer ghp_good", 200},
		{"https://codeload.github.com/acme/secret/tar.gz/v1", "Bearer ghp_good", 404},
		{"https://github.com/acme/tools", "Bearer ghp_good", 404},
		{"https://github.com/acme/open", "", 200},
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			resp, _ := do(t, client, method, tt.url, tt.authorization, "")
			if resp.StatusCode != tt.want {
				t.Errorf("%s %s with %q: %d, want %d", method, tt.url, tt.authorization, resp.StatusCode, tt.want)
			}
		}
	}
}

func TestAccessHeaders(t *testing.T) {
	s := newServer(t)
	at := s.API + "/repos/acme/tools"
	for authorization, want := range map[string][2]string{
		"Bearer ghp_good": {"GitHub-Authentication-Token-Expiration", "2100-01-02 03:04:05 UTC"},
		"Bearer ghp_sso":  {"X-GitHub-SSO", "required; url=https://github.com/orgs/acme/sso?authorization_request=A1B2"},
		"Bearer ghp_busy": {"X-RateLimit-Remaining", "0"},
	} {
		if resp, _ := do(t, s.Client(), http.MethodHead, at, authorization, ""); resp.Header.Get(want[0]) != want[1] {
			t.Errorf("%s: %s is %q, want %q", authorization, want[0], resp.Header.Get(want[0]), want[1])
		}
	}
	if n := len(s.Requests()); n != 3 {
		t.Errorf("%d requests are recorded", n)
	}
	s.SetRepository(http.NotFound)
	if resp, _ := do(t, s.Client(), http.MethodHead, at, "Bearer ghp_good", ""); resp.StatusCode != http.StatusNotFound {
		t.Errorf("the answer is not replaced: %d", resp.StatusCode)
	}
}

// sign makes a JWT.
func sign(t *testing.T, key *rsa.PrivateKey, header, claims string) string {
	t.Helper()
	signed := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func claims(iss string, iat, exp time.Duration) string {
	now := time.Now()
	return fmt.Sprintf(`{"iss": %s, "iat": %d, "exp": %d}`, iss, now.Add(iat).Unix(), now.Add(exp).Unix())
}

func TestJWT(t *testing.T) {
	s := newServer(t)
	const rs256 = `{"alg":"RS256","typ":"JWT"}`
	good := claims(`"7"`, -time.Minute, 9*time.Minute)
	for _, tt := range []struct {
		name, jwt string
		want      int
	}{
		{"good", sign(t, Key(), rs256, good), 200},
		{"id as a number", sign(t, Key(), rs256, claims(`7`, -time.Minute, 9*time.Minute)), 200},
		{"client id", sign(t, Key(), rs256, claims(`"Iv1.7"`, -time.Minute, 9*time.Minute)), 200},
		{"another App", sign(t, Key(), rs256, claims(`"8"`, -time.Minute, 9*time.Minute)), 404},
		{"another key", sign(t, NewKey(), rs256, good), 401},
		{"another algorithm", sign(t, Key(), `{"alg":"HS256"}`, good), 401},
		{"no algorithm", sign(t, Key(), `{"alg":"none"}`, good), 401},
		{"from the future", sign(t, Key(), rs256, claims(`"7"`, time.Minute, 9*time.Minute)), 401},
		{"for too long", sign(t, Key(), rs256, claims(`"7"`, -time.Minute, 11*time.Minute)), 401},
		{"over", sign(t, Key(), rs256, claims(`"7"`, -9*time.Minute, -time.Second)), 401},
		{"without times", sign(t, Key(), rs256, `{"iss": "7"}`), 401},
		{"not signed", strings.Join(strings.Split(sign(t, Key(), rs256, good), ".")[:2], ".") + ".", 401},
		{"a token", "ghp_good", 401},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp, text := do(t, s.Client(), http.MethodGet, s.API+"/orgs/acme/installation", "Bearer "+tt.jwt, "")
			if resp.StatusCode != tt.want {
				t.Errorf("got %d (%s), want %d", resp.StatusCode, strings.TrimSpace(text), tt.want)
			}
		})
	}
}

func TestMint(t *testing.T) {
	s := newServer(t)
	s.Install(Installation{ID: 71, App: 7, Owner: "eve", User: true, Suspended: true})
	jwt := "Bearer " + sign(t, Key(), `{"alg":"RS256"}`, claims(`"7"`, -time.Minute, 9*time.Minute))
	for _, tt := range []struct {
		installation int
		body         string
		want         int
	}{
		{70, ``, 201},
		{70, `{"permissions":{"contents":"read"}}`, 201},
		{70, `{"permissions":{"metadata":"read"}}`, 201},
		{70, `{"repositories":["tools"]}`, 201},
		{70, `{"permissions":{"contents":"write"}}`, 422},
		{70, `{"permissions":{"issues":"read"}}`, 422},
		{70, `{"permissions":{"contents":"everything"}}`, 422},
		{70, `{"repositories":["secret"]}`, 422},
		{70, `{"repositories":["acme/tools"]}`, 422},
		{70, `{"repos":["tools"]}`, 400},
		{70, `{`, 400},
		{71, ``, 403},
		{72, ``, 404},
	} {
		resp, text := do(t, s.Client(), http.MethodPost, fmt.Sprintf("%s/app/installations/%d/access_tokens", s.API, tt.installation), jwt, tt.body)
		if resp.StatusCode != tt.want {
			t.Errorf("%d with %s: %d (%s), want %d", tt.installation, tt.body, resp.StatusCode, strings.TrimSpace(text), tt.want)
		}
		if tt.want != http.StatusCreated {
			continue
		}
		var answer struct {
			Token   string    `json:"token"`
			Expires time.Time `json:"expires_at"`
		}
		if err := json.NewDecoder(bytes.NewReader([]byte(text))).Decode(&answer); err != nil || time.Until(answer.Expires) < 59*time.Minute {
			t.Errorf("it answers %s: %v", text, err)
		}
		for path, want := range map[string]int{"/repos/acme/tools": 200, "/repos/acme/secret": 404} {
			if resp, _ := do(t, s.Client(), http.MethodGet, s.API+path, "Bearer "+answer.Token, ""); resp.StatusCode != want {
				t.Errorf("a token for %s: %d for %s, want %d", tt.body, resp.StatusCode, path, want)
			}
		}
	}
	if s.Mints() != 13 || s.Lookups() != 0 {
		t.Errorf("%d mints and %d lookups are counted", s.Mints(), s.Lookups())
	}
}

func TestTokensEnd(t *testing.T) {
	s := newServer(t)
	jwt := "Bearer " + sign(t, Key(), `{"alg":"RS256"}`, claims(`"7"`, -time.Minute, 9*time.Minute))
	mint := func() string {
		_, text := do(t, s.Client(), http.MethodPost, s.API+"/app/installations/70/access_tokens", jwt, "")
		var answer struct {
			Token string `json:"token"`
		}
		if err := json.Unmarshal([]byte(text), &answer); err != nil {
			t.Fatal(err)
		}
		return answer.Token
	}
	want := func(token string, status int) {
		t.Helper()
		if resp, _ := do(t, s.Client(), http.MethodGet, s.API+"/repos/acme/tools", "Bearer "+token, ""); resp.StatusCode != status {
			t.Errorf("got %d, want %d", resp.StatusCode, status)
		}
	}
	first, second := mint(), mint()
	want(first, 200)
	s.Uninstall(70)
	want(second, 401)
	s.Install(Installation{ID: 70, App: 7, Owner: "acme"})
	third := mint()
	want(third, 200)
	s.SetClock(func() time.Time { return time.Now().Add(time.Hour) })
	want(third, 401)
}
