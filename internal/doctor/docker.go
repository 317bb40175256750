package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/fe055d52/credential-helper/internal/dockerconfig"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/subprocess"
	"github.com/fe055d52/credential-helper/internal/trace"
)

// Docker checks docker's configuration: who keeps its logins, and whether those are there. No login is read.
func Docker(ctx context.Context, e *env.Env, executable string) []Finding {
	end := trace.Step(ctx, "reading docker's configuration")
	defer end(nil)
	var f findings
	if e.Home == "" && e.Var("DOCKER_CONFIG") == "" {
		f.note("there is no home directory to look for docker's configuration in", "set HOME or DOCKER_CONFIG, if docker's logins are to be used")
		return f
	}
	file, err := dockerconfig.Read(e)
	if err != nil {
		f.fail(Broken, err, "it has to be a file that you can read; docker fails as well")
		return f
	}
	if !file.Exists() {
		f.ok("no configuration (%s): docker has no logins", file.Shown)
		return f
	}
	doc, err := dockerconfig.Parse(file.Shown, file.Data)
	if err != nil {
		f.broken("reading docker's configuration: "+err.Error(), "correct the file by hand; docker and every lookup of a registry fail until then")
		return f
	}
	var plain []string
	for _, server := range doc.PlainServers() {
		plain = append(plain, redact.Line(server, 200))
	}
	mode := file.Mode().Perm()
	switch {
	case len(plain) > 0 && runtime.GOOS != "windows" && mode&0o077 != 0:
		f.broken(fmt.Sprintf("%s has logins in plain text, and other users can read or write it (mode %04o)", file.Shown, mode), "chmod 600 "+shellPath(e, file.Path))
	case runtime.GOOS != "windows" && mode&0o002 != 0:
		f.broken(fmt.Sprintf("every user of this machine can write %s (mode %04o), and so name a program that docker runs", file.Shown, mode), "chmod 600 "+shellPath(e, file.Path))
	}
	if len(plain) > 0 {
		stand := "stand"
		if len(plain) == 1 {
			stand = "stands"
		}
		f.warn(fmt.Sprintf("%s %s in plain text in %s: %s", count(len(plain), "login"), stand, file.Shown, strings.Join(plain, ", ")),
			programName+" install docker --import moves them into the keyring")
	}
	f.stores(e, doc, file.Shown, executable)
	if f.worst() == OK && len(f) == 0 {
		f.ok("%s is valid, and keeps no login in plain text", file.Shown)
	}
	return f
}

// stores checks that the programs are there which docker asks for logins.
func (f *findings) stores(e *env.Env, doc *dockerconfig.Document, shown, executable string) {
	var names []string
	uses := map[string][]string{}
	use := func(name, what string) {
		if name == "" {
			return
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		uses[name] = append(uses[name], what)
	}
	if name, ok := doc.Store(); ok {
		use(name, "credsStore")
	}
	registries, stores := doc.Helpers()
	for i, registry := range registries {
		use(stores[i], redact.Line(registry, 100))
	}
	for _, name := range names {
		what := strings.Join(uses[name], ", ")
		if len(uses[name]) > 4 {
			what = fmt.Sprintf("%s and %d more", strings.Join(uses[name][:3], ", "), len(uses[name])-3)
		}
		f.store(e, name, what, shown, executable)
	}
}

func (f *findings) store(e *env.Env, name, what, shown, executable string) {
	program := dockerPrefix + name
	quoted := redact.Line(program, 100)
	if strings.ContainsAny(name, `/\`) {
		f.broken(fmt.Sprintf("%s names %q for %s, which is no program's name", shown, redact.Line(name, 64), what), "write what stands behind docker-credential- in the program's name")
		return
	}
	if path, err := subprocess.Find(e, program); err == nil {
		switch other, _ := identify(path, executable); {
		case sameFile(path, executable):
			f.ok("docker keeps its logins here (%s), by way of %s", what, e.Display(path))
		case !strings.HasPrefix(other, "another"):
			f.note(fmt.Sprintf("docker's store for %s is another build of this program: %s (%s)", what, e.Display(path), other), programName+" install docker makes it this one")
		default:
			f.ok("docker's store for %s is %s", what, e.Display(path))
		}
		return
	}
	// It is not found; something of its name may be why.
	for _, dir := range filepath.SplitList(e.Var("PATH")) {
		if !filepath.IsAbs(dir) {
			continue
		}
		path := filepath.Join(dir, program)
		info, err := os.Lstat(path)
		if err != nil {
			continue
		}
		if _, err := os.Stat(path); err != nil && info.Mode().Type() == os.ModeSymlink {
			f.broken(fmt.Sprintf("docker's store for %s, %s, is a link that leads nowhere", what, e.Display(path)), "remove it, and run "+programName+" install docker; or install what it led to")
			return
		}
		f.broken(fmt.Sprintf("docker's store for %s, %s, is not executable (mode %04o)", what, e.Display(path), info.Mode().Perm()), "chmod +x "+shellPath(e, path))
		return
	}
	if beside := filepath.Join(filepath.Dir(executable), program); sameFile(beside, executable) {
		f.broken(fmt.Sprintf("docker's store for %s is this program (%s), in a directory that is not on PATH", what, quoted), "put "+e.Display(filepath.Dir(executable))+" on PATH")
		return
	}
	f.broken(fmt.Sprintf("%s names the store %q for %s, and %s is not on PATH: docker and lookups there fail", shown, redact.Line(name, 64), what, quoted),
		"install it; or "+programName+" install docker keeps the logins here")
}
