//go:build unix

package cache

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestPIDFile holds that the file with the process id, which may be in a directory of everybody's, is not what others make it:
// no link is followed, no pipe waited for, and nothing is removed that was not written.
func TestPIDFile(t *testing.T) {
	for _, tt := range []struct {
		name  string
		plant func(t *testing.T, path, victim string)
	}{
		{"nothing", func(*testing.T, string, string) {}},
		{"link", func(t *testing.T, path, victim string) { must(t, os.Symlink(victim, path)) }},
		{"dangling link", func(t *testing.T, path, victim string) { must(t, os.Symlink(victim+"-new", path)) }},
		{"hard link", func(t *testing.T, path, victim string) { must(t, os.Link(victim, path)) }},
		{"pipe", func(t *testing.T, path, _ string) { must(t, syscall.Mkfifo(path, 0o666)) }},
		{"file", func(t *testing.T, path, _ string) { must(t, os.WriteFile(path, []byte("1\n"), 0o644)) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			victim := filepath.Join(dir, "victim")
			must(t, os.WriteFile(victim, []byte("dear diary"), 0o600))
			a := &Agent{PIDFile: filepath.Join(dir, "agent.pid")}
			tt.plant(t, a.PIDFile, victim)
			removed := make(chan func(), 1)
			go func() { removed <- a.writePID() }()
			var remove func()
			select {
			case remove = <-removed:
			case <-time.After(10 * time.Second):
				t.Fatal("the agent waits for the file")
			}
			text, err := os.ReadFile(a.PIDFile)
			if info, _ := os.Lstat(a.PIDFile); err != nil || string(text) != fmt.Sprintln(os.Getpid()) || info.Mode() != 0o600 {
				t.Errorf("it is %q, %v, %v", text, info.Mode(), err)
			}
			remove()
			if list, err := os.ReadDir(dir); err != nil || len(list) != 1 {
				t.Errorf("there are %v, %v", list, err)
			}
			if text, err := os.ReadFile(victim); err != nil || string(text) != "dear diary" {
				t.Errorf("the other file is %q now, %v", text, err)
			}
		})
	}
	t.Run("another's by now", func(t *testing.T) {
		a := &Agent{PIDFile: filepath.Join(t.TempDir(), "agent.pid")}
		remove := a.writePID()
		must(t, os.WriteFile(a.PIDFile+".new", nil, 0o600))
		must(t, os.Rename(a.PIDFile+".new", a.PIDFile))
		if remove(); !exists(a.PIDFile) {
			t.Error("it is gone")
		}
	})
	t.Run("a directory", func(t *testing.T) {
		var logged bytes.Buffer
		a := &Agent{PIDFile: t.TempDir(), Log: func(format string, args ...any) { fmt.Fprintf(&logged, format, args...) }}
		if a.writePID()(); !exists(a.PIDFile) || logged.Len() == 0 {
			t.Errorf("logged %q", logged.String())
		}
	})
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
