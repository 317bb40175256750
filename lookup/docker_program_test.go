package lookup

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/trace"
)

// answers is a credential helper program that knows some servers, notes what it is asked, and has nothing else, as docker's protocol says it.
const answers = `echo "$(basename "$0") $*" >>"$HOME/asked"
read -r server
echo "$server" >>"$HOME/asked"
case $server in
registry.test) echo '{"ServerURL":"registry.test","Username":"bob","Secret":"` + canary + `"}' ;;
https://index.docker.io/v1/) echo '{"ServerURL":"x","Username":"<token>","Secret":"` + canary + `"}' ;;
nameless.test) echo '{"ServerURL":"nameless.test","Username":"","Secret":"` + canary + `"}' ;;
nothing.test) echo '{}' ;;
*) echo "credentials not found in native keychain"; exit 1 ;;
esac`

func TestDockerProgram(t *testing.T) {
	notOnWindows(t)
	auth := `"auths": {"registry.test": {"auth": "` + basic("file", canary) + `"}, "docker.io": {}, "other.test": {"auth": "` + basic("file", canary) + `"}}`
	notFound := func(text string) outcome { return outcome{kind: "not found", err: text + noPodman} }
	const file = "~/.docker/config.json"
	for _, tt := range []struct {
		name, config, registry string
		want                   outcome
		asked                  string
	}{
		{"the store", `{"credsStore": "one"}`, "registry.test", loginOf("bob"), "docker-credential-one get\nregistry.test\n"},
		{"the store before the file", `{"credsStore": "one", ` + auth + `}`, "registry.test", loginOf("bob"), "docker-credential-one get\nregistry.test\n"},
		{"the registry's own before the store", `{"credsStore": "one", "credHelpers": {"registry.test": "two"}}`, "registry.test", loginOf("bob"), "docker-credential-two get\nregistry.test\n"},
		{"another registry's own", `{"credsStore": "one", "credHelpers": {"a.test": "two"}}`, "registry.test", loginOf("bob"), "docker-credential-one get\nregistry.test\n"},
		{"by URL", `{"credHelpers": {"https://registry.test/v2/": "two"}}`, "registry.test", loginOf("bob"), "docker-credential-two get\nregistry.test\n"},
		{"not by repository", `{"credHelpers": {"registry.test/team": "two"}}`, "registry.test", notFound(file + " has no login for registry.test"), ""},
		{"switched off for a registry", `{"credsStore": "one", "credHelpers": {"registry.test": ""}, ` + auth + `}`, "registry.test", loginOf("file"), ""},
		{"an identity token", `{"credsStore": "one"}`, "docker.io", outcome{values: "identitytoken=" + canary}, "docker-credential-one get\nhttps://index.docker.io/v1/\n"},
		{"Docker Hub by another name", `{"credHelpers": {"docker.io": "two"}}`, "registry-1.docker.io", outcome{values: "identitytoken=" + canary}, "docker-credential-two get\nhttps://index.docker.io/v1/\n"},
		{"no user name", `{"credsStore": "one"}`, "nameless.test", loginOf(""), "docker-credential-one get\nnameless.test\n"},
		{"has none, the file has", `{"credsStore": "one", ` + auth + `}`, "other.test", loginOf("file"), "docker-credential-one get\nother.test\n"},
		{"has none, nor the file", `{"credsStore": "one", ` + auth + `}`, "third.test", notFound(`docker-credential-one, which "credsStore" in ` + file + ` names, has no login for third.test`), "docker-credential-one get\nthird.test\n"},
		{"answers without a secret", `{"credsStore": "one"}`, "nothing.test", notFound(`docker-credential-one, which "credsStore" in ` + file + ` names, has no login for nothing.test`), "docker-credential-one get\nnothing.test\n"},
		{"missing", `{"credsStore": "three"}`, "registry.test", outcome{kind: "unavailable", err: `docker-credential-three, which "credsStore" in ` + file + ` names, is not on PATH` + noPodman}, ""},
		{"missing, for a registry", `{"credsStore": "one", "credHelpers": {"registry.test": "three"}}`, "registry.test", outcome{kind: "unavailable", err: `docker-credential-three, which "credHelpers" in ` + file + ` names, is not on PATH` + noPodman}, ""},
		{"missing, the file has it", `{"credsStore": "three", ` + auth + `}`, "registry.test", loginOf("file"), ""},
		{"a path", `{"credsStore": "../one"}`, "registry.test", outcome{kind: "broken", err: `reading docker's logins: "credsStore" in ` + file + ` is "../one", which is not part of a program's name`}, ""},
		{"a command line", `{"credHelpers": {"registry.test": "one; id"}}`, "registry.test", outcome{kind: "broken", err: `reading docker's logins: "credHelpers" in ` + file + ` is "one; id", which is not part of a program's name`}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			vars := map[string]string{}
			s := programs(t, vars)
			vars["HOME"] = s.Env.Home
			script(t, s, "bin/docker-credential-one", answers)
			script(t, s, "bin/docker-credential-two", answers)
			write(t, s, ".docker/config.json", tt.config)
			expect(t, s, s.Docker(), Query{Registry: tt.registry}, tt.want)
			asked, _ := os.ReadFile(filepath.Join(s.Env.Home, "asked"))
			if string(asked) != tt.asked {
				t.Errorf("asked:\n%s\nwant:\n%s", asked, tt.asked)
			}
		})
	}
}

// TestDockerProgramOfPodman holds that Docker Hub is asked for under the name that podman stores it by, too.
func TestDockerProgramOfPodman(t *testing.T) {
	notOnWindows(t)
	s := programs(t, nil)
	script(t, s, "bin/docker-credential-one", `read -r server
[ "$server" = docker.io ] || { echo "credentials not found in native keychain"; exit 1; }
echo '{"Username":"bob","Secret":"`+canary+`"}'`)
	write(t, s, ".config/containers/auth.json", `{"credHelpers": {"docker.io": "one"}}`)
	expect(t, s, s.Docker(), Query{Registry: "index.docker.io"}, loginOf("bob"))
}

func TestDockerProgramThatFails(t *testing.T) {
	notOnWindows(t)
	const prefix = `asking docker-credential-one, which "credsStore" in ~/.docker/config.json names, for the login of registry.test: `
	for _, tt := range []struct{ name, body, want string }{
		{"says why", "echo 'error getting credentials: the store is locked'; exit 1", "docker-credential-one failed (exit status 1): error getting credentials: the store is locked"},
		{"says why on stderr", "echo the store is locked >&2; exit 2", "docker-credential-one failed (exit status 2): the store is locked"},
		{"tells a secret", "echo 'refused: Bearer " + strings.Repeat("x", 20) + "'; exit 1", "docker-credential-one failed (exit status 1): refused: Bearer [redacted]"},
		{"an answer and a failure", `echo '{"Username":"bob","Secret":"` + canary + `"}'; exit 1`, "docker-credential-one failed (exit status 1) and did not say why"},
		{"no server", "echo no credentials server URL; exit 1", "docker-credential-one failed (exit status 1): no credentials server URL"},
		{"crash", "kill -9 $$", "docker-credential-one failed (signal: killed) and did not say why"},
		{"nothing", "exit 0", `it printed something other than {"ServerURL": …, "Username": …, "Secret": …}`},
		{"garbage", "echo " + canary, `it printed something other than {"ServerURL": …, "Username": …, "Secret": …}`},
		{"another type", `echo '["` + canary + `"]'`, `it printed something other than {"ServerURL": …, "Username": …, "Secret": …}`},
		{"without end", "exec yes", "docker-credential-one printed more than 1048576 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := programs(t, nil)
			script(t, s, "bin/docker-credential-one", tt.body)
			write(t, s, ".docker/config.json", `{"credsStore": "one", "auths": {"registry.test": {"auth": "`+basic("file", canary)+`"}}}`)
			expect(t, s, s.Docker(), Query{Registry: "registry.test"}, outcome{
				kind: "broken", err: prefix + tt.want, hint: "see what it says by itself: echo registry.test | docker-credential-one get",
			})
		})
	}
}

func TestDockerProgramThatHangs(t *testing.T) {
	notOnWindows(t)
	s := programs(t, nil)
	script(t, s, "bin/docker-credential-one", "echo started >started; exec sleep 100")
	write(t, s, ".docker/config.json", `{"credsStore": "one"}`)
	r := &trace.Recorder{}
	ctx, cancel := context.WithCancelCause(trace.NewContext(t.Context(), r))
	go func() {
		for ctx.Err() == nil {
			if _, err := os.Stat(filepath.Join(s.Env.Dir, "started")); err == nil {
				cancel(errors.New("the budget is spent"))
			}
		}
	}()
	_, err := s.Docker().Lookup(ctx, Query{Registry: "registry.test"})
	if err == nil || !strings.HasSuffix(err.Error(), "registry.test: docker-credential-one did not end in time: the budget is spent") {
		t.Errorf("got %v", err)
	}
	if helpers.FallsThrough(err) {
		t.Error("a timeout falls through")
	}
	if got, want := r.Slow(), "running "+filepath.FromSlash("~/bin/docker-credential-one")+" get"; got != want {
		t.Errorf("the slow step is %q, want %q", got, want)
	}
}

// TestDockerProgramIsOurselves holds that a configuration which names this very program is not asked in circles.
func TestDockerProgramIsOurselves(t *testing.T) {
	notOnWindows(t)
	for name, link := range map[string]func(string, string) error{"symlink": os.Symlink, "hard link": os.Link} {
		t.Run(name, func(t *testing.T) {
			s := programs(t, nil)
			s.Executable = script(t, s, "bin/credential-helper", "exit 7")
			if err := link(s.Executable, filepath.Join(s.Env.Home, "bin", "docker-credential-self")); err != nil {
				t.Fatal(err)
			}
			write(t, s, ".docker/config.json", `{"credsStore": "self"}`)
			expect(t, s, s.Docker(), Query{Registry: "registry.test"}, outcome{kind: "not found", err: `docker-credential-self, which "credsStore" in ~/.docker/config.json names, is this program itself` + noPodman})
			// Behind it, the file is still read.
			write(t, s, ".docker/config.json", `{"credsStore": "self", "auths": {"registry.test": {"auth": "`+basic("file", canary)+`"}}}`)
			expect(t, s, s.Docker(), Query{Registry: "registry.test"}, loginOf("file"))
		})
	}
}

// TestDockerProgramOnPathOnly holds that no program of the working directory is run.
func TestDockerProgramOnPathOnly(t *testing.T) {
	notOnWindows(t)
	s := newSources(t, map[string]string{"PATH": ".:"})
	script(t, s, "proj/docker-credential-one", "echo '{}' >ran")
	write(t, s, ".docker/config.json", `{"credsStore": "one"}`)
	t.Chdir(s.Env.Dir)
	expect(t, s, s.Docker(), Query{Registry: "registry.test"}, outcome{kind: "unavailable", err: `docker-credential-one, which "credsStore" in ~/.docker/config.json names, is not on PATH` + noPodman})
	if _, err := os.Stat(filepath.Join(s.Env.Dir, "ran")); err == nil {
		t.Error("it was run")
	}
}
