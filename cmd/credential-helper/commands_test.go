package main

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestCommandsAreDeclared holds that what is said of a command is said once, and is fit for help, completions and the manual page.
func TestCommandsAreDeclared(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range commands() {
		t.Run(c.name, func(t *testing.T) {
			if seen[c.name] || c.run == nil || !slices.Contains(groups[:], c.group) {
				t.Errorf("%+v", c)
			}
			seen[c.name] = true
			if c.summary == "" || c.summary != strings.ToLower(c.summary[:1])+c.summary[1:] || strings.HasSuffix(c.summary, ".") {
				t.Errorf("summary %q", c.summary)
			}
			if c.help != "" && !strings.HasSuffix(c.help, "\n") || strings.Contains(c.help, "\n  -") || strings.Contains(c.help, "Example") {
				t.Errorf("help %q", c.help)
			}
			for line := range strings.Lines(c.example) {
				if !strings.HasPrefix(line, "  $ ") || !strings.HasSuffix(line, "\n") {
					t.Errorf("example %q", line)
				}
			}
			flags := map[string]bool{"h": true, "help": true}
			for i, f := range c.flags {
				if flags[f.name] || f.help == "" && !f.hidden || f.or && i == 0 || f.value != strings.ToUpper(f.value) || strings.HasPrefix(f.name, "-") {
					t.Errorf("flag %+v", f)
				}
				flags[f.name] = true
			}
			if len(c.words) > 1 && slices.ContainsFunc(c.words, func(w word) bool { return w.help == "" }) {
				t.Errorf("a word without a help: %v", c.words)
			}
		})
	}
}

func TestParseLine(t *testing.T) {
	c := &command{name: "do", words: []word{{"one", "1"}, {"other", "2"}}, args: "[FILE]", flags: []option{
		{name: "name", value: "NAME"},
		{name: "host", value: "HOST", many: true},
		{name: "read"},
		{name: "clear", or: true},
		{name: "drop", or: true},
	}}
	for _, tt := range []struct {
		line  string
		args  []string
		flags map[string][]string
		err   string
	}{
		{line: "one", args: []string{"one"}},
		{line: "one file --read", args: []string{"one", "file"}, flags: map[string][]string{"read": {""}}},
		{line: "--read one -name x", args: []string{"one"}, flags: map[string][]string{"read": {""}, "name": {"x"}}},
		{line: "--name=x=y one --host a --host=b", args: []string{"one"}, flags: map[string][]string{"name": {"x=y"}, "host": {"a", "b"}}},
		{line: "--name= one", args: []string{"one"}, flags: map[string][]string{"name": {""}}},
		{line: "--name --read one", args: []string{"one"}, flags: map[string][]string{"name": {"--read"}}},
		{line: "--read --read=false one", args: []string{"one"}},
		{line: "one -- --read", args: []string{"one", "--read"}},
		{line: "one -", args: []string{"one", "-"}},
		{line: "", err: "do takes one of one, other"},
		{line: "oen", err: `do takes one of one, other, not "oen" (did you mean "one"?)`},
		{line: "one a b", err: "do takes one FILE at most"},
		{line: "one --name", err: "do: --name needs a value: --name NAME"},
		{line: "one --name a --name b", err: "do takes --name once"},
		{line: "one --read --clear", err: "do takes --read or --clear, not both"},
		{line: "one --read --drop", err: "do takes --read or --drop, not both"},
		{line: "one --raed", err: `do has no flag --raed (did you mean "--read"?)`},
		{line: "one ---read", err: `do has no flag ---read`},
	} {
		t.Run(tt.line, func(t *testing.T) {
			l, err := c.parse(strings.Fields(tt.line))
			if err == nil {
				err = l.check()
			}
			if err != nil || tt.err != "" {
				if err == nil || !strings.HasPrefix(err.Error(), tt.err) {
					t.Errorf("error %v, want %s", err, tt.err)
				}
				return
			}
			if tt.flags == nil {
				tt.flags = map[string][]string{}
			}
			if !slices.Equal(l.args, tt.args) || !reflect.DeepEqual(l.flags, tt.flags) {
				t.Errorf("%q %q", l.args, l.flags)
			}
		})
	}
}

func TestSynopsis(t *testing.T) {
	a, b := option{name: "a", value: "X", many: true}, option{name: "b"}
	c := option{name: "c", or: true}
	for want, cmd := range map[string]command{
		"do":                         {},
		"do one":                     {words: []word{{"one", ""}}},
		"do one | two":               {words: []word{{"one", ""}, {"two", ""}}},
		"do (one | two) [KEY]":       {words: []word{{"one", ""}, {"two", ""}}, args: "[KEY]"},
		"do [--a X]… [--b | --c] IT": {flags: []option{a, b, c}, args: "IT"},
		"do [--b]":                   {flags: []option{b, {name: "secret", hidden: true}}},
	} {
		cmd.name = "do"
		if got := cmd.synopsis(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
