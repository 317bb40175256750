//go:build linux

package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fe055d52/credential-helper/internal/registrytest"
)

// mark is in every secret of a fault run: where it is read, a secret is.
const mark = "faultcanary"

// marks are the forms in which the mark is looked for: as it is, and in base64, wherever a group begins.
var marks = func() []string {
	list := []string{mark}
	for i := range 3 {
		encoded := base64.RawStdEncoding.EncodeToString([]byte("xxx"[:i] + mark))
		list = append(list, encoded[min(i, 1)*4:len(encoded)-4])
	}
	return list
}()

// A world is what the gets of a fault run are about: two registries with a token server each, hosts with a secret in a file or in variables,
// and a record of all that was handed out.
type world struct {
	dir        string
	registries [2]*registrytest.Registry
	secret     history                   // the content of the file that holds carol's password, and the token of the files' host
	idle       history                   // how long a run of the program took that has nothing to do
	idleSince  atomic.Pointer[time.Time] // of such a run that goes on
	offset     history                   // how many seconds the programs' clock is ahead

	mu     sync.Mutex
	rng    *rand.Rand
	fail   float64 // the share of the exchanges that fail
	turn   int     // of the ways to fail
	tokens map[string]issued
	tally  map[string]int // exchanges by their outcome
}

// An issued token is what the record knows of it.
type issued struct {
	registry              int
	user, password, scope string
	expires               time.Time
}

// users are the logins of the first registry, which variables hold. The second one's is carol, whose password is in the file.
var users = map[string]string{"alice": mark + "alice0123456789", "bob": mark + "bob0123456789"}

// lives are how long tokens live, in seconds: some are over soon, so that there are exchanges all the time.
var lives = []int{8, 10, 15, 30, 90, 400, 3600}

func newWorld(dir string, seed uint64) (w *world, err error) {
	w = &world{dir: dir, rng: rand.New(rand.NewPCG(seed, 1)), tokens: map[string]issued{}, tally: map[string]int{}}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	for i := range w.registries {
		if w.registries[i], err = registrytest.Start(registrytest.Config{Login: registrytest.Bearer}); err != nil {
			return w, err
		}
		w.registries[i].SetToken(func(rw http.ResponseWriter, req *http.Request) { w.exchange(i, rw, req) })
	}
	for name, text := range map[string]string{
		"home/.config/credential-helper/config.json": w.rules(),
		"work/MODULE.bazel":                          "",
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return w, err
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return w, err
		}
	}
	w.offset.set("0", nil)
	return w, w.rotate()
}

func (w *world) close() {
	for _, r := range w.registries {
		if r != nil {
			r.Close()
		}
	}
}

func (w *world) secretFile() string { return filepath.Join(w.dir, "home", "secret") }

func (w *world) rules() string {
	return fmt.Sprintf(`{"urls": [
  {"host": %q, "helper": "oci", "config": {"parse_docker_config": false, "lookup_chain": [
    {"source": "env", "name": "REGISTRY_USER", "binding": "username"}, {"source": "env", "name": "REGISTRY_PASSWORD", "binding": "password"}]}},
  {"host": %q, "helper": "oci", "config": {"parse_docker_config": false, "lookup_chain": [
    {"source": "static", "value": "carol", "binding": "username"}, {"source": "file", "path": %q, "binding": "password"}]}},
  {"host": "files.bench.test", "helper": "registry", "config": {"auth_method": "bearer", "lookup_chain": [{"source": "file", "path": %q}]}},
  {"host": "basic.bench.test", "helper": "registry", "config": {"auth_method": "basic", "username": "${REGISTRY_USER}", "password": "${REGISTRY_PASSWORD}"}}
]}`, w.registries[0].Host, w.registries[1].Host, w.secretFile(), w.secretFile())
}

// rotate writes another secret into the file, whole.
func (w *world) rotate() error {
	w.mu.Lock()
	value := fmt.Sprintf("%sfile%016x", mark, w.rng.Uint64())
	w.mu.Unlock()
	var err error
	w.secret.set(value, func() {
		temp := w.secretFile() + ".new"
		if err = os.WriteFile(temp, []byte(value+"\n"), 0o600); err == nil {
			err = os.Rename(temp, w.secretFile())
		}
	})
	return err
}

// A history is a value that changes, and when it did.
type history struct {
	mu   sync.Mutex
	past []span
}

type span struct {
	value       string
	since, till time.Time // till is zero for the present one
}

// set changes the value by change. Between its beginning and its end, both values are there.
func (h *history) set(value string, change func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	since := time.Now()
	if change != nil {
		change()
	}
	if n := len(h.past); n > 0 {
		h.past[n-1].till = time.Now()
	}
	h.past = append(h.past, span{value: value, since: since})
}

// add has the value be there from a time to now, whatever else is.
func (h *history) add(value string, since time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.past = append(h.past, span{value, since, time.Now()})
}

// between returns the values that were there at some time from one moment to another.
func (h *history) between(from, to time.Time) (values []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range slices.Backward(h.past) {
		if !s.till.IsZero() && s.till.Before(from) {
			break
		}
		if !s.since.After(to) {
			values = append(values, s.value)
		}
	}
	return values
}

// failures are the ways in which a token endpoint fails, in turns.
var failures = []string{"500", "429", "reset", "garbage", "slow", "cut off", "500", "429", "reset", "garbage", "hang", "cut off"}

// exchange is a registry's token endpoint.
func (w *world) exchange(registry int, rw http.ResponseWriter, req *http.Request) {
	w.mu.Lock()
	outcome := "token"
	if w.rng.Float64() < w.fail {
		outcome = failures[w.turn%len(failures)]
		w.turn++
	}
	w.tally[outcome]++
	pause := time.Duration(200+w.rng.IntN(1800)) * time.Millisecond
	w.mu.Unlock()
	broken := `{"token":"` + mark + strings.Repeat("x", 200)
	switch outcome {
	case "500":
		registrytest.Status(500, `{"errors":[{"code":"UNKNOWN","message":"out of order"}]}`)(rw, req)
	case "429":
		registrytest.Status(429, `{"message":"slow down"}`, "Retry-After", "30")(rw, req)
	case "reset":
		reset(rw)
	case "garbage":
		registrytest.Status(200, broken+"\x00\xff}}")(rw, req)
	case "cut off":
		registrytest.Truncated(broken)(rw, req)
	case "hang":
		registrytest.Hang()(rw, req)
	case "slow":
		time.Sleep(pause)
		fallthrough
	default:
		w.issue(registry, rw, req)
	}
}

// issue hands out a token, and records it.
func (w *world) issue(registry int, rw http.ResponseWriter, req *http.Request) {
	user, password, _ := req.BasicAuth()
	known := users[user] == password && password != ""
	if registry == 1 {
		known = user == "carol" && strings.HasPrefix(password, mark+"file")
	}
	if !known {
		rw.WriteHeader(http.StatusUnauthorized)
		return
	}
	w.mu.Lock()
	life := lives[w.rng.IntN(len(lives))]
	token := fmt.Sprintf("%s%016x%016x%s", mark, w.rng.Uint64(), w.rng.Uint64(), strings.Repeat("t", 600))
	w.tokens[token] = issued{registry, user, password, req.URL.Query().Get("scope"), time.Now().Add(time.Duration(life) * time.Second)}
	w.mu.Unlock()
	rw.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(rw).Encode(map[string]any{"token": token, "expires_in": life})
}

// exchanges returns the outcomes so far, and begins anew.
func (w *world) exchanges() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	tally := w.tally
	w.tally = map[string]int{}
	return tally
}

func (w *world) setFail(share float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fail = share
}

func (w *world) issuedAs(token string) (issued, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i, ok := w.tokens[token]
	return i, ok
}

// reset ends a connection with an RST.
func reset(rw http.ResponseWriter) {
	conn, _, err := http.NewResponseController(rw).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
