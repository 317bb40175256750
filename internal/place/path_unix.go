//go:build unix

package place

import "path"

// Join, Dir, IsAbs and Clean are those of package path/filepath, which would be initialized too late.

func Join(elements ...string) string { return path.Join(elements...) }

func Dir(name string) string { return path.Dir(name) }

func IsAbs(name string) bool { return path.IsAbs(name) }

func Clean(name string) string { return path.Clean(name) }

// maxSocketPath is the size of sun_path in bytes: the smallest of any system's. Linux has four more.
const maxSocketPath = 104

func absolute(dir, name string) string {
	if IsAbs(name) {
		return name
	}
	return Join(dir, name)
}
