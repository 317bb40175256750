package dialect

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/redact"
)

func BenchmarkReadBazel(b *testing.B) {
	for _, n := range []int{10, 100, 1_000, 10_000} {
		b.Run(fmt.Sprint("path of ", n, " bytes"), func(b *testing.B) {
			text := `{"uri": "https://registry.example.com/` + strings.Repeat("x", n) + `"}`
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ReadBazel(strings.NewReader(text)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkWriteBazel(b *testing.B) {
	for _, n := range []int{10, 100, 1_000, 10_000} {
		b.Run(fmt.Sprint("token of ", n, " bytes"), func(b *testing.B) {
			resp := helpers.Response{
				Expires: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC),
				Headers: map[string][]redact.Secret{"Authorization": {redact.Hold("Bearer " + strings.Repeat("x", n))}},
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := WriteBazel(io.Discard, resp); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
