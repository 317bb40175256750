package cache

import (
	"errors"
	"net"
	"os"
	"syscall"
)

// peer returns the process at the other end of a Unix socket: the one that began to listen, or to connect. It is an error where that is not the user's own.
func peer(conn *net.UnixConn) (pid int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *syscall.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); err != nil {
		return 0, err
	}
	if credErr != nil {
		return 0, credErr
	}
	if int(cred.Uid) != os.Geteuid() {
		return 0, errors.New("the process at the other end of the socket is another user's")
	}
	return int(cred.Pid), nil
}
