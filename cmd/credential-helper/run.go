package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/trace"
)

// Exit statuses.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

// An app is one run of the program.
type app struct {
	env            *env.Env
	stdin          io.Reader
	stdout, stderr io.Writer
}

// A command is one word of the command line.
type command struct {
	name, args string
	summary    string // begins in lower case, without a full stop
	help       string // what there is to say beyond the summary
	run        func(a *app, args []string) error
}

// commands are in the order in which help lists them. It is a function because help itself reads it.
func commands() []command {
	return []command{
		{"get", "", "read a request on standard input, write the headers for its URL", helpGet, (*app).get},
		{"setup-keyring", "[--file FILE] [--read | --clear] SERVICE", "store a secret in the system keyring, print it, or remove it", helpSetupKeyring, (*app).setupKeyring},
		{"version", "", "print the version", "", (*app).version},
		{"help", "[COMMAND]", "print this text, or a command's own", "", (*app).help},
	}
}

// usageError is a mistake on the command line.
type usageError struct{ msg string }

func (e *usageError) Error() string { return e.msg }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// run executes a command line and returns the exit status. It is the only place that prints errors.
func (a *app) run(args []string) int {
	if len(args) == 0 {
		fmt.Fprint(a.stderr, usage())
		return exitUsage
	}
	err := a.dispatch(args)
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(a.stderr, "credential-helper: %s\n", oneLine(err.Error()))
	var hint *helpers.HintError
	if errors.As(err, &hint) {
		fmt.Fprintf(a.stderr, "hint: %s\n", oneLine(hint.Hint))
	}
	var usage *usageError
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitError
}

func (a *app) dispatch(args []string) error {
	name := args[0]
	switch name {
	case "-h", "-help", "--help":
		name = "help"
	case "-version", "--version":
		name = "version"
	}
	c, err := findCommand(name)
	if err != nil {
		return err
	}
	rest := args[1:]
	if len(rest) > 0 && (rest[0] == "-h" || rest[0] == "-help" || rest[0] == "--help") {
		return a.help([]string{name})
	}
	return c.run(a, rest)
}

// oneLine is the last thing that happens to an error's text: whatever got into it, it is one line of at most 1,500 bytes,
// without a secret that was met in this run.
func oneLine(text string) string { return redact.Line(text, 1500) }

// defaultTimeout is how long a command may take. Bazel gives a credential helper 10 s.
const defaultTimeout = 8 * time.Second

func (a *app) timeout() (time.Duration, error) {
	text := a.env.Var(env.VarTimeout)
	if text == "" {
		return defaultTimeout, nil
	}
	d, err := time.ParseDuration(text)
	if seconds, numErr := strconv.ParseFloat(text, 64); numErr == nil {
		d, err = time.Duration(seconds*float64(time.Second)), nil
	}
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("$%s is %q; it takes a duration like 8s or 500ms", env.VarTimeout, redact.Quote(text, 40))
	}
	return d, nil
}

// within runs work within the time budget, whatever hangs. The error of a run that took too long names the slow step.
// work goes on in the background in that case, until the process ends: it must not write anything itself.
func within[T any](a *app, work func(ctx context.Context) (T, error)) (T, error) {
	var zero T
	budget, err := a.timeout()
	if err != nil {
		return zero, err
	}
	rec := &trace.Recorder{}
	log, err := a.logger()
	if err != nil {
		return zero, err
	}
	if log != nil {
		rec.OnEvent = func(e trace.Event) {
			if e.Outcome == "" {
				log.Debug(e.What)
			} else {
				log.Debug(e.What, "outcome", e.Outcome, "took", e.Took.Round(time.Microsecond))
			}
		}
	}
	ctx, cancel := context.WithTimeout(trace.NewContext(context.Background(), rec), budget)
	defer cancel()

	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	start := time.Now()
	go func() {
		value, err := work(ctx)
		done <- result{value, err}
	}()
	var res result
	select {
	case res = <-done:
	case <-ctx.Done():
		// What obeys the context ends now, and may know more than that it is late.
		select {
		case res = <-done:
		case <-time.After(50 * time.Millisecond):
			res.err = ctx.Err()
		}
	}
	if res.err != nil && ctx.Err() != nil {
		step := rec.Slow()
		if step == "" {
			step = "starting"
		}
		res.err = helpers.WithHint(fmt.Errorf("no answer within %s; the time went into %s", budget, step),
			"$%s sets the time limit", env.VarTimeout)
	}
	if log != nil {
		if res.err != nil {
			log.Info("failed", "error", res.err.Error(), "took", time.Since(start).Round(time.Microsecond))
		} else {
			log.Info("done", "took", time.Since(start).Round(time.Microsecond))
		}
	}
	return res.value, res.err
}

// logger returns the logger that CREDENTIAL_HELPER_LOGGING asks for, or nil. Everything that it writes is scrubbed of secrets.
func (a *app) logger() (*slog.Logger, error) {
	level := slog.LevelInfo
	switch text := strings.ToLower(a.env.Var(env.VarLogging)); text {
	case "", "off":
		return nil, nil
	case "basic":
	case "debug":
		level = slog.LevelDebug
	default:
		return nil, fmt.Errorf("$%s is %q; it takes off, basic or debug", env.VarLogging, redact.Quote(text, 40))
	}
	return slog.New(slog.NewTextHandler(scrubber{a.stderr}, &slog.HandlerOptions{Level: level})), nil
}

type scrubber struct{ w io.Writer }

func (s scrubber) Write(p []byte) (int, error) {
	if _, err := io.WriteString(s.w, redact.Scrub(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}
