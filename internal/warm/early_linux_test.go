package warm

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/cache/wire"
	"github.com/fe055d52/credential-helper/internal/place"
)

// TestComesFirst holds, in the executable, that this package is initialized before package os and all that needs it.
func TestComesFirst(t *testing.T) {
	program := filepath.Join(t.TempDir(), "credential-helper")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", program, module+"cmd/credential-helper")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	version := exec.Command(program, "version")
	version.Env = []string{"GODEBUG=inittrace=1"}
	var trace strings.Builder
	version.Stderr = &trace
	if err := version.Run(); err != nil {
		t.Fatal(err)
	}
	var order []string
	for line := range strings.Lines(trace.String()) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == "init" {
			order = append(order, words[1])
		}
	}
	at := slices.Index(order, module+"internal/warm")
	if at < 0 || at == 0 || order[at-1] != "syscall" {
		t.Errorf("it is not initialized right behind package syscall: %s", order)
	}
}

// TestIsWhatPackageOSSays holds that directories are found here as the rest of the program finds them, since a key depends on them.
func TestIsWhatPackageOSSays(t *testing.T) {
	real, link := t.TempDir(), filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	for _, vars := range []map[string]string{
		{"HOME": "/home/alice"},
		{"HOME": ""},
		{"HOME": "", "XDG_CACHE_HOME": "/c", "XDG_CONFIG_HOME": "/d"},
		{"HOME": "/home/alice", "XDG_CACHE_HOME": "/c", "XDG_CONFIG_HOME": "/d"},
		{"HOME": "/home/alice", "XDG_CACHE_HOME": "c", "XDG_CONFIG_HOME": "d"},
		{"HOME": "relative"},
		{"PWD": link},
		{"PWD": real},
		{"PWD": ""},
		{"PWD": "."},
		{"PWD": "/nowhere"},
		{"PWD": filepath.Dir(real)},
	} {
		t.Run(strings.Join(slices.Sorted(func(yield func(string) bool) {
			for name, value := range vars {
				if !yield(name + "=" + value) {
					return
				}
			}
		}), " "), func(t *testing.T) {
			t.Chdir(link)
			for _, name := range []string{"HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "PWD"} {
				t.Setenv(name, vars[name])
			}
			get := place.Getenv(os.LookupEnv)
			check := func(what, got, want string) {
				if got != want {
					t.Errorf("%s: %q, and package os says %q", what, got, want)
				}
			}
			want, err := os.UserCacheDir()
			check("cache", userDir(get, "XDG_CACHE_HOME", "/.cache"), want)
			if err != nil && want != "" {
				t.Error(err)
			}
			want, _ = os.UserConfigDir()
			check("config", userDir(get, "XDG_CONFIG_HOME", "/.config"), want)
			want, _ = os.UserHomeDir()
			check("home", get.Var("HOME"), want)
			want, err = os.Getwd()
			if err != nil {
				t.Fatal(err)
			}
			got, err := workingDir()
			if err != nil {
				t.Fatal(err)
			}
			check("working directory", got, want)
		})
	}
}

func TestWrite(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	long := strings.Repeat("0123456789", 20_000) // more than a pipe holds
	done := make(chan string, 1)
	go func() {
		buf := make([]byte, len(long))
		n := 0
		for n < len(buf) {
			m, err := r.Read(buf[n:])
			if err != nil {
				break
			}
			n += m
		}
		done <- string(buf[:n])
	}()
	raw, err := w.SyscallConn() // os.Pipe's ends do not wait: a full one says EAGAIN
	if err != nil {
		t.Fatal(err)
	}
	var writeErr error
	if err := raw.Control(func(fd uintptr) { writeErr = write(int(fd), long) }); err != nil || writeErr != nil {
		t.Fatal(err, writeErr)
	}
	if got := <-done; got != long {
		t.Errorf("%d of %d bytes came", len(got), len(long))
	}
	_ = r.Close()
	if err := raw.Control(func(fd uintptr) { writeErr = write(int(fd), "x") }); err != nil || writeErr == nil {
		t.Errorf("writing to nobody: %v, %v", err, writeErr)
	}
}

// TestTrickle holds that an agent, or what stands in its place, that sends its reply byte by byte takes no more time than one that sends nothing:
// each of its bytes comes in time.
func TestTrickle(t *testing.T) {
	dir, err := os.MkdirTemp("", "ch") // the name of a test's directory can be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "agent.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	gone := make(chan int, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		reply := wire.Append(nil, wire.Message{Op: wire.Answer, Fields: []string{strings.Repeat("x", 100_000)}})
		for i := range reply {
			if _, err := conn.Write(reply[i : i+1]); err != nil {
				gone <- i
				return
			}
			time.Sleep(time.Millisecond)
		}
		gone <- len(reply)
	}()
	if _, err := roundTrip(socket, wire.Message{Op: wire.Ask}); !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("got %v", err)
	}
	if n := <-gone; n > 10_000 { // a hundred pieces are in time
		t.Errorf("it was waited for %d bytes", n)
	}
}
