//go:build (dragonfly && cgo) || (freebsd && cgo) || linux || netbsd || openbsd

package keyring

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/godbus/dbus/v5"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/redact"
)

// The Secret Service: https://specifications.freedesktop.org/secret-service-spec/latest/
const (
	serviceName     = "org.freedesktop.secrets"
	servicePath     = "/org/freedesktop/secrets"
	loginCollection = "/org/freedesktop/secrets/collection/login"

	varBus = "DBUS_SESSION_BUS_ADDRESS"
)

// unlockHint has the running daemon replaced: one that is told to --unlock beside it does not get the bus, and the keyring stays locked.
// The password is all of standard input, a newline too.
const unlockHint = `log in to the desktop session, or unlock it from here: read -rs P && printf %s "$P" | gnome-keyring-daemon --replace --unlock`

// check reports whether the library can be asked: there is a session bus, and a Secret Service on it with the collection that the library would use.
// A locked one is [ErrLocked]: the library would prompt.
func check(ctx context.Context, e *env.Env) error {
	address := busAddress(e)
	if address == "" {
		return helpers.Unavailablef("there is no keyring here: no D-Bus session bus (neither $%s nor a socket $XDG_RUNTIME_DIR/bus)", varBus)
	}
	if path, err := notOwn(address); err != nil {
		return helpers.WithHint(helpers.Unavailablef("there is no keyring here: the session bus at %s is not asked: %s", redact.Quote(path, 200), err),
			"unset DBUS_SESSION_BUS_ADDRESS and XDG_RUNTIME_DIR (sudo and su leave them behind)")
	}
	var conn *dbus.Conn
	err := patiently(ctx, func() (err error) {
		conn, err = dbus.Connect(address, dbus.WithContext(ctx))
		return err
	})
	switch {
	case err != nil && exhausted(err):
		return fmt.Errorf("connecting to the session bus: %w", err)
	case err != nil:
		return helpers.Unavailablef("there is no keyring here: the session bus at %s does not answer: %s", redact.Quote(address, 200), redact.Quote(err.Error(), 200))
	}
	defer conn.Close()
	collection, err := collectionPath(ctx, conn)
	if err != nil {
		return err
	}
	value, err := property(ctx, conn, collection, "org.freedesktop.Secret.Collection", "Locked")
	if err != nil {
		return fmt.Errorf("asking whether the keyring is locked: %w", err)
	}
	tellLibrary(address)
	if locked, ok := value.Value().(bool); !ok || locked {
		return helpers.WithHint(ErrLocked, "%s", unlockHint)
	}
	return nil
}

// busAddress returns the address of the session bus, or "" where there is none.
func busAddress(e *env.Env) string {
	// "autolaunch:" asks for a bus to be started: https://dbus.freedesktop.org/doc/dbus-specification.html#message-bus-types-login
	if address := e.Var(varBus); address != "" && !strings.HasPrefix(address, "autolaunch:") {
		return address
	}
	dir := e.Var("XDG_RUNTIME_DIR")
	if !filepath.IsAbs(dir) {
		return ""
	}
	path := filepath.Join(dir, "bus")
	if info, err := os.Stat(path); err != nil || info.Mode().Type() != os.ModeSocket {
		return ""
	}
	return "unix:path=" + dbus.EscapeBusAddressValue(path)
}

// notOwn returns the socket in an address that somebody else may listen on, and why that may be: whoever does is given each secret that is stored.
func notOwn(address string) (path string, err error) {
	for one := range strings.SplitSeq(address, ";") {
		keys, ok := strings.CutPrefix(one, "unix:")
		for key := range strings.SplitSeq(keys, ",") {
			value, isPath := strings.CutPrefix(key, "path=")
			if !ok || !isPath {
				continue
			}
			if path, err = dbus.UnescapeBusAddressValue(value); err != nil {
				return value, errors.New("its address is malformed")
			}
			if !filepath.IsAbs(path) {
				return path, errors.New("its path is relative")
			}
			for _, at := range []string{path, filepath.Dir(path)} {
				info, err := os.Stat(at)
				if err != nil {
					break // to connect says more
				}
				st, ok := info.Sys().(*syscall.Stat_t)
				switch {
				case ok && int(st.Uid) != os.Geteuid() && st.Uid != 0:
					return path, errors.New("it belongs to another user, or is in a directory of another user's")
				case info.IsDir() && info.Mode().Perm()&0o002 != 0 && info.Mode()&os.ModeSticky == 0:
					return path, errors.New("every user can put another into its place")
				}
			}
		}
	}
	return "", nil
}

// collectionPath returns the collection that the library uses: "login" where there is one, else the default one.
func collectionPath(ctx context.Context, conn *dbus.Conn) (dbus.ObjectPath, error) {
	value, err := property(ctx, conn, servicePath, "org.freedesktop.Secret.Service", "Collections")
	if err != nil {
		var busError dbus.Error
		if errors.As(err, &busError) && !exhausted(err) && (busError.Name == "org.freedesktop.DBus.Error.ServiceUnknown" ||
			busError.Name == "org.freedesktop.DBus.Error.NameHasNoOwner" ||
			strings.HasPrefix(busError.Name, "org.freedesktop.DBus.Error.Spawn.")) {
			return "", helpers.Unavailablef("there is no keyring here: no Secret Service (%s) runs on the session bus", serviceName)
		}
		return "", fmt.Errorf("asking the keyring for its collections: %w", err)
	}
	if paths, ok := value.Value().([]dbus.ObjectPath); ok && slices.Contains(paths, loginCollection) {
		return loginCollection, nil
	}
	var path dbus.ObjectPath
	err = conn.Object(serviceName, servicePath).CallWithContext(ctx, "org.freedesktop.Secret.Service.ReadAlias", 0, "default").Store(&path)
	if err != nil {
		return "", fmt.Errorf("asking the keyring for its default collection: %w", err)
	}
	if path == "/" {
		return "", helpers.WithHint(helpers.Unavailablef("the keyring holds nothing yet: it was never unlocked, and so has no default collection"), "%s", unlockHint)
	}
	return path, nil
}

func property(ctx context.Context, conn *dbus.Conn, path dbus.ObjectPath, iface, name string) (value dbus.Variant, err error) {
	err = conn.Object(serviceName, path).CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", 0, iface, name).Store(&value)
	return value, err
}

var telling sync.Mutex

// tellLibrary makes the library use the bus at address. Without an address in its own environment it looks in one place less than busAddress,
// and then starts a bus.
func tellLibrary(address string) {
	telling.Lock()
	defer telling.Unlock()
	if os.Getenv(varBus) != address {
		_ = os.Setenv(varBus, address)
	}
}

func describeFailure(doing string, err error) error {
	return fmt.Errorf("%s: %w", doing, err)
}

// vanished reports whether an error is that of an item which is gone by now.
func vanished(err error) bool {
	var bus dbus.Error
	if !errors.As(err, &bus) {
		return false
	}
	switch bus.Name {
	case "org.freedesktop.DBus.Error.UnknownInterface", "org.freedesktop.DBus.Error.UnknownMethod", "org.freedesktop.DBus.Error.UnknownObject",
		"org.freedesktop.Secret.Error.NoSuchObject":
		return true
	}
	return false
}

// busy reports whether the bus has more knocking than its queue takes (of 30 with dbus-daemon), as in a storm of builds: nobody was asked yet.
func busy(err error) bool { return errors.Is(err, syscall.EAGAIN) }

// exhausted reports whether it is for want of something else that the keyring was not asked. It is not missing then.
func exhausted(err error) bool {
	for _, want := range []error{syscall.EAGAIN, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOBUFS} {
		if errors.Is(err, want) {
			return true
		}
	}
	var bus dbus.Error
	return errors.As(err, &bus) && slices.Contains([]string{
		"org.freedesktop.DBus.Error.LimitsExceeded", "org.freedesktop.DBus.Error.NoMemory", "org.freedesktop.DBus.Error.Spawn.ForkFailed",
	}, bus.Name)
}
