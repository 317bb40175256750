// Package shell writes words of command lines that people copy.
package shell

import "strings"

// Quote makes a word one word of a POSIX shell's, whatever is in it.
func Quote(word string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%_+=:,./-"
	if word != "" && strings.Trim(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// QuotePath is like Quote, and leaves a "~/" at the beginning for the shell to expand.
func QuotePath(path string) string {
	if path == "~" {
		return path
	}
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		return "~/" + Quote(rest)
	}
	return Quote(path)
}
