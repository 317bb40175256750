package httpclient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/fe055d52/credential-helper/internal/ascii"
)

// ErrRefused is wrapped by the error of a request to an address to which no credential is ever sent: one that [Refused] reports.
var ErrRefused = errors.New("no credential is sent to a link-local, multicast or metadata address")

func refused(addr netip.Addr) error { return fmt.Errorf("the address is %s: %w", addr, ErrRefused) }

// A MisnamedError is returned where a name has an address that it cannot have: localhost one that is not this machine's,
// to which secrets would go unencrypted, or another name one that stands for no machine.
type MisnamedError struct {
	Host string
	Addr netip.Addr
}

func (e *MisnamedError) Error() string {
	return fmt.Sprintf("the host %s has the address %s here, which cannot be right; nothing is sent there", e.Host, e.Addr)
}

// Refused reports whether addr is one that no credential is ever sent to: link-local (the metadata service of most clouds is at 169.254.169.254),
// multicast, or a metadata service at another address. An IPv6 address that stands for an IPv4 address is what that one is.
func Refused(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	if addr.IsLinkLocalUnicast() || addr.IsMulticast() || metadata(addr) {
		return true
	}
	inner, ok := embedded(addr)
	return ok && Refused(inner)
}

// metadata reports whether addr is one of those, not link-local, at which a cloud serves a machine what is its own: its metadata, and credentials.
func metadata(addr netip.Addr) bool {
	switch addr.String() {
	case "fd00:ec2::254", "fd00:ec2::23", // AWS; its agent for the identities of pods
		"fd20:ce::254",                      // Google Cloud
		"168.63.129.16",                     // Azure
		"fd00:c1::a9fe:a9fe", "192.0.0.192", // Oracle Cloud, and as it was
		"100.100.100.200", // Alibaba Cloud
		"fd00:42::42":     // Scaleway
		return true
	}
	return false
}

// embedded returns the IPv4 address that an IPv6 address stands for.
func embedded(addr netip.Addr) (netip.Addr, bool) {
	if !addr.Is6() {
		return netip.Addr{}, false
	}
	b := addr.As16()
	if b[0] == 0x20 && b[1] == 0x02 { // 2002::/16, 6to4: RFC 3056 §2
		return netip.AddrFrom4([4]byte(b[2:6])), true
	}
	switch [12]byte(b[:12]) {
	case [12]byte{}, // ::/96, IPv4-compatible: RFC 4291 §2.5.5.1
		[12]byte{8: 0xff, 9: 0xff},                   // ::ffff:0:0:0/96, IPv4-translated: RFC 2765 §2.1
		[12]byte{1: 0x64, 2: 0xff, 3: 0x9b},          // 64:ff9b::/96, NAT64: RFC 6052 §2.1
		[12]byte{1: 0x64, 2: 0xff, 3: 0x9b, 5: 0x01}: // 64:ff9b:1::/96, the first of NAT64's own: RFC 8215
		return netip.AddrFrom4([4]byte(b[12:])), true
	}
	return netip.Addr{}, false
}

// A dialer connects to servers. What a name's address is, it looks at when the connection is made, and not before:
// the answer of DNS to an earlier question says nothing.
type dialer struct {
	resolver *net.Resolver // nil for the system's
}

// DialContext is that of [http.Transport].
func (d dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	control := func(_, address string, _ syscall.RawConn) error { return check(host, address) }
	return (&net.Dialer{Timeout: 10 * time.Second, Resolver: d.resolver, Control: control}).DialContext(ctx, network, address)
}

// check runs after name resolution and before the connection: address is what host was found to have.
// A name that resolves to an address that is refused is refused like the address itself.
func check(host, address string) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil // a Unix socket, or what the dialer alone understands
	}
	addr := at.Addr().Unmap()
	_, err = netip.ParseAddr(host)
	switch name := err != nil; {
	case Refused(addr):
		return refused(at.Addr())
	case ascii.EqualFold(host, "localhost") && !addr.IsLoopback(), name && addr.IsUnspecified():
		return &MisnamedError{host, addr}
	}
	return nil
}
