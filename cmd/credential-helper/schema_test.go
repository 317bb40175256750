package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	validator "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/fe055d52/credential-helper/config"
)

// schemaFile is the schema in the repository.
var schemaFile = filepath.Join("..", "..", "docs", "schema.json")

// TestSchemaFile holds that the file in the repository is what the program prints. UPDATE_SCRIPTS=1 writes it.
func TestSchemaFile(t *testing.T) {
	var stdout, stderr bytes.Buffer
	e, _ := kindsFor(t, nil)
	a := &app{env: e, stdout: &stdout, stderr: &stderr}
	if status := a.run([]string{"schema"}); status != exitOK || stderr.Len() > 0 {
		t.Fatalf("exit status %d: %s", status, &stderr)
	}
	if os.Getenv("UPDATE_SCRIPTS") != "" {
		if err := os.WriteFile(schemaFile, stdout.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bytes.ReplaceAll(file, []byte("\r\n"), []byte("\n")), stdout.Bytes()) {
		t.Errorf("%s is not what credential-helper schema prints; UPDATE_SCRIPTS=1 go test -run TestSchemaFile writes it", schemaFile)
	}
}

// TestSchemaTextsAreMadeOnDemand holds that no run pays for the texts but that of the command schema: they are not in a package variable.
func TestSchemaTextsAreMadeOnDemand(t *testing.T) {
	for _, path := range []string{
		filepath.Join("..", "..", "config", "schema_texts.go"), filepath.Join("..", "..", "config", "schema.go"), filepath.Join("..", "..", "internal", "jsonschema", "jsonschema.go"),
		filepath.Join("..", "..", "internal", "strictjson", "describe.go"), "schema.go",
	} {
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.VAR {
				t.Errorf("%s has a package variable, which is made at every start", path)
			}
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Name.Name == "init" && fn.Recv == nil {
				t.Errorf("%s has an init function", path)
			}
		}
	}
}

// A judge tells what the decoder and the schema say of a document.
type judge struct {
	kinds  config.Kinds
	schema *validator.Schema
	alone  []int // how often each of decoderAlone was what only the decoder knew
}

func newJudge(t *testing.T) *judge {
	t.Helper()
	_, kinds := kindsFor(t, nil)
	text, err := config.Schema(kinds)
	if err != nil {
		t.Fatal(err)
	}
	document, err := validator.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := validator.NewCompiler()
	if err := c.AddResource("schema.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return &judge{kinds, schema, make([]int, len(decoderAlone))}
}

func (j *judge) judge(text []byte) (decoder, schema error) {
	_, decoder = config.Parse("c.json", text, j.kinds, false)
	document, err := validator.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return decoder, err
	}
	return decoder, j.schema.Validate(document)
}

// decoderAlone are the mistakes that only the decoder knows, by what it says of them: what the schema cannot say, or would say at the cost
// of being hard to read. All else is refused by both, or by neither.
var decoderAlone = []*regexp.Regexp{
	// What a text means.
	regexp.MustCompile(`can never match`),
	regexp.MustCompile(`"host" takes a host like|a rule with a secret needs a "host"|the host is not|"host" is one host|"host" is empty`),
	regexp.MustCompile(`"repositories" (has|takes)`),
	regexp.MustCompile(`"(app_id|installation_id|owner|registry)" (takes|is the name)`), // also 1.0 for a number, which is a whole one to a schema
	regexp.MustCompile(`^c\.json:\S+ "(token|read_token|username|password)": `),         // ${ that does not name a variable
	regexp.MustCompile(`"realms": |not the name of a permission|header name|NUL byte|is not a host|takes a host`),
	// What is empty where another key decides whether it may be.
	regexp.MustCompile(`"(token|read_token|username|password|lookup_chain)" is empty|the source "(static|keyring)" needs a|"repositories" names none|"permissions" grants nothing`),
	// Keys that depend on each other's values.
	regexp.MustCompile(`"header" needs a "header_name"|"header_name" goes with`),
	regexp.MustCompile(`the binding "private_key" is for a GitHub App`),
	regexp.MustCompile(`the auth_method "\w+" takes|a "password" or a "token", not both|mean the same here|leave one of them out|need an "owner" or an "installation_id"`),
	regexp.MustCompile(`stands twice`),
}

// agree reports what is wrong where the decoder and the schema do not say the same of a document.
func (j *judge) agree(text []byte, decoder, schema error) error {
	if (decoder == nil) == (schema == nil) {
		return nil
	}
	if schema == nil {
		for i, r := range decoderAlone {
			if r.MatchString(decoder.Error()) {
				j.alone[i]++
				return nil
			}
		}
	}
	return fmt.Errorf("the decoder says %v, the schema %v, of\n%s", decoder, schema, text)
}

// corpus returns configurations: those of the docs, of the scripts, and those that other tests load.
func corpus(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	block := regexp.MustCompile("(?s)```json\n(.*?)```")
	for path, text := range pages(t) {
		for i, m := range block.FindAllStringSubmatch(text, -1) {
			all[fmt.Sprintf("%s#%d", path, i)] = m[1]
		}
	}
	scripts, err := filepath.Glob(filepath.Join("testdata", "script", "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range scripts {
		a, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range a.Files {
			if bytes.Contains(f.Data, []byte(`"urls"`)) {
				all[path+"#"+f.Name] = string(f.Data)
			}
		}
	}
	// Those that stand in the tests of this package and of package config.
	literal := regexp.MustCompile("(?s)`(\\s*\\{\\s*\"(?:urls|use_defaults)\".*?)`")
	for _, dir := range []string{".", filepath.Join("..", "..", "config"), filepath.Join("..", "..", "helpers", "registry")} {
		sources, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range append(sources, "builtin.go") {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for i, m := range literal.FindAllSubmatch(data, -1) {
				all[fmt.Sprintf("%s#%d", path, i)] = string(m[1])
			}
		}
	}
	for i, text := range everyBranch() {
		all[fmt.Sprintf("branch %d", i)] = text
	}
	return all
}

// everyBranch returns a configuration for each helper, preset, method and source, each with all its keys.
func everyBranch() []string {
	rule := func(helper, config string) string {
		return fmt.Sprintf(`{"$schema": "./s.json", "use_defaults": true, "urls": [{"scheme": "https", "host": "a.test", "path": "/x/*", "helper": %q, "config": %s}]}`, helper, config)
	}
	sources := []string{
		`{"source": "env", "name": "X"}`, `{"source": "env", "name": "X", "host_from": "Y", "binding": "default"}`, `{"source": "file", "path": "~/x", "allow_world_readable": true}`,
		`{"source": "command", "command": ["a", "b"]}`, `{"source": "keyring", "service": "x", "account": "y"}`, `{"source": "keyring", "name": "x"}`, `{"source": "static", "value": "x"}`,
		`{"source": "static", "name": "x"}`, `{"source": "google", "token_type": "id", "scopes": ["a"], "audience": "b"}`, `{"source": "bundler"}`, `{"source": "cargo", "registry": "corp"}`,
		`{"source": "composer", "path": "x"}`, `{"source": "docker", "binding": "default"}`, `{"source": "git", "use_http_path": true}`, `{"source": "github", "host": "github.example.com"}`,
		`{"source": "julia", "refresh_hosts": ["auth.example.com"]}`, `{"source": "maven", "server": "x", "path": "y"}`, `{"source": "moonbit", "path": "x"}`, `{"source": "netrc", "path": "x", "use_default": true}`,
		`{"source": "npmrc", "path": "x"}`, `{"source": "nuget", "path": "x"}`, `{"source": "pesde", "index": "https://a.test/i"}`, `{"source": "pip"}`, `{"source": "pypirc", "path": "x"}`,
	}
	chain := `"lookup_chain": [` + sources[0] + `]`
	list := []string{
		rule("oci", `{"on_missing": "fail", "allow_http": true, "parse_docker_config": false, "token_exchange_method": "oauth2", "realms": ["auth.example.com"], `+chain+`}`),
		rule("github", `{"on_missing": "anonymous", "read_config_file": false, `+chain+`}`),
		rule("github", `{"app_id": 1, "installation_id": "2", "repositories": ["r"], "permissions": {"contents": "read", "packages": "write"}, "lookup_chain": [{"source": "env", "name": "K", "binding": "private_key"}]}`),
		rule("github", `{"app_id": "Iv1", "owner": "acme"}`),
		rule("remoteapis", `{"auth_method": "basic_auth", "header_name": "x-key", `+chain+`}`),
		rule("null", `{"allow_http": true}`), rule("s3", `{"region": "x", "anything": {"at": "all"}}`),
		rule("registry", `{"auth_method": "header", "header_name": "X-Key", "token": "t"}`), rule("registry", `{"auth_method": "raw", "read_token": "t", "token": "u"}`),
		rule("registry", `{"username": "u", "password": "p", "on_missing": "fail"}`),
	}
	for _, source := range sources {
		list = append(list, rule("registry", `{"lookup_chain": [`+source+`]}`))
	}
	// What only the decoder refuses.
	list = append(list,
		rule("github", `{"app_id": 1, "owner": "acme", "repositories": ["acme/r"]}`), rule("github", `{"app_id": 1.0, "owner": "acme"}`),
		rule("github", `{"app_id": 1, "permissions": {"no such": "read"}}`), rule("github", `{"lookup_chain": [{"source": "env", "name": "K", "binding": "private_key"}]}`),
		rule("registry", `{"token": "${"}`), rule("registry", `{"auth_method": "header", "header_name": "no such", "token": "t"}`), rule("oci", `{"realms": ["no such"]}`),
		rule("registry", `{"lookup_chain": [{"source": "command", "command": ["a", "\u0000"]}]}`), `{"urls": [], "urls": []}`, `{"urls": [{"host": "*.com", "helper": "github"}]}`,
	)
	for _, preset := range []string{
		`"npm"`, `"cargo", "registry": "corp"`, `"pypi"`, `"maven", "server": "x", "path": "y"`, `"composer"`, `"rubygems"`, `"julia", "refresh_hosts": ["auth.example.com"]`, `"moonbit"`,
		`"pesde", "index": "https://a.test/i"`, `"stack-gallery"`, `"gitlab"`, `"gitea"`, `"artifactory"`, `"nexus"`, `"nuget"`,
	} {
		list = append(list, rule("registry", `{"allow_http": false, "preset": `+preset+`}`))
	}
	return list
}

// TestSchemaAndDecoderAgree holds that the decoder and the schema accept and refuse the same documents, but for what only the decoder can know.
func TestSchemaAndDecoderAgree(t *testing.T) {
	j := newJudge(t)
	accepted, mutants, refused := 0, 0, 0
	all := corpus(t)
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		text := all[name]
		decoder, schema := j.judge([]byte(text))
		if err := j.agree([]byte(text), decoder, schema); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if decoder != nil {
			if strings.HasPrefix(name, "branch") && schema != nil {
				t.Errorf("%s: %v in\n%s", name, decoder, text)
			}
			continue
		}
		accepted++
		if !strings.HasPrefix(name, "branch") {
			continue // these have no key that the branches do not have
		}
		var document any
		if err := json.Unmarshal([]byte(text), &document); err != nil {
			t.Fatal(err)
		}
		mutate(document, func() {
			mutant, err := json.Marshal(document)
			if err != nil {
				t.Fatal(err)
			}
			if seen[string(mutant)] {
				return
			}
			seen[string(mutant)] = true
			decoder, schema := j.judge(mutant)
			if mutants++; schema != nil {
				refused++
			}
			if err := j.agree(mutant, decoder, schema); err != nil {
				t.Errorf("%s, changed: %v", name, err)
			}
		})
	}
	t.Logf("%d documents, %d accepted; %d mutants of those, %d refused by the schema", len(all), accepted, mutants, refused)
	if accepted < 60 || mutants < 4000 {
		t.Errorf("there are only %d documents that are accepted, and %d mutants", accepted, mutants)
	}
	for i, n := range j.alone {
		if n == 0 {
			t.Errorf("%s was never what only the decoder knew", decoderAlone[i])
		}
	}
}

// mutate changes a document in one place after the other, calls tell each time, and puts back what was there.
func mutate(v any, tell func()) {
	switch v := v.(type) {
	case map[string]any:
		v["no_such_key"] = "x"
		tell()
		delete(v, "no_such_key")
		for _, key := range slices.Sorted(maps.Keys(v)) {
			was := v[key]
			for _, other := range []any{"no-such-value", "", true, 1.5, 12, nil, []any{}, []any{"x"}, []any{1}, map[string]any{}, map[string]any{"x": 1}, []any{map[string]any{}}} {
				v[key] = other
				tell()
			}
			if _, ok := was.(string); ok {
				for _, other := range []string{"oci", "github", "registry", "remoteapis", "null", "s3", "maven", "cargo", "npm", "header", "basic", "raw", "env", "keyring", "netrc", "docker", "file", "private_key", "token", "username"} {
					v[key] = other
					tell()
				}
			}
			delete(v, key)
			tell()
			// The keys of other helpers, presets and sources.
			for _, extra := range []string{"server", "registry", "index", "path", "name", "app_id", "installation_id", "realms", "header_name", "binding", "source", "read_config_file", "host_from"} {
				if _, there := v[extra]; there || extra == key {
					continue
				}
				v[key], v[extra] = was, "x"
				tell()
				delete(v, extra)
			}
			v[key] = was
			mutate(was, tell)
		}
	case []any:
		for i := range v {
			was := v[i]
			for _, other := range []any{"x", 1, nil, map[string]any{}, []any{}} {
				v[i] = other
				tell()
			}
			v[i] = was
			mutate(was, tell)
		}
	}
}

// TestSchemaLineLoads holds that a file may name its schema as docs/configuration.md says.
func TestSchemaLineLoads(t *testing.T) {
	page := pages(t)[filepath.Join("..", "..", "docs", "configuration.md")]
	line := regexp.MustCompile(`"\$schema": "[^"]+"`).FindString(page)
	if line == "" {
		t.Fatal("docs/configuration.md does not say how a file names its schema")
	}
	j := newJudge(t)
	if decoder, schema := j.judge([]byte("{" + line + `, "urls": []}`)); decoder != nil || schema != nil {
		t.Errorf("%s: the decoder says %v, the schema %v", line, decoder, schema)
	}
}
