package helpers

import (
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/internal/redact"
)

func TestBasic(t *testing.T) {
	got, err := Basic("Aladdin", redact.New("open sesame")) // the example of RFC 7617 §2
	if err != nil || got.Reveal() != "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==" {
		t.Errorf("got %q, %v", got.Reveal(), err)
	}
	if _, err := Basic("a:b", redact.New("x")); err == nil || strings.Contains(err.Error(), "a:b") {
		t.Errorf("a colon in the user name: %v", err)
	}
	if got, err := BasicTokenOnly(redact.New("tok")); err != nil || got.Reveal() != "Basic dG9rOg==" {
		t.Errorf("token only: %q, %v", got.Reveal(), err)
	}
	if s := redact.Scrub("QWxhZGRpbjpvcGVuIHNlc2FtZQ=="); s != redact.Mark {
		t.Errorf("the encoded form is not remembered: %q", s)
	}
}

func TestCheckHeader(t *testing.T) {
	for _, name := range []string{"Authorization", "x-buildbuddy-api-key", "PRIVATE-TOKEN", "X_y.z"} {
		if err := CheckHeaderName(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"", "a b", "a:b", "a\r\n", "ä", "Host", "content-length", "Transfer-Encoding"} {
		if err := CheckHeaderName(name); err == nil {
			t.Errorf("%q is accepted", name)
		}
	}
	for value, want := range map[string]string{strings.Repeat("x", MaxHeaderValue): "", strings.Repeat("x", MaxHeaderValue+1): "too long for a header (65537 bytes)", "a\nb": "line break", "a\rb": "line break", "a\x00b": "0x00", "a\x7f": "0x7f", "a\xff": "not valid UTF-8", "a b\tc": "", "é": ""} {
		err := CheckHeaderValue(redact.Hold(value))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.40q: %v, want %q", value, err, want)
		}
	}
}

// TestCheckToken holds that what passes can stand behind "Bearer " in a header that is written.
func TestCheckToken(t *testing.T) {
	const characters = "has characters that a header must not have (a line break?)"
	for token, want := range map[string]string{
		"eyJ.x-y_z~+/=": "", "a\r\nX-Evil: 1": characters, "a\nb": characters, "a\x00b": characters, "a b": characters, "a\tb": characters, "é": characters, "a\x7f": characters, "a\xff": characters,
		strings.Repeat("x", MaxHeaderValue): "is too long for a header (65536 bytes)", strings.Repeat("x", MaxHeaderValue-7): "", strings.Repeat("x", 1<<20): "is too long for a header (1048576 bytes)",
	} {
		err := CheckToken(redact.Hold(token))
		if want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%.40q: %v, want %q", token, err, want)
		}
		if err == nil {
			if err := CheckHeaderValue(redact.Hold("Bearer " + token)); err != nil {
				t.Errorf("%.40q passes, and its header does not: %v", token, err)
			}
		}
	}
}

// TestBasicRemembersTheToken holds that what is secret of a login is found in what others say, also where that is the user name.
func TestBasicRemembersTheToken(t *testing.T) {
	for _, tt := range []struct{ username, password, want string }{
		{"public-bob", "s3cret-word", "public-bob [redacted]"},
		{"t0ken-as-user", "x-oauth-basic", "[redacted] [redacted]"},
		{"t0ken-with-x", "x", "[redacted] x"},
		{"t0ken-alone", "", "[redacted] "},
	} {
		if _, err := Basic(tt.username, redact.Hold(tt.password)); err != nil {
			t.Fatal(err)
		}
		if got := redact.Scrub(tt.username + " " + tt.password); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}
