//go:build !linux

package place

import "os"

// look reports whether something is there, and whether that is a directory.
func look(name string) (dir, there bool) {
	info, err := os.Stat(name)
	return err == nil && info.IsDir(), err == nil
}

// ThisBuild returns the running program's Build, the zero one where its file cannot be found any more.
func ThisBuild() Build {
	path, err := os.Executable()
	if err != nil {
		return Build{}
	}
	info, err := os.Stat(path)
	if err != nil {
		return Build{}
	}
	return Build{ModTime: info.ModTime().UnixNano(), Size: info.Size()}
}
