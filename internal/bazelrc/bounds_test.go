package bazelrc

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/internal/boundtest"
	"github.com/fe055d52/credential-helper/internal/env"
)

// TestBounds holds the reader of .bazelrc, and the search for who serves a host, to bounds.
func TestBounds(t *testing.T) {
	dir := t.TempDir()
	e := &env.Env{Home: filepath.Dir(dir), Dir: dir}
	path := filepath.Join(dir, ".bazelrc")
	boundtest.Parser{
		Limit: maxFile, Format: "Bazel", Memory: 500, Refusal: []string{e.Display(path), strconv.Itoa(maxFile)},
		Parse: func(text string) error {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			f := ReadWith(t.Context(), e, dir, "")
			for i := range 5000 {
				f.Serving(fmt.Sprintf("r%d.test", i))
			}
			if len(f.Problems) > 0 {
				return f.Problems[0]
			}
			return nil
		},
	}.Check(t)
}

// TestTotal holds that many files together are bounded like one.
func TestTotal(t *testing.T) {
	dir := t.TempDir()
	for i := range 5 {
		text := fmt.Sprintf("import %%workspace%%/%d\n", i+1) + strings.Repeat("#", maxFile-100)
		name := strconv.Itoa(i)
		if i == 0 {
			name = ".bazelrc"
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f := ReadWith(t.Context(), &env.Env{Dir: dir}, dir, "")
	if len(f.Read) != 2 || len(f.Problems) != 1 || !strings.HasSuffix(f.Problems[0].Error(), "/2 is not read: with those before it, it is more than 2097152 bytes") {
		t.Errorf("read %d files: %v", len(f.Read), f.Problems)
	}
}
