package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// keepAll writes the corpus of each target, and prints a line each.
func keepAll(ctx context.Context, all []target, out io.Writer) error {
	work, err := os.MkdirTemp("", "fuzz")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	settings, err := exec.CommandContext(ctx, "go", "env", "GOCACHE", "GOPROXY", "GOMODCACHE").Output()
	if err != nil {
		return fmt.Errorf("running go env: %w", err)
	}
	lines := strings.Split(string(settings), "\n")
	local := append(ofThisMachine(lines[1]), lines[2])
	fmt.Fprintf(out, "%-42s %8s %8s %8s %8s\n", "target", "found", "kept", "new", "bytes")
	var tester string
	var built *pkg
	var failed []error
	for _, t := range all {
		cache := filepath.Join(lines[0], "fuzz", filepath.FromSlash(t.pkg.ImportPath), t.name)
		inputs, err := inputsOf(t, cache, local)
		if err != nil {
			return err
		}
		if built != t.pkg {
			if tester, err = t.pkg.build(ctx, work); err != nil {
				return err
			}
			built = t.pkg
		}
		r := runner{t, tester, work, map[string]int{}, sync.Mutex{}}
		always, err := r.reachAll(ctx, inputs)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil { // it is to be seen to first
			fmt.Fprintf(out, "%-42s fails\n", t)
			failed = append(failed, err)
			continue
		}
		chosen := choose(inputs, always)
		size, kept := 0, len(chosen)
		for _, in := range inputs {
			if in.committed {
				kept++
				size += len(in.data)
			}
		}
		for _, in := range chosen {
			size += len(in.data)
			if err := os.MkdirAll(t.corpus(), 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(t.corpus(), in.name), in.data, 0o644); err != nil {
				return err
			}
		}
		fmt.Fprintf(out, "%-42s %8d %8d %8d %8d\n", t, len(inputs), kept, len(chosen), size)
	}
	return errors.Join(failed...)
}

// inputsOf returns the inputs of a target that are committed, and those in Go's cache that are short enough and have nothing of this machine in them.
func inputsOf(t target, cache string, local []string) ([]input, error) {
	var inputs []input
	seen := map[string]bool{}
	for _, dir := range []string{t.corpus(), cache} {
		files, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, file := range files {
			data, err := os.ReadFile(filepath.Join(dir, file.Name()))
			if err != nil {
				return nil, err
			}
			in := input{name: file.Name(), data: data, committed: dir == t.corpus()}
			if !in.committed {
				in.name = inputName(data)
				has := func(text string) bool { return bytes.Contains(data, []byte(text)) }
				if len(data) > maxInput || anywhere.Match(data) || slices.ContainsFunc(local, has) {
					continue
				}
			}
			if !seen[in.name] {
				seen[in.name] = true
				inputs = append(inputs, in)
			}
		}
	}
	return sample(inputs), nil
}

// maxTried is how many inputs out of the cache are run: each takes a process.
const maxTried = 200

// sample returns the inputs that are committed, and of many others some of all lengths.
func sample(inputs []input) []input {
	others := slices.DeleteFunc(slices.Clone(inputs), func(in input) bool { return in.committed })
	if len(others) <= maxTried {
		return inputs
	}
	slices.SortFunc(others, byLength)
	kept := slices.DeleteFunc(inputs, func(in input) bool { return !in.committed })
	for i := range maxTried {
		kept = append(kept, others[i*len(others)/maxTried])
	}
	return kept
}

// inputName is the name that Go gives a file with an input.
func inputName(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data))[:16] }

// anywhere matches directories that say where an input was found, on any machine: no file that is committed has one of them.
var anywhere = regexp.MustCompile(`/(root|home/\w+|Users/\w+|var/folders|(private/)?tmp/(Fuzz|Test|go-))`)

// ofThisMachine returns texts that say the same of this machine.
func ofThisMachine(proxies string) []string {
	var texts []string
	if home, err := os.UserHomeDir(); err == nil {
		texts = append(texts, home)
	}
	if dir, err := os.Getwd(); err == nil {
		texts = append(texts, dir)
	}
	if name, err := os.Hostname(); err == nil {
		texts = append(texts, name)
	}
	for _, proxy := range strings.FieldsFunc(proxies, func(r rune) bool { return r == ',' || r == '|' }) {
		if u, err := url.Parse(proxy); err == nil {
			texts = append(texts, u.Hostname())
		}
	}
	return slices.DeleteFunc(texts, func(text string) bool { return len(text) < 4 })
}

// build makes the package's tests into a program that tells what it reaches of the module.
func (p *pkg) build(ctx context.Context, work string) (string, error) {
	reached := []string{p.ImportPath}
	for _, dep := range p.Deps {
		if strings.HasPrefix(dep, p.Module.Path+"/") {
			reached = append(reached, dep)
		}
	}
	tester := filepath.Join(work, "tester.exe")
	command := exec.CommandContext(ctx, "go", "test", "-c", "-o", tester, "-covermode=set", "-coverpkg="+strings.Join(reached, ","), p.ImportPath)
	if said, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the tests of %s: %w\n%s", p.ImportPath, err, said)
	}
	return tester, nil
}

// A runner finds out what the inputs of a target reach.
type runner struct {
	target
	tester, work string

	blocks map[string]int // a block of code, as a profile names it, and its number
	mu     sync.Mutex
}

// reachAll fills in what each of the inputs reaches, and returns what is reached without any. An input that fails is an error.
func (r *runner) reachAll(ctx context.Context, inputs []input) (always []int, err error) {
	// The program takes its inputs out of testdata below the working directory, which is the package's in all other respects.
	dir, err := r.stand(inputs)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if always, err = r.reach(ctx, dir, 0, "none"); err != nil {
		return nil, err
	}
	errs := make([]error, len(inputs))
	var wait sync.WaitGroup
	turns := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i := range inputs {
		wait.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			inputs[i].reach, errs[i] = r.reach(ctx, dir, i+1, inputs[i].name)
		})
	}
	wait.Wait()
	return always, errors.Join(errs...)
}

// stand makes a directory with all that the package's has, but with the given inputs in its testdata/fuzz, and no others.
func (r *runner) stand(inputs []input) (string, error) {
	dir := filepath.Join(r.work, "stand")
	corpus := filepath.Join(dir, "testdata", "fuzz", r.name)
	if err := os.MkdirAll(corpus, 0o755); err != nil {
		return "", err
	}
	for from, to := range map[string]string{r.pkg.Dir: dir, filepath.Join(r.pkg.Dir, "testdata"): filepath.Join(dir, "testdata")} {
		entries, err := os.ReadDir(from)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		for _, e := range entries {
			if name := e.Name(); name != "testdata" && (name != "fuzz" || from == r.pkg.Dir) {
				if err := os.Symlink(filepath.Join(from, name), filepath.Join(to, name)); err != nil {
					return "", err
				}
			}
		}
	}
	for _, in := range inputs {
		if err := os.WriteFile(filepath.Join(corpus, in.name), in.data, 0o644); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// reach runs one input, or none where there is none of the name, and returns what it reached.
func (r *runner) reach(ctx context.Context, dir string, number int, name string) ([]int, error) {
	profile := filepath.Join(r.work, fmt.Sprintf("profile%d", number))
	defer os.Remove(profile)
	command := exec.CommandContext(ctx, r.tester, "-test.run=^"+r.name+"$/^"+regexp.QuoteMeta(name)+"$", "-test.coverprofile="+profile, "-test.timeout=1m")
	command.Dir = dir
	if said, err := command.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%s fails for the input %s: %w\n%s", r, name, err, said)
	}
	text, err := os.ReadFile(profile)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return reached(string(text), r.blocks), nil
}

// reached returns the numbers of the blocks that a profile says were run; those that are new get the next numbers.
func reached(profile string, blocks map[string]int) []int {
	var numbers []int
	for line := range strings.SplitSeq(profile, "\n") {
		rest, run := strings.CutSuffix(line, " 1")
		if !run {
			continue
		}
		block, _, _ := strings.Cut(rest, " ")
		n, known := blocks[block]
		if !known {
			n = len(blocks)
			blocks[block] = n
		}
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	return slices.Compact(numbers)
}
