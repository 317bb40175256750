package wire

import (
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/internal/boundtest"
)

// TestBounds holds the reader of frames to bounds. That one which is too long is refused before it is read is in [TestRead].
func TestBounds(t *testing.T) {
	// frame is the shape of a frame with fields of a length, in so many bytes.
	frame := func(length int) boundtest.Shape {
		return func(n int) string {
			fields := make([]string, 0, n)
			for size := 9; size+4+length <= n; size += 4 + length {
				fields = append(fields, strings.Repeat("x", length))
			}
			return string(Append(nil, Message{Op: Hit, Fields: fields}))
		}
	}
	boundtest.Parser{
		Limit: MaxFrame,
		Parse: func(text string) error {
			_, err := Read(strings.NewReader(text))
			return err
		},
		Shapes: map[string]boundtest.Shape{
			"empty fields": frame(0), "fields": frame(300), "two fields": frame(400 << 10),
			"a length alone": func(int) string { return Magic + "\x00\x0f\xff\xff" + string(rune(Hit)) },
		},
		Memory: 4,
	}.Check(t)
}
