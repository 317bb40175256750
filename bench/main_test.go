package main

import (
	"bytes"
	"io"
	"runtime"
	"strings"
	"testing"
)

// TestQuick runs everything from few runs. What is counted must be right; how long it took is not looked at.
func TestQuick(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts a thousand processes")
	}
	if runtime.GOOS == "windows" {
		t.Skip("a hundred processes at once take Windows too long")
	}
	figures, err := measure(t.Context(), brief)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		name string
		counts
	}{
		{"warm get / empty program", counts{}},
		{"version / empty program", counts{}},
		{"get of another file, preset npm / empty program", counts{}},
		{"get of another file, preset maven / empty program", counts{}},
		{"get of another file, preset gitlab / empty program", counts{}},
		{"100 cold gets at once, 1 repository, agent running", counts{pings: 1, exchanges: 1}},
		{"100 cold gets at once, 1 repository, no agent", counts{pings: 1, exchanges: 1}},
		{"100 cold gets at once, 10 repositories", counts{pings: 1, exchanges: 10}},
		{"100 warm gets / 100 empty programs at once, 1 repository", counts{}},
		{"100 warm gets / 100 empty programs at once, 10 repositories", counts{}},
		{"100 warm gets, 16 at a time: agent's CPU / clients' CPU", counts{}},
		{"cold get that starts the agent / the same without a cache", counts{pings: 1, exchanges: 1}},
		{"agent's resident memory with 200 entries", counts{}},
	} {
		if i >= len(figures) {
			t.Fatalf("there is no row %q", want.name)
		}
		if got := figures[i]; got.name != want.name || got.counts != want.counts || got.value == "" || got.aim == "" {
			t.Errorf("row %d is %+v, want %+v", i, got, want)
		}
	}
	var table bytes.Buffer
	printTable(&table, brief, figures)
	lines := strings.Split(strings.TrimSpace(table.String()), "\n")
	if len(lines) != 2+2+len(figures) {
		t.Errorf("the table has %d lines:\n%s", len(lines), &table)
	}
	t.Log("\n" + table.String())
}

// TestOneProcess holds what is known of a process that was run.
func TestOneProcess(t *testing.T) {
	s, err := newSite(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	missing := s.nothing()
	missing.path += "-not-there"
	st, err := runTogether(s.attr, []*job{s.nothing(), missing, {path: s.program.path(), args: []string{"credential-helper", "nonsense"}}}, 2)
	if err != nil {
		t.Fatal(err)
	}
	if n := st.failures(silent); n != 2 {
		t.Errorf("%d of 3 processes failed, want 2", n)
	}
	if ok := st.jobs[0]; ok.failure != nil || ok.exit != 0 || ok.wall <= 0 || ok.wall > st.wall {
		t.Errorf("the empty program: %+v", ok)
	}
	if bad := st.jobs[1]; bad.failure == nil {
		t.Error("a program that is not there was run")
	}
	if bad := st.jobs[2]; bad.exit == 0 || !strings.HasPrefix(bad.complain, "credential-helper: ") {
		t.Errorf("a bad command: exit status %d, %q", bad.exit, bad.complain)
	}
	printTable(io.Discard, brief, nil)
}
