package lookup

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/helpers"
)

func TestReport(t *testing.T) {
	absent := fake{name: "$ABSENT", err: helpers.NotFoundf("$ABSENT is not set")}
	noKeyring := fake{name: "keyring", err: helpers.Unavailablef("there is no keyring here")}
	locked := fake{name: "locked", err: helpers.WithHint(errors.New("the keyring is locked"), "unlock it")}
	token := fake{name: "$TOKEN", values: values(Default, canary)}
	identity := fake{name: "docker", values: values(IdentityToken, canary)}
	together := fake{name: "netrc", values: values(Username, "bob", Password, canary, Default, canary, From, "~/.netrc")}
	for _, tt := range []struct {
		name  string
		chain Chain
		want  string
	}{
		{"empty", Chain{}, ""},
		{
			"in order",
			Chain{{absent, Default}, {noKeyring, Default}, {token, Password}, {together, ""}},
			"$ABSENT default not found: $ABSENT is not set, keyring default unavailable: there is no keyring here, $TOKEN password found, netrc not reached",
		},
		{
			"broken",
			Chain{{absent, Default}, {locked, Default}, {token, Password}},
			"$ABSENT default not found: $ABSENT is not set, locked default broken: the keyring is locked (unlock it), $TOKEN password not reached",
		},
		{
			"the value is there",
			Chain{{token, Username}, {together, Username}, {token, Password}},
			"$TOKEN username found, netrc username not needed, $TOKEN password found",
		},
		{
			"a place",
			Chain{{absent, Default}, {together, ""}},
			"$ABSENT default not found: $ABSENT is not set, netrc found in ~/.netrc",
		},
		{
			"without the value",
			Chain{{identity, Password}, {token, Password}},
			`docker password not found: docker has a login without a value for "password", $TOKEN password found`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, report := WithReport(context.Background())
			looked := []string{}
			for i, e := range tt.chain {
				f := e.Source.(fake)
				f.looked = &looked
				tt.chain[i].Source = f
			}
			_, _ = tt.chain.Find(ctx, Query{}, has(Password))
			var got []string
			for _, a := range report.Asked() {
				text := strings.TrimSpace(a.Source+" "+a.Binding) + " " + string(a.Outcome)
				if a.From != "" {
					text += " in " + a.From
				}
				if a.Reason != "" {
					text += ": " + a.Reason
				}
				if a.Hint != "" {
					text += " (" + a.Hint + ")"
				}
				got = append(got, text)
			}
			if strings.Join(got, ", ") != tt.want {
				t.Errorf("\n got %s\nwant %s", strings.Join(got, ", "), tt.want)
			}
			if strings.Contains(fmt.Sprint(report.Asked()), canary) {
				t.Error("the report has the secret")
			}
		})
	}
}

// TestReportOfTwoChains holds that a chain which is walked behind another does not take its place.
func TestReportOfTwoChains(t *testing.T) {
	ctx, report := WithReport(context.Background())
	for _, name := range []string{"a", "b"} {
		looked := []string{}
		_, _ = Chain{{fake{name: name, values: values(Default, "x"), looked: &looked}, Default}}.Find(ctx, Query{}, has(Default))
	}
	if got := fmt.Sprint(report.Asked()); got != "[{a default found   } {b default found   }]" {
		t.Errorf("got %s", got)
	}
}

// TestNoReport holds that nothing is recorded, nor allocated for it, where nobody asks.
func TestNoReport(t *testing.T) {
	chain, ctx := Chain{{fake{name: "x"}, Default}}, context.Background()
	if n := testing.AllocsPerRun(10, func() {
		w := chain.begin(ctx)
		w.is(0, OutcomeFound, nil)
		w.failed(0, helpers.ErrNotFound)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
