package main

import (
	"fmt"
	"strings"

	"github.com/fe055d52/credential-helper/internal/ascii"
)

const helpCompletion = `Prints a script that has the shell complete commands, their words and their flags, with files where one is wanted.
`

const exampleCompletion = `  $ source <(credential-helper completion bash)
  $ credential-helper completion zsh > "${fpath[1]}/_credential-helper"
  $ credential-helper completion fish > ~/.config/fish/completions/credential-helper.fish
`

var wordsCompletion = []word{
	{"bash", "for bash, also that of macOS; to be sourced"},
	{"zsh", "for zsh; to be sourced, or a file of $fpath"},
	{"fish", "for fish; to be sourced, or a file in its completions directory"},
}

// completion prints a shell's completions.
func (a *app) completion(args []string) error {
	l, err := a.parse("completion", args)
	if err != nil {
		return err
	}
	switch l.arg(0) {
	case "bash":
		return a.write(completeBash(commands()))
	case "zsh":
		return a.write(completeZsh(commands()))
	default:
		return a.write(completeFish(commands()))
	}
}

// choices are the words that a command's argument may be: its own, or the commands for one that takes a COMMAND.
func (c *command) choices(all []command) []word {
	if strings.Trim(c.args, "[]") != "COMMAND" {
		return c.words
	}
	return describe(all)
}

// takesFile reports whether a value or argument is the name of a file.
func takesFile(value string) bool { return strings.Trim(value, "[]…") == "FILE" }

// flagNames are a command's flags as they are typed, with the one that all have.
func (c *command) flagNames() []string {
	var list []string
	for _, f := range c.shown() {
		list = append(list, "--"+f.name)
	}
	return append(list, "--help")
}

// completeBash writes for bash 3.2 and later: macOS has nothing newer.
func completeBash(all []command) string {
	var b strings.Builder
	b.WriteString(`# Completions of credential-helper for bash.

_credential_helper() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} flags= words= file= i
	COMPREPLY=()
	if [ "$COMP_CWORD" -eq 1 ]; then
`)
	fmt.Fprintf(&b, "\t\tCOMPREPLY=($(compgen -W %s -- \"$cur\"))\n", shellQuote(strings.Join(names(describe(all)), " ")))
	b.WriteString(`		return
	fi
	# --flag=value is three words to bash.
	if [ "$cur" = = ]; then
		cur=
	elif [ "$prev" = = ]; then
		prev=${COMP_WORDS[COMP_CWORD-2]}
	fi
	case ${COMP_WORDS[1]}$prev in
`)
	for _, c := range all {
		for _, f := range c.shown() {
			switch {
			case takesFile(f.value):
				fmt.Fprintf(&b, "\t%s--%s) file=1 ;;\n", c.name, f.name)
			case f.value != "":
				fmt.Fprintf(&b, "\t%s--%s) return ;;\n", c.name, f.name)
			}
		}
	}
	b.WriteString("\t*) case ${COMP_WORDS[1]} in\n")
	for _, c := range all {
		fmt.Fprintf(&b, "\t\t%s) flags=%s", c.name, shellQuote(strings.Join(c.flagNames(), " ")))
		if words := c.choices(all); len(words) > 0 {
			fmt.Fprintf(&b, " words=%s", shellQuote(strings.Join(names(words), " ")))
		}
		if takesFile(c.args) {
			b.WriteString(" file=1")
		}
		b.WriteString(" ;;\n")
	}
	b.WriteString(`		esac ;;
	esac
	case $cur in
	-*) COMPREPLY=($(compgen -W "$flags" -- "$cur")) ;;
	*)
		for ((i = 2; i < COMP_CWORD; i++)); do
			case " $words " in *" ${COMP_WORDS[i]} "*) words= ;; esac
		done
		COMPREPLY=($(compgen -W "$words" -- "$cur"))
		if [ -n "$file" ]; then
			local IFS=$'\n'
			COMPREPLY+=($(compgen -f -- "$cur"))
			compopt -o filenames 2>/dev/null
		fi
		;;
	esac
	return 0
}

complete -F _credential_helper credential-helper
`)
	return b.String()
}

// completeZsh writes for zsh's own completion system.
func completeZsh(all []command) string {
	var b strings.Builder
	b.WriteString(`#compdef credential-helper
# Completions of credential-helper for zsh.

_credential-helper() {
	local curcontext=$curcontext state state_descr line
	local -a choices
	local -A opt_args
	if ((CURRENT == 2)); then
`)
	zshDescribe(&b, "\t\t", "command", describe(all))
	b.WriteString(`		return
	fi
	local command=${words[2]}
	shift words
	((CURRENT--))
	case $command in
`)
	for _, c := range all {
		fmt.Fprintf(&b, "\t%s)\n\t\t_arguments -S", c.name)
		for i, f := range c.shown() {
			b.WriteString(" \\\n\t\t\t" + shellQuote(zshFlag(c.shown(), i, f)))
		}
		fmt.Fprintf(&b, " \\\n\t\t\t'(- *)--help[print what it takes]'")
		if len(c.choices(all)) > 0 {
			fmt.Fprintf(&b, " \\\n\t\t\t'1:what:->word'")
		}
		switch {
		case takesFile(c.args):
			b.WriteString(" \\\n\t\t\t'*:file:_files'")
		case c.args != "" && len(c.words) > 0:
			b.WriteString(" \\\n\t\t\t'*: :'")
		case c.args != "" && len(c.choices(all)) == 0:
			b.WriteString(" \\\n\t\t\t'1: :'")
		}
		b.WriteString("\n")
		if words := c.choices(all); len(words) > 0 {
			b.WriteString("\t\tif [[ $state == word ]]; then\n")
			zshDescribe(&b, "\t\t\t", "what", words)
			b.WriteString("\t\tfi\n")
		}
		b.WriteString("\t\t;;\n")
	}
	b.WriteString(`	esac
}

if [[ ${funcstack[1]} == _credential-helper ]]; then
	_credential-helper "$@"
else
	compdef _credential-helper credential-helper
fi
`)
	return b.String()
}

// zshFlag is a flag as _arguments takes it.
func zshFlag(flags []option, i int, f option) string {
	text := "--" + f.name
	if f.value != "" {
		text += "="
	}
	text += "[" + zshEscape(f.help, "[]") + "]"
	switch {
	case takesFile(f.value):
		text += ":file:_files"
	case f.value != "":
		text += ":" + ascii.Lower(f.value) + ": "
	}
	if f.many {
		return "*" + text
	}
	// A flag that excludes others is not offered beside them.
	first, last := i, i
	for flags[first].or && first > 0 {
		first--
	}
	for last+1 < len(flags) && flags[last+1].or {
		last++
	}
	if first == last {
		return text
	}
	var others []string
	for j := first; j <= last; j++ {
		if j != i {
			others = append(others, "--"+flags[j].name)
		}
	}
	return "(" + strings.Join(others, " ") + ")" + text
}

// zshDescribe writes a call of _describe, which shows words with what they mean.
func zshDescribe(b *strings.Builder, indent, tag string, words []word) {
	fmt.Fprintf(b, "%schoices=(\n", indent)
	for _, w := range words {
		text := zshEscape(w.name, ":")
		if w.help != "" {
			text += ":" + w.help
		}
		fmt.Fprintf(b, "%s\t%s\n", indent, shellQuote(text))
	}
	fmt.Fprintf(b, "%s)\n%s_describe %s choices\n", indent, indent, tag)
}

func zshEscape(text, chars string) string {
	text = strings.ReplaceAll(text, `\`, `\\`)
	for _, c := range chars + ":" {
		if !strings.ContainsRune(`\`, c) {
			text = strings.ReplaceAll(text, string(c), `\`+string(c))
		}
	}
	return text
}

// completeFish writes for fish.
func completeFish(all []command) string {
	var b strings.Builder
	b.WriteString(`# Completions of credential-helper for fish.

# Whether the command is the one that is named first, and none of the other names has followed yet.
function __credential_helper_at
	set -l typed (commandline -opc)
	test "$typed[2]" = "$argv[1]"; or return 1
	for name in $typed[3..-1]
		contains -- $name $argv[2..-1]; and return 1
	end
	return 0
end

complete -c credential-helper -f
`)
	for _, c := range all {
		fmt.Fprintf(&b, "complete -c credential-helper -n 'test (count (commandline -opc)) -eq 1' -a %s -d %s\n", c.name, fishQuote(c.summary))
	}
	for _, c := range all {
		at := "__credential_helper_at " + c.name
		fmt.Fprintf(&b, "\n# %s\n", c.name)
		for _, f := range c.shown() {
			fmt.Fprintf(&b, "complete -c credential-helper -n '%s' -l %s -d %s", at, f.name, fishQuote(f.help))
			switch {
			case takesFile(f.value):
				b.WriteString(" -r -F")
			case f.value != "":
				b.WriteString(" -x")
			}
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "complete -c credential-helper -n '%s' -l help -d 'print what it takes'\n", at)
		words := c.choices(all)
		for _, w := range words {
			fmt.Fprintf(&b, "complete -c credential-helper -n '%s %s' -a %s", at, strings.Join(names(words), " "), w.name)
			if w.help != "" {
				fmt.Fprintf(&b, " -d %s", fishQuote(w.help))
			}
			b.WriteString("\n")
		}
		if takesFile(c.args) {
			fmt.Fprintf(&b, "complete -c credential-helper -n '%s' -F\n", at)
		}
	}
	return b.String()
}

// describe lists commands as words.
func describe(all []command) []word {
	list := make([]word, len(all))
	for i, c := range all {
		list[i] = word{c.name, c.summary}
	}
	return list
}

// shellQuote quotes a text for bash and zsh.
func shellQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// fishQuote quotes a text for fish, where a backslash in quotes stands for itself unless it is before another, or before a quote.
func fishQuote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(text) + "'"
}
