package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/internal/peertest"
)

// logins are the registries' users.
var logins = map[string]string{"alice": "wonderland", "bob": "builder"}

// ociRule is a config file with one rule for a registry. config is the content of the rule's "config".
func ociRule(host, config string) string {
	return fmt.Sprintf(`{"urls": [{"scheme": "http", "host": %q, "helper": "oci", "config": {%s}}]}`, host, config)
}

const (
	noDocker   = `"parse_docker_config": false`
	fromEnv    = noDocker + `, "lookup_chain": [{"source": "env", "name": "REG_USER", "binding": "username"}, {"source": "env", "name": "REG_PASS", "binding": "password"}]`
	fromToken  = noDocker + `, "lookup_chain": [{"source": "env", "name": "REG_IDENTITY", "binding": "identitytoken"}]`
	asAlice    = "REG_USER=alice"
	alicesPass = "REG_PASS=wonderland"
)

// testPulls fetches an image of alice's with exactly the headers that the program prints for each URL, and without them.
func testPulls(t *testing.T, p *site, host string, image peertest.Image) {
	t.Helper()
	base := "http://" + host + "/v2/alice/app"
	content := map[string]string{base + "/manifests/v1": image.Manifest, base + "/manifests/" + image.Manifest: image.Manifest}
	for _, blob := range image.Blobs {
		content[base+"/blobs/"+blob] = blob
	}
	for url, want := range content {
		if got := fetch(t, http.MethodGet, url, nil); got.status != http.StatusUnauthorized {
			t.Errorf("%s without headers: %d %s", url, got.status, got.body)
		}
		got := fetch(t, http.MethodGet, url, p.headers(url))
		if got.status != http.StatusOK || digest(got.body) != want {
			t.Errorf("%s: %d %s", url, got.status, got.body)
		}
	}
}

// testEndpoints asks the endpoints of a registry that are not about an image's content.
func testEndpoints(t *testing.T, p *site, host string) {
	t.Helper()
	base := "http://" + host + "/v2/"
	for _, tt := range []struct {
		method, url string
		status      int
		body        string
	}{
		{http.MethodGet, base, 200, "{}"},
		{http.MethodGet, base + "alice/app/tags/list", 200, `"v1"`},
		{http.MethodGet, base + "_catalog", 200, `"alice/app"`},
		{http.MethodPost, base + "alice/app/blobs/uploads/", 202, ""},
	} {
		got := fetch(t, tt.method, tt.url, p.headers(tt.url))
		if got.status != tt.status || !strings.Contains(string(got.body), tt.body) {
			t.Errorf("%s %s: %d %s", tt.method, tt.url, got.status, got.body)
		}
	}
}

// A refusal is a get that fails: its standard error, in which HOST and REALM stand for the registry and its token endpoint, and RULES for the config file.
type refusal struct {
	name, rule, path string
	env              []string
	stderr           string
}

func (r refusal) test(t *testing.T, registry *peertest.Distribution) {
	t.Run(r.name, func(t *testing.T) {
		p := newSite(t, ociRule(registry.Host, r.rule), r.env...)
		got := p.get("http://" + registry.Host + r.path)
		want := strings.NewReplacer("HOST", registry.Host, "REALM", registry.Realm, "RULES", filepath.Join(p.home, "rules.json")).Replace(r.stderr)
		if got.Code != 1 || got.Stdout != "" || got.Stderr != want {
			t.Errorf("got exit status %d, output %q and\n%swant\n%s", got.Code, got.Stdout, got.Stderr, want)
		}
	})
}

func TestDistributionBasic(t *testing.T) {
	registry := peertest.BasicRegistry(t, logins)
	crane := peertest.NewCrane(t)
	crane.Login(registry.Host, "alice", logins["alice"])
	image := crane.Push(registry.Host + "/alice/app:v1")

	t.Run("login from variables", func(t *testing.T) {
		p := newSite(t, ociRule(registry.Host, fromEnv), asAlice, alicesPass)
		testPulls(t, p, registry.Host, image)
		testEndpoints(t, p, registry.Host)
	})
	t.Run("docker login", func(t *testing.T) {
		testPulls(t, newSite(t, ociRule(registry.Host, ""), "DOCKER_CONFIG="+crane.ConfigDir), registry.Host, image)
	})
	t.Run("no expiry", func(t *testing.T) {
		p, at := newSite(t, ociRule(registry.Host, fromEnv), asAlice, alicesPass), "http://"+registry.Host+"/v2/alice/app/manifests/v1"
		if _, expires := readAnswer(t, at, p.get(at)); !expires.IsZero() {
			t.Errorf("a password expires at %v", expires)
		}
	})
	// Only the registry can tell that a password is wrong, as it is sent to nobody before.
	t.Run("wrong password", func(t *testing.T) {
		p, at := newSite(t, ociRule(registry.Host, fromEnv), asAlice, "REG_PASS=looking-glass"), "http://"+registry.Host+"/v2/alice/app/manifests/v1"
		if got := fetch(t, http.MethodGet, at, p.headers(at)); got.status != http.StatusUnauthorized {
			t.Errorf("%d %s", got.status, got.body)
		}
	})
	t.Run("no login", func(t *testing.T) {
		p, at := newSite(t, ociRule(registry.Host, noDocker)), "http://"+registry.Host+"/v2/alice/app/manifests/v1"
		if headers := p.headers(at); len(headers) != 0 {
			t.Errorf("headers without a login: %v", headers)
		}
	})
	refusal{
		"identity token", fromToken, "/v2/alice/app/manifests/v1",
		[]string{"REG_IDENTITY=canary"},
		"credential-helper: http://HOST/v2/alice/app/manifests/v1: the registry HOST wants a user name and a password (Basic), " +
			"and $REG_IDENTITY has an identity token, which only a token endpoint takes\n" +
			"hint: log in with a password or an access token: docker login HOST\n",
	}.test(t, registry)
	refusal{
		"login required", fromEnv + `, "on_missing": "fail"`, "/v2/alice/app/manifests/v1",
		[]string{asAlice},
		"credential-helper: http://HOST/v2/alice/app/manifests/v1: no login found: $REG_PASS is not set; found only a value for \"username\", which is not enough\n" +
			"hint: credential-helper setup-uri http://HOST/v2/alice/app/manifests/v1 tells how, or set \"on_missing\": \"anonymous\" in the config of the rule at RULES:1\n",
	}.test(t, registry)
}

// identityToken asks a token server for an identity token, as docker login does.
func identityToken(t *testing.T, registry *peertest.Distribution, user string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, registry.Realm+"?"+url.Values{
		"service": {"registry.test"}, "offline_token": {"true"}, "client_id": {"test"},
	}.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(user, logins[user])
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		RefreshToken string `json:"refresh_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.RefreshToken == "" {
		t.Fatalf("asking for an identity token: %s, %v", resp.Status, err)
	}
	return answer.RefreshToken
}

func TestDistributionBearer(t *testing.T) {
	registry := peertest.BearerRegistry(t, logins)
	images := map[string]peertest.Image{}
	crane := map[string]*peertest.Crane{}
	for user, password := range logins {
		crane[user] = peertest.NewCrane(t)
		crane[user].Login(registry.Host, user, password)
		images[user] = crane[user].Push(registry.Host + "/" + user + "/app:v1")
	}
	identity := identityToken(t, registry, "alice")

	for _, tt := range []struct {
		name, rule string
		env        []string
		docker     string // the content of docker's config.json
	}{
		{name: "login from variables", rule: fromEnv, env: []string{asAlice, alicesPass}},
		{name: "docker login", env: []string{"DOCKER_CONFIG=" + crane["alice"].ConfigDir}},
		// This token server knows no password grant, so what works is the GET that follows.
		{name: "method oauth2", rule: fromEnv + `, "token_exchange_method": "oauth2"`, env: []string{asAlice, alicesPass}},
		{name: "method basic", rule: fromEnv + `, "token_exchange_method": "basic"`, env: []string{asAlice, alicesPass}},
		{name: "identity token from a variable", rule: fromToken, env: []string{"REG_IDENTITY=" + identity}},
		{name: "identity token of a docker login", docker: fmt.Sprintf(`{"auths": {%q: {"auth": "YWxpY2U6", "identitytoken": %q}}}`, registry.Host, identity)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newSite(t, ociRule(registry.Host, tt.rule), tt.env...)
			if tt.docker != "" {
				p.write(filepath.Join(".docker", "config.json"), tt.docker)
			}
			testPulls(t, p, registry.Host, images["alice"])
			testEndpoints(t, p, registry.Host)
		})
	}

	t.Run("expiry", func(t *testing.T) {
		p, at := newSite(t, ociRule(registry.Host, fromEnv), asAlice, alicesPass), "http://"+registry.Host+"/v2/alice/app/manifests/v1"
		_, expires := readAnswer(t, at, p.get(at))
		// The token server's tokens live 15 minutes, and the margin is one.
		if left := time.Until(expires); left > 14*time.Minute || left < 13*time.Minute {
			t.Errorf("the answer expires in %v", left)
		}
	})

	// The token server issues a token that opens nothing of what was asked for, and the registry says so.
	t.Run("repository of somebody else", func(t *testing.T) {
		p, at := newSite(t, ociRule(registry.Host, fromEnv), asAlice, alicesPass), "http://"+registry.Host+"/v2/bob/app/manifests/v1"
		got := fetch(t, http.MethodGet, at, p.headers(at))
		if challenge := got.header.Get("WWW-Authenticate"); got.status != http.StatusUnauthorized || !strings.Contains(challenge, `error="insufficient_scope"`) {
			t.Errorf("%d %s %s", got.status, challenge, got.body)
		}
		if got := fetch(t, http.MethodGet, at, newSite(t, ociRule(registry.Host, fromEnv), "REG_USER=bob", "REG_PASS=builder").headers(at)); got.status != http.StatusOK {
			t.Errorf("bob himself: %d %s", got.status, got.body)
		}
	})
	// A token for one repository is none for another one of the same user's.
	t.Run("token for another repository", func(t *testing.T) {
		crane["alice"].Push(registry.Host + "/alice/other:v1")
		p, base := newSite(t, ociRule(registry.Host, fromEnv), asAlice, alicesPass), "http://"+registry.Host+"/v2/alice/"
		headers := p.headers(base + "app/manifests/v1")
		if got := fetch(t, http.MethodGet, base+"other/manifests/v1", headers); got.status != http.StatusUnauthorized {
			t.Errorf("%d %s", got.status, got.body)
		}
	})

	const path = "/v2/alice/app/manifests/v1"
	const asked = "credential-helper: http://HOST" + path + ": asking REALM for a token for repository:alice/app:pull with the login from "
	const refused = ": 401 Unauthorized: UNAUTHORIZED: authentication required"
	const anonymous = "credential-helper: http://HOST" + path + ": asking REALM for a token for repository:alice/app:pull without a login" + refused
	dockerDir := t.TempDir()
	login := fmt.Sprintf(`{"auths": {%q: {"auth": "YWxpY2U6bG9va2luZy1nbGFzcw=="}}}`, registry.Host)
	if err := os.WriteFile(filepath.Join(dockerDir, "config.json"), []byte(login), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, r := range []refusal{
		{"wrong password", fromEnv, path, []string{asAlice, "REG_PASS=looking-glass"}, asked + "$REG_PASS" + refused + "\nhint: put a valid login for HOST into $REG_PASS\n"},
		{"wrong password with oauth2", fromEnv + `, "token_exchange_method": "oauth2"`, path, []string{asAlice, "REG_PASS=looking-glass"}, asked + "$REG_PASS" + refused + " (and before that, to a POST, 400 Bad Request: UNSUPPORTED_VALUE: unsupported value)\nhint: put a valid login for HOST into $REG_PASS\n"},
		{"wrong password of a docker login", "", path, []string{"DOCKER_CONFIG=" + dockerDir}, asked + "docker's logins (" + filepath.Join(dockerDir, "config.json") + ")" + refused + "\nhint: log in again: docker login HOST\n"},
		{"wrong identity token", fromToken, path, []string{"REG_IDENTITY=canary"}, asked + "$REG_IDENTITY" + refused + " (and before that, to a POST, 401 Unauthorized: UNAUTHORIZED: authentication required)\nhint: put a valid login for HOST into $REG_IDENTITY\n"},
		{"identity token with basic", fromToken + `, "token_exchange_method": "basic"`, path, []string{"REG_IDENTITY=" + identity}, asked + "$REG_IDENTITY" + refused + "\nhint: identity tokens are mostly taken by POST alone; try without \"token_exchange_method\": \"basic\" in the rule's config\n"},
		{"no login", noDocker, path, nil, anonymous + " (no login found: the lookup chain is empty)\nhint: log in: docker login HOST\n"},
		{"half a login", fromEnv, path, []string{asAlice}, anonymous + " (no login found: $REG_PASS is not set; found only a value for \"username\", which is not enough)\nhint: log in: docker login HOST\n"},
	} {
		r.test(t, registry)
	}
}
