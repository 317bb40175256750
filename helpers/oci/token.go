package oci

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/httpclient"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/tidwall/gjson"
)

const (
	// defaultLife is how long a token lives whose response does not say (distribution's token specification).
	defaultLife = 60 * time.Second
	// maxLife is the longest life that is believed.
	maxLife = 30 * 24 * time.Hour
)

// A token is what a token endpoint hands out.
type token struct {
	secret  redact.Secret
	expires time.Time
}

// parseToken reads a token endpoint's response: https://distribution.github.io/distribution/spec/auth/token/#token-response-fields
//
// The token's life is counted from sent, when the request left: the server cannot have begun to count before that.
// "issued_at" is ignored, because the server's clock may not be ours. If the token is a JWT, its own claims count where they end its life earlier,
// and where "expires_in" is missing, not a number or not positive. Where nothing says, it is the 60 s of the specification.
func parseToken(resp *http.Response, body []byte, sent time.Time) (token, error) {
	if httpclient.IsHTML(resp, body) {
		return token{}, helpers.WithHint(errors.New("the answer is a web page (HTML), not a token"),
			"does a proxy or a sign-in page stand before the token endpoint?")
	}
	doc, err := httpclient.ParseJSON(body)
	if err != nil {
		return token{}, err
	}
	text := doc.Get("token")
	if text.Type != gjson.String || text.Str == "" {
		text = doc.Get("access_token")
	}
	if !doc.IsObject() || text.Type != gjson.String || text.Str == "" {
		if message := serverMessage(body); message != "" {
			return token{}, errors.New("the answer holds no token, but this: " + message)
		}
		return token{}, errors.New(`the answer holds no token (neither "token" nor "access_token")`)
	}
	secret := redact.New(text.Str)
	if err := helpers.CheckToken(secret); err != nil {
		return token{}, fmt.Errorf("the answer's token %w", err)
	}
	t := token{secret: secret, expires: sent.Add(defaultLife)}
	life, told := expiresIn(doc.Get("expires_in"))
	if told {
		t.expires = sent.Add(life)
	}
	if exp, ok := helpers.JWTExpiry(text.Str, sent, true); ok && exp.After(sent) && (!told || exp.Before(t.expires)) {
		t.expires = exp
	}
	if latest := sent.Add(maxLife); t.expires.After(latest) {
		t.expires = latest
	}
	return t, nil
}

// expiresIn reads a number of seconds, or a string that holds one. ok is false for what is no positive number.
func expiresIn(v gjson.Result) (life time.Duration, ok bool) {
	seconds := v.Num
	switch v.Type {
	case gjson.Number:
	case gjson.String:
		var err error
		if seconds, err = strconv.ParseFloat(v.Str, 64); err != nil && !math.IsInf(seconds, 0) {
			return 0, false
		}
	default:
		return 0, false
	}
	if !(seconds > 0) { // NaN too
		return 0, false
	}
	return time.Duration(min(seconds, maxLife.Seconds()) * float64(time.Second)), true
}
