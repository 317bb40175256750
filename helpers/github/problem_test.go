package github

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/githubtest"
	"github.com/fe055d52/credential-helper/internal/registrytest"
)

func mintBody(token string, expires time.Time) string {
	return fmt.Sprintf(`{"token": %q, "expires_at": %q}`, token, expires.UTC().Format(time.RFC3339))
}

func TestAppErrors(t *testing.T) {
	const (
		byID    = `{"app_id": 12345, "installation_id": 678}`
		byOwner = `{"app_id": 12345, "owner": "acme"}`
	)
	elsewhere := githubtest.New(t)
	minting := func(h http.HandlerFunc) func(*forge) { return func(f *forge) { f.server.SetMint(h) } }
	ahead := func(d time.Duration) func(*forge) {
		return func(f *forge) {
			server := f.now.Truncate(time.Second)
			f.server.SetClock(func() time.Time { return server })
			f.now = server.Add(d)
		}
	}
	now := time.Now()
	for _, tt := range []struct {
		name, config string
		spoil        func(*forge)
		want, hint   string
	}{
		{
			"unknown App", `{"app_id": 1, "installation_id": 678}`, nil,
			"for a token of the GitHub App 1, installation 678: 404 Not Found: Integration not found", `is "app_id" right (1), and is the App of this server?`,
		},
		{
			"unknown App, by owner", `{"app_id": 1, "owner": "acme"}`, nil,
			"for the installation of the GitHub App 1 at acme: 404 Not Found: Integration not found", `is "app_id" right (1)`,
		},
		{
			"another App's key", byID, func(f *forge) { f.vars[privateKeyVariable] = githubtest.PEM(githubtest.NewKey()) },
			"401 Unauthorized: A JSON web token could not be decoded", "is the key from $GITHUB_APP_PRIVATE_KEY one of the GitHub App 12345, and not deleted there?",
		},
		{
			"clock ahead", byID, ahead(12 * time.Minute),
			"401 Unauthorized: 'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued (this machine's clock is 12m0s ahead of the server's)",
			"set this machine's clock right (NTP)",
		},
		{
			"clock a little ahead", byID, ahead(90 * time.Second),
			"(this machine's clock is 1m30s ahead of the server's)", "set this machine's clock right (NTP)",
		},
		{
			"clock behind", byOwner, ahead(-time.Hour),
			"401 Unauthorized: 'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires (this machine's clock is 1h0m0s behind the server's)",
			"set this machine's clock right (NTP)",
		},
		{
			"unknown installation", `{"app_id": 12345, "installation_id": 999}`, nil,
			"installation 999: 404 Not Found", `is "installation_id" right, and is the App still installed?`,
		},
		{
			"not installed", `{"app_id": 12345, "owner": "eve"}`, nil,
			"the GitHub App 12345 is not installed at eve (http://127.0.0.1:", `is "eve" spelled right? an owner of it installs the App`,
		},
		{
			"gone between two requests", byOwner, minting(registrytest.Status(404, `{"message":"Not Found"}`)),
			"installation 678: 404 Not Found", "is the App still installed at acme?",
		},
		{
			"suspended", `{"app_id": 12345, "installation_id": 55}`, func(f *forge) {
				f.server.Install(githubtest.Installation{ID: 55, App: appID, Owner: "eve", Suspended: true})
			},
			"403 Forbidden: This installation has been suspended", "an owner of the account lifts that on the installation's page",
		},
		{
			"repository not granted", `{"app_id": 12345, "owner": "bob", "repositories": ["secret"]}`, nil,
			"422 Unprocessable Entity: There is at least one repository that does not exist or is not accessible to the parent installation", `compare "repositories" and "permissions" in the rule with the installation's page`,
		},
		{
			"permission not granted", `{"app_id": 12345, "owner": "acme", "permissions": {"contents": "write"}}`, nil,
			"422 Unprocessable Entity: The permissions requested are not granted to this installation", `compare "repositories" and "permissions"`,
		},
		{
			"forbidden otherwise", byID, minting(registrytest.Status(403, `{"message":"the organization has an IP allow list,\n and it's not there: token=abcdefgh"}`)),
			"403 Forbidden: the organization has an IP allow list, and it's not there: token=[redacted]", `compare "repositories"`,
		},
		{
			"rate limit", byID, minting(registrytest.Status(403, `{"message":"API rate limit exceeded"}`, "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "1700000000")),
			"403 Forbidden: API rate limit exceeded", "the rate limit is used up; try again at 22:13:20 UTC",
		},
		{
			"second rate limit", byID, minting(registrytest.Status(429, `{"message":"slow down"}`, "Retry-After", "17")),
			"429 Too Many Requests: slow down", "try again in 17 s",
		},
		{
			"server in trouble", byID, minting(registrytest.Status(502, `{"message":"Server Error"}`)),
			"502 Bad Gateway: Server Error", "the server is in trouble; try again later",
		},
		{
			"no status that there is", byID, minting(registrytest.Status(299, `{}`)),
			"status 299", "this is no answer that GitHub's API gives",
		},
		{
			"status with a web page", byID, minting(registrytest.HTML(503)),
			"503 Service Unavailable, with a web page (HTML) as its body", "the server is in trouble",
		},
		{
			"web page", byID, minting(registrytest.HTML(201)),
			"the answer is a web page (HTML)", "does a proxy or a sign-in page stand before 127.0.0.1:",
		},
		{"huge", byID, minting(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, `{"padding":"`+strings.Repeat("x", 2<<20)+`"}`)
		}), "the response is larger than 1048576 bytes", ""},
		{"not JSON", byID, minting(registrytest.Status(201, `{"token":`)), "the answer is not valid JSON", ""},
		{"an array", byID, minting(registrytest.Status(201, `["x"]`)), `the answer holds no "token"`, ""},
		{"token of another type", byID, minting(registrytest.Status(201, `{"token": 5}`)), `the answer holds no "token"`, ""},
		{"token empty", byID, minting(registrytest.Status(201, `{"token": ""}`)), `the answer holds no "token"`, ""},
		{"token that no server takes", byID, minting(registrytest.Status(201, mintBody("ghs_"+strings.Repeat("x", 1<<17), now.Add(time.Hour)))), "the answer's token is too long for a header (131076 bytes)", ""},
		{"deeply nested answer", byID, minting(registrytest.Status(201, strings.Repeat("[", 1<<20))), "the answer is not valid JSON", ""},
		{
			"a number that no installation has", byOwner, func(f *forge) { f.server.SetLookup(registrytest.Status(200, `{"id":`+strings.Repeat("1", 20)+`}`)) },
			`the answer holds no "id" that is a number`, "",
		},
		{"token with a line break", byID, minting(registrytest.Status(201, mintBody("ghs_canary0\r\nX-Evil: 1", now.Add(time.Hour)))), "the answer's token has characters that a header must not have (a line break?)", ""},
		{"no expiry", byID, minting(registrytest.Status(201, `{"token": "ghs_canary0"}`)), `the answer holds no "expires_at" that is a time`, ""},
		{"expiry not a time", byID, minting(registrytest.Status(201, `{"token": "ghs_canary0", "expires_at": "soon"}`)), `the answer holds no "expires_at" that is a time`, ""},
		{"expired", byID, minting(registrytest.Status(201, mintBody("ghs_canary0", now.Add(-time.Minute)))), "the new token has expired: it ended at ", "is there a proxy that answers from a cache?"},
		{
			"redirect to another server", byID, minting(registrytest.Redirect(307, elsewhere.URL+"/api/v3/app/installations/678/access_tokens")),
			"redirects (307) to another server, " + elsewhere.URL + "; no credential is sent there", "if the server is at " + elsewhere.URL + " now",
		},
		{"hangs up", byID, minting(registrytest.Hangup()), "the server closed the connection before its answer was complete", "try again"},
		{"lookup in trouble", byOwner, func(f *forge) { f.server.SetLookup(registrytest.Status(500, `{}`)) }, "for the installation of the GitHub App 12345 at acme: 500 Internal Server Error", "the server is in trouble"},
		{"lookup without a number", byOwner, func(f *forge) { f.server.SetLookup(registrytest.Status(200, `{"id": "../x"}`)) }, `for the installation of the GitHub App 12345 at acme: the answer holds no "id" that is a number`, ""},
		{"nobody there", byID, func(f *forge) { f.server.Close() }, "connecting to 127.0.0.1:", "is a server running at 127.0.0.1:"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newForge(t)
			if tt.spoil != nil {
				tt.spoil(f)
			}
			_, err := f.build(tt.config).Credential(t.Context(), f.url("/acme/tools"))
			wantError(t, err, tt.want, tt.hint, f.vars[privateKeyVariable], "ghs_canary0")
			if errors.Is(err, helpers.ErrNotFound) {
				t.Error("it is 'not found', and would be passed over")
			}
			for _, r := range f.server.Requests() {
				if jwt, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); jwt == "" || strings.Contains(err.Error(), jwt) {
					t.Errorf("the error tells the JWT, or there was none: %s", err)
				}
			}
		})
	}
	if n := len(elsewhere.Requests()); n != 0 {
		t.Errorf("%d requests went to the other server", n)
	}
}

func TestAppTimeout(t *testing.T) {
	f := newForge(t)
	f.server.SetMint(registrytest.Hang())
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errors.New("the time is up"))
	defer cancel()
	_, err := f.build(`{"app_id": 12345, "installation_id": 678}`).Credential(ctx, f.url("/acme/tools"))
	wantError(t, err, "for a token of the GitHub App 12345, installation 678: no answer in time: the time is up", "reachable from here (network, VPN, HTTPS_PROXY)?")
}

// TestAppExpiry holds that a token's life is counted by the server's clock, from when it was asked for by ours.
func TestAppExpiry(t *testing.T) {
	server := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, tt := range []struct {
		name string
		date string
		ends time.Time
		life time.Duration
	}{
		{"an hour by another clock", server.Format(http.TimeFormat), server.Add(time.Hour), time.Hour},
		{"what is left of it", server.Format(http.TimeFormat), server.Add(10 * time.Minute), 10 * time.Minute},
		{"never more than an hour", server.Format(http.TimeFormat), server.Add(1000 * time.Hour), time.Hour},
		{"no clock but ours", "", time.Time{}, 30 * time.Minute},
		{"a clock that is none", "yesterday", time.Time{}, 30 * time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newForge(t)
			f.now = f.now.Truncate(time.Second)
			ends := tt.ends
			if ends.IsZero() {
				ends = f.now.Add(tt.life)
			}
			f.server.SetMint(func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Date"] = nil
				if tt.date != "" {
					w.Header().Set("Date", tt.date)
				}
				w.WriteHeader(http.StatusCreated)
				_, _ = io.WriteString(w, mintBody("ghs_x", ends))
			})
			c, resp := f.answer(f.build(`{"app_id": 12345, "installation_id": 678}`), f.url("/acme/tools"))
			if life := c.Expires.Sub(f.now); life != tt.life || !resp.Expires.Equal(c.Expires) {
				t.Errorf("it lives for %s, want %s", life, tt.life)
			}
		})
	}
}

func TestAppKeyMissing(t *testing.T) {
	f := newForge(t)
	delete(f.vars, privateKeyVariable)
	f.vars["GH_TOKEN"], f.vars["GH_ENTERPRISE_TOKEN"] = "tok", "tok"
	_, err := f.build(`{"app_id": 12345, "owner": "acme"}`).Credential(t.Context(), f.url("/acme/tools"))
	wantError(t, err, "no login found: $GITHUB_APP_PRIVATE_KEY is not set", "put the private key of the GitHub App 12345 into $GITHUB_APP_PRIVATE_KEY")
	if !errors.Is(err, helpers.ErrNotFound) {
		t.Error("it is not 'not found'")
	}
	f.vars["KEY"] = "tok"
	_, err = f.build(`{"app_id": 12345, "owner": "acme", "lookup_chain": [{"source": "env", "name": "KEY"}]}`).Credential(t.Context(), f.url("/acme/tools"))
	wantError(t, err, "reading the private key of the GitHub App 12345 from $KEY: it is not PEM", "make a new key")
	f.wantRequests(0, 0)
}

// TestAppNotEncrypted holds that an App logs in over plain HTTP to loopback only, or where the rule allows it.
func TestAppNotEncrypted(t *testing.T) {
	f := newForge(t)
	f.options.Client = f.server.Client()
	u := parse(t, "http://ghe.acme.test/acme/tools")
	const config = `{"app_id": 12345, "owner": "acme"}`
	_, err := f.build(config).Credential(t.Context(), u)
	wantError(t, err, "http://ghe.acme.test is not encrypted, and a GitHub App logs in there", `"allow_http": true`)
	f.wantRequests(0, 0)
	f.rule.AllowHTTP = true
	f.answer(f.build(config), u)
	f.wantRequests(1, 1)
}
