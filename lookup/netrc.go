package lookup

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"

	"github.com/git-lfs/go-netrc/netrc"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/ascii"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/strictjson"
)

// maxNetrc is the size in bytes above which a file is not read as a netrc file.
const maxNetrc = 256 << 10

// decodeNetrc reads {"source": "netrc", "path": PATH, "use_default": BOOL}. Both may be left out.
//
// PATH is subject to prefix expansion; without it the file is $NETRC, else ~/.netrc, else ~/_netrc.
// The file's "default" entry is used only where "use_default" is true: it names no host,
// and its password would go to every host that a rule covers.
func decodeNetrc(s *Sources, o *strictjson.Object) Source {
	n := netrcFile{Sources: s}
	decodePath(o, &n.path, "$NETRC or ~/.netrc")
	o.Bool("use_default", &n.useDefault)
	return n
}

// Netrc returns the source that reads the user's netrc file, without its "default" entry.
func (s *Sources) Netrc() Source { return netrcFile{Sources: s} }

// netrcFile reads logins from a netrc file, as ftp, curl and git do (https://everything.curl.dev/usingcurl/netrc.html).
//
// A machine is matched by the URL's host with its port, then without, whatever the case; the first one with a password counts.
// It supplies user name and password together. A value in double quotes is taken without them, with \" \\ \n \r \t inside as curl reads them;
// white space in a value, quoted or not, is not supported. "account" and macros are read over.
type netrcFile struct {
	*Sources
	path       string
	useDefault bool
}

func (netrcFile) Name() string      { return "netrc" }
func (n netrcFile) HostBound() bool { return !n.useDefault }

func (n netrcFile) Lookup(_ context.Context, q Query) (Values, error) {
	paths, err := n.paths()
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		data, _, err := n.Env.ReadFile(path, maxNetrc)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		shown := n.Env.Display(path)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", shown, err)
		}
		values, err := n.find(shown, data, q.URL)
		return values.at(shown), err
	}
	shown := make([]string, len(paths))
	for i, path := range paths {
		shown[i] = n.Env.Display(path)
	}
	if len(shown) == 1 {
		return nil, helpers.NotFoundf("%s does not exist", shown[0])
	}
	return nil, helpers.NotFoundf("%s do not exist", strings.Join(shown, " and "))
}

// paths returns the files of which the first that exists is read.
func (n netrcFile) paths() ([]string, error) {
	path := n.path
	if path == "" {
		path = n.Env.Var("NETRC")
	}
	if path != "" {
		expanded, err := n.expandPath(path)
		if err != nil {
			return nil, fmt.Errorf("reading the netrc file %s: %w", path, err)
		}
		return []string{expanded}, nil
	}
	if n.Env.Home == "" {
		return nil, helpers.NotFoundf("there is no netrc file: $NETRC is not set, and there is no home directory")
	}
	var paths []string
	for _, name := range []string{"~/.netrc", "~/_netrc"} {
		path, err := n.expandPath(name)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// find returns the login for u from a netrc file's text. shown is the file's name in errors.
func (n netrcFile) find(shown string, data []byte, u *url.URL) (Values, error) {
	for _, mark := range []string{"\xef\xbb\xbf", "\xff\xfe", "\xfe\xff"} {
		if bytes.HasPrefix(data, []byte(mark)) {
			return nil, fmt.Errorf("reading %s:1: the file begins with a byte order mark; save it as UTF-8 without one", shown)
		}
	}
	file, err := netrc.Parse(bytes.NewReader(data))
	if err != nil {
		return nil, netrcError(shown, err)
	}
	for _, name := range []string{helpers.HostPort(u), u.Host, u.Hostname()} {
		// The library compares names as they are spelled, and lists none: each spelling that the file has is tried.
		tried := map[string]bool{}
		for word := range bytes.FieldsSeq(data) {
			if !ascii.EqualFold(string(word), name) || tried[string(word)] {
				continue
			}
			tried[string(word)] = true
			for {
				m := file.FindMachine(string(word), "")
				if m == nil || m.IsDefault() {
					break
				}
				if m.Password != "" {
					return netrcLogin(shown, "machine "+m.Name, m)
				}
				file.RemoveMachine(m.Name, "")
			}
		}
	}
	if n.useDefault && !helpers.Wildcard(u) {
		// No machine has the empty name; what is found is the default entry.
		if m := file.FindMachine("", ""); m != nil && m.Password != "" {
			return netrcLogin(shown, "the default entry", m)
		}
	}
	return nil, helpers.NotFoundf("%s has no login for %s", shown, u.Host)
}

// netrcError names file and line. No error quotes the file: what stands at the wrong place may be a password.
func netrcError(shown string, err error) error {
	var parse *netrc.Error
	switch {
	case errors.Is(err, bufio.ErrTooLong):
		return fmt.Errorf("reading %s: a word in it is longer than %d bytes", shown, bufio.MaxScanTokenSize)
	case errors.As(err, &parse) && strings.Contains(parse.Msg, bufio.ErrTooLong.Error()):
		return fmt.Errorf("reading %s:%d: a word is longer than %d bytes", shown, parse.LineNum, bufio.MaxScanTokenSize)
	case errors.As(err, &parse):
		return fmt.Errorf("reading %s:%d: %s", shown, parse.LineNum, strings.TrimSpace(parse.Msg))
	default:
		return fmt.Errorf("reading %s: %w", shown, err)
	}
}

func netrcLogin(shown, entry string, m *netrc.Machine) (Values, error) {
	login, ok := unquote(m.Login)
	if !ok {
		return nil, netrcQuoteError(shown, entry, "login")
	}
	password, ok := unquote(m.Password)
	if !ok {
		return nil, netrcQuoteError(shown, entry, "password")
	}
	if password == "" {
		return nil, helpers.NotFoundf("%s has an empty password for %s", shown, entry)
	}
	return Values{Username: redact.Hold(login), Password: redact.Hold(password), Default: redact.Hold(password)}, nil
}

func netrcQuoteError(shown, entry, what string) error {
	return helpers.WithHint(fmt.Errorf("reading %s: the %s of %s begins with a double quote, and the word does not end with one", shown, what, entry),
		"white space in a quoted value is not supported; a value that begins with a quote is written \"\\\"…\"")
}

// unquote returns a value without its double quotes, if it has any. ok is false where they do not enclose it.
func unquote(value string) (text string, ok bool) {
	inner, quoted := strings.CutPrefix(value, `"`)
	if !quoted {
		return value, true
	}
	var b strings.Builder
	for i := 0; i < len(inner); i++ {
		switch c := inner[i]; {
		case c == '"':
			return b.String(), i == len(inner)-1
		case c == '\\' && i+1 < len(inner):
			i++
			switch inner[i] {
			case 'n':
				b.WriteByte('\n')
			case 'r':
				b.WriteByte('\r')
			case 't':
				b.WriteByte('\t')
			default:
				b.WriteByte(inner[i])
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", false
}
