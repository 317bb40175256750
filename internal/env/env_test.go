package env

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/internal/inputs"
)

func with(vars map[string]string) *Env {
	return &Env{Get: func(name string) (string, bool) { v, ok := vars[name]; return v, ok }}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestProcess(t *testing.T) {
	t.Setenv("SOME_VARIABLE", "value")
	e := Process()
	if e.Var("SOME_VARIABLE") != "value" || e.Var("SOME_OTHER_VARIABLE") != "" || e.Now().IsZero() || len(e.Environ()) == 0 {
		t.Errorf("this process's environment is not seen")
	}
	if dir, _ := os.Getwd(); e.Dir != dir {
		t.Errorf("the working directory is %q, want %q", e.Dir, dir)
	}
}

func TestWorkspace(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "outer", "WORKSPACE"), "")
	write(t, filepath.Join(root, "outer", "inner", "MODULE.bazel"), "")
	write(t, filepath.Join(root, "outer", "inner", "pkg", "BUILD.bazel"), "")
	write(t, filepath.Join(root, "outer", "other", "WORKSPACE.bazel"), "")
	// On a file system that ignores case, the directory "workspace" is no marker.
	write(t, filepath.Join(root, "outer", "pkg", "WORKSPACE", "file"), "")
	for _, tt := range []struct {
		name string
		vars map[string]string
		dir  string
		want string
	}{
		{name: "upward", dir: "outer/inner/pkg", want: "outer/inner"},
		{name: "here", dir: "outer/other", want: "outer/other"},
		{name: "a directory is no marker", dir: "outer/pkg", want: "outer"},
		{name: "the helper's own variable", vars: map[string]string{VarWorkspace: filepath.Join(root, "named"), "BUILD_WORKSPACE_DIRECTORY": filepath.Join(root, "run")}, dir: "outer/inner", want: "named"},
		{name: "bazel run", vars: map[string]string{"BUILD_WORKSPACE_DIRECTORY": filepath.Join(root, "run")}, dir: "outer/inner", want: "run"},
		{name: "a relative name", vars: map[string]string{VarWorkspace: "../other"}, dir: "outer/inner", want: "outer/other"},
		{name: "an empty variable", vars: map[string]string{VarWorkspace: ""}, dir: "outer/inner", want: "outer/inner"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := with(tt.vars)
			e.Dir = filepath.Join(root, filepath.FromSlash(tt.dir))
			if got, want := e.Workspace(), filepath.Join(root, filepath.FromSlash(tt.want)); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	t.Run("none", func(t *testing.T) {
		e := with(nil)
		e.Dir = root
		if got := e.Workspace(); got != root {
			t.Errorf("got %q, want the working directory %q", got, root)
		}
	})
}

func TestExpand(t *testing.T) {
	root := t.TempDir()
	at := func(elem ...string) string { return filepath.Join(append([]string{root}, elem...)...) }
	e := with(map[string]string{VarWorkspace: at("ws"), VarWorkdir: at("work"), "TMPDIR": at("tmp")})
	e.Dir, e.Home, e.CacheDir = at("dir"), at("home"), at("cache")
	for _, tt := range []struct{ in, want string }{
		{"%workspace%/a/b", at("ws", "a", "b")},
		{"%workspace%", at("ws")},
		{"%workdir%/a", at("work", "a")},
		{"%tmp%/a", at("tmp", "a")},
		{"%cache%/a", at("cache", "a")},
		{"~/a", at("home", "a")},
		{"~", at("home")},
		{"~/../a", at("a")},
		{"~bob/a", at("dir", "~bob", "a")},
		{"%workspace%a", at("dir", "%workspace%a")},
		{"a/%tmp%", at("dir", "a", "%tmp%")},
		{"a/./b", at("dir", "a", "b")},
		{"", at("dir")},
		{at("x", "..", "y"), at("y")},
	} {
		t.Run(tt.in, func(t *testing.T) {
			if got, err := e.Expand(tt.in); err != nil || got != tt.want {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
	e.Home = ""
	_, err := e.Expand("~/a")
	if want := "there is no home directory to put for ~ (is HOME set?)"; err == nil || err.Error() != want {
		t.Errorf("without a home: %v, want %s", err, want)
	}
}

func TestDirectories(t *testing.T) {
	e := with(nil)
	e.CacheDir = ""
	if got := e.cacheDir(); got != os.TempDir() {
		t.Errorf("without a cache directory: %q", got)
	}
	e = with(map[string]string{"TEST_TMPDIR": "/test", "TMPDIR": "/tmp2"})
	if e.Tmp() != "/test" || e.cacheDir() != "/test" {
		t.Errorf("in a test of Bazel's: %q, %q", e.Tmp(), e.cacheDir())
	}
}

func TestDisplay(t *testing.T) {
	sep := string(filepath.Separator)
	e := &Env{Home: sep + "home" + sep + "bob"}
	for in, want := range map[string]string{
		e.Home + sep + ".netrc":      "~" + sep + ".netrc",
		e.Home + "by" + sep + "file": e.Home + "by" + sep + "file",
		sep + "etc" + sep + "file":   sep + "etc" + sep + "file",
	} {
		if got := e.Display(in); got != want {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
	e.Home = sep
	if got, want := e.Display(sep+"a\x1b[31m\nb é"), sep+"a?[31m?b é"; got != want {
		t.Errorf("a path with control characters is shown as %q, want %q", got, want)
	}
	if got := e.Display(sep + "etc"); got != sep+"etc" {
		t.Errorf("with / as home: %q", got)
	}
}

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	write(t, path, "12345")
	e := &Env{}
	data, info, err := e.ReadFile(path, 5)
	if err != nil || string(data) != "12345" || info.Size() != 5 {
		t.Errorf("got %q, %v, %v", data, info, err)
	}
	if _, _, err := e.ReadFile(path, 4); !errors.Is(err, ErrTooLarge) || err.Error() != "it is larger than 4 bytes" {
		t.Errorf("over the limit: %v", err)
	}
	if _, _, err := e.ReadFile(filepath.Join(dir, "absent"), 5); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an absent file: %v", err)
	}
	if _, _, err := e.ReadFile(dir, 5); err == nil || err.Error() != "it is a directory" {
		t.Errorf("a directory: %v", err)
	}
}

func TestReread(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	put := func(text string) {
		t.Helper()
		if err := errors.Join(os.WriteFile(path+".new", []byte(text), 0o600), os.Rename(path+".new", path)); err != nil {
			t.Fatal(err)
		}
	}
	const salt = "0123456789abcdef"
	e, seen := (&Env{Get: os.LookupEnv}).Observe(salt)
	put("old")
	if _, _, err := e.ReadFile(path, 100); err != nil {
		t.Fatal(err)
	}
	put("replaced")
	data, _, err := e.Reread(path, 100)
	record, volatile := seen.Inputs()
	if err != nil || string(data) != "replaced" || volatile || len(record) != 1 || !inputs.Unchanged(record, salt, os.LookupEnv) {
		t.Errorf("%q, %v; recorded %+v, volatile %v", data, err, record, volatile)
	}
	put("and again")
	if inputs.Unchanged(record, salt, os.LookupEnv) {
		t.Error("a later change is not seen")
	}
	if _, _, err := e.ReadFile(path, 100); err != nil {
		t.Fatal(err)
	}
	if record, volatile = seen.Inputs(); !volatile || inputs.Unchanged(record, salt, os.LookupEnv) {
		t.Errorf("a file that changed between two readings is recorded as %+v, volatile %v", record, volatile)
	}
}

// TestEnvironWith holds that of an environment which is looked through for some variables, those are recorded and no others.
func TestEnvironWith(t *testing.T) {
	const salt = inputs.Salt("0123456789abcdef")
	e := &Env{Get: func(string) (string, bool) { return "", false }}
	if list, ok := e.EnvironWith("A_"); ok || list != nil {
		t.Errorf("an environment that cannot be listed has %q", list)
	}
	e.Environ = func() []string { return []string{"A_ONE=1", "B=2", "a_two=3"} }
	watched, seen := e.Observe(salt)
	for _, e := range []*Env{e, watched} {
		if list, ok := e.EnvironWith("A_"); !ok || strings.Join(list, " ") != "A_ONE=1 a_two=3" {
			t.Errorf("found %q, %v", list, ok)
		}
	}
	want := inputs.Input{Kind: inputs.Prefix, Name: "A_", Sum: inputs.All(salt, []string{"A_ONE=1", "a_two=3"})}
	if record, volatile := seen.Inputs(); len(record) != 1 || record[0] != want || volatile {
		t.Errorf("recorded %+v, %v", record, volatile)
	}
}
