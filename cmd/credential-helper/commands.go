package main

import (
	"strings"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/suggest"
)

// A command is one word of the command line, and all that there is to say about it:
// the parser, the help, the completions and the man page are made of this.
type command struct {
	name    string
	args    string // what comes behind the flags, as help writes it: "SERVICE", "[KEY]", "URL…"; it says how many there may be
	words   []word // what the first argument may be, where that is one of a few words
	flags   []option
	group   string // the heading that help lists it under
	summary string // begins in lower case, without a full stop
	help    string // what there is to say beyond the summary, the words and the flags
	example string // command lines, each behind "  $ "
	run     func(a *app, args []string) error
}

// A word is an argument that stands for itself, such as docker in "install docker".
type word struct{ name, help string }

// An option is a flag of a command.
type option struct {
	name   string
	value  string // stands for its value in the help: NAME; one called FILE is completed with files. "" where it takes none
	help   string
	many   bool // it may stand more than once
	or     bool // it excludes the one before it
	hidden bool // the program's own business
}

// Groups of commands, in the order of help.
const (
	groupAsk   = "Asking"
	groupSetUp = "Setting up"
	groupAgent = "The agent"
	groupSelf  = "About this program"
)

var groups = [...]string{groupAsk, groupSetUp, groupAgent, groupSelf}

// commands are in the order in which help lists them, group by group. It is a function because help itself reads it.
func commands() []command {
	return []command{
		{
			name: "get", group: groupAsk, summary: "read a request on standard input, write the headers for its URL",
			help: helpGet, example: exampleGet, run: (*app).get,
		},
		{
			name: "check", flags: flagsCheck, args: "URL", group: groupAsk, summary: "tell whether a URL can be had with the headers that get gives for it",
			help: helpCheck, example: exampleCheck, run: (*app).check,
		},
		{
			name: "explain", flags: flagsExplain, args: "URL", group: groupAsk, summary: "tell how the answer for a URL comes about",
			help: helpExplain, example: exampleExplain, run: (*app).explain,
		},
		{
			name: "doctor", flags: flagsDoctor, group: groupAsk, summary: "check this installation, and say what to do",
			help: helpDoctor, example: exampleDoctor, run: (*app).doctor,
		},
		{
			name: "docker", words: wordsDocker, group: groupAsk, summary: "serve Docker's credential helper protocol",
			help: helpDocker, example: exampleDocker, run: (*app).dockerCommand,
		},
		{
			name: "install", words: wordsInstall, flags: flagsInstall, group: groupSetUp, summary: "make a client use this program",
			help: helpInstall, example: exampleInstall, run: (*app).install,
		},
		{
			name: "uninstall", words: wordsInstall, flags: flagsUninstall, group: groupSetUp, summary: "undo install",
			help: helpUninstall, run: (*app).uninstall,
		},
		{
			name: "init", flags: flagsInit, group: groupSetUp, summary: "propose a first configuration for this workspace",
			help: helpInit, example: exampleInit, run: (*app).initWorkspace,
		},
		{
			name: "setup-uri", flags: flagsSetupURI, args: "URL", group: groupSetUp, summary: "tell what a URL needs, what is missing, and how to get it",
			help: helpSetupURI, example: exampleSetupURI, run: (*app).setupURI,
		},
		{
			name: "setup-keyring", flags: flagsSetupKeyring, args: "SERVICE", group: groupSetUp,
			summary: "store a secret in the system keyring, print it, or remove it",
			help:    helpSetupKeyring, example: exampleSetupKeyring, run: (*app).setupKeyring,
		},
		{
			name: "schema", group: groupSetUp, summary: "print the JSON schema of configuration files, for editors",
			help: helpSchema, example: exampleSchema, run: (*app).schema,
		},
		{
			name: "agent-status", flags: flagsAgentStatus, group: groupAgent, summary: "tell what the agent is doing",
			help: helpAgentStatus, run: (*app).agentStatus,
		},
		{
			name: "agent-launch", flags: flagsAgentLaunch, group: groupAgent, summary: "start the agent",
			help: helpAgentLaunch, run: (*app).agentLaunch,
		},
		{name: "agent-shutdown", group: groupAgent, summary: "end the agent", run: (*app).agentShutdown},
		{
			name: "agent-prune", flags: flagsAgentPrune, group: groupAgent, summary: "have the agent forget what has expired",
			run: (*app).agentPrune,
		},
		{name: "agent-logs", group: groupAgent, summary: "print the agent's log", run: (*app).agentLogs},
		{
			name: "agent-raw", words: wordsAgentRaw, args: "[KEY]", group: groupAgent, summary: "send the agent a request, and print its reply",
			help: helpAgentRaw, run: (*app).agentRaw,
		},
		{
			name: "completion", words: wordsCompletion, group: groupSetUp, summary: "print a shell's completions for this program",
			help: helpCompletion, example: exampleCompletion, run: (*app).completion,
		},
		{name: "version", group: groupSelf, summary: "print the version", run: (*app).version},
		{
			name: "help", flags: flagsHelp, args: "[COMMAND]", group: groupSelf, summary: "print this text, or a command's own",
			run: (*app).help,
		},
	}
}

func findCommand(name string) (*command, error) {
	var names []string
	for _, c := range commands() {
		if c.name == name {
			return &c, nil
		}
		names = append(names, c.name)
	}
	if strings.Contains(name, "://") {
		return nil, helpers.WithHint(usagef("a command comes first, not a URL"), "credential-helper check URL says whether it can be had, setup-uri URL what it needs")
	}
	return nil, helpers.WithHint(usagef("unknown command %q%s", redact.Quote(name, 40), suggest.DidYouMean(name, names)), "credential-helper help lists the commands")
}

// synopsis is the command line that the command takes: "install docker [--name NAME] [--dry-run]".
func (c *command) synopsis() string {
	parts := []string{c.name}
	if len(c.words) > 0 {
		words := strings.Join(names(c.words), " | ")
		if len(c.words) > 1 && (c.args != "" || len(c.flags) > 0) {
			words = "(" + words + ")"
		}
		parts = append(parts, words)
	}
	for _, f := range c.shown() {
		text := f.String()
		switch {
		case f.or:
			parts[len(parts)-1] = strings.TrimSuffix(parts[len(parts)-1], "]") + " | " + text + "]"
			continue
		case f.many:
			text = "[" + text + "]…"
		default:
			text = "[" + text + "]"
		}
		parts = append(parts, text)
	}
	if c.args != "" {
		parts = append(parts, c.args)
	}
	return strings.Join(parts, " ")
}

// shown are the flags that the help tells of.
func (c *command) shown() []option {
	var shown []option
	for _, f := range c.flags {
		if !f.hidden {
			shown = append(shown, f)
		}
	}
	return shown
}

// String is how the help writes a flag: --name NAME.
func (f option) String() string {
	if f.value == "" {
		return "--" + f.name
	}
	return "--" + f.name + " " + f.value
}

func names(words []word) []string {
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = w.name
	}
	return list
}
