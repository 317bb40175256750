package lookup

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/helpers"
)

// script writes a program below the home directory.
func script(t testing.TB, s *Sources, name, body string) string {
	t.Helper()
	path := write(t, s, name, "#!/bin/sh\n"+body+"\n")
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// programs returns sources whose PATH has the directory "bin" below the home directory, and those of this process behind it.
func programs(t testing.TB, vars map[string]string) *Sources {
	t.Helper()
	if vars == nil {
		vars = map[string]string{}
	}
	s := newSources(t, vars)
	vars["PATH"] = filepath.Join(s.Env.Home, "bin") + string(filepath.ListSeparator) + os.Getenv("PATH")
	return s
}

func commandSource(t testing.TB, s *Sources, argv ...string) Source {
	t.Helper()
	b, err := json.Marshal(argv)
	if err != nil {
		t.Fatal(err)
	}
	return decodeOne(t, s, `{"source": "command", "command": `+string(b)+`}`)
}

func TestCommand(t *testing.T) {
	notOnWindows(t)
	const usage = `"command" takes a name on PATH, an absolute path, or a path from the workspace's root, each argument an element of its own`
	for _, tt := range []struct {
		name, body string
		argv       []string
		want       outcome
	}{
		{"output", "echo " + canary, []string{"tool"}, outcome{values: "default=" + canary}},
		{"one newline is removed", "printf 'a\\n\\n'", []string{"tool"}, outcome{values: "default=a\n"}},
		{"stderr is no part of it", "echo noise >&2; echo " + canary, []string{"tool"}, outcome{values: "default=" + canary}},
		{"stdin is empty", "cat; echo end", []string{"tool"}, outcome{values: "default=end"}},
		{"variables", `echo "$TOKEN"`, []string{"tool"}, outcome{values: "default=" + canary}},
		{"no shell", `printf '%s|' "$@"`, []string{"tool", "a b", "$HOME", "*", "; exit"}, outcome{values: "default=a b|$HOME|*|; exit|"}},
		{"the working directory", `basename "$PWD"`, []string{"tool"}, outcome{values: "default=proj"}},
		{"from the home directory", "echo " + canary, []string{"~/bin/tool"}, outcome{values: "default=" + canary}},
		{"from the workspace", "echo " + canary, []string{"bin/tool"}, outcome{values: "default=" + canary}},
		{"from the workspace, said so", "echo " + canary, []string{"%workspace%/bin/tool"}, outcome{values: "default=" + canary}},
		{"missing on PATH", "", []string{"toool"}, outcome{kind: "broken", err: `finding the program of the source "command": toool: not found on PATH`, hint: usage}},
		{"missing at its path", "", []string{"./bin/toool"}, outcome{kind: "broken", err: `finding the program of the source "command": ~/bin/toool: no such executable`, hint: usage}},
		{"a command line", "", []string{"tool --flag"}, outcome{kind: "broken", err: `finding the program of the source "command": tool --flag: not found on PATH`, hint: usage}},
		{"failure", "echo " + canary + "; echo not logged in >&2; exit 3", []string{"tool"}, outcome{kind: "broken", err: `running the program of the source "command": tool failed (exit status 3): not logged in`, hint: "see what it says by itself: tool"}},
		{"failure that tells the secret", "echo " + canary + "; echo refused " + canary + " >&2; exit 1", []string{"tool"}, outcome{kind: "broken", err: `running the program of the source "command": tool failed (exit status 1): refused [redacted]`, hint: "see what it says by itself: tool"}},
		{"failure that tells a variable", `echo "refused $TOKEN" >&2; exit 1`, []string{"tool"}, outcome{kind: "broken", err: `running the program of the source "command": tool failed (exit status 1): refused [redacted]`, hint: "see what it says by itself: tool"}},
		{"crash", "kill -9 $$", []string{"tool"}, outcome{kind: "broken", err: `running the program of the source "command": tool failed (signal: killed) and did not say why`, hint: "see what it says by itself: tool"}},
		{"nothing", "exit 0", []string{"tool"}, outcome{kind: "broken", err: `running the program of the source "command": tool printed nothing`, hint: "it is to print the secret on standard output, or to fail with the reason on standard error"}},
		{"a newline alone", "echo", []string{"tool"}, outcome{kind: "broken", err: `running the program of the source "command": tool printed nothing`, hint: "it is to print the secret on standard output, or to fail with the reason on standard error"}},
		{"without end", "exec yes", []string{"tool"}, outcome{kind: "broken", err: `running the program of the source "command": tool printed more than 1048576 bytes`, hint: "see what it says by itself: tool"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := programs(t, map[string]string{"TOKEN": canary})
			script(t, s, "bin/tool", tt.body)
			write(t, s, "MODULE.bazel", "")
			expect(t, s, commandSource(t, s, tt.argv...), Query{}, tt.want)
		})
	}
}

func TestCommandThatHangs(t *testing.T) {
	notOnWindows(t)
	s := programs(t, nil)
	script(t, s, "bin/tool", "echo started >started; exec sleep 100")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		for {
			if _, err := os.Stat(filepath.Join(s.Env.Dir, "started")); err == nil || ctx.Err() != nil {
				cancel(errors.New("the budget is spent"))
				return
			}
		}
	}()
	_, err := commandSource(t, s, "tool").Lookup(ctx, Query{})
	if want := `running the program of the source "command": tool did not end in time: the budget is spent`; sprint(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if helpers.FallsThrough(err) {
		t.Error("a timeout falls through")
	}
}

// TestCommandIsNotTakenFromTheWorkingDirectory holds that a workspace cannot bring its own "pass".
func TestCommandIsNotTakenFromTheWorkingDirectory(t *testing.T) {
	notOnWindows(t)
	s := newSources(t, map[string]string{"PATH": ".:"})
	script(t, s, "proj/pass", "echo "+canary)
	t.Chdir(s.Env.Dir)
	_, err := commandSource(t, s, "pass").Lookup(t.Context(), Query{})
	if err == nil || !strings.Contains(err.Error(), "pass: not found on PATH") {
		t.Errorf("got %v", err)
	}
}
