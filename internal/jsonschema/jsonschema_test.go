package jsonschema

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/internal/strictjson"
)

func visit(o *strictjson.Object) {
	var kind, text string
	o.OneOf("kind", &kind, "plain", "named")
	if kind == "named" {
		o.String("name", &text)
		o.Needs("name")
	}
}

var texts = Texts{"": "A test", "kind": "The kind.", "kind=plain": "plain", "kind=named": "named", "name": "The name."}

func TestGenerate(t *testing.T) {
	text, unused, bare, err := Generate(visit, texts)
	if err != nil || unused != nil || bare != nil {
		t.Fatal(unused, bare, err)
	}
	want := `{
		"$schema": "http://json-schema.org/draft-07/schema#", "title": "A test", "type": "object",
		"properties": {"kind": {"type": "string", "description": "The kind.", "enum": ["plain", "named"], "enumDescriptions": ["plain", "named"]}},
		"allOf": [
			{
				"if": {"properties": {"kind": {"const": "named"}}, "required": ["kind"]},
				"then": {"properties": {"kind": true, "name": {"type": "string", "description": "The name."}}, "required": ["name"], "additionalProperties": false}
			},
			{
				"if": {"properties": {"kind": {"enum": ["named"]}}, "required": ["kind"]},
				"else": {"properties": {"kind": true}, "additionalProperties": false}
			}
		]
	}`
	var got, wanted any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, wanted) {
		t.Errorf("\n got %s\nwant %s", text, want)
	}
}

func TestTexts(t *testing.T) {
	_, unused, bare, err := Generate(visit, Texts{"": "A test", "kind": "The kind.", "kind=plain": "plain", "kind=other": "x"})
	if err != nil || strings.Join(unused, " ") != "kind=other" || strings.Join(bare, " ") != "kind=named name" {
		t.Errorf("unused %q, bare %q, %v", unused, bare, err)
	}
}

// TestTwoDeciders holds that what the schema could not say is an error.
func TestTwoDeciders(t *testing.T) {
	_, _, _, err := Generate(func(o *strictjson.Object) {
		visit(o)
		var other, text string
		if o.OneOf("other", &other, "x"); other == "x" {
			o.String("more", &text)
		}
	}, texts)
	if err == nil || !strings.Contains(err.Error(), `both "kind" and "other" decide which keys there are`) {
		t.Error(err)
	}
}
