package lookup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/strictjson"
)

// canary is a secret that may come out as a value, and nowhere else.
const canary = "cnry-lookup-c4f1"

// newSources returns sources that see vars, a home directory of their own and, below it, a working directory "proj".
func newSources(t testing.TB, vars map[string]string) *Sources {
	t.Helper()
	home := t.TempDir()
	dir := filepath.Join(home, "proj")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if vars == nil {
		vars = map[string]string{}
	}
	return &Sources{Env: &env.Env{
		Home: home, Dir: dir,
		Get: func(name string) (string, bool) { v, ok := vars[name]; return v, ok },
		Environ: func() []string {
			var list []string
			for name, value := range vars {
				list = append(list, name+"="+value)
			}
			return list
		},
	}}
}

// write writes a file below the home directory and returns its path.
func write(t testing.TB, s *Sources, name, content string) string {
	t.Helper()
	path := filepath.Join(s.Env.Home, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// ask returns the query for a URL.
func ask(t testing.TB, rawURL string) Query {
	t.Helper()
	r, err := helpers.ParseRequest(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	return Query{URL: r.URL}
}

// decodeChain decodes a lookup chain for a helper that knows the bindings.
func decodeChain(s *Sources, chain string, bindings ...string) (Chain, error) {
	var c Chain
	err := strictjson.Decode("config.json", []byte(`{"lookup_chain": `+chain+`}`), func(o *strictjson.Object) {
		c, _ = s.Decode(o, "lookup_chain", bindings...)
	})
	return c, err
}

// decodeOne decodes the one source of a chain.
func decodeOne(t testing.TB, s *Sources, source string) Source {
	t.Helper()
	c, err := decodeChain(s, "["+source+"]", Default)
	if err != nil {
		t.Fatal(err)
	}
	return c[0].Source
}

// An outcome is what a lookup came to, fit to be compared: values as "binding=value …", or the kind of error and its text.
// "~" stands for the home directory.
type outcome struct{ values, kind, err, hint string }

func outcomeOf(s *Sources, values Values, err error) outcome {
	var o outcome
	for _, binding := range slices.Sorted(maps.Keys(values)) {
		if binding == From { // which TestFrom holds
			continue
		}
		o.values += " " + binding + "=" + values[binding].Reveal()
	}
	o.values = strings.TrimPrefix(o.values, " ")
	if err == nil {
		return o
	}
	o.kind, o.err = "broken", err.Error()
	switch {
	case errors.Is(err, helpers.ErrNotFound):
		o.kind = "not found"
	case errors.Is(err, helpers.ErrUnavailable):
		o.kind = "unavailable"
	}
	if h := (*helpers.HintError)(nil); errors.As(err, &h) {
		o.hint = h.Hint
	}
	if s != nil {
		o.err = strings.ReplaceAll(o.err, s.Env.Home, "~")
		o.hint = strings.ReplaceAll(o.hint, s.Env.Home, "~")
	}
	return o
}

// expect looks up q, and compares what it comes to.
func expect(t *testing.T, s *Sources, source Source, q Query, want outcome) {
	t.Helper()
	values, err := source.Lookup(t.Context(), q)
	got := outcomeOf(s, values, err)
	if got != want {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
	if strings.Contains(got.err+got.hint, canary) {
		t.Errorf("the secret is in the error: %s (%s)", got.err, got.hint)
	}
	if from := values[From].Reveal(); strings.Contains(from, canary) {
		t.Errorf("the secret is in the place: %s", from)
	}
}

// notOnWindows skips a test of what the mode of a file or a script shows.
func notOnWindows(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("needs file modes and scripts")
	}
}

// fake is a source with a fixed outcome.
type fake struct {
	name      string
	values    Values
	err       error
	unbound   bool
	looked    *[]string
	duringAsk func()
}

func (f fake) Name() string    { return f.name }
func (f fake) HostBound() bool { return !f.unbound }

func (f fake) Lookup(context.Context, Query) (Values, error) {
	if f.looked != nil {
		*f.looked = append(*f.looked, f.name)
	}
	if f.duringAsk != nil {
		f.duringAsk()
	}
	return maps.Clone(f.values), f.err
}

func sprint(err error) string {
	if err == nil {
		return ""
	}
	return fmt.Sprint(err)
}

func mustParse(t testing.TB, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
