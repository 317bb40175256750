package github

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/httpclient"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/trace"
	"github.com/tidwall/gjson"
)

// maxTokenLife is the longest life of an installation token: https://docs.github.com/rest/apps/apps#create-an-installation-access-token-for-an-app
const maxTokenLife = time.Hour

// maxDigits is the length of the largest number that an installation can have: GitHub's are 64-bit.
const maxDigits = 19

// What is remembered is held in the headers of a Response.
const (
	tokenHeader        = "Token"
	installationHeader = "Installation"
)

// An appLogin is an App that logs in to a server with its private key.
type appLogin struct {
	app    *app
	base   *url.URL // of the API
	key    privateKey
	source string // where the key is from
	owner  string // whose installation is used, where the rule does not give its number
}

// token returns a token for the rule's installation: the remembered one, or a new one.
func (s *appLogin) token(ctx context.Context) (helpers.Credential, error) {
	installation := s.app.installation
	if installation == "" {
		var err error
		if installation, err = s.installation(ctx); err != nil {
			return helpers.Credential{}, err
		}
	}
	q := s.question("installation token", []any{installation, s.owner, s.app.repositories, s.app.permissions})
	resp, err := s.app.Memo.Remember(ctx, q, func(ctx context.Context) (helpers.Response, error) {
		resp, err := s.mint(ctx, installation)
		var status *statusError
		if s.owner == "" || !errors.As(err, &status) || status.Status != http.StatusNotFound {
			return resp, err
		}
		// The installation may have been removed since, and made again.
		now, lookupErr := s.lookUp(ctx)
		if lookupErr != nil || now == installation {
			return resp, err
		}
		if now == "" {
			return resp, s.notInstalled()
		}
		return s.mint(ctx, now)
	})
	if err != nil {
		return helpers.Credential{}, err
	}
	c := helpers.Credential{Username: tokenUser, Expires: resp.Expires}
	if values := resp.Headers[installationHeader]; len(values) == 1 {
		installation = values[0].Reveal()
	}
	if values := resp.Headers[tokenHeader]; len(values) == 1 {
		c.Secret = redact.New(values[0].Reveal())
	}
	s.tell(ctx, installation, resp.Expires)
	c.Source = fmt.Sprintf("GitHub App %s, installation %s (key from %s)", s.app.id, installation, s.source)
	return c, nil
}

// tell says what the token is and what it opens, where somebody wants to know.
func (s *appLogin) tell(ctx context.Context, installation string, expires time.Time) {
	trace.Tell(ctx, "app", "%s, with the key from %s, at %s", s.app.id, s.source, helpers.Origin(s.base))
	whose := ""
	if s.owner != "" {
		whose = ", that of " + s.owner
	}
	trace.Tell(ctx, "installation", "%s%s", installation, whose)
	repositories := "all that the installation may use"
	if len(s.app.repositories) > 0 {
		repositories = strings.Join(s.app.repositories, ", ")
	}
	trace.Tell(ctx, "repositories", "%s", repositories)
	var permissions []string
	for _, name := range slices.Sorted(maps.Keys(s.app.permissions)) {
		permissions = append(permissions, name+": "+s.app.permissions[name])
	}
	trace.Tell(ctx, "permissions", "%s", strings.Join(permissions, ", "))
	trace.Tell(ctx, "life", "the token ends in %s", expires.Sub(s.app.Sources.Env.Now()).Round(time.Second))
}

// installation returns the number of the owner's installation: the remembered one, or what GitHub says.
func (s *appLogin) installation(ctx context.Context) (string, error) {
	what := "installation"
	if s.app.byURL() {
		what = "installation, if any" // that there is none is no answer to a rule that names the owner
	}
	resp, err := s.app.Memo.Remember(ctx, s.question(what, s.owner), func(ctx context.Context) (helpers.Response, error) {
		number, err := s.lookUp(ctx)
		switch {
		case err != nil:
			return helpers.Response{}, err
		case number != "":
			resp := helpers.Response{Headers: map[string][]redact.Secret{installationHeader: {redact.Hold(number)}}}
			resp.Expires = s.app.Sources.Env.Now().Add(installationLife)
			return resp, nil
		case s.app.byURL():
			return helpers.Response{}, nil // remembered for a moment: most owners have not installed it
		}
		return helpers.Response{}, s.notInstalled()
	})
	if err != nil {
		return "", err
	}
	values := resp.Headers[installationHeader]
	if len(values) != 1 {
		return "", helpers.WithHint(helpers.NotFoundf("the GitHub App %s is not installed at %s (%s)", s.app.id, s.owner, helpers.Origin(s.base)),
			`have an owner of %s install the App from its page ("Install App")`, s.owner)
	}
	return values[0].Reveal(), nil
}

func (s *appLogin) notInstalled() error {
	return helpers.WithHint(fmt.Errorf("the GitHub App %s is not installed at %s (%s)", s.app.id, s.owner, helpers.Origin(s.base)),
		`is %q spelled right? an owner of it installs the App from the App's page ("Install App")`, s.owner)
}

// lookUp asks which installation the owner has; "" is none. An owner is an organization or a user:
// https://docs.github.com/rest/apps/apps#get-an-organization-installation-for-the-authenticated-app
func (s *appLogin) lookUp(ctx context.Context) (number string, err error) {
	tried := fmt.Sprintf("asking %s for the installation of the GitHub App %s at %s", helpers.Origin(s.base), s.app.id, s.owner)
	end := trace.Step(ctx, "%s", tried)
	defer func() { end(err) }()
	for _, kind := range []string{"orgs", "users"} {
		var a answer
		a, err = s.call(ctx, http.MethodGet, "/"+kind+"/"+s.owner+"/installation", nil, http.StatusOK)
		var status *statusError
		switch {
		case errors.As(err, &status) && status.Status == http.StatusNotFound && !status.unknownApp():
			continue
		case err != nil:
			return "", s.explain(tried, err)
		}
		id := gjson.GetBytes(a.body, "id")
		if number = id.Raw; id.Type != gjson.Number || strings.Trim(number, "0123456789") != "" || len(number) > maxDigits {
			return "", fmt.Errorf(`%s: the answer holds no "id" that is a number`, tried)
		}
		return number, nil
	}
	return "", nil
}

// mint asks for a new token: https://docs.github.com/rest/apps/apps#create-an-installation-access-token-for-an-app
func (s *appLogin) mint(ctx context.Context, installation string) (resp helpers.Response, err error) {
	tried := fmt.Sprintf("asking %s for a token of the GitHub App %s, installation %s", helpers.Origin(s.base), s.app.id, installation)
	end := trace.Step(ctx, "%s", tried)
	defer func() { end(err) }()
	body, err := json.Marshal(struct {
		Repositories []string          `json:"repositories,omitempty"`
		Permissions  map[string]string `json:"permissions"`
	}{s.app.repositories, s.app.permissions})
	if err != nil {
		return helpers.Response{}, err
	}
	a, err := s.call(ctx, http.MethodPost, "/app/installations/"+installation+"/access_tokens", body, http.StatusCreated)
	if err != nil {
		return helpers.Response{}, s.explain(tried, err)
	}
	token, expires, err := a.token()
	if err != nil {
		return helpers.Response{}, fmt.Errorf("%s: %w", tried, err)
	}
	return helpers.Response{
		Headers: map[string][]redact.Secret{tokenHeader: {token}, installationHeader: {redact.Hold(installation)}},
		Expires: expires,
	}, nil
}

// An answer is what the API says to a request that it granted.
type answer struct {
	body []byte
	sent time.Time // when the request left, by our clock
	date time.Time // when the answer was made, by the server's clock; zero where it does not say
}

// token reads a new token and when it ends, by our clock: its life by the server's clock is counted from when the request left.
func (a answer) token() (redact.Secret, time.Time, error) {
	text := gjson.GetBytes(a.body, "token")
	if text.Type != gjson.String || text.Str == "" {
		return redact.Secret{}, time.Time{}, errors.New(`the answer holds no "token"`)
	}
	token := redact.New(text.Str)
	if err := helpers.CheckToken(token); err != nil {
		return redact.Secret{}, time.Time{}, fmt.Errorf("the answer's token %w", err)
	}
	expires, err := time.Parse(time.RFC3339, gjson.GetBytes(a.body, "expires_at").Str)
	if err != nil {
		return redact.Secret{}, time.Time{}, errors.New(`the answer holds no "expires_at" that is a time`)
	}
	from, clock := a.date, "the server's clock"
	if from.IsZero() {
		from, clock = a.sent, "this machine's clock, for the server tells no time of its own"
	}
	life := min(expires.Sub(from), maxTokenLife)
	if life <= 0 {
		return redact.Secret{}, time.Time{}, helpers.WithHint(
			fmt.Errorf("the new token has expired: it ended at %s, and it is %s by %s", expires.UTC().Format(time.RFC3339), from.UTC().Format(time.RFC3339), clock),
			"is the clock right, and is there a proxy that answers from a cache?")
	}
	return token, a.sent.Add(life), nil
}

// call makes a request as the App. An answer of another status than want is a [statusError].
func (s *appLogin) call(ctx context.Context, method, path string, body []byte, want int) (answer, error) {
	now := s.app.Sources.Env.Now()
	jwt, err := s.key.jwt(s.app.id, now)
	if err != nil {
		return answer{}, fmt.Errorf("signing with the key from %s: %w", s.source, err)
	}
	req, err := http.NewRequestWithContext(ctx, method, s.base.String()+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Accept", "application/vnd.github+json")
	req.Header.Set("Authorization", helpers.Bearer(jwt).Reveal())
	// https://docs.github.com/rest/about-the-rest-api/api-versions
	req.Header.Set("X-GitHub-Api-Version", "2022-11-28")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := s.app.Client.Do(req)
	if err != nil {
		return answer{}, s.unreachable(ctx, err)
	}
	if resp.StatusCode != want {
		return answer{}, s.status(resp)
	}
	a := answer{sent: now}
	a.date, _ = http.ParseTime(resp.Header.Get("Date"))
	if a.body, err = httpclient.ReadBody(resp); errors.Is(err, httpclient.ErrBodyTooLarge) {
		return answer{}, err
	} else if err != nil {
		return answer{}, s.unreachable(ctx, err)
	}
	if httpclient.IsHTML(resp, a.body) {
		return answer{}, helpers.WithHint(errors.New("the answer is a web page (HTML)"), "does a proxy or a sign-in page stand before %s?", s.base.Host)
	}
	_, err = httpclient.ParseJSON(a.body)
	return a, err
}
