package dockerconfig

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// testEnv returns an environment whose docker configuration is in dir.
func testEnv(dir string) *env.Env {
	return &env.Env{
		Get: func(name string) (string, bool) {
			if name == "DOCKER_CONFIG" {
				return dir, true
			}
			return "", false
		},
		ConfigDir: filepath.Join(dir, "config"),
	}
}

func content(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	return string(data)
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestWhereTheFileIs(t *testing.T) {
	home := t.TempDir()
	e := &env.Env{Get: func(string) (string, bool) { return "", false }, Home: home}
	f, err := Read(e)
	if err != nil || f.Path != filepath.Join(home, ".docker", "config.json") || f.Shown != filepath.Join("~", ".docker", "config.json") || f.Exists() {
		t.Errorf("got %+v, %v", f, err)
	}
	e.Dir, e.Get = home, func(string) (string, bool) { return "rel", true }
	if f, err = Read(e); err != nil || f.Path != filepath.Join(home, "rel", "config.json") {
		t.Errorf("got %+v, %v", f, err)
	}
	_, err = Read(&env.Env{Get: func(string) (string, bool) { return "", false }})
	wantError(t, err, "there is no home directory to look for docker's configuration in")
}

func TestNewFileIsTheUsersAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	f, err := Read(testEnv(dir))
	must(t, err)
	must(t, f.Write([]byte("{}")))
	info, err := os.Stat(f.Path)
	must(t, err)
	if content(t, f.Path) != "{}" || runtime.GOOS != "windows" && info.Mode() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}

func TestModeStays(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("access lists instead of modes")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "config.json")
	must(t, os.WriteFile(path, []byte("{}"), 0o600))
	must(t, os.Chmod(path, 0o640))
	f, err := Read(testEnv(dir))
	must(t, err)
	must(t, f.Write([]byte(`{"a":1}`)))
	info, err := os.Stat(path)
	must(t, err)
	if content(t, path) != `{"a":1}` || info.Mode() != 0o640 {
		t.Errorf("mode %v", info.Mode())
	}
	entries, err := os.ReadDir(dir)
	must(t, err)
	if len(entries) != 1 {
		t.Errorf("something is left behind: %v", entries)
	}
}

func TestLinksStay(t *testing.T) {
	for _, tt := range []struct {
		name, link, target string
		exists             bool
	}{
		{"relative", "../real/settings.json", "real/settings.json", true},
		{"dangling", "../real/settings.json", "real/settings.json", false},
		{"two", "second", "real/settings.json", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			dir := filepath.Join(root, "docker")
			target := filepath.Join(root, filepath.FromSlash(tt.target))
			must(t, os.Mkdir(dir, 0o700))
			must(t, os.Mkdir(filepath.Dir(target), 0o700))
			if err := os.Symlink(tt.link, filepath.Join(dir, "config.json")); err != nil {
				t.Skip("no symbolic links here:", err)
			}
			must(t, os.Symlink(filepath.Join("..", "real", "settings.json"), filepath.Join(dir, "second")))
			if tt.exists {
				must(t, os.WriteFile(target, []byte("{}"), 0o600))
			}
			f, err := Read(testEnv(dir))
			must(t, err)
			must(t, f.Write([]byte(`{"a":1}`)))
			info, err := os.Lstat(filepath.Join(dir, "config.json"))
			must(t, err)
			if info.Mode()&os.ModeSymlink == 0 || content(t, target) != `{"a":1}` {
				t.Errorf("the link became %v", info.Mode())
			}
		})
	}
	t.Run("in a circle", func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "config.json")
		if err := os.Symlink("config.json", path); err != nil {
			t.Skip("no symbolic links here:", err)
		}
		_, err := Read(testEnv(dir))
		wantError(t, err, "reading docker's configuration "+path+": too many symbolic links")
	})
}

func TestFilesThatAreLeftAlone(t *testing.T) {
	t.Run("read-only", func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "config.json")
		must(t, os.WriteFile(path, []byte("{}"), 0o400))
		f, err := Read(testEnv(dir))
		must(t, err)
		err = f.Write([]byte(`{"a":1}`))
		wantError(t, err, "writing docker's configuration "+path+": it is read-only")
		if hint, ok := err.(*helpers.HintError); !ok || hint.Hint != "add the keys where the file is made, or allow its owner to write it" {
			t.Errorf("hint of %#v", err)
		}
		if content(t, path) != "{}" {
			t.Error("it was overwritten")
		}
	})
	t.Run("changed meanwhile", func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "config.json")
		must(t, os.WriteFile(path, []byte("{}"), 0o600))
		f, err := Read(testEnv(dir))
		must(t, err)
		must(t, os.WriteFile(path, []byte(`{"credsStore":"other"}`), 0o600))
		wantError(t, f.Write([]byte(`{"a":1}`)), "writing docker's configuration "+path+": another program changed it just now")
		if content(t, path) != `{"credsStore":"other"}` {
			t.Error("it was overwritten")
		}
		entries, err := os.ReadDir(dir)
		must(t, err)
		if len(entries) != 1 {
			t.Errorf("something is left behind: %v", entries)
		}
	})
	t.Run("a directory", func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "config.json")
		must(t, os.Mkdir(path, 0o700))
		_, err := Read(testEnv(dir))
		wantError(t, err, "reading docker's configuration "+path+": it is a directory")
	})
	t.Run("too large", func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "config.json")
		must(t, os.WriteFile(path, make([]byte, maxSize+1), 0o600))
		_, err := Read(testEnv(dir))
		wantError(t, err, "reading docker's configuration "+path+": it is larger than 1048576 bytes")
	})
}

func TestState(t *testing.T) {
	e := testEnv(t.TempDir())
	path := filepath.Join(e.ConfigDir, "credential-helper", "docker.json")
	s, err := ReadState(e)
	must(t, err)
	must(t, s.Save())
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Error("a state that remembers nothing was written")
	}
	s.Remember("/c", "x", "", "old", true)
	s.Remember("/c", "x", "", "desktop", true)
	s.Remember("/c", "x", "gcr.io", "gcloud", true)
	s.Remember("/c", "x", "none.test", "", true)
	s.Remember("/c", "y", "", "x", true)
	s.Remember("/c", "x", "a.test", "", false)
	s.Copies = map[string]string{"/bin/x.exe": "abc"}
	must(t, s.Save())
	if s, err = ReadState(e); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		config, name, registry, want string
		had                          bool
	}{
		{"/c", "x", "", "desktop", true},
		{"/c", "x", "gcr.io", "gcloud", true},
		{"/c", "x", "none.test", "", true},
		{"/c", "x", "a.test", "", false},
		{"/c", "y", "", "x", true},
		{"/d", "x", "", "", false},
	} {
		if got, had := s.Recall(tt.config, tt.name, tt.registry); got != tt.want || had != tt.had {
			t.Errorf("%v: got %q, %v", tt, got, had)
		}
	}
	if s.Copies["/bin/x.exe"] != "abc" {
		t.Error("the copy is forgotten")
	}
	s.Forget("/c", "x")
	must(t, s.Save())
	if s, err = ReadState(e); err != nil || len(s.Former) != 1 {
		t.Errorf("got %+v, %v", s, err)
	}

	must(t, os.WriteFile(path, []byte("{\n\"formr\": []}"), 0o600))
	_, err = ReadState(e)
	wantError(t, err, "reading what docker's settings were: "+path+`:2:1: unknown key "formr" (did you mean "former"?)`)
	_, err = ReadState(&env.Env{})
	wantError(t, err, "there is no configuration directory of the user's to remember docker's settings in (is HOME set?)")
}
