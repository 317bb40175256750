// Package config reads the configuration files and finds the rule for a URL.
//
// A file is an object with a list of rules, in the format of tweag-credential-helper's .tweag-credential-helper.json:
//
//	{
//	  "urls": [
//	    {
//	      "scheme": "https",            equal to the URL's scheme; absent: any
//	      "host": "*.example.com",      a glob for the host; absent: any
//	      "path": "/team/*",            a glob for the path; absent: any
//	      "helper": "oci",              who answers
//	      "config": { … }               the helper's own keys, and "on_missing" and "allow_http" for every helper
//	    }
//	  ],
//	  "use_defaults": true              the built-in rules serve what no rule of the files matches
//	}
//
// [Load] finds the files, decodes and validates all of them, and returns [Routes]; [Routes.Match] gives the first rule that matches.
// After Load nothing is decoded again, and no rule can turn out to be wrong.
package config

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/strictjson"
	"github.com/fe055d52/credential-helper/internal/suggest"
)

// A Kind is a helper that rules may name.
type Kind struct {
	// New builds the helper of a rule. It is nil for helpers that are known and not there yet:
	// their rules load, with any config, and fail when they are used.
	New helpers.Factory
	// Anonymous says that a rule goes on without a login where it does not say "on_missing" itself.
	Anonymous bool
}

// Kinds are the helpers by the name that rules give them.
type Kinds map[string]Kind

func (k Kinds) names() []string {
	var names []string
	for name, kind := range k {
		if kind.New != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// A Rule says who answers for which URLs.
type Rule struct {
	Scheme     string
	HelperName string
	// Helper answers. It is nil where HelperName names a helper that is not there yet.
	Helper helpers.Helper
	// Anonymous says to go on without a login where none is found; otherwise that is an error.
	Anonymous bool
	// AllowHTTP permits plain HTTP to hosts other than loopback.
	AllowHTTP bool
	// BuiltIn is true for the rules that come with the program.
	BuiltIn bool
	// Place says where the rule stands: "/path/config.json:12", or "built-in".
	Place string
	// Text is the rule as it was written.
	Text string
	// Only, where set, must accept a URL as well; OnlyFor says which it accepts.
	Only    func(*url.URL) bool
	OnlyFor string

	host             host
	path             Glob
	hasPath, hasHost bool
}

// Matches reports whether r is for u, which [helpers.ParseRequest] normalized.
// The port counts where the pattern has one, and where it is not the scheme's default. Slashes in a row count as one: to many servers they are.
func (r *Rule) Matches(u *url.URL) bool { return r.mismatch(u) == partNone }

// mismatch returns the first part of u that r is not for.
func (r *Rule) mismatch(u *url.URL) part {
	switch {
	case r.Scheme != "" && r.Scheme != u.Scheme:
		return partScheme
	case r.hasHost && !r.host.matches(u):
		return partHost
	case r.hasPath && !r.path.Match(foldSlashes(u.Path)):
		return partPath
	case r.Only != nil && !r.Only(u):
		return partOnly
	}
	return partNone
}

// A part of a URL, or nothing of it.
type part int

const (
	partNone part = iota
	partScheme
	partHost // or its port
	partPath
	partOnly
)

// takesBelow reports whether r is for some URL whose host is below the domain that u, a wildcard, stands for.
// It says so too often rather than too seldom.
func (r *Rule) takesBelow(u *url.URL) bool {
	return (r.Scheme == "" || r.Scheme == u.Scheme) && (!r.hasHost || r.host.matchesBelow(u))
}

func foldSlashes(path string) string {
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	return path
}

// A File is one file, decoded.
type File struct {
	Path        string
	Rules       []Rule
	UseDefaults bool
}

// Parse decodes a file. path names it in errors, which are of type [*strictjson.Error].
func Parse(path string, data []byte, kinds Kinds, builtIn bool) (File, error) {
	f := File{Path: path}
	err := strictjson.Decode(path, data, func(o *strictjson.Object) { f.decode(o, kinds, builtIn) })
	if err != nil {
		return File{}, err
	}
	return f, nil
}

// Visitor returns the function that visits a file: [strictjson.Describe] learns from it what a file may hold.
func Visitor(kinds Kinds) func(*strictjson.Object) {
	return func(o *strictjson.Object) { (&File{}).decode(o, kinds, false) }
}

func (f *File) decode(o *strictjson.Object, kinds Kinds, builtIn bool) {
	var schema string
	o.String("$schema", &schema)
	o.Bool("use_defaults", &f.UseDefaults)
	o.Objects("urls", func(_ int, o *strictjson.Object) {
		line, _ := o.Pos()
		r := Rule{BuiltIn: builtIn, Place: fmt.Sprintf("%s:%d", f.Path, line), Text: o.Raw()}
		if builtIn {
			r.Place = "built-in"
		}
		r.decode(o, kinds)
		f.Rules = append(f.Rules, r)
	})
}

func (r *Rule) decode(o *strictjson.Object, kinds Kinds) {
	var pattern, path string
	o.OneOf("scheme", &r.Scheme, "https", "http", "grpcs", "grpc", "")
	o.String("host", &pattern)
	o.String("path", &path)
	o.String("helper", &r.HelperName)
	o.Values("helper", slices.Sorted(maps.Keys(kinds))...)
	o.Needs("helper")
	host, problem := parseHost(pattern)
	if problem != "" {
		o.Failf("host", "%s", problem)
	}
	if path != "" && path[0] != '/' && path[0] != '*' {
		o.Failf("path", `%q can never match: every path begins with "/"; write "/%s", or "*%s" for any path that ends so`, path, path, path)
	}
	r.hasHost, r.hasPath = host.text() != "", path != ""
	r.host, r.path = host, NewGlob(foldSlashes(path))

	kind, known := kinds[r.HelperName]
	switch {
	case r.HelperName == "":
		o.Failf("helper", `the rule needs a "helper": one of %s`, strings.Join(kinds.names(), ", "))
	case !known:
		o.Failf("helper", "unknown helper %q%s; known are %s", r.HelperName, suggest.DidYouMean(r.HelperName, kinds.names()), strings.Join(kinds.names(), ", "))
	}
	onMissing := ""
	o.ObjectOrEmpty("config", func(c *strictjson.Object) {
		c.OneOf("on_missing", &onMissing, "fail", "anonymous")
		c.Bool("allow_http", &r.AllowHTTP)
		if kind.New == nil {
			c.AllowUnknown()
			return
		}
		r.Helper = kind.New(helpers.Rule{Host: host.text(), BuiltIn: r.BuiltIn, AllowHTTP: r.AllowHTTP}, c)
	})
	r.Anonymous = onMissing == "anonymous" || onMissing == "" && kind.Anonymous

	if bound, ok := r.Helper.(helpers.HostBound); r.Helper == nil || ok && bound.HostBound() {
		return
	}
	if problem := host.tooWide(); problem != "" {
		o.Failf("host", "%s", problem)
	}
}
