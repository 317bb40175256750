package main

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fe055d52/credential-helper/internal/peertest"
)

// TestDeepTrees holds that a working directory below thousands of others costs no answer, nor its time: with 2,000 its path is as long as paths can be,
// with 10,000 it has none.
func TestDeepTrees(t *testing.T) {
	for _, levels := range []int{2_000, 10_000} {
		t.Run(fmt.Sprint(levels), func(t *testing.T) {
			c := newCamp(t)
			c.write("home.json", `{"urls": [{"host": "*.files.test", "helper": "registry", "config": {"on_missing": "anonymous", "lookup_chain":
				[{"source": "npmrc"}, {"source": "cargo"}, {"source": "nuget"}, {"source": "moonbit"}, {"source": "composer"}, {"source": "bundler"}]}}]}`)
			c.env = append(c.env, "PWD=")
			top := t.TempDir()
			fd, err := unix.Open(top, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
			must(t, err)
			for range levels {
				must(t, unix.Mkdirat(fd, "a", 0o700))
				next, err := unix.Openat(fd, "a", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
				must(t, errors.Join(err, unix.Close(fd)))
				fd = next
			}
			defer unix.Close(fd)
			dir := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), fd) // its path is too long to be named
			run := func(request string, args ...string) peertest.Result {
				start := time.Now()
				r := peertest.Run(t, dir, c.env, append([]string{c.path}, args...), request)
				if took := time.Since(start); took > 9*time.Second {
					t.Errorf("%s took %s", args, took)
				} else {
					t.Logf("%s took %s", args, took)
				}
				return r
			}
			c.env = append(c.env, "CREDENTIAL_HELPER_CONFIG_FILE="+c.home+"/home.json")
			for range 2 {
				if r := run(bazelRequest("https://a.files.test/x"), "get"); r.Code != 0 || r.Stderr != "" {
					t.Errorf("%+v", r)
				}
			}
			for _, args := range [][]string{{"doctor"}, {"init", "--dry-run"}} {
				run("", args...)
			}
		})
	}
}
