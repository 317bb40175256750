package loginstore

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/keyring"
)

// indexAccount cannot be a server's name.
const indexAccount = "#index"

type line struct {
	Server   string `json:"server"`
	Username string `json:"username"`
}

type index []line

type wireIndex struct {
	Version int   `json:"version"`
	Logins  index `json:"logins"`
}

// readIndex returns the index. One that is not there is empty.
func readIndex(ctx context.Context, b keyring.Batch) (index, error) {
	text, err := readValue(ctx, b, indexAccount)
	if errors.Is(err, helpers.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var w wireIndex
	if err := decodeExactly(text, &w, &w.Version); err != nil {
		return nil, &tamperedError{indexAccount, err.Error()}
	}
	for _, l := range w.Logins {
		if _, err := Canonical(l.Server); err != nil {
			return nil, &tamperedError{indexAccount, errNotOurs.Error()}
		}
	}
	return w.Logins, nil
}

func writeIndex(ctx context.Context, b keyring.Batch, lines index) error {
	text, err := json.Marshal(wireIndex{1, lines})
	if err != nil {
		return err
	}
	return writeValue(ctx, b, indexAccount, string(text))
}

// with returns the index with a login in it, and whether that changed it.
func (x index) with(server, name, username string) (index, bool) {
	l := line{server, username}
	if slices.Contains(x, l) {
		return x, false
	}
	return append(x.without(name), l), true
}

// without returns the index without the login of a canonical name.
func (x index) without(name string) index {
	kept := index{}
	for _, l := range x {
		if of, err := Canonical(l.Server); err != nil || of != name {
			kept = append(kept, l)
		}
	}
	return kept
}
