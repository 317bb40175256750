package place

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// vars is an environment.
func vars(pairs ...string) Getenv {
	m := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return func(name string) (string, bool) {
		v, ok := m[name]
		return v, ok
	}
}

// tree makes files, and directories for names that end in a slash, and returns where.
func tree(t testing.TB, names ...string) string {
	t.Helper()
	root := t.TempDir()
	for _, name := range names {
		path := filepath.Join(root, name)
		dir := filepath.Dir(path)
		if strings.HasSuffix(name, "/") {
			dir = path
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if dir != path {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return root
}

func TestWorkspace(t *testing.T) {
	root := tree(t, "ws/MODULE.bazel", "ws/pkg/deep/", "ws/inner/WORKSPACE", "ws/inner/pkg/", "ws/other/WORKSPACE.bazel", "ws/dir/MODULE.bazel/", "none/pkg/")
	at := func(name string) string { return filepath.Join(root, name) }
	for _, tt := range []struct {
		dir  string
		env  Getenv
		want string
	}{
		{at("ws"), vars(), at("ws")},
		{at("ws/pkg/deep"), vars(), at("ws")},
		{at("ws/inner/pkg"), vars(), at("ws/inner")},
		{at("ws/other"), vars(), at("ws/other")},
		{at("ws/dir"), vars(), at("ws")}, // a directory is no marker
		{at("ws/absent/pkg"), vars(), at("ws")},
		{at("none/pkg"), vars(), at("none/pkg")},
		{"", vars(), ""},
		{at("ws/pkg"), vars(VarWorkspace, at("none")), at("none")},
		{at("ws/pkg"), vars(VarWorkspace, "deep"), at("ws/pkg/deep")},
		{at("ws/pkg"), vars(VarWorkspace, ""), at("ws")},
		{at("ws/pkg"), vars("BUILD_WORKSPACE_DIRECTORY", at("none")), at("none")},
		{at("ws/pkg"), vars("BUILD_WORKSPACE_DIRECTORY", at("none"), VarWorkspace, at("ws/inner")), at("ws/inner")},
	} {
		if got := Workspace(tt.env, tt.dir); got != tt.want {
			t.Errorf("the workspace of %s is %s, want %s", tt.dir, got, tt.want)
		}
	}
}

// TestDeepTree holds that a tree of very many directories, one in the other, is not searched up to its root.
func TestDeepTree(t *testing.T) {
	root := t.TempDir()
	at := func(level int) string { return filepath.Join(root, strings.Repeat("a/", level)) }
	if err := os.MkdirAll(at(200), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "MODULE.bazel"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for level, want := range map[int]string{10: root, MaxLevels - 1: root, MaxLevels: at(MaxLevels), 200: at(200)} {
		if got := Workspace(vars(), at(level)); got != want {
			t.Errorf("%d levels below the marker the workspace is %s, want %s", level, got, want)
		}
	}
}

func TestConfigFiles(t *testing.T) {
	ws, user := filepath.Join("ws", ".tweag-credential-helper.json"), filepath.Join("conf", "credential-helper", "config.json")
	for _, tt := range []struct {
		workspace, configDir string
		want                 []string
	}{
		{"ws", "conf", []string{ws, user}},
		{"ws", "", []string{ws}},
		{"", "conf", []string{user}},
		{"", "", nil},
	} {
		if got := ConfigFiles(tt.workspace, tt.configDir); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("the files of %q and %q are %q, want %q", tt.workspace, tt.configDir, got, tt.want)
		}
	}
}

func TestContext(t *testing.T) {
	seen := map[string][3]string{}
	for _, parts := range [][3]string{{"/h", "/w", "/d"}, {"/h/w", "", "/d"}, {"/h", "/w/d", ""}, {"", "", ""}, {"", "/h", "/d"}, {"/w", "/h", "/d"}} {
		c := Context(parts[0], parts[1], parts[2])
		if other, ok := seen[c]; ok {
			t.Errorf("%q and %q are one context", other, parts)
		}
		seen[c] = parts
	}
}

func TestRunDir(t *testing.T) {
	root := tree(t, "run/", "file")
	run, file := filepath.Join(root, "run"), filepath.Join(root, "file")
	cached := filepath.Join(root, "cache", "credential-helper", "run")
	for _, tt := range []struct {
		name  string
		env   Getenv
		cache string
		want  string
	}{
		{"both", vars("XDG_RUNTIME_DIR", run), filepath.Join(root, "cache"), filepath.Join(run, "credential-helper")},
		{"runtime directory alone", vars("XDG_RUNTIME_DIR", run), "", filepath.Join(run, "credential-helper")},
		{"not set", vars(), filepath.Join(root, "cache"), cached},
		{"empty", vars("XDG_RUNTIME_DIR", ""), filepath.Join(root, "cache"), cached},
		{"relative", vars("XDG_RUNTIME_DIR", "run"), filepath.Join(root, "cache"), cached},
		{"absent", vars("XDG_RUNTIME_DIR", run+"-absent"), filepath.Join(root, "cache"), cached},
		{"a file", vars("XDG_RUNTIME_DIR", file), filepath.Join(root, "cache"), cached},
		{"neither", vars(), "", ""},
	} {
		if got := RunDir(tt.env, tt.cache); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestSocket(t *testing.T) {
	if path, ok := Socket(""); ok {
		t.Errorf("no directory has the socket %s", path)
	}
	dir := string(filepath.Separator) + "run"
	if path, ok := Socket(dir); !ok || path != filepath.Join(dir, "agent.sock") {
		t.Errorf("the socket in %s is %s, %v", dir, path, ok)
	}
	dir += strings.Repeat("r", maxSocketPath-len(dir)-len("/agent.sock")-1)
	if path, ok := Socket(dir); !ok || len(path) != maxSocketPath-1 {
		t.Errorf("a path of %d bytes fits: %v", len(path), ok)
	}
	if path, ok := Socket(dir + "r"); ok {
		t.Errorf("a path of %d bytes fits", len(path))
	}
}

func TestBuild(t *testing.T) {
	seen := map[string]Build{}
	for _, b := range []Build{{}, {1, 2}, {2, 1}, {1 << 62, 1 << 40}, {-1, -1}, {256, 0}, {0, 256}} {
		text := b.String()
		if _, ok := seen[text]; ok || len(text) != 16 || ParseBuild(text) != b {
			t.Errorf("%v is written as %q, which is read as %v", b, text, ParseBuild(text))
		}
		seen[text] = b
	}
	for _, wrong := range []string{"", "x", strings.Repeat("x", 15), strings.Repeat("x", 17)} {
		if b := ParseBuild(wrong); b != (Build{}) {
			t.Errorf("%q is read as %v", wrong, b)
		}
	}
	b := ThisBuild()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(exe)
	if err != nil {
		t.Fatal(err)
	}
	if b.ModTime != info.ModTime().UnixNano() || b.Size != info.Size() {
		t.Errorf("this build is %v; its file is of %d and has %d bytes", b, info.ModTime().UnixNano(), info.Size())
	}
}

// FuzzPaths holds that paths are put together and taken apart as package path/filepath does it.
func FuzzPaths(f *testing.F) {
	for _, s := range [][2]string{{"/a", "b"}, {"", ""}, {"/", ".."}, {"a//b/", "./c/.."}, {"C:\\x", "y"}, {"/a/", "/b"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if got, want := Join(a, b), filepath.Join(a, b); got != want {
			t.Errorf("Join(%q, %q) is %q, want %q", a, b, got, want)
		}
		if Dir(a) != filepath.Dir(a) || IsAbs(a) != filepath.IsAbs(a) || Clean(a) != filepath.Clean(a) {
			t.Errorf("%q: %q, %v, %q", a, Dir(a), IsAbs(a), Clean(a))
		}
		if filepath.IsAbs(a) {
			if got := absolute(a, b); !filepath.IsAbs(got) {
				t.Errorf("absolute(%q, %q) is %q", a, b, got)
			}
		}
	})
}
