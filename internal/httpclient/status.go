package httpclient

import (
	"fmt"
	"mime"
	"net/http"
	"strings"

	"github.com/fe055d52/credential-helper/internal/ascii"
)

// A StatusError is an answer of a server that is not the one hoped for.
type StatusError struct {
	Status  int
	Message string // the server's own, fit to be shown; may be empty
	HTML    bool   // its body is a web page
}

func (e *StatusError) Error() string {
	text := fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status))
	if http.StatusText(e.Status) == "" {
		text = fmt.Sprintf("status %d", e.Status)
	}
	switch {
	case e.Message != "":
		text += ": " + e.Message
	case e.HTML:
		text += ", with a web page (HTML) as its body"
	}
	return text
}

// ReadStatus makes a StatusError of a response, whose message is what message finds in its body, and closes it.
// A body that cannot be read is passed over: the status says enough.
func ReadStatus(resp *http.Response, message func(body []byte) string) StatusError {
	e := StatusError{Status: resp.StatusCode}
	body := readProblem(resp)
	if e.HTML = IsHTML(resp, body); !e.HTML {
		e.Message = message(body)
	}
	return e
}

// IsHTML reports whether a response is a web page, by what it says of itself or by how its body begins.
func IsHTML(resp *http.Response, body []byte) bool {
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	start := ascii.Lower(strings.TrimSpace(string(body[:min(len(body), 64)])))
	return media == "text/html" || strings.HasPrefix(start, "<!doctype html") || strings.HasPrefix(start, "<html")
}
