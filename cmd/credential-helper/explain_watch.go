package main

import (
	"errors"
	"net/http"
	"regexp"
	"strings"
	"sync"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/suggest"
)

// A requestLog is a transport that tells which requests were made, and makes none where it is offline.
type requestLog struct {
	base    http.RoundTripper
	offline bool

	mu   sync.Mutex
	list []requestExplained
}

// errOffline is the error of a request that was not made.
var errOffline = errors.New("nothing is sent (--offline)")

func (l *requestLog) RoundTrip(req *http.Request) (*http.Response, error) {
	r := requestExplained{Method: req.Method, URL: text(helpers.Display(req.URL)), Sent: !l.offline}
	if proxy, err := http.ProxyFromEnvironment(req); err == nil && proxy != nil {
		r.Proxy = text(proxy.Host)
	}
	l.mu.Lock()
	i := len(l.list)
	l.list = append(l.list, r)
	l.mu.Unlock()
	if l.offline {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, errOffline
	}
	resp, err := l.base.RoundTrip(req)
	if err == nil {
		l.mu.Lock()
		l.list[i].Status = resp.StatusCode
		l.mu.Unlock()
	}
	return resp, err
}

func (l *requestLog) told() []requestExplained {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]requestExplained(nil), l.list...)
}

// suggestVariables adds to the sources whose variable is not set the one whose name is nearly the same, where one is set.
func suggestVariables(sources []sourceExplained, e *env.Env) {
	for i, s := range sources {
		sources[i].DidYouMean = text(nearVariable(string(s.Reason), e))
	}
}

var notSet = regexp.MustCompile(`\$([A-Za-z_][A-Za-z0-9_]*) is not set`)

// nearVariable returns "$NAME" for the variable that is set, and is named nearly as one that a text says is not.
func nearVariable(text string, e *env.Env) string {
	missing := notSet.FindAllStringSubmatch(text, -1)
	if len(missing) == 0 || e.Environ == nil {
		return ""
	}
	var names []string
	for _, variable := range e.Environ() {
		if name, value, _ := strings.Cut(variable, "="); value != "" {
			names = append(names, name)
		}
	}
	for _, m := range missing {
		if near, ok := suggest.Nearest(m[1], names); ok {
			return "$" + near
		}
	}
	return ""
}
