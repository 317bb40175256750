// Package wire is the form in which the program and its agent talk over the agent's socket.
//
// A message is a frame: the four bytes of Magic, the length of what follows in four bytes (big endian), one byte for the operation,
// and its fields, each with its length in four bytes before it. Every request begins with the client's build (place.Build).
// The package imports next to nothing, because the path of a hit goes through it before the rest of the program starts.
package wire

import (
	"errors"
	"io"
	"slices"
	"unsafe"
)

// Magic begins each frame. Its last byte is the version of the protocol: it changes with the meaning of any message but Quit.
const Magic = "CHA1"

// MaxFrame is the size in bytes above which a frame is refused.
const MaxFrame = 1 << 20

// maxFields is the number of fields above which a frame is refused.
const maxFields = 4096

// Operations of a client.
const (
	Ask    = 'a' // build, URI, flags (g: guess registries, n: the file is named by a variable), context, then path and sum of each configuration file → Answer, Hit or Miss
	Load   = 'l' // build, then the keys of one question → the Entry of the first that has one, or Miss
	Peek   = 'p' // build, then the keys of one question → as for Load, which counts as nothing
	Save   = 's' // build, key, entry, then the other keys of the question, whose entries go → Done
	Drop   = 'd' // build, what ("expired", "volatile", "all") → Done with the number of entries dropped
	Status = 't' // build → Done with a JSON object
	Quit   = 'q' // build → Done, and the agent ends; the same in every version
)

// Operations of the agent.
const (
	Answer = 'A' // the text for standard output, which depends on nothing but the configuration files
	Hit    = 'H' // the text for standard output, the salt, then kind, name and sum of each input
	Entry  = 'E' // an entry
	Miss   = 'M'
	Done   = 'D' // fields depend on the request
	Older  = 'O' // the agent is of an older build than the client: it is to be replaced
	Newer  = 'N' // the agent is of a newer build: the client does without
	Error  = 'X' // a text
)

// A Message is one request or reply.
type Message struct {
	Op     byte
	Fields []string
}

var (
	// ErrMagic is returned for what is not a frame of this version.
	ErrMagic = errors.New("not a frame of this version")
	// ErrFrame is returned for a frame that is malformed or too large.
	ErrFrame = errors.New("malformed frame")
)

// Append appends m's frame to b.
func Append(b []byte, m Message) []byte {
	n := 1
	for _, f := range m.Fields {
		n += 4 + len(f)
	}
	b = append(slices.Grow(b, len(Magic)+4+n), Magic...)
	b = appendLen(b, n)
	b = append(b, m.Op)
	for _, f := range m.Fields {
		b = appendLen(b, len(f))
		b = append(b, f...)
	}
	return b
}

func appendLen(b []byte, n int) []byte {
	return append(b, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}

func length(b []byte) int {
	return int(b[0])<<24 | int(b[1])<<16 | int(b[2])<<8 | int(b[3])
}

// Read reads one frame. It returns io.EOF where there is none, and [ErrMagic] with the operation where the frame is of another version.
func Read(r io.Reader) (Message, error) {
	var head [9]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return Message{}, err
	}
	if string(head[:3]) != Magic[:3] {
		return Message{}, ErrFrame
	}
	n := length(head[4:8])
	if n < 1 || n > MaxFrame {
		return Message{}, ErrFrame
	}
	m := Message{Op: head[8]}
	if string(head[:4]) != Magic {
		return m, ErrMagic
	}
	body := make([]byte, n-1)
	if _, err := io.ReadFull(r, body); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return Message{}, err
	}
	// Nobody changes the body any more.
	return m, m.split(unsafe.String(unsafe.SliceData(body), len(body)))
}

// split cuts a body into the fields, which are counted beforehand: memory is what this costs.
func (m *Message) split(body string) error {
	count := 0
	for rest := body; len(rest) > 0; count++ {
		if len(rest) < 4 || count == maxFields {
			return ErrFrame
		}
		n := length([]byte(rest[:4]))
		if n < 0 || n > len(rest)-4 {
			return ErrFrame
		}
		rest = rest[4+n:]
	}
	if count == 0 {
		return nil
	}
	m.Fields = make([]string, count)
	for i := range m.Fields {
		n := length([]byte(body[:4]))
		m.Fields[i], body = body[4:4+n], body[4+n:]
	}
	return nil
}
