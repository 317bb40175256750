package lookup

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/peertest"
	"github.com/fe055d52/credential-helper/internal/redact"
)

// A recorder is a server that keeps the Authorization header of the last request for each path.
type recorder struct {
	*httptest.Server
	mu   sync.Mutex
	sent map[string]string
}

func newRecorder(t *testing.T, serve http.HandlerFunc) *recorder {
	t.Helper()
	r := &recorder{sent: map[string]string{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.mu.Lock()
		r.sent[q.URL.EscapedPath()] = q.Header.Get("Authorization")
		r.mu.Unlock()
		serve(w, q)
	}))
	t.Cleanup(r.Close)
	return r
}

// compare holds that the tool sent for each path what the source finds for it.
func (r *recorder) compare(t *testing.T, source Source, paths []string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, path := range paths {
		sent, asked := r.sent[path]
		if !asked {
			t.Errorf("%s was not asked for", path)
			continue
		}
		values, err := source.Lookup(t.Context(), ask(t, r.URL+path))
		found := headerOf(values)
		if err != nil && !helpers.FallsThrough(err) {
			found = "error"
		}
		if found != sent {
			t.Errorf("%s: the tool sent %q, we found %q (%v)", path, sent, found, err)
		}
	}
}

// headerOf returns the Authorization header that values make.
func headerOf(v Values) string {
	switch {
	case len(v.Headers()) > 0:
		return v.Headers()["Authorization"].Reveal()
	case !v[Token].IsZero():
		return "Bearer " + v[Token].Reveal()
	case v.Named():
		return "Basic " + b64(v[Username].Reveal()+":"+v[Password].Reveal())
	}
	return ""
}

// npmPackage returns a package as npm packs them.
func npmPackage(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	text := `{"name": "x", "version": "1.0.0"}`
	err := w.WriteHeader(&tar.Header{Name: "package/package.json", Mode: 0o644, Size: int64(len(text))})
	if err == nil {
		_, err = w.Write([]byte(text))
	}
	if err == nil {
		err = w.Close()
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestNpmAgrees compares with what npm itself sends.
func TestNpmAgrees(t *testing.T) {
	notOnWindows(t)
	npm := peertest.Require(t, "npm", "apt-get install npm")
	pack := npmPackage(t)
	server := newRecorder(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(pack) })
	host := strings.TrimPrefix(server.URL, "http:") + "/"
	vars := map[string]string{
		"NPM_TOKEN": "from-variable", "EMPTY": "",
		"npm_config_" + host + "env/:_authToken":      "of-the-environment",
		"NPM_CONFIG_" + host + "upper/:_authToken":    "of-the-environment-${NPM_TOKEN}",
		"npm_config_" + host + "emptyenv/:_authToken": "",
	}
	s := newSources(t, vars)
	write(t, s, "proj/package.json", `{"name": "y", "version": "1.0.0"}`)

	var paths []string
	var file strings.Builder
	option := func(path, rest string) { fmt.Fprintf(&file, "%s%s%s\n", host, path, rest) }
	file.WriteString("=nothing\nloglevel = silent\n[not a section\n")
	for name, lines := range map[string][]string{
		"plain":         {"/:_authToken=plain"},
		"spaces":        {"/:_authToken   =   spaces  "},
		"quotes":        {`/:_authToken="quo\u0074es\\"`},
		"single":        {`/:_authToken='single'`},
		"badquotes":     {`/:_authToken="bad\q"`},
		"threequotes":   {`/:_authToken="""x`},
		"backquote":     {"/:_authToken=`back"},
		"comment":       {"/:_authToken=comment ; behind"},
		"hash":          {"/:_authToken=ha#sh"},
		"escapes":       {`/:_authToken=a\;b\#c\\d\e`},
		"equals":        {"/:_authToken=a=b=="},
		"twice":         {"/:_authToken=first", "/:_authToken=second"},
		"emptied":       {"/:_authToken=first", "/:_authToken="},
		"null":          {"/:_authToken=null"},
		"noslash":       {":_authToken=noslash"},
		"both":          {":_authToken=without", "/:_authToken=with"},
		"auth":          {"/:_auth=" + b64("bob:pass:word")},
		"login":         {"/:username=bob", "/:_password=" + b64("päss")},
		"userless":      {"/:_password=" + b64("x")},
		"passwordless":  {"/:username=bob"},
		"tokenfirst":    {"/:_auth=" + b64("a:b"), "/:_authToken=tokenfirst"},
		"authfirst":     {"/:username=a", "/:_password=" + b64("b"), "/:_auth=" + b64("c:d")},
		"deep":          {"/:_authToken=deep", "/x/:_authToken=deeper", "/x/y/z/:_authToken=other"},
		"variable":      {"/:_authToken=a${NPM_TOKEN}b"},
		"question":      {"/:_authToken=a${UNDEFINED?}b"},
		"absent":        {"/:_authToken=${UNDEFINED?}"},
		"emptyvariable": {"/:_authToken=${EMPTY}"},
		"escaped":       {`/:_authToken=\${NPM_TOKEN}`},
		"escaped2":      {`/:_authToken='\\${NPM_TOKEN}\\\${NPM_TOKEN}'`},
		"almost":        {"/:_authToken=$x${}${NPM_TOKEN"},
		"key":           {},
		"Case":          {"/:_authToken=case"},
		"case":          {},
		"none":          {},
		"esc%2faped":    {"/:_authToken=esc"},
		"env":           {"/:_authToken=of-the-file"},
		"upper":         {},
		"emptyenv":      {"/:_authToken=of-the-file"},
		"user":          {"/:_authToken=of-the-project"},
		"list":          {"/:other[]=1", "/:other[]=2", "/:_authToken=list"},
	} {
		for _, line := range lines {
			option(name, line)
		}
		paths = append(paths, "/"+name+"/x/y/x-1.0.0.tgz")
	}
	file.WriteString("\"" + host + "key/:_authToken\" = quoted\r\n[section]\r\n" + host + "none/:_authToken=of-a-section\n")
	write(t, s, "proj/.npmrc", file.String())
	write(t, s, ".npmrc", host+"user/:_authToken=of-the-user\n"+host+"user/x/:_authToken=longer\n"+host+"none/z/:_authToken=other\nprefix="+filepath.Join(s.Env.Home, "p")+"\n")
	write(t, s, "p/etc/npmrc", host+"user/x/y/:_authToken=longest\n")

	// With another registry at the same host, its login is for what has none.
	for _, registry := range []string{"", server.URL + "/plain/"} {
		vars["npm_config_registry"] = registry
		npmPack(t, s, npm, server.URL, paths)
		server.compare(t, s.Npmrc(), paths)
	}
	if got := server.sent["/none/x/y/x-1.0.0.tgz"]; got != "Bearer plain" {
		t.Errorf("what has no login of its own was asked for with %q", got)
	}
}

// npmPack has npm fetch packages.
func npmPack(t *testing.T, s *Sources, npm, server string, paths []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	args := []string{"pack", "--silent", "--pack-destination", s.Env.Home, "--fetch-retries=0", "--no-update-notifier", "--cache", filepath.Join(s.Env.Home, "cache")}
	for _, path := range paths {
		args = append(args, server+path)
	}
	cmd := exec.CommandContext(ctx, npm, args...)
	cmd.Dir = s.Env.Dir
	cmd.Env = append(s.Env.Environ(), "HOME="+s.Env.Home, "PATH="+filepath.Dir(npm)+":/usr/bin:/bin")
	cmd.WaitDelay = time.Second
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm pack: %v\n%s", err, redact.Quote(string(output), 2000))
	}
}
