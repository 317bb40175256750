package place

import "syscall"

// look reports whether something is there, and whether that is a directory. It is not os.Stat, because package os is initialized too late.
func look(name string) (dir, there bool) {
	var st syscall.Stat_t
	err := syscall.Stat(name, &st)
	for err == syscall.EINTR {
		err = syscall.Stat(name, &st)
	}
	return st.Mode&syscall.S_IFMT == syscall.S_IFDIR, err == nil
}

// ThisBuild returns the running program's Build, the zero one where that cannot be known.
// It is that of the file that runs, also where another one was put into its place since.
func ThisBuild() Build {
	var st syscall.Stat_t
	if syscall.Stat("/proc/self/exe", &st) != nil {
		return Build{}
	}
	return Build{ModTime: st.Mtim.Nano(), Size: st.Size}
}
