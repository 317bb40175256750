//go:build unix

package main

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// breakFiles breaks each file that holds a canary in several ways, and asks for what is found there.
func (c *cage) breakFiles() {
	seen := map[string]bool{"": true, "ring": true}
	var ofAll, ofOne []cagedURL
	for _, u := range c.urls {
		switch {
		case seen[u.file]:
			continue
		case strings.HasPrefix(u.file, "ws/"), strings.HasPrefix(u.file, ".docker/"): // what is in there concerns the others
			ofAll = append(ofAll, u)
		default:
			ofOne = append(ofOne, u)
		}
		seen[u.file] = true
	}
	for _, u := range ofAll {
		c.breakFile(u)
	}
	each(ofOne, c.breakFile)
}

func (c *cage) breakFile(u cagedURL) {
	path := filepath.Join(c.home, u.file)
	data, err := os.ReadFile(path)
	must(c.t, err)
	good := string(data)
	at := strings.Index(good, "cn")
	if u.file == "app.pem" || at < 0 { // in base64
		at = len(good) / 2
	}
	for i, broken := range []string{
		good[:at+14], good[:at] + "\n" + good[at:], good[at:], good[:at] + "\x00\"\n" + good[at:], strings.ReplaceAll(good, `"`, ""), strings.ReplaceAll(good, "=", " "), strings.ReplaceAll(good, ":", " "),
		strings.ReplaceAll(good, "\n", " "), good[:at+8] + " " + good[at+8:], "{[<" + good,
	} {
		must(c.t, os.WriteFile(path, []byte(broken), 0o600))
		c.run([]string{atDebug}, bazelRequest(u.url), "*", "get") // what the file says now may be a login
		c.run(nil, "", "", []string{"explain", "check", "setup-uri"}[i%3], u.url)
	}
	c.run(nil, "", "", "doctor")
	must(c.t, os.WriteFile(path, data, 0o600))
	// Of the wrong type, and no file at all.
	quoted := regexp.MustCompile(`"([^"]*cn[0-9a-f]{22}[^"]*)"`)
	for _, with := range []string{`["$1"]`, `{"$1": "$1"}`, `$1`} {
		if wrong := quoted.ReplaceAllString(good, with); wrong != good {
			must(c.t, os.WriteFile(path, []byte(wrong), 0o600))
			c.run([]string{atDebug}, bazelRequest(u.url), "*", "get")
			c.run(nil, "", "", "explain", u.url)
		}
	}
	must(c.t, errors.Join(os.Remove(path), os.Mkdir(path, 0o700)))
	c.run([]string{atDebug}, bazelRequest(u.url), "*", "get")
	must(c.t, errors.Join(os.Remove(path), os.WriteFile(path, data, 0o600)))
}

// breakVariables does the same to variables.
func (c *cage) breakVariables() {
	c.each(func(u cagedURL) {
		all := slices.Concat(u.env, c.env)
		i := slices.IndexFunc(all, func(v string) bool { return u.field != "" && strings.HasPrefix(v, u.field+"=") })
		if i < 0 {
			return
		}
		value := strings.TrimPrefix(all[i], u.field+"=")
		for _, broken := range []string{value + "\nX: y", "\x7f" + value, value[:len(value)/2] + "\n" + value[len(value)/2:], " " + value + " ", value + "%zz[", strings.ReplaceAll(value, ":", "%")} {
			env := u.with(u.field+"="+broken, atDebug)
			c.run(env[:len(env)-1], bazelRequest(u.url), "*", "get")
			c.run(env, "", "", "explain", u.url)
			c.run(env, "", "", "check", u.url)
		}
	})
}

// requests sends requests with a canary in them that are none, and command lines.
func (c *cage) requests() {
	secret := c.value("request")
	for _, stdin := range []string{
		`{"uri": "https://bob:` + secret + `@a.test/"}`, `{"uri": "https://a.test/%zz?token=` + secret + `"}`, `{"uri": "https://a.test/` + secret[:6] + `\r\nAuthorization: Bearer ` + secret + `"}`,
		`{"uri": "https://a.test/x", "uri": "https://bob:` + secret + `@a.test/"}`, `{"uri": "https://nowhere.test/?sig=` + secret + `&X-Amz-Signature=` + secret + `"}`,
	} {
		for _, level := range []string{"off", "debug"} {
			c.run([]string{"CREDENTIAL_HELPER_LOGGING=" + level}, stdin, "variable", "get")
		}
	}
	for _, command := range []string{"check", "explain", "setup-uri"} {
		for _, url := range []string{"https://bob:" + secret + "@a.test/%zz", "bob:" + secret + "@a.test", "https://a.test/x?token=" + secret, "https://" + secret + ":x@a.test/"} {
			c.run([]string{atDebug}, "", "", command, url)
		}
	}
}
