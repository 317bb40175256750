package inputs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	salt  = Salt("0123456789abcdef")
	other = Salt("0123456789abcdeF")
)

func TestVariable(t *testing.T) {
	sums := map[string]string{}
	for name, sum := range map[string]string{
		"not set":             Variable(salt, "", false),
		"empty":               Variable(salt, "", true),
		"a value":             Variable(salt, "canary", true),
		"another value":       Variable(salt, "canarz", true),
		"under another salt":  Variable(other, "canary", true),
		"empty, another salt": Variable(other, "", true),
	} {
		if same, ok := sums[sum]; ok {
			t.Errorf("%s and %s have one sum, %q", name, same, sum)
		}
		if sums[sum] = name; sum == "" || strings.Contains(sum, "canar") {
			t.Errorf("the sum of %s is %q", name, sum)
		}
	}
	if first, again := Variable(salt, "canary", true), Variable(salt, "canary", true); first != again {
		t.Error("one value has two sums")
	}
	for _, wrong := range []Salt{"", "short", salt + "x"} {
		if sum := Variable(wrong, "canary", true); sum != "" {
			t.Errorf("the salt %q gives %q", wrong, sum)
		}
	}
}

func TestUnchanged(t *testing.T) {
	get := func(name string) (string, bool) {
		v, ok := map[string]string{"A": "one", "EMPTY": ""}[name]
		return v, ok
	}
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	variable := func(name string) Input {
		v, ok := get(name)
		return Input{Env, name, Variable(salt, v, ok)}
	}
	good := []Input{variable("A"), variable("EMPTY"), variable("ABSENT"), {File, path, Stat(path)}, {File, path + "-absent", "-"}}
	if !Unchanged(good, salt, get) || !Unchanged(nil, "", get) {
		t.Error("nothing has changed")
	}
	if Unchanged(good, other, get) {
		t.Error("the sums are right under another salt")
	}
	for _, in := range []Input{
		{Env, "A", Variable(salt, "two", true)},
		{Env, "A", "-"},
		{Env, "A", ""},
		{Env, "EMPTY", "-"},
		{Env, "ABSENT", Variable(salt, "", true)},
		{Env, "ABSENT", ""},
		{File, path, "-"},
		{File, path, ""},
		{File, path + "-absent", ""},
		{File, path + "-absent", Stat(path)},
		{"keyring", "A", variable("A").Sum},
		{"", "", ""},
	} {
		if in.Unchanged(salt, get) || Unchanged(append(good[:len(good):len(good)], in), salt, get) {
			t.Errorf("%+v is unchanged", in)
		}
	}
	// Without a salt there is no telling.
	if (Input{Env, "A", Variable("", "one", true)}).Unchanged("", get) {
		t.Error("a sum without a salt is right")
	}
}

// TestStat holds that every change that people and programs make to a file changes what it is known by.
func TestStat(t *testing.T) {
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	hour := time.Now().Add(-time.Hour)
	for _, tt := range []struct {
		name   string
		change func(path string)
		same   bool
	}{
		{"nothing", func(string) {}, true},
		{"read", func(path string) { _, _ = os.ReadFile(path) }, true},
		{"another size", func(path string) { write(path, "three"); must(os.Chtimes(path, hour, hour)) }, false},
		{"another time", func(path string) { must(os.Chtimes(path, hour, hour.Add(time.Nanosecond))) }, false},
		{"gone", func(path string) { must(os.Remove(path)) }, false},
		{"a directory", func(path string) { must(os.Remove(path)); must(os.Mkdir(path, 0o700)) }, false},
		{"replaced by a longer one", func(path string) {
			write(path+".new", "three")
			must(os.Rename(path+".new", path))
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file")
			if sum := Stat(path); sum != "-" {
				t.Fatalf("an absent file is known by %q", sum)
			}
			write(path, "one")
			must(os.Chtimes(path, hour, hour))
			before := Stat(path)
			tt.change(path)
			after := Stat(path)
			if before == "" || before == "-" || (before == after) != tt.same {
				t.Errorf("it is known by %q before and %q after", before, after)
			}
			if info, err := os.Stat(path); Sum(info, err) != after {
				t.Error("Sum and Stat differ")
			}
		})
	}
	if sum := Stat(filepath.Join(t.TempDir(), "no", "such", "directory")); sum != "-" {
		t.Errorf("a file below nothing is known by %q", sum)
	}
	if sum := Stat("nul\x00byte"); sum != "" && sum != "-" {
		t.Errorf("a name that cannot be is known by %q", sum)
	}
}

// FuzzVariable holds that a sum says nothing but which value it is of.
func FuzzVariable(f *testing.F) {
	f.Add("0123456789abcdef", "one", "two")
	f.Add("0123456789abcdef", "", "\x00")
	f.Add("", "a", "b")
	f.Fuzz(func(t *testing.T, key, a, b string) {
		x, y := Variable(Salt(key), a, true), Variable(Salt(key), b, true)
		if len(key) != 16 {
			if x != "" || y != "" {
				t.Errorf("the salt %q gives %q and %q", key, x, y)
			}
			return
		}
		if (x == y) != (a == b) || len(x) != 32 || x == "-" {
			t.Errorf("%q has the sum %q, %q has %q", a, x, b, y)
		}
	})
}

// TestPrefix holds that a record of the variables that begin with a text changes with these, and with no other.
func TestPrefix(t *testing.T) {
	list := WithPrefix([]string{"npm_config_a=1", "NPM_CONFIG_B=2", "npm_confi=3", "xnpm_config_c=4", "", "npm_config_"}, "npm_config_")
	if got := strings.Join(list, " "); got != "npm_config_a=1 NPM_CONFIG_B=2 npm_config_" {
		t.Errorf("found %q", got)
	}
	in := Input{Kind: Prefix, Name: "TEST_OF_INPUTS_", Sum: All(salt, nil)}
	want := func(unchanged bool, why string) {
		t.Helper()
		if got := in.Unchanged(salt, os.LookupEnv); got != unchanged {
			t.Errorf("%s: unchanged: %v", why, got)
		}
	}
	want(true, "at first")
	t.Setenv("OTHER_TEST_OF_INPUTS", "x")
	want(true, "another variable")
	t.Setenv("TEST_OF_INPUTS_A", "x")
	want(false, "one of these")
	in.Sum = All(salt, []string{"TEST_OF_INPUTS_A=x"})
	want(true, "recorded with it")
	t.Setenv("TEST_OF_INPUTS_A", "y")
	want(false, "another value")
}

// TestContents holds that a file which was changed a moment before it was read is known by its contents: the next change may leave size and times as they are.
func TestContents(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	now, later := time.Now().UnixNano(), time.Now().Add(time.Minute).UnixNano()
	if !Recent(info, now) || Recent(info, later) {
		t.Errorf("it counts as changed just now: %v, and in a minute: %v", Recent(info, now), Recent(info, later))
	}
	stat := Stat(path)
	known := WithContents(stat, salt, []byte("one"))
	for _, tt := range []struct {
		name string
		sum  string
		salt Salt
		want bool
	}{
		{"as it is", known, salt, true},
		{"of other contents", WithContents(stat, salt, []byte("two")), salt, false},
		{"of the beginning of its contents", WithContents(stat, salt, []byte("on")), salt, false},
		{"under another salt", known, other, false},
		{"without a salt", known, "", false},
		{"of no contents", stat + "+", salt, false},
		{"of another file", WithContents("-", salt, []byte("one")), salt, false},
	} {
		if got := (Input{File, path, tt.sum}).Unchanged(tt.salt, nil); got != tt.want {
			t.Errorf("%s: unchanged: %v", tt.name, got)
		}
	}
	if sum := WithContents("", salt, nil) + WithContents(stat, "short", nil); sum != "" {
		t.Errorf("what cannot be known is known by %q", sum)
	}
	if err := os.Truncate(path, maxContents+1); err != nil {
		t.Fatal(err)
	}
	if sum := contents(path, salt); sum != "" {
		t.Errorf("a file that is too large is known by %q", sum)
	}
}
