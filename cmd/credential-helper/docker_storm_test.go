package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/internal/peertest"
)

const stormSize = 50

// stormLogin is the login of a storm's process. Every fifth is longer than every keyring takes in one piece.
func stormLogin(i int) (server, user, secret string) {
	secret = fmt.Sprintf("secret-%d", i)
	if i%5 == 0 {
		secret = strings.Repeat(secret+".", 400)
	}
	return fmt.Sprintf("registry-%d.test", i), fmt.Sprintf("user-%d", i), secret
}

// testStorm has as many processes at once store a login each, and reads back what those have stored that reported success.
// Where it is told to, it kills one for each that has stored its login: the one that holds the keyring's lock, where that can be told.
func testStorm(t *testing.T, helper, dir string, env []string, kill bool) {
	run := func(action, stdin string) peertest.Result {
		return peertest.Run(t, dir, env, []string{helper, action}, stdin)
	}
	type end struct {
		i   int
		out []byte
		err error
	}
	ends := make(chan end, stormSize)
	running := map[int]*exec.Cmd{}
	var gates []io.WriteCloser
	for i := range stormSize {
		cmd := exec.CommandContext(t.Context(), helper, "store")
		cmd.Dir, cmd.Env = dir, env
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		gate, err := cmd.StdinPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err == nil {
			_, err = io.WriteString(gate, dockerLogin(stormLogin(i)))
		}
		if err != nil {
			t.Fatal(err)
		}
		running[i], gates = cmd, append(gates, gate)
		go func() {
			err := cmd.Wait()
			ends <- end{i, out.Bytes(), err}
		}()
	}
	// Each waits for the end of its standard input. Only now do they run into each other.
	for _, gate := range gates {
		_ = gate.Close()
	}
	stored, killed := map[int]bool{}, 0
	start := time.Now()
	for range stormSize {
		e := <-ends
		delete(running, e.i)
		exit := (*exec.ExitError)(nil)
		switch {
		case e.err == nil && len(e.out) == 0:
			stored[e.i] = true
		case kill && errors.As(e.err, &exit) && exit.ExitCode() == -1:
			killed++
		default:
			t.Errorf("store %d: %v, and it printed %q", e.i, e.err, e.out)
		}
		if kill && stored[e.i] {
			endOne(running)
		}
	}
	if kill && (killed == 0 || len(stored) == 0) {
		t.Errorf("%d processes were killed, and %d stored their login", killed, len(stored))
	}
	t.Logf("%d stored their login and %d were killed within %v", len(stored), killed, time.Since(start).Round(time.Millisecond))

	listed := map[string]string{}
	for i := range stormSize {
		server, user, secret := stormLogin(i)
		got := run("get", server)
		var login struct{ ServerURL, Username, Secret string }
		switch {
		case got == peertest.Result{Stdout: dockerNotFound, Code: 1} && !stored[i]:
		case json.Unmarshal([]byte(got.Stdout), &login) == nil && login.ServerURL == server && login.Username == user && login.Secret == secret:
			listed[server] = user
		default:
			t.Errorf("get %d, which was stored: %v: %+v", i, stored[i], got)
		}
	}
	if got := dockerList(t, run("list", "unused")); !maps.Equal(got, listed) {
		t.Errorf("the program lists\n%v\nand has\n%v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(listed)))
	}
	// Whoever comes afterwards is not in anybody's way.
	for i := range stormSize {
		if server, user, _ := stormLogin(i); !stored[i] {
			if got := run("store", dockerLogin(stormLogin(i))); got != (peertest.Result{}) {
				t.Errorf("store %d once more: %+v", i, got)
			}
			listed[server] = user
			break
		}
	}
	if got := dockerList(t, run("list", "unused")); !maps.Equal(got, listed) {
		t.Errorf("after one more login, the program lists %v", slices.Sorted(maps.Keys(got)))
	}
}

// endOne kills one of the processes: one that holds a lock, where the system tells which do.
func endOne(running map[int]*exec.Cmd) {
	locks, _ := os.ReadFile("/proc/locks") // "1: FLOCK  ADVISORY  WRITE 4711 fe:00:123 0 EOF"
	for line := range bytes.Lines(locks) {
		fields := strings.Fields(string(line))
		for _, cmd := range running {
			if len(fields) > 4 && fields[1] == "FLOCK" && fields[4] == strconv.Itoa(cmd.Process.Pid) {
				_ = cmd.Process.Kill()
				return
			}
		}
	}
	for _, cmd := range running {
		_ = cmd.Process.Kill()
		return
	}
}

func TestDockerFileStorm(t *testing.T) {
	s := newDockerSite(t, "registry.test", storeConfig)
	testStorm(t, s.helper, s.home, s.env, true)
}

func TestDockerKeyringStorm(t *testing.T) {
	for _, kill := range []bool{false, true} {
		t.Run(fmt.Sprintf("kill=%v", kill), func(t *testing.T) {
			s := peertest.SecretService(t, peertest.Unlocked)
			// A machine that does much else takes seconds for this, and how many is not what is tested.
			env := append(s.Env(), withoutAgent, "CREDENTIAL_HELPER_TIMEOUT=60s")
			testStorm(t, linkForDocker(t, filepath.Join(s.Home, "bin")), s.Home, env, kill)
		})
	}
}
