// Package lookup finds the secrets that a user owns: in the environment, in files, in keyrings, in other programs' logins.
//
// A [Chain] is an ordered list of entries. Each entry is a [Source] that may supply values for one or more bindings:
// names like "username", "password" or "default", by which a helper tells apart the values that it needs.
// The chain is walked in order until the helper says that it has enough.
//
// A source has three outcomes beside a value (see [helpers.ErrNotFound]): not found and unavailable fall through
// to the next entry; everything else is broken and ends the walk with an error that names the source and the fix.
//
// A chain is written in the configuration as an array of objects; [Decode] reads it, and each source's file says what its object takes.
package lookup

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/strictjson"
	"github.com/fe055d52/credential-helper/internal/suggest"
	"github.com/fe055d52/credential-helper/internal/trace"
)

// Bindings that sources supply on their own account. Helpers may know more.
const (
	Default       = "default"
	Username      = "username"
	Password      = "password"
	Auth          = "auth"
	IdentityToken = "identitytoken"
	RegistryToken = "registrytoken"
	Token         = "token" // a token that goes by itself, without a user name
	// Expires is no secret: the time after which the login is dead (RFC 3339), where the place that it was found in says so.
	Expires = "expires"
	// From is no secret: the place that the login was found in, where the source's name does not say it: "~/.npmrc:2", "$TWINE_PASSWORD".
	From = "from"
)

// Header returns the binding of a value that is a whole header's, sent as it is: a login may name the header that it goes into.
func Header(name string) string { return headerPrefix + name }

const headerPrefix = "header:"

// secret reports whether the values of a binding are secret.
func secret(binding string) bool { return binding != Username && !about(binding) }

// about reports whether a binding tells of the login, and is no part of it.
func about(binding string) bool { return binding == Expires || binding == From }

// A Query is what is looked for.
type Query struct {
	// URL is the URL that is asked for, as [helpers.ParseRequest] normalized it.
	URL *url.URL
	// Registry is an OCI registry's host and port, and Repository the repository on it; empty for other servers.
	Registry, Repository string

	// alike, where not nil, is told by [alike] below which directory of the server the outcome is the same.
	alike *string
}

// Values are what was found: binding → value. A user name is held as a Secret too, though it is none.
// The user name of a login that was found whole is there even where it is empty: no other belongs to its password.
type Values map[string]redact.Secret

// Named reports whether the user name is known; it may be known to be empty.
func (v Values) Named() bool {
	_, ok := v[Username]
	return ok
}

// Headers returns the whole headers among the values, by name; nil where there is none.
func (v Values) Headers() map[string]redact.Secret {
	var headers map[string]redact.Secret
	for binding, value := range v {
		if name, ok := strings.CutPrefix(binding, headerPrefix); ok && !value.IsZero() {
			if headers == nil {
				headers = map[string]redact.Secret{}
			}
			headers[name] = value
		}
	}
	return headers
}

// Expiry returns the time after which the login is dead; the zero time where nothing says.
func (v Values) Expiry() time.Time {
	t, err := time.Parse(time.RFC3339, v[Expires].Reveal())
	if err != nil {
		return time.Time{}
	}
	return t
}

// SetExpiry sets what Expiry returns, in whole seconds.
func (v Values) SetExpiry(t time.Time) { v[Expires] = redact.Hold(t.UTC().Format(time.RFC3339)) }

// at says where the values were found, and returns them.
func (v Values) at(place string) Values {
	if v != nil {
		v[From] = redact.Hold(place)
	}
	return v
}

// A Source is a place where secrets are found.
type Source interface {
	// Name says what the source is, in words that fit an error: "$GITHUB_TOKEN", "keyring service \"x\"".
	Name() string

	// HostBound reports whether the secrets of this source name the host that they are for.
	HostBound() bool

	// Lookup returns what the source has for q. The key [Default] stands for the binding that the entry names.
	// A source that supplies several bindings together ("username" beside "password") returns all of them in one map,
	// and its password, if it has one, under [Default] too, for the entry that binds it to another name.
	// Values are made by [redact.Hold]: the chain remembers those that are secret.
	Lookup(ctx context.Context, q Query) (Values, error)
}

// A PathBound source's secrets may be for a part of a host: two URLs of one host may have different ones.
// A source that does not implement it has one secret for all paths of a host.
//
// One that does may tell how far what it found goes, by way of [alike].
type PathBound interface {
	PathBound() bool
}

func pathBound(s Source) bool {
	p, ok := s.(PathBound)
	return ok && p.PathBound()
}

// An Entry is a source in a chain.
type Entry struct {
	Source Source
	// Binding is what the source's Default value is bound to; of a source that supplies several bindings together,
	// it picks the one of that name. Where it is empty, such a source supplies them all.
	Binding string
}

// A Chain is an ordered list of entries.
type Chain []Entry

// HostBound reports whether every secret of the chain names its own host.
func (c Chain) HostBound() bool {
	return !slices.ContainsFunc(c, func(e Entry) bool { return !e.Source.HostBound() })
}

// PathBound reports whether what the chain yields may differ between the paths of one host.
func (c Chain) PathBound() bool {
	return slices.ContainsFunc(c, func(e Entry) bool { return pathBound(e.Source) })
}

// Found is what a chain yielded.
type Found struct {
	Values
	// Source names where the last value, the one that made it enough, was found: "$TOKEN", "npm's logins (~/.npmrc:2)".
	Source string
	// Covers is the widest directory of the server, out of [helpers.Directories], for all of which the chain yields the same; empty where that is not known.
	Covers string
}

// MissingError is returned where a chain does not yield enough. It wraps [helpers.ErrNotFound].
type MissingError struct {
	Tried []string // what was tried, and why it gave nothing
	// Partial is what was found all the same, for a helper that has a use for less when there is no more.
	Partial Found
	// First is what has to be done before a login that is made now can be kept; it has no lines where that is nothing.
	First helpers.Remedy
}

func (e *MissingError) Error() string {
	if len(e.Tried) == 0 {
		return "no login found: the lookup chain is empty"
	}
	return "no login found: " + strings.Join(e.Tried, "; ")
}

func (e *MissingError) Unwrap() error { return helpers.ErrNotFound }

// Find walks the chain until enough says that the values suffice.
//
// The first value of a binding stands. A source that supplies several bindings together is asked only
// while there is no value but a user name, and what it yields replaces that: a password never meets another login's name,
// also where its own is empty.
func (c Chain) Find(ctx context.Context, q Query, enough func(Values) bool) (Found, error) {
	found := Found{Values: Values{}}
	covers := "/"
	var tried []string
	var blocked helpers.Remedy
	walk := c.begin(ctx)
	for i, e := range c {
		if _, has := found.Values[e.Binding]; has || e.Binding == "" && found.hasSecret() {
			walk.is(i, OutcomeNotNeeded, nil)
			continue
		}
		walk.is(i, OutcomeNoAnswer, nil)
		end := trace.Step(ctx, "asking %s", e.Source.Name())
		asked, dir := q, "/"
		if pathBound(e.Source) {
			dir = ""
			asked.alike = &dir
		}
		values, err := e.Source.Lookup(ctx, asked)
		end(err)
		// What an earlier source has not for this URL, it may have for another one. All are the URL's own directories: the longer is the narrower.
		if covers == "" || dir == "" {
			covers = ""
		} else if len(dir) > len(covers) {
			covers = dir
		}
		if err != nil {
			walk.failed(i, err)
			if ctx.Err() == nil && helpers.FallsThrough(err) {
				tried = append(tried, err.Error())
				var missing *programMissing
				if errors.As(err, &missing) {
					blocked = missing.remedy
				}
				continue
			}
			return Found{}, fmt.Errorf("looking up a login: %w", err)
		}
		from := values[From].Reveal()
		delete(values, From)
		if e.Binding != "" {
			value := values.pick(e.Binding)
			if value.IsZero() {
				err := helpers.NotFoundf("%s has a login without a value for %q", e.Source.Name(), e.Binding)
				walk.failed(i, err)
				tried = append(tried, err.Error())
				continue
			}
			found.Values[e.Binding] = value
			if expires, ok := values[Expires]; ok && secret(e.Binding) {
				found.Values[Expires] = expires
			}
		} else {
			delete(values, Default)
			found.Values = values
		}
		for binding, value := range found.Values {
			if secret(binding) {
				redact.Remember(value.Reveal())
			}
		}
		walk.found(i, from)
		found.Source, found.Covers = e.Source.Name(), covers
		if from != "" {
			found.Source += " (" + from + ")"
		}
		if enough(found.Values) {
			return found, nil
		}
	}
	if len(found.Values) > 0 {
		bindings := make([]string, 0, len(found.Values))
		for b, value := range found.Values {
			if !value.IsZero() && !about(b) {
				bindings = append(bindings, b)
			}
		}
		slices.Sort(bindings)
		tried = append(tried, fmt.Sprintf("found only a value for %q, which is not enough", strings.Join(bindings, ", ")))
	}
	return Found{}, &MissingError{Tried: tried, Partial: found, First: blocked}
}

// pick returns the value for an entry that is bound to one name. A source that tells its values apart is not asked for
// its user name and answered with its password.
func (v Values) pick(binding string) redact.Secret {
	bindings := len(v)
	for _, b := range []string{Expires, From} {
		if _, ok := v[b]; ok {
			bindings--
		}
	}
	together := bindings > 1 || v[Default].IsZero()
	if together && slices.Contains([]string{Username, Password, IdentityToken, RegistryToken}, binding) {
		return v[binding]
	}
	return v[Default]
}

func (v Values) hasSecret() bool {
	for binding, value := range v {
		if secret(binding) && !value.IsZero() {
			return true
		}
	}
	return false
}

// Sources makes sources that see one environment.
type Sources struct {
	Env *env.Env
	// Executable is the path of the running program, so that a docker configuration which names it is not asked in circles.
	Executable string
	// Stored, where not nil, returns a login that was stored through Docker's protocol, for a registry, or a repository after a slash.
	Stored func(ctx context.Context, server string) (username string, secret redact.Secret, err error)
	// Client makes the requests of sources that renew a login. It refuses redirects to other origins, as that of package httpclient does.
	Client *http.Client
}

// A decodeFunc reads a source's own keys from its object in the configuration.
type decodeFunc func(*Sources, *strictjson.Object) Source

// kinds are the sources by the name that the configuration gives them. together is true for those that supply several bindings.
var kinds = map[string]struct {
	decode   decodeFunc
	together bool
}{
	// Of the program's own.
	"env":     {decode: decodeEnv},
	"file":    {decode: decodeFile},
	"command": {decode: decodeCommand},
	"static":  {decode: decodeStatic},
	"keyring": {decode: decodeKeyring},
	"google":  {decode: decodeGoogle},
	// What other tools keep.
	"bundler":  {decode: decodeBundler, together: true},
	"cargo":    {decode: decodeCargo, together: true},
	"composer": {decode: decodeComposer, together: true},
	"docker":   {decode: decodeDocker, together: true},
	"git":      {decode: decodeGit, together: true},
	"github":   {decode: decodeGitHub, together: true},
	"julia":    {decode: decodeJulia, together: true},
	"maven":    {decode: decodeMaven, together: true},
	"moonbit":  {decode: decodeMoonbit, together: true},
	"netrc":    {decode: decodeNetrc, together: true},
	"npmrc":    {decode: decodeNpmrc, together: true},
	"nuget":    {decode: decodeNuget, together: true},
	"pesde":    {decode: decodePesde, together: true},
	"pip":      {decode: decodePip, together: true},
	"pypirc":   {decode: decodePypirc, together: true},
}

// Source returns the source of a kind that "source" names, with the keys of its own out of o: a helper's config may have them in the place of a chain.
func (s *Sources) Source(kind string, o *strictjson.Object) Source { return kinds[kind].decode(s, o) }

func kindNames() []string {
	names := make([]string, 0, len(kinds))
	for name := range kinds {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Decode reads a chain from the array at key. bindings are those that the helper knows: an entry with another one is a mistake.
// ok is false where key is absent.
func (s *Sources) Decode(o *strictjson.Object, key string, bindings ...string) (chain Chain, ok bool) {
	ok = o.Has(key)
	chain = Chain{}
	o.Objects(key, func(_ int, o *strictjson.Object) {
		var name, binding string
		o.String("source", &name)
		o.String("binding", &binding)
		o.Values("source", kindNames()...)
		o.Values("binding", append(slices.Clip(bindings), "")...)
		o.Needs("source")
		kind, known := kinds[name]
		if !known {
			o.AllowUnknown()
			if name == "" {
				o.Failf("source", `each entry of %q needs a "source": one of %s`, key, strings.Join(kindNames(), ", "))
			} else {
				o.Failf("source", "unknown source %q%s; known are %s", name, suggest.DidYouMean(name, kindNames()), strings.Join(kindNames(), ", "))
			}
			return
		}
		if binding != "" && !slices.Contains(bindings, binding) {
			o.Failf("binding", "unknown binding %q%s; this helper knows %s", binding, suggest.DidYouMean(binding, bindings), strings.Join(bindings, ", "))
		}
		if binding == "" && !kind.together {
			binding = Default
		}
		chain = append(chain, Entry{Source: kind.decode(s, o), Binding: binding})
	})
	return chain, ok
}

// required reports a mistake where a key of a source is absent or empty. aliases are keys that may stand in its place.
func required(o *strictjson.Object, source, key, value string, aliases ...string) {
	o.Needs(append([]string{key}, aliases...)...)
	if value == "" {
		o.Failf(key, "the source %q needs a %q that is not empty", source, key)
	}
}

type google struct{}

// decodeGoogle accepts what tweag-credential-helper's "google" source takes, so that its configuration files load.
func decodeGoogle(_ *Sources, o *strictjson.Object) Source {
	var ignored string
	var scopes []string
	o.String("token_type", &ignored)
	o.Strings("scopes", &scopes)
	o.String("audience", &ignored)
	return google{}
}

func (google) Name() string    { return "google" }
func (google) HostBound() bool { return false }
func (google) Lookup(context.Context, Query) (Values, error) {
	return nil, helpers.Unavailablef(`the source "google" is not supported yet`)
}
