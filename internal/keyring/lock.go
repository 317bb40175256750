package keyring

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/fe055d52/credential-helper/internal/trace"
)

// lockPoll is how often a lock that somebody else has is asked for again: a wait that the system does cannot be ended with a context.
const lockPoll = 5 * time.Millisecond

// acquire takes an exclusive lock on a file, which it creates where it is missing. The system frees the lock when the process ends.
func acquire(ctx context.Context, path string) (release func(), err error) {
	end := trace.Step(ctx, "waiting for the keyring's lock")
	defer func() { end(err) }()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|plainFile, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the keyring: %w", err)
	}
	for {
		free, err := tryLock(f)
		if err != nil {
			_ = f.Close()
			return nil, fmt.Errorf("locking the keyring with %s: %w", path, err)
		}
		if free {
			return func() { _ = f.Close() }, nil
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, fmt.Errorf("waiting for another process that changes the keyring (it holds %s): %w", path, context.Cause(ctx))
		case <-time.After(lockPoll):
		}
	}
}
