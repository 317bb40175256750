package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fe055d52/credential-helper/config"
	"github.com/fe055d52/credential-helper/internal/ascii"
	"github.com/fe055d52/credential-helper/internal/bazelrc"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/subprocess"
	"github.com/fe055d52/credential-helper/internal/suggest"
)

// Flags of Bazel's that concern credential helpers; the older names are still read.
const (
	flagHelper  = "credential_helper"
	flagTimeout = "credential_helper_timeout"
	flagCache   = "credential_helper_cache_duration"
	oldPrefix   = "experimental_"
)

// bazelTimeout is how long Bazel waits for a helper where .bazelrc does not say.
const bazelTimeout = 10 * time.Second

// An assignment is one --credential_helper that Bazel takes.
type assignment struct {
	bazelrc.Helper
	place string // of its line: "~/ws/.bazelrc:3"
	path  string // what the program is
	ours  bool
}

// A Build is what the check of .bazelrc needs to know.
type Build struct {
	Env *env.Env
	// System is the .bazelrc of the machine; "" for the usual one.
	System     string
	Executable string
	Files      []config.File
	// Budget is how long this program takes at most.
	Budget time.Duration
}

// Bazel checks what .bazelrc says of credential helpers, and whether it covers the hosts that have rules.
func Bazel(ctx context.Context, b Build) []Finding {
	var f findings
	e, workspace := b.Env, b.Env.Workspace()
	if workspace == "" {
		f.note("there is no working directory any more: nothing to check", "cd into the workspace")
		return f
	}
	if !isWorkspace(workspace) {
		f.ok("no workspace here (no MODULE.bazel or WORKSPACE from %s upward): nothing to check", e.Display(workspace))
		return f
	}
	if b.System == "" {
		b.System = bazelrc.System(e)
	}
	rc := bazelrc.ReadWith(ctx, e, workspace, b.System)
	for _, err := range rc.Problems {
		f.fail(Broken, err, "")
	}
	var all []assignment
	programs := map[string]program{}
	wait, waitPlace := bazelTimeout, ""
	for i := range rc.Lines {
		if l := &rc.Lines[i]; isAbout(l.Command) || isAbout(l.Config) || slices.ContainsFunc(l.Args, isAbout) {
			before := len(f)
			f.line(b, workspace, l, rc.Place(l), programs, &all, &wait, &waitPlace)
			f[before:].conditional(l.Config)
		}
	}
	f.commands(all)
	f.duplicates(all)
	if len(all) > 0 && wait <= b.Budget {
		where := "by default"
		if waitPlace != "" {
			where = "by " + waitPlace
		}
		f.warn(fmt.Sprintf("Bazel waits %s for an answer (%s), and this program may take %s: Bazel would end it before it can say what hangs", wait, where, b.Budget),
			fmt.Sprintf("write common --%s=%ds, or set $%s to less", flagTimeout, int(b.Budget.Seconds())+2, env.VarTimeout))
	}
	f.coverage(b, workspace, all)
	return f
}

// conditional makes of what is broken a warning where it is so with a --config alone: that may be one for another machine.
func (f findings) conditional(config string) {
	for i := range f {
		if config != "" && f[i].Level == Broken {
			f[i].Level = Warning
			f[i].Text += fmt.Sprintf(" (with --config=%s)", redact.Quote(config, 60))
		}
	}
}

func isWorkspace(dir string) bool {
	for _, marker := range []string{"MODULE.bazel", "WORKSPACE", "WORKSPACE.bazel"} {
		if info, err := os.Stat(filepath.Join(dir, marker)); err == nil && !info.IsDir() {
			return true
		}
	}
	return false
}

// line checks one line, and adds what it assigns.
func (f *findings) line(b Build, workspace string, l *bazelrc.Line, place string, programs map[string]program, all *[]assignment, wait *time.Duration, waitPlace *string) {
	if l.Unclosed {
		f.warn(fmt.Sprintf("%s: a quote is not closed: Bazel takes the rest of the line as one word, and does not say so", place), "close it, or remove it")
	}
	if l.Backslashes && runtime.GOOS == "windows" {
		f.broken(place+`: Bazel takes a backslash for an escape, and drops it`, "write the path with slashes: C:/tools/credential-helper.exe")
	}
	if l.Command == "" && slices.ContainsFunc(l.Args, isHelperWord) {
		f.broken(fmt.Sprintf("%s: the line names no command, so Bazel ignores it", place), "write common before it: common "+shownFlag(l.Args[slices.IndexFunc(l.Args, isHelperWord)]))
		return
	}
	for i := 0; i < len(l.Args); i++ {
		word := l.Args[i]
		name, value, hasValue := strings.Cut(strings.TrimPrefix(word, "--"), "=")
		if !strings.HasPrefix(word, "--") {
			if strings.Contains(name, flagHelper) && !strings.Contains(name, "/") {
				f.broken(fmt.Sprintf("%s: %s is no option: it does not begin with two hyphens", place, shownFlag(word)), "write --"+flagHelper+"=HOST=PROGRAM")
			}
			continue
		}
		plain := strings.ReplaceAll(strings.TrimPrefix(name, oldPrefix), "-", "_")
		known := []string{flagHelper, flagTimeout, flagCache}
		if !slices.Contains(known, strings.TrimPrefix(name, oldPrefix)) {
			if near, ok := suggest.Nearest(plain, known); ok && strings.Contains(plain, "cred") {
				f.broken(fmt.Sprintf("%s: Bazel has no option --%s", place, redact.Quote(name, 60)), "write --"+near)
			}
			continue
		}
		if !hasValue {
			if i++; i == len(l.Args) {
				f.broken(fmt.Sprintf("%s: --%s has no value", place, name), "write --"+flagHelper+"=HOST=PROGRAM")
				return
			}
			value = l.Args[i]
		}
		switch strings.TrimPrefix(name, oldPrefix) {
		case flagHelper:
			if i+1 < len(l.Args) && !strings.HasPrefix(l.Args[i+1], "-") {
				f.broken(fmt.Sprintf("%s: what stands behind the space is not part of the path: Bazel reads %s and then another word", place, redact.Quote(value, 120)), "put the whole option into quotes")
				continue
			}
			if a, ok := f.assign(b.Env, workspace, b.Executable, l, place, value, programs); ok {
				*all = append(*all, a)
			}
		case flagTimeout:
			if d, ok := bazelDuration(value); !ok {
				f.broken(fmt.Sprintf("%s: --%s takes a duration like 10s, not %s", place, flagTimeout, redact.Quote(value, 40)), "write it with its unit")
			} else if l.Config == "" {
				*wait, *waitPlace = d, place
			}
		}
	}
}

// isAbout reports whether a word is about credential helpers, or means to be.
func isAbout(word string) bool {
	return strings.Contains(strings.ReplaceAll(ascii.Lower(word), "-", "_"), flagHelper)
}

// isHelperWord reports whether a word is about credential helpers: of others, which may hold a secret, nothing is shown.
func isHelperWord(word string) bool {
	name, _, _ := strings.Cut(word, "=")
	return strings.Contains(name, flagHelper)
}

// shownFlag shows an option without more of its value than fits.
func shownFlag(word string) string { return redact.Quote(word, 120) }

// bazelDuration reads a duration as Bazel does: a whole number and a unit.
func bazelDuration(text string) (time.Duration, bool) {
	if text == "0" {
		return 0, true
	}
	digits := len(text) - len(strings.TrimLeft(text, "0123456789"))
	n, err := strconv.ParseInt(text[:digits], 10, 32)
	unit, ok := map[string]time.Duration{
		"d": 24 * time.Hour, "h": time.Hour, "m": time.Minute, "s": time.Second, "ms": time.Millisecond, "us": time.Microsecond, "ns": time.Nanosecond,
	}[text[digits:]]
	return time.Duration(n) * unit, ok && err == nil
}

// A program is what the name of a program in .bazelrc leads to.
type program struct {
	path, problem, fix string
	ours               bool
	what               string // it is, where it is not this very file
}

// assign checks the value of one --credential_helper. ok is false where Bazel refuses it. programs are those that were looked at before.
func (f *findings) assign(e *env.Env, workspace, executable string, l *bazelrc.Line, place, value string, programs map[string]program) (a assignment, ok bool) {
	a = assignment{Helper: bazelrc.Value{Text: value, Line: l}.Helper(), place: place}
	if strings.Contains(value, "=") {
		if problem, fix := badScope(a.Scope); problem != "" {
			f.broken(fmt.Sprintf("%s: %s %s: Bazel refuses it", place, redact.Quote(strconv.Quote(a.Scope), 80), problem), fix)
			return a, false
		}
		if lower := ascii.Lower(a.Scope); lower != a.Scope {
			f.warn(fmt.Sprintf("%s: %s has capitals: Bazel compares letter by letter, and URLs have small ones", place, redact.Quote(strconv.Quote(a.Scope), 80)), "write "+redact.Quote(lower, 80))
		}
	}
	if strings.Contains(a.Program, " --") { // the other options may hold a secret: nothing of them is shown
		f.broken(place+": the program's name has other options in it: a quote is in the wrong place, or is missing", "put each option into quotes of its own, or into none")
		return a, false
	}
	shown := redact.Quote(a.Program, 200)
	if strings.ContainsAny(a.Program, "“”‘’\"'") {
		f.broken(fmt.Sprintf("%s: the program is named with a quotation mark in it: %s", place, shown), `use plain quotes, around the whole option: "--credential_helper=HOST=/a path/credential-helper"`)
		return a, false
	}
	if a.Program == "" {
		f.broken(place+": no program is named: Bazel refuses the line", "write --"+flagHelper+"=HOST="+programName)
		return a, false
	}
	p, looked := programs[a.Program]
	if !looked {
		p.path, p.problem, p.fix = bazelProgram(e, workspace, a.Program)
		if p.problem == "" && !sameFile(p.path, executable) {
			p.what, p.ours = identify(p.path, executable)
		}
		programs[a.Program] = p
	}
	if p.problem != "" {
		f.broken(fmt.Sprintf("%s: the program %s %s", place, shown, p.problem), p.fix)
		return a, false
	}
	a.path, a.ours = p.path, true
	switch {
	case p.ours, p.what == "":
	case strings.HasPrefix(p.what, "another"):
		a.ours = false
		f.note(fmt.Sprintf("%s: %s is asked for %s: %s", place, shown, a.shownScope(), p.what), "nothing that is checked here says what it answers")
	default:
		f.note(fmt.Sprintf("%s: %s is another build of this program (%s)", place, shown, p.what), "run the doctor of that one: "+e.Display(p.path)+" doctor")
	}
	return a, true
}

func (a assignment) shownScope() string {
	if a.Scope == "" {
		return "every host"
	}
	return a.Scope
}

// badScope says why Bazel refuses a scope: it takes a name, maybe with "*." before it.
func badScope(scope string) (problem, fix string) {
	name := strings.TrimPrefix(scope, "*.")
	host, port, _ := strings.Cut(name, ":")
	switch {
	case scope == "" || scope == "*":
		return "is not a host", "for every host, write --" + flagHelper + "=PROGRAM, without a host; better name the hosts"
	case strings.Contains(scope, "/"):
		return "is a URL or a path, not a host", "write the host alone: --" + flagHelper + "=HOST=PROGRAM"
	case port != "":
		return "has a port; Bazel chooses by the host alone", "write " + strings.TrimSuffix(scope, ":"+port) + " without the port; the rule in the configuration may have it"
	case strings.Contains(name, "*"):
		return `has a star elsewhere than in front of a domain`, `write "*.` + strings.TrimPrefix(host[strings.LastIndexByte(host, '*')+1:], ".") + `", or a line a host`
	case !strings.Contains(scope, ".") && bazelrc.ValidScope("*."+scope):
		return "is a name without a dot", "for it and every other host, write --" + flagHelper + "=PROGRAM, without a host"
	case isASCII(name) && !bazelrc.ValidScope(scope), strings.Contains(name, ".."), strings.HasPrefix(name, "."):
		return "is not a name of a host", `write it as in "example.com" or "*.example.com"`
	}
	return "", ""
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 })
}

// bazelProgram finds what Bazel would run: an absolute path, one from %workspace%/, or a name on PATH.
func bazelProgram(e *env.Env, workspace, program string) (path, problem, fix string) {
	rest, inWorkspace := strings.CutPrefix(program, "%workspace%")
	switch {
	case inWorkspace:
		path = filepath.Join(workspace, filepath.FromSlash(rest))
	case filepath.IsAbs(program):
		path = program
	case strings.HasPrefix(program, "~"):
		return "", "begins with ~, which Bazel does not replace", "write the whole path, or a name that is on PATH"
	case strings.HasPrefix(program, "$"):
		return "", "begins with a variable, which Bazel's versions do not agree on", "write the whole path, %workspace%/…, or a name that is on PATH"
	case strings.ContainsAny(program, `/`+string(filepath.Separator)):
		return "", "is a relative path, which Bazel refuses", "write %workspace%/" + program + ", the whole path, or a name that is on PATH"
	default:
		path, err := subprocess.Find(e, program)
		if err != nil {
			return "", "is not on PATH", "install it there, or write its whole path"
		}
		return path, "", ""
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "", "does not exist" + asPath(e, program, path), "correct the path, or build it first"
	case info.IsDir():
		return "", "is a directory", "write the path of the program in it"
	case runtime.GOOS != "windows" && info.Mode()&0o111 == 0:
		return "", fmt.Sprintf("is not executable (mode %04o)", info.Mode().Perm()), "chmod +x " + shellPath(e, path)
	}
	return path, "", ""
}

func asPath(e *env.Env, program, path string) string {
	if program == path {
		return ""
	}
	return " (" + e.Display(path) + ")"
}

// commands reports lines that are not for all commands.
func (f *findings) commands(all []assignment) {
	always := map[string]bool{}           // scopes that every build has
	named := map[string]map[string]bool{} // scope → commands that have it, without a --config
	every := map[string]bool{}            // scopes that every command has
	for _, a := range all {
		always[a.Scope] = always[a.Scope] || a.Always()
		if a.Line.Config != "" {
			continue
		}
		every[a.Scope] = every[a.Scope] || bazelrc.EveryCommand(a.Line.Command)
		if named[a.Scope] == nil {
			named[a.Scope] = map[string]bool{}
		}
		named[a.Scope][a.Line.Command] = true
	}
	for _, a := range all {
		if a.Line.Config != "" || bazelrc.EveryCommand(a.Line.Command) {
			continue
		}
		if a.Line.Command != "build" {
			// Several lines that together are for what build is not.
			if !always[a.Scope] {
				f.warn(fmt.Sprintf("%s is for bazel %s alone: builds do not ask for %s", a.place, a.Line.Command, a.shownScope()), "write common in the place of "+a.Line.Command)
			}
			continue
		}
		whole := every[a.Scope] || named[a.Scope]["fetch"] && named[a.Scope]["query"] && named[a.Scope]["mod"]
		if !whole {
			f.warn(fmt.Sprintf("%s is for bazel build and what goes with it: query, mod and (before Bazel 7.1) fetch download without a login from %s", a.place, a.shownScope()),
				"write common in the place of build")
		}
	}
}

// duplicates reports hosts with two helpers: Bazel takes the last.
func (f *findings) duplicates(all []assignment) {
	// next has for each line the first one behind it that names another program for the same scope.
	next := make([]int, len(all))
	behind := map[string]int{}
	for i := len(all) - 1; i >= 0; i-- {
		if !all[i].Always() {
			continue
		}
		if b, ok := behind[all[i].Scope]; ok {
			if next[i] = b; all[b].path == all[i].path {
				next[i] = next[b]
			}
		}
		behind[all[i].Scope] = i
	}
	for i, a := range all {
		if next[i] == 0 { // the first line is behind none
			continue
		}
		b := all[next[i]]
		f.warn(fmt.Sprintf("%s and %s name two programs for %s: Bazel asks the one of the latter, %s", a.place, b.place, a.shownScope(), redact.Quote(b.Program, 120)), "remove one of the lines")
	}
}
