// Package boundtest holds parsers to bounds: what is longer than a parser's limit is refused, and what is as long as that costs
// no more memory and time than its length accounts for, whatever stands in it.
//
// The inputs are those that parsers of all kinds stumble over ([Shapes]): brackets that nest as deeply as they can, a token that fills the file,
// a million tokens, quotes that nothing closes, names that are all different, and names that are all the same. A format's own come on top.
package boundtest

import (
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

// A Parser is what is held to its bounds.
type Parser struct {
	// Limit is the length in bytes of the longest text that is read.
	Limit int
	// Parse reads a text. What it makes of it does not matter here.
	Parse func(text string) error
	// Refusal are words that the error for a text above the limit has in it. None means that Parse is given no such text:
	// who calls it has none.
	Refusal []string
	// Format says which of [Shapes] are for it, beside those for all formats: those that have its name before a colon.
	Format string
	// Shapes are inputs of its own.
	Shapes map[string]Shape
	// Memory is how many bytes may be allocated for each of the text; 0 for 200. Two megabytes are free.
	Memory int
}

// A Shape makes a text of at most a number of bytes.
type Shape func(n int) string

// Repeat is the shape of one text many times.
func Repeat(text string) Shape { return Between("", text, "") }

// Between is the shape of a text many times between two others.
func Between(before, text, after string) Shape {
	return func(n int) string {
		return before + strings.Repeat(text, max(0, n-len(before)-len(after))/len(text)) + after
	}
}

// Nest is the shape of a text many times, and another as often behind it.
func Nest(before, open, inner, closing, after string) Shape {
	return func(n int) string {
		times := max(0, n-len(before)-len(inner)-len(after)) / (len(open) + len(closing))
		return before + strings.Repeat(open, times) + inner + strings.Repeat(closing, times) + after
	}
}

// Count is the shape of a text that has a number in it (%d), each time another, between two others.
func Count(before, format, after string) Shape {
	return func(n int) string {
		var b strings.Builder
		b.WriteString(before)
		for i := 0; ; i++ {
			next := strings.ReplaceAll(format, "%d", fmt.Sprint(i))
			if b.Len()+len(next)+len(after) > n {
				break
			}
			b.WriteString(next)
		}
		return b.String() + after
	}
}

// Shapes are the inputs for every format, and with the name of one before a colon those for one.
var Shapes = map[string]Shape{
	"one word":            Repeat("a"),
	"words":               Repeat("a "),
	"words, all others":   Count("", "w%d ", ""),
	"lines":               Repeat("a\n"),
	"empty lines":         Repeat("\n"),
	"carriage returns":    Repeat("\r"),
	"white space":         Repeat(" \t"),
	"deeper and deeper":   deeper,
	"zero bytes":          Repeat("\x00"),
	"no UTF-8":            Repeat("\xff"),
	"wide letters":        Repeat("İ"),
	"a string":            Between(`"`, "a", ""),
	"double quotes":       Repeat(`"`),
	"single quotes":       Repeat("'"),
	"backslashes":         Repeat(`\`),
	"continued lines":     Repeat("\\\n"),
	"escapes":             Between(`"`, `\u0041`, `"`),
	"percent signs":       Repeat("%25"),
	"stars":               Repeat("*"),
	"slashes":             Repeat("/"),
	"dots":                Repeat("."),
	"colons":              Repeat(":"),
	"equals":              Repeat("="),
	"commas":              Repeat(","),
	"comments":            Repeat("#x\n"),
	"one comment":         Between("#", "x", ""),
	"variables":           Repeat("${A}"),
	"variables, not shut": Repeat("${"),

	"JSON: arrays":                Repeat("["),
	"JSON: arrays, shut":          Nest("", "[", "", "]", ""),
	"JSON: objects":               Nest("", `{"a":`, "1", "}", ""),
	"JSON: keys":                  Count("{", `"k%d":1,`, `"":0}`),
	"JSON: one key":               Between("{", `"a":1,`, `"a":0}`),
	"JSON: objects in an array":   Between(`{"urls":[`, `{},`, `{}]}`),
	"JSON: numbers":               Between(`{"a":[`, `1,`, `1]}`),
	"JSON: a number":              Between(`{"a":`, `1`, `}`),
	"JSON: an escaped string":     Between(`{"a":"`, `\u0000`, `"}`),
	"JSON: a long key":            Between(`{"`, `a`, `":1}`),
	"INI: sections":               Count("", "[s%d]\n", ""),
	"INI: one section":            Repeat("[s]\n"),
	"INI: options":                Count("[s]\n", "k%d=v\n", ""),
	"INI: one option":             Between("[s]\n", "k=v\n", ""),
	"INI: a value of lines":       Between("[s]\nk=v\n", " x\n", ""),
	"TOML: dotted":                Between("", "a.", "a=1"),
	"TOML: dotted, all others":    Count("", "a.k%d=1\n", ""),
	"TOML: tables":                Count("", "[t.k%d]\n", ""),
	"TOML: arrays of tables":      Repeat("[[t]]\n"),
	"TOML: a deep table":          Between("[", "a.", "a]\n"),
	"TOML: inline":                Nest("a=", "{a=", "1", "}", "\n"),
	"TOML: long strings":          Repeat("'''"),
	"YAML: keys":                  Count("", "k%d: v\n", ""),
	"YAML: lists":                 Repeat("- "),
	"YAML: list":                  Repeat("- a\n"),
	"YAML: maps in a line":        Repeat("? "),
	"YAML: flow":                  Repeat("{a: "),
	"YAML: anchors":               Count("", "k%d: &a%d x\n", ""),
	"YAML: aliases":               Count("a0: &a0 [x,x]\n", "a1%d: &a%d [*a0,*a0]\n", ""),
	"YAML: tags":                  Repeat("!!a "),
	"YAML: documents":             Repeat("---\n"),
	"YAML: a text":                Between("a: |\n", "  x\n", ""),
	"XML: elements":               Between("<settings>", "<a/>", "</settings>"),
	"XML: deep":                   Nest("", "<settings>", "", "</settings>", ""),
	"XML: open":                   Repeat("<a>"),
	"XML: attributes":             Count("<a ", `b%d="" `, "/>"),
	"XML: references":             Between("<a>", "&amp;", "</a>"),
	"XML: a document type":        Count("<!DOCTYPE a [", `<!ENTITY e%d "&e0;&e0;">`, "]><a>&e9;</a>"),
	"XML: comments":               Repeat("<!-- -->"),
	"XML: a comment":              Between("<!--", " -", ""),
	"XML: a section":              Between("<a><![CDATA[", "]]", ""),
	"XML: texts":                  Between("<a>", "x<b/>", "</a>"),
	"HTTP: parameters":            Count("Bearer ", `k%d="v",`, `realm="x"`),
	"HTTP: schemes":               Repeat("Basic, "),
	"git: lines":                  Repeat("host=example.com\n"),
	"PEM: beginnings":             Repeat("-----BEGIN A-----\n"),
	"PEM: a block":                Between("-----BEGIN RSA PRIVATE KEY-----\n", "AAAA", "\n-----END RSA PRIVATE KEY-----\n"),
	"netrc: machines":             Count("", "machine h%d.test login a password b\n", ""),
	"netrc: one machine":          Repeat("machine example.com login a\n"),
	"netrc: macros":               Repeat("macdef a\nb\n\n"),
	"Bazel: helpers":              Count("", "common --credential_helper=h%d.test=credential-helper\n", ""),
	"Bazel: one helper":           Repeat("common --credential_helper=a.test=credential-helper\n"),
	"Bazel: configs":              Count("", "common:c%d --config=c%d\n", ""),
	"Bazel: imports":              Count("", "try-import f%d\n", ""),
	"Starlark: strings":           Repeat(`"a",`),
	"Starlark: URLs":              Count("", "\"https://h%d.test/\",\n", ""),
	"Starlark: a string of lines": Between(`"""`, "\n", ""),
	"URLs in a line":              Between("registry = ", "https://a.test/", ""),
}

// deeper is lines, each indented by one more than the one before.
func deeper(n int) string {
	var b strings.Builder
	for i := 0; b.Len()+i+4 <= n; i++ {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

const (
	defaultMemory = 200
	freeMemory    = 2 << 20
	freeTime      = 50 * time.Millisecond
	freeTold      = 4 << 10
	// maxStack is how many bytes deep a parser may go. A goroutine that goes deeper than a gigabyte ends the process, and nothing catches that.
	maxStack = 16 << 20
	attempts = 5
)

// Check holds p to its bounds. Twice the text may take three times the time, and a twentieth of a second counts for nothing.
// Of a parser that is quicker than that at its limit no more is asked. An error is no longer than three times the text, and four kilobytes.
func (p Parser) Check(t *testing.T) {
	t.Helper()
	if len(p.Refusal) > 0 {
		err := p.Parse(strings.Repeat(" ", p.Limit-1) + "{}")
		for _, words := range p.Refusal {
			if err == nil || !strings.Contains(err.Error(), words) {
				t.Errorf("%d bytes: the error is %v, and does not say %q", p.Limit+1, err, words)
			}
		}
	}
	for name, shape := range Shapes {
		if format, _, one := strings.Cut(name, ": "); !one || format == p.Format {
			if problem := p.problem(shape); problem != "" {
				t.Errorf("%s: %s", name, problem)
			}
		}
	}
	for name, shape := range p.Shapes {
		problem := p.shorter(shape)
		if problem == "" {
			problem = p.problem(shape)
		}
		if problem != "" {
			t.Errorf("%s: %s", name, problem)
		}
	}
}

func (p Parser) memory() int {
	if p.Memory == 0 {
		return defaultMemory
	}
	return p.Memory
}

// shorter is like problem, for parts of a shape, which cost no more than the whole may: a bound of the parser's own may spare it what is longer.
func (p Parser) shorter(shape Shape) string {
	if raced {
		return ""
	}
	for _, part := range []int{5, 16, 32, 64, 80} {
		if c := p.cost(shape(p.Limit / part)); c.allocated > p.memory()*p.Limit+freeMemory {
			return fmt.Sprintf("%d bytes allocate %d", p.Limit/part, c.allocated)
		}
	}
	return ""
}

// problem tells which bound a shape leads out of; "" for none. What is measured once and is too much may be what else the process did.
func (p Parser) problem(shape Shape) (problem string) {
	if raced {
		p.cost(shape(p.Limit / 32))
		return ""
	}
	memory := p.memory()
	text := shape(p.Limit)
	if len(text) > p.Limit {
		return fmt.Sprintf("it has %d bytes, and the limit is %d", len(text), p.Limit)
	}
	took, half := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
	for range attempts {
		c := p.cost(text)
		took = min(took, c.took)
		switch {
		case c.told > 3*len(text)+freeTold:
			return fmt.Sprintf("the error for %d bytes has %d", len(text), c.told)
		case c.allocated > memory*len(text)+freeMemory:
			problem = fmt.Sprintf("%d bytes allocate %d, %d for each", len(text), c.allocated, c.allocated/len(text))
			continue
		case c.stack > maxStack:
			problem = fmt.Sprintf("%d bytes take %d of stack", len(text), c.stack)
			continue
		case took <= freeTime:
			return ""
		}
		// Each is measured as often: the least of several is what it takes, and the rest what came in between.
		if half = min(half, p.cost(shape(p.Limit/2)).took); took <= 3*half+freeTime {
			return ""
		}
		problem = fmt.Sprintf("%d bytes take %s, and half of that takes %s", len(text), took, half)
	}
	return problem
}

// A cost is what a text took.
type cost struct {
	took             time.Duration // of processors
	allocated, stack int           // in bytes
	told             int           // the length of the error
}

// cost parses a text. Garbage is collected before, and not meanwhile, as far as there is room: its collector works when it will,
// and for all that the process has.
func (p Parser) cost(text string) (c cost) {
	runtime.GC()
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(1 << 30))
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	var before, after runtime.MemStats
	done := make(chan struct{})
	go func() { // whose stack is small at first
		defer close(done)
		runtime.ReadMemStats(&before)
		start := processorTime()
		if err := p.Parse(text); err != nil {
			c.told = len(err.Error())
		}
		c.took = processorTime() - start
		runtime.ReadMemStats(&after)
	}()
	<-done
	c.allocated = int(after.TotalAlloc - before.TotalAlloc)
	c.stack = int(after.StackInuse) - int(before.StackInuse)
	return c
}
