package lookup

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/internal/peertest"
)

// settings returns a settings.xml with one server and a mirror for it.
func settings(server, rest string) string {
	return `<?xml version="1.0" encoding="UTF-8"?>
<settings xmlns="http://maven.apache.org/SETTINGS/1.2.0">
<servers><server><id>corp</id>` + server + `</server></servers>
` + rest + `</settings>`
}

// mirror returns a mirror with an id and a URL.
func mirror(id, url string) string {
	return "<mirrors><mirror><id>" + id + "</id><url>" + url + "</url><mirrorOf>*</mirrorOf></mirror></mirrors>\n"
}

const bobXML = "<username>bob</username><password>" + canary + "</password>"

func TestMaven(t *testing.T) {
	notOnWindows(t) // for the slashes in what is expected
	both := outcome{values: "default=" + canary + " password=" + canary + " username=bob"}
	noURL := func(host, ids string) outcome {
		return outcome{kind: "not found", err: `~/.m2/settings.xml names no URL with a server for ` + host + `; name the server: "server": ID; it has ` + ids}
	}
	acme := mirror("corp", "https://maven.acme.test/repo")
	const url = "https://maven.acme.test/repo/org/x/1/x-1.jar"
	for _, tt := range []struct {
		name, source, file, url string
		want                    outcome
	}{
		{"by id", `, "server": "corp"`, settings(bobXML, ""), "https://elsewhere.test/", both},
		{"by a mirror's URL", "", settings(bobXML, acme), url, both},
		{"a slash at its end", "", settings(bobXML, mirror("corp", "https://maven.acme.test/repo/")), url, both},
		{"by a repository's", "", settings(bobXML, "<profiles><profile><repositories><repository><id>corp</id><url>https://maven.acme.test/repo</url></repository></repositories></profile></profiles>"), url, both},
		{"by a plugin repository's", "", settings(bobXML, "<profiles><profile><pluginRepositories><pluginRepository><id>corp</id><url>https://maven.acme.test/repo</url></pluginRepository></pluginRepositories></profile></profiles>"), url, both},
		{"Windows lines", `, "server": "corp"`, strings.ReplaceAll(settings("\n"+bobXML+"\n", ""), "\n", "\r\n"), url, both},
		{"a byte order mark", `, "server": "corp"`, "\xef\xbb\xbf" + settings(bobXML, ""), url, both},
		{"white space", `, "server": "corp"`, settings("<username>\n  bob\n</username><password> "+canary+" </password>", ""), url, both},
		{"entities and comments", `, "server": "corp"`, settings("<username>bob</username><password>a&amp;<!-- x -->b&#x3c;<![CDATA[>c]]></password>", ""), url, outcome{values: "default=a&b<>c password=a&b<>c username=bob"}},
		{"the first counts", `, "server": "corp"`, settings(bobXML+"</server><server><id>corp</id><password>second</password>", ""), url, both},
		{"variables", `, "server": "corp"`, settings("<username>${env.WHO}</username><password>${env.TOK}-${user.home}</password>", ""), url, outcome{values: "default=tok-HOME password=tok-HOME username=bob"}},
		{"an empty variable", `, "server": "corp"`, settings("<username>bob</username><password>${env.EMPTY}</password>", ""), url, outcome{kind: "not found", err: `the server "corp" in ~/.m2/settings.xml has no password and no headers`}},
		{"a variable in the URL", "", settings(bobXML, mirror("corp", "https://${env.HOST}/repo")), url, both},
		{"GitLab's header", `, "server": "corp"`, settings("<configuration><httpHeaders><property><name>Private-Token</name><value>${env.TOK}</value></property></httpHeaders></configuration>", ""), url, outcome{values: "default=tok header:Private-Token=tok"}},
		{"several headers", `, "server": "corp"`, settings("<configuration><httpHeaders><property><name>Job-Token</name><value>a</value></property><X-B>b</X-B></httpHeaders></configuration>", ""), url, outcome{values: "default=a header:Job-Token=a header:X-B=b"}},
		{"the longest path", "", settings(bobXML+"</server><server><id>all</id><password>other</password>", mirror("all", "https://maven.acme.test/")+acme), url, both},
		{"beside the path, alone", "", settings(bobXML, mirror("corp", "https://maven.acme.test/other")), url, both},
		{"beside the path, one of two", "", settings(bobXML+"</server><server><id>b</id><password>other</password>", mirror("corp", "https://maven.acme.test/a")+mirror("b", "https://maven.acme.test/b")), url, noURL("maven.acme.test", "b, corp")},
		{"a port", "", settings(bobXML, mirror("corp", "https://maven.acme.test:8443/repo")), "https://maven.acme.test:8443/repo/x", both},
		{"the scheme's port", "", settings(bobXML, mirror("corp", "https://maven.acme.test:443/repo")), url, both},
		{"upper case", "", settings(bobXML, mirror("corp", "HTTPS://Maven.ACME.test/repo")), url, both},
		{"IPv6", "", settings(bobXML, mirror("corp", "https://[::1]:8081/repo")), "https://[0:0::1]:8081/repo/x", both},
		{"user info in the URL", "", settings(bobXML, mirror("corp", "https://eve:x@maven.acme.test/repo")), url, both},

		{"another id", `, "server": "crop"`, settings(bobXML, ""), url, outcome{kind: "not found", err: `~/.m2/settings.xml has no server "crop"; it has corp`}},
		{"no servers", `, "server": "corp"`, "<settings/>", url, outcome{kind: "not found", err: `~/.m2/settings.xml has no server "corp"; it has none`}},
		{"no URL", "", settings(bobXML, ""), url, noURL("maven.acme.test", "corp")},
		{"a mirror without a server", "", settings(bobXML, mirror("other", "https://maven.acme.test/repo")), url, noURL("maven.acme.test", "corp")},
		{"a host behind", "", settings(bobXML, acme), "https://maven.acme.test.evil.test/repo/x", noURL("maven.acme.test.evil.test", "corp")},
		{"a host before", "", settings(bobXML, acme), "https://evilmaven.acme.test/repo/x", noURL("evilmaven.acme.test", "corp")},
		{"user info that looks like a host", "", settings(bobXML, mirror("corp", "https://maven.acme.test@evil.test/repo")), url, noURL("maven.acme.test", "corp")},
		{"another port", "", settings(bobXML, acme), "https://maven.acme.test:8443/repo/x", noURL("maven.acme.test:8443", "corp")},
		{"another scheme", "", settings(bobXML, acme), "http://maven.acme.test/repo/x", noURL("maven.acme.test", "corp")},
		{"all hosts of a domain", "", settings(bobXML, mirror("corp", "https://*.acme.test/")), "https://*.acme.test/", noURL("*.acme.test", "corp")},
		{"no password", `, "server": "corp"`, settings("<username>bob</username>", ""), url, outcome{kind: "not found", err: `the server "corp" in ~/.m2/settings.xml has no password and no headers`}},

		{"an undefined variable", `, "server": "corp"`, settings("<password>${env.NOPE}</password>", ""), url, outcome{kind: "broken", err: `reading the server "corp" of Maven's settings: ~/.m2/settings.xml:3: ${env.NOPE} stands for $NOPE, which is not set`, hint: "set the environment variable NOPE"}},
		{"another server's undefined variable", `, "server": "corp"`, settings(bobXML+"</server><server><id>b</id><password>${env.NOPE}</password>", ""), url, both},
		{"a property", `, "server": "corp"`, settings("<password>${corp.password}</password>", ""), url, outcome{kind: "broken", err: `reading the server "corp" of Maven's settings: ~/.m2/settings.xml:3: the ${…} there is a property that only Maven knows`, hint: "write ${env.NAME}"}},
		{"a password that looks like one", `, "server": "corp"`, settings("<password>a${"+canary+"}b</password>", ""), url, outcome{kind: "broken", err: `reading the server "corp" of Maven's settings: ~/.m2/settings.xml:3: the ${…} there is a property that only Maven knows`, hint: "write ${env.NAME}"}},
		{"no variable", `, "server": "corp"`, settings("<password>${a "+canary+"}</password>", ""), url, outcome{kind: "broken", err: `reading the server "corp" of Maven's settings: ~/.m2/settings.xml:3: ${…} there is no name of a variable`}},
		{"a variable that is not closed", `, "server": "corp"`, settings("<username>bob</username><password>a${b</password>", ""), url, outcome{values: "default=a${b password=a${b username=bob"}},
		{"no header's name", `, "server": "corp"`, settings("<configuration><httpHeaders><property><name>"+canary+" x</name><value>v</value></property></httpHeaders></configuration>", ""), url, outcome{kind: "broken", err: `reading the server "corp" of Maven's settings: ~/.m2/settings.xml:3: what stands in the place of a header's name is none`}},
		{"a header that cannot be", `, "server": "corp"`, settings("<configuration><httpHeaders><Host>evil.test</Host></httpHeaders></configuration>", ""), url, outcome{kind: "broken", err: `reading the server "corp" of Maven's settings: ~/.m2/settings.xml:3: the header "Host" governs the connection and cannot carry a credential`}},
		{"encrypted, without a master password", `, "server": "corp"`, settings("<password>{"+canary+"}</password>", ""), url, outcome{kind: "broken", err: `decrypting the password of the server "corp" in ~/.m2/settings.xml:3: it is encrypted, and ~/.m2/settings-security.xml, which has the master password, does not exist`, hint: "mvn --encrypt-password makes it anew; or write ${env.NAME} in its place"}},
		{"encrypted by Maven 4", `, "server": "corp"`, settings("<password>{[type=master]"+canary+"}</password>", ""), url, outcome{kind: "broken", err: `decrypting the password of the server "corp" in ~/.m2/settings.xml:3: it is encrypted by a plugin of Maven's, or by Maven 4, which is not supported`, hint: "mvn --encrypt-password makes it anew; or write ${env.NAME} in its place"}},
		{"malformed", "", "<settings>\n<servers>" + canary + "</server></settings>", url, outcome{kind: "broken", err: "reading Maven's settings: ~/.m2/settings.xml:2: not well-formed XML"}},
		{"cut off", "", "<settings>\n<servers>\n" + canary, url, outcome{kind: "broken", err: "reading Maven's settings: ~/.m2/settings.xml:3: not well-formed XML"}},
		{"an unknown entity", "", "<settings>&" + canary + ";</settings>", url, outcome{kind: "broken", err: "reading Maven's settings: ~/.m2/settings.xml:1: not well-formed XML"}},
		{"a document type", "", "<!DOCTYPE x [<!ENTITY a \"" + canary + "\">]>\n<settings>&a;</settings>", url, outcome{kind: "broken", err: "reading Maven's settings: ~/.m2/settings.xml:1: it has a document type (<!DOCTYPE>), which is not read here", hint: "remove it; the tool does not need it"}},
		{"another encoding", "", "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<settings/>", url, outcome{kind: "broken", err: "reading Maven's settings: ~/.m2/settings.xml:1: the file is in an encoding other than UTF-8; save it as UTF-8"}},
		{"UTF-16", "", "\xff\xfe<\x00", url, outcome{kind: "broken", err: "reading Maven's settings: ~/.m2/settings.xml:1: the file is in UTF-16; save it as UTF-8"}},
		{"another file", "", "<project/>", url, outcome{kind: "broken", err: "reading Maven's settings: ~/.m2/settings.xml: it has no element <settings> at its top"}},
		{"empty", "", "", url, outcome{kind: "broken", err: "reading Maven's settings: ~/.m2/settings.xml: it has no element <settings> at its top"}},
		{"nested deeply", "", strings.Repeat("<a>", 100), url, outcome{kind: "broken", err: "reading Maven's settings: ~/.m2/settings.xml:1: it has more than 16384 elements, or more than 64 of them in each other"}},
		{"very many", "", "<settings>" + strings.Repeat("<a/>", 20_000), url, outcome{kind: "broken", err: "reading Maven's settings: ~/.m2/settings.xml:1: it has more than 16384 elements, or more than 64 of them in each other"}},
		{"too large", "", strings.Repeat(" ", maxNative+1), url, outcome{kind: "broken", err: "reading Maven's settings: reading ~/.m2/settings.xml: it is larger than 1048576 bytes"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSources(t, map[string]string{"WHO": "bob", "TOK": "tok", "EMPTY": "", "HOST": "maven.acme.test"})
			write(t, s, ".m2/settings.xml", tt.file)
			tt.want.values = strings.ReplaceAll(tt.want.values, "HOME", s.Env.Home)
			expect(t, s, decodeOne(t, s, `{"source": "maven"`+tt.source+`}`), ask(t, tt.url), tt.want)
		})
	}
}

func TestMavenPlaces(t *testing.T) {
	notOnWindows(t)
	login := func(user string) outcome {
		return outcome{values: "default=p password=p username=" + user}
	}
	for _, tt := range []struct {
		name, source string
		files        []string
		vars         map[string]string
		want         outcome
	}{
		{"the user's", "", []string{".m2/settings.xml"}, nil, login(".m2/settings.xml")},
		{"the user's before the installation's", "", []string{".m2/settings.xml", "mvn/conf/settings.xml"}, map[string]string{"MAVEN_HOME": "~/mvn"}, login(".m2/settings.xml")},
		{"the installation's", "", []string{"mvn/conf/settings.xml"}, map[string]string{"MAVEN_HOME": "~/mvn"}, login("mvn/conf/settings.xml")},
		{"by its old name", "", []string{"mvn/conf/settings.xml"}, map[string]string{"M2_HOME": "~/mvn"}, login("mvn/conf/settings.xml")},
		{"the rule's own", `, "path": "~/own.xml"`, []string{".m2/settings.xml", "own.xml"}, nil, login("own.xml")},
		{"none", "", nil, nil, outcome{kind: "not found", err: "~/.m2/settings.xml does not exist"}},
		{"neither", "", nil, map[string]string{"MAVEN_HOME": "~/mvn"}, outcome{kind: "not found", err: "~/.m2/settings.xml and ~/mvn/conf/settings.xml do not exist"}},
		{"a directory", "", []string{".m2/settings.xml/x"}, nil, outcome{kind: "broken", err: "reading Maven's settings: reading ~/.m2/settings.xml: it is a directory"}},
		{"a project's pom.xml is not read", "", []string{"proj/pom.xml"}, nil, outcome{kind: "not found", err: "~/.m2/settings.xml does not exist"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			vars := map[string]string{}
			s := newSources(t, vars)
			for name, value := range tt.vars {
				vars[name] = strings.ReplaceAll(value, "~", s.Env.Home)
			}
			for _, name := range tt.files {
				write(t, s, name, settings("<username>"+name+"</username><password>p</password>", ""))
			}
			source := decodeOne(t, s, `{"source": "maven", "server": "corp"`+tt.source+`}`)
			expect(t, s, source, ask(t, "https://maven.acme.test"), tt.want)
		})
	}
	t.Run("no home", func(t *testing.T) {
		s := newSources(t, nil)
		s.Env.Home = ""
		expect(t, nil, s.Maven("corp"), ask(t, "https://maven.acme.test"), outcome{kind: "not found", err: "there is no settings.xml of Maven's: there is no home directory"})
	})
	t.Run("unreadable", func(t *testing.T) {
		s := newSources(t, nil)
		unreadable(t, write(t, s, ".m2/settings.xml", settings(bobXML, "")))
		expect(t, s, s.Maven("corp"), ask(t, "https://maven.acme.test"), outcome{kind: "broken", err: "reading Maven's settings: reading ~/.m2/settings.xml: permission denied"})
	})
}

func TestMavenBound(t *testing.T) {
	s := newSources(t, nil)
	if m := s.Maven(""); !m.HostBound() || !(Chain{{Source: m}}).PathBound() {
		t.Error("a server that is found by its URL is not bound to it")
	}
	if m := s.Maven("corp"); m.HostBound() || (Chain{{Source: m}}).PathBound() {
		t.Error("a server that is named by its id is bound to a host")
	}
}

// TestMavenEncrypted holds what Maven 3.8.7 encrypted: the master password "master of all", and the canary with it.
func TestMavenEncrypted(t *testing.T) {
	notOnWindows(t)
	const (
		master = "{EXgzPisq3N0HKshA1rfUnihAPHGdA0A0EYffSKYVvb4=}"
		sealed = "{EpeP7WohrQoH+JJMuuxQ1rSSBJRumokdGoPxbKGkHP+94l8F7b+IOqYhNQ7OCz9d}"
		hint   = "mvn --encrypt-password makes it anew; or write ${env.NAME} in its place"
	)
	broken := func(text, hint string) outcome {
		return outcome{kind: "broken", err: `decrypting the password of the server "corp" in ~/.m2/settings.xml:3: ` + text, hint: hint}
	}
	security := func(content string) string { return "<settingsSecurity>" + content + "</settingsSecurity>" }
	notMaven := "what is in braces is not encrypted as Maven 3 does it"
	for _, tt := range []struct {
		name, password, security string
		want                     outcome
	}{
		{"as it is written", sealed, security("<master>" + master + "</master>"), outcome{values: "default=" + canary + " password=" + canary + " username=bob"}},
		{"with remarks", "of " + sealed + " Bob", security("<master> of all " + master + "</master>"), outcome{values: "default=" + canary + " password=" + canary + " username=bob"}},
		{"braces behind backslashes", `\{` + canary + `\}`, "", outcome{values: `default=\{` + canary + `\} password=\{` + canary + `\} username=bob`}},
		{"another master password", sealed, security("<master>" + sealed + "</master>"), broken("decrypting the master password in ~/.m2/settings-security.xml: it was encrypted with another master password", hint)},
		{"no master password", sealed, security(""), broken("~/.m2/settings-security.xml has no encrypted master password", hint)},
		{"not base64", "{" + canary + "}", security("<master>" + master + "</master>"), broken(notMaven, hint)},
		{"too short", "{AAAA}", security("<master>" + master + "</master>"), broken(notMaven, hint)},
		{"no whole blocks", "{EpeP7WohrQoH+JJMuuxQ1rSSBJRumokdGoPxbKGkHP+9}", security("<master>" + master + "</master>"), broken(notMaven, hint)},
		{"malformed", sealed, "<settingsSecurity>\n<" + canary, broken("reading the master password: ~/.m2/settings-security.xml:2: not well-formed XML", hint)},
		{"in a circle", sealed, security("<relocation>~/.m2/settings-security.xml</relocation>"), broken("~/.m2/settings-security.xml names another file, and that another, more than 8 times", hint)},
		{"relocated to nowhere", sealed, security("<relocation>~/nowhere.xml</relocation>"), broken("it is encrypted, and ~/nowhere.xml, which has the master password, does not exist", hint)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSources(t, nil)
			write(t, s, ".m2/settings.xml", settings("<username>bob</username><password>"+tt.password+"</password>", ""))
			if tt.security != "" {
				write(t, s, ".m2/settings-security.xml", tt.security)
			}
			expect(t, s, s.Maven("corp"), ask(t, "https://maven.acme.test"), tt.want)
		})
	}
}

// runMaven runs Maven, which knows the home directory of s alone, and returns what it prints.
func runMaven(t *testing.T, s *Sources, vars []string, args ...string) (out string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), peertest.Require(t, "mvn", "apt-get install maven"), append([]string{"--batch-mode"}, args...)...)
	cmd.Dir = s.Env.Dir
	cmd.Env = slices.Concat([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.Env.Home, "MAVEN_OPTS=-Duser.home=" + s.Env.Home}, vars)
	text, err := cmd.Output()
	return string(text), err
}

// TestMavenPeerEncrypts has Maven itself encrypt passwords, and reads them.
func TestMavenPeerEncrypts(t *testing.T) {
	notOnWindows(t)
	s := newSources(t, nil)
	seal := func(args ...string) string {
		text, err := runMaven(t, s, nil, append([]string{"--offline"}, args...)...)
		start, end := strings.IndexByte(text, '{'), strings.LastIndexByte(text, '}')
		if err != nil || start < 0 || end < start {
			t.Fatalf("%v: %v: %q", args, err, text)
		}
		return text[start : end+1]
	}
	elsewhere := filepath.Join(s.Env.Home, "elsewhere.xml")
	write(t, s, "elsewhere.xml", "<settingsSecurity><master>"+seal("--encrypt-master-password", "master of all")+"</master></settingsSecurity>")
	write(t, s, ".m2/settings-security.xml", "<settingsSecurity><relocation>"+elsewhere+"</relocation></settingsSecurity>")
	for _, password := range []string{canary, "exactly sixteen.", strings.Repeat("long", 100)} {
		sealed := seal("--encrypt-password", password)
		write(t, s, ".m2/settings.xml", settings("<username>bob</username><password>for ever "+sealed+"</password>", ""))
		expect(t, s, s.Maven("corp"), ask(t, "https://maven.acme.test"), outcome{values: "default=" + password + " password=" + password + " username=bob"})
	}
}

// TestMavenPeerSends compares what is read from settings.xml with what Maven sends to a server of which it wants a plugin.
func TestMavenPeerSends(t *testing.T) {
	notOnWindows(t)
	for name, server := range map[string]string{
		"a password":    "<username> ${env.WHO} </username><password>${env.TOK}-${user.home}</password>",
		"two of one id": bobXML + "</server><server><id>corp</id><username>eve</username><password>x</password>",
		"headers":       "<configuration><httpHeaders><property><name>Private-Token</name><value>${env.TOK}</value></property><X-Other> b </X-Other></httpHeaders></configuration>" + bobXML,
	} {
		t.Run(name, func(t *testing.T) {
			sent := make(chan http.Header, 100)
			repository := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") == "" {
					w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				select {
				case sent <- r.Header:
				default:
				}
				w.WriteHeader(http.StatusNotFound)
			}))
			defer repository.Close()
			s := newSources(t, map[string]string{"WHO": "bob", "TOK": "tok"})
			write(t, s, ".m2/settings.xml", settings(server, mirror("corp", repository.URL+"/repo")))
			if out, err := runMaven(t, s, []string{"WHO=bob", "TOK=tok"}, "org.example:none:1.0:goal"); err == nil {
				t.Fatalf("Maven found a plugin: %s", out)
			}
			values, err := s.Maven("").Lookup(t.Context(), ask(t, repository.URL+"/repo/org/example/x.pom"))
			if err != nil {
				t.Fatal(err)
			}
			select {
			case header := <-sent:
				username, password, _ := (&http.Request{Header: header}).BasicAuth()
				if username != values[Username].Reveal() || password != values[Password].Reveal() {
					t.Errorf("Maven sends %q and %q, and %q and %q were found", username, password, values[Username].Reveal(), values[Password].Reveal())
				}
				for name, value := range values.Headers() {
					if got := header.Get(name); got != value.Reveal() {
						t.Errorf("Maven sends %s: %q, and %q was found", name, got, value.Reveal())
					}
				}
				if name == "headers" && len(values.Headers()) != 2 {
					t.Errorf("found %v", values)
				}
			default:
				t.Error("Maven sent no login")
			}
		})
	}
}

// FuzzMaven holds that no file gives a login to a host that it does not name, and that no error quotes it.
func FuzzMaven(f *testing.F) {
	f.Add(settings(bobXML, mirror("corp", "https://maven.acme.test/repo")))
	f.Add(settings("<password>${env.X}{"+canary+"}</password>", mirror("corp", "https://maven.acme.test.evil.test@x/")))
	f.Add("<settings><" + canary + ">&" + canary + ";</x>")
	f.Add("<!DOCTYPE a><settings>")
	s := newSources(f, map[string]string{"X": "v"})
	q := ask(f, "https://maven.acme.test/repo/x")
	f.Fuzz(func(t *testing.T, file string) {
		path := write(t, s, ".m2/settings.xml", file)
		values, err := maven{Sources: s, path: path}.Lookup(t.Context(), q)
		if err == nil && !strings.Contains(strings.ToLower(file), "maven.acme.test") && !strings.ContainsAny(file, "&<!") {
			t.Errorf("%q gives maven.acme.test %v", file, values)
		}
		checkFuzzed(t, file, values, err)
	})
}
