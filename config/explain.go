package config

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/suggest"
)

// Host returns the rule's pattern for hosts, empty where it has none.
func (r *Rule) Host() string { return r.host.text() }

// Mismatch says in a few words why r is not for u. It is empty where r [Rule.Matches] u.
func (r *Rule) Mismatch(u *url.URL) string {
	switch r.mismatch(u) {
	case partScheme:
		return fmt.Sprintf("the scheme is %s, the rule's is %s", u.Scheme, r.Scheme)
	case partHost:
		if r.otherPort(u) {
			return fmt.Sprintf("the port is %s, and the rule's host is %q%s", portOf(u), r.Host(), orDefault(r.host))
		}
		return fmt.Sprintf("the host is not %q", r.Host())
	case partPath:
		return fmt.Sprintf("the path is not %q", r.path)
	case partOnly:
		if r.OnlyFor == "" {
			return "the rule is for other URLs of this host"
		}
		return "the rule is for " + r.OnlyFor + " only"
	}
	return ""
}

// otherPort reports whether r's host is u's, but for the port.
func (r *Rule) otherPort(u *url.URL) bool {
	hostPort := helpers.HostPort(u)
	return NewGlob(r.host.name).Match(hostPort[:strings.LastIndexByte(hostPort, ':')])
}

func portOf(u *url.URL) string {
	hostPort := helpers.HostPort(u)
	return hostPort[strings.LastIndexByte(hostPort, ':')+1:]
}

func orDefault(h host) string {
	if h.port == "" {
		return ", which means the scheme's own port"
	}
	return ""
}

// A Tried is a rule that was tried for a URL, and why it is not the one; WhyNot is empty for the one that is.
type Tried struct {
	Rule   *Rule
	WhyNot string
}

// Explain returns the rules that [Routes.Match] tries for u, in order. The last is the one that it returns, or, where that is nil,
// for a wildcard maybe one that may take some of its hosts.
func (r *Routes) Explain(u *url.URL) []Tried {
	var tried []Tried
	wildcard := helpers.Wildcard(u)
	for rule := range r.all() {
		why := rule.Mismatch(u)
		stop := why == ""
		if !stop && wildcard && rule.takesBelow(u) {
			why, stop = fmt.Sprintf("it is for some of the hosts that %s stands for, and not for all: there is no one answer for them", u.Host), true
		}
		tried = append(tried, Tried{rule, why})
		if stop {
			break
		}
	}
	return tried
}

// Behind returns the rules of the files that are for u too, and are not asked because they stand behind the one that is.
func (r *Routes) Behind(u *url.URL) []*Rule {
	var behind []*Rule
	found := false
	for rule := range r.all() {
		switch {
		case rule.BuiltIn || !rule.Matches(u):
		case found:
			behind = append(behind, rule)
		default:
			found = true
		}
	}
	return behind
}

// Near finds, for a URL that no rule is for, the rule that comes nearest, and says what would have to change. It returns nil where none is near.
func (r *Routes) Near(u *url.URL) (near *Rule, advice string) {
	best := 0
	for rule := range r.all() {
		if rank, text := rule.near(u); rank > best {
			near, advice, best = rule, text, rank
		}
	}
	return near, advice
}

// near tells how near r is to u, more is nearer, and what would have to change. 0 is not near.
func (r *Rule) near(u *url.URL) (rank int, advice string) {
	switch r.mismatch(u) {
	case partPath:
		return 5, fmt.Sprintf(`it is for this host, and its "path" is %q; the URL's is %s`, r.path, shortPath(u))
	case partScheme:
		if !r.hasHost || !r.host.matches(u) && !r.otherPort(u) {
			return 0, ""
		}
		return 4, fmt.Sprintf(`it is for this host, and its "scheme" is %q; the URL's is %s`, r.Scheme, u.Scheme)
	case partHost:
	default:
		return 0, ""
	}
	name := u.Hostname()
	if r.otherPort(u) {
		return 4, fmt.Sprintf(`it is for this host at another port; write "host": %q, or "host": %q for every port`, helpers.HostPort(u), strings.TrimSuffix(u.Host, ":"+u.Port())+":*")
	}
	domain, below := strings.CutPrefix(r.host.name, "*.")
	switch {
	case strings.Trim(domain, "*.") == "":
	case below && domain == name:
		return 3, fmt.Sprintf(`%q is for the hosts below %s, not for %s itself; give that a rule of its own`, r.Host(), domain, name)
	case !below && strings.HasSuffix(name, "."+domain):
		return 2, fmt.Sprintf(`it is for %s alone, and %s is below it; write "host": %q for all that are`, domain, name, "*."+domain)
	case strings.Contains(domain, "*"):
	default:
		whole := name
		if below { // as many labels of the name as the pattern has
			labels := strings.Split(name, ".")
			if n := len(labels) - strings.Count(domain, ".") - 1; n > 0 {
				name = strings.Join(labels[n:], ".")
			} else {
				return 0, ""
			}
		}
		if _, ok := suggest.Nearest(name, []string{domain}); ok {
			return 1, fmt.Sprintf("its host is %q, and the URL's is %s; is one of them misspelled?", r.Host(), whole)
		}
	}
	return 0, ""
}

// shortPath is the path of u as it is shown.
func shortPath(u *url.URL) string {
	return strings.TrimPrefix(strings.TrimSuffix(helpers.Display(u), "?…"), helpers.Origin(u))
}
