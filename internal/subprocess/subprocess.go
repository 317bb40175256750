// Package subprocess runs other people's programs for their output: bounded in time and size, without a shell,
// and without leaving anything behind.
package subprocess

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/fe055d52/credential-helper/internal/ascii"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/redact"
)

// MaxOutput is how much of a program's standard output is accepted, in bytes.
const MaxOutput = 1 << 20

const (
	maxStderr = 8 << 10 // how much of a program's standard error is kept, in bytes
	maxQuoted = 300     // how much of what it said an error shows, in bytes
	maxLines  = 1000    // how many lines of a failed program's output are remembered as secrets, whatever it said
)

var (
	// ErrNotOnPath is returned where a program that is named without a directory cannot be found.
	ErrNotOnPath = errors.New("not found on PATH")
	// ErrNoExecutable is returned where a program that is named with its directory is not there, or cannot be run.
	ErrNoExecutable = errors.New("no such executable")
)

// Find returns the path of a program. A name without a slash is searched on e's PATH; a relative entry of PATH,
// which could name the current directory, is never used. Any other name must be an absolute path.
func Find(e *env.Env, name string) (string, error) {
	if filepath.Base(name) != name {
		if path, err := exec.LookPath(name); err == nil && filepath.IsAbs(path) {
			return path, nil
		}
		if info, err := os.Stat(name); err == nil && filepath.IsAbs(name) && info.Mode().IsRegular() {
			return "", fmt.Errorf("%s: %w: the file is there, and chmod u+x makes it one", e.Display(name), ErrNoExecutable)
		}
		return "", fmt.Errorf("%s: %w", e.Display(name), ErrNoExecutable)
	}
	var missing []string
	for _, dir := range filepath.SplitList(e.Var("PATH")) {
		if !filepath.IsAbs(dir) {
			continue
		}
		path, err := exec.LookPath(filepath.Join(dir, name))
		if err == nil {
			return path, nil
		}
		missing = append(missing, filepath.Join(dir, name))
	}
	// Where it comes to be installed, it is asked.
	e.Missed(missing...)
	return "", fmt.Errorf("%s: %w", name, ErrNotOnPath)
}

// A Program is a program that is to be run.
type Program struct {
	// Argv is its path, as Find returns it, and its arguments.
	Argv []string
	// Stdin is its standard input; nil is the null device.
	Stdin io.Reader
	// Env is added to its environment: "NAME=value".
	Env []string
	// ExplainsOnStdout is true for a program that says on standard output why it failed (docker's protocol does),
	// and prints its secrets there in JSON. What stands before the first object or array is taken for the reason.
	ExplainsOnStdout bool
	// NoTerminal keeps the program, and what it starts, from the terminal that this process may have: nothing can be asked there.
	NoTerminal bool
}

// An ExitError is returned where a program ran and failed.
type ExitError struct {
	Name   string // the program, without its directory
	Code   int    // its exit status, -1 where a signal ended it
	Stdout []byte // what it had written; may hold a secret
	Stderr []byte // what it had written there, up to 8 KiB; may hold a secret
	Said   string // why it failed, in its own words; fit to be shown: redacted, one line
	status string
}

func (e *ExitError) Error() string {
	if e.Said == "" {
		return fmt.Sprintf("%s failed (%s) and did not say why", e.Name, e.status)
	}
	return fmt.Sprintf("%s failed (%s): %s", e.Name, e.status, e.Said)
}

var errTooMuch = fmt.Errorf("printed more than %d bytes", MaxOutput)

// Run runs p in e's working directory and with e's variables, and returns its standard output.
// The program and what it started in its process group are killed when ctx ends.
//
// The error is an [*ExitError] where the program failed. What the program printed counts as secret, and so do
// the variables that are named like one: package redact remembers them before the program is quoted.
func Run(ctx context.Context, e *env.Env, p Program) ([]byte, error) {
	e.Volatile()
	name := filepath.Base(p.Argv[0])
	running, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	cmd := exec.CommandContext(running, p.Argv[0], p.Argv[1:]...)
	stdout := &limited{max: MaxOutput, full: func() { stop(errTooMuch) }}
	stderr := &limited{max: maxStderr + 1} // one more, to see that it was cut
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = e.Dir, p.Stdin, stdout, stderr
	if e.Environ != nil {
		cmd.Env = e.Environ()
	}
	cmd.Env = append(fixedPath(cmd.Environ()), p.Env...)
	cmd.WaitDelay = 100 * time.Millisecond
	ownGroup(cmd, p.NoTerminal)

	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case stdout.over:
		return nil, fmt.Errorf("%s %w", name, errTooMuch)
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s did not end in time: %w", name, context.Cause(ctx))
	case err == nil, errors.Is(err, exec.ErrWaitDelay): // a child of its own kept the pipe open; the program itself is done
		return stdout.buf.Bytes(), nil
	case errors.As(err, &exit):
		return nil, &ExitError{
			Name: name, Code: exit.ExitCode(), Stdout: stdout.buf.Bytes(), Stderr: stderr.buf.Bytes(),
			Said: said(cmd, p, stdout.buf.Bytes(), stderr.buf.String()), status: exit.ProcessState.String(),
		}
	default:
		return nil, fmt.Errorf("starting %s: %w", name, cause(err))
	}
}

// fixedPath returns an environment without the relative entries of PATH: a program that looks for others must not find them
// in the directory that the build was started from, any more than Find does.
func fixedPath(environ []string) []string {
	fixed := make([]string, 0, len(environ))
	for _, variable := range environ {
		if name, value, _ := strings.Cut(variable, "="); name == "PATH" || runtime.GOOS == "windows" && ascii.EqualFold(name, "PATH") {
			dirs := slices.DeleteFunc(filepath.SplitList(value), func(dir string) bool { return !filepath.IsAbs(dir) })
			variable = name + "=" + strings.Join(dirs, string(filepath.ListSeparator))
		}
		fixed = append(fixed, variable)
	}
	return fixed
}

// said returns what a failed program gave as the reason.
func said(cmd *exec.Cmd, p Program, stdout []byte, stderr string) string {
	for _, variable := range cmd.Environ() {
		if name, value, _ := strings.Cut(variable, "="); secretName(name) && !filepath.IsAbs(value) {
			redact.Remember(value)
		}
	}
	rememberAnswer(string(stdout))
	rememberAnswer(stderr)
	explanation := ""
	if p.ExplainsOnStdout {
		end := bytes.IndexAny(stdout, "{[")
		if end < 0 {
			end = len(stdout)
		}
		explanation, stdout = strings.TrimSpace(string(stdout[:end])), stdout[end:]
	}
	lines := 0
	for line := range bytes.Lines(stdout) {
		text := string(bytes.TrimSpace(line))
		if lines++; lines <= maxLines || strings.Contains(stderr, text) {
			redact.Remember(text)
		}
	}
	if explanation != "" {
		return redact.Quote(explanation, maxQuoted)
	}
	kept := redact.Cut(stderr, maxStderr)
	if len(kept) < len(stderr) {
		kept += " …"
	}
	return redact.Quote(kept, maxQuoted)
}

// rememberAnswer remembers the value of each "Secret" in what a program printed. It is the answer of docker's protocol,
// which a program may have begun before it failed, or print among other things: no parser of JSON reads that.
func rememberAnswer(text string) {
	answer := regexp.MustCompile(`(?is)"secret"\s*:\s*"((?:[^"\\]|\\.)*)`)
	for _, match := range answer.FindAllStringSubmatch(text, maxLines) {
		redact.Remember(match[1])
		var decoded string
		if json.Unmarshal([]byte(`"`+match[1]+`"`), &decoded) == nil {
			redact.Remember(decoded)
		}
	}
}

// secretName reports whether a variable is named like one that holds a secret.
func secretName(name string) bool {
	name = ascii.Upper(name)
	for _, part := range []string{"TOKEN", "SECRET", "PASSW", "PASSPHRASE", "APIKEY", "CREDENTIALS"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	for word := range strings.SplitSeq(name, "_") {
		switch word {
		case "KEY", "AUTH", "PASS", "PWD", "PAT":
			return true
		}
	}
	return false
}

// cause drops what os/exec and os say of the path: the callers name the program.
func cause(err error) error {
	var pathError *os.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	var execError *exec.Error
	if errors.As(err, &execError) {
		return execError.Err
	}
	return err
}

// limited keeps the first max bytes. Beyond them it calls full, or drops what comes where there is no full.
type limited struct {
	buf  bytes.Buffer
	max  int
	full func()
	over bool
}

func (l *limited) Write(p []byte) (int, error) {
	room := l.max - l.buf.Len()
	if len(p) <= room {
		return l.buf.Write(p)
	}
	l.buf.Write(p[:room])
	if l.full != nil && !l.over {
		l.over = true
		l.full()
	}
	return len(p), nil
}
