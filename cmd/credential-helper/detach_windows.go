package main

import (
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/windows"
)

// detached takes the agent off the console of the build that started it.
func detached() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: windows.DETACHED_PROCESS | windows.CREATE_NEW_PROCESS_GROUP, HideWindow: true}
}

func rootDir() string { return filepath.VolumeName(os.Getenv("SystemRoot")) + `\` }

// keepDescriptors has nothing to do: handles are not inherited here unless they are meant to be.
func keepDescriptors() {}
