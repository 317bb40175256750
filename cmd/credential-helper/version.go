package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version prints what the Go toolchain recorded in the executable.
func (a *app) version(args []string) error {
	if _, err := a.parse("version", args); err != nil {
		return err
	}
	_, err := fmt.Fprintf(a.stdout, "credential-helper %s %s %s/%s\n", shortVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// shortVersion is the module's version ("v1.2.3"), or "devel" with the commit where the executable was built from a checkout.
func shortVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "devel-" + s.Value[:12]
		}
	}
	return "devel"
}
