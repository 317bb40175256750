package lookup

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fe055d52/credential-helper/helpers"
)

// The files of Python's tools are read here and by no INI library: those that know values of several lines take a comment between them for a part of the value,
// and so a login that was commented out for one that is to be used; they read duplicates over, and know no defaults. A test compares with Python what comes out.

// A pyFile is a file as Python's configparser reads it (https://docs.python.org/3/library/configparser.html#supported-ini-file-structure),
// strictly and without interpolation, as pip and twine do.
type pyFile struct {
	sections []*pySection // in the order of the file, without the one of defaults
	defaults *pySection
}

type pySection struct {
	name    string
	options map[string]*pyOption // by name, in lower case
}

type pyOption struct {
	lines []string
	line  int
}

// pyDefaults is the name of the section whose options every section has.
const pyDefaults = "DEFAULT"

func (o *pyOption) value() string {
	return strings.TrimRightFunc(strings.Join(o.lines, "\n"), pySpace)
}

// section returns the section of a name; nil where there is none.
func (f *pyFile) section(name string) *pySection {
	for _, s := range f.sections {
		if s.name == name {
			return s
		}
	}
	return nil
}

// get returns the value of a section's option, and its line; "" where there is none. s may be nil.
func (f *pyFile) get(s *pySection, name string) (value string, line int) {
	if s == nil {
		return "", 0
	}
	o, ok := s.options[name]
	if !ok {
		o, ok = f.defaults.options[name]
	}
	if !ok {
		return "", 0
	}
	return o.value(), o.line
}

// parsePython reads a file as configparser does. Errors name the line, and quote nothing of it.
func parsePython(shown string, data []byte) (*pyFile, error) {
	if err := refuseMark(shown, data); err != nil {
		return nil, err
	}
	if !utf8.Valid(data) {
		return nil, fmt.Errorf("reading %s: it is not UTF-8", shown)
	}
	newSection := func(name string) *pySection { return &pySection{name: name, options: map[string]*pyOption{}} }
	f := &pyFile{defaults: newSection(pyDefaults)}
	seen := map[string]bool{}
	var section *pySection
	var option *pyOption
	indent, number := 0, 0
	for text := range strings.SplitSeq(newlines(data), "\n") {
		number++
		malformed := func(what string) error { return fmt.Errorf("reading %s:%d: %s", shown, number, what) }
		line := strings.TrimFunc(text, pySpace)
		switch {
		case line == "":
			if option != nil {
				option.lines = append(option.lines, "")
			}
			continue
		case line[0] == '#' || line[0] == ';':
			continue
		}
		// What is indented deeper than the option goes on with its value.
		at := utf8.RuneCountInString(text[:strings.Index(text, line)])
		if option != nil && at > indent {
			option.lines = append(option.lines, line)
			continue
		}
		indent = at
		if end := strings.LastIndexByte(line, ']'); line[0] == '[' && end > 1 {
			name := line[1:end]
			section, option = f.defaults, nil
			if name != pyDefaults {
				if seen[name] {
					return nil, malformed("there is a section of that name already")
				}
				seen[name] = true
				section = newSection(name)
				f.sections = append(f.sections, section)
			}
			continue
		}
		if section == nil {
			return nil, malformed("there is no [section] above it")
		}
		end := strings.IndexAny(line, "=:")
		if end < 0 {
			return nil, malformed("it is neither a [section] nor NAME = VALUE")
		}
		name := strings.ToLower(strings.TrimRightFunc(line[:end], pySpace)) // as Python does
		switch {
		case name == "":
			return nil, malformed("there is no name before the value")
		case section.options[name] != nil:
			return nil, malformed("the section has an option of that name already")
		}
		option = &pyOption{lines: []string{strings.TrimLeftFunc(line[end+1:], pySpace)}, line: number}
		section.options[name] = option
	}
	return f, nil
}

// pySpace reports whether Python takes r for white space.
func pySpace(r rune) bool { return unicode.IsSpace(r) || 0x1c <= r && r <= 0x1f }

// newlines returns a text in which every line ends with "\n" alone.
func newlines(data []byte) string {
	return strings.ReplaceAll(strings.ReplaceAll(string(data), "\r\n", "\n"), "\r", "\n")
}

// refuseMark refuses a file that begins with a byte order mark: the tools take it for a part of the first line, and that line for another one.
func refuseMark(shown string, data []byte) error {
	for _, mark := range []string{"\xef\xbb\xbf", "\xff\xfe", "\xfe\xff"} {
		if bytes.HasPrefix(data, []byte(mark)) {
			return helpers.WithHint(fmt.Errorf("reading %s:1: the file begins with a byte order mark", shown), "save it as UTF-8 without one")
		}
	}
	return nil
}
