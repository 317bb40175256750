package boundtest

import (
	"errors"
	"strings"
	"testing"
)

var sink []byte

// TestProblem holds that what is out of bounds is found.
func TestProblem(t *testing.T) {
	if raced {
		t.Skip("inputs are shorter with the race detector")
	}
	linear := func(text string) error {
		sink = []byte(text)
		return nil
	}
	// steps does something for each of n bytes.
	steps := func(text string) (n int) {
		for i := range len(text) {
			if text[i] == 'a' {
				n++
			}
		}
		return n
	}
	for _, tt := range []struct {
		name, want string
		parse      func(text string) error
	}{
		{"linear", "", linear},
		{"much memory", "allocate", func(text string) error {
			sink = make([]byte, 2*defaultMemory*len(text))
			return nil
		}},
		{"a deep stack", "of stack", func(text string) error {
			var deep func(n int) int
			deep = func(n int) int {
				var room [1 << 10]byte
				if room[n%len(room)] = byte(n); n > 0 {
					return deep(n-1) + int(room[n%len(room)])
				}
				return 0
			}
			if deep(len(text)) < 0 {
				return errors.New("it cannot be")
			}
			return nil
		}},
		{"a long error", "the error for", func(text string) error { return errors.New(strings.Repeat(text, 5)) }},
		{"quadratic", "take", func(text string) error {
			n := 0
			for range len(text) {
				n += steps(text)
			}
			if n < 0 {
				return errors.New("it cannot be")
			}
			return nil
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := Parser{Limit: 40 << 10, Parse: tt.parse}.problem(Repeat("a"))
			if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("the problem is %q, want %q", got, tt.want)
			}
		})
	}
}

// TestShapes holds that each shape keeps to the length that it is given, and uses most of it.
func TestShapes(t *testing.T) {
	for name, shape := range Shapes {
		for _, n := range []int{1000, 64 << 10} {
			if got := len(shape(n)); got > n || got < n*9/10 {
				t.Errorf("%s: %d bytes of %d", name, got, n)
			}
		}
	}
}
