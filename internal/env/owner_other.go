//go:build !unix

package env

import "io/fs"

// Foreign and WritableByAll are false here: access lists decide who may write a file, and its directory hands them down.

func Foreign(fs.FileInfo) bool { return false }

func WritableByAll(fs.FileInfo) bool { return false }
