package github

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"
)

// FuzzAnswer holds that a token of the API's can be sent, lives an hour at most from when it was asked for, and is what encoding/json reads, and that no error quotes it.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"token":"ghs_x","expires_at":"2026-05-01T13:00:00Z"}`), true)
	f.Add([]byte(`{"token":"a\r\nb","expires_at":"2026-05-01T13:00:00Z"}`), false)
	f.Add([]byte(`{"token":1,"expires_at":"9999-12-31T23:59:59+23:59"}`), false)
	f.Add([]byte(`{"token":"\u0061","expires_at":"0000-01-01T00:00:00Z"}`), true)
	f.Add([]byte(`[{"token":"x"}]`), true)
	sent := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, body []byte, dated bool) {
		if !json.Valid(body) {
			return // which is refused before
		}
		a := answer{body: body, sent: sent}
		if dated {
			a.date = sent.Add(90 * time.Second)
		}
		token, expires, err := a.token()
		if err != nil {
			if len(err.Error()) > 300 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		for _, c := range []byte(token.Reveal()) {
			if c <= 0x20 || c >= 0x7f {
				t.Errorf("a token with the byte %#x", c)
			}
		}
		if token.IsZero() || !expires.After(sent) || expires.After(sent.Add(maxTokenLife)) {
			t.Errorf("a token that expires at %v", expires)
		}
		// Of a key that stands twice, or in another case, the readers take each their own.
		var second map[string]any
		if err := json.Unmarshal(body, &second); err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		if text, ok := second["token"].(string); ok && text != token.Reveal() && !twice(body, "token") {
			t.Errorf("%q has the token %q, and %q to encoding/json", body, token.Reveal(), text)
		}
	})
}

// twice reports whether an object has a key more than once.
func twice(body []byte, key string) bool {
	n := 0
	d := json.NewDecoder(bytes.NewReader(body))
	for {
		t, err := d.Token()
		if err != nil {
			return n > 1
		}
		if t == key {
			n++
		}
	}
}
