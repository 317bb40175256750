package lookup

import (
	"context"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/strictjson"
)

// decodeEnv reads {"source": "env", "name": VARIABLE}.
func decodeEnv(s *Sources, o *strictjson.Object) Source {
	var name string
	o.String("name", &name)
	required(o, "env", "name", name)
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
