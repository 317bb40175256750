// Package suggest finds the word that a mistyped one was meant to be.
package suggest

import (
	"github.com/fe055d52/credential-helper/internal/ascii"
)

// Nearest returns the candidate nearest to word, and whether it is near enough to be worth a suggestion:
// at most a third of its letters differ, and at most three. Letter case does not count.
func Nearest(word string, candidates []string) (string, bool) {
	word = ascii.Lower(word)
	if len(word) > 64 { // nobody types that, and distance is quadratic
		return "", false
	}
	best, bestDistance := "", 4
	for _, c := range candidates {
		d := distance(word, ascii.Lower(c))
		if d < bestDistance && d <= max(1, (max(len(word), len(c))+1)/3) {
			best, bestDistance = c, d
		}
	}
	return best, best != ""
}

// DidYouMean returns ` (did you mean "x"?)` for the nearest candidate, or "".
func DidYouMean(word string, candidates []string) string {
	if best, ok := Nearest(word, candidates); ok {
		return ` (did you mean "` + best + `"?)`
	}
	return ""
}

// distance is the optimal string alignment distance: insertions, deletions, replacements, and swapped neighbours, in bytes.
func distance(a, b string) int {
	before, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
		}
		before, prev, cur = prev, cur, before
	}
	return prev[len(b)]
}
