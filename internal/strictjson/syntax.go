package strictjson

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// syntaxMistake says what is wrong at an offset of a document that is not JSON, in the words of people who write one by hand.
// said is what encoding/json says of it. No more than one character of the document is quoted: it may be part of a secret.
func syntaxMistake(data string, offset int, said string) string {
	offset = min(max(offset, 0), len(data))
	rest := data[offset:]
	before := strings.TrimRight(data[:offset], " \t\r\n")
	c, _ := utf8.DecodeRuneInString(rest)
	here := fmt.Sprintf("%q", string(c))
	at := func(what string) bool { return strings.HasSuffix(said, what) }
	switch {
	case strings.HasPrefix(rest, "//"), strings.HasPrefix(rest, "/*"), strings.HasPrefix(rest, "#"):
		return "a comment begins here, and JSON has none"
	case (c == ']' || c == '}') && strings.HasSuffix(before, ","):
		return fmt.Sprintf("a comma too many stands before this %s", here)
	case at("looking for beginning of value") && unicode.IsLetter(c):
		return fmt.Sprintf("a value is wanted here, not %s; text stands in double quotes", here)
	case at("looking for beginning of value"):
		return fmt.Sprintf("a value is wanted here, not %s", here)
	case at("looking for beginning of object key string"):
		return fmt.Sprintf("a key in double quotes is wanted here, not %s", here)
	case at("after object key"):
		return fmt.Sprintf("a colon is wanted behind a key, not %s", here)
	case at("after object key:value pair"), at("after array element"):
		return fmt.Sprintf("a comma is missing before this %s", here)
	case at("after top-level value"):
		return fmt.Sprintf("the document has ended before this %s", here)
	case at("in string literal"):
		return "a line break or another control character stands in a string; write \\n"
	}
	return said
}
