package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/shell"
	"github.com/fe055d52/credential-helper/internal/subprocess"
)

const (
	// programName is the name that people install the program under.
	programName = "credential-helper"
	// ownPath is the import path of the program, which its executable records.
	ownPath = "github.com/fe055d52/credential-helper/cmd/credential-helper"
	// dockerPrefix begins the names under which Docker starts a credential helper.
	dockerPrefix = "docker-credential-"
)

// Program checks where the program is, and what is found on PATH under its names. executable is its own file.
func Program(e *env.Env, executable, version string) []Finding {
	var f findings
	f.file(e, executable)
	f.path(e)
	onPath := foundOnPath(e, executable)
	switch {
	case onPath == "":
		f.note(fmt.Sprintf("%s is not on PATH; this one is %s, %s", programName, e.Display(executable), version),
			"put its directory on PATH, or name it by its whole path in .bazelrc")
	case sameFile(onPath, executable):
		f.ok("%s, %s, is the one on PATH%s", e.Display(onPath), version, otherNames(e, executable))
	default:
		what, same := identify(onPath, executable)
		text := fmt.Sprintf("PATH has another one before this: %s (%s); this is %s (%s)", e.Display(onPath), what, e.Display(executable), version)
		if same {
			f.note(text, "keep one of the two, so that an update reaches all who use it")
		} else {
			f.warn(text, "remove the other one, or put "+e.Display(filepath.Dir(executable))+" before it on PATH")
		}
	}
	return f
}

// file checks who may change the program.
func (f *findings) file(e *env.Env, executable string) {
	info, err := os.Stat(executable)
	switch {
	case err != nil:
		f.warn(fmt.Sprintf("this program's own file is gone: %s", e.Display(executable)), "install it again; what runs now is the old one")
	case runtime.GOOS != "windows" && env.WritableByAll(info):
		f.broken(fmt.Sprintf("every user of this machine can replace this program: %s (mode %04o)", e.Display(executable), info.Mode().Perm()), "chmod o-w "+shellPath(e, executable))
	case env.Foreign(info):
		f.warn(fmt.Sprintf("this program's file belongs to another user, who can replace it: %s", e.Display(executable)), "install it as yourself, or as root")
	}
}

// path checks PATH itself, and what only looks like a program there.
func (f *findings) path(e *env.Env) {
	for _, dir := range filepath.SplitList(e.Var("PATH")) {
		if !filepath.IsAbs(dir) {
			shown := dir
			if dir == "" {
				shown = "an empty one, which is the working directory"
			}
			f.warn(fmt.Sprintf("PATH has a relative entry (%s): there, any project can have its own programs run", shown), "remove it from PATH; this program and Bazel do not look there")
			continue
		}
		path := filepath.Join(dir, programName)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && runtime.GOOS != "windows" && info.Mode()&0o111 == 0 {
			f.warn(fmt.Sprintf("%s is on PATH, and not executable (mode %04o): it is passed over", e.Display(path), info.Mode().Perm()), "chmod +x "+shellPath(e, path))
		}
	}
}

// foundOnPath returns what the program's name stands for on PATH: the name that install guides have, or the one that this executable has.
func foundOnPath(e *env.Env, executable string) string {
	for _, name := range []string{programName, filepath.Base(executable)} {
		if path, err := subprocess.Find(e, name); err == nil && !strings.HasPrefix(name, dockerPrefix) {
			return path
		}
	}
	return ""
}

// otherNames lists the names under which Docker finds the executable.
func otherNames(e *env.Env, executable string) string {
	var names []string
	for _, dir := range filepath.SplitList(e.Var("PATH")) {
		if !filepath.IsAbs(dir) {
			continue
		}
		list, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, d := range list {
			if strings.HasPrefix(d.Name(), dockerPrefix) && sameFile(filepath.Join(dir, d.Name()), executable) && !slices.Contains(names, d.Name()) {
				names = append(names, d.Name())
			}
		}
	}
	if len(names) == 0 {
		return ""
	}
	return ", also as " + strings.Join(names, ", ")
}

// identify says what an executable is, by what the Go toolchain recorded in it: it is not run. same reports whether it is a copy of own, or of its version.
func identify(path, own string) (what string, same bool) {
	info, ok := readBuildInfo(path)
	if !ok {
		return "another program", false
	}
	version := info.Main.Version
	if version == "" || version == "(devel)" {
		version = "devel"
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				version += "-" + s.Value[:12]
			}
		}
	}
	if info.Path != ownPath {
		return strings.TrimSpace("another program: " + info.Path + " " + version), false
	}
	if a, err := os.Stat(path); err == nil {
		b, err := os.Stat(own)
		same = err == nil && a.Size() == b.Size() && version != "devel"
	}
	return version, same
}

func sameFile(a, b string) bool {
	ai, err := os.Stat(a)
	if err != nil {
		return false
	}
	bi, err := os.Stat(b)
	return err == nil && os.SameFile(ai, bi)
}

// shellPath is how a path stands in a command that is to be copied: a repository may have any name in it, also one with another command.
func shellPath(e *env.Env, path string) string {
	shown := e.Display(path)
	if rest, ok := strings.CutPrefix(shown, "~"); ok && shell.Quote(rest) == rest {
		return shown // quotes would keep a shell from replacing ~
	}
	return shell.Quote(strings.ToValidUTF8(path, "?"))
}
