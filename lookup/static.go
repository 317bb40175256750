package lookup

import (
	"context"

	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/strictjson"
)

// decodeStatic reads {"source": "static", "value": VALUE}. "name" is accepted for "value": tweag-credential-helper calls it so.
func decodeStatic(_ *Sources, o *strictjson.Object) Source {
	var value, name string
	o.String("value", &value)
	o.String("name", &name)
	if value != "" && name != "" {
		o.Failf("name", `"value" and "name" mean the same here; keep "value"`)
	}
	if value == "" {
		value = name
	}
	required(o, "static", "value", value, "name")
	return Static(value)
}

// Static returns the source that always yields value. A secret that stands in a configuration file is seen by everyone
// who sees the file; it is meant for values that are not secret, like a fixed user name.
func Static(value string) Source { return static{redact.Hold(value)} }

type static struct{ value redact.Secret }

func (static) Name() string    { return "static value" }
func (static) HostBound() bool { return false }

func (s static) Lookup(context.Context, Query) (Values, error) {
	return Values{Default: s.value}, nil
}
