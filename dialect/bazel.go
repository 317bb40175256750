// Package dialect speaks the protocols of the clients: it reads one client's request, and writes the answer as that client wants it.
// Nothing behind it knows which client asked.
package dialect

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/tidwall/gjson"
)

// MaxRequest is the size in bytes above which a request is refused.
const MaxRequest = 64 << 10

const bazelForm = `a request is one JSON object: {"uri": "https://…"}`

// ReadBazel reads a request in Bazel's credential-helper protocol: a JSON object with the string "uri"; other properties are ignored.
// It stops at the end of the object, whether or not the client closes its end of the pipe.
//
// Source: https://github.com/EngFlow/credential-helper-spec/blob/main/spec.md
func ReadBazel(r io.Reader) (helpers.Request, error) {
	limited := &io.LimitedReader{R: r, N: MaxRequest + 1}
	var raw json.RawMessage
	err := json.NewDecoder(limited).Decode(&raw)
	if limited.N <= 0 {
		return helpers.Request{}, fmt.Errorf("reading the request: it is larger than %d bytes", MaxRequest)
	}
	var syntax *json.SyntaxError
	switch {
	case err == nil:
	case errors.Is(err, io.EOF):
		return helpers.Request{}, fmt.Errorf("reading the request: standard input is empty; %s", bazelForm)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return helpers.Request{}, fmt.Errorf("reading the request: the JSON is cut off; %s", bazelForm)
	case errors.As(err, &syntax):
		return helpers.Request{}, fmt.Errorf("reading the request: not valid JSON (%w); %s", syntax, bazelForm)
	default:
		return helpers.Request{}, fmt.Errorf("reading the request: %w", err)
	}
	object := gjson.ParseBytes(raw)
	if !object.IsObject() {
		return helpers.Request{}, fmt.Errorf("reading the request: it is JSON, but not an object; %s", bazelForm)
	}
	var uris []gjson.Result
	object.ForEach(func(key, value gjson.Result) bool {
		if key.String() == "uri" {
			uris = append(uris, value)
		}
		return true
	})
	switch {
	case len(uris) == 0:
		return helpers.Request{}, fmt.Errorf(`reading the request: it has no "uri"; %s`, bazelForm)
	case len(uris) > 1:
		return helpers.Request{}, errors.New(`reading the request: it has "uri" twice`)
	case uris[0].Type != gjson.String:
		return helpers.Request{}, fmt.Errorf(`reading the request: "uri" is not a string; %s`, bazelForm)
	}
	req, err := helpers.ParseRequest(uris[0].String())
	if err != nil {
		return helpers.Request{}, fmt.Errorf("reading the request: %w", err)
	}
	return req, nil
}

// bazelResponse has its fields in the order in which they are written.
type bazelResponse struct {
	Headers map[string][]string `json:"headers"`
	Expires string              `json:"expires,omitempty"`
}

// WriteBazel writes an answer in Bazel's credential-helper protocol: one JSON object on one line.
// Header values are arrays of strings; expires is RFC 3339 in UTC and whole seconds (Bazel refuses fractions and null), and absent where resp has none.
// Nothing is written where a header could not be sent as it is.
func WriteBazel(w io.Writer, resp helpers.Response) error {
	out := bazelResponse{Headers: make(map[string][]string, len(resp.Headers))}
	for name, values := range resp.Headers {
		if err := helpers.CheckHeaderName(name); err != nil {
			return fmt.Errorf("writing the answer: %w", err)
		}
		texts := make([]string, 0, len(values))
		for _, v := range values {
			if err := helpers.CheckHeaderValue(v); err != nil {
				return fmt.Errorf("writing the answer: header %s: %w", name, err)
			}
			texts = append(texts, v.Reveal())
		}
		out.Headers[name] = texts
	}
	if !resp.Expires.IsZero() {
		out.Expires = resp.Expires.UTC().Truncate(time.Second).Format(time.RFC3339)
	}
	return writeJSON(w, out)
}
