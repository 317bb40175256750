package lookup

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestExpansionEnds holds that a small file, which may be that of a foreign project, cannot grow by the user's variables beyond what a value may be.
func TestExpansionEnds(t *testing.T) {
	big := map[string]string{"BIG": strings.Repeat("x", 100_000), "SOME": strings.Repeat("x", 1000)}
	for _, tt := range []struct {
		name, file, before, variable, after string
		max                                 int // bytes of variables
		source                              func(*Sources) Source
	}{
		{"npm", "proj/.npmrc", "//files.test/:_authToken=", "${SOME}", "\n", 1 << 20, (*Sources).Npmrc},
		{"npm's key", "proj/.npmrc", "//files.test/", "${SOME}", ":_authToken=x\n", 1 << 20, (*Sources).Npmrc},
		{"npm's registry", "proj/.npmrc", "registry=https://files.test/", "${SOME}", "\n", 1 << 20, (*Sources).Npmrc},
		{
			"Maven", ".m2/settings.xml", "<settings><servers><server><id>a</id><password>", "${env.SOME}",
			"</password></server></servers><mirrors><mirror><id>a</id><url>https://files.test/</url></mirror></mirrors></settings>", 1 << 20,
			func(s *Sources) Source { return s.Maven("") },
		},
		{
			"NuGet", "proj/nuget.config", `<configuration><packageSources><add key="a" value="https://files.test/" /></packageSources><packageSourceCredentials><a>` +
				`<add key="ClearTextPassword" value="`, "%SOME%", `" /></a></packageSourceCredentials></configuration>`, 1 << 20, (*Sources).Nuget,
		},
		{"moonbit", "proj/registry.toml", "[[sources]]\nurl = \"https://files.test/\"\n[sources.auth]\ntype = \"bearer\"\ntoken = \"", "${SOME}", "\"\n", 60_000, (*Sources).Moonbit},
	} {
		for _, variable := range []string{tt.variable, strings.ReplaceAll(tt.variable, "SOME", "BIG")} {
			t.Run(tt.name+" "+variable, func(t *testing.T) {
				s := newSources(t, big)
				write(t, s, tt.file, tt.before+strings.Repeat(variable, (tt.max-1000)/len(variable))+tt.after)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				values, err := tt.source(s).Lookup(t.Context(), ask(t, "https://files.test/a"))
				runtime.ReadMemStats(&after)
				if err == nil {
					t.Errorf("found a login of %d bytes", len(values[Default].Reveal()))
				} else if len(err.Error()) > 1000 {
					t.Errorf("an error of %d bytes", len(err.Error()))
				}
				if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<20 {
					t.Errorf("allocated %d MiB for a file of less than one", grown>>20)
				}
			})
		}
	}
}

// TestExpansionKeeps holds that what people write is not near the limit.
func TestExpansionKeeps(t *testing.T) {
	s := newSources(t, map[string]string{"JWT": strings.Repeat("x", 16<<10)})
	write(t, s, ".npmrc", "//files.test/:_authToken=a${JWT}b\n")
	values, err := s.Npmrc().Lookup(t.Context(), ask(t, "https://files.test/a"))
	if got := len(values[Token].Reveal()); err != nil || got != 2+16<<10 {
		t.Errorf("%d bytes, %v", got, err)
	}
}

// TestNugetTime holds that a file of a foreign project does not take the time of a build: each of these took half a minute.
func TestNugetTime(t *testing.T) {
	for name, body := range map[string]string{
		"percent signs": `<packageSources><add key="a" value="https://files.test/` + strings.Repeat("%a", 500_000) + `" /></packageSources>`,
		"a long name":   `<packageSources><add key="a" value="https://files.test/" /></packageSources><packageSourceCredentials><` + strings.Repeat("a", 1_000_000) + ` /></packageSourceCredentials>`,
	} {
		t.Run(name, func(t *testing.T) {
			s := newSources(t, nil)
			write(t, s, "proj/nuget.config", "<configuration>"+body+"</configuration>")
			start := time.Now()
			_, err := s.Nuget().Lookup(t.Context(), ask(t, "https://files.test/a"))
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("took %v (%v)", took, err)
			}
		})
	}
}

// TestCargoTogether holds that a foreign project's files do not take the time of a build together (six seconds), whatever they include.
func TestCargoTogether(t *testing.T) {
	s := newSources(t, nil)
	var keys, list strings.Builder
	for i := range 6500 {
		fmt.Fprintf(&keys, "a%d=1\n", i)
	}
	for i := range 31 {
		name := fmt.Sprintf("i%d.toml", i)
		write(t, s, "proj/.cargo/"+name, keys.String())
		fmt.Fprintf(&list, "%q,", name)
	}
	write(t, s, "proj/.cargo/config.toml", "include = ["+list.String()+"]\n")
	expect(t, s, s.Cargo(""), ask(t, "https://files.test/a"), outcome{
		kind: "broken", err: "looking for cargo's registries: reading ~/proj/.cargo/i29.toml: it is larger than 65536 bytes, together with the files before it, which is too long for files of cargo",
	})
}
