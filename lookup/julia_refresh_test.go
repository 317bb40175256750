package lookup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/filelock"
	"github.com/fe055d52/credential-helper/internal/httpclient"
	"github.com/fe055d52/credential-helper/internal/inputs"
	"github.com/fe055d52/credential-helper/internal/packagetest"
	"github.com/fe055d52/credential-helper/internal/trace"
)

const refreshCanary = canary + "-refresh"

func mustTOML(t testing.TB, file map[string]any) []byte {
	t.Helper()
	data, err := toml.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// juliaWorld is a Pkg server, and a user whose login for it has ended.
type juliaWorld struct {
	*Sources
	server *packagetest.JuliaServer
	path   string
	notes  []string
	// seen is the record of what the lookups read.
	seen *env.Observation
	// plain is the environment without that record.
	plain *env.Env
}

const juliaSalt = "0123456789abcdef"

func newJuliaWorld(t *testing.T, left time.Duration) *juliaWorld {
	t.Helper()
	w := &juliaWorld{Sources: juliaSources(t, nil), server: packagetest.NewJuliaServer(t, canary, refreshCanary)}
	w.path = writeJulia(t, w.Sources, strings.ReplaceAll(w.server.Host(), ":", "_"), fmt.Sprintf(
		"access_token = %q\nrefresh_token = %q\nrefresh_url = %q\nexpires_at = %s\nuser_name = \"bob\"\nscopes = [\"a\", {b = 2026-01-01}]\n",
		canary, refreshCanary, w.server.RefreshURL(), in(left)))
	w.plain = w.Env
	w.Env, w.seen = w.Env.Observe(juliaSalt)
	return w
}

func (w *juliaWorld) lookup(t *testing.T, source Source) (Values, error) {
	t.Helper()
	recorder := &trace.Recorder{OnEvent: func(e trace.Event) {
		w.notes = append(w.notes, strings.ReplaceAll(e.What+": "+e.Outcome, w.server.Host(), "SERVER"))
	}}
	values, err := source.Lookup(trace.NewContext(t.Context(), recorder), ask(t, w.server.URL+"/registries"))
	for _, note := range append([]string{sprint(err)}, w.notes...) {
		if strings.Contains(note, canary) {
			t.Errorf("the secret is told: %s", note)
		}
	}
	return values, err
}

// noted reports whether a note holds text.
func (w *juliaWorld) noted(text string) bool {
	return slices.ContainsFunc(w.notes, func(note string) bool { return strings.Contains(note, text) })
}

// file returns what the auth.toml says.
func (w *juliaWorld) file(t *testing.T) map[string]any {
	t.Helper()
	data, err := os.ReadFile(w.path)
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]any
	if err := toml.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	return file
}

// names returns what is in the directory of the login.
func (w *juliaWorld) names(t *testing.T) string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(w.path))
	if err != nil {
		t.Fatal(err)
	}
	names := ""
	for _, e := range entries {
		names += " " + e.Name()
	}
	return strings.TrimSpace(names)
}

func (w *juliaWorld) status(t *testing.T, token string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.server.URL+"/registries", nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := w.Client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

func TestJuliaRefresh(t *testing.T) {
	w := newJuliaWorld(t, 599*time.Second)
	values, err := w.lookup(t, w.Julia())
	want := outcome{values: "default=" + canary + "+ expires=" + rfc(24*time.Hour) + " token=" + canary + "+"}
	if got := outcomeOf(w.Sources, values, err); got != want {
		t.Fatalf("\n got %+v\nwant %+v", got, want)
	}
	if status := w.status(t, values[Token].Reveal()); status != http.StatusOK {
		t.Errorf("the server answers %d to the new token", status)
	}
	for _, old := range []string{canary, ""} {
		if status := w.status(t, old); status != http.StatusUnauthorized {
			t.Errorf("the server answers %d to the token %q", status, old)
		}
	}

	// The file is the client's: as that writes it, and with what was in it.
	file := w.file(t)
	date := file["scopes"]
	delete(file, "scopes")
	if want := (map[string]any{
		"access_token": canary + "+", "refresh_token": refreshCanary + "+", "refresh_url": w.server.RefreshURL(), "expires_in": int64(86400),
		"expires_at": float64(juliaNow.Unix() + 86400), "user_name": "bob",
	}); !maps.Equal(file, want) {
		t.Errorf("\n got %v\nwant %v", file, want)
	}
	if got := fmt.Sprint(date); got != "[a map[b:2026-01-01]]" {
		t.Errorf("what else was in the file is now %s", got)
	}
	if got := w.names(t); got != "auth.toml auth.toml.lock" {
		t.Errorf("there are %s", got)
	}
	if info, err := os.Stat(w.path); err != nil || filepath.Separator == '/' && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}

	// What was read before the renewal does not count against the answer.
	record, volatile := w.seen.Inputs()
	if volatile || !inputs.Unchanged(record, juliaSalt, w.plain.Get) {
		t.Errorf("the answer is volatile: %v, recorded %+v", volatile, record)
	}
	if err := os.WriteFile(w.path, mustTOML(t, file), 0o600); err != nil {
		t.Fatal(err)
	}
	if inputs.Unchanged(record, juliaSalt, w.plain.Get) {
		t.Error("a later change of the file is not seen")
	}

	// The second lookup has nothing to renew.
	if values, err := w.lookup(t, w.Julia()); err != nil || values[Token].Reveal() != canary+"+" || w.server.Refreshes() != 1 {
		t.Errorf("%v, %v after %d refreshes", values, err, w.server.Refreshes())
	}
}

func TestJuliaRefreshFails(t *testing.T) {
	const file = "~/.julia/servers/SERVER_/auth.toml"
	old := "default=" + canary + " token=" + canary
	soon := "default=" + canary + " expires=" + rfc(time.Minute) + " token=" + canary
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the other server was asked") }))
	defer elsewhere.Close()
	answers := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	notRenewed := func(why string) outcome {
		return outcome{kind: "not found", err: "the login in " + file + " could not be renewed: " + why}
	}
	const noLogin = "the login in " + file + " is used though it ends soon, or has ended: SERVER answered with something that is no login: "
	for _, tt := range []struct {
		name   string
		left   time.Duration
		answer http.HandlerFunc
		want   outcome
		note   string
	}{
		{"refused", -time.Minute, answers(http.StatusUnauthorized, canary), notRenewed("SERVER answered 401"), "is not used, as it cannot be renewed: SERVER answered 401"},
		{"an error", -time.Minute, answers(http.StatusInternalServerError, canary), notRenewed("SERVER answered 500"), "is not used, as it cannot be renewed: SERVER answered 500"},
		{"an error while the old token lives", time.Minute, answers(http.StatusInternalServerError, ""), notRenewed("SERVER answered 500"), "is not used, as it cannot be renewed"},
		{"a redirect elsewhere", -time.Minute, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusFound)
		}, notRenewed("SERVER: http://SERVER redirects (302) to another server, " + elsewhere.URL + "; no credential is sent there"), "is not used"},
		{"a huge answer", -time.Minute, answers(http.StatusOK, strings.Repeat("#", httpclient.MaxBody+1)), notRenewed("SERVER: the response is larger than 1048576 bytes"), "is not used"},
		{"a large answer", -time.Minute, answers(http.StatusOK, strings.Repeat("#", maxJulia+1)), outcome{values: old}, noLogin + "it is larger than 32768 bytes"},
		{"no TOML", time.Minute, answers(http.StatusOK, "<html>"+canary), outcome{values: soon}, noLogin + "it is not TOML"},
		{"no TOML, and the old token has ended", -time.Minute, answers(http.StatusOK, "<html>"), outcome{values: old}, noLogin + "it is not TOML"},
		{"no token", time.Minute, answers(http.StatusOK, "refresh_token = \""+canary+"\""), outcome{values: soon}, noLogin + `it has no "access_token"`},
		{"nothing", time.Minute, answers(http.StatusNoContent, ""), outcome{values: soon}, noLogin + `it has no "access_token"`},
		{"a token that is no text", time.Minute, answers(http.StatusOK, "access_token = 1"), outcome{values: soon}, noLogin + `"access_token" is not a string`},
		{"a token with a line break", time.Minute, answers(http.StatusOK, `access_token = "a\nb"`), outcome{values: soon}, noLogin + `"access_token" cannot be sent: the value has a line break`},
		{"a life that is no number", time.Minute, answers(http.StatusOK, "access_token = 'x'\nexpires_in = 'y'"), outcome{values: soon}, noLogin + `"expires_in" is not a number of seconds`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			notOnWindows(t)
			w := newJuliaWorld(t, tt.left)
			w.server.Misbehave(tt.answer)
			before := w.file(t)
			values, err := w.lookup(t, w.Julia())
			got := outcomeOf(w.Sources, values, err)
			got.err = strings.NewReplacer(strings.ReplaceAll(w.server.Host(), ":", "_"), "SERVER_", w.server.Host(), "SERVER").Replace(got.err)
			if got != tt.want {
				t.Errorf("\n got %+v\nwant %+v", got, tt.want)
			}
			for i := range w.notes {
				w.notes[i] = strings.NewReplacer(w.Env.Home, "~", strings.ReplaceAll(w.server.Host(), ":", "_"), "SERVER_").Replace(w.notes[i])
			}
			if !w.noted(tt.note) {
				t.Errorf("not noted: %s\nbut %s", tt.note, strings.Join(w.notes, "\n"))
			}
			if after := w.file(t); fmt.Sprint(after) != fmt.Sprint(before) || w.names(t) != "auth.toml auth.toml.lock" {
				t.Errorf("the file is %v, with %s", after, w.names(t))
			}
			if _, volatile := w.seen.Inputs(); !volatile {
				t.Error("the next attempt is put off")
			}
		})
	}
}

// TestJuliaRefreshAnswers holds what becomes of answers that are logins.
func TestJuliaRefreshAnswers(t *testing.T) {
	for _, tt := range []struct{ name, answer, expires, expiresAt string }{
		{"a life, and a wrong end", "expires_in = 3600\nexpires_at = 12", rfc(time.Hour), fmt.Sprint(float64(juliaNow.Unix() + 3600))},
		{"an end", "expires_at = " + in(2*time.Hour), rfc(2 * time.Hour), in(2 * time.Hour)},
		{"no end", "", "", "<nil>"},
		{"a fraction", "expires_in = 3600.9", rfc(time.Hour), fmt.Sprint(float64(juliaNow.Unix() + 3600))},
		{"no life at all", "expires_in = 0", "", fmt.Sprint(float64(juliaNow.Unix()))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newJuliaWorld(t, 0)
			w.server.Answer(tt.answer)
			values, err := w.lookup(t, w.Julia())
			if err != nil || values[Token].Reveal() != canary+"+" || values[Expires].Reveal() != tt.expires {
				t.Errorf("%s, %v", outcomeOf(nil, values, err).values, err)
			}
			if got := fmt.Sprint(w.file(t)["expires_at"]); got != tt.expiresAt {
				t.Errorf("expires_at is %s, want %s", got, tt.expiresAt)
			}
		})
	}
}

func TestJuliaRefreshURL(t *testing.T) {
	notOnWindows(t)
	const file = `renewing Julia's login: the "refresh_url" in ~/.julia/servers/pkg.acme.test/auth.toml is `
	for _, tt := range []struct {
		url, listed string
		want        outcome
	}{
		{"https://pkg.acme.test/renew", "", outcome{}},
		{"https://pkg.acme.test:8443/renew", "", outcome{}},
		{"https://PKG.Acme.Test/renew", "", outcome{}},
		{"https://auth.acme.test/renew", "", outcome{}},
		{"https://login.corp.test/renew", `"login.corp.test"`, outcome{}},
		{"https://login.corp.test:8443/renew", `"login.corp.test"`, outcome{}},
		{"https://login.corp.test/renew", `"Login.Corp.Test:443"`, outcome{}},
		{"http://127.0.0.1:9/renew", `"127.0.0.1"`, outcome{}},
		{"https://login.corp.test/renew?x=" + canary, "", outcome{kind: "broken", err: file + "https://login.corp.test/renew?…, which belongs to another domain than pkg.acme.test; no token is sent there", hint: `if that server may see the refresh token, add "refresh_hosts": ["login.corp.test"] to the source "julia"`}},
		{"https://login.corp.test:9443/renew", `"login.corp.test:8443"`, outcome{kind: "broken", err: file + "https://login.corp.test:9443/renew, which belongs to another domain than pkg.acme.test; no token is sent there", hint: `if that server may see the refresh token, add "refresh_hosts": ["login.corp.test:9443"] to the source "julia"`}},
		{"https://pkg.acme.test.evil.org/", "", outcome{kind: "broken", err: file + "https://pkg.acme.test.evil.org/, which belongs to another domain than pkg.acme.test; no token is sent there", hint: `if that server may see the refresh token, add "refresh_hosts": ["pkg.acme.test.evil.org"] to the source "julia"`}},
		{"http://127.0.0.1:9/renew", "", outcome{kind: "broken", err: file + "http://127.0.0.1:9/renew, which belongs to another domain than pkg.acme.test; no token is sent there", hint: `if that server may see the refresh token, add "refresh_hosts": ["127.0.0.1:9"] to the source "julia"`}},
		{"https://169.254.169.254/x", "", outcome{kind: "broken", err: file + "https://169.254.169.254/x, a link-local, multicast, unspecified or metadata address; no token is sent there"}},
		{"https://bob:" + canary + "@pkg.acme.test/", "", outcome{kind: "broken", err: `renewing Julia's login: the "refresh_url" in ~/.julia/servers/pkg.acme.test/auth.toml is not usable: the URL has user info (user:password@); remove it: a credential helper answers by host`, hint: "log in to the Pkg server anew, or correct the URL"}},
	} {
		t.Run(tt.url+" "+tt.listed, func(t *testing.T) {
			s := juliaSources(t, nil)
			asked := ""
			s.Client = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				asked = r.URL.String() + " " + r.Header.Get("Authorization")
				recorder := httptest.NewRecorder()
				fmt.Fprintf(recorder, "access_token = 'new'")
				resp := recorder.Result()
				resp.Request = r
				return resp, nil
			})}
			writeJulia(t, s, "pkg.acme.test", fmt.Sprintf("access_token = 'old'\nexpires_in = 1\nrefresh_token = %q\nrefresh_url = %q", refreshCanary, tt.url))
			want := tt.want
			if want == (outcome{}) {
				want.values = "default=new token=new"
			}
			expect(t, s, decodeOne(t, s, `{"source": "julia", "refresh_hosts": [`+tt.listed+`]}`), ask(t, "https://pkg.acme.test"), want)
			switch {
			case tt.want.kind != "" && asked != "":
				t.Errorf("asked %s", asked)
			case tt.want.kind == "" && !strings.HasSuffix(asked, " Bearer "+refreshCanary):
				t.Errorf("asked %s", asked)
			}
		})
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestJuliaRefreshEndsWithTheBudget(t *testing.T) {
	w := newJuliaWorld(t, 0)
	asked := make(chan struct{})
	w.server.Misbehave(func(_ http.ResponseWriter, r *http.Request) { close(asked); <-r.Context().Done() })
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() { <-asked; cancel(errors.New("the budget is spent")) }()
	_, err := w.Julia().Lookup(ctx, ask(t, w.server.URL))
	if err == nil || helpers.FallsThrough(err) || !strings.HasSuffix(err.Error(), "no answer in time: the budget is spent") {
		t.Errorf("got %v", err)
	}

	// The lock is free again, and its wait is bounded too.
	unlock, err := filelock.Acquire(t.Context(), w.path+".lock", "the test")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, stop := context.WithTimeoutCause(t.Context(), 20*time.Millisecond, errors.New("the budget is spent"))
	defer stop()
	if _, err = w.Julia().Lookup(ctx, ask(t, w.server.URL)); err == nil || helpers.FallsThrough(err) || !strings.HasSuffix(err.Error(), ": the budget is spent") {
		t.Errorf("got %v", err)
	}
}

func TestJuliaDirectoryIsNotWritable(t *testing.T) {
	notOnWindows(t)
	w := newJuliaWorld(t, 0)
	if err := os.Chmod(filepath.Dir(w.path), 0o500); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.Chmod(filepath.Dir(w.path), 0o700) }()
	unprivileged(t, w.Sources, func() {
		values, err := w.lookup(t, w.Julia())
		if err != nil || values[Token].Reveal() != canary+"+" {
			t.Errorf("%v, %v", values, err)
		}
	})
	if !w.noted("is renewed without a lock: permission denied") || !w.noted("the new login could not be kept in ") {
		t.Errorf("noted %s", strings.Join(w.notes, "\n"))
	}
	if got := w.file(t)["access_token"]; got != canary || w.names(t) != "auth.toml" {
		t.Errorf("the file has %v, with %s", got, w.names(t))
	}
	if record, volatile := w.seen.Inputs(); volatile || !inputs.Unchanged(record, juliaSalt, w.plain.Get) {
		t.Error("the answer cannot be used again, and the next lookup would renew the login anew")
	}
}

// TestJuliaLink holds that a link to an auth.toml stays one, and that what it stands for is replaced.
func TestJuliaLink(t *testing.T) {
	notOnWindows(t)
	w := newJuliaWorld(t, 0)
	real := filepath.Join(w.Env.Home, "dotfiles", "auth.toml")
	if err := errors.Join(os.Mkdir(filepath.Dir(real), 0o700), os.Rename(w.path, real), os.Symlink(real, w.path)); err != nil {
		t.Fatal(err)
	}
	if values, err := w.lookup(t, w.Julia()); err != nil || values[Token].Reveal() != canary+"+" {
		t.Errorf("%v, %v", values, err)
	}
	if info, err := os.Lstat(w.path); err != nil || info.Mode()&os.ModeSymlink == 0 || w.file(t)["access_token"] != canary+"+" {
		t.Errorf("%v, %v, %v", info, err, w.file(t))
	}
}
