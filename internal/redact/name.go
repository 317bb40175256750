package redact

import (
	"net/netip"
	"strings"

	"github.com/fe055d52/credential-helper/internal/ascii"
)

const (
	// maxStrangers is how many characters of a host's name are shown that belong to no known word: fewer than make a token, or half of one.
	maxStrangers = 11
	// minWord is the length of the shortest word that counts as known within a longer one.
	minWord = 3
)

// Name makes fit to be shown a host that a server named after it was sent a secret, where it could have put that: with its port, if it has one.
// A name that is one of own, which are the request's, is shown as it is, and so is an IPv4 address. Of any other one those labels are shown that consist of words
// of a vocabulary, as in objects.githubusercontent.com, and the rest as long as it is short. An ellipsis stands for what is not.
func Name(host string, own ...string) string {
	shown := Quote(host, 260)
	for _, o := range own {
		if ascii.EqualFold(host, o) {
			return shown
		}
	}
	if at, err := netip.ParseAddrPort(host); err == nil && at.Addr().Is4() {
		return shown
	}
	if addr, err := netip.ParseAddr(host); err == nil && addr.Is4() {
		return shown
	}
	labels := strings.Split(shown, ".")
	total := 0
	var strange []int
	for _, label := range labels {
		strange = append(strange, strangers(ascii.Lower(label)))
		total += strange[len(strange)-1]
	}
	if total <= maxStrangers {
		return shown
	}
	for i := range labels {
		if strange[i] > 0 {
			labels[i] = "…"
		}
	}
	return strings.Join(labels, ".")
}

// Plain reports whether a text consists of known words, but for less than makes a token.
func Plain(text string) bool { return strangers(ascii.Lower(text)) <= maxStrangers }

// strangers returns how many letters and digits of a text are left where as many as can be belong to known words.
func strangers(text string) int {
	known := vocabulary()
	least := make([]int, len(text)+1)
	for end := 1; end <= len(text); end++ {
		cost := 1
		if strings.IndexByte("-_:/.%", text[end-1]) >= 0 {
			cost = 0
		}
		least[end] = least[end-1] + cost
		for start := max(0, end-20); start <= end-minWord; start++ {
			if known[text[start:end]] {
				least[end] = min(least[end], least[start])
			}
		}
	}
	return least[len(text)]
}
