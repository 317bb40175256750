package lookup

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/ascii"
)

// maxXMLDepth and maxXMLElements are the depth and the number of elements above which XML is not taken for a tool's settings.
const (
	maxXMLDepth    = 64
	maxXMLElements = 1 << 14
)

// An element is one of an XML file, whatever its namespace.
type element struct {
	name     string
	attrs    []xml.Attr
	text     []byte // all text directly in it, as it stands
	line     int
	children []*element
}

// parseXML returns the root of an XML file, which must have the name root. A document type is refused, so that nothing is expanded and nothing else is read.
// No error quotes the file: what stands at the wrong place may be a password.
func parseXML(shown string, data []byte, root string) (*element, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return nil, fmt.Errorf("%s:1: the file is in UTF-16; save it as UTF-8", shown)
	}
	d := xml.NewDecoder(bytes.NewReader(data))
	foreign := false
	d.CharsetReader = func(string, io.Reader) (io.Reader, error) {
		foreign = true
		return nil, errors.New("foreign")
	}
	top := &element{}
	stack, count := []*element{top}, 0
	for {
		t, err := d.Token()
		line, _ := d.InputPos()
		fail := func(format string, args ...any) error {
			return fmt.Errorf("%s:%d: "+format, append([]any{shown, line}, args...)...)
		}
		switch {
		case errors.Is(err, io.EOF):
			if len(top.children) != 1 || top.children[0].name != root {
				return nil, fmt.Errorf("%s: it has no element <%s> at its top", shown, root)
			}
			return top.children[0], nil
		case foreign:
			return nil, fail("the file is in an encoding other than UTF-8; save it as UTF-8")
		case err != nil:
			return nil, fail("not well-formed XML")
		}
		within := stack[len(stack)-1]
		switch t := t.(type) {
		case xml.StartElement:
			if count++; count > maxXMLElements || len(stack) > maxXMLDepth {
				return nil, fail("it has more than %d elements, or more than %d of them in each other", maxXMLElements, maxXMLDepth)
			}
			e := &element{name: t.Name.Local, attrs: t.Copy().Attr, line: line}
			within.children = append(within.children, e)
			stack = append(stack, e)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			within.text = append(within.text, t...)
		case xml.Directive:
			return nil, helpers.WithHint(fail("it has a document type (<!DOCTYPE>), which is not read here"), "remove it; the tool does not need it")
		}
	}
}

// all returns the elements at a path of names below e.
func (e *element) all(path ...string) []*element {
	found := []*element{e}
	for _, name := range path {
		var next []*element
		for _, e := range found {
			for _, c := range e.children {
				if c.name == name {
					next = append(next, c)
				}
			}
		}
		found = next
	}
	return found
}

// value returns the text of the first element at a path of names below e, without the white space around it; "" where there is none.
func (e *element) value(path ...string) string {
	for _, found := range e.all(path...) {
		return string(bytes.TrimSpace(found.text))
	}
	return ""
}

// attr returns the value of an attribute.
func (e *element) attr(name string) string {
	for _, a := range e.attrs {
		if ascii.EqualFold(a.Name.Local, name) {
			return a.Value
		}
	}
	return ""
}
