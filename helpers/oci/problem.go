package oci

import (
	"context"
	"errors"
	"fmt"
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
	status     int
	message    string // the server's own, fit to be shown; may be empty
	code       string // the "error" of an OAuth2 answer (RFC 6749 §5.2)
	html       bool
	retryAfter string // fit to be shown
}

func (e *statusError) Error() string {
	text := fmt.Sprintf("%d %s", e.status, http.StatusText(e.status))
	if http.StatusText(e.status) == "" {
		text = fmt.Sprintf("status %d", e.status)
	}
	switch {
	case e.message != "":
		text += ": " + e.message
	case e.html:
		text += ", with a web page (HTML) as its body"
	}
	return text
}

// readStatus makes a statusError of a response and closes its body. A body that cannot be read is passed over: the status says enough.
func readStatus(resp *http.Response) *statusError {
	e := &statusError{status: resp.StatusCode, retryAfter: redact.Quote(resp.Header.Get("Retry-After"), 40)}
	body, _ := httpclient.ReadBody(resp)
	if e.html = isHTML(resp, body); e.html {
		return e
	}
	e.code = oauthCode(body)
	e.message = serverMessage(body)
	if media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); e.message == "" && media == "text/plain" {
		e.message = redact.Quote(string(body), maxQuoted)
	}
	return e
}

func isHTML(resp *http.Response, body []byte) bool {
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	start := strings.ToLower(strings.TrimSpace(string(body[:min(len(body), 64)])))
	return media == "text/html" || strings.HasPrefix(start, "<!doctype html") || strings.HasPrefix(start, "<html")
}

// oauthCode returns the code of an OAuth2 error answer, and "" for any other body.
func oauthCode(body []byte) string {
	if !gjson.ValidBytes(body) {
		return ""
	}
	if e := gjson.GetBytes(body, "error"); e.Type == gjson.String {
		return e.Str
	}
	return ""
}

// serverMessage returns what a server says of its error, fit to be shown: the distribution API's errors, an OAuth2 error,
// Docker Hub's "details" or a plain "message".
func serverMessage(body []byte) string {
	if !gjson.ValidBytes(body) {
		return ""
	}
	doc := gjson.ParseBytes(body)
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
	return redact.Quote(strings.Join(parts, "; "), maxQuoted)
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
