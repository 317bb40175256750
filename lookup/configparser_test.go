package lookup

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/internal/peertest"
)

// pyFiles are texts in which Python's reader has its own way.
var pyFiles = []string{
	"", "\n", "[a]", "[a]\nb=c", "[a]\nb:c", "[a]\nb = c = d : e", "[a]\nB_c = x", "[a]\n b = c\n d = e", "[a]\nb =\n  c\n  d\ne = f", "[a]\nb =\n  c\n\n  d\n\n\ne=f",
	"[a]\nb = c\n  # comment\n  d\n; comment\n  e", "[a]\nb = c # no comment", "[a]\nb = c ; no comment", "# x\n[a]\n# y\nb = c", "[a]\r\nb = c\r\n d\r\n", "[a]\rb=c\r d",
	"[a] junk\nb=c", "[a]b]\nc=d", "[]\nb=c", "[", "[a]\n[b", "[a]\n[b\nc=d", "[a]\n=c", "[a]\nb", "b=c", "[a]\nb=c\nb=d", "[a]\nb=c\nB=d", "[a]\n[a]", "[a]\nb=1\n[c]\nb=2",
	"[DEFAULT]\nb=c\n[a]\nd=e", "[DEFAULT]\nb=c\n[DEFAULT]\nd=e\n[a]", "[DEFAULT]\nb=c\n[DEFAULT]\nb=e", "[a]\nb=1\n[DEFAULT]\nb=2\nc=3", "[a]\nb = 'c'\nd = \"e\"", "[a]\nb = %(c)s ${d} %",
	"[a]\nb = `c\nd = \"\"\"e\nf = g\\\nh = i", "[a]\n\tb = c\n\t\td\n\te = f", "  [a]\n  b = c\n  [d]\ne = f", "[a]\nb = c\n [d]\ne = f", "[a]\n  b = c\n d = e", "[a]\nb\x1c = c\x1c\n\x1c d", "[a]\nb = \u00a0c\u00a0\n\u00a0d",
	"[a]\nb =\n\n\n", "[a]\nb=c\n\n[d]\n\ne=f\n", "[a]\n\n  b = c", "[a.b]\nc=d\n[a]\ne=f", "[a]\n- = b\n-=c", "[a]\nb=c\n=d", "x", "[a]\nb : = c", "[a]\n[ b ]\nc=d", "[a]\nÄ = ö",
}

// A pyResult is a file as comparable text: section → option → value, or the line of what is wrong with it.
type pyResult struct {
	Sections map[string]map[string]string
	Line     int
}

func pyRead(t *testing.T, text string) pyResult {
	t.Helper()
	f, err := parsePython("f", []byte(text))
	if err != nil {
		return pyResult{Line: lineOf(err.Error())}
	}
	r := pyResult{Sections: map[string]map[string]string{}}
	for _, s := range f.sections {
		options := map[string]string{}
		for _, all := range []map[string]*pyOption{f.defaults.options, s.options} {
			for name := range all {
				options[name], _ = f.get(f.section(s.name), name)
			}
		}
		r.Sections[s.name] = options
	}
	return r
}

// lineOf returns the number between the first two colons.
func lineOf(text string) (n int) {
	_, rest, _ := strings.Cut(text, ":")
	for _, c := range rest {
		if c < '0' || c > '9' {
			break
		}
		n = 10*n + int(c-'0')
	}
	return n
}

const pyProgram = `
import configparser, io, json, sys
def read(text):
    p = configparser.RawConfigParser()
    try:
        # As a file that is opened does it.
        p.read_file(io.TextIOWrapper(io.BytesIO(text.encode())))
    except configparser.ParsingError as e:
        return {"Line": e.errors[0][0] if getattr(e, "errors", None) else e.lineno}
    except configparser.Error as e:
        return {"Line": e.lineno}
    return {"Sections": {s: dict(p.items(s)) for s in p.sections()}}
json.dump([read(text) for text in json.load(sys.stdin)], sys.stdout)
`

// TestConfigparserAgrees compares with what Python itself reads.
func TestConfigparserAgrees(t *testing.T) {
	python := peertest.Require(t, "python3", "apt-get install python3")
	input, err := json.Marshal(pyFiles)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "-I", "-X", "utf8", "-c", pyProgram)
	cmd.Stdin = bytes.NewReader(input)
	output, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var want []pyResult
	if err := json.Unmarshal(output, &want); err != nil {
		t.Fatal(err)
	}
	for i, text := range pyFiles {
		got := pyRead(t, text)
		g, _ := json.Marshal(got)
		w, _ := json.Marshal(want[i])
		if string(g) != string(w) {
			t.Errorf("%q:\n   we read %s\nit reads %s", text, g, w)
		}
	}
}

func TestConfigparserErrors(t *testing.T) {
	for text, want := range map[string]string{
		canary + " = x":                      "reading f:1: there is no [section] above it",
		"[a]\n" + canary:                     "reading f:2: it is neither a [section] nor NAME = VALUE",
		"[a]\n\n= " + canary:                 "reading f:3: there is no name before the value",
		"[a]\nb=" + canary + "\nB: x":        "reading f:3: the section has an option of that name already",
		"[" + canary + "]\n[" + canary + "]": "reading f:2: there is a section of that name already",
		"\xef\xbb\xbf[a]":                    "reading f:1: the file begins with a byte order mark",
		"[a]\nb=\xff":                        "reading f: it is not UTF-8",
	} {
		if _, err := parsePython("f", []byte(text)); sprint(err) != want {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

// FuzzConfigparser holds that no error quotes the file, that what is read of it stands in it, and that none takes long.
func FuzzConfigparser(f *testing.F) {
	for _, text := range pyFiles {
		f.Add(text)
	}
	f.Add("[a]\nb=c\n" + strings.Repeat(" d\n", 1000))
	f.Add("[" + canary + "]\n" + canary)
	f.Fuzz(func(t *testing.T, text string) {
		start := time.Now()
		file, err := parsePython("f", []byte(text))
		if err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("%q: the secret is in the error: %v", text, err)
		}
		if err == nil {
			for _, s := range file.sections {
				for name := range s.options {
					value, line := file.get(s, name)
					if line < 1 || !strings.Contains(text, strings.Split(value, "\n")[0]) {
						t.Errorf("%q: %q of [%s] is %q at line %d", text, name, s.name, value, line)
					}
				}
			}
		}
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("%d bytes take %v", len(text), d)
		}
	})
}
