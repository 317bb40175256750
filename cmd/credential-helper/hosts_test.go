package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
)

// spelled are ways to write the host of a server, and of others that are meant to be taken for it. HOST is "registry.example.test" or the like,
// LABEL and REST what is before and behind its first dot. What each of them names is for readNet and readWeb to say.
var spelled = []string{
	// The server itself.
	"HOST", "UPPER", "HOST.", "UPPER.", "HOST:443", "HOST:0443", "HOST:", "HOST.:443",
	// Other servers.
	"evilHOST", "evil-HOST", "evil.HOST", "*.HOST", "HOST.evil.test", "HOST-evil.test", "HOSTevil.test", "HOSTx", "HOST.test", "REST", "evil.REST", "*.REST", "www.HOST", "xHOST", "_HOST", "-HOST",
	"LABEL", "LABEL-REST", "LABELREST", "LABELx.REST", "xLABEL.REST", "LABEL.evil.REST", "LABEL.evilREST", "LABEL_.REST", "a.LABEL.REST", "LABEL.com.evil.test", "evil.test.HOST.evil.test",
	"xn--HOST", "xn--LABEL-.REST", "xn--gthub-cta.com", "evil.test",
	// Other ports of it.
	"HOST:8443", "HOST:80", "HOST:1", "HOST:65535", "HOST:4430", "HOST:44", "HOST.:8443",
	// Nobody, or one to one program and another to the next.
	"HOST:0", "HOST:65536", "HOST:443:443", "HOST:https", "HOST:-443", "HOST:+443", "HOST:\uff14\uff14\uff13", "HOST:443\t", "HOST..", ".HOST", "HOST..evil.test", ":443", "",
	"HOST@evil.test", "HOST:x@evil.test", "HOST%40evil.test", "HOST:443@evil.test", "@HOST", "evil.test@HOST", "u:p@HOST", "HOST@", "HOST%00.evil.test", "HOST%2eevil.test", "HOST%2fevil.test", "HOST%3a443",
	"HOST\\@evil.test", "evil.test\\@HOST", "HOST\\.evil.test", "evil.test\\.HOST", "evil.test#@HOST", "HOST#@evil.test", "HOST#.evil.test", "HOST?@evil.test", "HOST?.evil.test", "evil.test?HOST", "HOST;evil.test", "HOST,evil.test",
	"HO\tST", "HOST\n.evil.test", "HOST\r\nevil.test", "HOST\x00.evil.test", " HOST", "HOST ", "HOST evil.test", "HOST\u00a0",
	"LABEL\u3002REST", "LABEL\uff0eREST", "LABEL\uff61REST", "LABEL\u2024REST", "LABEL%E3%80%82REST", "LABEL%2eREST", "LABEL\u200bx.REST", "LABEL\u00ad.REST", "LABEL\u200d.REST", "LABEL\ufeff.REST", "\u202eHOST", "HOST\u2215evil.test", "HOST\uff0fevil.test", "HOST\uff03evil.test", "HOST\u2100evil.test",
	"WIDE", "DOTLESS", "DOTTED", "KELVIN", "LONG-S", "CYRILLIC", "ESCAPED", "ESCAPED-DOTTED", "\u00df.HOST", "\u2167.HOST",
	"*", "*.*.HOST", "a*.REST", "*HOST", "LABEL.*", "[HOST]", "[::1%25HOST]", "[::ffff:127.0.0.1]:443@HOST",
}

// addresses are ways to write addresses of this machine, and of others.
var addresses = []string{
	"127.0.0.1", "127.0.0.1.", "127.0.0.1:443", "127.0.0.1:8443", "127.0.0.1.evil.test", "127.1", "127.0.1", "0x7f.1", "0x7f.0.0.1", "0x7F000001", "017700000001", "0177.0.0.1", "2130706433", "127.0.0.0x1", "127.0.0.01",
	"127.000.000.001", "0", "0.0.0.0", "1", "00", "0x", "a.0x1", "127.0.0.256", "127.0.0.1.1", "\u2460\u2461\u2466.0.0.1", "\uff11\uff12\uff17.0.0.1", "127\u30020\u30020\u30021", "%31%32%37.0.0.1",
	"[::1]", "[0:0:0:0:0:0:0:1]", "[::1]:443", "[::1]:8443", "[::1%25lo]", "[::1%lo]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[fe80::1%25eth0]", "[2001:db8::1]", "[2001:DB8:0::1]", "[2001:db8::1]:8443", "[2001:db8::1].evil.test", "[2001:db8::1]evil.test",
	"::1", "[::1", "::1]", "[]", "[127.0.0.1]", "[v1.x]", "localhost", "LOCALHOST.", "localhost:8443", "localhost.evil.test", "evil.localhost", "local\uff48ost", "loca\u004c\u0130host", "169.254.169.254", "10.0.0.1", "10.evil.test",
}

// spellings returns all ways to write host.
func spellings(host string) []string {
	label, rest, _ := strings.Cut(host, ".")
	swap := func(old, new string) string { // of the first letter that has such a twin, at the end of the label where there is none
		if !strings.Contains(host, old) {
			return label + new + "." + rest
		}
		return strings.Replace(host, old, new, 1)
	}
	fill := strings.NewReplacer(
		"HOST", host, "UPPER", strings.ToUpper(host), "LABEL", label, "REST", rest, "HO\tST", host[:1]+"\t"+host[1:],
		"WIDE", string(rune(host[0])-'a'+'\uff41')+host[1:], "DOTLESS", swap("i", "\u0131"), "DOTTED", swap("i", "\u0130"), "KELVIN", swap("k", "\u212a"), "LONG-S", swap("s", "\u017f"), "CYRILLIC", swap("o", "\u043e"),
		"ESCAPED-DOTTED", swap("i", "%C4%B0"), "ESCAPED", fmt.Sprintf("%%%02x", host[0])+host[1:],
	)
	all := make([]string, len(spelled))
	for i, s := range spelled {
		all[i] = fill.Replace(s)
	}
	return all
}

// hostsOf returns the hosts that one or the other program takes spellings for, and the spellings themselves.
func hostsOf(spellings []string) []string {
	hosts := slices.Clone(spellings)
	for _, s := range spellings {
		for _, read := range []func(string) (reading, bool){readNet, readWeb} {
			if r, ok := read("https://" + s); ok {
				hosts = append(hosts, r.hostPort())
			}
		}
	}
	return hosts
}

// A hostsWorld is a machine with a login for every host that a test has, and servers that remember what they are sent.
type hostsWorld struct {
	t      testing.TB
	env    *env.Env
	vars   map[string]string
	logins map[string]string // by host and port: a secret that is for it alone

	mu  sync.Mutex
	saw map[string]bool // "HOST SECRET"
}

// The secrets that are for no host by themselves.
const (
	githubSecret, buildSecret, ruleSecret = "canary-github", "canary-build", "canary-rule"
	dockerHubKey                          = "https://index.docker.io/v1/"
)

var anyCanary = regexp.MustCompile(`canary-[0-9a-z]+`)

func newHostsWorld(t testing.TB, hosts []string) *hostsWorld {
	t.Helper()
	home := t.TempDir()
	w := &hostsWorld{t: t, logins: map[string]string{}, saw: map[string]bool{}, vars: map[string]string{
		env.VarStandalone: "1", "GITHUB_TOKEN": githubSecret, "BUILDBUDDY_API_KEY": buildSecret, "RULE_TOKEN": ruleSecret,
	}}
	w.env = &env.Env{
		Get: func(name string) (string, bool) { v, ok := w.vars[name]; return v, ok },
		Dir: filepath.Join(home, "ws"), Home: home, ConfigDir: filepath.Join(home, ".config"), CacheDir: filepath.Join(home, ".cache"), Now: time.Now,
	}
	auths := map[string]map[string]string{}
	var netrc strings.Builder
	for _, host := range append([]string{dockerHubKey}, hosts...) {
		if w.logins[host] != "" || host == "" || strings.ContainsAny(host, " \t\r\n\x00") {
			continue
		}
		secret := fmt.Sprintf("canary-%04d", len(w.logins))
		w.logins[host] = secret
		auths[host] = map[string]string{"auth": base64.StdEncoding.EncodeToString([]byte("u:" + secret))}
		fmt.Fprintf(&netrc, "machine %s login u password %s\n", host, secret)
	}
	for _, host := range []string{"docker.io", "index.docker.io", "registry-1.docker.io"} {
		delete(auths, host) // docker has one key for these
	}
	docker, err := json.Marshal(map[string]any{"auths": auths})
	if err != nil {
		t.Fatal(err)
	}
	w.write(".docker/config.json", string(docker))
	w.write(".netrc", netrc.String())
	w.write("ws/MODULE.bazel", "")
	return w
}

func (w *hostsWorld) write(name, text string) {
	w.t.Helper()
	path := filepath.Join(w.env.Home, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// RoundTrip answers as a registry and its token endpoint do, whichever host is asked. A token tells what it was given for.
func (w *hostsWorld) RoundTrip(req *http.Request) (*http.Response, error) {
	secrets := secretsIn(req.Header)
	w.mu.Lock()
	for _, s := range secrets {
		w.saw[req.URL.Host+" "+s] = true
	}
	w.mu.Unlock()
	resp := &http.Response{Request: req, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, StatusCode: http.StatusUnauthorized, Header: http.Header{}, Body: http.NoBody}
	if req.URL.Path == "/token" {
		resp.StatusCode = http.StatusOK
		resp.Body = io.NopCloser(strings.NewReader(fmt.Sprintf(`{"token": "of-%s", "expires_in": 300}`, strings.Join(secrets, "-"))))
		return resp, nil
	}
	resp.Header.Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="%s://%s/token",service="%s"`, req.URL.Scheme, req.URL.Host, req.URL.Host))
	return resp, nil
}

// secretsIn returns the canaries in headers, also in Basic.
func secretsIn(header http.Header) (found []string) {
	for _, values := range header {
		for _, v := range values {
			if _, rest, ok := strings.Cut(v, "Basic "); ok {
				if plain, err := base64.StdEncoding.DecodeString(rest); err == nil {
					v = string(plain)
				}
			}
			found = append(found, anyCanary.FindAllString(v, -1)...)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// resolver reads the configuration, which is empty for the built-in rules alone.
func (w *hostsWorld) resolver(config string) *resolver {
	w.t.Helper()
	path := filepath.Join(w.env.Dir, ".tweag-credential-helper.json")
	if config == "" {
		if err := os.RemoveAll(path); err != nil {
			w.t.Fatal(err)
		}
	} else {
		w.write("ws/.tweag-credential-helper.json", config)
	}
	e := *w.env
	r, err := (&app{env: &e, stderr: io.Discard}).resolverWith(w.t.Context(), &http.Client{Transport: w})
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// An outcome is what came of a URL: the secrets that came out, and those that servers were sent ("HOST SECRET").
type hostsOutcome struct {
	refused bool // by [helpers.ParseRequest]
	err     error
	secrets []string
	sent    []string
}

func (w *hostsWorld) ask(r *resolver, raw string) (o hostsOutcome) {
	req, err := helpers.ParseRequest(raw)
	if err != nil {
		return hostsOutcome{refused: true}
	}
	w.mu.Lock()
	clear(w.saw)
	w.mu.Unlock()
	resp, err := r.headers(w.t.Context(), req)
	o.err = err
	plain := http.Header{}
	for name, values := range resp.Headers {
		for _, v := range values {
			plain.Add(name, v.Reveal())
		}
	}
	o.secrets = secretsIn(plain)
	w.mu.Lock()
	defer w.mu.Unlock()
	for s := range w.saw {
		o.sent = append(o.sent, s)
	}
	slices.Sort(o.sent)
	return o
}

// A tally counts what a table came to, so that it is not empty by mistake.
type tally struct{ refused, nothing, answered int }

// check compares what came of a URL with what may: want is the secret that is for the host that the URL names, "" where no rule names it.
// at is the server that may be sent it on the way.
func (n *tally) check(t *testing.T, raw string, o hostsOutcome, want, at string) {
	t.Helper()
	switch {
	case o.refused:
		n.refused++
	case len(o.secrets)+len(o.sent) == 0:
		n.nothing++
	default:
		n.answered++
	}
	var secrets []string
	if want != "" && !o.refused {
		secrets = []string{want}
	}
	if !slices.Equal(o.secrets, secrets) {
		t.Errorf("%q: answered with %q, want %q (%v)", raw, o.secrets, secrets, o.err)
	}
	for _, s := range o.sent {
		if s != at+" "+want {
			t.Errorf("%q: a server was sent %q, want none but %q", raw, s, at+" "+want)
		}
	}
}

// read returns what a URL names, where all programs agree about that.
func read(raw string) (r reading, agreed bool) {
	r, ok := readNet(raw)
	web, webOK := readWeb(raw)
	return r, ok && webOK && r == web
}

// TestBuiltInHosts asks for every spelling of every host of the built-in table, by several schemes, on a machine that has a login for each of them.
// A secret comes out, or goes to a server, exactly where a rule of the table names the host; and it is that host's own.
func TestBuiltInHosts(t *testing.T) {
	var table struct {
		URLs []struct {
			hostRule
			Helper string
		}
	}
	if err := json.Unmarshal([]byte(builtInTable), &table); err != nil {
		t.Fatal(err)
	}
	paths := map[string]string{
		"github": "/acme/tools/archive/v1.tar.gz", "oci": "/v2/acme/tools/manifests/v1", "remoteapis": "/build.bazel.remote.execution.v2.Execution",
	}
	hub := []string{"docker.io", "index.docker.io", "registry-1.docker.io"}
	for _, guess := range []string{"", "1"} {
		var w *hostsWorld
		// want returns the secret for what a URL names, and the server that is asked on the way.
		want := func(at reading) (secret, server string) {
			if !(at.scheme == "https" || at.scheme == "grpcs" || at.loopback()) || strings.HasPrefix(at.host, "*.") && at.path == paths["oci"] {
				return "", ""
			}
			for _, rule := range table.URLs {
				if !rule.names(at) {
					continue
				}
				switch {
				case rule.Helper == "github":
					return githubSecret, ""
				case rule.Helper == "remoteapis":
					if at.path == paths["remoteapis"] {
						return buildSecret, ""
					}
					return "", ""
				case at.path != paths["oci"]:
					return "", ""
				case at.host == "ghcr.io":
					return githubSecret, at.host
				case at.host == "docker.io":
					return w.logins[dockerHubKey], "registry-1.docker.io"
				case slices.Contains(hub, at.host):
					return w.logins[dockerHubKey], at.host
				}
				return w.logins[at.hostPort()], at.hostPort()
			}
			if guess == "1" && at.scheme == "https" && at.path == paths["oci"] {
				return w.logins[at.hostPort()], at.hostPort()
			}
			return "", ""
		}
		var n tally
		for _, rule := range table.URLs {
			t.Run(fmt.Sprintf("%s/guess %q", rule.Host, guess), func(t *testing.T) {
				host, before := strings.Replace(rule.Host, "*", "acme", 1), n.answered
				w = newHostsWorld(t, hostsOf(spellings(host)))
				w.vars[env.VarGuessOCI] = guess
				r := w.resolver("")
				for i, s := range spellings(host) {
					for _, scheme := range []string{"https", "HTTPS", "http", "grpcs", "grpc", "ftp", "https:/x"} {
						for _, query := range []string{"", "?tag=v1", "?X-Amz-Signature=0", "?sv=1&sig=2", "?X%2DAmz-Signature=0;y"} {
							if query != "" && (scheme != "https" || strings.ContainsAny(s, "?#")) {
								continue
							}
							raw := scheme + "://" + s + paths[rule.Helper] + query
							o := w.ask(r, raw)
							at, agreed := read(raw)
							secret, server := "", ""
							if agreed && !strings.Contains(query, "ig") {
								secret, server = want(at)
							}
							n.check(t, raw, o, secret, server)
							if i < 8 && o.refused && scheme == "https" {
								t.Errorf("%q is refused, and names %s", raw, host)
							}
						}
					}
				}
				if n.answered-before < 16 {
					t.Errorf("only %d URLs were answered", n.answered-before)
				}
			})
		}
		t.Logf("guess %q: %d answered with the secret of the host that they name, %d with nothing, %d refused", guess, n.answered, n.nothing, n.refused)
		if n.answered < 750 || n.nothing < 6800 || n.refused < 19_000 {
			t.Errorf("the table is smaller than it was: %+v", n)
		}
	}
}
