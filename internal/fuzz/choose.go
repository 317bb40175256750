package main

import (
	"cmp"
	"slices"
)

const (
	// maxInput is the size in bytes above which an input is not kept, and maxInputs how many of a target are.
	maxInput  = 4 << 10
	maxInputs = 24
)

// An input is one of a target's inputs, as a file of Go's fuzzing has it.
type input struct {
	name  string
	data  []byte
	reach []int // numbers of the blocks of code that it reaches
	// committed says that it stands in testdata already, and stays there.
	committed bool
}

// choose returns the inputs that are added to those that are committed: as long as there is one that reaches what no other reaches,
// the one that reaches the most of that, of two the shorter one, and of two as short the one whose name comes first.
// always is what every input reaches; it counts for nothing. The result does not depend on the order of the inputs.
func choose(inputs []input, always []int) []input {
	reached := map[int]bool{}
	for _, block := range always {
		reached[block] = true
	}
	room := maxInputs
	var left []input
	for _, in := range inputs {
		switch {
		case in.committed:
			room--
			for _, block := range in.reach {
				reached[block] = true
			}
		case len(in.data) <= maxInput:
			left = append(left, in)
		}
	}
	slices.SortFunc(left, byLength)
	var chosen []input
	for len(chosen) < room {
		best, most := -1, 0
		for i, in := range left {
			gain := 0
			for _, block := range in.reach {
				if !reached[block] {
					gain++
				}
			}
			if gain > most {
				best, most = i, gain
			}
		}
		if best < 0 {
			break
		}
		for _, block := range left[best].reach {
			reached[block] = true
		}
		chosen = append(chosen, left[best])
	}
	return chosen
}

// byLength compares inputs by their lengths, and those as long by their names.
func byLength(a, b input) int {
	return cmp.Or(cmp.Compare(len(a.data), len(b.data)), cmp.Compare(a.name, b.name))
}
