package redact

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"unicode"
)

func TestSaid(t *testing.T) {
	New("tiger-lily-79-wonder")
	for _, tt := range []struct{ name, in, want string }{
		{"a registry", "DENIED: requested access to the resource is denied", "DENIED: requested access to the resource is denied"},
		{"a code", "NAME_UNKNOWN: repository name not known to registry; TOOMANYREQUESTS", "NAME_UNKNOWN: repository name not known to registry; TOOMANYREQUESTS"},
		{"codes in camel case", "InvalidAuthenticationToken (ExpiredToken)", "InvalidAuthenticationToken (ExpiredToken)"},
		{"GitHub", "Resource protected by organization SAML enforcement. You must grant your Personal Access token access to this organization.", "Resource protected by organization SAML enforcement. You must grant your Personal Access token access to this organization."},
		{"an apostrophe", "it's not the server's, you don't say", "it's not the server's, you don't say"},
		{"scopes", "read:packages, write_registry, repo", "read:packages, write_registry, repo"},
		{"a time", "token expired at 2026-02-28T12:00:00Z", "token expired at 2026-02-28T12:00:00Z"},
		{"a life", "try again in 30s", "try again in 30s"},
		{"a date", "Fri, 31 Dec 2027 23:59:59 GMT", "Fri, 31 Dec 2027 23:59:59 GMT"},
		{"the request's names", "no repository Team/aPP at a.test:5000", "no repository Team/app at a.test:5000"},
		{"strangers", "no repository wibble/wobble here", "no repository … here"},
		{"a secret that was met", "not tiger-lily-79-wonder", "not [redacted]"},
		{"one that was not", "your new token is Qx7aB", "your new token is …"},
		{"spelled", "access is q w e r t y 1 2 3 4", "access is … t y 1 2 3 4"},
		{"digits", strings.Repeat("access 1234 ", 9), strings.TrimSpace(strings.Repeat("access 1234 ", 3)) + strings.Repeat(" access …", 6)},
		{"letter case", "ACCess aCCESS ACCESS Access", "access access ACCESS Access"},
		{"punctuation", "access #!@$%^&* denied", "access # denied"},
		{"another alphabet", "доступ запрещён", ""},
		{"digits of another alphabet", "access ٣٤٥ denied", "access … denied"},
		{"nothing that is known", "cn4f5a6b7c8d", ""},
		{"a number", "30", "30"},
		{"nothing", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Said(tt.in, 400, "a.test:5000", "repository:team/app:pull"); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	if got := Said("access is denied to this", 12); got != "access is …" {
		t.Errorf("cut: %q", got)
	}
}

// TestSaidInDisguise holds that no writing of a secret comes through, be it one that was met or not.
func TestSaidInDisguise(t *testing.T) {
	for name, say := range disguises {
		for _, secret := range []string{"cnb7Q2x9Lk4mWz8Rt5Vy", "correcthorsebatterystaple", "4711471147114711"} {
			got := Said("denied: "+say(secret)+" is not known", 400)
			if !strings.HasPrefix(got, "denied: ") || !strings.HasSuffix(got, " is not known") {
				t.Errorf("%s: the words are lost: %q", name, got)
			}
			for i := 0; i+8 <= len(secret); i++ {
				if part := say(secret[i : i+8]); len(part) >= 8 && strings.Contains(got, part) {
					t.Errorf("%s: %q has %q", name, got, part)
				}
			}
			if shown := strings.NewReplacer("denied: ", "", " is not known", "", Mark, "").Replace(got); strings.ContainsFunc(shown, unicode.IsLetter) || len(shown) > 40 {
				t.Errorf("%s: %q shows %q", name, got, shown)
			}
		}
	}
}

// disguises are writings of a secret that a server, or a program, may use.
var disguises = map[string]func(string) string{
	"plain":       func(s string) string { return s },
	"upper":       strings.ToUpper,
	"lower":       strings.ToLower,
	"reversed":    reversed,
	"hex":         func(s string) string { return hex.EncodeToString([]byte(s)) },
	"HEX":         func(s string) string { return strings.ToUpper(hex.EncodeToString([]byte(s))) },
	"base32":      func(s string) string { return base32.StdEncoding.EncodeToString([]byte("x" + s)) },
	"base64":      func(s string) string { return base64.StdEncoding.EncodeToString([]byte("xx" + s)) },
	"base64, URL": func(s string) string { return base64.URLEncoding.EncodeToString([]byte("x" + s + "?")) },
	"half":        func(s string) string { return s[:len(s)*3/4] },
	"rotated":     func(s string) string { return strings.Map(rot13, s) },
	"in lines":    func(s string) string { return s[:len(s)/3] + "\n" + s[len(s)/3:len(s)*2/3] + "\n" + s[len(s)*2/3:] },
	"percent": func(s string) string {
		var b strings.Builder
		for _, c := range []byte(s) {
			fmt.Fprintf(&b, "%%%02x", c)
		}
		return b.String()
	},
}

func rot13(r rune) rune {
	switch {
	case 'a' <= r && r <= 'z':
		return 'a' + (r-'a'+13)%26
	case 'A' <= r && r <= 'Z':
		return 'A' + (r-'A'+13)%26
	}
	return r
}

// TestParts holds that a secret that was met is found in other writings, and in parts, wherever text is shown.
func TestParts(t *testing.T) {
	const secret = "cnb7Q2x9Lk4mWz8Rt5Vy0987"
	New(secret)
	for name, say := range disguises {
		if name == "rotated" || name == "in lines" || name == "percent" {
			continue // of these, no line that people write is told apart: what servers say is for Said
		}
		for _, where := range []string{"%s", "x%sy", "the value <%s> is bad"} {
			got := Line(fmt.Sprintf(where, say(secret)), 300)
			if left := strings.ReplaceAll(got, Mark, ""); len(left) > len(where)+6 {
				t.Errorf("%s: %q", name, got)
			}
		}
	}
	New("github_pat_11ABCDEFG0aaaaaaaaaaaa")
	New("my-registry-password-7")
	for _, text := range []string{"a token like github_pat_…", "the registry-pass is", "my-registry"} {
		if got := Line(text, 300); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func TestStrange(t *testing.T) {
	for in, want := range map[string]string{
		"key 3f9a1c7be2d04586 is":                    "key [redacted] is",
		"key Zk3vQ9pLx2Wt7mBn4Rc8 is":                "key [redacted] is",
		"key 123e4567-e89b-12d3-a456-426614174000":   "key [redacted]",
		"docker-credential-osxkeychain2 failed":      "docker-credential-osxkeychain2 failed",
		"x86_64-unknown-linux-gnu, 20260101T000000Z": "x86_64-unknown-linux-gnu, 20260101T000000Z",
		"errSecInteractionNotAllowed (-25308)":       "errSecInteractionNotAllowed (-25308)",
		"/tmp/TestRun1234567890/001/file":            "/tmp/TestRun1234567890/001/file",
		"d1a2b3c4e5":                                 "d1a2b3c4e5",
	} {
		if got := Quote(in, 200); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestName(t *testing.T) {
	for in, want := range map[string]string{
		"objects.githubusercontent.com":           "objects.githubusercontent.com",
		"prod-registry.s3.eu-west-1.example.com":  "prod-registry.s3.eu-west-1.example.com",
		"evil.test:8443":                          "evil.test:8443",
		"own.q1w2e3r4t5y6.test":                   "own.q1w2e3r4t5y6.test",
		"q1w2e3r4t5y6u7.cloudfront.net":           "….cloudfront.net",
		"q1w2e3.r4t5y6.u7i8o9.test":               "….….….test",
		"127.0.0.1:43017":                         "127.0.0.1:43017",
		"[6362:3466:3561:3662:3763:3864:3965:66]": "…",
		"": "",
	} {
		if got := Name(in, "OWN.q1w2e3r4t5y6.test"); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

// FuzzSaid holds that what comes through consists of the vocabulary's words, numbers and punctuation.
func FuzzSaid(f *testing.F) {
	f.Add("denied: "+canary, "a.test")
	f.Add("Basic Zm9vOmJhcg== 2026-01-01T00:00:00Z InvalidToken", "x")
	f.Fuzz(func(t *testing.T, text, own string) {
		got := Said(text, 300)
		digits := 0
		for _, word := range wordPattern().FindAllString(strings.ReplaceAll(got, Mark, ""), -1) {
			n := len(strings.Map(digitsOnly, word))
			digits += n
			if _, known := inVocabulary(word); !known && (n == 0 || !timePattern().MatchString(word)) {
				t.Errorf("%q became %q, with %q", text, got, word)
			}
		}
		if digits > maxDigits {
			t.Errorf("%q became %q, with %d digits", text, got, digits)
		}
		Said(text, 300, own)
		Name(text, own)
	})
}
