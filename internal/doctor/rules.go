package doctor

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/fe055d52/credential-helper/config"
	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/ascii"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/place"
	"github.com/fe055d52/credential-helper/internal/shell"
)

// rules checks what the rules of valid files say, taken together.
func (f *findings) rules(e *env.Env, files []config.File) {
	var before []*config.Rule
	for i := range files {
		exposed := exposure(e, files[i].Path)
		for j := range files[i].Rules {
			r := &files[i].Rules[j]
			f.covered(e, r, before, files[i].Path)
			f.helper(e, r)
			f.width(e, r)
			s := sourcesOf(r)
			f.literals(e, r, s, exposed)
			f.variables(e, r, s)
			before = append(before, r)
		}
	}
}

// covered reports a rule that an earlier one leaves nothing for. That a workspace's rule comes before the user's own is what the order of files is for.
func (f *findings) covered(e *env.Env, r *config.Rule, before []*config.Rule, path string) {
	for _, first := range before {
		if !first.Covers(r) {
			continue
		}
		place, own := strings.CutPrefix(first.Place, path+":")
		if own {
			place = "line " + place
		}
		text := fmt.Sprintf("the rule at %s (%s) never answers: the one at %s (%s) comes first and takes all of its URLs", e.Display(r.Place), describe(r), e.Display(place), describe(first))
		if own {
			f.warn(text, "move the narrower rule before the wider one, or remove it")
		} else {
			f.note(text, "this is right where the workspace is to decide; Docker reads your own file alone")
		}
		return
	}
}

func describe(r *config.Rule) string {
	host := r.HostPattern()
	if host == "" {
		host = "every host"
	}
	if r.Scheme != "" {
		host = r.Scheme + "://" + host
	}
	return host + r.PathPattern()
}

// helper reports what a rule's helper is not, or permits.
func (f *findings) helper(e *env.Env, r *config.Rule) {
	if r.Helper == nil {
		f.warn(fmt.Sprintf("the rule at %s names the helper %q, which is not supported yet: its URLs (%s) fail", e.Display(r.Place), r.HelperName, describe(r)),
			`give the rule another helper, or "null" to send nothing`)
		return
	}
	host := r.HostPattern()
	switch {
	case !r.AllowHTTP || r.Scheme == "https" || r.Scheme == "grpcs":
	case isLoopback(host):
		f.note(fmt.Sprintf(`the rule at %s has "allow_http", which %s does not need: it is this machine`, e.Display(r.Place), host), `remove "allow_http"`)
	default:
		f.warn(fmt.Sprintf(`the rule at %s has "allow_http": secrets for %s may go over the network unencrypted`, e.Display(r.Place), describe(r)),
			`use https, and remove "allow_http"; where there is only http, give the rule "scheme": "http" and a single host`)
	}
}

func isLoopback(host string) bool {
	req, err := helpers.ParseRequest("http://" + host + "/")
	return err == nil && helpers.Loopback(req.URL)
}

// width reports a host pattern that hosts of strangers match: what stands behind its last star is not a whole domain.
func (f *findings) width(e *env.Env, r *config.Rule) {
	if bound, ok := r.Helper.(helpers.HostBound); r.Helper == nil || r.HelperName == "null" || ok && bound.HostBound() {
		return
	}
	name, _, _ := strings.Cut(r.HostPattern(), ":")
	star := strings.LastIndexByte(name, '*')
	if star < 0 || strings.HasPrefix(name, "[") {
		return
	}
	end, whole := strings.CutPrefix(name[star+1:], ".")
	suffix, icann := publicsuffix.PublicSuffix(end)
	if whole && end != "" && (!icann || suffix != end) {
		return
	}
	var example string
	switch {
	case !whole && end != "":
		example = strings.ReplaceAll(name, "*", "evil-")
	case end == "":
		example = strings.ReplaceAll(name, "*", "evil.test")
	default:
		example = strings.ReplaceAll(name, "*", "evil")
	}
	f.warn(fmt.Sprintf("the rule at %s sends its secret to hosts of strangers: %q matches %s", e.Display(r.Place), r.HostPattern(), example),
		`let the pattern end with a dot and a domain of yours: "*.example.com"`)
}

// A source is one place that a rule takes a value from, as far as it matters here.
type source struct {
	Kind    string `json:"source"`
	Name    string `json:"name"`
	Value   string `json:"value"`
	Binding string `json:"binding"`
	key     string // of the rule's config, where it stands there itself
}

// sources are those of a rule.
type sources struct {
	all []source
	// open says that the helper has more of them, which the rule does not name.
	open bool
}

// sourcesOf reads the rule once more. It was decoded before, by the helper; what is not what is expected here is none of it.
func sourcesOf(r *config.Rule) sources {
	var rule struct {
		Config struct {
			Token, Password string
			ReadToken       string `json:"read_token"`
			Username        string
			Preset          string
			Chain           []source `json:"lookup_chain"`
			Docker          *bool    `json:"parse_docker_config"`
			CLI             *bool    `json:"read_config_file"`
			AppID           any      `json:"app_id"`
		} `json:"config"`
	}
	if r.Helper == nil || json.Unmarshal([]byte(r.Text), &rule) != nil {
		return sources{open: true}
	}
	c := rule.Config
	s := sources{all: c.Chain}
	for i := range s.all {
		if s.all[i].Kind == "static" && s.all[i].Value == "" {
			s.all[i].Value = s.all[i].Name
		}
	}
	for key, value := range map[string]string{"token": c.Token, "read_token": c.ReadToken, "password": c.Password, "username": c.Username} {
		if value != "" {
			s.all = append(s.all, source{Kind: "value", Value: value, key: key})
		}
	}
	slices.SortStableFunc(s.all, func(a, b source) int { return strings.Compare(a.key, b.key) })
	switch r.HelperName {
	case "oci":
		s.open = c.Docker == nil || *c.Docker
	case "github":
		s.open = c.AppID == nil && (c.CLI == nil || *c.CLI)
	}
	s.open = s.open || len(s.all) == 0 || c.Preset != "" && c.Chain == nil && c.Token == "" && c.Password == "" && c.ReadToken == ""
	return s
}

// An exposed file is one that more people read than its owner.
type exposed struct{ how, fix string }

// exposure says who else may read a file: everybody on this machine, or everybody who has the repository. It is nil where nobody is known to.
func exposure(e *env.Env, path string) *exposed {
	if path == filepath.Join(e.Workspace(), place.WorkspaceFile) && versioned(e, e.Workspace()) {
		return &exposed{"everybody who has this repository", "take it out of the file, and out of the repository's history (make a new one)"}
	}
	if info, err := os.Stat(path); err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o044 != 0 {
		return &exposed{fmt.Sprintf("other users of this machine (mode %04o)", info.Mode().Perm()), "take it out of the file, or chmod 600 " + shellPath(e, path)}
	}
	return nil
}

// maxIgnored is the size in bytes above which a .gitignore is not read.
const maxIgnored = 1 << 20

// versioned reports whether a directory belongs to a repository that does not ignore the workspace's file, as far as its own .gitignore says.
func versioned(e *env.Env, dir string) bool {
	if data, _, err := e.ReadFile(filepath.Join(dir, ".gitignore"), maxIgnored); err == nil {
		for line := range strings.Lines(string(data)) {
			if strings.Trim(strings.TrimSpace(line), "/") == place.WorkspaceFile {
				return false
			}
		}
	}
	for at, level := dir, 0; level < place.MaxLevels; at, level = filepath.Dir(at), level+1 {
		for _, marker := range []string{".git", ".hg", ".jj", ".svn"} {
			if _, err := os.Stat(filepath.Join(at, marker)); err == nil {
				return true
			}
		}
		if at == filepath.Dir(at) {
			break
		}
	}
	return false
}

// literals reports secrets that stand in the file itself. They are not shown.
func (f *findings) literals(e *env.Env, r *config.Rule, s sources, exposed *exposed) {
	for _, x := range s.all {
		var what string
		switch {
		case x.Kind == "static" && x.Binding != "username" && (x.Binding != "" && x.Binding != "default" || looksSecret(x.Value)):
			what = `a "static" source`
		case x.Kind == "value" && x.key != "username" && len(templateVariables(x.Value)) == 0:
			what = fmt.Sprintf("%q", x.key)
		default:
			continue
		}
		text := fmt.Sprintf("the rule at %s has a secret in the file itself, as %s", e.Display(r.Place), what)
		instead := `; instead of it, use {"source": "keyring"} with credential-helper setup-keyring, or {"source": "env"}`
		if x.Kind == "value" {
			instead = `; instead of it, write ${NAME} for an environment variable`
		}
		if exposed != nil {
			f.warn(text+", which can be read by "+exposed.how, exposed.fix+instead)
		} else {
			f.note(text, strings.TrimPrefix(instead, "; "))
		}
	}
}

// secretPrefixes begin tokens of well-known servers.
var secretPrefixes = [...]string{"ghp_", "gho_", "ghs_", "ghu_", "github_pat_", "glpat-", "npm_", "srg_", "pypi-", "eyJ", "AKIA", "xox", "dckr_pat_", "Bearer ", "Basic "}

// looksSecret reports whether a value is more likely a secret than a name: it begins like a token, or is long, without spaces, of letters and digits.
func looksSecret(value string) bool {
	for _, p := range secretPrefixes {
		if strings.HasPrefix(value, p) {
			return true
		}
	}
	return len(value) >= 12 && !strings.ContainsAny(value, " ./") && strings.ContainsAny(value, "0123456789") && strings.Trim(value, "0123456789") != ""
}

// templateVariables returns the names of the ${NAME} in a value. "$${" stands for "${" itself.
func templateVariables(text string) []string {
	var names []string
	for {
		i := strings.Index(text, "${")
		if i < 0 {
			return names
		}
		escaped := i > 0 && text[i-1] == '$'
		text = text[i+2:]
		if name, _, ok := strings.Cut(text, "}"); ok && !escaped {
			names = append(names, name)
		}
	}
}

// variables reports environment variables that a rule wants and that are not set.
func (f *findings) variables(e *env.Env, r *config.Rule, s sources) {
	var missing []string
	fails := false                    // for certain, whatever else there is
	sure := len(s.all) > 0 && !s.open // that there is nothing else
	for _, x := range s.all {
		switch {
		case x.Kind == "value":
			for _, name := range templateVariables(x.Value) {
				if e.Var(name) == "" {
					missing, fails = append(missing, name), true
				}
			}
		case x.Kind == "env" && e.Var(x.Name) == "":
			missing = append(missing, x.Name)
		case x.Kind == "static" && x.Binding == "username":
		case x.Kind == "env" && x.Binding == "username":
		default:
			sure = false
		}
	}
	if len(missing) == 0 {
		return
	}
	slices.Sort(missing)
	missing = slices.Compact(missing)
	verb := "is not set"
	if _, ok := e.Get(missing[0]); ok {
		verb = "is set, but empty,"
	}
	if len(missing) > 1 {
		verb = "are not set"
	}
	text := fmt.Sprintf("$%s %s here, which the rule at %s (%s) wants", strings.Join(missing, ", $"), verb, e.Display(r.Place), describe(r))
	for _, name := range missing {
		if other, ok := nearestSet(e, name); ok {
			f.warn(text+fmt.Sprintf("; $%s is set", other), fmt.Sprintf("is $%s meant? correct the rule, or export %s", other, shell.Quote(name)))
			return
		}
	}
	if fails || sure {
		f.note(text+": there is no login for it", "export "+quoted(missing)+" where the build runs")
	} else {
		f.note(text+", beside other sources", "export it, if it is meant to be used here")
	}
}

func quoted(names []string) string {
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = shell.Quote(name)
	}
	return strings.Join(all, ", ")
}

// nearestSet returns a variable that is set and whose name differs from that of one that is not by a slip of the finger.
func nearestSet(e *env.Env, name string) (string, bool) {
	if e.Environ == nil {
		return "", false
	}
	for _, v := range e.Environ() {
		other, value, _ := strings.Cut(v, "=")
		if value != "" && slip(name, other) {
			return other, true
		}
	}
	return "", false
}

// slip reports whether two names differ in one letter too many or in two that are swapped, or in their case and underscores alone.
// It is stricter than what is good enough for a key: GITHUB_TOKEN and GITLAB_TOKEN are both right.
func slip(a, b string) bool {
	plain := func(s string) string { return ascii.Upper(strings.ReplaceAll(s, "_", "")) }
	if len(a) < 6 || a == b {
		return false
	}
	if a, b = plain(a), plain(b); len(a) > len(b) {
		a, b = b, a
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	switch len(b) - len(a) {
	case 0:
		return i == len(a) || i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
	case 1:
		return a[i:] == b[i+1:]
	}
	return false
}
