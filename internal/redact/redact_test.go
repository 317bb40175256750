package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
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
		{"user info without a password", "GET https://hunter22@example.com/x", "GET https://[redacted]@example.com/x"},
		{"user info in a path", "/ws/https:/hunter22@example.com/x", "/ws/https:/[redacted]@example.com/x"},
		{"an @ in a path", "https://example.com/@acme/x C:/a@b", "https://example.com/@acme/x C:/a@b"},
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

// TestForms holds that a secret is found in the forms in which it travels.
func TestForms(t *testing.T) {
	const secret = "s€cret&<+/ \"x\"?"
	New(secret)
	for name, form := range map[string]string{
		"plain":          secret,
		"query":          "s%E2%82%ACcret%26%3C%2B%2F+%22x%22%3F",
		"path":           "s%E2%82%ACcret&%3C+%2F%20%22x%22%3F",
		"JSON":           `s€cret\u0026\u003c+/ \"x\"?`,
		"JSON, not HTML": `s€cret&<+/ \"x\"?`,
		"base64":         "c+KCrGNyZXQmPCsvICJ4Ij8=",
		"unpadded":       "c+KCrGNyZXQmPCsvICJ4Ij8",
		"URL's base64":   "c-KCrGNyZXQmPCsvICJ4Ij8=",
		"both":           "c-KCrGNyZXQmPCsvICJ4Ij8",
	} {
		if got, want := Scrub("a="+form+" b"), "a="+Mark+" b"; got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}

	Remember("abc")
	if got := Scrub("abc YWJj"); got != "abc YWJj" {
		t.Errorf("a text of 3 bytes is too common: %q", got)
	}
	long := strings.Repeat("long-", maxForms/5+1)
	Remember(long)
	if got := Scrub(long); got != Mark {
		t.Errorf("a long text is not found as it is: %.40q", got)
	}
	if got := Scrub(base64.StdEncoding.EncodeToString([]byte(long))); got == Mark {
		t.Error("a long text is searched for in all its forms")
	}
}

// TestRaces is for the race detector: secrets are met while texts are scrubbed.
func TestRaces(t *testing.T) {
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 50 {
				secret := fmt.Sprintf("race-%d-%d-%s", i, j, strings.Repeat("x", 50-j))
				New(secret)
				if got := Scrub("a " + secret); got != "a "+Mark {
					t.Errorf("got %q", got)
				}
			}
		})
	}
	all.Wait()
}

// TestCutSecrets holds that what is left of a text that is cut has no first half of a secret, which would not be recognised.
func TestCutSecrets(t *testing.T) {
	const limit = 200 + 16<<10
	unmet := strings.Repeat("Secret0!", 62)
	met := strings.Repeat("Tokens1!", 62)
	phrase := "correct horse battery staple of " + strings.Repeat("much length ", 20) + "end"
	New(met)
	New(phrase)
	for _, tt := range []struct{ name, text, want string }{
		{"white space shrinks", "x" + strings.Repeat(" ", 16500) + met, "x…"},
		{"white space shrinks, of a secret that was not met", "x" + strings.Repeat(" ", 16500) + unmet, "x…"},
		{"secrets shrink", strings.Repeat(met+" ", 40), strings.Repeat(Mark+" ", 20)[:200] + "…"},
		{"a secret of several words", "x" + strings.Repeat(" ", 16500) + phrase, "x…"},
		{"no white space", strings.Repeat(met, 40), strings.Repeat(Mark, 20) + "…"},
		{"no white space, of a secret that was not met", strings.Repeat(unmet, 40), "…"},
		{"a word of another tongue", "x" + strings.Repeat("\u3000", 16500/3) + met, "x…"},
		{"short", "x" + strings.Repeat(" ", 1000) + met, "x " + Mark},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Line(tt.text, 200); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	// Wherever the cut falls, nothing of the secret is left.
	for _, secret := range []string{met, phrase} {
		for n := 0; n < len(secret); n += 7 {
			text := "x" + strings.Repeat(" ", limit-1-n) + secret
			if got := Quote(text, 200); got != "x…" {
				t.Fatalf("cut at byte %d: %q", n, got)
			}
		}
	}
}

func TestCut(t *testing.T) {
	Remember("one two three")
	for _, tt := range []struct {
		text string
		max  int
		want string
	}{
		{"a b", 3, "a b"},
		{"a b", 2, "a"},
		{"a bc", 3, "a"},
		{"abcd", 3, ""},
		{"say one two thr", 14, "say"},
		{"say one two three more", 16, "say"},
		{"say one two three more", 20, "say " + Mark},
		{"", 0, ""},
		{"a", 0, ""},
	} {
		if got := Cut(tt.text, tt.max); got != tt.want {
			t.Errorf("Cut(%q, %d) = %q, want %q", tt.text, tt.max, got, tt.want)
		}
	}
}

// TestFoldedSecret: a secret does not come about by what is done to make one line.
func TestFoldedSecret(t *testing.T) {
	New("folded secret of two lines")
	if got, want := Line("a folded secret\n  of two lines b", 100), "a "+Mark+" b"; got != want {
		t.Errorf("got %q, want %q", got, want)
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
