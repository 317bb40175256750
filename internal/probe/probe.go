// Package probe asks a server whether it accepts what a client would send it, and judges what it says.
//
// [Prober.Ask] makes one request, by HEAD where the server lets it, and returns an [Answer]: the status, or a [Failure] that says
// how far the request came. No redirect is followed: who may be sent what is for the caller to find out anew for each URL.
// [Judge] takes the answers with a login and without one, and what is known of the login, and comes to a [Judgment]: what that means and what to do.
// It asks nobody anything.
//
// What a server says may hold the login that it was sent. Of all its words only those of known fields are shown, by way of package redact.
package probe

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/ascii"
	"github.com/fe055d52/credential-helper/internal/httpclient"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/trace"
)

// A Challenge is one way to log in that a server offers. Its fields are foreign text.
type Challenge struct {
	Scheme string // in lower case
	Realm  string
	Error  string // RFC 6750 §3.1: "invalid_token", "insufficient_scope"
	Scope  string
}

// A Prober makes requests.
type Prober struct {
	// Transport makes them. It is no client: that would follow redirects, or quote them in errors.
	Transport http.RoundTripper
	// Now is the clock that the server's is compared with.
	Now func() time.Time
	// Getenv reads the variables that name proxies, to tell them apart. The transport reads them itself.
	Getenv func(string) string
	// Challenges parses the values of WWW-Authenticate.
	Challenges func(values []string) []Challenge
}

// A Way says by which methods a URL is asked for.
type Way int

const (
	// HeadOrGet asks by HEAD, and once more by GET, for one byte, where HEAD may be what the server refuses.
	HeadOrGet Way = iota
	// Head asks by HEAD alone.
	Head
	// Get asks by GET, for one byte. It is the way for signed URLs, whose signature is for that method alone.
	Get
)

// An Answer is what came of a request.
type Answer struct {
	Method string
	// Status is 0 where there was no answer; Failure says why.
	Status  int
	Failure *Failure
	Header  http.Header
	// Challenges are those of WWW-Authenticate.
	Challenges []Challenge
	// Skew is how far the server's clock is ahead of ours; 0 where that is not known or not more than a minute.
	Skew time.Duration
	// HTML says that the answer is a web page.
	HTML bool
	// SignIn says that the answer is a redirect to a page where people log in.
	SignIn bool
}

// Location returns where a redirect leads, as the server wrote it, and "" where the answer is none.
func (a Answer) Location() string {
	switch a.Status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return a.Header.Get("Location")
	}
	return ""
}

// maxSkew is how much two clocks may differ before it is worth a word.
const maxSkew = time.Minute

// Ask asks for u with headers, which may be none. who says in a trace what for: "with the login".
func (p *Prober) Ask(ctx context.Context, u *url.URL, headers map[string][]redact.Secret, way Way, who string) Answer {
	if way == Get {
		return p.ask(ctx, http.MethodGet, u, headers, who)
	}
	a := p.ask(ctx, http.MethodHead, u, headers, who)
	if way == Head || !a.refusesHead() {
		return a
	}
	b := p.ask(ctx, http.MethodGet, u, headers, who)
	if b.Failure != nil || b.Status == a.Status {
		return a
	}
	return b
}

// refusesHead reports whether the answer may be to the method rather than to who asked. One that tells its reason is to who asked.
func (a Answer) refusesHead() bool {
	switch a.Status {
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return true
	case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound:
		return len(a.Challenges) == 0 && !a.limited() && a.Header.Get(ssoHeader) == ""
	}
	return false
}

func (p *Prober) ask(ctx context.Context, method string, u *url.URL, headers map[string][]redact.Secret, who string) (a Answer) {
	a.Method = method
	var err error
	end := trace.Step(ctx, "asking %s %s (%s)", u.Host, who, method)
	defer func() { end(err) }()
	reached := &progress{text: "starting"}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, reached.trace(u.Host)), method, u.String(), nil)
	if err != nil {
		a.Failure = &Failure{Cause: CauseServer, Text: "the URL cannot be asked for"}
		return a
	}
	for name, values := range headers {
		for _, v := range values {
			req.Header.Add(name, v.Reveal())
		}
	}
	if method == http.MethodGet {
		req.Header.Set("Range", "bytes=0-0")
	}
	resp, err := p.Transport.RoundTrip(req)
	if err != nil {
		a.Failure = p.explain(ctx, err, u, reached.String())
		err = wordsOf(a.Failure, err)
		return a
	}
	httpclient.Discard(resp)
	if resp.StatusCode == http.StatusProxyAuthRequired {
		a.Failure = p.explain(ctx, &httpclient.ProxyError{Status: resp.StatusCode}, u, "")
		return a
	}
	a.Status, a.Header, a.HTML = resp.StatusCode, resp.Header, httpclient.IsHTML(resp, nil)
	if values := resp.Header.Values("WWW-Authenticate"); len(values) > 0 && p.Challenges != nil {
		a.Challenges = p.Challenges(values)
	}
	// A cache's answer is as old as its Age, and so is its Date.
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil && resp.Header.Get("Age") == "" {
		if skew := date.Sub(p.Now()); skew.Abs() > maxSkew {
			a.Skew = skew.Round(time.Second)
		}
	}
	return a
}

// wordsOf returns an error with what a failure says of it: net/http quotes the server.
func wordsOf(f *Failure, err error) error { return errors.New(f.Text) }

// progress remembers what a request is doing. Its trace is called by several goroutines.
type progress struct {
	mu   sync.Mutex
	text string
}

func (p *progress) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text
}

func (p *progress) set(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text = fmt.Sprintf(format, args...)
}

func (p *progress) trace(host string) *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		DNSStart:          func(i httptrace.DNSStartInfo) { p.set("finding the address of %s", i.Host) },
		ConnectStart:      func(_, address string) { p.set("connecting to %s", address) },
		TLSHandshakeStart: func() { p.set("the TLS handshake with %s", host) },
		WroteRequest:      func(httptrace.WroteRequestInfo) { p.set("waiting for the answer of %s", host) },
	}
}

// signInWords are what the path or the host of a page has where people log in.
var signInWords = []string{"login", "signin", "sign_in", "sign-in", "sso", "saml", "saml2", "oauth", "oauth2", "openid-connect", "authorize"}

// IsSignIn reports whether a redirect from one URL to another leads to a page where people log in: that is a refusal in the form of a 302.
// A word that the first URL has too says nothing: there are packages named "login".
func IsSignIn(from, to *url.URL) bool {
	if helpers.Presigned(to) {
		return false
	}
	words := func(u *url.URL) []string {
		label, _, _ := strings.Cut(u.Hostname(), ".")
		return append(strings.Split(ascii.Lower(strings.Trim(u.Path, "/")), "/"), label)
	}
	before := words(from)
	return slices.ContainsFunc(words(to), func(w string) bool {
		return slices.Contains(signInWords, w) && !slices.Contains(before, w)
	})
}
