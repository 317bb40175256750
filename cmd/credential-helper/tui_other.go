//go:build !windows

package main

import "os"

// takesEscapes reports whether a terminal understands escape sequences: all do whose TERM is not dumb.
func takesEscapes(*os.File) bool { return true }
