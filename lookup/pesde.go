package lookup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/ascii"
	"github.com/fe055d52/credential-helper/internal/keyring"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/strictjson"
)

// The keyring's entry in which pesde keeps its tokens.
const (
	pesdeService = "tokens"
	pesdeAccount = "pesde"
)

// decodePesde reads {"source": "pesde", "index": URL}. URL is that of the index, as pesde's manifest has it.
// It may be left out for a registry whose index is on its own host.
func decodePesde(s *Sources, o *strictjson.Object) Source {
	var index string
	o.String("index", &index)
	if o.Has("index") && index == "" {
		o.Failf("index", `"index" is empty; give it the URL of the registry's index, or leave it out`)
	}
	return s.Pesde(index)
}

// Pesde returns the source that finds pesde's token for an index. Where index is empty, it is the one that is on the URL's host.
func (s *Sources) Pesde(index string) Source { return pesde{s, index} }

// pesde finds the tokens of the pesde client (https://github.com/pesde-pkg/pesde, src/cli/auth.rs).
//
// They are in config.toml, in $PESDE_HOME, else in ~/.pesde: [tokens], from the URL of an index to what is sent as the header Authorization,
// as it is. Where that table is empty, they are in the keyring: service "tokens", user "pesde", the same as a JSON object.
//
// An index is a Git repository. The host that takes its token is named inside, and is mostly another one:
// a rule says by the index's URL which token goes to its host.
type pesde struct {
	*Sources
	index string
}

func (p pesde) Name() string {
	if p.index != "" {
		return "pesde's token for the index " + shownSite(p.index)
	}
	return "pesde"
}

// HostBound implements [Source]: an index that the rule names is mostly on another host.
func (p pesde) HostBound() bool { return p.index == "" }

// PathBound implements [PathBound].
func (p pesde) PathBound() bool { return p.index == "" }

func (p pesde) Lookup(ctx context.Context, q Query) (Values, error) {
	tokens, from, err := p.tokens(ctx)
	if err != nil {
		q.everywhere()
		return nil, err
	}
	var paths []string
	for index := range tokens {
		if at, _, ok := parseServer(index); ok && sameServer(at, q.URL) {
			paths = append(paths, at.EscapedPath())
		}
	}
	return alike(q, paths, func(u *url.URL) (Values, error) { return p.find(tokens, from, u) }, sameValues)
}

// find returns the token for u. from is the place of the tokens in errors.
func (p pesde) find(tokens map[string]string, from string, u *url.URL) (Values, error) {
	if p.index != "" {
		for _, index := range slices.Sorted(maps.Keys(tokens)) {
			if sameIndex(index, p.index) && !blank(tokens[index]) {
				return pesdeToken(tokens[index]).at(strings.TrimPrefix(from, "pesde's ")), nil
			}
		}
		return nil, helpers.NotFoundf("%s has no token for the index %s", from, shownSite(p.index))
	}
	indexes := nearest(slices.Sorted(maps.Keys(tokens)), u, func(index string) (at *url.URL, ok bool) {
		at, _, ok = parseServer(index)
		return at, ok && !blank(tokens[index]) && (!gitHosting(helpers.Origin(at)) || len(segments(at)) == 0)
	})
	switch {
	case len(indexes) == 0:
		return nil, pesdeMissing(tokens, from, helpers.Origin(u))
	case slices.ContainsFunc(indexes, func(index string) bool { return tokens[index] != tokens[indexes[0]] }):
		shown := make([]string, len(indexes))
		for i, index := range indexes {
			shown[i] = shownSite(index)
		}
		return nil, helpers.WithHint(fmt.Errorf("looking for pesde's token: %s has different tokens for %s, and the URL fits each as well", from, fewOf(shown, ", ")),
			`write "index": %q, or another one, in the source "pesde" of the rule`, shown[0])
	}
	return pesdeToken(tokens[indexes[0]]).at(strings.TrimPrefix(from, "pesde's ")), nil
}

// gitHosting reports whether an origin keeps the Git repositories of all the world. An index there has its registry elsewhere,
// and the registry's token is not for the one who keeps the index.
func gitHosting(origin string) bool {
	return slices.Contains([]string{"https://github.com", "https://gitlab.com", "https://bitbucket.org", "https://codeberg.org"}, origin)
}

// pesdeMissing tells what to write where there is one token that the user may have meant.
func pesdeMissing(tokens map[string]string, from, origin string) error {
	var others []string
	for index := range tokens {
		// The client keeps a token of GitHub's API beside those of indexes.
		if !sameIndex(index, "https://github.com") {
			others = append(others, index)
		}
	}
	if len(others) == 1 && shownSite(others[0]) == withoutUser(others[0]) {
		return helpers.NotFoundf(`%s has no token for an index at %s; if the index of this registry is %s, add "index": %q to the source "pesde"`, from, origin, shownSite(others[0]), shownSite(others[0]))
	}
	return helpers.NotFoundf("%s has no token for an index at %s", from, origin)
}

// sameIndex reports whether two URLs name one index.
func sameIndex(a, b string) bool {
	if a, b = withoutUser(a), withoutUser(b); a == b {
		return true
	}
	at, _, ok := parseServer(a)
	bt, _, both := parseServer(b)
	return ok && both && sameServer(at, bt) && slices.Equal(segments(at), segments(bt))
}

func blank(token string) bool { return strings.TrimSpace(token) == "" }

// pesdeToken returns what is sent, and the token in it for those who write it in another way.
func pesdeToken(value string) Values {
	value = strings.TrimSpace(value) // a header has no space around it
	token := value
	if len(value) > len("bearer ") && ascii.EqualFold(value[:len("bearer ")], "bearer ") {
		token = strings.TrimSpace(value[len("bearer "):])
	}
	return Values{Header("Authorization"): redact.Hold(value), Token: redact.Hold(token), Default: redact.Hold(token)}
}

// tokens returns pesde's tokens by the URLs of indexes, and the place that they come from.
func (p pesde) tokens(ctx context.Context) (tokens map[string]string, from string, err error) {
	dir := p.Env.Var("PESDE_HOME")
	if dir == "" {
		dir = p.home(".pesde")
	} else {
		dir = p.absolute(dir)
	}
	from = "pesde's config.toml, which has no place without a home directory,"
	if dir != "" {
		data, shown, found, err := p.readNative(ctx, filepath.Join(dir, "config.toml"))
		if err != nil {
			return nil, "", err
		}
		tokens, err := parsePesde(shown, data)
		if err != nil || len(tokens) > 0 {
			return tokens, shown, err
		}
		from = shown
		if !found {
			from += ", which does not exist,"
		}
	}
	secret, err := keyring.Get(ctx, p.Env, pesdeService, pesdeAccount)
	switch {
	case errors.Is(err, helpers.ErrUnavailable):
		return nil, "", helpers.Unavailablef("%s has no token of pesde's, and %s", from, err)
	case errors.Is(err, helpers.ErrNotFound):
		return nil, "", helpers.NotFoundf("%s has no token of pesde's, and %s", from, err)
	case err != nil:
		return nil, "", fmt.Errorf("looking for pesde's tokens: %w", err)
	}
	if err := json.Unmarshal([]byte(secret.Reveal()), &tokens); err != nil {
		return nil, "", helpers.WithHint(fmt.Errorf("looking for pesde's tokens: the keyring's entry for service %q, account %q is not a JSON object of strings", pesdeService, pesdeAccount),
			"pesde auth login writes it anew, when the entry is removed")
	}
	return tokens, "pesde's entry in the keyring", nil
}

// parsePesde returns the tokens in a config.toml.
func parsePesde(shown string, data []byte) (map[string]string, error) {
	var file struct {
		Tokens map[string]string `toml:"tokens"`
	}
	if err := decodeTOML(shown, "pesde", data, &file); err != nil {
		return nil, err
	}
	return file.Tokens, nil
}
