package lookup

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/ascii"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/strictjson"
	"github.com/fe055d52/credential-helper/internal/subprocess"
	"github.com/fe055d52/credential-helper/internal/trace"
)

// decodeGit reads {"source": "git", "use_http_path": BOOL}, which may be left out.
//
// "use_http_path" tells git's helpers the repository's path beside the host, as git itself does where credential.useHttpPath is set.
func decodeGit(s *Sources, o *strictjson.Object) Source {
	var useHTTPPath bool
	o.Bool("use_http_path", &useHTTPPath)
	return s.Git(useHTTPPath)
}

// Git returns the source that asks git for a host's login: `git credential fill`, with the helpers that the user's and the system's configuration names
// (https://git-scm.com/docs/git-credential, https://git-scm.com/docs/gitcredentials).
//
// Nobody is asked for a password: not on a terminal, which git and what it starts do not have, not by the programs that GIT_ASKPASS, SSH_ASKPASS and core.askPass name,
// and not by Git Credential Manager. Git runs outside of any repository, in the directory of its own program, so that a workspace's .git/config,
// which can name any command as a helper, has no part in it.
//
// It supplies user name and password together, or a whole Authorization header, of a helper that says how its credential is sent ("authtype", since git 2.46).
// A helper that has git "quit" has no login. What was answered for another host than the one that was asked for is an error.
func (s *Sources) Git(useHTTPPath bool) Source { return git{s, useHTTPPath} }

type git struct {
	*Sources
	useHTTPPath bool
}

func (git) Name() string      { return "git's credential helpers" }
func (git) HostBound() bool   { return true }
func (g git) PathBound() bool { return g.useHTTPPath }

func (g git) Lookup(ctx context.Context, q Query) (Values, error) {
	u := q.URL
	switch {
	case helpers.Wildcard(u):
		return nil, helpers.NotFoundf("git is asked for the login of one host, not for that of %s", u.Host)
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, helpers.NotFoundf("git is asked for logins over https and http, not over %s", u.Scheme)
	case g.Env.Var(varNested) != "":
		return nil, helpers.NotFoundf("git is not asked, because it may be who asks here")
	}
	program, err := subprocess.Find(g.Env, "git")
	if err != nil {
		return nil, helpers.Unavailablef("git is not on PATH")
	}
	out, err := g.fill(ctx, program, u)
	var exit *subprocess.ExitError
	if errors.As(err, &exit) && ctx.Err() == nil && hasNone(exit) {
		return nil, helpers.NotFoundf("git has no login for %s", u.Host)
	}
	var values Values
	if err == nil {
		values, err = parseGit(out, u, g.now())
		values = values.at(g.Env.Display(program))
	}
	if err != nil && !helpers.FallsThrough(err) {
		return nil, helpers.WithHint(fmt.Errorf("asking git for the login of %s: %w", u.Host, err),
			`see what it says by itself: printf 'protocol=%s\nhost=%s\n\n' | git credential fill`, u.Scheme, u.Host)
	}
	return values, err
}

// fill runs git. What it prints, and what its helpers are given, is described in git-credential(1) and gitcredentials(7).
func (g git) fill(ctx context.Context, program string, u *url.URL) (out []byte, err error) {
	end := trace.Step(ctx, "running git credential fill")
	defer func() {
		var exit *subprocess.ExitError
		if errors.As(err, &exit) {
			err = &gitError{exit}
		}
		end(err)
	}()
	argv := []string{program, "-c", "core.askPass=", "-c", "credential.interactive=false"}
	input := "capability[]=authtype\nprotocol=" + u.Scheme + "\nhost=" + u.Host + "\n"
	if path := repositoryPath(u); g.useHTTPPath && path != "" {
		argv = append(argv, "-c", "credential.useHttpPath=true")
		input += "path=" + path + "\n"
	}
	outside, ceiling := outsideRepositories(g.Env, program)
	return subprocess.Run(ctx, outside, subprocess.Program{
		Argv: append(argv, "credential", "fill"), Stdin: strings.NewReader(input + "\n"), NoTerminal: true,
		Env: []string{
			// GIT_ASKPASS is set, and to nothing: git looks no further for somebody to ask.
			"GIT_ASKPASS=", "SSH_ASKPASS=", "SSH_ASKPASS_REQUIRE=never", "GIT_TERMINAL_PROMPT=0", "GCM_INTERACTIVE=never",
			"GIT_CEILING_DIRECTORIES=" + ceiling, varNested + "=1",
		},
	})
}

// outsideRepositories returns an environment in which git finds no repository, with the help of a ceiling above which it does not search for one:
// the directory of the program itself. Who could make that a repository could replace git.
func outsideRepositories(e *env.Env, program string) (outside *env.Env, ceiling string) {
	dir := filepath.Dir(program)
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	environ := e.Environ
	if environ == nil {
		environ = os.Environ
	}
	copied := *e
	copied.Dir = dir
	copied.Environ = func() []string {
		return slices.DeleteFunc(slices.Clone(environ()), func(variable string) bool {
			name, _, _ := strings.Cut(variable, "=")
			return slices.Contains([]string{"GIT_DIR", "GIT_COMMON_DIR", "GIT_WORK_TREE"}, ascii.Upper(name))
		})
	}
	return &copied, filepath.Dir(dir)
}

// repositoryPath returns the path as git has it for the repository that a URL is in: without what git's protocol and that of LFS add to it.
func repositoryPath(u *url.URL) string {
	path := u.Path
	for _, end := range []string{"/info/refs", "/git-upload-pack", "/git-receive-pack"} {
		path = strings.TrimSuffix(path, end)
	}
	path, _, _ = strings.Cut(path, "/info/lfs/")
	return strings.Trim(path, "/")
}

// A gitError is an exit of git's. Its text is what git itself gave as the reason: a warning of git's quotes what a helper printed, which may be a secret.
type gitError struct{ exit *subprocess.ExitError }

func (e *gitError) Error() string {
	why := ""
	for line := range strings.Lines(string(e.exit.Stderr)) {
		if strings.HasPrefix(line, "fatal: ") && !strings.Contains(line, " told us to quit") {
			why = redact.Quote(line, 300)
		}
	}
	if why == "" {
		return fmt.Sprintf("git failed (exit status %d)", e.exit.Code)
	}
	return fmt.Sprintf("git failed (exit status %d): %s", e.exit.Code, why)
}

func (e *gitError) Unwrap() error { return e.exit }

// hasNone reports whether git failed because none of its helpers has a login, and nobody could be asked.
func hasNone(exit *subprocess.ExitError) bool {
	for _, why := range []string{"could not read Username for ", "could not read Password for ", "unable to get password from user", " told us to quit"} {
		if strings.Contains(string(exit.Stderr), why) {
			return true
		}
	}
	return false
}

// parseGit returns the login in git's answer to a question about u. No error quotes the answer.
func parseGit(out []byte, u *url.URL, now time.Time) (Values, error) {
	attributes, err := gitAttributes(out)
	if err != nil {
		return nil, err
	}
	if attributes["protocol"] != u.Scheme || !ascii.EqualFold(attributes["host"], u.Host) {
		return nil, errors.New("it answered for another host, or another protocol, than the one it was asked for")
	}
	values := Values{}
	switch authType, credential, password := attributes["authtype"], attributes["credential"], attributes["password"]; {
	case credential != "":
		if strings.ContainsAny(authType, " \t") || authType == "" {
			return nil, errors.New(`its answer has a "credential" without an "authtype" of one word`)
		}
		values[Header("Authorization")] = redact.Hold(authType + " " + credential)
		values[Default] = redact.Hold(credential)
	case password != "":
		values[Username] = redact.Hold(attributes["username"])
		values[Password] = redact.Hold(password)
		values[Default] = redact.Hold(password)
	default:
		return nil, helpers.NotFoundf("git has an empty login for %s", u.Host)
	}
	if end := attributes["password_expiry_utc"]; end != "" {
		seconds, err := strconv.ParseInt(end, 10, 64)
		if err != nil {
			return nil, errors.New(`the "password_expiry_utc" of its answer is not a number of seconds`)
		}
		if seconds <= now.Unix() {
			return nil, helpers.NotFoundf("git's login for %s has ended", u.Host)
		}
		if seconds <= lastSecond {
			values.SetExpiry(time.Unix(seconds, 0))
		}
	}
	return values, nil
}

// gitAttributes reads lines of KEY=VALUE up to an empty one. What a helper may send only where it was told that it is understood counts behind its announcement.
func gitAttributes(out []byte) (map[string]string, error) {
	attributes := map[string]string{}
	headers := false
	n := 0
	for line := range strings.SplitSeq(string(out), "\n") {
		if line == "" {
			break
		}
		n++
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			return nil, fmt.Errorf("line %d of its answer is not KEY=VALUE", n)
		}
		if strings.ContainsAny(line, "\r\x00") {
			return nil, fmt.Errorf("line %d of its answer has a carriage return or a NUL byte", n)
		}
		switch {
		case line == "capability[]=authtype":
			headers = true
		case (key == "authtype" || key == "credential") && !headers:
		default:
			attributes[key] = value
		}
	}
	return attributes, nil
}
