// Package jsonschema writes the JSON schema (draft 7: https://json-schema.org/draft-07) of the documents that a function visits which decodes
// them with package strictjson, so that editors complete and check what people write.
//
// The schema is found by experiment. The visit is described for an empty document, and then for documents in which one key has one of the values
// that it may have, or is there at all. Where another description comes of it, the schema says so with "if" and "then":
//
//	"if": {"properties": {"preset": {"const": "maven"}}}, "then": {"properties": {"server": {…}, …}}
//
// What strictjson refuses, the schema refuses: unknown keys, values of another type or of no known name, and missing keys.
// So it does with what the visit refuses because it is empty. What else the visit itself checks (a glob that matches nothing, two keys that exclude each other) it does not know.
package jsonschema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/fe055d52/credential-helper/internal/strictjson"
)

// Texts are what the schema tells of keys and values, by where they belong: "config.token" for the key token in what "config" takes,
// "config{npm}.token" for one that is there, or another, where a key of that object is npm; "config.preset=npm" for a value.
// The longest end of a place that has a text gives it; the whole document's is "".
type Texts map[string]string

// A schema is one of JSON schema's objects.
type schema = map[string]any

// Generate returns the schema of what visit visits. unused are the texts that belong nowhere, bare the places that have none.
func Generate(visit func(*strictjson.Object), texts Texts) (text []byte, unused, bare []string, err error) {
	g := &generator{visit: visit, texts: texts, used: map[string]bool{}, bare: map[string]bool{}, definitions: schema{}}
	root := g.object(place{{}})
	if g.err != nil {
		return nil, nil, nil, g.err
	}
	root["$schema"] = "http://json-schema.org/draft-07/schema#"
	root["title"] = g.text("")
	if len(g.definitions) > 0 {
		root["definitions"] = g.definitions
	}
	for where := range texts {
		if !g.used[where] {
			unused = append(unused, where)
		}
	}
	for where := range g.bare {
		bare = append(bare, where)
	}
	slices.Sort(unused)
	slices.Sort(bare)
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err = e.Encode(root)
	return out.Bytes(), unused, bare, err
}

// A place is an object in a document: the way to it from the root, a step for each object.
type place []step

// A step is an object on the way, with the key whose value makes it what it is.
type step struct {
	key    string // under which it is; "" for the root
	list   bool   // it is an element of an array
	choice choice
}

// A choice is a key that has a value. The zero value is none.
type choice struct {
	key   string
	value any
	// there says that it is not the value that counts.
	there bool
}

func (c choice) label() string {
	if c.there {
		return c.key
	}
	return fmt.Sprint(c.value)
}

// condition returns the schema that accepts the objects for which the choice was made.
func (c choice) condition() schema {
	if c.there {
		return schema{"required": []string{c.key}}
	}
	return schema{"properties": schema{c.key: schema{"const": c.value}}, "required": []string{c.key}}
}

// choose returns the place with a choice made in its object.
func (p place) choose(c choice) place {
	p = slices.Clone(p)
	p[len(p)-1].choice = c
	return p
}

// in returns the place of the object at a key of the place's object.
func (p place) in(k strictjson.Key) place {
	return append(slices.Clip(p), step{key: k.Name, list: k.Type == strictjson.TypeObjects})
}

// name is how texts call a key of the place's object.
func (p place) name(key string) string {
	var b strings.Builder
	for _, s := range p[1:] {
		b.WriteString(s.key)
		if s.choice.key != "" {
			b.WriteString("{" + s.choice.label() + "}")
		}
		b.WriteString(".")
	}
	return b.String() + key
}

// long is how many conditions, or values of a key, are said once for all places that have them.
const long = 8

// A generator makes one schema.
type generator struct {
	visit       func(*strictjson.Object)
	texts       Texts
	used        map[string]bool
	bare        map[string]bool
	definitions schema
	err         error
}

// text returns what is told of a place.
func (g *generator) text(where string) string {
	for rest := where; ; {
		if text, ok := g.texts[rest]; ok {
			g.used[rest] = true
			return text
		}
		_, after, more := strings.Cut(rest, ".")
		if !more {
			g.bare[where] = true
			return ""
		}
		rest = after
	}
}

// shape describes the object at a place.
func (g *generator) shape(p place) *strictjson.Shape {
	s, err := strictjson.Describe(p.sample(nil), g.visit)
	if err != nil {
		panic(err) // it is an object
	}
	for _, step := range p[1:] {
		s = s.Key(step.key).Object
	}
	return s
}

// refuses reports whether a value is refused at a key of the object at a place, whatever is chosen there, and another of the same kind is not.
func (g *generator) refuses(p place, key string, value any, others ...any) bool {
	where := ""
	for _, s := range p[1:] {
		where += s.key + "."
		if s.list {
			where += "0."
		}
	}
	wrong := func(p place, value any) bool {
		return strictjson.Mistakes(p.sample(map[string]any{key: value}), g.visit, where+key)[0]
	}
	places := []place{p}
	if p[len(p)-1].choice.key == "" {
		for _, c := range choices(g.shape(p)) {
			if c.key != key && g.shape(p.choose(c)).Key(key) != nil {
				places = append(places, p.choose(c))
			}
		}
	}
	for _, p := range places {
		if !wrong(p, value) || !slices.ContainsFunc(others, func(other any) bool { return !wrong(p, other) }) {
			return false
		}
	}
	return true
}

// sample returns a document that has the object at the place, with more keys in it.
func (p place) sample(more map[string]any) string {
	var sample any
	for i := len(p) - 1; i >= 0; i-- {
		object := map[string]any{}
		if i == len(p)-1 {
			maps.Copy(object, more)
		}
		if c := p[i].choice; c.key != "" {
			object[c.key] = c.value
		}
		if i+1 < len(p) {
			object[p[i+1].key] = sample
		}
		sample = object
		if p[i].list {
			sample = []any{object}
		}
	}
	text, err := json.Marshal(sample)
	if err != nil {
		panic(err) // maps of strings
	}
	return string(text)
}

// choices returns what may be chosen in an object.
func choices(s *strictjson.Shape) []choice {
	var list []choice
	for _, k := range s.Keys {
		switch {
		case k.Name == strictjson.AnyKey:
		case k.Values != nil:
			for _, v := range k.Values {
				list = append(list, choice{key: k.Name, value: v})
			}
		case k.Type == strictjson.TypeString, k.Type == strictjson.TypeID:
			list = append(list, choice{key: k.Name, value: "1", there: true})
		}
	}
	return list
}

// A branch is what an object is where a choice is made.
type branch struct {
	choice
	shape *strictjson.Shape
}

// object returns the schema of the object at a place.
func (g *generator) object(p place) schema {
	base := g.shape(p)
	var branches []branch
	for _, c := range choices(base) {
		s := g.shape(p.choose(c))
		if !reflect.DeepEqual(less(s, c.key), less(base, c.key)) {
			branches = append(branches, branch{c, s})
		}
	}
	properties := schema{}
	out := schema{"type": "object", "properties": properties}
	for _, k := range base.Keys {
		if k.Name == strictjson.AnyKey {
			out["additionalProperties"] = g.value(p, k)
			continue
		}
		if k.Object != nil && slices.ContainsFunc(branches, func(b branch) bool { return changed(base, b, k) }) {
			properties[k.Name] = g.described(p, k, container(k, schema{"type": "object"}))
			continue
		}
		properties[k.Name] = g.value(p, k)
	}
	require(out, base.Needs)
	for key, other := range base.With {
		dependencies, _ := out["dependencies"].(schema)
		if dependencies == nil {
			dependencies = schema{}
			out["dependencies"] = dependencies
		}
		dependencies[key] = []string{other}
	}
	var conditions []schema
	closed := "" // the key that decides which keys there are
	var apart []branch
	for _, b := range branches {
		then := g.branch(p, base, b)
		conditions = append(conditions, schema{"if": b.condition(), "then": then})
		if _, own := then["additionalProperties"]; own || b.shape.Open {
			if closed != "" && closed != b.key {
				g.err = fmt.Errorf("%s: both %q and %q decide which keys there are", p.name(""), closed, b.key)
			}
			closed = b.key
			apart = append(apart, b)
		}
	}
	switch {
	case base.Open, out["additionalProperties"] != nil:
	case len(apart) == 0:
		out["additionalProperties"] = false
	default:
		rest := closedList(base)
		for _, k := range base.Keys {
			if slices.ContainsFunc(apart, func(b branch) bool { return k.Object != nil && changed(base, b, k) }) {
				rest["properties"].(schema)[k.Name] = g.takes(p, k) // the base tells of it
			}
		}
		conditions = append(conditions, schema{"if": anyOf(apart), "else": rest})
	}
	if len(conditions) > long {
		conditions = []schema{g.define(p, p[len(p)-1].key, schema{"allOf": conditions})}
	}
	if len(conditions) > 0 {
		out["allOf"] = conditions
	}
	return out
}

// branch returns what goes for an object beside its base, where a choice is made.
func (g *generator) branch(p place, base *strictjson.Shape, b branch) schema {
	p = p.choose(b.choice)
	properties := schema{}
	then := schema{}
	if !b.shape.Open && (base.Open || !slices.Equal(names(b.shape), names(base))) {
		then = closedList(b.shape)
		properties = then["properties"].(schema)
	}
	for _, k := range b.shape.Keys {
		switch {
		case base.Key(k.Name) == nil:
			properties[k.Name] = g.value(p, k)
		case k.Name != b.key && changed(base, b, k):
			properties[k.Name] = g.takes(p, k)
		}
	}
	if len(properties) > 0 {
		then["properties"] = properties
	}
	var needs [][]string
	for _, list := range b.shape.Needs {
		if !slices.Contains(list, b.key) && !slices.ContainsFunc(base.Needs, func(l []string) bool { return slices.Equal(l, list) }) {
			needs = append(needs, list)
		}
	}
	require(then, needs)
	return then
}

// changed reports whether a key takes something else in a branch.
func changed(base *strictjson.Shape, b branch, k strictjson.Key) bool {
	there := b.shape.Key(k.Name)
	return there == nil || !reflect.DeepEqual(*there, *base.Key(k.Name))
}

// less returns a shape without what a choice says of its own key.
func less(s *strictjson.Shape, key string) strictjson.Shape {
	out := *s
	out.Keys = slices.DeleteFunc(slices.Clone(s.Keys), func(k strictjson.Key) bool { return k.Name == key })
	out.Needs = slices.DeleteFunc(slices.Clone(s.Needs), func(list []string) bool { return slices.Contains(list, key) })
	return out
}

func names(s *strictjson.Shape) []string {
	var list []string
	for _, k := range s.Keys {
		list = append(list, k.Name)
	}
	slices.Sort(list)
	return list
}

// closedList returns the schema that accepts the keys of a shape, and no other.
func closedList(s *strictjson.Shape) schema {
	properties := schema{}
	for _, k := range s.Keys {
		properties[k.Name] = true
	}
	return schema{"properties": properties, "additionalProperties": false}
}

// anyOf returns the condition that one of the choices was made, which are all about one key.
func anyOf(branches []branch) schema {
	first := branches[0].choice
	if first.there {
		return first.condition()
	}
	values := make([]any, len(branches))
	for i, b := range branches {
		values[i] = b.value
	}
	return schema{"properties": schema{first.key: schema{"enum": values}}, "required": []string{first.key}}
}

// require adds what has to be there.
func require(s schema, needs [][]string) {
	var required []string
	var either []schema
	for _, list := range needs {
		if len(list) == 1 {
			required = append(required, list[0])
			continue
		}
		if either != nil {
			panic("two lists of keys, one of each of which has to be there: nothing says that yet")
		}
		for _, key := range list {
			either = append(either, schema{"required": []string{key}})
		}
	}
	if required != nil {
		s["required"] = required
	}
	if either != nil {
		s["anyOf"] = either
	}
}

// value returns the schema of what a key takes, with what is told of it.
func (g *generator) value(p place, k strictjson.Key) schema {
	s := g.described(p, k, g.takes(p, k))
	if len(k.Values) > long {
		return g.define(p, k.Name, s)
	}
	return s
}

func (g *generator) described(p place, k strictjson.Key, s schema) schema {
	s["description"] = g.text(p.name(k.Name))
	return s
}

// plausible returns texts of which a key that takes any takes one.
func plausible() []any { return []any{"1", "a.test", "/a", "https://a.test/"} }

// takes returns the schema of what a key takes.
func (g *generator) takes(p place, k strictjson.Key) schema {
	switch k.Type {
	case strictjson.TypeString:
		s := schema{"type": "string"}
		if k.Values != nil {
			s["enum"] = k.Values
			told := make([]string, len(k.Values))
			for i, v := range k.Values {
				told[i] = g.text(p.name(k.Name) + "=" + v)
			}
			s["enumDescriptions"] = told // beside the standard; VS Code and others show them
		} else if g.refuses(p, k.Name, "", plausible()...) {
			s["minLength"] = 1
		}
		return s
	case strictjson.TypeBool:
		return schema{"type": "boolean"}
	case strictjson.TypeID:
		return schema{"type": []string{"string", "integer"}, "minimum": 0}
	case strictjson.TypeStrings:
		items := schema{"type": "string"}
		s := schema{"type": "array", "items": items}
		var lists []any
		for _, text := range plausible() {
			lists = append(lists, []any{text})
		}
		if g.refuses(p, k.Name, []any{}, lists...) {
			s["minItems"] = 1
		}
		// It may be the first element alone that is not empty: a program, before its arguments.
		if g.refuses(p, k.Name, []any{""}, lists...) && slices.ContainsFunc(plausible(), func(text any) bool { return g.refuses(p, k.Name, []any{text, ""}, []any{text}) }) {
			items["minLength"] = 1
		}
		return s
	default:
		s := container(k, g.object(p.in(k)))
		if k.Type == strictjson.TypeObjects && g.refuses(p, k.Name, []any{}, []any{map[string]any{}}) {
			s["minItems"] = 1
		}
		return s
	}
}

// define puts what is long, and the same in several places, into the definitions.
func (g *generator) define(p place, name string, s schema) schema {
	if before, ok := g.definitions[name]; ok && !reflect.DeepEqual(before, s) {
		g.err = fmt.Errorf("%s: there are two kinds of %q", p.name(""), name)
	}
	g.definitions[name] = s
	return schema{"$ref": "#/definitions/" + name}
}

// container returns the schema of what takes an object, or objects.
func container(k strictjson.Key, object schema) schema {
	if k.Type == strictjson.TypeObjects {
		return schema{"type": "array", "items": object}
	}
	return object
}
