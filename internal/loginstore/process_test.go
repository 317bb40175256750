package loginstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/peertest"
)

func TestNoKeyring(t *testing.T) {
	s := peertest.SecretService(t, peertest.NoService)
	const none = "there is no keyring here: no Secret Service (org.freedesktop.secrets) runs on the session bus\n"
	for operation, want := range map[string]string{
		"get": "error: " + none, "list": "error: " + none, "delete": "error: " + none,
		"put": "error: storing the login for r.example.com: " + none +
			"set CREDENTIAL_HELPER_KEYRING=file and CREDENTIAL_HELPER_KEYRING_PASSPHRASE_FILE or CREDENTIAL_HELPER_KEYRING_IDENTITY, to keep logins in an encrypted file\n" +
			`or take "credsStore" or "credHelpers" for r.example.com out of docker's config.json, to leave this login to docker's own file` + "\n",
	} {
		if r := s.Run([]string{self(t), "r.example.com", "bob", canary}, []string{"OPERATION=" + operation, "GOCOVERDIR=" + t.TempDir()}, ""); r.Stdout != want {
			t.Errorf("%s:\n got %s\nwant %s", operation, r.Stdout, want)
		}
	}
}

func TestLocked(t *testing.T) {
	s := peertest.SecretService(t, peertest.Locked)
	for _, operation := range []string{"get", "list", "put", "delete"} {
		start := time.Now()
		r := s.Run([]string{self(t), "r.example.com", "bob", canary}, []string{"OPERATION=" + operation, "GOCOVERDIR=" + t.TempDir()}, "")
		if !strings.Contains(r.Stdout, "the keyring is locked\nlog in to the desktop session, or unlock it") || time.Since(start) > 20*time.Second {
			t.Errorf("%s, after %v: %+v", operation, time.Since(start), r)
		}
	}
}

func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

const parallel = 50

// storm starts processes that log in at once, each with a secret in pieces, and kills some of them. It returns the servers of those that reported success.
func storm(t *testing.T, vars []string, kill bool) (stored, killed []string) {
	t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range parallel {
		server := fmt.Sprintf("r%d.example.com", i)
		cmd := exec.Command(self(t), server, "bob", secretOf(server))
		var out strings.Builder
		cmd.Stdout, cmd.Env = &out, append(slices.Clone(vars), "OPERATION=put", "GORACE=atexit_sleep_ms=0", "GOCOVERDIR="+t.TempDir())
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if kill && i%5 == 0 {
			timer := time.AfterFunc(time.Duration(i)*20*time.Millisecond, func() { _ = cmd.Process.Kill() })
			t.Cleanup(func() { timer.Stop() })
		}
		all.Go(func() {
			err := cmd.Wait()
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil && out.String() == "ok\n":
				stored = append(stored, server)
			case cmd.ProcessState.ExitCode() == -1:
				killed = append(killed, server)
			default:
				t.Errorf("%s: %v, %s", server, err, out.String())
			}
		})
	}
	all.Wait()
	return stored, killed
}

func secretOf(server string) string { return strings.Repeat(server+canary, 120) }

func TestParallelLoginsInFile(t *testing.T) {
	e, vars := fileEnv(t)
	stored, killed := storm(t, vars, true)
	t.Logf("%d stored, %d killed", len(stored), len(killed))
	list, err := List(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	for _, server := range stored {
		if l, err := Get(t.Context(), e, server); err != nil || l.Secret.Reveal() != secretOf(server) {
			t.Errorf("%s: %v", server, err)
		}
		if list[server] != "bob" {
			t.Errorf("%s is not listed", server)
		}
		delete(list, server)
	}
	for _, server := range killed {
		l, err := Get(t.Context(), e, server)
		if err == nil && l.Secret.Reveal() != secretOf(server) || err != nil && !errors.Is(err, helpers.ErrNotFound) {
			t.Errorf("%s, whose process was killed: %v", server, err)
		}
		if (list[server] != "") != (err == nil) {
			t.Errorf("%s is listed as %q, and found: %v", server, list[server], err)
		}
		delete(list, server)
	}
	if len(list) != 0 {
		t.Errorf("listed beside them: %v", list)
	}
}

func TestParallelLoginsInSecretService(t *testing.T) {
	s := peertest.SecretService(t, peertest.Unlocked)
	stored, _ := storm(t, s.Env(), false)
	r := s.Run([]string{self(t)}, []string{"OPERATION=list", "GOCOVERDIR=" + t.TempDir()}, "")
	list := map[string]string{}
	if err := json.NewDecoder(strings.NewReader(r.Stdout)).Decode(&list); err != nil {
		t.Fatalf("%v: %+v", err, r)
	}
	if len(stored) != parallel || len(list) != parallel {
		t.Errorf("%d stored, %d listed", len(stored), len(list))
	}
	for _, server := range []string{"r0.example.com", "r49.example.com"} {
		r := s.Run([]string{self(t), server + "/team/app"}, []string{"OPERATION=get", "GOCOVERDIR=" + t.TempDir()}, "")
		if want := server + " bob " + secretOf(server) + "\nok\n"; r.Stdout != want {
			t.Errorf("get %s: %+v", server, r)
		}
	}
}
