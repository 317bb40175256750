package lookup

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/trace"
)

// values makes Values of "binding", "value" pairs.
func values(pairs ...string) Values {
	v := Values{}
	for i := 0; i < len(pairs); i += 2 {
		v[pairs[i]] = redact.Hold(pairs[i+1])
	}
	return v
}

func has(bindings ...string) func(Values) bool {
	return func(v Values) bool {
		for _, b := range bindings {
			if v[b].IsZero() {
				return false
			}
		}
		return true
	}
}

func TestFind(t *testing.T) {
	login := values(Username, "bob", Password, "hunter22", Default, "hunter22")
	token := fake{name: "$TOKEN", values: values(Default, "t0ken")}
	absent := fake{name: "$ABSENT", err: helpers.NotFoundf("$ABSENT is not set")}
	noKeyring := fake{name: "keyring", err: helpers.Unavailablef("there is no keyring here")}
	locked := fake{name: "keyring", err: helpers.WithHint(errors.New("the keyring is locked"), "unlock it")}
	together := fake{name: "netrc", values: login}
	nameless := fake{name: "netrc", values: values(Username, "", Password, "hunter22", Default, "hunter22")}
	eve := Entry{fake{name: "$USER", values: values(Default, "eve")}, Username}
	identity := fake{name: "docker", values: values(IdentityToken, "1dentity")}

	for _, tt := range []struct {
		name   string
		chain  Chain
		enough func(Values) bool
		want   outcome
		source string
		looked string
	}{
		{"one", Chain{{token, Default}}, has(Default), outcome{values: "default=t0ken"}, "$TOKEN", "$TOKEN"},
		{"empty", Chain{}, has(Default), outcome{kind: "not found", err: "no login found: the lookup chain is empty"}, "", ""},
		{"not found falls through", Chain{{absent, Default}, {token, Default}}, has(Default), outcome{values: "default=t0ken"}, "$TOKEN", "$ABSENT $TOKEN"},
		{"unavailable falls through", Chain{{noKeyring, Default}, {token, Default}}, has(Default), outcome{values: "default=t0ken"}, "$TOKEN", "keyring $TOKEN"},
		{"both are told", Chain{{absent, Default}, {noKeyring, Default}}, has(Default), outcome{kind: "not found", err: "no login found: $ABSENT is not set; there is no keyring here"}, "", "$ABSENT keyring"},
		{"broken stops", Chain{{locked, Default}, {token, Default}}, has(Default), outcome{kind: "broken", err: "looking up a login: the keyring is locked", hint: "unlock it"}, "", "keyring"},
		{"enough stops", Chain{{token, Default}, {locked, Default}}, has(Default), outcome{values: "default=t0ken"}, "$TOKEN", "$TOKEN"},
		{"the first value stands", Chain{{token, Password}, {fake{name: "other", values: values(Default, "x")}, Password}, {fake{name: "$USER", values: values(Default, "eve")}, Username}}, has(Username, Password), outcome{values: "password=t0ken username=eve"}, "$USER", "$TOKEN $USER"},
		{"together", Chain{{together, ""}}, has(Username, Password), outcome{values: "password=hunter22 username=bob"}, "netrc", "netrc"},
		{"a password never meets another login's name", Chain{{fake{name: "$USER", values: values(Default, "eve")}, Username}, {together, ""}}, has(Username, Password), outcome{values: "password=hunter22 username=bob"}, "netrc", "$USER netrc"},
		{"an empty name is the login's own", Chain{{nameless, ""}, eve}, has(Username, Password), outcome{kind: "not found", err: `no login found: found only a value for "password", which is not enough`}, "", "netrc"},
		{"an empty name replaces another login's", Chain{eve, {nameless, ""}, eve}, has(Username, Password), outcome{kind: "not found", err: `no login found: found only a value for "password", which is not enough`}, "", "$USER netrc"},
		{"an empty name is enough for who takes it", Chain{{nameless, ""}, eve}, Values.Named, outcome{values: "password=hunter22 username="}, "netrc", "netrc"},
		{"an empty name, bound to the name", Chain{{nameless, Username}, eve}, has(Username), outcome{values: "username=eve"}, "$USER", "netrc $USER"},
		{"a token by itself meets a name", Chain{{identity, ""}, eve}, has(Username), outcome{values: "identitytoken=1dentity username=eve"}, "$USER", "docker $USER"},
		{"together is not asked where there is a secret", Chain{{token, Password}, {together, ""}}, has(Username, Password), outcome{kind: "not found", err: `no login found: found only a value for "password", which is not enough`}, "", "$TOKEN"},
		{"together, bound to one name", Chain{{together, "token"}}, has("token"), outcome{values: "token=hunter22"}, "netrc", "netrc"},
		{"together, bound to its own user name", Chain{{together, Username}}, has(Username), outcome{values: "username=bob"}, "netrc", "netrc"},
		{"together, bound to what it lacks", Chain{{identity, Password}, {token, Password}}, has(Password), outcome{values: "password=t0ken"}, "$TOKEN", "docker $TOKEN"},
		{"together, bound to what it lacks, alone", Chain{{identity, Default}}, has(Default), outcome{kind: "not found", err: `no login found: docker has a login without a value for "default"`}, "", "docker"},
		{"together, bound to its identity token", Chain{{identity, IdentityToken}}, has(IdentityToken), outcome{values: "identitytoken=1dentity"}, "docker", "docker"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var looked []string
			for i, e := range tt.chain {
				f := e.Source.(fake)
				f.looked = &looked
				tt.chain[i].Source = f
			}
			found, err := tt.chain.Find(t.Context(), Query{}, tt.enough)
			if got := outcomeOf(nil, found.Values, err); got != tt.want {
				t.Errorf("\n got %+v\nwant %+v", got, tt.want)
			}
			if found.Source != tt.source {
				t.Errorf("found in %q, want %q", found.Source, tt.source)
			}
			if got := strings.Join(looked, " "); got != tt.looked {
				t.Errorf("asked %q, want %q", got, tt.looked)
			}
		})
	}
}

func TestFindRemembersSecretsOnly(t *testing.T) {
	c := Chain{{fake{name: "netrc", values: values(Username, "wellknownuser", Password, "rarelyseenpass")}, ""}}
	if _, err := c.Find(t.Context(), Query{}, has(Password)); err != nil {
		t.Fatal(err)
	}
	if got, want := redact.Scrub("wellknownuser rarelyseenpass"), "wellknownuser [redacted]"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestFindAtTheEnd holds that a source which gives up because the time is up is not taken for one that has nothing.
func TestFindAtTheEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := Chain{{fake{name: "slow", err: helpers.Unavailablef("no answer"), duringAsk: cancel}, Default}, {fake{name: "next", values: values(Default, "x")}, Default}}
	found, err := c.Find(ctx, Query{}, has(Default))
	if err == nil || err.Error() != "looking up a login: no answer" {
		t.Errorf("got %v, %v", found, err)
	}
}

func TestFindTellsItsSteps(t *testing.T) {
	var steps []string
	r := &trace.Recorder{OnEvent: func(e trace.Event) { steps = append(steps, e.What+": "+e.Outcome) }}
	c := Chain{{fake{name: "$A", err: helpers.NotFoundf("$A is not set")}, Default}, {fake{name: "$B", values: values(Default, canary)}, Default}}
	if _, err := c.Find(trace.NewContext(t.Context(), r), Query{}, has(Default)); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(steps, "\n"), "asking $A: $A is not set\nasking $B: ok"; got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestChainHostBound(t *testing.T) {
	bound, unbound := Entry{Source: fake{}}, Entry{Source: fake{unbound: true}}
	if !(Chain{}).HostBound() || !(Chain{bound, bound}).HostBound() || (Chain{bound, unbound}).HostBound() {
		t.Error("a chain is bound to hosts if all of its sources are")
	}
}

func TestDecode(t *testing.T) {
	known := strings.Join(kindNames(), ", ")
	for _, tt := range []struct{ name, chain, want, err string }{
		{"empty", `[]`, "", ""},
		{"env", `[{"source": "env", "name": "TOKEN"}]`, "$TOKEN→default", ""},
		{"bound", `[{"source": "env", "name": "TOKEN", "binding": "password"}]`, "$TOKEN→password", ""},
		{"file", `[{"source": "file", "path": "~/token", "allow_world_readable": true}]`, "file ~/token→default", ""},
		{"static", `[{"source": "static", "value": "bob", "binding": "username"}]`, "static value→username", ""},
		{"static, by its other name", `[{"source": "static", "name": "bob"}]`, "static value→default", ""},
		{"command", `[{"source": "command", "command": ["pass", "show", "x"]}]`, "command pass→default", ""},
		{"keyring", `[{"source": "keyring", "service": "x", "account": "bob"}]`, `keyring service "x"→default`, ""},
		{"keyring, by its other name", `[{"source": "keyring", "name": "x"}]`, `keyring service "x"→default`, ""},
		{"together", `[{"source": "docker"}, {"source": "netrc"}]`, "docker's logins→, netrc→", ""},
		{"together, bound", `[{"source": "docker", "binding": "password"}]`, "docker's logins→password", ""},
		{"netrc", `[{"source": "netrc", "path": "%workspace%/netrc", "use_default": true}]`, "netrc→", ""},
		{"google", `[{"source": "google", "token_type": "access", "scopes": ["a"], "audience": "x"}]`, "google→default", ""},

		{"no array", `{}`, "", `config.json:1:18: "lookup_chain" takes an array of objects, not an object`},
		{"no source", `[{"name": "TOKEN"}]`, "", `config.json:1:19: each entry of "lookup_chain" needs a "source": one of ` + known},
		{"unknown source", `[{"source": "evn", "name": "TOKEN"}]`, "", `config.json:1:30: unknown source "evn" (did you mean "env"?); known are ` + known},
		{"unknown binding", `[{"source": "env", "name": "TOKEN", "binding": "pasword"}]`, "", `config.json:1:65: unknown binding "pasword" (did you mean "password"?); this helper knows default, username, password`},
		{"unknown key", `[{"source": "env", "nmae": "TOKEN"}]`, "", `config.json:1:37: unknown key "nmae" (did you mean "name"?)`},
		{"no name", `[{"source": "env"}]`, "", `config.json:1:19: the source "env" needs a "name" that is not empty`},
		{"one key too many", `[{"source": "env", "name": "TOKEN", "path": "x"}]`, "", `config.json:1:54: unknown key "path"; known here are binding, host_from, name, source`},
		{"empty name", `[{"source": "env", "name": ""}]`, "", `config.json:1:45: the source "env" needs a "name" that is not empty`},
		{"no path", `[{"source": "file"}]`, "", `config.json:1:19: the source "file" needs a "path" that is not empty`},
		{"no value", `[{"source": "static"}]`, "", `config.json:1:19: the source "static" needs a "value" that is not empty`},
		{"two values", `[{"source": "static", "value": "a", "name": "b"}]`, "", `config.json:1:62: "value" and "name" mean the same here; keep "value"`},
		{"no command", `[{"source": "command"}]`, "", `config.json:1:19: the source "command" needs a "command" that is an array of a program and its arguments`},
		{"a command line", `[{"source": "command", "command": "pass show x"}]`, "", `config.json:1:52: "command" takes an array of strings, not a string`},
		{"an empty program", `[{"source": "command", "command": ["", "x"]}]`, "", `config.json:1:52: the first element of "command" is the program, and it is empty`},
		{"a NUL byte", `[{"source": "command", "command": ["x", "\u0000"]}]`, "", `config.json:1:52: an element of "command" has a NUL byte`},
		{"no service", `[{"source": "keyring"}]`, "", `config.json:1:19: the source "keyring" needs a "service" that is not empty`},
		{"two services", `[{"source": "keyring", "service": "a", "name": "b"}]`, "", `config.json:1:65: "service" and "name" mean the same here; keep "service"`},
		{"an empty netrc path", `[{"source": "netrc", "path": ""}]`, "", `config.json:1:47: "path" is empty; leave it out to read $NETRC or ~/.netrc`},
		{"docker has no keys", `[{"source": "docker", "path": "x"}]`, "", `config.json:1:40: unknown key "path"; known here are binding, source`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			chain, err := decodeChain(newSources(t, nil), tt.chain, Default, Username, Password)
			if sprint(err) != tt.err {
				t.Fatalf("\n got %v\nwant %s", err, tt.err)
			}
			if err != nil {
				return
			}
			var got []string
			for _, e := range chain {
				got = append(got, e.Source.Name()+"→"+e.Binding)
			}
			if got := strings.Join(got, ", "); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestGoogleIsNotThereYet(t *testing.T) {
	s := newSources(t, nil)
	expect(t, s, decodeOne(t, s, `{"source": "google"}`), Query{}, outcome{kind: "unavailable", err: `the source "google" is not supported yet`})
}

func TestHostBound(t *testing.T) {
	s := newSources(t, nil)
	for source, want := range map[string]bool{
		`{"source": "env", "name": "X"}`:              false,
		`{"source": "file", "path": "x"}`:             false,
		`{"source": "static", "value": "x"}`:          false,
		`{"source": "command", "command": ["x"]}`:     false,
		`{"source": "keyring", "service": "x"}`:       false,
		`{"source": "google"}`:                        false,
		`{"source": "docker"}`:                        true,
		`{"source": "netrc"}`:                         true,
		`{"source": "netrc", "use_default": false}`:   true,
		`{"source": "netrc", "use_default": true}`:    false,
		`{"source": "netrc", "path": "~/some/netrc"}`: true,
	} {
		if got := decodeOne(t, s, source).HostBound(); got != want {
			t.Errorf("%s: bound to hosts is %v, want %v", source, got, want)
		}
	}
	if gh := s.GitHubCLI("GitHub.com"); !gh.HostBound() || gh.Name() != "the GitHub CLI's login for github.com" {
		t.Errorf("%q is bound to a host: %v", gh.Name(), gh.HostBound())
	}
	if n := s.Netrc(); !n.HostBound() || n.Name() != "netrc" {
		t.Errorf("%q is bound to hosts: %v", n.Name(), n.HostBound())
	}
}
