package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestQuickstart runs the example whole, and holds that what it prints is its point and no more of a token than is fit to be shown.
func TestQuickstart(t *testing.T) {
	var out bytes.Buffer
	if err := run(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\n401 Unauthorized\n", "\n200 OK\n", "  Authorization: Bearer ", "for a token 1 time"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not print %q:\n%s", want, out.String())
		}
	}
	if strings.Count(out.String(), "\n200 OK\n") != 2 || strings.Contains(out.String(), "wonderland") {
		t.Errorf("it prints:\n%s", out.String())
	}
}
