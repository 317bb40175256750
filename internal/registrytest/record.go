package registrytest

import (
	"net/http"
	"net/url"
	"strings"
)

// A Request is a request as it arrived, with its credential taken apart.
type Request struct {
	Method string
	Host   string // as the client named it
	Path   string
	Query  url.Values
	Form   url.Values // of a POST
	// Scheme is that of the Authorization header: "Basic", "Bearer" or "".
	Scheme string
	// User is the user name of a Basic credential; Secret is its password, or the bearer token.
	User, Secret string
}

// Requests returns every request so far, in order of arrival.
func (r *Registry) Requests() []Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Request(nil), r.requests...)
}

// Pings returns how often /v2/ was asked for.
func (r *Registry) Pings() int { return r.count("/v2/") }

// Exchanges returns how often the token endpoint was asked.
func (r *Registry) Exchanges() int { return r.count("/token") }

func (r *Registry) count(path string) int {
	n := 0
	for _, q := range r.Requests() {
		if q.Path == path {
			n++
		}
	}
	return n
}

// Forget empties the record.
func (r *Registry) Forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = nil
}

func (r *Registry) record(req *http.Request) Request {
	q := r.credential(req)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, q)
	return q
}

func (r *Registry) credential(req *http.Request) Request {
	q := Request{Method: req.Method, Host: req.Host, Path: req.URL.Path, Query: req.URL.Query()}
	if req.Method == http.MethodPost && req.Header.Get("Content-Type") == "application/x-www-form-urlencoded" && req.ParseForm() == nil {
		q.Form = req.PostForm
	}
	if user, password, ok := req.BasicAuth(); ok {
		q.Scheme, q.User, q.Secret = "Basic", user, password
	} else if token, ok := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer "); ok {
		q.Scheme, q.Secret = "Bearer", token
	}
	return q
}
