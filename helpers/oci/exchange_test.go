package oci_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/httpclient"
	"github.com/fe055d52/credential-helper/internal/registrytest"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// status fetches a URL with exactly the headers of a response.
func status(t *testing.T, client *http.Client, url string, r helpers.Response) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range r.Headers {
		for _, v := range values {
			req.Header.Add(name, v.Reveal())
		}
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// TestPull is the main job: an image that an independent client pushed is fetched with exactly our headers.
func TestPull(t *testing.T) {
	for what, config := range map[string]registrytest.Config{
		"basic":              {Login: registrytest.Basic},
		"bearer":             {Login: registrytest.Bearer},
		"bearer, opaque":     {Login: registrytest.Bearer, OpaqueTokens: true},
		"bearer, TLS":        {Login: registrytest.Bearer, TLS: true},
		"token server apart": {Login: registrytest.Bearer, TLS: true, OwnTokenServer: true},
	} {
		t.Run(what, func(t *testing.T) {
			r := start(t, config)
			image, err := r.NewImage("team/app", "v1")
			if err != nil {
				t.Fatal(err)
			}
			if config.OwnTokenServer {
				// The independent client takes no realm on another loopback port.
				image, err = r.Push(t.Context(), "team/app", "v1")
			} else {
				var tag name.Tag
				if tag, err = name.NewTag(r.Host + "/team/app:v1"); err != nil {
					t.Fatal(err)
				}
				err = remote.Write(tag, image.Image, remote.WithContext(t.Context()), remote.WithTransport(r.Client().Transport),
					remote.WithAuth(&authn.Basic{Username: "alice", Password: "wonderland"}))
			}
			if err != nil {
				t.Fatal(err)
			}
			r.Forget()

			h := machine{vars: alice, client: r.Client()}.helper(t, passwordChain)
			for _, at := range []string{image.ManifestURL, image.LayerURL} {
				resp, err := answer(t.Context(), t, h, at)
				if err != nil {
					t.Fatal(told(err))
				}
				if got := status(t, r.Client(), at, resp); got != http.StatusOK {
					t.Errorf("%s: %d with our headers, want 200", at, got)
				}
				if got := status(t, r.Client(), at, helpers.Response{}); got != http.StatusUnauthorized {
					t.Errorf("%s: %d without headers, want 401", at, got)
				}
				if other := strings.Replace(at, "team/app", "team/other", 1); config.Login == registrytest.Bearer {
					if got := status(t, r.Client(), other, resp); got != http.StatusUnauthorized {
						t.Errorf("%s: %d with the headers for another repository, want 401", other, got)
					}
				}
				headers := shown(resp)
				if len(headers) != 3 || headers["Docker-Distribution-API-Version"] != "registry/2.0" || !strings.HasPrefix(headers["Accept"], "application/vnd.oci.image.index.v1+json, ") || len(resp.Headers["Accept"]) != 1 {
					t.Errorf("headers %v", headers)
				}
				if resp.Expires.IsZero() != (config.Login == registrytest.Basic) {
					t.Errorf("expires at %v", resp.Expires)
				}
			}
			for _, q := range r.Requests() {
				if q.Path == "/v2/" && q.Scheme != "" {
					t.Errorf("the login check carried a %s credential", q.Scheme)
				}
			}
		})
	}
}

func TestOpenRegistry(t *testing.T) {
	r := start(t, registrytest.Config{})
	resp, err := answer(t.Context(), t, machine{vars: alice}.helper(t, passwordChain), r.URL+"/v2/a/tags/list")
	if err != nil || !resp.Empty() || !resp.Expires.IsZero() {
		t.Errorf("got %v until %v, %v; want nothing", shown(resp), resp.Expires, err)
	}
	if n := len(r.Requests()); n != 1 {
		t.Errorf("%d requests, want the login check alone", n)
	}
}

func TestAnonymous(t *testing.T) {
	public := start(t, registrytest.Config{Login: registrytest.Bearer, Public: true})
	image, err := public.Push(t.Context(), "team/app", "v1")
	if err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"auto", "oauth2", "basic"} {
		h := machine{}.helper(t, fmt.Sprintf(`{"token_exchange_method": %q}`, method))
		resp, err := answer(t.Context(), t, h, image.ManifestURL)
		if err != nil {
			t.Fatal(told(err))
		}
		if got := status(t, public.Client(), image.ManifestURL, resp); got != http.StatusOK {
			t.Errorf("%s: %d with an anonymous token, want 200", method, got)
		}
	}
	// Who is not logged in has nothing to answer Basic with.
	basic := start(t, registrytest.Config{Login: registrytest.Basic})
	if resp, err := answer(t.Context(), t, machine{}.helper(t, `{}`), basic.URL+"/v2/a/tags/list"); err != nil || !resp.Empty() {
		t.Errorf("Basic without a login: %v, %v; want nothing", shown(resp), err)
	}
}

// TestRequest holds what arrives at the token endpoint.
func TestRequest(t *testing.T) {
	const identityChain = `"lookup_chain": [{"source": "env", "name": "IDENTITY", "binding": "identitytoken"}]`
	const chain = `"lookup_chain": [{"source": "env", "name": "USER_NAME", "binding": "username"}, {"source": "env", "name": "PASSWORD", "binding": "password"}]`
	const service = registrytest.Service
	type sent = registrytest.Request
	pull := []string{"repository:a/b:pull"}
	var r *registrytest.Registry
	for _, tt := range []struct {
		name, path, config string
		identity           bool
		config2            registrytest.Config
		challenge          string // %s is the realm
		want               []sent // IDENTITY stands for the identity token
	}{
		{
			name: "password", path: "/v2/a/b/manifests/v1", config: chain,
			want: []sent{{Method: "GET", Query: url.Values{"service": {service}, "scope": pull}, Scheme: "Basic", User: "alice", Secret: "wonderland"}},
		},
		{
			name: "login check", path: "/v2/", config: chain,
			want: []sent{{Method: "GET", Query: url.Values{"service": {service}}, Scheme: "Basic", User: "alice", Secret: "wonderland"}},
		},
		{
			name: "catalog", path: "/v2/_catalog", config: chain,
			want: []sent{{Method: "GET", Query: url.Values{"service": {service}, "scope": {"registry:catalog:*"}}, Scheme: "Basic", User: "alice", Secret: "wonderland"}},
		},
		{
			name: "mount", path: "/v2/a/b/blobs/uploads/?mount=sha256:abc&from=c", config: chain,
			want: []sent{{Method: "GET", Query: url.Values{"service": {service}, "scope": {"repository:a/b:pull,push", "repository:c:pull"}}, Scheme: "Basic", User: "alice", Secret: "wonderland"}},
		},
		{
			name: "no service", path: "/v2/a/b/manifests/v1", config: chain, challenge: `Bearer realm="%s"`,
			want: []sent{{Method: "GET", Query: url.Values{"scope": pull}, Scheme: "Basic", User: "alice", Secret: "wonderland"}},
		},
		{
			name: "realm with a query", path: "/v2/a/b/manifests/v1", config: chain, challenge: `bearer service=x,realm="%s?account=me&x=%%20y"`,
			want: []sent{{Method: "GET", Query: url.Values{"account": {"me"}, "x": {" y"}, "service": {"x"}, "scope": pull}, Scheme: "Basic", User: "alice", Secret: "wonderland"}},
		},
		{
			name: "three schemes in one header", path: "/v2/a/b/manifests/v1", config: chain, challenge: `Negotiate, Basic realm="r", Bearer realm="%s"`,
			want: []sent{{Method: "GET", Query: url.Values{"scope": pull}, Scheme: "Basic", User: "alice", Secret: "wonderland"}},
		},
		{
			name: "identity token", path: "/v2/a/b/manifests/v1", config: identityChain, identity: true,
			want: []sent{{Method: "POST", Query: url.Values{}, Form: url.Values{
				"grant_type": {"refresh_token"}, "service": {service}, "client_id": {"credential-helper"}, "scope": pull, "refresh_token": {"IDENTITY"},
			}}},
		},
		{
			name: "identity token, several scopes", path: "/v2/a/b/blobs/uploads/?mount=sha256:abc&from=c", config: identityChain, identity: true,
			want: []sent{{Method: "POST", Query: url.Values{}, Form: url.Values{
				"grant_type": {"refresh_token"}, "service": {service}, "client_id": {"credential-helper"}, "scope": {"repository:a/b:pull,push repository:c:pull"}, "refresh_token": {"IDENTITY"},
			}}},
		},
		{
			name: "identity token, by GET", path: "/v2/a/b/manifests/v1", config: `"token_exchange_method": "basic", ` + identityChain, identity: true,
			want: []sent{{Method: "GET", Query: url.Values{"service": {service}, "scope": pull}, Scheme: "Basic", User: "<token>", Secret: "IDENTITY"}},
		},
		{
			name: "password, by POST", path: "/v2/a/b/manifests/v1", config: `"token_exchange_method": "oauth2", ` + chain,
			want: []sent{{Method: "POST", Query: url.Values{}, Form: url.Values{
				"grant_type": {"password"}, "service": {service}, "client_id": {"credential-helper"}, "scope": pull, "username": {"alice"}, "password": {"wonderland"},
			}}},
		},
		{
			name: "password, by POST that is unknown", path: "/v2/a/b/manifests/v1", config: `"token_exchange_method": "oauth2", ` + chain, config2: registrytest.Config{PostStatus: 404},
			want: []sent{
				{Method: "POST", Query: url.Values{}, Form: url.Values{
					"grant_type": {"password"}, "service": {service}, "client_id": {"credential-helper"}, "scope": pull, "username": {"alice"}, "password": {"wonderland"},
				}},
				{Method: "GET", Query: url.Values{"service": {service}, "scope": pull}, Scheme: "Basic", User: "alice", Secret: "wonderland"},
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.config2.Login = registrytest.Bearer
			r = start(t, tt.config2)
			if tt.challenge != "" {
				r.SetChallenges(fmt.Sprintf(tt.challenge, r.Realm))
			}
			vars := map[string]string{"USER_NAME": "alice", "PASSWORD": "wonderland"}
			if tt.identity {
				vars["IDENTITY"] = r.IdentityToken("alice")
			}
			if _, err := answer(t.Context(), t, machine{vars: vars}.helper(t, "{"+tt.config+"}"), r.URL+tt.path); err != nil {
				t.Fatal(told(err))
			}
			var got []sent
			for _, q := range r.Requests()[1:] {
				q.Host, q.Path = "", ""
				if q.Secret == vars["IDENTITY"] && tt.identity {
					q.Secret = "IDENTITY"
				}
				if q.Form.Get("refresh_token") == vars["IDENTITY"] && tt.identity {
					q.Form.Set("refresh_token", "IDENTITY")
				}
				got = append(got, q)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

// TestPostFallsBack: servers that do not know the POST say so in many ways.
func TestPostFallsBack(t *testing.T) {
	for _, code := range []int{400, 401, 403, 404, 405, 415, 501} {
		r := start(t, registrytest.Config{Login: registrytest.Bearer, PostStatus: code})
		m := machine{vars: map[string]string{"USER_NAME": "<token>", "PASSWORD": r.IdentityToken("alice")}}
		if _, err := answer(t.Context(), t, m.helper(t, passwordChain), r.URL+"/v2/a/tags/list"); err != nil {
			t.Errorf("after %d: %s", code, told(err))
		}
		if got := r.Exchanges(); got != 2 {
			t.Errorf("after %d: %d exchanges, want 2", code, got)
		}
	}
	for _, code := range []int{409, 429, 500, 503} {
		r := start(t, registrytest.Config{Login: registrytest.Bearer, PostStatus: code})
		m := machine{vars: map[string]string{"USER_NAME": "<token>", "PASSWORD": r.IdentityToken("alice")}}
		if _, err := answer(t.Context(), t, m.helper(t, passwordChain), r.URL+"/v2/a/tags/list"); err == nil || r.Exchanges() != 1 {
			t.Errorf("after %d: error %v and %d exchanges, want an error and 1", code, err, r.Exchanges())
		}
	}
}

// TestExpiry: a token's life is counted from before its request left, by our clock.
func TestExpiry(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	life := func(d time.Duration) time.Time { return now.Add(d) }
	for _, tt := range []struct {
		name, body string
		want       time.Time
	}{
		{"seconds", `{"token":"t","expires_in":300}`, life(5 * time.Minute)},
		{"access_token", `{"access_token":"t","expires_in":300}`, life(5 * time.Minute)},
		{"both", `{"token":"t","access_token":"other","expires_in":300}`, life(5 * time.Minute)},
		{"empty token beside access_token", `{"token":"","access_token":"t","expires_in":300}`, life(5 * time.Minute)},
		{"in a string", `{"token":"t","expires_in":"300"}`, life(5 * time.Minute)},
		{"fractional", `{"token":"t","expires_in":1.5}`, life(1500 * time.Millisecond)},
		{"issued_at is a lie", `{"token":"t","expires_in":300,"issued_at":"2001-01-01T00:00:00Z"}`, life(5 * time.Minute)},
		{"missing", `{"token":"t"}`, life(time.Minute)},
		{"null", `{"token":"t","expires_in":null}`, life(time.Minute)},
		{"zero", `{"token":"t","expires_in":0}`, life(time.Minute)},
		{"negative", `{"token":"t","expires_in":-300}`, life(time.Minute)},
		{"no number", `{"token":"t","expires_in":"soon"}`, life(time.Minute)},
		{"not a number", `{"token":"t","expires_in":"NaN"}`, life(time.Minute)},
		{"absurd", `{"token":"t","expires_in":1e300}`, life(30 * 24 * time.Hour)},
		{"infinite", `{"token":"t","expires_in":"Inf"}`, life(30 * 24 * time.Hour)},
		{"too large for a number", `{"token":"t","expires_in":"1e400"}`, life(30 * 24 * time.Hour)},
		{"JWT", `{"token":"` + jwt(`{"iat":1000,"exp":4600}`) + `"}`, life(time.Hour)},
		{"JWT, and expires_in", `{"token":"` + jwt(`{"iat":1000,"exp":4600}`) + `","expires_in":60}`, life(time.Minute)},
		{"JWT, made before", `{"token":"` + jwt(`{"iat":1777633300,"exp":1777636900}`) + `"}`, life(100 * time.Second)},
		{"JWT, made before, and expires_in", `{"token":"` + jwt(`{"iat":1777633300,"exp":1777636900}`) + `","expires_in":3600}`, life(100 * time.Second)},
		{"JWT without iat", `{"token":"` + jwt(`{"exp":1777640400}`) + `"}`, life(time.Hour)},
		{"JWT in the past", `{"token":"` + jwt(`{"exp":1000}`) + `"}`, life(time.Minute)},
		{"JWT that never ends", `{"token":"` + jwt(`{"iat":1,"exp":1099511627776}`) + `"}`, life(30 * 24 * time.Hour)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := start(t, registrytest.Config{Login: registrytest.Bearer})
			r.SetToken(registrytest.Status(200, tt.body))
			clock := now
			m := machine{vars: alice, now: func() time.Time {
				defer func() { clock = clock.Add(10 * time.Second) }()
				return clock
			}}
			resp, err := answer(t.Context(), t, m.helper(t, passwordChain), r.URL+"/v2/a/tags/list")
			if err != nil {
				t.Fatal(told(err))
			}
			if !resp.Expires.Equal(tt.want) {
				t.Errorf("expires at %v, want %v", resp.Expires, tt.want)
			}
			if got := shown(resp)["Authorization"]; got != "Bearer t" && !strings.HasPrefix(got, "Bearer eyJ") {
				t.Errorf("token %q", got)
			}
		})
	}
}

// TestDockerHub asks by each of its names, with a transport that brings every host to the registry of the test.
func TestDockerHub(t *testing.T) {
	r := start(t, registrytest.Config{Login: registrytest.Bearer, TLS: true})
	r.SetChallenges(`Bearer realm="https://auth.docker.io/token",service="registry.docker.io"`)
	for asked, pinged := range map[string]string{
		"docker.io": "registry-1.docker.io", "index.docker.io": "index.docker.io", "registry-1.docker.io": "registry-1.docker.io",
	} {
		r.Forget()
		m := machine{client: everyHostIs(r), docker: `{"auths": {"https://index.docker.io/v1/": {"auth": "` + base64Of("alice:wonderland") + `"}}}`}
		if _, err := answer(t.Context(), t, m.helper(t, `{}`), "https://"+asked+"/v2/library/alpine/manifests/3"); err != nil {
			t.Fatalf("%s: %s", asked, told(err))
		}
		var hosts []string
		for _, q := range r.Requests() {
			hosts = append(hosts, q.Host)
		}
		if want := []string{pinged, "auth.docker.io"}; !slices.Equal(hosts, want) {
			t.Errorf("%s: asked %v, want %v", asked, hosts, want)
		}
	}
}

// TestTrustedRealms: a rule may trust what no registry is trusted to say by itself.
func TestTrustedRealms(t *testing.T) {
	for _, tt := range []struct {
		name, registry, realm, config string
		allowHTTP, ok                 bool
	}{
		{"another domain", "https://r.test", "https://login.corp.test/token", `{`, false, false},
		{"another domain that is listed", "https://r.test", "https://login.corp.test/token", `{"realms": ["Login.corp.test"], `, false, true},
		{"another port than is listed", "https://r.test", "https://login.corp.test/token", `{"realms": ["login.corp.test:8443"], `, false, false},
		{"plain HTTP", "http://r.test", "http://r.test/token", `{`, false, false},
		{"plain HTTP that is allowed", "http://r.test", "http://r.test/token", `{`, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := start(t, registrytest.Config{Login: registrytest.Bearer, TLS: strings.HasPrefix(tt.registry, "https")})
			r.SetChallenges(`Bearer realm="` + tt.realm + `"`)
			m := machine{vars: alice, client: everyHostIs(r)}
			m.rule.AllowHTTP = tt.allowHTTP
			_, err := answer(t.Context(), t, m.helper(t, tt.config+passwordChain[1:]), tt.registry+"/v2/a/tags/list")
			if (err == nil) != tt.ok {
				t.Errorf("error %v, want one: %v", err, !tt.ok)
			}
			if sent := r.Exchanges() > 0; sent != tt.ok {
				t.Errorf("the login was sent: %v", sent)
			}
		})
	}
}

// everyHostIs returns a client that reaches r under every name, and takes every certificate.
func everyHostIs(r *registrytest.Registry) *http.Client {
	client := httpclient.New("test")
	client.Transport = &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, r.Host)
		},
	}
	return client
}
