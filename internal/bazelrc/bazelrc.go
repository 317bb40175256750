// Package bazelrc reads Bazel's options from the files in which people keep them: https://bazel.build/run/bazelrc
//
// [Read] follows imports, within bounds, and takes lines apart as Bazel does, also where that is not what their author meant.
// It never fails for what Bazel would refuse: that is left out, and told in [Files.Problems].
// It is for telling people about their setup, not for running Bazel.
package bazelrc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/ascii"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/trace"
)

const (
	// maxFile is the size in bytes above which a file is not read, and maxFiles how many are read at most.
	maxFile  = 1 << 20
	maxFiles = 32
	// maxTotal is the size in bytes of all files together above which the rest is not read.
	maxTotal = 2 << 20
	// maxNested is how many configs may name each other in a row, and maxProblems how many problems are told.
	maxNested   = 32
	maxProblems = 20
)

// A Line is a line with options, or what several lines make that end with a backslash.
type Line struct {
	File   string // the path
	Number int    // of its first line, from 1
	// Command is the one that the options are for: "common", "build". Config is the name behind a colon ("ci" of "build:ci"):
	// the options count only with --config=ci. [Read] empties it where a line for every build says --config=ci. A line that begins with an option is for no command: Bazel ignores it.
	Command, Config string
	Args            []string
	// Unclosed says that a quote is not closed: Bazel takes the rest of the line, and says nothing.
	Unclosed bool
	// Backslashes says that a backslash was taken for an escape that nobody means, as in C:\tools.
	Backslashes bool
}

// Files are the lines of one or more files, in the order in which Bazel takes them.
type Files struct {
	Lines []Line
	// Read are the paths of the files that were read.
	Read []string
	// Problems are what Bazel stops at: files that are there, or are imported, and cannot be read, and imports that are none.
	// Each has a [helpers.HintError].
	Problems []error

	env       *env.Env
	workspace string
	size      int               // of the files that were read, in bytes
	serving   map[string]Helper // those of every build by their scope, the last of several; nil until it is asked for
}

// Read reads the files that Bazel reads for a workspace: the system's, the workspace's and the user's, with what they import. Later ones win.
func Read(ctx context.Context, e *env.Env, workspace string) *Files {
	return ReadWith(ctx, e, workspace, System(e))
}

// ReadWith is like Read, with another file in the place of the system's.
func ReadWith(ctx context.Context, e *env.Env, workspace, system string) *Files {
	f := &Files{env: e, workspace: workspace}
	paths := []string{system, filepath.Join(workspace, ".bazelrc")}
	if e.Home != "" {
		paths = append(paths, filepath.Join(e.Home, ".bazelrc"))
	}
	for i, path := range paths {
		if path != "" && !slices.Contains(paths[:i], path) {
			f.read(ctx, path, nil, "")
		}
	}
	f.expand()
	return f
}

// platform is the name of the config that --enable_platform_specific_config turns on here.
func platform() string {
	if runtime.GOOS == "darwin" {
		return "macos"
	}
	return runtime.GOOS
}

// expand makes the lines of configs that every build has lines of no config: "common --config=ci", "common --enable_platform_specific_config".
func (f *Files) expand() {
	on := map[string]bool{}
	for again, rounds := true, 0; again && rounds < maxNested; rounds++ {
		for i := range f.Lines {
			if on[f.Lines[i].Config] {
				f.Lines[i].Config = ""
			}
		}
		for _, v := range f.Values("config") {
			if v.Line.everyBuild() && v.Text != "" {
				on[v.Text] = true
			}
		}
		specific := false
		for i := range f.Lines {
			for _, arg := range f.Lines[i].Args {
				if name, value, _ := strings.Cut(arg, "="); strings.HasSuffix(name, "enable_platform_specific_config") && f.Lines[i].everyBuild() {
					specific = name == "--enable_platform_specific_config" && !slices.Contains([]string{"0", "no", "false"}, ascii.Lower(value))
				}
			}
		}
		if specific {
			on[platform()] = true
		}
		again = slices.ContainsFunc(f.Lines, func(l Line) bool { return on[l.Config] })
	}
}

// System returns the file for all users of the machine (https://bazel.build/run/bazelrc#bazelrc-file-locations); "" where there can be none.
func System(e *env.Env) string {
	if runtime.GOOS != "windows" {
		return "/etc/bazel.bazelrc"
	}
	if dir := e.Var("ProgramData"); dir != "" {
		return filepath.Join(dir, "bazel.bazelrc")
	}
	return ""
}

func (f *Files) problem(hint, format string, args ...any) {
	if len(f.Problems) >= maxProblems {
		return
	}
	f.Problems = append(f.Problems, helpers.WithHint(fmt.Errorf(format, args...), "%s", hint))
}

// read reads a file. from is the place of the line that imports it, "" for one that Bazel looks for itself, and importing the files on the way to it.
// One that is imported twice is read twice, as Bazel does: what it says the second time comes later.
func (f *Files) read(ctx context.Context, path string, importing []string, from string) {
	shown := f.shown(path)
	if ctx.Err() != nil {
		return
	}
	if len(f.Read) == maxFiles {
		f.problem("have it import fewer files", "%s is not read: it is behind %d others, and more are not read here", shown, maxFiles)
		return
	}
	end := trace.Step(ctx, "reading %s", shown)
	data, _, err := f.env.ReadFile(path, maxFile)
	end(err)
	switch {
	case errors.Is(err, fs.ErrNotExist) && from == "":
		return
	case errors.Is(err, fs.ErrNotExist):
		f.problem("make the file, or write try-import", "%s imports %s, which does not exist: Bazel stops there", from, shown)
		return
	case err != nil:
		f.problem("it has to be a file that you and Bazel can read", "reading %s: %w", shown, err)
		return
	}
	if f.size += len(data); f.size > maxTotal {
		f.problem("have it import less", "%s is not read: with those before it, it is more than %d bytes", shown, maxTotal)
		return
	}
	f.Read = append(f.Read, path)
	for _, line := range Parse(path, data) {
		if line.Command == "import" || line.Command == "try-import" {
			f.include(ctx, line, append(slices.Clip(importing), path))
		} else {
			f.Lines = append(f.Lines, line)
		}
	}
}

// include follows an import line.
func (f *Files) include(ctx context.Context, line Line, importing []string) {
	place := f.Place(&line)
	if len(line.Args) != 1 {
		f.problem("put a name with spaces into quotes", "%s: %s takes one file: Bazel stops there", place, line.Command)
		return
	}
	path := line.Args[0]
	if rest, ok := strings.CutPrefix(path, "%workspace%"); ok {
		path = filepath.Join(f.workspace, filepath.FromSlash(rest))
	} else if !filepath.IsAbs(path) {
		path = filepath.Join(f.env.Dir, filepath.FromSlash(path)) // Bazel is started there
	} else {
		path = filepath.Clean(path)
	}
	if slices.Contains(importing, path) {
		f.problem("remove one of the imports", "%s imports %s, which imports it: Bazel stops there", place, f.shown(path))
		return
	}
	if line.Command == "try-import" && len(f.Read) < maxFiles && ctx.Err() == nil {
		if _, _, err := f.env.ReadFile(path, maxFile); err != nil {
			return
		}
	}
	f.read(ctx, path, importing, place)
}

// shown is how a path is written for people. What an import names may be anything, also a URL with a password.
func (f *Files) shown(path string) string { return redact.Line(f.env.Display(path), 500) }

// Place says where a line stands, as people write it: "~/ws/.bazelrc:3".
func (f *Files) Place(line *Line) string {
	return fmt.Sprintf("%s:%d", f.shown(line.File), line.Number)
}

// Parse returns the lines of one file. The lines of imports have the command "import" or "try-import", and the file as their argument.
func Parse(path string, data []byte) []Line {
	text := strings.ReplaceAll(string(data), "\r\n", "\n")
	lines := make([]Line, 0, min(strings.Count(text, "\n"), len(text)/2)+1)
	for number := 1; text != ""; number++ {
		line := Line{File: path, Number: number}
		var whole strings.Builder
		for {
			one, rest, _ := strings.Cut(text, "\n")
			text = rest
			one, continued := strings.CutSuffix(one, `\`)
			whole.WriteString(one)
			if !continued || text == "" {
				break
			}
			number++
		}
		var words []string
		words, line.Unclosed, line.Backslashes = split(whole.String())
		if len(words) == 0 {
			continue
		}
		line.Args = words
		if !strings.HasPrefix(words[0], "-") {
			line.Command, line.Config, _ = strings.Cut(words[0], ":")
			line.Args = words[1:]
		}
		lines = append(lines, line)
	}
	return lines
}

// split takes a line apart as Bazel does: words at white space, quotes of both kinds, a backslash before any character, also within quotes, # for a comment.
func split(line string) (words []string, unclosed, backslashes bool) {
	var word strings.Builder
	started := false
	quote := byte(0)
	flush := func() {
		if started {
			words = append(words, word.String())
		}
		word.Reset()
		started = false
	}
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case c == '\\':
			if i++; i < len(line) {
				// An escaped letter is nothing that anybody means; an escaped space or quote is.
				backslashes = backslashes || !strings.ContainsRune(` "'\#`, rune(line[i]))
				word.WriteByte(line[i])
				started = true
			}
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteByte(c)
		case c == '"' || c == '\'':
			quote, started = c, true
		case c == '#':
			flush()
			return words, false, backslashes
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			flush()
		default:
			word.WriteByte(c)
			started = true
		}
	}
	flush()
	return words, quote != 0, backslashes
}

// A Value is what an option was given.
type Value struct {
	Text string
	Line *Line
}

// Values returns what an option with a value was given, under any of its names: "--name=VALUE", or "--name" and VALUE as the next word.
func (f *Files) Values(names ...string) []Value {
	var values []Value
	for i := range f.Lines {
		if f.Lines[i].Command == "" {
			continue
		}
		args := f.Lines[i].Args
		for n := 0; n < len(args); n++ {
			for _, name := range names {
				switch text, given := strings.CutPrefix(args[n], "--"+name+"="); {
				case given:
					values = append(values, Value{text, &f.Lines[i]})
				case args[n] == "--"+name && n+1 < len(args):
					n++
					values = append(values, Value{args[n], &f.Lines[i]})
				default:
					continue
				}
				break
			}
		}
	}
	return values
}
