package main

import (
	"archive/tar"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/fe055d52/credential-helper/internal/peertest"
)

// A dockerSite is a site at which Docker's clients keep their logins with the program. The keyring is an encrypted file, the cache is in files:
// no process is left behind, and what is stored or erased takes effect at once although there is a cache.
type dockerSite struct {
	*site
	helper string // the path of the program under the name by which Docker's clients find it
	config string // the path of docker's config.json
}

const (
	withoutAgent = "CREDENTIAL_HELPER_CACHE=file"
	storeConfig  = `{"credsStore": "credhelper"}`
	// dockerNotFound is the protocol's message, word by word.
	dockerNotFound = "credentials not found in native keychain\n"
)

// newDockerSite makes a site for the clients of a registry. config is the content of docker's config.json.
func newDockerSite(t testing.TB, host, config string) *dockerSite {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the program is linked here as it is on Unix")
	}
	home := t.TempDir()
	s := &dockerSite{site: &site{t: t, home: home}, helper: linkForDocker(t, filepath.Join(home, "bin"))}
	s.config = s.write(filepath.Join("docker", "config.json"), config)
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	run := filepath.Join(home, "run")
	if err := os.Mkdir(run, 0o700); err != nil {
		t.Fatal(err)
	}
	s.env = []string{
		"HOME=" + home, "XDG_RUNTIME_DIR=" + run,
		"PATH=" + filepath.Dir(s.helper) + string(filepath.ListSeparator) + os.Getenv("PATH"),
		"DOCKER_CONFIG=" + filepath.Dir(s.config),
		"DOCKER_HOST=unix://" + filepath.Join(run, "no-engine"),
		"CREDENTIAL_HELPER_CONFIG_FILE=" + s.write("rules.json", ociRule(host, "")),
		withoutAgent,
		"CREDENTIAL_HELPER_KEYRING=file",
		"CREDENTIAL_HELPER_KEYRING_IDENTITY=" + s.write("identity", identity.String()+"\n"),
	}
	return s
}

// linkForDocker makes a directory with the program in it, under the name of a Docker credential helper, and returns the program's path there.
func linkForDocker(t testing.TB, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "docker-credential-credhelper")
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = os.Symlink(program(t), path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func (s *dockerSite) run(stdin string, argv ...string) peertest.Result {
	s.t.Helper()
	return peertest.Run(s.t, s.home, s.env, argv, stdin)
}

// list returns the logins that the program lists: the user names by server.
func (s *dockerSite) list() map[string]string {
	s.t.Helper()
	return dockerList(s.t, s.run("unused", s.helper, "list"))
}

func dockerList(t testing.TB, r peertest.Result) map[string]string {
	t.Helper()
	var users map[string]string
	if err := json.Unmarshal([]byte(r.Stdout), &users); err != nil || r.Code != 0 || r.Stderr != "" {
		t.Fatalf("list: %+v", r)
	}
	return users
}

// store stores a login without a client's help.
func (s *dockerSite) store(server, user, secret string) {
	s.t.Helper()
	if r := s.run(dockerLogin(server, user, secret), s.helper, "store"); r != (peertest.Result{}) {
		s.t.Fatalf("store: %+v", r)
	}
}

func dockerLogin(server, user, secret string) string {
	login, err := json.Marshal(map[string]string{"ServerURL": server, "Username": user, "Secret": secret})
	if err != nil {
		panic(err) // a map of strings
	}
	return string(login)
}

// A dockerClient is a program that keeps its logins in a Docker credential helper.
//
// In the command lines, which are separated by spaces, HOST stands for the registry, USER for its user,
// ARCHIVE for a chart (which is also a layer like any other), CONFIG for docker's config.json and DIR for a directory.
type dockerClient struct {
	name, install string
	config        string // docker's config.json where the client wants another one than storeConfig
	// login reads the password on standard input. It is crane's where a client keeps its own logins elsewhere.
	login, logout string
	unchecked     bool // login does not ask the registry whether the password is right
	identity      bool // login keeps the identity token of a token server in place of the password
	repositories  bool // a repository is asked for before its host
	// write and read need a login: they push something to one of the user's repositories, and read an image there or what write has written.
	write, read string
}

var dockerClients = []dockerClient{
	{
		name: "docker", install: "apt-get install docker-cli",
		login: "login --username USER --password-stdin HOST", logout: "logout HOST", identity: true,
		read: "manifest inspect --insecure HOST/USER/app:v1",
	},
	{
		name: "crane", install: "go install github.com/google/go-containerregistry/cmd/crane@latest",
		login: "auth login HOST --username USER --password-stdin", logout: "auth logout HOST", unchecked: true, repositories: true,
		write: "append --oci-empty-base --new_tag HOST/USER/pushed:v1 --new_layer ARCHIVE",
		read:  "manifest HOST/USER/app:v1",
	},
	{
		name: "regctl", install: "go install github.com/regclient/regclient/cmd/regctl@latest",
		write: "image copy --host reg=HOST,tls=disabled HOST/USER/app:v1 HOST/USER/copied:v1",
		read:  "manifest get --host reg=HOST,tls=disabled HOST/USER/app:v1",
	},
	{
		name: "helm", install: "go install helm.sh/helm/v3/cmd/helm@latest",
		login:  "registry login HOST --plain-http --username USER --password-stdin --registry-config CONFIG",
		logout: "registry logout HOST --registry-config CONFIG",
		write:  "push ARCHIVE oci://HOST/USER --plain-http --registry-config CONFIG",
		read:   "pull oci://HOST/USER/tiny --version 0.1.0 --plain-http --registry-config CONFIG --destination DIR",
	},
	{
		name: "skopeo", install: "apt-get install skopeo",
		config: `{"credHelpers": {"HOST": "credhelper"}}`,
		login:  "login --authfile CONFIG --tls-verify=false --username USER --password-stdin HOST", logout: "logout --authfile CONFIG HOST",
		write: "copy --insecure-policy --authfile CONFIG --src-tls-verify=false --dest-tls-verify=false docker://HOST/USER/app:v1 docker://HOST/USER/copied:v1",
		read:  "inspect --authfile CONFIG --tls-verify=false docker://HOST/USER/app:v1",
	},
}

// A dockerStory is one client with one registry.
type dockerStory struct {
	*dockerSite
	client                  dockerClient
	loginProgram, ioProgram string
	registry                *peertest.Distribution
	images                  map[string]peertest.Image // by user
	archive                 string
}

// TestDockerClients has each client log in, write, read, log out, and log in again as somebody else, and Bazel's dialect use the same logins.
func TestDockerClients(t *testing.T) {
	for name, start := range map[string]func(testing.TB, map[string]string) *peertest.Distribution{
		"basic": peertest.BasicRegistry, "bearer": peertest.BearerRegistry,
	} {
		t.Run(name, func(t *testing.T) {
			registry := start(t, logins)
			images := map[string]peertest.Image{}
			for user, password := range logins {
				crane := peertest.NewCrane(t)
				crane.Login(registry.Host, user, password)
				images[user] = crane.Push(registry.Host + "/" + user + "/app:v1")
			}
			archive := chart(t)
			for _, client := range dockerClients {
				t.Run(client.name, func(t *testing.T) {
					s := &dockerStory{client: client, registry: registry, images: images, archive: archive}
					s.ioProgram = peertest.Require(t, client.name, client.install)
					s.loginProgram = s.ioProgram
					if client.login == "" {
						crane := dockerClients[1]
						s.loginProgram = peertest.Require(t, crane.name, crane.install)
						s.client.login, s.client.logout, s.client.unchecked = crane.login, crane.logout, true
					}
					config := client.config
					if config == "" {
						config = storeConfig
					}
					s.dockerSite = newDockerSite(t, registry.Host, strings.ReplaceAll(config, "HOST", registry.Host))
					s.test(t)
				})
			}
		})
	}
}

func (s *dockerStory) test(t *testing.T) {
	host := s.registry.Host
	s.expectNothing(t, "alice")

	s.login(t, "alice")
	s.expect(t, "alice")

	s.must(t, "", s.loginProgram, s.client.logout, "alice")
	s.expectNothing(t, "alice")
	s.must(t, "", s.loginProgram, s.client.logout, "alice") // nobody is logged in, and that is no error

	s.login(t, "bob")
	s.expect(t, "bob")
	// Nothing that was said for alice's login is left in the cache.
	at := "http://" + host + "/v2/alice/app/manifests/v1"
	if s.registry.Realm == "" {
		if got := s.headers(at).Get("Authorization"); got != basic("bob") {
			t.Errorf("bob is logged in, and get for %s says %s", at, got)
		}
	} else if got := fetch(t, http.MethodGet, at, s.headers(at)); got.status != http.StatusUnauthorized {
		t.Errorf("bob is logged in, and %s is %d %s", at, got.status, got.body)
	}

	if !s.client.unchecked {
		if r := s.command(t, "looking-glass", s.loginProgram, s.client.login, "alice"); r.Code == 0 {
			t.Errorf("a login with a wrong password: %+v", r)
		}
		s.expect(t, "bob")
	}

	// What docker login gets from a token server serves the other clients too.
	if s.registry.Realm != "" {
		s.store(host, "<token>", identityToken(t, s.registry, "alice"))
		s.use(t, "alice")
	}
	if s.registry.Realm != "" && s.client.repositories {
		s.login(t, "bob")
		s.store(host+"/alice/app", "alice", logins["alice"])
		s.read(t, "alice")
		s.read(t, "bob")
	}
	for _, left := range processesWith(t, "HOME="+s.home) {
		t.Errorf("a process is left: %s", left)
	}
}

// command runs a command line of the client.
func (s *dockerStory) command(t *testing.T, stdin, program, line, user string) peertest.Result {
	t.Helper()
	argv := []string{program}
	replacer := strings.NewReplacer("HOST", s.registry.Host, "USER", user, "ARCHIVE", s.archive, "CONFIG", s.config, "DIR", s.home)
	for word := range strings.FieldsSeq(line) {
		argv = append(argv, replacer.Replace(word))
	}
	return s.run(stdin, argv...)
}

func (s *dockerStory) must(t *testing.T, stdin, program, line, user string) {
	t.Helper()
	if r := s.command(t, stdin, program, line, user); r.Code != 0 {
		t.Fatalf("%s %s as %s: %+v", filepath.Base(program), line, user, r)
	}
}

func (s *dockerStory) login(t *testing.T, user string) {
	t.Helper()
	s.must(t, logins[user], s.loginProgram, s.client.login, user)
}

// expect is about a user who is logged in.
func (s *dockerStory) expect(t *testing.T, user string) {
	t.Helper()
	name, secret := user, logins[user]
	var login struct{ ServerURL, Username, Secret string }
	r := s.run(s.registry.Host, s.helper, "get")
	if err := json.Unmarshal([]byte(r.Stdout), &login); err != nil || r.Code != 0 || r.Stderr != "" {
		t.Fatalf("get: %+v", r)
	}
	if s.client.identity && s.registry.Realm != "" {
		name, secret = "<token>", login.Secret
		if secret == logins[user] || secret == "" {
			t.Errorf("%q is no identity token", secret)
		}
	}
	if login.ServerURL != s.registry.Host || login.Username != name || login.Secret != secret {
		t.Errorf("%s is logged in, and get says %s", user, r.Stdout)
	}
	if got, want := s.list(), map[string]string{s.registry.Host: name}; !maps.Equal(got, want) {
		t.Errorf("%s is logged in, and list says %v", user, got)
	}
	config, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	for _, plain := range []string{secret, logins[user], base64.StdEncoding.EncodeToString([]byte(user + ":" + logins[user]))} {
		if strings.Contains(string(config), plain) {
			t.Errorf("the login is in docker's own file: %s", config)
		}
	}
	if !strings.Contains(string(config), "credhelper") {
		t.Errorf("docker's own file names the program no more: %s", config)
	}
	s.use(t, user)
}

// use has the client and Bazel's dialect use the login.
func (s *dockerStory) use(t *testing.T, user string) {
	t.Helper()
	if s.client.write != "" {
		s.must(t, "", s.ioProgram, s.client.write, user)
	}
	s.read(t, user)
}

func (s *dockerStory) read(t *testing.T, user string) {
	t.Helper()
	s.must(t, "", s.ioProgram, s.client.read, user)
	at := "http://" + s.registry.Host + "/v2/" + user + "/app/manifests/v1"
	if got := fetch(t, http.MethodGet, at, s.headers(at)); got.status != http.StatusOK || digest(got.body) != s.images[user].Manifest {
		t.Errorf("%s: %d %s", at, got.status, got.body)
	}
}

// expectNothing is about nobody being logged in.
func (s *dockerStory) expectNothing(t *testing.T, user string) {
	t.Helper()
	if got, want := s.run(s.registry.Host, s.helper, "get"), (peertest.Result{Stdout: dockerNotFound, Code: 1}); got != want {
		t.Errorf("nobody is logged in, and get says %+v", got)
	}
	if got := s.list(); len(got) != 0 {
		t.Errorf("nobody is logged in, and list says %v", got)
	}
	if r := s.command(t, "", s.ioProgram, s.client.read, user); r.Code == 0 {
		t.Errorf("%s reads without a login: %+v", s.client.name, r)
	}
	// Without a login the token server refuses, and so does the program; a registry without one is asked without headers.
	r := s.get("http://" + s.registry.Host + "/v2/" + user + "/app/manifests/v1")
	if basic := s.registry.Realm == ""; basic && (r.Code != 0 || !strings.Contains(r.Stdout, `"headers":{}`)) || !basic && (r.Code != 1 || !strings.Contains(r.Stderr, "no login found")) {
		t.Errorf("nobody is logged in, and Bazel is told %+v", r)
	}
}

// basic is the Authorization header of a user.
func basic(user string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+logins[user]))
}

// chart makes the archive of a Helm chart with nothing but a name and a version.
func chart(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tiny-0.1.0.tgz")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	const text = "apiVersion: v2\nname: tiny\nversion: 0.1.0\n"
	zip := gzip.NewWriter(f)
	archive := tar.NewWriter(zip)
	err = archive.WriteHeader(&tar.Header{Name: "tiny/Chart.yaml", Mode: 0o644, Size: int64(len(text))})
	if err == nil {
		_, err = fmt.Fprint(archive, text)
	}
	for _, c := range []interface{ Close() error }{archive, zip, f} {
		if closeErr := c.Close(); err == nil {
			err = closeErr
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}
