package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fe055d52/credential-helper/config"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/place"
	"github.com/fe055d52/credential-helper/internal/strictjson"
	"github.com/fe055d52/credential-helper/internal/trace"
)

// Files are the configuration files that were looked for.
type Files struct {
	// Good are those that are there and right, in the order in which their rules are tried.
	Good []config.File
	// Late, where not 0, says that they could not be read in that time.
	Late time.Duration

	found findings
}

// ReadFiles reads every configuration file that is looked for. Unlike config.Load it does not stop at the first mistake.
func ReadFiles(ctx context.Context, e *env.Env, kinds config.Kinds) *Files {
	end := trace.Step(ctx, "reading the configuration")
	defer end(nil)
	files := &Files{}
	f := &files.found
	paths, named := place.ConfigFiles(e.Workspace(), e.ConfigDir), false
	if text := e.Var(env.VarConfigFile); text != "" {
		path, err := e.Expand(text)
		if err != nil {
			f.fail(Broken, fmt.Errorf("finding the file that $%s names: %w", env.VarConfigFile, err), "correct or unset $"+env.VarConfigFile)
			return files
		}
		paths, named = []string{path}, true
	}
	var absent []string
	for _, path := range paths {
		file, found, err := config.Read(e, path, kinds, named)
		switch {
		case err != nil:
			fix := "it has to be a file that you can read"
			if mistake := (*strictjson.Error)(nil); errors.As(err, &mistake) {
				fix = "correct that line (docs/configuration.md has the keys)"
			}
			f.fail(Broken, err, fix+"; nothing is served until then")
		case found:
			files.Good = append(files.Good, file)
			f.ok("%s is valid: %s%s", e.Display(path), count(len(file.Rules), "rule"), withDefaults(file))
		case named:
			f.broken(fmt.Sprintf("$%s names %s, which does not exist", env.VarConfigFile, e.Display(path)), "correct or unset $"+env.VarConfigFile)
		default:
			absent = append(absent, e.Display(path))
		}
	}
	if len(absent) == len(paths) && len(paths) > 0 {
		f.ok("no file (looked for %s): the built-in rules serve GitHub and well-known registries", strings.Join(absent, " and "))
	}
	if !named {
		f.strays(e)
	}
	return files
}

func withDefaults(f config.File) string {
	if f.UseDefaults {
		return ", and the built-in ones"
	}
	return ""
}

// strays finds a workspace's file that is not where it is looked for.
func (f *findings) strays(e *env.Env) {
	if e.Dir == "" || e.Dir == e.Workspace() {
		return
	}
	for at, level := e.Dir, 0; at != e.Workspace() && level < place.MaxLevels; at, level = filepath.Dir(at), level+1 {
		path := filepath.Join(at, place.WorkspaceFile)
		if _, err := os.Stat(path); err == nil {
			f.warn(fmt.Sprintf("%s is not read: the root of the workspace is %s", e.Display(path), e.Display(e.Workspace())), "move it to the root, or name it in $"+env.VarConfigFile)
		}
		if at == filepath.Dir(at) {
			return
		}
	}
}

// Config checks the files and their rules.
func Config(e *env.Env, files *Files) []Finding {
	f := append(findings(nil), files.found...)
	if files.Late != 0 {
		f.broken(fmt.Sprintf("the configuration files could not be read within %s", files.Late), "is a disk missing that they are on? nothing is served until then")
	}
	f.rules(e, files.Good)
	return f
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
