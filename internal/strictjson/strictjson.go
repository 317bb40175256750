// Package strictjson decodes JSON that people write: every mistake is told with file, line, column and the nearest known key.
//
// A document is decoded by visiting it. Each type names its keys once, in the function that decodes it:
//
//	err := strictjson.Decode("config.json", data, func(o *strictjson.Object) {
//		o.String("host", &rule.Host)
//		o.Object("config", func(c *strictjson.Object) { c.Bool("allow_http", &rule.AllowHTTP) })
//	})
//
// A key that was not asked for, a key that stands twice and a value of another type are errors.
// The first error stands; what is visited after it changes nothing.
//
// The same functions say what a document may hold: [Describe] runs them to record what they ask for.
package strictjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/fe055d52/credential-helper/internal/suggest"
	"github.com/tidwall/gjson"
)

// MaxSize is the size in bytes above which a document is refused.
const MaxSize = 1 << 20

// An Error is a mistake in a document.
type Error struct {
	File   string // as it was given to Decode
	Offset int    // in bytes, from 0
	Line   int    // from 1
	Column int    // in characters, from 1
	Msg    string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Msg)
}

type decoder struct {
	// describing says that what the visit asks for is recorded, and nothing is wrong (see Describe).
	describing bool
	// mistakes, where not nil, takes the places of all mistakes, and none of them stands (see Mistakes).
	mistakes *[]int

	file string
	data string
	err  *Error
	// missing says that err is about something that is not there: a mistyped key may be why, and is told instead.
	missing bool
	// at is the place that was asked for last: the next one is mostly behind it.
	at position
}

// A position is a place in a document.
type position struct {
	offset       int // in bytes, from 0
	line, column int // both from 0; the column in characters
}

// position returns the place of an offset. For offsets that grow, all calls together read the document once.
func (d *decoder) position(offset int) position {
	p := d.at
	if offset < p.offset {
		p = position{}
	}
	between := d.data[p.offset:offset]
	if i := strings.LastIndexByte(between, '\n'); i >= 0 {
		p.line += strings.Count(between, "\n")
		p.column, between = 0, between[i+1:]
	}
	p.column += utf8.RuneCountInString(between)
	p.offset = offset
	d.at = p
	return p
}

func (d *decoder) fail(offset int, format string, args ...any) {
	if d.err != nil || d.describing {
		return
	}
	if d.mistakes != nil {
		*d.mistakes = append(*d.mistakes, offset)
		return
	}
	offset = min(max(offset, 0), len(d.data))
	p := d.position(offset)
	d.err = &Error{File: d.file, Offset: offset, Line: p.line + 1, Column: p.column + 1, Msg: fmt.Sprintf(format, args...)}
}

// Decode visits the object that data holds. The error is an [*Error], which names file for the document.
func Decode(file string, data []byte, visit func(*Object)) error {
	d := &decoder{file: file, data: string(data)}
	if len(data) > MaxSize {
		d.fail(0, "the file is larger than %d bytes", MaxSize)
		return d.err
	}
	if strings.HasPrefix(d.data, "\xef\xbb\xbf") {
		d.fail(0, "the file begins with a byte order mark; save it as UTF-8 without one")
		return d.err
	}
	if strings.TrimSpace(d.data) == "" {
		d.fail(0, "the file is empty; the least it may hold is {}")
		return d.err
	}
	// encoding/json bounds the depth and knows the offset of a syntax error; gjson then reads valid JSON only.
	var raw json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		var syntax *json.SyntaxError
		switch {
		case errors.As(err, &syntax) && syntax.Error() == "unexpected end of JSON input":
			d.fail(len(d.data), "the JSON is cut off: a bracket, or a quotation mark, is not closed")
		case errors.As(err, &syntax) && strings.HasSuffix(syntax.Error(), "exceeded max depth"):
			d.fail(int(syntax.Offset)-1, "the JSON is nested too deeply")
		case errors.As(err, &syntax):
			d.fail(int(syntax.Offset)-1, "not valid JSON: %s", syntaxMistake(d.data, int(syntax.Offset)-1, syntax.Error()))
		default:
			d.fail(0, "not valid JSON: %s", err)
		}
		return d.err
	}
	root := gjson.Parse(d.data)
	if !root.IsObject() {
		d.fail(root.Index, "a JSON object is wanted here, not %s", typeName(root))
		return d.err
	}
	d.visit(root, visit)
	if d.err != nil {
		return d.err
	}
	return nil
}

// object returns the object that value is, before it is visited.
func (d *decoder) object(value gjson.Result) *Object {
	o := &Object{d: d, start: value.Index, raw: value.Raw, index: map[string]int{}}
	value.ForEach(func(k, v gjson.Result) bool {
		key := k.String()
		if _, ok := o.index[key]; ok {
			d.fail(k.Index, "the key %q stands twice", key)
		}
		o.index[key] = len(o.members)
		o.members = append(o.members, member{key: key, keyIndex: k.Index, value: v})
		return true
	})
	return o
}

func (d *decoder) visit(value gjson.Result, visit func(*Object)) {
	o := d.object(value)
	visit(o)
	if o.open {
		return
	}
	for _, m := range o.members {
		if !m.asked {
			if d.missing {
				d.err, d.missing = nil, false
			}
			if d.err == nil {
				d.fail(m.keyIndex, "unknown key %q%s", m.key, o.instead(m.key))
			}
			return
		}
	}
}

// instead returns the known key that is the nearest to one that is not known, or all of them where none is near.
func (o *Object) instead(key string) string {
	if near := suggest.DidYouMean(key, o.known); near != "" {
		return near
	}
	known := slices.Sorted(slices.Values(o.known))
	if known = slices.Compact(known); len(known) == 0 {
		return ""
	}
	return "; known here are " + strings.Join(known, ", ")
}

// An Object is a JSON object that is being visited.
type Object struct {
	d       *decoder
	start   int
	raw     string
	members []member
	index   map[string]int // key → its place in members
	known   []string
	open    bool
	shape   *Shape // nil where the object is decoded
}

type member struct {
	key      string
	keyIndex int
	value    gjson.Result
	asked    bool
}

// get marks key as known and returns its value, if it is there and not of another type.
func (o *Object) get(key, want string, ok func(gjson.Result) bool) (gjson.Result, bool) {
	o.known = append(o.known, key)
	i, found := o.index[key]
	if !found {
		return gjson.Result{}, false
	}
	o.members[i].asked = true
	v := o.members[i].value
	if !ok(v) {
		o.d.fail(v.Index, "%q takes %s, not %s", key, want, typeName(v))
		return gjson.Result{}, false
	}
	return v, o.d.err == nil
}

// Has reports whether key is there. It does not make the key a known one.
func (o *Object) Has(key string) bool {
	_, ok := o.index[key]
	return ok
}

// Keys returns the object's keys in the order in which they stand, for an object whose keys are not known beforehand. It does not make them known ones.
func (o *Object) Keys() []string {
	if o.shape != nil && len(o.members) == 0 {
		return []string{AnyKey}
	}
	keys := make([]string, len(o.members))
	for i, m := range o.members {
		keys[i] = m.key
	}
	return keys
}

// Pos returns where the object begins: line and column, from 1.
func (o *Object) Pos() (line, column int) {
	p := o.d.position(o.start)
	return p.line + 1, p.column + 1
}

// Raw returns the object's text as it stands in the document.
func (o *Object) Raw() string { return o.raw }

// AllowUnknown accepts keys that were not asked for.
func (o *Object) AllowUnknown() {
	o.open = true
	if o.shape != nil {
		o.shape.Open = true
	}
}

// String decodes a string.
func (o *Object) String(key string, dst *string) {
	o.note(key, TypeString)
	if v, ok := o.get(key, "a string", isString); ok {
		*dst = v.String()
	}
}

// Bool decodes true or false.
func (o *Object) Bool(key string, dst *bool) {
	o.note(key, TypeBool)
	if v, ok := o.get(key, "true or false", func(v gjson.Result) bool { return v.IsBool() }); ok {
		*dst = v.Bool()
	}
}

// ID decodes an identifier that people write as a string or as a number: a number has to be a whole one, without sign and exponent.
func (o *Object) ID(key string, dst *string) {
	o.note(key, TypeID)
	v, ok := o.get(key, "a string or a number", func(v gjson.Result) bool { return isString(v) || v.Type == gjson.Number })
	switch {
	case !ok:
	case isString(v):
		*dst = v.String()
	case strings.Trim(v.Raw, "0123456789") != "":
		o.d.fail(v.Index, "%q takes a string or a whole number, not %s", key, v.Raw)
	default:
		*dst = v.Raw
	}
}

// OneOf decodes a string that is one of allowed.
func (o *Object) OneOf(key string, dst *string, allowed ...string) {
	o.note(key, TypeString, allowed...)
	v, ok := o.get(key, "a string", isString)
	if !ok {
		return
	}
	for _, a := range allowed {
		if v.String() == a {
			*dst = a
			return
		}
	}
	o.d.fail(v.Index, "%q takes one of %s, not %q%s", key, quoteList(allowed), v.String(), suggest.DidYouMean(v.String(), allowed))
}

// Strings decodes an array of strings.
func (o *Object) Strings(key string, dst *[]string) {
	o.note(key, TypeStrings)
	v, ok := o.get(key, "an array of strings", func(v gjson.Result) bool { return v.IsArray() })
	if !ok {
		return
	}
	list := []string{}
	v.ForEach(func(_, e gjson.Result) bool {
		if !isString(e) {
			o.d.fail(e.Index, "%q takes an array of strings; this element is %s", key, typeName(e))
			return false
		}
		list = append(list, e.String())
		return true
	})
	*dst = list
}

// Object decodes an object by visiting it. visit is not called when key is absent.
func (o *Object) Object(key string, visit func(*Object)) {
	if o.shape != nil {
		o.noteObject(key, TypeObject, visit)
		return
	}
	if v, ok := o.get(key, "an object", func(v gjson.Result) bool { return v.IsObject() }); ok {
		o.d.visit(v, visit)
	}
}

// ObjectOrEmpty is like Object, but visits an empty object where key is absent.
func (o *Object) ObjectOrEmpty(key string, visit func(*Object)) {
	if o.Has(key) || o.shape != nil {
		o.Object(key, visit)
		return
	}
	o.known = append(o.known, key)
	visit(&Object{d: o.d, start: o.start})
}

// Objects decodes an array of objects by visiting each.
func (o *Object) Objects(key string, visit func(i int, o *Object)) {
	if o.shape != nil {
		o.noteObject(key, TypeObjects, func(o *Object) { visit(0, o) })
		return
	}
	v, ok := o.get(key, "an array of objects", func(v gjson.Result) bool { return v.IsArray() })
	if !ok {
		return
	}
	i := 0
	v.ForEach(func(_, e gjson.Result) bool {
		if !e.IsObject() {
			o.d.fail(e.Index, "%q takes an array of objects; this element is %s", key, typeName(e))
			return false
		}
		o.d.visit(e, func(o *Object) { visit(i, o) })
		i++
		return o.d.err == nil
	})
}

// Failf reports a mistake in the value of key, or in the object where key is absent or "".
// An unknown key that is found later is told instead of a mistake about an absent one.
func (o *Object) Failf(key, format string, args ...any) {
	i, ok := o.index[key]
	if ok {
		o.d.fail(o.members[i].value.Index, format, args...)
		return
	}
	o.d.missing = o.d.missing || o.d.err == nil
	o.d.fail(o.start, format, args...)
}

func isString(v gjson.Result) bool { return v.Type == gjson.String }

func typeName(v gjson.Result) string {
	switch {
	case v.IsObject():
		return "an object"
	case v.IsArray():
		return "an array"
	case v.IsBool():
		return "a boolean"
	case v.Type == gjson.String:
		return "a string"
	case v.Type == gjson.Number:
		return "a number"
	default:
		return "null"
	}
}

func quoteList(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = fmt.Sprintf("%q", w)
	}
	return strings.Join(quoted, ", ")
}
