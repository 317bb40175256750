// Package env is the part of the machine that a lookup may see, as values: variables, directories, the clock.
// Nothing below the command reads the process's environment in another way, so a test gives what it wants,
// and one place knows everything that an answer was made from.
package env

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode"

	"github.com/fe055d52/credential-helper/internal/inputs"
	"github.com/fe055d52/credential-helper/internal/place"
)

// Names of the variables that change how the program works.
const (
	VarAgentPID   = "CREDENTIAL_HELPER_AGENT_PID"
	VarCache      = "CREDENTIAL_HELPER_CACHE"
	VarConfigFile = place.VarConfigFile
	VarGuessOCI   = "CREDENTIAL_HELPER_GUESS_OCI_REGISTRY"
	VarIdle       = "CREDENTIAL_HELPER_IDLE_TIMEOUT"
	VarLogging    = "CREDENTIAL_HELPER_LOGGING"
	VarPrune      = "CREDENTIAL_HELPER_PRUNE_INTERVAL"
	VarSocket     = place.VarSocket
	VarStandalone = "CREDENTIAL_HELPER_STANDALONE"
	VarTimeout    = "CREDENTIAL_HELPER_TIMEOUT"
	VarWorkdir    = "CREDENTIAL_HELPER_WORKDIR"
	VarWorkspace  = place.VarWorkspace
)

// MaxLevels is how many directories are looked into, from the working directory upward.
const MaxLevels = place.MaxLevels

// An Env is an environment. Get is required; the rest has a zero value that means "not there".
type Env struct {
	// Get looks up an environment variable.
	Get func(name string) (value string, ok bool)
	// Environ lists all variables as "NAME=value": what a program that a lookup runs is given. Nil stands for those of this process.
	Environ func() []string
	// Dir is the working directory.
	Dir string
	// Home is the user's home directory; empty where there is none.
	Home string
	// ConfigDir and CacheDir are the user's directories for configuration and caches, as os.UserConfigDir and os.UserCacheDir say.
	ConfigDir, CacheDir string
	// Now is the clock.
	Now func() time.Time
	// UserOnly says that files of the project, and of the working directory, are not read: for clients that are started from any directory,
	// which must not decide where their logins come from, nor which programs they run.
	UserOnly bool

	workspace *string

	observed   *Observation
	unobserved func() []string // Environ, without a record
}

// An Observation is a record of what was read from an environment. It may be used by several goroutines.
type Observation struct {
	salt  inputs.Salt
	began int64 // in nanoseconds since 1970, by the clock that files are stamped with

	mu       sync.Mutex
	seen     map[[2]string]string
	record   []inputs.Input
	volatile bool
}

// Observe returns an environment that is e, and records what is read from it. salt keys the sums of the record.
func (e *Env) Observe(salt inputs.Salt) (*Env, *Observation) {
	o := &Observation{salt: salt, began: time.Now().UnixNano(), seen: map[[2]string]string{}}
	watched := *e
	watched.observed = o
	watched.Get = func(name string) (string, bool) {
		value, ok := e.Get(name)
		o.add(inputs.Input{Kind: inputs.Env, Name: name, Sum: inputs.Variable(salt, value, ok)})
		return value, ok
	}
	watched.unobserved = e.Environ
	if e.Environ != nil {
		watched.Environ = func() []string {
			list := e.Environ()
			o.add(inputs.Input{Kind: inputs.Environ, Sum: inputs.All(salt, list)})
			return list
		}
	}
	return &watched, o
}

// EnvironWith lists the variables whose names begin with prefix, in whatever case. ok is false where the environment cannot be listed.
func (e *Env) EnvironWith(prefix string) (list []string, ok bool) {
	environ := e.Environ
	if e.observed != nil {
		environ = e.unobserved
	}
	if environ == nil {
		return nil, false
	}
	list = inputs.WithPrefix(environ(), prefix)
	if o := e.observed; o != nil {
		o.add(inputs.Input{Kind: inputs.Prefix, Name: prefix, Sum: inputs.All(o.salt, list)})
	}
	return list, true
}

// DirectoryVars returns the variables that the directories of an environment come from, beside the home directory. They are read before
// anything is observed: who keeps an answer has to read them once more, so that they are in its record.
func DirectoryVars() []string {
	if runtime.GOOS == "windows" {
		return []string{"AppData", "LocalAppData"}
	}
	return []string{"XDG_CONFIG_HOME", "XDG_CACHE_HOME"}
}

func (o *Observation) add(in inputs.Input) {
	o.mu.Lock()
	defer o.mu.Unlock()
	key := [2]string{in.Kind, in.Name}
	before, seen := o.seen[key]
	switch {
	case !seen:
		o.seen[key] = in.Sum
		o.record = append(o.record, in)
	case before != in.Sum:
		// It changed while it was read: no sum is right, and the answer must not be used again.
		o.volatile = true
		for i := range o.record {
			if o.record[i].Kind == in.Kind && o.record[i].Name == in.Name {
				o.record[i].Sum = ""
			}
		}
	}
}

// renew puts in into the place of what was recorded under its name.
func (o *Observation) renew(in inputs.Input) {
	o.mu.Lock()
	defer o.mu.Unlock()
	key := [2]string{in.Kind, in.Name}
	if _, seen := o.seen[key]; !seen {
		o.record = append(o.record, in)
	}
	o.seen[key] = in.Sum
	for i := range o.record {
		if o.record[i].Kind == in.Kind && o.record[i].Name == in.Name {
			o.record[i].Sum = in.Sum
		}
	}
}

// Inputs returns what was read so far, and whether something was read that cannot be watched.
// A nil Observation has seen nothing.
func (o *Observation) Inputs() (record []inputs.Input, volatile bool) {
	if o == nil {
		return nil, false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.record), o.volatile
}

// Volatile records that something is read which cannot be watched: a keyring, a program's output.
func (e *Env) Volatile() {
	if o := e.observed; o != nil {
		o.mu.Lock()
		o.volatile = true
		o.mu.Unlock()
	}
}

// Process returns the environment of this process.
func Process() *Env {
	e := &Env{Get: os.LookupEnv, Environ: os.Environ, Now: time.Now}
	e.Dir, _ = os.Getwd()
	e.Home, _ = os.UserHomeDir()
	e.ConfigDir, _ = os.UserConfigDir()
	e.CacheDir, _ = os.UserCacheDir()
	// A home that is relative ("~", where no shell was to replace it) would be in whatever directory the program is started from.
	for _, dir := range []*string{&e.Home, &e.ConfigDir, &e.CacheDir} {
		if !filepath.IsAbs(*dir) {
			*dir = ""
		}
	}
	return e
}

// Elsewhere returns e as it is for a client that is started from any directory, which must not decide anything:
// no path leads into the working directory or into the workspace, and programs do not run there.
func (e *Env) Elsewhere() *Env {
	copied := *e
	copied.UserOnly = true
	if copied.Dir = string(filepath.Separator); runtime.GOOS == "windows" { // where anybody may put something there
		copied.Dir = e.Home
	}
	return &copied
}

// Var returns the value of a variable, and "" for one that is not set. A variable that is set but empty counts as not set.
func (e *Env) Var(name string) string {
	v, _ := e.Get(name)
	return v
}

// Workspace returns the root of the Bazel workspace (see [place.Workspace]).
func (e *Env) Workspace() string {
	if e.workspace == nil {
		w := place.Workspace(e.Get, e.Dir)
		e.workspace = &w
	}
	return *e.workspace
}

// Tmp returns the directory for temporary files: $TEST_TMPDIR, $TMPDIR, or the system's.
func (e *Env) Tmp() string {
	for _, name := range []string{"TEST_TMPDIR", "TMPDIR"} {
		if v := e.Var(name); v != "" {
			return v
		}
	}
	return os.TempDir()
}

// Workdir returns the directory for the program's own files of this workspace: CREDENTIAL_HELPER_WORKDIR, else
// a directory below the user's cache directory that is named by the MD5 sum of the workspace's path.
// It is the one that tweag-credential-helper uses, so that what a configuration file says of it stays true.
func (e *Env) Workdir() string {
	if v := e.Var(VarWorkdir); v != "" {
		return v
	}
	workspace := e.Workspace()
	if runtime.GOOS == "windows" {
		workspace = strings.ToLower(workspace)
	}
	sum := md5.Sum([]byte(workspace))
	return filepath.Join(e.cacheDir(), "tweag-credential-helper", hex.EncodeToString(sum[:]))
}

func (e *Env) cacheDir() string {
	if v := e.Var("TEST_TMPDIR"); v != "" {
		return v
	}
	if e.CacheDir == "" {
		return e.Tmp()
	}
	return e.CacheDir
}

// ErrHere is returned by Expand for a path that leads somewhere else from each directory, where that must not be.
var ErrHere = errors.New("it is in the working directory, or in the workspace, which is not looked into here")

// Expand replaces the prefix of a path: %workdir%, %workspace%, %tmp%, %cache% or ~ (alone or before a slash).
// A relative path is taken from the working directory. Where the environment is UserOnly, it is [ErrHere], and so is one in the workspace.
func (e *Env) Expand(path string) (string, error) {
	path, relative, err := e.expand(path)
	if err == nil && relative && e.UserOnly {
		return "", ErrHere
	}
	return path, err
}

// expand is Expand. relative says that the path depends on the directory that the program is started from.
func (e *Env) expand(path string) (expanded string, relative bool, err error) {
	for _, p := range []struct {
		prefix string
		dir    func() string
	}{
		{"%workdir%", e.Workdir},
		{"%workspace%", e.Workspace},
		{"%tmp%", e.Tmp},
		{"%cache%", e.cacheDir},
		{"~", func() string { return e.Home }},
	} {
		rest, ok := strings.CutPrefix(path, p.prefix)
		if !ok || rest != "" && rest[0] != '/' && rest[0] != filepath.Separator {
			continue
		}
		dir := p.dir()
		if dir == "" {
			return "", false, errors.New("there is no home directory to put for ~ (is HOME set?)")
		}
		dir = filepath.Join(dir, filepath.FromSlash(rest))
		return dir, p.prefix == "%workspace%" || !filepath.IsAbs(dir), nil
	}
	path = filepath.FromSlash(path)
	if !filepath.IsAbs(path) {
		return filepath.Join(e.Dir, path), true, nil
	}
	return filepath.Clean(path), false, nil
}

// Display returns path with the home directory shortened to "~", as people write it, and with a question mark for each character
// that a terminal would obey: whoever makes a repository chooses the names in it.
func (e *Env) Display(path string) string {
	if e.Home != "" && e.Home != string(filepath.Separator) {
		if rest, ok := strings.CutPrefix(path, e.Home+string(filepath.Separator)); ok {
			return printable(filepath.Join("~", rest))
		}
	}
	return printable(path)
}

func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}

// ErrTooLarge is what the error of ReadFile is for a file over its limit, which it names.
var ErrTooLarge = errors.New("the file is too large")

// A TooLargeError is an [ErrTooLarge] that names the limit in bytes.
type TooLargeError int64

func (e TooLargeError) Error() string {
	return "it is larger than " + strconv.FormatInt(int64(e), 10) + " bytes"
}

func (e TooLargeError) Is(target error) bool { return target == ErrTooLarge }

// ReadFile reads a regular file of at most limit bytes. Directories, devices, pipes and sockets are refused:
// reading one could hang, or never end.
//
// The file is opened first, and then looked at: what is told, and recorded, of it is true of what is read.
func (e *Env) ReadFile(path string, limit int64) ([]byte, fs.FileInfo, error) {
	return e.readFile(path, limit, (*Observation).add)
}

// Reread is like ReadFile, for a file that was read before and may have been replaced on purpose since: by the caller,
// or by another process that the caller waited for. What the file is now takes the place of what was recorded of it,
// and so the caller must not use what it read before.
func (e *Env) Reread(path string, limit int64) ([]byte, fs.FileInfo, error) {
	return e.readFile(path, limit, (*Observation).renew)
}

func (e *Env) readFile(path string, limit int64, record func(*Observation, inputs.Input)) ([]byte, fs.FileInfo, error) {
	data, info, sum, err := read(path, limit)
	if o := e.observed; o != nil {
		if err == nil && inputs.Recent(info, o.began) {
			sum = inputs.WithContents(sum, o.salt, data)
		}
		record(o, inputs.Input{Kind: inputs.File, Name: path, Sum: sum})
	}
	return data, info, err
}

// read reads a file, and returns beside it what it was known by before.
func read(path string, limit int64) (data []byte, info fs.FileInfo, sum string, err error) {
	f, err := open(path)
	if err == nil {
		defer f.Close()
		info, err = f.Stat()
	}
	sum = inputs.Sum(info, err)
	if err != nil && sum != "-" {
		// It is there and cannot be opened. It may be something that nobody opens, like a socket.
		if there, statErr := os.Stat(path); statErr == nil {
			info, sum = there, inputs.Sum(there, nil)
		}
	}
	switch {
	case info != nil && info.IsDir():
		return nil, info, sum, errors.New("it is a directory")
	case info != nil && !info.Mode().IsRegular():
		return nil, info, sum, errors.New("it is not a regular file")
	case err != nil:
		return nil, info, sum, withoutPath(err)
	}
	if info.Size() > limit {
		return nil, info, sum, TooLargeError(limit)
	}
	data, err = io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, info, sum, withoutPath(err)
	}
	if int64(len(data)) > limit {
		return nil, info, sum, TooLargeError(limit)
	}
	return data, info, sum, nil
}

// Missed records that programs were looked for at paths, and that none of them could be run.
func (e *Env) Missed(paths ...string) {
	o := e.observed
	switch {
	case o == nil:
	case runtime.GOOS == "windows": // where a program's file has one of several names
		e.Volatile()
	default:
		for _, path := range paths {
			o.add(inputs.Input{Kind: inputs.File, Name: path, Sum: inputs.Stat(path)})
		}
	}
}

// withoutPath drops the path from a file error: the callers name the path as the user knows it.
// A file below something that is not a directory does not exist.
func withoutPath(err error) error {
	if errors.Is(err, syscall.ENOTDIR) {
		return fs.ErrNotExist
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
