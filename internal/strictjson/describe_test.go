package strictjson

import (
	"reflect"
	"testing"
)

// kinds is a document whose keys depend on the value of one.
func kinds(o *Object) {
	var kind, text string
	var list []string
	o.String("kind", &kind)
	o.Values("kind", "a", "b")
	o.Needs("kind")
	switch kind {
	case "a":
		o.ID("id", &text)
		o.Strings("list", &list)
		o.With("id", "list")
	case "b":
		o.AllowUnknown()
	default:
		o.Failf("kind", "an unknown kind")
	}
	o.ObjectOrEmpty("sub", func(o *Object) {
		o.OneOf("mode", &text, "on", "off")
		o.Objects("items", func(_ int, o *Object) {
			var yes bool
			o.Bool("yes", &yes)
			o.Bool("yes", &yes)
		})
	})
	o.Object("map", func(o *Object) {
		for _, key := range o.Keys() {
			o.String(key, &text)
		}
	})
}

func TestDescribe(t *testing.T) {
	rest := []Key{
		{Name: "sub", Type: TypeObject, Object: &Shape{Keys: []Key{
			{Name: "mode", Type: TypeString, Values: []string{"on", "off"}},
			{Name: "items", Type: TypeObjects, Object: &Shape{Keys: []Key{{Name: "yes", Type: TypeBool}}}},
		}}},
		{Name: "map", Type: TypeObject, Object: &Shape{Keys: []Key{{Name: AnyKey, Type: TypeString}}}},
	}
	kind := Key{Name: "kind", Type: TypeString, Values: []string{"a", "b"}}
	for _, tt := range []struct {
		sample string
		want   Shape
	}{
		{`{}`, Shape{Keys: append([]Key{kind}, rest...)}},
		{`{"kind": "a", "sub": {"items": [{}]}}`, Shape{Keys: append([]Key{kind, {Name: "id", Type: TypeID}, {Name: "list", Type: TypeStrings}}, rest...), With: map[string]string{"list": "id"}}},
		{`{"kind": "b", "list": 7}`, Shape{Keys: append([]Key{kind}, rest...), Open: true}},
	} {
		got, err := Describe(tt.sample, kinds)
		tt.want.Needs = [][]string{{"kind"}}
		if err != nil || !reflect.DeepEqual(*got, tt.want) {
			t.Errorf("%s: %v\n got %+v\nwant %+v", tt.sample, err, got, tt.want)
		}
	}
	for _, sample := range []string{``, `[]`, `{`, `null`} {
		if _, err := Describe(sample, kinds); err == nil {
			t.Errorf("%q is taken for a sample", sample)
		}
	}
}

// TestDescriptionsDoNotDecode holds that what is for descriptions changes nothing about a document.
func TestDescriptionsDoNotDecode(t *testing.T) {
	for text, want := range map[string]string{
		`{"kind": "a", "list": ["x"]}`: "<nil>", // With and Needs check nothing
		`{"kind": "a", "lits": []}`:    `f:1:15: unknown key "lits" (did you mean "list"?)`,
		`{"kind": "c"}`:                `f:1:10: an unknown kind`,
		`{"kind": "b", "more": 1}`:     "<nil>",
	} {
		got := "<nil>"
		if err := Decode("f", []byte(text), kinds); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
