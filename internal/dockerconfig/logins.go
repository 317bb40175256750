package dockerconfig

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/ascii"
	"github.com/fe055d52/credential-helper/internal/redact"
)

// hubKey is the name by which docker knows Docker Hub, in every list of registries.
const hubKey = "https://index.docker.io/v1/"

// tokenUser is the user name that says, in docker's protocol, that the secret is an identity token.
const tokenUser = "<token>"

// loginKeys are the keys of an entry of "auths" that make up a login. What else stands there is kept when the login is taken out.
var loginKeys = []string{"auth", "username", "password", "identitytoken", "serveraddress"}

func isLoginKey(key string) bool {
	return slices.ContainsFunc(loginKeys, func(k string) bool { return strings.EqualFold(k, key) }) // as package encoding/json, by which docker reads it
}

// A Login is one that stands in the file in plain text.
type Login struct {
	Server   string // as the file names it
	Username string // "<token>" where Secret is an identity token
	Secret   redact.Secret
}

type authEntry struct {
	Auth          string `json:"auth"`
	Username      string `json:"username"`
	Password      string `json:"password"`
	IdentityToken string `json:"identitytoken"`
}

// PlainServers returns the servers whose logins stand in plain text, in the file's order.
func (d *Document) PlainServers() []string {
	var servers []string
	for _, m := range d.section(keyAuths).members {
		var e authEntry
		if json.Unmarshal([]byte(m.value), &e) == nil && (e.Auth != "" || e.Password != "" || e.IdentityToken != "") {
			servers = append(servers, m.key)
		}
	}
	return servers
}

// Login returns a server's login. The error does not quote it.
func (d *Document) Login(server string) (Login, error) {
	m := d.section(keyAuths).get(server)
	if m == nil {
		return Login{}, helpers.NotFoundf("%s has no login for %s", d.shown, server)
	}
	var e authEntry
	if err := json.Unmarshal([]byte(m.value), &e); err != nil {
		return Login{}, fmt.Errorf("%s: the login for %s is not an object", d.shown, server)
	}
	if e.Auth != "" {
		// USER:PASSWORD. Old versions of docker wrote NUL bytes behind the password.
		text, err := base64.StdEncoding.DecodeString(e.Auth)
		user, password, ok := strings.Cut(string(text), ":")
		if err != nil || !ok || user == "" {
			return Login{}, helpers.WithHint(fmt.Errorf(`%s: the "auth" of %q is not USER:PASSWORD in base64`, d.shown, server),
				"docker logout %s removes it", server)
		}
		e.Username, e.Password = user, strings.Trim(password, "\x00")
	}
	// A docker client that has both uses the identity token.
	switch {
	case e.IdentityToken != "":
		return Login{Server: server, Username: tokenUser, Secret: redact.New(e.IdentityToken)}, nil
	case e.Username == "" || e.Password == "":
		return Login{}, helpers.WithHint(fmt.Errorf("%s: the login for %q lacks a user name or a password", d.shown, server), "docker logout %s removes it", server)
	default:
		return Login{Server: server, Username: e.Username, Secret: redact.New(e.Password)}, nil
	}
}

// ClearLogin takes a server's login out of the file. Its entry stays, as docker has it for a login that lives in a store: {}.
func (d *Document) ClearLogin(server string) {
	auths := d.section(keyAuths)
	m := auths.get(server)
	if m == nil {
		return
	}
	entry := members(m.value)
	kept := slices.DeleteFunc(slices.Clone(entry), func(m member) bool { return isLoginKey(m.key) })
	if len(kept) == len(entry) {
		return
	}
	m.value = kept.String()
	auths.changed, d.changed = true, true
}

// ServedBy returns the credential store that docker asks for a server's login: the registry's own, else that of credsStore.
// An entry of "auths" may be for a URL of the registry, which is how old versions of docker wrote it.
func (d *Document) ServedBy(server string) string {
	if name, ok := d.Helper(server); ok {
		return name
	}
	if registry, err := RegistryKey(server); err == nil {
		if name, ok := d.Helper(registry); ok {
			return name
		}
	}
	name, _ := d.Store()
	return name
}

// RegistryKey returns the key under which docker looks for the credential store of a registry: HOST or HOST:PORT, and for Docker Hub
// "https://index.docker.io/v1/". It takes the registry as a person writes it, or as `docker login` does: with https:// before it and /v1/ or /v2/ behind.
// A repository has no store of its own in docker, and is refused.
func RegistryKey(registry string) (string, error) {
	host := registry
	if scheme, rest, ok := strings.Cut(registry, "://"); ok {
		if !ascii.EqualFold(scheme, "https") && !ascii.EqualFold(scheme, "http") {
			return "", fmt.Errorf("%q is not a registry: it takes HOST or HOST:PORT", redact.Quote(registry, 100))
		}
		host = rest
	}
	host = strings.TrimSuffix(host, "/")
	for _, version := range []string{"/v1", "/v2"} {
		host = strings.TrimSuffix(host, version)
	}
	host = ascii.Lower(host)
	if strings.Contains(host, "/") {
		return "", fmt.Errorf("%q is not a registry: docker has no store for a single repository", redact.Quote(registry, 100))
	}
	u, err := url.Parse("https://" + host)
	if err != nil || host == "" || u.Host != host || u.Hostname() == "" || strings.ContainsAny(host, "*%\\ ") {
		return "", fmt.Errorf("%q is not a registry: it takes HOST or HOST:PORT", redact.Quote(registry, 100))
	}
	switch host {
	case "docker.io", "index.docker.io", "registry-1.docker.io":
		return hubKey, nil
	}
	return host, nil
}
