package cache

import (
	"errors"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// peer returns an error where the process at the other end of a Unix socket is not the user's own. It does not say which process that is.
func peer(conn *net.UnixConn) (pid int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Xucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	}); err != nil {
		return 0, err
	}
	if credErr != nil {
		return 0, credErr
	}
	if int(cred.Uid) != os.Geteuid() {
		return 0, errors.New("the process at the other end of the socket is another user's")
	}
	return 0, nil
}
