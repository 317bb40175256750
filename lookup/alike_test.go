package lookup

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/inputs"
)

// An alikeMachine is what a PathBound source finds its logins in.
type alikeMachine struct {
	source func(*Sources) Source
	files  map[string]string
	vars   map[string]string
	// changes are variables that may get another value, or be set, or not be set any more ("").
	changes map[string]string
}

// alikePaths are the paths of logins and of URLs in the tests' files: of all the ways in which two of them may be related.
var (
	alikeSites = []string{"", "/", "/a", "/a/", "/a/b", "/a/b/", "/ab/", "/a/b/c/", "/A/", "/d%2Fe/", "/a/index.json", "/a/b/index.json", "/simple", "/legacy/"}
	alikeURLs  = []string{
		"", "/", "/a", "/a/", "/a/x", "/a/xx/y", "/a/b", "/a/b/", "/a/b/x", "/a/bb", "/ab", "/ab/x", "/a/b/c", "/a/b/c/d/e", "/A/x", "/A", "/x", "/x/y/z", "/d%2Fe/x", "/d/e/x",
		"//a/x", "/a//b/x", "//", "/a/index.json", "/a/index.json/x", "/simple/p/", "/packages/p", "/legacy/p",
		"/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18", "/a/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18",
	}
)

const alikeHost = "https://h.test"

// alikeOutcome is what a lookup comes to, as far as it decides about an answer.
func alikeOutcome(v Values, err error) string {
	switch {
	case err == nil:
		return outcomeOf(nil, v, nil).values
	case helpers.FallsThrough(err):
		return "none"
	}
	return "broken"
}

// lookAlike looks up a URL. dir is the directory for which the source vouches, and unchanged tells whether a cache would use the outcome again with other variables.
func (m *alikeMachine) lookAlike(t testing.TB, s *Sources, raw string) (outcome, dir string, unchanged func(vars map[string]string) bool) {
	t.Helper()
	const salt = inputs.Salt("0123456789abcdef")
	watched := *s
	var seen *env.Observation
	watched.Env, seen = s.Env.Observe(salt)
	q := ask(t, raw)
	q.alike = &dir
	outcome = alikeOutcome(m.source(&watched).Lookup(context.Background(), q))
	record, _ := seen.Inputs()
	return outcome, dir, func(vars map[string]string) bool {
		var list []string
		for name, value := range vars {
			list = append(list, name+"="+value)
		}
		return !slices.ContainsFunc(record, func(in inputs.Input) bool {
			switch in.Kind {
			case inputs.Env:
				value, set := vars[in.Name]
				return inputs.Variable(salt, value, set) != in.Sum
			case inputs.Environ:
				return inputs.All(salt, list) != in.Sum
			case inputs.Prefix:
				return inputs.All(salt, inputs.WithPrefix(list, in.Name)) != in.Sum
			}
			return false // no file changes
		})
	}
}

// overclaims returns what is wrong with what a source says of how far its outcomes go: a URL in a directory that has another one,
// at once, or after a change of the environment that a cache would not see. claims are the directories, by URL.
func (m *alikeMachine) overclaims(t testing.TB) (wrong []string, claims map[string]string) {
	t.Helper()
	vars := maps.Clone(m.vars)
	if vars == nil {
		vars = map[string]string{}
	}
	s := newSources(t, vars)
	for name, text := range m.files {
		write(t, s, name, text)
	}
	outcomes := func() map[string]string {
		all := map[string]string{}
		for _, path := range alikeURLs {
			all[path] = alikeOutcome(m.source(s).Lookup(context.Background(), ask(t, alikeHost+path)))
		}
		return all
	}
	// The tests' own idea of a directory: a URL is in it where its path begins with it, and two slashes mean nothing clear.
	in := func(path, dir string) bool {
		return dir != "" && strings.HasPrefix(path+strings.Repeat("/", 1-min(1, len(path))), dir) && !strings.Contains(path, "//")
	}
	before := outcomes()
	claims = map[string]string{}
	again := map[string]func(map[string]string) bool{}
	for _, path := range alikeURLs {
		outcome, dir, unchanged := m.lookAlike(t, s, alikeHost+path)
		claims[path], again[path] = dir, unchanged
		if outcome == "broken" {
			continue // which is kept for nobody
		}
		if dir != "" && !in(path, dir) {
			wrong = append(wrong, fmt.Sprintf("%s vouches for %q", path, dir))
		}
		for _, other := range alikeURLs {
			if in(other, dir) && before[other] != outcome {
				wrong = append(wrong, fmt.Sprintf("%s is %q, all of %s they say, and %s is %q", path, outcome, dir, other, before[other]))
			}
		}
	}
	for name, value := range m.changes {
		was, set := vars[name]
		if vars[name] = value; value == "" {
			delete(vars, name)
		}
		after := outcomes()
		for _, path := range alikeURLs {
			if before[path] == "broken" || !again[path](vars) {
				continue
			}
			for _, other := range alikeURLs {
				if (other == path || in(other, claims[path])) && after[other] != before[path] {
					wrong = append(wrong, fmt.Sprintf("%s is %q for all of %q; with %s=%s %s is %q, and nobody would notice", path, before[path], claims[path], name, value, other, after[other]))
				}
			}
		}
		if vars[name] = was; !set {
			delete(vars, name)
		}
	}
	return wrong, claims
}

// alikeGenerators make machines with several logins on one server, at random. Those of a source that is bound to paths, and vouches for directories.
var alikeGenerators = map[string]func(r *rand.Rand) *alikeMachine{
	"npmrc": func(r *rand.Rand) *alikeMachine {
		m := &alikeMachine{source: (*Sources).Npmrc, vars: map[string]string{"TOKEN": "t3"}, changes: map[string]string{
			"TOKEN": "t4", "OTHER": "t5", "npm_config_//h.test/a/b/:_authToken": "t6", "NPM_CONFIG_//h.test/:_authToken": "t7", "npm_config_registry": "https://h.test/a/b/",
		}}
		var text strings.Builder
		for range 1 + r.IntN(4) {
			level := pick(r, "//h.test", "//h.test", "//H.test", "//other.test", "//h.test:443") + pick(r, alikeSites...)
			fmt.Fprintf(&text, "%s:%s\n", level, pick(r, "_authToken=t1", "_authToken=t2", "_authToken=${TOKEN}", "_authToken=${OTHER?}", "_authToken=${OTHER}", "always-auth=true",
				"certfile=/x\n"+level+":keyfile=/y", "_auth="+base64.StdEncoding.EncodeToString([]byte("u:t1"))))
		}
		if r.IntN(3) == 0 {
			fmt.Fprintf(&text, "registry=%s%s\n", pick(r, alikeHost, "https://other.test"), pick(r, alikeSites...))
		}
		m.files = map[string]string{".npmrc": text.String()}
		return m
	},
	"maven": func(r *rand.Rand) *alikeMachine {
		m := &alikeMachine{source: func(s *Sources) Source { return s.Maven("") }, vars: map[string]string{"AT": "/a/b"}, changes: map[string]string{"AT": "/ab", "NONE": "/a", "PASS": "p"}}
		var text strings.Builder
		text.WriteString("<settings><servers>")
		for i := range 3 {
			fmt.Fprintf(&text, "<server><id>s%d</id><username>u</username><password>%s</password></server>", i, pick(r, "t1", "t2", "${env.PASS}"))
		}
		text.WriteString("</servers><mirrors>")
		for range 1 + r.IntN(4) {
			fmt.Fprintf(&text, "<mirror><id>s%d</id><url>%s%s</url></mirror>", r.IntN(4), pick(r, alikeHost, alikeHost, "https://other.test"), pick(r, append(alikeSites, "${env.AT}", "${env.NONE}")...))
		}
		text.WriteString("</mirrors></settings>")
		m.files = map[string]string{".m2/settings.xml": text.String()}
		return m
	},
	"nuget": func(r *rand.Rand) *alikeMachine {
		m := &alikeMachine{source: (*Sources).Nuget, vars: map[string]string{"PASS": "t1"}, changes: map[string]string{
			"PASS": "t3", "NuGetPackageSourceCredentials_f1": "Username=u;Password=t4",
			"VSS_NUGET_EXTERNAL_FEED_ENDPOINTS": `{"endpointCredentials": [{"endpoint": "https://h.test/a/b/index.json", "password": "t5"}]}`,
		}}
		var sources, logins strings.Builder
		for i := range 1 + r.IntN(4) {
			fmt.Fprintf(&sources, `<add key="f%d" value="%s%s" />`, i, pick(r, alikeHost, alikeHost, "https://other.test"), pick(r, alikeSites...))
			if r.IntN(4) > 0 {
				fmt.Fprintf(&logins, `<f%d><add key="Username" value="u" /><add key="ClearTextPassword" value="%s" /></f%d>`, i, pick(r, "t1", "t2", "%PASS%"), i)
			}
		}
		m.files = map[string]string{".nuget/NuGet/NuGet.Config": "<configuration><packageSources>" + sources.String() + "</packageSources><packageSourceCredentials>" + logins.String() + "</packageSourceCredentials></configuration>"}
		if r.IntN(4) == 0 {
			m.vars["VSS_NUGET_EXTERNAL_FEED_ENDPOINTS"] = `{"endpointCredentials": [{"endpoint": "` + alikeHost + pick(r, alikeSites...) + `", "password": "t6"}]}`
		}
		return m
	},
	"cargo": func(r *rand.Rand) *alikeMachine {
		m := &alikeMachine{source: func(s *Sources) Source { return s.Cargo("") }, vars: map[string]string{}, changes: map[string]string{
			"CARGO_REGISTRIES_R1_TOKEN": "t4", "CARGO_REGISTRIES_R2_INDEX": "sparse+https://h.test/a/b/", "CARGO_REGISTRIES_NEW_INDEX": "sparse+https://h.test/a/", "CARGO_REGISTRIES_R0_CREDENTIAL_PROVIDER": "other",
		}}
		var text strings.Builder
		for i := range r.IntN(4) {
			fmt.Fprintf(&text, "[registries.r%d]\nindex = \"sparse+%s%s\"\n", i, pick(r, alikeHost, alikeHost, "https://other.test"), pick(r, alikeSites...))
			if r.IntN(3) > 0 {
				fmt.Fprintf(&text, "token = \"%s\"\n", pick(r, "t1", "t2"))
			}
		}
		for _, name := range []string{"E1", "E2"} {
			if r.IntN(3) > 0 {
				m.vars["CARGO_REGISTRIES_"+name+"_INDEX"], m.vars["CARGO_REGISTRIES_"+name+"_TOKEN"] = "sparse+"+alikeHost+pick(r, alikeSites...), pick(r, "t1", "t3")
			}
		}
		m.files = map[string]string{".cargo/config.toml": text.String()}
		return m
	},
	"pip": func(r *rand.Rand) *alikeMachine {
		index := func() string {
			return "https://" + pick(r, "", "u@", "u:t1@", "u:t2@", "t3:@") + pick(r, "h.test", "h.test", "other.test") + pick(r, alikeSites...)
		}
		m := &alikeMachine{source: func(s *Sources) Source { return pip{Sources: s} }, vars: map[string]string{}, changes: map[string]string{
			"PIP_INDEX_URL": "https://u:t4@h.test/a/b/", "UV_INDEX": "n=https://h.test/a/", "UV_INDEX_N_PASSWORD": "t5",
		}}
		m.files = map[string]string{".config/pip/pip.conf": "[global]\nindex-url = " + index() + "\nextra-index-url = " + index() + " " + index() + "\n"}
		if r.IntN(2) == 0 {
			m.vars["PIP_EXTRA_INDEX_URL"] = index()
		}
		if r.IntN(2) == 0 {
			m.vars["UV_INDEX"] = "n=" + index() + " " + index()
		}
		return m
	},
	"pypirc": func(r *rand.Rand) *alikeMachine {
		m := &alikeMachine{source: (*Sources).Pypirc, vars: map[string]string{}, changes: map[string]string{
			"TWINE_PASSWORD": "t4", "TWINE_REPOSITORY": "s1", "TWINE_REPOSITORY_URL": "https://u:t5@h.test/a/b/",
		}}
		var text strings.Builder
		text.WriteString("[distutils]\nindex-servers = s0 s1 s2\n")
		for i := range 3 {
			fmt.Fprintf(&text, "[s%d]\nrepository = %s%s\n%s\npassword = %s\n", i, pick(r, alikeHost, alikeHost, "https://other.test"), pick(r, alikeSites...), pick(r, "username = u", "username = u", ""), pick(r, "t1", "t2", "pypi-t3"))
		}
		if r.IntN(3) == 0 {
			m.vars["TWINE_REPOSITORY"], m.vars["TWINE_USERNAME"], m.vars["TWINE_PASSWORD"] = "s1", "v", "t6"
		}
		m.files = map[string]string{".pypirc": text.String()}
		return m
	},
	"bundler": func(r *rand.Rand) *alikeMachine {
		m := &alikeMachine{source: (*Sources).Bundler, vars: map[string]string{}, changes: map[string]string{
			"BUNDLE_H__TEST": "u:t4", "BUNDLE_HTTPS://H__TEST/A/": "u:t5", "BUNDLE_HTTPS://H__TEST/": "u:t6", "GEM_HOST_API_KEY": "t7", "RUBYGEMS_HOST": "https://h.test/a/b",
		}}
		keys := []string{"BUNDLE_H__TEST", "BUNDLE_HTTPS://H__TEST/", "BUNDLE_HTTPS://H__TEST/A/", "BUNDLE_HTTPS://H__TEST/A/B/", "BUNDLE_HTTPS://H__TEST:8080/A/", "BUNDLE_OTHER__TEST", "BUNDLE_JOBS"}
		m.files = map[string]string{".bundle/config": "---\n", ".gem/credentials": "---\n", ".gemrc": "---\n:sources:\n"}
		if r.IntN(2) == 0 {
			m.files[".bundle/config"] += pick(r, keys...) + ": \"u:t1\"\n"
		}
		if r.IntN(3) == 0 {
			m.vars[pick(r, keys...)] = "u:t2"
		}
		if r.IntN(4) == 0 {
			m.vars["GEM_HOST_API_KEY"], m.vars["RUBYGEMS_HOST"] = "t8", alikeHost+pick(r, alikeSites...)
		}
		for _, site := range []string{pick(r, alikeSites...), pick(r, alikeSites...)} {
			if r.IntN(2) == 0 && !strings.Contains(m.files[".gem/credentials"], alikeHost+site+":") {
				m.files[".gem/credentials"] += alikeHost + site + ": " + pick(r, "t1", "t2") + "\n"
			}
			m.files[".gemrc"] += "- https://" + pick(r, "", "u:t1@", "u:t3@") + "h.test" + site + "\n"
		}
		return m
	},
	"moonbit": func(r *rand.Rand) *alikeMachine {
		m := &alikeMachine{source: (*Sources).Moonbit, vars: map[string]string{"MOON": "t3"}, changes: map[string]string{"MOON": "t4", "OTHER": "t5"}}
		var text strings.Builder
		for i := range 1 + r.IntN(4) {
			fmt.Fprintf(&text, "[[sources]]\nname = \"s%d\"\nurl = \"%s%s\"\n", i, pick(r, alikeHost, alikeHost, "https://other.test"), pick(r, alikeSites...))
			if r.IntN(3) == 0 {
				fmt.Fprintf(&text, "index_url = \"%s%s\"\npackage_url_pattern = \"${url}%s${name}.zip\"\n", alikeHost, pick(r, alikeSites...), pick(r, "/", "/b/"))
			}
			if r.IntN(4) == 0 {
				fmt.Fprintf(&text, "priority = %d\n", r.IntN(3))
			}
			if r.IntN(5) > 0 {
				fmt.Fprintf(&text, "[sources.auth]\ntype = \"bearer\"\ntoken = \"%s\"\n", pick(r, "t1", "t2", "${MOON}", "${OTHER}"))
			}
		}
		m.files = map[string]string{"proj/registry.toml": text.String()}
		return m
	},
	"pesde": func(r *rand.Rand) *alikeMachine {
		m := &alikeMachine{source: func(s *Sources) Source { return s.Pesde("") }}
		tokens := map[string]string{}
		for range 1 + r.IntN(4) {
			tokens[pick(r, alikeHost, alikeHost, "https://other.test")+pick(r, alikeSites...)] = pick(r, "t1", "t2", "")
		}
		var text strings.Builder
		text.WriteString("[tokens]\n")
		for _, index := range slices.Sorted(maps.Keys(tokens)) {
			fmt.Fprintf(&text, "%q = %q\n", index, tokens[index])
		}
		m.files = map[string]string{".pesde/config.toml": text.String()}
		return m
	},
}

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

// TestAlike holds for many files of each source that what it finds for a URL is what it finds for all URLs in the directory that it vouches for,
// for as long as a cache would use it again. And that it vouches for one more often than not: without that, the former is easily held.
func TestAlike(t *testing.T) {
	for name, generate := range alikeGenerators {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rounds := 40
			if testing.Short() {
				rounds = 10
			}
			vouched, root, narrow, all := 0, 0, 0, 0
			for round := range rounds {
				r := rand.New(rand.NewPCG(uint64(round), 7))
				m := generate(r)
				wrong, claims := m.overclaims(t)
				for _, text := range wrong[:min(len(wrong), 3)] {
					t.Errorf("round %d: %s", round, text)
				}
				if len(wrong) > 0 {
					t.Fatalf("with %q and %q", m.files, m.vars)
				}
				for _, dir := range claims {
					switch all++; dir {
					case "":
						continue
					case "/":
						root++
					default:
						narrow++
					}
					vouched++
				}
			}
			if vouched*2 < all || root == 0 || narrow == 0 {
				t.Errorf("of %d lookups, %d are for the whole server, and %d for a directory", all, root, narrow)
			}
		})
	}
}

// TestAlikeTable holds how far the logins go that people mostly have.
func TestAlikeTable(t *testing.T) {
	npmrc := func(text string) *alikeMachine {
		return &alikeMachine{source: (*Sources).Npmrc, files: map[string]string{".npmrc": text}}
	}
	for _, tt := range []struct {
		name   string
		m      *alikeMachine
		claims map[string]string
	}{
		{"npm, the host", npmrc("//h.test/:_authToken=t1\n"), map[string]string{"": "/", "/a/x": "/", "//a/x": ""}},
		{"npm, a path", npmrc("//h.test/a/:_authToken=t1\n"), map[string]string{"/a/x": "/a/", "/a/xx/y": "/a/", "/x": "", "/x/y/z": "/x/"}},
		{"npm, a path that is the registry", npmrc("registry=https://h.test/a/\n//h.test/a/:_authToken=t1\n"), map[string]string{"/a/x": "/", "/x": "/"}},
		{"npm, the host and a path", npmrc("//h.test/:_authToken=t1\n//h.test/a/b/:_authToken=t2\n"), map[string]string{"/x": "", "/x/y/z": "/x/", "/a/x": "", "/a/b/c": "/a/b/", "/a/xx/y": "/a/xx/"}},
		{"npm, the same for both", npmrc("//h.test/:_authToken=t1\n//h.test/a/b/:_authToken=t1\n"), map[string]string{"/x": "/", "/a/b/x": "/"}},
		{"npm, none", npmrc("//other.test/:_authToken=t1\n"), map[string]string{"/a/x": "/"}},
		{"maven, a mirror", &alikeMachine{
			source: func(s *Sources) Source { return s.Maven("") },
			files: map[string]string{".m2/settings.xml": "<settings><servers><server><id>s</id><username>u</username><password>p</password></server></servers>" +
				"<mirrors><mirror><id>s</id><url>https://h.test/a/</url></mirror></mirrors></settings>"},
		}, map[string]string{"/a/b/x": "/", "/x": "/"}},
		{"pip, an index", &alikeMachine{source: func(s *Sources) Source { return pip{Sources: s} }, vars: map[string]string{"PIP_INDEX_URL": "https://u:t1@h.test/simple"}}, map[string]string{"/packages/p": "/"}},
		{"bundler, the host", &alikeMachine{source: (*Sources).Bundler, vars: map[string]string{"BUNDLE_H__TEST": "u:p"}}, map[string]string{"/a/x": "/"}},
		{"bundler, the host and its URL", &alikeMachine{source: (*Sources).Bundler, vars: map[string]string{"BUNDLE_HTTPS://H__TEST/": "u:p"}}, map[string]string{"/a/x": "/"}},
		{"bundler, a path", &alikeMachine{source: (*Sources).Bundler, vars: map[string]string{"BUNDLE_H__TEST": "u:p", "BUNDLE_HTTPS://H__TEST/A/": "u:p"}}, map[string]string{"/a/x": "", "/x/y/z": ""}},
		{"maven, no file", &alikeMachine{source: func(s *Sources) Source { return s.Maven("") }}, map[string]string{"/a/x": "/", "//a/x": ""}},
		{"moonbit, no file", &alikeMachine{source: (*Sources).Moonbit}, map[string]string{"/a/x": "/"}},
		{"pypirc, no file", &alikeMachine{source: (*Sources).Pypirc}, map[string]string{"/a/x": "/"}},
		{"nuget, no file", &alikeMachine{source: (*Sources).Nuget}, map[string]string{"/a/x": "/"}},
		{"cargo, no file", &alikeMachine{source: func(s *Sources) Source { return s.Cargo("") }}, map[string]string{"/a/x": "/"}},
		{"pip, no file", &alikeMachine{source: func(s *Sources) Source { return pip{Sources: s} }}, map[string]string{"/a/x": "/"}},
		{"pesde, no file", &alikeMachine{source: func(s *Sources) Source { return s.Pesde("") }}, map[string]string{"/a/x": "/"}},
		{"bundler, no file", &alikeMachine{source: (*Sources).Bundler}, map[string]string{"/a/x": "/"}},
		{"git", &alikeMachine{source: func(s *Sources) Source { return s.Git(true) }}, map[string]string{"/a/x": ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wrong, claims := tt.m.overclaims(t)
			if len(wrong) > 0 {
				t.Error(strings.Join(wrong, "\n"))
			}
			for path, want := range tt.claims {
				if got := claims[path]; got != want {
					t.Errorf("%s: vouches for %q, want %q", path, got, want)
				}
			}
		})
	}
}

// TestAlikeMachineNotices holds that the tests above see a source that says too much.
func TestAlikeMachineNotices(t *testing.T) {
	for name, generate := range alikeGenerators {
		t.Run(name, func(t *testing.T) {
			for round := range 40 {
				m := generate(rand.New(rand.NewPCG(uint64(round), 7)))
				honest := m.source
				m.source = func(s *Sources) Source { return boastful{honest(s)} }
				if wrong, _ := m.overclaims(t); len(wrong) > 0 {
					return
				}
			}
			t.Error("a source that vouches for the whole server, whatever it finds, passes")
		})
	}
}

// boastful is a source that says of whatever it finds that it holds for the whole server.
type boastful struct{ Source }

func (b boastful) Lookup(ctx context.Context, q Query) (Values, error) {
	defer q.everywhere()
	return b.Source.Lookup(ctx, q)
}
