package lookup

import (
	"context"
	"fmt"

	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/keyring"
	"github.com/fe055d52/credential-helper/internal/strictjson"
)

// decodeKeyring reads {"source": "keyring", "service": SERVICE, "account": ACCOUNT}. "account" may be left out:
// then it is empty, as in what setup-keyring writes. "name" is accepted for "service": documentation of tweag-credential-helper calls it so.
func decodeKeyring(s *Sources, o *strictjson.Object) Source {
	var service, name, account string
	o.String("service", &service)
	o.String("name", &name)
	o.String("account", &account)
	if service != "" && name != "" {
		o.Failf("name", `"service" and "name" mean the same here; keep "service"`)
	}
	if service == "" {
		service = name
	}
	required(o, "keyring", "service", service, "name")
	return s.Keyring(service, account)
}

// Keyring returns the source that reads an entry of the operating system's keyring. account may be empty.
// It is unavailable where there is no keyring, and broken where the keyring is locked: it never prompts.
func (s *Sources) Keyring(service, account string) Source {
	return keyringEntry{s.Env, service, account}
}

type keyringEntry struct {
	env              *env.Env
	service, account string
}

func (k keyringEntry) Name() string  { return fmt.Sprintf("keyring service %q", k.service) }
func (keyringEntry) HostBound() bool { return false }

func (k keyringEntry) Lookup(ctx context.Context, _ Query) (Values, error) {
	secret, err := keyring.Get(ctx, k.env, k.service, k.account)
	if err != nil {
		return nil, err
	}
	return Values{Default: secret}, nil
}
