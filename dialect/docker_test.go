package dialect

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/fe055d52/credential-helper/internal/redact"
)

func TestReadDockerServer(t *testing.T) {
	for _, tt := range []struct {
		name, in, want string
		err            string
	}{
		{name: "host", in: "ghcr.io", want: "ghcr.io"},
		{name: "line end", in: "ghcr.io\r\n", want: "ghcr.io"},
		{name: "space around", in: " ghcr.io ", want: "ghcr.io"},
		{name: "URL", in: "https://index.docker.io/v1/", want: "https://index.docker.io/v1/"},
		{name: "nothing", in: "", err: "no credentials server URL"},
		{name: "white space", in: " \n", err: "no credentials server URL"},
		{name: "two lines", in: "a\nb", err: "reading the request: the server's name has a control character (0x0a)"},
		{name: "carriage return", in: "a\rb", err: "reading the request: the server's name has a control character (0x0d)"},
		{name: "NUL", in: "a\x00b", err: "reading the request: the server's name has a control character (0x00)"},
		{name: "long", in: strings.Repeat("a", 40<<10), err: "reading the request: the server's name is longer than 32768 bytes"},
		{name: "huge", in: strings.Repeat("a", 2<<20), err: "reading the request: it is larger than 1048576 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ReadDockerServer(strings.NewReader(tt.in))
			if got != tt.want || tt.err == "" && err != nil || tt.err != "" && (err == nil || err.Error() != tt.err) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestReadDockerLogin(t *testing.T) {
	for _, tt := range []struct{ name, in, err string }{
		{"whole", `{"ServerURL":"a.test","Username":"u","Secret":"hunter2"}`, ""},
		{"more", `{"ServerURL":"a.test","Username":"u","Secret":"hunter2","x":1}`, ""},
		{"no server", `{"Username":"u","Secret":"hunter2"}`, "no credentials server URL"},
		{"no user", `{"ServerURL":"a.test","Secret":"hunter2"}`, "no credentials username"},
		{"not JSON", `hunter2`, `reading the request: it is not a JSON object with the strings "ServerURL", "Username" and "Secret"`},
		{"another type", `{"ServerURL":"a.test","Username":"u","Secret":["hunter2"]}`, `reading the request: it is not a JSON object with the strings "ServerURL", "Username" and "Secret"`},
		{"line break in the secret", `{"ServerURL":"a.test","Username":"u","Secret":"hunter2\nx"}`, "reading the request: the value has a line break"},
		{"line break in the server", `{"ServerURL":"a.test\n","Username":"u","Secret":"hunter2"}`, "reading the request: the server's name has a control character (0x0a)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ReadDockerLogin(strings.NewReader(tt.in))
			if tt.err != "" {
				if err == nil || err.Error() != tt.err {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil || got.Server != "a.test" || got.Username != "u" || got.Secret.Reveal() != "hunter2" {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestWriteDocker(t *testing.T) {
	var out bytes.Buffer
	if err := WriteDockerLogin(&out, DockerLogin{"a.test", IdentityTokenUser, redact.Hold("<&>")}); err != nil {
		t.Fatal(err)
	}
	if err := WriteDockerList(&out, map[string]string{"b": "2", "a": "1"}); err != nil {
		t.Fatal(err)
	}
	if err := WriteDockerList(&out, nil); err != nil {
		t.Fatal(err)
	}
	const want = `{"ServerURL":"a.test","Username":"<token>","Secret":"<&>"}` + "\n" + `{"a":"1","b":"2"}` + "\n{}\n"
	if out.String() != want {
		t.Errorf("wrote %s", out.String())
	}
	if err := WriteDockerLogin(brokenWriter{}, DockerLogin{}); err == nil || err.Error() != "writing the answer: broken pipe" {
		t.Errorf("got %v", err)
	}
}

// FuzzReadDockerLogin holds that what is read is written as it was, and that no error repeats what was sent.
func FuzzReadDockerLogin(f *testing.F) {
	f.Add([]byte(`{"ServerURL":"a.test","Username":"u","Secret":"s3cret-canary"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		login, err := ReadDockerLogin(bytes.NewReader(data))
		if err != nil {
			if strings.Contains(err.Error(), "s3cret-canary") {
				t.Errorf("the error repeats the request: %v", err)
			}
			return
		}
		var out bytes.Buffer
		if err := WriteDockerLogin(&out, login); err != nil {
			t.Fatal(err)
		}
		var back dockerLogin
		if err := json.Unmarshal(out.Bytes(), &back); err != nil || back.ServerURL != login.Server || back.Username != login.Username || back.Secret != login.Secret.Reveal() {
			t.Errorf("%+v came back as %+v, %v", login, back, err)
		}
	})
}

func TestDockerMessages(t *testing.T) {
	for err, want := range map[error]string{
		ErrDockerNotFound: "credentials not found in native keychain", ErrDockerNoServer: "no credentials server URL", ErrDockerNoUsername: "no credentials username",
	} {
		if !errors.Is(err, err) || err.Error() != want {
			t.Errorf("%q is not the protocol's %q", err, want)
		}
	}
}

// FuzzReadDockerServer holds that the name of a server is a part of what was sent, on one line, and that the same name comes of what `store` is sent.
func FuzzReadDockerServer(f *testing.F) {
	f.Add("https://index.docker.io/v1/\n")
	f.Add("a.test\r\n\r\n")
	f.Add(" a.test ")
	f.Add("a\x00b")
	f.Fuzz(func(t *testing.T, in string) {
		server, err := ReadDockerServer(strings.NewReader(in))
		if err != nil {
			if len(err.Error()) > 200 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		if server == "" || strings.TrimSpace(server) != server || !strings.Contains(in, server) || strings.ContainsAny(server, "\r\n\x00\x1b") {
			t.Errorf("%q names %q", in, server)
		}
		request, err := json.Marshal(map[string]string{"ServerURL": server, "Username": "u", "Secret": "x"})
		if err != nil {
			t.Fatal(err)
		}
		if login, err := ReadDockerLogin(bytes.NewReader(request)); utf8.ValidString(server) && (err != nil || login.Server != server) {
			t.Errorf("%q is stored as %q, %v", server, login.Server, err)
		}
	})
}
