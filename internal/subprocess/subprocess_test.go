//go:build unix

package subprocess

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/internal/env"
)

const canary = "cnry-subprocess-3e07"

// world returns an environment with a directory of its own, which vars ("NAME=value") are added to.
func world(t *testing.T, vars ...string) *env.Env {
	t.Helper()
	list := append([]string{"PATH=" + os.Getenv("PATH")}, vars...)
	return &env.Env{
		Dir:     t.TempDir(),
		Environ: func() []string { return list },
		Get: func(name string) (string, bool) {
			for i := range list {
				if n, v, _ := strings.Cut(list[len(list)-1-i], "="); n == name {
					return v, true
				}
			}
			return "", false
		},
	}
}

func script(t *testing.T, dir, name, body string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFind(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	path := script(t, dir, "tool", "")
	script(t, other, "tool", "")
	if err := os.WriteFile(filepath.Join(dir, "data"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	t.Setenv("PATH", dir) // not this one is used, but the one given
	for _, tt := range []struct{ name, path, program, want, err string }{
		{"on PATH", dir + ":" + other, "tool", path, ""},
		{"absolute", "", path, path, ""},
		{"empty PATH", "", "tool", "", "tool: not found on PATH"},
		{"absent", dir, "toool", "", "toool: not found on PATH"},
		{"not executable", dir, "data", "", "data: not found on PATH"},
		{"a directory", filepath.Dir(dir), filepath.Base(dir), "", filepath.Base(dir) + ": not found on PATH"},
		{"the current directory on PATH", ".", "tool", "", "tool: not found on PATH"},
		{"an empty entry on PATH", ":", "tool", "", "tool: not found on PATH"},
		{"a relative entry is passed over", ".:" + dir, "tool", path, ""},
		{"relative", dir, "./tool", "", "./tool: no such executable"},
		{"absent, absolute", dir, filepath.Join(dir, "toool"), "", filepath.Join(dir, "toool") + ": no such executable"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Find(world(t, "PATH="+tt.path), tt.program)
			if got != tt.want || (err == nil) != (tt.err == "") || err != nil && err.Error() != tt.err {
				t.Errorf("got %q, %v; want %q, %q", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestRun(t *testing.T) {
	dir := t.TempDir()
	const answer = `{"Username":"bob","Secret":"a1,my;long-secret&value"}`
	for _, tt := range []struct {
		name, body string
		stdin      string
		explains   bool
		want, err  string
	}{
		{name: "output", body: "echo out; echo noise >&2", want: "out\n"},
		{name: "no input", body: "cat; echo end", want: "end\n"},
		{name: "input", body: "cat", stdin: "in", want: "in"},
		{name: "input that nobody reads", body: "exit 0", stdin: strings.Repeat("x", 1<<20)},
		{name: "variables", body: `echo "$GREETING"`, want: "hello\n"},
		{name: "failure", body: "echo one >&2; echo '  two' >&2; exit 3", err: "tool failed (exit status 3): one two"},
		{name: "silent failure", body: "exit 4", err: "tool failed (exit status 4) and did not say why"},
		{name: "crash", body: "kill -9 $$", err: "tool failed (signal: killed) and did not say why"},
		{name: "its output in its error", body: "echo " + canary + "-1; echo bad " + canary + "-1 >&2; exit 1", err: "tool failed (exit status 1): bad [redacted]"},
		{name: "a variable in its error", body: `echo "sent $REGISTRY_TOKEN" >&2; exit 1`, err: "tool failed (exit status 1): sent [redacted]"},
		{name: "a credential in its error", body: `echo "sent Authorization: Bearer abcdefghijkl" >&2; exit 1`, err: "tool failed (exit status 1): sent Authorization: Bearer [redacted]"},
		{name: "much on stderr", body: "yes no | head -c 100000 >&2; exit 1", err: "tool failed (exit status 1): " + strings.Repeat("no ", 100) + "…"},
		{name: "terminal escapes", body: `printf 'a\033[31mb\n' >&2; exit 1`, err: "tool failed (exit status 1): a?[31mb"},
		{name: "explained on stdout", body: "echo no such login; exit 1", explains: true, err: "tool failed (exit status 1): no such login"},
		{name: "an answer is no explanation", body: `echo '{"Secret": "` + canary + `-2"}'; echo oops >&2; exit 1`, explains: true, err: "tool failed (exit status 1): oops"},
		{name: "an answer behind a warning", body: "echo 'WARN: slow'; echo '" + answer + "'; exit 1", explains: true, err: "tool failed (exit status 1): WARN: slow"},
		{name: "an answer on the warning's line", body: "echo 'WARN: slow " + answer + "'; exit 1", explains: true, err: "tool failed (exit status 1): WARN: slow"},
		{name: "a list", body: "echo 'WARN: slow'; echo '[\"" + canary + "-3\"]'; exit 1", explains: true, err: "tool failed (exit status 1): WARN: slow"},
		{name: "an answer whose secret is in the warning", body: "echo 'WARN: a1,my;long-secret&value is old'; echo '" + answer + "'; exit 1", explains: true, err: "tool failed (exit status 1): WARN: [redacted] is old"},
		{name: "an answer whose secret is on stderr", body: "echo '" + answer + "'; echo 'bad: a1,my;long-secret&value' >&2; exit 1", err: "tool failed (exit status 1): bad: [redacted]"},
		{name: "an answer on stderr", body: `echo 'got {"Username":"bob","Secret":"d4,my;secret"}' >&2; exit 1`, explains: true, err: `tool failed (exit status 1): got {"Username":"bob","Secret":"[redacted]"}`},
		{name: "an answer with escapes", body: `printf '%s\n' '{"secret" : "b2\"my;\u00e9t\u00e9"}'; echo 'bad: b2"my;été' >&2; exit 1`, err: "tool failed (exit status 1): bad: [redacted]"},
		{name: "an answer that is cut off", body: `printf '{"Secret":"c3,my;secret'; echo 'bad: c3,my;secret' >&2; exit 1`, explains: true, err: "tool failed (exit status 1): bad: [redacted]"},
		{name: "a secret that is cut off", body: `t=$(head -c 500 /dev/zero | tr '\0' q); echo "$t"; for i in $(seq 30); do printf '%s ' "$t" >&2; done; exit 1`, err: "tool failed (exit status 1): " + strings.Repeat("[redacted] ", 16) + "…"},
		{name: "no white space", body: "head -c 9000 /dev/zero | tr '\\0' z >&2; exit 1", err: "tool failed (exit status 1): …"},
		{name: "a secret behind many lines", body: "seq 5000; echo " + canary + "-4; echo bad " + canary + "-4 >&2; exit 1", err: "tool failed (exit status 1): bad [redacted]"},
		{name: "too much output", body: "trap '' PIPE; yes 2>/dev/null; sleep 100", err: "tool printed more than 1048576 bytes"},
		{name: "a child keeps the pipe open", body: "echo out; sleep 100 & echo $! >child", want: "out\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := world(t, "GREETING=hello", "REGISTRY_TOKEN="+canary)
			p := Program{Argv: []string{script(t, dir, "tool", tt.body)}, ExplainsOnStdout: tt.explains}
			if tt.stdin != "" {
				p.Stdin = strings.NewReader(tt.stdin)
			}
			got, err := Run(t.Context(), e, p)
			if string(got) != tt.want || (err == nil) != (tt.err == "") || err != nil && err.Error() != tt.err {
				t.Errorf("got %.100q, %v\nwant %q, %s", got, err, tt.want, tt.err)
			}
			if pid, err := os.ReadFile(filepath.Join(e.Dir, "child")); err == nil {
				end(t, string(pid))
			}
		})
	}
}

func TestRunWorkingDirectory(t *testing.T) {
	e := world(t)
	got, err := Run(t.Context(), e, Program{Argv: []string{"/bin/pwd", "-P"}})
	if want, _ := filepath.EvalSymlinks(e.Dir); err != nil || string(got) != want+"\n" {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

// TestRunPath holds that a program finds others by the absolute entries of PATH alone, as Find does: not what lies in the working directory.
func TestRunPath(t *testing.T) {
	e := world(t, "PATH=.::tools:"+os.Getenv("PATH")+":", "XPATH=.")
	script(t, e.Dir, "planted", "echo planted")
	path := script(t, t.TempDir(), "tool", "planted 2>/dev/null || echo none; echo $XPATH")
	out, err := Run(t.Context(), e, Program{Argv: []string{path}})
	if err != nil || string(out) != "none\n.\n" {
		t.Errorf("%q, %v", out, err)
	}
}

func TestRunCannotStart(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte("no program\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "absent"): "starting absent: no such file or directory",
		dir:                          "starting " + filepath.Base(dir) + ": permission denied",
		text:                         "starting text: exec format error",
	} {
		_, err := Run(t.Context(), world(t), Program{Argv: []string{path}})
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestRunKillsAll runs a program that hangs, and whose child hangs too and ignores every signal that can be ignored.
func TestRunKillsAll(t *testing.T) {
	e := world(t)
	tool := script(t, e.Dir, "tool", `trap '' TERM INT HUP
(trap '' TERM INT HUP; sleep 100; sleep 100) &
echo $! >child.tmp && mv child.tmp child
wait`)
	ctx, cancel := context.WithCancelCause(t.Context())
	child := filepath.Join(e.Dir, "child")
	go func() {
		for ctx.Err() == nil {
			if _, err := os.Stat(child); err == nil {
				cancel(errors.New("the budget is spent"))
			}
			time.Sleep(time.Millisecond)
		}
	}()
	start := time.Now()
	_, err := Run(ctx, e, Program{Argv: []string{tool}})
	if want := "tool did not end in time: the budget is spent"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	pid, err := os.ReadFile(child)
	if err != nil {
		t.Fatal(err)
	}
	gone(t, string(pid))
}

func TestSecretName(t *testing.T) {
	for name, want := range map[string]bool{
		"GITHUB_TOKEN": true, "npm_config__authToken": true, "AWS_SECRET_ACCESS_KEY": true, "DB_PASSWORD": true, "MYSQL_PWD": true,
		"API_KEY": true, "apikey": true, "BASIC_AUTH": true, "GITLAB_PAT": true, "SMTP_PASS": true,
		"PATH": false, "HOME": false, "KEYBOARD": false, "GIT_AUTHOR_NAME": false, "COMPASS": false, "MONKEY_BUSINESS": false,
	} {
		if got := secretName(name); got != want {
			t.Errorf("secretName(%q) = %v", name, got)
		}
	}
}
