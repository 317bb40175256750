package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/dockerconfig"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/loginstore"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/trace"
)

const (
	helpInstall = `Makes docker keep its logins here: makes the link docker-credential-NAME beside this program, and names it in docker's configuration,
config.json in $DOCKER_CONFIG or ~/.docker. All else that stands there is kept.
`
	exampleInstall = `  $ credential-helper install docker --dry-run
  $ credential-helper install docker --import
  $ credential-helper install docker --registry ghcr.io --registry registry.example.com
`
	helpUninstall = `Undoes what install docker did: docker's configuration names what it named before, and the link is removed. Logins stay in the store.
`
)

var (
	wordsInstall = []word{{"docker", ""}}
	flagsInstall = []option{
		{name: "name", value: "NAME", help: "the name for docker to call it by (the default is " + defaultDockerName + ")"},
		{name: "registry", value: "HOST", many: true, help: "for this registry alone, in credHelpers; may stand more than once. Without it for all, in credsStore"},
		{name: "import", help: "take over the logins that stand in the file in plain text"},
		{name: "dry-run", help: "say what would change, and change nothing"},
	}
	flagsUninstall = []option{
		{name: "name", value: "NAME", help: "the name that install was given (the default is " + defaultDockerName + ")"},
		{name: "dry-run", help: "say what would change, and change nothing"},
	}
)

// defaultDockerName is the NAME of docker-credential-NAME.
const defaultDockerName = "credhelper"

// A loginPutter stores a login. The user name is "<token>" where the secret is an identity token.
type loginPutter func(ctx context.Context, server, username string, secret redact.Secret) error

// A dockerSetup is one run of install docker or uninstall docker. What it has to say is in out: it is printed when all is done.
type dockerSetup struct {
	env        *env.Env
	name       string
	registries []string // as docker's configuration names them
	dryRun     bool
	takeOver   bool
	link       dockerLink
	put        loginPutter
	out        strings.Builder
}

// install makes docker use this program.
func (a *app) install(args []string) error {
	return a.setUpDocker("install", args, (*dockerSetup).install)
}

// uninstall undoes install.
func (a *app) uninstall(args []string) error {
	return a.setUpDocker("uninstall", args, (*dockerSetup).uninstall)
}

func (a *app) setUpDocker(command string, args []string, run func(*dockerSetup, context.Context) error) error {
	s, err := a.parseDockerSetup(command, args)
	if err != nil {
		return err
	}
	// Taking over logins may have the keyring ask a person for its password.
	err = withPerson(a, promptTime, func(ctx context.Context) (err error) {
		end := trace.Step(ctx, "changing docker's configuration")
		defer func() { end(err) }()
		return run(s, ctx)
	})
	if err != nil {
		return err
	}
	_, err = io.WriteString(a.stdout, s.out.String())
	return err
}

func (a *app) parseDockerSetup(command string, args []string) (*dockerSetup, error) {
	l, err := a.parse(command, args)
	if err != nil {
		return nil, err
	}
	s := &dockerSetup{env: a.env, put: a.putLogin, name: defaultDockerName, dryRun: l.has("dry-run")}
	mistake := func(format string, args ...any) (*dockerSetup, error) {
		return nil, helpers.WithHint(usagef("%s docker: %s", command, fmt.Sprintf(format, args...)), "credential-helper help %s shows what it takes", command)
	}
	if l.has("name") {
		s.name = l.value("name")
	}
	if !validDockerName(s.name) {
		return mistake("--name is %q; it takes letters, digits, and .-_ between them", redact.Quote(s.name, 40))
	}
	if command == "install" {
		s.takeOver = l.has("import")
		for _, text := range l.values("registry") {
			key, err := dockerconfig.RegistryKey(text)
			if err != nil {
				return mistake("--registry: %s", err)
			}
			s.registries = append(s.registries, key)
		}
	}
	executable, err := a.executable()
	if err != nil {
		return nil, err
	}
	s.link = newDockerLink(executable, s.name)
	return s, nil
}

// validDockerName reports whether name can be part of a program's name, and of nothing else.
func validDockerName(name string) bool {
	const inside = ".-_"
	for _, c := range name {
		if !strings.ContainsRune(inside, c) && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return name != "" && len(name) <= 64 && strings.Trim(name, inside) == name
}

// putLogin keeps a login where docker login keeps it.
func (a *app) putLogin(ctx context.Context, server, username string, secret redact.Secret) error {
	err := loginstore.Put(ctx, a.env.Elsewhere(), loginstore.Login{Server: server, Username: username, Secret: secret})
	a.forgetVolatile(ctx)
	return err
}

func (s *dockerSetup) say(format string, args ...any) { fmt.Fprintf(&s.out, format+"\n", args...) }

// read returns docker's configuration, and what is remembered of it.
func (s *dockerSetup) read() (*dockerconfig.File, *dockerconfig.Document, *dockerconfig.State, error) {
	file, err := dockerconfig.Read(s.env)
	if err != nil {
		return nil, nil, nil, err
	}
	doc, err := dockerconfig.Parse(file.Shown, file.Data)
	if err != nil {
		return nil, nil, nil, helpers.WithHint(fmt.Errorf("reading docker's configuration: %w; it is as it was", err), "correct the file by hand")
	}
	state, err := dockerconfig.ReadState(s.env)
	return file, doc, state, err
}

// install finds out all that is to change, and then changes it: the logins first, as they are in both places until the file is written,
// and the file last, so that docker is never sent to a program that is not there.
func (s *dockerSetup) install(ctx context.Context) error {
	file, doc, state, err := s.read()
	if err != nil {
		return err
	}
	linked, err := s.link.made(s.env, state)
	if err != nil {
		return err
	}
	if !linked {
		s.say("%s", s.link.describe(s.env))
	}
	s.say("config: %s", file.Shown)
	s.nameStore(file, doc, state)
	logins, err := s.plainLogins(file, doc)
	if err != nil {
		return err
	}
	if doc.Changed() {
		if err := file.Writable(); err != nil {
			return err
		}
	}
	if linked && !doc.Changed() {
		s.say("docker uses %s already: nothing to change", s.name)
	}
	if hint := s.link.pathHint(s.env); hint != "" {
		s.say("hint: %s", hint)
	}
	if s.dryRun {
		s.say("dry run: nothing was changed")
		return nil
	}

	for _, l := range logins {
		if err := s.put(ctx, l.Server, l.Username, l.Secret); err != nil {
			return fmt.Errorf("taking over the login for %s: %w; %s is as it was", redact.Quote(l.Server, 200), err, file.Shown)
		}
	}
	// The time may have run out while the keyring asked: what was told to be late is not done after all.
	if err := ctx.Err(); err != nil {
		return err
	}
	if !linked {
		if err := s.link.make(s.env, state); err != nil {
			return err
		}
	}
	if err := state.Save(); err != nil {
		return err
	}
	if !doc.Changed() {
		return nil
	}
	return file.Write(doc.Bytes())
}

// nameStore puts our name into the document, and remembers what stood there.
func (s *dockerSetup) nameStore(file *dockerconfig.File, doc *dockerconfig.Document, state *dockerconfig.State) {
	var replaced []string
	change := func(what, registry, now string, had bool, set func()) {
		if had && now == s.name {
			return
		}
		s.say("%s: %s → %s", what, shownStore(now, had), s.name)
		state.Remember(file.Path, s.name, registry, now, had)
		set()
		if now != "" {
			replaced = append(replaced, now)
		}
	}
	if len(s.registries) == 0 {
		now, had := doc.Store()
		change("credsStore", "", now, had, func() { doc.SetStore(s.name) })
	}
	for _, registry := range s.registries {
		now, had := doc.Helper(registry)
		change("credHelpers "+registry, registry, now, had, func() { doc.SetHelper(registry, s.name) })
	}
	for _, other := range replaced {
		s.say("logins that docker-credential-%s keeps stay there: docker login stores them here", redact.Line(other, 64))
	}
}

// shownStore is how a store is told of.
func shownStore(name string, set bool) string {
	switch {
	case !set:
		return "none"
	case name == "":
		return `""`
	default:
		return redact.Line(name, 64)
	}
}

// plainLogins returns the logins that are to be taken over, and takes them out of the document.
// Those of which docker asks another store are none of ours: docker would not find them here.
func (s *dockerSetup) plainLogins(file *dockerconfig.File, doc *dockerconfig.Document) ([]dockerconfig.Login, error) {
	var servers []string
	for _, server := range doc.PlainServers() {
		if doc.ServedBy(server) == s.name {
			servers = append(servers, server)
		}
	}
	if len(servers) == 0 {
		return nil, nil
	}
	list := redact.Line(strings.Join(servers, ", "), 1000)
	if !s.takeOver {
		stand, them := "1 login stands", "it"
		if len(servers) > 1 {
			stand, them = fmt.Sprintf("%d logins stand", len(servers)), "them"
		}
		s.say("%s in plain text in %s: %s; --import takes %s over", stand, file.Shown, list, them)
		return nil, nil
	}
	var logins []dockerconfig.Login
	for _, server := range servers {
		l, err := doc.Login(server)
		if err != nil {
			return nil, fmt.Errorf("taking over logins: %w", err)
		}
		logins = append(logins, l)
	}
	if one, other, ok := sameRegistry(logins); ok {
		return nil, helpers.WithHint(fmt.Errorf("taking over logins: %s and %s are one registry, with different logins, of which the store keeps one",
			redact.Line(one, 200), redact.Line(other, 200)), "take one of them out of %s", file.Shown)
	}
	for _, l := range logins {
		doc.ClearLogin(l.Server)
	}
	s.say("logins: %s → store", list)
	return logins, nil
}

// sameRegistry returns two spellings of one registry whose logins differ, if there are any.
func sameRegistry(logins []dockerconfig.Login) (one, other string, ok bool) {
	seen := map[string]dockerconfig.Login{}
	for _, l := range logins {
		name, err := loginstore.Canonical(l.Server)
		if err != nil {
			continue // storing it will tell
		}
		before, there := seen[name]
		if there && (before.Username != l.Username || before.Secret.Reveal() != l.Secret.Reveal()) {
			return before.Server, l.Server, true
		}
		seen[name] = l
	}
	return "", "", false
}

// uninstall changes the file first: docker is never sent to a program that is not there any more.
func (s *dockerSetup) uninstall(context.Context) error {
	file, doc, state, err := s.read()
	if err != nil {
		return err
	}
	// What has our name and is not ours stays: there is nothing to undo about it.
	linked, err := s.link.made(s.env, state)
	if err != nil || !s.link.ours(state) {
		linked = false
	}
	if s.restore(file, doc, state); doc.Changed() {
		if err := file.Writable(); err != nil {
			return err
		}
	}
	if linked {
		s.say("link: %s removed", s.env.Display(s.link.path))
	}
	if !linked && !doc.Changed() {
		s.say("docker does not use %s: nothing to undo", s.name)
	} else {
		s.say("logins stay in the store: credential-helper docker list shows them")
	}
	if s.dryRun {
		s.say("dry run: nothing was changed")
		return nil
	}
	if doc.Changed() {
		if err := file.Write(doc.Bytes()); err != nil {
			return err
		}
	}
	if linked {
		if err := s.link.remove(s.env, state); err != nil {
			return err
		}
	}
	state.Forget(file.Path, s.name)
	return state.Save()
}

// restore puts what stood there before in the place of our name.
func (s *dockerSetup) restore(file *dockerconfig.File, doc *dockerconfig.Document, state *dockerconfig.State) {
	var lines []string
	if now, ok := doc.Store(); ok && now == s.name {
		former, had := state.Recall(file.Path, s.name, "")
		if had {
			doc.SetStore(former)
		} else {
			doc.RemoveStore()
		}
		lines = append(lines, fmt.Sprintf("credsStore: %s → %s", s.name, shownStore(former, had)))
	}
	for _, registry := range doc.Registries(s.name) {
		former, had := state.Recall(file.Path, s.name, registry)
		if had {
			doc.SetHelper(registry, former)
		} else {
			doc.RemoveHelper(registry)
		}
		lines = append(lines, fmt.Sprintf("credHelpers %s: %s → %s", redact.Line(registry, 200), s.name, shownStore(former, had)))
	}
	if len(lines) > 0 {
		s.say("config: %s\n%s", file.Shown, strings.Join(lines, "\n"))
	}
}
