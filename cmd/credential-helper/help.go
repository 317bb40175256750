package main

import (
	"fmt"
	"strings"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/suggest"
)

const helpIntro = `credential-helper finds the credentials for a URL, for Bazel and for scripts.

`

const helpOutro = `
Bazel calls it with this line in .bazelrc:
  common --credential_helper=*.example.com=/path/to/credential-helper

Files, in the order in which their rules are tried:
  .tweag-credential-helper.json at the root of the workspace
  credential-helper/config.json in the user's configuration directory
Without any of them, built-in rules serve GitHub and well-known container registries.

Environment:
  CREDENTIAL_HELPER_AGENT_PID            a file for the agent's process id
  CREDENTIAL_HELPER_AGENT_SOCKET         the agent's socket
  CREDENTIAL_HELPER_CACHE                where answers are kept: agent (the default), file, file:DIRECTORY or none
  CREDENTIAL_HELPER_CONFIG_FILE          read this file instead of those above
  CREDENTIAL_HELPER_GUESS_OCI_REGISTRY   1: serve every URL that looks like a container registry's
  CREDENTIAL_HELPER_IDLE_TIMEOUT         how long the agent stays without being asked anything; the default is 3h
  CREDENTIAL_HELPER_KEYRING              system (the default), or file: an encrypted file, for machines without a keyring
  CREDENTIAL_HELPER_KEYRING_FILE         that file
  CREDENTIAL_HELPER_KEYRING_IDENTITY     a file with the age identity or SSH key that opens it
  CREDENTIAL_HELPER_KEYRING_PASSPHRASE_FILE  or a file with the passphrase that does
  CREDENTIAL_HELPER_LOGGING              off, basic or debug: log to standard error, without secrets
  CREDENTIAL_HELPER_PRUNE_INTERVAL       how often the agent forgets what has expired; the default is 1m
  CREDENTIAL_HELPER_STANDALONE           1: use no cache
  CREDENTIAL_HELPER_TIMEOUT              how long an answer may take; the default is 8s
  CREDENTIAL_HELPER_WORKDIR              the directory that %workdir% stands for in paths
  CREDENTIAL_HELPER_WORKSPACE_DIRECTORY  the root of the workspace, where it is not found from the working directory
`

// usage is the text that help prints without arguments.
func usage() string {
	var b strings.Builder
	b.WriteString(helpIntro)
	b.WriteString("Usage: credential-helper COMMAND\n\nCommands:\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-14s %s\n", c.name, c.summary)
	}
	b.WriteString(helpOutro)
	return b.String()
}

// help prints the usage, or a command's own help.
func (a *app) help(args []string) error {
	text := usage()
	switch len(args) {
	case 0:
	case 1:
		c, err := findCommand(args[0])
		if err != nil {
			return err
		}
		text = fmt.Sprintf("Usage: credential-helper %s\n\n%s.\n", strings.TrimSpace(c.name+" "+c.args), strings.ToUpper(c.summary[:1])+c.summary[1:])
		if c.help != "" {
			text += "\n" + c.help
		}
	default:
		return usagef("help takes one command at most")
	}
	_, err := fmt.Fprint(a.stdout, text)
	return err
}

func findCommand(name string) (command, error) {
	var names []string
	for _, c := range commands() {
		if c.name == name {
			return c, nil
		}
		names = append(names, c.name)
	}
	return command{}, helpers.WithHint(usagef("unknown command %q%s", redact.Quote(name, 40), suggest.DidYouMean(name, names)), "credential-helper help lists the commands")
}
