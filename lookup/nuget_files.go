package lookup

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/ascii"
	"github.com/fe055d52/credential-helper/internal/redact"
)

// A nugetFile is a nuget.config.
type nugetFile struct {
	shown   string
	root    *element
	project bool // it is in the working directory or above it
}

// files returns the files that exist, the nearest first. looked names the user's that were looked for.
func (n nuget) files(ctx context.Context) (files []nugetFile, looked []string, err error) {
	add := func(path string, project bool) (bool, error) {
		read := n.readNative
		if project {
			read = n.readProject
		}
		data, shown, found, err := read(ctx, path)
		if err != nil {
			return false, err
		}
		if !project {
			looked = append(looked, shown)
		}
		if !found {
			return false, nil
		}
		root, err := parseXML(shown, data, "configuration")
		if err != nil {
			return false, err
		}
		files = append(files, nugetFile{shown, root, project})
		return true, nil
	}
	if n.path != "" {
		path, err := n.expandPath(n.path)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", n.path, err)
		}
		_, err = add(path, false)
		return files, looked, err
	}
	for _, dir := range n.upward() {
		for _, name := range []string{"nuget.config", "NuGet.config", "NuGet.Config"} {
			found, err := add(filepath.Join(dir, name), true)
			if err != nil {
				return nil, nil, err
			}
			if found {
				break
			}
		}
	}
	var users []string
	if runtime.GOOS == "windows" {
		if dir := n.Env.Var("AppData"); dir != "" {
			users = append(users, filepath.Join(dir, "NuGet", "NuGet.Config"))
		}
	} else if n.Env.Home != "" {
		config := n.Env.Var("XDG_CONFIG_HOME")
		if config == "" {
			config = n.home(".config")
		}
		users = append(users, n.home(".nuget", "NuGet", "NuGet.Config"), filepath.Join(n.absolute(config), "NuGet", "NuGet.Config"))
	}
	for _, path := range users {
		if _, err := add(path, false); err != nil {
			return nil, nil, err
		}
	}
	return files, looked, nil
}

// A nugetItem is an element of a section, and the file that it is in.
type nugetItem struct {
	nugetFile
	*element
}

// section returns what the files say together in a section: the nearest file's word on a name counts, and <clear /> drops what those further away say.
// key returns the name of an element, "" for none.
func section(files []nugetFile, name string, key func(*element) string) map[string]nugetItem {
	items := map[string]nugetItem{}
	for _, f := range slices.Backward(files) {
		for _, s := range f.root.all(name) {
			for _, e := range s.children {
				if e.name == "clear" {
					clear(items)
				} else if k := key(e); k != "" {
					items[k] = nugetItem{f, e}
				}
			}
		}
	}
	return items
}

func nugetSources(files []nugetFile) map[string]nugetItem {
	return section(files, "packageSources", func(e *element) string {
		if e.name != "add" {
			return ""
		}
		return ascii.Lower(e.attr("key")) // NuGet tells no case apart in these
	})
}

// feeds returns the feeds on u's server that have a login. notes say why some have none.
func (n nuget) feeds(files []nugetFile, u *url.URL) (feeds []feed, notes []string, err error) {
	sources := nugetSources(files)
	users := nugetSources(slices.DeleteFunc(slices.Clone(files), func(f nugetFile) bool { return f.project }))
	logins := section(files, "packageSourceCredentials", func(e *element) string { return decodeXMLName(e.name) })
	server := func(i nugetItem) (*url.URL, bool) {
		if i.element == nil {
			return nil, false
		}
		value, err := n.expandPercent(i, i.attr("value"))
		if err != nil {
			return nil, false
		}
		server, _, ok := parseServer(value)
		return server, ok && sameServer(server, u)
	}
	for _, key := range slices.Sorted(maps.Keys(sources)) {
		source := sources[key]
		at, ok := server(source)
		if !ok {
			continue
		}
		name := source.attr("key")
		shown := redact.Line(name, 80)
		variable := "NuGetPackageSourceCredentials_" + name
		var types string
		f := feed{url: at, from: "$" + redact.Line(variable, 120)}
		if text := n.Env.Var(variable); text != "" {
			if f.username, f.password, types, ok = fromVariable(text); !ok {
				return nil, nil, helpers.WithHint(fmt.Errorf("$%s is not a login as NuGet reads it", redact.Line(variable, 120)), "it is Username=NAME;Password=TOKEN")
			}
		} else {
			login, ok := logins[name]
			if !ok {
				continue
			}
			if _, own := server(users[key]); source.project && !login.project && !own {
				notes = append(notes, fmt.Sprintf("the login %q in %s is not used for the server that %s gives that name to; name the source in %s too", shown, login.shown, source.shown, login.shown))
				continue
			}
			if f, types, err = n.login(login, shown); err != nil {
				return nil, nil, err
			}
			f.url = at
		}
		if !allowsBasic(types) {
			notes = append(notes, fmt.Sprintf("NuGet's login for %q is for authentication types without Basic", shown))
			continue
		}
		feeds = append(feeds, f)
	}
	return feeds, notes, nil
}

// login reads an element of <packageSourceCredentials>.
func (n nuget) login(e nugetItem, name string) (f feed, types string, err error) {
	encrypted := false
	f.from = fmt.Sprintf("%s:%d", e.shown, e.line)
	for _, add := range e.all("add") {
		item := nugetItem{e.nugetFile, add}
		value, err := n.expandPercent(item, add.attr("value"))
		if err != nil {
			return feed{}, "", err
		}
		switch ascii.Lower(add.attr("key")) {
		case "username":
			f.username = value
		case "cleartextpassword":
			f.password = value
		case "password":
			encrypted = true
		case "validauthenticationtypes":
			types = value
		}
	}
	if encrypted && f.password == "" {
		return feed{}, "", helpers.WithHint(fmt.Errorf("the login %q in %s:%d has a password that Windows encrypted, which is not supported", name, e.shown, e.line),
			"run dotnet nuget update source with --store-password-in-clear-text, or set the environment variable NuGetPackageSourceCredentials_%s", name)
	}
	return f, types, nil
}

// expandPercent replaces %NAME% in a value. As with NuGet, what is not set stays as it is; but a value that is a variable and nothing else is meant to be one.
func (n nuget) expandPercent(at nugetItem, value string) (string, error) {
	var b expansion
	for rest := value; ; {
		before, after, found := strings.Cut(rest, "%")
		b.WriteString(before)
		if b.over {
			return "", errTooLong(fmt.Sprintf("%s:%d", at.shown, at.line))
		}
		if !found {
			return b.String(), nil
		}
		name, behind, closed := strings.Cut(after, "%")
		if !closed || !isName(name) {
			b.WriteByte('%')
			rest = after
			continue
		}
		text, ok := n.Env.Get(name)
		switch {
		case ok:
			b.variable(text)
			rest = behind
		case value == "%"+name+"%":
			return "", helpers.WithHint(fmt.Errorf("%s:%d: %s stands for the environment variable %s, which is not set", at.shown, at.line, value, name), "set the environment variable %s", name)
		default:
			b.WriteString("%" + name)
			rest = after[len(name):]
		}
	}
}

// decodeXMLName returns the name of a source that an element has for its name: what may not stand there is written _xHHHH_, in UTF-16.
func decodeXMLName(name string) string {
	var units []uint16
	for rest := name; rest != ""; {
		if code, escape := strings.CutPrefix(rest, "_x"); escape {
			hex, behind, closed := strings.Cut(code, "_")
			if v, err := strconv.ParseUint(hex, 16, 32); closed && err == nil && (len(hex) == 4 || len(hex) == 8) {
				if len(hex) == 8 {
					units = utf16.AppendRune(units, rune(v&0x7fffffff))
				} else {
					units = append(units, uint16(v))
				}
				rest = behind
				continue
			}
		}
		r, size := utf8.DecodeRuneInString(rest)
		units, rest = utf16.AppendRune(units, r), rest[size:]
	}
	return string(utf16.Decode(units))
}
