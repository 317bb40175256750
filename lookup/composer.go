package lookup

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/ascii"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/strictjson"
)

// decodeComposer reads {"source": "composer", "path": PATH}. PATH may be left out.
//
// PATH is subject to prefix expansion, and that file alone is read; without it the places are Composer's own.
func decodeComposer(s *Sources, o *strictjson.Object) Source {
	c := composer{Sources: s}
	decodePath(o, &c.path, "Composer's own files")
	return c
}

// Composer returns the source that reads what Composer keeps in auth.json and COMPOSER_AUTH.
func (s *Sources) Composer() Source { return composer{Sources: s} }

// composer reads logins as PHP's Composer does (https://getcomposer.org/doc/articles/authentication-for-private-packages.md):
// from $COMPOSER_AUTH, which holds the JSON itself, then auth.json in the project, then auth.json in $COMPOSER_HOME, else %AppData%\Composer on Windows,
// else $XDG_CONFIG_HOME/composer or ~/.config/composer, else ~/.composer.
//
// The kinds of logins are sections, in which a host stands with its port, if it has one; which scheme it is asked by counts for nothing.
// Within a section the first place that has the host counts. Where several sections have it, Composer takes the one that stands first in composerSections.
type composer struct {
	*Sources
	path string
}

func (composer) Name() string    { return "Composer's logins" }
func (composer) HostBound() bool { return true }

// A composerPlace holds what one place has; its name is shown in errors.
type composerPlace struct {
	shown string
	data  []byte
	root  gjson.Result
}

// composerSections are the sections in the order in which they count, and what reads an entry of each. A client certificate makes no header.
var composerSections = [...]struct {
	name string
	read func(composer, composerEntry) (Values, error)
}{
	{"custom-headers", composer.customHeaders},
	{"bearer", func(_ composer, e composerEntry) (Values, error) { return e.token(e.value) }},
	{"http-basic", func(_ composer, e composerEntry) (Values, error) { return e.login("username", "password") }},
	{"forgejo-token", func(_ composer, e composerEntry) (Values, error) { return e.login("username", "token") }},
	{"gitlab-token", composer.gitlabToken},
	{"gitlab-oauth", composer.gitlabOAuth},
	{"github-oauth", func(_ composer, e composerEntry) (Values, error) { return e.token(e.value) }},
	{"bitbucket-oauth", func(_ composer, e composerEntry) (Values, error) {
		return nil, helpers.NotFoundf("%s has a login of kind bitbucket-oauth for %s, which is not supported; an app password goes into http-basic", e.shown, e.host)
	}},
}

func (c composer) Lookup(ctx context.Context, q Query) (Values, error) {
	places, looked, err := c.places(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading Composer's logins: %w", err)
	}
	switch {
	case len(places) > 0:
	case c.path != "":
		return nil, notThere(looked, "")
	default:
		if len(looked) == 0 {
			looked = []string{"home directory"}
		}
		return nil, helpers.NotFoundf("there is no login of Composer's: $COMPOSER_AUTH is not set, and there is no %s", strings.Join(looked, ", nor "))
	}
	if !helpers.Wildcard(q.URL) {
		for _, section := range composerSections {
			for _, p := range places {
				e, found, err := p.entry(section.name, q.URL)
				if err == nil && found {
					var values Values
					if values, err = section.read(c, e); err == nil {
						return values.at(e.place(e.value)), nil
					}
				}
				if err != nil && helpers.FallsThrough(err) {
					return nil, err
				}
				if err != nil {
					return nil, fmt.Errorf("reading Composer's logins: %w", err)
				}
			}
		}
	}
	shown := make([]string, len(places))
	for i, p := range places {
		shown[i] = p.shown
	}
	return nil, helpers.NotFoundf("%s: no login for %s", strings.Join(shown, " and "), q.URL.Host)
}

// places returns what there is to search, in order. looked names the files that were looked for.
func (c composer) places(ctx context.Context) (places []composerPlace, looked []string, err error) {
	add := func(shown string, data []byte) error {
		p := composerPlace{shown: shown, data: data}
		if err := strictjson.Decode(shown, data, (*strictjson.Object).AllowUnknown); err != nil {
			return err
		}
		p.root = gjson.ParseBytes(data)
		places = append(places, p)
		return nil
	}
	file := func(path string, project bool) (bool, error) {
		read := c.readNative
		if project {
			read = c.readProject
		}
		data, shown, found, err := read(ctx, path)
		if err != nil {
			return false, err
		}
		looked = append(looked, shown)
		if !found {
			return false, nil
		}
		return true, add(shown, data)
	}
	if c.path != "" {
		path, err := c.expandPath(c.path)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", c.path, err)
		}
		_, err = file(path, false)
		return places, looked, err
	}
	if text := c.Env.Var("COMPOSER_AUTH"); text != "" {
		if err := add("$COMPOSER_AUTH", []byte(text)); err != nil {
			return nil, nil, err
		}
	}
	if dir := c.project(); dir != "" {
		if _, err := file(filepath.Join(dir, "auth.json"), true); err != nil {
			return nil, nil, err
		}
	}
	for _, dir := range c.homes() {
		found, err := file(filepath.Join(c.absolute(dir), "auth.json"), false)
		if err != nil {
			return nil, nil, err
		}
		if found {
			break
		}
	}
	return places, looked, nil
}

// homes returns the directories of which Composer takes the first that exists.
func (c composer) homes() []string {
	if dir := c.Env.Var("COMPOSER_HOME"); dir != "" {
		return []string{dir}
	}
	if runtime.GOOS == "windows" {
		if dir := c.Env.Var("AppData"); dir != "" {
			return []string{filepath.Join(dir, "Composer")}
		}
		return nil
	}
	var dirs []string
	if dir := c.Env.Var("XDG_CONFIG_HOME"); dir != "" {
		dirs = append(dirs, filepath.Join(dir, "composer"))
	} else if c.Env.Home != "" {
		dirs = append(dirs, c.home(".config", "composer"))
	}
	if c.Env.Home != "" {
		dirs = append(dirs, c.home(".composer"))
	}
	return dirs
}

// A composerEntry is what a section has for a host.
type composerEntry struct {
	composerPlace
	host, section string
	value         gjson.Result
}

// entry returns what the place has for u in a section. Of several spellings of one host the last counts, as everywhere in PHP's JSON.
func (p composerPlace) entry(section string, u *url.URL) (e composerEntry, found bool, err error) {
	p.root.ForEach(func(key, list gjson.Result) bool {
		if key.String() != section || list.Type == gjson.Null || list.IsArray() && len(list.Array()) == 0 {
			return true // PHP writes an empty object as []
		}
		if !list.IsObject() {
			err = p.wrong(list, section)
			return false
		}
		list.ForEach(func(host, value gjson.Result) bool {
			if value.Type != gjson.Null && composerHost(section, host.String(), u) {
				e, found = composerEntry{p, u.Host, section, value}, true
			}
			return true
		})
		return true
	})
	return e, found, err
}

// composerHost reports whether a key of a section is for u. Composer takes GitHub's hosts for one, but for that of archives, and packagist.org's repository for its site;
// and a GitLab may have a path behind its host, which counts for nothing.
func composerHost(section, key string, u *url.URL) bool {
	key = ascii.Lower(key)
	if strings.HasPrefix(section, "gitlab-") {
		key, _, _ = strings.Cut(key, "/")
	}
	host := u.Host
	switch {
	case strings.HasSuffix(host, ".github.com") && host != "codeload.github.com":
		host = "github.com"
	case host == "repo.packagist.org":
		host = "packagist.org"
	case host == "api.bitbucket.org" && key == "bitbucket.org":
		return true
	}
	return key == host || key == helpers.HostPort(u)
}

// place returns where a value stands. A variable has no lines that anybody counts.
func (p composerPlace) place(value gjson.Result) string {
	if strings.HasPrefix(p.shown, "$") {
		return p.shown
	}
	return fmt.Sprintf("%s:%d", p.shown, p.line(value))
}

func (p composerPlace) line(value gjson.Result) int {
	return 1 + strings.Count(string(p.data[:min(max(value.Index, 0), len(p.data))]), "\n")
}

// wrong says that a value is of the wrong type, and quotes nothing of it.
func (p composerPlace) wrong(value gjson.Result, section string) error {
	return fmt.Errorf("%s:%d: what is here in %q is of the wrong type for Composer", p.shown, p.line(value), section)
}

// text returns the text that the entry has under key.
func (e composerEntry) text(key string) (string, error) {
	var found gjson.Result
	e.value.ForEach(func(k, v gjson.Result) bool {
		if k.String() == key {
			found = v
		}
		return true
	})
	if !e.value.IsObject() || found.Type != gjson.String {
		return "", e.wrong(e.value, e.section)
	}
	return found.String(), nil
}

// token returns the values for a text that goes by itself.
func (e composerEntry) token(value gjson.Result) (Values, error) {
	if value.Type != gjson.String {
		return nil, e.wrong(value, e.section)
	}
	return e.supply(Token, value.String())
}

// supply returns the values for a secret that is bound to one name.
func (e composerEntry) supply(binding, secret string) (Values, error) {
	if secret == "" {
		return nil, helpers.NotFoundf("%s has an empty login for %s in %q", e.shown, e.host, e.section)
	}
	return Values{binding: redact.Hold(secret), Default: redact.Hold(secret)}, nil
}

// login returns the values for a user name and a secret, as which Composer also writes tokens: the name is the token then, and the secret says what it is.
func (e composerEntry) login(userKey, secretKey string) (Values, error) {
	username, err := e.text(userKey)
	if err != nil {
		return nil, err
	}
	secret, err := e.text(secretKey)
	if err != nil {
		return nil, err
	}
	switch {
	case secret == "":
		return nil, helpers.NotFoundf("%s has an empty login for %s in %q", e.shown, e.host, e.section)
	case secret == "bearer":
		return e.supply(Token, username)
	case secret == "x-oauth-basic":
		redact.Remember(username) // it is the secret
	}
	return Values{Username: redact.Hold(username), Password: redact.Hold(secret), Default: redact.Hold(secret)}, nil
}

// gitlabToken reads a token, which goes into GitLab's own header, or a user name with one. Names of kinds of tokens may stand in either place.
func (c composer) gitlabToken(e composerEntry) (Values, error) {
	if e.value.Type == gjson.String {
		return e.supply(Header("PRIVATE-TOKEN"), e.value.String())
	}
	username, err := e.text("username")
	if err != nil {
		return nil, err
	}
	token, err := e.text("token")
	if err != nil {
		return nil, err
	}
	switch {
	case token == "private-token", token == "gitlab-ci-token":
		return e.supply(Header("PRIVATE-TOKEN"), username)
	case token == "oauth2":
		return e.supply(Token, username)
	case username == "private-token":
		return e.supply(Header("PRIVATE-TOKEN"), token)
	case username == "oauth2":
		return e.supply(Token, token)
	}
	return e.login("username", "token")
}

// gitlabOAuth reads an OAuth token, alone or with the time of its end in seconds since 1970. Composer renews it where it ends; this program does not.
func (c composer) gitlabOAuth(e composerEntry) (Values, error) {
	if e.value.Type == gjson.String {
		return e.token(e.value)
	}
	text, err := e.text("token")
	if err != nil {
		return nil, err
	}
	values, err := e.supply(Token, text)
	if err != nil {
		return nil, err
	}
	var at int64
	e.value.ForEach(func(k, v gjson.Result) bool {
		if k.String() == "expires-at" {
			at = v.Int()
		}
		return true
	})
	if at <= 0 || at > lastSecond {
		return values, nil
	}
	expires := time.Unix(at, 0)
	if now := c.now(); !now.Before(expires) {
		return nil, helpers.NotFoundf("the GitLab token for %s in %s has expired on %s; Composer renews it when it runs", e.host, e.shown, expires.UTC().Format(time.DateTime))
	}
	values.SetExpiry(expires)
	return values, nil
}

// customHeaders reads a list of headers, each "Name: value".
func (c composer) customHeaders(e composerEntry) (Values, error) {
	if !e.value.IsArray() {
		return nil, e.wrong(e.value, e.section)
	}
	values := Values{}
	for _, line := range e.value.Array() {
		name, value, ok := strings.Cut(line.String(), ":")
		if line.Type != gjson.String || !ok {
			return nil, e.wrong(e.value, e.section)
		}
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if err := checkHeaderName(name); err != nil {
			return nil, helpers.WithHint(fmt.Errorf("%s: the custom headers for %s: %w", e.shown, e.host, err), `each is "Name: value"`)
		}
		if value == "" {
			continue
		}
		values[Header(name)] = redact.Hold(value)
		if values[Default].IsZero() {
			values[Default] = redact.Hold(value)
		}
	}
	if len(values) == 0 {
		return nil, helpers.NotFoundf("%s has an empty list of headers for %s", e.shown, e.host)
	}
	return values, nil
}
