package lookup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/ascii"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/keyring"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/trace"
)

// GitHubCLI returns the source that finds the login of the GitHub CLI for a host ("github.com", "github.example.com").
// The configuration has no name for it: it is part of the chain that goes without saying for GitHub.
//
// The CLI lists its hosts in hosts.yml, in $GH_CONFIG_DIR, else $XDG_CONFIG_HOME/gh, else %AppData%\GitHub CLI on Windows, else ~/.config/gh
// (https://cli.github.com/manual/gh_help_environment). The token is the host's "oauth_token", else that of the host's active user,
// else it is in the keyring: service "gh:HOST", under the active user's name or under none.
// It is bound to the host: it is found for that host and no other.
func (s *Sources) GitHubCLI(host string) Source {
	return githubCLI{env: s.Env, host: ascii.Lower(host)}
}

// GitHubCLIUser is like GitHubCLI, for a chain that has the keyring's entry without a name before it: it does not ask for that again.
func (s *Sources) GitHubCLIUser(host string) Source {
	return githubCLI{env: s.Env, host: ascii.Lower(host), userOnly: true}
}

type githubCLI struct {
	env      *env.Env
	host     string
	userOnly bool
}

func (g githubCLI) Name() string  { return "the GitHub CLI's login for " + g.host }
func (githubCLI) HostBound() bool { return true }

// hostLogin is what hosts.yml says of a host.
type hostLogin struct {
	OAuthToken string `yaml:"oauth_token"`
	User       string `yaml:"user"` // the active one
	Users      map[string]struct {
		OAuthToken string `yaml:"oauth_token"`
	} `yaml:"users"`
}

func (g githubCLI) Lookup(ctx context.Context, _ Query) (Values, error) {
	path, err := g.path()
	if err != nil {
		return nil, err
	}
	shown := g.env.Display(path)
	end := trace.Step(ctx, "reading %s", shown)
	data, _, err := g.env.ReadFile(path, maxYAML)
	end(err)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, helpers.NotFoundf("the GitHub CLI's %s does not exist", shown)
	case err != nil:
		return nil, fmt.Errorf("reading the GitHub CLI's %s: %w", shown, err)
	}
	hosts, err := parseHosts(shown, data)
	if err != nil {
		return nil, helpers.WithHint(fmt.Errorf("reading the GitHub CLI's hosts: %w", err), "gh auth login writes the file anew")
	}
	login, ok := hosts[g.host]
	if !ok {
		return nil, helpers.NotFoundf("the GitHub CLI's %s has no login for %s", shown, g.host)
	}
	for _, text := range []string{login.OAuthToken, login.Users[login.User].OAuthToken} {
		if text != "" {
			return Values{Default: redact.Hold(text)}.at(shown), nil
		}
	}
	return g.keyring(ctx, login.User)
}

func (g githubCLI) keyring(ctx context.Context, user string) (Values, error) {
	for _, account := range slices.Compact([]string{user, ""}) {
		if account == "" && g.userOnly {
			continue
		}
		secret, err := keyring.Get(ctx, g.env, "gh:"+g.host, account)
		switch {
		case err == nil:
			return Values{Default: secret}.at("keyring service " + strconv.Quote("gh:"+g.host)), nil
		case errors.Is(err, helpers.ErrUnavailable):
			return nil, helpers.Unavailablef("the GitHub CLI keeps its token for %s in the keyring, and %s", g.host, err)
		case !errors.Is(err, helpers.ErrNotFound):
			return nil, fmt.Errorf("looking for the GitHub CLI's token: %w", err)
		}
	}
	return nil, helpers.NotFoundf("the GitHub CLI has no token for %s, in its file or in the keyring", g.host)
}

func (g githubCLI) path() (string, error) {
	dir := g.env.Var("GH_CONFIG_DIR")
	if v := g.env.Var("XDG_CONFIG_HOME"); dir == "" && v != "" {
		dir = filepath.Join(v, "gh")
	}
	if v := g.env.Var("AppData"); dir == "" && v != "" && runtime.GOOS == "windows" {
		dir = filepath.Join(v, "GitHub CLI")
	}
	if dir == "" {
		if g.env.Home == "" {
			return "", helpers.NotFoundf("the GitHub CLI's hosts.yml cannot be found: there is no home directory")
		}
		dir = filepath.Join(g.env.Home, ".config", "gh")
	}
	if !filepath.IsAbs(dir) {
		if g.env.UserOnly {
			return "", notHere("the GitHub CLI's " + filepath.Join(dir, "hosts.yml"))
		}
		dir = filepath.Join(g.env.Dir, dir)
	}
	return filepath.Join(dir, "hosts.yml"), nil
}

// parseHosts returns the logins by host, in lower case. No error quotes the file, which is full of tokens.
func parseHosts(shown string, data []byte) (hosts map[string]hostLogin, err error) {
	var file map[string]hostLogin
	if err := decodeYAML(shown, data, "hosts", "the GitHub CLI", &file); err != nil {
		return nil, err
	}
	hosts = make(map[string]hostLogin, len(file))
	// Of two spellings of one host, that in lower case comes last and stands.
	for _, host := range slices.Sorted(maps.Keys(file)) {
		hosts[ascii.Lower(host)] = file[host]
	}
	return hosts, nil
}
