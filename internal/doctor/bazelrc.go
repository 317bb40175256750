package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/trace"
)

// maxBazelrc is the size in bytes above which a file is not read.
const maxBazelrc = 1 << 20

// A line is one of .bazelrc that names a credential helper, or means to.
type line struct {
	place   string // "~/ws/.bazelrc:3"
	command string // that it is for: "common", "build", …
	config  string // of "build:CONFIG": only where the command line has --config=CONFIG
	words   []string
	// unclosed says that a quote is not closed: Bazel takes the rest of the line, and says nothing.
	unclosed bool
	// backslashes says that a backslash was taken for an escape, as in C:\tools.
	backslashes bool
}

// A bazelrc is what Bazel reads its options from.
type bazelrc struct {
	files []string // those that are there, as people know them
	lines []line
	found findings
}

// readBazelrc reads the files in Bazel's order (https://bazel.build/run/bazelrc), with those that they import. Later ones win.
func readBazelrc(ctx context.Context, e *env.Env, workspace, system string) *bazelrc {
	end := trace.Step(ctx, "reading .bazelrc")
	defer end(nil)
	rc := &bazelrc{}
	paths := []string{system, filepath.Join(workspace, ".bazelrc")}
	if e.Home != "" {
		paths = append(paths, filepath.Join(e.Home, ".bazelrc"))
	}
	for i, path := range paths {
		if path != "" && !slices.Contains(paths[:i], path) {
			rc.read(e, workspace, path, nil, "")
		}
	}
	return rc
}

// systemBazelrc is the file for all users of the machine.
func systemBazelrc(e *env.Env) string {
	if runtime.GOOS != "windows" {
		return "/etc/bazel.bazelrc"
	}
	if dir := e.Var("ProgramData"); dir != "" {
		return filepath.Join(dir, "bazel.bazelrc")
	}
	return ""
}

// read reads a file. from is the line that imports it, "" for one that Bazel looks for itself.
func (rc *bazelrc) read(e *env.Env, workspace, path string, importing []string, from string) {
	shown := e.Display(path)
	data, _, err := e.ReadFile(path, maxBazelrc)
	switch {
	case errors.Is(err, fs.ErrNotExist) && from == "":
		return
	case errors.Is(err, fs.ErrNotExist):
		rc.found.broken(fmt.Sprintf("%s imports %s, which does not exist: Bazel stops there", from, shown), "make the file, or write try-import")
		return
	case err != nil:
		rc.found.broken(fmt.Sprintf("reading %s: %s", shown, err), "it has to be a file that you and Bazel can read")
		return
	}
	rc.files = append(rc.files, shown)
	number := 0
	text := strings.ReplaceAll(string(data), "\r\n", "\n")
	for text != "" {
		number++
		first := number
		var logical string
		for text != "" {
			one, rest, _ := strings.Cut(text, "\n")
			text = rest
			continued, ok := strings.CutSuffix(one, `\`)
			if logical += continued; !ok || rest == "" {
				break
			}
			number++
		}
		place := fmt.Sprintf("%s:%d", shown, first)
		words, unclosed, backslashes := tokenize(logical)
		if len(words) == 0 {
			continue
		}
		if words[0] == "import" || words[0] == "try-import" {
			rc.include(e, workspace, words, append(importing, path), place)
			continue
		}
		if !strings.Contains(strings.ToLower(logical), "credential_helper") && !strings.Contains(strings.ToLower(logical), "credential-helper") {
			continue
		}
		l := line{place: place, words: words[1:], unclosed: unclosed, backslashes: backslashes}
		l.command, l.config, _ = strings.Cut(words[0], ":")
		if strings.HasPrefix(words[0], "-") {
			l.command, l.config, l.words = "", "", words
		}
		rc.lines = append(rc.lines, l)
	}
}

// include follows an import line.
func (rc *bazelrc) include(e *env.Env, workspace string, words, importing []string, place string) {
	if len(words) != 2 {
		rc.found.broken(fmt.Sprintf("%s: %s takes one file: Bazel stops there", place, words[0]), "put a name with spaces into quotes")
		return
	}
	path := words[1]
	if rest, ok := strings.CutPrefix(path, "%workspace%"); ok {
		path = filepath.Join(workspace, filepath.FromSlash(rest))
	} else if !filepath.IsAbs(path) {
		path = filepath.Join(e.Dir, filepath.FromSlash(path))
	}
	if slices.Contains(importing, path) {
		rc.found.broken(fmt.Sprintf("%s imports %s, which imports it: Bazel stops there", place, e.Display(path)), "remove one of the imports")
		return
	}
	if words[0] == "try-import" {
		if _, _, err := e.ReadFile(path, maxBazelrc); err != nil {
			return
		}
	}
	rc.read(e, workspace, path, importing, place)
}

// tokenize takes a line apart as Bazel does: words at white space, quotes of both kinds, a backslash before any character, # for a comment.
func tokenize(text string) (words []string, unclosed, backslashes bool) {
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
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\':
			if i++; i < len(text) {
				// An escaped letter is nothing that anybody means; an escaped space or quote is.
				backslashes = backslashes || text[i] != ' ' && text[i] != '"' && text[i] != '\'' && text[i] != '\\' && text[i] != '#'
				word.WriteByte(text[i])
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
