// Package hosts finds the servers that the files of a workspace, and of its user, name.
//
// It reads files at known places and no others, within bounds, and walks no tree. What it does not understand it passes over:
// it is for a proposal that a person looks at.
package hosts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/ascii"
	"github.com/fe055d52/credential-helper/internal/bazelrc"
	"github.com/fe055d52/credential-helper/internal/dockerconfig"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/trace"
)

const (
	// maxFile is the size in bytes above which a file is not read.
	maxFile = 1 << 20
	// maxFound is how many URLs are taken from all files together, and maxIncludes how many files MODULE.bazel may include.
	maxFound    = 5000
	maxIncludes = 32
)

// A Found is a URL that a file names.
type Found struct {
	URL *url.URL
	// Place says where it stands: ".npmrc:3".
	Place string
	// Kind is the kind of registry that the file is for ("npm"), or "oci"; empty where it tells nothing.
	Kind string
	// Named says that the file names the server as a registry or a cache to be asked, and not just as where one file is.
	Named bool
}

type finder struct {
	env       *env.Env
	workspace string
	root      *os.Root
	all       []Found
	problems  []error
}

// Find returns the URLs that the workspace's files name, those of the user's tools, and those of options, in this order.
// problems are files that are there and were not read.
func Find(ctx context.Context, e *env.Env, workspace string, options *bazelrc.Files) (all []Found, problems []error) {
	f := &finder{env: e, workspace: workspace}
	root, err := os.OpenRoot(workspace)
	if err != nil {
		return nil, []error{fmt.Errorf("reading the workspace: %w", err)}
	}
	defer root.Close()
	f.root = root
	for _, step := range []func(){f.bazelFiles, func() { f.options(options) }, f.toolFiles, f.docker} {
		if ctx.Err() != nil {
			break
		}
		end := trace.Step(ctx, "looking for hosts in %s", e.Display(workspace))
		step()
		end(nil)
	}
	return f.all, f.problems
}

// add keeps what raw, a URL or a part of one, names.
func (f *finder) add(raw, place, kind string, named bool) {
	if len(f.all) >= maxFound {
		return
	}
	if u, ok := parse(raw); ok {
		f.all = append(f.all, Found{u, place, kind, named})
	}
}

// parse reads a URL less its user info and its query, which may be secrets.
func parse(raw string) (*url.URL, bool) {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return nil, false
	}
	host, path := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		host, path = rest[:i], rest[i:]
	}
	host = host[strings.LastIndexByte(host, '@')+1:]
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		path = path[:i]
	}
	scheme = ascii.Lower(scheme)
	r, err := helpers.ParseRequest(scheme + "://" + host + path)
	if err != nil {
		r, err = helpers.ParseRequest(scheme + "://" + host + "/") // the host is what counts
	}
	if err != nil || helpers.Wildcard(r.URL) {
		return nil, false
	}
	return r.URL, true
}

var anyURL = regexp.MustCompile("(?i)\\b(?:https?|grpcs?)://[^\\s\"'<>\\\\`,;)}\\]]+")

// readRoot reads a file of the workspace's, by its name from the root. A link that leads out of the workspace is not followed.
func (f *finder) readRoot(name string) (data []byte, ok bool) {
	data, err := func() ([]byte, error) {
		info, err := f.root.Stat(name)
		switch {
		case err != nil:
			return nil, err
		case !info.Mode().IsRegular(): // to open a pipe would wait for its writer
			return nil, errors.New("it is not a regular file")
		case info.Size() > maxFile:
			return nil, env.TooLargeError(maxFile)
		}
		file, err := f.root.Open(name)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		return io.ReadAll(io.LimitReader(file, maxFile))
	}()
	return data, f.told(name, err)
}

func (f *finder) readUser(path string) (data []byte, ok bool) {
	data, _, err := f.env.ReadFile(path, maxFile)
	return data, f.told(f.env.Display(path), err)
}

// told reports whether a file was read, and keeps why it was not where it is there.
func (f *finder) told(name string, err error) bool {
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		f.problems = append(f.problems, fmt.Errorf("%s was not read: %w", name, err))
	}
	return err == nil
}

// options takes the servers that Bazel is told to ask.
func (f *finder) options(options *bazelrc.Files) {
	for _, v := range options.Values("registry", "remote_cache", "remote_executor", "bes_backend", "remote_downloader", "experimental_remote_downloader") {
		text := v.Text
		if !strings.Contains(text, "://") && !strings.HasPrefix(text, "/") && !strings.HasPrefix(text, "unix:") && text != "" {
			text = "grpcs://" + text // Bazel's default
		}
		place := f.env.Display(v.Line.File)
		if rel, err := filepath.Rel(f.workspace, v.Line.File); err == nil && filepath.IsLocal(rel) {
			place = rel
		}
		f.add(text, fmt.Sprintf("%s:%d", place, v.Line.Number), "", true)
	}
}

// A toolFile is a file in which a tool keeps its registries.
type toolFile struct {
	name, kind string
	line       *regexp.Regexp // the lines that name one
}

var (
	npmLine   = regexp.MustCompile(`^\s*(?:(?:@[^\s:=]+:)?registry\s*=|//)`)
	pipLine   = regexp.MustCompile(`(?i)^(?:--)?(?:extra-)?index-url\b|^-i\s`)
	cargoLine = regexp.MustCompile(`^\s*"?(?:index|registry)"?\s*=`)
	mavenLine = regexp.MustCompile(`<url>`)

	workspaceTools = []toolFile{
		{".npmrc", "npm", npmLine},
		{"pip.conf", "pypi", pipLine},
		{"requirements.txt", "pypi", pipLine},
		{"requirements_lock.txt", "pypi", pipLine},
		{".cargo/config.toml", "cargo", cargoLine},
		{"settings.xml", "maven", mavenLine},
	}
	userTools = []toolFile{
		{".npmrc", "npm", npmLine},
		{".config/pip/pip.conf", "pypi", pipLine},
		{".cargo/config.toml", "cargo", cargoLine},
		{".m2/settings.xml", "maven", mavenLine},
	}
)

func (f *finder) toolFiles() {
	for _, tool := range workspaceTools {
		if data, ok := f.readRoot(filepath.FromSlash(tool.name)); ok {
			f.toolLines(tool, tool.name, data)
		}
	}
	if f.env.Home == "" || filepath.Clean(f.env.Home) == filepath.Clean(f.workspace) {
		return
	}
	for _, tool := range userTools {
		path := filepath.Join(f.env.Home, filepath.FromSlash(tool.name))
		if data, ok := f.readUser(path); ok {
			f.toolLines(tool, f.env.Display(path), data)
		}
	}
}

func (f *finder) toolLines(tool toolFile, shown string, data []byte) {
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		text := strings.TrimSpace(line)
		if text == "" || text[0] == '#' || text[0] == ';' || !tool.line.MatchString(text) {
			continue
		}
		place := fmt.Sprintf("%s:%d", shown, n)
		if rest, ok := strings.CutPrefix(text, "//"); ok && tool.kind == "npm" {
			// "//HOST/PATH/:_authToken=…"
			if i := strings.LastIndex(strings.SplitN(rest, "=", 2)[0], "/:"); i >= 0 {
				f.add("https://"+rest[:i+1], place, tool.kind, true)
			}
			continue
		}
		for _, raw := range anyURL.FindAllString(text, -1) {
			f.add(raw, place, tool.kind, true)
		}
	}
}

// docker takes the registries that Docker knows a login for.
func (f *finder) docker() {
	file, err := dockerconfig.Read(f.env)
	if err != nil || len(file.Data) == 0 || !json.Valid(file.Data) {
		return
	}
	for _, section := range []string{"auths", "credHelpers"} {
		gjson.GetBytes(file.Data, section).ForEach(func(key, _ gjson.Result) bool {
			name := key.String()
			if _, rest, ok := strings.Cut(name, "://"); ok {
				name = rest
			}
			name, _, _ = strings.Cut(name, "/")
			f.add("https://"+name+"/v2/", file.Shown, "oci", true)
			return len(f.all) < maxFound
		})
	}
}
