// Package ci tests the files in this directory.
package ci

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/fe055d52/credential-helper/internal/githubtest"
	"github.com/fe055d52/credential-helper/internal/packagetest"
	"github.com/fe055d52/credential-helper/internal/peertest"
	"github.com/fe055d52/credential-helper/internal/registrytest"
)

const (
	workflowFile = ".github/workflows/build.yml"
	gitlabFile   = ".gitlab-ci.yml"
	rulesFile    = ".tweag-credential-helper.json"

	installLine = `go install "github.com/fe055d52/credential-helper/cmd/credential-helper@$CREDENTIAL_HELPER_VERSION"`
)

type workflow struct {
	Env  map[string]string
	Jobs map[string]struct {
		Env   map[string]string
		Steps []struct {
			Uses, Run string
			Env       map[string]string
		}
	}
}

type pipeline struct {
	Variables map[string]string
	Build     struct {
		BeforeScript []string `yaml:"before_script"`
		Script       []string
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func parse(t *testing.T, name string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(read(t, name)), into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// checks returns the lines of scripts that call the program, which there have to be.
func checks(t *testing.T, scripts ...string) []string {
	t.Helper()
	var lines []string
	for line := range strings.Lines(strings.Join(scripts, "\n")) {
		if strings.HasPrefix(line, "credential-helper ") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	if len(lines) < 2 {
		t.Fatalf("the scripts call the program in %q only", lines)
	}
	return lines
}

// TestGitHubActions runs what the workflow runs, with the variables that it sets, against a model of GitHub and of its container registry.
func TestGitHubActions(t *testing.T) {
	var w workflow
	parse(t, workflowFile, &w)
	job := w.Jobs["build"]
	var scripts, uses []string
	variables := map[string]string{}
	add := func(env map[string]string) {
		for name, value := range env {
			variables[name] = value
		}
	}
	add(w.Env)
	add(job.Env)
	for _, step := range job.Steps {
		scripts = append(scripts, step.Run)
		add(step.Env)
		if step.Uses != "" {
			name, _, _ := strings.Cut(step.Uses, "@")
			uses = append(uses, name)
		}
	}
	if want := []string{"actions/checkout", "actions/setup-go"}; !slices.Equal(uses, want) {
		t.Errorf("it uses the actions %q, want %q", uses, want)
	}
	if !strings.Contains(strings.Join(scripts, "\n"), installLine) {
		t.Errorf("it does not run %s", installLine)
	}

	github := githubtest.New(t)
	github.AddApp(githubtest.App{ID: 12345, Key: &githubtest.Key().PublicKey})
	github.Install(githubtest.Installation{ID: 678, App: 12345, Owner: "acme", Permissions: map[string]string{"contents": "read"}})
	github.AddRepo(githubtest.Repo{Owner: "acme", Name: "tools"})
	const jobToken = "ghs_canary0123456789"
	images := startRegistry(t, "octocat", jobToken)
	given := map[string]string{
		"GITHUB_TOKEN": "${{ github.token }}", "GITHUB_APP_PRIVATE_KEY": "${{ secrets.BUILDS_APP_PRIVATE_KEY }}",
		"CREDENTIAL_HELPER_VERSION": "VERSION", "CREDENTIAL_HELPER_CACHE": "file",
	}
	for name, value := range variables {
		if given[name] != value {
			t.Errorf("it sets %s to %s", name, value)
		}
	}
	key := githubtest.PEM(githubtest.Key())
	r := newRunner(t, strings.NewReplacer(
		"https://github.com", github.URL, "https://ghcr.io", images.URL,
		// The model is an Enterprise Server, which has its API below a path.
		`"api.github.com", "path": "`, `"`+github.Host+`", "path": "/api/v3`,
		`"github.com"`, `"`+github.Host+`"`, `"ghcr.io"`, `"`+images.Host+`"`,
	), map[string]string{
		"GITHUB_ACTOR": "octocat", "GITHUB_TOKEN": jobToken, "GITHUB_APP_PRIVATE_KEY": key,
		"CREDENTIAL_HELPER_CACHE": variables["CREDENTIAL_HELPER_CACHE"],
	}, jobToken, key)
	for _, line := range checks(t, scripts...) {
		r.accepts(line)
		r.fails(line, "GITHUB_APP_PRIVATE_KEY", "GITHUB_TOKEN")
	}
}

// TestGitLabCI runs what the pipeline runs, with the variables that GitLab sets, against a model of GitLab's packages and a registry.
func TestGitLabCI(t *testing.T) {
	var p pipeline
	parse(t, gitlabFile, &p)
	scripts := append(p.Build.BeforeScript, p.Build.Script...)
	if !slices.Contains(scripts, installLine) {
		t.Errorf("it does not run %s", installLine)
	}
	if len(p.Variables) != 2 || p.Variables["CREDENTIAL_HELPER_VERSION"] != "VERSION" || p.Variables["CREDENTIAL_HELPER_CACHE"] != "file" {
		t.Errorf("it sets %v", p.Variables)
	}
	gitlab := packagetest.Start(t, "gitlab", packagetest.Alice)
	const password = "registry-canary"
	images := startRegistry(t, "gitlab-ci-token", password)
	r := newRunner(t, strings.NewReplacer(
		"https://registry.gitlab.example.com", images.URL, `"registry.gitlab.example.com"`, `"`+images.Host+`"`,
		`"gitlab.example.com"`, `"`+gitlab.Host+`"`,
	), map[string]string{
		"CI_SERVER_URL": gitlab.URL, "CI_API_V4_URL": gitlab.URL + "/api/v4", "CI_PROJECT_ID": "7", "CI_JOB_TOKEN": packagetest.Alice.JobToken,
		"CI_REGISTRY_USER": "gitlab-ci-token", "CI_REGISTRY_PASSWORD": password,
		"CREDENTIAL_HELPER_CACHE": p.Variables["CREDENTIAL_HELPER_CACHE"],
	}, packagetest.Alice.JobToken, password)
	for _, line := range checks(t, scripts...) {
		r.accepts(line)
		r.fails(line, "CI_JOB_TOKEN", "CI_REGISTRY_PASSWORD")
	}
}

func startRegistry(t *testing.T, user, password string) *registrytest.Registry {
	t.Helper()
	r, err := registrytest.Start(registrytest.Config{Login: registrytest.Bearer, Users: map[string]string{user: password}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	if _, err := r.Push(t.Context(), "acme/app", "v1"); err != nil {
		t.Fatal(err)
	}
	return r
}

// A runner runs lines of a script in a checkout with the configuration, as the CI system does.
type runner struct {
	t         *testing.T
	dir       string
	addresses *strings.Replacer
	variables map[string]string
	secrets   []string
}

func newRunner(t *testing.T, addresses *strings.Replacer, variables map[string]string, secrets ...string) *runner {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the scripts are for Unix")
	}
	r := &runner{t, t.TempDir(), addresses, variables, secrets}
	if b := peertest.Run(t, "", nil, []string{"go", "build", "-o", filepath.Join(r.dir, "bin", "credential-helper"), "github.com/fe055d52/credential-helper/cmd/credential-helper"}, ""); b.Code != 0 {
		t.Fatalf("%+v", b)
	}
	for name, text := range map[string]string{"MODULE.bazel": "", rulesFile: addresses.Replace(read(t, rulesFile))} {
		if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func (r *runner) run(line string, without ...string) peertest.Result {
	r.t.Helper()
	env := []string{"HOME=" + r.dir, "PATH=" + filepath.Join(r.dir, "bin") + ":/usr/bin:/bin"}
	for name, value := range r.variables {
		if !slices.Contains(without, name) {
			env = append(env, name+"="+value)
		}
	}
	got := peertest.Run(r.t, r.dir, env, []string{"sh", "-eu", "-c", r.addresses.Replace(line)}, "")
	for _, secret := range r.secrets {
		if strings.Contains(got.Stdout+got.Stderr, secret) {
			r.t.Errorf("%s shows a secret:\n%s%s", line, got.Stdout, got.Stderr)
		}
	}
	return got
}

// accepts is about a line that succeeds, because of a login.
func (r *runner) accepts(line string) {
	r.t.Helper()
	got := r.run(line)
	if got.Code != 0 || !strings.Contains(got.Stdout, "the login is needed, and accepted") {
		r.t.Errorf("%s: %+v", line, got)
	}
}

// fails is about the same line where the variables are not set.
func (r *runner) fails(line string, variables ...string) {
	r.t.Helper()
	if got := r.run(line, variables...); got.Code == 0 {
		r.t.Errorf("%s without %q: %+v", line, variables, got)
	}
}

// TestNoSecretInFiles holds that what is committed has nothing that looks like a secret, and names no host by accident.
func TestNoSecretInFiles(t *testing.T) {
	secret := regexp.MustCompile(`gh[a-z]_[A-Za-z0-9]|glpat-|BEGIN |Bearer |password: `)
	for _, name := range []string{workflowFile, gitlabFile, rulesFile, ".bazelrc"} {
		if m := secret.FindString(read(t, name)); m != "" {
			t.Errorf("%s has %q", name, m)
		}
	}
}
