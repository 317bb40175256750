package registrytest_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/internal/registrytest"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

func start(t *testing.T, c registrytest.Config) *registrytest.Registry {
	t.Helper()
	if c.Users == nil {
		c.Users = map[string]string{"alice": "wonderland"}
	}
	r, err := registrytest.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// get returns the status of a GET with an Authorization, which may be empty.
func get(t *testing.T, r *registrytest.Registry, url, authorization string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	resp, err := r.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// TestIndependentClient has go-containerregistry's client push and pull in every mode that it knows.
func TestIndependentClient(t *testing.T) {
	for what, config := range map[string]registrytest.Config{
		"open":          {Login: registrytest.None},
		"basic":         {Login: registrytest.Basic},
		"bearer":        {Login: registrytest.Bearer},
		"opaque tokens": {Login: registrytest.Bearer, OpaqueTokens: true},
		"TLS":           {Login: registrytest.Bearer, TLS: true},
	} {
		t.Run(what, func(t *testing.T) {
			r := start(t, config)
			image, err := r.NewImage("team/app", "v1")
			if err != nil {
				t.Fatal(err)
			}
			tag, err := name.NewTag(r.Host + "/team/app:v1")
			if err != nil {
				t.Fatal(err)
			}
			options := []remote.Option{remote.WithContext(t.Context()), remote.WithTransport(r.Client().Transport)}
			login := remote.WithAuth(&authn.Basic{Username: "alice", Password: "wonderland"})
			if config.Login != registrytest.None {
				if remote.Write(tag, image.Image, options...) == nil {
					t.Error("an image was pushed without a login")
				}
				wrong := remote.WithAuth(&authn.Basic{Username: "alice", Password: "looking-glass"})
				if remote.Write(tag, image.Image, append(options, wrong)...) == nil {
					t.Error("an image was pushed with a wrong password")
				}
			}
			if err := remote.Write(tag, image.Image, append(options, login)...); err != nil {
				t.Fatalf("pushing: %v", err)
			}
			if _, err := remote.Image(tag, append(options, login)...); err != nil {
				t.Fatalf("pulling: %v", err)
			}
		})
	}
}

func TestTokensOpenWhatTheyAreFor(t *testing.T) {
	now := time.Now()
	for _, opaque := range []bool{false, true} {
		clock := now
		r := start(t, registrytest.Config{Login: registrytest.Bearer, OpaqueTokens: opaque, Now: func() time.Time { return clock }})
		image, err := r.Push(t.Context(), "team/app", "v1")
		if err != nil {
			t.Fatal(err)
		}
		if n := len(r.Requests()); n != 0 {
			t.Errorf("the push left %d requests in the record", n)
		}
		token := r.Token("repository:team/app:pull")
		for _, tt := range []struct {
			what, url, authorization string
			want                     int
		}{
			{"without a token", image.ManifestURL, "", 401},
			{"the manifest", image.ManifestURL, "Bearer " + token, 200},
			{"the layer", image.LayerURL, "Bearer " + token, 200},
			{"the login check", r.URL + "/v2/", "Bearer " + token, 200},
			{"another repository", r.URL + "/v2/team/other/manifests/v1", "Bearer " + token, 401},
			{"a longer name", r.URL + "/v2/team/app/more/manifests/v1", "Bearer " + token, 401},
			{"an upload", r.URL + "/v2/team/app/blobs/uploads/1", "Bearer " + token, 401},
			{"the catalog", r.URL + "/v2/_catalog", "Bearer " + token, 401},
			{"a catalog token", r.URL + "/v2/_catalog", "Bearer " + r.Token("registry:catalog:*"), 200},
			{"an altered token", image.ManifestURL, "Bearer " + token + "x", 401},
			{"a password", image.ManifestURL, "Basic YWxpY2U6d29uZGVybGFuZA==", 401},
		} {
			if got := get(t, r, tt.url, tt.authorization); got != tt.want {
				t.Errorf("%s (opaque %v): %d, want %d", tt.what, opaque, got, tt.want)
			}
		}
		clock = clock.Add(6 * time.Minute)
		if got := get(t, r, image.ManifestURL, "Bearer "+token); got != 401 {
			t.Errorf("an expired token (opaque %v): %d, want 401", opaque, got)
		}
	}
}

func TestTokenServer(t *testing.T) {
	r := start(t, registrytest.Config{Login: registrytest.Bearer, OwnTokenServer: true})
	if strings.HasPrefix(r.Realm, r.URL) {
		t.Fatalf("the realm %s is on the registry's own listener", r.Realm)
	}
	post := func(form url.Values) (int, string) {
		resp, err := r.Client().PostForm(r.Realm, form)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var answer struct{ Token, Error string }
		if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, answer.Token + answer.Error
	}
	identity := r.IdentityToken("alice")
	for what, tt := range map[string]struct {
		form   url.Values
		status int
		text   string // of the error
	}{
		"identity token": {url.Values{"grant_type": {"refresh_token"}, "refresh_token": {identity}, "scope": {"repository:a:pull"}}, 200, ""},
		"another's":      {url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}}, 400, "invalid_grant"},
		"password":       {url.Values{"grant_type": {"password"}, "username": {"alice"}, "password": {"wonderland"}}, 200, ""},
		"wrong password": {url.Values{"grant_type": {"password"}, "username": {"alice"}, "password": {"x"}}, 400, "invalid_grant"},
		"unknown grant":  {url.Values{"grant_type": {"x"}}, 400, "unsupported_grant_type"},
	} {
		status, text := post(tt.form)
		if status != tt.status || tt.text != "" && text != tt.text {
			t.Errorf("%s: %d %q, want %d %q", what, status, text, tt.status, tt.text)
		}
	}
	if got := get(t, r, r.Realm, ""); got != 401 {
		t.Errorf("without a login: %d, want 401", got)
	}
	if got := r.Exchanges(); got != 6 {
		t.Errorf("%d exchanges in the record, want 6", got)
	}
	for _, q := range r.Requests() {
		if q.Form.Get("refresh_token") == identity {
			return
		}
	}
	t.Error("the record lacks the identity token that was sent")
}

func TestPublic(t *testing.T) {
	r := start(t, registrytest.Config{Login: registrytest.Bearer, Public: true})
	resp, err := r.Client().Get(r.Realm + "?scope=repository:team/app:pull,push")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct{ Token string }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	image, err := r.Push(t.Context(), "team/app", "v1")
	if err != nil {
		t.Fatal(err)
	}
	if got := get(t, r, image.ManifestURL, "Bearer "+answer.Token); got != 200 {
		t.Errorf("pulling with a token that nobody logged in for: %d, want 200", got)
	}
	if got := get(t, r, r.URL+"/v2/team/app/blobs/uploads/", "Bearer "+answer.Token); got != 401 {
		t.Errorf("pushing with a token that nobody logged in for: %d, want 401", got)
	}
}
