package loginstore

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fe055d52/credential-helper/internal/ascii"
	"github.com/fe055d52/credential-helper/internal/redact"
)

// hub is how docker names Docker Hub: https://github.com/moby/moby/blob/v28.0.0/registry/config.go
const hub = "https://index.docker.io/v1/"

// maxServer is the length in bytes above which a server's name is refused: Windows takes accounts of 512 characters.
const maxServer = 400

var errLong = errors.New("the server's name is longer than 400 bytes")

// Canonical returns the one spelling of a server under which its login is kept: the host in lower case without scheme and default port,
// and behind it, where the login is for a part of the host, the path. A path that is the protocol's ("/v1/", "/v2/") is dropped.
// The spellings of Docker Hub's host are one, "https://index.docker.io/v1/".
//
// A name that is empty, longer than 400 bytes, or has user info, a query, a fragment, spaces or control characters is an error.
func Canonical(server string) (string, error) {
	host, path, err := split(server)
	if err != nil {
		return "", err
	}
	return join(host, path), nil
}

func join(host, path string) string {
	switch {
	case path != "":
		return host + "/" + path
	case host == "index.docker.io":
		return hub
	default:
		return host
	}
}

func split(server string) (host, path string, err error) {
	switch {
	case server == "":
		return "", "", errors.New("the server's name is empty")
	case len(server) > maxServer:
		return "", "", errLong
	case !utf8.ValidString(server):
		return "", "", errors.New("the server's name is not valid UTF-8")
	case strings.ContainsFunc(server, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }):
		return "", "", errors.New("the server's name has a space or a control character")
	}
	scheme, rest, isURL := strings.Cut(server, "://")
	if !isURL {
		scheme, rest = "", server
	}
	scheme = ascii.Lower(scheme)
	if isURL && scheme != "https" && scheme != "http" {
		return "", "", fmt.Errorf("the server %s is not one that docker logs in to: its scheme is not http or https", redact.Quote(server, 100))
	}
	host, path, _ = strings.Cut(rest, "/")
	if strings.ContainsAny(host, `@\`) || strings.ContainsAny(rest, "?#") || strings.Contains(rest, "://") {
		return "", "", fmt.Errorf("the server %s has more than a host and a path", redact.Quote(server, 100))
	}
	host = ascii.Lower(host)
	name, port := host, ""
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		name, port = host[:i], host[i:]
	}
	switch {
	case name == "":
		return "", "", fmt.Errorf("the server %s has no host", redact.Quote(server, 100))
	case strings.Contains(name, ":") && (name[0] != '[' || name[len(name)-1] != ']'):
		return "", "", fmt.Errorf("the server %s has more than one port, or an IPv6 address without brackets", redact.Quote(server, 100))
	case port == ":":
		return "", "", fmt.Errorf("the server %s has a colon without a port", redact.Quote(server, 100))
	case port == ":443" || port == ":80" && scheme == "http":
		host = name
	}
	if host == "docker.io" || host == "registry-1.docker.io" {
		host = "index.docker.io"
	}
	protocol := path == "v1/" || path == "v2/" || isURL && (path == "v1" || path == "v2")
	path = strings.TrimRight(path, "/")
	if protocol {
		path = ""
	}
	if len(join(host, path)) > maxServer {
		return "", "", errLong
	}
	return host, path, nil
}

// candidates returns the canonical names of the logins that serve a server, the narrowest first.
func candidates(server string) ([]string, error) {
	host, path, err := split(server)
	if err != nil {
		return nil, err
	}
	names := []string{join(host, path)}
	// Docker keeps the tokens of a login in the browser beside it, at "https://index.docker.io/v1/access-token": these are names of entries, not repositories.
	if strings.HasPrefix(path, "v1/") || strings.HasPrefix(path, "v2/") {
		return names, nil
	}
	for path != "" {
		path = path[:max(strings.LastIndexByte(path, '/'), 0)]
		if path != strings.TrimRight(path, "/") {
			continue
		}
		names = append(names, join(host, path))
	}
	return names, nil
}
