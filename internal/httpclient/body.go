package httpclient

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/tidwall/gjson"
)

// MaxBody is how much of a response's body is accepted, in bytes.
const MaxBody = 1 << 20

// ErrBodyTooLarge is returned by ReadBody.
var ErrBodyTooLarge = fmt.Errorf("the response is larger than %d bytes", MaxBody)

// ReadBody reads the body of a response, up to MaxBody, and closes it.
func ReadBody(resp *http.Response) ([]byte, error) {
	defer resp.Body.Close()
	if resp.ContentLength > MaxBody {
		return nil, ErrBodyTooLarge
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, MaxBody+1))
	if err != nil {
		return nil, Explain(resp.Request.Context(), err)
	}
	if len(data) > MaxBody {
		return nil, ErrBodyTooLarge
	}
	return data, nil
}

// ErrJSON is returned by ParseJSON.
var ErrJSON = errors.New("the answer is not valid JSON")

// ParseJSON reads the body of a response. encoding/json bounds how deep it may be nested; gjson's own check calls itself for each level,
// and takes hundreds of megabytes for a MaxBody of brackets.
func ParseJSON(body []byte) (gjson.Result, error) {
	if !json.Valid(body) {
		return gjson.Result{}, ErrJSON
	}
	return gjson.ParseBytes(body), nil
}

const (
	// maxProblem is how much is read of the body of an error, in bytes, and problemTime how long it is waited for.
	maxProblem  = 64 << 10
	problemTime = time.Second
	// discardTime is how long Discard waits for a body.
	discardTime = 250 * time.Millisecond
)

// readProblem reads what there is soon of the body of an error, and closes it: the status is what counts, and a server in trouble
// may not come to the end of what it has to say.
func readProblem(resp *http.Response) []byte {
	enough := time.AfterFunc(problemTime, func() { resp.Body.Close() })
	defer enough.Stop()
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxProblem))
	return body
}

// Discard closes a response without looking at its body. A short one is read to its end first, so that the connection may serve again,
// unless it is long in coming: a server that never ends it has answered all the same.
func Discard(resp *http.Response) {
	if resp.ContentLength >= 0 && resp.ContentLength <= 4<<10 {
		enough := time.AfterFunc(discardTime, func() { resp.Body.Close() })
		_, _ = io.Copy(io.Discard, resp.Body)
		enough.Stop()
	}
	resp.Body.Close()
}
