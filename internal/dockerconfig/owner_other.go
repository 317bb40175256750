//go:build !unix

package dockerconfig

import (
	"io/fs"
	"os"
)

// keepOwner does nothing: the directory hands its access list down.
func keepOwner(*os.File, fs.FileInfo) {}
