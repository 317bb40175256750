package bazelrc

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
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
		{"quotes", `build "--a=b c" '--d=\\' --e=\"x\#` + "\r\n", []Line{{Number: 1, Command: "build", Args: []string{"--a=b c", `--d=\`, `--e="x#`}}}},
		{"not closed", "build \"--a", []Line{{Number: 1, Command: "build", Args: []string{"--a"}, Unclosed: true}}},
		{"backslash at the end", `build --a\`, []Line{{Number: 1, Command: "build", Args: []string{`--a`}}}},
		{"backslash in quotes", `build '--a=C:\b'`, []Line{{Number: 1, Command: "build", Args: []string{`--a=C:b`}, Backslashes: true}}},
		{"no command", "--a --b", []Line{{Number: 1, Args: []string{"--a", "--b"}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Parse("", []byte(tt.text)); len(got) != len(tt.want) || len(got) > 0 && !equal(got, tt.want) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestSplit(t *testing.T) {
	for _, tt := range []struct {
		line     string
		want     []string
		unclosed bool
	}{
		{line: ""},
		{line: "  # a comment"},
		{line: "common --a=b\t--c # d", want: []string{"common", "--a=b", "--c"}},
		{line: `x "a b"c 'd "e'`, want: []string{"x", "a bc", `d "e`}},
		{line: `x a\ b \"c`, want: []string{"x", "a b", `"c`}},
		{line: `x "" y`, want: []string{"x", "", "y"}},
		{line: `x "#" y`, want: []string{"x", "#", "y"}},
		{line: `x "a b`, want: []string{"x", "a b"}, unclosed: true},
		{line: `x 'a\`, want: []string{"x", "a"}, unclosed: true},
	} {
		words, unclosed, _ := split(tt.line)
		if !reflect.DeepEqual(words, tt.want) || unclosed != tt.unclosed {
			t.Errorf("%q is %q, unclosed %v", tt.line, words, unclosed)
		}
	}
	if _, _, lost := split(`x C:\tools\y`); !lost {
		t.Error("lost backslashes are not noticed")
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
	if want := []string{"*.B.test two more.bazelrc", "a.test one .bazelrc", " three .bazelrc"}; !reflect.DeepEqual(got, want) {
		t.Errorf("helpers: got %q, want %q", got, want)
	}
	if v := f.Values("remote_cache"); len(v) != 1 || v[0].Text != "grpcs://cache.test" {
		t.Errorf("remote_cache: got %+v", v)
	}
	if len(f.Problems) != 2 || !strings.Contains(f.Problems[0].Error(), "more.bazelrc:1 imports") || !strings.Contains(f.Problems[1].Error(), "gone.bazelrc") {
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
		{"A.test", "a.test", false},
		{"localhost", "localhost", false},
		{"a.test:8443", "a.test", false},
		{"*.A.test", "b.a.test", false},
		{"*.a.test", "*.b.a.test", true},
		{"b.a.test", "*.a.test", false},
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

// TestServing holds the order of Bazel's own choice: the host, the nearest domain, all hosts, and of equal ones the last.
func TestServing(t *testing.T) {
	for _, tt := range []struct {
		text, host, want string
	}{
		{"", "a.test", ""},
		{"common --credential_helper=a.test=one\nbuild --credential_helper=a.test=two", "a.test", "two"},
		{"common --credential_helper=a.b.test=host --credential_helper=*.b.test=domain --credential_helper=all", "a.b.test", "host"},
		{"common --credential_helper=*.b.test=near --credential_helper=*.test=far --credential_helper=all", "a.b.test", "near"},
		{"common --credential_helper=*.b.test=domain --credential_helper=all", "c.test", "all"},
		{"common --credential_helper==one --credential_helper=localhost=two", "localhost", ""},
		{"build:ci --credential_helper=a.test=one\ntest --credential_helper=a.test=two\n--credential_helper=a.test=three", "a.test", ""},
	} {
		f := &Files{Lines: Parse("", []byte(tt.text))}
		if h, ok := f.Serving(tt.host); h.Program != tt.want || ok != (tt.want != "") {
			t.Errorf("%s is served by %q, want %q, of\n%s", tt.host, h.Program, tt.want, tt.text)
		}
	}
}

// TestFlood holds that a file of thousands of imports that fail is told in a few lines.
func TestFlood(t *testing.T) {
	dir := t.TempDir()
	text := strings.Repeat("import none\nimport a b\nimport %workspace%/.bazelrc\n", 1000)
	if err := os.WriteFile(filepath.Join(dir, ".bazelrc"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if f := ReadWith(t.Context(), &env.Env{Dir: dir}, dir, ""); len(f.Problems) != maxProblems {
		t.Errorf("%d problems", len(f.Problems))
	}
}

// TestExpand holds that the lines of a config which every build has count.
func TestExpand(t *testing.T) {
	const line = " --credential_helper=a.test=one\n"
	for _, tt := range []struct {
		text string
		want bool
	}{
		{"common:ci" + line, false},
		{"common:ci" + line + "common --config=ci", true},
		{"build --config ci\nbuild:ci" + line, true},
		{"test --config=ci\nbuild:ci" + line, false},
		{"build --config=outer\nbuild:outer --config=inner\ncommon:inner" + line, true},
		{"build:outer --config=inner\ncommon:inner" + line, false},
		{"build --config=a\nbuild:a --config=b\nbuild:b --config=a\ncommon:ci" + line, false},
		{"common --enable_platform_specific_config\ncommon:" + platform() + line, true},
		{"common --enable_platform_specific_config=true\ncommon:elsewhere" + line, false},
		{"common --enable_platform_specific_config=false\ncommon:" + platform() + line, false},
		{"common --enable_platform_specific_config\ncommon --noenable_platform_specific_config\ncommon:" + platform() + line, false},
		{"common:" + platform() + line, false},
	} {
		f := &Files{Lines: Parse("", []byte(tt.text))}
		f.expand()
		if _, ok := f.Serving("a.test"); ok != tt.want {
			t.Errorf("served is %v, want %v, with\n%s", ok, tt.want, tt.text)
		}
	}
}

// TestHelperLine holds that what is proposed is read as it was meant, whatever the path of the program has in it.
func TestHelperLine(t *testing.T) {
	for _, program := range []string{"credential-helper", "%workspace%/tools/x", "/a b/it's", `/say "x"`, `C:\tools\x.exe`, "/a#b", "/a\tb", `/a\`} {
		for _, scope := range []string{"", "a.test", "*.a.test"} {
			f := &Files{Lines: Parse("", []byte(HelperLine(scope, program)+"\n"))}
			if h, ok := f.Serving("x.a.test"); scope != "a.test" && (!ok || h.Program != program || h.Scope != scope) {
				t.Errorf("%s is read as %q for %q", HelperLine(scope, program), h.Program, h.Scope)
			}
		}
	}
}

// TestReadTwice holds that a file which two others import is no loop, and that what it says the second time comes last.
func TestReadTwice(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		".bazelrc": "import %workspace%/a\ncommon --credential_helper=x.test=two\nimport %workspace%/b", "a": "import %workspace%/c", "b": "import %workspace%/c",
		"c": "common --credential_helper=x.test=one",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f := ReadWith(t.Context(), &env.Env{Dir: dir}, dir, "")
	if h, _ := f.Serving("x.test"); h.Program != "one" || len(f.Problems) > 0 {
		t.Errorf("got %q, problems %v", h.Program, f.Problems)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("build --a='b c' \\\n --d # e\n")
	f.Add("common:x \"\" 'a\\'b'\r\n--c")
	f.Fuzz(func(t *testing.T, text string) {
		last := 0
		for _, l := range Parse("", []byte(text)) {
			if l.Number <= last || l.Number > strings.Count(text, "\n")+1 {
				t.Errorf("line %d of %q, behind %d", l.Number, text, last)
			}
			last = l.Number
			if l.Command == "" && l.Config == "" && (len(l.Args) == 0 || !strings.HasPrefix(l.Args[0], "-")) {
				continue // the command is a word that is empty
			}
			words := slices.Clone(l.Args)
			if l.Command != "" || l.Config != "" {
				first := l.Command
				if l.Config != "" {
					first += ":" + l.Config
				}
				words = slices.Insert(words, 0, first)
			}
			var quoted strings.Builder
			for _, word := range words {
				if strings.ContainsAny(word, "\n\r") {
					return // there is no other spelling
				}
				quoted.WriteString(`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(word) + `" `)
			}
			again := Parse("", []byte(quoted.String()))
			if len(words) > 0 && (len(again) != 1 || again[0].Command != l.Command || again[0].Config != l.Config || !slices.Equal(again[0].Args, l.Args)) {
				t.Errorf("%q has %+v, which is read again as %+v", text, l, again)
			}
		}
	})
}
