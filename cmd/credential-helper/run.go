package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/ascii"
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

// exitStatus is the end of a command that has told its errors itself.
type exitStatus struct{ code int }

func (e *exitStatus) Error() string { return fmt.Sprintf("exit status %d", e.code) }

// usageError is a mistake on the command line.
type usageError struct{ msg string }

func (e *usageError) Error() string { return e.msg }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// recovered ends a run that panics. The runtime would print what it panics with, which may be anything.
func (a *app) recovered(code *int) {
	if r := recover(); r != nil {
		fmt.Fprintf(a.stderr, "credential-helper: %s\n", oneLine(fmt.Sprintf("internal error: %s; please report it", redact.Quote(fmt.Sprint(r), 500))))
		*code = exitError
	}
}

// run executes a command line and returns the exit status. It is the only place that prints errors.
func (a *app) run(args []string) (code int) {
	defer a.recovered(&code)
	if len(args) == 0 {
		fmt.Fprint(a.stderr, usage(a.style(a.stderr)))
		return exitUsage
	}
	err := a.dispatch(args)
	var status *exitStatus
	if errors.As(err, &status) {
		return status.code
	}
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(a.stderr, "credential-helper: %s\n", oneLine(err.Error()))
	var hint *helpers.HintError
	if errors.As(err, &hint) {
		for line := range strings.Lines(hint.Hint) {
			fmt.Fprintf(a.stderr, "hint: %s\n", oneLine(strings.TrimSpace(line)))
		}
	}
	if near := nearVariable(err.Error(), a.env); near != "" {
		fmt.Fprintf(a.stderr, "hint: %s\n", oneLine(near+" is set; is that the one?"))
	}
	var usage *usageError
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitError
}

func (a *app) dispatch(args []string) error {
	name, rest := args[0], args[1:]
	switch {
	case isHelpFlag(name):
		name = "help"
	case name == "-version" || name == "--version":
		name = "version"
	case strings.HasPrefix(name, "-"):
		return helpers.WithHint(usagef("a command comes first, not %q", redact.Quote(name, 40)), "credential-helper help lists the commands")
	}
	c, err := findCommand(name)
	if err != nil {
		return err
	}
	if c.wantsHelp(rest) {
		return a.write(c.page(a.style(a.stdout)))
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

// within runs work within the time budget, whatever hangs, and ends it when the process is told to end.
// The error of a run that took too long names the slow step.
// work goes on in the background in that case, until the process ends: it must not write anything itself.
func within[T any](a *app, work func(ctx context.Context) (T, error)) (T, error) {
	var zero T
	budget, err := a.timeout()
	if err != nil {
		return zero, err
	}
	return withinTime(a, budget, work)
}

func withinTime[T any](a *app, budget time.Duration, work func(ctx context.Context) (T, error)) (T, error) {
	var zero T
	log, err := a.logger()
	if err != nil {
		return zero, err
	}
	rec := &trace.Recorder{}
	if log != nil {
		rec.OnEvent = log.event
	}
	// A program that a lookup runs is in a process group of its own: the terminal's interrupt reaches it through this context alone.
	told, stop := signal.NotifyContext(trace.NewContext(context.Background(), rec), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	ctx, cancel := context.WithTimeout(told, budget)
	defer cancel()

	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	start := time.Now()
	go func() {
		var res result
		defer func() {
			if r := recover(); r != nil {
				trace.Note(ctx, "%s", debug.Stack())
				res = result{err: helpers.WithHint(fmt.Errorf("internal error: %s", redact.Quote(fmt.Sprint(r), 500)), "$%s=debug shows where; please report it", env.VarLogging)}
			}
			done <- res
		}()
		res.value, res.err = work(ctx)
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
		res.err = late(res.err, told.Err() != nil, budget, rec.Slow())
	}
	if log != nil {
		log.end(res.err, time.Since(start))
	}
	return res.value, res.err
}

// late explains the error of a run that did not come to its end.
func late(err error, interrupted bool, budget time.Duration, step string) error {
	if step == "" {
		step = "starting"
	}
	if interrupted {
		return fmt.Errorf("interrupted while %s", step)
	}
	hint := "$" + env.VarTimeout + " sets the time limit"
	var inner *helpers.HintError
	if errors.As(err, &inner) {
		hint = inner.Hint + "; " + hint
	}
	return helpers.WithHint(fmt.Errorf("no answer within %s; the time went into %s", budget, step), "%s", hint)
}

// maxLogged is how much is logged in a run, in bytes: a client that reads standard error late, as Bazel does, has room for 64 KiB.
const maxLogged = 32 << 10

// A runLog logs one run to standard error. What it writes is scrubbed of secrets, before it is quoted in any way.
type runLog struct {
	log *slog.Logger
	out *limitedWriter
}

// logger returns the log that CREDENTIAL_HELPER_LOGGING asks for, or nil.
func (a *app) logger() (*runLog, error) {
	level := slog.LevelInfo
	switch text := ascii.Lower(a.env.Var(env.VarLogging)); text {
	case "", "off":
		return nil, nil
	case "basic":
	case "debug":
		level = slog.LevelDebug
	default:
		return nil, fmt.Errorf("$%s is %q; it takes off, basic or debug", env.VarLogging, redact.Quote(text, 40))
	}
	out := &limitedWriter{w: a.stderr, left: maxLogged}
	return &runLog{slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level})), out}, nil
}

func (l *runLog) event(e trace.Event) {
	if e.Outcome == "" {
		l.log.Debug(redact.Line(e.What, 500))
		return
	}
	l.log.Debug(redact.Line(e.What, 500), "outcome", redact.Line(e.Outcome, 500), "took", e.Took.Round(time.Microsecond))
}

func (l *runLog) end(err error, took time.Duration) {
	if err != nil {
		l.log.Info("failed", "error", oneLine(err.Error()), "took", took.Round(time.Microsecond))
		return
	}
	l.log.Info("done", "took", took.Round(time.Microsecond))
}

// limitedWriter drops what is over its limit, and says so once.
type limitedWriter struct {
	mu   sync.Mutex
	w    io.Writer
	left int
}

func (l *limitedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left <= 0 {
		return len(p), nil
	}
	if l.left -= len(p); l.left <= 0 {
		_, err := io.WriteString(l.w, "the log of this run is cut off here\n")
		return len(p), err
	}
	return l.w.Write(p)
}
