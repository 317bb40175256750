package cache

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/inputs"
	"github.com/fe055d52/credential-helper/internal/redact"
)

func encoded(t testing.TB, e Entry) []byte {
	t.Helper()
	if !e.seal(start) {
		t.Fatal("there is no point in keeping the entry")
	}
	data, err := e.encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// FuzzDecode holds that whatever is decoded can be used: it is what encode would have written, its headers can be sent,
// and it does not outlive its token.
func FuzzDecode(f *testing.F) {
	f.Add(encoded(f, Entry{Response: answer("x", start.Add(time.Hour)), Salt: "0123456789abcdef", Inputs: []inputs.Input{{Kind: inputs.Env, Name: "A", Sum: "-"}}}))
	f.Add(encoded(f, Entry{Volatile: true, Response: answer("x", time.Time{})}))
	f.Add(encoded(f, Entry{}))
	f.Add(encoded(f, Entry{failure: &failure{Text: "no", Hint: "yes"}}))
	f.Add([]byte(`{"headers":{"A":["b\u0000"]},"stored":1,"until":2}`))
	f.Add([]byte(`{"headers":{"A":[]},"stored":1,"until":2,"expires":9223372036854775807}`))
	f.Add([]byte(`{"headers":{"Host":["x"]},"stored":1,"until":9000000000000000000,"failure":{"text":"x"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := decode(data)
		if err != nil {
			return
		}
		again, err := e.encode()
		if err != nil {
			t.Fatalf("%q was decoded, and cannot be encoded: %v", data, err)
		}
		back, err := decode(again)
		if err != nil {
			t.Fatalf("%q was decoded, and what it is encoded to is not: %v", data, err)
		}
		if third, err := back.encode(); err != nil || !bytes.Equal(again, third) {
			t.Errorf("%q is encoded to %q and then to %q, %v", data, again, third, err)
		}
		for name, values := range e.Response.Headers {
			if err := helpers.CheckHeaderName(name); err != nil {
				t.Error(err)
			}
			for _, v := range values {
				if err := helpers.CheckHeaderValue(v); err != nil {
					t.Error(err)
				}
			}
		}
		if x := e.Response.Expires; !x.IsZero() && e.until.After(x) {
			t.Errorf("it lives until %s, and its token until %s", e.until, x)
		}
		if e.until.Sub(e.stored) > maxLife || !e.until.After(e.stored) {
			t.Errorf("it lives from %s until %s", e.stored, e.until)
		}
		if e.failure != nil && (e.failure.Text == "" || !e.Response.Empty()) {
			t.Errorf("it is a failure and an answer: %+v", e)
		}
		if !json.Valid([]byte(Describe(string(data)))) {
			t.Errorf("its description is not JSON: %q", Describe(string(data)))
		}
	})
}

func TestDescribe(t *testing.T) {
	e := Entry{
		Response: answer("canary", start.Add(time.Hour)), Salt: "0123456789abcdef",
		Inputs: []inputs.Input{{Kind: inputs.Env, Name: "TOKEN", Sum: inputs.Variable("0123456789abcdef", "canary", true)}},
	}
	e.Response.Headers["X"] = []redact.Secret{redact.Hold("canary")}
	text := Describe(string(encoded(t, e)))
	if strings.Contains(text, "canary") || strings.Contains(text, e.Inputs[0].Sum) || !strings.Contains(text, `"name":"TOKEN"`) || !strings.Contains(text, `"until":"2031-05-17T12:59:00Z"`) {
		t.Errorf("the description is %s", text)
	}
	if text := Describe("{"); text != `"the entry is not valid JSON"` {
		t.Errorf("the description of garbage is %s", text)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for in, want := range map[string]string{
		``:                         "the entry is not valid JSON",
		`{}`:                       "the entry's times make no sense",
		`{"stored":2,"until":1}`:   "the entry's times make no sense",
		`{"stored":-2,"until":-1}`: "the entry's times make no sense",
		`{"stored":1,"until":9000000000000000000}`:                            "the entry's times make no sense",
		`{"stored":1,"until":2000000001,"expires":1}`:                         "the entry outlives its token",
		`{"stored":1,"until":2,"failure":{"text":""}}`:                        "the entry is a failure and an answer, or neither",
		`{"stored":1,"until":2,"failure":{"text":"x"},"headers":{"A":["b"]}}`: "the entry is a failure and an answer, or neither",
		`{"stored":1,"until":2,"headers":{"A B":["b"]}}`:                      `the entry's header name: the header name "A B" has the character ' '`,
		`{"stored":1,"until":2,"headers":{"A":["canary\n"]}}`:                 "the entry's header A: the value has a line break",
		`{"stored":1,"until":2,"headers":{"A":[]}}`:                           "the entry's header A has no value",
	} {
		if _, err := decode([]byte(in)); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", in, err, want)
		}
	}
}
