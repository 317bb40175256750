package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fe055d52/credential-helper/internal/githubtest"
	"github.com/fe055d52/credential-helper/internal/peertest"
)

// forges are the models of GitHub that scripts started, by their script and name.
var forges sync.Map

// addAcme adds an App with the id 12345, installed at the organization acme, which has the private repository tools.
func addAcme(s *githubtest.Server) {
	s.AddApp(githubtest.App{ID: 12345, ClientID: "Iv23liABCDEF", Key: &githubtest.Key().PublicKey})
	s.Install(githubtest.Installation{ID: 678, App: 12345, Owner: "acme", Permissions: map[string]string{"contents": "read"}})
	s.AddRepo(githubtest.Repo{Owner: "acme", Name: "tools", Trees: []string{"4b825dc642cb6eb9a060e54bf8d69288fbee4904"}})
	s.AddRepo(githubtest.Repo{Owner: "eve", Name: "other"})
}

// githubCmd is "github NAME": it starts a model of GitHub with what addAcme adds. $NAME is its host and port, $NAME_URL its origin,
// and $NAME_KEY the App's private key, which is in the file NAME.pem too.
func githubCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: github NAME")
	}
	name := args[0]
	s := githubtest.Start()
	ts.Defer(s.Close)
	addAcme(s)
	forges.Store(ts.Name()+"/"+name, s)
	key := githubtest.PEM(githubtest.Key())
	ts.Setenv(name, s.Host)
	ts.Setenv(name+"_URL", s.URL)
	ts.Setenv(name+"_KEY", key)
	ts.Check(os.WriteFile(ts.MkAbs(name+".pem"), []byte(key), 0o600))
}

// mintsCmd is "mints NAME LOOKUPS MINTS": so often installations and their tokens were asked for.
func mintsCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: mints NAME LOOKUPS MINTS")
	}
	s, ok := forges.Load(ts.Name() + "/" + args[0])
	if !ok {
		ts.Fatalf("no GitHub %s", args[0])
	}
	if got := fmt.Sprint(s.(*githubtest.Server).Lookups(), s.(*githubtest.Server).Mints()); got != args[1]+" "+args[2] {
		ts.Fatalf("%s lookups and mints, want %s %s", got, args[1], args[2])
	}
}

// TestGitHubAppStorm holds that any number of processes, whatever form of the header they want, make one token of a GitHub App,
// that it opens what it is for, and that another key is not answered with it.
func TestGitHubAppStorm(t *testing.T) {
	eachCache(t, func(t *testing.T, c *camp) {
		s := githubtest.New(t)
		addAcme(s)
		s.SetDelay(50 * time.Millisecond)
		c.write("rules.json", fmt.Sprintf(`{"urls": [{"host": %q, "helper": "github", "config": {"app_id": 12345, "owner": "acme", "lookup_chain": [
			{"source": "file", "path": "~/app.pem", "binding": "private_key"}]}}]}`, s.Host))
		key := c.write("app.pem", githubtest.PEM(githubtest.Key()))
		forms := []string{
			s.API + "/repos/acme/tools",
			s.URL + "/acme/tools/archive/main.tar.gz",
			s.URL + "/raw/acme/tools/main/file",
			s.URL + "/acme/tools.git/info/refs?service=git-upload-pack",
		}
		check := func(url string, r peertest.Result) {
			t.Helper()
			headers, expires := readAnswer(t, url, r)
			if left := time.Until(expires); left < 58*time.Minute || left > 59*time.Minute {
				t.Errorf("the answer for %s is good for %s", url, left)
			}
			headers.Set("User-Agent", "test")
			if got := fetch(t, http.MethodGet, url, headers); got.status != http.StatusOK {
				t.Errorf("the server answers %d to the headers for %s", got.status, url)
			}
		}
		var urls []string
		for i := range 60 {
			urls = append(urls, forms[i%len(forms)])
		}
		start := time.Now()
		storm := c.storm(urls...)
		for _, r := range storm.wait() {
			t.Errorf("get for %s fails: %s", r.url, r.stderr.String())
		}
		t.Logf("60 cold gets in four forms took %s", time.Since(start).Round(time.Millisecond))
		if l, m := s.Lookups(), s.Mints(); l != 1 || m != 1 {
			t.Errorf("%d lookups and %d mints, want one of each", l, m)
		}
		for _, r := range storm.runs[:len(forms)] {
			check(r.url, peertest.Result{Stdout: r.stdout.String(), Stderr: r.stderr.String()})
		}

		// A form that nobody has asked for yet costs nothing, and the same key in another file is the same key.
		check(s.URL+"/acme/tools/git-upload-pack", c.get(s.URL+"/acme/tools/git-upload-pack"))
		if err := os.Rename(key, filepath.Join(c.home, "moved.pem")); err != nil {
			t.Fatal(err)
		}
		if r := c.get(forms[0]); r.Code == 0 || !strings.Contains(r.Stderr, "app.pem does not exist") {
			t.Errorf("without a key: %+v", r)
		}
		c.write("app.pem", githubtest.PEM(githubtest.Key())+"\n")
		check(forms[0], c.get(forms[0]))
		if m := s.Mints(); m != 1 {
			t.Errorf("%d mints, want 1", m)
		}

		// Another key is another login, at once: this one the App does not have.
		c.write("app.pem", githubtest.PEM(githubtest.NewKey()))
		if r := c.get(forms[0]); r.Code == 0 || !strings.Contains(r.Stderr, "401 Unauthorized: A JSON web token could not be decoded") {
			t.Errorf("with a key that is not the App's: %+v", r)
		}
	})
}
