package main

import (
	"io"
	"strings"

	"github.com/fe055d52/credential-helper/internal/ascii"
)

const about = "credential-helper finds the credentials for a URL, for Bazel, for Docker and for scripts."

const helpFailing = `
A download fails? This says why, and what to do:
  credential-helper check URL
`

const helpBazel = `Bazel calls it with this line in .bazelrc:
  common --credential_helper=*.example.com=/path/to/credential-helper
`

// files are those that the program reads by itself.
var files = []word{
	{".tweag-credential-helper.json", "rules, at the root of the workspace"},
	{"credential-helper/config.json", "rules, in the user's configuration directory: they are tried after those of the workspace"},
}

const helpFiles = "Without any of them, built-in rules serve GitHub and well-known container registries."

// variables are those of the environment that change what the program does.
var variables = []word{
	{"CREDENTIAL_HELPER_AGENT_PID", "a file for the agent's process id"},
	{"CREDENTIAL_HELPER_AGENT_SOCKET", "the agent's socket"},
	{"CREDENTIAL_HELPER_CACHE", "where answers are kept: agent (the default), file, file:DIRECTORY or none"},
	{"CREDENTIAL_HELPER_CONFIG_FILE", "read this file instead of those above"},
	{"CREDENTIAL_HELPER_GUESS_OCI_REGISTRY", "1: serve every URL that looks like a container registry's"},
	{"CREDENTIAL_HELPER_IDLE_TIMEOUT", "how long the agent stays without being asked anything; the default is 3h"},
	{"CREDENTIAL_HELPER_KEYRING", "system (the default), or file: an encrypted file, for machines without a keyring"},
	{"CREDENTIAL_HELPER_KEYRING_FILE", "that file"},
	{"CREDENTIAL_HELPER_KEYRING_IDENTITY", "a file with the age identity or SSH key that opens it"},
	{"CREDENTIAL_HELPER_KEYRING_PASSPHRASE_FILE", "or a file with the passphrase that does"},
	{"CREDENTIAL_HELPER_LOGGING", "off, basic or debug: log to standard error, without secrets"},
	{"CREDENTIAL_HELPER_PRUNE_INTERVAL", "how often the agent forgets what has expired; the default is 1m"},
	{"CREDENTIAL_HELPER_STANDALONE", "1: use no cache"},
	{"CREDENTIAL_HELPER_TIMEOUT", "how long an answer may take; the default is 8s"},
	{"CREDENTIAL_HELPER_WORKDIR", "the directory that %workdir% stands for in paths"},
	{"CREDENTIAL_HELPER_WORKSPACE_DIRECTORY", "the root of the workspace, where it is not found from the working directory"},
	{"NO_COLOR", "whatever is in it: no colours on a terminal"},
}

// statuses are the program's exit statuses.
var statuses = []word{
	{"0", "all went well"},
	{"1", "it did not: an error is on standard error, in one line or two, and nothing on standard output"},
	{"2", "the command line is wrong"},
}

var flagsHelp = []option{{name: "man", help: "print the manual page, as man reads it"}}

// usage is the text that help prints without arguments.
func usage(s style) string {
	var b strings.Builder
	b.WriteString(about + "\n\n" + s.bold("Usage:") + " credential-helper COMMAND\n" + helpFailing)
	all := commands()
	width := 0
	for _, c := range all {
		width = max(width, len(c.name))
	}
	for _, group := range groups {
		b.WriteString("\n" + s.bold(group+":") + "\n")
		for _, c := range all {
			if c.group == group {
				b.WriteString(indented(width, c.name, c.summary))
			}
		}
	}
	b.WriteString("\nhelp COMMAND, or COMMAND --help, says more about one.\n\n" + helpBazel)
	b.WriteString("\n" + s.bold("Files:") + "\n" + list(files) + helpFiles + "\n")
	b.WriteString("\n" + s.bold("Environment:") + "\n" + list(variables))
	return b.String()
}

// page is a command's own help.
func (c *command) page(s style) string {
	var b strings.Builder
	b.WriteString(s.bold("Usage:") + " credential-helper " + c.synopsis() + "\n\n" + capital(c.summary) + ".\n")
	for _, part := range []string{c.help, list(c.explained()), list(c.options())} {
		if part != "" {
			b.WriteString("\n" + part)
		}
	}
	switch n := strings.Count(c.example, "\n"); {
	case n == 1:
		b.WriteString("\n" + s.bold("Example:") + "\n" + c.example)
	case n > 1:
		b.WriteString("\n" + s.bold("Examples:") + "\n" + c.example)
	}
	return b.String()
}

// explained are a command's words, where they need an explanation.
func (c *command) explained() []word {
	if len(c.words) == 0 || c.words[0].help == "" {
		return nil
	}
	return c.words
}

// options are a command's flags as the help writes them.
func (c *command) options() []word {
	var list []word
	for _, f := range c.shown() {
		list = append(list, word{f.String(), f.help})
	}
	return list
}

// list writes words and what they mean, one below the other.
func list(words []word) string {
	width := 0
	for _, w := range words {
		width = max(width, len(w.name))
	}
	var b strings.Builder
	for _, w := range words {
		b.WriteString(indented(width, w.name, w.help))
	}
	return b.String()
}

func indented(width int, name, help string) string {
	return "  " + name + strings.Repeat(" ", width-len(name)+2) + help + "\n"
}

// capital returns a sentence with a capital at its beginning, which is ASCII.
func capital(text string) string { return ascii.Upper(text[:1]) + text[1:] }

// help prints the usage, a command's own help, or the manual page.
func (a *app) help(args []string) error {
	l, err := a.parse("help", args)
	if err != nil {
		return err
	}
	switch name := l.arg(0); {
	case l.has("man") && name != "":
		return usagef("help takes --man or COMMAND, not both")
	case l.has("man"):
		return a.write(manual())
	case name != "":
		c, err := findCommand(name)
		if err != nil {
			return err
		}
		return a.write(c.page(a.style(a.stdout)))
	default:
		return a.write(usage(a.style(a.stdout)))
	}
}

// write prints a text that is whole.
func (a *app) write(text string) error {
	_, err := io.WriteString(a.stdout, text)
	return err
}
