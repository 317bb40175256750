package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/ascii"
	"github.com/fe055d52/credential-helper/internal/probe"
	"github.com/fe055d52/credential-helper/internal/redact"
)

// A login is what get would answer for a URL, and what is known of it.
type login struct {
	account
	// required says that the rule needs a login and there is none: get fails.
	required  bool
	presigned bool
	// unknown is why the source of a remembered answer's login could not be told.
	unknown error
}

// login finds what to send to u, as get does. That no login is found is no error here.
func (c *checker) login(ctx context.Context, u *url.URL) (login, error) {
	a, err := c.resolver.account(ctx, helpers.Request{URL: u})
	l := login{account: a, presigned: helpers.Presigned(u)}
	switch {
	case err != nil && a.missing != nil && errors.Is(err, helpers.ErrNotFound) && !a.rule.Anonymous:
		l.required, l.missing = true, err
		return l, nil
	case err != nil:
		return l, err
	}
	if !a.made.IsZero() {
		// The headers are the remembered ones. Only the name of the place is asked for, and the login found there is not used.
		credential, err := a.rule.Helper.Credential(ctx, u)
		switch {
		case err == nil:
			l.credential.Source = credential.Source
		case errors.Is(err, helpers.ErrNotFound):
			l.missing = err
		default:
			l.unknown = err
		}
	}
	c.remember(a.told.Headers)
	return l, nil
}

// public are headers whose values everybody knows.
func public(name string) bool {
	return ascii.EqualFold(name, "Accept") || ascii.EqualFold(name, "Docker-Distribution-API-Version")
}

// remember has what is sent recognized in all that is printed: what comes from the cache is not known yet.
func (c *checker) remember(headers map[string][]redact.Secret) {
	c.mu.Lock()
	defer c.mu.Unlock()
	keep := func(text string) {
		if redact.Remember(text); len(text) >= 4 && !slices.Contains(c.secrets, text) {
			c.secrets = append(c.secrets, text)
		}
	}
	for name, values := range headers {
		if public(name) {
			continue
		}
		for _, v := range values {
			keep(v.Reveal())
			scheme, rest, ok := strings.Cut(v.Reveal(), " ")
			if !ok {
				continue
			}
			keep(rest)
			if text, err := base64.StdEncoding.DecodeString(rest); err == nil && ascii.EqualFold(scheme, "Basic") {
				user, password, _ := strings.Cut(string(text), ":")
				keep(password)
				if helpers.TokenInPlaceOfUser(password) {
					keep(user)
				}
			}
		}
	}
}

// carries reports whether a text holds what was sent, in any letter case: a host is read in lower case.
func (c *checker) carries(text string) bool {
	forms := []string{ascii.Lower(text)}
	for _, unescape := range []func(string) (string, error){url.PathUnescape, url.QueryUnescape} {
		if plain, err := unescape(text); err == nil {
			forms = append(forms, ascii.Lower(plain))
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.secrets, func(s string) bool {
		return slices.ContainsFunc(forms, func(f string) bool { return strings.Contains(f, ascii.Lower(s)) })
	})
}

// sent reports whether there are headers to send.
func (l login) sent() bool { return !l.told.Empty() }

// why says why nothing is sent; empty where something is, or nothing is needed.
func (l login) why() probe.Cause {
	switch {
	case l.sent():
		return ""
	case l.presigned:
		return probe.CausePresigned
	case l.rule == nil:
		return probe.CauseNoRule
	case l.noOpinion != "":
		return probe.CauseNull
	case l.missing != nil:
		return probe.CauseNoLogin
	}
	return ""
}

// authorization returns the value of the header Authorization.
func (l login) authorization() string {
	for name, values := range l.told.Headers {
		if ascii.EqualFold(name, "Authorization") && len(values) > 0 {
			return values[0].Reveal()
		}
	}
	return ""
}

// scheme returns the scheme of the Authorization, where it has one of those that are known: another first word may be secret.
func (l login) scheme() string {
	word, _, ok := strings.Cut(l.authorization(), " ")
	for _, known := range []string{"Bearer", "Basic", "token"} {
		if ok && ascii.EqualFold(word, known) {
			return known
		}
	}
	return ""
}

// expiry returns when what is sent expires by its own account: the answer's, or that of a JWT.
func (l login) expiry(now time.Time) time.Time {
	_, token, _ := strings.Cut(l.authorization(), " ")
	if expires, ok := helpers.JWTExpiry(token, now, false); ok {
		return expires
	}
	return l.told.Expires
}

// A hop is one request of a chain of redirects.
type hop struct {
	url    *url.URL
	host   string // as the redirect wrote it, fit to be shown
	login  login
	answer probe.Answer
}

// A chain is a request and those that its redirects led to.
type chain []hop

func (c chain) final() probe.Answer {
	if len(c) == 0 {
		return probe.Answer{}
	}
	return c[len(c)-1].answer
}

// sent reports whether a login was sent to any of the hops.
func (c chain) sent() bool {
	return slices.ContainsFunc(c, func(h hop) bool { return h.login.sent() })
}

// last returns the last hop; of an empty chain, what would have been the first.
func (c chain) last(s subject, first login) hop {
	if len(c) == 0 {
		return hop{url: s.url, login: first}
	}
	return c[len(c)-1]
}

// required returns the hop that a rule needs a login for which is not there.
func (c chain) required() (hop, bool) {
	i := slices.IndexFunc(c, func(h hop) bool { return h.login.required })
	if i < 0 {
		return hop{}, false
	}
	return c[i], true
}

// sender returns the login that the last hop was sent which was sent any.
func (c chain) sender() login {
	for _, h := range slices.Backward(c) {
		if h.login.sent() {
			return h.login
		}
	}
	return login{}
}

// maxHops is how many redirects are followed.
const maxHops = 5

// follow asks for u and goes where its redirects lead. With a login, each URL on the way is sent what get answers for that one;
// without, nothing is sent to any. The login is looked up within ctx, and servers are asked within limited, which is shorter.
func (c *checker) follow(ctx, limited context.Context, u *url.URL, first *login, way probe.Way) (chain, error) {
	var hops chain
	h := hop{url: u, host: redact.Line(u.Host, 100)}
	if first != nil {
		h.login = *first
	}
	for {
		method, who := way, "without a login"
		if h.login.sent() {
			who = "with the login"
		}
		if helpers.Presigned(u) {
			method = probe.Get
		}
		h.answer = c.prober.Ask(limited, u, h.login.told.Headers, method, who)
		location := h.answer.Location()
		if location == "" {
			return append(hops, h), nil
		}
		next, shown, failure := c.redirect(u, location)
		if failure == nil && first != nil {
			hidePath(next, u)
			c.hideHost(next, u)
		}
		switch {
		case failure == nil && probe.IsSignIn(u, next):
			h.answer.SignIn = true
			return append(hops, h), nil
		case failure == nil && len(hops) == maxHops:
			failure = &probe.Failure{Cause: probe.CauseRedirect, Text: fmt.Sprintf("more than %d redirects", maxHops), Advice: "is the URL right? its server sends the client on and on"}
		}
		if failure != nil {
			h.answer.Failure = failure
			return append(hops, h), nil
		}
		hops = append(hops, h)
		h = hop{url: next, host: shown}
		if first != nil {
			var err error
			if h.login, err = c.login(ctx, next); err != nil {
				return hops, fmt.Errorf("following a redirect: %w", err)
			}
		}
		u = next
	}
}

// hidePath has the path of a redirect's target recognized in all that is printed, where it could be a writing of what was sent.
func hidePath(to, from *url.URL) {
	for _, path := range []string{to.Path, to.EscapedPath()} {
		if path != from.Path && !redact.Plain(path) {
			redact.Remember(path)
		}
	}
}

// hideHost does the same with the host, where it is named to who sends a login, and to nobody else.
func (c *checker) hideHost(to, from *url.URL) {
	if ascii.EqualFold(to.Host, from.Host) || redact.Name(to.Host) == to.Host {
		return
	}
	<-c.open
	if !slices.ContainsFunc(c.without, func(h hop) bool { return ascii.EqualFold(h.url.Host, to.Host) }) {
		redact.Remember(to.Host)
		redact.Remember(to.Hostname())
	}
}

// redirect reads where a redirect leads. What a server wrote is shown only where it is a host, and nothing in it was sent to the server.
func (c *checker) redirect(from *url.URL, location string) (to *url.URL, shown string, failure *probe.Failure) {
	bad := func(text string) (*url.URL, string, *probe.Failure) {
		return nil, "", &probe.Failure{Cause: probe.CauseRedirect, Text: text, Advice: "a client may not follow it either; the server's administrator has to look at it"}
	}
	parsed, err := from.Parse(location)
	if err != nil {
		return bad("the redirect's target is no URL that could be asked for")
	}
	if c.carries(location) && !ascii.EqualFold(parsed.Host, from.Host) || c.carries(parsed.Host) {
		return bad("the redirect would carry the login to another host")
	}
	req, err := helpers.ParseRequest(parsed.String())
	if err != nil || helpers.Wildcard(req.URL) || req.URL.Scheme != "https" && req.URL.Scheme != "http" {
		return bad("the redirect's target is no URL that could be asked for")
	}
	return req.URL, redact.Quote(parsed.Host, 100), nil
}
