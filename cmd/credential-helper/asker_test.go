package main

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/cache"
	"github.com/fe055d52/credential-helper/config"
	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/inputs"
	"github.com/fe055d52/credential-helper/internal/strictjson"
)

// TestAskerDecidesAsARunDoes holds that the agent finds, for any URL, the entry that a run without the agent would keep the answer under.
func TestAskerDecidesAsARunDoes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rules.json")
	const text = `{"use_defaults": true, "urls": [
		{"host": "files.test", "path": "/a/*", "helper": "registry", "config": {"token": "x"}},
		{"host": "files.test", "helper": "registry", "config": {"token": "y"}},
		{"host": "npm.test", "helper": "registry", "config": {"preset": "npm"}},
		{"host": "gallery.test", "helper": "registry", "config": {"preset": "stack-gallery", "lookup_chain": [{"source": "npmrc"}]}},
		{"host": "registry.test", "helper": "oci"},
		{"host": "s3.test", "helper": "s3"}
	]}`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	e, kinds := kindsFor(t, nil)
	q := newAsker(e)
	for _, guess := range []bool{false, true} {
		question := cache.Question{Guess: guess, Named: true, Context: "c", Files: [][2]string{{path, inputs.Stat(path)}}}
		file, err := config.Parse(path, []byte(text), kinds, false)
		if err != nil {
			t.Fatal(err)
		}
		routes := &config.Routes{Files: []config.File{file}}
		if err := routes.AddBuiltIn(func() ([]config.Rule, error) { return builtInRules(guess, kinds) }); err != nil {
			t.Fatal(err)
		}
		for _, uri := range []string{
			"https://files.test/a/b", "https://files.test/b", "https://registry.test/v2/o/r/manifests/v1", "https://registry.test/v2/o/r/blobs/sha256:0",
			"https://registry.test/v2/o/s/manifests/v1", "https://github.com/o/r", "https://ghcr.io/v2/o/r/manifests/v1", "https://other.test/v2/o/r/manifests/v1",
			"https://npm.test/a/b/c", "https://npm.test/a/b/", "https://npm.test//a", "https://gallery.test/a/b", "https://gallery.test/maven2/a/b", "https://gallery.test/v2/a/b/manifests/1",
			"https://nowhere.test/", "https://files.test/a/b?X-Amz-Signature=0", "http://files.test/a", "https://s3.test/x", "https://bob:pw@files.test/", "nonsense://x",
		} {
			question.URI = uri
			got, ok := q.ask(question)
			var want decision
			req, err := helpers.ParseRequest(uri)
			if err == nil {
				want, err = decide(routes, req.URL)
			}
			switch {
			case err != nil:
				if ok {
					t.Errorf("%s: answered, and a run fails with %v", uri, err)
				}
			case want.noOpinion != "":
				if !ok || !strings.HasPrefix(string(got.Text), `{"headers":{},"expires":"`) {
					t.Errorf("%s: %+v, %v; want no opinion", uri, got, ok)
				}
			case !ok || got.Text != nil || !slices.Equal(got.Key.IDs(), want.key("c").IDs()):
				t.Errorf("%s: %+v, %v; want the key %+v", uri, got, ok, want.key("c"))
			}
		}
	}
}

func TestAskerSeesThatFilesChange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rules.json")
	write := func(text string) string {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return inputs.Stat(path)
	}
	e, _ := kindsFor(t, nil)
	q := newAsker(e)
	ask := func(sum string) (cache.Asked, bool) {
		return q.ask(cache.Question{URI: "https://a.test/", Files: [][2]string{{path, sum}}})
	}
	first := write(`{"urls": [{"host": "a.test", "helper": "registry", "config": {"token": "1"}}]}`)
	one, ok := ask(first)
	if !ok {
		t.Fatal("not answered")
	}
	// The clock of its file system may not have ticked when the file changes again, so that its sum would stay as it is.
	if len(q.routes) != 0 {
		t.Error("a file that was written just now is known by its sum")
	}
	second := write(`{"urls": [{"host": "a.test", "helper": "registry", "config": {"token": "22"}}]}`)
	two, ok := ask(second)
	if !ok || one.Key.ID() == two.Key.ID() {
		t.Errorf("the file changed, and the key did not: %+v, %v", two, ok)
	}
	if _, ok := ask(strings.Repeat("0", len(second))); ok {
		t.Error("a client that saw another file is answered")
	}
	if _, ok := ask(write(`{"broken`)); ok {
		t.Error("a client with a broken file is answered; it is to see the error")
	}
	if _, ok := ask("-"); !ok {
		t.Error("a client without the file is not answered")
	}
}

// TestAskerReadsNothingAtOnce holds that an agent which answers one client after the other reads no file between them,
// and that while it reads one for a client, which may be on a disk that hangs, others are answered.
func TestAskerReadsNothingAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rules.json")
	if err := os.WriteFile(path, []byte(`{"urls": [{"host": "a.test", "helper": "slow"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	e, kinds := kindsFor(t, nil)
	e.Now = func() time.Time { return time.Now().Add(time.Minute) } // the file was not written just now
	q := newAsker(e)
	reads, goOn := make(chan struct{}), make(chan struct{})
	q.kinds = maps.Clone(kinds)
	q.kinds["slow"] = config.Kind{New: func(helpers.Rule, *strictjson.Object) helpers.Helper {
		close(reads)
		<-goOn
		return &fakeHelper{}
	}}
	slow := cache.Question{URI: "https://a.test/", Files: [][2]string{{path, inputs.Stat(path)}}, AtOnce: true}
	if asked, ok := q.ask(slow); !ok || !asked.Later {
		t.Errorf("files that were not read are asked at once: %+v, %v", asked, ok)
	}
	patient := slow
	patient.AtOnce = false
	done := make(chan bool)
	go func() {
		asked, ok := q.ask(patient)
		done <- ok && !asked.Later
	}()
	<-reads
	other := cache.Question{URI: "https://nowhere.test/"}
	if asked, ok := q.ask(other); !ok || asked.Text == nil {
		t.Errorf("while files are read, another is told %+v, %v", asked, ok)
	}
	close(goOn)
	if !<-done {
		t.Error("the one whose files were read is not answered")
	}
	if asked, ok := q.ask(slow); !ok || asked.Later {
		t.Errorf("files that were read are asked at once: %+v, %v", asked, ok)
	}
}

func TestLate(t *testing.T) {
	inner := helpers.WithHint(errors.New("no answer in time"), "is a.test reachable?")
	for _, tt := range []struct {
		name        string
		err         error
		interrupted bool
		step        string
		want, hint  string
	}{
		{"late", errors.New("x"), false, "asking the keyring", "no answer within 8s; the time went into asking the keyring", "$CREDENTIAL_HELPER_TIMEOUT sets the time limit"},
		{"late, and somebody knows more", inner, false, "asking a.test", "no answer within 8s; the time went into asking a.test", "is a.test reachable?; $CREDENTIAL_HELPER_TIMEOUT sets the time limit"},
		{"before any step", errors.New("x"), false, "", "no answer within 8s; the time went into starting", "$CREDENTIAL_HELPER_TIMEOUT sets the time limit"},
		{"interrupted", inner, true, "asking a.test", "interrupted while asking a.test", ""},
	} {
		err := late(tt.err, tt.interrupted, 8*time.Second, tt.step)
		var hint *helpers.HintError
		got := ""
		if errors.As(err, &hint) {
			got = hint.Hint
		}
		if err.Error() != tt.want || got != tt.hint {
			t.Errorf("%s: %q, hint %q", tt.name, err, got)
		}
	}
}

// TestPanicIsAnError holds that a panic in a library ends in one line, like every other error.
func TestPanicIsAnError(t *testing.T) {
	e := &env.Env{Get: func(string) (string, bool) { return "", false }, Now: time.Now}
	var stdout, stderr strings.Builder
	a := &app{env: e, stdin: panicReader{}, stdout: &stdout, stderr: &stderr}
	if code := a.run([]string{"get"}); code != exitError || stdout.String() != "" || stderr.String() !=
		"credential-helper: internal error: a library broke\nhint: $CREDENTIAL_HELPER_LOGGING=debug shows where; please report it\n" {
		t.Errorf("status %d, stdout %q, stderr %q", code, stdout.String(), stderr.String())
	}
}

type panicReader struct{}

func (panicReader) Read([]byte) (int, error) { panic("a library broke") }

// TestAskerForgets holds that no decoded configuration, in which a secret may be written down, outlives what tells an agent to forget everything.
func TestAskerForgets(t *testing.T) {
	q := newAsker(&env.Env{Get: func(string) (string, bool) { return "", false }})
	if _, ok := q.routesFor(cache.Question{}); !ok || len(q.routes) != 1 {
		t.Fatalf("%d configurations are kept", len(q.routes))
	}
	if q.forget(); len(q.routes) != 0 {
		t.Errorf("%d configurations are kept", len(q.routes))
	}
}
