package lookup

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/docker/cli/cli/config/configfile"
)

// basic is what docker writes as "auth".
func basic(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}

// auths is a login file with "auth" entries for pairs of a key and a user, all with the canary as password.
func auths(pairs ...string) string {
	var entries []string
	for i := 0; i < len(pairs); i += 2 {
		entries = append(entries, fmt.Sprintf("%q: {\"auth\": %q}", pairs[i], basic(pairs[i+1], canary)))
	}
	return `{"auths": {` + strings.Join(entries, ", ") + `}}`
}

func loginOf(user string) outcome {
	return outcome{values: "default=" + canary + " password=" + canary + " username=" + user}
}

const noPodman = "; podman's auth.json files do not exist"

// expectDocker expects what the one file ~/.docker/config.json yields.
func expectDocker(t *testing.T, config string, q Query, want outcome) {
	t.Helper()
	s := newSources(t, nil)
	write(t, s, ".docker/config.json", config)
	expect(t, s, s.Docker(), q, want)
}

func TestDockerKeys(t *testing.T) {
	notOnWindows(t) // for the slashes in what is expected
	for _, tt := range []struct {
		name, config, registry, repository string
		user                               string // empty: no login
	}{
		{"host", auths("registry.test", "bob"), "registry.test", "", "bob"},
		{"among others", auths("a.test", "a", "registry.test", "bob", "z.test", "z"), "registry.test", "", "bob"},
		{"host and port", auths("registry.test:5000", "bob"), "registry.test:5000", "", "bob"},
		{"localhost", auths("localhost:5000", "bob"), "localhost:5000", "", "bob"},
		{"IPv6", auths("[::1]:5000", "bob"), "[::1]:5000", "", "bob"},
		{"upper case", auths("Registry.TEST", "bob"), "registry.test", "", "bob"},
		{"the scheme's port in the key", auths("registry.test:443", "bob"), "registry.test", "", "bob"},
		{"the scheme's port in the query", auths("registry.test", "bob"), "registry.test:443", "", "bob"},
		{"a URL", auths("https://registry.test", "bob"), "registry.test", "", "bob"},
		{"a URL with a slash", auths("https://registry.test/", "bob"), "registry.test", "", "bob"},
		{"a URL of version 1", auths("https://registry.test/v1/", "bob"), "registry.test", "", "bob"},
		{"a URL of version 2", auths("https://registry.test/v2/", "bob"), "registry.test", "team/app", "bob"},
		{"a URL with a port", auths("https://registry.test:5000/v2/", "bob"), "registry.test:5000", "", "bob"},
		{"a URL with a path", auths("https://registry.test/some/path", "bob"), "registry.test", "team/app", "bob"},
		{"plain HTTP", auths("http://registry.test:5000", "bob"), "registry.test:5000", "", "bob"},
		{"plain HTTP and its port", auths("http://registry.test:80", "bob"), "registry.test", "", "bob"},
		{"host and version", auths("registry.test/v2/", "bob"), "registry.test", "team/app", "bob"},
		{"docker's own spelling first", auths("https://registry.test", "eve", "registry.test", "bob", "registry.test/v1/", "eve"), "registry.test", "", "bob"},

		{"another host", auths("registry.test", "bob"), "registry.example", "", ""},
		{"a host above", auths("test", "bob"), "registry.test", "", ""},
		{"a host below", auths("my.registry.test", "bob"), "registry.test", "", ""},
		{"a suffix", auths("evilregistry.test", "bob"), "registry.test", "", ""},
		{"another port", auths("registry.test:5000", "bob"), "registry.test", "", ""},
		{"a key without the port", auths("registry.test", "bob"), "registry.test:5000", "", ""},
		{"user info", auths("https://registry.test@evil.test/", "bob", "https://evil.test@registry.test/", "bob"), "registry.test", "", ""},
		{"a backslash", auths(`https://evil.test\@registry.test/`, "bob"), "registry.test", "", ""},
		{"another scheme", auths("ftp://registry.test", "bob"), "registry.test", "", ""},
		{"an empty key", auths("", "bob", "https://", "bob", "/", "bob"), "registry.test", "", ""},
		{"a wildcard", auths("*.test", "bob"), "registry.test", "", ""},

		{"repository", auths("registry.test/team/app", "bob"), "registry.test", "team/app", "bob"},
		{"part of a repository", auths("registry.test/team", "bob"), "registry.test", "team/app", "bob"},
		{"a slash at its end", auths("registry.test/team/", "bob"), "registry.test", "team/app", "bob"},
		{"the longest", auths("registry.test", "eve", "registry.test/team", "eve", "registry.test/team/app", "bob", "registry.test/team/app/sub", "eve"), "registry.test", "team/app", "bob"},
		{"the host alone is left", auths("registry.test", "bob", "registry.test/other", "eve"), "registry.test", "team/app", "bob"},
		{"another repository", auths("registry.test/team/app", "eve"), "registry.test", "team/other", ""},
		{"not inside a name", auths("registry.test/team/app", "eve"), "registry.test", "team/apple", ""},
		{"no repository asked for", auths("registry.test/team/app", "eve"), "registry.test", "", ""},

		{"Docker Hub", auths("https://index.docker.io/v1/", "bob"), "docker.io", "library/alpine", "bob"},
		{"Docker Hub's index", auths("https://index.docker.io/v1/", "bob"), "index.docker.io", "", "bob"},
		{"Docker Hub's registry", auths("https://index.docker.io/v1/", "bob"), "registry-1.docker.io", "", "bob"},
		{"Docker Hub as podman writes it", auths("docker.io", "bob"), "registry-1.docker.io", "", "bob"},
		{"Docker Hub, docker's key first", auths("docker.io", "eve", "https://index.docker.io/v1/", "bob", "index.docker.io", "eve"), "docker.io", "", "bob"},
		{"Docker Hub, a repository", auths("docker.io/team", "bob", "https://index.docker.io/v1/", "eve"), "registry-1.docker.io", "team/app", "bob"},
		{"no part of Docker Hub", auths("https://index.docker.io/v1/", "bob"), "hub.docker.io", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := loginOf(tt.user)
			if tt.user == "" {
				want = outcome{kind: "not found", err: "~/.docker/config.json has no login for " + canonicalRegistry(tt.registry) + noPodman}
			}
			expectDocker(t, tt.config, Query{Registry: tt.registry, Repository: tt.repository}, want)
		})
	}
}

func TestDockerEntries(t *testing.T) {
	notOnWindows(t)
	none := outcome{kind: "not found", err: "~/.docker/config.json has no login for registry.test" + noPodman}
	noAuth := outcome{kind: "broken", err: `reading docker's logins: ~/.docker/config.json: the "auth" of "registry.test" is not USER:PASSWORD in base64`, hint: "run docker login registry.test again"}
	auth := basic("bob", canary)
	for _, tt := range []struct {
		name, entry string
		want        outcome
	}{
		{"auth", `{"auth": "` + auth + `"}`, loginOf("bob")},
		{"auth over fields", `{"auth": "` + auth + `", "username": "eve", "password": "x"}`, loginOf("bob")},
		{"a line end in auth", `{"auth": "` + auth[:8] + `\n` + auth[8:] + `\r\n"}`, loginOf("bob")},
		{"a colon in the password", `{"auth": "` + basic("bob", "a:b") + `"}`, outcome{values: "default=a:b password=a:b username=bob"}},
		{"NUL bytes behind the password", `{"auth": "` + basic("bob", canary+"\x00\x00") + `"}`, loginOf("bob")},
		{"fields", `{"username": "bob", "password": "` + canary + `"}`, loginOf("bob")},
		{"more fields", `{"email": "bob@example.com", "username": "bob", "password": "` + canary + `", "serveraddress": "x"}`, loginOf("bob")},
		{"a password alone", `{"password": "` + canary + `"}`, loginOf("")},
		{"identity token", `{"identitytoken": "` + canary + `"}`, outcome{values: "identitytoken=" + canary}},
		{"identity token and user", `{"auth": "` + basic("00000000-0000-0000-0000-000000000000", "") + `", "identitytoken": "` + canary + `"}`, outcome{values: "identitytoken=" + canary + " username=00000000-0000-0000-0000-000000000000"}},
		{"identity token and login", `{"auth": "` + auth + `", "identitytoken": "t"}`, outcome{values: "default=" + canary + " identitytoken=t password=" + canary + " username=bob"}},
		{"registry token", `{"registrytoken": "` + canary + `"}`, outcome{values: "registrytoken=" + canary}},
		{"null", `null`, none},
		{"empty", `{}`, none},
		{"empty fields", `{"auth": "", "username": "", "password": ""}`, none},
		{"a user alone", `{"username": "bob"}`, none},
		{"no password", `{"auth": "` + basic("bob", "") + `"}`, none},
		{"no padding", `{"auth": "` + strings.TrimRight(basic("bob", canary), "=") + `"}`, noAuth},
		{"no colon", `{"auth": "` + base64.StdEncoding.EncodeToString([]byte(canary)) + `"}`, noAuth},
		{"no user", `{"auth": "` + basic("", canary) + `"}`, noAuth},
		{"no base64", `{"auth": "` + canary + `!"}`, noAuth},
	} {
		t.Run(tt.name, func(t *testing.T) {
			expectDocker(t, `{"auths": {"registry.test": `+tt.entry+`}}`, Query{Registry: "registry.test"}, tt.want)
		})
	}
}

func TestDockerFiles(t *testing.T) {
	notOnWindows(t)
	none := outcome{kind: "not found", err: "~/.docker/config.json has no login for registry.test" + noPodman}
	broken := func(text string) outcome { return outcome{kind: "broken", err: text} }
	for _, tt := range []struct {
		name, config string
		want         outcome
	}{
		{"nothing in it", `{}`, none},
		{"empty, which docker accepts", "", none},
		{"white space", " \n", none},
		{"null", `{"auths": null, "credHelpers": null, "credsStore": null}`, none},
		{"keys that are not ours", `{"HttpHeaders": {"X": "y"}, "detachKeys": "ctrl-e,e", "auths": {}, "future": [1, {"auths": 2}]}`, none},
		{"malformed", "{\n  \"auths\": {\"registry.test\": {\"auth\": \"" + canary + "\"},},\n}", broken(`reading docker's logins: ~/.docker/config.json:2:59: not valid JSON: a comma too many stands before this "}"`)},
		{"cut off", `{"auths": {`, broken(`reading docker's logins: ~/.docker/config.json:1:12: the JSON is cut off: a bracket, or a quotation mark, is not closed`)},
		{"no object", `[]`, broken(`reading docker's logins: ~/.docker/config.json:1:1: a JSON object is wanted here, not an array`)},
		{"a byte order mark", "\xef\xbb\xbf{}", broken(`reading docker's logins: ~/.docker/config.json:1:1: the file begins with a byte order mark; save it as UTF-8 without one`)},
		{"two objects", `{} {}`, broken(`reading docker's logins: ~/.docker/config.json:1:4: not valid JSON: the document has ended before this "{"`)},
		{"wrong type", "{\n  \"auths\": [\"" + canary + "\"]}", broken(`reading docker's logins: ~/.docker/config.json:2:13: the JSON array here is of the wrong type for docker's configuration`)},
		{"wrong type of a secret", "{\"auths\": {\"registry.test\": {\"password\": 123456}}}", broken(`reading docker's logins: ~/.docker/config.json:1:48: the JSON number here is of the wrong type for docker's configuration`)},
		{"too large", strings.Repeat(" ", maxDockerFile) + "{}", broken(`reading docker's logins in ~/.docker/config.json: it is larger than 1048576 bytes`)},
	} {
		t.Run(tt.name, func(t *testing.T) { expectDocker(t, tt.config, Query{Registry: "registry.test"}, tt.want) })
	}
}

func TestDockerPlaces(t *testing.T) {
	notOnWindows(t)
	const docker, podman, runtime = ".docker/config.json", ".config/containers/auth.json", "run/containers/auth.json"
	own := func(name string) string { return auths("registry.test", name) }
	for _, tt := range []struct {
		name  string
		vars  map[string]string
		files map[string]string
		want  outcome
	}{
		{"nothing", nil, nil, outcome{kind: "not found", err: "~/.docker/config.json does not exist" + noPodman}},
		{"docker's", nil, map[string]string{docker: own("docker"), podman: own("podman")}, loginOf("docker")},
		{"podman's", nil, map[string]string{podman: own("podman")}, loginOf("podman")},
		{"podman's, where docker's has none", nil, map[string]string{docker: auths("a.test", "a"), podman: own("podman")}, loginOf("podman")},
		{"podman's of the session", map[string]string{"XDG_RUNTIME_DIR": "~/run"}, map[string]string{podman: own("podman"), runtime: own("session")}, loginOf("session")},
		{"podman's named one", map[string]string{"XDG_RUNTIME_DIR": "~/run", "REGISTRY_AUTH_FILE": "~/named.json"}, map[string]string{"named.json": own("named"), runtime: own("session")}, loginOf("named")},
		{"podman's elsewhere", map[string]string{"XDG_CONFIG_HOME": "~/xdg"}, map[string]string{podman: own("podman"), "xdg/containers/auth.json": own("xdg")}, loginOf("xdg")},
		{"docker's elsewhere", map[string]string{"DOCKER_CONFIG": "~/dir"}, map[string]string{docker: own("docker"), "dir/config.json": own("elsewhere")}, loginOf("elsewhere")},
		{"docker's elsewhere, from the working directory", map[string]string{"DOCKER_CONFIG": "../dir"}, map[string]string{docker: own("docker"), "dir/config.json": own("elsewhere")}, loginOf("elsewhere")},
		{"docker's elsewhere is not there", map[string]string{"DOCKER_CONFIG": "~/dir"}, map[string]string{docker: own("docker")}, outcome{kind: "not found", err: "~/dir/config.json does not exist" + noPodman}},
		{"docker's is switched off", map[string]string{"DOCKER_CONFIG": "/dev/null"}, map[string]string{docker: own("docker")}, outcome{kind: "not found", err: "/dev/null/config.json does not exist" + noPodman}},
		{"the environment's", map[string]string{"DOCKER_AUTH_CONFIG": own("environment")}, map[string]string{docker: own("docker")}, loginOf("environment")},
		{"the environment's has none", map[string]string{"DOCKER_AUTH_CONFIG": auths("a.test", "a")}, map[string]string{docker: own("docker")}, loginOf("docker")},
		{"the environment's is malformed", map[string]string{"DOCKER_AUTH_CONFIG": `{"auths": ` + canary}, map[string]string{docker: own("docker")}, outcome{kind: "broken", err: `reading docker's logins: $DOCKER_AUTH_CONFIG:1:11: not valid JSON: a value is wanted here, not "c"; text stands in double quotes`}},
		{"the environment's is too large", map[string]string{"DOCKER_AUTH_CONFIG": strings.Repeat(" ", maxDockerFile+1)}, nil, outcome{kind: "broken", err: `reading docker's logins in $DOCKER_AUTH_CONFIG: it is larger than 1048576 bytes`}},
		{"a directory", nil, map[string]string{docker + "/x": "", podman: own("podman")}, outcome{kind: "broken", err: "reading docker's logins in ~/.docker/config.json: it is a directory"}},
		{"malformed stops", nil, map[string]string{docker: "{", podman: own("podman")}, outcome{kind: "broken", err: "reading docker's logins: ~/.docker/config.json:1:2: the JSON is cut off: a bracket, or a quotation mark, is not closed"}},
		{"all are told", map[string]string{"DOCKER_AUTH_CONFIG": "{}", "XDG_RUNTIME_DIR": "~/run"}, map[string]string{docker: "{}", runtime: "{}"}, outcome{kind: "not found", err: "$DOCKER_AUTH_CONFIG has no login for registry.test; ~/.docker/config.json has no login for registry.test; ~/run/containers/auth.json has no login for registry.test"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			vars := map[string]string{}
			s := newSources(t, vars)
			for name, value := range tt.vars {
				vars[name] = strings.ReplaceAll(value, "~", s.Env.Home)
			}
			for name, content := range tt.files {
				write(t, s, name, content)
			}
			expect(t, s, s.Docker(), Query{Registry: "registry.test"}, tt.want)
		})
	}
	t.Run("no home", func(t *testing.T) {
		s := newSources(t, nil)
		s.Env.Home = ""
		expect(t, nil, s.Docker(), Query{Registry: "registry.test"}, outcome{kind: "not found", err: "podman's auth.json files do not exist"})
	})
}

func TestDockerByURL(t *testing.T) {
	notOnWindows(t)
	expectDocker(t, auths("registry.test:5000", "bob"), ask(t, "https://registry.test:5000/v2/x"), loginOf("bob"))
	expectDocker(t, auths("*.registry.test", "bob"), ask(t, "https://*.registry.test/"), outcome{kind: "not found", err: "docker's logins are for one registry each, not for *.registry.test"})
}

// TestDockerAgreesWithDocker asks docker's own library and us for the same login in the same file.
func TestDockerAgreesWithDocker(t *testing.T) {
	t.Setenv("DOCKER_AUTH_CONFIG", "") // the library reads the process's environment
	configs := map[string]string{
		"hosts":           auths("registry.test", "a", "registry.test:5000", "b", "localhost:5000", "c", "ghcr.io", "d"),
		"URLs":            auths("https://registry.test/v1/", "a", "https://registry.test:5000/v2/", "b", "http://localhost:5000", "c", "https://index.docker.io/v1/", "d"),
		"hosts and paths": auths("registry.test/v1/", "a", "registry.test:5000/v2/", "b"),
		"both spellings":  auths("registry.test", "a", "https://registry.test/", "b"),
		"fields":          `{"auths": {"registry.test": {"username": "bob", "password": "p", "registrytoken": "r"}, "https://index.docker.io/v1/": {"identitytoken": "i"}}}`,
		"auth and tokens": `{"auths": {"registry.test": {"auth": "` + basic("bob", "p\x00") + `", "username": "eve", "identitytoken": "i", "registrytoken": "r"}, "localhost:5000": null, "ghcr.io": {}}}`,
		"line ends":       `{"auths": {"registry.test": {"auth": "` + basic("bob", "pass")[:4] + `\r\n` + basic("bob", "pass")[4:] + `\n"}}}`,
		"colons":          `{"auths": {"registry.test": {"auth": "` + basic("bob", ":a::b") + `"}}}`,
		"empty":           "",
		"nothing":         `{}`,
	}
	for name, config := range configs {
		t.Run(name, func(t *testing.T) {
			theirs := configfile.New("config.json")
			if err := theirs.LoadFromReader(strings.NewReader(config)); err != nil {
				t.Fatal(err)
			}
			s := newSources(t, nil)
			write(t, s, ".docker/config.json", config)
			for _, registry := range []string{"registry.test", "registry.test:5000", "localhost:5000", "ghcr.io", "docker.io", "index.docker.io", "other.test"} {
				want, err := theirs.GetAuthConfig(registry)
				if err != nil {
					t.Fatal(err)
				}
				got, err := s.Docker().Lookup(t.Context(), Query{Registry: registry})
				if want.Password == "" && want.IdentityToken == "" && want.RegistryToken == "" {
					if o := outcomeOf(s, got, err); o.kind != "not found" {
						t.Errorf("%s: docker has none, we have %+v", registry, o)
					}
					continue
				}
				if err != nil {
					t.Errorf("%s: %v", registry, err)
				}
				for binding, value := range map[string]string{Username: want.Username, Password: want.Password, IdentityToken: want.IdentityToken, RegistryToken: want.RegistryToken} {
					if got[binding].Reveal() != value {
						t.Errorf("%s: %s is %q, docker has %q", registry, binding, got[binding].Reveal(), value)
					}
				}
			}
		})
	}
}

// TestDockerRefusesWhatDockerRefuses holds the other half: what is no login to docker is none to us.
func TestDockerRefusesWhatDockerRefuses(t *testing.T) {
	for _, auth := range []string{"x", "!!!!", basic("", "p"), base64.StdEncoding.EncodeToString([]byte("nocolon")), strings.TrimRight(basic("bob", "p"), "="), basic("bob", "p") + " "} {
		config := `{"auths": {"registry.test": {"auth": "` + auth + `"}}}`
		if err := configfile.New("config.json").LoadFromReader(strings.NewReader(config)); err == nil {
			t.Errorf("docker accepts %q", auth)
		}
		s := newSources(t, nil)
		write(t, s, ".docker/config.json", config)
		got, err := s.Docker().Lookup(t.Context(), Query{Registry: "registry.test"})
		if o := outcomeOf(s, got, err); o.kind != "broken" {
			t.Errorf("%q: %+v", auth, o)
		}
	}
}

// FuzzDockerFile holds that no file makes the search panic, or yield a login under a key for another host.
func FuzzDockerFile(f *testing.F) {
	f.Add(auths("registry.test", "bob"), "registry.test", "team/app")
	f.Add(auths("https://registry.test:443/v2/", "bob"), "registry.test", "")
	f.Add(auths("https://index.docker.io/v1/", "bob"), "docker.io", "library/x")
	f.Add(auths(`https://registry.test\@evil.test`, "bob"), "evil.test", "")
	f.Add(auths("registry.test/team", "bob"), "registry.test", "team/app")
	f.Add(`{"credHelpers": {"registry.test": "x"}, "credsStore": "y", "auths": {"registry.test": null}}`, "registry.test", "")
	f.Fuzz(func(t *testing.T, config, registry, repository string) {
		if registry == "" {
			return
		}
		file, err := parseDockerFile(place{shown: "config.json"}, []byte(config))
		if err != nil {
			return
		}
		want := target{canonicalRegistry(registry), repository}
		file.helperFor(want)
		_, _ = file.loginFor(want)
		for key, auth := range file.Auths {
			alone := &dockerFile{Auths: map[string]dockerAuth{key: auth}, CredHelpers: map[string]string{key: "store"}}
			if login, err := alone.loginFor(want); (login != nil || err != nil) && !sameHost(key, registry) {
				t.Errorf("the key %q yields a login for %q", key, registry)
			}
			if _, store := alone.helperFor(want); store != "" && !sameHost(key, registry) {
				t.Errorf("the key %q yields a credential helper for %q", key, registry)
			}
		}
	})
}

// sameHost tells, by another road than splitKey, whether a key names the host of a registry.
func sameHost(key, registry string) bool {
	norm := func(s string) string {
		if !strings.Contains(s, "://") {
			s = "https://" + s
		}
		u, err := url.Parse(s)
		if err != nil {
			// Registries that cannot be asked for are compared as they stand before the first slash.
			_, rest, _ := strings.Cut(s, "://")
			s, _, _ = strings.Cut(rest, "/")
			u = &url.URL{Scheme: "https", Host: s}
		}
		host := strings.ToLower(u.Host)
		host = strings.TrimSuffix(host, ":443")
		if strings.EqualFold(u.Scheme, "http") {
			host = strings.TrimSuffix(host, ":80")
		}
		switch host {
		case "docker.io", "index.docker.io", "registry-1.docker.io":
			return "Docker Hub"
		}
		return host
	}
	return norm(key) == norm(registry)
}
