package lookup

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/internal/filelock"
	"github.com/fe055d52/credential-helper/internal/inputs"
)

func TestJuliaParallelRefreshInOneProcess(t *testing.T) {
	w := newJuliaWorld(t, -time.Hour)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			e, seen := w.plain.Observe(juliaSalt)
			s := *w.Sources
			s.Env = e
			values, err := s.Julia().Lookup(t.Context(), ask(t, w.server.URL))
			if err != nil || values[Token].Reveal() != canary+"+" {
				t.Errorf("%v, %v", values, err)
			}
			if record, volatile := seen.Inputs(); volatile || !inputs.Unchanged(record, juliaSalt, w.plain.Get) {
				t.Errorf("the answer is volatile: %v, recorded %+v", volatile, record)
			}
		})
	}
	all.Wait()
	if n := w.server.Refreshes(); n != 1 {
		t.Errorf("%d refreshes", n)
	}
}

// TestJuliaShortLives holds that a new token that lives for less than ten minutes serves those who waited for it.
func TestJuliaShortLives(t *testing.T) {
	w := newJuliaWorld(t, -time.Hour)
	w.server.Answer("expires_in = 300")
	held, err := filelock.Acquire(t.Context(), w.path+".lock", "the test")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			if values, err := w.Julia().Lookup(t.Context(), ask(t, w.server.URL)); err != nil || values[Expires].Reveal() != rfc(5*time.Minute) {
				t.Errorf("%v, %v", values, err)
			}
		})
	}
	time.Sleep(50 * time.Millisecond) // all have read the old file, and wait
	held()
	all.Wait()
	if n := w.server.Refreshes(); n != 1 {
		t.Errorf("%d refreshes", n)
	}
}

func TestJuliaParallelRefreshByProcesses(t *testing.T) {
	w := newJuliaWorld(t, time.Since(juliaNow)-time.Hour) // they have the real clock
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run := func() *exec.Cmd {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), "JULIA_LOGIN_OF="+w.server.URL, "JULIA_DEPOT_PATH="+filepath.Join(w.Env.Home, ".julia"), "GORACE=atexit_sleep_ms=0", "GOCOVERDIR="+t.TempDir())
		return cmd
	}

	// One that dies while it renews leaves the old file whole, and the lock free.
	asked := make(chan struct{})
	w.server.Misbehave(func(_ http.ResponseWriter, r *http.Request) { close(asked); <-r.Context().Done() })
	first := run()
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	<-asked
	_ = first.Process.Kill()
	_ = first.Wait()
	w.server.Misbehave(nil)
	if got := w.file(t)["access_token"]; got != canary || w.names(t) != "auth.toml auth.toml.lock" {
		t.Errorf("the file has %v, with %s", got, w.names(t))
	}

	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			out, err := run().CombinedOutput()
			if err != nil || strings.TrimSpace(string(out)) != canary+"+" {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	all.Wait()
	if n := w.server.Refreshes(); n != 2 {
		t.Errorf("%d refreshes, of which one was cut off", n)
	}
	if w.names(t) != "auth.toml auth.toml.lock" {
		t.Errorf("there are %s", w.names(t))
	}
}
