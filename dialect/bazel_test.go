package dialect

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/redact"
)

func TestReadBazel(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"plain", `{"uri":"https://example.com/a?b=c"}`, "https://example.com/a?b=c"},
		{"more properties", `{"a":{"uri":"x"},"uri":"https://example.com/","b":[1]}`, "https://example.com/"},
		{"escapes", `{"\u0075ri":"https:\/\/example.com\/\u0061"}`, "https://example.com/a"},
		{"white space", " \n{ \"uri\" : \"https://example.com/\" }\n", "https://example.com/"},
		{"what follows is not read", `{"uri":"https://example.com/"} trailing`, "https://example.com/"},
		{"bare host", `{"uri":"ghcr.io"}`, "https://ghcr.io/"},
		{"all hosts", `{"uri":"https://*.example.com/"}`, "https://*.example.com/"},
		{"default port", `{"uri":"https://example.com:443/"}`, "https://example.com/"},
		{"no path", `{"uri":"https://example.com:9092"}`, "https://example.com:9092/"},
		{"grpc", `{"uri":"grpc://example.com"}`, "grpc://example.com/"},
		{"grpcs", `{"uri":"grpcs://example.com"}`, "grpcs://example.com/"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req, err := ReadBazel(strings.NewReader(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			if req.URL.String() != tt.want {
				t.Errorf("got %s", req.URL)
			}
		})
	}
}

const formHint = `; a request is one JSON object: {"uri": "https://…"}`

func TestReadBazelErrors(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"empty", "", "reading the request: standard input is empty" + formHint},
		{"white space", " \n", "reading the request: standard input is empty" + formHint},
		{"cut off", `{"uri": "https`, "reading the request: the JSON is cut off" + formHint},
		{"not JSON", "https://example.com/", "reading the request: not valid JSON (invalid character 'h' looking for beginning of value)" + formHint},
		{"array", `["https://example.com/"]`, "reading the request: it is JSON, but not an object" + formHint},
		{"string", `"https://example.com/"`, "reading the request: it is JSON, but not an object" + formHint},
		{"null", `null`, "reading the request: it is JSON, but not an object" + formHint},
		{"no uri", `{"url":"https://example.com/"}`, `reading the request: it has no "uri"` + formHint},
		{"another case", `{"URI":"https://example.com/"}`, `reading the request: it has no "uri"` + formHint},
		{"uri twice", `{"uri":"https://a.test/","uri":"https://b.test/"}`, `reading the request: it has "uri" twice`},
		{"number", `{"uri":1}`, `reading the request: "uri" is not a string` + formHint},
		{"uri null", `{"uri":null}`, `reading the request: "uri" is not a string` + formHint},
		{"empty uri", `{"uri":""}`, `reading the request: the URL is empty`},
		{"escaped line break", `{"uri":"https://a.test/\r\nX"}`, `reading the request: the URL has a control character (0x0d) at byte 15`},
		{"too large", `{"uri":"https://a.test/` + strings.Repeat("a", MaxRequest) + `"}`, "reading the request: it is larger than 65536 bytes"},
		{"endless", strings.Repeat(" ", MaxRequest+5), "reading the request: it is larger than 65536 bytes"},
		{"deep", strings.Repeat("[", 60000), "reading the request: not valid JSON (invalid character '[' exceeded max depth)" + formHint},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ReadBazel(strings.NewReader(tt.in))
			if err == nil || err.Error() != tt.want {
				t.Errorf("\n got %v\nwant %s", err, tt.want)
			}
		})
	}
}

// TestReadBazelDoesNotWaitForTheEnd reads from a pipe that is never closed.
func TestReadBazelDoesNotWaitForTheEnd(t *testing.T) {
	r, w := io.Pipe()
	defer w.Close()
	go func() { _, _ = io.WriteString(w, `{"uri":"https://example.com/"}`) }()
	if _, err := ReadBazel(r); err != nil {
		t.Error(err)
	}
}

func TestWriteBazel(t *testing.T) {
	elsewhere := time.FixedZone("x", 3600)
	for _, tt := range []struct {
		name string
		resp helpers.Response
		want string
	}{
		{"no opinion", helpers.Response{}, `{"headers":{}}`},
		{"expires in UTC and whole seconds", helpers.Response{Expires: time.Date(2026, 3, 1, 13, 0, 0, 999, elsewhere)}, `{"headers":{},"expires":"2026-03-01T12:00:00Z"}`},
		{"lists, in order, not escaped for HTML", helpers.Response{Headers: map[string][]redact.Secret{
			"B": {redact.Hold("<&>")}, "A": {redact.Hold("1"), redact.Hold("2")},
		}}, `{"headers":{"A":["1","2"],"B":["<&>"]}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			if err := WriteBazel(&out, tt.resp); err != nil {
				t.Fatal(err)
			}
			if out.String() != tt.want+"\n" {
				t.Errorf("got %s", out.String())
			}
		})
	}
}

func TestWriteBazelRefuses(t *testing.T) {
	for _, tt := range []struct{ name, header, value, want string }{
		{"line break", "X", "hunter2\r\nY: z", "writing the answer: header X: the value has a line break"},
		{"not UTF-8", "X", "hunter2\xff", "writing the answer: header X: the value is not valid UTF-8"},
		{"1 MiB", "X", strings.Repeat("hunter2x", 1<<17), "writing the answer: header X: the value is too long for a header (1048576 bytes)"},
		{"NUL", "X", "hunter2\x00", "writing the answer: header X: the value has a control character (0x00)"},
		{"name", "X Y", "hunter2", `writing the answer: the header name "X Y" has the character ' '`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			err := WriteBazel(&out, helpers.Header(tt.header, redact.Hold(tt.value)))
			if err == nil || err.Error() != tt.want {
				t.Errorf("got %v", err)
			}
			if out.Len() > 0 {
				t.Errorf("wrote %s", out.String())
			}
		})
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestWriteBazelTellsAFailedWrite(t *testing.T) {
	if err := WriteBazel(brokenWriter{}, helpers.Response{}); err == nil || err.Error() != "writing the answer: broken pipe" {
		t.Errorf("got %v", err)
	}
}

// FuzzReadBazel holds that a request is accepted only from JSON objects, and that the result is a checked URL.
func FuzzReadBazel(f *testing.F) {
	f.Add([]byte(`{"uri":"https://example.com/a?b=c"}`))
	f.Add([]byte(`{"uri":"ghcr.io","x":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		req, err := ReadBazel(bytes.NewReader(data))
		if err != nil {
			if strings.ContainsAny(err.Error(), "\r\n\x00\x1b") {
				t.Errorf("the error has a control character: %q", err)
			}
			return
		}
		var object map[string]any
		if err := json.NewDecoder(bytes.NewReader(data)).Decode(&object); err != nil {
			t.Errorf("accepted %q: %v", data, err)
		}
		if _, err := helpers.ParseRequest(req.URL.String()); err != nil {
			t.Errorf("%q became %s: %v", data, req.URL, err)
		}
	})
}

// FuzzWriteBazel holds that what is written is read back as it was by a JSON decoder, on one line.
func FuzzWriteBazel(f *testing.F) {
	f.Add("Authorization", "Bearer x", int64(1_700_000_000))
	f.Fuzz(func(t *testing.T, name, value string, unix int64) {
		var out bytes.Buffer
		resp := helpers.Header(name, redact.Hold(value))
		resp.Expires = time.Unix(unix%(1<<33), 5)
		if err := WriteBazel(&out, resp); err != nil {
			if out.Len() > 0 {
				t.Error("wrote something in spite of an error")
			}
			return
		}
		var back struct {
			Headers map[string][]string
			Expires time.Time
		}
		if err := json.Unmarshal(out.Bytes(), &back); err != nil {
			t.Fatal(err)
		}
		if got := back.Headers[name]; len(got) != 1 || got[0] != value {
			t.Errorf("header %q came back as %q, want %q", name, got, value)
		}
		if strings.Count(out.String(), "\n") != 1 || back.Expires.Nanosecond() != 0 {
			t.Errorf("wrote %q", out.String())
		}
	})
}
