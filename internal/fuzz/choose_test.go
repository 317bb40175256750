package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestChoose(t *testing.T) {
	in := func(name string, size int, reach ...int) input {
		return input{name: name, data: make([]byte, size), reach: reach}
	}
	committed := func(i input) input {
		i.committed = true
		return i
	}
	var many []input
	for i := range 2 * maxInputs {
		many = append(many, in(strconv.Itoa(100+i), 1, i))
	}
	for _, tt := range []struct {
		name   string
		inputs []input
		always []int
		want   string
	}{
		{name: "nothing"},
		{name: "nothing new", inputs: []input{in("a", 1, 1, 2)}, always: []int{1, 2}},
		{name: "the one that reaches most", inputs: []input{in("a", 1, 1), in("b", 9, 1, 2), in("c", 1, 2)}, want: "b"},
		{name: "what is left over", inputs: []input{in("a", 1, 1, 2, 3), in("b", 1, 3, 4), in("c", 1, 1, 2)}, want: "a b"},
		{name: "the shorter one", inputs: []input{in("a", 2, 1), in("b", 1, 1)}, want: "b"},
		{name: "as short", inputs: []input{in("b", 1, 1), in("a", 1, 1)}, want: "a"},
		{name: "too long", inputs: []input{in("a", maxInput+1, 1, 2), in("b", maxInput, 1)}, want: "b"},
		{name: "committed before", inputs: []input{committed(in("a", maxInput+1, 1, 2)), in("b", 1, 2), in("c", 1, 3)}, want: "c"},
		{name: "what is reached always", inputs: []input{in("a", 1, 1, 2, 3), in("b", 1, 4, 5)}, always: []int{1, 2}, want: "b a"},
		{name: "too many", inputs: many, want: strings.Join(names(many[:maxInputs]), " ")},
		{name: "full before", inputs: append([]input{committed(in("a", 1, 500))}, many...), want: strings.Join(names(many[:maxInputs-1]), " ")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := strings.Join(names(choose(tt.inputs, tt.always)), " "); got != tt.want {
				t.Errorf("chose %q, want %q", got, tt.want)
			}
			slices.Reverse(tt.inputs)
			if got := strings.Join(names(choose(tt.inputs, tt.always)), " "); got != tt.want {
				t.Errorf("backwards: chose %q, want %q", got, tt.want)
			}
		})
	}
}

func names(inputs []input) []string {
	var list []string
	for _, in := range inputs {
		list = append(list, in.name)
	}
	return list
}

func TestReached(t *testing.T) {
	blocks := map[string]int{"m/a.go:1.2,3.4": 7}
	got := reached("mode: set\nm/a.go:1.2,3.4 2 1\nm/a.go:5.1,5.9 1 0\nm/b.go:1.1,2.2 1 1\nm/b.go:1.1,2.2 1 1\n", blocks)
	if want := []int{1, 7}; !reflect.DeepEqual(got, want) || blocks["m/b.go:1.1,2.2"] != 1 {
		t.Errorf("reached %v of %v, want %v", got, blocks, want)
	}
}

func TestRead(t *testing.T) {
	failed := &exec.ExitError{}
	for _, tt := range []struct {
		said string
		err  error
		want result
	}{
		{"", nil, result{outcome: "ok"}},
		{"fuzz: elapsed: 0s, gathering baseline coverage: 0/96 completed\nfuzz: elapsed: 3s, execs: 12 (4/sec), new interesting: 3 (total: 99)\nfuzz: elapsed: 6s, execs: 34 (7/sec), new interesting: 5 (total: 101)\nPASS\n", nil, result{34, 5, "ok"}},
		{"execs: 1 (1/sec), new interesting: 0 (total: 0)\n    Failing input written to testdata/fuzz/FuzzX/8793de9a9e0fccda\n", failed, result{1, 0, "fails for testdata/fuzz/FuzzX/8793de9a9e0fccda"}},
		{"x.go:1: no\nFAIL m/x [build failed]\n", failed, result{outcome: "does not build"}},
		{"panic\n", failed, result{outcome: "fails"}},
		{"", errors.New("no such program"), result{outcome: "no such program"}},
	} {
		if got := read([]byte(tt.said), tt.err); got != tt.want {
			t.Errorf("%q, %v is %+v, want %+v", tt.said, tt.err, got, tt.want)
		}
	}
}

func TestDeclared(t *testing.T) {
	const text = "func FuzzA(f *testing.F) {\n}\n// func FuzzB(f *testing.F)\nfunc fuzzC(f *testing.F) {\nfunc FuzzD(t *testing.T) {\nfunc FuzzE(x *testing.F) {"
	if got, want := declared(text), []string{"FuzzA", "FuzzE"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestInputsOf(t *testing.T) {
	p := &pkg{Dir: t.TempDir()}
	cache := t.TempDir()
	tt := target{"FuzzX", p}
	put(t, tt.corpus(), "by-hand", "go test fuzz v1\nstring(\"in /home/me\")\n")
	put(t, cache, "0", "go test fuzz v1\nstring(\"a\")\n")
	put(t, cache, "1", "go test fuzz v1\nstring(\"https://proxy.example.com/x\")\n")
	put(t, cache, "3", "go test fuzz v1\nstring(\"/home/you/x\")\n")
	put(t, cache, "2", strings.Repeat("x", maxInput+1))
	inputs, err := inputsOf(tt, cache, []string{"proxy.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := names(inputs), []string{"by-hand", inputName([]byte("go test fuzz v1\nstring(\"a\")\n"))}; !reflect.DeepEqual(got, want) || !inputs[0].committed || inputs[1].committed || !bytes.Contains(inputs[1].data, []byte(`"a"`)) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestSample(t *testing.T) {
	var inputs []input
	for i := range 1000 {
		inputs = append(inputs, input{name: strconv.Itoa(i), data: make([]byte, 1000-i), committed: i == 3})
	}
	got := sample(inputs)
	if len(got) != maxTried+1 || got[0].name != "3" || len(got[1].data) != 1 || len(got[maxTried].data) < 990 {
		t.Errorf("%d inputs: %q", len(got), names(got))
	}
	if few := sample(inputs[:maxTried]); len(few) != maxTried {
		t.Errorf("%d inputs of %d", len(few), maxTried)
	}
}
