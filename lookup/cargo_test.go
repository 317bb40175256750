package lookup

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/internal/env"
)

// registryTable returns a [registries.NAME] table with an index and, if it has one, a token.
func registryTable(name, index, token string) string {
	table := fmt.Sprintf("[registries.%s]\n", name)
	if index != "" {
		table += fmt.Sprintf("index = %q\n", index)
	}
	if token != "" {
		table += fmt.Sprintf("token = %q\n", token)
	}
	return table
}

func TestCargo(t *testing.T) {
	const index = "sparse+https://crates.example.com/index/"
	const url = "https://crates.example.com/index/de/mo/demo"
	const file, credentials = "~/proj/.cargo/config.toml", "~/.cargo/credentials.toml"
	found := outcome{values: "default=" + canary + " token=" + canary}
	corp := registryTable("corp", index, canary)
	elsewhere := func(origin string) outcome {
		return outcome{kind: "not found", err: "cargo's configuration names no registry at " + origin + " (in " + file + ")"}
	}
	noToken := outcome{kind: "not found", err: `cargo has no token for its registry "corp": $CARGO_REGISTRIES_CORP_TOKEN is not set, and ` + credentials + " has none"}
	broken := func(text string) outcome {
		return outcome{kind: "broken", err: "looking for cargo's registries: reading " + file + text}
	}
	asked := func(provider, leaves string) outcome {
		return outcome{kind: "not found", err: "cargo asks the credential provider " + provider + ` for the token of its registry "corp"` + leaves + "; this program does not ask it"}
	}
	const tied = "looking for cargo's token: the registries a, b are at https://crates.example.com, with different tokens, and the URL fits each as well"
	const write1 = `write "registry": "a", or another one, in the source "cargo" of the rule`
	two := func(a, b string) string {
		return registryTable("a", "sparse+https://crates.example.com"+a, canary) + registryTable("b", "sparse+https://crates.example.com"+b, "other")
	}

	for _, tt := range []struct {
		name, file, url string
		vars            map[string]string
		want            outcome
	}{
		{"sparse", corp, url, nil, found},
		{"a Git index", registryTable("corp", "https://crates.example.com/git/index", canary), url, nil, found},
		{"Windows lines", strings.ReplaceAll(corp, "\n", "\r\n"), url, nil, found},
		{"a byte order mark", "\xef\xbb\xbf" + corp, url, nil, found},
		{"a download elsewhere on the host", corp, "https://crates.example.com/dl/demo/0.1.0/download", nil, found},
		{"whatever the case of the host", registryTable("corp", "sparse+https://Crates.Example.COM/index/", canary), url, nil, found},
		{"the scheme's port", registryTable("corp", "sparse+https://crates.example.com:443/index/", canary), url, nil, found},
		{"a port of its own", registryTable("corp", "sparse+https://crates.example.com:8443/index/", canary), "https://crates.example.com:8443/", nil, found},
		{"IPv6", registryTable("corp", "sparse+http://[::1]:5000/index/", canary), "http://[::1]:5000/", nil, found},
		{"user info in the index", registryTable("corp", "sparse+https://bob:"+canary+"@crates.example.com/index/", canary), url, nil, found},
		{"an inline table", "registries = {corp = {index = \"" + index + "\", token = \"" + canary + "\"}}", url, nil, found},
		{"the token's variable", registryTable("my-corp", index, "other"), url, map[string]string{"CARGO_REGISTRIES_MY_CORP_TOKEN": canary}, found},
		{"an empty variable", corp, url, map[string]string{"CARGO_REGISTRIES_CORP_TOKEN": ""}, found},
		{"the index's variable", registryTable("corp", "sparse+https://other.example.com/", canary), url, map[string]string{"CARGO_REGISTRIES_CORP_INDEX": index}, found},
		{"the index's variable leads away", corp, url, map[string]string{"CARGO_REGISTRIES_CORP_INDEX": "sparse+https://other.example.com/"}, elsewhere("https://crates.example.com")},
		{"in the environment alone", "", url, map[string]string{"CARGO_REGISTRIES_CORP_INDEX": index, "CARGO_REGISTRIES_CORP_TOKEN": canary}, found},
		{"an index in the environment, a token in the file", registryTable("corp", "", canary), url, map[string]string{"CARGO_REGISTRIES_CORP_INDEX": index}, found},

		{"the longest index", two("/team/", "/"), "https://crates.example.com/team/x", nil, found},
		{"the longest index that covers", two("/", "/team/"), "https://crates.example.com/teams/x", nil, found},
		{"the nearest index", two("/a/index/", "/b/index/"), "https://crates.example.com/a/dl/demo", nil, found},
		{"the same token twice", registryTable("a", index, canary) + registryTable("b", index, canary), url, nil, found},
		{"one without a token", registryTable("a", index, "") + registryTable("b", index, canary), url, nil, found},
		{"a tie", two("/a/index/", "/b/index/"), "https://crates.example.com/dl/a/demo", nil, outcome{kind: "broken", err: tied, hint: write1}},
		{"a tie of two that cover", two("/index/", "/index"), url, nil, outcome{kind: "broken", err: tied, hint: write1}},
		{"the one that covers has none", registryTable("corp", index, "") + registryTable("b", "sparse+https://crates.example.com/", "other"), url, nil, noToken},

		{"a host with more behind", corp, "https://crates.example.com.evil.test/index/", nil, elsewhere("https://crates.example.com.evil.test")},
		{"a host with more before", corp, "https://evilcrates.example.com/index/", nil, elsewhere("https://evilcrates.example.com")},
		{"a host below", corp, "https://x.crates.example.com/index/", nil, elsewhere("https://x.crates.example.com")},
		{"another port", corp, "https://crates.example.com:8443/index/", nil, elsewhere("https://crates.example.com:8443")},
		{"another scheme", corp, "http://crates.example.com/index/", nil, elsewhere("http://crates.example.com")},
		{"a host in the user info", registryTable("corp", "sparse+https://crates.example.com@evil.test/", canary), url, nil, elsewhere("https://crates.example.com")},
		{"all hosts of a domain", corp, "https://*.example.com/", nil, outcome{kind: "not found", err: "cargo has no registry for all hosts of a domain (*.example.com)"}},
		{"over SSH", registryTable("corp", "ssh://git@crates.example.com/index", canary), url, nil, elsewhere("https://crates.example.com")},
		{"no URL", registryTable("corp", "%zz", canary), url, nil, elsewhere("https://crates.example.com")},
		{"no token", registryTable("corp", index, ""), url, nil, noToken},
		{"an empty token", registryTable("corp", index, "") + "token = ''\n", url, nil, noToken},
		{"nothing", "", url, nil, elsewhere("https://crates.example.com")},

		{"an asymmetric token", registryTable("corp", index, "") + "secret-key = \"" + canary + "\"\n", url, nil, outcome{
			kind: "broken", err: `looking for cargo's token: the registry "corp" uses an asymmetric token, which is not supported`,
			hint: "give $CARGO_REGISTRIES_CORP_TOKEN a token of its own, if the registry takes one",
		}},
		{"another provider", registryTable("corp", index, "") + "credential-provider = \"cargo:libsecret\"\n", url, nil, asked("cargo:libsecret", "")},
		{"another provider, whose arguments are not told", registryTable("corp", index, "") + "credential-provider = [\"/usr/bin/vault-cargo\", \"" + canary + "\"]\n", url, nil, asked("vault-cargo", "")},
		{"another provider for all", "[registry]\nglobal-credential-providers = [\"cargo:token-from-stdout cat\", \"cargo:libsecret\"]\n" + registryTable("corp", index, ""), url, nil, asked("cargo:token-from-stdout, cargo:libsecret", "")},
		{"another provider beside cargo's own", "[registry]\nglobal-credential-providers = [\"cargo:token\", \"cargo:libsecret\"]\n" + corp, url, nil, found},
		{"a token that cargo leaves out", corp + "credential-provider = \"cargo:libsecret\"\n", url, nil, asked("cargo:libsecret", ", and leaves out the one in "+file)},
		{"a variable that cargo leaves out", registryTable("corp", index, "") + "credential-provider = \"cargo:libsecret\"\n", url, map[string]string{"CARGO_REGISTRIES_CORP_TOKEN": canary}, asked("cargo:libsecret", ", and leaves out $CARGO_REGISTRIES_CORP_TOKEN")},
		{"a provider's alias", "[credential-alias]\nmine = [\"cargo:token\"]\n" + corp + "credential-provider = \"mine\"\n", url, nil, found},
		{"a provider in a variable", corp, url, map[string]string{"CARGO_REGISTRIES_CORP_CREDENTIAL_PROVIDER": "pass show"}, asked("pass", ", and leaves out the one in "+file)},
		{"providers in a variable", corp, url, map[string]string{"CARGO_REGISTRY_GLOBAL_CREDENTIAL_PROVIDERS": "pass cargo:token"}, found},

		{"malformed", corp + "token = \"" + canary, url, nil, broken(":4:25: not TOML as cargo reads it")},
		{"a key twice", corp + "token = \"" + canary + "\"\n", url, nil, broken(":4:1: not TOML as cargo reads it")},
		{"of another type", "[registries.corp]\ntoken = [\"" + canary + "\"]\n", url, nil, broken(":2:9: not TOML as cargo reads it")},
		{"a registry that is no table", "[registries]\ncorp = \"" + canary + "\"\n", url, nil, broken(":2:8: not TOML as cargo reads it")},
		{"too large", strings.Repeat("\n", maxTOML+1), url, nil, broken(": it is larger than 65536 bytes, which is too long for a file of cargo")},
		{"much too large", strings.Repeat("\n", maxNative+1), url, nil, broken(": it is larger than 1048576 bytes")},
		{"an include of another kind", "include = \"x.toml\"\n", url, nil, broken(`: "include" is not an array of paths and {path = "…"}`)},
		{"an include that is not there", "include = [\"x.toml\"]\n", url, nil, outcome{
			kind: "broken", err: broken(": it includes ~/proj/.cargo/x.toml, which does not exist").err, hint: `cargo needs the file too; {path = "…", optional = true} includes one that may be missing`,
		}},
		{"an include that may be missing", "include = [{path = \"x.toml\", optional = true}]\n" + corp, url, nil, found},
		{"an include of no TOML", "include = [\"../../.netrc\"]\n", url, nil, broken(": it includes ~/.netrc, and cargo includes files whose names end in .toml")},
		{"an include of itself", "include = [\"../.cargo/config.toml\"]\n", url, nil, broken(": it includes ~/proj/.cargo/config.toml, which includes it")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			notOnWindows(t) // for the slashes in what is expected; the file is read alike
			s := newSources(t, tt.vars)
			write(t, s, "proj/.cargo/config.toml", tt.file)
			expect(t, s, decodeOne(t, s, `{"source": "cargo"}`), ask(t, tt.url), tt.want)
		})
	}
}

// TestCargoByName holds what a rule's own "registry" means.
func TestCargoByName(t *testing.T) {
	notOnWindows(t)
	s := newSources(t, map[string]string{"CARGO_REGISTRIES_BARE_TOKEN": "bare", "CARGO_REGISTRIES_BARE_2_TOKEN": "bare2"})
	write(t, s, ".cargo/credentials.toml", registryTable("corp", "", canary)+registryTable("git", "ssh://git@git.example.com/index", "g"))
	write(t, s, "proj/.cargo/config.toml", registryTable("corp", "sparse+https://crates.example.com/index/", ""))
	for _, tt := range []struct {
		name, url string
		want      outcome
	}{
		{"corp", "https://crates.example.com/anything", outcome{values: "default=" + canary + " token=" + canary}},
		{"corp", "https://other.example.com/", outcome{kind: "not found", err: `cargo's registry "corp" is at https://crates.example.com, not at https://other.example.com`}},
		{"bare", "https://other.example.com/", outcome{values: "default=bare token=bare"}},
		{"bare-2", "https://other.example.com/", outcome{values: "default=bare2 token=bare2"}},
		{"git", "https://other.example.com/", outcome{values: "default=g token=g"}},
		{"nope", "https://other.example.com/", outcome{kind: "not found", err: `cargo has no token for its registry "nope": $CARGO_REGISTRIES_NOPE_TOKEN is not set, and ~/.cargo/credentials.toml has none`}},
	} {
		t.Run(tt.name+" "+tt.url, func(t *testing.T) {
			source := decodeOne(t, s, fmt.Sprintf(`{"source": "cargo", "registry": %q}`, tt.name))
			if source.HostBound() || source.(PathBound).PathBound() {
				t.Error("a registry that the rule names is bound to a host or a path")
			}
			expect(t, s, source, ask(t, tt.url), tt.want)
		})
	}
	if source := s.Cargo(""); !source.(PathBound).PathBound() {
		t.Error("it is bound to no path")
	}
	for _, name := range []string{"", "a b", "x.y"} {
		if _, err := decodeChain(s, fmt.Sprintf(`[{"source": "cargo", "registry": %q}]`, name), Default); err == nil {
			t.Errorf("the name %q is accepted", name)
		}
	}
}

// TestCratesIO holds that the token of crates.io stays there.
func TestCratesIO(t *testing.T) {
	notOnWindows(t)
	s := newSources(t, map[string]string{"CARGO_REGISTRY_TOKEN": canary})
	write(t, s, "proj/.cargo/config.toml", "[registry]\ntoken = \"other\"\nindex = \"sparse+https://evil.test/\"\n"+
		registryTable("crates-io", "sparse+https://evil.test/", "other")+registryTable("corp", "sparse+https://crates.example.com/", "")+registryTable("sneaky", "sparse+https://index.crates.io/", "sneaky"))
	found := outcome{values: "default=" + canary + " token=" + canary}
	const names = "cargo's configuration names no registry at "
	for _, tt := range []struct {
		registry, url string
		want          outcome
	}{
		{"", "https://crates.io/api/v1/crates", found},
		{"", "https://index.crates.io/de/mo/demo", found},
		{"crates-io", "https://crates.io/", found},
		{"", "https://static.crates.io/crates/demo/demo-0.1.0.crate", outcome{kind: "not found", err: "cargo sends no token to static.crates.io"}},
		{"", "http://crates.io/", outcome{kind: "not found", err: names + "http://crates.io (in ~/proj/.cargo/config.toml)"}},
		{"", "https://crates.io.evil.test/", outcome{kind: "not found", err: names + "https://crates.io.evil.test (in ~/proj/.cargo/config.toml)"}},
		{"", "https://evil.test/", outcome{kind: "not found", err: names + "https://evil.test (in ~/proj/.cargo/config.toml)"}},
		{"crates-io", "https://evil.test/", outcome{kind: "not found", err: "the token of crates.io does not go to https://evil.test"}},
		{"", "https://crates.example.com/", outcome{kind: "not found", err: `cargo has no token for its registry "corp": $CARGO_REGISTRIES_CORP_TOKEN is not set, and ~/.cargo/credentials.toml has none`}},
	} {
		t.Run(tt.registry+" "+tt.url, func(t *testing.T) { expect(t, s, s.Cargo(tt.registry), ask(t, tt.url), tt.want) })
	}
}

func TestCargoFiles(t *testing.T) {
	notOnWindows(t)
	const url = "https://crates.example.com/"
	file := registryTable("corp", "sparse+"+url, canary)
	found := outcome{values: "default=" + canary + " token=" + canary}
	nothing := outcome{kind: "not found", err: "cargo's configuration names no registry at https://crates.example.com (there is no .cargo/config.toml in the working directory or above it, nor a config.toml or credentials.toml in cargo's home)"}
	t.Run("none", func(t *testing.T) {
		s := newSources(t, nil)
		expect(t, s, s.Cargo(""), ask(t, url), nothing)
	})
	t.Run("no home", func(t *testing.T) {
		s := newSources(t, nil)
		s.Env.Home, s.Env.Dir = "", t.TempDir()
		expect(t, nil, s.Cargo(""), ask(t, url), nothing)
	})
	t.Run("a directory", func(t *testing.T) {
		s := newSources(t, nil)
		write(t, s, ".cargo/credentials.toml/x", "")
		expect(t, s, s.Cargo(""), ask(t, url), outcome{
			kind: "broken", err: "looking for cargo's registries: reading ~/.cargo/credentials.toml: it is a directory", hint: "cargo logout and cargo login write a registry's token anew",
		})
	})
	t.Run("a project's file that all can write", func(t *testing.T) {
		s := newSources(t, nil)
		if err := os.Chmod(write(t, s, "proj/.cargo/config.toml", file), 0o666); err != nil {
			t.Fatal(err)
		}
		expect(t, s, s.Cargo(""), ask(t, url), outcome{
			kind: "broken", err: "looking for cargo's registries: reading ~/proj/.cargo/config.toml: every user of this machine can write it (mode 0666)",
			hint: "run chmod o-w ~/proj/.cargo/config.toml, if what it says is yours",
		})
	})
	t.Run("unreadable", func(t *testing.T) {
		if os.Geteuid() == 0 {
			t.Skip("root reads everything")
		}
		s := newSources(t, nil)
		if err := os.Chmod(write(t, s, ".cargo/config.toml", file), 0); err != nil {
			t.Fatal(err)
		}
		expect(t, s, s.Cargo(""), ask(t, url), outcome{kind: "broken", err: "looking for cargo's registries: reading ~/.cargo/config.toml: permission denied"})
	})
	t.Run("the user's files alone", func(t *testing.T) {
		s := newSources(t, nil)
		s.Env.UserOnly = true
		write(t, s, "proj/.cargo/config.toml", file)
		expect(t, s, s.Cargo(""), ask(t, url), nothing)
		write(t, s, ".cargo/config.toml", file)
		expect(t, s, s.Cargo(""), ask(t, url), found)
	})
	t.Run("too many includes", func(t *testing.T) {
		s := newSources(t, nil)
		for i := range maxIncludes + 1 {
			write(t, s, fmt.Sprintf("proj/.cargo/%d.toml", i), fmt.Sprintf("include = [\"%d.toml\"]\n", i+1))
		}
		write(t, s, "proj/.cargo/config.toml", "include = [\"0.toml\"]\n")
		expect(t, s, s.Cargo(""), ask(t, url), outcome{kind: "broken", err: "looking for cargo's registries: reading ~/proj/.cargo/31.toml: more than 32 files are included"})
	})
}

// TestTOMLBombs holds that a file of the permitted size cannot take long.
func TestTOMLBombs(t *testing.T) {
	many := func(format string) string {
		var b strings.Builder
		for i := 0; b.Len() < maxTOML-50; i++ {
			fmt.Fprintf(&b, format, i, i)
		}
		return b.String()
	}
	const half = maxTOML / 2
	for name, file := range map[string]string{
		"keys":           many("k%d=%d\n"),
		"registries":     many("[registries.r%d]\nindex='%d'\n"),
		"inline":         "registries = {" + many("k%d={index='%d'},") + "z={}}",
		"tables":         many("[t%d.a%d]\n"),
		"brackets":       "include = " + strings.Repeat("[", maxTOML-20),
		"closed":         "include = " + strings.Repeat("[", half-10) + strings.Repeat("]", half-10),
		"inline tables":  strings.Repeat("a={", maxTOML/3),
		"dots":           strings.Repeat("a.", half-10) + "a=1",
		"quotes":         strings.Repeat(`"`, maxTOML),
		"array of array": "include = [" + strings.Repeat("[],", maxTOML/3-10) + "]",
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			var into cargoFile
			_ = decodeTOML("config.toml", "cargo", []byte(file), &into)
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// FuzzCargo holds that no file gives crates.example.com a token without naming it, and that no error quotes the file.
func FuzzCargo(f *testing.F) {
	const origin = "https://crates.example.com"
	f.Add(registryTable("corp", "sparse+"+origin+"/", canary), "/x")
	f.Add("[registries]\ncorp = {index = 'sparse+"+origin+"@evil.test/', token = '"+canary+"'}", "/x/y")
	f.Add("[registry]\ntoken = '"+canary+"'\nglobal-credential-providers = [['"+canary+"']]\n[credential-alias]\n'' = ['x']\n", "/")
	f.Add("include = ['"+canary+"']", "")
	f.Add(registryTable("a", "sparse+"+origin+"/a", canary)+registryTable("b", origin+"/a/", "other"), "/a/b")
	s := &Sources{Env: &env.Env{Get: func(string) (string, bool) { return "", false }}}
	f.Fuzz(func(t *testing.T, file, path string) {
		u := mustParse(t, origin)
		u.Path = "/" + path
		settings := newCargoSettings()
		_, err := settings.parse("config.toml", []byte(file))
		var values Values
		if err == nil {
			values, err = cargo{s, ""}.find(settings, u)
		}
		// A name may be written with escapes; that is none of a host.
		if err == nil && !strings.Contains(strings.ToLower(file), "crates.example.com") && !strings.Contains(file, `\`) {
			t.Errorf("%q gives crates.example.com %v", file, values)
		}
		if err == nil && values[Token].IsZero() {
			t.Errorf("%q gives no error and no token", file)
		}
		if o := outcomeOf(s, nil, err); strings.Contains(o.err+o.hint, canary) && !namesCanary(file) {
			t.Errorf("%q: the secret is in the error: %v", file, err)
		}
	})
}

// namesCanary reports whether a file has the canary in a place that is no secret's: the name of a registry, a path, a program.
func namesCanary(file string) bool {
	var into cargoFile
	if decodeTOML("", "", []byte(file), &into) != nil {
		return false
	}
	into.Registry.Token, into.Registry.SecretKey = "", ""
	for name, r := range into.Registries {
		r.Token, r.SecretKey = "", ""
		into.Registries[name] = r
	}
	return strings.Contains(fmt.Sprintf("%v", into), canary)
}
