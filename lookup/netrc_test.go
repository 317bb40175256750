package lookup

import (
	"os"
	"strings"
	"testing"
)

func TestNetrc(t *testing.T) {
	const login = "password=" + canary + " username=bob"
	both := outcome{values: "default=" + canary + " " + login}
	none := outcome{kind: "not found", err: "~/.netrc has no login for example.com"}
	const quoteHint = `white space in a quoted value is not supported; a value that begins with a quote is written "\"…"`
	long := strings.Repeat("x", 70_000)

	for _, tt := range []struct {
		name, file, url string
		want            outcome
	}{
		{"one line", "machine example.com login bob password " + canary, "https://example.com/x", both},
		{"many lines", "machine example.com\n\tlogin bob\n\tpassword " + canary + "\n", "https://example.com/x", both},
		{"Windows lines", "machine example.com\r\nlogin bob\r\npassword " + canary + "\r\n", "https://example.com/x", both},
		{"among others", "machine a.test login a password aa\n# machine example.com login c password cc\nmachine example.com login bob password " + canary + "\nmachine b.test login b password bb\n", "https://example.com", both},
		{"the first counts", "machine example.com login bob password " + canary + "\nmachine example.com login eve password second\n", "https://example.com", both},
		{"the first with a password counts", "machine example.com login eve\nmachine Example.com login eve\nmachine example.com login bob password " + canary, "https://example.com", both},
		{"account is read over", "machine example.com login bob account acc password " + canary, "https://example.com", both},
		{"a macro is read over", "macdef init\ncd /tmp\nbinary\n\nmachine example.com login bob password " + canary, "https://example.com", both},
		{"whatever the case", "machine Example.COM login bob password " + canary, "https://EXAMPLE.com", both},
		{"any port", "machine example.com login bob password " + canary, "https://example.com:8443", both},
		{"a port of its own first", "machine example.com login eve password other\nmachine example.com:8443 login bob password " + canary, "https://example.com:8443", both},
		{"the scheme's port", "machine example.com:443 login bob password " + canary, "https://example.com", both},
		{"IPv6", "machine ::1 login bob password " + canary, "http://[::1]:5000", both},
		{"gRPC", "machine example.com login bob password " + canary, "grpcs://example.com", both},
		{"a number sign in the password", "machine example.com login bob password a#b", "https://example.com", outcome{values: "default=a#b password=a#b username=bob"}},
		{"quoted", `machine example.com login "bob" password "a\"b\\c"`, "https://example.com", outcome{values: `default=a"b\c password=a"b\c username=bob`}},
		{"escaped white space", `machine example.com login bob password "a\tb"`, "https://example.com", outcome{values: "default=a\tb password=a\tb username=bob"}},
		{"a backslash without quotes", `machine example.com login bob password a\b`, "https://example.com", outcome{values: `default=a\b password=a\b username=bob`}},
		{"no login", "machine example.com password " + canary, "https://example.com", outcome{values: "default=" + canary + " password=" + canary + " username="}},

		{"another host", "machine example.org login bob password " + canary, "https://example.com", none},
		{"a host above", "machine com login bob password " + canary, "https://example.com", none},
		{"a host below", "machine www.example.com login bob password " + canary, "https://example.com", none},
		{"another port", "machine example.com:8443 login bob password " + canary, "https://example.com", none},
		{"no password", "machine example.com login bob", "https://example.com", none},
		{"an empty password", `machine example.com login bob password ""`, "https://example.com", outcome{kind: "not found", err: "~/.netrc has an empty password for machine example.com"}},
		{"default is not used", "machine example.org login a password b\ndefault login bob password " + canary, "https://example.com", none},
		{"empty", "", "https://example.com", none},
		{"a machine without a name", "machine", "https://example.com", none},
		{"all hosts of a domain", "machine example.com login bob password " + canary, "https://*.example.com/", outcome{kind: "not found", err: "~/.netrc has no login for *.example.com"}},

		{"a password before a machine", "# hello\npassword " + canary + "\n", "https://example.com", outcome{kind: "broken", err: "reading ~/.netrc:2: unexpected token password"}},
		{"two passwords", "machine example.com\npassword " + canary + "\npassword " + canary, "https://example.com", outcome{kind: "broken", err: "reading ~/.netrc:3: unexpected token password"}},
		{"a machine behind default", "default login bob password " + canary + "\nmachine example.com\n", "https://example.com", outcome{kind: "broken", err: "reading ~/.netrc:2: default token must appear after all machine tokens"}},
		{"a quoted password with a space", `machine example.com login bob password "a ` + canary + `"`, "https://example.com", outcome{kind: "broken", err: "reading ~/.netrc: the password of machine example.com begins with a double quote, and the word does not end with one", hint: quoteHint}},
		{"a quoted user with a space", `machine example.com login "a b" password ` + canary, "https://example.com", outcome{kind: "broken", err: "reading ~/.netrc: the login of machine example.com begins with a double quote, and the word does not end with one", hint: quoteHint}},
		{"a quote in the middle", `machine example.com login bob password "a"` + canary, "https://example.com", outcome{kind: "broken", err: "reading ~/.netrc: the password of machine example.com begins with a double quote, and the word does not end with one", hint: quoteHint}},
		{"a very long password", "machine example.com login bob password " + long, "https://example.com", outcome{kind: "broken", err: "reading ~/.netrc:1: a word is longer than 65536 bytes"}},
		{"a very long word", "machine example.com login bob password x\n" + long, "https://example.com", outcome{kind: "broken", err: "reading ~/.netrc: a word in it is longer than 65536 bytes"}},
		{"a byte order mark", "\xef\xbb\xbfmachine example.com login bob password " + canary, "https://example.com", outcome{kind: "broken", err: "reading ~/.netrc:1: the file begins with a byte order mark; save it as UTF-8 without one"}},
		{"UTF-16", "\xff\xfem\x00a\x00", "https://example.com", outcome{kind: "broken", err: "reading ~/.netrc:1: the file begins with a byte order mark; save it as UTF-8 without one"}},
		{"too large", strings.Repeat("\n", maxNetrc+1), "https://example.com", outcome{kind: "broken", err: "reading ~/.netrc: it is larger than 262144 bytes"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			notOnWindows(t) // for the slashes in what is expected; the file is read alike
			s := newSources(t, nil)
			write(t, s, ".netrc", tt.file)
			expect(t, s, decodeOne(t, s, `{"source": "netrc"}`), ask(t, tt.url), tt.want)
		})
	}
}

func TestNetrcDefault(t *testing.T) {
	notOnWindows(t)
	s := newSources(t, nil)
	write(t, s, ".netrc", "machine example.org login a password b\ndefault login bob password "+canary)
	source := decodeOne(t, s, `{"source": "netrc", "use_default": true}`)
	expect(t, s, source, ask(t, "https://example.org"), outcome{values: "default=b password=b username=a"})
	expect(t, s, source, ask(t, "https://example.com"), outcome{values: "default=" + canary + " password=" + canary + " username=bob"})
	expect(t, s, source, ask(t, "https://*.example.com"), outcome{kind: "not found", err: "~/.netrc has no login for *.example.com"})
}

func TestNetrcPlaces(t *testing.T) {
	notOnWindows(t)
	entry := func(user string) string { return "machine example.com login " + user + " password p" }
	for _, tt := range []struct {
		name, source string
		files        []string
		netrc        string
		want         outcome
	}{
		{"the first", "", []string{".netrc", "_netrc"}, "", outcome{values: "default=p password=p username=.netrc"}},
		{"the second", "", []string{"_netrc"}, "", outcome{values: "default=p password=p username=_netrc"}},
		{"none", "", nil, "", outcome{kind: "not found", err: "~/.netrc and ~/_netrc do not exist"}},
		{"$NETRC", "", []string{".netrc", "mine"}, "~/mine", outcome{values: "default=p password=p username=mine"}},
		{"$NETRC from the working directory", "", []string{".netrc", "mine"}, "../mine", outcome{values: "default=p password=p username=mine"}},
		{"$NETRC is not there", "", []string{".netrc"}, "~/mine", outcome{kind: "not found", err: "~/mine does not exist"}},
		{"$NETRC is a directory", "", []string{".netrc"}, "~/proj", outcome{kind: "broken", err: "reading ~/proj: it is a directory"}},
		{"the rule's own path", `, "path": "%workspace%/../own"`, []string{"own", "mine"}, "~/mine", outcome{values: "default=p password=p username=own"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSources(t, map[string]string{"NETRC": tt.netrc})
			for _, name := range tt.files {
				// Others may read it: curl and git accept that too.
				if err := os.Chmod(write(t, s, name, entry(name)), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			expect(t, s, decodeOne(t, s, `{"source": "netrc"`+tt.source+`}`), ask(t, "https://example.com"), tt.want)
		})
	}
	t.Run("no home", func(t *testing.T) {
		s := newSources(t, nil)
		s.Env.Home = ""
		expect(t, nil, decodeOne(t, s, `{"source": "netrc"}`), ask(t, "https://example.com"), outcome{kind: "not found", err: "there is no netrc file: $NETRC is not set, and there is no home directory"})
	})
}

// FuzzNetrc holds that no file gives example.com a password without naming it, and that no error quotes the file.
func FuzzNetrc(f *testing.F) {
	f.Add("machine example.org login bob password " + canary)
	f.Add("machine\texample.com\nlogin \"bob\" password \"" + canary + "\\")
	f.Add("default password " + canary + "\nmachine example.com")
	f.Add("macdef x\nmachine example.com\n\n# example.com")
	n := netrcFile{}
	u := mustParse(f, "https://example.com/")
	f.Fuzz(func(t *testing.T, file string) {
		values, err := n.find("netrc", []byte(file), u)
		if err == nil && !strings.Contains(strings.ToLower(file), "example.com") {
			t.Errorf("%q gives example.com %v", file, values)
		}
		if err == nil && values[Password].IsZero() {
			t.Errorf("%q gives no error and no password", file)
		}
		if err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("%q: the secret is in the error: %v", file, err)
		}
	})
}
