package main

import (
	"slices"
	"strconv"
	"strings"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/suggest"
)

// A line is a command line taken apart: the flags may stand anywhere among the arguments, up to "--".
type line struct {
	command *command
	flags   map[string][]string // a flag without a value has ""
	args    []string
}

// has reports whether a flag was given.
func (l *line) has(name string) bool { return len(l.values(name)) > 0 }

// value is what a flag was given last, or "".
func (l *line) value(name string) string {
	if all := l.values(name); len(all) > 0 {
		return all[len(all)-1]
	}
	return ""
}

// values are those that a flag was given. To ask for a flag that the command does not declare is a mistake of the program.
func (l *line) values(name string) []string {
	if _, ok := l.command.option(name); !ok {
		panic("no flag --" + name + " is declared for " + l.command.name)
	}
	return l.flags[name]
}

// arg is the argument at a place, or "".
func (l *line) arg(i int) string {
	if i < len(l.args) {
		return l.args[i]
	}
	return ""
}

// parse takes the arguments of a command apart, and refuses those that it does not declare.
func (a *app) parse(name string, args []string) (*line, error) {
	c, err := findCommand(name)
	if err != nil {
		return nil, err
	}
	l, err := c.parse(args)
	if err == nil {
		err = l.check()
	}
	if err != nil {
		return nil, helpers.WithHint(err, "credential-helper help %s shows what it takes", name)
	}
	return l, nil
}

// parse takes arguments apart. Where it fails, the line has what came before.
func (c *command) parse(args []string) (*line, error) {
	l := &line{command: c, flags: map[string][]string{}}
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		if arg == "--" {
			l.args = append(l.args, args...)
			break
		}
		if len(arg) < 2 || arg[0] != '-' {
			l.args = append(l.args, arg)
			continue
		}
		name, value, given := strings.Cut(strings.TrimPrefix(arg[1:], "-"), "=")
		f, ok := c.option(name)
		switch {
		case !ok:
			return l, usagef("%s has no flag %s%s", c.name, redact.Quote("--"+name, 40), c.nearestFlag(name))
		case f.value == "":
			if given {
				on, err := strconv.ParseBool(value)
				if err != nil {
					return l, usagef("%s: --%s takes no value", c.name, f.name)
				}
				if !on {
					delete(l.flags, f.name)
					continue
				}
			}
			value = ""
		case !given:
			if len(args) == 0 {
				return l, usagef("%s: --%s needs a value: %s", c.name, f.name, f)
			}
			value, args = args[0], args[1:]
		}
		l.flags[f.name] = append(l.flags[f.name], value)
	}
	return l, nil
}

// check refuses what no run of the command could use.
func (l *line) check() error {
	c := l.command
	for i, f := range c.flags {
		if len(l.flags[f.name]) > 1 && f.value != "" && !f.many {
			return usagef("%s takes --%s once", c.name, f.name)
		}
		for before := i; c.flags[before].or && before > 0; {
			before--
			if other := c.flags[before]; len(l.flags[f.name]) > 0 && len(l.flags[other.name]) > 0 {
				return usagef("%s takes --%s or --%s, not both", c.name, other.name, f.name)
			}
		}
	}
	rest := l.args
	if len(c.words) > 0 {
		known := names(c.words)
		list := strings.Join(known, ", ")
		if len(known) > 1 {
			list = "one of " + list
		}
		switch {
		case len(rest) == 0:
			return usagef("%s takes %s", c.name, list)
		case !slices.Contains(known, rest[0]):
			return usagef("%s takes %s, not %q%s", c.name, list, redact.Quote(rest[0], 40), suggest.DidYouMean(rest[0], known))
		}
		rest = rest[1:]
	}
	least, most := c.arity()
	switch {
	case len(rest) > most && most == 0 && len(c.words) > 0:
		return usagef("%s %s takes no arguments%s", c.name, l.args[0], c.onlyFlags())
	case len(rest) > most && most == 0:
		return usagef("%s takes no arguments%s", c.name, c.onlyFlags())
	case len(rest) != 1 && least == 1 && most == 1:
		return usagef("%s takes one %s", c.name, c.args)
	case len(rest) > most && most == 1:
		return usagef("%s takes one %s at most", c.name, strings.Trim(c.args, "[]"))
	case len(rest) < least, len(rest) > most:
		return usagef("%s takes %s", c.name, c.args)
	}
	return nil
}

func (c *command) onlyFlags() string {
	if len(c.shown()) == 0 {
		return ""
	}
	return ", only flags"
}

// arity is how many arguments a command takes, beside its word.
func (c *command) arity() (least, most int) {
	for _, arg := range strings.Fields(c.args) {
		if !strings.HasPrefix(arg, "[") {
			least++
		}
		if most++; strings.HasSuffix(arg, "…") {
			return least, 1 << 30
		}
	}
	return least, most
}

// option finds a flag by its name.
func (c *command) option(name string) (option, bool) {
	i := slices.IndexFunc(c.flags, func(f option) bool { return f.name == name })
	if i < 0 {
		return option{}, false
	}
	return c.flags[i], true
}

// nearestFlag suggests the flag that a mistyped one was meant to be.
func (c *command) nearestFlag(name string) string {
	var known []string
	for _, f := range c.shown() {
		known = append(known, "--"+f.name)
	}
	if len(known) == 0 {
		return ": it takes none"
	}
	return suggest.DidYouMean("--"+name, known)
}

// wantsHelp reports whether a flag among a command's arguments asks for its help.
func (c *command) wantsHelp(args []string) bool {
	for i := 0; i < len(args) && args[i] != "--"; i++ {
		if isHelpFlag(args[i]) {
			return true
		}
		if name := strings.TrimLeft(args[i], "-"); name != args[i] {
			if f, ok := c.option(name); ok && f.value != "" {
				i++ // its value
			}
		}
	}
	return false
}

func isHelpFlag(arg string) bool { return arg == "-h" || arg == "-help" || arg == "--help" }
