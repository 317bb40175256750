// Fuzz runs the fuzz targets of the module, each for a while, and keeps what they found worth keeping.
//
//	go run ./internal/fuzz -time 3m [-run REGEXP]
//	go run ./internal/fuzz -keep [-run REGEXP]
//
// The first runs each target, and prints a table. What Go finds interesting on the way stays in its own cache (go help cache);
// an input that fails is written to the package's testdata, where `go test` runs it from then on.
//
// The second reads that cache, and writes to testdata/fuzz the fewest inputs that together reach all that any of them reaches (see [choose]):
// `go test` runs these, also on machines that never fuzzed. What stood there before stays.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"time"
)

func main() {
	perTarget := flag.Duration("time", time.Minute, "how long each target is run")
	pattern := flag.String("run", "", "run targets alone whose name, as in lookup.FuzzNpmrc, matches this regular expression")
	workers := flag.Int("parallel", 0, "how many processes run a target; 0 for as many as there are processors")
	keep := flag.Bool("keep", false, "run nothing, and write the corpus of each target")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := fuzz(ctx, *pattern, *perTarget, *workers, *keep); err != nil {
		fmt.Fprintf(os.Stderr, "fuzz: %v\n", err)
		os.Exit(1)
	}
}

func fuzz(ctx context.Context, pattern string, perTarget time.Duration, workers int, keep bool) error {
	wanted, err := regexp.Compile(pattern)
	if err != nil {
		return fmt.Errorf("reading -run: %w", err)
	}
	all, err := targets(ctx, wanted)
	switch {
	case err != nil:
		return err
	case len(all) == 0:
		return fmt.Errorf("no target's name matches %q", pattern)
	case keep:
		return keepAll(ctx, all, os.Stdout)
	}
	return runAll(ctx, all, perTarget, workers, os.Stdout)
}
