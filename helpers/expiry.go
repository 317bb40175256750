package helpers

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/tidwall/gjson"
)

// WithMargin returns when a client is told that an answer expires: earlier than its true expiry,
// so that no client sends a token that dies on the way. The margin is 60 s, or a third of the remaining life
// for tokens that live shorter than 3 minutes. The result is in UTC and whole seconds.
// It is not after now where nothing useful is left.
func WithMargin(expires, now time.Time) time.Time {
	expires = ByClock(expires, now)
	margin := time.Minute
	if left := expires.Sub(now); left < 3*time.Minute {
		margin = left / 3
	}
	return expires.Add(-margin).UTC().Truncate(time.Second)
}

// ByClock returns t by the clock as it shows now. They differ where the clock was set after t was reckoned from a time that it showed:
// how long it is until t is known from the monotonic readings of both, where they have one.
func ByClock(t, now time.Time) time.Time {
	left := t.Sub(now)
	if t.IsZero() || left.Abs() > century {
		return t
	}
	return now.Add(left).In(t.Location())
}

// century is less than a Duration can hold.
const century = 100 * 365 * 24 * time.Hour

// maxTime is the last second of the year 9999, the last that RFC 3339 can write.
const maxTime = 253402300799

// JWTExpiry returns when a JSON Web Token stops being valid, told by the local clock: received is when it arrived.
// ok is false for what is not a JWT or does not say. The signature is not checked: the token is believed by the server, not by us.
//
// A stored token is believed its exp (RFC 7519 §4.1). Of a fresh one, which a server has just handed out, the life (exp less iat) is counted from received,
// because the clock that wrote exp may not be ours; but it does not outlive its exp, because servers hand out tokens that they made before.
// An exp that is not after received counts for nothing then: our clock is ahead.
func JWTExpiry(token string, received time.Time, fresh bool) (expires time.Time, ok bool) {
	parts := strings.SplitN(token, ".", 4)
	if len(parts) != 3 || len(token) > 64<<10 {
		return time.Time{}, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil || !json.Valid(payload) {
		return time.Time{}, false
	}
	claims := gjson.ParseBytes(payload)
	exp, iat := claims.Get("exp"), claims.Get("iat")
	if exp.Type != gjson.Number || exp.Num <= 0 || exp.Num > 1<<40 {
		return time.Time{}, false
	}
	expires = time.Unix(int64(min(exp.Num, maxTime)), 0)
	if fresh && iat.Type == gjson.Number && iat.Num > 0 && iat.Num < exp.Num {
		const most = 1 << 33 // seconds, 272 years: about what a Duration holds
		counted := received.Add(time.Duration(min(exp.Num-iat.Num, most) * float64(time.Second)))
		if !expires.After(received) || counted.Before(expires) {
			expires = counted
		}
	}
	return expires, true
}
