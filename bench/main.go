// Bench measures what a run of the program costs, and prints each figure beside its aim:
//
//	go run ./bench          the whole table, in about a minute
//	go run ./bench -quick   the same rows from few runs: to see that it works, not for figures
//	go run ./bench -faults  no figures, but judgement: 20,000 runs while agents and clients are killed, servers fail, the disk is full, … (Linux)
//	go run ./bench -soak 30m   one agent, and all that can be asked of it: does it grow? (Linux)
//
// It builds the program as it is shipped and an empty Go program to compare it with, starts a registry in this process, and runs everything
// in turn in one go: a figure is the quotient of two medians that were taken in the same minutes of the same machine.
// It has a home, a runtime directory and so an agent of its own, which it ends. No figure makes it fail.
//
// See docs/performance.md for how to read the table.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"
)

func main() {
	quick := flag.Bool("quick", false, "few runs: to see that it works")
	withFaults := flag.Bool("faults", false, "judge runs while much goes wrong; fails where an answer is wrong, a run hangs or something is left")
	gets := flag.Int("n", 20_000, "with -faults: how many runs")
	atOnce := flag.Int("at-once", 8, "with -faults: how many at a time")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "with -faults: what random choices begin with")
	only := flag.String("phase", "", "with -faults: only the phases with this in their names")
	soakFor := flag.Duration("soak", 0, "ask one agent all kinds of things for so long; fails where its memory, descriptors or goroutines grow")
	share := flag.Float64("share", 0.4, "with -soak: how much of one processor all of it may take")
	flag.Parse()
	if *withFaults {
		if exit, done := ownMounts(); done {
			os.Exit(exit)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *withFaults || *soakFor > 0 {
		var ok bool
		var err error
		if *withFaults {
			ok, err = faults(ctx, os.Stdout, faultPlan{gets: *gets, atOnce: *atOnce, seed: *seed, only: *only})
		} else {
			ok, err = soak(ctx, os.Stdout, soakPlan{length: *soakFor, share: *share, entries: 10_000, seed: *seed})
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
		if err != nil || !ok {
			stop()
			os.Exit(1)
		}
		return
	}
	p := full
	if *quick {
		p = brief
	}
	figures, err := measure(ctx, p)
	if err == nil {
		printTable(os.Stdout, p, figures)
		return
	}
	fmt.Fprintln(os.Stderr, "bench:", err)
	stop()
	os.Exit(1)
}

// A plan says how often what is run.
type plan struct {
	pairs   int // of one warm get and one empty program
	storms  int // rounds of a hundred processes at once
	gets    int // warm, sixteen at a time
	entries int // in the agent, when its memory is measured
	colds   int // cold gets with and without an agent to start
	// rest is how long the site's files lie before the first run: those that were changed a moment ago are read for each.
	rest time.Duration
}

var (
	full  = plan{pairs: 600, storms: 15, gets: 1000, entries: 10_000, colds: 40, rest: 11 * time.Second}
	brief = plan{pairs: 20, storms: 2, gets: 100, entries: 200, colds: 3}
)

// A figure is one row of the table.
type figure struct {
	name, aim, value string
	counts           // of the processes behind it
}

// counts are what must be right whatever the machine. Of several rounds they are the worst.
type counts struct {
	pings, exchanges, failures int
}

// measure makes all figures.
func measure(ctx context.Context, p plan) (figures []figure, err error) {
	s, err := newSite(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	select {
	case <-time.After(p.rest):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for _, part := range []func(context.Context, plan) ([]figure, error){s.warm, s.native, s.storms, s.many, s.cold, s.memory} {
		rows, err := part(ctx, p)
		if err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		figures = append(figures, rows...)
	}
	return figures, nil
}

// printTable writes the table in Markdown.
func printTable(w io.Writer, p plan, figures []figure) {
	rows := [][3]string{{"figure", "aim", "measured"}, {}}
	for _, f := range figures {
		rows = append(rows, [3]string{f.name, f.aim, f.value})
	}
	var width [3]int
	for _, row := range rows {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for i := range rows[1] {
		rows[1][i] = strings.Repeat("-", width[i])
	}
	fmt.Fprintf(w, "%s/%s, %d processors, %s; medians of %d pairs, of %d rounds of a hundred, of %d cold runs\n\n",
		runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(), p.pairs, p.storms, p.colds)
	for _, row := range rows {
		for i, cell := range row {
			fmt.Fprintf(w, "| %s%s ", cell, strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell)))
		}
		fmt.Fprintln(w, "|")
	}
}
