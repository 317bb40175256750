package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/fe055d52/credential-helper/config"
	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/httpclient"
	"github.com/fe055d52/credential-helper/internal/trace"
)

// maxSkew is how far this machine's clock may be off. Tokens are told to clients with a margin of a minute.
const maxSkew = time.Minute

// OnlineHost returns the host that is asked: the first one of a rule that is not a pattern, else GitHub's.
func OnlineHost(files []config.File) string {
	for _, file := range files {
		for i := range file.Rules {
			r := &file.Rules[i]
			if host := r.HostPattern(); host != "" && !strings.Contains(host, "*") && (r.Scheme == "" || r.Scheme == "https") && r.HelperName != "null" {
				return host
			}
		}
	}
	return "github.com"
}

// Online checks whether a host is reached and trusted, and compares its clock with this machine's. It sends no credential.
func Online(ctx context.Context, client *http.Client, host string, now func() time.Time) []Finding {
	var f findings
	end := trace.Step(ctx, "asking https://%s/ for the time", host)
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, (&url.URL{Scheme: "https", Host: host, Path: "/"}).String(), nil)
	if err != nil {
		f.warn(fmt.Sprintf("asking %s: not a host", host), "correct the rule")
		return f
	}
	// Where a server sends people to does not matter.
	direct := *client
	direct.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	before := now()
	resp, err := direct.Do(req)
	after := now()
	if err != nil {
		err = httpclient.Diagnose(ctx, err, host)
	}
	end(err)
	if err != nil {
		fix := "is the network there, and the host's name right?"
		var hint *helpers.HintError
		if errors.As(err, &hint) {
			fix = hint.Hint
		}
		f.broken(fmt.Sprintf("asking https://%s/: %s", host, err), fix)
		return f
	}
	httpclient.Discard(resp)
	f.ok("https://%s/ is reached and trusted (%d, after %s)", host, resp.StatusCode, after.Sub(before).Round(time.Millisecond))
	f.skew(resp.Header.Get("Date"), host, before, after)
	return f
}

// skew compares the time that a server told with when it was asked and when it had answered.
func (f *findings) skew(date, host string, before, after time.Time) {
	there, err := http.ParseTime(date)
	if err != nil {
		f.note(host+" does not tell the time: the clock was not compared", "")
		return
	}
	// Whole seconds are told, and it may have been told at any moment in between.
	var off time.Duration
	var how string
	switch {
	case before.Sub(there) > time.Second:
		off, how = before.Sub(there), "fast"
	case there.Sub(after) > time.Second:
		off, how = there.Sub(after), "slow"
	}
	switch {
	case off > maxSkew:
		f.broken(fmt.Sprintf("this machine's clock is %s %s, by that of %s: tokens are thrown away too early, or used when they are dead", off.Round(time.Second), how, host), "set the clock: timedatectl set-ntp true, or what your system has for it")
	case off > 10*time.Second:
		f.note(fmt.Sprintf("this machine's clock is %s %s, by that of %s", off.Round(time.Second), how, host), "set the clock")
	default:
		f.ok("this machine's clock is right, by that of %s", host)
	}
}
