package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/internal/peertest"
)

// A shellBlock is a block of shell in a page. Before it stands a comment that says what becomes of it in this test:
//
//	<!-- test: SETUP [VARIABLE=VALUE...] -->  it is run, in a world that the setup makes (docSetups)
//	<!-- part of: COMMAND -->                 it is what a command of the repository prints, or a part of that
//	<!-- not run: REASON -->                  it is not
//
// A block "sh" or "bash" is a script, which has to succeed. In a block "console" the lines that begin with "$ " are commands, and those below each are what it prints,
// on standard output and standard error; a command with nothing below has to succeed and be silent. There "…" stands for any text in a line,
// and a line of nothing else for any lines. Ports of loopback, times and durations are not compared.
type shellBlock struct {
	page    string
	line    int // of the fence
	heading string
	shell   string // "sh", "bash" or "console"
	text    string

	setup          string
	variables      []string
	partOf, notRun string
}

var (
	blockFence   = regexp.MustCompile("^```(\\w*)$")
	testComment  = regexp.MustCompile(`^<!-- test: ([\w-]+)((?: [A-Z_]+=\S*)*) -->$`)
	otherComment = regexp.MustCompile(`^<!-- (part of|not run): (.+?)(?: -->|$)`)
)

// shellBlocks returns the blocks of a page that are shell.
func shellBlocks(page, text string) (blocks []shellBlock, err error) {
	var last, heading string // last is the last line outside of a block that is not empty
	var mistakes []error
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		m := blockFence.FindStringSubmatch(lines[i])
		if m == nil {
			if lines[i] != "" {
				last = lines[i]
			}
			if strings.HasPrefix(lines[i], "#") {
				heading = strings.TrimLeft(lines[i], "# ")
			}
			continue
		}
		b := shellBlock{page: page, line: i + 1, heading: heading, shell: m[1]}
		for i++; i < len(lines) && lines[i] != "```"; i++ {
			b.text += lines[i] + "\n"
		}
		comment := last
		last = ""
		if !slices.Contains([]string{"sh", "bash", "console"}, b.shell) {
			continue
		}
		if t := testComment.FindStringSubmatch(comment); t != nil {
			b.setup, b.variables = t[1], strings.Fields(t[2])
		} else if o := otherComment.FindStringSubmatch(comment); o == nil {
			mistakes = append(mistakes, fmt.Errorf("%s:%d: nothing says whether this block of shell is tested: put <!-- test: SETUP --> on a line before it, where SETUP is one of %s (see docSetups), or <!-- not run: REASON -->",
				page, b.line, strings.Join(slices.Sorted(maps.Keys(docSetups)), ", ")))
			continue
		} else if o[1] == "part of" {
			b.partOf = o[2]
		} else {
			b.notRun = o[2]
		}
		if _, ok := docSetups[b.setup]; b.setup != "" && !ok {
			mistakes = append(mistakes, fmt.Errorf("%s:%d: there is no setup %s; there are %s (see docSetups)", page, b.line, b.setup, strings.Join(slices.Sorted(maps.Keys(docSetups)), ", ")))
			continue
		}
		blocks = append(blocks, b)
	}
	return blocks, errors.Join(mistakes...)
}

// TestDocumentedShell runs the blocks of shell in the README and the docs.
func TestDocumentedShell(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the pages show a Linux machine")
	}
	n := 0
	for path, text := range pages(t) {
		page := filepath.ToSlash(strings.TrimPrefix(path, filepath.Join("..", "..")+string(filepath.Separator)))
		blocks, err := shellBlocks(page, text)
		if err != nil {
			t.Error(err)
		}
		for _, b := range blocks {
			if b.notRun != "" {
				continue
			}
			n++
			t.Run(fmt.Sprintf("%s:%d", b.page, b.line), func(t *testing.T) {
				for _, program := range []string{"curl", "docker"} {
					if runsProgram(b.text, program) {
						peertest.Require(t, program, "apt-get install "+program)
					}
				}
				if b.partOf != "" {
					testPart(t, b)
					return
				}
				w := newDocWorld(t, docSetups[b.setup])
				for _, v := range b.variables {
					name, value, _ := strings.Cut(v, "=")
					w.env = slices.DeleteFunc(w.env, func(e string) bool { return strings.HasPrefix(e, name+"=") })
					if value != "" {
						w.env = append(w.env, v)
					}
				}
				if b.shell == "console" {
					w.transcript(b)
					return
				}
				if r := w.run(b.shell, b.text+w.after); r.Code != 0 {
					t.Errorf("below %q: exit status %d\n%s", b.heading, r.Code, r.Stdout)
				}
			})
		}
	}
	if n < 8 {
		t.Errorf("found only %d blocks to run", n)
	}
}

// runsProgram reports whether a block runs a program that may be missing, by itself or through an example.
func runsProgram(text, program string) bool {
	return regexp.MustCompile(`(?m)^(\$ )?`+program+` `).MatchString(text) || program == "curl" && strings.Contains(text, "fetch.sh")
}

// testPart compares a block with what a command of the repository prints.
func testPart(t *testing.T, b shellBlock) {
	t.Helper()
	r := peertest.Run(t, filepath.Join("..", ".."), nil, []string{"sh", "-c", b.partOf}, "")
	w := &docWorld{t: t, home: docHome}
	if got, want := w.normalise(r.Stdout), w.normalise(b.text); r.Code != 0 || !transcriptPattern(want).MatchString(got+"\n") {
		t.Errorf("%s prints (exit status %d, %s)\n%s\nand the page has\n%s", b.partOf, r.Code, r.Stderr, got, want)
	}
}

// run runs a script in the workspace, both its outputs in one.
func (w *docWorld) run(shell, script string) peertest.Result {
	w.t.Helper()
	return peertest.Run(w.t, w.workspace, w.env, []string{peertest.Require(w.t, shell, "apt-get install "+shell), "-e", "-c", "exec 2>&1\n" + script}, "")
}

// transcript runs the commands of a block, and compares what they print.
func (w *docWorld) transcript(b shellBlock) {
	w.t.Helper()
	type step struct{ command, want string }
	var steps []step
	for line := range strings.Lines(b.text) {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			steps = append(steps, step{command: command})
			continue
		}
		if len(steps) == 0 {
			w.t.Fatalf("the block begins with %q, which is no command", line)
		}
		steps[len(steps)-1].want += line
	}
	// All commands share a shell, so that they share its variables. What ends the output of each is no text that a command prints.
	const end = "\x1e"
	script := "set +e\n"
	for _, s := range steps {
		script += s.command + "printf '" + end + "%s" + end + "' $?\n"
	}
	parts := strings.Split(w.run("sh", script+w.after).Stdout, end)
	for i, s := range steps {
		if 2*i+1 >= len(parts) {
			w.t.Fatalf("%s: the shell ended", s.command)
		}
		got, status := w.normalise(parts[2*i]), parts[2*i+1]
		want := w.normalise(strings.TrimRight(s.want, "\n"))
		if want == "" && (got != "" || status != "0") || !matchTranscript(want, got) {
			w.t.Errorf("%s:%d\n$ %sprints (exit status %s)\n%s\nand the page has\n%s", b.page, b.line, s.command, status, got, want)
		}
	}
	if rest := parts[len(parts)-1]; strings.TrimSpace(rest) != "" {
		w.t.Errorf("after the block: %s", rest)
	}
}

// matchTranscript reports whether an output is what a page has, in which "…" stands for what is not told.
func matchTranscript(want, got string) bool {
	at := transcriptPattern(want).FindStringIndex(got + "\n")
	return at != nil && at[0] == 0 && at[1] == len(got)+1
}

func transcriptPattern(want string) *regexp.Regexp {
	var pattern strings.Builder
	for line := range strings.SplitSeq(want, "\n") {
		if strings.TrimSpace(line) == "…" {
			pattern.WriteString(`(?:[^\n]*\n)*`)
			continue
		}
		pattern.WriteString(strings.ReplaceAll(regexp.QuoteMeta(line), "…", `[^\n]*`) + "\n")
	}
	return regexp.MustCompile("(?m)^" + pattern.String())
}

var variableParts = []struct {
	pattern *regexp.Regexp
	with    string
}{
	// The servers of these pages are reached through a proxy of the test's, which a user does not have.
	{regexp.MustCompile(`(?m)^proxy .*127\.0\.0\.1:\d+.*\n`), ""},
	{regexp.MustCompile(`, by way of the proxy 127\.0\.0\.1:\d+`), ""},
	{regexp.MustCompile(`(127\.0\.0\.1|localhost):\d+`), "$1:PORT"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ|\b\d\d:\d\d:\d\d\b`), "TIME"},
	{regexp.MustCompile(`\b(\d+h)?(\d+m)?\d+(\.\d+)?m?s\b|\b\d+ (s|min|h)\b`), "DURATION"},
	{regexp.MustCompile(`[ \t]+\n`), "\n"},
}

// normalise takes out of a text what differs between two runs, or between this machine and the pages'.
func (w *docWorld) normalise(text string) string {
	text = strings.ReplaceAll(text, w.home, docHome)
	for _, v := range variableParts {
		text = v.pattern.ReplaceAllString(text, v.with)
	}
	return strings.TrimRight(text, "\n")
}

// TestShellBlocks is about the comments, and about transcripts.
func TestShellBlocks(t *testing.T) {
	const fence = "```"
	for text, want := range map[string]string{
		fence + "sh\necho\n" + fence + "\n":                                                      "a.md:1: nothing says whether this block of shell is tested",
		"<!-- test: clean -->\n\n" + fence + "sh\n" + fence + "\n" + fence + "sh\n" + fence:      "a.md:5: nothing says",
		"<!-- test: nonesuch -->\n" + fence + "console\n$ x\n" + fence:                           "a.md:2: there is no setup nonesuch; there are ",
		"<!-- test: clean A=b C= -->\n" + fence + "sh\n" + fence:                                 "",
		"<!-- not run: it takes a day -->\n" + fence + "bash\n" + fence:                          "",
		fence + "json\n{}\n" + fence + "\n" + fence + "\ncommon --x\n" + fence + "\n# title\n\n": "",
	} {
		_, err := shellBlocks("a.md", text)
		if got := fmt.Sprint(err); want == "" && err != nil || want != "" && !strings.HasPrefix(got, want) {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	for _, tt := range []struct {
		want, got string
		matches   bool
	}{
		{"a", "a", true},
		{"a", "b", false},
		{"a", "a\nb", false},
		{"a … c", "a b c", true},
		{"a … c", "a b\n c", false},
		{"a\n…", "a\nb\nc", true},
		{"a\n…", "a", true},
		{"…\nc", "a\nb\nc", true},
		{"a.c", "abc", false},
	} {
		if got := matchTranscript(tt.want, tt.got); got != tt.matches {
			t.Errorf("%q matches %q: %t", tt.want, tt.got, got)
		}
	}
}

// write writes a file below the home directory.
func (w *docWorld) write(name, text string) {
	w.t.Helper()
	path := filepath.Join(w.home, filepath.FromSlash(name))
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = os.WriteFile(path, []byte(text), 0o600)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}
