//go:build !unix

package peertest

import "testing"

// AsUser skips the test: there are no user ids here.
func AsUser(t testing.TB, _ int, _ func()) { t.Skip("there are no user ids here") }
