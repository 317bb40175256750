//go:build !((dragonfly && cgo) || (freebsd && cgo) || linux || netbsd || openbsd)

package keyring

import (
	"context"
	"errors"
	"fmt"
	"os/exec"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
)

// check has nothing to check: these keyrings are part of the system, and their prompts are the system's.
func check(context.Context, *env.Env) error { return nil }

// describeFailure explains the exit status of macOS's security tool: the low byte of the error's number
// (https://developer.apple.com/documentation/security/security-framework-result-codes).
func describeFailure(doing string, err error) error {
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		switch exit.ExitCode() {
		case 36, 51: // errSecInteractionNotAllowed (-25308), errSecAuthFailed (-25293)
			return helpers.WithHint(fmt.Errorf("%s: %w", doing, ErrLocked), "run: security unlock-keychain")
		case 128: // userCanceledErr (-128)
			err = errDismissed
		}
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// vanished and busy know no such error here.
func vanished(error) bool { return false }
func busy(error) bool     { return false }
