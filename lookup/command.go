package lookup

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/shell"
	"github.com/fe055d52/credential-helper/internal/strictjson"
	"github.com/fe055d52/credential-helper/internal/subprocess"
)

// decodeCommand reads {"source": "command", "command": [PROGRAM, ARGUMENT...]}.
//
// PROGRAM is a name, which is searched on PATH, or a path: one with the prefix %workspace%, %workdir%, %tmp%, %cache% or ~,
// an absolute one, or a relative one with a slash, which begins at the workspace's root. No shell is involved:
// arguments are passed as they are, and nothing in them is expanded.
//
// A program of the workspace is not run for a client that is started from any directory: it is not found.
//
// The program runs in the working directory. Its standard input is empty. What it prints on standard output,
// less one newline at its end, is the secret. It is killed when the time for an answer is up.
func decodeCommand(s *Sources, o *strictjson.Object) Source {
	c := command{Sources: s}
	o.Strings("command", &c.argv)
	o.Needs("command")
	switch {
	case len(c.argv) == 0:
		o.Failf("command", `the source "command" needs a "command" that is an array of a program and its arguments`)
	case c.argv[0] == "":
		o.Failf("command", `the first element of "command" is the program, and it is empty`)
	case slices.ContainsFunc(c.argv, func(arg string) bool { return strings.ContainsRune(arg, 0) }):
		o.Failf("command", `an element of "command" has a NUL byte`)
	}
	return c
}

// command takes a secret from a program's output.
type command struct {
	*Sources
	argv []string
}

func (c command) Name() string  { return "command " + c.argv[0] }
func (command) HostBound() bool { return false }

// Lookup runs the program. A program that is not there, fails or prints nothing is broken: the user named it to be used.
func (c command) Lookup(ctx context.Context, _ Query) (Values, error) {
	program, err := c.program()
	if err != nil && helpers.FallsThrough(err) {
		return nil, err
	}
	if err != nil {
		return nil, helpers.WithHint(fmt.Errorf("finding the program of the source \"command\": %w", err),
			`"command" takes a name on PATH, an absolute path, or a path from the workspace's root, each argument an element of its own`)
	}
	out, err := subprocess.Run(ctx, c.Env, subprocess.Program{Argv: append([]string{program}, c.argv[1:]...)})
	if err != nil {
		return nil, helpers.WithHint(fmt.Errorf("running the program of the source \"command\": %w", err), "see what it says by itself: %s", shell.QuotePath(c.argv[0]))
	}
	text := trimNewline(string(out))
	if text == "" {
		return nil, helpers.WithHint(fmt.Errorf("running the program of the source \"command\": %s printed nothing", filepath.Base(program)),
			"it is to print the secret on standard output, or to fail with the reason on standard error")
	}
	return Values{Default: redact.Hold(text)}, nil
}

func (c command) program() (string, error) {
	name := filepath.FromSlash(c.argv[0])
	prefixed := strings.HasPrefix(name, "~") || strings.HasPrefix(name, "%")
	if filepath.Base(name) == name && !prefixed {
		return subprocess.Find(c.Env, name)
	}
	if !prefixed && !filepath.IsAbs(name) {
		if c.Env.UserOnly {
			return "", notHere(c.argv[0])
		}
		name = filepath.Join(c.Env.Workspace(), name)
	}
	path, err := c.expandPath(name)
	if err != nil {
		return "", err
	}
	return subprocess.Find(c.Env, path)
}
