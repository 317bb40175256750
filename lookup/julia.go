package lookup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/owner"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/strictjson"
	"github.com/fe055d52/credential-helper/internal/trace"
)

// maxJulia is the size in bytes above which a text is not taken for an auth.toml, from a file or from a server.
// The parser takes time that grows with the square of it.
const maxJulia = 32 << 10

// juliaLead is how long before its end the Pkg client renews a token.
const juliaLead = 10 * time.Minute

// decodeJulia reads {"source": "julia", "refresh_hosts": [HOST...]}. "refresh_hosts" may be left out.
//
// A HOST, with or without a port, may see the refresh token beside the Pkg server itself: a server that renews logins for others.
func decodeJulia(s *Sources, o *strictjson.Object) Source {
	var hosts []string
	o.Strings("refresh_hosts", &hosts)
	j := julia{Sources: s}
	for _, host := range hosts {
		listed, err := owner.CheckListed(host)
		if err != nil {
			o.Failf("refresh_hosts", "%v", err)
			continue
		}
		j.trusted = append(j.trusted, listed)
	}
	return j
}

// Julia returns the source that reads the login which Julia's Pkg client keeps for a Pkg server, and renews it as that client does.
func (s *Sources) Julia() Source { return julia{Sources: s} }

// julia reads DEPOT/servers/HOST/auth.toml, where DEPOT is the first entry of $JULIA_DEPOT_PATH, else ~/.julia, and HOST is the server's host,
// with its port if it has one, and "_" for ":" (https://pkgdocs.julialang.org/v1/protocol/#Authentication). Clients before Julia 1.9 have ":" there.
// $JULIA_PKG_SERVER counts for the spelling of its own host alone: the client names the directory as the variable has it.
//
// The rules are those of the client (https://github.com/JuliaLang/Pkg.jl/blob/master/src/PlatformEngines.jl, get_auth_header).
// A token ends at the earlier of "expires_at" and the file's time of change plus "expires_in". One that has less than ten minutes left is renewed:
// GET "refresh_url" with the refresh token as the bearer; the answer becomes the file. What cannot be renewed is used as it is; so it is where
// "refresh_url" is not https or of this machine, and where the answer is no auth.toml. Where the server refuses, or cannot be reached,
// the client goes on without a login, also while the old token lives: there is none then.
//
// It differs from the client in what could do harm. A refresh token goes to the Pkg server's own host or domain, and to hosts that the rule lists.
// One process renews while others wait for it. Keys of the old file that the answer knows nothing of stay. And a malformed file is an error, not a missing login.
type julia struct {
	*Sources
	trusted []string // hosts that may see the refresh token, as owner.CheckListed returned them
}

func (julia) Name() string    { return "Julia's login" }
func (julia) HostBound() bool { return true }

// Lookup reads the first auth.toml that exists.
func (j julia) Lookup(ctx context.Context, q Query) (Values, error) {
	switch u := q.URL; {
	case helpers.Wildcard(u):
		return nil, helpers.NotFoundf("Julia's logins are for one server each, not for %s", u.Host)
	case u.Scheme != "https" && (u.Scheme != "http" || !helpers.Loopback(u)):
		return nil, helpers.NotFoundf("Julia's logins are sent over https, or to this machine, and not to %s", helpers.Origin(u))
	case ambiguous(u):
		return nil, helpers.NotFoundf("Julia's logins do not tell the host %s from one with a port", u.Host)
	}
	paths, err := j.paths(q.URL)
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		data, info, shown, found, err := j.readFile(ctx, path)
		if err != nil {
			return nil, err
		}
		if !found {
			continue
		}
		login, err := parseJulia(data, info.ModTime())
		if err != nil {
			return nil, juliaError(shown, err)
		}
		values, err := j.use(ctx, q.URL, path, login)
		return values.at(shown), err
	}
	shown := make([]string, len(paths))
	for i, path := range paths {
		shown[i] = j.Env.Display(path)
	}
	if len(shown) == 1 {
		return nil, helpers.NotFoundf("%s does not exist", shown[0])
	}
	return nil, helpers.NotFoundf("%s do not exist", strings.Join(shown, " and "))
}

// ambiguous reports whether u's host is one whose directory another host with a port has: "pkg_8000" is pkg:8000, too.
func ambiguous(u *url.URL) bool {
	i := strings.LastIndexByte(u.Hostname(), '_')
	return u.Port() == "" && i >= 0 && strings.Trim(u.Hostname()[i+1:], "0123456789") == ""
}

// paths returns where u's auth.toml may be, the likeliest first.
func (j julia) paths(u *url.URL) ([]string, error) {
	depot, err := j.depot()
	if err != nil {
		return nil, err
	}
	var paths []string
	add := func(name string) {
		path := filepath.Join(depot, "servers", name, "auth.toml")
		for _, other := range paths {
			if path == other {
				return
			}
		}
		paths = append(paths, path)
	}
	if spelled := pkgServer(j.Env.Var("JULIA_PKG_SERVER"), u); spelled != "" {
		add(strings.ReplaceAll(spelled, ":", "_"))
	}
	add(strings.ReplaceAll(u.Host, ":", "_"))
	if u.Port() != "" && runtime.GOOS != "windows" {
		add(u.Host)
	}
	return paths, nil
}

// pkgServer returns the host and port in $JULIA_PKG_SERVER as they are spelled there, if they are u's; else "".
func pkgServer(value string, u *url.URL) string {
	if !strings.Contains(value, "://") {
		value = "https://" + value
	}
	value = strings.TrimRight(value, "/")
	r, err := helpers.ParseRequest(value)
	if err != nil || helpers.Origin(r.URL) != helpers.Origin(u) {
		return ""
	}
	_, rest, _ := strings.Cut(value, "://")
	host, _, _ := strings.Cut(rest, "/")
	return host
}

// depot returns the first directory of those that Julia looks into.
func (j julia) depot() (string, error) {
	value, set := j.Env.Get("JULIA_DEPOT_PATH")
	if set && value == "" {
		return "", helpers.NotFoundf("Julia has no depot, and so no logins: $JULIA_DEPOT_PATH is empty")
	}
	first, _, _ := strings.Cut(value, string(os.PathListSeparator))
	rest, below := strings.CutPrefix(first, "~")
	switch {
	case first == "":
		first = j.home(".julia")
	case below && (rest == "" || os.IsPathSeparator(rest[0])):
		first = j.home(rest)
	case filepath.IsAbs(first):
	case j.Env.UserOnly:
		return "", helpers.NotFoundf("Julia's first depot is relative to the working directory ($JULIA_DEPOT_PATH), which is not looked into here")
	default:
		first = filepath.Join(j.Env.Dir, first)
	}
	if first == "" {
		return "", helpers.NotFoundf("Julia's depot cannot be found: there is no home directory")
	}
	return first, nil
}

// A juliaLogin is what an auth.toml says.
type juliaLogin struct {
	token string
	// expires is when the token ends, in seconds since 1970; infinite where nothing says.
	expires                  float64
	refreshURL, refreshToken string
	// all is the whole file.
	all map[string]any
}

// errNoToken is returned by parseJulia for a file without a token.
var errNoToken = errors.New(`it has no "access_token"`)

// parseJulia reads an auth.toml that was changed last at the given time. No error quotes it.
func parseJulia(data []byte, changed time.Time) (juliaLogin, error) {
	if len(data) > maxJulia {
		return juliaLogin{}, fmt.Errorf("it is larger than %d bytes", maxJulia)
	}
	l := juliaLogin{expires: math.Inf(1)}
	if err := toml.Unmarshal(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), &l.all); err != nil {
		return juliaLogin{}, &tomlError{err}
	}
	for _, text := range []struct {
		key string
		dst *string
	}{{"access_token", &l.token}, {"refresh_token", &l.refreshToken}, {"refresh_url", &l.refreshURL}} {
		value, ok := l.all[text.key]
		if !ok {
			continue
		}
		if *text.dst, ok = value.(string); !ok {
			return juliaLogin{}, fmt.Errorf("%q is not a string", text.key)
		}
		if err := helpers.CheckHeaderValue(redact.Hold(*text.dst)); err != nil {
			return juliaLogin{}, fmt.Errorf("%q cannot be sent: %w", text.key, err)
		}
	}
	for _, end := range []struct {
		key  string
		from float64
	}{{"expires_at", 0}, {"expires_in", unixSeconds(changed)}} {
		value, ok := l.all[end.key]
		if !ok {
			continue
		}
		seconds, ok := number(value)
		if !ok {
			return juliaLogin{}, fmt.Errorf("%q is not a number of seconds", end.key)
		}
		l.expires = min(l.expires, end.from+seconds)
	}
	if l.token == "" {
		return juliaLogin{}, errNoToken
	}
	return l, nil
}

func number(value any) (seconds float64, ok bool) {
	switch v := value.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, !math.IsNaN(v)
	}
	return 0, false
}

func unixSeconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

// tomlError tells where a text is not TOML, and not what stands there.
type tomlError struct{ err error }

func (e *tomlError) Error() string { return "it is not TOML" }

// juliaError names the file, and the line where there is one.
func juliaError(shown string, err error) error {
	if errors.Is(err, errNoToken) {
		return helpers.NotFoundf("%s has no access token", shown)
	}
	var syntax *tomlError
	var at *toml.DecodeError
	if errors.As(err, &syntax) && errors.As(syntax.err, &at) {
		line, _ := at.Position()
		shown = fmt.Sprintf("%s:%d", shown, line)
	}
	return helpers.WithHint(fmt.Errorf("reading Julia's login in %s: %w", shown, err), "log in to the Pkg server anew, or move the file away")
}

// use returns the login's values, and renews it before where it is time.
func (j julia) use(ctx context.Context, u *url.URL, path string, l juliaLogin) (Values, error) {
	if l.fresh(j.now()) {
		return l.values(), nil
	}
	shown := j.Env.Display(path)
	if l.refreshURL == "" || l.refreshToken == "" {
		return j.useAnyway(ctx, shown, l, "it does not say how to renew it"), nil
	}
	if endpoint, err := j.endpoint(u, shown, l); err != nil {
		return nil, err
	} else if endpoint == nil {
		return j.useAnyway(ctx, shown, l, `its "refresh_url" is neither https nor of this machine`), nil
	}
	// The place that the file is at is what gets locked and replaced, not a link to it.
	real := path
	if target, err := filepath.EvalSymlinks(path); err == nil {
		real = target
	}
	unlock, err := j.lock(ctx, real, shown)
	if err != nil {
		return nil, err
	}
	defer unlock()
	// Somebody else may have renewed it meanwhile.
	data, info, err := j.Env.Reread(path, maxNative)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, helpers.NotFoundf("%s does not exist any more", shown)
	case err != nil:
		return nil, fmt.Errorf("reading %s: %w", shown, err)
	}
	now, err := parseJulia(data, info.ModTime())
	switch {
	case err != nil:
		return nil, juliaError(shown, err)
	case now.fresh(j.now()), now.token != l.token && now.expires > unixSeconds(j.now()):
		return now.values(), nil
	}
	return j.renew(ctx, u, path, real, info, now)
}

// fresh reports whether the token is to be used without renewing it.
func (l juliaLogin) fresh(now time.Time) bool {
	return l.expires >= unixSeconds(now)+juliaLead.Seconds()
}

// useAnyway returns a login that is due to be renewed and cannot be. One that should have ended is sent too: the server knows better than its file.
func (j julia) useAnyway(ctx context.Context, shown string, l juliaLogin, why string) Values {
	trace.Note(ctx, "the login in %s is used though it ends soon, or has ended: %s", shown, why)
	if l.expires <= unixSeconds(j.now()) {
		l.expires = math.Inf(1)
	}
	// Nobody knows for how long it goes on.
	j.Env.Volatile()
	return l.values()
}

func (l juliaLogin) values() Values {
	values := Values{Token: redact.Hold(l.token), Default: redact.Hold(l.token)}
	// Beyond the year 9999 there is no way to write it down, and no need.
	if l.expires < lastSecond+1 {
		values.SetExpiry(time.Unix(int64(max(l.expires, 0)), 0))
	}
	return values
}
