package lookup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"strings"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/shell"
	"github.com/fe055d52/credential-helper/internal/strictjson"
)

// maxSecretFile is the size in bytes above which a file is not taken for a secret.
const maxSecretFile = 64 << 10

// decodeFile reads {"source": "file", "path": PATH, "allow_world_readable": BOOL}. PATH is subject to prefix expansion.
func decodeFile(s *Sources, o *strictjson.Object) Source {
	f := file{Sources: s}
	o.String("path", &f.path)
	o.Bool("allow_world_readable", &f.allowWorldReadable)
	required(o, "file", "path", f.path)
	return f
}

// file reads a secret from a file that holds nothing else. One newline at its end is not part of the secret.
type file struct {
	*Sources
	path               string
	allowWorldReadable bool
}

func (f file) Name() string  { return "file " + f.path }
func (file) HostBound() bool { return false }

func (f file) Lookup(context.Context, Query) (Values, error) {
	path, err := f.expandPath(f.path)
	if err != nil {
		return nil, fmt.Errorf("reading the token file %s: %w", f.path, err)
	}
	shown := f.Env.Display(path)
	data, info, err := f.Env.ReadFile(path, maxSecretFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, helpers.NotFoundf("%s does not exist", shown)
	case err != nil:
		return nil, fmt.Errorf("reading the token file %s: %w", shown, err)
	}
	if err := f.checkOwner(shown, info); err != nil {
		return nil, err
	}
	text := trimNewline(string(data))
	if text == "" {
		return nil, helpers.NotFoundf("%s is empty", shown)
	}
	return Values{Default: redact.Hold(text)}, nil
}

// checkOwner refuses a file that others can read, or that is not what the user put there: who can write it chooses the secret.
func (f file) checkOwner(shown string, info fs.FileInfo) error {
	if runtime.GOOS == "windows" {
		return nil // the mode says nothing there
	}
	mode := info.Mode().Perm()
	switch {
	case mode&0o004 != 0 && !f.allowWorldReadable:
		return helpers.WithHint(fmt.Errorf("the token file %s can be read by every user of this machine (mode %04o)", shown, mode),
			`run chmod 600 %s, or set "allow_world_readable": true for this source`, shell.QuotePath(shown))
	case mode&0o022 != 0:
		return helpers.WithHint(fmt.Errorf("the token file %s can be written by other users (mode %04o)", shown, mode), "run chmod go-w %s", shell.QuotePath(shown))
	}
	if env.Foreign(info) {
		return helpers.WithHint(fmt.Errorf("the token file %s belongs to another user", shown), "make a copy of your own: install -m 600 %s COPY", shell.QuotePath(shown))
	}
	return nil
}

// trimNewline removes one line end, "\n" or "\r\n".
func trimNewline(s string) string {
	s, cut := strings.CutSuffix(s, "\n")
	if cut {
		s = strings.TrimSuffix(s, "\r")
	}
	return s
}
