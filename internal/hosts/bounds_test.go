package hosts

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/fe055d52/credential-helper/internal/bazelrc"
	"github.com/fe055d52/credential-helper/internal/boundtest"
	"github.com/fe055d52/credential-helper/internal/env"
)

// TestBounds holds to bounds what is looked for in the files of a workspace and of its user. A kind of file that is added to those has a row.
func TestBounds(t *testing.T) {
	count, between := boundtest.Count, boundtest.Between
	type row struct {
		format string
		own    map[string]boundtest.Shape
	}
	starlark := row{"Starlark", map[string]boundtest.Shape{
		"includes":  count("", "include(\"//:f%d\")\n", ""),
		"arguments": count("", "image=\"a%d.test/b\",\n", ""),
		"code":      between("", "registry   ", "=\"a.test\""),
		"quotes":    boundtest.Repeat(`"\"`),
		"URLs":      between(`"`, "https://a.test/ ", `"`),
	}}
	rows := map[string]row{
		"MODULE.bazel": starlark,
		"docker":       {"JSON", map[string]boundtest.Shape{"logins": count(`{"auths":{`, `"h%d.test":{},`, `"a":{}}}`)}},
	}
	same := map[string]bool{}
	for _, tool := range workspaceTools {
		if same[tool.kind] {
			continue // it is read in the same way
		}
		same[tool.kind] = true
		rows[tool.name] = row{map[string]string{"npm": "INI", "pypi": "INI", "cargo": "TOML", "maven": "XML"}[tool.kind], map[string]boundtest.Shape{
			"URLs":  count("", map[string]string{"npm": "registry=https://h%d.test/\n", "pypi": "-i https://h%d.test/\n", "cargo": "index=\"https://h%d.test/\"\n", "maven": "<url>https://h%d.test/</url>\n"}[tool.kind], ""),
			"slash": boundtest.Repeat("//"), "scopes": boundtest.Repeat("@a:"),
		}}
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			home, ws := t.TempDir(), t.TempDir()
			path := filepath.Join(ws, filepath.FromSlash(name))
			shown := name
			if name == "docker" {
				path = filepath.Join(home, ".docker", "config.json")
			}
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			e := &env.Env{Get: func(string) (string, bool) { return "", false }, Home: home, Dir: ws}
			p := boundtest.Parser{
				Limit: maxFile, Format: row.format, Shapes: row.own, Refusal: []string{shown, strconv.Itoa(maxFile)},
				Parse: func(text string) error {
					if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
						t.Fatal(err)
					}
					_, problems := Find(t.Context(), e, ws, &bazelrc.Files{})
					if len(problems) > 0 {
						return problems[0]
					}
					return nil
				},
			}
			if strings.HasPrefix(name, "docker") {
				p.Refusal = nil // it is passed over: `doctor` tells of it
			}
			p.Check(t)
		})
	}
}
