package oci

import (
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

type params = map[string]string

func TestParseChallenges(t *testing.T) {
	bearer := Challenge{"bearer", params{"realm": "https://a.test/token", "service": "r.test"}}
	for _, tt := range []struct {
		name    string
		headers []string
		want    []Challenge
	}{
		{"usual", []string{`Bearer realm="https://a.test/token",service="r.test"`}, []Challenge{bearer}},
		{"spaces", []string{` Bearer   realm = "https://a.test/token" ,	service="r.test" `}, []Challenge{bearer}},
		{"lower case", []string{`bearer REALM="https://a.test/token",Service="r.test"`}, []Challenge{bearer}},
		{"value without quotes", []string{`Bearer realm=https://a.test/token,service=r.test`}, []Challenge{bearer}},
		{"half without quotes", []string{`Bearer realm="https://a.test/token",service=r.test`}, []Challenge{bearer}},
		{"no comma", []string{`Bearer realm="https://a.test/token" service="r.test"`}, []Challenge{bearer}},
		{"trailing comma", []string{`Bearer realm="https://a.test/token",service="r.test",`}, []Challenge{bearer}},
		{"empty elements", []string{`, ,Bearer ,realm="https://a.test/token",, service="r.test" , ,`}, []Challenge{bearer}},
		{
			"scope with commas",
			[]string{`Bearer realm="x",scope="repository:a:pull,push repository:b:pull"`},
			[]Challenge{{"bearer", params{"realm": "x", "scope": "repository:a:pull,push repository:b:pull"}}},
		},
		{"escapes", []string{`Basic realm="say \"hi\" \\ \x"`}, []Challenge{{"basic", params{"realm": `say "hi" \ x`}}}},
		{"empty value", []string{`Basic realm=""`}, []Challenge{{"basic", params{"realm": ""}}}},
		{"scheme alone", []string{"Basic"}, []Challenge{{"basic", params{}}}},
		{"twice the same parameter", []string{`Basic realm="a", realm="b"`}, []Challenge{{"basic", params{"realm": "a"}}}},
		{
			"three in one header",
			[]string{`Negotiate, Basic realm="r", Bearer realm="https://a.test/token",service="r.test"`},
			[]Challenge{{"negotiate", params{}}, {"basic", params{"realm": "r"}}, bearer},
		},
		{
			"three headers",
			[]string{"Negotiate", `Basic realm="r"`, `Bearer realm="https://a.test/token",service="r.test"`},
			[]Challenge{{"negotiate", params{}}, {"basic", params{"realm": "r"}}, bearer},
		},
		{
			"token68",
			[]string{`Negotiate YII/abc+d==, NTLM TlRM, Basic realm="r"`},
			[]Challenge{{"negotiate", params{}}, {"ntlm", params{}}, {"basic", params{"realm": "r"}}},
		},
		{"two schemes without a comma", []string{`Basic realm="r" Bearer realm="b"`}, []Challenge{{"basic", params{"realm": "r"}}, {"bearer", params{"realm": "b"}}}},
		{"scheme words as values", []string{`Digest realm="Basic realm=\"x\"", qop=Bearer`}, []Challenge{{"digest", params{"realm": `Basic realm="x"`, "qop": "Bearer"}}}},
		{"quote without an end", []string{`Basic realm="r", Bearer realm="https://evil.test`}, []Challenge{{"basic", params{"realm": "r"}}, {"bearer", params{}}}},
		{"no scheme", []string{`realm="x"`, `"x"`, `=`, ``}, nil},
		{"too long", []string{"Basic realm=" + strings.Repeat("x", maxChallengeHeader)}, nil},
		{"none", nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := ParseChallenges(tt.headers); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %#v\nwant %#v", got, tt.want)
			}
		})
	}
	if n := len(ParseChallenges([]string{strings.Repeat("a,", 5000)})); n != maxChallenges {
		t.Errorf("%d challenges, want at most %d", n, maxChallenges)
	}
	if got := ParseChallenges([]string{"a " + strings.Repeat("b=1,", maxParams) + "c=1"}); len(got[0].Params) != maxParams {
		// All names but "c" are the same one.
		if len(got[0].Params) != 2 {
			t.Errorf("parameters %v", got[0].Params)
		}
	}
}

// TestParsersAgree compares with an independent client's reading of the same headers.
func TestParsersAgree(t *testing.T) {
	for _, headers := range [][]string{
		{`Bearer realm="https://a.test/token",service="r.test"`},
		{`Bearer realm="https://a.test/token",service="r.test",scope="repository:a:pull,push"`},
		{`Bearer realm="https://a.test/token", service="r.test"`},
		{`Bearer service="r.test",realm="https://a.test/token",error="invalid_token"`},
		{`bearer REALM="https://a.test/token"`},
		{`Basic realm="Registry Realm"`},
		{`Basic realm="with \"quotes\""`},
		{`Negotiate`, `Basic realm="r"`},
		{`Negotiate`, `Bearer realm="https://a.test/token",service="x"`},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Www-Authenticate"] = headers
			w.WriteHeader(http.StatusUnauthorized)
		}))
		registry, err := name.NewRegistry(strings.TrimPrefix(server.URL, "http://"), name.Insecure)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := transport.Ping(t.Context(), registry, http.DefaultTransport)
		server.Close()
		if err != nil {
			t.Fatal(err)
		}
		all := ParseChallenges(headers)
		ours, err := choose(all, "r.test")
		if err != nil {
			t.Errorf("%q: %v", headers, err)
			continue
		}
		if !strings.EqualFold(ours.Scheme, theirs.Scheme) || !reflect.DeepEqual(ours.Params, theirs.Parameters) {
			t.Errorf("%q: we read %v, they %v", headers, ours, *theirs)
		}
	}
}

// FuzzChallenge holds that what was read is read again from its printed form.
func FuzzChallenge(f *testing.F) {
	for _, seed := range []string{
		`Bearer realm="https://a.test/token",service="r.test"`, `Negotiate abc==, Basic realm="a\"b"`, `a b=c d`, `x y = "z`, "Basic, Bearer ,realm=,", `a b==c`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		first := ParseChallenges([]string{header})
		printed := make([]string, len(first))
		for i, c := range first {
			if c.Scheme == "" || c.Scheme != strings.ToLower(c.Scheme) {
				t.Fatalf("%q: scheme %q", header, c.Scheme)
			}
			printed[i] = c.String()
		}
		if joined := strings.Join(printed, ", "); len(joined) <= maxChallengeHeader {
			if again := ParseChallenges([]string{joined}); !reflect.DeepEqual(again, first) {
				t.Errorf("in one header %q: %#v, then %#v", joined, first, again)
			}
		}
		for _, p := range printed {
			if len(p) > maxChallengeHeader {
				return
			}
		}
		if again := ParseChallenges(printed); !reflect.DeepEqual(again, first) {
			t.Errorf("%q: %#v, then %#v", printed, first, again)
		}
	})
}
