package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// A result is what came of running a target.
type result struct {
	executions, interesting int
	outcome                 string // "ok", or where the input is that fails, or what else went wrong
}

// runAll runs the targets one behind the other, and prints a line each. The error says how many failed; what they said is printed below their lines.
func runAll(ctx context.Context, all []target, perTarget time.Duration, workers int, out io.Writer) error {
	fmt.Fprintf(out, "%-42s %12s %10s %8s  %s\n", "target", "executions", "new inputs", "seconds", "result")
	failed := 0
	for _, t := range all {
		args := []string{"test", "-run", "^$", "-fuzz", "^" + t.name + "$", "-fuzztime", perTarget.String()}
		if workers > 0 {
			args = append(args, "-parallel", strconv.Itoa(workers))
		}
		start := time.Now()
		command := exec.CommandContext(ctx, "go", append(args, t.pkg.ImportPath)...)
		said, err := command.CombinedOutput()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r := read(said, err)
		fmt.Fprintf(out, "%-42s %12d %10d %8.0f  %s\n", t, r.executions, r.interesting, time.Since(start).Seconds(), r.outcome)
		if err != nil {
			failed++
			fmt.Fprintf(out, "%s\n", said)
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d targets failed", failed, len(all))
	}
	return nil
}

var (
	progress = regexp.MustCompile(`execs: (\d+) \(\d+/sec\), new interesting: (\d+)`)
	written  = regexp.MustCompile(`Failing input written to (\S+)`)
)

// read reads what go test says of a target.
func read(said []byte, err error) result {
	r := result{outcome: "ok"}
	if lines := progress.FindAllSubmatch(said, -1); len(lines) > 0 {
		last := lines[len(lines)-1]
		r.executions, _ = strconv.Atoi(string(last[1]))
		r.interesting, _ = strconv.Atoi(string(last[2]))
	}
	var exit *exec.ExitError
	switch input := written.FindSubmatch(said); {
	case err == nil:
	case input != nil:
		r.outcome = "fails for " + string(input[1])
	case !errors.As(err, &exit):
		r.outcome = err.Error()
	case bytes.Contains(said, []byte("[build failed]")):
		r.outcome = "does not build"
	default:
		r.outcome = "fails"
	}
	return r
}
