package oci_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/internal/httpclient"
	"github.com/fe055d52/credential-helper/internal/registrytest"
)

// forUser replaces what differs from run to run in a text.
func forUser(r *registrytest.Registry, text string) string {
	return strings.NewReplacer(r.Host, "HOST", strings.TrimSuffix(strings.TrimPrefix(r.Realm, "http://"), "/token"), "AUTH").Replace(text)
}

func TestBadPing(t *testing.T) {
	const asking = "asking http://HOST/v2/ how to log in: "
	for _, tt := range []struct {
		name string
		ping http.HandlerFunc
		want string
	}{
		{"301", registrytest.Redirect(301, "https://new.example.com/v2/?sig=canary"), asking + "301 Moved Permanently to https://new.example.com; a login check is not followed there\nhint: if the registry lives there, use https://new.example.com for its URLs"},
		{"307 to itself", registrytest.Redirect(307, "/login?x=canary"), asking + "307 Temporary Redirect to another path of the same host\nhint: is HOST an OCI registry?"},
		{"302 to nowhere", registrytest.Status(302, ""), asking + "302 Found without a usable location"},
		{"204", registrytest.Status(204, ""), asking + "204 No Content\nhint: a registry answers 200 or 401 here; is HOST an OCI registry?"},
		{"401 without a challenge", registrytest.Status(401, ""), asking + "401 Unauthorized without a challenge that could be read (WWW-Authenticate)\nhint: is HOST an OCI registry? if not, give its URLs a rule with another helper"},
		{"401 with a broken challenge", registrytest.Status(401, "", "WWW-Authenticate", `"`), asking + "401 Unauthorized without a challenge that could be read (WWW-Authenticate)\nhint: is HOST an OCI registry? if not, give its URLs a rule with another helper"},
		{"403", registrytest.Status(403, `{"errors":[{"code":"DENIED","message":"not from here"}]}`), asking + "403 Forbidden: DENIED: not from here\nhint: HOST refuses this machine before any login; is a VPN, a proxy or an allowed address needed?"},
		{"404", registrytest.HTML(404), asking + "404 Not Found, with a web page (HTML) as its body\nhint: is HOST an OCI registry? it has no /v2/"},
		{"429", registrytest.Status(429, "", "Retry-After", "120"), asking + "429 Too Many Requests\nhint: try again in 120 s"},
		{"500", registrytest.Status(500, "out of cheese", "Content-Type", "text/plain; charset=utf-8"), asking + "500 Internal Server Error: out of cheese\nhint: the registry is in trouble; try again later"},
		{"503", registrytest.Status(503, "{", "Retry-After", "Fri, 01 May 2026 12:00:00 GMT"), asking + "503 Service Unavailable\nhint: the registry is in trouble; try again after Fri, 01 May 2026 12:00:00 GMT"},
		{"599", registrytest.Status(599, ""), asking + "status 599\nhint: the registry is in trouble; try again later"},
		{"closed connection", registrytest.Hangup(), asking + "the server closed the connection before its answer was complete (EOF)\nhint: try again; if it stays so, look for a proxy between here and HOST"},
		{"Bearer without a realm", registrytest.Status(401, "", "WWW-Authenticate", `Bearer service="x"`), "the registry HOST asks for a Bearer token and names no token endpoint (no realm in its challenge)\nhint: the registry's administrator has to set the realm of its token authentication"},
		{"unknown schemes", registrytest.Status(401, "", "WWW-Authenticate", `Negotiate, NTLM, Negotiate abc=, Digest realm="Bearer"`), "the registry HOST offers no login that is known: it wants negotiate, ntlm, digest\nhint: known are Bearer and Basic"},
		{"foreign realm", registrytest.Status(401, "", "WWW-Authenticate", `Bearer realm="https://evil.test/token?x=canary"`), "the registry HOST names the token endpoint https://evil.test/token?…, which belongs to another domain; no login is sent there\nhint: if that server may see this registry's login, add \"realms\": [\"evil.test\"] to the rule's config"},
		{"foreign realm beside Basic", registrytest.Status(401, "", "WWW-Authenticate", `Basic realm="r", Bearer realm="https://evil.test/token"`), "the registry HOST names the token endpoint https://evil.test/token, which belongs to another domain; no login is sent there\nhint: if that server may see this registry's login, add \"realms\": [\"evil.test\"] to the rule's config"},
		{"http realm", registrytest.Status(401, "", "WWW-Authenticate", `Bearer realm="http://auth.example.com/token"`), "the registry HOST names the token endpoint http://auth.example.com/token, which is not encrypted; no login is sent there\nhint: the registry's administrator has to name an https: realm; for a registry that is asked over http:, set \"allow_http\": true"},
		{"link-local realm", registrytest.Status(401, "", "WWW-Authenticate", `Bearer realm="http://169.254.169.254/token"`), "the registry HOST names the token endpoint http://169.254.169.254/token, which is a link-local, multicast, unspecified or metadata address; no login is sent there\nhint: the registry's administrator has to set the realm of its token authentication"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := start(t, registrytest.Config{Login: registrytest.Bearer})
			r.SetPing(tt.ping)
			_, err := answer(t.Context(), t, machine{vars: alice}.helper(t, passwordChain), r.URL+"/v2/a/tags/list")
			if got := forUser(r, told(err)); got != tt.want {
				t.Errorf("error:\n got %s\nwant %s", got, tt.want)
			}
			for _, q := range r.Requests() {
				if q.Scheme != "" {
					t.Errorf("the credential was sent to %s", q.Path)
				}
			}
		})
	}
}

func TestBearerWithoutRealmBesideBasic(t *testing.T) {
	r := start(t, registrytest.Config{Login: registrytest.Basic})
	r.SetChallenges("Bearer", `Basic realm="r"`)
	resp, err := answer(t.Context(), t, machine{vars: alice}.helper(t, passwordChain), r.URL+"/v2/a/tags/list")
	if err != nil || shown(resp)["Authorization"] != "Basic "+base64Of("alice:wonderland") {
		t.Errorf("got %v, %v; want Basic", shown(resp), err)
	}
}

func TestBadToken(t *testing.T) {
	const (
		asking = "asking http://AUTH/token for a token for repository:a:pull"
		login  = asking + " with the login from $PASSWORD: "
	)
	for _, tt := range []struct {
		name  string
		token http.HandlerFunc
		want  string
	}{
		{"400", registrytest.Status(400, `{"error":"invalid_scope","error_description":"no such scope"}`), login + "400 Bad Request: invalid_scope: no such scope\nhint: the token endpoint does not take the request; try \"token_exchange_method\": \"oauth2\" or \"basic\" in the rule's config"},
		{"401", registrytest.Status(401, `{"details":"incorrect username or password"}`), login + "401 Unauthorized: incorrect username or password\nhint: put a valid login for HOST into $PASSWORD"},
		{"401 that quotes the request", registrytest.Status(401, `{"message":"alice:wonderland and `+base64Of("alice:wonderland")+` are no login"}`), login + "401 Unauthorized: alice:[redacted] and [redacted] are no login\nhint: put a valid login for HOST into $PASSWORD"},
		{"403", registrytest.Status(403, `{"errors":[{"code":"DENIED","message":"no access"},{"code":"X"},{"message":"Y\r\nZ"}]}`), login + "403 Forbidden: DENIED: no access; X; Y Z\nhint: may this user read the repository? if so, put a valid login for HOST into $PASSWORD"},
		{"404", registrytest.HTML(404), login + "404 Not Found, with a web page (HTML) as its body\nhint: the registry HOST names a token endpoint that does not serve tokens; does a proxy stand before it?"},
		{"405", registrytest.Status(405, ""), login + "405 Method Not Allowed\nhint: the registry HOST names a token endpoint that does not serve tokens; does a proxy stand before it?"},
		{"429", registrytest.Status(429, `{"message":"slow down"}`, "Retry-After", "30"), login + "429 Too Many Requests: slow down\nhint: try again in 30 s"},
		{"500", registrytest.Status(500, `{"errors":"x","error":{"code":1}}`), login + "500 Internal Server Error\nhint: the token server is in trouble; try again later"},
		{"204", registrytest.Status(204, ""), login + "204 No Content\nhint: this is no answer that a token endpoint gives; does a proxy stand before it?"},
		{"HTML", registrytest.HTML(200), asking + ": the answer is a web page (HTML), not a token\nhint: does a proxy or a sign-in page stand before the token endpoint?"},
		{"not JSON", registrytest.Status(200, `token=x`), asking + ": the answer is not valid JSON"},
		{"empty", registrytest.Status(200, ""), asking + ": the answer is not valid JSON"},
		{"an array", registrytest.Status(200, `["token"]`), asking + `: the answer holds no token (neither "token" nor "access_token")`},
		{"no token", registrytest.Status(200, `{"expires_in":300}`), asking + `: the answer holds no token (neither "token" nor "access_token")`},
		{"a token of another type", registrytest.Status(200, `{"token":7}`), asking + `: the answer holds no token (neither "token" nor "access_token")`},
		{"an error with 200", registrytest.Status(200, `{"error":"nope"}`), asking + `: the answer holds no token, but this: nope`},
		{"a token with a line break", registrytest.Status(200, `{"token":"canary\r\nX-Evil: 1"}`), asking + ": the answer's token has characters that a header must not have (a line break?)"},
		{"a token with a space", registrytest.Status(200, `{"token":"canary token"}`), asking + ": the answer's token has characters that a header must not have (a line break?)"},
		{"a token that no server takes", registrytest.Status(200, `{"token":"`+strings.Repeat("x", 1<<19)+`"}`), asking + ": the answer's token is too long for a header (524288 bytes)"},
		{"deeply nested", registrytest.Status(200, strings.Repeat("[", httpclient.MaxBody)), asking + ": the answer is not valid JSON"},
		{"deeply nested in an error", registrytest.Status(403, strings.Repeat("[", 64<<10)), login + "403 Forbidden\nhint: may this user read the repository? if so, put a valid login for HOST into $PASSWORD"},
		{"100 MB", registrytest.Huge(100<<20, true), asking + ": the response is larger than 1048576 bytes"},
		{"100 MB, chunked", registrytest.Huge(100<<20, false), asking + ": the response is larger than 1048576 bytes"},
		{"truncated", registrytest.Truncated(`{"token":"can`), asking + ": the server closed the connection before its answer was complete (unexpected EOF)\nhint: try again; if it stays so, look for a proxy between here and AUTH"},
		{"closed connection", registrytest.Hangup(), asking + ": the server closed the connection before its answer was complete (EOF)\nhint: try again; if it stays so, look for a proxy between here and AUTH"},
		{"cross-origin redirect", registrytest.Redirect(307, "https://evil.test/token?x=canary"), asking + ": http://AUTH redirects (307) to another server, https://evil.test; no credential is sent there\nhint: if the registry's token endpoint is at https://evil.test now, the registry has to name it so in its challenge"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := start(t, registrytest.Config{Login: registrytest.Bearer, OwnTokenServer: true})
			r.SetToken(tt.token)
			resp, err := answer(t.Context(), t, machine{vars: alice}.helper(t, passwordChain), r.URL+"/v2/a/tags/list")
			if got := forUser(r, told(err)); got != tt.want {
				t.Errorf("error:\n got %s\nwant %s", got, tt.want)
			}
			if !resp.Empty() {
				t.Error("an error comes with headers")
			}
		})
	}
}

// TestRefusedLogin holds what is said to those with another login than a password from the environment.
func TestRefusedLogin(t *testing.T) {
	const asking = "asking http://HOST/token for a token for repository:a:pull "
	invalidGrant := registrytest.Status(400, `{"error":"invalid_grant","error_description":"it was revoked"}`)
	identity := map[string]string{"USER_NAME": "<token>", "PASSWORD": "canary-identity"}
	for _, tt := range []struct {
		name, config, docker string
		vars                 map[string]string
		token                http.HandlerFunc
		want                 string
		exchanges            int
	}{
		{
			name: "nobody", config: `{}`, exchanges: 1,
			want: asking + "without a login: 401 Unauthorized: UNAUTHORIZED: incorrect username or password\nhint: log in: docker login HOST",
		},
		{
			name: "nobody, 403", config: `{}`, exchanges: 1, token: registrytest.Status(403, ""),
			want: asking + "without a login: 403 Forbidden\nhint: log in: docker login HOST",
		},
		{
			name: "docker", config: `{}`, docker: `{"auths": {"HOST": {"auth": "YTpi"}}}`, exchanges: 1,
			want: asking + "with the login from docker's logins (~/.docker/config.json): 401 Unauthorized: UNAUTHORIZED: incorrect username or password\nhint: log in again: docker login HOST",
		},
		{
			name: "identity token", config: passwordChain, vars: identity, token: invalidGrant, exchanges: 1,
			want: asking + "with the login from $PASSWORD: 400 Bad Request: invalid_grant: it was revoked\nhint: put a valid login for HOST into $PASSWORD",
		},
		{
			name: "identity token, and GET fails too", config: passwordChain, vars: identity, exchanges: 2,
			token: func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost {
					registrytest.HTML(405)(w, r)
					return
				}
				registrytest.Status(401, `{"message":"who?"}`)(w, r)
			},
			want: asking + "with the login from $PASSWORD: 401 Unauthorized: who? (and before that, to a POST, 405 Method Not Allowed, with a web page (HTML) as its body)\nhint: put a valid login for HOST into $PASSWORD",
		},
		{
			name: "identity token that the server quotes", config: passwordChain, vars: identity, exchanges: 1,
			token: registrytest.Status(500, `{"message":"cannot read refresh_token canary-identity"}`),
			want:  asking + "with the login from $PASSWORD: 500 Internal Server Error: cannot read refresh_token [redacted]\nhint: the token server is in trouble; try again later",
		},
		{
			name: "a method that the rule chose", config: `{"token_exchange_method": "basic", ` + passwordChain[1:], vars: alice, exchanges: 1, token: registrytest.Status(400, ""),
			want: asking + "with the login from $PASSWORD: 400 Bad Request\nhint: the token endpoint does not take the request; try without \"token_exchange_method\" in the rule's config",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := start(t, registrytest.Config{Login: registrytest.Bearer})
			r.SetToken(tt.token)
			m := machine{vars: tt.vars, docker: strings.ReplaceAll(tt.docker, "HOST", r.Host)}
			_, err := answer(t.Context(), t, m.helper(t, tt.config), r.URL+"/v2/a/tags/list")
			if got := strings.ReplaceAll(told(err), r.Host, "HOST"); got != tt.want {
				t.Errorf("error:\n got %s\nwant %s", got, tt.want)
			}
			if got := r.Exchanges(); got != tt.exchanges {
				t.Errorf("%d exchanges, want %d", got, tt.exchanges)
			}
		})
	}
}

func TestIdentityTokenAtBasic(t *testing.T) {
	r := start(t, registrytest.Config{Login: registrytest.Basic})
	m := machine{vars: map[string]string{"USER_NAME": "<token>", "PASSWORD": "canary"}}
	_, err := answer(t.Context(), t, m.helper(t, passwordChain), r.URL+"/v2/a/tags/list")
	want := "the registry HOST wants a user name and a password (Basic), and $PASSWORD has an identity token, which only a token endpoint takes\n" +
		"hint: log in with a password or an access token: docker login HOST"
	if got := forUser(r, told(err)); got != want {
		t.Errorf("error:\n got %s\nwant %s", got, want)
	}
}

// TestTime: whatever hangs ends with the context.
func TestTime(t *testing.T) {
	const hint = "\nhint: is HOST reachable from here (network, VPN, HTTPS_PROXY)? CREDENTIAL_HELPER_TIMEOUT=30s would give it more time"
	for _, tt := range []struct {
		name        string
		ping, token http.HandlerFunc
		want        string
	}{
		{"login check", registrytest.Hang(), nil, "asking http://HOST/v2/ how to log in: no answer in time: the budget is spent"},
		{"token", nil, registrytest.Hang(), "asking http://HOST/token for a token for repository:a:pull: no answer in time: the budget is spent"},
		{"slow drip", nil, registrytest.Drip(time.Millisecond), "asking http://HOST/token for a token for repository:a:pull: no answer in time: the budget is spent"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := start(t, registrytest.Config{Login: registrytest.Bearer})
			r.SetPing(tt.ping)
			r.SetToken(tt.token)
			ctx, cancel := context.WithTimeoutCause(t.Context(), 200*time.Millisecond, errors.New("the budget is spent"))
			defer cancel()
			begin := time.Now()
			_, err := answer(ctx, t, machine{vars: alice}.helper(t, passwordChain), r.URL+"/v2/a/tags/list")
			if got := forUser(r, told(err)); got != tt.want+hint {
				t.Errorf("error:\n got %s\nwant %s", got, tt.want+hint)
			}
			if took := time.Since(begin); took > 2*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	secure := start(t, registrytest.Config{Login: registrytest.Bearer, TLS: true})
	plain := start(t, registrytest.Config{Login: registrytest.Bearer})
	noName := httpclient.New("test")
	noName.Transport = &http.Transport{DialContext: (&net.Dialer{Resolver: &net.Resolver{
		PreferGo: true,
		Dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
		},
	}}).DialContext}
	behindProxy := httpclient.New("test")
	behindProxy.Transport = &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: closed})}
	for _, tt := range []struct {
		name, origin string
		client       *http.Client
		want, hint   string // want is part of the error
	}{
		{"link-local address", "https://169.254.1.1", nil, "the address is 169.254.1.1: no credential is sent to a link-local, multicast or metadata address", "such addresses answer for this machine or this network; is the host 169.254.1.1 spelled right, and what do DNS and the hosts file make of it?"},
		{"refused", "http://" + closed, nil, "refused", "is a server running at " + closed + ", and is its port right?"},
		{"proxy that refuses", "https://r.test", behindProxy, "connecting to the proxy: connecting to 127.0.0.1:", "that is the proxy which HTTPS_PROXY or HTTP_PROXY names; if r.test needs none, add it to NO_PROXY"},
		{"untrusted certificate", secure.URL, nil, "certificate", "if you trust " + secure.Host + ", add the certificate of its authority to the system's store, or (not on macOS and Windows) name its PEM file: export SSL_CERT_FILE=FILE"},
		{"plain HTTP", "https://" + plain.Host, nil, "HTTP response to HTTPS client", plain.Host + ` speaks plain HTTP; if that is meant to be, write http:// and set "allow_http": true in the rule's config`},
		{"no such name", "https://r.test", noName, "no such host", "is the host r.test spelled right, and does it need a VPN or HTTPS_PROXY?"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := answer(t.Context(), t, machine{vars: alice, client: tt.client}.helper(t, passwordChain), tt.origin+"/v2/a/tags/list")
			text, hint, _ := strings.Cut(told(err), "\nhint: ")
			if !strings.HasPrefix(text, "asking "+tt.origin+"/v2/ how to log in: ") || !strings.Contains(text, tt.want) || hint != tt.hint {
				t.Errorf("error:\n got %s\nwant %q in it, and the hint %s", told(err), tt.want, tt.hint)
			}
		})
	}
}
