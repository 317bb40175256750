package hosts

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/internal/bazelrc"
	"github.com/fe055d52/credential-helper/internal/env"
)

// find returns what is found in a workspace of files by name, as "HOST PATH PLACE KIND".
func find(t *testing.T, files map[string]string) (found []string, problems []error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "ws"), 0o700); err != nil {
		t.Fatal(err)
	}
	return findIn(t, dir)
}

func findIn(t *testing.T, dir string) (found []string, problems []error) {
	t.Helper()
	e := &env.Env{Get: func(string) (string, bool) { return "", false }, Home: filepath.Join(dir, "home"), Dir: dir}
	ws := filepath.Join(dir, "ws")
	all, problems := Find(t.Context(), e, ws, bazelrc.Read(t.Context(), e, ws))
	for _, f := range all {
		found = append(found, strings.TrimSpace(fmt.Sprint(f.URL, " ", filepath.ToSlash(f.Place), " ", f.Kind)))
	}
	return found, problems
}

func TestFind(t *testing.T) {
	for _, tt := range []struct {
		name, file, text string
		want             []string
	}{
		{"URLs", "ws/MODULE.bazel", "f(\"https://a.test/x\", 'http://b.test:8080/y?q=secret#z')", []string{"https://a.test/x MODULE.bazel:1", "http://b.test:8080/y MODULE.bazel:1"}},
		{"comments", "ws/MODULE.bazel", "# \"https://a.test\"\nx = \"# https://b.test/\" # https://c.test", []string{"https://b.test/ MODULE.bazel:2"}},
		{"long strings", "ws/WORKSPACE", "x = \"\"\"\nhttps://a.test/\n\"\"\"\ny = 'https://b.test/'", []string{"https://a.test/ WORKSPACE:1", "https://b.test/ WORKSPACE:4"}},
		{"not closed", "ws/MODULE.bazel", "x = \"https://a.test/\ny = \"https://b.test/\\", []string{"https://a.test/ MODULE.bazel:1", "https://b.test/ MODULE.bazel:2"}},
		{"templates", "ws/MODULE.bazel", `x = ["https://{}/a", "https://a.test/{version}/%s", "https://%s/x"]`, []string{"https://a.test/%7Bversion MODULE.bazel:1"}},
		{"user info", "ws/MODULE.bazel", `x = "https://u:p@a.test/x"`, []string{"https://a.test/x MODULE.bazel:1"}},
		{"dot segments", "ws/MODULE.bazel", `x = "https://a.test/../x"`, []string{"https://a.test/ MODULE.bazel:1"}},
		{
			"images", "ws/MODULE.bazel", `p(image = "ghcr.io/a/b:1@sha256:0"); p(image="ubuntu"); p(image = "localhost:5000/x"); q(images = "z.io/y"); p(registry = "quay.io")`,
			[]string{
				"https://ghcr.io/v2/a/b/manifests/latest MODULE.bazel:1 oci", "https://index.docker.io/v2/ubuntu/manifests/latest MODULE.bazel:1 oci",
				"https://localhost:5000/v2/x/manifests/latest MODULE.bazel:1 oci", "https://quay.io/v2/ MODULE.bazel:1 oci",
			},
		},
		{"includes another that includes", "ws/MODULE.bazel", `include("//:a.MODULE.bazel"); include("@x//:b"); include("//../..:c"); include("//:MODULE.bazel")`, nil},
		{"options", "ws/.bazelrc", "build --remote_cache=cache.test:9092 --bes_backend grpcs://bes.test\nbuild --remote_executor=unix:/x --remote_cache=/dir", []string{"grpcs://cache.test:9092/ .bazelrc:1", "grpcs://bes.test/ .bazelrc:1"}},
		{
			"npm", "ws/.npmrc", "; registry=https://no.test/\nregistry = https://a.test/\n@x:registry=https://b.test/npm/\n//c.test/d/:_authToken=secret/:x\nother=https://no.test/",
			[]string{"https://a.test/ .npmrc:2 npm", "https://b.test/npm/ .npmrc:3 npm", "https://c.test/d/ .npmrc:4 npm"},
		},
		{"npm of the user", "home/.npmrc", "registry=https://a.test/", []string{"https://a.test/ ~/.npmrc:1 npm"}},
		{
			"pip", "ws/requirements.txt", "--index-url https://u:p@a.test/simple\n-i https://b.test/simple\n# --index-url https://no.test\nx @ https://no.test/x.whl\n--extra-index-url=https://c.test",
			[]string{"https://a.test/simple requirements.txt:1 pypi", "https://b.test/simple requirements.txt:2 pypi", "https://c.test/ requirements.txt:5 pypi"},
		},
		{"cargo", "ws/.cargo/config.toml", "[registries.a]\nindex = \"sparse+https://a.test/index/\"\n[http]\nproxy = \"https://no.test\"", []string{"https://a.test/index/ .cargo/config.toml:2 cargo"}},
		{"maven", "home/.m2/settings.xml", "<mirror><url>https://a.test/maven2</url></mirror>", []string{"https://a.test/maven2 ~/.m2/settings.xml:1 maven"}},
		{"docker", "home/.docker/config.json", `{"auths": {"https://index.docker.io/v1/": {}, "a.test:5000": {"auth": "x"}, "b.test/team": {}}, "credHelpers": {"c.test": "x"}}`, []string{
			"https://index.docker.io/v2/ ~/.docker/config.json oci", "https://a.test:5000/v2/ ~/.docker/config.json oci", "https://b.test/v2/ ~/.docker/config.json oci", "https://c.test/v2/ ~/.docker/config.json oci",
		}},
		{"broken docker", "home/.docker/config.json", `{"auths": `, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, problems := find(t, map[string]string{tt.file: tt.text})
			if !reflect.DeepEqual(got, tt.want) || len(problems) > 0 {
				t.Errorf("got  %q (%v)\nwant %q", got, problems, tt.want)
			}
		})
	}
}

func TestIncludesAreReadOneDeep(t *testing.T) {
	got, _ := find(t, map[string]string{
		"ws/MODULE.bazel":     `include("//a:b.MODULE.bazel")`,
		"ws/a/b.MODULE.bazel": `x = "https://a.test/"; include("//:c.MODULE.bazel")`,
		"ws/c.MODULE.bazel":   `x = "https://no.test/"`,
	})
	if want := []string{"https://a.test/ a/b.MODULE.bazel:1"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
}

// TestHostileTrees holds that links in circles, links that lead out, and huge files are told of and come to an end.
func TestHostileTrees(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need a privilege on Windows")
	}
	dir := t.TempDir()
	ws := filepath.Join(dir, "ws")
	if err := os.MkdirAll(filepath.Join(ws, ".cargo"), 0o700); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{".npmrc": ".npmrc", "WORKSPACE": "../outside", "pip.conf": "/dev/zero", "settings.xml": "inside"} {
		if err := os.Symlink(to, filepath.Join(ws, link)); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{
		"outside": `x = "https://no.test/"`, "ws/inside": "<url>https://a.test/</url>",
		"ws/MODULE.bazel": strings.Repeat(`x = "https://b.test/"`+"\n", maxFile/10), "ws/requirements.txt": strings.Repeat("-i https://c.test/x\n", maxFound+10),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, problems := findIn(t, dir)
	if len(got) != maxFound || got[0] != "https://c.test/x requirements.txt:1 pypi" {
		t.Errorf("found %d, the first %q", len(got), got[0])
	}
	if len(problems) != 4 {
		t.Errorf("problems: %v", problems)
	}
}

func FuzzStringsOf(f *testing.F) {
	f.Add("x = \"a\" # 'b'\n'''c\n''' \"\\")
	f.Fuzz(func(t *testing.T, code string) {
		for _, s := range stringsOf(code) {
			if !strings.Contains(code, s.text) || s.line < 1 || s.line > strings.Count(code, "\n")+1 || len(s.before) > 100 {
				t.Errorf("%+v of %q", s, code)
			}
		}
	})
}
