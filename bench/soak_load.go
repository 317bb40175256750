//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fe055d52/credential-helper/cache"
	"github.com/fe055d52/credential-helper/cache/wire"
	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/place"
	"github.com/fe055d52/credential-helper/internal/redact"
)

// A load is one kind of what an agent has to bear.
type load struct {
	name string
	do   func(context.Context) error
}

func (s *soaking) loads() []load {
	known := func() *job { return s.get(fmt.Sprintf("team/app%d", s.rng.IntN(20))) }
	return []load{
		{"gets of few repositories, ten at a time", func(context.Context) error { return s.gets(10, known) }},
		{"gets of few repositories, ten at a time", func(context.Context) error { return s.gets(10, known) }},
		{"gets of new repositories, five at a time", func(context.Context) error {
			return s.gets(5, func() *job { return s.get(fmt.Sprintf("team/new%d", s.rng.Uint32())) })
		}},
		{"gets of another user", func(context.Context) error {
			attr := s.attr
			attr.Env = append(slices.Clone(attr.Env), "HOME="+filepath.Join(s.dir, "empty"))
			return s.getsIn(attr, 2, known)
		}},
		{"logins changed", s.changeLogin},
		{"rules changed", s.changeRules},
		{"200 scopes of 15,000", func(ctx context.Context) error { return s.fill(ctx, s.rng.IntN(15_000), 200) }},
		{"slow clients", s.slowClients},
		{"clients that go away", s.hastyClients},
		{"garbage", s.garbage},
		{"prune", func(ctx context.Context) error {
			what := []cache.What{cache.Expired, cache.Expired, cache.Volatile}[s.rng.IntN(3)]
			c := s.client()
			defer c.Close()
			_, err := c.Call(ctx, wire.Drop, string(what))
			return err
		}},
	}
}

// serveSoak is a token endpoint whose tokens live for seconds or for minutes, and which fails one time out of ten.
func (s *soaking) serveSoak(w http.ResponseWriter, req *http.Request) {
	user, password, _ := req.BasicAuth()
	n := time.Now().UnixNano() / 1000
	switch {
	case n%10 == 0:
		w.WriteHeader(http.StatusInternalServerError)
	case user != "alice" || password != "wonderland":
		w.WriteHeader(http.StatusUnauthorized)
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"token": longToken(), "expires_in": []int{4, 10, 60, 400}[n/10%4]})
	}
}

func (s *soaking) gets(n int, next func() *job) error { return s.getsIn(s.attr, n, next) }

// getsIn runs gets, and judges them.
func (s *soaking) getsIn(attr os.ProcAttr, n int, next func() *job) error {
	var jobs []*job
	for range n {
		jobs = append(jobs, next())
	}
	st, err := runTogether(attr, jobs, 5)
	if err != nil {
		return err
	}
	for _, j := range st.jobs {
		switch {
		case j.failure == nil && j.exit == 0 && j.complain == "" && (answered(j) || strings.Contains(j.request, "npm.bench.test") && strings.HasPrefix(j.answer, `{"headers":{"`)):
			s.done["right answers"]++
		case j.failure == nil && j.exit == 1 && j.answer == "" && strings.Contains(j.complain, "500 Internal Server Error"):
			s.done["errors, as the server had it"]++
		default:
			s.bad = append(s.bad, fmt.Sprintf("a get ends with %d: %s %v", j.exit, j.complain, j.failure))
		}
	}
	return nil
}

// changeLogin has a file that answers were made from change.
func (s *soaking) changeLogin(context.Context) error {
	path := filepath.Join(s.dir, "home", ".npmrc")
	text := fmt.Sprintf("//npm.bench.test/:_authToken=npm_%032x\n", s.rng.Uint64())
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return err
	}
	return s.gets(2, func() *job { return s.file("npm.bench.test") })
}

// changeRules has the configuration change: an agent keeps a number of them decoded.
func (s *soaking) changeRules(context.Context) error {
	path := filepath.Join(s.dir, "workspace", place.WorkspaceFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	line := fmt.Sprintf("\n{\"host\": \"other%d.bench.test\", \"helper\": \"null\"},", s.rng.IntN(200))
	before, after, _ := strings.Cut(string(text), `"urls": [`)
	if strings.HasPrefix(after, "\n") {
		_, after, _ = strings.Cut(after[1:], "\n")
	}
	if err := os.WriteFile(path, []byte(before+`"urls": [`+line+"\n"+after), 0o600); err != nil {
		return err
	}
	return s.gets(2, func() *job { return s.get("team/app0") })
}

// fill has the agent keep n entries.
func (s *soaking) fill(ctx context.Context, from, n int) error {
	client := s.client()
	defer client.Close()
	c := cache.NewAgent(client, func(string) (string, bool) { return "", false }, time.Now)
	for i := range n {
		key := cache.Key{Helper: "oci", Scope: fmt.Sprintf("repository:team/many%d:pull", from+i)}
		life := time.Duration(100+s.rng.IntN(3000)) * time.Second
		if _, err := c.Get(ctx, key, func(context.Context) (cache.Entry, error) {
			return cache.Entry{Response: helpers.Response{
				Expires: time.Now().Add(life), Headers: map[string][]redact.Secret{"Authorization": {redact.Hold("Bearer " + longToken())}},
			}, Volatile: i%50 == 0}, nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// A slowClient stays for a while without a word.
type slowClient struct {
	conn net.Conn
	till time.Time
}

// maxSlow is how many slow clients there are at a time: so many, however fast the machine is.
const maxSlow = 30

// slowClients has clients begin to ask something, and not go on.
func (s *soaking) slowClients(context.Context) error {
	for len(s.slow) < maxSlow {
		conn, err := net.Dial("unix", s.socket)
		if err != nil {
			return err
		}
		frame := s.frame()
		_, _ = conn.Write(frame[:s.rng.IntN(len(frame))])
		s.slow = append(s.slow, slowClient{conn, time.Now().Add(time.Duration(s.rng.IntN(int(s.plan.length / 45))))})
	}
	return nil
}

func (s *soaking) closeSlow() {
	s.slow = slices.DeleteFunc(s.slow, func(c slowClient) bool {
		over := time.Now().After(c.till)
		if over {
			_ = c.conn.Close()
		}
		return over
	})
}

// frame returns a request that makes sense.
func (s *soaking) frame() []byte {
	request := wire.Message{Op: wire.Ask, Fields: []string{s.build.String(), s.registry.URL + "/v2/team/app1/manifests/v1", "", "context"}}
	if s.rng.IntN(2) == 0 {
		request = wire.Message{Op: wire.Load, Fields: []string{s.build.String(), "q0123456789abcdef0123456789abcdef"}}
	}
	return wire.Append(nil, request)
}

// hastyClients has clients go away in the middle of a request, or before the reply.
func (s *soaking) hastyClients(context.Context) error {
	for range 20 {
		conn, err := net.Dial("unix", s.socket)
		if err != nil {
			return err
		}
		frame := s.frame()
		_, _ = conn.Write(frame[:s.rng.IntN(len(frame)+1)])
		_ = conn.Close()
	}
	return nil
}

// garbage has clients say what makes no sense.
func (s *soaking) garbage(context.Context) error {
	for range 20 {
		conn, err := net.Dial("unix", s.socket)
		if err != nil {
			return err
		}
		noise := make([]byte, 1+s.rng.IntN(4000))
		for i := range noise {
			noise[i] = byte(s.rng.Uint32())
		}
		switch s.rng.IntN(4) {
		case 0: // a frame that will be as long as one may be, and never is
			noise = append([]byte(wire.Magic+"\x00\x10\x00\x00"), noise...)
		case 1: // a frame that is broken inside
			noise = append([]byte(wire.Magic+"\x00\x00\x00\x40"), noise...)
		case 2: // another version's
			noise = append([]byte("CHA9\x00\x00\x00\x40"), noise...)
			noise[8] = wire.Load
		}
		_ = conn.SetDeadline(time.Now().Add(20 * time.Millisecond))
		_, _ = conn.Write(noise)
		_, _ = conn.Read(noise)
		_ = conn.Close()
	}
	return nil
}
