package strictjson

import (
	"fmt"
	"slices"

	"github.com/tidwall/gjson"
)

// A Type is what a key takes.
type Type int

// The types, by the method of [Object] that decodes each.
const (
	TypeString Type = iota
	TypeBool
	TypeID
	TypeStrings
	TypeObject
	TypeObjects
)

// AnyKey is the name under which a [Shape] has the keys of an object whose keys are not known beforehand.
const AnyKey = "*"

// A Shape is what an object may hold, as the function says that visits it.
type Shape struct {
	Keys []Key // in the order in which they are asked for first
	// Open says that keys which are not asked for are accepted.
	Open bool
	// Needs are lists of keys. Of each list, one has to be there.
	Needs [][]string
	// With has for a key another one, without which it makes no sense.
	With map[string]string
}

// A Key is a key of a [Shape].
type Key struct {
	Name string
	Type Type
	// Values are all that a string may be; nil where it may be any.
	Values []string
	// Object is the object that the key takes, or an element of its array.
	Object *Shape
}

// Describe returns what visit asks for. sample is an object, in which a key may have the value that what else is asked for depends on:
// it need not be a document that visit would accept. What is not in sample is visited as if an empty object stood there.
func Describe(sample string, visit func(*Object)) (*Shape, error) {
	if !gjson.Valid(sample) || !gjson.Parse(sample).IsObject() {
		return nil, fmt.Errorf("the sample is not a JSON object: %s", sample)
	}
	d := &decoder{describing: true, data: sample}
	o := d.object(gjson.Parse(sample))
	o.shape = &Shape{}
	visit(o)
	return o.shape, nil
}

// Mistakes returns at which of the places, written as "urls.0.host", visit finds a mistake in sample. It goes on behind the first.
func Mistakes(sample string, visit func(*Object), places ...string) []bool {
	var offsets []int
	d := &decoder{mistakes: &offsets, data: sample}
	d.visit(gjson.Parse(sample), visit)
	found := make([]bool, len(places))
	for i, place := range places {
		found[i] = slices.Contains(offsets, gjson.Get(sample, place).Index)
	}
	return found
}

// Key returns the key of that name, or nil.
func (s *Shape) Key(name string) *Key {
	i := slices.IndexFunc(s.Keys, func(k Key) bool { return k.Name == name })
	if i < 0 {
		return nil
	}
	return &s.Keys[i]
}

// Values tells a description what a string may be that is checked otherwise than by [Object.OneOf]. For a document it does nothing.
func (o *Object) Values(key string, all ...string) {
	if o.shape != nil {
		o.shape.Key(key).Values = slices.Clone(all)
	}
}

// Needs tells a description that one of keys has to be there. For a document it does nothing.
func (o *Object) Needs(keys ...string) {
	if o.shape != nil {
		o.shape.Needs = append(o.shape.Needs, slices.Clone(keys))
	}
}

// With tells a description that each of keys makes sense only where other is there. For a document it does nothing.
func (o *Object) With(other string, keys ...string) {
	if o.shape == nil {
		return
	}
	if o.shape.With == nil {
		o.shape.With = map[string]string{}
	}
	for _, key := range keys {
		o.shape.With[key] = other
	}
}

func (o *Object) note(key string, t Type, values ...string) {
	if o.shape != nil && o.shape.Key(key) == nil {
		o.shape.Keys = append(o.shape.Keys, Key{Name: key, Type: t, Values: slices.Clone(values)})
	}
}

// noteObject records a key that takes an object, or objects of which the sample has one at most.
func (o *Object) noteObject(key string, t Type, visit func(*Object)) {
	value := gjson.Parse("{}")
	if i, ok := o.index[key]; ok {
		value = o.members[i].value
		if value.IsArray() {
			value = value.Get("0")
		}
	}
	inner := o.d.object(value)
	inner.shape = &Shape{}
	visit(inner)
	o.note(key, t)
	o.shape.Key(key).Object = inner.shape
}
