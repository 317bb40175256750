package lookup

import (
	"strings"
	"testing"
)

// nugetConfig returns a nuget.config with sources, "NAME URL" each, and what is in <packageSourceCredentials>.
func nugetConfig(logins string, sources ...string) string {
	var b strings.Builder
	b.WriteString("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<configuration>\n<packageSources>")
	for _, s := range sources {
		if s == "clear" {
			b.WriteString("<clear />")
			continue
		}
		i := strings.LastIndexByte(s, ' ')
		b.WriteString(`<add key="` + s[:i] + `" value="` + s[i+1:] + `" protocolVersion="3" />`)
	}
	return b.String() + "</packageSources>\n<packageSourceCredentials>" + logins + "</packageSourceCredentials>\n</configuration>\n"
}

// nugetLogin returns a login of <packageSourceCredentials>.
func nugetLogin(name, user, password string) string {
	return `<` + name + `><add key="Username" value="` + user + `" /><add key="ClearTextPassword" value="` + password + `" /></` + name + `>`
}

func TestNuget(t *testing.T) {
	notOnWindows(t) // for the slashes in what is expected
	const (
		index = "https://nuget.acme.test/nuget/v3/index.json"
		url   = "https://nuget.acme.test/nuget/v3/flat2/x/1.0.0/x.1.0.0.nupkg"
		user  = ".nuget/NuGet/NuGet.Config"
	)
	login := func(user, password string) outcome {
		return outcome{values: "default=" + password + " password=" + password + " username=" + user}
	}
	both := login("bob", canary)
	none := outcome{kind: "not found", err: "NuGet's configuration has no login for nuget.acme.test"}
	noneFor := func(host string) outcome {
		return outcome{kind: "not found", err: "NuGet's configuration has no login for " + host}
	}
	acme := nugetConfig(nugetLogin("acme", "bob", canary), "acme "+index)
	endpoints := `{"endpointCredentials": [{"endpoint": "` + index + `", "username": "bob", "password": "` + canary + `"}]}`
	for _, tt := range []struct {
		name  string
		files map[string]string
		vars  map[string]string
		url   string
		want  outcome
	}{
		{"the user's file", map[string]string{user: acme}, nil, url, both},
		{"the index itself", map[string]string{user: acme}, nil, index, both},
		{"the user's other file", map[string]string{".config/NuGet/NuGet.Config": acme}, nil, url, both},
		{"XDG", map[string]string{"xdg/NuGet/NuGet.Config": acme}, map[string]string{"XDG_CONFIG_HOME": "~/xdg"}, url, both},
		{"the working directory's file", map[string]string{"proj/nuget.config": acme}, nil, url, both},
		{"one above", map[string]string{"NuGet.config": acme}, nil, url, both},
		{"spelled as it once was", map[string]string{"proj/NuGet.Config": acme}, nil, url, both},
		{"of two spellings one", map[string]string{"proj/nuget.config": acme, "proj/NuGet.Config": nugetConfig(nugetLogin("acme", "eve", "x"))}, nil, url, both},
		{"the nearest counts", map[string]string{"proj/nuget.config": nugetConfig(nugetLogin("acme", "near", "n")), "nuget.config": acme}, nil, url, login("near", "n")},
		{"the source and its login in two files", map[string]string{"proj/nuget.config": nugetConfig("", "acme "+index), "nuget.config": nugetConfig(nugetLogin("acme", "bob", canary))}, nil, url, both},
		{"Windows lines and a byte order mark", map[string]string{user: "\xef\xbb\xbf" + strings.ReplaceAll(acme, "\n", "\r\n")}, nil, url, both},
		{"a space in the name", map[string]string{user: nugetConfig(nugetLogin("Acme_x0020_Feed", "bob", canary), "Acme Feed "+index)}, nil, url, both},
		{"the source's name in another case", map[string]string{user: nugetConfig(nugetLogin("acme", "bob", canary), "acme https://other.test/", "ACME "+index)}, nil, url, none},
		{"keys in another case", map[string]string{user: strings.ReplaceAll(acme, "ClearTextPassword", "cleartextpassword")}, nil, url, both},
		{"a variable", map[string]string{user: nugetConfig(nugetLogin("acme", "%WHO%", "a%WHO%b%"), "acme "+index)}, map[string]string{"WHO": "bob"}, url, login("bob", "abobb%")},
		{"percent signs that are no variable", map[string]string{user: nugetConfig(nugetLogin("acme", "bob", "a%nope%b"), "acme "+index)}, nil, url, login("bob", "a%nope%b")},
		{"Basic among others", map[string]string{user: strings.ReplaceAll(acme, "</acme>", `<add key="ValidAuthenticationTypes" value="negotiate, Basic" /></acme>`)}, nil, url, both},
		{"cleared above", map[string]string{"proj/nuget.config": nugetConfig("<clear />", "clear"), "nuget.config": acme}, nil, url, none},
		{"cleared, then added", map[string]string{"proj/nuget.config": nugetConfig("", "clear", "acme "+index), "nuget.config": acme}, nil, url, both},
		{"cleared by one further away", map[string]string{"proj/nuget.config": acme, "nuget.config": nugetConfig("<clear />", "clear")}, nil, url, both},
		{"a port", map[string]string{user: nugetConfig(nugetLogin("acme", "bob", canary), "acme https://nuget.acme.test:8443/v3/index.json")}, nil, "https://nuget.acme.test:8443/v3/x", both},
		{"upper case", map[string]string{user: nugetConfig(nugetLogin("acme", "bob", canary), "acme HTTPS://NuGet.ACME.test:443/nuget/v3/Index.JSON")}, nil, url, both},
		{"IPv6", map[string]string{user: nugetConfig(nugetLogin("acme", "bob", canary), "acme http://[::1]:5000/v3/index.json")}, nil, "http://[::1]:5000/v3/x", both},
		{"user info in the URL", map[string]string{user: nugetConfig(nugetLogin("acme", "bob", canary), "acme https://eve:x@nuget.acme.test/nuget/v3/index.json")}, nil, url, both},

		{"the deepest path", map[string]string{user: nugetConfig(nugetLogin("all", "eve", "x")+nugetLogin("acme", "bob", canary), "all https://nuget.acme.test/index.json", "acme "+index)}, nil, url, both},
		{"beside the path, alone", map[string]string{user: acme}, nil, "https://nuget.acme.test/elsewhere/x", both},
		{"beside the path, one login twice", map[string]string{user: nugetConfig(nugetLogin("a", "bob", canary)+nugetLogin("b", "bob", canary), "a https://nuget.acme.test/a/", "b https://nuget.acme.test/b/")}, nil, url, both},
		{"the path that is closest", map[string]string{user: nugetConfig(nugetLogin("a", "eve", "x")+nugetLogin("b", "bob", canary), "a https://nuget.acme.test/org/a/v3/index.json", "b https://nuget.acme.test/org/b/v3/index.json")}, nil, "https://nuget.acme.test/org/b/flat/x", both},
		{"no path is closest", map[string]string{user: nugetConfig(nugetLogin("a", "eve", canary)+nugetLogin("b", "bob", canary), "a https://nuget.acme.test/org/a/v3/index.json", "b https://nuget.acme.test/org/b/v3/index.json")}, nil, "https://nuget.acme.test/org/c/flat/x", outcome{kind: "not found", err: "NuGet's configuration has several logins for nuget.acme.test, and the path does not tell which is meant"}},
		{"a segment that only begins so", map[string]string{user: nugetConfig(nugetLogin("a", "eve", "x")+nugetLogin("b", "bob", canary), "a https://nuget.acme.test/nuget/v/index.json", "b https://nuget.acme.test/nuget/index.json")}, nil, url, both},

		{"the credential provider's variable", nil, map[string]string{"ARTIFACTS_CREDENTIALPROVIDER_EXTERNAL_FEED_ENDPOINTS": endpoints}, url, both},
		{"its old name", nil, map[string]string{"VSS_NUGET_EXTERNAL_FEED_ENDPOINTS": endpoints}, url, both},
		{"no user name in it", nil, map[string]string{"VSS_NUGET_EXTERNAL_FEED_ENDPOINTS": strings.ReplaceAll(endpoints, `"username": "bob", `, "")}, url, login("VssSessionToken", canary)},
		{"the variable before the file", map[string]string{user: nugetConfig(nugetLogin("acme", "eve", "x"), "acme "+index)}, map[string]string{"VSS_NUGET_EXTERNAL_FEED_ENDPOINTS": endpoints}, url, both},
		{"a source's variable", map[string]string{user: nugetConfig(nugetLogin("acme", "eve", "x"), "acme "+index)}, map[string]string{"NuGetPackageSourceCredentials_acme": " username=bob; PASSWORD=" + canary + ";ValidAuthenticationTypes=basic"}, url, both},
		{"a project's source's variable", map[string]string{"proj/nuget.config": nugetConfig("", "acme "+index)}, map[string]string{"NuGetPackageSourceCredentials_acme": "Username=bob;Password=" + canary}, url, both},
		{"semicolons in the password", map[string]string{user: nugetConfig("", "acme "+index)}, map[string]string{"NuGetPackageSourceCredentials_acme": "Username=bob;Password=a;b"}, url, login("bob", "a;b")},

		{"none", nil, nil, url, outcome{kind: "not found", err: "there is no login of NuGet's: no nuget.config in the working directory or above it, nor ~/.nuget/NuGet/NuGet.Config, nor ~/.config/NuGet/NuGet.Config"}},
		{"no login", map[string]string{user: nugetConfig("", "acme "+index)}, nil, url, none},
		{"no source", map[string]string{user: nugetConfig(nugetLogin("acme", "bob", canary))}, nil, url, none},
		{"no password", map[string]string{user: nugetConfig(nugetLogin("acme", "bob", ""), "acme "+index)}, nil, url, none},
		{"a host behind", map[string]string{user: acme}, nil, "https://nuget.acme.test.evil.test/nuget/v3/x", noneFor("nuget.acme.test.evil.test")},
		{"a host before", map[string]string{user: acme}, nil, "https://evilnuget.acme.test/nuget/v3/x", noneFor("evilnuget.acme.test")},
		{"another port", map[string]string{user: acme}, nil, "https://nuget.acme.test:8443/nuget/v3/x", noneFor("nuget.acme.test:8443")},
		{"another scheme", map[string]string{user: acme}, nil, "http://nuget.acme.test/nuget/v3/x", none},
		{"user info that looks like a host", map[string]string{user: nugetConfig(nugetLogin("acme", "bob", canary), "acme https://nuget.acme.test@evil.test/nuget/v3/index.json")}, nil, url, none},
		{"a path", map[string]string{user: nugetConfig(nugetLogin("acme", "bob", canary), "acme ./packages")}, nil, url, none},
		{"all hosts of a domain", map[string]string{user: acme}, nil, "https://*.acme.test/", outcome{kind: "not found", err: "NuGet's logins are for one server each, not for *.acme.test"}},
		{"without Basic", map[string]string{user: strings.ReplaceAll(acme, "</acme>", `<add key="ValidAuthenticationTypes" value="negotiate" /></acme>`)}, nil, url, outcome{kind: "not found", err: `NuGet's login for "acme" is for authentication types without Basic`}},
		{
			"a project that points a login of the user's elsewhere",
			map[string]string{user: acme, "proj/nuget.config": nugetConfig("", "acme https://evil.test/v3/index.json")},
			nil, "https://evil.test/v3/x",
			outcome{kind: "not found", err: `the login "acme" in ~/.nuget/NuGet/NuGet.Config is not used for the server that ~/proj/nuget.config gives that name to; name the source in ~/.nuget/NuGet/NuGet.Config too`},
		},
		{"a project that names the user's source again", map[string]string{user: acme, "proj/nuget.config": nugetConfig("", "clear", "acme https://nuget.acme.test/nuget/v2")}, nil, url, both},

		{"an undefined variable", map[string]string{user: nugetConfig(nugetLogin("acme", "bob", "%NOPE%"), "acme "+index)}, nil, url, outcome{kind: "broken", err: "reading NuGet's configuration: ~/.nuget/NuGet/NuGet.Config:4: %NOPE% stands for the environment variable NOPE, which is not set", hint: "set the environment variable NOPE"}},
		{"encrypted", map[string]string{user: strings.ReplaceAll(acme, "ClearTextPassword", "Password")}, nil, url, outcome{
			kind: "broken", err: `reading NuGet's configuration: the login "acme" in ~/.nuget/NuGet/NuGet.Config:4 has a password that Windows encrypted, which is not supported`,
			hint: "run dotnet nuget update source with --store-password-in-clear-text, or set the environment variable NuGetPackageSourceCredentials_acme",
		}},
		{"a source's malformed variable", map[string]string{user: acme}, map[string]string{"NuGetPackageSourceCredentials_acme": canary}, url, outcome{kind: "broken", err: "reading NuGet's configuration: $NuGetPackageSourceCredentials_acme is not a login as NuGet reads it", hint: "it is Username=NAME;Password=TOKEN"}},
		{"the provider's malformed variable", nil, map[string]string{"VSS_NUGET_EXTERNAL_FEED_ENDPOINTS": `{"endpointCredentials": "` + canary + `"}`}, url, outcome{kind: "broken", err: "reading NuGet's feeds in $VSS_NUGET_EXTERNAL_FEED_ENDPOINTS: a value is of the wrong type", hint: `it is {"endpointCredentials": [{"endpoint": URL, "username": NAME, "password": TOKEN}]}`}},
		{"not JSON", nil, map[string]string{"VSS_NUGET_EXTERNAL_FEED_ENDPOINTS": `{`}, url, outcome{kind: "broken", err: "reading NuGet's feeds: $VSS_NUGET_EXTERNAL_FEED_ENDPOINTS:1:2: the JSON is cut off: a bracket, or a quotation mark, is not closed"}},
		{"malformed", map[string]string{user: "<configuration>\n<" + canary + " =>"}, nil, url, outcome{kind: "broken", err: "reading NuGet's configuration: ~/.nuget/NuGet/NuGet.Config:2: not well-formed XML"}},
		{"a directory", map[string]string{user + "/x": ""}, nil, url, outcome{kind: "broken", err: "reading NuGet's configuration: reading ~/.nuget/NuGet/NuGet.Config: it is a directory"}},
		{"too large", map[string]string{user: strings.Repeat(" ", maxNative+1)}, nil, url, outcome{kind: "broken", err: "reading NuGet's configuration: reading ~/.nuget/NuGet/NuGet.Config: it is larger than 1048576 bytes"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			vars := map[string]string{}
			s := newSources(t, vars)
			for name, value := range tt.vars {
				vars[name] = strings.ReplaceAll(value, "~", s.Env.Home)
			}
			for name, content := range tt.files {
				write(t, s, name, content)
			}
			expect(t, s, decodeOne(t, s, `{"source": "nuget"}`), ask(t, tt.url), tt.want)
		})
	}
}

func TestNugetOfTheUser(t *testing.T) {
	notOnWindows(t)
	s := newSources(t, nil)
	config := func(user string) string {
		return nugetConfig(nugetLogin("acme", user, "p"), "acme https://nuget.acme.test/v3/index.json")
	}
	write(t, s, "proj/nuget.config", config("project"))
	write(t, s, ".nuget/NuGet/NuGet.Config", config("user"))
	write(t, s, "own.config", config("own"))
	q := ask(t, "https://nuget.acme.test/v3/x")
	expect(t, s, s.Nuget(), q, outcome{values: "default=p password=p username=project"})
	expect(t, s, decodeOne(t, s, `{"source": "nuget", "path": "~/own.config"}`), q, outcome{values: "default=p password=p username=own"})
	s.Env.UserOnly = true
	expect(t, s, s.Nuget(), q, outcome{values: "default=p password=p username=user"})
	s.Env.Home = ""
	if _, err := s.Nuget().Lookup(t.Context(), q); err == nil {
		t.Error("a login is found without a home directory")
	}
}

func TestNugetUnreadable(t *testing.T) {
	notOnWindows(t)
	s := newSources(t, nil)
	unreadable(t, write(t, s, ".nuget/NuGet/NuGet.Config", "<configuration/>"))
	expect(t, s, s.Nuget(), ask(t, "https://nuget.acme.test"), outcome{kind: "broken", err: "reading NuGet's configuration: reading ~/.nuget/NuGet/NuGet.Config: permission denied"})
}

func TestDecodeXMLName(t *testing.T) {
	for name, want := range map[string]string{
		"acme": "acme", "Acme_x0020_Feed": "Acme Feed", "a_b": "a_b", "_x0031_23": "123", "_x005F_x0020_": "_x0020_",
		"_xD83D__xDE00_": "😀", "_x0001F600_": "😀", "_x20_": "_x20_", "_xZZZZ_": "_xZZZZ_", "_x": "_x", "ä_x0020": "ä_x0020", "": "",
	} {
		if got := decodeXMLName(name); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
}

// FuzzNuget holds that no file gives a login to a host that it does not name, and that no error quotes it.
func FuzzNuget(f *testing.F) {
	f.Add(nugetConfig(nugetLogin("acme", "bob", canary), "acme https://nuget.acme.test/v3/index.json"))
	f.Add(nugetConfig(nugetLogin("_x0061_", "%X%", canary), "a https://nuget.acme.test:443/", "b https://nuget.acme.test.evil.test/"))
	f.Add("<configuration><packageSources><add key='" + canary + "' value='%X%")
	s := newSources(f, map[string]string{"X": "v"})
	q := ask(f, "https://nuget.acme.test/v3/x")
	f.Fuzz(func(t *testing.T, file string) {
		path := write(t, s, "nuget.config", file)
		values, err := nuget{Sources: s, path: path}.Lookup(t.Context(), q)
		if err == nil && !strings.Contains(strings.ToLower(file), "nuget.acme.test") && !strings.ContainsAny(file, "&") {
			t.Errorf("%q gives nuget.acme.test %v", file, values)
		}
		// The name of a source is told where its login is of no use; it is no secret.
		if strings.Count(file, canary) == strings.Count(file, `value="`+canary) {
			checkFuzzed(t, file, values, err)
		}
	})
}
