package oci

import (
	"net/http"
	"testing"
	"time"
)

// FuzzToken holds that a token which is accepted can stand in a header, and does not live for ever.
func FuzzToken(f *testing.F) {
	for _, seed := range []string{
		`{"token":"t","expires_in":300}`, `{"access_token":"a.b.c","expires_in":"1e999"}`, `{"token":"a\r\nb"}`, `{"token":"eyJhIjoxfQ.eyJleHAiOjF9.x"}`,
		`{"errors":[{"code":"X","message":"y"}]}`, `<html>`, `{"token":"t","expires_in":-0.5}`,
	} {
		f.Add([]byte(seed))
	}
	sent := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := parseToken(&http.Response{}, body, sent)
		if err != nil {
			if len(err.Error()) > 400 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		for _, c := range []byte(got.secret.Reveal()) {
			if c <= 0x20 || c >= 0x7f {
				t.Errorf("a token with the byte %#x", c)
			}
		}
		if got.secret.IsZero() || got.expires.Before(sent) || got.expires.After(sent.Add(maxLife)) {
			t.Errorf("a token that expires at %v", got.expires)
		}
	})
}
