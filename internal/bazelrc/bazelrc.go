// Package bazelrc reads Bazel's options from the files in which people keep them: https://bazel.build/run/bazelrc
//
// [Read] follows imports, within bounds, and never fails for what Bazel would refuse: what is not understood is left out.
// It is for telling people about their setup, not for running Bazel.
package bazelrc

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/trace"
)

const (
	// maxFile is the size in bytes above which a file is not read, and maxFiles how many are read at most.
	maxFile  = 1 << 20
	maxFiles = 32
)

// A Line is a line with options, or what several lines make that end with a backslash.
type Line struct {
	File   string // the path
	Number int    // of its first line, from 1
	// Command is the one that the options are for: "common", "build". Config is the name behind a colon ("ci" of "build:ci"):
	// the options count only with --config=ci.
	Command, Config string
	Args            []string
}

// Files are the lines of one or more files, in the order in which Bazel takes them.
type Files struct {
	Lines []Line
	// Read are the paths of the files that were read.
	Read []string
	// Problems are files that are there, or are imported, and could not be read.
	Problems []error
}

// Read reads the files that Bazel reads for a workspace: the system's, the workspace's and the user's, with what they import.
func Read(ctx context.Context, e *env.Env, workspace string) *Files {
	f := &Files{}
	for _, path := range places(e, workspace) {
		f.read(ctx, e, workspace, path, true)
	}
	return f
}

// places returns the files that Bazel looks for: https://bazel.build/run/bazelrc#bazelrc-file-locations
func places(e *env.Env, workspace string) []string {
	system := "/etc/bazel.bazelrc"
	if runtime.GOOS == "windows" {
		system = filepath.Join(e.Var("ProgramData"), "bazel.bazelrc")
	}
	paths := []string{system, filepath.Join(workspace, ".bazelrc")}
	if e.Home != "" {
		paths = append(paths, filepath.Join(e.Home, ".bazelrc"))
	}
	return paths
}

func (f *Files) read(ctx context.Context, e *env.Env, workspace, path string, optional bool) {
	for _, before := range f.Read {
		if before == path {
			return // Bazel refuses a file that imports itself, and reads one that two name once more: it says the same
		}
	}
	if len(f.Read) >= maxFiles || ctx.Err() != nil {
		return
	}
	end := trace.Step(ctx, "reading %s", e.Display(path))
	data, _, err := e.ReadFile(path, maxFile)
	end(err)
	if err != nil {
		if !optional || !errors.Is(err, fs.ErrNotExist) {
			f.Problems = append(f.Problems, &fs.PathError{Op: "reading", Path: e.Display(path), Err: err})
		}
		return
	}
	f.Read = append(f.Read, path)
	for _, line := range Parse(path, data) {
		if line.Command != "import" && line.Command != "try-import" {
			f.Lines = append(f.Lines, line)
			continue
		}
		if len(line.Args) == 1 {
			name := line.Args[0]
			if rest, ok := strings.CutPrefix(name, "%workspace%"); ok {
				name = workspace + rest
			} else if !filepath.IsAbs(name) {
				name = filepath.Join(workspace, name)
			}
			f.read(ctx, e, workspace, filepath.Clean(name), line.Command == "try-import")
		}
	}
}

// Parse returns the lines of one file. The lines of imports have the command "import" or "try-import", and the file as their argument.
func Parse(path string, data []byte) []Line {
	var lines []Line
	text := strings.ReplaceAll(strings.TrimPrefix(string(data), "\xef\xbb\xbf"), "\r\n", "\n")
	raw := strings.Split(text, "\n")
	for i := 0; i < len(raw); i++ {
		first, whole := i+1, raw[i]
		for strings.HasSuffix(whole, `\`) && i+1 < len(raw) {
			i++
			whole = whole[:len(whole)-1] + raw[i]
		}
		words := split(whole)
		if len(words) == 0 {
			continue
		}
		command, config, _ := strings.Cut(words[0], ":")
		lines = append(lines, Line{File: path, Number: first, Command: command, Config: config, Args: words[1:]})
	}
	return lines
}

// split returns the words of a line as a shell would, with quotes and backslashes, up to a comment.
func split(line string) []string {
	var words []string
	var word strings.Builder
	inWord, quote := false, byte(0)
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\' && quote != '\'' && i+1 < len(line):
			i++
			word.WriteByte(line[i])
			inWord = true
		case quote != 0:
			if c == quote {
				quote = 0
			} else {
				word.WriteByte(c)
			}
		case c == '\'' || c == '"':
			quote, inWord = c, true
		case c == '#':
			i = len(line)
		case c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f':
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	if inWord {
		words = append(words, word.String())
	}
	return words
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

// A Helper is a credential helper that Bazel is told of.
type Helper struct {
	// Scope is the host that it is for, or "*." and a domain; empty for all hosts.
	Scope, Program string
	Line           *Line
}

// Helpers returns the credential helpers.
func (f *Files) Helpers() []Helper {
	var helpers []Helper
	for _, v := range f.Values("credential_helper", "experimental_credential_helper") {
		scope, program, scoped := strings.Cut(v.Text, "=")
		if !scoped {
			scope, program = "", v.Text
		}
		helpers = append(helpers, Helper{strings.ToLower(scope), program, v.Line})
	}
	return helpers
}

// Covers reports whether h may serve the URLs of a host, given in lower case and without its port: Bazel does not look at that.
// A wildcard stands for the domain itself, too. Of several that cover a host, Bazel asks the most specific one, and of equal ones the last.
func (h Helper) Covers(host string) bool {
	domain, wildcard := strings.CutPrefix(h.Scope, "*.")
	return h.Scope == "" || h.Scope == host || wildcard && (host == domain || strings.HasSuffix(host, "."+domain))
}

// Always reports whether the helper counts in a plain build: its line is for no --config, and for a command that builds obey.
func (h Helper) Always() bool {
	return h.Line.Config == "" && (h.Line.Command == "common" || h.Line.Command == "always" || h.Line.Command == "build")
}

// ValidScope reports whether Bazel takes a host as the scope of a credential helper: it wants two labels, of letters, digits and hyphens.
func ValidScope(host string) bool {
	labels := strings.Split(strings.TrimPrefix(host, "*."), ".")
	for _, label := range labels {
		if label == "" || strings.Trim(strings.ToLower(label), "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return len(labels) > 1 || strings.HasPrefix(host, "*.")
}
