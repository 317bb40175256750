package helpers

import (
	"errors"
	"fmt"
)

// A lookup that yields nothing has one of three outcomes. They are told apart everywhere:
//
//   - Not found wraps [ErrNotFound]: the place was searched and the secret is not there. The next source is tried.
//   - Unavailable wraps [ErrUnavailable]: this machine has no such place (a keyring without a session bus).
//     The next source is tried, and the reason is told when nothing else was found.
//   - Every other error is broken: a locked keyring, a malformed file, a program that crashed. The search stops there.
var (
	ErrNotFound    = errors.New("not found")
	ErrUnavailable = errors.New("unavailable")
)

// reason is an error whose text does not repeat the sentinel that it wraps.
type reason struct {
	text     string
	sentinel error
}

func (r *reason) Error() string { return r.text }
func (r *reason) Unwrap() error { return r.sentinel }

// NotFoundf returns an error that wraps [ErrNotFound] and reads as the formatted text.
func NotFoundf(format string, args ...any) error {
	return &reason{fmt.Sprintf(format, args...), ErrNotFound}
}

// Unavailablef returns an error that wraps [ErrUnavailable] and reads as the formatted text.
func Unavailablef(format string, args ...any) error {
	return &reason{fmt.Sprintf(format, args...), ErrUnavailable}
}

// FallsThrough reports whether a search goes on after err: it is not found or unavailable, not broken.
func FallsThrough(err error) bool {
	return errors.Is(err, ErrNotFound) || errors.Is(err, ErrUnavailable)
}

// A HintError carries what to do next beside what went wrong. The commands print the hint on a line of its own.
type HintError struct {
	Err  error
	Hint string
}

func (e *HintError) Error() string { return e.Err.Error() }
func (e *HintError) Unwrap() error { return e.Err }

// WithHint adds to err what to do next.
func WithHint(err error, format string, args ...any) error {
	return &HintError{Err: err, Hint: fmt.Sprintf(format, args...)}
}
