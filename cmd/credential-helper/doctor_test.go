package main

import (
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/internal/peertest"
)

// doctorCanary is in each place that a secret may be in.
const doctorCanary = "d0ct0r-c4n4ry"

// doctorSite has a workspace with something wrong in every place that doctor looks at, and a secret in each.
func doctorSite(t *testing.T, env ...string) *site {
	t.Helper()
	p := newSite(t, "", env...)
	p.write("ws/MODULE.bazel", "")
	p.write("ws/.bazelrc", "--remote_header=authorization=Bearer "+doctorCanary+" --credential_helper=a.test=credential-helper\n"+
		"common --remote_header=x-key="+doctorCanary+" --credential_helper=a.test:1=x \"--credential_helper=b.test=/"+doctorCanary[:2]+"\n")
	p.write("ws/.tweag-credential-helper.json", `{"urls": [
	{"host": "a.test", "helper": "registry", "config": {"token": "`+doctorCanary+`"}},
	{"host": "b.test", "helper": "registry", "config": {"username": "u", "password": "`+doctorCanary+`-${NOT_SET}"}},
	{"host": "c.test", "helper": "oci", "config": {"lookup_chain": [{"source": "static", "value": "ghp_`+doctorCanary+`"}, {"source": "env", "name": "SECRET_TOKN"}, {"source": "keyring", "service": "s"}]}},
	{"host": "d.test", "helper": "s3", "config": {"secret": "`+doctorCanary+`"}}
]}`)
	p.write(".config/credential-helper/config.json", `{"urls": [{"host": "e.test", "helper": "registry", "config": {"tokn": "`+doctorCanary+`"}}]}`)
	p.write(".docker/config.json", `{"auths": {"a.test": {"auth": "`+doctorCanary+`", "password": "`+doctorCanary+`"}, "https://u:`+doctorCanary+`@b.test": {"identitytoken": "`+doctorCanary+`"}}, "credsStore": "gone"}`)
	p.write(".netrc", "machine a.test login u password "+doctorCanary+"\n")
	p.env = append(p.env,
		"PATH=/usr/bin:/bin", "SECRET_TOKEN="+doctorCanary, "CREDENTIAL_HELPER_REMOTEAPIS_SECRET="+doctorCanary, "CREDENTIAL_HELPER_TOKEN="+doctorCanary,
		"HTTPS_PROXY=http://u:"+doctorCanary+"@127.0.0.1:1", "http_proxy=http://u:1/"+doctorCanary+"@127.0.0.1:1", "SSL_CERT_FILE="+p.write("ca.pem", doctorCanary),
		"CREDENTIAL_HELPER_WORKSPACE_DIRECTORY="+filepath.Join(p.home, "ws"))
	return p
}

func (p *site) doctor(args ...string) (peertest.Result, time.Duration) {
	p.t.Helper()
	cmd := exec.Command(program(p.t), append([]string{"doctor"}, args...)...)
	cmd.Dir, cmd.Env = p.home, p.env
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	start := time.Now()
	_ = cmd.Run()
	return peertest.Result{Stdout: stdout.String(), Stderr: stderr.String(), Code: cmd.ProcessState.ExitCode()}, time.Since(start)
}

// TestDoctorShowsNoSecret holds that nothing of any secret is in what doctor says, at any level of logging, and that it leaves nothing behind.
func TestDoctorShowsNoSecret(t *testing.T) {
	keyrings := [][]string{
		{"CREDENTIAL_HELPER_KEYRING=" + doctorCanary[:4]},
		{"CREDENTIAL_HELPER_KEYRING=file", "CREDENTIAL_HELPER_KEYRING_FILE=~/.netrc", "CREDENTIAL_HELPER_KEYRING_PASSPHRASE_FILE=~/ca.pem"},
		{"CREDENTIAL_HELPER_KEYRING=file", "CREDENTIAL_HELPER_KEYRING_FILE=~/ca.pem", "CREDENTIAL_HELPER_KEYRING_IDENTITY=~/.netrc"},
	}
	for _, vars := range keyrings {
		p := doctorSite(t, append(vars, "CREDENTIAL_HELPER_LOGGING=debug")...)
		before := listFiles(t, p.home)
		for _, args := range [][]string{nil, {"--json"}, {"--online"}} {
			got, _ := p.doctor(args...)
			if got.Code != 1 {
				t.Errorf("%q: status %d, %s", args, got.Code, got.Stderr)
			}
			for _, part := range []string{doctorCanary, "d0ct0r", "c4n4ry"} {
				if strings.Contains(got.Stdout+got.Stderr, part) {
					t.Errorf("%q shows a secret:\n%s%s", args, got.Stdout, got.Stderr)
				}
			}
			if len(args) == 1 && args[0] == "--json" {
				var d diagnosis
				if err := json.Unmarshal([]byte(got.Stdout), &d); err != nil || len(d.Findings) != d.Broken+d.Warnings+d.Notes+d.OK || d.Broken < 5 {
					t.Errorf("%v: %s", err, got.Stdout)
				}
				for _, f := range d.Findings {
					if f.Text == "" || f.Subject == "" || f.Fix == "" && (f.Level == "broken" || f.Level == "warning") {
						t.Errorf("%+v", f)
					}
				}
			}
		}
		if after := listFiles(t, p.home); after != before {
			t.Errorf("files before:\n%s\nand after:\n%s", before, after)
		}
	}
}

func listFiles(t *testing.T, dir string) string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		names = append(names, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, "\n")
}

// silence listens on a socket and never says anything.
func silence(t *testing.T, network, address string) string {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

// TestDoctorWhereAllHangs holds that a session bus, an agent and a proxy that never answer cost the findings about them alone.
func TestDoctorWhereAllHangs(t *testing.T) {
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		t.Skip("the session bus is for Linux and BSD")
	}
	dir, err := os.MkdirTemp("", "d") // the path of a socket may not be longer than about 100 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	p := newSite(t, "", "PATH=/usr/bin:/bin", "CREDENTIAL_HELPER_STANDALONE=", "CREDENTIAL_HELPER_AGENT_SOCKET="+silence(t, "unix", filepath.Join(dir, "agent.sock")),
		"DBUS_SESSION_BUS_ADDRESS=unix:path="+silence(t, "unix", filepath.Join(dir, "bus")), "HTTPS_PROXY=http://"+silence(t, "tcp", "127.0.0.1:0"), "CREDENTIAL_HELPER_TIMEOUT=3s")
	got, took := p.doctor("--online")
	for _, want := range []string{
		"warning  keyring     the system's keyring did not answer within 1.8s → ",
		"warning  agent       not checked to the end within 1.8s: the time went into asking the agent → ",
		"broken   online      asking https://github.com/: no answer in time: ",
		"ok       config      no file ",
		"ok       directories ",
	} {
		if !strings.Contains(got.Stdout, "\n"+want) {
			t.Errorf("without %q:\n%s%s", want, got.Stdout, got.Stderr)
		}
	}
	if took > 3500*time.Millisecond || got.Code != 1 || got.Stderr != "" {
		t.Errorf("it took %s, with status %d and %q", took, got.Code, got.Stderr)
	}
}

func TestDoctorKeyring(t *testing.T) {
	for _, tt := range []struct {
		state peertest.KeyringState
		name  string
		code  int
		want  string // RULES stands for the path of the config file
	}{
		{peertest.Unlocked, "unlocked", 0, "ok       keyring     the system's keyring works\n"},
		{peertest.Locked, "locked", 1, "broken   keyring     the system's keyring is locked, and the rule at RULES:2 wants it → log in to the desktop session, or unlock it from here: "},
		{peertest.Uncreated, "uncreated", 0, "warning  keyring     the keyring holds nothing yet: "},
		{peertest.NoService, "no service", 0, "warning  keyring     there is no keyring here: no Secret Service (org.freedesktop.secrets) runs on the session bus, and the rule at RULES:2 wants it → "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			run, rules := inSession(t, tt.state)
			got := run([]string{program(t), "doctor"}, []string{"CREDENTIAL_HELPER_CONFIG_FILE=" + rules, "CREDENTIAL_HELPER_STANDALONE=1"}, "")
			if want := strings.ReplaceAll(tt.want, "RULES", rules); !strings.Contains(got.Stdout, want) || got.Code != tt.code {
				t.Errorf("status %d, without %q:\n%s", got.Code, want, got.Stdout)
			}
		})
	}
}
