//go:build linux

package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// budget is how long a get may take, and what a machine with much to do may add to that for starting and ending a process.
const budget, startSlack = 8 * time.Second, 2 * time.Second

// An ask is what one process is asked, and what is known of how it went.
type ask struct {
	kind       string // oci, file, basic, nothing or docker
	registry   int    // of oci and docker
	repository string
	user       string // whose login is in the variables
	job        *job
	began      time.Time
	ended      time.Time
	killed     bool          // by the run
	stopped    time.Duration // by the run, for so long
}

// newAsk makes up a question.
func (w *world) newAsk(program string) *ask {
	w.mu.Lock()
	defer w.mu.Unlock()
	a := &ask{kind: "oci", user: "alice", repository: fmt.Sprintf("team/app%d", w.rng.IntN(12)), registry: w.rng.IntN(10) / 7}
	if w.rng.IntN(10) < 3 {
		a.user = "bob"
	}
	uri := fmt.Sprintf("%s/v2/%s/blobs/sha256:%064x", w.registries[a.registry].URL, a.repository, w.rng.Uint64())
	file := fmt.Sprintf("/releases/%x.tgz", w.rng.Uint32())
	switch n := w.rng.IntN(100); {
	case n < 15:
		a.kind, uri = "file", "https://files.bench.test"+file
	case n < 20:
		a.kind, uri = "basic", "https://basic.bench.test"+file
	case n < 25:
		a.kind, uri = "nothing", "https://elsewhere.bench.test"+file
	case n < 35:
		a.kind = "docker"
	}
	a.job = &job{path: program, args: []string{"credential-helper", "get"}, request: `{"uri":"` + uri + `"}`}
	if a.kind == "docker" {
		a.job.args, a.job.request = []string{"credential-helper", "docker", "get"}, w.registries[a.registry].Host+"\n"
	}
	return a
}

// A verdict is what a get's end is taken for. What must not be has a reason.
type verdict struct {
	what   string // right, killed, or the kind of an error
	reason string // why it must not be; empty where all is well
	hang   bool
	late   bool
}

// judge judges a get that ended. excused are the kinds of errors that there is a reason for.
func (w *world) judge(a *ask, excused []string) (v verdict) {
	j := a.job
	took := j.wall - a.stopped
	if j.wall >= tooLong-time.Second && j.exit == -1 && !a.killed {
		return verdict{what: "hang", hang: true, reason: "it does not end"}
	}
	ended := j.exit != -1 // by itself: one that is killed may have written its answer before
	for _, m := range marks {
		if strings.Contains(j.complain, m) || ended && j.exit != 0 && strings.Contains(j.answer, m) {
			return verdict{what: "secret", reason: "a secret in an error: " + j.complain + j.answer}
		}
	}
	v.late = took > budget+startSlack+w.delay(a.began, a.ended)
	switch {
	case a.killed && !ended:
		v.what = "killed"
	case j.failure != nil:
		v.what, v.reason = "not run", j.failure.Error()
	case j.exit == 0:
		v.what = "right"
		if v.reason = w.wrong(a); v.reason != "" {
			v.what = "wrong"
		}
	default:
		v.what, v.reason = w.complaint(a, excused)
	}
	return v
}

// delay returns how long a process that has nothing to do took, at most, while another one ran: so much is the machine's.
func (w *world) delay(from, to time.Time) (most time.Duration) {
	for _, v := range w.idle.between(from, to) {
		if d, err := time.ParseDuration(v); err == nil {
			most = max(most, d)
		}
	}
	if since := w.idleSince.Load(); since != nil {
		most = max(most, time.Since(*since))
	}
	return most
}

// complaints are the kinds of errors, by what is in their texts.
var complaints = []struct{ kind, text string }{
	{"server: 500", "500 Internal Server Error"},
	{"server: 429", "429 Too Many Requests"},
	{"server: hung up", "the server closes the connection"},
	{"server: hung up", "connection reset by peer"},
	{"server: hung up", "EOF"},
	{"server: not JSON", "the answer is not valid JSON"},
	{"out of time", "no answer within 8s"},
	{"out of time", "no answer in time"},
	{"clock", "is this machine's clock right?"},
}

// complaint judges the end of a get that failed.
func (w *world) complaint(a *ask, excused []string) (kind, reason string) {
	j := a.job
	text, other := j.complain, j.answer
	if a.kind == "docker" {
		text, other = other, text
	}
	kind = "other"
	for _, c := range complaints {
		if strings.Contains(text, c.text) {
			kind = c.kind
			break
		}
	}
	lines := strings.Count(text, "\n")
	switch {
	case j.exit != 1:
		return kind, fmt.Sprintf("exit status %d: %s", j.exit, text)
	case other != "":
		return kind, fmt.Sprintf("a failed get writes %q to the wrong place", other)
	case lines < 1 || lines > 3 || !strings.HasPrefix(text, "credential-helper: ") || !strings.HasSuffix(text, "\n"):
		return kind, fmt.Sprintf("an error of %d lines: %q", lines, text)
	case !slices.Contains(excused, kind):
		return kind, "an error without a cause: " + text
	}
	return kind, ""
}

// wrong returns what is wrong with an answer.
func (w *world) wrong(a *ask) string {
	if a.job.complain != "" {
		return "it succeeds, and complains: " + a.job.complain
	}
	if a.kind == "docker" {
		return w.wrongLogin(a)
	}
	var answer struct {
		Headers http.Header `json:"headers"`
		Expires *time.Time  `json:"expires"`
	}
	d := json.NewDecoder(strings.NewReader(a.job.answer))
	d.DisallowUnknownFields()
	if err := d.Decode(&answer); err != nil || answer.Headers == nil || !strings.HasSuffix(a.job.answer, "}\n") {
		return fmt.Sprintf("the answer is %q: %v", a.job.answer, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Sprintf("the answer is more than one object: %q", a.job.answer)
	}
	values := answer.Headers["Authorization"]
	got := strings.Join(values, "\n")
	wanted := []string{""}
	switch a.kind {
	case "oci":
		return w.wrongToken(a, got, answer.Expires)
	case "file":
		wanted = w.secret.between(a.began, a.ended)
		for i := range wanted {
			wanted[i] = "Bearer " + wanted[i]
		}
	case "basic":
		wanted = []string{"Basic " + base64.StdEncoding.EncodeToString([]byte(a.user+":"+users[a.user]))}
	case "nothing":
		if len(answer.Headers) > 0 || answer.Expires == nil || w.later(a, *answer.Expires, a.ended.Add(61*time.Second)) {
			return fmt.Sprintf("it should have no opinion: %q", a.job.answer)
		}
	}
	if !slices.Contains(wanted, got) {
		return fmt.Sprintf("%s: the header is another one than %d that might be", a.kind, len(wanted))
	}
	return ""
}

// wrongToken returns what is wrong with a registry's token.
func (w *world) wrongToken(a *ask, got string, expires *time.Time) string {
	token, ok := strings.CutPrefix(got, "Bearer ")
	t, known := w.issuedAs(token)
	// What was stopped after it had its answer cannot know that it got old.
	at := a.ended
	if a.stopped > 0 {
		at = a.began
	}
	switch {
	case !ok || !known:
		return "the token is none that was handed out"
	case t.registry != a.registry:
		return "the token is another registry's"
	case t.scope != "repository:"+a.repository+":pull":
		return "the token is for " + t.scope + ", not " + a.repository
	case a.registry == 0 && t.user != a.user:
		return "the token is " + t.user + "'s, not " + a.user + "'s"
	case a.registry == 1 && !slices.Contains(w.secret.between(a.began, a.ended), t.password):
		return "the token was had for a password that the file does not hold any more"
	case !t.expires.After(at):
		return fmt.Sprintf("the token expired %s before", at.Sub(t.expires))
	case expires == nil:
		return "the answer does not say when it expires"
	case w.later(a, *expires, t.expires):
		return fmt.Sprintf("the answer says that it expires at %s (%s), and the token expires at %s", expires, a.ended.UTC(), t.expires.UTC())
	}
	return ""
}

// later reports whether a time by the programs' clock is later than one by ours, whichever time that clock showed while the get ran.
func (w *world) later(a *ask, told, limit time.Time) bool {
	ahead := -time.Duration(1 << 62)
	for _, v := range w.offset.between(a.began, a.ended) {
		seconds, _ := strconv.Atoi(v)
		ahead = max(ahead, time.Duration(seconds)*time.Second)
	}
	return told.Add(-ahead).After(limit)
}

// wrongLogin returns what is wrong with an answer in Docker's dialect.
func (w *world) wrongLogin(a *ask) string {
	var login struct{ ServerURL, Username, Secret string }
	d := json.NewDecoder(strings.NewReader(a.job.answer))
	d.DisallowUnknownFields()
	if err := d.Decode(&login); err != nil {
		return fmt.Sprintf("the login is %q: %v", a.job.answer, err)
	}
	user, secrets := a.user, []string{users[a.user]}
	if a.registry == 1 {
		user, secrets = "carol", w.secret.between(a.began, a.ended)
	}
	if login.ServerURL != w.registries[a.registry].Host || login.Username != user || !slices.Contains(secrets, login.Secret) {
		return "the login is another one: " + login.Username
	}
	return ""
}

// pick returns one of several at random.
func pick[T any](rng *rand.Rand, list []T) (one T, ok bool) {
	if len(list) == 0 {
		return one, false
	}
	return list[rng.IntN(len(list))], true
}
