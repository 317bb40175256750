package bazelrc

import (
	"strings"

	"github.com/fe055d52/credential-helper/internal/ascii"
)

// A Helper is a credential helper that Bazel is told of.
type Helper struct {
	// Scope is the host that it is for, or "*." and a domain, as it is written; empty for all hosts.
	Scope, Program string
	Line           *Line
}

// Helpers returns the credential helpers, but those that are for no host at all ("=PROGRAM"), which Bazel refuses.
func (f *Files) Helpers() []Helper {
	var helpers []Helper
	for _, v := range f.Values("credential_helper", "experimental_credential_helper") {
		if !strings.HasPrefix(v.Text, "=") {
			helpers = append(helpers, v.Helper())
		}
	}
	return helpers
}

// Helper reads the value of --credential_helper.
func (v Value) Helper() Helper {
	if scope, program, scoped := strings.Cut(v.Text, "="); scoped {
		return Helper{scope, program, v.Line}
	}
	return Helper{"", v.Text, v.Line}
}

// HelperLine is the line that makes Bazel ask a program for a scope, or for every host where that is "".
func HelperLine(scope, program string) string {
	option := "--credential_helper="
	if scope != "" {
		option += scope + "="
	}
	option += program
	if strings.ContainsAny(option, " \t'\"\\#") {
		return `common "` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(option) + `"`
	}
	return "common " + option
}

// Serving returns the helper that Bazel asks for a host in every build.
func (f *Files) Serving(host string) (serving Helper, ok bool) {
	if f.serving == nil {
		f.serving = map[string]Helper{}
		for _, h := range f.Helpers() {
			if h.Always() && h.taken() {
				f.serving[h.Scope] = h
			}
		}
	}
	for _, scope := range Scopes(host) {
		if h, ok := f.serving[scope]; ok {
			return h, true
		}
	}
	return Helper{}, false
}

// taken reports whether Bazel takes the scope.
func (h Helper) taken() bool { return h.Scope == "" || ValidScope(h.Scope) }

// Scopes returns the scopes of helpers that may serve a host, by their rank (see [Helper.Rank]), the closest first.
func Scopes(host string) []string {
	var scopes []string
	domain, pattern := strings.CutPrefix(host, "*.")
	if !pattern {
		scopes = append(scopes, host)
	}
	for more := true; more; _, domain, more = strings.Cut(domain, ".") {
		scopes = append(scopes, "*."+domain)
	}
	return append(scopes, "")
}

// rankHost is the rank of a helper for the very host, above that of one for any domain.
const rankHost = 1 << 20

// Rank tells how close h is to a host, which is given in lower case and without its port: Bazel does not look at that. It is zero for a helper of other hosts.
// Of several, Bazel asks the one of the highest rank, and of equal ones the last. A wildcard stands for the domain itself, too.
// Bazel compares letter by letter: a scope with capitals is for no host. For a pattern "*.DOMAIN", it has to be for all of DOMAIN.
func (h Helper) Rank(host string) int {
	domain, pattern := strings.CutPrefix(host, "*.")
	suffix, wildcard := strings.CutPrefix(h.Scope, "*.")
	switch {
	case h.Scope == "":
		return 1
	case !ValidScope(h.Scope):
		return 0 // Bazel refuses it
	case wildcard && (domain == suffix || strings.HasSuffix(domain, "."+suffix)):
		return min(2+len(suffix), rankHost-1)
	case !wildcard && !pattern && h.Scope == host:
		return rankHost
	}
	return 0
}

// Covers reports whether h may serve the URLs of a host.
func (h Helper) Covers(host string) bool { return h.Rank(host) > 0 }

// Always reports whether the helper counts in a plain build: its line is for no --config, and for a command that builds obey.
func (h Helper) Always() bool { return h.Line.everyBuild() }

func (l *Line) everyBuild() bool {
	return l.Config == "" && (l.Command == "build" || EveryCommand(l.Command))
}

// EveryCommand reports whether a word stands for all commands.
func EveryCommand(command string) bool { return command == "common" || command == "always" }

// ValidScope reports whether Bazel takes a host as the scope of a credential helper: it wants two labels, of letters, digits and hyphens.
func ValidScope(host string) bool {
	labels := strings.Split(strings.TrimPrefix(host, "*."), ".")
	for _, label := range labels {
		if label == "" || strings.Trim(ascii.Lower(label), "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return len(labels) > 1 || strings.HasPrefix(host, "*.")
}
