package loginstore

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/keyring"
	"github.com/fe055d52/credential-helper/internal/redact"
)

// service is that of every entry.
const service = "credential-helper:docker"

const (
	// maxValue is the length in bytes above which a value is split. Windows keeps 2,560 bytes in an entry; on macOS the value in base64,
	// the names and the command around them have to fit into 4,096.
	maxValue = 2400
	// pieceSize is how many bytes make a piece, which is kept in base64: text is not cut within a character, nor taken for an encoded value.
	pieceSize = maxValue / 4 * 3
	// maxPieces bounds what a head may claim: pieces for a value of about 1 MiB.
	maxPieces = 600
)

// A head stands at the account of a value that is kept in pieces, and says where they are: at ACCOUNT#SLOT1, ACCOUNT#SLOT2, and so on.
// There are two slots. A new value is written to the slot that the head does not name, then the head, and then the old pieces are removed:
// a crash between two writes leaves the old value, or the new one and pieces that the next write removes. The sum finds out every other mixture.
type head struct {
	Version int    `json:"version"`
	Slot    string `json:"slot"`
	Pieces  int    `json:"pieces"`
	Sum     string `json:"sha256"`
}

var slots = [2]string{"a", "b"}

func pieceAccount(account, slot string, n int) string {
	return account + "#" + slot + strconv.Itoa(n)
}

// parseHead reads a head. A value that is not in pieces is not one.
func parseHead(text string) (head, bool) {
	var h head
	if json.Unmarshal([]byte(text), &h) != nil || h.Version != 1 || h.Pieces < 1 || h.Pieces > maxPieces || h.Slot != slots[0] && h.Slot != slots[1] {
		return head{}, false
	}
	again, err := json.Marshal(h)
	return h, err == nil && string(again) == text
}

func sum(text string) string {
	s := sha256.Sum256([]byte(text))
	return hex.EncodeToString(s[:])
}

// A tamperedError is about an entry that does not hold what this package writes.
type tamperedError struct{ account, why string }

func (e *tamperedError) Error() string {
	return fmt.Sprintf("the keyring's entry for service %q, account %q %s", service, e.account, e.why)
}

// readAttempts is how often a value in pieces is read anew where its head changed meanwhile.
const readAttempts = 5

// readValue returns the value at an account.
func readValue(ctx context.Context, b keyring.Batch, account string) (string, error) {
	last := ""
	for range readAttempts {
		secret, err := b.Get(ctx, service, account)
		if err != nil {
			return "", err
		}
		text := secret.Reveal()
		h, ok := parseHead(text)
		if !ok {
			return text, nil
		}
		if text == last {
			break
		}
		last = text
		value, err := readPieces(ctx, b, account, h)
		if err != nil {
			return "", err
		}
		if sum(value) == h.Sum {
			return value, nil
		}
	}
	return "", &tamperedError{account, "is kept in pieces, and they do not make a whole"}
}

// readPieces returns what the pieces make, "" where they make nothing.
func readPieces(ctx context.Context, b keyring.Batch, account string, h head) (string, error) {
	var value strings.Builder
	for n := range h.Pieces {
		secret, err := b.Get(ctx, service, pieceAccount(account, h.Slot, n+1))
		if errors.Is(err, helpers.ErrNotFound) {
			return "", nil
		}
		if err != nil {
			return "", err
		}
		piece, err := base64.StdEncoding.DecodeString(secret.Reveal())
		if err != nil {
			return "", nil
		}
		value.Write(piece)
	}
	return value.String(), nil
}

// writeValue writes the value at an account, in place of the one that was there. It is called within [keyring.Update].
func writeValue(ctx context.Context, b keyring.Batch, account, value string) error {
	used := ""
	switch secret, err := b.Get(ctx, service, account); {
	case err == nil:
		if h, ok := parseHead(secret.Reveal()); ok {
			used = h.Slot
		}
	case !errors.Is(err, helpers.ErrNotFound):
		return err
	}
	if len(value) <= maxValue {
		if err := b.Set(ctx, service, account, redact.Hold(value)); err != nil {
			return err
		}
		return removePieces(ctx, b, account, slots[0], slots[1])
	}
	h := head{Version: 1, Slot: slots[0], Sum: sum(value)}
	if used == h.Slot {
		h.Slot = slots[1]
	}
	for rest := value; rest != ""; {
		piece := rest[:min(pieceSize, len(rest))]
		rest = rest[len(piece):]
		h.Pieces++
		if h.Pieces > maxPieces {
			return fmt.Errorf("it is longer than %d bytes", maxPieces*pieceSize)
		}
		if err := b.Set(ctx, service, pieceAccount(account, h.Slot, h.Pieces), redact.Hold(base64.StdEncoding.EncodeToString([]byte(piece)))); err != nil {
			return err
		}
	}
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if err := b.Set(ctx, service, account, redact.Hold(string(text))); err != nil {
		return err
	}
	if err := removeFrom(ctx, b, account, h.Slot, h.Pieces+1); err != nil || used == "" {
		return err
	}
	return removePieces(ctx, b, account, used)
}

// removeValue removes the value at an account with all its pieces. It is no error where there is none.
func removeValue(ctx context.Context, b keyring.Batch, account string) error {
	if err := b.Delete(ctx, service, account); err != nil && !errors.Is(err, helpers.ErrNotFound) {
		return err
	}
	return removePieces(ctx, b, account, slots[0], slots[1])
}

func removePieces(ctx context.Context, b keyring.Batch, account string, slots ...string) error {
	for _, slot := range slots {
		if err := removeFrom(ctx, b, account, slot, 1); err != nil {
			return err
		}
	}
	return nil
}

// removeFrom removes the pieces of a slot from number n on, the last one first: what a crash leaves still begins at n, where the next removal finds it.
func removeFrom(ctx context.Context, b keyring.Batch, account, slot string, n int) error {
	end := n
	for ; end <= maxPieces; end++ {
		_, err := b.Get(ctx, service, pieceAccount(account, slot, end))
		if errors.Is(err, helpers.ErrNotFound) {
			break
		}
		if err != nil {
			return err
		}
	}
	for end--; end >= n; end-- {
		if err := b.Delete(ctx, service, pieceAccount(account, slot, end)); err != nil && !errors.Is(err, helpers.ErrNotFound) {
			return err
		}
	}
	return nil
}
