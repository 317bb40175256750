package oci

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"strings"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/httpclient"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/lookup"
	"github.com/tidwall/gjson"
)

// maxQuoted is how much of a server's own message is shown, in bytes.
const maxQuoted = 200

// A statusError is an answer of a server that is not the one hoped for.
type statusError struct {
	httpclient.StatusError
	code       string // the "error" of an OAuth2 answer (RFC 6749 §5.2)
	retryAfter string // fit to be shown
}

// readStatus makes a statusError of a response and closes its body. own are the names that the request was about, which a message may repeat.
func readStatus(resp *http.Response, own ...string) *statusError {
	e := &statusError{retryAfter: redact.Said(resp.Header.Get("Retry-After"), 40)}
	e.StatusError = httpclient.ReadStatus(resp, func(body []byte) string {
		e.code = oauthCode(body)
		message := serverMessage(body, own...)
		if media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); message == "" && media == "text/plain" {
			message = redact.Said(string(body), maxQuoted, own...)
		}
		return message
	})
	return e
}

// oauthCode returns the code of an OAuth2 error answer, and "" for any other body.
func oauthCode(body []byte) string {
	doc, err := httpclient.ParseJSON(body)
	if e := doc.Get("error"); err == nil && e.Type == gjson.String {
		return e.Str
	}
	return ""
}

// serverMessage returns what a server says of its error, fit to be shown: the distribution API's errors, an OAuth2 error,
// Docker Hub's "details" or a plain "message".
func serverMessage(body []byte, own ...string) string {
	doc, err := httpclient.ParseJSON(body)
	if err != nil {
		return ""
	}
	var parts []string
	add := func(code, text gjson.Result) {
		words := []string{}
		for _, r := range []gjson.Result{code, text} {
			if r.Type == gjson.String && strings.TrimSpace(r.Str) != "" {
				words = append(words, r.Str)
			}
		}
		if len(words) > 0 && len(parts) < 5 {
			parts = append(parts, strings.Join(words, ": "))
		}
	}
	doc.Get("errors").ForEach(func(_, e gjson.Result) bool {
		add(e.Get("code"), e.Get("message"))
		return true
	})
	if len(parts) == 0 {
		add(doc.Get("error"), doc.Get("error_description"))
	}
	for _, key := range []string{"details", "message"} {
		if len(parts) == 0 {
			add(gjson.Result{}, doc.Get(key))
		}
	}
	return redact.Said(strings.Join(parts, "; "), maxQuoted, own...)
}

// explain makes the error of a request fit to be shown, with what to do next. host is whom the request went to.
func explain(ctx context.Context, err error, host string) error {
	var redirect *httpclient.RedirectError
	if errors.As(err, &redirect) {
		return helpers.WithHint(httpclient.Explain(ctx, err), "if the registry's token endpoint is at %s now, the registry has to name it so in its challenge", redirect.To)
	}
	return httpclient.Diagnose(ctx, err, host)
}

// loginCommand is what a user types to log in to a registry.
func loginCommand(registry string) string {
	if registry == lookup.DockerHub {
		return "docker login"
	}
	return "docker login " + registry
}
