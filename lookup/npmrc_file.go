package lookup

import (
	"encoding/json"
	"strings"
)

// npm's file is read here and by no INI library: each of those takes a back quote, "[", "-" or three quotes at some place for something that npm does not,
// and to keep such lines from it is to read the file. A test compares with npm what comes out.

// An npmLine is an option of npm's file. value is as it is written but for quotes, escapes and comments.
type npmLine struct {
	key, value string
	line       int
}

// parseNpmrc returns the options at the top of a file as npm's parser reads it (https://github.com/npm/ini); those of sections mean nothing to npm.
// There is no malformed file: a line without a key is read over. An option without a value has the value "true".
func parseNpmrc(data []byte) []npmLine {
	var options []npmLine
	top, number := true, 0
	for text := range strings.SplitSeq(newlines(data), "\n") {
		number++
		if line := strings.TrimSpace(text); line == "" || line[0] == ';' || line[0] == '#' {
			continue
		}
		if end := strings.IndexByte(text, ']'); text[0] == '[' && end > 0 && strings.TrimSpace(text[end+1:]) == "" {
			top = false
			continue
		}
		key, value, valued := strings.Cut(text, "=")
		if key == "" || !top {
			continue
		}
		if value = npmText(value); !valued {
			value = "true"
		}
		options = append(options, npmLine{key: npmText(key), value: value, line: number})
	}
	return options
}

// npmText returns a key or a value without its quotes, or without the comment behind it: ";" and "#" begin one wherever they stand,
// unless a backslash is before them.
func npmText(text string) string {
	text = strings.TrimSpace(text)
	if text == "" {
		return ""
	}
	if first, last := text[0], text[len(text)-1]; first == last && (first == '"' || first == '\'') {
		if first == '\'' {
			text = text[1:max(1, len(text)-1)]
		}
		var unquoted string
		if json.Unmarshal([]byte(text), &unquoted) == nil && text != "null" {
			return unquoted
		}
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == ';' || c == '#':
			return strings.TrimSpace(b.String())
		case c == '\\' && i+1 < len(text) && strings.IndexByte(`\;#`, text[i+1]) >= 0:
			i++
			b.WriteByte(text[i])
		default:
			b.WriteByte(c)
		}
	}
	return strings.TrimSpace(b.String())
}

// npmExpand puts variables in for ${NAME} and ${NAME?}, as npm does (https://github.com/npm/cli/blob/latest/workspaces/config/lib/env-replace.js):
// of an odd number of backslashes before one the last keeps it as it is, and each two of the rest are one.
// undefined tells of the first variable that is not set and may not be absent. What is longer than [expansion] has it is cut short, and over is true.
func npmExpand(text string, get func(string) (string, bool)) (expanded, undefined string, over bool) {
	var b expansion
	for {
		start := strings.Index(text, "${")
		if start < 0 {
			b.WriteString(text)
			return b.String(), undefined, b.over
		}
		before, rest := text[:start], text[start+2:]
		end := strings.IndexAny(rest, "${}?")
		tail := ""
		if end > 0 {
			tail = rest[end:]
		}
		optional := strings.HasPrefix(tail, "?}")
		if !optional && !strings.HasPrefix(tail, "}") {
			b.WriteString(text[:start+2])
			text = rest
			continue
		}
		name, text2 := rest[:end], tail[1:]
		if optional {
			text2 = tail[2:]
		}
		plain := strings.TrimRight(before, `\`)
		slashes := len(before) - len(plain)
		b.WriteString(plain)
		b.WriteString(strings.Repeat(`\`, slashes/2))
		value, set := "", false
		if slashes%2 == 0 {
			value, set = get(name)
		}
		switch {
		case set:
			b.variable(value)
		case slashes%2 == 1, !optional:
			b.WriteString(text[start : len(text)-len(text2)])
			if slashes%2 == 0 && undefined == "" {
				undefined = npmVariable(name)
			}
		}
		text = text2
	}
}

// npmVariable names a variable for an error. What does not look like one may be a secret.
func npmVariable(name string) string {
	if strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") != "" || len(name) > 64 {
		return "a variable that the value names"
	}
	return "$" + name
}
