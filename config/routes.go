package config

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net/url"
	"slices"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/place"
	"github.com/fe055d52/credential-helper/internal/shell"
)

// MaxFile is the size in bytes above which a file is refused.
const MaxFile = 1 << 20

// Routes are all rules in the order in which they are tried.
type Routes struct {
	// Files are the files that are there.
	Files []File
	// BuiltIn are the rules that serve what no file matches, where the files permit it.
	BuiltIn []Rule
}

// Load reads the files that there are: the one that CREDENTIAL_HELPER_CONFIG_FILE names, alone; else the workspace's and then the user's.
// Every mistake in any of them is an error, also in a rule that no URL needs. Files that do not exist are passed over,
// except one that the variable names. builtIn is called where the built-in rules are wanted.
func Load(e *env.Env, kinds Kinds, builtIn func() ([]Rule, error)) (*Routes, error) {
	return load(e, e.Workspace(), kinds, builtIn)
}

// LoadUser is like Load, and does not read the workspace's file: for clients that are started from any directory,
// which must not decide where their logins come from.
// A file there that CREDENTIAL_HELPER_CONFIG_FILE names, with %workspace% or from the working directory, is not read either, but the user's own.
func LoadUser(e *env.Env, kinds Kinds, builtIn func() ([]Rule, error)) (*Routes, error) {
	return load(e.Elsewhere(), "", kinds, builtIn)
}

func load(e *env.Env, workspace string, kinds Kinds, builtIn func() ([]Rule, error)) (*Routes, error) {
	r := &Routes{}
	paths, named, err := sought(e, workspace)
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		found, err := r.read(e, path, kinds, named)
		if err == nil && !found && named {
			err = fmt.Errorf("reading the config file %s: it does not exist", path)
		}
		if err != nil && named {
			err = helpers.WithHint(err, "$%s names this file; correct or unset it", env.VarConfigFile)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := r.AddBuiltIn(builtIn); err != nil {
		return nil, err
	}
	return r, nil
}

// Sought returns the files that Load looks for, in the order in which their rules are tried. named says that it is the one
// that CREDENTIAL_HELPER_CONFIG_FILE names.
func Sought(e *env.Env) (paths []string, named bool, err error) { return sought(e, e.Workspace()) }

func sought(e *env.Env, workspace string) (paths []string, named bool, err error) {
	name := e.Var(env.VarConfigFile)
	if name == "" {
		return place.ConfigFiles(workspace, e.ConfigDir), false, nil
	}
	path, err := e.Expand(name)
	if errors.Is(err, env.ErrHere) {
		return place.ConfigFiles("", e.ConfigDir), false, nil
	}
	if err != nil {
		return nil, true, fmt.Errorf("reading the config file that $%s names: %w", env.VarConfigFile, err)
	}
	return []string{path}, true, nil
}

// AddBuiltIn adds the built-in rules, where the files permit it: there is none, or one says "use_defaults".
func (r *Routes) AddBuiltIn(builtIn func() ([]Rule, error)) error {
	if len(r.Files) > 0 && !slices.ContainsFunc(r.Files, func(f File) bool { return f.UseDefaults }) {
		return nil
	}
	rules, err := builtIn()
	if err != nil {
		return fmt.Errorf("reading the built-in rules: %w", err)
	}
	r.BuiltIn = rules
	return nil
}

func (r *Routes) read(e *env.Env, path string, kinds Kinds, named bool) (found bool, err error) {
	f, found, err := Read(e, path, kinds, named)
	if found && err == nil {
		r.Files = append(r.Files, f)
	}
	return found, err
}

// Read reads and decodes one file. found is false where it does not exist.
//
// A file decides where secrets are sent and which programs run, so one that somebody else may have written is refused:
// one that every user can write, and one that belongs neither to the user nor to root, unless the user named it.
func Read(e *env.Env, path string, kinds Kinds, named bool) (f File, found bool, err error) {
	data, info, err := e.ReadFile(path, MaxFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return File{}, false, nil
	case err != nil:
		return File{}, false, fmt.Errorf("reading the config file %s: %w", path, err)
	case env.WritableByAll(info):
		return File{}, false, helpers.WithHint(fmt.Errorf("reading the config file %s: every user of this machine can write it (mode %04o)", path, info.Mode().Perm()),
			"run chmod o-w %s, if what it says is yours", shell.QuotePath(path))
	case !named && env.Foreign(info):
		return File{}, false, helpers.WithHint(fmt.Errorf("reading the config file %s: it belongs to another user, who could have your secrets sent anywhere", path),
			"if you trust it, name it in $%s", env.VarConfigFile)
	}
	f, err = Parse(path, data, kinds, false)
	return f, err == nil, err
}

// Match returns the first rule for u, which [helpers.ParseRequest] normalized, or nil.
//
// Where u stands for all hosts of a domain ("https://*.example.com/"), the answer is for each of them. So it is nil where a rule before
// the one that matches may take some of them: what that rule withholds, or sends in another form, is not sent by way of the wildcard.
func (r *Routes) Match(u *url.URL) *Rule {
	wildcard := helpers.Wildcard(u)
	for rule := range r.all() {
		switch {
		case rule.Matches(u):
			return rule
		case wildcard && rule.takesBelow(u):
			return nil
		}
	}
	return nil
}

// all returns the rules in the order in which they are tried.
func (r *Routes) all() iter.Seq[*Rule] {
	return func(yield func(*Rule) bool) {
		for _, f := range r.Files {
			for i := range f.Rules {
				if !yield(&f.Rules[i]) {
					return
				}
			}
		}
		for i := range r.BuiltIn {
			if !yield(&r.BuiltIn[i]) {
				return
			}
		}
	}
}
