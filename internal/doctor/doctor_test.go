package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fe055d52/credential-helper/config"
	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/strictjson"
	"github.com/fe055d52/credential-helper/internal/trace"
)

const canary = "c4n4ry-hunter2hunter2"

// A machine is a home, a workspace and a directory on PATH.
type machine struct {
	t    *testing.T
	root string
	vars map[string]string
	dir  string
}

func newMachine(t *testing.T, vars ...string) *machine {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{t: t, root: root, vars: map[string]string{"TMPDIR": root, "PATH": filepath.Join(root, "bin")}}
	for i := 0; i < len(vars); i += 2 {
		m.vars[vars[i]] = strings.ReplaceAll(vars[i+1], "ROOT", filepath.ToSlash(root))
	}
	for _, dir := range []string{"home", "bin", "ws"} {
		if err := os.MkdirAll(m.at(dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	m.dir = m.at("ws")
	m.write("ws/MODULE.bazel", "", 0o600)
	m.write("bin/credential-helper", "#!/bin/sh\n", 0o755)
	return m
}

func (m *machine) at(path string) string { return filepath.Join(m.root, filepath.FromSlash(path)) }

func (m *machine) write(path, text string, mode os.FileMode) {
	m.t.Helper()
	path = m.at(path)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) link(path, to string) {
	m.t.Helper()
	if err := os.Symlink(to, m.at(path)); err != nil {
		m.t.Skip(err)
	}
}

func (m *machine) env() *env.Env {
	return &env.Env{
		Get: func(name string) (string, bool) { v, ok := m.vars[name]; return v, ok },
		Environ: func() []string {
			var all []string
			for name, value := range m.vars {
				all = append(all, name+"="+value)
			}
			return all
		},
		Dir: m.dir, Home: m.at("home"), ConfigDir: m.at("home/.config"), CacheDir: m.at("home/.cache"), Now: time.Now,
	}
}

func (m *machine) executable() string { return m.at("bin/credential-helper") }

// show writes findings as "LEVEL TEXT → FIX" without the machine's root.
func (m *machine) show(all []Finding) []string {
	m.t.Helper()
	var lines []string
	for _, f := range all {
		text := string(f.Level) + " " + f.Text
		if f.Fix != "" {
			text += " → " + f.Fix
		} else if f.Level == Warning || f.Level == Broken {
			m.t.Errorf("no word of what to do about: %s", f.Text)
		}
		if strings.Contains(text, canary) || strings.Contains(text, canary[:8]) {
			m.t.Errorf("a secret is shown: %s", text)
		}
		lines = append(lines, strings.ReplaceAll(filepath.ToSlash(text), filepath.ToSlash(m.root), ""))
	}
	return lines
}

// compare holds that the findings are these; one that ends in "…" is compared as far as that.
func (m *machine) compare(all []Finding, want ...string) {
	m.t.Helper()
	got := m.show(all)
	same := len(got) == len(want)
	for i := 0; same && i < len(got); i++ {
		begin, open := strings.CutSuffix(want[i], "…")
		same = got[i] == want[i] || open && strings.HasPrefix(got[i], begin)
	}
	if !same {
		m.t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// A fake is a helper that decodes nothing.
type fake struct {
	helpers.Helper
	bound bool
}

func (f fake) HostBound() bool { return f.bound }

var kinds = config.Kinds{
	"registry": {New: anyConfig(false)}, "oci": {New: anyConfig(false)}, "github": {New: anyConfig(false)}, "null": {New: anyConfig(true)}, "bound": {New: anyConfig(true)}, "s3": {},
}

func anyConfig(bound bool) helpers.Factory {
	return func(_ helpers.Rule, o *strictjson.Object) helpers.Helper {
		o.AllowUnknown()
		return fake{bound: bound}
	}
}

// rules makes files of rules: of the workspace, or of the user where path begins with "home".
func (m *machine) rules(path string, rules ...string) []config.File {
	m.t.Helper()
	m.write(path, `{"urls": [`+"\n"+strings.Join(rules, ",\n")+"\n]}", 0o600)
	f, err := config.Parse(m.at(path), []byte(`{"urls": [`+"\n"+strings.Join(rules, ",\n")+"\n]}"), kinds, false)
	if err != nil {
		m.t.Fatal(err)
	}
	return []config.File{f}
}

const workspaceFile = "ws/.tweag-credential-helper.json"

func TestRunKeepsTheOrderAndItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		check := func(subject string, took time.Duration) Check {
			return Check{Subject: subject, Limit: time.Second, Run: func(context.Context) []Finding {
				time.Sleep(took)
				return []Finding{{Level: OK, Text: "in " + took.String()}}
			}}
		}
		hung := Check{Subject: "hung", Limit: 3 * time.Second, Run: func(ctx context.Context) []Finding {
			defer trace.Step(ctx, "asking a wall")(nil)
			time.Sleep(time.Hour)
			return nil
		}}
		broken := Check{Subject: "bug", Limit: time.Second, Run: func(context.Context) []Finding { panic("a bug") }}
		var got []string
		for _, f := range Run(t.Context(), []Check{check("a", 500*time.Millisecond), hung, broken, check("b", 0)}) {
			got = append(got, fmt.Sprint(f.Level, " ", f.Subject, ": ", f.Text))
		}
		want := []string{
			"ok a: in 500ms",
			"warning hung: not checked to the end within 3s: the time went into asking a wall",
			"warning bug: this check failed: internal error: a bug",
			"ok b: in 0s",
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %q\nwant %q", got, want)
		}
		if took := time.Since(start); took > 3100*time.Millisecond {
			t.Errorf("it took %s", took)
		}
		time.Sleep(time.Hour) // what hangs ends before the test does
	})
}

// TestFew holds that a hostile .bazelrc or a huge configuration is not told line by line, and that what is broken is not lost in it.
func TestFew(t *testing.T) {
	var f findings
	for range 2000 {
		f.note("a note", "")
	}
	f.broken("it is broken", "mend it")
	found := few(f)
	if len(found) != maxFindings+1 || found[0].Level != Broken || found[maxFindings].Text != "1951 more findings of this kind are left out" {
		t.Errorf("%d findings: %v", len(found), found)
	}
	if same := few(f[:maxFindings]); len(same) != maxFindings {
		t.Errorf("%d findings of %d", len(same), maxFindings)
	}
}

// TestShellPath holds that a command which is to be copied is one command, whatever the names in a repository are.
func TestShellPath(t *testing.T) {
	e := &env.Env{Home: "/home/bob"}
	for path, want := range map[string]string{
		"/home/bob/.docker/config.json": "~/.docker/config.json",
		"/ws/tool":                      "/ws/tool",
		"/ws/x; id":                     "'/ws/x; id'",
		"/home/bob/it's $(id)":          `'/home/bob/it'\''s $(id)'`,
	} {
		if got := shellPath(e, path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	if got := quoted([]string{"A", "B; id"}); got != "A, 'B; id'" {
		t.Errorf("got %s", got)
	}
}
