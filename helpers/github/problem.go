package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/httpclient"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/tidwall/gjson"
)

const (
	// maxQuoted is how much of GitHub's own message is shown, in bytes.
	maxQuoted = 300
	// maxSkew is how far the clocks may be apart without being the reason why a login is refused.
	maxSkew = 30 * time.Second
)

// A statusError is an answer of the API that is not the one hoped for.
type statusError struct {
	httpclient.StatusError
	// skew is how far this machine's clock is ahead of the server's; 0 where it is not known.
	skew time.Duration
	// again says when to try again, where the rate limit is used up: "in 30 s", "at 12:30:00 UTC".
	again string
}

func (e *statusError) Error() string {
	text := e.StatusError.Error()
	if e.Status == http.StatusUnauthorized && e.skewed() {
		direction := "ahead of"
		if e.skew < 0 {
			direction = "behind"
		}
		text += fmt.Sprintf(" (this machine's clock is %s %s the server's)", e.skew.Abs().Round(time.Second), direction)
	}
	return text
}

func (e *statusError) skewed() bool { return e.skew.Abs() > maxSkew }

// unknownApp reports whether GitHub knows no App of that id, which it tells in the status of what is missing.
func (e *statusError) unknownApp() bool {
	return e.Status == http.StatusNotFound && strings.Contains(e.Message, "Integration not found")
}

// status makes a statusError of a response and closes its body.
func (s *appLogin) status(resp *http.Response) *statusError {
	e := &statusError{}
	now := s.app.Sources.Env.Now()
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		e.skew = now.Truncate(time.Second).Sub(date)
	}
	// https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
	if resp.StatusCode == http.StatusForbidden || resp.StatusCode == http.StatusTooManyRequests {
		reset, err := strconv.ParseInt(resp.Header.Get("X-RateLimit-Reset"), 10, 64)
		seconds, retryErr := strconv.ParseUint(resp.Header.Get("Retry-After"), 10, 32)
		switch {
		case retryErr == nil:
			e.again = fmt.Sprintf("in %d s", seconds)
		case err == nil && resp.Header.Get("X-RateLimit-Remaining") == "0":
			e.again = "at " + time.Unix(reset, 0).UTC().Format("15:04:05 UTC")
		}
	}
	e.StatusError = httpclient.ReadStatus(resp, func(body []byte) string {
		doc, err := httpclient.ParseJSON(body)
		if message := doc.Get("message"); err == nil && message.Type == gjson.String {
			return strings.TrimRight(redact.Said(message.Str, maxQuoted, s.base.Host, s.owner), ".")
		}
		return ""
	})
	return e
}

// unreachable is the error of a request that was not answered.
func (s *appLogin) unreachable(ctx context.Context, err error) error {
	var redirect *httpclient.RedirectError
	if errors.As(err, &redirect) {
		return helpers.WithHint(httpclient.Explain(ctx, err), "if the server is at %s now, name it so in the rule and in the URL", redirect.To)
	}
	return httpclient.Diagnose(ctx, err, s.base.Host)
}

// explain says what was tried, and what to do next where GitHub said no.
func (s *appLogin) explain(tried string, err error) error {
	var status *statusError
	if !errors.As(err, &status) {
		return fmt.Errorf("%s: %w", tried, err)
	}
	return helpers.WithHint(fmt.Errorf("%s: %w", tried, err), "%s", s.hint(status))
}

func (s *appLogin) hint(e *statusError) string {
	const page = "the installation's page (Settings, GitHub Apps, Configure)"
	switch {
	case e.Status == http.StatusUnauthorized && e.skewed():
		return "set this machine's clock right (NTP): what an App logs in with is valid for a few minutes"
	case e.Status == http.StatusUnauthorized:
		return fmt.Sprintf("is the key from %s one of the GitHub App %s, and not deleted there? both stand on the App's page", s.source, s.app.id)
	case e.unknownApp():
		return fmt.Sprintf(`is "app_id" right (%s), and is the App of this server? its id stands on the App's page`, s.app.id)
	case e.Status == http.StatusNotFound && s.owner == "":
		return `is "installation_id" right, and is the App still installed? its number is the last part of the address of ` + page
	case e.Status == http.StatusNotFound:
		return fmt.Sprintf("is the App still installed at %s?", s.owner)
	case e.again != "":
		return "the rate limit is used up; try again " + e.again
	case strings.Contains(e.Message, "suspended"):
		return "an owner of the account lifts that on " + page
	case e.Status == http.StatusForbidden, e.Status == http.StatusUnprocessableEntity:
		return `a token can have no more than its installation: compare "repositories" and "permissions" in the rule with ` + page
	case e.Status >= 500:
		return "the server is in trouble; try again later"
	}
	return "this is no answer that GitHub's API gives; does a proxy stand before it?"
}
