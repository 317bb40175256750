package helpers

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/fe055d52/credential-helper/internal/ascii"
	"github.com/fe055d52/credential-helper/internal/redact"
)

// Bearer returns the value of an Authorization header with a bearer token (RFC 6750 §2.1).
func Bearer(token redact.Secret) redact.Secret {
	return redact.New("Bearer " + token.Reveal())
}

// Basic returns the value of an Authorization header with a user name and a password (RFC 7617 §2).
// The user name may not contain a colon.
func Basic(username string, password redact.Secret) (redact.Secret, error) {
	return basic(username, password.Reveal())
}

func basic(username, password string) (redact.Secret, error) {
	rememberLogin(username, password)
	if strings.Contains(username, ":") {
		return redact.Secret{}, errors.New("the user name has a colon, which Basic authentication cannot carry")
	}
	encoded := base64.StdEncoding.EncodeToString([]byte(username + ":" + password))
	redact.Remember(encoded)
	return redact.New("Basic " + encoded), nil
}

// rememberLogin makes [redact.Scrub] replace what is secret of a user name and a password. That is the user name where the password is none that
// anybody would choose, as with GitHub's "x-oauth-basic": the token is in its place then.
func rememberLogin(username, password string) {
	redact.Remember(password)
	if TokenInPlaceOfUser(password) {
		redact.Remember(username)
	}
}

// TokenInPlaceOfUser reports whether a password is so short, or so well known, that the login's secret may be its user name.
func TokenInPlaceOfUser(password string) bool {
	return utf8.RuneCountInString(password) < 6 || ascii.EqualFold(password, "x-oauth-basic")
}

// BasicTokenOnly returns the value of an Authorization header with a token in the place of the user name, and no password.
func BasicTokenOnly(token redact.Secret) (redact.Secret, error) { return basic(token.Reveal(), "") }

// CheckHeaderName reports why name cannot be a header that carries a credential:
// it is not a token (RFC 9110 §5.1), or it is one that governs the connection or the message itself.
func CheckHeaderName(name string) error {
	if name == "" {
		return errors.New("the header name is empty")
	}
	for i := range len(name) {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0:
		default:
			return fmt.Errorf("the header name %q has the character %q", name, c)
		}
	}
	switch ascii.Lower(name) {
	case "host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "keep-alive", "proxy-connection":
		return fmt.Errorf("the header %q governs the connection and cannot carry a credential", name)
	}
	return nil
}

// MaxHeaderValue is the length in bytes above which a value is not sent: no server takes a header of that size, and most none of a fourth of it.
const MaxHeaderValue = 64 << 10

// CheckToken reports why token cannot stand behind "Bearer " (RFC 6750 §2.1) in a header: it is not visible ASCII, or too long.
// A line break in it would end the header and begin another. The text of an error goes on from what names the token: "has …".
func CheckToken(token redact.Secret) error {
	text := token.Reveal()
	if len(text) > MaxHeaderValue-len("Bearer ") {
		return fmt.Errorf("is too long for a header (%d bytes)", len(text))
	}
	for i := range len(text) {
		if text[i] <= 0x20 || text[i] >= 0x7f {
			return errors.New("has characters that a header must not have (a line break?)")
		}
	}
	return nil
}

// CheckHeaderValue reports why value cannot stand in a header: it has a control character, which could begin another header,
// is not UTF-8, which no client's protocol carries unchanged, or is longer than any server takes. The error does not quote it.
func CheckHeaderValue(value redact.Secret) error {
	text := value.Reveal()
	if len(text) > MaxHeaderValue {
		return fmt.Errorf("the value is too long for a header (%d bytes)", len(text))
	}
	if !utf8.ValidString(text) {
		return errors.New("the value is not valid UTF-8")
	}
	for i := range len(text) {
		switch c := text[i]; {
		case c == '\n' || c == '\r':
			return errors.New("the value has a line break")
		case c < 0x20 && c != '\t', c == 0x7f:
			return fmt.Errorf("the value has a control character (0x%02x)", c)
		}
	}
	return nil
}
