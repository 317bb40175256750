package warm

import (
	"os/exec"
	"runtime"
	"strings"
	"testing"
)

const module = "github.com/fe055d52/credential-helper/"

// TestImportsNothingThatIsInitializedLate holds the reason why this package is quick: beside the project's leaf packages it depends on
// what package syscall depends on, and on little that has no initialization. Anything else would put it behind that of half the program.
func TestImportsNothingThatIsInitializedLate(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("nothing is answered here on this system")
	}
	deps := func(pkg string) map[string]bool {
		out, err := exec.Command("go", "list", "-deps", pkg).Output()
		if err != nil {
			t.Fatal(err)
		}
		set := map[string]bool{}
		for _, name := range strings.Fields(string(out)) {
			set[name] = true
		}
		if !set[pkg] {
			t.Fatalf("go list does not list %s", pkg)
		}
		return set
	}
	allowed := deps("syscall")
	for _, name := range []string{"io", "hash", "path", "slices", "cmp", "iter", "unicode/utf8", "github.com/dchest/siphash"} {
		allowed[name] = true
	}
	for _, name := range []string{"internal/warm", "internal/place", "internal/inputs", "cache/wire"} {
		allowed[module+name] = true
	}
	for name := range deps(module + "internal/warm") {
		if !allowed[name] {
			t.Errorf("it depends on %s", name)
		}
	}
}
