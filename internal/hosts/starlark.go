package hosts

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

// bazelFiles reads MODULE.bazel, what it includes, and the WORKSPACE files.
func (f *finder) bazelFiles() {
	if data, ok := f.readRoot("MODULE.bazel"); ok {
		for i, name := range f.starlark("MODULE.bazel", data) {
			if i >= maxIncludes {
				break
			}
			if data, ok := f.readRoot(name); ok {
				f.starlark(name, data)
			}
		}
	}
	for _, name := range []string{"WORKSPACE", "WORKSPACE.bazel", "WORKSPACE.bzlmod"} {
		if data, ok := f.readRoot(name); ok {
			f.starlark(name, data)
		}
	}
}

var (
	// argument is what stands before a string that is an argument with a name.
	argument = regexp.MustCompile(`\b([a-z_]+)\s*=\s*$`)
	included = regexp.MustCompile(`\binclude\(\s*$`)
)

// starlark takes the URLs and images that the strings of a file name. It returns the names of the files that the file includes.
func (f *finder) starlark(name string, data []byte) (includes []string) {
	for _, s := range stringsOf(string(data)) {
		place := fmt.Sprintf("%s:%d", name, s.line)
		if included.MatchString(s.before) {
			if file, ok := labelFile(s.text); ok {
				includes = append(includes, file)
			}
			continue
		}
		name := ""
		if m := argument.FindStringSubmatch(s.before); m != nil {
			name = m[1]
		}
		urls := anyURL.FindAllString(s.text, -1)
		for _, raw := range urls {
			f.add(raw, place, "", name == "registry")
		}
		switch {
		case len(urls) > 0:
		case name == "image":
			if raw, ok := imageURL(s.text); ok {
				f.add(raw, place, "oci", true)
			}
		case name == "registry" && strings.Contains(s.text, "."): // of container_pull
			f.add("https://"+s.text+"/v2/", place, "oci", true)
		}
	}
	return includes
}

// labelFile returns the path of a label in the main repository: "//tools:x.MODULE.bazel".
func labelFile(label string) (file string, ok bool) {
	rest, ok := strings.CutPrefix(label, "//")
	dir, name, colon := strings.Cut(rest, ":")
	if !ok || !colon || name == "" || strings.Contains(rest, "..") || strings.HasPrefix(dir, "/") {
		return "", false
	}
	return path.Join(dir, name), true
}

// imageURL returns the URL of an image's manifest, for a reference like "ghcr.io/team/app:1.0". One without a host is Docker Hub's.
func imageURL(ref string) (raw string, ok bool) {
	ref, _, _ = strings.Cut(ref, "@")
	host, repository, slash := strings.Cut(ref, "/")
	switch {
	case ref == "" || strings.ContainsAny(ref, " {}%$\\"):
		return "", false
	case !slash || !strings.ContainsAny(host, ".:") && host != "localhost":
		host, repository = "index.docker.io", ref
	}
	if i := strings.LastIndexByte(repository, ':'); i >= 0 {
		repository = repository[:i]
	}
	return "https://" + host + "/v2/" + repository + "/manifests/latest", true
}

// A literal is a string in a Starlark file.
type literal struct {
	text string
	line int
	// before is the code before it, on the lines since the last string; it is cut to what is of use.
	before string
}

// stringsOf returns the strings of a Starlark file, less its comments. Escapes are left as they are: no URL has any.
func stringsOf(code string) []literal {
	var all []literal
	line, start := 1, 0
	for i := 0; i < len(code); {
		switch c := code[i]; c {
		case '\n':
			line++
			i++
		case '#':
			for i < len(code) && code[i] != '\n' {
				i++
			}
			start = i
		case '"', '\'':
			quote := code[i : i+1]
			if triple := strings.Repeat(quote, 3); strings.HasPrefix(code[i:], triple) {
				quote = triple
			}
			end := i + len(quote)
			for end < len(code) && !strings.HasPrefix(code[end:], quote) && (len(quote) == 3 || code[end] != '\n') {
				if code[end] == '\\' {
					end++
				}
				end++
			}
			end = min(end, len(code))
			text := code[i+len(quote) : max(end, i+len(quote))]
			all = append(all, literal{text, line, code[max(start, i-100):i]})
			line += strings.Count(text, "\n")
			i = end
			if strings.HasPrefix(code[i:], quote) {
				i += len(quote)
			}
			start = i
		default:
			i++
		}
	}
	return all
}
