package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/internal/peertest"
)

// A completionCase is a command line, of which the last word is being typed, and what it may become.
type completionCase struct {
	line string
	want []string
}

func completionCases() []completionCase {
	var all []string
	for _, c := range commands() {
		all = append(all, c.name)
	}
	return []completionCase{
		{line: "", want: all},
		{line: "setup", want: []string{"setup-keyring", "setup-uri"}},
		{line: "install ", want: []string{"docker"}},
		{line: "install docker ", want: nil},
		{line: "install docker --d", want: []string{"--dry-run"}},
		{line: "install --dry-run d", want: []string{"docker"}},
		{line: "install docker --name ", want: nil},
		{line: "docker ", want: []string{"erase", "get", "list", "store", "version"}},
		{line: "docker get ", want: nil},
		{line: "get --", want: []string{"--help"}},
		{line: "agent-prune --a", want: []string{"--all"}},
		{line: "agent-launch --s", want: nil}, // what is hidden stays so
		{line: "help dock", want: []string{"docker"}},
		{line: "help docker ", want: nil},
		{line: "completion ", want: []string{"bash", "fish", "zsh"}},
		{line: "setup-keyring --file sec", want: []string{"secret one", "secret.txt"}},
		{line: "setup-keyring sec", want: nil},
		{line: "nonsense ", want: nil},
	}
}

// completionSite has the program on PATH, and files to be completed in its home.
func completionSite(t *testing.T) *site {
	t.Helper()
	p := newSite(t, "", "PATH="+filepath.Dir(program(t))+string(os.PathListSeparator)+os.Getenv("PATH"), "LC_ALL=C.UTF-8", "TERM=dumb")
	p.write("secret.txt", "")
	p.write("secret one", "")
	return p
}

// complete runs a script of a shell for each case and compares what it prints, a line a candidate.
func complete(t *testing.T, p *site, argv func(line string) []string, clean func(typed, candidate string) string) {
	t.Helper()
	for _, tt := range completionCases() {
		t.Run(tt.line, func(t *testing.T) {
			r := peertest.Run(t, p.home, p.env, argv("credential-helper "+tt.line), "")
			var got []string
			for line := range strings.Lines(r.Stdout) {
				if line = clean(tt.line, strings.TrimRight(line, "\r\n")); line != "" {
					got = append(got, line)
				}
			}
			slices.Sort(got)
			got = slices.Compact(got)
			want := slices.Sorted(slices.Values(tt.want))
			if r.Stderr != "" || !slices.Equal(got, want) {
				t.Errorf("%q, want %q\n%s", got, want, r.Stderr)
			}
		})
	}
}

func same(_, candidate string) string { return candidate }

func TestCompletionBash(t *testing.T) {
	bash := peertest.Require(t, "bash", "apt-get install bash")
	const script = `source <(credential-helper completion bash)
complete -p credential-helper >/dev/null || exit 1
compopt() { :; } # it works only while readline completes
IFS=' ' read -ra COMP_WORDS <<<"$1"
case $1 in *' ') COMP_WORDS+=('') ;; esac
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_credential_helper && [ "${#COMPREPLY[@]}" -gt 0 ] && printf '%s\n' "${COMPREPLY[@]}"
exit 0`
	p := completionSite(t)
	complete(t, p, func(line string) []string { return []string{bash, "--norc", "-c", script, "bash", line} }, same)

	// Bash makes three words of --file=sec.
	const equals = `eval "$(credential-helper completion bash)"
compopt() { :; }
COMP_WORDS=(credential-helper setup-keyring --file = sec) COMP_CWORD=4
_credential_helper; printf '%s|' "${COMPREPLY[@]}"
COMP_WORDS=(credential-helper setup-keyring --file =) COMP_CWORD=3
_credential_helper; printf '%s|' "${COMPREPLY[@]}"`
	r := peertest.Run(t, p.home, p.env, []string{bash, "--norc", "-c", equals}, "")
	if r.Stdout != "secret one|secret.txt|secret one|secret.txt|" && r.Stdout != "secret.txt|secret one|secret.txt|secret one|" {
		t.Errorf("%+v", r)
	}
}

func TestCompletionFish(t *testing.T) {
	fish := peertest.Require(t, "fish", "apt-get install fish")
	p := completionSite(t)
	complete(t, p, func(line string) []string {
		return []string{fish, "--no-config", "-c", "credential-helper completion fish | source; complete -C $argv[1]", line}
	}, func(_, candidate string) string {
		name, _, _ := strings.Cut(candidate, "\t")
		return strings.ReplaceAll(name, `\ `, " ")
	})
}

// TestCompletionZsh types into a zsh on a pseudo-terminal, as zsh completes nowhere else.
func TestCompletionZsh(t *testing.T) {
	zsh := peertest.Require(t, "zsh", "apt-get install zsh")
	// compadd is how every completion ends: in its place, the candidates are written down.
	const script = `zmodload zsh/zpty
zpty inner "zsh -f -i"
wait_for() { local out; zpty -r -m inner out "*$1*" || exit 1; }
zpty -w inner 'PS1= PROMPT_EOL_MARK= ; autoload -Uz compinit; compinit -D -u; source <(credential-helper completion zsh); compadd() { local -a all; builtin compadd -O all "$@"; print -rl -- "${all[@]}" >>$HOME/out; builtin compadd "$@" }; zle-done() { print ma""rk2 }; zle -N zle-done; bindkey "^G" zle-done; bindkey "^I" complete-word; print ma""rk1'
wait_for mark1
zpty -w -n inner "$1"$'\t\a'
wait_for mark2
zpty -d inner
sort -u $HOME/out 2>/dev/null
rm -f $HOME/out
exit 0`
	p := completionSite(t)
	complete(t, p, func(line string) []string { return []string{zsh, "-f", "-c", script, "zsh", line} }, func(typed, candidate string) string {
		if strings.HasPrefix(candidate, "--") && strings.HasSuffix(typed, " ") {
			return "" // zsh offers flags where there is nothing else
		}
		return strings.ReplaceAll(candidate, `\ `, " ")
	})

	// As a file of $fpath it is loaded by its first line.
	p.write("functions/_credential-helper", peertest.Run(t, p.home, p.env, []string{program(t), "completion", "zsh"}, "").Stdout)
	r := peertest.Run(t, p.home, p.env, []string{zsh, "-f", "-c", "fpath=($HOME/functions $fpath); autoload -Uz compinit; compinit -D -u; print $_comps[credential-helper]"}, "")
	if r.Stdout != "_credential-helper\n" {
		t.Errorf("%+v", r)
	}
}
