package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/lookup"
)

// loginOf tells of a credential; goes says that the answer was made with it, or without one.
func loginOf(c helpers.Credential, goes bool) *loginExplained {
	if c.Anonymous() && !goes {
		return nil
	}
	return &loginExplained{text(c.Source), text(publicName(c))}
}

// answerOf tells of the answer that a client is told.
func answerOf(told helpers.Response, c helpers.Credential, now time.Time) *answerExplained {
	a := &answerExplained{Headers: []headerExplained{}, Expires: utc(told.Expires)}
	for _, name := range slices.Sorted(maps.Keys(told.Headers)) {
		for _, value := range told.Headers[name] {
			shown := value.Reveal()
			if len(told.Headers["Docker-Distribution-API-Version"]) == 0 || name != "Accept" && name != "Docker-Distribution-API-Version" {
				shown = showSecret(value, c)
			} // else it is what package oci sends to everybody
			a.Headers = append(a.Headers, headerExplained{name, text(shown)})
		}
	}
	switch {
	case told.Empty():
		a.Bazel = fmt.Sprintf("Bazel keeps the answer without headers until %s, and does not look into its own netrc for this URL", clock(told.Expires, now))
	case told.Expires.IsZero():
		a.Bazel = "Bazel keeps an answer without an expiry for 30 minutes, unless --credential_helper_cache_duration says otherwise"
	default:
		a.Bazel = fmt.Sprintf("Bazel keeps this answer until %s", clock(told.Expires, now))
	}
	return a
}

// showSecret returns what is told of a header's value: its scheme, and of the secret its kind and length.
func showSecret(value redact.Secret, c helpers.Credential) string {
	scheme, rest, ok := strings.Cut(value.Reveal(), " ")
	switch {
	case ok && scheme == "Bearer":
		return "Bearer " + redact.Hold(rest).Outline()
	case ok && scheme == "Basic":
		login, err := base64.StdEncoding.DecodeString(rest)
		user, password, both := bytes.Cut(login, []byte(":"))
		if err == nil && both && len(user) > 0 && string(user) == publicName(c) {
			return fmt.Sprintf("Basic %s:%s", user, redact.Hold(string(password)).Outline())
		}
		return "Basic " + redact.Hold(rest).Outline()
	}
	return value.Outline()
}

// publicName returns the user name of a login, where it is sure to be no secret; "" else. In some logins the token is in its place.
func publicName(c helpers.Credential) string {
	name := c.Username
	switch name {
	case "", "unset":
		return ""
	case "x-access-token", "__token__", "oauth2accesstoken", "oauth2", "token", "_json_key", lookup.TokenUser:
		return name
	}
	secret := c.Secret.Reveal()
	switch {
	case helpers.TokenInPlaceOfUser(secret):
		return ""
	case strings.Contains(name, secret), len(name) > 8 && strings.Contains(secret, name), redact.Scrub(name) != name:
		return ""
	case len(name) > 40, !strings.HasPrefix(redact.Hold(name).Outline(), "…"): // it begins as tokens do
		return ""
	}
	digits := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, name)
	odd := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-@+", r)
	}
	if len(name) > 16 && len(digits) > len(name)/8 || strings.ContainsFunc(name, odd) {
		return "" // it looks like a token more than like a name
	}
	return name
}
