package peertest

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// serve runs a program that serves HTTP on loopback until the test ends, and returns its address, "localhost:41234".
// argv makes the command line for an address.
//
// The address is free when it is chosen; where somebody else takes it before the program does, another one is tried.
func serve(t testing.TB, argv func(addr string) []string) string {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	for range 3 {
		addr := freeAddress(t)
		if startServer(t, argv(addr), log, addr) {
			return addr
		}
	}
	t.Fatalf("starting %q: it ends at once:\n%s", argv("localhost:0"), readLog(log))
	return ""
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort("localhost", port)
}

// startServer reports whether the program is there and answers, and false where it ended before it did.
func startServer(t testing.TB, argv []string, log, addr string) bool {
	t.Helper()
	out, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = out, out
	tether(cmd)
	err = cmd.Start()
	out.Close()
	if err != nil {
		t.Fatalf("starting %q: %v", argv, err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("what %s wrote:\n%s", filepath.Base(argv[0]), readLog(log))
		}
	})
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}
	for deadline := time.Now().Add(startLimit); time.Now().Before(deadline); {
		resp, err := client.Get("http://" + addr + "/")
		if err == nil {
			resp.Body.Close()
			return true
		}
		select {
		case <-ended:
			return false
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Fatalf("starting %q: no answer after %v:\n%s", argv, startLimit, readLog(log))
	return false
}

// readLog returns the end of a log file.
func readLog(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-4000):])
}

// Run runs a program, waits for its end and returns what became of it. It has just the environment that is given, or the test's own where that is nil.
// The test fails where the program cannot be run, or takes longer than a minute.
func Run(t testing.TB, dir string, env, argv []string, stdin string) Result {
	t.Helper()
	return runFor(t, runLimit, dir, env, argv, stdin)
}

func runFor(t testing.TB, limit time.Duration, dir string, env, argv []string, stdin string) Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = dir, env, strings.NewReader(stdin), &stdout, &stderr
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); ctx.Err() != nil || err != nil && !errors.As(err, &exit) {
		t.Fatalf("running %q: %v\n%s%s", argv, err, stdout.String(), stderr.String())
	}
	return Result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}
