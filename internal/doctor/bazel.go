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

// everyCommand are the words of .bazelrc that stand for all commands.
var everyCommand = []string{"common", "always"}

// An assignment is one --credential_helper that Bazel takes.
type assignment struct {
	place, command, config string
	scope                  string // "" for every host
	program                string // as it is written
	path                   string // what that is; "" where there is none
	ours                   bool
}

// serves reports whether an assignment is there for a plain `bazel build`.
func (a assignment) serves() bool {
	return a.config == "" && (a.command == "build" || slices.Contains(everyCommand, a.command))
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
		b.System = systemBazelrc(e)
	}
	rc := readBazelrc(ctx, e, workspace, b.System)
	f = append(f, rc.found...)
	var all []assignment
	wait, waitPlace := bazelTimeout, ""
	for _, l := range rc.lines {
		f.line(b, workspace, l, &all, &wait, &waitPlace)
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

func isWorkspace(dir string) bool {
	for _, marker := range []string{"MODULE.bazel", "WORKSPACE", "WORKSPACE.bazel"} {
		if info, err := os.Stat(filepath.Join(dir, marker)); err == nil && !info.IsDir() {
			return true
		}
	}
	return false
}

// line checks one line, and adds what it assigns.
func (f *findings) line(b Build, workspace string, l line, all *[]assignment, wait *time.Duration, waitPlace *string) {
	if l.unclosed {
		f.warn(fmt.Sprintf("%s: a quote is not closed: Bazel takes the rest of the line as one word, and does not say so", l.place), "close it, or remove it")
	}
	if l.backslashes && runtime.GOOS == "windows" {
		f.broken(l.place+`: Bazel takes a backslash for an escape, and drops it`, "write the path with slashes: C:/tools/credential-helper.exe")
	}
	if l.command == "" && slices.ContainsFunc(l.words, isHelperWord) {
		f.broken(fmt.Sprintf("%s: the line names no command, so Bazel ignores it", l.place), "write common before it: common "+shownFlag(l.words[slices.IndexFunc(l.words, isHelperWord)]))
		return
	}
	for i := 0; i < len(l.words); i++ {
		word := l.words[i]
		name, value, hasValue := strings.Cut(strings.TrimPrefix(word, "--"), "=")
		if !strings.HasPrefix(word, "--") {
			if strings.Contains(name, flagHelper) && !strings.Contains(name, "/") {
				f.broken(fmt.Sprintf("%s: %s is no option: it does not begin with two hyphens", l.place, shownFlag(word)), "write --"+flagHelper+"=HOST=PROGRAM")
			}
			continue
		}
		plain := strings.ReplaceAll(strings.TrimPrefix(name, oldPrefix), "-", "_")
		known := []string{flagHelper, flagTimeout, flagCache}
		if !slices.Contains(known, strings.TrimPrefix(name, oldPrefix)) {
			if near, ok := suggest.Nearest(plain, known); ok && strings.Contains(plain, "cred") {
				f.broken(fmt.Sprintf("%s: Bazel has no option --%s", l.place, redact.Quote(name, 60)), "write --"+near)
			}
			continue
		}
		if !hasValue {
			if i++; i == len(l.words) {
				f.broken(fmt.Sprintf("%s: --%s has no value", l.place, name), "write --"+flagHelper+"=HOST=PROGRAM")
				return
			}
			value = l.words[i]
		}
		switch strings.TrimPrefix(name, oldPrefix) {
		case flagHelper:
			if i+1 < len(l.words) && !strings.HasPrefix(l.words[i+1], "-") {
				f.broken(fmt.Sprintf("%s: what stands behind the space is not part of the path: Bazel reads %s and then another word", l.place, redact.Quote(value, 120)), "put the whole option into quotes")
				continue
			}
			if a, ok := f.assign(b.Env, workspace, b.Executable, l, value); ok {
				*all = append(*all, a)
			}
		case flagTimeout:
			if d, ok := bazelDuration(value); !ok {
				f.broken(fmt.Sprintf("%s: --%s takes a duration like 10s, not %s", l.place, flagTimeout, redact.Quote(value, 40)), "write it with its unit")
			} else if l.config == "" {
				*wait, *waitPlace = d, l.place
			}
		}
	}
}

// isHelperWord reports whether a word is about credential helpers: of others, which may hold a secret, nothing is shown.
func isHelperWord(word string) bool { return strings.Contains(word, flagHelper) }

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

// assign checks the value of one --credential_helper. ok is false where Bazel refuses it.
func (f *findings) assign(e *env.Env, workspace, executable string, l line, value string) (a assignment, ok bool) {
	a = assignment{place: l.place, command: l.command, config: l.config, program: value}
	if scope, program, scoped := strings.Cut(value, "="); scoped {
		a.scope, a.program = scope, program
		if problem, fix := badScope(a.scope); problem != "" {
			f.broken(fmt.Sprintf("%s: %s %s: Bazel refuses it", l.place, redact.Quote(strconv.Quote(scope), 80), problem), fix)
			return a, false
		}
		if lower := strings.ToLower(scope); lower != scope {
			f.warn(fmt.Sprintf("%s: %s has capitals: Bazel compares letter by letter, and URLs have small ones", l.place, redact.Quote(strconv.Quote(scope), 80)), "write "+redact.Quote(lower, 80))
		}
	}
	shown := redact.Quote(a.program, 200)
	if strings.ContainsAny(a.program, "“”‘’\"'") {
		f.broken(fmt.Sprintf("%s: the program is named with a quotation mark in it: %s", l.place, shown), `use plain quotes, around the whole option: "--credential_helper=HOST=/a path/credential-helper"`)
		return a, false
	}
	if a.program == "" {
		f.broken(l.place+": no program is named: Bazel refuses the line", "write --"+flagHelper+"=HOST="+programName)
		return a, false
	}
	path, problem, fix := bazelProgram(e, workspace, a.program)
	if problem != "" {
		f.broken(fmt.Sprintf("%s: the program %s %s", l.place, shown, problem), fix)
		return a, false
	}
	a.path, a.ours = path, sameFile(path, executable)
	if !a.ours {
		what, same := identify(path, executable)
		switch {
		case same:
			a.ours = true
		case strings.HasPrefix(what, "another"):
			f.note(fmt.Sprintf("%s: %s is asked for %s: %s", l.place, shown, a.shownScope(), what), "nothing that is checked here says what it answers")
		default:
			a.ours = true
			f.note(fmt.Sprintf("%s: %s is another build of this program (%s)", l.place, shown, what), "run the doctor of that one: "+e.Display(path)+" doctor")
		}
	}
	return a, true
}

func (a assignment) shownScope() string {
	if a.scope == "" {
		return "every host"
	}
	return a.scope
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
	case strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789-.") != "" && isASCII(name), strings.Contains(name, ".."), strings.HasPrefix(name, "."):
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
		return "", fmt.Sprintf("is not executable (mode %04o)", info.Mode().Perm()), "chmod +x " + e.Display(path)
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
	for _, a := range all {
		if a.config != "" || slices.Contains(everyCommand, a.command) {
			continue
		}
		if a.command != "build" {
			// Several lines that together are for what build is not.
			if !slices.ContainsFunc(all, func(b assignment) bool { return b.serves() && b.scope == a.scope }) {
				f.warn(fmt.Sprintf("%s is for bazel %s alone: builds do not ask for %s", a.place, a.command, a.shownScope()), "write common in the place of "+a.command)
			}
			continue
		}
		var without []string
		for _, command := range []string{"fetch", "query", "mod"} {
			if !slices.ContainsFunc(all, func(b assignment) bool {
				return b.config == "" && b.scope == a.scope && (b.command == command || slices.Contains(everyCommand, b.command))
			}) {
				without = append(without, command)
			}
		}
		if len(without) > 0 {
			f.warn(fmt.Sprintf("%s is for bazel build and what goes with it: query, mod and (before Bazel 7.1) fetch download without a login from %s", a.place, a.shownScope()),
				"write common in the place of build")
		}
	}
}

// duplicates reports hosts with two helpers: Bazel takes the last.
func (f *findings) duplicates(all []assignment) {
	for i, a := range all {
		if !a.serves() {
			continue
		}
		for _, b := range all[i+1:] {
			if b.serves() && b.scope == a.scope && b.path != a.path {
				f.warn(fmt.Sprintf("%s and %s name two programs for %s: Bazel asks the one of the latter, %s", a.place, b.place, a.shownScope(), redact.Quote(b.program, 120)), "remove one of the lines")
				break
			}
		}
	}
}

// choose returns what Bazel asks for a host: the one for the host itself, else for the nearest domain, else for all; the last of several.
// For a pattern "*.DOMAIN", what serves all of DOMAIN is returned.
func choose(all []assignment, host string) (chosen assignment, ok bool) {
	best := -1
	domain, wildcard := strings.CutPrefix(host, "*.")
	for _, a := range all {
		rank := -1
		suffix, isSuffix := strings.CutPrefix(a.scope, "*.")
		switch {
		case a.scope == "":
			rank = 0
		case isSuffix && (domain == suffix || strings.HasSuffix(domain, "."+suffix)):
			rank = 1 + len(suffix)
		case !isSuffix && !wildcard && a.scope == host:
			rank = 1 << 20
		}
		if rank >= 0 && rank >= best {
			chosen, best, ok = a, rank, true
		}
	}
	return chosen, ok
}

// bazelScope turns a rule's pattern into a scope that Bazel takes and that covers it; "" where there is none.
func bazelScope(pattern string) string {
	if strings.HasPrefix(pattern, "[") {
		return ""
	}
	name, _, _ := strings.Cut(pattern, ":")
	star := strings.LastIndexByte(name, '*')
	if star < 0 {
		return name
	}
	// What stands before the star of "a*.example.com" Bazel cannot be told.
	domain := strings.TrimPrefix(name[star+1:], ".")
	if domain == "" || !strings.Contains(name[star+1:], ".") {
		return ""
	}
	return "*." + domain
}

// coverage reports hosts that have rules and that Bazel does not ask this program for.
func (f *findings) coverage(b Build, workspace string, all []assignment) {
	var serving, conditional []assignment
	for _, a := range all {
		switch {
		case a.serves():
			serving = append(serving, a)
		case a.config != "":
			conditional = append(conditional, a)
		}
	}
	word := b.word()
	seen := map[string]bool{}
	var covered []string
	hosts := 0
	for _, file := range b.Files {
		own := filepath.Dir(file.Path) == workspace
		for i := range file.Rules {
			r := &file.Rules[i]
			scope := bazelScope(r.HostPattern())
			if r.Helper == nil || r.HelperName == "null" || scope == "" || seen[scope] {
				continue
			}
			seen[scope] = true
			hosts++
			if a, ok := choose(serving, scope); ok {
				if a.ours {
					covered = append(covered, scope)
				} else {
					f.note(fmt.Sprintf("the rule at %s is for %s, for which Bazel asks another program (%s)", b.Env.Display(r.Place), scope, a.place), "name this one there, if it is to answer: "+bazelLine(scope, word))
				}
				continue
			}
			text := fmt.Sprintf("Bazel does not ask for %s, which the rule at %s is for: no --%s covers it", scope, b.Env.Display(r.Place), flagHelper)
			if a, ok := choose(conditional, scope); ok {
				text += fmt.Sprintf(" without --config=%s (%s)", a.config, a.place)
			} else if near := nearMiss(serving, scope); near != "" {
				text += fmt.Sprintf(" (%s does not)", near)
			}
			fix := fmt.Sprintf("add to %s: %s", b.Env.Display(filepath.Join(workspace, ".bazelrc")), bazelLine(scope, word))
			if own {
				f.warn(text, fix)
			} else {
				f.note(text, fix)
			}
		}
	}
	switch {
	case len(covered) > 0:
		f.ok("Bazel asks this program for %s", strings.Join(covered, ", "))
	case hosts == 0 && len(serving) == 0:
		f.note(fmt.Sprintf("no --%s in .bazelrc: Bazel asks nobody", flagHelper), "a line a host, like: "+bazelLine("github.com", word))
	case hosts == 0:
		f.ok("Bazel asks for %s", scopes(serving))
	}
}

func scopes(all []assignment) string {
	var list []string
	for _, a := range all {
		if s := a.shownScope(); !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return strings.Join(list, ", ")
}

// nearMiss returns a scope that looks as if it covered a host: of another spelling, or of one host below a domain.
func nearMiss(all []assignment, scope string) string {
	var names []string
	for _, a := range all {
		if strings.HasSuffix(a.scope, "."+strings.TrimPrefix(scope, "*.")) {
			return a.scope
		}
		names = append(names, a.scope)
	}
	near, _ := suggest.Nearest(scope, names)
	return near
}

// bazelLine is the line to add for a host.
func bazelLine(scope, program string) string {
	if strings.ContainsAny(program, " #'") {
		return fmt.Sprintf(`common "--%s=%s=%s"`, flagHelper, scope, program)
	}
	return fmt.Sprintf("common --%s=%s=%s", flagHelper, scope, program)
}

// word is how .bazelrc is to name this program: by its name where that leads here, else by its path.
func (b Build) word() string {
	if path, err := subprocess.Find(b.Env, programName); err == nil && sameFile(path, b.Executable) {
		return programName
	}
	return filepath.ToSlash(b.Executable)
}
