package cache

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"github.com/fe055d52/credential-helper/internal/atomicfile"
)

// listen makes the agent's socket. A socket that is in its place was left behind, and goes.
func (a *Agent) listen() (*net.UnixListener, error) {
	dir, err := openDir(a.Dir)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	if err := checkSocket(a.Socket); err != nil {
		return nil, err
	}
	name := filepath.Base(a.Socket)
	if err := dir.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("making room for the socket: %w", err)
	}
	config := net.ListenConfig{Control: privateSocket}
	listener, err := config.Listen(context.Background(), "unix", a.Socket)
	if err != nil {
		return nil, err
	}
	l := listener.(*net.UnixListener)
	l.SetUnlinkOnClose(false) // it would also remove the socket of an agent that was started after this one's was removed
	if a.socket, err = dir.Lstat(name); err == nil && modesCount && a.socket.Mode().Perm()&0o077 != 0 {
		err = dir.Chmod(name, 0o600) // not every system gives a socket the mode that it was made with
	}
	if err != nil {
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

// checkSocket reports why there is no room for a socket at path: what is there is not one, and so not ours to remove.
func checkSocket(path string) error {
	info, err := os.Lstat(path)
	if err == nil && info.Mode()&os.ModeSocket == 0 {
		return fmt.Errorf("making room for the socket: %s is there and is not a socket", path)
	}
	return nil
}

// socketIsOurs reports whether clients that go to the socket's path come to this agent.
func (a *Agent) socketIsOurs() bool {
	info, err := os.Lstat(a.Socket)
	return err == nil && os.SameFile(info, a.socket)
}

// removeSocket removes the agent's socket, where it is still there.
func (a *Agent) removeSocket() {
	dir, err := openDir(a.Dir)
	if err != nil {
		return
	}
	defer dir.Close()
	name := filepath.Base(a.Socket)
	if info, err := dir.Lstat(name); err == nil && os.SameFile(info, a.socket) {
		_ = dir.Remove(name)
	}
}

// writePID writes the agent's process id to its file, and returns what removes it. The file may be anywhere, also where others can put something
// in its place: a link is replaced, not followed, a pipe not opened, and only what was written here is removed.
func (a *Agent) writePID() (remove func()) {
	var written os.FileInfo
	err := atomicfile.Replace(a.PIDFile, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600, func(temp *os.File) (err error) {
		written, err = temp.Stat()
		return err
	})
	if err != nil {
		a.log("the process id is not written: %s", err)
		return func() {}
	}
	return func() {
		if info, err := os.Lstat(a.PIDFile); err == nil && os.SameFile(info, written) {
			_ = os.Remove(a.PIDFile)
		}
	}
}
