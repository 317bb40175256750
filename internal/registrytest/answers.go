package registrytest

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Status answers with a status, a body, and headers given as names and values in turn.
func Status(status int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// HTML answers with a status and a web page.
func HTML(status int) http.HandlerFunc {
	return Status(status, "<!DOCTYPE html>\n<html><body><h1>Sign in</h1></body></html>\n", "Content-Type", "text/html; charset=utf-8")
}

// Huge answers 200 with a JSON body of n bytes, which it announces in Content-Length or not.
func Huge(n int, contentLength bool) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if contentLength {
			w.Header().Set("Content-Length", strconv.Itoa(n))
		} else {
			w.(http.Flusher).Flush()
		}
		_, _ = io.WriteString(w, `{"padding":"`)
		chunk := strings.Repeat("x", 64<<10)
		for n -= len(`{"padding":""}`); n > 0; n -= len(chunk) {
			if _, err := io.WriteString(w, chunk[:min(n, len(chunk))]); err != nil {
				return
			}
		}
		_, _ = io.WriteString(w, `"}`)
	}
}

// Drip answers 200 at once, and then sends a byte of a body without an end every interval, until the client goes.
func Drip(interval time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			_, _ = io.WriteString(w, " ")
			w.(http.Flusher).Flush()
			select {
			case <-req.Context().Done():
				return
			case <-tick.C:
			}
		}
	}
}

// Hang reads the request and does not answer until the client goes.
func Hang() http.HandlerFunc {
	return func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() }
}

// Hangup closes the connection without an answer.
func Hangup() http.HandlerFunc {
	return func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
}

// Truncated announces a longer body than it sends, and closes the connection.
func Truncated(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, body)
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}

// Redirect answers with a redirect to a URL.
func Redirect(status int, to string) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) { http.Redirect(w, req, to, status) }
}
