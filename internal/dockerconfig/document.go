// Package dockerconfig edits the file in which docker keeps its settings and logins: config.json of $DOCKER_CONFIG, else of ~/.docker
// (https://docs.docker.com/reference/cli/docker/#docker-cli-configuration-file-configjson-properties).
//
// [Read] finds the file and reads it, [Parse] makes a [Document] of its text, the Document's methods change what says who keeps logins,
// and [File.Write] puts the new text into the place of the old one. A [State] remembers what was there before.
//
// docker's own library (github.com/docker/cli/cli/config) is not used for this: it drops every key that it does not know,
// which includes those of newer docker clients and of other programs. The tests hold that it reads what is written here.
package dockerconfig

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/fe055d52/credential-helper/internal/strictjson"
)

// Keys of the file that this package changes. Like docker it reads them in any case.
const (
	keyAuths   = "auths"
	keyStore   = "credsStore"
	keyHelpers = "credHelpers"
)

// A Document is docker's configuration. Keys that it does not change keep their text, order and place.
type Document struct {
	shown   string
	root    object
	changed bool
	before  []byte

	// sections are those of its objects that were asked for, by their keys.
	sections map[string]*section
}

// An object is a JSON object whose members keep their order and text.
type object []member

type member struct {
	key   string
	raw   string // the key as it is written, with its quotes
	value string // JSON
}

// Parse reads the text of docker's configuration. No text at all is an empty configuration, as it is for docker.
// The error names shown, with the line and column of the mistake.
func Parse(shown string, data []byte) (*Document, error) {
	doc := &Document{shown: shown, before: data}
	if len(bytes.TrimSpace(data)) == 0 {
		return doc, nil
	}
	err := strictjson.Decode(shown, data, func(o *strictjson.Object) {
		o.AllowUnknown()
		doc.root = members(o.Raw())
		checkOnce(o, doc.root, keyAuths, keyStore, keyHelpers)
		for _, m := range doc.root {
			switch {
			case m.value == "null":
			case strings.EqualFold(m.key, keyStore):
				o.String(m.key, new(string))
			case strings.EqualFold(m.key, keyHelpers):
				o.Object(m.key, checkStrings)
			case strings.EqualFold(m.key, keyAuths):
				o.Object(m.key, checkAuths)
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return doc, nil
}

// checkOnce refuses a key that stands twice in different cases: docker would take the last, and an edit would change the first.
func checkOnce(o *strictjson.Object, all object, keys ...string) {
	for _, key := range keys {
		var first string
		for _, m := range all {
			switch {
			case !strings.EqualFold(m.key, key):
			case first == "":
				first = m.key
			default:
				o.Failf(m.key, "the keys %q and %q are one to docker; remove one of them", first, m.key)
			}
		}
	}
}

func checkStrings(o *strictjson.Object) {
	o.AllowUnknown()
	for _, m := range members(o.Raw()) {
		if m.value != "null" {
			o.String(m.key, new(string))
		}
	}
}

func checkAuths(o *strictjson.Object) {
	o.AllowUnknown()
	for _, server := range members(o.Raw()) {
		if server.value == "null" {
			continue
		}
		o.Object(server.key, func(e *strictjson.Object) {
			e.AllowUnknown()
			entry := members(e.Raw())
			checkOnce(e, entry, loginKeys...)
			for _, m := range entry {
				if m.value != "null" && isLoginKey(m.key) {
					e.String(m.key, new(string))
				}
			}
		})
	}
}

// members takes a JSON object apart. The text is valid JSON; one of another type has no members.
func members(raw string) object {
	var all object
	value := gjson.Parse(raw)
	if !value.IsObject() {
		return nil
	}
	value.ForEach(func(k, v gjson.Result) bool {
		all = append(all, member{key: k.String(), raw: k.Raw, value: v.Raw})
		return true
	})
	return all
}

func (o object) String() string {
	var b strings.Builder
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(m.raw + ":" + m.value)
	}
	b.WriteByte('}')
	return b.String()
}

// index finds a key; fold reads it in any case. It returns -1 where the key is not there.
func (o object) index(key string, fold bool) int {
	return slices.IndexFunc(o, func(m member) bool { return m.key == key || fold && strings.EqualFold(m.key, key) })
}

// set gives a key a value, at its place or at the end.
func (o *object) set(key, value string, fold bool) {
	if i := o.index(key, fold); i >= 0 {
		(*o)[i].value = value
		return
	}
	*o = append(*o, member{key: key, raw: quote(key), value: value})
}

func (o *object) remove(key string, fold bool) {
	if i := o.index(key, fold); i >= 0 {
		*o = slices.Delete(*o, i, i+1)
	}
}

func quote(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always has a JSON form
	}
	return string(text)
}

// Changed reports whether the document says anything else than the text that it was made from.
func (d *Document) Changed() bool { return d.changed }

// Bytes returns the document's text: what it was made from where nothing was changed, else indented as docker does it.
// Docker writes no newline at the end, and most editors do; it ends as it did.
func (d *Document) Bytes() []byte {
	if !d.changed {
		return d.before
	}
	if s := d.section(keyAuths); s.changed {
		d.root.set(keyAuths, s.members.String(), true)
		s.changed = false
	}
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(d.root.String()), "", "\t"); err != nil {
		panic(fmt.Sprintf("%s: an edit made invalid JSON: %s", d.shown, err)) // its parts were all read as valid JSON
	}
	if bytes.HasSuffix(d.before, []byte("\n")) {
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// Store returns the credential store that serves every registry without one of its own. ok is false where none is set.
func (d *Document) Store() (name string, ok bool) {
	i := d.root.index(keyStore, true)
	if i < 0 || d.root[i].value == "null" {
		return "", false
	}
	return gjson.Parse(d.root[i].value).String(), true
}

// SetStore makes name the credential store.
func (d *Document) SetStore(name string) {
	if now, ok := d.Store(); ok && now == name {
		return
	}
	d.root.set(keyStore, quote(name), true)
	d.changed = true
}

// RemoveStore leaves logins to the file itself.
func (d *Document) RemoveStore() {
	if d.root.index(keyStore, true) >= 0 {
		d.root.remove(keyStore, true)
		d.changed = true
	}
}

// A section is one of the objects in the document that may have thousands of members.
type section struct {
	members object
	at      map[string]int // key → its place in members
	changed bool           // and not yet written into the document
}

// section returns the object at a key; it is empty where there is none.
func (d *Document) section(key string) *section {
	if s := d.sections[key]; s != nil {
		return s
	}
	s := &section{at: map[string]int{}}
	if i := d.root.index(key, true); i >= 0 {
		s.members = members(d.root[i].value)
	}
	for i, m := range slices.Backward(s.members) {
		s.at[m.key] = i
	}
	if d.sections == nil {
		d.sections = map[string]*section{}
	}
	d.sections[key] = s
	return s
}

// get returns a member, for its value to be read or changed; nil where there is none.
func (s *section) get(key string) *member {
	i, ok := s.at[key]
	if !ok {
		return nil
	}
	return &s.members[i]
}

func (d *Document) helpers() object { return slices.Clone(d.section(keyHelpers).members) }

// setHelpers writes the registries' own stores. Docker has no key for none of them.
func (d *Document) setHelpers(all object) {
	if len(all) == 0 {
		d.root.remove(keyHelpers, true)
	} else {
		d.root.set(keyHelpers, all.String(), true)
	}
	d.changed = true
	delete(d.sections, keyHelpers)
}

// Helper returns the credential store of one registry, which docker takes from the key that is equal to the registry's name.
// ok is false where it has none of its own; the name "" means that not even the one of credsStore serves it.
func (d *Document) Helper(registry string) (name string, ok bool) {
	if m := d.section(keyHelpers).get(registry); m != nil {
		return gjson.Parse(m.value).String(), true
	}
	return "", false
}

// Registries returns the registries that have name for a credential store of their own, in the file's order.
func (d *Document) Registries(name string) []string {
	var found []string
	for _, m := range d.helpers() {
		if gjson.Parse(m.value).String() == name {
			found = append(found, m.key)
		}
	}
	return found
}

// Helpers returns the registries that have a credential store of their own, in the file's order, and the name of each one's.
func (d *Document) Helpers() (registries, names []string) {
	for _, m := range d.helpers() {
		registries, names = append(registries, m.key), append(names, gjson.Parse(m.value).String())
	}
	return registries, names
}

// SetHelper makes name the credential store of one registry.
func (d *Document) SetHelper(registry, name string) {
	if now, ok := d.Helper(registry); ok && now == name {
		return
	}
	all := d.helpers()
	all.set(registry, quote(name), false)
	d.setHelpers(all)
}

// RemoveHelper leaves one registry to credsStore.
func (d *Document) RemoveHelper(registry string) {
	if _, ok := d.Helper(registry); !ok {
		return
	}
	all := d.helpers()
	all.remove(registry, false)
	d.setHelpers(all)
}
