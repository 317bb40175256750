package dockerconfig

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/docker/cli/cli/config/configfile"

	"github.com/fe055d52/credential-helper/internal/redact"
)

func parse(t *testing.T, text string) *Document {
	t.Helper()
	doc, err := Parse("config.json", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestEdit(t *testing.T) {
	const all = `{"zebra":1.0,"auths":{"ghcr.io":{"auth":"YTpi","email":"a@b.test"}},"credsStore":"desktop","credHelpers":{"gcr.io":"gcloud"},"big":12345678901234567890}`
	tests := []struct {
		name, in string
		edit     func(*Document)
		want     string
	}{
		{"nothing", all, func(*Document) {}, all},
		{"the same store", all, func(d *Document) { d.SetStore("desktop"); d.SetHelper("gcr.io", "gcloud") }, all},
		{"store of no file", "", func(d *Document) { d.SetStore("x") }, "{\n\t\"credsStore\": \"x\"\n}"},
		{"newline at the end", " {}\n", func(d *Document) { d.SetStore("x") }, "{\n\t\"credsStore\": \"x\"\n}\n"},
		{
			"store keeps its place, and numbers their text", `{"a":1e2,"credsStore":"desktop","b":[1.50,true,null]}`,
			func(d *Document) { d.SetStore("x") },
			"{\n\t\"a\": 1e2,\n\t\"credsStore\": \"x\",\n\t\"b\": [\n\t\t1.50,\n\t\ttrue,\n\t\tnull\n\t]\n}",
		},
		{"store in another case", `{"CredsStore":"desktop"}`, func(d *Document) { d.SetStore("x") }, "{\n\t\"CredsStore\": \"x\"\n}"},
		{"store that is null", `{"credsStore":null}`, func(d *Document) { d.SetStore("x") }, "{\n\t\"credsStore\": \"x\"\n}"},
		{"no store", `{"credsStore":"x","a":{}}`, func(d *Document) { d.RemoveStore() }, "{\n\t\"a\": {}\n}"},
		{"first helper", `{"a":"\u003c<"}`, func(d *Document) { d.SetHelper("h:5000", "x") }, "{\n\t\"a\": \"\\u003c<\",\n\t\"credHelpers\": {\n\t\t\"h:5000\": \"x\"\n\t}\n}"},
		{
			"second helper", `{"credHelpers":{"gcr.io":"gcloud"}}`, func(d *Document) { d.SetHelper("a.test", "x") },
			"{\n\t\"credHelpers\": {\n\t\t\"gcr.io\": \"gcloud\",\n\t\t\"a.test\": \"x\"\n\t}\n}",
		},
		{"helpers that are null", `{"credHelpers":null}`, func(d *Document) { d.SetHelper("a.test", "x") }, "{\n\t\"credHelpers\": {\n\t\t\"a.test\": \"x\"\n\t}\n}"},
		{"last helper", `{"credHelpers":{"a.test":"x"}}`, func(d *Document) { d.RemoveHelper("a.test") }, "{}"},
		{"no such helper", all, func(d *Document) { d.RemoveHelper("a.test") }, all},
		{
			"a login becomes an empty entry", `{"auths":{"ghcr.io":{"auth":"YTpi"},"b.test":{"Auth":"YTpi","email":"e","registrytoken":"r"}}}`,
			func(d *Document) { d.ClearLogin("ghcr.io"); d.ClearLogin("b.test"); d.ClearLogin("none.test") },
			"{\n\t\"auths\": {\n\t\t\"ghcr.io\": {},\n\t\t\"b.test\": {\n\t\t\t\"email\": \"e\",\n\t\t\t\"registrytoken\": \"r\"\n\t\t}\n\t}\n}",
		},
		{"an empty entry stays", `{"auths":{"ghcr.io":{}}}`, func(d *Document) { d.ClearLogin("ghcr.io") }, `{"auths":{"ghcr.io":{}}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			doc := parse(t, tt.in)
			tt.edit(doc)
			if got := string(doc.Bytes()); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
			if doc.Changed() != (tt.in != tt.want) {
				t.Errorf("Changed() = %v", doc.Changed())
			}
			if err := configfile.New("").LoadFromReader(bytes.NewReader(doc.Bytes())); err != nil {
				t.Errorf("docker does not read it: %v", err)
			}
		})
	}
}

// TestDockerReadsIt holds that docker's own library finds what was set, and writes the indentation that is written here.
func TestDockerReadsIt(t *testing.T) {
	doc := parse(t, `{"auths":{"ghcr.io":{"auth":"YTpi"}}}`)
	doc.SetStore("x")
	doc.SetHelper("gcr.io", "y")
	doc.ClearLogin("ghcr.io")
	file := configfile.New("config.json")
	if err := file.LoadFromReader(bytes.NewReader(doc.Bytes())); err != nil {
		t.Fatal(err)
	}
	if file.CredentialsStore != "x" || file.CredentialHelpers["gcr.io"] != "y" || len(file.AuthConfigs) != 1 || file.AuthConfigs["ghcr.io"].Password != "" {
		t.Errorf("docker reads %+v", file)
	}
	var b bytes.Buffer
	if err := file.SaveToWriter(&b); err != nil {
		t.Fatal(err)
	}
	if b.String() != string(doc.Bytes()) {
		t.Errorf("docker writes\n%s\nand we\n%s", b.String(), doc.Bytes())
	}
}

func TestMalformed(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"cut off", "{\n\t\"auths\": {", "config.json:2:12: the JSON is cut off: a bracket, or a quotation mark, is not closed"},
		{"not JSON", "{\n\tauths: {}\n}", `config.json:2:2: not valid JSON: a key in double quotes is wanted here, not "a"`},
		{"an array", "[]", "config.json:1:1: a JSON object is wanted here, not an array"},
		{"store", `{"credsStore": 7}`, `config.json:1:16: "credsStore" takes a string, not a number`},
		{"helpers", `{"credHelpers": ["x"]}`, `config.json:1:17: "credHelpers" takes an object, not an array`},
		{"one helper", `{"credHelpers": {"a.test": {}}}`, `config.json:1:28: "a.test" takes a string, not an object`},
		{"auths", `{"auths": "hunter2hunter2"}`, `config.json:1:11: "auths" takes an object, not a string`},
		{"one login", `{"auths": {"a.test": "hunter2hunter2"}}`, `config.json:1:22: "a.test" takes an object, not a string`},
		{"a secret", `{"auths": {"a.test": {"auth": 4711}}}`, `config.json:1:31: "auth" takes a string, not a number`},
		{"twice", `{"credsStore": "a", "credsStore": "b"}`, `config.json:1:21: the key "credsStore" stands twice`},
		{"twice in two cases", `{"credsStore": "a", "CredsStore": "b"}`, `config.json:1:35: the keys "credsStore" and "CredsStore" are one to docker; remove one of them`},
		{"byte order mark", "\xef\xbb\xbf{}", "config.json:1:1: the file begins with a byte order mark; save it as UTF-8 without one"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("config.json", []byte(tt.in))
			if err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestLogins(t *testing.T) {
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	doc := parse(t, `{"auths":{
		"empty.test":{}, "null.test":null, "token-only.test":{"registrytoken":"r"},
		"auth.test":{"auth":"`+b64("alice:wonder:land")+`"},
		"nul.test":{"auth":"`+b64("alice:wonderland\x00\x00")+`"},
		"plain.test":{"username":"bob","Password":"builder1"},
		"identity.test":{"auth":"`+b64("alice:")+`","identitytoken":"identity1"},
		"bad.test":{"auth":"!!"}, "no-user.test":{"auth":"`+b64(":x")+`"}, "half.test":{"password":"lonely12"}}}`)
	want := []string{"auth.test", "nul.test", "plain.test", "identity.test", "bad.test", "no-user.test", "half.test"}
	if got := doc.PlainServers(); !slices.Equal(got, want) {
		t.Errorf("PlainServers() = %q", got)
	}
	for _, tt := range []struct{ server, user, secret, err string }{
		{server: "auth.test", user: "alice", secret: "wonder:land"},
		{server: "nul.test", user: "alice", secret: "wonderland"},
		{server: "plain.test", user: "bob", secret: "builder1"},
		{server: "identity.test", user: "<token>", secret: "identity1"},
		{server: "bad.test", err: `config.json: the "auth" of "bad.test" is not USER:PASSWORD in base64`},
		{server: "no-user.test", err: `config.json: the "auth" of "no-user.test" is not USER:PASSWORD in base64`},
		{server: "half.test", err: `config.json: the login for "half.test" lacks a user name or a password`},
		{server: "none.test", err: `config.json has no login for none.test`},
	} {
		t.Run(tt.server, func(t *testing.T) {
			l, err := doc.Login(tt.server)
			if tt.err != "" {
				if err == nil || err.Error() != tt.err {
					t.Errorf("got %v, want %s", err, tt.err)
				}
				return
			}
			if err != nil || l.Server != tt.server || l.Username != tt.user || l.Secret.Reveal() != tt.secret {
				t.Errorf("got %v %q, %v", l, l.Secret.Reveal(), err)
			}
			if redact.Scrub("see "+tt.secret) != "see "+redact.Mark {
				t.Error("the secret is not remembered as one")
			}
		})
	}
}

func TestServedBy(t *testing.T) {
	doc := parse(t, `{"credsStore":"all","credHelpers":{"ghcr.io":"one","none.test":"","https://index.docker.io/v1/":"hub"}}`)
	for server, want := range map[string]string{
		"ghcr.io": "one", "https://ghcr.io/v2/": "one", "ghcr.io/org/app": "all", "none.test": "", "other.test": "all", "https://index.docker.io/v1/": "hub", "docker.io": "hub",
	} {
		if got := doc.ServedBy(server); got != want {
			t.Errorf("ServedBy(%q) = %q, want %q", server, got, want)
		}
	}
	if got := doc.Registries("one"); !slices.Equal(got, []string{"ghcr.io"}) {
		t.Errorf("Registries() = %q", got)
	}
}

func TestRegistryKey(t *testing.T) {
	for in, want := range map[string]string{
		"ghcr.io": "ghcr.io", "GHCR.io/": "ghcr.io", "https://ghcr.io": "ghcr.io", "https://ghcr.io/v2/": "ghcr.io", "http://localhost:5000": "localhost:5000",
		"docker.io": hubKey, "index.docker.io": hubKey, "registry-1.docker.io": hubKey, hubKey: hubKey, "[::1]:5000": "[::1]:5000",
	} {
		if got, err := RegistryKey(in); err != nil || got != want {
			t.Errorf("RegistryKey(%q) = %q, %v", in, got, err)
		}
	}
	const form = "is not a registry: it takes HOST or HOST:PORT"
	for in, want := range map[string]string{
		"": `"" ` + form, "*.example.com": `"*.example.com" ` + form, "ftp://a.test": `"ftp://a.test" ` + form, "a b": `"a b" ` + form, "a.test:x": `"a.test:x" ` + form,
		"a.test\nb": `"a.test b" ` + form, "u@a.test": `"u@a.test" ` + form, "a.test?x": `"a.test?x" ` + form, ":5000": `":5000" ` + form,
		"ghcr.io/org/app": `"ghcr.io/org/app" is not a registry: docker has no store for a single repository`,
	} {
		if _, err := RegistryKey(in); err == nil || err.Error() != want {
			t.Errorf("RegistryKey(%q): %v, want %s", in, err, want)
		}
	}
}

// decode reads JSON such that numbers keep their text.
func decode(t *testing.T, data []byte) map[string]any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	m := map[string]any{}
	if len(bytes.TrimSpace(data)) == 0 {
		return m
	}
	if err := d.Decode(&m); err != nil {
		t.Fatalf("%v in %q", err, data)
	}
	return m
}

func without(m map[string]any, keys ...string) map[string]any {
	rest := map[string]any{}
	for k, v := range m {
		if !slices.ContainsFunc(keys, func(key string) bool { return strings.EqualFold(k, key) }) {
			rest[k] = v
		}
	}
	return rest
}

// FuzzEdit holds that an edit changes what it is to change and nothing else, and that undoing it gives what was there before.
func FuzzEdit(f *testing.F) {
	f.Add([]byte(`{"auths":{"a.test":{"auth":"YTpi"}},"credsStore":"desktop","n":1e400,"x":{"y":[null,"\ud800"]}}`), "credhelper", "ghcr.io")
	f.Add([]byte(`{"CREDHELPERS":{"a.b":"c"},"":"","a.b":{"c":"d"},"\u0063redsStore":"q"}`), "x", "a.b")
	f.Add([]byte(""), "x", "a.b")
	f.Fuzz(func(t *testing.T, data []byte, name, registry string) {
		doc, err := Parse("config.json", data)
		if err != nil {
			return
		}
		if !bytes.Equal(doc.Bytes(), data) {
			t.Fatal("a document that nobody edits has another text")
		}
		before := decode(t, data)
		name, registry = strings.ToValidUTF8(name, "?"), strings.ToValidUTF8(registry, "?")
		store, hadStore := doc.Store()
		helper, hadHelper := doc.Helper(registry)
		doc.SetStore(name)
		doc.SetHelper(registry, name)
		again, err := Parse("config.json", doc.Bytes())
		if err != nil {
			t.Fatalf("what was written is not read: %v", err)
		}
		if s, _ := again.Store(); s != name {
			t.Fatalf("the store is %q", s)
		}
		if h, _ := again.Helper(registry); h != name {
			t.Fatalf("the helper is %q", h)
		}
		after := decode(t, again.Bytes())
		if !reflect.DeepEqual(without(before, keyStore, keyHelpers), without(after, keyStore, keyHelpers)) {
			t.Fatalf("other keys changed: %q became %q", data, again.Bytes())
		}
		if hadStore {
			again.SetStore(store)
		} else {
			again.RemoveStore()
		}
		if hadHelper {
			again.SetHelper(registry, helper)
		} else {
			again.RemoveHelper(registry)
		}
		undone := decode(t, again.Bytes())
		if !reflect.DeepEqual(plain(before), plain(undone)) {
			t.Fatalf("undone, %q became %q", data, again.Bytes())
		}
		for _, server := range again.PlainServers() {
			again.ClearLogin(server)
		}
		cleared := decode(t, again.Bytes())
		if !reflect.DeepEqual(without(undone, keyAuths), without(cleared, keyAuths)) {
			t.Fatalf("taking logins out changed other keys: %q became %q", data, again.Bytes())
		}
		if left := again.PlainServers(); len(left) > 0 {
			t.Fatalf("logins are left: %q", left)
		}
	})
}

// plain leaves out what means the same as nothing to docker: null, and no helpers.
func plain(m map[string]any) map[string]any {
	rest := map[string]any{}
	for k, v := range m {
		helpers, isObject := v.(map[string]any)
		if strings.EqualFold(k, keyStore) && v == nil || strings.EqualFold(k, keyHelpers) && (v == nil || isObject && len(helpers) == 0) {
			continue
		}
		rest[k] = v
	}
	return rest
}
