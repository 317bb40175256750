package main

import (
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// What concerns terminals is in this file. A program that reads what we print gets the words alone: colours, and columns
// padded with spaces, are for people.

// A style dresses words for a terminal. The zero style leaves them as they are.
type style struct {
	terminal bool // columns are aligned
	colour   bool
}

// style returns the style for what is written to w, which is standard output or standard error.
func (a *app) style(w io.Writer) style {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return style{}
	}
	return styleFor(a.env.Var, func() bool { return takesEscapes(f) })
}

// styleFor is the style for a terminal: https://no-color.org, and TERM=dumb.
func styleFor(getenv func(string) string, takesEscapes func() bool) style {
	return style{terminal: true, colour: getenv("NO_COLOR") == "" && getenv("TERM") != "dumb" && takesEscapes()}
}

func (s style) bold(text string) string { return s.dress("1", text) }
func (s style) dim(text string) string  { return s.dress("2", text) }

func (s style) red(text string) string    { return s.dress("31", text) }
func (s style) green(text string) string  { return s.dress("32", text) }
func (s style) yellow(text string) string { return s.dress("33", text) }

func (s style) dress(code, text string) string {
	if !s.colour || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// table returns rows of two columns, one a line: aligned on a terminal, and with a tab between them elsewhere.
// The first column may be dressed; lines of a cell after its first are put below that.
func (s style) table(rows [][2]string) string {
	width := 0
	for _, r := range rows {
		width = max(width, columns(r[0]))
	}
	var b strings.Builder
	for _, r := range rows {
		if !s.terminal {
			b.WriteString(r[0] + "\t" + strings.ReplaceAll(r[1], "\n", " ") + "\n")
			continue
		}
		indent := "\n" + strings.Repeat(" ", width+2)
		b.WriteString(r[0] + strings.Repeat(" ", width-columns(r[0])+2) + strings.ReplaceAll(r[1], "\n", indent) + "\n")
	}
	return b.String()
}

// columns is how wide a dressed text is on a terminal, where its characters are one column wide each.
func columns(text string) int {
	n := 0
	for text != "" {
		before, escape, found := strings.Cut(text, "\x1b[")
		n += utf8.RuneCountInString(before)
		if !found {
			break
		}
		_, text, _ = strings.Cut(escape, "m")
	}
	return n
}
