package httpclient

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestReadBody(t *testing.T) {
	for _, tt := range []struct {
		name    string
		size    int
		chunked bool
		want    error
	}{
		{"empty", 0, false, nil},
		{"at the limit", MaxBody, false, nil},
		{"at the limit, chunked", MaxBody, true, nil},
		{"over the limit", MaxBody + 1, false, ErrBodyTooLarge},
		{"over the limit, chunked", MaxBody + 1, true, ErrBodyTooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if tt.chunked {
					w.(http.Flusher).Flush()
				}
				_, _ = io.WriteString(w, strings.Repeat("x", tt.size))
			}))
			defer server.Close()
			resp, err := New("agent/1").Get(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			data, err := ReadBody(resp)
			if !errors.Is(err, tt.want) {
				t.Fatalf("error %v, want %v", err, tt.want)
			}
			if err == nil && len(data) != tt.size {
				t.Errorf("%d bytes, want %d", len(data), tt.size)
			}
		})
	}
	if got, want := ErrBodyTooLarge.Error(), "the response is larger than 1048576 bytes"; got != want {
		t.Errorf("the error is %q, want %q", got, want)
	}
}

func TestSlowBodyEndsWithContext(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	defer server.Close()
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errors.New("the time is up"))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := New("agent/1").Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = ReadBody(resp); err == nil || err.Error() != "no answer in time: the time is up" {
		t.Errorf("error %v", err)
	}
}

func TestDiscardKeepsConnection(t *testing.T) {
	connections := map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		connections[r.RemoteAddr] = true
		_, _ = io.WriteString(w, "short")
	}))
	defer server.Close()
	client := New("agent/1")
	for range 2 {
		resp, err := client.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		Discard(resp)
	}
	if len(connections) != 1 {
		t.Errorf("two requests took %d connections, want 1", len(connections))
	}
}

// TestDiscardEnds holds that a body which never comes does not take the time of a request that was answered.
func TestDiscardEnds(t *testing.T) {
	done := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "10")
		w.WriteHeader(http.StatusUnauthorized)
		_ = http.NewResponseController(w).Flush()
		<-done
	}))
	defer server.Close()
	defer close(done)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := New("agent/1").Do(req)
	if err != nil {
		t.Fatal(err)
	}
	Discard(resp)
	if ctx.Err() != nil {
		t.Error("the body is waited for until the time is up")
	}
}

// TestReadStatusEnds holds that a server in trouble, which does not come to the end of what it says of that, has said its status.
func TestReadStatusEnds(t *testing.T) {
	done := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"message":`)
		_ = http.NewResponseController(w).Flush()
		<-done
	}))
	defer server.Close()
	defer close(done)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := New("agent/1").Do(req)
	if err != nil {
		t.Fatal(err)
	}
	got := ReadStatus(resp, func(body []byte) string { return string(body) })
	if want := `503 Service Unavailable: {"message":`; got.Error() != want || ctx.Err() != nil {
		t.Errorf("got %q, want %q (%v)", got.Error(), want, ctx.Err())
	}
}

// TestReadStatusSize holds that of a huge body its beginning is read.
func TestReadStatusSize(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(w, strings.Repeat("x", 1<<20))
	}))
	defer server.Close()
	resp, err := New("agent/1").Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	ReadStatus(resp, func(body []byte) string { n = len(body); return "" })
	if n != maxProblem {
		t.Errorf("%d bytes were read, want %d", n, maxProblem)
	}
}

// TestParseJSON holds that what is nested deeper than anybody means it is refused, at no cost.
func TestParseJSON(t *testing.T) {
	for name, tt := range map[string]struct {
		body string
		want error
	}{
		"an object":             {`{"token": "t"}`, nil},
		"nothing":               {``, ErrJSON},
		"cut off":               {`{"token": "t"`, ErrJSON},
		"two":                   {`{} {}`, ErrJSON},
		"nested arrays":         {strings.Repeat("[", MaxBody/2) + strings.Repeat("]", MaxBody/2), ErrJSON},
		"nested objects":        {strings.Repeat(`{"a":`, MaxBody/6) + "1" + strings.Repeat("}", MaxBody/6), ErrJSON},
		"nested without an end": {strings.Repeat("[", MaxBody), ErrJSON},
	} {
		if _, err := ParseJSON([]byte(tt.body)); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}
