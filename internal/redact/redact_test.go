package redact

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

const canary = "cnry-5f1d9a77e0"

func TestSecretNeverPrintsItself(t *testing.T) {
	s := New(canary)
	nested := struct {
		Public  Secret
		private Secret
		ptr     *Secret
		m       map[string]Secret
	}{s, s, &s, map[string]Secret{"k": s}}

	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%10.3s"} {
		fmt.Fprintf(&out, verb+"\n", s)
		fmt.Fprintf(&out, verb+"\n", nested)
		fmt.Fprintf(&out, verb+"\n", []Secret{s})
	}
	b, err := json.Marshal(nested)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(b)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "s", s, "nested", nested)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "s", s, "nested", nested)
	fmt.Fprintln(&out, fmt.Errorf("wrapped: %v", s))

	hex := fmt.Sprintf("%x", canary)
	for _, bad := range []string{canary, hex, strings.ToUpper(hex)} {
		if strings.Contains(out.String(), bad) {
			t.Errorf("the secret came out as %q", bad)
		}
	}
	if s.Reveal() != canary {
		t.Error("Reveal does not return the text")
	}
}

func TestZeroSecret(t *testing.T) {
	if s := New(""); !s.IsZero() || s.Reveal() != "" || fmt.Sprint(s) != "" {
		t.Errorf("New(\"\") is not the absent secret: %v", s)
	}
}

func TestQuoteRedacts(t *testing.T) {
	New("tiger-lily-77")
	for _, tt := range []struct{ name, in, want string }{
		{"known", "the value tiger-lily-77 was refused", "the value [redacted] was refused"},
		{"bearer", "sent Authorization: Bearer abcdefgh.ijkl", "sent Authorization: Bearer [redacted]"},
		{"user info", "GET https://bob:hunter22@example.com/x", "GET https://[redacted]@example.com/x"},
		{"github", "ghp_" + strings.Repeat("a", 36) + " is expired", "[redacted] is expired"},
		{"jwt", "got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln back", "got [redacted] back"},
		{"assignment", "MY_TOKEN=abcd1234 not valid", "MY_TOKEN=[redacted] not valid"},
		{"json", `{"password": "abcd1234"}`, `{"password": "[redacted]"}`},
		{"signed", "https://example.com/x?a=1&X-Amz-Signature=0011", "https://example.com/x?a=1&X-Amz-Signature=[redacted]"},
		{"plain words stay", "access to the resource is denied", "access to the resource is denied"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Quote(tt.in, 200); got != tt.want {
				t.Errorf("Quote(%q)\n got %q\nwant %q", tt.in, got, tt.want)
			}
		})
	}
}

// TestLineKeepsItsWords holds that the program's own sentences come through, and a secret in them does not.
func TestLineKeepsItsWords(t *testing.T) {
	New("tiger-lily-78")
	for in, want := range map[string]string{
		"log in with an access token: docker login a.test":        "log in with an access token: docker login a.test",
		"asking a.test for a token: dial tcp: connection refused": "asking a.test for a token: dial tcp: connection refused",
		"a colon, which Basic authentication cannot carry":        "a colon, which Basic authentication cannot carry",
		"for a token: tiger-lily-78":                              "for a token: [redacted]",
		"got ghp_" + strings.Repeat("a", 36):                      "got [redacted]",
		"two\nlines\x1b[0m":                                       "two lines?[0m",
	} {
		if got := Line(in, 200); got != want {
			t.Errorf("Line(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestQuote(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		max      int
		want     string
	}{
		{"one line", "a\r\n  b\tc", 20, "a b c"},
		{"terminal escapes", "a\x1b[31mred\x07", 20, "a?[31mred?"},
		{"bad UTF-8", "a\xffb", 20, "a?b"},
		{"cut between runes", "ééé", 3, "é…"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Quote(tt.in, tt.max); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func FuzzQuote(f *testing.F) {
	New(canary)
	f.Add("x "+canary+" y", 10)
	f.Add("https://u:"+canary+"@h/", 3)
	f.Fuzz(func(t *testing.T, s string, max int) {
		max = max % 1000
		if max < 0 {
			max = -max
		}
		got := Quote(s+canary+s, max)
		if strings.Contains(got, canary) {
			t.Errorf("the canary came out: %q", got)
		}
		if strings.ContainsAny(got, "\r\n\x00\x1b") {
			t.Errorf("a control character came out: %q", got)
		}
		if len(got) > max+len("…") {
			t.Errorf("%d bytes for max %d", len(got), max)
		}
	})
}
