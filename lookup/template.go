package lookup

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/redact"
)

// Template returns the source for a value of a rule in which ${NAME} stands for an environment variable, and $${ for "${" itself.
// It is expanded when it is asked for. A variable that is not set, or empty, is an error that names it: it never becomes an empty secret.
//
// A text with a "${" that is not closed or does not name a variable is an error now.
func (s *Sources) Template(text string) (Source, error) {
	t := template{env: s.Env, text: text}
	_, err := t.expand(func(string) (string, error) { return "", nil })
	return t, err
}

type template struct {
	env  *env.Env
	text string
}

// Name is a variable's own where the value is that alone.
func (t template) Name() string {
	if name, ok := strings.CutPrefix(t.text, "${"); ok {
		if name, after, closed := strings.Cut(name, "}"); closed && after == "" && isVariableName(name) {
			return "$" + name
		}
	}
	return "the rule's own value"
}

func (template) HostBound() bool { return false }

// An UnsetError is returned where a value of a rule names a variable that is not set, or is empty.
type UnsetError struct{ Name, State string }

func (e *UnsetError) Error() string {
	return fmt.Sprintf("the rule's value uses ${%s}, and $%s is %s", e.Name, e.Name, e.State)
}

func (t template) Lookup(context.Context, Query) (Values, error) {
	value, err := t.expand(func(name string) (string, error) {
		value, ok := t.env.Get(name)
		if value == "" {
			state := "not set"
			if ok {
				state = "empty"
			}
			return "", helpers.WithHint(&UnsetError{name, state}, "export %s, or write $${ for a literal ${", name)
		}
		return value, nil
	})
	if err != nil {
		return nil, err
	}
	return Values{Default: redact.Hold(value)}, nil
}

func (t template) expand(variable func(name string) (string, error)) (string, error) {
	var out strings.Builder
	rest := t.text
	for {
		i := strings.Index(rest, "${")
		if i < 0 {
			out.WriteString(rest)
			return out.String(), nil
		}
		if i > 0 && rest[i-1] == '$' {
			out.WriteString(rest[:i-1] + "${")
			rest = rest[i+2:]
			continue
		}
		out.WriteString(rest[:i])
		name, after, closed := strings.Cut(rest[i+2:], "}")
		switch {
		case !closed:
			return "", errors.New("a ${ is not closed; write ${NAME}, or $${ for a literal ${")
		case !isVariableName(name):
			return "", errors.New("a ${…} does not name an environment variable; write ${NAME}, or $${ for a literal ${")
		}
		value, err := variable(name)
		if err != nil {
			return "", err
		}
		out.WriteString(value)
		rest = after
	}
}

func isVariableName(name string) bool {
	for i := range len(name) {
		c := name[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}
