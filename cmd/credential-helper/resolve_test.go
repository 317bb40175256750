package main

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/cache"
	"github.com/fe055d52/credential-helper/config"
	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/redact"
)

func testNow() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// fakeHelper answers what a test wants.
type fakeHelper struct {
	credential    helpers.Credential
	credentialErr error
	response      helpers.Response
	headersErr    error
	asked         []helpers.Credential
}

func (f *fakeHelper) Scope(u *url.URL) (string, bool) { return u.Host, u.Path != "/none" }

func (f *fakeHelper) Credential(context.Context, *url.URL) (helpers.Credential, error) {
	return f.credential, f.credentialErr
}

func (f *fakeHelper) Headers(_ context.Context, _ *url.URL, c helpers.Credential) (helpers.Response, error) {
	f.asked = append(f.asked, c)
	return f.response, f.headersErr
}

// resolve runs a resolver with one rule for all hosts.
func resolve(t *testing.T, raw string, rule config.Rule) (helpers.Response, error) {
	t.Helper()
	req, err := helpers.ParseRequest(raw)
	if err != nil {
		t.Fatal(err)
	}
	rule.HelperName, rule.Place = "fake", "f:1"
	r := &resolver{routes: &config.Routes{Files: []config.File{{Rules: []config.Rule{rule}}}}, cache: cache.None{}, now: testNow}
	return r.headers(context.Background(), req)
}

func header(life time.Duration) helpers.Response {
	resp := helpers.Header("Authorization", redact.Hold("x"))
	if life != 0 {
		resp.Expires = testNow().Add(life)
	}
	return resp
}

func TestExpiryIsToldWithItsMargin(t *testing.T) {
	for _, tt := range []struct {
		name string
		resp helpers.Response
		want time.Duration // 0: not told
		err  string
	}{
		{name: "an hour", resp: header(time.Hour), want: 59 * time.Minute},
		{name: "a minute", resp: header(time.Minute), want: 40 * time.Second},
		{name: "nobody knows", resp: header(0)},
		{name: "no opinion", resp: helpers.Response{}, want: time.Minute},
		{name: "no opinion, whatever its life", resp: helpers.Response{Expires: testNow().Add(time.Hour)}, want: time.Minute},
		{name: "over", resp: header(-time.Second), err: "the token for https://a.test/ expires at once (2026-03-01T11:59:59Z); is this machine's clock right?"},
		{name: "a moment", resp: header(time.Second), err: "the token for https://a.test/ expires at once"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp, err := resolve(t, "https://a.test/", config.Rule{Helper: &fakeHelper{credential: helpers.Credential{Secret: redact.Hold("s")}, response: tt.resp}})
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if tt.want == 0 && !resp.Expires.IsZero() || tt.want != 0 && resp.Expires.Sub(testNow()) != tt.want {
				t.Errorf("told %s", resp.Expires)
			}
		})
	}
}

// TestMarginDoesNotShrink holds that a remembered answer is told with the expiry that it was told with at first: what is left of its life gets shorter,
// and its margin would get shorter with it.
func TestMarginDoesNotShrink(t *testing.T) {
	for _, life := range []time.Duration{time.Hour, time.Minute} {
		t.Run(life.String(), func(t *testing.T) {
			now := testNow()
			clock := func() time.Time { return now }
			kept := cache.NewFile(t.TempDir(), func(string) (string, bool) { return "", false }, clock)
			defer kept.Close()
			helper := &fakeHelper{credential: helpers.Credential{Secret: redact.Hold("s")}, response: header(life)}
			rule := config.Rule{Helper: helper, HelperName: "fake", Place: "f:1"}
			r := &resolver{routes: &config.Routes{Files: []config.File{{Rules: []config.Rule{rule}}}}, cache: kept, now: clock}
			req, err := helpers.ParseRequest("https://a.test/")
			if err != nil {
				t.Fatal(err)
			}
			want := helpers.WithMargin(now.Add(life), now)
			for _, at := range []time.Duration{0, want.Sub(now) / 2, want.Sub(now) - 1} {
				now = testNow().Add(at)
				resp, err := r.headers(context.Background(), req)
				if err != nil || !resp.Expires.Equal(want) {
					t.Errorf("after %s it is told to end at %s (%v), want %s", at, resp.Expires, err, want)
				}
			}
			if len(helper.asked) != 1 {
				t.Errorf("%d answers were made, want 1", len(helper.asked))
			}
		})
	}
}

func TestOnMissing(t *testing.T) {
	missing := helpers.NotFoundf("no login found: nowhere")
	broken := errors.New("the keyring is locked")
	for _, tt := range []struct {
		name      string
		anonymous bool
		err       error
		headers   error
		want      string // in the error; "" for an answer
	}{
		{name: "fail", err: missing, want: "https://a.test/x: no login found: nowhere"},
		{name: "anonymous", anonymous: true, err: missing},
		{name: "anonymous is refused", anonymous: true, err: missing, headers: errors.New("403"), want: "https://a.test/x: 403 (no login found: nowhere)"},
		{name: "broken", err: broken, want: "https://a.test/x: the keyring is locked"},
		{name: "broken is never anonymous", anonymous: true, err: broken, want: "https://a.test/x: the keyring is locked"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := &fakeHelper{credentialErr: tt.err, headersErr: tt.headers}
			resp, err := resolve(t, "https://a.test/x", config.Rule{Helper: h, Anonymous: tt.anonymous})
			if tt.want != "" {
				if err == nil || err.Error() != tt.want {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil || !resp.Empty() || len(h.asked) != 1 || !h.asked[0].Anonymous() {
				t.Errorf("got %v, %v, asked with %v", resp, err, h.asked)
			}
		})
	}
}

func TestNothingIsAskedWhereNothingIsSent(t *testing.T) {
	for _, tt := range []struct {
		name, url string
		rule      config.Rule
		want      string
	}{
		{name: "presigned", url: "https://a.test/x?X-Amz-Signature=0"},
		{name: "no scope", url: "https://a.test/none"},
		{name: "plain HTTP, built-in", url: "http://a.test/x", rule: config.Rule{BuiltIn: true}},
		{name: "plain HTTP", url: "http://a.test/x", want: "http://a.test/x is not encrypted (http), and f:1 sends a secret"},
		{name: "plain gRPC", url: "grpc://a.test/x", want: "grpc://a.test/x is not encrypted (grpc), and f:1 sends a secret"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := &fakeHelper{credentialErr: errors.New("asked"), headersErr: errors.New("asked")}
			tt.rule.Helper = h
			resp, err := resolve(t, tt.url, tt.rule)
			if tt.want != "" {
				if err == nil || err.Error() != tt.want {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil || !resp.Empty() || resp.Expires.Sub(testNow()) != noOpinionLife {
				t.Errorf("got %v, %v", resp, err)
			}
		})
	}
	for _, raw := range []string{"http://localhost/x", "http://127.0.0.1:1/x", "grpc://[::1]/x"} {
		h := &fakeHelper{credential: helpers.Credential{Secret: redact.Hold("s")}, response: header(0)}
		if resp, err := resolve(t, raw, config.Rule{Helper: h}); err != nil || resp.Empty() {
			t.Errorf("%s: %v, %v", raw, resp, err)
		}
	}
	h := &fakeHelper{credential: helpers.Credential{Secret: redact.Hold("s")}, response: header(0)}
	if resp, err := resolve(t, "http://a.test/x", config.Rule{Helper: h, AllowHTTP: true}); err != nil || resp.Empty() {
		t.Errorf("allow_http: %v, %v", resp, err)
	}
}

func TestCredentialCannotBreakOutOfItsHeader(t *testing.T) {
	for name, c := range map[string]helpers.Credential{
		"secret":         {Secret: redact.Hold("a\r\nX: y")},
		"user name":      {Username: "a\nb", Secret: redact.Hold("s")},
		"identity token": {IdentityToken: redact.Hold("a\x00")},
		"registry token": {RegistryToken: redact.Hold("a\n")},
	} {
		c.Source = "$TOKEN"
		h := &fakeHelper{credential: c, response: header(0)}
		_, err := resolve(t, "https://a.test/", config.Rule{Helper: h})
		if err == nil || !strings.HasPrefix(err.Error(), "https://a.test/: using the login from $TOKEN: the value has a ") || len(h.asked) != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
