package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fe055d52/credential-helper/config"
	"github.com/fe055d52/credential-helper/dialect"
	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/ascii"
	"github.com/fe055d52/credential-helper/internal/loginstore"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/suggest"
	"github.com/fe055d52/credential-helper/internal/trace"
)

const helpDocker = `Speaks Docker's credential helper protocol, as the program does by itself when it is started under a name that begins with docker-credential-.

get asks the rules of your own configuration file and the built-in ones first, so that a login may come from the environment, a file or a program;
then the logins that store keeps. As the protocol wants it, an error goes to standard output, and the exit status is 1.
"credential-helper install docker" has Docker use it.
`

const exampleDocker = `  $ echo ghcr.io | credential-helper docker get
`

// wordsDocker are the words of Docker's protocol.
var wordsDocker = []word{
	{"get", `read a server ("ghcr.io") on standard input, write {"ServerURL": …, "Username": …, "Secret": …}`},
	{"store", "read such an object, and keep the login in the keyring"},
	{"erase", "read a server, and forget its login"},
	{"list", `write {"SERVER": "USERNAME", …} of the logins that are kept`},
	{"version", "print the version"},
}

// storeTime is how long store and erase may take: fifty logins at once wait for each other, and a slow keyring takes its time for each.
const storeTime = 20 * time.Second

// dockerPrefix begins the names under which Docker starts a credential helper.
const dockerPrefix = "docker-credential-"

// isDockerName reports whether the program was started as a Docker credential helper.
func isDockerName(argv0 string) bool {
	name := ascii.Lower(filepath.Base(argv0))
	return strings.HasPrefix(name, dockerPrefix) && strings.TrimSuffix(name, ".exe") != dockerPrefix
}

// runDocker executes one action of Docker's protocol and returns the exit status. It is the only place that prints errors to standard output.
func (a *app) runDocker(args []string) (code int) {
	defer a.recovered(&code)
	if len(args) == 1 && args[0] == "get" {
		a.stdin = bufio.NewReader(a.stdin)
	}
	err := a.docker(args)
	if errors.Is(err, errBazelRequest) {
		// A client that sends Bazel's request is answered in Bazel's dialect, whatever the program is called.
		return a.run(args)
	}
	if err == nil {
		return exitOK
	}
	text := oneLine(err.Error())
	if !isDockerMessage(err) {
		text = "credential-helper: " + text
	}
	fmt.Fprintln(a.stdout, text)
	var hint *helpers.HintError
	if errors.As(err, &hint) {
		for line := range strings.Lines(hint.Hint) {
			fmt.Fprintf(a.stdout, "hint: %s\n", oneLine(strings.TrimSpace(line)))
		}
	}
	return exitError
}

// isDockerMessage reports whether an error is one of those that clients compare word by word.
func isDockerMessage(err error) bool {
	return err == dialect.ErrDockerNotFound || err == dialect.ErrDockerNoServer || err == dialect.ErrDockerNoUsername
}

// errBazelRequest says that what comes on standard input is a request in Bazel's dialect.
var errBazelRequest = errors.New("a request in Bazel's dialect")

// checkBazel looks at the first character of a request that is not white space: Bazel's begins with a brace, a server's name does not.
func checkBazel(stdin io.Reader) error {
	r, ok := stdin.(*bufio.Reader)
	for ok {
		c, err := r.ReadByte()
		if err != nil {
			return nil // whoever reads on will tell
		}
		if strings.IndexByte(" \t\r\n", c) >= 0 {
			continue
		}
		if err := r.UnreadByte(); err != nil {
			return err
		}
		if c == '{' {
			return errBazelRequest
		}
		break
	}
	return nil
}

// dockerCommand is "credential-helper docker ACTION".
func (a *app) dockerCommand(args []string) error {
	if len(args) == 0 {
		_, err := a.parse("docker", args)
		return err
	}
	return &exitStatus{a.runDocker(args)}
}

// docker executes one action.
func (a *app) docker(args []string) error {
	dockerActions := names(wordsDocker)
	if len(args) != 1 {
		return fmt.Errorf("one action is wanted: %s", strings.Join(dockerActions, ", "))
	}
	action := args[0]
	if !slices.Contains(dockerActions, action) {
		return fmt.Errorf("unknown action %q%s; known are %s", redact.Quote(action, 40), suggest.DidYouMean(action, dockerActions), strings.Join(dockerActions, ", "))
	}
	switch action {
	case "version":
		return a.version(nil)
	case "list":
		users, err := within(a, func(ctx context.Context) (map[string]string, error) {
			users, err := loginstore.List(ctx, a.env.Elsewhere())
			if errors.Is(err, helpers.ErrUnavailable) {
				return nil, nil // where nothing can be kept, nothing is
			}
			return users, err
		})
		if err != nil {
			return err
		}
		return dialect.WriteDockerList(a.stdout, users)
	case "get":
		login, err := within(a, a.dockerGet)
		if err != nil {
			return err
		}
		return dialect.WriteDockerLogin(a.stdout, login)
	case "store":
		return withPerson(a, storeTime, a.dockerStore)
	default:
		return withPerson(a, storeTime, a.dockerErase)
	}
}

func (a *app) readDockerServer(ctx context.Context) (server string, err error) {
	end := trace.Step(ctx, "reading the server from standard input")
	defer func() { end(err) }()
	if err := checkBazel(a.stdin); err != nil {
		return "", err
	}
	return dialect.ReadDockerServer(a.stdin)
}

// dockerGet finds the login for a server: by the rules, then among those that were stored.
func (a *app) dockerGet(ctx context.Context) (dialect.DockerLogin, error) {
	server, err := a.readDockerServer(ctx)
	if err != nil {
		return dialect.DockerLogin{}, err
	}
	credential, err := a.dockerCredential(ctx, server)
	if err == nil {
		login := dialect.DockerLogin{Server: server, Username: credential.Username, Secret: credential.Secret}
		if !credential.IdentityToken.IsZero() {
			login.Username, login.Secret = dialect.IdentityTokenUser, credential.IdentityToken
		}
		if login.Username == "" {
			login.Username = "unset" // clients take no login without a name, and servers that take a token do not read it
		}
		if !login.Secret.IsZero() {
			return login, nil
		}
		err = fmt.Errorf("the login from %s is a registry token or a header, which Docker's protocol cannot say", credential.Source)
	}
	if !helpers.FallsThrough(err) {
		return dialect.DockerLogin{}, err
	}
	trace.Note(ctx, "the rules give no login: %s", err)
	stored, err := loginstore.Get(ctx, a.env.Elsewhere(), server)
	switch {
	case helpers.FallsThrough(err):
		trace.Note(ctx, "no login is stored: %s", err)
		return dialect.DockerLogin{}, dialect.ErrDockerNotFound
	case err != nil:
		return dialect.DockerLogin{}, err
	}
	return dialect.DockerLogin{Server: server, Username: stored.Username, Secret: stored.Secret}, nil
}

// dockerCredential asks the rule for a server, if there is one. The workspace's configuration is not read:
// Docker is started from anywhere, and a directory must not decide where its logins come from.
func (a *app) dockerCredential(ctx context.Context, server string) (helpers.Credential, error) {
	u, err := dockerURL(server)
	if err != nil {
		return helpers.Credential{}, fmt.Errorf("reading the request: %w", err)
	}
	client := newClient() // for logins that have to be renewed: no registry is asked
	kinds := helperKinds(newSources(a.env.Elsewhere(), client), client, nil)
	routes, err := config.LoadUser(a.env, kinds, a.builtIn(kinds))
	if err != nil {
		return helpers.Credential{}, err
	}
	rule := routes.Match(u)
	if rule == nil && helpers.Loopback(u) {
		plain := *u
		plain.Scheme = "http"
		if rule = routes.Match(&plain); rule != nil {
			u = &plain // what the rule asks for on the way is at that origin
		}
	}
	switch {
	case rule == nil || rule.Helper == nil:
		return helpers.Credential{}, helpers.NotFoundf("no rule for %s", u.Host)
	case rule.HelperName == "null":
		return helpers.Credential{}, dialect.ErrDockerNotFound // the rule says that nothing is sent there
	case !helpers.Secure(u) && !helpers.Loopback(u) && !rule.AllowHTTP:
		return helpers.Credential{}, helpers.NotFoundf("%s is not encrypted, and %s does not allow that", u.Host, rule.Place)
	}
	return findCredential(ctx, rule, u)
}

// dockerURL returns the URL that stands for a server as Docker's clients spell it: a host, a host and a repository, or a URL.
// One whose path is percent-encoded is refused. It is that of an endpoint which needs the login: the registry's login check, or the repository's list of tags.
func dockerURL(server string) (*url.URL, error) {
	spelled := server
	if !strings.Contains(spelled, "://") {
		spelled = "https://" + spelled
	}
	req, err := helpers.ParseRequest(spelled)
	if err != nil {
		return nil, err
	}
	u := *req.URL
	if strings.Contains(u.EscapedPath(), "%") { // decoded, it would be another repository than the one that was asked for
		return nil, errors.New("the server's path is percent-encoded, and no repository's name has a character that needs to be")
	}
	repository := strings.Trim(u.Path, "/")
	u.Path, u.RawPath, u.RawQuery = "/v2/", "", ""
	if repository != "" && repository != "v1" && repository != "v2" {
		u.Path = "/v2/" + repository + "/tags/list"
	}
	if u.Host == "docker.io" || u.Host == "registry-1.docker.io" {
		u.Host = "index.docker.io"
	}
	return &u, nil
}

func (a *app) dockerStore(ctx context.Context) error {
	end := trace.Step(ctx, "reading the login from standard input")
	login, err := dialect.ReadDockerLogin(a.stdin)
	end(err)
	if err != nil {
		return err
	}
	if _, err := dockerURL(login.Server); err != nil {
		return fmt.Errorf("reading the request: %w", err)
	}
	err = loginstore.Put(ctx, a.env.Elsewhere(), loginstore.Login{Server: login.Server, Username: login.Username, Secret: login.Secret})
	a.forgetVolatile(ctx)
	return err
}

func (a *app) dockerErase(ctx context.Context) error {
	server, err := a.readDockerServer(ctx)
	if err != nil {
		return err
	}
	err = loginstore.Delete(ctx, a.env.Elsewhere(), server)
	a.forgetVolatile(ctx)
	if errors.Is(err, helpers.ErrNotFound) || errors.Is(err, helpers.ErrUnavailable) {
		return nil // what is not kept need not be forgotten, and an error would break docker logout
	}
	return err
}
