package strictjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

type doc struct {
	Name string
	On   bool
	Mode string
	Args []string
	Sub  []string
	ID   string
	Map  []string
}

func (d *doc) visit(o *Object) {
	o.String("name", &d.Name)
	o.Bool("on", &d.On)
	o.OneOf("mode", &d.Mode, "fast", "slow")
	o.Strings("args", &d.Args)
	o.ID("id", &d.ID)
	o.Object("map", func(o *Object) {
		for _, key := range o.Keys() {
			var value string
			o.OneOf(key, &value, "read", "write")
			d.Map = append(d.Map, key+"="+value)
		}
	})
	o.Objects("subs", func(_ int, o *Object) {
		var s string
		o.String("name", &s)
		if s == "bad" {
			o.Failf("name", "a bad name")
		}
		if s == "" && o.Has("nam") {
			o.Failf("name", "a name is missing")
		}
		d.Sub = append(d.Sub, s)
	})
}

func TestDecode(t *testing.T) {
	var d doc
	err := Decode("f", []byte(`{"name":"n","on":true,"mode":"slow","args":["a","b"],"subs":[{"name":"x"},{}]}`), d.visit)
	if err != nil {
		t.Fatal(err)
	}
	if d.Name != "n" || !d.On || d.Mode != "slow" || strings.Join(d.Args, ",") != "a,b" || strings.Join(d.Sub, ",") != "x," {
		t.Errorf("%+v", d)
	}
}

func TestID(t *testing.T) {
	for in, want := range map[string]string{`123`: "123", `"123"`: "123", `"Iv1.8a61"`: "Iv1.8a61", `12345678901234567890`: "12345678901234567890", `0`: "0", `""`: ""} {
		var d doc
		if err := Decode("f", []byte(`{"id":`+in+`}`), d.visit); err != nil || d.ID != want {
			t.Errorf("%s: %q, %v; want %q", in, d.ID, err, want)
		}
	}
}

func TestKeys(t *testing.T) {
	var d doc
	if err := Decode("f", []byte(`{"map":{"b":"read","a":"write"}}`), d.visit); err != nil || strings.Join(d.Map, " ") != "b=read a=write" {
		t.Errorf("%q, %v", d.Map, err)
	}
}

func TestErrors(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"empty", " \n", "f:1:1: the file is empty; the least it may hold is {}"},
		{"cut off", "{\n\"name\":", "f:2:8: the JSON is cut off: a bracket, or a quotation mark, is not closed"},
		{"syntax", "{\n  \"name\": x}", "f:2:11: not valid JSON: a value is wanted here, not \"x\"; text stands in double quotes"},
		{"trailing", "{} {}", `f:1:4: not valid JSON: the document has ended before this "{"`},
		{"comment", "{ // x\n}", "f:1:3: not valid JSON: a comment begins here, and JSON has none"},
		{"comma at the end of a list", "{\"args\": [\"a\",\n]}", `f:2:1: not valid JSON: a comma too many stands before this "]"`},
		{"comma at the end of an object", `{"on": true, }`, `f:1:14: not valid JSON: a comma too many stands before this "}"`},
		{"no comma", `{"on": true "name": "x"}`, `f:1:13: not valid JSON: a comma is missing before this "\""`},
		{"no comma in a list", `{"args": ["a" "b"]}`, `f:1:15: not valid JSON: a comma is missing before this "\""`},
		{"no colon", `{"on" true}`, `f:1:7: not valid JSON: a colon is wanted behind a key, not "t"`},
		{"no quotation marks", `{on: true}`, `f:1:2: not valid JSON: a key in double quotes is wanted here, not "o"`},
		{"no value", `{"on": }`, `f:1:8: not valid JSON: a value is wanted here, not "}"`},
		{"line break in a string", "{\"name\": \"a\nb\"}", `f:1:12: not valid JSON: a line break or another control character stands in a string; write \n`},
		{"misspelled", `{"on": ture}`, `f:1:9: not valid JSON: invalid character 'u' in literal true (expecting 'r')`},
		{"byte order mark", "\ufeff{}", "f:1:1: the file begins with a byte order mark; save it as UTF-8 without one"},
		{"not an object", " [1]", "f:1:2: a JSON object is wanted here, not an array"},
		{"null", "null", "f:1:1: a JSON object is wanted here, not null"},
		{"unknown key", "{\n  \"nmae\": 1}", `f:2:3: unknown key "nmae" (did you mean "name"?)`},
		{"unknown key in a later element", `{"subs":[{},{"nam":1}]}`, `f:1:14: unknown key "nam" (did you mean "name"?)`},
		{"nothing near", `{"zebra":1}`, `f:1:2: unknown key "zebra"; known here are args, id, map, mode, name, on, subs`},
		{"another case", `{"Name":"x"}`, `f:1:2: unknown key "Name" (did you mean "name"?)`},
		{"twice", `{"name":"a","name":"b"}`, `f:1:13: the key "name" stands twice`},
		{"type", `{"name": 3}`, `f:1:10: "name" takes a string, not a number`},
		{"null value", `{"name": null}`, `f:1:10: "name" takes a string, not null`},
		{"bool as string", `{"on":"true"}`, `f:1:7: "on" takes true or false, not a string`},
		{"list element", `{"args":["a",{}]}`, `f:1:14: "args" takes an array of strings; this element is an object`},
		{"one of", `{"mode":"fsat"}`, `f:1:9: "mode" takes one of "fast", "slow", not "fsat" (did you mean "fast"?)`},
		{"ID of another type", `{"id":true}`, `f:1:7: "id" takes a string or a number, not a boolean`},
		{"ID with a fraction", `{"id":1.5}`, `f:1:7: "id" takes a string or a whole number, not 1.5`},
		{"ID with a sign", `{"id":-1}`, `f:1:7: "id" takes a string or a whole number, not -1`},
		{"ID with an exponent", `{"id":1e5}`, `f:1:7: "id" takes a string or a whole number, not 1e5`},
		{"value of a key that is not known", `{"map":{"a":"raed"}}`, `f:1:13: "a" takes one of "read", "write", not "raed" (did you mean "read"?)`},
		{"object element", `{"subs":[3]}`, `f:1:10: "subs" takes an array of objects; this element is a number`},
		{"own check", `{"subs":[{"name":"bad"}]}`, `f:1:18: a bad name`},
		{"columns are characters", `{"name":"éé","x":1}`, `f:1:14: unknown key "x"; known here are args, id, map, mode, name, on, subs`},
		{"too deep", strings.Repeat(`{"name":`, 20000), "f:1:80001: the JSON is nested too deeply"},
		{"too large", `{"name":"` + strings.Repeat("a", MaxSize) + `"}`, "f:1:1: the file is larger than 1048576 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var d doc
			err := Decode("f", []byte(tt.in), d.visit)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("error %v, want an *Error", err)
			}
			if err.Error() != tt.want {
				t.Errorf("\n got %s\nwant %s", err, tt.want)
			}
		})
	}
}

// TestLinear decodes what takes a minute where a key costs as much as there are keys before it, or a position as much as there is text before it.
func TestLinear(t *testing.T) {
	start := time.Now()
	var keys, objects strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&keys, `,"%05d":1`, i)
		fmt.Fprintf(&objects, `,{"a":%d}`, i%10)
	}
	open := func(o *Object) { o.AllowUnknown() }
	if err := Decode("f", []byte("{"+keys.String()[1:]+"}"), open); err != nil {
		t.Error(err)
	}
	var d doc
	if err := Decode("f", []byte("{"+keys.String()[1:]+"}"), d.visit); err == nil || err.Error() != `f:1:2: unknown key "00000"; known here are args, id, map, mode, name, on, subs` {
		t.Error(err)
	}
	objectsText := `{"list":[` + objects.String()[1:] + `]}`
	last := 0
	if err := Decode("f", []byte(objectsText), func(o *Object) {
		o.Objects("list", func(_ int, o *Object) {
			o.AllowUnknown()
			_, last = o.Pos()
		})
	}); err != nil || last != len(objectsText)-len(`{"a":9}]}`)+1 {
		t.Errorf("%v, the last object is at column %d", err, last)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

// TestPos asks for positions in no order.
func TestPos(t *testing.T) {
	text := "{\n \"a\": {},\n\n  \"é\": {}, \"b\": {}}"
	err := Decode("f", []byte(text), func(o *Object) {
		for _, want := range []struct {
			key          string
			line, column int
		}{{"b", 4, 17}, {"a", 2, 7}, {"é", 4, 8}, {"b", 4, 17}, {"", 1, 1}} {
			check := func(o *Object) {
				if line, column := o.Pos(); line != want.line || column != want.column {
					t.Errorf("%q is at %d:%d, want %d:%d", want.key, line, column, want.line, want.column)
				}
			}
			if want.key == "" {
				check(o)
				continue
			}
			o.Object(want.key, check)
		}
	})
	if err != nil {
		t.Error(err)
	}
}

// BenchmarkDecode shows that the time for a key does not depend on their number.
func BenchmarkDecode(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10000, 80000} {
		b.Run(fmt.Sprint(n, " keys"), func(b *testing.B) {
			var keys strings.Builder
			for i := range n {
				fmt.Fprintf(&keys, `,"%d":1`, i)
			}
			data := []byte("{" + keys.String()[1:] + "}")
			for b.Loop() {
				if err := Decode("f", data, (*Object).AllowUnknown); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/key")
		})
	}
}

// FuzzDecode holds that Decode accepts only what encoding/json accepts, and that every error points into the document.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{}`, `{"name":"n","subs":[{"name":"bad"}]}`, `{"a":`, `[]`, "{\"name\":\"\xff\"}", `{"on":tru}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var d doc
		err := Decode("f", data, d.visit)
		if err == nil {
			if !json.Valid(data) {
				t.Errorf("accepted what is not JSON: %q", data)
			}
			return
		}
		var e *Error
		if !errors.As(err, &e) || e.Offset > len(data) || e.Line < 1 || e.Column < 1 {
			t.Errorf("bad position in %#v", err)
		}
	})
}
