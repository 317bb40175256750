package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/fe055d52/credential-helper/config"
	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/keyring"
)

// slowKeyring is how long a keyring may take for one entry before a build that asks for many is slowed by it.
const slowKeyring = time.Second

// A reader reads an entry of the keyring, as keyring.Get does, and says whether it was there.
type reader func(ctx context.Context, service string) error

// Keyring checks whether the keyring answers, by reading an entry that nobody has made. Nothing is asked of a person.
func Keyring(ctx context.Context, e *env.Env, files []config.File) []Finding {
	return checkKeyring(ctx, e, wantsKeyring(files), func(ctx context.Context, service string) error {
		_, err := keyring.Get(ctx, e, service, "")
		return err
	})
}

// wantsKeyring returns where a rule stands that names the keyring, "" where none does.
func wantsKeyring(files []config.File) string {
	for _, file := range files {
		for i := range file.Rules {
			for _, s := range sourcesOf(&file.Rules[i]).all {
				if s.Kind == "keyring" {
					return file.Rules[i].Place
				}
			}
		}
	}
	return ""
}

func checkKeyring(ctx context.Context, e *env.Env, wanted string, read reader) []Finding {
	var f findings
	what := "the system's keyring"
	path, err := keyring.Path(e)
	if err != nil {
		f.fail(Broken, err, "docs/docker.md has the variables of a keyring in a file")
		return f
	}
	if path != "" {
		what = "the keyring in " + e.Display(path)
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			what += ", which does not exist yet,"
		case err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0:
			f.warn(fmt.Sprintf("other users can replace %s (mode %04o)", e.Display(path), info.Mode().Perm()), "chmod 600 "+shellPath(e, path))
		}
	}
	need := ""
	if wanted != "" {
		need = ", and the rule at " + e.Display(wanted) + " wants it"
	}
	start := time.Now()
	err = read(ctx, "credential-helper:doctor")
	took := time.Since(start)
	switch {
	case err == nil, errors.Is(err, helpers.ErrNotFound):
		if took >= slowKeyring {
			f.warn(fmt.Sprintf("%s works, and took %s for one entry", what, took.Round(100*time.Millisecond)), "answers are kept for 5 minutes; a slower keyring makes builds time out")
			return f
		}
		f.ok("%s works", what)
	case errors.Is(err, helpers.ErrUnavailable):
		const other = "on a machine without one, CREDENTIAL_HELPER_KEYRING=file keeps secrets in an encrypted file (docs/docker.md)"
		if wanted != "" {
			f.warn(err.Error()+need, other)
		} else {
			f.note(err.Error(), other)
		}
	case errors.Is(err, keyring.ErrLocked):
		level := Warning
		if wanted != "" {
			level = Broken
		}
		var hint *helpers.HintError
		fix := "unlock it"
		if errors.As(err, &hint) {
			fix = hint.Hint
		}
		f = append(f, Finding{Level: level, Text: what + " is locked" + need, Fix: fix})
	case ctx.Err() != nil:
		f.warn(fmt.Sprintf("%s did not answer within %s%s", what, took.Round(100*time.Millisecond), need), "is it waiting for its password somewhere? unlock it, or end and start it again")
	default:
		text := err.Error()
		level := Warning
		if wanted != "" || path != "" {
			level = Broken
		}
		if !strings.Contains(text, need) {
			text += need
		}
		var hint *helpers.HintError
		fix := "correct that; lookups of the keyring fail until then"
		if errors.As(err, &hint) {
			fix = hint.Hint
		}
		f = append(f, Finding{Level: level, Text: text, Fix: fix})
	}
	return f
}
