package doctor

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestBazel(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("permission bits do not count here")
	}
	const rule = `{"host": "files.example.com", "helper": "registry", "config": {"token": "${T}"}}`
	const uncovered = "Bazel does not ask for files.example.com, which the rule at /ws/.tweag-credential-helper.json:2 is for: no --credential_helper covers it"
	const add = " → add to /ws/.bazelrc: common --credential_helper=files.example.com=credential-helper"
	for _, tt := range []struct {
		name    string
		bazelrc string
		rules   []string // rule where nil
		budget  time.Duration
		want    []string
	}{
		{name: "a line for the host", bazelrc: "common --credential_helper=files.example.com=credential-helper", want: []string{"ok Bazel asks this program for files.example.com"}},
		{name: "for its domain", bazelrc: "common --credential_helper=*.example.com=ROOT/bin/credential-helper # why", want: []string{"ok Bazel asks this program for files.example.com"}},
		{name: "the domain itself", bazelrc: "common --credential_helper=*.files.example.com=%workspace%/../bin/credential-helper", want: []string{"ok Bazel asks this program for files.example.com"}},
		{name: "for every host", bazelrc: "always --credential_helper credential-helper", want: []string{"ok Bazel asks this program for files.example.com"}},
		{name: "the old name, in quotes, on two lines", bazelrc: "common \\\n  \"--experimental_credential_helper=files.example.com=credential-helper\"", want: []string{"ok Bazel asks this program for files.example.com"}},
		{name: "none", bazelrc: "build --jobs=4\n# common --credential_helper=files.example.com=credential-helper", want: []string{"warning " + uncovered + add}},
		{
			name: "of another host", bazelrc: "common --credential_helper=file.example.com=credential-helper",
			want: []string{"warning " + uncovered + " (file.example.com does not)" + add},
		},
		{
			name: "below a domain", bazelrc: "common --credential_helper=a.b.test=credential-helper", rules: []string{`{"host": "*.b.test:8443", "helper": "registry"}`},
			want: []string{"warning Bazel does not ask for *.b.test, which the rule at /ws/.tweag-credential-helper.json:2 is for: no --credential_helper covers it (a.b.test does not) → add to /ws/.bazelrc: common --credential_helper=*.b.test=credential-helper"},
		},
		{
			name: "only with a flag", bazelrc: "common:ci --credential_helper=files.example.com=credential-helper",
			want: []string{"warning " + uncovered + " without --config=ci (/ws/.bazelrc:1)" + add},
		},
		{
			name: "only for build", bazelrc: "build --credential_helper=files.example.com=credential-helper",
			want: []string{
				"warning /ws/.bazelrc:1 is for bazel build and what goes with it: query, mod and (before Bazel 7.1) fetch download without a login from files.example.com → write common in the place of build",
				"ok Bazel asks this program for files.example.com",
			},
		},
		{
			name: "for each command", bazelrc: "build --credential_helper=files.example.com=credential-helper\nfetch --credential_helper=files.example.com=credential-helper\n" +
				"query --credential_helper=files.example.com=credential-helper\nmod --credential_helper=files.example.com=credential-helper",
			want: []string{"ok Bazel asks this program for files.example.com"},
		},
		{
			name: "only for test", bazelrc: "test --credential_helper=files.example.com=credential-helper",
			want: []string{"warning /ws/.bazelrc:1 is for bazel test alone: builds do not ask for files.example.com → write common in the place of test", "warning " + uncovered + add},
		},
		{
			name: "capitals", bazelrc: "common --credential_helper=Files.example.com=credential-helper",
			want: []string{`warning /ws/.bazelrc:1: "Files.example.com" has capitals: Bazel compares letter by letter, and URLs have small ones → write files.example.com`, "warning " + uncovered + " (Files.example.com does not)" + add},
		},
		{
			name: "no command", bazelrc: "--remote_header=x=" + canary + " --credential_helper=files.example.com=credential-helper",
			want: []string{
				"broken /ws/.bazelrc:1: the line names no command, so Bazel ignores it → write common before it: common --credential_helper=files.example.com=credential-helper",
				"warning " + uncovered + add,
			},
		},
		{
			name: "secrets beside it", rules: []string{}, bazelrc: "--remote_header=credential_helper=" + canary + "\ncommon \"--credential_helper=a.test=x --remote_header=y=" + canary +
				"\ncommon --credential_helper=https://" + canary + "@a.test=x\nimport https://" + canary + "@a.test/x",
			want: []string{
				"broken /ws/.bazelrc:4 imports /ws/https:/[redacted]@a.test/x, which does not exist: Bazel stops there → …",
				"warning /ws/.bazelrc:2: a quote is not closed: …",
				"broken /ws/.bazelrc:2: the program's name has other options in it: a quote is in the wrong place, or is missing → …",
				`broken /ws/.bazelrc:3: "https://[redacted]@a.test" is a URL or a path, not a host: Bazel refuses it → …`,
				"note no --credential_helper in .bazelrc: Bazel asks nobody → …",
			},
		},
		{
			name: "a program of another machine", bazelrc: "common --credential_helper=files.example.com=credential-helper\ncommon:ci --credential_helper=files.example.com=/ci/helper",
			want: []string{"warning /ws/.bazelrc:2: the program /ci/helper does not exist (with --config=ci) → …", "ok Bazel asks this program for files.example.com"},
		},
		{
			name: "a port", bazelrc: "common --credential_helper=files.example.com:8443=credential-helper",
			want: []string{`broken /ws/.bazelrc:1: "files.example.com:8443" has a port; Bazel chooses by the host alone: Bazel refuses it → write files.example.com without the port; …`, "warning " + uncovered + add},
		},
		{
			name: "scopes that are none", rules: []string{}, bazelrc: "common --credential_helper=*=credential-helper\ncommon --credential_helper=https://a.test/=credential-helper\n" +
				"common --credential_helper=a*.b.test=credential-helper\ncommon --credential_helper=a_b.test=credential-helper\ncommon --credential_helper==credential-helper\n" +
				"common --credential_helper=localhost=credential-helper",
			want: []string{
				`broken /ws/.bazelrc:1: "*" is not a host: Bazel refuses it → for every host, write --credential_helper=PROGRAM, …`,
				`broken /ws/.bazelrc:2: "https://a.test/" is a URL or a path, not a host: Bazel refuses it → …`,
				`broken /ws/.bazelrc:3: "a*.b.test" has a star elsewhere than in front of a domain: Bazel refuses it → write "*.b.test", …`,
				`broken /ws/.bazelrc:4: "a_b.test" is not a name of a host: Bazel refuses it → …`,
				`broken /ws/.bazelrc:5: "" is not a host: Bazel refuses it → …`,
				`broken /ws/.bazelrc:6: "localhost" is a name without a dot: Bazel refuses it → for it and every other host, write --credential_helper=PROGRAM, …`,
				"note no --credential_helper in .bazelrc: Bazel asks nobody → a line a host, like: common --credential_helper=github.com=credential-helper",
			},
		},
		{
			name: "programs that are none", rules: []string{}, bazelrc: "common --credential_helper=a.test=~/bin/x\ncommon --credential_helper=a.test=%workspace%/none\ncommon --credential_helper=a.test=tools/x\n" +
				"common --credential_helper=a.test=none\ncommon --credential_helper=a.test=%workspace%/MODULE.bazel\ncommon --credential_helper=a.test=\ncommon --credential_helper=a.test=/\n" +
				"common --credential_helper=a.test=$HOME/x\ncommon --credential_helper=a.test=“x”",
			want: []string{
				"broken /ws/.bazelrc:1: the program ~/bin/x begins with ~, which Bazel does not replace → …",
				"broken /ws/.bazelrc:2: the program %workspace%/none does not exist (/ws/none) → …",
				"broken /ws/.bazelrc:3: the program tools/x is a relative path, which Bazel refuses → write %workspace%/tools/x, …",
				"broken /ws/.bazelrc:4: the program none is not on PATH → …",
				"broken /ws/.bazelrc:5: the program %workspace%/MODULE.bazel is not executable (mode 0600) → chmod +x /ws/MODULE.bazel",
				"broken /ws/.bazelrc:6: no program is named: Bazel refuses the line → …",
				"broken /ws/.bazelrc:7: the program / is a directory → …",
				"broken /ws/.bazelrc:8: the program $HOME/x begins with a variable, which Bazel's versions do not agree on → …",
				"broken /ws/.bazelrc:9: the program is named with a quotation mark in it: “x” → …",
				"note no --credential_helper in .bazelrc: Bazel asks nobody → …",
			},
		},
		{
			name: "quotes, spaces, hyphens", rules: []string{}, bazelrc: "common --credential_helper='a.test=credential-helper\ncommon --credential_helper=a.test=/my tools/x\ncommon –credential_helper=a.test=x\n" +
				"common --credential-helper=a.test=x\ncommon --credential_helper",
			want: []string{
				"warning /ws/.bazelrc:1: a quote is not closed: Bazel takes the rest of the line as one word, and does not say so → close it, or remove it",
				"broken /ws/.bazelrc:2: what stands behind the space is not part of the path: Bazel reads a.test=/my and then another word → put the whole option into quotes",
				"broken /ws/.bazelrc:3: –credential_helper=a.test=x is no option: it does not begin with two hyphens → write --credential_helper=HOST=PROGRAM",
				"broken /ws/.bazelrc:4: Bazel has no option --credential-helper → write --credential_helper",
				"broken /ws/.bazelrc:5: --credential_helper has no value → write --credential_helper=HOST=PROGRAM",
				"ok Bazel asks for a.test",
			},
		},
		{
			name: "a quote before the command", rules: []string{}, bazelrc: "\"common --credential_helper=a.test=x\nbuild --x='y # no --credential_helper\nbuild --x='y",
			want: []string{
				"warning /ws/.bazelrc:1: a quote is not closed: …",
				"warning /ws/.bazelrc:2: a quote is not closed: …",
				"note no --credential_helper in .bazelrc: …",
			},
		},
		{
			name: "another program", bazelrc: "common --credential_helper=files.example.com=/bin/sh",
			want: []string{
				"note /ws/.bazelrc:1: /bin/sh is asked for files.example.com: another program → nothing that is checked here says what it answers",
				"note the rule at /ws/.tweag-credential-helper.json:2 is for files.example.com, for which Bazel asks another program (/ws/.bazelrc:1) → name this one there, if it is to answer: common --credential_helper=files.example.com=credential-helper",
			},
		},
		{
			name: "two programs", bazelrc: "common --credential_helper=files.example.com=/bin/sh\ncommon --credential_helper=files.example.com=credential-helper",
			want: []string{
				"note /ws/.bazelrc:1: /bin/sh is asked …",
				"warning /ws/.bazelrc:1 and /ws/.bazelrc:2 name two programs for files.example.com: Bazel asks the one of the latter, credential-helper → remove one of the lines",
				"ok Bazel asks this program for files.example.com",
			},
		},
		{
			name: "too little time", bazelrc: "common --credential_helper=files.example.com=credential-helper --credential_helper_timeout=5s",
			want: []string{
				"warning Bazel waits 5s for an answer (by /ws/.bazelrc:1), and this program may take 8s: Bazel would end it before it can say what hangs → write common --credential_helper_timeout=10s, or set $CREDENTIAL_HELPER_TIMEOUT to less",
				"ok Bazel asks this program for files.example.com",
			},
		},
		{
			name: "more time than Bazel gives", budget: 30 * time.Second, bazelrc: "common --credential_helper=files.example.com=credential-helper",
			want: []string{"warning Bazel waits 10s for an answer (by default), and this program may take 30s: …", "ok Bazel asks this program for files.example.com"},
		},
		{
			name: "a duration without a unit", bazelrc: "common --credential_helper=files.example.com=credential-helper --credential_helper_timeout=20",
			want: []string{"broken /ws/.bazelrc:1: --credential_helper_timeout takes a duration like 10s, not 20 → write it with its unit", "ok Bazel asks this program for files.example.com"},
		},
		{
			name: "imports", bazelrc: "try-import %workspace%/none.rc\nimport %workspace%/more.rc\nimport ROOT/none.rc\nimport a b\n",
			want: []string{
				"broken /ws/more.rc:2 imports /ws/.bazelrc, which imports it: Bazel stops there → remove one of the imports",
				"broken /ws/.bazelrc:3 imports /none.rc, which does not exist: Bazel stops there → make the file, or write try-import",
				"broken /ws/.bazelrc:4: import takes one file: Bazel stops there → put a name with spaces into quotes",
				"ok Bazel asks this program for files.example.com",
			},
		},
		{name: "rules that Bazel need not ask for", rules: []string{`{"host": "a.test", "helper": "null"}`, `{"helper": "bound"}`, `{"host": "[::1]", "helper": "registry"}`}, bazelrc: "", want: []string{"note no --credential_helper …"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine(t)
			m.write("ws/.bazelrc", strings.ReplaceAll(tt.bazelrc, "ROOT", m.root), 0o600)
			m.write("ws/more.rc", "common --credential_helper=files.example.com=credential-helper\nimport %workspace%/.bazelrc\n", 0o600)
			if tt.rules == nil {
				tt.rules = []string{rule}
			}
			if tt.budget == 0 {
				tt.budget = 8 * time.Second
			}
			files := m.rules(workspaceFile, tt.rules...)
			m.compare(Bazel(t.Context(), Build{Env: m.env(), System: m.at("none"), Executable: m.executable(), Files: files, Budget: tt.budget}), tt.want...)
		})
	}
}

// TestBazelOfUser holds that a rule of the user's own file, which may be for other clients, is no reason to warn, and that all files are read.
func TestBazelOfUser(t *testing.T) {
	m := newMachine(t)
	files := m.rules("home/.config/credential-helper/config.json", `{"host": "a.test", "helper": "registry"}`, `{"host": "b.test", "helper": "registry"}`, `{"host": "c.test", "helper": "registry"}`)
	m.write("home/.bazelrc", "common --credential_helper=a.test=credential-helper", 0o600)
	m.write("etc/bazel.bazelrc", "common --credential_helper=b.test=credential-helper", 0o600)
	b := Build{Env: m.env(), System: m.at("etc/bazel.bazelrc"), Executable: m.executable(), Files: files, Budget: time.Second}
	m.compare(Bazel(t.Context(), b),
		"note Bazel does not ask for c.test, which the rule at ~/.config/credential-helper/config.json:4 is for: no --credential_helper covers it (b.test does not) → …",
		"ok Bazel asks this program for a.test, b.test")
	m.dir = m.at("home")
	b.Env = m.env()
	m.compare(Bazel(t.Context(), b), "ok no workspace here (no MODULE.bazel or WORKSPACE from /home upward): nothing to check")
}

// FuzzBazel holds that whatever stands in .bazelrc, the check comes to an end, says what to do about each mistake, and shows nothing of options that are not its own.
func FuzzBazel(f *testing.F) {
	f.Add("common --credential_helper=a.test=x\nimport %workspace%/.bazelrc\n")
	f.Add("--credential_helper=\"a b\nbuild:x --credential_helper_timeout=1s \\\n --credential_helper *.a=~/b # c")
	f.Add("common -credential_helper --experimental_credential_helper= --credential-helper")
	f.Fuzz(func(t *testing.T, text string) {
		m := newMachine(t)
		m.write("ws/.bazelrc", "common --remote_header=x="+canary+" --credential_helper=b.test=credential-helper\n"+text, 0o600)
		found := Bazel(t.Context(), Build{Env: m.env(), System: m.at("none"), Executable: m.executable(), Files: m.rules(workspaceFile, `{"host": "a.test", "helper": "registry"}`), Budget: time.Second})
		if len(m.show(found)) == 0 {
			t.Error("nothing was found")
		}
	})
}

func TestBazelScope(t *testing.T) {
	for pattern, want := range map[string]string{
		"a.test": "a.test", "a.test:8443": "a.test", "*.a.test": "*.a.test", "*a.test": "*.a.test", "x*.a.test:*": "*.a.test", "a.*.b.test": "*.b.test",
		"": "", "*": "", "a.*": "", "[::1]:80": "", "localhost:8080": "", "a_b.test": "", "127.0.0.1": "127.0.0.1", "*.corp": "*.corp",
	} {
		if got := bazelScope(pattern); got != want {
			t.Errorf("%q is covered by %q, want %q", pattern, got, want)
		}
	}
}
