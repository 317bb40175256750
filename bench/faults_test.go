//go:build linux

package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// TestFaults is a short fault run. What it judges is in faults_judge.go; a full disk is a limit on the size of files here.
func TestFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts hundreds of processes, and builds Go's library anew for a clock that jumps")
	}
	var table bytes.Buffer
	ok, err := faults(t.Context(), &table, faultPlan{gets: 300, atOnce: 8, seed: uint64(time.Now().UnixNano())})
	if err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + table.String())
	if !ok || strings.Count(table.String(), "\n| ") != 1+len(phases)+1 {
		t.Error("not all is well")
	}
}

// TestSoak is a short soak. Of so short a time nothing can be said about what grows, but that the agent answers all the time.
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts hundreds of processes")
	}
	var table bytes.Buffer
	if _, err := soak(t.Context(), &table, soakPlan{length: 3 * time.Second, share: 1, entries: 300, seed: 1}); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + table.String())
	for _, row := range []string{"| resident memory |", "| goroutines |", "right answers: ", " samples; "} {
		if !strings.Contains(table.String(), row) {
			t.Errorf("there is no %q", row)
		}
	}
	if strings.Contains(table.String(), "BAD:") {
		t.Error("not all is well")
	}
}

// TestJudge holds that each thing which must not be is found.
func TestJudge(t *testing.T) {
	w, err := newWorld(t.TempDir(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	now := time.Now()
	w.tokens["old"] = issued{0, "alice", users["alice"], "repository:team/app:pull", now.Add(-time.Second)}
	w.tokens["good"] = issued{0, "alice", users["alice"], "repository:team/app:pull", now.Add(time.Hour)}
	answer := func(token string, left time.Duration) string {
		return `{"headers":{"Authorization":["Bearer ` + token + `"]},"expires":"` + now.Add(left).UTC().Format(time.RFC3339) + "\"}\n"
	}
	const failed = "credential-helper: asking: 500 Internal Server Error: UNKNOWN: out of order\n"
	for _, tt := range []struct {
		name string
		ask  ask
		job  job
		what string
		bad  bool
	}{
		{name: "right", job: job{answer: answer("good", 50*time.Minute)}, what: "right"},
		{name: "another user's", ask: ask{user: "bob"}, job: job{answer: answer("good", 50*time.Minute)}, what: "wrong", bad: true},
		{name: "another repository's", ask: ask{repository: "team/other"}, job: job{answer: answer("good", 50*time.Minute)}, what: "wrong", bad: true},
		{name: "another registry's", ask: ask{registry: 1}, job: job{answer: answer("good", 50*time.Minute)}, what: "wrong", bad: true},
		{name: "nobody's", job: job{answer: answer("new", 50*time.Minute)}, what: "wrong", bad: true},
		{name: "expired", job: job{answer: answer("old", -time.Minute)}, what: "wrong", bad: true},
		{name: "expires too late", job: job{answer: answer("good", 61*time.Minute)}, what: "wrong", bad: true},
		{name: "two objects", job: job{answer: answer("good", 50*time.Minute) + "{}\n"}, what: "wrong", bad: true},
		{name: "half an object", job: job{answer: answer("good", 50*time.Minute)[:40]}, what: "wrong", bad: true},
		{name: "nothing", what: "wrong", bad: true},
		{name: "a complaint beside it", job: job{answer: answer("good", 50*time.Minute), complain: "x\n"}, what: "wrong", bad: true},
		{name: "an error", job: job{exit: 1, complain: failed}, what: "server: 500"},
		{name: "an error without a cause", job: job{exit: 1, complain: "credential-helper: out of luck\n"}, what: "other", bad: true},
		{name: "an error of four lines", job: job{exit: 1, complain: failed + "hint: a\nhint: b\nhint: c\n"}, what: "server: 500", bad: true},
		{name: "an error and an answer", job: job{exit: 1, complain: failed, answer: "{"}, what: "server: 500", bad: true},
		{name: "a secret in an error", job: job{exit: 1, complain: failed + "hint: " + users["bob"] + "\n"}, what: "secret", bad: true},
		{name: "a crash", job: job{exit: 2, complain: failed}, what: "server: 500", bad: true},
		{name: "killed", ask: ask{killed: true}, job: job{exit: -1}, what: "killed"},
		{name: "killed by somebody else", job: job{exit: -1}, what: "other", bad: true},
		{name: "a hang", job: job{exit: -1, wall: tooLong}, what: "hang", bad: true},
	} {
		a, j := tt.ask, tt.job
		a.kind, a.job, a.began, a.ended = "oci", &j, now, now
		if a.user == "" {
			a.user = "alice"
		}
		if a.repository == "" {
			a.repository = "team/app"
		}
		if v := w.judge(&a, []string{"server: 500"}); v.what != tt.what || (v.reason != "") != tt.bad {
			t.Errorf("%s: %+v", tt.name, v)
		}
	}
	a := ask{kind: "oci", user: "alice", repository: "team/app", began: now, ended: now, job: &job{wall: 11 * time.Second, answer: answer("good", time.Minute)}}
	if v := w.judge(&a, nil); !v.late {
		t.Errorf("late: %+v", v)
	}
	if a.stopped = 5 * time.Second; w.judge(&a, nil).late {
		t.Error("the time that it was stopped counts")
	}
}
