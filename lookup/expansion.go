package lookup

import (
	"fmt"
	"strings"
)

// maxExpanded is the size in bytes above which a text of a file does not grow by the variables that stand in it: it is that of no login and of no URL.
// A variable of some kilobytes may stand in a small file many thousand times.
const maxExpanded = 64 << 10

// An expansion is a text of a file into which variables are put. It keeps maxExpanded bytes of what variables hold, and of the file's own text all.
type expansion struct {
	strings.Builder
	put  int
	over bool
}

// variable puts the value of a variable in.
func (e *expansion) variable(value string) {
	if e.put += len(value); e.put > maxExpanded {
		e.over = true
		return
	}
	e.WriteString(value)
}

// errTooLong says of the text at a place of a file that it is too long with its variables.
func errTooLong(where string) error {
	return fmt.Errorf("reading %s: with its variables put in, a value is longer than %d bytes", where, maxExpanded)
}
