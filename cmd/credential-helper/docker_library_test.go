package main

import (
	"io"
	"maps"
	"os/exec"
	"strings"
	"testing"

	"github.com/docker/docker-credential-helpers/client"
	"github.com/docker/docker-credential-helpers/credentials"
)

// A libraryProgram is how Docker's own client library is made to start the program in a site. Like some clients, it has standard error in the answer.
type libraryProgram struct{ cmd *exec.Cmd }

func (p libraryProgram) Input(in io.Reader)      { p.cmd.Stdin = in }
func (p libraryProgram) Output() ([]byte, error) { return p.cmd.CombinedOutput() }

// TestDockerLibrary drives the program as docker and most other clients do: with the library that came with the protocol.
func TestDockerLibrary(t *testing.T) {
	s := newDockerSite(t, "registry.test", storeConfig)
	start := func(args ...string) client.Program {
		cmd := exec.CommandContext(t.Context(), s.helper, args...)
		cmd.Dir, cmd.Env = s.home, s.env
		return libraryProgram{cmd}
	}
	absent := func(server string) {
		t.Helper()
		if got, err := client.Get(start, server); !credentials.IsErrCredentialsNotFound(err) {
			t.Errorf("get %s: %+v, %v", server, got, err)
		}
	}
	list := func(want map[string]string) {
		t.Helper()
		if got, err := client.List(start); err != nil || !maps.Equal(got, want) {
			t.Errorf("list: %v, %v", got, err)
		}
	}
	fails := func(err error, want string) {
		t.Helper()
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}

	absent("registry.test")
	list(map[string]string{})
	logins := []*credentials.Credentials{
		{ServerURL: "registry.test", Username: "alice", Secret: "w0nderland"},
		{ServerURL: "registry.test/team/app", Username: "robot$team", Secret: `"\<&>é☃` + "\u2028"},
		{ServerURL: "https://index.docker.io/v1/", Username: "<token>", Secret: strings.Repeat("1dentity.", 1000)},
	}
	users := map[string]string{}
	for _, login := range logins {
		if err := client.Store(start, login); err != nil {
			t.Errorf("store: %v", err)
		}
		users[login.ServerURL] = login.Username
		list(users)
	}
	for _, want := range logins {
		if got, err := client.Get(start, want.ServerURL); err != nil || *got != *want {
			t.Errorf("get: %+v, %v", got, err)
		}
	}

	fails(client.Store(start, &credentials.Credentials{Username: "alice", Secret: "canary"}),
		"error storing credentials - err: no credentials server URL, out: `no credentials server URL`")
	fails(client.Store(start, &credentials.Credentials{ServerURL: "registry.test", Secret: "canary"}),
		"error storing credentials - err: no credentials username, out: `no credentials username`")
	fails(client.Store(start, &credentials.Credentials{ServerURL: "registry.test", Username: "alice", Secret: "can\nary"}),
		"error storing credentials - err: exit status 1, out: `credential-helper: reading the request: the value has a line break`")
	_, err := client.Get(start, "")
	fails(err, "error getting credentials - err: no credentials server URL, out: `no credentials server URL`")
	_, err = client.Get(start, "registry.test\nevil.test")
	fails(err, "error getting credentials - err: exit status 1, out: `credential-helper: reading the request: the server's name has a control character (0x0a)`")
	fails(client.Erase(start, ""), "error erasing credentials - err: no credentials server URL, out: `no credentials server URL`")
	for stdin, argv := range map[string][]string{
		`{"ServerURL": "registry.test", "Username": "alice", "Secret": canary`: {"store"},
		`["canary"]`: {"store"},
		"canary":     {"dance"},
	} {
		got := s.run(stdin, append([]string{s.helper}, argv...)...)
		if got.Code != 1 || got.Stderr != "" || !strings.HasPrefix(got.Stdout, "credential-helper: ") || strings.Contains(got.Stdout, "canary") {
			t.Errorf("%s: %+v", argv, got)
		}
	}
	list(users) // as it was

	for _, login := range logins {
		for range 2 { // the second time there is nothing to erase
			if err := client.Erase(start, login.ServerURL); err != nil {
				t.Errorf("erase: %v", err)
			}
		}
		delete(users, login.ServerURL)
		list(users)
	}
	for _, login := range logins {
		absent(login.ServerURL)
	}

	// The keyring's file is there and its key is not: that is no "not found", or docker would go on without a login.
	if err := client.Store(start, logins[0]); err != nil {
		t.Fatal(err)
	}
	s.write("identity", "")
	const noKey = "credential-helper: reading the identity in ~/identity (CREDENTIAL_HELPER_KEYRING_IDENTITY): it holds neither age identities nor an SSH private key"
	for _, action := range []string{"get", "list", "erase"} {
		if got := s.run("registry.test", s.helper, action); got.Code != 1 || got.Stderr != "" || !strings.HasPrefix(got.Stdout, noKey) {
			t.Errorf("%s without a key: %+v", action, got)
		}
	}
}
