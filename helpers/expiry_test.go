package helpers

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestWithMargin(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		life, want time.Duration
	}{
		{time.Hour, 59 * time.Minute},
		{5 * time.Minute, 4 * time.Minute},
		{3 * time.Minute, 2 * time.Minute},
		{60 * time.Second, 40 * time.Second},
		{3 * time.Second, 2 * time.Second},
		{5*time.Minute + 900*time.Millisecond, 4 * time.Minute},
		{0, 0},
	} {
		got := WithMargin(now.Add(tt.life), now)
		if got.Sub(now) != tt.want {
			t.Errorf("a life of %s is told as %s, want %s", tt.life, got.Sub(now), tt.want)
		}
	}
	if got := WithMargin(now.Add(-time.Hour), now); got.After(now) {
		t.Errorf("an expired token is told to live until %s", got)
	}
	elsewhere := time.FixedZone("x", 3600)
	if got := WithMargin(now.Add(time.Hour).In(elsewhere), now); got.Location() != time.UTC {
		t.Errorf("not in UTC: %s", got)
	}
}

func TestJWTExpiry(t *testing.T) {
	received := time.Unix(1_000_000, 0)
	jwt := func(claims string) string {
		enc := base64.RawURLEncoding.EncodeToString
		return enc([]byte(`{"alg":"none"}`)) + "." + enc([]byte(claims)) + "." + enc([]byte("sig"))
	}
	for _, tt := range []struct {
		name, token string
		fresh       bool
		want        int64 // Unix time, 0: not known
	}{
		{"fresh, with iat", jwt(`{"iat":5000,"exp":5300}`), true, 1_000_300},
		{"fresh, the clocks agree", jwt(`{"iat":1000000,"exp":1000300}`), true, 1_000_300},
		{"fresh, made before", jwt(`{"iat":996500,"exp":1000100}`), true, 1_000_100},
		{"fresh, our clock is behind", jwt(`{"iat":1005000,"exp":1005300}`), true, 1_000_300},
		{"fresh, our clock is ahead", jwt(`{"iat":999000,"exp":1000000}`), true, 1_001_000},
		{"fresh, without iat", jwt(`{"exp":1000300}`), true, 1_000_300},
		{"fresh, iat behind exp", jwt(`{"iat":9000000,"exp":1000300}`), true, 1_000_300},
		{"stored", jwt(`{"iat":999900,"exp":1000100}`), false, 1_000_100},
		{"exp is a string", jwt(`{"exp":"1000300"}`), false, 0},
		{"no exp", jwt(`{}`), false, 0},
		{"absurd", jwt(`{"exp":1e300}`), false, 0},
		{"behind the year 9999", jwt(`{"exp":253402300800}`), false, maxTime},
		{"opaque", "abcdef", true, 0},
		{"two dots", "a.b.c", true, 0},
		{"empty", "", true, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := JWTExpiry(tt.token, received, tt.fresh)
			if ok != (tt.want != 0) || ok && got.Unix() != tt.want {
				t.Errorf("got %v, %v", got, ok)
			}
		})
	}
}

func FuzzJWTExpiry(f *testing.F) {
	f.Add("e30.eyJleHAiOjF9.x", true)
	f.Add("e30."+base64.RawURLEncoding.EncodeToString([]byte(`{"exp":1000,"iat":900}`))+".x", true)
	f.Add("e30."+base64.RawURLEncoding.EncodeToString([]byte(`{"exp":1e300,"iat":-1,"exp":"x"}`))+".x", false)
	received := time.Unix(1_000_000, 0)
	f.Fuzz(func(t *testing.T, token string, fresh bool) {
		got, ok := JWTExpiry(token, received, fresh)
		if !ok {
			return
		}
		parts := strings.Split(token, ".")
		if len(parts) != 3 {
			t.Fatalf("%q has %d parts", token, len(parts))
		}
		payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
		var claims map[string]any
		if err != nil || json.Unmarshal(payload, &claims) != nil {
			t.Fatalf("%q says when it expires, and cannot be read", token)
		}
		// Of a claim that stands twice the readers take each their own.
		if strings.Count(string(payload), "exp") > 1 || strings.Contains(string(payload), `\\`) {
			return
		}
		exp, isNumber := claims["exp"].(float64)
		if !isNumber || exp <= 0 {
			t.Fatalf("%q expires at %v", payload, claims["exp"])
		}
		end := time.Unix(int64(min(exp, maxTime)), 0)
		switch {
		case !fresh && !got.Equal(end):
			t.Errorf("%q expires at %s, want %s", payload, got, end)
		case fresh && end.After(received) && got.After(end):
			t.Errorf("%q lives until %s, beyond its end", payload, got)
		}
	})
}
