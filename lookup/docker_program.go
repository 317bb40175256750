package lookup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/docker/docker-credential-helpers/client"
	"github.com/docker/docker-credential-helpers/credentials"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/subprocess"
	"github.com/fe055d52/credential-helper/internal/trace"
)

// TokenUser is the user name by which docker and its credential helpers say that the password is an identity token.
const TokenUser = "<token>"

// askProgram asks the credential helper program docker-credential-STORE, which the file at p names under key.
// It falls through where the program has no login and where it is not installed. This program itself is not run:
// the logins that it keeps are read directly.
func (d docker) askProgram(ctx context.Context, p place, key, store string, want target) (Values, error) {
	name := "docker-credential-" + store
	if strings.Trim(store, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") != "" {
		return nil, fmt.Errorf(`reading docker's logins: %q in %s is %q, which is not part of a program's name`, key, p.shown, store)
	}
	path, err := subprocess.Find(d.Env, name)
	if err != nil {
		return nil, &programMissing{
			error:  helpers.Unavailablef("%s, which %q in %s names, is not on PATH", name, key, p.shown),
			remedy: missingProgram(p, name, key, want),
		}
	}
	if d.isThisProgram(path) {
		return d.askStore(ctx, p, key, name, want)
	}
	if d.Env.Var(varNested) != "" {
		return nil, helpers.NotFoundf("%s, which %q in %s names, is not asked, because it may be who asks here", name, key, p.shown)
	}
	servers := []string{want.registry}
	if want.registry == DockerHub {
		servers[0] = hubLogin
		if p.podman {
			servers = append(servers, DockerHub)
		}
	}
	for _, server := range servers {
		creds, err := d.askServer(ctx, path, server)
		switch {
		case credentials.IsErrCredentialsNotFound(err):
		case err != nil:
			return nil, helpers.WithHint(fmt.Errorf("asking %s, which %q in %s names, for the login of %s: %w", name, key, p.shown, want.registry, err),
				"see what it says by itself: echo %s | %s get", server, name)
		case creds.Secret == "":
		case creds.Username == TokenUser:
			return dockerLogin{identityToken: creds.Secret}.values(), nil
		default:
			return dockerLogin{username: creds.Username, password: creds.Secret}.values(), nil
		}
	}
	return nil, helpers.NotFoundf("%s, which %q in %s names, has no login for %s", name, key, p.shown, want.registry)
}

// programMissing is the error of a program that is named, and not installed. Docker fails then, too, when it logs in: the remedy comes first.
type programMissing struct {
	error
	remedy helpers.Remedy
}

func (e *programMissing) Unwrap() error { return e.error }

func missingProgram(p place, name, key string, want target) helpers.Remedy {
	command := "credential-helper install docker"
	if key != "credsStore" {
		command += " --registry " + Quote(want.registry)
	}
	return helpers.Remedy{
		Do:    fmt.Sprintf("docker login fails, too, without %s: install it, or take %q out of %s, or have docker keep logins here", name, key, p.shown),
		Lines: []string{command}, Tool: "docker",
	}
}

// varNested tells a credential helper program that this program asks it: where it is this program under another name (a copy, a script
// around it), it must not ask in its turn.
const varNested = "CREDENTIAL_HELPER_NESTED"

// askStore looks among the logins that this program keeps for Docker, without a process of its own.
func (d docker) askStore(ctx context.Context, p place, key, name string, want target) (Values, error) {
	if d.Stored == nil {
		return nil, helpers.NotFoundf("%s, which %q in %s names, is this program itself", name, key, p.shown)
	}
	server := want.registry
	if want.repository != "" {
		server += "/" + want.repository
	}
	username, secret, err := d.Stored(ctx, server)
	switch {
	case errors.Is(err, helpers.ErrNotFound):
		return nil, helpers.NotFoundf("%s, which %q in %s names, has no login for %s", name, key, p.shown, want.registry)
	case err != nil:
		return nil, fmt.Errorf("reading the login of %s that was stored through %s: %w", want.registry, name, err)
	case username == TokenUser:
		return dockerLogin{identityToken: secret.Reveal()}.values(), nil
	}
	return dockerLogin{username: username, password: secret.Reveal()}.values(), nil
}

// askServer runs the program at path. No error quotes what it printed as an answer.
func (d docker) askServer(ctx context.Context, path, server string) (_ *credentials.Credentials, err error) {
	end := trace.Step(ctx, "running %s get", d.Env.Display(path))
	defer func() { end(err) }()
	program := &dockerProgram{ctx: ctx, env: d.Env, path: path}
	creds, err := client.Get(func(args ...string) client.Program {
		program.args = args
		return program
	}, server)
	switch {
	case err == nil, credentials.IsErrCredentialsNotFound(err):
		return creds, err
	case program.err != nil:
		return nil, program.err
	default:
		return nil, errors.New(`it printed something other than {"ServerURL": …, "Username": …, "Secret": …}`)
	}
}

// dockerProgram runs a credential helper program for the docker client library, with a context and with limits.
type dockerProgram struct {
	ctx  context.Context
	env  *env.Env
	path string
	args []string
	in   io.Reader
	err  error
}

func (p *dockerProgram) Input(in io.Reader) { p.in = in }

// Output returns what the program printed, also where it failed: its standard output then says why.
func (p *dockerProgram) Output() ([]byte, error) {
	out, err := subprocess.Run(p.ctx, p.env, subprocess.Program{Argv: append([]string{p.path}, p.args...), Stdin: p.in, Env: []string{varNested + "=1"}, ExplainsOnStdout: true})
	p.err = err
	if exit := (*subprocess.ExitError)(nil); errors.As(err, &exit) {
		out = exit.Stdout
	}
	return out, err
}

// isThisProgram reports whether the file at path is the running program, under whatever name.
func (d docker) isThisProgram(path string) bool {
	if d.Executable == "" {
		return false
	}
	self, err := os.Stat(d.Executable)
	if err != nil {
		return false
	}
	other, err := os.Stat(path)
	return err == nil && os.SameFile(self, other)
}
