package lookup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"net/http"
	"net/url"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/ascii"
	"github.com/fe055d52/credential-helper/internal/filelock"
	"github.com/fe055d52/credential-helper/internal/httpclient"
	"github.com/fe055d52/credential-helper/internal/owner"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/trace"
)

// endpoint returns the URL that renews the login of u's server; nil where the Pkg client ignores it, because what is sent there could be read on the way.
//
// The client asks whatever URL the file names. Here it has to belong to the server: whoever can write into the file, or answers once for the server,
// would be sent the refresh token otherwise.
func (j julia) endpoint(u *url.URL, shown string, l juliaLogin) (*url.URL, error) {
	at, err := owner.ParseEndpoint(l.refreshURL)
	if err != nil {
		if !strings.HasPrefix(ascii.Lower(l.refreshURL), "https://") {
			return nil, nil
		}
		return nil, helpers.WithHint(fmt.Errorf(`renewing Julia's login: the "refresh_url" in %s is not usable: %w`, shown, err),
			"log in to the Pkg server anew, or correct the URL")
	}
	where := redact.Quote(helpers.Display(at), 200)
	switch own := at.Hostname() == u.Hostname(); {
	case at.Scheme == "http" && !helpers.Loopback(at):
		return nil, nil
	case owner.Refused(at.Hostname()), !own && owner.Forbidden(at.Hostname()):
		return nil, fmt.Errorf(`renewing Julia's login: the "refresh_url" in %s is %s, a link-local, multicast, unspecified or metadata address; no token is sent there`, shown, where)
	case own, owner.SameDomain(u.Hostname(), at.Hostname()), helpers.Loopback(u) && helpers.Loopback(at), owner.Listed(at, j.trusted):
		return at, nil
	}
	return nil, helpers.WithHint(fmt.Errorf(`renewing Julia's login: the "refresh_url" in %s is %s, which belongs to another domain than %s; no token is sent there`, shown, where, u.Host),
		`if that server may see the refresh token, add "refresh_hosts": [%q] to the source "julia"`, at.Host)
}

// lock takes the lock beside the file, so that one process renews the login for all. Where there can be none, as in a directory that is not writable,
// each goes by itself.
func (j julia) lock(ctx context.Context, path, shown string) (unlock func(), err error) {
	unlock, err = filelock.Acquire(ctx, path+".lock", shown)
	switch {
	case err == nil:
		return unlock, nil
	case ctx.Err() != nil:
		return nil, err
	}
	trace.Note(ctx, "the login in %s is renewed without a lock: %v", shown, lastCause(err))
	return func() {}, nil
}

// lastCause drops the path from a file error: it is that of a lock, and what is locked is named already.
func lastCause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// renew asks for a new login, and puts it into the place of the old one, which info tells of and the file at real is.
func (j julia) renew(ctx context.Context, u *url.URL, path, real string, info fs.FileInfo, l juliaLogin) (Values, error) {
	shown := j.Env.Display(path)
	if l.refreshURL == "" || l.refreshToken == "" {
		return j.useAnyway(ctx, shown, l, "it does not say how to renew it"), nil
	}
	at, err := j.endpoint(u, shown, l)
	if err != nil {
		return nil, err
	}
	if at == nil {
		return j.useAnyway(ctx, shown, l, `its "refresh_url" is neither https nor of this machine`), nil
	}
	redact.Remember(l.token)
	redact.Remember(l.refreshToken)
	asked := j.now()
	body, err := j.askRefresh(ctx, at, l.refreshToken)
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("renewing Julia's login in %s: %w", shown, err)
	case err != nil:
		// The client sends no login then, though the old token may live for some minutes.
		trace.Note(ctx, "the login in %s is not used, as it cannot be renewed: %v", shown, err)
		j.Env.Volatile() // the next attempt may come to more
		return nil, helpers.NotFoundf("the login in %s could not be renewed: %v", shown, err)
	}
	answer, err := parseJulia(body, asked)
	if err != nil {
		return j.useAnyway(ctx, shown, l, fmt.Sprintf("%s answered with something that is no login: %v", at.Host, err)), nil
	}
	redact.Remember(answer.token)
	redact.Remember(answer.refreshToken)
	j.keep(ctx, path, real, info, l.succeeded(&answer, unixSeconds(asked)))
	if answer.expires <= unixSeconds(asked) {
		return j.useAnyway(ctx, shown, answer, at.Host+" says so of the new one"), nil
	}
	return answer.values(), nil
}

// askRefresh returns the body of the server's answer. Its error is fit to be shown.
func (j julia) askRefresh(ctx context.Context, at *url.URL, token string) (body []byte, err error) {
	end := trace.Step(ctx, "asking %s for a new login", redact.Quote(helpers.Display(at), 200))
	defer func() { end(err) }()
	if j.Client == nil {
		return nil, errors.New("nothing here makes requests")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, errors.New("its URL does not make a request")
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := j.Client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at.Host, httpclient.Explain(ctx, err))
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		httpclient.Discard(resp)
		return nil, fmt.Errorf("%s answered %d", at.Host, resp.StatusCode)
	}
	body, err = httpclient.ReadBody(resp)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at.Host, err)
	}
	return body, nil
}

// succeeded returns the file that takes the place of l's: the answer, and those keys of the old file that the Pkg client has no part in and the answer lacks.
// A life that is counted from now becomes the time of its end, whatever the server's clock says of that.
func (l juliaLogin) succeeded(answer *juliaLogin, now float64) map[string]any {
	file := maps.Clone(l.all)
	for _, key := range []string{"access_token", "expires_at", "expires_in", "refresh_token", "refresh_url"} {
		delete(file, key)
	}
	maps.Copy(file, answer.all)
	if life, ok := number(file["expires_in"]); ok {
		answer.expires = math.Floor(now + life)
		file["expires_at"] = answer.expires
	}
	return file
}

// keep writes the new login. Where it cannot be kept, this answer is made with it all the same.
func (j julia) keep(ctx context.Context, path, real string, was fs.FileInfo, file map[string]any) {
	shown := j.Env.Display(path)
	data, err := toml.Marshal(file)
	if err == nil {
		err = filelock.Replace(real, data, was)
	}
	if err != nil {
		trace.Note(ctx, "the new login could not be kept in %s: %v", shown, err)
		return
	}
	// The answer goes with the new file. A Pkg client, which knows no lock, may have come in between.
	if now, _, err := j.Env.Reread(path, maxNative); err != nil || !bytes.Equal(now, data) {
		j.Env.Volatile()
	}
}
