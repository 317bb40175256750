package doctor

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"debug/buildinfo"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/keyring"
)

func TestProgram(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links and permission bits do not count here")
	}
	m := newMachine(t)
	check := func(executable string, want ...string) {
		t.Helper()
		m.compare(Program(m.env(), m.at(executable), "v1.2.3"), want...)
	}
	check("bin/credential-helper", "ok /bin/credential-helper, v1.2.3, is the one on PATH")
	m.link("bin/docker-credential-credhelper", "credential-helper")
	check("bin/credential-helper", "ok /bin/credential-helper, v1.2.3, is the one on PATH, also as docker-credential-credhelper")

	m.write("opt/credential-helper", "#!/bin/sh\n:", 0o755)
	check("opt/credential-helper", "warning PATH has another one before this: /bin/credential-helper (another program); this is /opt/credential-helper (v1.2.3) → remove the other one, or put /opt before it on PATH")
	check("opt/gone", "warning this program's own file is gone: /opt/gone → …", "warning PATH has another one …")

	m.vars["PATH"] = ".:" + m.at("bin") + "::bin"
	m.write("bin/credential-helper", "#!/bin/sh\n", 0o644)
	m.write("opt/credential-helper", "", 0o777)
	check("opt/credential-helper",
		"broken every user of this machine can replace this program: /opt/credential-helper (mode 0777) → chmod o-w /opt/credential-helper",
		"warning PATH has a relative entry (.): …",
		"warning /bin/credential-helper is on PATH, and not executable (mode 0644): it is passed over → chmod +x /bin/credential-helper",
		"warning PATH has a relative entry (an empty one, which is the working directory): …",
		"warning PATH has a relative entry (bin): …",
		"note credential-helper is not on PATH; this one is /opt/credential-helper, v1.2.3 → …",
	)
}

func TestDocker(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links and permission bits do not count here")
	}
	const auths = `{"auths": {"ghcr.io": {"auth": "` + canary + `"}, "https://u:` + canary + `@b.test": {"identitytoken": "` + canary + `"}, "c.test": {}}}`
	const names = "~/.docker/config.json"
	for _, tt := range []struct {
		name, config string
		mode         os.FileMode
		want         []string
	}{
		{name: "nothing to say", config: `{"auths": {"ghcr.io": {}}}`, want: []string{"ok " + names + " is valid, and keeps no login in plain text"}},
		{name: "malformed", config: `{"auths": "` + canary + `"}`, want: []string{`broken reading docker's configuration: ` + names + `:1:11: "auths" takes an object, not a string → …`}},
		{
			name: "plain text", config: auths,
			want: []string{"warning 2 logins stand in plain text in " + names + ": ghcr.io, https://[redacted]@b.test → credential-helper install docker --import moves them into the keyring"},
		},
		{
			name: "plain text for all", config: auths, mode: 0o644,
			want: []string{"broken " + names + " has logins in plain text, and other users can read or write it (mode 0644) → chmod 600 " + names, "warning 2 logins stand …"},
		},
		{name: "written by all", config: `{}`, mode: 0o666, want: []string{"broken every user of this machine can write " + names + " (mode 0666), and so name a program that docker runs → …"}},
		{name: "ourselves", config: `{"credsStore": "credhelper"}`, want: []string{"ok docker keeps its logins here (credsStore), by way of /bin/docker-credential-credhelper"}},
		{name: "another", config: `{"credHelpers": {"a.test": "other", "b.test": "other"}}`, want: []string{"ok docker's store for a.test, b.test is /bin/docker-credential-other"}},
		{
			name: "missing, dangling, not executable, no name", config: `{"credsStore": "gone", "credHelpers": {"a.test": "dangling", "b.test": "plain", "c.test": "../x", "d.test": ""}}`,
			want: []string{
				`broken ` + names + ` names the store "gone" for credsStore, and docker-credential-gone is not on PATH: docker and lookups there fail → …`,
				"broken docker's store for a.test, /bin/docker-credential-dangling, is a link that leads nowhere → …",
				"broken docker's store for b.test, /bin/docker-credential-plain, is not executable (mode 0600) → chmod +x /bin/docker-credential-plain",
				`broken ` + names + ` names "../x" for c.test, which is no program's name → …`,
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine(t)
			m.link("bin/docker-credential-credhelper", "credential-helper")
			m.link("bin/docker-credential-dangling", "nowhere")
			m.write("bin/docker-credential-other", "#!/bin/sh\n", 0o755)
			m.write("bin/docker-credential-plain", "", 0o600)
			m.write("home/.docker/config.json", tt.config, max(tt.mode, 0o600))
			m.compare(Docker(t.Context(), m.env(), m.executable()), tt.want...)
		})
	}
	m := newMachine(t)
	m.compare(Docker(t.Context(), m.env(), m.executable()), "ok no configuration (~/.docker/config.json): docker has no logins")
	m.write("home/.docker/config.json", `{"credsStore": "here"}`, 0o600)
	m.link("bin/docker-credential-here", "credential-helper")
	m.vars["PATH"] = "/none"
	m.compare(Docker(t.Context(), m.env(), m.executable()), "broken docker's store for credsStore is this program (docker-credential-here), in a directory that is not on PATH → put /bin on PATH")
}

func TestKeyring(t *testing.T) {
	locked := helpers.WithHint(fmt.Errorf("reading: %w", keyring.ErrLocked), "unlock it so")
	for _, tt := range []struct {
		name, wanted string
		err          error
		took         time.Duration
		want         string
	}{
		{name: "works", err: helpers.NotFoundf("nothing"), want: "ok the system's keyring works"},
		{name: "slow", err: helpers.NotFoundf("nothing"), took: 1500 * time.Millisecond, want: "warning the system's keyring works, and took 1.5s for one entry → …"},
		{name: "absent", err: helpers.Unavailablef("there is no keyring here"), want: "note there is no keyring here → on a machine without one, CREDENTIAL_HELPER_KEYRING=file keeps …"},
		{name: "absent and wanted", wanted: "f:3", err: helpers.Unavailablef("there is no keyring here"), want: "warning there is no keyring here, and the rule at f:3 wants it → …"},
		{name: "locked", err: locked, want: "warning the system's keyring is locked → unlock it so"},
		{name: "locked and wanted", wanted: "f:3", err: locked, want: "broken the system's keyring is locked, and the rule at f:3 wants it → unlock it so"},
		{name: "hangs", took: time.Hour, want: "warning the system's keyring did not answer within 4s → is it waiting for its password somewhere? …"},
		{name: "fails", err: errors.New("it makes no sense"), want: "warning it makes no sense → …"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine(t)
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
				defer cancel()
				m.compare(checkKeyring(ctx, m.env(), tt.wanted, func(ctx context.Context, service string) error {
					select {
					case <-time.After(tt.took):
						return tt.err
					case <-ctx.Done():
						return ctx.Err()
					}
				}), tt.want)
			})
		})
	}
}

func TestKeyringInFile(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("permission bits do not count here")
	}
	m := newMachine(t, keyring.VarBackend, "file", keyring.VarPassphraseFile, "ROOT/passphrase")
	m.compare(Keyring(t.Context(), m.env(), nil), "broken the file /passphrase that CREDENTIAL_HELPER_KEYRING_PASSPHRASE_FILE names does not exist → …")
	m.write("passphrase", canary+"\n", 0o600)
	m.compare(Keyring(t.Context(), m.env(), nil), "ok the keyring in ~/.config/credential-helper/keyring.age, which does not exist yet, works")
	m.write("home/.config/credential-helper/keyring.age", "nonsense "+canary, 0o622)
	files := m.rules(workspaceFile, `{"host": "a.test", "helper": "registry", "config": {"lookup_chain": [{"source": "keyring", "service": "s"}]}}`)
	m.compare(Keyring(t.Context(), m.env(), files),
		"warning other users can replace ~/.config/credential-helper/keyring.age (mode 0622) → chmod 600 ~/.config/credential-helper/keyring.age",
		"broken reading the keyring's file ~/.config/credential-helper/keyring.age: it is not a whole file in age's format, and the rule at /ws/.tweag-credential-helper.json:2 wants it → …")
	delete(m.vars, keyring.VarPassphraseFile)
	m.compare(Keyring(t.Context(), m.env(), nil), "broken the keyring is a file (CREDENTIAL_HELPER_KEYRING=file), and nothing says what opens it → set …")
}

func TestAgent(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("permission bits do not count here")
	}
	m := newMachine(t)
	m.write("open/x", "", 0o600)
	if err := os.Chmod(m.at("open"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		agent Agent
		want  string
	}{
		{Agent{Off: "$X is set"}, "ok not wanted: $X is set"},
		{Agent{Dir: m.at("none"), Err: errors.New("none"), NotRunning: true}, "note not running → nothing to do: the first get that has something to keep starts it"},
		{Agent{Dir: m.at("open"), SameBuild: true}, "warning /open is open to other users (mode 0755): answers are not kept → chmod 700 /open"},
		{Agent{Dir: m.executable(), SameBuild: true}, "warning /bin/credential-helper is not a directory: answers are not kept → remove it"},
		{Agent{Err: errors.New("the path of the agent's socket is too long for this system: /x")}, "warning answers are not kept: the path of the agent's socket is too long for this system: /x → …"},
		{Agent{Dir: m.at("home"), PID: 12, Built: "2026-01-02T03:04:05Z"}, "warning process 12 is of another build (of 2026-01-02T03:04:05Z): the two do not share answers → credential-helper agent-shutdown …"},
		{Agent{Dir: m.at("home"), PID: 12, SameBuild: true, Uptime: time.Minute, Entries: 1}, "ok process 12, of this build, for 1m0s, with 1 answer"},
	} {
		m.compare(CheckAgent(m.env(), tt.agent), tt.want)
	}
}

func TestVariables(t *testing.T) {
	m := newMachine(t)
	m.compare(Variables(m.env(), nil), "ok no variable of this program is set")
	m.vars["CREDENTIAL_HELPER_TIMEOUT"] = "5s"
	m.vars["CREDENTIAL_HELPER_REMOTEAPIS_SECRET"] = canary
	m.compare(Variables(m.env(), nil), "ok 2 variables of this program: all known, with values that it takes")
	for name, want := range map[string]string{
		"CREDENTIAL_HELPER_TIMEUOT":             "warning $CREDENTIAL_HELPER_TIMEUOT is not a variable of this program, and does nothing → is $CREDENTIAL_HELPER_TIMEOUT meant?",
		"CREDENTIAL_HELPER_SOMETHING_ELSE":      "warning $CREDENTIAL_HELPER_SOMETHING_ELSE is not a variable of this program, and does nothing → unset it; …",
		"CREDENTIAL_HELPER_GUESS_OCI_REGISTRY":  `warning $CREDENTIAL_HELPER_GUESS_OCI_REGISTRY is "value", which counts as not set → it takes 1`,
		"CREDENTIAL_HELPER_STANDALONE":          `warning $CREDENTIAL_HELPER_STANDALONE is "value", which counts as not set → it takes 1`,
		"CREDENTIAL_HELPER_WORKSPACE_DIRECTORY": "broken $CREDENTIAL_HELPER_WORKSPACE_DIRECTORY names /ws/value, which is not a directory → correct or unset it",
	} {
		m := newMachine(t, name, "value")
		m.compare(Variables(m.env(), nil), want)
	}
	m.compare(Variables(m.env(), []error{errors.New("$X is bad"), helpers.WithHint(errors.New("$Y is bad"), "do this")}), "broken $X is bad → correct or unset it", "broken $Y is bad → do this")
}

func TestDirectories(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("permission bits do not count here")
	}
	m := newMachine(t)
	m.compare(Directories(m.env()), "ok home, temporary and runtime directories are as they should be")
	m.vars["TMPDIR"], m.vars["XDG_RUNTIME_DIR"] = m.at("none"), m.at("gone")
	e := m.env()
	e.Home = ""
	m.compare(Directories(e), "warning HOME is not set: …", "warning the directory for temporary files does not exist: /none → …", "warning XDG_RUNTIME_DIR names /gone, which does not exist: …")
	e.Home = m.at("gone")
	m.vars["TMPDIR"], m.vars["XDG_RUNTIME_DIR"] = m.root, "run"
	m.compare(Directories(e), "warning the home directory /gone does not exist → …", "warning XDG_RUNTIME_DIR is not an absolute path, and is not used → …")
	m.vars["XDG_RUNTIME_DIR"] = m.at("ws")
	if err := os.Chmod(m.at("ws"), 0o777); err != nil {
		t.Fatal(err)
	}
	m.compare(Directories(m.env()), "warning other users can write XDG_RUNTIME_DIR, /ws (mode 0777) → chmod 700 /ws")
	if os.Geteuid() == 0 {
		return // to whom no directory is read-only
	}
	delete(m.vars, "XDG_RUNTIME_DIR")
	m.vars["TMPDIR"] = m.at("ws")
	if err := os.Chmod(m.at("ws"), 0o500); err != nil {
		t.Fatal(err)
	}
	m.compare(Directories(m.env()), "warning the directory for temporary files cannot be written: /ws: permission denied → …")
}

func TestProxies(t *testing.T) {
	by := func(req *http.Request) (*url.URL, error) {
		if strings.HasSuffix(req.URL.Host, ".direct.test") {
			return nil, nil
		}
		return url.Parse("http://proxy.test")
	}
	rules := []string{`{"host": "*.direct.test", "helper": "registry"}`, `{"host": "a.test:8443", "helper": "registry"}`, `{"host": "n.test", "helper": "null"}`}
	for _, tt := range []struct {
		name  string
		vars  []string
		rules []string
		want  []string
	}{
		{name: "none", rules: rules, want: []string{"ok no proxy is set"}},
		{
			name: "with a login", vars: []string{"HTTPS_PROXY", "http://user:" + canary + "@proxy.test:3128", "http_proxy", "proxy.test:3128"}, rules: rules,
			want: []string{"note $HTTPS_PROXY is http://[redacted]@proxy.test:3128, $http_proxy is http://proxy.test:3128; it is used for a.test:8443, not for *.direct.test → …"},
		},
		{name: "all direct", vars: []string{"HTTPS_PROXY", "socks5://proxy.test"}, rules: rules[:1], want: []string{"ok $HTTPS_PROXY is socks5://proxy.test; no host of your rules goes through it"}},
		{name: "bad", vars: []string{"HTTPS_PROXY", "http://user:1234/" + canary + "@proxy.test"}, want: []string{"broken $HTTPS_PROXY does not name a proxy, and is not used → …"}},
		{name: "for other programs", vars: []string{"all_proxy", "socks5://u:" + canary + "@proxy.test"}, want: []string{"warning $all_proxy names a proxy for other programs (curl, git); this one and Bazel do not read it → …"}},
		{name: "for others too", vars: []string{"ALL_PROXY", "http://proxy.test", "https_proxy", "http://proxy.test"}, rules: rules[:1], want: []string{"ok $https_proxy is http://proxy.test; no host of your rules goes through it"}},
		{name: "of another scheme", vars: []string{"HTTPS_PROXY", "ftp://" + canary}, want: []string{"broken $HTTPS_PROXY does not name a proxy, and is not used → …"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine(t, tt.vars...)
			m.compare(Proxies(m.env(), m.rules(workspaceFile, tt.rules...), by), tt.want...)
		})
	}
	if runtime.GOOS != "windows" {
		m := newMachine(t, "HTTPS_PROXY", "http://a.test", "https_proxy", "http://b.test")
		m.compare(Proxies(m.env(), nil, by), "warning $HTTPS_PROXY and $https_proxy differ: …", "ok $HTTPS_PROXY is http://a.test, $https_proxy is http://b.test")
	}
}

// certificate makes one that ends at a time.
func certificate(t *testing.T, end time.Time) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: end.Add(-time.Hour), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestCertificates(t *testing.T) {
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		t.Skip("the variables are not read here")
	}
	m := newMachine(t)
	m.compare(certificates(m.env(), nil), "ok the system's authorities are trusted: neither SSL_CERT_FILE nor SSL_CERT_DIR is set")
	m.vars["REQUESTS_CA_BUNDLE"] = "x"
	m.compare(certificates(m.env(), nil), "note $REQUESTS_CA_BUNDLE names certificates for other programs; this one does not read it → …")
	good, expired := certificate(t, time.Now().Add(time.Hour)), certificate(t, time.Now().Add(-time.Hour))
	const file = "SSL_CERT_FILE (/ca.pem)"
	m.vars["SSL_CERT_FILE"] = m.at("ca.pem")
	m.compare(certificates(m.env(), nil), "broken $SSL_CERT_FILE names /ca.pem, which cannot be read (no such file or directory): no server is trusted → …")
	for text, want := range map[string]string{
		good:           "ok $" + file + " has 1 certificate",
		good + expired: "note $" + file + " has 1 certificate, and 1 expired → …",
		expired:        "broken all certificates in $" + file + " have expired: no server is trusted → …",
		canary:         "broken there is no certificate in $" + file + ": no server is trusted → …",
		"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n":               "broken there is no certificate in $" + file + ": …",
		good + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" + good: "warning 1 certificate of $" + file + " cannot be read, and 2 can → …",
	} {
		m.write("ca.pem", text, 0o600)
		m.compare(certificates(m.env(), nil), want)
	}
	m.write("certs/a.pem", good, 0o600)
	m.write("certs/README", "text", 0o600)
	m.write("ca.pem", "nothing", 0o600)
	m.compare(certificates(m.env(), []string{m.at("gone"), m.at("certs")}), "warning there is no certificate in $"+file+": nothing is trusted because of it, only what is in directories of certificates → …")
	delete(m.vars, "SSL_CERT_FILE")
	m.vars["SSL_CERT_DIR"] = m.at("certs") + string(filepath.ListSeparator) + m.at("gone")
	m.compare(certificates(m.env(), nil), "warning $SSL_CERT_DIR names /gone, which cannot be read → …", "ok $SSL_CERT_DIR has 1 certificate")
	m.vars["SSL_CERT_DIR"] = m.at("bin")
	m.compare(certificates(m.env(), nil), "warning there is no certificate in $SSL_CERT_DIR → …")
}

func TestOnline(t *testing.T) {
	m := newMachine(t)
	var off time.Duration
	var sent http.Header
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		sent = req.Header
		w.Header()["Date"] = []string{time.Now().Add(off).UTC().Format(http.TimeFormat)}
		http.Redirect(w, req, "https://elsewhere.test/", http.StatusFound)
	}))
	defer server.Close()
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of clients that do not trust it
	host := strings.TrimPrefix(server.URL, "https://")
	ask := func(want ...string) {
		t.Helper()
		found := Online(t.Context(), server.Client(), host, time.Now)
		for i := range found {
			found[i].Text = strings.ReplaceAll(found[i].Text, host, "HOST")
		}
		m.compare(found, want...)
	}
	const reached = "ok https://HOST/ is reached and trusted (302, …"
	ask(reached, "ok this machine's clock is right, by that of HOST")
	if sent.Get("Authorization") != "" || sent.Get("Cookie") != "" {
		t.Errorf("a credential was sent: %v", sent)
	}
	off = 30 * time.Second
	ask(reached, "note this machine's clock is …")
	off = 5 * time.Minute
	ask(reached, "broken this machine's clock is …")
	off = -2 * time.Hour
	ask(reached, "broken this machine's clock is 2h0m…")

	m.compare(Online(t.Context(), http.DefaultClient, host, time.Now)[:1], "broken asking https://"+host+"/: …")
	server.Close()
	m.compare(Online(t.Context(), server.Client(), host, time.Now)[:1], "broken asking https://"+host+"/: …")

	for _, tt := range []struct {
		rules []string
		want  string
	}{
		{nil, "github.com"},
		{[]string{`{"scheme": "http", "host": "a.test", "helper": "registry"}`, `{"host": "*.b.test", "helper": "registry"}`, `{"host": "c.test:8443", "helper": "registry"}`}, "c.test:8443"},
	} {
		if got := OnlineHost(m.rules(workspaceFile, tt.rules...)); got != tt.want {
			t.Errorf("%q is asked, want %q", got, tt.want)
		}
	}
}

func TestSkew(t *testing.T) {
	m := newMachine(t)
	at := time.Date(2026, 1, 2, 3, 4, 5, 600e6, time.UTC)
	for date, want := range map[string]string{
		"":                              "note a.test does not tell the time: the clock was not compared",
		"Fri, 02 Jan 2026 03:04:05 GMT": "ok this machine's clock is right, by that of a.test",
		"Fri, 02 Jan 2026 03:03:45 GMT": "note this machine's clock is 21s fast, by that of a.test → set the clock",
		"Fri, 02 Jan 2026 03:03:05 GMT": "broken this machine's clock is 1m1s fast, by that of a.test: …",
		"Fri, 02 Jan 2026 03:07:05 GMT": "broken this machine's clock is 2m58s slow, by that of a.test: …",
	} {
		var f findings
		f.skew(date, "a.test", at, at.Add(1400*time.Millisecond))
		m.compare(f, want)
	}
}

func TestIdentify(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if what, same := identify(self, self); same || !strings.HasPrefix(what, "another program: ") {
		t.Errorf("the test is %q, %v", what, same)
	}
	want, err := buildinfo.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := readBuildInfo(self); !ok || got.Path != want.Path || got.Main != want.Main || !reflect.DeepEqual(got.Settings, want.Settings) {
		t.Errorf("read %+v, want %+v", got, want)
	}
	m := newMachine(t)
	m.write("bin/x", string(bytes.Repeat([]byte("\x7fELF"), 100)), 0o755)
	if what, _ := identify(m.at("bin/x"), self); what != "another program" {
		t.Errorf("a foreign program is %q", what)
	}
}
