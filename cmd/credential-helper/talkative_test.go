package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
)

// TestServerThatSpeaksOutOfTurn holds that what a server sends behind its answer is not printed: package net/http would have the
// standard logger tell of it, and it may be anything, here the password that the server was just sent.
func TestServerThatSpeaksOutOfTurn(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go speakOutOfTurn(conn, l.Addr().String())
		}
	}()
	p := newSite(t, `{"urls": [{"host": "127.0.0.1:*", "helper": "oci", "config": {"parse_docker_config": false, "lookup_chain": [
		{"source": "static", "value": "alice", "binding": "username"}, {"source": "env", "name": "REG_PASS", "binding": "password"}]}}]}`,
		"REG_PASS=canary-5f1d9a77")
	for range 5 { // it is a race between the answer's end and the process's
		got := p.get("http://" + l.Addr().String() + "/v2/alice/app/manifests/v1")
		if got.Code != 0 || got.Stderr != "" || !strings.Contains(got.Stdout, "Bearer t0ken") {
			t.Errorf("got %+v", got)
		}
	}
}

func speakOutOfTurn(conn net.Conn, host string) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		if _, password, ok := req.BasicAuth(); ok {
			body := `{"token":"t0ken","expires_in":300}`
			fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%sleftover with %s", len(body), body, password)
			continue
		}
		fmt.Fprintf(conn, "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"http://%s/token\"\r\nContent-Length: 0\r\n\r\n", host)
	}
}
