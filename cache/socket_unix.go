//go:build unix

package cache

import "syscall"

// privateSocket makes a socket the user's alone before it has a name, where the system can do that: to change the mode of what is at a path,
// once the socket is there, could be to change that of something else.
func privateSocket(_, _ string, conn syscall.RawConn) error {
	return conn.Control(func(fd uintptr) { _ = syscall.Fchmod(int(fd), 0o600) })
}
