package bazelrc

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/internal/env"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       []Line
	}{
		{"empty", "\n  \n# nothing\n", nil},
		{"options", "common --a=b  --c # d\n", []Line{{Number: 1, Command: "common", Args: []string{"--a=b", "--c"}}}},
		{"config", "build:ci --a\n", []Line{{Number: 1, Command: "build", Config: "ci", Args: []string{"--a"}}}},
		{"continued", "build --a \\\n  --b\nbuild --c", []Line{{Number: 1, Command: "build", Args: []string{"--a", "--b"}}, {Number: 3, Command: "build", Args: []string{"--c"}}}},
		{"quotes", `build "--a=b c" '--d=\' --e=\"x\#` + "\r\n", []Line{{Number: 1, Command: "build", Args: []string{"--a=b c", `--d=\`, `--e="x#`}}}},
		{"not closed", "build \"--a", []Line{{Number: 1, Command: "build", Args: []string{"--a"}}}},
		{"backslash at the end", `build --a\`, []Line{{Number: 1, Command: "build", Args: []string{`--a\`}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Parse("", []byte(tt.text)); len(got) != len(tt.want) || len(got) > 0 && !equal(got, tt.want) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func equal(got, want []Line) bool {
	for i := range want {
		if want[i].Args == nil {
			want[i].Args = []string{}
		}
	}
	return reflect.DeepEqual(got, want)
}

func TestRead(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("ws/.bazelrc", "import %workspace%/more.bazelrc\ntry-import %workspace%/user.bazelrc\nimport gone.bazelrc\ncommon --credential_helper=a.test=one\n")
	write("ws/more.bazelrc", "import %workspace%/.bazelrc\nbuild --experimental_credential_helper *.B.test=two --remote_cache grpcs://cache.test\n")
	write("home/.bazelrc", "build:ci --credential_helper=three\n")
	e := &env.Env{Get: func(string) (string, bool) { return "", false }, Home: filepath.Join(dir, "home"), Dir: dir}
	f := Read(t.Context(), e, filepath.Join(dir, "ws"))

	var got []string
	for _, h := range f.Helpers() {
		got = append(got, h.Scope+" "+h.Program+" "+filepath.Base(h.Line.File))
	}
	if want := []string{"*.b.test two more.bazelrc", "a.test one .bazelrc", " three .bazelrc"}; !reflect.DeepEqual(got, want) {
		t.Errorf("helpers: got %q, want %q", got, want)
	}
	if v := f.Values("remote_cache"); len(v) != 1 || v[0].Text != "grpcs://cache.test" {
		t.Errorf("remote_cache: got %+v", v)
	}
	if len(f.Problems) != 1 || !strings.Contains(f.Problems[0].Error(), "gone.bazelrc") {
		t.Errorf("problems: %v", f.Problems)
	}
	if h := f.Helpers()[2]; h.Always() || !h.Covers("x.test") {
		t.Errorf("a line for --config=ci counts always, or does not cover all hosts")
	}
}

// TestReadEnds holds that files which import each other, and many of them, come to an end.
func TestReadEnds(t *testing.T) {
	dir := t.TempDir()
	var all strings.Builder
	for i := range 100 {
		all.WriteString("try-import %workspace%/" + strings.Repeat("x", i+1) + "\n")
	}
	for i := range 101 {
		name := ".bazelrc"
		if i > 0 {
			name = strings.Repeat("x", i)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(all.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	e := &env.Env{Get: func(string) (string, bool) { return "", false }}
	if f := Read(t.Context(), e, dir); len(f.Read) > maxFiles {
		t.Errorf("%d files were read", len(f.Read))
	}
}

func TestCovers(t *testing.T) {
	for _, tt := range []struct {
		scope, host string
		want        bool
	}{
		{"", "a.test", true},
		{"a.test", "a.test", true},
		{"a.test", "b.a.test", false},
		{"*.a.test", "a.test", true},
		{"*.a.test", "c.b.a.test", true},
		{"*.a.test", "ba.test", false},
	} {
		if got := (Helper{Scope: tt.scope}).Covers(tt.host); got != tt.want {
			t.Errorf("%q covers %q: %v", tt.scope, tt.host, got)
		}
	}
	for host, want := range map[string]bool{"a.test": true, "*.a.test": true, "localhost": false, "a_b.test": false, "[::1]": false, "127.0.0.1": true, "a..test": false} {
		if got := ValidScope(host); got != want {
			t.Errorf("ValidScope(%q) = %v", host, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("build --a='b c' \\\n --d # e\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, l := range Parse("", []byte(text)) {
			if l.Number < 1 || l.Number > strings.Count(text, "\n")+1 {
				t.Errorf("line %d of %q", l.Number, text)
			}
		}
	})
}
