package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"slices"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/place"
)

// maxFile is the size in bytes above which a file is refused.
const maxFile = 1 << 20

// Routes are all rules in the order in which they are tried.
type Routes struct {
	// Looked are the files that were looked for, Files those that are there.
	Looked []string
	Files  []File
	// BuiltIn are the rules that serve what no file matches, where the files permit it.
	BuiltIn []Rule
}

// Load reads the files that there are: the one that CREDENTIAL_HELPER_CONFIG_FILE names, alone; else the workspace's and then the user's.
// Every mistake in any of them is an error, also in a rule that no URL needs. Files that do not exist are passed over,
// except one that the variable names. builtIn is called where the built-in rules are wanted.
func Load(e *env.Env, kinds Kinds, builtIn func() ([]Rule, error)) (*Routes, error) {
	r := &Routes{}
	if named := e.Var(env.VarConfigFile); named != "" {
		path, err := e.Expand(named)
		if err != nil {
			return nil, fmt.Errorf("reading the config file that $%s names: %w", env.VarConfigFile, err)
		}
		found, err := r.read(e, path, kinds)
		if err == nil && !found {
			err = fmt.Errorf("reading the config file %s: it does not exist", path)
		}
		if err != nil {
			return nil, helpers.WithHint(err, "$%s names this file; correct or unset it", env.VarConfigFile)
		}
	} else {
		for _, path := range place.ConfigFiles(e.Workspace(), e.ConfigDir) {
			if _, err := r.read(e, path, kinds); err != nil {
				return nil, err
			}
		}
	}
	useDefaults := func(f File) bool { return f.UseDefaults }
	if len(r.Files) == 0 || slices.ContainsFunc(r.Files, useDefaults) {
		rules, err := builtIn()
		if err != nil {
			return nil, fmt.Errorf("reading the built-in rules: %w", err)
		}
		r.BuiltIn = rules
	}
	return r, nil
}

func (r *Routes) read(e *env.Env, path string, kinds Kinds) (found bool, err error) {
	r.Looked = append(r.Looked, path)
	data, _, err := e.ReadFile(path, maxFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case errors.Is(err, env.ErrTooLarge):
		return false, fmt.Errorf("reading the config file %s: it is larger than %d bytes", path, maxFile)
	case err != nil:
		return false, fmt.Errorf("reading the config file %s: %w", path, err)
	}
	f, err := Parse(path, data, kinds, false)
	if err != nil {
		return false, err
	}
	r.Files = append(r.Files, f)
	return true, nil
}

// Match returns the first rule for u, which [helpers.ParseRequest] normalized, or nil.
func (r *Routes) Match(u *url.URL) *Rule {
	for _, f := range r.Files {
		for i := range f.Rules {
			if f.Rules[i].Matches(u) {
				return &f.Rules[i]
			}
		}
	}
	for i := range r.BuiltIn {
		if r.BuiltIn[i].Matches(u) {
			return &r.BuiltIn[i]
		}
	}
	return nil
}
