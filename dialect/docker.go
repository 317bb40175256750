package dialect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/redact"
)

// Docker's credential helper protocol: https://github.com/docker/docker-credential-helpers#development
//
// The messages below are part of it: clients compare them word by word.
var (
	ErrDockerNotFound   = errors.New("credentials not found in native keychain")
	ErrDockerNoServer   = errors.New("no credentials server URL")
	ErrDockerNoUsername = errors.New("no credentials username")
)

// IdentityTokenUser is the user name that says that a secret is an identity token.
const IdentityTokenUser = "<token>"

// maxDockerRequest is the size in bytes above which a request is refused.
const maxDockerRequest = 1 << 20

// A DockerLogin is what `store` reads and `get` writes.
type DockerLogin struct {
	Server, Username string
	Secret           redact.Secret
}

// ReadDockerServer reads the name of a server, as `get` and `erase` are sent it.
func ReadDockerServer(r io.Reader) (string, error) {
	data, err := readLimited(r)
	if err != nil {
		return "", err
	}
	return checkDockerServer(strings.TrimRight(string(data), "\r\n"))
}

func readLimited(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxDockerRequest+1))
	if err != nil {
		return nil, fmt.Errorf("reading the request: %w", err)
	}
	if len(data) > maxDockerRequest {
		return nil, fmt.Errorf("reading the request: it is larger than %d bytes", maxDockerRequest)
	}
	return data, nil
}

func checkDockerServer(server string) (string, error) {
	if strings.TrimSpace(server) == "" {
		return "", ErrDockerNoServer
	}
	if len(server) > helpers.MaxURL {
		return "", fmt.Errorf("reading the request: the server's name is longer than %d bytes", helpers.MaxURL)
	}
	for i := range len(server) {
		if c := server[i]; c < 0x20 || c == 0x7f {
			return "", fmt.Errorf("reading the request: the server's name has a control character (0x%02x)", c)
		}
	}
	return strings.TrimSpace(server), nil
}

// dockerLogin is the JSON form of a login. Its field names are the protocol's.
type dockerLogin struct {
	ServerURL string
	Username  string
	Secret    string
}

// ReadDockerLogin reads a login, as `store` is sent it.
func ReadDockerLogin(r io.Reader) (DockerLogin, error) {
	data, err := readLimited(r)
	if err != nil {
		return DockerLogin{}, err
	}
	var in dockerLogin
	if err := json.Unmarshal(data, &in); err != nil {
		// The error would quote what it did not understand, which may be a part of the secret.
		return DockerLogin{}, errors.New(`reading the request: it is not a JSON object with the strings "ServerURL", "Username" and "Secret"`)
	}
	server, err := checkDockerServer(in.ServerURL)
	if err != nil {
		return DockerLogin{}, err
	}
	if in.Username == "" {
		return DockerLogin{}, ErrDockerNoUsername
	}
	login := DockerLogin{Server: server, Username: in.Username, Secret: redact.New(in.Secret)}
	for _, value := range []redact.Secret{redact.Hold(in.Username), login.Secret} {
		if err := helpers.CheckHeaderValue(value); err != nil {
			return DockerLogin{}, fmt.Errorf("reading the request: %w", err)
		}
	}
	return login, nil
}

// WriteDockerLogin writes the answer to `get`.
func WriteDockerLogin(w io.Writer, login DockerLogin) error {
	return writeJSON(w, dockerLogin{ServerURL: login.Server, Username: login.Username, Secret: login.Secret.Reveal()})
}

// WriteDockerList writes the answer to `list`: the user names by server.
func WriteDockerList(w io.Writer, users map[string]string) error {
	if users == nil {
		users = map[string]string{}
	}
	return writeJSON(w, users)
}

func writeJSON(w io.Writer, v any) error {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("writing the answer: %w", err) // strings alone: cannot fail
	}
	if _, err := w.Write(buf.Bytes()); err != nil {
		return fmt.Errorf("writing the answer: %w", err)
	}
	return nil
}
