package lookup

import (
	"context"
	"fmt"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/strictjson"
)

// decodeEnv reads {"source": "env", "name": VARIABLE, "host_from": VARIABLE}. "host_from" may be left out: it names a variable
// with the URL, or the host, of the server that the secret is for.
func decodeEnv(s *Sources, o *strictjson.Object) Source {
	var name, host string
	o.String("name", &name)
	o.String("host_from", &host)
	required(o, "env", "name", name)
	if o.Has("host_from") {
		required(o, "env", "host_from", host)
		return s.HostVariable(name, host)
	}
	return s.Variable(name)
}

// Variable returns the source that reads an environment variable. A variable that is set but empty is not found.
func (s *Sources) Variable(name string) Source { return variable{s.Env, name} }

type variable struct {
	env  *env.Env
	name string
}

func (v variable) Name() string    { return "$" + v.name }
func (v variable) HostBound() bool { return false }

func (v variable) Lookup(context.Context, Query) (Values, error) {
	value, ok := v.env.Get(v.name)
	if value == "" {
		if ok {
			return nil, helpers.NotFoundf("$%s is set but empty", v.name)
		}
		return nil, helpers.NotFoundf("$%s is not set", v.name)
	}
	return Values{Default: redact.Hold(value)}, nil
}

// HostVariable returns the source that reads an environment variable for one server only: that whose URL, or host, is in the variable hostName.
func (s *Sources) HostVariable(name, hostName string) Source {
	return hostVariable{variable{s.Env, name}, hostName}
}

type hostVariable struct {
	variable
	host string // the variable that names the server
}

func (hostVariable) HostBound() bool { return true }

func (v hostVariable) Lookup(ctx context.Context, q Query) (Values, error) {
	values, err := v.variable.Lookup(ctx, q)
	if err != nil {
		return nil, err
	}
	text := v.env.Var(v.host)
	if text == "" {
		return nil, helpers.NotFoundf("$%s is set, and $%s, which names its server, is not", v.name, v.host)
	}
	// What names the server is set by a CI system, with a path at most.
	server, err := helpers.ParseRequest(text)
	switch {
	case err != nil && !mayBeFor(text, q.URL):
		return nil, helpers.NotFoundf("$%s is for another server, as $%s says", v.name, v.host)
	case err != nil:
		return nil, fmt.Errorf("reading $%s, which names the server of $%s: %w", v.host, v.name, err)
	}
	if helpers.HostPort(server.URL) != helpers.HostPort(q.URL) || helpers.Secure(server.URL) && !helpers.Secure(q.URL) {
		return nil, helpers.NotFoundf("$%s is for %s, as $%s says", v.name, helpers.Origin(server.URL), v.host)
	}
	return values, nil
}
