package doctor

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/fe055d52/credential-helper/internal/bazelrc"
	"github.com/fe055d52/credential-helper/internal/subprocess"
	"github.com/fe055d52/credential-helper/internal/suggest"
)

// An index has of many lines, by their scope, the last that Bazel takes.
type index map[string]assignment

func indexOf(all []assignment) index {
	x := index{}
	for _, a := range all {
		if a.Scope == "" || bazelrc.ValidScope(a.Scope) {
			x[a.Scope] = a
		}
	}
	return x
}

// choose returns what Bazel asks for a host: the one for the host itself, else for the nearest domain, else for all; the last of several.
// For a pattern "*.DOMAIN", what serves all of DOMAIN is returned. [bazelrc.Helper.Rank] says the same of one line.
func (x index) choose(host string) (chosen assignment, ok bool) {
	for _, scope := range bazelrc.Scopes(host) {
		if a, ok := x[scope]; ok {
			return a, true
		}
	}
	return assignment{}, false
}

// bazelScope turns a rule's pattern into a scope that Bazel takes and that covers it; "" where there is none.
func bazelScope(pattern string) string {
	if strings.HasPrefix(pattern, "[") {
		return ""
	}
	name, _, _ := strings.Cut(pattern, ":")
	star := strings.LastIndexByte(name, '*')
	if star < 0 && bazelrc.ValidScope(name) {
		return name
	}
	if star < 0 {
		return ""
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
		case a.Always():
			serving = append(serving, a)
		case a.Line.Config != "":
			conditional = append(conditional, a)
		}
	}
	servingIndex, conditionalIndex := indexOf(serving), indexOf(conditional)
	word := b.word()
	seen := map[string]bool{}
	uncovered := 0
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
			if a, ok := servingIndex.choose(scope); ok {
				if a.ours {
					covered = append(covered, scope)
				} else {
					f.note(fmt.Sprintf("the rule at %s is for %s, for which Bazel asks another program (%s)", b.Env.Display(r.Place), scope, a.place), "name this one there, if it is to answer: "+bazelrc.HelperLine(scope, word))
				}
				continue
			}
			text := fmt.Sprintf("Bazel does not ask for %s, which the rule at %s is for: no --%s covers it", scope, b.Env.Display(r.Place), flagHelper)
			if a, ok := conditionalIndex.choose(scope); ok {
				text += fmt.Sprintf(" without --config=%s (%s)", a.Line.Config, a.place)
			} else if uncovered++; uncovered <= maxFindings { // more are not told
				if near := nearMiss(serving, scope); near != "" {
					text += fmt.Sprintf(" (%s does not)", near)
				}
			}
			fix := fmt.Sprintf("add to %s: %s", b.Env.Display(filepath.Join(workspace, ".bazelrc")), bazelrc.HelperLine(scope, word))
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
		f.note(fmt.Sprintf("no --%s in .bazelrc: Bazel asks nobody", flagHelper), "a line a host, like: "+bazelrc.HelperLine("github.com", word))
	case hosts == 0:
		f.ok("Bazel asks for %s", scopes(serving))
	}
}

func scopes(all []assignment) string {
	var list []string
	seen := map[string]bool{}
	for _, a := range all {
		if s := a.shownScope(); !seen[s] {
			seen[s] = true
			list = append(list, s)
		}
	}
	return strings.Join(list, ", ")
}

// maxNear is with how many scopes a host is compared letter by letter.
const maxNear = 500

// nearMiss returns a scope that looks as if it covered a host: of another spelling, or of one host below a domain.
func nearMiss(all []assignment, scope string) string {
	var names []string
	for _, a := range all {
		if strings.HasSuffix(a.Scope, "."+strings.TrimPrefix(scope, "*.")) {
			return a.Scope
		}
		if len(names) < maxNear {
			names = append(names, a.Scope)
		}
	}
	near, _ := suggest.Nearest(scope, names)
	return near
}

// word is how .bazelrc is to name this program: by its name where that leads here, else by its path.
func (b Build) word() string {
	if path, err := subprocess.Find(b.Env, programName); err == nil && sameFile(path, b.Executable) {
		return programName
	}
	return filepath.ToSlash(b.Executable)
}
