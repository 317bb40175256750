//go:build linux

package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// outages are how a server may answer without an end, or hugely. Each adds to wrote what it was rid of.
func outages(wrote *atomic.Int64) map[string]http.HandlerFunc {
	counted := func(w *bufio.Writer, text string) bool {
		n, err := w.WriteString(text)
		wrote.Add(int64(n))
		return err == nil
	}
	chunk := strings.Repeat("x", 16<<10)
	// endless writes a beginning, and then more for as long as it is taken; 64 MiB are enough to see that nobody stops it.
	endless := func(head, more string) http.HandlerFunc {
		return hijacked(func(w *bufio.Writer, _ <-chan struct{}) {
			for ok := counted(w, head); ok && wrote.Load() < 64<<20; {
				ok = counted(w, more)
			}
		})
	}
	bomb := func() []byte { // 100 MiB of blanks, packed twice
		var b bytes.Buffer
		outer := gzip.NewWriter(&b)
		inner := gzip.NewWriter(outer)
		blanks := bytes.Repeat([]byte(" "), 1<<20)
		for range 100 {
			_, _ = inner.Write(blanks)
		}
		_, _ = inner.Close(), outer.Close()
		return b.Bytes()
	}()
	return map[string]http.HandlerFunc{
		"a body without an end":            endless("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{\"padding\": \"", chunk),
		"the same of an error":             endless("HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n", chunk),
		"the same of a redirect":           endless("HTTP/1.1 307 Temporary Redirect\r\nLocation: /loop\r\nConnection: close\r\n\r\n", chunk),
		"a body of 1 GiB":                  endless("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n{\"padding\": \"", chunk),
		"chunks without an end":            endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "4000\r\n"+chunk+"\r\n"),
		"chunk extensions without an end":  endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", chunk),
		"chunks that are mostly extension": endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1;"+strings.Repeat("x", 1<<10)+"\r\n \r\n"), // CVE-2023-39326
		"a trailer without an end":         endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n1\r\n \r\n0\r\n", "X-"+chunk[:1<<10]+": x\r\n"),
		"headers without an end":           endless("HTTP/1.1 200 OK\r\n", "X-Padding: "+chunk+"\r\n"),
		"a header without an end":          endless("HTTP/1.1 200 OK\r\nX-Padding: ", chunk),
		"a status without an end":          endless("HTTP/1.1 200 ", chunk),
		"1xx without an end":               endless("", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"),
		"100 Continue without an end":      endless("", "HTTP/1.1 100 Continue\r\n\r\n"),
		"a gzip bomb": hijacked(func(w *bufio.Writer, _ <-chan struct{}) {
			counted(w, fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip\r\nContent-Length: %d\r\n\r\n%s", len(bomb), bomb))
		}),
		"brackets": hijacked(func(w *bufio.Writer, _ <-chan struct{}) {
			counted(w, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1048576\r\n\r\n"+strings.Repeat("[", 1<<20))
		}),
		"brackets of an error": hijacked(func(w *bufio.Writer, _ <-chan struct{}) {
			counted(w, "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: 1048576\r\n\r\n"+strings.Repeat("[", 1<<20))
		}),
	}
}

const (
	// maxTaken is how much a server gets rid of at most by one request: what is read, and what the system's buffers hold beside.
	maxTaken = 6 << 20
	// maxPeak is how much memory the program takes at most, whatever a server sends.
	maxPeak = 64 << 20
	// slack is how much longer than its time limit a process may live on a machine that has much to do.
	slack = 3 * time.Second
)

// TestHugeAnswers has the server of each step answer without an end, or hugely: it is cut off at a bound, and costs the program no memory.
func TestHugeAnswers(t *testing.T) {
	n := newNetwork(t)
	var wrote atomic.Int64
	var most, peak int64
	all := outages(&wrote)
	for _, s := range steps {
		for name, h := range all {
			t.Run(s.name+", "+name, func(t *testing.T) {
				n.reset()
				wrote.Store(0)
				n.set(s.server+s.path, h)
				n.set(s.server+"/loop", h)
				o := n.run(t, s, "CREDENTIAL_HELPER_TIMEOUT=8s")
				// A renewal that brings nothing leaves the old token, and a body says nothing to check. All others are errors.
				if (s.name == "Julia's renewal" || len(s.args) > 0 || s.path == "/v2/") && o.code == 0 {
					if strings.Contains(o.stdout, "padding") || len(o.stdout) > 4000 {
						t.Errorf("it prints %.300q", o.stdout)
					}
				} else {
					n.refusedClearly(t, s, o)
				}
				most, peak = max(most, wrote.Load()), max(peak, o.peak)
				if requests := n.requests(); wrote.Load() > maxTaken*int64(len(requests)) {
					t.Errorf("%d bytes were taken by %d requests", wrote.Load(), len(requests))
				}
				if o.peak > maxPeak {
					t.Errorf("the process had %d MiB", o.peak>>20)
				}
				if o.took > 8*time.Second+slack {
					t.Errorf("it took %s", o.took)
				}
				if got := slices.DeleteFunc(n.sent(), func(sent string) bool { return slices.Contains(s.mine(), sent) }); len(got) > 0 && s.path != "/v2/" {
					t.Errorf("sent %q", got)
				}
			})
		}
	}
	t.Logf("a server got rid of %d KiB at most, and a process had %d MiB at most", most>>10, peak>>20)
}

// TestHugeProxy has a proxy answer without an end, before anything is sent to a server.
func TestHugeProxy(t *testing.T) {
	n := newNetwork(t)
	for name, text := range map[string]string{
		"headers": "X-Padding: " + strings.Repeat("x", 16<<10) + "\r\n", "a header": strings.Repeat("x", 16<<10), "1xx": "\r\nHTTP/1.1 100 Continue\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			n.reset()
			var wrote atomic.Int64
			n.dig(func(conn net.Conn) bool {
				_, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nX: ")
				for err == nil && wrote.Load() < 64<<20 {
					var k int
					k, err = io.WriteString(conn, text)
					wrote.Add(int64(k))
				}
				return true
			})
			s := stepNamed(t, "token by GET")
			o := n.run(t, s, "CREDENTIAL_HELPER_TIMEOUT=4s")
			n.refusedClearly(t, s, o)
			if wrote.Load() > maxTaken || o.peak > maxPeak || o.took > 4*time.Second+slack {
				t.Errorf("%d bytes were taken, the process had %d MiB, and took %s", wrote.Load(), o.peak>>20, o.took)
			}
		})
	}
}

// TestSlowAnswers has the server of each step, and the proxy, stop in the middle of what they do: the program ends in its time, and says where that went.
func TestSlowAnswers(t *testing.T) {
	drip := func(text string, interval time.Duration) http.HandlerFunc {
		return hijacked(func(w *bufio.Writer, gone <-chan struct{}) {
			_, _ = w.WriteString(text)
			for tick := time.NewTicker(interval); w.Flush() == nil; _ = w.WriteByte('x') {
				select {
				case <-gone:
					return
				case <-tick.C:
				}
			}
		})
	}
	const never = time.Hour
	type slow struct {
		handler http.HandlerFunc
		tls     string
		tunnel  func(net.Conn) bool
	}
	until := func(conn net.Conn) bool { _, _ = io.Copy(io.Discard, conn); return true }
	for name, tt := range map[string]slow{
		"no answer":                 {handler: drip("", never)},
		"half a status":             {handler: drip("HTTP/1.1 2", never)},
		"a header byte at a time":   {handler: drip("HTTP/1.1 200 OK\r\nX-Padding: ", 50*time.Millisecond)},
		"headers, and no body":      {handler: drip("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", never)},
		"a body byte at a time":     {handler: drip("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", 50*time.Millisecond)},
		"a redirect without a body": {handler: drip("HTTP/1.1 307 Temporary Redirect\r\nLocation: /elsewhere\r\nContent-Length: 100\r\n\r\n", never)},
		"a stalled TLS handshake":   {tls: "stalled"},
		"a proxy without an answer": {tunnel: until},
		"half an answer of a proxy": {tunnel: func(conn net.Conn) bool { _, _ = io.WriteString(conn, "HTTP/1.1 200 "); return until(conn) }},
	} {
		t.Run(name, func(t *testing.T) {
			var all sync.WaitGroup // they wait, mostly
			for _, s := range steps {
				n := newNetwork(t)
				if tt.tls != "" {
					n.spoil(s.server, tt.tls)
				}
				n.dig(tt.tunnel)
				if tt.handler != nil {
					n.set(s.server+s.path, tt.handler)
				}
				all.Go(func() { n.runOutOfTime(t, s) })
			}
			all.Wait()
		})
	}
}

// runOutOfTime runs the program for a step at which the time runs out.
func (n *network) runOutOfTime(t *testing.T, s step) {
	o := n.run(t, s, "CREDENTIAL_HELPER_TIMEOUT=1s")
	if o.took > time.Second+slack {
		t.Errorf("%s: it took %s", s.name, o.took)
	}
	if statusIsEnough := len(s.args) > 0 || s.path == "/v2/"; statusIsEnough && (o.code == 0 || strings.Contains(o.stderr, "307 Temporary Redirect to another path")) {
		return
	}
	n.refusedClearly(t, s, o)
	if len(s.args) == 0 && !strings.Contains(o.stderr, "no answer within 1s; the time went into ") {
		t.Errorf("%s: it says %s", s.name, o.stderr)
	}
}

// TestTroubledServers has servers that say what is wrong, and do not come to the end of it: that is told, long before the time is up.
func TestTroubledServers(t *testing.T) {
	n := newNetwork(t)
	for _, s := range steps {
		if len(s.args) > 0 {
			continue // of an error check wants no more than its status
		}
		t.Run(s.name, func(t *testing.T) {
			n.reset()
			n.set(s.server+s.path, hijacked(func(w *bufio.Writer, gone <-chan struct{}) {
				_, _ = w.WriteString("HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"message\": \"")
				_ = w.Flush()
				<-gone
			}))
			o := n.run(t, s, "CREDENTIAL_HELPER_TIMEOUT=20s")
			n.refusedClearly(t, s, o)
			if !strings.Contains(o.stderr, "503") || o.took > 10*time.Second {
				t.Errorf("after %s it says %s", o.took, o.stderr)
			}
		})
	}
}
