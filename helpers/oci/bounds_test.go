package oci

import (
	"net/http"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/boundtest"
	"github.com/fe055d52/credential-helper/internal/httpclient"
)

// TestBounds holds to bounds what is made of a server's answers, and of the names of repositories.
func TestBounds(t *testing.T) {
	count := boundtest.Count
	t.Run("challenges", func(t *testing.T) {
		// The client reads headers of a quarter of a megabyte; the longest that counts is shorter.
		boundtest.Parser{Limit: 256 << 10, Format: "HTTP", Parse: func(text string) error {
			ParseChallenges([]string{text, text})
			for len(text) > maxChallengeHeader {
				ParseChallenges([]string{text[:maxChallengeHeader]})
				text = text[maxChallengeHeader:]
			}
			return nil
		}}.Check(t)
	})
	t.Run("realms", func(t *testing.T) {
		boundtest.Parser{Limit: maxChallengeHeader, Parse: func(text string) error {
			_, err := checkRealm(mustRequest(t, "https://r.example.com/").URL, "https://"+text+"/token", []string{"a.test"}, false)
			return err
		}}.Check(t)
	})
	t.Run("answers", func(t *testing.T) {
		boundtest.Parser{
			Limit: httpclient.MaxBody, Format: "JSON",
			Parse: func(text string) error {
				resp := &http.Response{Header: http.Header{}}
				oauthCode([]byte(text))
				serverMessage([]byte(text))
				_, err := parseToken(resp, []byte(text), time.Unix(0, 0))
				return err
			},
			Shapes: map[string]boundtest.Shape{
				"a token":              boundtest.Between(`{"token":"`, "a", `"}`),
				"errors":               count(`{"errors":[`, `{"code":"x%d","message":"y"},`, `{}]}`),
				"messages":             count(`{"errors":[`, `{"message":"https://u:p@h%d.test/?token=x"},`, `{}]}`),
				"a number":             boundtest.Between(`{"token":"a","expires_in":"`, "9", `"}`),
				"messages without end": boundtest.Between(`{"message":"`, "token=", `"}`),
			},
		}.Check(t)
	})
	t.Run("scopes", func(t *testing.T) {
		h := &helper{}
		boundtest.Parser{
			Limit: helpers.MaxURL - 30,
			Parse: func(text string) error {
				if r, err := helpers.ParseRequest("https://r.test/v2/" + text); err == nil {
					h.Scope(r.URL)
				}
				return nil
			},
			Shapes: map[string]boundtest.Shape{
				"uploads": boundtest.Repeat("blobs/uploads/"), "mounts": boundtest.Between("a/blobs/uploads/?", "mount=x&from=b&", ""), "manifests": boundtest.Repeat("manifests/a/"),
			},
		}.Check(t)
	})
}

func mustRequest(t *testing.T, raw string) helpers.Request {
	t.Helper()
	r, err := helpers.ParseRequest(raw)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
