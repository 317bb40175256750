//go:build !unix

package place

import "path/filepath"

// Join, Dir, IsAbs and Clean are those of package path/filepath.

func Join(elements ...string) string { return filepath.Join(elements...) }

func Dir(name string) string { return filepath.Dir(name) }

func IsAbs(name string) bool { return filepath.IsAbs(name) }

func Clean(name string) string { return filepath.Clean(name) }

// maxSocketPath is the size of sun_path in bytes.
const maxSocketPath = 108

func absolute(dir, name string) string {
	if name = filepath.FromSlash(name); IsAbs(name) {
		return name
	}
	return Join(dir, name)
}
